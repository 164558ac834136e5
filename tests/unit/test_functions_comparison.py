"""Comparisons with a constant, where the kernel engine has a trap."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.operators.expr import Call, ColumnRef, Expr, Literal
from eau2.operators.functions.table import bind
from eau2.operators.lowering import lower_expr
from eau2.types import BIGINT

OPERATORS = ("=", "<>", "<", "<=", ">", ">=", "is_distinct", "is_not_distinct")


def _padded() -> pl.LazyFrame:
    """Two rows whose column c1 is one value, as an outer join without pairs gives it."""
    left = pl.LazyFrame({"k": [5, 5]})
    right = pl.LazyFrame({"j": pl.Series([None], dtype=pl.Int64), "c1": [2]})
    return left.join(right, left_on="k", right_on="j", how="left", coalesce=False)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_a_constant_before_a_column_of_one_value_keeps_all_rows(operator: str, engine: str) -> None:
    constant: Expr = Literal(BIGINT, 1000)
    call = bind(operator, (constant, ColumnRef(BIGINT, 1)))
    assert isinstance(call, Call)
    lazy = _padded().select(lower_expr(call).alias("r"))
    rows = lazy.collect(engine="streaming" if engine == "streaming" else "in-memory")
    null_aware = {"is_distinct": True, "is_not_distinct": False}
    assert rows.get_column("r").to_list() == [null_aware.get(operator)] * 2


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [("<", [False, False, True]), (">=", [True, True, False]), ("=", [False, True, False])],
)
def test_turning_a_comparison_round_keeps_its_meaning(operator: str, wanted: list[bool]) -> None:
    call = bind(operator, (Literal(BIGINT, 2), ColumnRef(BIGINT, 1)))
    rows = pl.DataFrame({"c1": [1, 2, 3]}).select(lower_expr(call).alias("r"))
    assert rows.get_column("r").to_list() == wanted
