"""Aggregate functions in Python gather in queries what they gather in plain Python."""

from __future__ import annotations

import math
import random
from builtins import max as builtins_max
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

import eau2
from eau2.math import avg, bool_and, count, count_if, exp, log, max, min, sqrt, sum

ROWS = 400


@eau2.aggregate
def geometric(x):  # type: ignore[no-untyped-def]
    return exp(sum(log(x)) / count(x))


@eau2.aggregate
def spread(x: float) -> float:
    mean = avg(x)
    return sqrt(avg(x * x) - mean * mean)


@eau2.aggregate
def span(n: int) -> int:
    low, high = min(n), max(n)
    return high - low


@eau2.aggregate
def weighted(x: float, n: int) -> float | None:
    total = sum(n)
    return sum(x * n) / total if total else None


@eau2.aggregate
def share_of_even(n: int) -> float | None:
    return count_if(n % 2 == 0) / count(n) if count(n) else None


@eau2.aggregate
class Mean:
    """The mean of x."""

    total: float
    n: int

    def init(self) -> None:
        self.total = 0.0
        self.n = 0

    def step(self, x: float) -> None:
        self.total += x
        self.n += 1

    def merge(self, other: Mean) -> None:
        self.total += other.total
        self.n += other.n

    def finish(self) -> float | None:
        return self.total / self.n if self.n else None


@eau2.aggregate
class Extremes:
    """How far the greatest positive number lies above the least, where a flag allows it."""

    low: int | None
    high: int
    odd: bool
    kept: int

    def init(self) -> None:
        self.low = None
        self.high = -100
        self.odd = True
        self.kept = 0

    def step(self, n: int, flag: bool) -> None:
        if self.low is None or n < self.low:
            self.low = n
        self.high = builtins_max(self.high, n)
        self.odd = self.odd and n % 2 == 1
        if flag:
            self.kept += 2
        elif n > 5:
            self.kept -= 1

    def merge(self, other: Extremes) -> None:
        if other.low is not None and (self.low is None or other.low < self.low):
            self.low = other.low
        self.high = builtins_max(self.high, other.high)
        self.odd = self.odd and other.odd
        self.kept += other.kept

    def finish(self) -> str:
        return f"{self.low}..{self.high} {self.odd} {self.kept}"


AGGREGATES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "geometric": (geometric, ("x",)),
    "spread": (spread, ("x",)),
    "span": (span, ("n",)),
    "weighted": (weighted, ("x", "n")),
    "share_of_even": (share_of_even, ("n",)),
    "Mean": (Mean, ("x",)),
    "Extremes": (Extremes, ("n", "flag")),
}


def made() -> dict[str, list[Any]]:
    """Rows of which every tenth value is missing; one group has none at all."""
    chance = random.Random(8)
    keys = [chance.randrange(5) for _ in range(ROWS)]

    def values(make: Any) -> list[Any]:
        return [None if key == 4 or chance.random() < 0.1 else make() for key in keys]

    return {
        "k": keys,
        "x": values(lambda: chance.randrange(1, 400) / 4),
        "n": values(lambda: chance.randrange(-20, 60)),
        "flag": values(lambda: chance.random() < 0.3),
    }


DATA = made()


@pytest.fixture(scope="module")
def con() -> Iterator[eau2.Connection]:
    with eau2.connect() as connection:
        connection.execute("SET chunk_rows = 64")
        connection.register("t", pa.table(DATA))
        for aggregate, _ in AGGREGATES.values():
            if aggregate is not Mean:
                connection.register_function(aggregate)
        yield connection


@pytest.mark.parametrize("name", sorted(set(AGGREGATES) - {"Mean"}))
def test_groups_are_gathered_as_python_gathers(name: str, con: eau2.Connection) -> None:
    aggregate, columns = AGGREGATES[name]
    found = con.sql(f"SELECT k, {name}({', '.join(columns)}) FROM t GROUP BY k ORDER BY k")
    rows = found.fetchall()
    assert len(rows) == 5
    for key, value in rows:
        own = [place for place, other in enumerate(DATA["k"]) if other == key]
        given = [[DATA[column][place] for place in own] for column in columns]
        if name in ("geometric", "spread", "span") and key == 4:
            # Python computes with None, which is a TypeError there and no value here.
            assert value is None
            continue
        expected = aggregate(*given)
        if isinstance(expected, float):
            assert math.isclose(value, expected, rel_tol=1e-12)
        else:
            assert value == expected


def test_a_name_that_sql_has_is_refused(con: eau2.Connection) -> None:
    with pytest.raises(eau2.ProgrammingError, match='"Mean" is a function that eau2 has'):
        con.register_function(Mean)


def test_distinct_filter_and_windows(con: eau2.Connection) -> None:
    query = "SELECT span(DISTINCT n), span(n) FILTER (WHERE n > 0), count(*) FROM t WHERE n < 9"
    ((span_, positive, _),) = con.sql(query).fetchall()
    below = [n for n in DATA["n"] if n is not None and n < 9]
    assert span_ == builtins_max(below) - sorted(below)[0]
    assert positive == builtins_max(below) - sorted(n for n in below if n > 0)[0]
    windows = con.sql("SELECT k, span(n) OVER (PARTITION BY k) FROM t").fetchall()
    groups = dict(con.sql("SELECT k, span(n) FROM t GROUP BY k").fetchall())
    assert all(groups[key] == value for key, value in windows)


def test_partial_and_final_steps_are_the_planners(con: eau2.Connection) -> None:
    plan = con.explain("SELECT k, weighted(x, n) FROM t GROUP BY k")
    assert plan.count("PartialAggregate") == 1
    assert plan.count("FinalAggregate") == 1


def test_explain_shows_what_is_gathered() -> None:
    told = eau2.explain(Mean).splitlines()
    assert told[:3] == ["Mean(x DOUBLE) -> DOUBLE", "  a1 = sum(x)", "  a2 = count(x)"]


def test_bool_and_of_no_rows(con: eau2.Connection) -> None:
    @eau2.aggregate
    def all_late(n: int) -> bool | None:
        return bool_and(n > 3)

    con.register_function(all_late)
    assert con.sql("SELECT all_late(n) FROM t WHERE n > 99").fetchall() == [(None,)]
    assert con.sql("SELECT all_late(n) FROM t WHERE n > 3").fetchall() == [(True,)]
