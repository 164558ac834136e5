"""Aggregates: DuckDB's types, NULL rules and overflow; the same bits however rows are cut."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2 import types
from eau2.errors import InternalError, NotSupportedError, OutOfRangeError, TypeMismatchError
from eau2.operators import aggregates
from eau2.operators.base import Lowering, lower
from eau2.operators.expr import AggregateCall, Column, ref
from eau2.operators.expr import Literal as Constant
from eau2.operators.group import FinalAggregate, PartialAggregate, state_schema
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import ScanChunks, StageInput
from eau2.records import replace
from eau2.types import SqlType

Engine = Literal["in-memory", "streaming"]
ENGINES: tuple[Engine, ...] = ("in-memory", "streaming")
KEY = Column(1, "k", types.INTEGER)

TYPES = {
    "BOOLEAN": types.BOOLEAN,
    "TINYINT": types.TINYINT,
    "SMALLINT": types.SMALLINT,
    "INTEGER": types.INTEGER,
    "BIGINT": types.BIGINT,
    "HUGEINT": types.HUGEINT,
    "UTINYINT": types.UTINYINT,
    "UBIGINT": types.UBIGINT,
    "FLOAT": types.FLOAT,
    "DOUBLE": types.DOUBLE,
    "DECIMAL(4,1)": types.decimal(4, 1),
    "DECIMAL(18,3)": types.decimal(18, 3),
    "DECIMAL(38,2)": types.decimal(38, 2),
    "VARCHAR": types.VARCHAR,
    "DATE": types.DATE,
    "TIMESTAMP": types.TIMESTAMP,
}


@pytest.fixture(scope="module")
def oracle() -> Any:
    with duckdb.connect() as connection:
        yield connection


def call_of(function: str, type_: SqlType, **changes: Any) -> AggregateCall:
    args = () if function == "count_star" else (ref(Column(2, "x", type_)),)
    return replace(aggregates.bind(function, args), **changes)


def aggregate(
    rows: Sequence[tuple[Any, Any]],
    type_: SqlType,
    calls: list[AggregateCall],
    *,
    grouped: bool = True,
    cuts: tuple[int, ...] = (),
    engine: Engine = "in-memory",
) -> list[tuple[Any, ...]]:
    """The aggregates over `rows` cut into tasks at `cuts`; sorted by key if `grouped`."""
    column = Column(2, "x", type_)
    schema = {"k": pl.Int32(), "x": kernel_dtype(type_)}
    scan = ScanChunks((KEY, column), ("k", "x"))
    keys = ((Column(3, "k", types.INTEGER), ref(KEY)),) if grouped else ()
    named = tuple((Column(10 + i, c.function, c.type), c) for i, c in enumerate(calls))
    partial = PartialAggregate(scan, keys, named)
    edges = [0, *sorted(cuts), len(rows)]
    parts = []
    for start, end in itertools.pairwise(edges):
        frame = pl.DataFrame(rows[start:end], schema=schema, orient="row")
        parts.append(lower(partial, Lowering(frame.lazy())).collect(engine=engine))
    for part in parts:
        assert dict(part.schema) == state_schema(partial.output, named)
    stages = {0: pl.concat(parts).lazy()}
    final = FinalAggregate(StageInput(0, partial.output), partial.output, named)
    result = lower(final, Lowering(None, stages)).collect(engine=engine)
    assert dict(result.schema) == {c.label: kernel_dtype(c.type) for c in final.output}
    if len(parts) == 1:
        merged = replace(final, merged=True)
        again = lower(merged, Lowering(None, stages)).collect(engine=engine)
        assert sorted(map(repr, again.rows())) == sorted(map(repr, result.rows()))
    return sorted(result.rows(), key=repr)


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


@pytest.mark.parametrize("function", aggregates.names())
@pytest.mark.parametrize("sql_type", TYPES)
def test_result_types_are_duckdbs(function: str, sql_type: str, oracle: Any) -> None:
    if function == "count_star":
        assert aggregates.bind("count", ()).type == types.BIGINT
        return
    query = f"SELECT typeof({function}(x)) FROM (SELECT NULL::{sql_type} AS x)"
    try:
        expected = oracle.execute(query).fetchone()[0]
    except duckdb.BinderException:
        expected = None
    column = Column(2, "x", TYPES[sql_type])
    try:
        found = str(aggregates.bind(function, (ref(column),)).type)
    except TypeMismatchError:
        found = None
    except NotSupportedError:
        assert expected in ("TIMESTAMP_NS", "INTERVAL", "DECIMAL(38,2)")
        return
    assert found == expected


def test_what_cannot_be_bound_is_refused() -> None:
    number = Constant(types.INTEGER, 1)
    for name, args in (("sum", ()), ("count", (number, number)), ("median", (number, number))):
        with pytest.raises(TypeMismatchError):
            aggregates.bind(name, args)
    with pytest.raises(TypeMismatchError):
        aggregates.bind("count", (), distinct=True)
    assert not aggregates.is_aggregate("abs")
    assert aggregates.is_aggregate("SUM")


def test_distinct_is_recorded_where_it_matters_and_never_computed_here() -> None:
    column = ref(Column(2, "x", types.INTEGER))
    assert aggregates.bind("sum", (column,), distinct=True).distinct
    assert not aggregates.bind("max", (column,), distinct=True).distinct
    with pytest.raises(InternalError):
        aggregate([], types.INTEGER, [call_of("sum", types.INTEGER, distinct=True)])


@pytest.mark.parametrize("engine", ENGINES)
def test_nulls_and_nothing(engine: Engine) -> None:
    functions = ("count_star", "count", "sum", "avg", "min", "max")
    calls = [call_of(function, types.INTEGER) for function in functions]
    nothing = (0, 0, None, None, None, None)
    assert aggregate([], types.INTEGER, calls, engine=engine) == []
    assert aggregate([], types.INTEGER, calls, grouped=False, engine=engine) == [nothing]
    rows = [(1, None), (None, 5), (1, None), (None, None), (2, 7), (2, -3)]
    expected: list[tuple[Any, ...]] = [(1, 2, 0, None, None, None, None), (2, 2, 2, 4, 2.0, -3, 7)]
    expected.append((None, 2, 1, 5, 5.0, 5, 5))
    for cuts in ((), (1,), (2, 3, 3)):
        assert aggregate(rows, types.INTEGER, calls, cuts=cuts, engine=engine) == expected


def test_no_partial_frame_at_all() -> None:
    calls = [call_of("count_star", types.DOUBLE), call_of("sum", types.DOUBLE)]
    named = tuple((Column(10 + i, c.function, c.type), c) for i, c in enumerate(calls))
    for keys, expected in (((), [(0, None)]), ((KEY,), [])):
        empty = pl.LazyFrame(schema=state_schema(keys, named))
        final = FinalAggregate(StageInput(0, keys), keys, named)
        assert lower(final, Lowering(None, {0: empty})).collect().rows() == expected


def test_without_keys_and_aggregates_there_is_one_row() -> None:
    scan = ScanChunks((KEY,), ("k",))
    for rows in ([], [1, 2, 3]):
        frame = pl.LazyFrame({"k": rows}, schema={"k": pl.Int32})
        final = FinalAggregate(PartialAggregate(scan, (), ()), (), ())
        assert lower(final, Lowering(frame)).collect().height == 1


def test_a_constant_key_makes_no_group_of_no_rows() -> None:
    constant = ((Column(5, "one", types.INTEGER), Constant(types.INTEGER, 1)),)
    counted = ((Column(6, "n", types.BIGINT), aggregates.bind("count", ())),)
    partial = PartialAggregate(ScanChunks((KEY,), ("k",)), constant, counted)
    final = FinalAggregate(partial, partial.output, counted)
    for rows, expected in (([], []), ([7, 8], [(1, 2)])):
        frame = pl.LazyFrame({"k": rows}, schema={"k": pl.Int32})
        assert lower(final, Lowering(frame)).collect().rows() == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_booleans(engine: Engine) -> None:
    functions = ("sum", "count_if", "min", "max", "bool_and", "bool_or")
    calls = [call_of(function, types.BOOLEAN) for function in functions]
    rows = [(1, True), (1, None), (1, False), (2, None), (3, True), (3, True)]
    assert aggregate(rows, types.BOOLEAN, calls, cuts=(2,), engine=engine) == [
        (1, 1, 1, False, True, False, True),
        (2, None, None, None, None, None, None),
        (3, 2, 2, True, True, True, True),
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("type_", [types.FLOAT, types.DOUBLE])
def test_min_and_max_of_floats(type_: SqlType, engine: Engine) -> None:
    calls = [call_of("min", type_), call_of("max", type_)]
    nan, zero, minus = math.nan, 0.0, -0.0
    rows = [(1, nan), (1, 2.0), (2, nan), (3, minus), (3, None), (4, zero), (4, minus), (5, None)]
    for cuts in ((), (1, 3, 6), (2, 5, 7)):
        result = aggregate(rows, type_, calls, cuts=cuts, engine=engine)
        assert repr(result) == repr(
            [(1, 2.0, nan), (2, nan, nan), (3, 0.0, 0.0), (4, 0.0, 0.0), (5, None, None)]
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_min_and_max_of_text(engine: Engine) -> None:
    calls = [call_of("min", types.VARCHAR), call_of("max", types.VARCHAR)]
    rows = [(1, "b"), (1, "a"), (1, None), (1, "é"), (2, None), (2, "")]
    result = aggregate(rows, types.VARCHAR, calls, cuts=(2,), engine=engine)
    assert result == [(1, "a", "é"), (2, "", "")]


@pytest.mark.parametrize("type_", [types.BIGINT, types.UBIGINT, types.decimal(18, 2)])
def test_sums_of_64_bits_do_not_wrap(type_: SqlType) -> None:
    top = 10**18 - 1 if type_.is_decimal else types.INTEGER_RANGES[type_.kind][1]
    calls = [call_of("sum", type_), call_of("avg", type_)]
    for cuts in ((), (1,), (1, 2)):
        ((_, total, average),) = aggregate([(1, top)] * 3, type_, calls, cuts=cuts)
        assert total == 3 * top
        assert average == pytest.approx(top / 10**type_.scale, rel=1e-15)


def test_narrow_sums_merge_in_128_bits() -> None:
    calls = [call_of("sum", types.BIGINT, wide=False)]
    top = 2**63 - 1
    assert aggregate([(1, top)] * 3, types.BIGINT, calls, cuts=(1, 2)) == [(1, 3 * top)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("function", ["sum", "avg"])
@pytest.mark.parametrize(
    ("type_", "fits", "too_large"),
    [
        (types.HUGEINT, [2**127 - 1, -5, 4], [2**127 - 1, 1]),
        (types.HUGEINT, [-(2**127), 7, -7], [-(2**127), -1]),
        (types.HUGEINT, [2**126, 2**126, -1], [2**126, 2**126]),
        (types.HUGEINT, [2**126] * 3 + [-(2**126)] * 2, [2**127 - 1] * 4),
        (types.HUGEINT, [2**126 + 5] * 3 + [-(2**126)] * 3, [2**127 - 1] * 2 + [2]),
        (types.decimal(38, 2), [10**38 - 2, 1], [10**38 - 1, 1]),
        (types.decimal(38, 0), [1 - 10**38, 10**38 - 1], [1 - 10**38, -1]),
    ],
)
def test_wide_sums_are_right_or_refused(
    type_: SqlType, fits: list[int], too_large: list[int], function: str, engine: Engine
) -> None:
    calls = [call_of(function, type_)]
    for cuts in ((), (1,)):
        ((result,),) = aggregate(
            [(1, v) for v in fits], type_, calls, grouped=False, cuts=cuts, engine=engine
        )
        if function == "sum":
            assert result == sum(fits)
        rows = [(1, 0), *((2, value) for value in too_large)]
        with pytest.raises(OutOfRangeError, match="does not fit"):
            aggregate(rows, type_, calls, cuts=cuts, engine=engine)


WIDE = st.integers(-(2**127), 2**127 - 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(WIDE, min_size=1, max_size=12), st.data())
def test_wide_sums_of_anything(values: list[int], data: st.DataObject) -> None:
    cuts = tuple(data.draw(st.lists(st.integers(0, len(values)), max_size=3)))
    calls = [call_of("sum", types.HUGEINT)]
    rows = [(1, value) for value in values]
    if -(2**127) <= sum(values) < 2**127:
        assert aggregate(rows, types.HUGEINT, calls, cuts=cuts) == [(1, sum(values))]
    else:
        with pytest.raises(OutOfRangeError):
            aggregate(rows, types.HUGEINT, calls, cuts=cuts)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e16, -1e16, 1e300, -1e300, 5e-324, 2.0**-1022, 2.0**-53]
FLOATS = st.one_of(
    st.none(),
    st.sampled_from(SPECIAL),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(min_value=-1000.0, max_value=1000.0),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.1]),
)


def float_sum(values: list[float | None]) -> float | None:
    """What SQL's sum of these is: exact, then rounded once."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    special = [value for value in known if not math.isfinite(value)]
    if special:
        return sum(special)
    try:
        total = math.fsum(known)
        return total if total else 0.0
    except OverflowError:
        exact = sum(map(Fraction, known), Fraction(0))
        try:
            return float(exact)
        except OverflowError:
            return math.inf if exact > 0 else -math.inf


def same(found: float | None, wanted: float | None) -> bool:
    if found is not None and wanted is not None and math.isnan(wanted):
        return bits(found) == bits(math.nan)
    return bits(found) == bits(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), FLOATS), max_size=25), st.data())
def test_float_sums_are_exact_in_any_cut(
    rows: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    cuts = tuple(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    engine = data.draw(st.sampled_from(ENGINES))
    calls = [call_of(name, types.DOUBLE) for name in ("sum", "avg", "count")]
    (whole,) = aggregate(rows, types.DOUBLE, calls, grouped=False, cuts=cuts, engine=engine)
    groups = aggregate(rows, types.DOUBLE, calls, cuts=cuts, engine=engine)
    assert [key for key, *_ in groups] == sorted({key for key, _ in rows})
    for key, total, average, count in [(None, *whole), *groups]:
        values = [value for k, value in rows if key is None or k == key]
        wanted = float_sum(values)
        assert same(total, wanted)
        assert count == sum(value is not None for value in values)
        assert same(average, None if wanted is None else wanted / count)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), FLOATS), max_size=25), st.data())
def test_several_float_sums_split_each_others_groups(
    rows: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    """Two binned sums, a fixed one and other states over one partial frame."""
    cuts = tuple(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    x, y = Column(2, "x", types.DOUBLE), Column(3, "y", types.FLOAT)
    frame = pl.DataFrame(rows, schema={"k": pl.Int32, "x": pl.Float64}, orient="row")
    frame = frame.with_columns(pl.col("x").reverse().clip(-1e30, 1e30).cast(pl.Float32).alias("y"))
    bound = [
        aggregates.bind("sum", (ref(x),)),
        aggregates.bind("sum", (ref(y),)),
        aggregates.bind("max", (ref(x),)),
        aggregates.bind("count", ()),
        replace(aggregates.bind("count", (ref(y),))),
    ]
    named = tuple((Column(10 + i, c.function, c.type), c) for i, c in enumerate(bound))
    keys = ((Column(4, "k", types.INTEGER), ref(KEY)),)
    partial = PartialAggregate(ScanChunks((KEY, x, y), ("k", "x", "y")), keys, named)
    edges = [0, *sorted(cuts), len(rows)]
    parts = [
        lower(partial, Lowering(frame[a:b].lazy())).collect() for a, b in itertools.pairwise(edges)
    ]
    final = FinalAggregate(StageInput(0, partial.output), partial.output, named)
    result = lower(final, Lowering(None, {0: pl.concat(parts).lazy()})).collect()
    for key, sum_x, sum_y, _, rows_, count_y in result.rows():
        group = frame.filter(pl.col("k") == key)
        assert same(sum_x, float_sum(group.get_column("x").to_list()))
        assert same(sum_y, float_sum(group.get_column("y").to_list()))
        assert rows_ == group.height
        assert count_y == group.get_column("y").count()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(1.0, 1e9) | st.just(math.nan)), max_size=20),
    st.data(),
)
def test_fixed_and_binned_sums_agree(rows: list[tuple[int, float]], data: st.DataObject) -> None:
    cuts = tuple(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    binned = [call_of("sum", types.DOUBLE)]
    fixed = [call_of("sum", types.DOUBLE, exponents=(1, 30))]
    first = aggregate(rows, types.DOUBLE, binned, cuts=cuts)
    second = aggregate(rows, types.DOUBLE, fixed, cuts=cuts)
    assert repr(first) == repr(second)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("type_", [types.FLOAT, types.DOUBLE])
def test_float_keys_have_one_zero_and_one_nan(type_: SqlType, engine: Engine) -> None:
    key = Column(1, "k", type_)
    keys = ((Column(3, "k", type_), ref(key)),)
    counted = ((Column(6, "n", types.BIGINT), aggregates.bind("count", ())),)
    partial = PartialAggregate(ScanChunks((key,), ("k",)), keys, counted)
    final = FinalAggregate(partial, partial.output, counted)
    values = [-0.0, 0.0, math.nan, -math.nan, None, -0.0]
    frame = pl.LazyFrame({"k": values}, schema={"k": kernel_dtype(type_)})
    result = lower(final, Lowering(frame)).collect(engine=engine)
    assert result.schema["c3"] == kernel_dtype(type_)
    found = result.rows()
    assert sorted((repr(key), n) for key, n in found) == [("0.0", 3), ("None", 1), ("nan", 2)]


def test_calls_share_their_states() -> None:
    plan = aggregates.plan_states(
        tuple(
            (Column(10 + i, name, call.type), call)
            for i, name in enumerate(("sum", "avg", "count", "sum"))
            for call in (call_of(name, types.BIGINT),)
        )
    )
    assert [state.label for state in plan.states] == ["c10_sum", "c10_count"]


def test_constants_that_differ_in_the_sign_of_zero_are_two_arguments() -> None:
    calls = [aggregates.bind("sum", (Constant(types.DOUBLE, zero),)) for zero in (0.0, -0.0)]
    plan = aggregates.plan_states(
        tuple((Column(10 + i, "sum", types.DOUBLE), call) for i, call in enumerate(calls))
    )
    assert len(plan.arguments) == 2
