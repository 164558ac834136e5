"""Integer and decimal arithmetic is right or raises; it never wraps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eau2
from tests.oracle.tables import INTEGERS

FAST = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
RANGES = {arrow: (low, high) for low, high, arrow in INTEGERS.values()}
HUGE = (-(2**127), 2**127 - 1)
CHUNKINGS = (1, 2, None)


def integers(type_: str) -> st.SearchStrategy[int]:
    """Values of an integer type, mostly near its ends and near zero."""
    low, high, _ = INTEGERS[type_]
    near = [low, low + 1, high, high - 1, high // 2, 0, 1, 2, max(low, -1)]
    return st.sampled_from(near) | st.integers(low, high)


typed = st.sampled_from(sorted(INTEGERS)).flatmap(
    lambda type_: st.tuples(st.just(type_), st.lists(integers(type_), min_size=1, max_size=4))
)


def run(sql: str, columns: dict[str, pa.Array], chunk_rows: int | None = None) -> pa.Table | None:
    """The result of a query over table t; None when it raises for its data."""
    with eau2.connect() as con:
        if chunk_rows is not None:
            con.execute(f"SET chunk_rows = {chunk_rows}")
        con.register("t", pa.table(columns))
        try:
            return con.sql(sql).to_arrow()
        except eau2.DataError:
            return None


def limits(arrow: pa.DataType) -> tuple[int, int]:
    """The range of an integer result type; HUGEINT comes out as decimal128(38, 0)."""
    return RANGES.get(arrow, HUGE)


def check(table: pa.Table | None, wanted: list[int], sql: str, probe: pa.DataType) -> None:
    """The table holds the exact values, or some value does not fit and the query raised."""
    low, high = limits(probe)
    if all(low <= value <= high for value in wanted):
        assert table is not None, f"{sql} raised, but {wanted} fit {probe}"
        assert [int(v) for v in table.column(0).to_pylist()] == wanted, sql
    else:
        assert table is None, f"{sql} gave {table}, but {wanted} do not fit {probe}"


@FAST
@given(typed, typed, st.sampled_from("+-*"), st.sampled_from(CHUNKINGS))
def test_binary(
    a: tuple[str, list[int]], b: tuple[str, list[int]], sign: str, chunk_rows: int | None
) -> None:
    size = min(len(a[1]), len(b[1]))
    columns = {
        "a": pa.array(a[1][:size], INTEGERS[a[0]][2]),
        "b": pa.array(b[1][:size], INTEGERS[b[0]][2]),
    }
    sql = f"SELECT a {sign} b AS r FROM t"
    empty = run(sql + " WHERE false", columns)
    assert empty is not None
    wanted = [int(eval_exact(x, sign, y)) for x, y in zip(a[1][:size], b[1][:size], strict=True)]
    check(run(sql, columns, chunk_rows), wanted, f"{a} {sign} {b}", empty.schema.types[0])


def eval_exact(x: int, sign: str, y: int) -> int:
    """The exact result."""
    return x + y if sign == "+" else x - y if sign == "-" else x * y


@FAST
@given(typed, st.sampled_from(["- a", "abs(a)"]))
def test_unary(a: tuple[str, list[int]], expression: str) -> None:
    columns = {"a": pa.array(a[1], INTEGERS[a[0]][2])}
    sql = f"SELECT {expression} AS r FROM t"
    empty = run(sql + " WHERE false", columns)
    assert empty is not None
    wanted = [abs(x) if expression == "abs(a)" else -x for x in a[1]]
    check(run(sql, columns), wanted, f"{expression} of {a}", empty.schema.types[0])


@FAST
@given(typed, st.sampled_from(sorted(INTEGERS)))
def test_cast(a: tuple[str, list[int]], target: str) -> None:
    columns = {"a": pa.array(a[1], INTEGERS[a[0]][2])}
    low, high, arrow = INTEGERS[target]
    table = run(f"SELECT CAST(a AS {target}) AS r FROM t", columns)
    check(table, a[1], f"CAST {a} AS {target}", arrow)
    tried = run(f"SELECT TRY_CAST(a AS {target}) AS r FROM t", columns)
    assert tried is not None
    assert tried.column(0).to_pylist() == [x if low <= x <= high else None for x in a[1]]


@FAST
@given(typed, st.sampled_from(CHUNKINGS))
def test_sum_of_integers(a: tuple[str, list[int]], chunk_rows: int | None) -> None:
    table = run("SELECT sum(a) AS r FROM t", {"a": pa.array(a[1], INTEGERS[a[0]][2])}, chunk_rows)
    check(table, [sum(a[1])], f"sum of {a}", pa.decimal128(38, 0))


WIDE = Decimal(10**38 - 1)


@pytest.mark.parametrize("chunk_rows", CHUNKINGS)
@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([WIDE, Decimal(1)], None),
        ([WIDE.copy_negate(), Decimal(-1)], None),
        ([WIDE, Decimal(1), Decimal(-1)], "either"),
        ([WIDE, WIDE.copy_negate()], Decimal(0)),
        ([WIDE] * 3, None),
        ([Decimal(5)] * 3, Decimal(15)),
    ],
)
def test_sum_of_wide_decimals(values: list[Decimal], wanted: Any, chunk_rows: int | None) -> None:
    table = run(
        "SELECT sum(a) AS r FROM t", {"a": pa.array(values, pa.decimal128(38, 0))}, chunk_rows
    )
    if wanted is None:
        assert table is None
    elif wanted == "either":
        assert table is None or table.column(0).to_pylist() == [WIDE]
    else:
        assert table is not None
        assert table.column(0).to_pylist() == [wanted]


@FAST
@given(
    st.sampled_from([(4, 1), (9, 2), (18, 4), (18, 0), (19, 3), (38, 10)]),
    st.sampled_from([(4, 1), (9, 2), (18, 4), (19, 3), (38, 0)]),
    st.sampled_from("+-*"),
    st.data(),
)
def test_decimals(
    first: tuple[int, int], second: tuple[int, int], sign: str, data: st.DataObject
) -> None:
    x = decimal_of(first, data)
    y = decimal_of(second, data)
    columns = {
        "a": pa.array([x], pa.decimal128(*first)),
        "b": pa.array([y], pa.decimal128(*second)),
    }
    sql = f"SELECT a {sign} b AS r FROM t"
    empty = run(sql + " WHERE false", columns)
    assert empty is not None
    type_ = empty.schema.types[0]
    u, s = unscaled(x, first[1]), first[1]
    v, r = unscaled(y, second[1]), second[1]
    if sign == "*":
        exact, scale = u * v, s + r
    else:
        scale = max(s, r)
        left, right = u * 10 ** (scale - s), v * 10 ** (scale - r)
        exact = left + right if sign == "+" else left - right
    assert type_.scale == scale
    table = run(sql, columns)
    if abs(exact) < 10**type_.precision:
        assert table is not None, f"{x} {sign} {y} fits {type_}"
        assert unscaled(table.column(0).to_pylist()[0], scale) == exact
    else:
        assert table is None, f"{x} {sign} {y} does not fit {type_}"


def decimal_of(type_: tuple[int, int], data: st.DataObject) -> Decimal:
    """A value of DECIMAL(p, s), often an extreme."""
    bound = 10 ** type_[0] - 1
    number = data.draw(st.sampled_from([bound, -bound, 0, 1, -1, 5]) | st.integers(-bound, bound))
    return Decimal(f"{number}E-{type_[1]}")


def unscaled(value: Decimal, scale: int) -> int:
    """The integer that a decimal is at a scale."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits))) * 10 ** (exponent + scale)
    return -int(number) if sign else int(number)
