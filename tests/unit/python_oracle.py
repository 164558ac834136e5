"""Compares the words of functions in Python with CPython, row by row.

Owns: pools of values per type, what Python gives for a row (None rule and 64 bits included), and
the ways a word is run: many rows, one, none, constants in every place, behind a guard, simplified.
Does not know: which words there are.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import polars as pl

from eau2.errors import Error
from eau2.operators.expr import Case, ColumnRef, Expr, Literal, columns_of
from eau2.operators.lowering import can_fail, diagnosis, lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.operators.well_formed import check_bound
from eau2.planner.simplify import simplified
from eau2.python import vocabulary
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType, list_of

WHERE = "f (app.py, line 3)"
_MOST_ROWS = 700
_MOST_FAILURES = 10
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_FLAG = 90

INTS = (
    0, 1, -1, 2, -2, 3, 7, -7, 10, 63, 64, 100, -300, 2**31, 2**53, 2**53 + 1, -(2**53) - 1,
    2**62, _GREATEST, _LEAST,
)  # fmt: skip
SMALL = (0, 1, -1, 2, -2, 3, -3, 5, -6, 9, 40)
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, 0.1, 1e16, 1e15, 1e-5, 1e-4, 1e300,
    -1e300, 5e-324, 2.0**53, 2.0**63, -(2.0**63), 123456.789, math.nan, math.inf, -math.inf,
)  # fmt: skip
TEXTS = (
    "", "a", "A", "abc", "ABCabc", "Hello World", "straße", "İstanbul", "ﬁne", "e\u0301te\u0301",
    "日本語", "👨‍👩‍👧", " pad\t\n", "\x1c x\u3000", "12", "-7", " 42 ", "1_000", "1.5", "nan",
    "1e400", "a.b.c", "a,,b", "x" * 40, "ǆungla", "ΑΣ ΟΔΟΣ", "l1\nl2\r\nl3", "٣", "½", "0x1f",
    "tab\tx",
)  # fmt: skip
DIFFERENCES = (
    dt.timedelta(0), dt.timedelta(1), dt.timedelta(-1), dt.timedelta(7), dt.timedelta(hours=30),
    dt.timedelta(microseconds=1), dt.timedelta(microseconds=-1), dt.timedelta(seconds=-90),
    dt.timedelta(microseconds=2**53 + 1), dt.timedelta(106_751_992), dt.timedelta(-106_751_992),
    dt.timedelta(days=-3, seconds=5, microseconds=333_333), dt.timedelta(3_652_058),
    dt.timedelta.max, dt.timedelta.min, dt.timedelta.max - dt.timedelta.resolution,
)  # fmt: skip
DATES = (
    dt.date(1970, 1, 1), dt.date(2020, 2, 29), dt.date(1969, 12, 31), dt.date(1, 1, 1),
    dt.date(9999, 12, 31), dt.date(2024, 12, 30), dt.date(999, 5, 6),
)  # fmt: skip
MOMENTS = (
    dt.datetime(1970, 1, 1), dt.datetime(2020, 2, 29, 23, 59, 59, 999999),
    dt.datetime(1969, 12, 31, 23, 59, 58, 500000), dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 12, 34, 56), dt.datetime(2024, 12, 30, 1),
)  # fmt: skip
INT_LISTS: Sequence[Any] = (
    [],
    [1],
    [3, 1, 2],
    [1, 2, 1],
    [2, None, 1],
    [None],
    [_GREATEST, 1],
    [-1, 0, 5, 7],
)
FLOAT_LISTS: Sequence[Any] = (
    [], [1.5], [2.0, -0.0, 0.0], [math.nan, 1.0], [None, 2.0], [1e16, 1.0, -1e16], [math.inf],
)  # fmt: skip
TEXT_LISTS: Sequence[Any] = ([], [""], ["b", "a"], ["a", None], ["ß", "é", "日本"], ["a", "a", "b"])
BOOL_LISTS: Sequence[Any] = ([], [True], [False, True], [None, True], [True, True], [False])

INT_LIST, FLOAT_LIST = list_of(BIGINT), list_of(DOUBLE)
TEXT_LIST, BOOL_LIST = list_of(VARCHAR), list_of(BOOLEAN)
POOLS: dict[SqlType, Sequence[Any]] = {
    BOOLEAN: (True, False),
    BIGINT: INTS,
    DOUBLE: FLOATS,
    VARCHAR: TEXTS,
    DATE: DATES,
    TIMESTAMP: MOMENTS,
    vocabulary.TIMEDELTA: DIFFERENCES,
    INT_LIST: INT_LISTS,
    FLOAT_LIST: FLOAT_LISTS,
    TEXT_LIST: TEXT_LISTS,
    BOOL_LIST: BOOL_LISTS,
}

Build = Callable[..., Expr]


class Raised:
    """What Python gives for a row that fails: the class of the exception."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"raises {self.name}"


def kept(value: Any) -> Any:
    """A value as kernels have it: a difference is its microseconds."""
    return value // dt.timedelta(microseconds=1) if isinstance(value, dt.timedelta) else value


def _has_none(value: Any) -> bool:
    return value is None or (isinstance(value, list) and any(map(_has_none, value)))


def _too_wide(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_too_wide, value))
    return type(value) is int and not _LEAST <= value <= _GREATEST


def outcome(compute: Callable[..., Any], row: Sequence[Any], none_wins: bool) -> Any:
    """The value that Python gives for a row, or what it raises.

    none_wins: a None makes NULL even where Python looks at another argument first, and fails.
    """
    try:
        value = compute(*row)
    except (TypeError, AttributeError) as error:
        if any(map(_has_none, row)):
            return None
        return Raised(type(error).__name__)
    except (ArithmeticError, ValueError, LookupError) as error:
        if none_wins and None in row:
            return None
        return Raised(type(error).__name__)
    if isinstance(value, tuple):
        value = list(value)
    return Raised("OverflowError") if _too_wide(value) else kept(value)


def same(one: Any, other: Any) -> bool:
    """Alike in type and bits; all NaNs are alike."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return bool(one == other) and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def frame_of(types: Sequence[SqlType], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Rows as kernel columns c0, c1, ..."""
    return pl.DataFrame(
        [
            pl.Series(f"c{i}", [kept(r[i]) for r in rows], dtype=kernel_dtype(type_), strict=True)
            for i, type_ in enumerate(types)
        ]
    )


def run(expr: Expr, frame: pl.DataFrame) -> list[Any]:
    """The expression over the rows. Raises what a statement would."""
    try:
        result = frame.lazy().select(x=lower_expr(expr, True)).collect().to_series()
    except (pl.exceptions.PolarsError, ValueError) as error:
        found = diagnosis(str(error))
        if found is None:
            raise
        raise found from error
    return (
        result.new_from_index(0, len(frame)) if len(result) == 1 and len(frame) != 1 else result
    ).to_list()


def literal(value: Any, type_: SqlType) -> Expr:
    """A constant, None in its type."""
    if value is None:
        return Literal(type_, None)
    if value == []:
        return vocabulary.converted(vocabulary.literal([]), type_, WHERE, "the list")
    return vocabulary.literal(value)


def check(
    build: Build,
    compute: Callable[..., Any],
    *types: SqlType,
    pools: Sequence[Sequence[Any] | None] = (),
    constants: bool = True,
    seed: int = 0,
    none_wins: bool = False,
) -> None:
    """The word that `build` writes gives for all rows what `compute` gives."""
    chosen = [
        (*((pools[i] if i < len(pools) else None) or POOLS[t]), None) for i, t in enumerate(types)
    ]
    rows = list(product(*chosen))
    if len(rows) > _MOST_ROWS:
        rows = random.Random(seed).sample(rows, _MOST_ROWS)
    refs = [ColumnRef(type_, i) for i, type_ in enumerate(types)]
    compute = partial(outcome, compute, none_wins=none_wins)
    _compare(build(*refs), compute, types, rows)
    if constants:
        for place, type_ in enumerate(types):
            for value in chosen[place]:
                given = [r for r in rows if r[place] is value or same(r[place], value)][:12]
                args: list[Expr] = list(refs)
                args[place] = literal(value, type_)
                expr = build(*args)
                _compare(expr, compute, types, given)
                _compare(simplified(expr), compute, types, given, bound=False)


def _compare(
    expr: Expr,
    compute: Callable[..., Any],
    types: Sequence[SqlType],
    rows: Sequence[Any],
    bound: bool = True,
) -> None:
    """bound: the expression is as it was written, and so as binding makes it."""
    if bound:
        check_bound(expr, types)
    expected = [compute(row) for row in rows]
    fine = [i for i, value in enumerate(expected) if not isinstance(value, Raised)]
    bad = [i for i, value in enumerate(expected) if isinstance(value, Raised)]
    if fine or columns_of(expr):
        _must_be([expected[i] for i in fine], expr, types, [rows[i] for i in fine])
    for i in fine[:: max(1, len(fine) // 3)]:
        _must_be([expected[i]], expr, types, [rows[i]])
    if columns_of(expr):
        _must_be([], expr, types, [])
    if fine and len(fine) < 200:
        many = fine * 12
        _must_be([expected[i] for i in many], expr, types, [rows[i] for i in many])
    for i in bad[:: max(1, len(bad) // _MOST_FAILURES)]:
        _must_raise(expected[i], expr, types, rows[i])
    if bad and fine:
        _guarded(expr, types, rows, expected)


def _must_be(
    expected: Sequence[Any], expr: Expr, types: Sequence[SqlType], rows: Sequence[Any]
) -> None:
    found = run(expr, frame_of(types, rows))
    assert len(found) == len(expected) or not columns_of(expr)
    for row, value, wanted in zip(rows, found, expected, strict=False):
        assert same(value, wanted), f"{expr}\n of {row!r} is {value!r}, not {wanted!r}"


def _must_raise(wanted: Raised, expr: Expr, types: Sequence[SqlType], row: Any) -> None:
    message = _message(expr, frame_of(types, [row]))
    overflow = wanted.name == "OverflowError" and "overflow" in message
    assert overflow or message.startswith(wanted.name), f"{row!r}: {message}, not {wanted}"
    assert overflow or message.endswith(f", in {WHERE}"), message
    assert can_fail(expr)


def _message(expr: Expr, frame: pl.DataFrame) -> str:
    try:
        found = run(expr, frame)
    except Error as error:
        return str(error)
    raise AssertionError(f"{expr}\n of {frame.rows()!r} is {found!r}, and Python raises")


def _guarded(
    expr: Expr, types: Sequence[SqlType], rows: Sequence[Any], expected: Sequence[Any]
) -> None:
    """What fails is not computed for the rows that do not count."""
    flags = [not isinstance(value, Raised) for value in expected]
    frame = frame_of(types, rows).with_columns(pl.Series(f"c{_FLAG}", flags))
    branch = (ColumnRef(BOOLEAN, _FLAG), expr)
    found = run(Case(expr.type, (branch,), Literal(expr.type, None)), frame)
    for row, value, wanted in zip(rows, found, expected, strict=True):
        kept = None if isinstance(wanted, Raised) else wanted
        assert same(value, kept), f"{expr}\n guarded, of {row!r} is {value!r}, not {kept!r}"
