"""The fragment codec: everything comes back, and nothing else comes in."""

from __future__ import annotations

import copy
import math
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2 import types
from eau2.config import LIMITS
from eau2.errors import Error, InternalError, NotSupportedError
from eau2.net.codec import (
    MessageError,
    decode,
    decode_fragment,
    encode,
    encode_fragment,
)
from eau2.operators.base import Operator
from eau2.operators.codec import TAGS, VERSION, FragmentError, from_plain, to_plain
from eau2.operators.expand import Expand
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    ColumnRef,
    Expr,
    FrameBound,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    SortKey,
    WindowCall,
    WindowFrame,
    ref,
)
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.measure import is_small
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.unnest import Unnest
from eau2.operators.values import NoRows, OneRow
from eau2.operators.window import Window
from eau2.travel import Fragment

INTEGER = types.INTEGER
A = Column(1, "a", INTEGER)

TYPES = st.one_of(
    st.sampled_from(
        [types.NULL, types.BOOLEAN, INTEGER, types.HUGEINT, types.DOUBLE, types.VARCHAR, types.DATE]
    ),
    st.builds(types.decimal, st.integers(10, 38), st.integers(0, 10)),
    st.just(types.list_of(types.list_of(types.decimal(5, 2)))),
)
COLUMNS = st.builds(Column, st.integers(0, 2**32), st.text(max_size=5), TYPES)
INTEGERS = st.one_of(st.integers(-5, 5), st.integers(-(2**127), 2**127 - 1))
VALUES = st.one_of(
    st.none(), st.booleans(), INTEGERS, st.floats(allow_nan=False), st.text(max_size=8)
)
PARAMETERS = st.builds(LambdaParameter, TYPES, st.integers(0, 3), st.integers(0, 3))
LEAVES: st.SearchStrategy[Expr] = st.one_of(
    st.builds(ColumnRef, TYPES, st.integers(0, 99)), st.builds(Literal, TYPES, VALUES), PARAMETERS
)
LISTS = st.one_of(
    st.lists(st.integers(-9, 9), max_size=4), st.lists(st.text(max_size=3), max_size=4)
).map(tuple)


def _unnested(item: tuple[Column, Expr]) -> tuple[Column, Expr]:
    """The item with a list of what the column holds."""
    column, expr = item
    lists = Call(types.list_of(column.type), "list_value", (expr,))
    return column, lists


def larger(below: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    pairs = st.lists(st.tuples(below, below), min_size=1, max_size=3).map(tuple)
    args = st.lists(below, max_size=3).map(tuple)
    parameters = st.lists(PARAMETERS, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Lambda, TYPES, parameters, below),
        st.builds(Call, TYPES, st.text(max_size=5), args, st.booleans()),
        st.builds(Cast, TYPES, below, st.booleans(), st.booleans()),
        st.builds(Case, TYPES, pairs, below),
        st.builds(InList, TYPES, below, LISTS, st.booleans()),
    )


EXPRS = st.recursive(LEAVES, larger, max_leaves=8)
SORT_KEYS = st.lists(st.builds(SortKey, EXPRS, st.booleans(), st.booleans()), max_size=2).map(tuple)
ITEMS = st.lists(st.tuples(COLUMNS, EXPRS), max_size=3).map(tuple)
UNNESTED = st.lists(st.tuples(COLUMNS, EXPRS).map(_unnested), min_size=1, max_size=2).map(tuple)
CALLS = st.builds(
    AggregateCall,
    st.sampled_from(["sum", "count"]),
    st.lists(EXPRS, max_size=2).map(tuple),
    TYPES,
    st.booleans(),
    st.none() | EXPRS,
    SORT_KEYS,
    st.booleans(),
    st.none() | st.tuples(st.integers(-1074, 1024), st.integers(-1074, 1024)),
)
AGGREGATES = st.lists(st.tuples(COLUMNS, CALLS), max_size=2).map(tuple)
ENDS = st.builds(
    FrameBound, st.sampled_from(["unbounded_preceding", "following"]), st.none() | EXPRS
)
FRAMES = st.builds(
    WindowFrame,
    st.sampled_from(["rows", "range", "groups"]),
    ENDS,
    ENDS,
    st.sampled_from(["no_others", "ties"]),
)
OVERS = st.builds(
    WindowCall,
    st.sampled_from(["sum", "rank"]),
    st.lists(EXPRS, max_size=2).map(tuple),
    TYPES,
    st.none() | FRAMES,
    st.booleans(),
    st.none() | EXPRS,
    st.booleans(),
    SORT_KEYS,
)
WINDOWS = st.lists(st.tuples(COLUMNS, OVERS), max_size=2).map(tuple)
SOME_COLUMNS = st.lists(COLUMNS, max_size=3).map(tuple)
SCANS = SOME_COLUMNS.flatmap(
    lambda columns: st.builds(
        ScanChunks, st.just(columns), st.tuples(*[st.text(max_size=4)] * len(columns))
    )
)
SOURCES: st.SearchStrategy[Operator] = st.one_of(
    SCANS,
    st.builds(StageInput, st.integers(0, 9), SOME_COLUMNS),
    st.just(OneRow()),
    st.builds(NoRows, SOME_COLUMNS),
)
COUNTS = st.integers(0, 2**40)


def taller(below: st.SearchStrategy[Operator]) -> st.SearchStrategy[Operator]:
    same = st.lists(EXPRS.map(lambda expr: (expr, expr)), max_size=2).map(tuple)
    kinds = st.sampled_from(["inner", "left", "right", "full", "cross", "semi", "anti", "single"])
    return st.one_of(
        st.builds(Filter, below, EXPRS),
        st.builds(Project, below, ITEMS),
        st.builds(Expand, below, ITEMS, st.lists(st.just(()), max_size=3).map(tuple), COLUMNS),
        st.builds(Unnest, below, UNNESTED, st.none() | COLUMNS, st.booleans()),
        st.builds(PartialAggregate, below, ITEMS, AGGREGATES),
        st.builds(FinalAggregate, below, SOME_COLUMNS, AGGREGATES, st.booleans()),
        st.builds(Join, kinds, below, below, same, st.none() | EXPRS, st.booleans()),
        st.builds(
            Join, st.just("mark"), below, below, same, st.none() | EXPRS, st.booleans(), COLUMNS
        ),
        st.builds(Sort, below, SORT_KEYS, st.none() | COUNTS),
        st.builds(
            Window,
            below,
            st.lists(EXPRS, max_size=2).map(tuple),
            SORT_KEYS,
            SORT_KEYS,
            WINDOWS,
        ),
        st.builds(Limit, below, st.none() | COUNTS, COUNTS),
        st.builds(TopK, below, SORT_KEYS, COUNTS, COUNTS),
    )


TREES = st.recursive(SOURCES, taller, max_leaves=3)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_every_tree_comes_back(tree: Operator) -> None:
    back = decode_fragment(encode_fragment(tree))
    assert back == tree
    assert repr(back) == repr(tree), "equal values of other types: True for 1, -0.0 for 0.0"


def spots(plain: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The paths of all values inside nested lists."""
    found = [path] if path else []
    if isinstance(plain, list):
        for index, item in enumerate(plain):
            found += spots(item, (*path, index))
    return found


@settings(max_examples=200, deadline=None)
@given(TREES, st.data())
def test_a_changed_fragment_is_refused_or_another_fragment(
    tree: Operator, data: st.DataObject
) -> None:
    """Whatever a peer sends, the answer is a tree of the declared types or FragmentError."""
    plain = copy.deepcopy(to_plain(tree))
    path = data.draw(st.sampled_from(spots(plain)))
    holder = plain
    for index in path[:-1]:
        holder = holder[index]
    junk = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=4),
        st.binary(max_size=8),
        st.sampled_from([[], ["int", "1"], ["int", "9" * 50], ["lit"], {}, *TAGS]),
    )
    if data.draw(st.booleans()):
        holder[path[-1]] = data.draw(junk)
    else:
        holder.insert(path[-1], data.draw(junk))
    try:
        changed = from_plain(plain)
    except FragmentError:
        return
    assert to_plain(changed) == plain


@settings(max_examples=100, deadline=None)
@given(TREES, st.integers(0, 10_000), st.integers(0, 255))
def test_changed_bytes_are_refused_or_another_fragment(
    tree: Operator, position: int, value: int
) -> None:
    packed = bytearray(encode_fragment(tree))
    packed[position % len(packed)] = value
    try:
        decode_fragment(bytes(packed))
    except (FragmentError, MessageError):
        return


def filter_in(values: tuple[Any, ...], type_: types.SqlType = INTEGER) -> Filter:
    column = Column(1, "a", type_)
    return Filter(StageInput(0, (column,)), InList(types.BOOLEAN, ref(column), values))


@pytest.mark.parametrize(
    "values",
    [
        tuple(range(-2500, 2500)),
        tuple(f"value {i}" for i in range(1001)),
        (*tuple(i / 7 for i in range(2000)), math.inf, -0.0),
        (True, False) * 700,
    ],
)
def test_long_lists_travel_as_arrow(values: tuple[Any, ...]) -> None:
    tree = filter_in(values)
    plain = to_plain(tree)
    assert isinstance(plain[1][2][3], bytes)
    assert repr(decode_fragment(encode_fragment(tree))) == repr(tree)


@pytest.mark.parametrize(
    "values", [tuple(range(1000)), tuple(2**70 + i for i in range(1500)), (1, 2.5) * 600]
)
def test_other_lists_travel_one_by_one(values: tuple[Any, ...]) -> None:
    tree = filter_in(values)
    assert isinstance(to_plain(tree)[1][2][3], list)
    assert repr(decode_fragment(encode_fragment(tree))) == repr(tree)


def arrow_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no stream",
        arrow_bytes(pa.table({"v": [1, None]})),
        arrow_bytes(pa.table({"v": [1], "w": [2]})),
        arrow_bytes(pa.table({"v": [[1]]})),
        arrow_bytes(pa.table({"v": [1, 2, 3]}))[:-30],
    ],
)
def test_a_bad_arrow_list_is_refused(packed: bytes) -> None:
    plain = to_plain(filter_in((1, 2)))
    plain[1][2][3] = packed
    with pytest.raises(FragmentError):
        from_plain(plain)


def casts(depth: int) -> Expr:
    expr: Expr = ref(A)
    for _ in range(depth):
        expr = Cast(INTEGER, expr)
    return expr


def nested_cases(depth: int) -> Expr:
    expr: Expr = ref(A)
    for _ in range(depth):
        expr = Case(INTEGER, ((Literal(types.BOOLEAN, True), expr),), ref(A))
    return expr


def test_depth_is_bounded() -> None:
    source = StageInput(0, (A,))
    for deep in (casts, nested_cases):
        tree = Filter(source, deep(LIMITS.expression_depth))
        assert to_plain(from_plain(to_plain(tree))) == to_plain(tree)
        with pytest.raises(FragmentError, match="nested"):
            to_plain(Filter(source, deep(LIMITS.fragment_depth)))
    plain: Any = ["ref", ["type", "INTEGER", 0, 0, None], 1]
    for _ in range(100_000):
        plain = ["cast", ["type", "INTEGER", 0, 0, None], plain, False, True]
    with pytest.raises(FragmentError, match="nested"):
        from_plain([VERSION, ["filter", to_plain(source)[1], plain]])


def test_size_is_bounded() -> None:
    values = tuple(2**70 + i for i in range(LIMITS.fragment_nodes))
    with pytest.raises(FragmentError, match="more than"):
        to_plain(filter_in(values))
    plain = to_plain(filter_in((1, 2)))
    plain[1][2][3] = [1] * LIMITS.fragment_nodes
    with pytest.raises(FragmentError, match="more than"):
        from_plain(plain)
    with pytest.raises(MessageError, match="exceeds"):
        encode("x" * LIMITS.fragment_bytes)
    with pytest.raises(MessageError, match="exceeds"):
        decode(b"\x00" * (LIMITS.fragment_bytes + 1))


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        [VERSION],
        [VERSION + 1, ["one"]],
        [True, ["one"]],
        [VERSION, ["one"], 1],
        [VERSION, "one"],
        [VERSION, ["unknown"]],
        [VERSION, ["one", 1]],
        [VERSION, ["column", 1, "a", ["type", "INTEGER", 0, 0, None]]],
        [VERSION, ["limit", ["one"], True, 0]],
        [VERSION, ["limit", ["one"], 1.0, 0]],
        [VERSION, ["limit", ["one"], ["int", "5"], 0]],
        [VERSION, ["none", [["column", 1, "a", ["type", "INTEGER", 1, 0]]]]],
        [VERSION, ["none", [["column", 1, "a", ["type", "NUMBER", 0, 0]]]]],
        [VERSION, ["scan", [], ["a"]]],
        [VERSION, ["join", "outer", ["one"], ["one"], [], None, False]],
    ],
)
def test_what_is_no_fragment_is_refused(plain: Any) -> None:
    with pytest.raises(FragmentError):
        from_plain(plain)


def test_bytes_that_are_no_message_are_refused() -> None:
    for packed in (b"", b"\xc1", b"\x93\x01", b"\x91" * 5000, msgpack.packb({1: 2})):
        with pytest.raises(MessageError):
            decode(packed)
    assert issubclass(FragmentError, InternalError)
    assert issubclass(MessageError, Error)


def test_a_fragment_is_measured_when_it_is_made() -> None:
    source = StageInput(0, (A,))
    small = Filter(source, nested_cases(10))
    assert is_small(small)
    assert Fragment(small).root is small
    assert decode_fragment(Fragment(small).packed) == small
    for deep in (casts, nested_cases):
        assert not is_small(Filter(source, deep(LIMITS.fragment_depth)))
        with pytest.raises(NotSupportedError, match="nested"):
            Fragment(Filter(source, deep(LIMITS.fragment_depth)))
    text = Literal(types.VARCHAR, "x" * 9_000_000)
    large = Filter(source, Call(types.BOOLEAN, "=", (ref(A), text)))
    assert not is_small(large)
    with pytest.raises(NotSupportedError, match="exceeds"):
        Fragment(large)
    assert not is_small(filter_in(tuple(range(1_000))))
