"""Python's lists: indexes, slices, searching, sorting, sums and extremes.

Owns: how each is computed. A None within a list where Python's answer is a TypeError makes NULL.
Does not know: how lists are made (lists.py), loops over them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.config import LIMITS
from eau2.operators.expr import Call
from eau2.operators.functions.checks import Scope, formula, marked
from eau2.operators.functions.function import Function
from eau2.operators.functions.list_rows import ROW, VALUE, Elements, elements
from eau2.operators.functions.python_calls import (
    Columns,
    Compute,
    Quick,
    python_entry,
    python_function,
    spread,
)
from eau2.operators.functions.python_numbers import magnitude, whole
from eau2.operators.functions.python_texts import slice_bounds
from eau2.operators.functions.python_values import limited
from eau2.operators.physical import kernel_dtype

_GREATEST = 2**63 - 1


def _item(columns: Columns) -> pl.Series | None:
    lists, place = spread(columns)
    length = lists.list.len().cast(pl.Int64)
    if ((place >= length) | (place < -length)).any():
        return None
    return lists.list.get(place, null_on_oob=True)


def _get(values: list[Any], place: int) -> Any:
    return values[place]


def _lower_slice(call: Call, scope: Scope) -> pl.Expr:
    def over(lists: pl.Expr, start: pl.Expr, stop: pl.Expr) -> pl.Expr:
        length = lists.list.len().cast(pl.Int64)
        cut = lists.list.slice(*slice_bounds(length, start, stop))
        return pl.when(lists.is_not_null()).then(cut)

    return formula(kernel_dtype(call.type), over, *(scope.lower(arg) for arg in call.args))


def _steps(
    values: list[Any] | None, start: int | None, stop: int | None, step: int | None
) -> list[Any] | None:
    return None if values is None else values[start:stop:step]


def _joined(columns: Columns) -> pl.Series | None:
    """Lists one after the other; a loop that doubles one would else fill the memory."""
    one, two = spread(columns)
    longest = (one.list.len() + two.list.len()).max()
    if isinstance(longest, int) and longest > LIMITS.made_text_chars:
        raise ValueError(marked("function", "MemoryError: a list would have too many elements"))
    if isinstance(one.dtype, pl.List) and isinstance(one.dtype.inner, pl.List):
        return None
    frame = pl.DataFrame([one.alias("one"), two.alias("two")])
    return frame.select(pl.concat_list("one", "two")).to_series()


def _times(values: list[Any], count: int) -> list[Any]:
    limited(len(values) * count)
    return values * count


def _contains(value: Any, values: list[Any] | None) -> bool | None:
    """NaN is in no list: that of a column is another one."""
    if values is None:
        return None
    return any(_same(value, other) for other in values)


def _same(one: Any, other: Any) -> bool:
    return (one is None and other is None) or bool(one == other)


def _quick_contains(columns: Columns) -> pl.Series | None:
    value, lists = spread(columns)
    if value.dtype == pl.Float64 or isinstance(value.dtype, pl.List):
        return None
    return lists.list.contains(value, nulls_equal=True)


def _equal(one: list[Any] | None, other: list[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(map(_alike, one, other))


def _alike(one: Any, other: Any) -> bool:
    return _equal(one, other) if isinstance(one, list) else _same(one, other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Compute:
    """The first elements that are unlike decide, else the lengths."""

    def over(one: list[Any], other: list[Any]) -> bool:
        for left, right in zip(one, other, strict=False):
            if not _alike(left, right):
                return compare(left, right)
        return compare(len(one), len(other))

    return over


def _index(values: list[Any] | None, value: Any, *bounds: int | None) -> int | None:
    if values is None or None in bounds:
        return None
    first, *last = bounds or (0,)
    for place in range(*slice(first, *last or (len(values),)).indices(len(values))):
        if _same(values[place], value):
            return place
    raise ValueError(f"{value!r} is not in list")


def _count(values: list[Any] | None, value: Any) -> int | None:
    return None if values is None else sum(_same(value, other) for other in values)


def _sum(values: list[int], start: int = 0) -> int:
    return whole(sum(values, start))


def _quick_sum(columns: Columns) -> pl.Series | None:
    lists, *starts = spread(columns)
    inner = lists.list.explode(keep_nulls=False, empty_as_null=False)
    if inner.dtype != pl.Int64 or inner.null_count():
        return None
    longest = lists.list.len().max()
    if not isinstance(longest, int):
        return None
    if magnitude(inner) * longest + sum(map(magnitude, starts)) > _GREATEST:
        return None
    total = lists.list.sum()
    return total + starts[0] if starts else total


def _plain(lists: pl.Series, floats: bool = False) -> Elements | None:
    """The elements, if none is None, a list or a date; nor a float, unless floats are asked for."""
    found = elements(lists)
    dtype = found.values.dtype
    if found.values.null_count() or dtype.is_nested() or dtype.is_temporal():
        return None
    return found if floats or dtype != pl.Float64 else None


def _sorted(values: list[Any], reverse: bool = False) -> list[Any]:
    return sorted(values, reverse=reverse)


def _quick_sorted(columns: Columns) -> pl.Series | None:
    """Where equal elements cannot be told apart, any order of them will do."""
    lists, *reverse = columns
    down = reverse[0].unique().to_list() if reverse else [False]
    if len(down) != 1 or down[0] is None or (reverse and len(lists) < len(reverse[0])):
        return None
    found = _plain(lists)
    if found is None:
        return None
    frame = pl.DataFrame({ROW: found.rows, VALUE: found.values})
    ordered = frame.sort(ROW, VALUE, descending=[False, down[0]])
    return found.lists(ordered.get_column(VALUE))


def _quick_extreme(compute: Callable[[pl.Series], pl.Series]) -> Quick:
    def quick(columns: Columns) -> pl.Series | None:
        lists = columns[0]
        found = _plain(lists)
        if found is None or found.values.dtype == pl.String or (lists.list.len() == 0).any():
            return None
        return compute(lists)

    return quick


def _least(lists: pl.Series) -> pl.Series:
    return lists.list.min()


def _greatest(lists: pl.Series) -> pl.Series:
    return lists.list.max()


def _extreme_or(compute: Callable[..., Any]) -> Compute:
    """The default may be None, and is what an empty list gives."""

    def over(values: list[Any] | None, default: Any) -> Any:
        return None if values is None else compute(values, default=default)

    return over


def _quick_extreme_or(compute: Callable[[pl.Series], pl.Series]) -> Quick:
    def quick(columns: Columns) -> pl.Series | None:
        lists, default = spread(columns)
        found = _plain(lists)
        if found is None or found.values.dtype == pl.String:
            return None
        empty = pl.DataFrame([lists.list.len().alias("n"), default.alias("d")])
        empty = empty.with_columns(compute(lists).alias("x"))
        return empty.select(pl.when(pl.col("n") == 0).then("d").otherwise("x")).to_series()

    return quick


def _quick_truth(compute: Callable[[pl.Series], pl.Series]) -> Quick:
    def quick(columns: Columns) -> pl.Series | None:
        lists = columns[0]
        found = _plain(lists, floats=True)
        if found is None or found.values.dtype not in (pl.Boolean, pl.Int64, pl.Float64):
            return None
        if found.values.dtype != pl.Boolean:
            lists = found.lists(found.values != 0)
        return compute(lists)

    return quick


def _prod(values: list[int], start: int = 1) -> int:
    result = start
    if (start == 0 or 0 in values) and None not in values:
        return 0
    for value in values:
        result = whole(result * value)
    return result


_ORDER = (("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge))

_TWO = "list[T], list[T] -> bool"
_NUMBERS = "list[int], int? -> int; list[bool], int? -> int; list[None], int? -> int"

FUNCTIONS: tuple[Function, ...] = (
    python_function("list.[]", "list[T], int -> T", _get, quick=_item, fails=True),
    python_entry(
        "list.[:]", "list[T], int, int -> list[T]", "A slice of a list.", _lower_slice, nulls=True
    ),
    python_function(
        "list.[::]", "list[T], int, int, int -> list[T]", _steps, fails=True, nulls=True
    ),
    python_function("list.[::-1]", "list[T] -> list[T]", lambda values: values[::-1]),
    python_function("list.+", "list[T], list[T] -> list[T]", operator.add, quick=_joined),
    python_function("list.*", "list[T], int -> list[T]", _times, fails=True),
    python_function("list.in", "T, list[T] -> bool", _contains, quick=_quick_contains, nulls=True),
    python_function("list.==", _TWO, _equal, nulls=True),
    *(
        python_function(f"list.{op}", _TWO, _ordered(compare), elements=True)
        for op, compare in _ORDER
    ),
    python_function("list.index", "list[T], T, int?, int? -> int", _index, fails=True, nulls=True),
    python_function("list.count", "list[T], T -> int", _count, nulls=True),
    python_function("list.sum", _NUMBERS, _sum, quick=_quick_sum, fails=True, elements=True),
    python_function("list.prod", _NUMBERS, _prod, fails=True, elements=True),
    *(
        python_function(
            f"list.{name}", "list[T] -> T", compute, quick=quick, fails=True, elements=True
        )
        for name, compute, quick in (
            ("min", min, _quick_extreme(_least)),
            ("max", max, _quick_extreme(_greatest)),
        )
    ),
    *(
        python_function(
            f"list.{name}_or",
            "list[T], T -> T",
            _extreme_or(compute),
            quick=_quick_extreme_or(quick),
            nulls=True,
            elements=True,
        )
        for name, compute, quick in (("min", min, _least), ("max", max, _greatest))
    ),
    python_function(
        "list.sorted", "list[T], bool? -> list[T]", _sorted, quick=_quick_sorted, elements=True
    ),
    *(
        python_function(f"list.{name}", "list[T] -> bool", compute, quick=quick)
        for name, compute, quick in (
            ("any", any, _quick_truth(lambda lists: lists.list.any())),
            ("all", all, _quick_truth(lambda lists: lists.list.all())),
        )
    ),
)
