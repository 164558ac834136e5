"""Calendar arithmetic: dates plus days, moments plus intervals, ends of months.

Owns: what + and - mean on dates. A date plus an interval is a timestamp, as in DuckDB 2.0.
Does not know: how intervals are written (the binder splits them into months, days and
microseconds), the clock, the parts of dates (date_parts.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import coerce, coercion_cost, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY
from eau2.operators.functions.checks import Outcome, Scope, checked, narrowed
from eau2.operators.functions.date_parts import as_int64
from eau2.operators.functions.date_parts import moment as moment_of
from eau2.operators.functions.function import Function, Signature, mismatch, overloads
from eau2.operators.functions.interval_arithmetic import bind_additive
from eau2.operators.physical import kernel_dtype
from eau2.types import BIGINT, DATE, INTEGER, INTERVAL, TIME, TIMESTAMP

_DAYS_MAX = 95_000_000
"""Dates farther than this from 1970 have no form in the kernels' calendar."""


def _bind_add_interval(name: str, args: tuple[Expr, ...]) -> Expr:
    """A moment, and months, days and microseconds, which are constants."""
    amounts = args[1:]
    whole = all(isinstance(a, Literal) and type(a.value) is int for a in amounts)
    if len(amounts) != 3 or not whole or not all(a.type.is_integer for a in amounts):
        raise mismatch(name, args, "It is written x + INTERVAL n unit.")
    start = coerce(moment_of(name, args[0]), TIMESTAMP)
    return Call(TIMESTAMP, name, (start, *amounts))


def _lower_add_interval(call: Call, scope: Scope) -> pl.Expr:
    moment, *amounts = call.args
    value = scope.counted(moment, kernel_dtype(moment.type))
    numbers = []
    for amount in amounts:
        assert isinstance(amount, Literal)
        assert isinstance(amount.value, int)
        numbers.append(amount.value)
    months, days, micros = numbers
    if months:
        value = value.dt.offset_by(f"{months}mo")
    rest = days * MICROS_PER_DAY + micros
    if not rest:
        return value

    def moved(value: pl.Expr) -> pl.Expr:
        return value.cast(pl.Int64).cast(pl.Int128) + pl.lit(rest, pl.Int128)

    def shown(value: pl.Expr) -> tuple[str | pl.Expr, ...]:
        return ("timestamp out of range: ", value, " plus an interval")

    return narrowed(pl.Int64(), moved, shown, scope, value).cast(pl.Datetime("us"))


def bind_plus(name: str, args: tuple[Expr, ...]) -> Expr | None:
    """+ and - on dates, timestamps and intervals; None when neither operand is one."""
    if len(args) == 2:
        interval = bind_additive(name, args)
        if interval is not None:
            return interval
    if len(args) != 2 or not any(arg.type.is_temporal for arg in args):
        return None
    left, right = args
    if name == "+" and right.type == DATE and not left.type.is_temporal:
        left, right = right, left
    if name == "+" and left.type == DATE and right.type == TIME:
        return Call(TIMESTAMP, "at_time", (left, right))
    countable = coercion_cost(right, INTEGER) is not None and not is_string_literal(right)
    if left.type == DATE and countable:
        moved = "add_days" if name == "+" else "subtract_days"
        return Call(DATE, moved, (left, coerce(right, INTEGER)))
    if name == "-" and left.type == right.type == DATE:
        return Call(BIGINT, "days_between", (left, right))
    if name == "-" and left.type.is_temporal and right.type.is_temporal:
        return Call(INTERVAL, "time_between", (coerce(left, TIMESTAMP), coerce(right, TIMESTAMP)))
    raise mismatch(name, args, "To a date add a number of days, or an INTERVAL.")


def _bind_date_add(name: str, args: tuple[Expr, ...]) -> Expr:
    found = bind_plus("+", args)
    if found is None:
        raise mismatch(name, args, "It is written date_add(x, interval).")
    return found


def _unreached(call: Call, scope: Scope) -> pl.Expr:
    raise AssertionError(f"{call.function} is bound to +")


def _shift_days(sign: int) -> Callable[[Call, Scope], pl.Expr]:
    def over(date: pl.Expr, days: pl.Expr) -> Outcome:
        moved = as_int64(date.cast(pl.Int32)) + as_int64(days) * sign
        bad = moved.abs() > _DAYS_MAX
        kept = pl.when(~bad).then(moved).cast(pl.Int32).cast(pl.Date)
        return Outcome(kept, bad, "range", ("date out of range: ", date, " moved by ", days))

    return lambda call, scope: checked(
        pl.Date(), over, scope, *(scope.lower(arg) for arg in call.args)
    )


def _lower_days_between(call: Call, scope: Scope) -> pl.Expr:
    left, right = (as_int64(scope.lower(arg).cast(pl.Int32)) for arg in call.args)
    return left - right


def _lower_last_day(call: Call, scope: Scope) -> pl.Expr:
    return scope.lower(call.args[0]).cast(pl.Date).dt.month_end()


def _lower_days_in_month(call: Call, scope: Scope) -> pl.Expr:
    return as_int64(scope.lower(call.args[0]).dt.days_in_month())


FUNCTIONS = (
    Function(
        "add_interval",
        "date",
        "x + INTERVAL n unit",
        "The moment later by an interval; months keep the day where it exists.",
        "DATE '2024-01-31' + INTERVAL 1 MONTH = TIMESTAMP '2024-02-29'",
        _bind_add_interval,
        _lower_add_interval,
        operator=True,
        fails=True,
    ),
    Function(
        "date_add",
        "date",
        "date_add(x, interval)",
        "The same as x + interval.",
        "date_add(DATE '2024-02-28', INTERVAL 1 DAY) = TIMESTAMP '2024-02-29'",
        _bind_date_add,
        _unreached,
    ),
    Function(
        "add_days",
        "date",
        "date + n",
        "The date n days later.",
        "DATE '2024-02-28' + 2 = DATE '2024-03-01'",
        overloads("date + n", Signature((DATE, INTEGER), DATE)),
        _shift_days(1),
        operator=True,
        fails=True,
    ),
    Function(
        "subtract_days",
        "date",
        "date - n",
        "The date n days earlier.",
        "DATE '2024-03-01' - 2 = DATE '2024-02-28'",
        overloads("date - n", Signature((DATE, INTEGER), DATE)),
        _shift_days(-1),
        operator=True,
        fails=True,
    ),
    Function(
        "days_between",
        "date",
        "date - date",
        "The number of days from the second date to the first.",
        "DATE '2024-03-01' - DATE '2024-02-28' = 2",
        overloads("date - date", Signature((DATE, DATE), BIGINT)),
        _lower_days_between,
        operator=True,
    ),
    Function(
        "last_day",
        "date",
        "last_day(x)",
        "The last day of the month.",
        "last_day(DATE '2024-02-10') = DATE '2024-02-29'",
        overloads("last_day(x)", Signature((DATE,), DATE), Signature((TIMESTAMP,), DATE)),
        _lower_last_day,
    ),
    Function(
        "days_in_month",
        "date",
        "days_in_month(x)",
        "How many days the month has.",
        "days_in_month(DATE '2024-02-10') = 29",
        overloads("days_in_month(x)", Signature((DATE,), BIGINT), Signature((TIMESTAMP,), BIGINT)),
        _lower_days_in_month,
    ),
)
