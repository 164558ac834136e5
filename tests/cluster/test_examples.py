"""The example programs: embedded and on three nodes they give the same, and what SQL gives too.

Beside each program stands its twin in SQL, which reads the frames that the program has stored.
k-means has none: it is held against NumPy.
"""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import eau2
from tests.cluster.nodes import Processes
from tests.processes import ROOT, environment

Row = tuple[Any, ...]

PROGRAMS = {
    "word_count": "words",
    "sum": "sums",
    "search": "found",
    "seven_degrees": "reached",
    "page_rank": "ranks",
    "k_means": "centres",
}
"""Each program, and the key of what it computes."""

CHUNK_ROWS = 5_000


@pytest.fixture
def here() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        yield connection


@pytest.fixture
def there(three_processes: Processes) -> Iterator[eau2.Connection]:
    """A connection to one of three nodes, on which nothing is left behind."""
    with eau2.connect(three_processes.urls[1]) as connection:
        yield connection
        for name in connection.tables():
            connection.drop(name)


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def run(module: ModuleType, connection: eau2.Connection) -> None:
    """Run the program of a module, with chunks so small that all nodes have some."""
    connection.sql(f"SET chunk_rows = {CHUNK_ROWS}")
    (application,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, eau2.Application)
    )
    application().run(eau2.KeyValueStore(connection))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "k_means"])
def test_a_program_gives_what_its_twin_gives(
    name: str, here: eau2.Connection, there: eau2.Connection
) -> None:
    module = loaded(name)
    answers: list[list[Row]] = []
    for connection in (here, there):
        run(module, connection)
        computed = sorted(connection.frame(PROGRAMS[name]))
        assert computed
        assert computed == sorted(connection.query(module.SQL))
        answers.append(computed)
    assert answers[0] == answers[1]


def test_what_a_program_stores_is_on_several_nodes(there: eau2.Connection) -> None:
    run(loaded("search"), there)
    chunks = there.describe("commits").chunks
    assert len(chunks) == 20
    assert len({location for chunk in chunks for location in chunk.locations}) == 3


def test_a_small_set_prunes_chunks(there: eau2.Connection) -> None:
    module = loaded("search")
    run(module, there)
    found = there.frame("commits").filter(module.is_wanted).explain(analyze=True)
    assert "at 2 of 20 chunks of commits (18 pruned" in found


@eau2.function
def fails_at_the_end(id: int) -> int:
    """Divides by zero in the last chunk alone."""
    return 1 // (99_999 - id)


def test_a_row_that_raises_is_told_by_function_and_line(there: eau2.Connection) -> None:
    run(loaded("search"), there)
    commits = there.frame("commits")
    line = inspect.unwrap(fails_at_the_end).__code__.co_firstlineno + 3
    told = rf"ZeroDivisionError.*in fails_at_the_end \(test_examples.py, line {line}\)"
    with pytest.raises(eau2.DataError, match=told):
        commits.map(fails_at_the_end).collect()
    others = commits.filter("id < 99999").map(n=fails_at_the_end)
    assert others.reduce(n="sum(n)").rows() == [(1,)]


def test_k_means_is_what_numpy_computes(here: eau2.Connection, there: eau2.Connection) -> None:
    module = loaded("k_means")
    answers = []
    for connection in (here, there):
        run(module, connection)
        ((xs, ys),) = connection.frame("centres")
        assert np.allclose(np.column_stack([xs, ys]), moved(module), atol=1e-9)
        answers.append((xs, ys))
    # Sums of floats are exact: not one bit depends on where rows are.
    assert answers[0] == answers[1]


def moved(module: ModuleType) -> Any:
    """The centres by NumPy, of the same points and from the same beginning."""
    numbers = range(30_000)
    points = np.array([(module.x_of(n), module.y_of(n)) for n in numbers])
    centres = np.array([(0.0, 0.0), (5.0, 5.0), (9.0, 0.0)])
    while True:
        distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        nearest = distances.argmin(axis=1)
        means = np.array([points[nearest == one].mean(axis=0) for one in range(len(centres))])
        if np.array_equal(means, centres):
            return centres
        centres = means


def test_nothing_is_kept_after_a_program(there: eau2.Connection) -> None:
    kept = eau2.KeyValueStore(there)
    run(loaded("page_rank"), there)
    there.frame("ranks").count()
    assert set(there.tables()) == set(kept.keys()) == {"links", "ranks"}


def test_the_command_runs_a_program_at_a_node(
    there: eau2.Connection, three_processes: Processes, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("one two\nTwo\n")
    program = str(ROOT / "examples" / "word_count.py")
    arguments = ["run", program, "--connect", three_processes.urls[2], "--", "text"]
    done = subprocess.run(
        [sys.executable, "-m", "eau2", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "│ two     │      2 │" in done.stdout
    assert there.get("words").fetchall() == [("two", 2), ("one", 1)]
