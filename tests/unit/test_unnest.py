"""Unnest: the operator, its place on the wire and in texts, and what the rules make of the node."""

from __future__ import annotations

import polars as pl
import pytest

from eau2.operators.base import Lowering, lower
from eau2.operators.codec import FragmentError, from_plain, to_plain
from eau2.operators.expr import Call, Column, Lambda, LambdaParameter, Literal, ref
from eau2.operators.scan import StageInput
from eau2.operators.text import to_text
from eau2.operators.unnest import Unnest
from eau2.planner.estimate import LIST_LENGTH, rows
from eau2.planner.physical import plan as staged
from eau2.planner.rules.prove_ranges import most_rows
from eau2.planner.rules.prune_columns import prune_columns
from eau2.planner.rules.push_filters import push_filters
from eau2.sql import logical
from eau2.sql.check import check
from eau2.sql.plan_text import to_text as plan_text
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR, list_of
from tests.unit.plans import Builder

A = Column(1, "a", INTEGER)
L = Column(2, "l", list_of(INTEGER))
S = Column(3, "s", list_of(VARCHAR))
X = Column(4, "x", INTEGER)
Y = Column(5, "y", VARCHAR)
N = Column(6, "n", BIGINT)

FRAME = pl.LazyFrame(
    {
        "c1": [1, 2, 3, 4],
        "c2": [[1, None], None, [], [7]],
        "c3": [["a"], ["b", "c"], None, []],
    },
    schema={"c1": pl.Int32, "c2": pl.List(pl.Int32), "c3": pl.List(pl.String)},
)
INPUT = StageInput(0, (A, L, S))


def rows_of(tree: Unnest) -> list[tuple[object, ...]]:
    """The rows that the operator gives over FRAME, without its lists."""
    frame = lower(tree, Lowering(None, {0: FRAME})).collect()
    assert frame.columns == [column.label for column in tree.output]
    return frame.drop("c2", "c3").rows()


def test_a_row_for_each_element() -> None:
    assert rows_of(Unnest(INPUT, ((X, ref(L)),))) == [(1, 1), (1, None), (4, 7)]
    numbered = Unnest(INPUT, ((X, ref(L)),), N)
    assert rows_of(numbered) == [(1, 1, 1), (1, None, 2), (4, 7, 1)]


def test_shorter_lists_are_padded() -> None:
    both = Unnest(INPUT, ((X, ref(L)), (Y, ref(S))), N)
    assert rows_of(both) == [
        (1, 1, "a", 1),
        (1, None, None, 2),
        (2, None, "b", 1),
        (2, None, "c", 2),
        (4, 7, None, 1),
    ]


def test_outer_keeps_rows_without_elements() -> None:
    outer = Unnest(INPUT, ((X, ref(L)),), outer=True)
    assert rows_of(outer) == [(1, 1), (1, None), (2, None), (3, None), (4, 7)]


def test_it_travels_and_can_be_read() -> None:
    body = Call(INTEGER, "+", (LambdaParameter(INTEGER, 0, 0), ref(A)))
    made = Lambda(INTEGER, (LambdaParameter(INTEGER, 0, 0),), body)
    lists = Call(list_of(INTEGER), "list_transform", (ref(L), made))
    tree = Unnest(INPUT, ((X, lists),), N, outer=True)
    assert from_plain(to_plain(tree)) == tree
    assert to_text(tree).splitlines()[0] == (
        "Unnest outer x := list_transform(l, LAMBDA x: x + a), n := ordinality"
    )
    plain = to_plain(tree)
    plain[1][2] = []
    with pytest.raises(FragmentError, match="nothing to unnest"):
        from_plain(plain)
    wrong = to_plain(Unnest(INPUT, ((X, ref(L)),)))
    wrong[1][2][0][1] = ["ref", ["type", "INTEGER", 0, 0, None], 1]
    with pytest.raises(FragmentError, match="type of the list's elements"):
        from_plain(wrong)


def scan(builder: Builder) -> logical.Scan:
    """A table with a list and two other columns."""
    return builder.scan(
        "t",
        a=(INTEGER, [1, 2]),
        b=(INTEGER, [5, 6]),
        l=(list_of(INTEGER), [None, None]),
    )


def test_the_node_is_checked() -> None:
    builder = Builder()
    table = scan(builder)
    x = builder.column("x", INTEGER)
    plan = logical.Unnest(table, ((x, ref(table.output[2])),))
    check(plan)
    assert plan_text(plan).splitlines()[0] == "Unnest x = l"
    with pytest.raises(Exception, match="unnested"):
        check(logical.Unnest(table, ((builder.column("y", VARCHAR), ref(table.output[2])),)))
    with pytest.raises(Exception, match="no lists"):
        check(logical.Unnest(table, ()))


def test_filters_on_the_rows_below_pass_and_others_stay() -> None:
    builder = Builder()
    table = scan(builder)
    a, _, lists = table.output
    x = builder.column("x", INTEGER)
    unnest = logical.Unnest(table, ((x, ref(lists)),))
    own = Call(BOOLEAN, "=", (ref(a), Literal(INTEGER, 1)))
    of_element = Call(BOOLEAN, ">", (ref(x), Literal(INTEGER, 1)))
    condition = Call(BOOLEAN, "and", (own, of_element))
    pushed = push_filters(logical.Filter(unnest, condition))
    assert isinstance(pushed, logical.Filter)
    assert pushed.condition == of_element
    assert isinstance(pushed.input, logical.Unnest)
    assert pushed.input.input == logical.Filter(table, own)


def test_what_nobody_reads_is_not_carried() -> None:
    builder = Builder()
    table = scan(builder)
    x, n = builder.column("x", INTEGER), builder.column("n", BIGINT)
    unnest = logical.Unnest(table, ((x, ref(table.output[2])),), n)
    y = builder.column("y", INTEGER)
    pruned = prune_columns(logical.Project(unnest, ((y, ref(x)),)))
    assert isinstance(pruned, logical.Project)
    kept = pruned.input
    assert isinstance(kept, logical.Unnest)
    assert kept.ordinality is None
    assert [column.name for column in kept.input.output] == ["l"]


def test_nothing_is_proved_from_the_number_of_rows() -> None:
    builder = Builder()
    table = scan(builder)
    unnest = logical.Unnest(table, ((builder.column("x", INTEGER), ref(table.output[2])),))
    assert most_rows(unnest) > 1 << 60
    assert rows(unnest) == 2 * LIST_LENGTH
    stages = staged(unnest, ("a", "b", "l", "x")).stages
    assert "Unnest" in to_text(stages[0].root)
