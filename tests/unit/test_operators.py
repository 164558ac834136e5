"""Relational operators, each against DuckDB or by hand, in both engines of the kernels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Literal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2 import types
from eau2.errors import InternalError
from eau2.operators.aggregates import bind
from eau2.operators.base import Lowering, Operator, lower, transform
from eau2.operators.expr import Call, Column, Expr, JoinKind, SortKey, ref
from eau2.operators.expr import Literal as Constant
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.values import NoRows, OneRow

Engine = Literal["in-memory", "streaming"]
ENGINES: tuple[Engine, ...] = ("in-memory", "streaming")
Row = tuple[Any, ...]

A, B = Column(1, "a", types.INTEGER), Column(2, "b", types.INTEGER)
C, D = Column(3, "c", types.INTEGER), Column(4, "d", types.INTEGER)
X = Column(5, "x", types.DOUBLE)
ONE = Constant(types.INTEGER, 1)
TRUE = Constant(types.BOOLEAN, True)
LEFT, RIGHT = StageInput(0, (A, B)), StageInput(1, (C, D))


def less(left: Expr, right: Expr) -> Call:
    return Call(types.BOOLEAN, "<", (left, right))


def frame(rows: list[Row], *columns: Column) -> pl.DataFrame:
    floats = {types.DOUBLE: pl.Float64, types.INTEGER: pl.Int32}
    schema = {column.label: floats[column.type] for column in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def run(root: Operator, *stages: pl.DataFrame, engine: Engine = "in-memory") -> pl.DataFrame:
    lowering = Lowering(None, {i: stage.lazy() for i, stage in enumerate(stages)})
    result = lower(root, lowering).collect(engine=engine)
    if root.output:
        assert result.columns == [column.label for column in root.output]
    return result


def rows_of(root: Operator, *stages: pl.DataFrame, engine: Engine = "in-memory") -> list[Row]:
    return run(root, *stages, engine=engine).rows()


def count(root: Operator) -> Operator:
    calls = ((Column(90, "n", types.BIGINT), bind("count", ())),)
    return FinalAggregate(PartialAggregate(root, (), calls), (), calls)


@pytest.mark.parametrize("engine", ENGINES)
def test_scan_takes_columns_by_their_stored_names(engine: Engine) -> None:
    chunks = pl.LazyFrame({"p": [1, 2], "q": [3, None]}, schema={"p": pl.Int32, "q": pl.Int32})
    scan = ScanChunks((B, A), ("p", "q"))
    result = lower(scan, Lowering(chunks)).collect(engine=engine)
    assert result.columns == ["c2", "c1"]
    assert result.rows() == [(1, 3), (2, None)]
    with pytest.raises(InternalError):
        lower(scan, Lowering(None))
    with pytest.raises(InternalError):
        lower(LEFT, Lowering(chunks))
    with pytest.raises(ValueError, match="names"):
        ScanChunks((A, B), ("p",))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_rows_without_columns_are_still_rows(rows: int, engine: Engine) -> None:
    chunks = pl.LazyFrame({"p": range(rows)}, schema={"p": pl.Int32})
    bare = ScanChunks((), ())
    trees: list[tuple[Operator, int]] = [
        (bare, rows),
        (Filter(bare, TRUE), rows),
        (Filter(bare, Constant(types.BOOLEAN, None)), 0),
        (Project(ScanChunks((A,), ("p",)), ()), rows),
        (Project(bare, ((A, ONE),)), rows),
        (Project(ScanChunks((B,), ("p",)), ((A, ONE), (C, ONE))), rows),
        (Join("cross", bare, bare), rows * rows),
        (Join("cross", ScanChunks((A,), ("p",)), bare), rows * rows),
        (Join("left", bare, bare, condition=TRUE), rows * rows),
        (Join("full", bare, NoRows(()), condition=TRUE), rows),
        (Join("semi", bare, bare), rows),
        (Join("anti", bare, NoRows(())), rows),
        (Limit(bare, 2), min(rows, 2)),
        (Sort(bare, (SortKey(ONE),)), rows),
        (OneRow(), 1),
        (Project(OneRow(), ((A, ONE),)), 1),
        (NoRows(()), 0),
        (NoRows((A,)), 0),
    ]
    for tree, expected in trees:
        result = lower(count(tree), Lowering(chunks)).collect(engine=engine)
        assert result.rows() == [(expected,)], tree
        assert lower(tree, Lowering(chunks)).collect(engine=engine).height == expected, tree


@pytest.mark.parametrize("engine", ENGINES)
def test_filter_keeps_only_what_is_true(engine: Engine) -> None:
    data = frame([(1, 2), (2, 1), (None, 3), (0, None)], A, B)
    assert rows_of(Filter(LEFT, less(ref(A), ref(B))), data, engine=engine) == [(1, 2)]


@pytest.mark.parametrize("engine", ENGINES)
def test_project_computes_all_items_from_the_input(engine: Engine) -> None:
    data = frame([(1, 2), (3, None)], A, B)
    swapped = Project(LEFT, ((A, ref(B)), (B, ref(A)), (C, ONE)))
    assert rows_of(swapped, data, engine=engine) == [(2, 1, 1), (None, 3, 1)]


SMALL = st.lists(st.tuples(*[st.sampled_from([None, 1, 2, 3])] * 2), max_size=6)
PLUS_ONE = Call(types.INTEGER, "+", (ref(A), ONE))
EQUALITIES: list[tuple[tuple[tuple[Expr, Expr], ...], list[str]]] = [
    ((), []),
    (((ref(A), ref(C)),), ["a {} c"]),
    (((ref(A), ref(C)), (ref(B), ref(D))), ["a {} c", "b {} d"]),
    (((PLUS_ONE, ref(D)),), ["a + 1 {} d"]),
    (((ref(B), Call(types.INTEGER, "+", (ref(C), ref(D)))),), ["b {} c + d"]),
]
CONDITIONS: list[tuple[Expr | None, list[str]]] = [(None, []), (less(ref(B), ref(D)), ["b < d"])]
KINDS: tuple[JoinKind, ...] = ("inner", "left", "right", "full", "semi", "anti")


@pytest.fixture(scope="module")
def oracle() -> Iterator[Any]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE l(a INT, b INT); CREATE TABLE r(c INT, d INT)")
        yield connection


def join_sql(kind: JoinKind, on: str) -> str:
    if kind == "semi":
        return f"SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE {on})"
    if kind == "anti":
        return f"SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE {on})"
    return f"SELECT * FROM l {kind} JOIN r ON {on}"


@settings(max_examples=12, deadline=None)
@given(SMALL, SMALL)
def test_every_join_agrees_with_duckdb(oracle: Any, left: list[Row], right: list[Row]) -> None:
    for table, rows in (("l", left), ("r", right)):
        oracle.execute(f"DELETE FROM {table}")
        if rows:
            oracle.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)
    stages = frame(left, A, B), frame(right, C, D)
    cases = itertools.product(KINDS, EQUALITIES, CONDITIONS, (False, True))
    for number, (kind, (equal, equal_sql), (condition, condition_sql), safe) in enumerate(cases):
        sign = "IS NOT DISTINCT FROM" if safe else "="
        on = " AND ".join([*(e.format(sign) for e in equal_sql), *condition_sql]) or "TRUE"
        expected = oracle.execute(join_sql(kind, on)).fetchall()
        join = Join(kind, LEFT, RIGHT, equal, condition, safe)
        found = rows_of(join, *stages, engine=ENGINES[number % 2])
        assert sorted(found, key=repr) == sorted(expected, key=repr), (kind, on)


@pytest.mark.parametrize("engine", ENGINES)
def test_join_keys_equal_as_floats_do(engine: Engine) -> None:
    """NaN meets NaN and -0.0 meets 0.0, with one key or more; each side keeps its own value."""
    y = Column(6, "y", types.DOUBLE)
    left = frame([(1, -0.0), (2, math.nan), (3, None)], A, X)
    right = frame([(1, 0.0), (2, -math.nan), (3, None)], C, y)
    sides = StageInput(0, (A, X)), StageInput(1, (C, y))
    one, two = ((ref(X), ref(y)),), ((ref(A), ref(C)), (ref(X), ref(y)))
    for equalities in (one, two):
        found = rows_of(Join("inner", *sides, equalities), left, right, engine=engine)
        assert sorted(map(repr, found)) == ["(1, -0.0, 1, 0.0)", "(2, nan, 2, nan)"]


def test_keys_of_different_types_are_refused() -> None:
    with pytest.raises(ValueError, match="join keys"):
        Join("inner", LEFT, StageInput(1, (X,)), ((ref(A), ref(X)),))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, 1, 2]),
            st.sampled_from([None, 0.0, -0.0, 1.0, math.nan, math.inf, -math.inf]),
        ),
        max_size=12,
    ),
    st.data(),
)
def test_order_agrees_with_duckdb(rows: list[Row], data: st.DataObject) -> None:
    keys: list[SortKey] = []
    sql: list[str] = []
    for column, name in data.draw(st.permutations([(A, "a"), (X, "x")])):
        descending, nulls_last = data.draw(st.tuples(st.booleans(), st.booleans()))
        keys.append(SortKey(ref(column), descending, nulls_last))
        direction = "DESC" if descending else "ASC"
        sql.append(f"{name} {direction} NULLS {'LAST' if nulls_last else 'FIRST'}")
    stage = frame(rows, A, X)
    table = stage.rename({"c1": "a", "c5": "x"}).to_arrow()
    order = ", ".join(sql)
    with duckdb.connect() as connection:
        connection.register("t", table)
        expected = connection.execute(f"SELECT a, x FROM t ORDER BY {order}").fetchall()
    source = StageInput(0, (A, X))
    engine = data.draw(st.sampled_from(ENGINES))
    result = rows_of(Sort(source, tuple(keys)), stage, engine=engine)
    # Equal values only: -0.0 and 0.0 are equal here, as they are in the order.
    assert [plain(row) for row in result] == [plain(row) for row in expected]
    offset, size = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 8)))
    top = rows_of(TopK(source, tuple(keys), size, offset), stage, engine=engine)
    assert [repr(row) for row in top] == [repr(row) for row in result[offset : offset + size]]
    shuffled = stage.sample(fraction=1.0, shuffle=True, seed=len(rows))
    again = rows_of(Sort(source, tuple(keys)), shuffled, engine=engine)
    assert [repr(row) for row in again] == [repr(row) for row in result]


def plain(row: Row) -> str:
    return repr(row).replace("-0.0", "0.0")


@pytest.mark.parametrize("engine", ENGINES)
def test_sort_is_stable_and_limits_itself(engine: Engine) -> None:
    data = frame([(2, 1), (1, 1), (2, 2), (1, 2), (2, 3)], A, B)
    by_a = (SortKey(ref(A)),)
    ordered = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert rows_of(Sort(LEFT, by_a), data, engine=engine) == ordered
    assert rows_of(Sort(LEFT, by_a, at_most_rows=5), data, engine=engine) == ordered
    assert rows_of(Sort(LEFT, by_a, at_most_rows=4), data, engine=engine) == data.rows()
    above = Project(Filter(Sort(LEFT, by_a, 5), less(ref(A), ref(B))), ((C, ref(B)),))
    assert rows_of(above, data, engine=engine) == [(2,), (3,)]
    constant = Sort(LEFT, (SortKey(ONE), *by_a, SortKey(ref(A), True)))
    assert rows_of(constant, data, engine=engine) == ordered


@pytest.mark.parametrize("engine", ENGINES)
def test_limit_keeps_the_order(engine: Engine) -> None:
    data = frame([(i, None) for i in range(9, 0, -1)], A, B)
    for size, offset in itertools.product((None, 0, 2, 100), (0, 3, 50)):
        end = None if size is None else offset + size
        found = rows_of(Limit(LEFT, size, offset), data, engine=engine)
        assert found == data.rows()[offset:end]


def test_trees_are_rewritten_bottom_up() -> None:
    tree = Filter(Join("inner", LEFT, Limit(RIGHT, 1)), TRUE)

    def widen(node: Operator) -> Operator:
        return Limit(node.input, 2) if isinstance(node, Limit) else node

    assert transform(tree, widen) == Filter(Join("inner", LEFT, Limit(RIGHT, 2)), TRUE)
    assert transform(tree, lambda node: node) is tree
