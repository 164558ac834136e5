"""Queries agree with DuckDB while their tables change in between: 8 stories from a fixed seed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.cluster.nodes import Nodes
from tests.mutants.change_bugs import plan_of_former_rows
from tests.oracle.changes import ELSEWHERE, ORDERED, OWN, REOPENED, Changes
from tests.oracle.compare import difference
from tests.oracle.keyed import keyed_tables
from tests.oracle.shorter import minimised, shown
from tests.oracle.sides import Setup
from tests.oracle.stories import Story, story, verdicts
from tests.oracle.tables import Column, Table
from tests.oracle.tell import main
from tests.oracle.told import DuckTold, EauTold

SEED = "test run"
STORIES = 8
DRAWN_AT_LEAST = 5

NUMBERS = (Column("k", "INTEGER", "int", True), Column("s", "VARCHAR", "str", True))
TABLE = Table("ta", NUMBERS, ((3, "a"), (1, "b"), (None, None)))


def differences(told: Story, urls: tuple[str, ...] = ()) -> list[str]:
    """What differs in a story, made short."""
    return [
        f"{verdict.kind}: {verdict.text[:300]}\n{shown(minimised(told, number, verdict), urls)}"
        for number, verdict in verdicts(told, urls=urls)
        if verdict.outcome == "different"
    ]


@pytest.mark.parametrize("number", range(STORIES))
def test_stories(number: int) -> None:
    told = story(SEED, number)
    assert differences(told) == []


def test_a_story_on_three_nodes(three_in_process: Nodes) -> None:
    told = story("three nodes", 0, "nodes")
    assert differences(told, tuple(three_in_process.urls)) == []


def test_a_number_is_a_story_for_ever() -> None:
    assert story("same", 3) == story("same", 3)


def test_every_kind_of_step_is_drawn() -> None:
    random = Random("kinds")
    changes, tables = Changes(random, temporary=False), keyed_tables(random)
    steps = [step for _ in range(1500) for step in changes.steps(tables)]
    kinds = (
        *("INSERT INTO", "DROP TABLE", "CREATE TABLE", "CREATE OR REPLACE TABLE", REOPENED),
        *(ELSEWHERE + "INSERT INTO", ELSEWHERE + "DROP TABLE", ELSEWHERE + "CREATE", ORDERED),
        *(OWN + "CREATE INDEX", OWN + "DROP INDEX", OWN + "SET auto_index", OWN + "SET index_m"),
        OWN + "SET optimizer.",
    )
    drawn = {kind: sum(step.startswith(kind) for step in steps) for kind in kinds}
    assert {kind: count for kind, count in drawn.items() if count < DRAWN_AT_LEAST} == {}


def test_both_engines_take_steps_alike() -> None:
    steps = (
        "INSERT INTO ta VALUES (7, 'new')",
        f"{ELSEWHERE}INSERT INTO ta SELECT k + 1, s FROM ta",
        f"{ORDERED}ta BY s, k",
        f"{OWN}CREATE INDEX i1 ON ta (k)",
        REOPENED,
    )
    duck, other = DuckTold([TABLE]), EauTold([TABLE], Setup(2, apart=True), "disk")
    for step in steps:
        assert duck.tell(step) is None
        assert other.tell(step) is None
        sql = "SELECT * FROM ta"
        assert difference(duck.run(sql), other.run(sql)) is None
    assert duck.table("ta", NUMBERS).columns == NUMBERS
    assert duck.tell("INSERT INTO ta VALUES ('x', 'y')") is not None
    assert other.tell("INSERT INTO ta VALUES ('x', 'y')") is not None
    duck.close()
    other.close()


def test_what_is_believed_of_former_rows_is_found_and_made_short() -> None:
    with plan_of_former_rows():
        told = story("mutants", 0)
        number, verdict = next(found for found in verdicts(told) if found[1].outcome == "different")
        small = minimised(told, number, verdict, steps=40)
        assert len(small.told) <= 4
        assert "-- eau2: " in shown(small)


def test_the_command_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "state.json")
    assert main(["--seed", "resumed", "--to", "1", "--resume", file]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("1 stories")
    assert main(["--seed", "resumed", "--to", "1", "--resume", file]) == 0
    assert capsys.readouterr().out.splitlines()[0].split(",")[:2] == first.split(",")[:2]
