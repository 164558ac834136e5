"""Conditions over dictionaries are kept by the values of the dictionary, not by their codes."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.operators import formed
from eau2.operators.expr import Call, Column, Expr, InList, Literal, ref
from eau2.operators.formed import in_forms
from eau2.operators.forms import Coded
from eau2.operators.lowering import lower_expr
from eau2.types import BOOLEAN, VARCHAR

S = Column(1, "s", VARCHAR)


def text(value: str) -> Literal:
    return Literal(VARCHAR, value)


CONDITIONS: tuple[Expr, ...] = (
    Call(BOOLEAN, "=", (ref(S), text("b"))),
    Call(BOOLEAN, "=", (text("b"), ref(S))),
    Call(BOOLEAN, "=", (ref(S), text("not there"))),
    Call(BOOLEAN, "<>", (ref(S), text("b"))),
    Call(BOOLEAN, "like", (ref(S), text("%b%"))),
    InList(BOOLEAN, ref(S), ("a", "c", "x1")),
    InList(BOOLEAN, ref(S), ("a", "c"), has_null=True),
    InList(BOOLEAN, ref(S), tuple(f"x{n}" for n in range(0, 90, 2))),
)
DICTIONARIES: tuple[list[str], ...] = (
    ["a", "b", "c"],
    ["c", "b", "a"],
    ["b"],
    ["a", "b", "c", "b b"],
    ["x1", "b", *(f"x{n}" for n in range(2, 90))],
    [*(f"y{n}" for n in range(500)), "b", "c"],
    [*(f"y{n}" for n in range(5000)), "b", "c"],
    [],
)


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_one_condition_over_several_dictionaries(condition: Expr) -> None:
    for values in (*DICTIONARIES, *DICTIONARIES):
        codes = [*range(len(values)), None]
        coded = pl.DataFrame({S.label: pl.Series(codes, dtype=pl.UInt16)})
        plain = pl.DataFrame({S.label: pl.Series([*values, None], dtype=pl.String)})
        form = Coded(pl.Series(values, dtype=pl.String))
        found = coded.select(x=lower_expr(in_forms(condition, {S.label: form})))
        wanted = plain.select(x=lower_expr(condition))
        assert found.to_series().to_list() == wanted.to_series().to_list(), values


def test_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formed, "_KEPT", 3)
    formed._kept.clear()
    for number in range(10):
        condition = Call(BOOLEAN, "=", (ref(S), text(f"{number}")))
        in_forms(condition, {S.label: Coded(pl.Series(["1", "2"]))})
        assert len(formed._kept) <= 3
