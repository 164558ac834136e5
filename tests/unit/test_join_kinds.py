"""Mark, single and ASOF joins against DuckDB, and what they refuse."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from operator import ge, gt, le, lt, ne
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2 import types
from eau2.errors import DataError
from eau2.kernels.runner import run_fragment
from eau2.operators.base import Lowering
from eau2.operators.expr import Call, Column, Expr, JoinKind, Literal, ref
from eau2.operators.filter import Filter
from eau2.operators.join import Join
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.types import SqlType

Row = tuple[int | None, ...]
SMALL = st.lists(st.tuples(*[st.sampled_from([None, 0, 1, 2, 3])] * 2), max_size=7)
A, B, C, D = (Column(n, name, types.INTEGER) for n, name in enumerate("abcd", 1))
TRUE = Literal(types.BOOLEAN, True)
MARK = Column(9, "m", types.BOOLEAN)
LEFT, RIGHT = StageInput(0, (A, B)), StageInput(1, (C, D))


def frame(rows: list[Any], *columns: Column) -> pl.DataFrame:
    schema = {column.label: kernel_dtype(column.type) for column in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def run(join: Join, left: pl.DataFrame, right: pl.DataFrame) -> list[tuple[Any, ...]]:
    return run_fragment(join, None, {0: left, 1: right}).rows()


def compare(operator: str, left: Expr, right: Expr) -> Expr:
    return Call(types.BOOLEAN, operator, (left, right))


@pytest.fixture(scope="module")
def oracle() -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE l(a INT, b INT); CREATE TABLE r(c INT, d INT)")
        connection.execute("SET threads = 1")
        yield connection


def fill(oracle: Any, left: list[Row], right: list[Row]) -> tuple[pl.DataFrame, pl.DataFrame]:
    for table, rows in (("l", left), ("r", right)):
        oracle.execute(f"DELETE FROM {table}")
        if rows:
            oracle.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
    return frame(left, A, B), frame(right, C, D)


CASES: list[tuple[tuple[tuple[Expr, Expr], ...], Expr | None, str]] = [
    ((), None, "TRUE"),
    (((ref(A), ref(C)),), None, "a = c"),
    (((ref(A), ref(C)), (ref(B), ref(D))), None, "a = c AND b = d"),
    (((ref(A), ref(C)),), compare("<", ref(B), ref(D)), "a = c AND b < d"),
    ((), compare("<", ref(B), ref(D)), "b < d"),
]


@settings(max_examples=25, deadline=None)
@given(SMALL, SMALL)
def test_a_mark_join_says_whether_a_pair_holds_the_row(
    oracle: Any, left: list[Row], right: list[Row]
) -> None:
    sides = fill(oracle, left, right)
    for (pairs, condition, sql), safe in itertools.product(CASES, (False, True)):
        on = sql.replace(" = ", " IS NOT DISTINCT FROM ") if safe else sql
        expected = oracle.execute(
            f"SELECT a, b, EXISTS (SELECT 1 FROM r WHERE {on}) FROM l"
        ).fetchall()
        found = run(Join("mark", LEFT, RIGHT, pairs, condition, safe, MARK), *sides)
        assert sorted(found, key=repr) == sorted(expected, key=repr), on
        assert [row[:2] for row in found] == left, "the left rows in their order"


@settings(max_examples=25, deadline=None)
@given(SMALL, SMALL)
def test_a_single_join_is_a_left_join_that_refuses_several_pairs(
    oracle: Any, left: list[Row], right: list[Row]
) -> None:
    sides = fill(oracle, left, right)
    for pairs, condition, sql in CASES:
        expected = oracle.execute(f"SELECT a, b, c, d FROM l LEFT JOIN r ON {sql}").fetchall()
        several = oracle.execute(
            f"SELECT l.rowid FROM l JOIN r ON {sql} GROUP BY 1 HAVING count(*) > 1"
        ).fetchall()
        join = Join("single", LEFT, RIGHT, pairs, condition)
        if several:
            with pytest.raises(DataError, match="more than one row returned by a subquery"):
                run(join, *sides)
        else:
            assert sorted(run(join, *sides), key=repr) == sorted(expected, key=repr), sql


@settings(max_examples=40, deadline=None)
@given(SMALL, SMALL)
def test_asof_joins_agree_with_duckdb(oracle: Any, left: list[Row], right: list[Row]) -> None:
    # Which of several equally near rows DuckDB takes is open; here there are none.
    right = list({row[:2]: row for row in right}.values())
    sides = fill(oracle, left, right)
    keys: list[tuple[tuple[tuple[Expr, Expr], ...], bool, str]] = [
        ((), False, "TRUE"),
        (((ref(A), ref(C)),), False, "a = c"),
    ]
    near = (">=", ">", "<=", "<")
    for (pairs, safe, sql), operator, outer in itertools.product(keys, near, (False, True)):
        table = "r" if pairs else "(SELECT min(c) AS c, d FROM r GROUP BY d) AS r"
        rows = (
            sides[1]
            if pairs
            else frame(oracle.execute("SELECT min(c), d FROM r GROUP BY d").fetchall(), C, D)
        )
        on = f"{sql} AND b {operator} d" if pairs else f"b {operator} d"
        expected = oracle.execute(
            f"SELECT a, b, c, d FROM l ASOF {'LEFT' if outer else ''} JOIN {table} ON {on}"
        ).fetchall()
        for condition in (compare(operator, ref(B), ref(D)), flipped(operator)):
            kind = "asof_left" if outer else "asof"
            found = run(
                Join("asof_left" if outer else "asof", LEFT, RIGHT, pairs, condition, safe),
                sides[0],
                rows,
            )
            assert sorted(found, key=repr) == sorted(expected, key=repr), (kind, on)


def flipped(operator: str) -> Expr:
    mirror = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return compare(mirror[operator], ref(D), ref(B))


def test_of_equally_near_rows_the_smallest_is_taken() -> None:
    left, right = frame([(1, 5)], A, B), frame([(3, 5), (2, 5), (None, 5), (1, 4)], C, D)
    for operator in (">=", "<="):
        condition = compare(operator, ref(B), ref(D))
        assert run(Join("asof", LEFT, RIGHT, (), condition), left, right) == [(1, 5, 2, 5)]


@pytest.mark.parametrize(
    ("type_", "values", "wanted"),
    [
        (types.DOUBLE, [-0.0, 1.5, math.nan, None], [0.0, 0.0, math.nan, None]),
        (types.VARCHAR, ["a", "b", "zz", None], ["a", "a", "z", None]),
        (types.BOOLEAN, [False, True, True, None], [False, False, False, None]),
        (types.decimal(30, 2), [1, 10**20, 10**25, None], [1, 10**20, 10**20, None]),
    ],
)
def test_asof_joins_take_any_type_that_has_an_order(
    type_: SqlType, values: list[Any], wanted: list[Any]
) -> None:
    x, y = Column(1, "x", type_), Column(2, "y", type_)
    others = {value for value in wanted if value is not None and value == value}
    right = frame([(value,) for value in others] + [(None,)], y)
    if type_.is_float:
        right = frame([(0.0,), (math.nan,), (None,)], y)
    join = Join(
        "asof_left",
        StageInput(0, (x,)),
        StageInput(1, (y,)),
        (),
        compare(">=", ref(x), ref(y)),
    )
    found = run(join, frame([(value,) for value in values], x), right)
    assert sorted(map(repr, found)) == sorted(repr(row) for row in zip(values, wanted, strict=True))


def test_malformed_joins_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="mark"):
        Join("mark", LEFT, RIGHT)
    with pytest.raises(ValueError, match="mark"):
        Join("left", LEFT, RIGHT, mark=MARK)
    for condition in (None, compare("=", ref(A), ref(C)), compare("<", ref(A), ref(B))):
        with pytest.raises(ValueError, match="ASOF"):
            Join("asof", LEFT, RIGHT, (), condition)


WIDE = st.lists(
    st.tuples(st.sampled_from([None, -1000, 0, 1, 2, 500]), st.sampled_from([None, 1, 2, 3])),
    max_size=7,
)
KINDS: tuple[tuple[JoinKind, str], ...] = (
    ("inner", "SELECT a, b, c, d FROM l JOIN r ON {}"),
    ("semi", "SELECT a, b FROM l WHERE EXISTS (FROM r WHERE {})"),
    ("anti", "SELECT a, b FROM l WHERE NOT EXISTS (FROM r WHERE {})"),
)


@settings(max_examples=25, deadline=None)
@given(WIDE, WIDE)
def test_a_join_that_tests_membership_first_keeps_every_pair(
    oracle: Any, left: list[Row], right: list[Row]
) -> None:
    sides = fill(oracle, left, right)
    inputs = tuple(side.lazy() for side in sides)
    for (pairs, condition, sql), (kind, query), safe in itertools.product(
        CASES, KINDS, (False, True)
    ):
        on = sql.replace(" = ", " IS NOT DISTINCT FROM ") if safe else sql
        expected = oracle.execute(query.format(on)).fetchall()
        # As many rows as make the test worth its while, whatever is really there.
        for lookups in (False, True):
            join = Join(kind, LEFT, RIGHT, pairs, condition, safe, lookups=lookups)
            many = Lowering(None, {}, rows=1_000_000)
            found = join.lower(inputs, many).collect().rows()
            assert sorted(found, key=repr) == sorted(expected, key=repr), (kind, on)


def test_membership_is_tested_where_it_pays() -> None:
    left = frame([(1, 1), (2, 2), (None, 3)], A, B).lazy()
    few = frame([(2, 0), (2000, 0)], C, D).lazy()
    join = Join("inner", LEFT, RIGHT, ((ref(A), ref(C)),), lookups=False)

    def tested(right: pl.LazyFrame, rows: int) -> bool:
        plan = join.lower((left, right), Lowering(None, {}, rows=rows)).explain(optimized=False)
        return "FILTER" in plan

    assert tested(few, 1_000_000)
    assert not tested(few, 1000), "few rows"
    dense = frame([(n, 0) for n in range(50)], C, D).lazy()
    assert not tested(dense, 1_000_000), "keys of a whole dimension"
    assert not tested(few, 7 * 2), "as many keys as rows"
    elsewhere = Join("inner", LEFT, Filter(RIGHT, TRUE), ((ref(A), ref(C)),))
    plan = elsewhere.lower((left, few), Lowering(None, {}, rows=1_000_000))
    assert "FILTER" not in plan.explain(optimized=False), (
        "what is not at hand is not computed twice"
    )


@settings(max_examples=25, deadline=None)
@given(SMALL, SMALL, st.booleans())
def test_a_comparison_beside_the_keys_is_decided_by_the_ends(
    left: list[Row], right: list[Row], in_order: bool
) -> None:
    """Also where the right keys are in order and none of their rows holds a NULL."""
    if in_order:
        right = sorted(row for row in right if None not in row)
    sides = frame(left, A, B), frame(right, C, D)
    operators: dict[str, Callable[[int, int], bool]] = {
        "<>": ne,
        "<": lt,
        "<=": le,
        ">": gt,
        ">=": ge,
    }
    keys = ((), ((ref(A), ref(C)),))
    for (name, holds), pairs, safe in itertools.product(operators.items(), keys, (False, True)):
        held = [
            any(
                (not pairs or (a == c and (safe or a is not None)))
                and (b is not None and d is not None and holds(b, d))
                for c, d in right
            )
            for a, b in left
        ]
        for mirrored in (False, True):
            flip = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "<>": "<>"}[name]
            condition = compare(flip, ref(D), ref(B)) if mirrored else compare(name, ref(B), ref(D))
            marked = run(Join("mark", LEFT, RIGHT, pairs, condition, safe, MARK), *sides)
            assert marked == [(*row, found) for row, found in zip(left, held, strict=True)]
            kinds: tuple[tuple[JoinKind, bool], ...] = (("semi", True), ("anti", False))
            for kind, wanted in kinds:
                found = run(Join(kind, LEFT, RIGHT, pairs, condition, safe), *sides)
                expected = [row for row, yes in zip(left, held, strict=True) if yes is wanted]
                assert sorted(found, key=repr) == sorted(expected, key=repr), (kind, name)


def test_a_join_without_keys_of_many_pairs_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it reads few rows: the in-memory engine would hold all pairs."""
    engines: list[str] = []
    collect = pl.LazyFrame.collect

    def watched(self: pl.LazyFrame, **how: Any) -> Any:
        engines.append(how.get("engine", "auto"))
        return collect(self, **how)

    monkeypatch.setattr(pl.LazyFrame, "collect", watched)
    rows = [(n, n) for n in range(1000)]
    several, one = frame(rows, A, B), frame([(7, 7)], C, D)
    no_keys = Filter(Join("cross", LEFT, RIGHT), compare("=", ref(A), ref(C)))
    for right, engine in ((frame(rows, C, D), "streaming"), (one, "in-memory")):
        engines.clear()
        found = run_fragment(no_keys, None, {0: several, 1: right})
        assert found.height == right.height
        assert engines == [engine]


def test_inputs_that_hold_a_column_of_one_label_otherwise() -> None:
    """As the rounds of a recursive query do: the codes of one are not those of the other."""
    column, other = Column(5, "s", types.VARCHAR), Column(6, "s", types.VARCHAR)
    seen = Project(StageInput(3, (column,)), ((other, ref(column)),))
    join = Join("anti", StageInput(5, (column,)), seen, ((ref(column), ref(other)),), None, True)
    new = pl.DataFrame({"c5": ["x"]}, schema={"c5": pl.Enum(["x"])})
    old = pl.DataFrame({"c5": ["a", None]}, schema={"c5": pl.Enum(["a"])})
    plain = old.cast(pl.String)
    for earlier in (old, plain):
        assert run_fragment(join, None, {5: new, 3: earlier}).cast(pl.String).rows() == [("x",)]
        assert run_fragment(join, None, {5: earlier, 3: new}).cast(pl.String).rows() == [
            ("a",),
            (None,),
        ]
