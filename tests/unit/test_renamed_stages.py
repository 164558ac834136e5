"""Stages that are read under other names: no stage of their own only renames."""

from __future__ import annotations

import polars as pl
import pytest

import eau2
from eau2.operators.base import Lowering, lower
from eau2.operators.expr import Column, Expr, ref
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.planner.fusion import fused
from eau2.planner.physical import Plan, Stage
from eau2.planner.placement import Task
from eau2.types import BIGINT

A, B, X, Y = (Column(id_, name, BIGINT) for id_, name in enumerate("abxy"))


def lowered(node: StageInput, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    lowering = Lowering(None, {0: frame.lazy()}, frames={0: frame})
    return lower(node, lowering).collect(), node.at_hand(lowering)


def test_columns_are_read_under_other_names() -> None:
    frame = pl.DataFrame({"c0": [1, None], "c1": [3, 4]})
    for rows in lowered(StageInput(0, (X, Y), (B, A)), frame):
        assert rows is not None
        assert rows.to_dict(as_series=False) == {"c2": [3, 4], "c3": [1, None]}


def test_one_column_may_be_read_twice() -> None:
    for rows in lowered(StageInput(0, (X, Y), (A, A)), pl.DataFrame({"c0": [1, 2]})):
        assert rows is not None
        assert rows.to_dict(as_series=False) == {"c2": [1, 2], "c3": [1, 2]}


def test_narrow_columns_stay_narrow() -> None:
    frame = pl.DataFrame({"c0": pl.Series([1, 2], dtype=pl.Int8)})
    rows, _ = lowered(StageInput(0, (X,), (A,)), frame)
    assert rows.schema == {"c2": pl.Int8()}


def test_as_many_names_as_columns() -> None:
    with pytest.raises(ValueError, match="1 names for 2 columns"):
        StageInput(0, (X,), (A, B))


def test_a_stage_that_goes_on_keeps_the_names() -> None:
    items: tuple[tuple[Column, Expr], ...] = ((A, ref(A)),)
    below = Stage(0, Project(StageInput(7, (A,)), items), None, (7,))
    above = Stage(1, StageInput(0, (X,), (A,)), None, (0,))
    plan = Plan((below, above), (X,), ("x",))
    placed = {n: (Task(n, 0, (), 0, "here"),) for n in (0, 1)}
    one, _ = fused(plan, placed, ["here"])
    assert one.stages[-1].root == Project(below.root, ((X, ref(A)),))


QUERIES = (
    "SELECT p.a, q.a AS b, p.s FROM d AS p, d AS q WHERE p.a = q.b",
    "SELECT p.a, p.a AS again FROM d AS p WHERE p.b IN (SELECT a FROM d)",
    "SELECT count(*) FROM d AS p, d",
    "SELECT x.t, count(*) FROM (SELECT s AS t, a AS k FROM d) x JOIN d ON x.k = d.a GROUP BY x.t",
    "SELECT u FROM (SELECT s AS u FROM d UNION ALL SELECT s FROM d)",
    "SELECT e.s2 FROM e JOIN d ON e.s2 = d.s",
    "SELECT p.s FROM d AS p LEFT JOIN d AS q ON p.a = q.a AND p.b < q.b",
)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("rows", [0, 1, 7, 3000])
def test_definitions_read_twice(query: str, rows: int) -> None:
    con = eau2.connect(threads=2)
    table = pl.DataFrame(
        {
            "a": [i % 50 if i % 7 else None for i in range(rows)],
            "b": [i % 40 for i in range(rows)],
            "s": [("x", "y", "z", None)[i % 4] for i in range(rows)],
        },
        schema={"a": pl.Int64, "b": pl.Int64, "s": pl.String},
    )
    con.register("t", table.to_arrow())
    body = "SELECT DISTINCT a, b, s FROM t"
    more = f"WITH d AS MATERIALIZED ({body}), e AS MATERIALIZED (SELECT s AS s2, a AS a2 FROM d) "
    plain = (
        f"WITH d AS NOT MATERIALIZED ({body}), e AS NOT MATERIALIZED (SELECT s AS s2, a FROM d) "
    )
    found = sorted(con.sql(more + query).fetchall(), key=repr)
    assert found == sorted(con.sql(plain + query).fetchall(), key=repr)
