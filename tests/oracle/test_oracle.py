"""Random queries agree with DuckDB: 2,000 from a fixed seed, and some that Hypothesis draws."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eau2.engine import rule_names
from tests.cluster.nodes import Nodes
from tests.oracle.compare import difference
from tests.oracle.constructs import count
from tests.oracle.evaluation import dropped, without_signs
from tests.oracle.fuzz import (
    BATCH_QUERIES,
    Case,
    cases,
    describe,
    duck_side,
    judge_alone,
    minimise,
    nodes_side,
    run_batches,
)
from tests.oracle.fuzz import eau_side as eau
from tests.oracle.queries import random_query
from tests.oracle.sides import DuckSide, EauSide, Setup
from tests.oracle.tables import random_tables

SEED = "test run"
QUERIES = 2000
SLICES = 10
ON_NODES = 200
DRAWN_AT_LEAST = 5
REFUSED_AT_MOST = 0.04
SETUPS = (
    Setup(),
    Setup(1, 1),
    Setup(2, 1),
    Setup(3, 6),
    Setup(7, 1, True),
    Setup(None, None, True),
    Setup(None, None, zone_rows=2),
    Setup(7, 1, coded=True, zone_rows=3),
    Setup(2, 1, without=rule_names()),
    Setup(7, 6, indexed=True),
)


@pytest.mark.parametrize("part", range(SLICES))
def test_random_queries(part: int) -> None:
    batches = QUERIES // BATCH_QUERIES // SLICES
    tally = run_batches(SEED, range(part * batches, (part + 1) * batches))
    shown = []
    for case, verdict in tally.differences[:3]:
        small = minimise(case, verdict, steps=300)
        shown.append(f"{verdict.kind}: {verdict.text[:300]}\n{describe(small)}")
    assert not tally.differences, "\n\n".join(shown)
    assert tally.outcomes["refused"] <= REFUSED_AT_MOST * tally.queries, tally.refusals
    assert tally.outcomes["equal"] >= 0.9 * tally.queries, tally.outcomes


def test_random_queries_on_three_nodes(three_in_process: Nodes) -> None:
    make = nodes_side(three_in_process.urls)
    tally = run_batches("three nodes", range(ON_NODES // BATCH_QUERIES), make)
    shown = [f"{verdict.text[:300]}\n{describe(case)}" for case, verdict in tally.differences[:3]]
    assert not tally.differences, "\n\n".join(shown)
    assert tally.outcomes["refused"] <= REFUSED_AT_MOST * tally.queries, tally.refusals
    assert tally.outcomes["equal"] >= 0.9 * tally.queries, tally.outcomes


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.randoms(use_true_random=False), st.sampled_from(SETUPS))
def test_queries_drawn_by_hypothesis(random: Random, setup: Setup) -> None:
    tables = random_tables(random)
    case = Case(tables, setup, random_query(random, tables))
    verdict = judge_alone(case, eau)
    assert verdict.outcome != "different", describe(case)


def test_every_construct_is_drawn() -> None:
    drawn = count(SEED, QUERIES)
    assert {name: number for name, number in drawn.items() if number < DRAWN_AT_LEAST} == {}


def test_duckdb_agrees_with_itself() -> None:
    tally = run_batches("itself", range(2), duck_side)
    assert tally.outcomes["different"] == 0
    assert tally.outcomes["equal"] > 90


def test_a_seed_is_a_case_for_ever() -> None:
    first = [(case.tables, case.setup, case.query.sql) for case in cases("same", 3, 20)]
    again = [(case.tables, case.setup, case.query.sql) for case in cases("same", 3, 20)]
    assert first == again


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        ({"a": [1, 2]}, {"a": [2, 1]}, None),
        ({"a": [1, 2]}, {"a": [1, 1]}, "row"),
        ({"a": [1, None]}, {"a": [1, 0]}, "row"),
        ({"a": [1]}, {"b": [1]}, "column names"),
        ({"a": [1]}, {"a": [1.0]}, "type"),
        ({"a": [1]}, {"a": [1, 1]}, "rows"),
        ({"a": [float("nan"), 0.0]}, {"a": [-0.0, float("nan")]}, None),
        ({"a": [0.1]}, {"a": [0.1 + 1e-15]}, "row"),
        ({"a": ["x"]}, {"a": pa.array(["x"], pa.string_view())}, None),
    ],
)
def test_comparison(
    expected: dict[str, object], actual: dict[str, object], words: str | None
) -> None:
    found = difference(pa.table(expected), pa.table(actual))
    assert (found is None) if words is None else (found is not None and words in found)


def test_comparison_of_order_and_inexact_columns() -> None:
    left, right = pa.table({"a": [1, 2]}), pa.table({"a": [2, 1]})
    assert difference(left, right, ordered=[0]) == "order, at row 0: (1) and (2)"
    close = pa.table({"a": [0.1 + 1e-15]})
    assert difference(pa.table({"a": [0.1]}), close, inexact=[0]) is None


def test_a_wrong_engine_is_caught_and_minimised() -> None:
    class Wrong(EauSide):
        """Answers with every WHERE left out."""

        def run(self, sql: str) -> pa.Table:
            return super().run(sql.replace(" WHERE ", " GROUP BY ALL --"))

    tally = run_batches("wrong", range(1), lambda tables, setup: Wrong(tables, setup))
    assert tally.differences
    case, verdict = tally.differences[0]
    small = minimise(case, verdict, lambda tables, setup: Wrong(tables, setup), steps=200)
    assert len(small.query.sql) <= len(case.query.sql)
    assert sum(len(table.rows) for table in small.tables) <= 10


def test_sides_hold_the_same_tables() -> None:
    tables = random_tables(Random("sides"))
    duck, other = DuckSide(tables), EauSide(tables, Setup(2))
    for table in tables:
        sql = f"SELECT * FROM {table.name}"
        assert difference(duck.run(sql), other.run(sql)) is None
    duck.close()
    other.close()


def test_clauses_are_dropped_with_what_is_in_their_brackets() -> None:
    sql = "SELECT DISTINCT ON (f(a), b) sum(x) FILTER (WHERE (a > 1)), 1 FROM t"
    assert dropped(sql, ("DISTINCT ON (", " FILTER (")) == "SELECT  sum(x), 1 FROM t"


def test_only_infinities_may_have_another_sign() -> None:
    table = pa.table({"x": [float("-inf"), -1.0, None], "s": ["-inf", "b", None]})
    wanted = {"x": [float("inf"), -1.0, None], "s": ["-inf", "b", None]}
    assert without_signs(table).to_pydict() == wanted
