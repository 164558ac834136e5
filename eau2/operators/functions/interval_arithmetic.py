"""Arithmetic of intervals: made from numbers, added, multiplied, divided, and added to moments.

Owns: to_days and its like, + - * / and negation on intervals, and what a date or timestamp plus an
interval is when the interval is no constant. Comes in: bound arguments. Goes out: Calls, and Polars
expressions over kernel columns. Does not know: how intervals are written, their parts, ages.

The three parts of an interval never carry into one another here, but that a fraction of a month
becomes days and a fraction of a day time, by the rules of DuckDB, which are PostgreSQL's
(interval_mul in timestamp.c). A part that leaves its range is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from eau2.operators.coercion import coerce, coercion_cost, is_null, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import (
    FARTHEST_YEAR,
    MICROS_PER_DAY,
    days_from_civil,
    month_length,
)
from eau2.operators.functions.checks import Outcome, Scope, checked
from eau2.operators.functions.floats import spread_divide
from eau2.operators.functions.function import Function, LowerCall, Signature, mismatch, overloads
from eau2.operators.functions.interval_text import DAYS, MICROS, MONTHS, interval_text
from eau2.operators.interval_form import (
    PARTS,
    days_of,
    micros_of,
    months_of,
    pack,
    unpacked,
)
from eau2.types import BIGINT, DOUBLE, INTEGER, INTERVAL, TIME, TIMESTAMP, SqlType

_KERNEL = pl.Int128()
_LIMITS = (31, 31, 63)
"""How many bits the parts have besides their signs."""
_FARTHEST_DAY = 95_000_000
_MICROS = 1_000_000.0

Parts = tuple[pl.Expr, pl.Expr, pl.Expr]
First = Callable[[pl.DataFrame], pl.DataFrame]


def parts_of(value: pl.Expr) -> Parts:
    """Months, days and microseconds as Int128, in which sums cannot overflow."""
    months, days, micros = months_of(value), days_of(value), micros_of(value)
    return months.cast(_KERNEL), days.cast(_KERNEL), micros.cast(_KERNEL)


def outside(part: pl.Expr, bits: int) -> pl.Expr:
    """Whether an Int128 does not fit so many bits besides its sign."""
    return (part < pl.lit(-(1 << bits), _KERNEL)) | (part >= pl.lit(1 << bits, _KERNEL))


def within(parts: Parts, message: tuple[str | pl.Expr, ...]) -> Outcome:
    """The interval of Int128 parts; an error where one of them does not fit."""
    months, days, micros = parts
    bad = outside(months, 31) | outside(days, 31) | outside(micros, 63)
    kept = [pl.when(~bad).then(part) for part in parts]
    return Outcome(pack(*kept), bad, "range", message)


def _over(formula: Callable[..., Outcome], first: First | None = None) -> LowerCall:
    return lambda call, scope: checked(
        _KERNEL, formula, scope, *(scope.lower(arg) for arg in call.args), first=first
    )


def _sum(sign: int) -> Callable[[pl.Expr, pl.Expr], Outcome]:
    def over(left: pl.Expr, right: pl.Expr) -> Outcome:
        one, two = parts_of(left), parts_of(right)
        months, days, micros = (a + b * sign for a, b in zip(one, two, strict=True))
        shown = interval_text(left), " + " if sign > 0 else " - ", interval_text(right)
        return within((months, days, micros), ("interval out of range: ", *shown))

    return over


def _negated(value: pl.Expr) -> Outcome:
    months, days, micros = (0 - part for part in parts_of(value))
    return within((months, days, micros), ("interval out of range: -(", interval_text(value), ")"))


def _multiplied(value: pl.Expr, factor: pl.Expr) -> Outcome:
    """DuckDB takes no factor of more than 32 bits, whatever the interval is."""
    far = outside(factor.cast(_KERNEL), 31)
    small = pl.when(~far).then(factor).cast(_KERNEL)
    months, days, micros = (part * small for part in parts_of(value))
    message = ("interval out of range: ", interval_text(value), " * ", factor)
    outcome = within((months, days, micros), message)
    return Outcome(outcome.value, far | outcome.bad, "range", message)


def _scaled(value: pl.Expr, factor: pl.Expr) -> Outcome:
    message = ("interval out of range: ", interval_text(value), " * ", factor)
    return Outcome(pl.col("product"), pl.col("bad"), "range", message)


def _divided(value: pl.Expr, divisor: pl.Expr) -> Outcome:
    message = ("division by zero or interval out of range: ", interval_text(value), " / ", divisor)
    return Outcome(pl.col("product"), pl.col("bad"), "range", message)


def _times(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with column "product", interval "0" times "1", and "bad" where that is none."""
    return _product(frame.with_columns(factor=pl.col("1")))


def _parts(frame: pl.DataFrame) -> pl.DataFrame:
    """The same for the interval "0" divided by "1"."""
    divisor = pl.col("1")
    # A division by a constant would become a product with its reciprocal.
    ones = frame.with_columns(one=divisor.is_not_null().cast(pl.Float64))
    return _product(ones.with_columns(factor=pl.col("one") / divisor))


def _product(frame: pl.DataFrame) -> pl.DataFrame:
    value, factor = pl.col("0"), pl.col("factor")
    rows = frame.with_columns(
        by_month=months_of(value).cast(pl.Float64) * factor,
        by_day=days_of(value).cast(pl.Float64) * factor,
    )
    far = pl.lit(False)
    for product in (pl.col("by_month"), pl.col("by_day")):
        far = far | product.is_nan() | (product < -(2.0**31)) | (product > 2.0**31 - 1)
    rows = rows.with_columns(far=far)
    rows = rows.with_columns(pl.when(~pl.col("far")).then(pl.col("by_month", "by_day")))
    rows = rows.with_columns(
        months=pl.col("by_month").cast(pl.Int64), days=pl.col("by_day").cast(pl.Int64)
    )
    over_month = _fused(months_of(value), factor, 0 - pl.col("months"))
    rows = rows.with_columns(month_rest=_to_micros(over_month * 30.0))
    rows = rows.with_columns(more=pl.col("month_rest").cast(pl.Int64))
    rows = rows.with_columns(over_day=_fused(days_of(value), factor, 0 - pl.col("days")))
    rest = pl.col("over_day") + pl.col("month_rest") - pl.col("more").cast(pl.Float64)
    rows = rows.with_columns(seconds=_to_micros(rest * 86_400.0))
    rows = rows.with_columns(carried=_quotient(pl.col("seconds"), 86_400.0).cast(pl.Int64))
    seconds = pl.col("seconds") - pl.col("carried").cast(pl.Float64) * 86_400.0
    time = _fused(micros_of(value), factor, seconds * _MICROS)
    rows = rows.with_columns(time=time.round(mode="half_to_even"))
    micros = pl.col("time")
    beyond = micros.is_nan() | (micros < -(2.0**63)) | (micros >= 2.0**63)
    rows = rows.with_columns(beyond=beyond, all_days=pl.sum_horizontal("days", "more", "carried"))
    fits = ~(pl.col("far") | pl.col("beyond") | outside(pl.col("all_days").cast(_KERNEL), 31))
    known = value.is_not_null() & factor.is_not_null()
    rows = rows.with_columns(bad=known & ~fits.fill_null(False))
    kept = pl.when(known & ~pl.col("bad"))
    parts = (pl.col("months"), kept.then(pl.col("all_days")), kept.then(pl.col("time")))
    return rows.with_columns(product=pack(parts[0], parts[1], parts[2].cast(pl.Int64)))


def _fused(count: pl.Expr, factor: pl.Expr, plus: pl.Expr) -> pl.Expr:
    """The sum count * factor + plus, rounded once, which is what DuckDB's machine code computes.

    Source: T. J. Dekker, "A Floating-Point Technique for Extending the Available Precision"
    (1971): the errors of the product and of the sum are floats themselves.
    """
    a, b, c = count.cast(pl.Float64), factor, plus.cast(pl.Float64)
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    more = total - product
    cut = (product - (total - more)) + (c - more)
    return total + (cut + lost)


def _split(value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """A float as the sum of two with half of its digits each."""
    shifted_up = value * float(2**27 + 1)
    high = shifted_up - (shifted_up - value)
    return high, value - high


def _to_micros(value: pl.Expr) -> pl.Expr:
    """Rounded to six digits after the point."""
    return _quotient((value * _MICROS).round(mode="half_to_even"), _MICROS)


def _quotient(value: pl.Expr, divisor: float) -> pl.Expr:
    return spread_divide(value, pl.lit(divisor, pl.Float64))


def _of_unit(position: int, size: int) -> Callable[[pl.Expr], Outcome]:
    """So many units of `size` months, days or microseconds."""

    def over(count: pl.Expr) -> Outcome:
        message = ("interval out of range: ", count, f" times {size} of {_NAMES[position]}")
        part = count.cast(_KERNEL) * pl.lit(size, _KERNEL)
        zero = part * 0
        parts = [zero, zero, zero]
        parts[position] = part
        return within((parts[0], parts[1], parts[2]), message)

    return over


def _of_seconds(size: int) -> Callable[[pl.Expr], Outcome]:
    """So many seconds or milliseconds, to the nearest microsecond."""

    def over(count: pl.Expr) -> Outcome:
        product = (count * float(size)).round(mode="half_to_even")
        bad = product.is_nan() | (product < -(2.0**63)) | (product >= 2.0**63)
        micros = pl.when(~bad).then(product).cast(pl.Int64)
        zero = pl.when(micros.is_not_null()).then(pl.lit(0, pl.Int64))
        message = ("interval out of range: ", count, f" times {size} microseconds")
        return Outcome(pack(zero, zero, micros), bad, "range", message)

    return over


_NAMES = ("months", "days", "microseconds")


def shifted(rows: pl.DataFrame, moment: str, parts: Sequence[str]) -> pl.DataFrame:
    """With columns "shifted", a timestamp later by Int64 parts, and "far", whether it has no form.

    Months come first, which keep the day where it exists; then days and time.
    """
    at = pl.col(moment)
    months, days, micros = (pl.col(part) for part in parts)
    rows = rows.with_columns(
        since=at.dt.epoch("us"),
        month_day=at.dt.day().cast(pl.Int64),
        count=at.dt.year().cast(pl.Int64) * 12 + at.dt.month().cast(pl.Int64) - 1 + months,
    )
    rows = rows.with_columns(year=pl.col("count") // 12, month=pl.col("count") % 12 + 1)
    year, month = pl.col("year"), pl.col("month")
    rows = rows.with_columns(day=pl.min_horizontal("month_day", month_length(year, month)))
    rows = rows.with_columns(same_day=days_from_civil(year, month, pl.col("day")))
    begin = pl.when(months == 0).then(pl.col("since") // MICROS_PER_DAY).otherwise("same_day")
    time = (pl.col("since") % MICROS_PER_DAY).cast(_KERNEL) + micros.cast(_KERNEL)
    rows = rows.with_columns(total=(begin + days).cast(_KERNEL) * MICROS_PER_DAY + time)
    limit = pl.lit(_FARTHEST_DAY * MICROS_PER_DAY, _KERNEL)
    beyond = (months != 0) & (year.abs() > FARTHEST_YEAR)
    rows = rows.with_columns(far=beyond | (pl.col("total").abs() > limit))
    kept = pl.when(~pl.col("far")).then("total")
    return rows.with_columns(shifted=kept.cast(pl.Int64).cast(pl.Datetime("us")))


def _moved(moment: pl.Expr, interval: pl.Expr) -> Outcome:
    message = ("timestamp out of range: ", moment, " plus ", interval_text(interval))
    return Outcome(pl.col("shifted"), pl.col("far"), "range", message)


def _to_move(frame: pl.DataFrame) -> pl.DataFrame:
    """Timestamp "0" later by interval "1"."""
    interval = pl.col("1")
    values = (months_of(interval), days_of(interval), micros_of(interval))
    rows = frame.with_columns(v.alias(part) for v, part in zip(values, PARTS, strict=True))
    return shifted(rows, "0", PARTS)


def _lower_moved(call: Call, scope: Scope) -> pl.Expr:
    inputs = (scope.lower(arg) for arg in call.args)
    return checked(pl.Datetime("us"), _moved, scope, *inputs, first=_to_move)


def bind_additive(name: str, args: tuple[Expr, ...]) -> Expr | None:
    """+ and - where an interval is among the operands; None when there is none."""
    left, right = args
    if INTERVAL not in (left.type, right.type):
        text_moves = name == "+" and TIMESTAMP in (left.type, right.type)
        if text_moves and is_string_literal(right):
            return moved(left, coerce(right, INTERVAL), 1)
        if text_moves and is_string_literal(left):
            return moved(right, coerce(left, INTERVAL), 1)
        return None
    if left.type == right.type:
        return Call(INTERVAL, "add_intervals" if name == "+" else "subtract_intervals", args)
    if name == "+" and left.type == INTERVAL:
        left, right = right, left
    if left.type == TIME and right.type == INTERVAL:
        return Call(TIME, "move_time", (left, right if name == "+" else negated(right)))
    if right.type == INTERVAL and (left.type.is_temporal or is_null(left)):
        return moved(left, right, 1 if name == "+" else -1)
    raise mismatch(
        name, args, "A date as a text needs its type: DATE '2020-01-31' + INTERVAL 1 DAY."
    )


def moved(moment: Expr, interval: Expr, sign: int) -> Expr:
    """A date or timestamp plus an interval (minus, with `sign` -1): a TIMESTAMP."""
    start = coerce(moment, TIMESTAMP)
    if isinstance(interval, Literal) and isinstance(interval.value, int):
        amounts = tuple(part * sign for part in unpacked(interval.value))
        if all(-(1 << b) <= a < 1 << b for a, b in zip(amounts, _LIMITS, strict=True)):
            types = (INTEGER, INTEGER, BIGINT)
            literals = (Literal(t, a) for t, a in zip(types, amounts, strict=True))
            return Call(TIMESTAMP, "add_interval", (start, *literals))
    return Call(TIMESTAMP, "move", (start, interval if sign > 0 else negated(interval)))


def negated(interval: Expr) -> Expr:
    """The interval with the signs of all parts changed."""
    return Call(INTERVAL, "negate_interval", (interval,))


def bind_product(name: str, args: tuple[Expr, ...]) -> Expr | None:
    """* and / where an interval is among the operands; None when there is none."""
    if len(args) != 2 or INTERVAL not in (args[0].type, args[1].type):
        return None
    left, right = args
    if name == "*" and left.type != INTERVAL:
        left, right = right, left
    if left.type == INTERVAL and name in ("*", "/") and not is_string_literal(right):
        exact = name == "*" and coercion_cost(right, BIGINT) is not None
        type_: SqlType = BIGINT if exact else DOUBLE
        if coercion_cost(right, type_) is not None:
            function = "divide_interval" if name == "/" else "multiply_interval"
            if name == "*" and not exact:
                function = "scale_interval"
            return Call(INTERVAL, function, (left, coerce(right, type_)))
    raise mismatch(name, args, "An INTERVAL is multiplied with a number, or divided by one.")


def _hidden(
    name: str,
    syntax: str,
    example: str,
    parameters: tuple[SqlType, ...],
    over: Callable[..., Outcome],
    first: First | None = None,
) -> Function:
    """An operator on intervals: other families bind it."""
    return Function(
        name,
        "interval",
        syntax,
        f"{syntax} of an interval i.",
        example,
        overloads(syntax, Signature(parameters, INTERVAL)),
        _over(over, first),
        operator=True,
        fails=True,
    )


def _making(plural: str, over: Callable[[pl.Expr], Outcome], number: SqlType = BIGINT) -> Function:
    return Function(
        f"to_{plural}",
        "interval",
        f"to_{plural}(n)",
        f"An interval of so many {plural}.",
        f"to_{plural}(2)",
        overloads(f"to_{plural}(n)", Signature((number,), INTERVAL)),
        _over(over),
        fails=True,
    )


_PLURALS = {"century": "centuries", "millennium": "millennia"}

FUNCTIONS = (
    *(
        _making(_PLURALS.get(unit, f"{unit}s"), _of_unit(position, size))
        for position, units in ((0, MONTHS), (1, DAYS))
        for unit, size in units.items()
    ),
    *(_making(f"{unit}s", _of_unit(2, MICROS[unit])) for unit in ("hour", "minute", "microsecond")),
    *(_making(f"{unit}s", _of_seconds(MICROS[unit]), DOUBLE) for unit in ("second", "millisecond")),
    _hidden("add_intervals", "i + j", "to_days(1) + to_days(2)", (INTERVAL, INTERVAL), _sum(1)),
    _hidden("subtract_intervals", "i - j", "to_days(3) - to_days(1)", (INTERVAL,) * 2, _sum(-1)),
    _hidden("negate_interval", "-i", "-to_days(1)", (INTERVAL,), _negated),
    _hidden("multiply_interval", "i * n", "to_days(2) * 3", (INTERVAL, BIGINT), _multiplied),
    _hidden("scale_interval", "i * x", "to_days(1) * 1.5", (INTERVAL, DOUBLE), _scaled, _times),
    _hidden("divide_interval", "i / x", "to_months(1) / 2", (INTERVAL, DOUBLE), _divided, _parts),
    Function(
        "move",
        "interval",
        "x + i",
        "The moment later by an interval; months keep the day where it exists.",
        "DATE '2024-01-31' + to_months(1) = TIMESTAMP '2024-02-29'",
        overloads("x + i", Signature((TIMESTAMP, INTERVAL), TIMESTAMP)),
        _lower_moved,
        operator=True,
        fails=True,
    ),
)
