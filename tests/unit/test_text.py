"""Operators as text: what EXPLAIN shows of each."""

from __future__ import annotations

import math

import pytest

from eau2 import types
from eau2.operators.base import Operator
from eau2.operators.constant_text import literal_text
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expr,
    InList,
    Literal,
    SortKey,
    ref,
)
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.text import column_names, expr_text, to_text
from eau2.operators.values import NoRows, OneRow

BOOLEAN, INTEGER, VARCHAR = types.BOOLEAN, types.INTEGER, types.VARCHAR
A, B, S = Column(1, "a", INTEGER), Column(2, "b", INTEGER), Column(3, "s", VARCHAR)
NAMES = column_names(iter((A, B, S)))
ONE, TWO = Literal(INTEGER, 1), Literal(INTEGER, 2)


def call(function: str, *args: Expr) -> Call:
    return Call(INTEGER, function, args)


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (None, INTEGER, "NULL"),
        (True, BOOLEAN, "TRUE"),
        (-7, INTEGER, "-7"),
        (5, types.decimal(3, 2), "0.05"),
        (-12345, types.decimal(15, 2), "-123.45"),
        (12, types.decimal(9, 0), "12"),
        (10471, types.DATE, "DATE '1998-09-02'"),
        (-1, types.DATE, "DATE '1969-12-31'"),
        (10**8, types.DATE, "CAST(100000000 AS DATE)"),
        (1, types.TIMESTAMP, "TIMESTAMP '1970-01-01 00:00:00.000001'"),
        (0.1, types.DOUBLE, "0.1"),
        (math.nan, types.DOUBLE, "CAST('nan' AS DOUBLE)"),
        (-math.inf, types.DOUBLE, "CAST('-inf' AS DOUBLE)"),
        ("it's", VARCHAR, "'it''s'"),
    ],
)
def test_literals(value: bool | int | float | str | None, type_: types.SqlType, text: str) -> None:
    assert literal_text(value, type_) == text


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (call("+", call("*", ref(A), TWO), ONE), "a * 2 + 1"),
        (call("*", ref(A), call("+", TWO, ONE)), "a * (2 + 1)"),
        (call("-", ref(A), call("-", ref(B), ONE)), "a - (b - 1)"),
        (call("-", call("-", ref(A), ref(B)), ONE), "a - b - 1"),
        (call("=", call("=", ref(A), ref(B)), Literal(BOOLEAN, True)), "(a = b) = TRUE"),
        (call("and", call("or", ref(A), ref(B)), call("not", ref(A))), "(a OR b) AND NOT a"),
        (call("not", call("and", ref(A), ref(B))), "NOT (a AND b)"),
        (call("negate", call("negate", ref(A))), "-(-a)"),
        (call("negate", Literal(INTEGER, -1)), "-(-1)"),
        (call("is_null", call("+", ref(A), ONE)), "a + 1 IS NULL"),
        (call("is_not_null", call("=", ref(A), ONE)), "(a = 1) IS NOT NULL"),
        (call("is_distinct", ref(A), ref(B)), "a IS DISTINCT FROM b"),
        (call("like", ref(S), Literal(VARCHAR, "x%"), Literal(VARCHAR, "")), "s LIKE 'x%'"),
        (
            call("ilike", ref(S), Literal(VARCHAR, "x!%"), Literal(VARCHAR, "!")),
            "s ILIKE 'x!%' ESCAPE '!'",
        ),
        (
            call("add_interval", ref(A), ONE, Literal(INTEGER, 0), TWO),
            "a + INTERVAL '1 months 2 microseconds'",
        ),
        (call("coalesce", ref(A), ONE), "coalesce(a, 1)"),
        (Cast(VARCHAR, call("+", ref(A), ONE)), "CAST(a + 1 AS VARCHAR)"),
        (Cast(types.decimal(9, 2), ref(A), safe=True), "TRY_CAST(a AS DECIMAL(9,2))"),
        (Case(INTEGER, ((ref(A), ONE),), TWO), "CASE WHEN a THEN 1 ELSE 2 END"),
        (InList(BOOLEAN, ref(A), (1, 2), has_null=True), "a IN (1, 2, NULL)"),
        (
            InList(BOOLEAN, ref(A), tuple(range(12))),
            "a IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 2 more)",
        ),
    ],
)
def test_expressions(expr: Expr, text: str) -> None:
    assert expr_text(expr, NAMES) == text


def test_columns_without_a_name_are_shown_by_label() -> None:
    assert expr_text(call("+", ref(A), ref(B))) == "c1 + c2"


def test_names_that_two_columns_share_have_ids() -> None:
    other = Column(9, "a", INTEGER)
    odd = Column(4, 'Order "Key"', INTEGER)
    names = column_names(iter((A, other, odd, A)))
    assert names == {1: "a#1", 9: "a#9", 4: '"Order ""Key"""'}


def test_a_whole_tree() -> None:
    total = Column(5, "total", types.HUGEINT)
    rows = Column(6, "rows", types.BIGINT)
    sum_b = AggregateCall("sum", (ref(B),), types.HUGEINT, wide=False)
    calls = ((total, sum_b), (rows, AggregateCall("count_star", (), types.BIGINT)))
    scan = Filter(ScanChunks((A, B), ("a", "bee")), call("<", ref(A), ref(B)))
    join = Join("left", scan, StageInput(3, (S,)), ((ref(S), ref(S)),), call(">", ref(B), ONE))
    final = FinalAggregate(PartialAggregate(join, ((A, ref(A)),), calls), (A,), calls)
    keys = (SortKey(ref(total), descending=True), SortKey(ref(A), nulls_last=False))
    tree: Operator = Sort(TopK(final, keys, 10, 5), keys[:1], at_most_rows=100)
    tree = Limit(Project(tree, ((A, ref(A)), (Column(7, "double", INTEGER), TWO))), None, 2)
    assert to_text(tree).splitlines() == [
        "Limit all offset 2",
        "  Project a, double := 2",
        "    Sort total DESC (if at most 100 rows)",
        "      TopK 10 offset 5 by total DESC, a NULLS FIRST",
        "        FinalAggregate by a: total := sum(b) [64 bits], rows := count(*)",
        "          PartialAggregate by a: total := sum(b) [64 bits], rows := count(*)",
        "            Join left on s = s if b > 1",
        "              Filter a < b",
        "                Scan a, b := bee",
        "              Stage 3: s",
    ]


def test_small_trees() -> None:
    assert to_text(OneRow()) == "OneRow"
    assert to_text(NoRows((A, B))) == "NoRows a, b"
    assert to_text(ScanChunks((), ())) == "Scan"
    assert to_text(Join("cross", OneRow(), OneRow())) == "Join cross\n  OneRow\n  OneRow"
    null_safe = Join("semi", NoRows((A,)), NoRows((B,)), ((ref(A), ref(B)),), null_safe=True)
    assert to_text(null_safe).startswith("Join semi on a IS NOT DISTINCT FROM b\n")
    merged = FinalAggregate(StageInput(1, ()), (), (), merged=True)
    assert to_text(merged) == "FinalAggregate (merged)\n  Stage 1"
    exact = AggregateCall("sum", (ref(A),), types.DOUBLE, distinct=True, exponents=(-3, 5))
    text = to_text(FinalAggregate(NoRows((A,)), (), ((B, exact),)))
    assert text.startswith("FinalAggregate: b := sum(DISTINCT a) [exponents -3 to 5]\n")
