"""Expressions over columns in forms: computed with less work than over plain columns.

Owns: which parts of an expression a form computes, and how. Comes in: bound expressions, and the
forms of the columns they read, by label. Goes out: the same expressions, with lowered parts where
a form is of use, and plain columns elsewhere. Does not know: who gave a column its form.

Narrow whole numbers are compared in their own bits. What is computed from a coded column alone is
computed once for each value of the dictionary and then looked up; a condition is a comparison of
codes where these are few runs. Only what cannot fail is treated so: a value of the dictionary need
not occur in a row.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.operators.day_parts import DAY, by_table
from eau2.operators.expr import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    columns_of,
    reads_parameters,
)
from eau2.operators.forms import Coded, Forms, Narrow, plain
from eau2.operators.functions.casts import may_fail
from eau2.operators.lowering import Given, can_fail, lower_expr
from eau2.types import DATE

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_RUNS = 6
"""Codes that lie in so many runs are compared with the runs' ends: cheaper than a lookup."""

_SMALL = 256
"""Of so many values Python finds some as quickly as Polars begins to."""

_KEPT, _KEPT_VALUES = 256, 4096
_kept: dict[int, tuple[Expr, pl.Series, pl.Expr]] = {}
"""What expressions were for the values of a dictionary, by their identity: chunks of one frame have
the same, and statements come again."""

_DAYS = (pl.Int8(), pl.Int16())
"""In these a day is looked up in a table of all of them."""

_RANGES: dict[pl.DataType, tuple[int, int]] = {
    pl.Int8(): (-(1 << 7), (1 << 7) - 1),
    pl.Int16(): (-(1 << 15), (1 << 15) - 1),
    pl.Int32(): (-(1 << 31), (1 << 31) - 1),
    pl.Int64(): (-(1 << 63), (1 << 63) - 1),
}


def in_forms(expr: Expr, forms: Forms) -> Expr:
    """The expression over columns in these forms; the same object where it reads none of them."""
    if not forms or all(f"c{id_}" not in forms for id_ in columns_of(expr)):
        return expr
    return _rewritten(expr, forms)


def _rewritten(expr: Expr, forms: Forms) -> Expr:
    if isinstance(expr, Given):
        return expr
    if isinstance(expr, ColumnRef):
        form = forms.get(expr.label)
        if form is None:
            return expr
        return Given(expr.type, expr.id, plain(expr.label, form, expr.type))
    read = columns_of(expr)
    if len(read) == 1:
        (id_,) = read
        form = forms.get(f"c{id_}")
        if isinstance(form, Coded) and not can_fail(expr) and not reads_parameters(expr):
            return Given(expr.type, id_, _looked_up(expr, id_, form))
        if isinstance(form, Narrow) and form.dtype in _DAYS:
            found = _of_days(expr)
            if found is not None:
                return Given(expr.type, id_, found)
    found = _narrow(expr, forms)
    if found is not None:
        return Given(expr.type, min(read), found)
    children = expr.children
    return expr.with_children(tuple([_rewritten(child, forms) for child in children]))


def _looked_up(expr: Expr, id_: int, form: Coded) -> pl.Expr:
    """An expression over one coded column: its value for each code."""
    label = f"c{id_}"
    codes = pl.col(label)
    match expr:
        case Call(function="is_null", args=(ColumnRef(),)):
            return codes.is_null()
        case Call(function="is_not_null", args=(ColumnRef(),)):
            return codes.is_not_null()
    kept = _kept.get(id(expr))
    if kept is not None and kept[0] is expr and kept[1].equals(form.values):
        return kept[2]
    if len(form.values) > _KEPT_VALUES:
        return _computed(expr, codes, label, form.values)
    if len(_kept) >= _KEPT:
        _kept.clear()
    # A copy: no file stays open for what is kept.
    values = pl.Series(form.values.to_list(), dtype=pl.String)
    made = _computed(expr, codes, label, values)
    _kept[id(expr)] = (expr, values, made)
    return made


def _computed(expr: Expr, codes: pl.Expr, label: str, values: pl.Series) -> pl.Expr:
    size = len(values)
    named = _named(expr)
    if named is not None and size <= _SMALL:
        held = [value in named for value in values.to_list()]
        compared = _in_runs(codes, np.array(held, np.bool_))
        if compared is not None:
            return compared
    rows = pl.DataFrame({label: values.extend_constant(None, 1)})
    computed = rows.select(lower_expr(expr).alias("value")).to_series()
    if len(computed) != size + 1:
        computed = computed.new_from_index(0, size + 1)
    of_null = computed[size]
    known = computed.head(size)
    if of_null is not None:
        return pl.lit(computed).gather(codes.cast(pl.UInt32).fill_null(size))
    if known.dtype == pl.Boolean() and not known.null_count():
        compared = _in_runs(codes, known.to_numpy())
        if compared is not None:
            return compared
    if known.null_count() == size:
        # Polars takes one column that is only NULL for another, of any type.
        nothing = pl.lit(None, known.dtype)
        return pl.when(codes.is_null()).then(nothing).otherwise(nothing)
    return pl.lit(known).gather(codes)


def _named(expr: Expr) -> frozenset[object] | None:
    """The strings for which a condition over a column is true, where it says them; else None."""
    match expr:
        case Call(function="=", args=(ColumnRef(), Literal(value=str(value)))):
            return frozenset((value,))
        case Call(function="=", args=(Literal(value=str(value)), ColumnRef())):
            return frozenset((value,))
        case InList(arg=ColumnRef(), values=values, has_null=False):
            return frozenset(values)
    return None


def _in_runs(codes: pl.Expr, truths: npt.NDArray[np.bool_]) -> pl.Expr | None:
    """The truth of each code as comparisons of codes; None when these would be many."""
    ends = np.concatenate(([False], truths, [False]))
    edges = np.flatnonzero(ends[1:] != ends[:-1]).tolist()
    if len(edges) > 2 * _RUNS:
        return None
    parts = [
        codes == start if end == start + 1 else codes.is_between(start, end - 1)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    # Without a run the condition is false for every code, and NULL for NULL.
    return reduce(lambda a, b: a | b, parts) if parts else codes < 0


def _of_days(expr: Expr) -> pl.Expr | None:
    """A part of a date that is held in few bits; None for anything else."""
    match expr:
        case Call(function="date_part", args=(Literal(value=str(part)), ColumnRef() as day)):
            if day.type != DATE:
                return None
            plain_day = Given(DATE, day.id, pl.col(DAY))
            of_date = expr.with_children((expr.args[0], plain_day))
            return by_table(part, day.label, lambda: lower_expr(of_date))
    return None


def _narrow(expr: Expr, forms: Forms) -> pl.Expr | None:
    """A comparison over narrow columns, in their own bits; None for anything else."""
    match expr:
        case Call(function=function, args=(left, right)) if function in _COMPARISONS:
            first, second = _bits(left, forms), _bits(right, forms)
            if first is not None and second is not None:
                return _apply(function, *_same_width(first, second))
            if first is not None and isinstance(right, Literal):
                value = _constant(right, first[1])
                return None if value is None else _apply(function, first[0], value)
            if second is not None and isinstance(left, Literal):
                value = _constant(left, second[1])
                return None if value is None else _apply(function, value, second[0])
        case InList(arg=arg, values=values, has_null=False) if values:
            held = _bits(arg, forms)
            if held is None:
                return None
            low, high = _RANGES[held[1]]
            within = [int(v) for v in values if low <= int(v) <= high]
            if not within:
                return held[0] < low
            if len(within) <= _RUNS:
                return reduce(lambda a, b: a | b, [held[0] == pl.lit(v, held[1]) for v in within])
            return held[0].is_in(pl.Series(within, dtype=held[1]).implode())
    return None


def _bits(expr: Expr, forms: Forms) -> tuple[pl.Expr, pl.DataType] | None:
    """A narrow column's own integers, where these compare as the expression's values do."""
    while isinstance(expr, Cast) and keeps_integers(expr):
        expr = expr.arg
    if not isinstance(expr, ColumnRef):
        return None
    form = forms.get(expr.label)
    return (pl.col(expr.label), form.dtype) if isinstance(form, Narrow) else None


def keeps_integers(cast: Cast) -> bool:
    """Whether a cast leaves the physical integer as it is."""
    before, after = cast.arg.type, cast.type
    if cast.safe or before.is_float or after.is_float:
        return False
    alike = before.is_integer and after.is_integer
    if before.is_decimal and after.is_decimal:
        alike = before.scale == after.scale
    return alike and not (cast.checked and may_fail(before, after))


def _constant(value: Literal, dtype: pl.DataType) -> pl.Expr | None:
    """A constant in a narrow column's bits; None where it is not in their range."""
    low, high = _RANGES[dtype]
    whole = value.value
    if whole is None or isinstance(whole, str | float):
        return None
    return pl.lit(int(whole), dtype) if low <= int(whole) <= high else None


def _same_width(
    first: tuple[pl.Expr, pl.DataType], second: tuple[pl.Expr, pl.DataType]
) -> tuple[pl.Expr, pl.Expr]:
    (left, one), (right, other) = first, second
    if one == other:
        return left, right
    wide = one if _RANGES[one][1] > _RANGES[other][1] else other
    return left.cast(wide), right.cast(wide)


def _apply(function: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
    match function:
        case "=":
            return left == right
        case "<>":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right
