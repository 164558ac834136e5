"""eau2.math: its words in plain Python, which give what the aggregates of SQL give."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator

import pytest

import eau2
import eau2.math as words
from eau2.math import AGGREGATES, avg, count, exp, log, stddev
from eau2.operators import aggregates
from tests.unit.python_oracle import same

COLUMNS: dict[str, list[float | None]] = {
    "some": [1.5, None, 2.0, -3.25, 8.0],
    "one": [4.0],
    "none": [None],
    "equal": [2.0, 2.0, 2.0],
}
NUMERIC = ("avg", "mean", "median", "sum", "min", "max", "product", "stddev", "stddev_pop",
           "stddev_samp", "var_pop", "var_samp", "variance", "count", "first", "last")  # fmt: skip


def test_every_aggregate_is_one_of_sql() -> None:
    assert set(AGGREGATES.values()) <= set(aggregates.names())
    for name in (*AGGREGATES, *words.__all__):
        assert hasattr(words, name), name
        assert name in words.__all__


def from_sql(call: str, rows: list[tuple[float | None, ...]]) -> object:
    listed = ", ".join(
        f"({i}, {', '.join('NULL' if v is None else f'{v}::DOUBLE' for v in row)})"
        for i, row in enumerate(rows)
    )
    names = ", ".join(["i", "x", "y"][: len(rows[0]) + 1])
    text = f"SELECT {call} FROM (VALUES {listed}) AS t({names})"
    ((found,),) = eau2.connect().sql(text).fetchall()
    return found


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", NUMERIC)
def test_aggregates_of_numbers(name: str, column: str) -> None:
    values = COLUMNS[column]
    order = " ORDER BY i" if name in ("first", "last") else ""
    wanted = from_sql(f"{AGGREGATES[name]}(x{order})", [(value,) for value in values])
    found = getattr(words, name)(values)
    close = isinstance(found, float) and isinstance(wanted, float) and math.isclose(found, wanted)
    assert close or same(found, wanted), f"{found!r}, not {wanted!r}"


@pytest.mark.parametrize("name", ["corr", "covar_pop", "covar_samp"])
def test_aggregates_of_pairs(name: str) -> None:
    rows: list[tuple[float | None, ...]] = [(1.0, 2.0), (2.0, 3.5), (None, 1.0), (4.0, -1.0)]
    wanted = from_sql(f"{name}(x, y)", rows)
    found = getattr(words, name)([x for x, _ in rows], [y for _, y in rows])
    assert isinstance(wanted, float)
    assert math.isclose(found, wanted)
    assert getattr(words, name)([], []) is None


def test_aggregates_of_truth_and_any_values() -> None:
    assert words.bool_and([True, None]) is True
    assert words.bool_or([False, None]) is False
    assert words.bool_and([None]) is None
    assert words.bool_or([]) is None
    assert words.count_if([True, False, None, True]) == 2
    assert words.any_value([None, "a"]) == "a"
    assert words.max(["a", "b", None]) == "b"


def test_an_iterator_is_read_once() -> None:
    def values() -> Iterator[int | None]:
        yield from (None, 3, 4)

    assert words.first(values()) is None
    assert words.last(values()) == 4
    assert words.sum(values()) == 7


def test_one_value_is_no_column() -> None:
    for name in ("sum", "avg", "count", "min", "first", "bool_and"):
        with pytest.raises(TypeError, match="in the body of an @eau2"):
            getattr(words, name)(3)
    with pytest.raises(TypeError, match="in the body"):
        count()


def test_the_body_of_an_aggregate_has_types() -> None:
    """That mypy takes these bodies is what is tested."""

    def geometric_mean(x: float) -> float:
        return exp(avg(log(x)))

    def spread(x: float, y: float) -> float:
        return stddev(x) / stddev(y) / count()

    assert geometric_mean.__annotations__["return"] == "float"
    assert callable(spread)


def test_the_scalar_words_are_those_of_math() -> None:
    assert words.log is math.log
    assert words.pi == math.pi


def test_it_loads_nothing_of_eau2() -> None:
    script = "import sys, eau2.math; print(*(m for m in sys.modules if m.startswith('eau2.')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["eau2.math"]
