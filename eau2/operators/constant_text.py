"""Constants as SQL writes them.

Owns: the text of a physical value of a type. Comes in: a value and its type. Goes out: text that
SQL reads as that value. Does not know: expressions, operators (text.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from eau2.operators.expr import Value
from eau2.operators.interval_form import unpacked
from eau2.types import Kind, SqlType


def literal_text(value: Value, type_: SqlType) -> str:
    """A physical value as an SQL literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case float():
            finite = value - value == 0.0
            return repr(value) if finite else f"CAST('{value}' AS {type_})"
        case int():
            return _integer_text(value, type_)


def _integer_text(value: int, type_: SqlType) -> str:
    if type_.is_decimal and type_.scale:
        digits = str(abs(value)).rjust(type_.scale + 1, "0")
        sign = "-" if value < 0 else ""
        return f"{sign}{digits[: -type_.scale]}.{digits[-type_.scale :]}"
    try:
        if type_.kind is Kind.DATE:
            return f"DATE '{date(1970, 1, 1) + timedelta(days=value)}'"
        if type_.kind is Kind.INTERVAL:
            return interval_text(*unpacked(value))
        if type_.kind is Kind.TIME:
            return f"TIME '{(datetime.min + timedelta(microseconds=value)).time()}'"
        if type_.kind is Kind.TIMESTAMP:
            instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
            return f"TIMESTAMP '{instant.replace(tzinfo=None).isoformat(sep=' ')}'"
    except OverflowError:
        return f"CAST({value} AS {type_})"
    return str(value)


def interval_text(months: Value, days: Value, micros: Value) -> str:
    """An interval as an SQL constant."""
    parts = [
        f"{amount} {unit}"
        for amount, unit in ((months, "months"), (days, "days"), (micros, "microseconds"))
        if amount
    ]
    return f"INTERVAL '{' '.join(parts) or '0 days'}'"
