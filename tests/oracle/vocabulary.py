"""The words that random expressions are made of: types, date parts, intervals, patterns.

Owns: the lists, and the parameters that a text may name, with their values. Does not know: who
draws from them. Changing a list changes what every seed means.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.tables import Family, Value

INT_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER", "UBIGINT")
PARTS = ("year", "month", "day", "quarter", "week", "dow", "isodow", "doy")
TIME_PARTS = ("hour", "minute", "second")
INTERVALS = (
    *("1 DAY", "3 DAYS", "-2 DAYS", "1 MONTH", "-1 MONTH", "13 MONTHS", "1 YEAR", "2 WEEKS"),
    *("5 HOURS", "90 MINUTES", "1 QUARTER", "-30 SECONDS"),
)
PATTERNS = ("%", "", "a%", "%a%", "_", "__", "%b", "a_b", "a\\%b", "%é%", "A%", "%10", "_%_", "日%")
NUMBERS: tuple[Family, ...] = ("int", "dec", "float")
FAMILIES: tuple[Family, ...] = ("bool", "int", "dec", "float", "str", "date", "ts")
COMPARISONS = ("=", "=", "<>", "<", "<=", ">", ">=", "!=")

PARAMETERS: dict[str, Value] = {
    "b1": True,
    "i1": 1,
    "i2": -3,
    "i3": 3_000_000_000,
    "d1": Decimal("1.50"),
    "d2": Decimal("-0.125"),
    "f1": 2.5,
    "f2": float("nan"),
    "s1": "a",
    "s2": "",
    "t1": date(2020, 1, 15),
    "u1": datetime(2020, 1, 15, 10, 30),
}
"""The parameters, by name; the first letter says the family."""

INITIALS: dict[Family, str] = {
    "bool": "b",
    "int": "i",
    "dec": "d",
    "float": "f",
    "str": "s",
    "date": "t",
    "ts": "u",
}


def parameter_names(family: Family) -> list[str]:
    """The parameters of a family."""
    return [name for name in PARAMETERS if name.startswith(INITIALS[family])]


def parameters_of(sql: str) -> dict[int | str, object]:
    """The values of the parameters that a text names."""
    return {name: PARAMETERS[name] for name in re.findall(r"\$([a-z]\d)\b", sql)}


def text_literal(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


FAMILY_NAMES: dict[str, Family] = {name: name for name in FAMILIES}
CALLS: dict[Family, list[tuple[str, ...]]] = {name: [] for name in FAMILIES}
"""Calls by family: texts, and names of families for which a leaf is drawn. None of them fails."""


def _call(family: Family, *parts: str) -> None:
    """Enter one call."""
    CALLS[family].append(parts)


_call("int", "bit_count(", "int", ")")
_call("int", "(", "int", " & ", "int", ")")
_call("int", "(", "int", " | 5)")
_call("int", "(~(", "int", "))")
_call("int", "(", "int", " >> 1)")
_call("int", "xor(", "int", ", ", "int", ")")
_call("int", "gcd(CAST(", "int", " AS BIGINT) // 2, 12)")
_call("int", "levenshtein(", "str", ", ", "str", ")")
_call("int", "damerau_levenshtein(", "str", ", ", "str", ")")
_call("int", "bit_length(", "str", ")")
_call("int", "date_sub('month', ", "date", ", ", "date", ")")
_call("int", "date_sub('day', ", "ts", ", ", "ts", ")")
_call("int", "date_diff('dow', ", "ts", ", ", "ts", ")")
_call("int", "epoch_ms(", "ts", ")")
_call("int", "epoch_us(", "date", ")")
_call("int", "days_in_month(", "date", ")")
_call("dec", "round_even(CAST(", "dec", " / 2 AS DECIMAL(18,4)), 1)")
_call("float", "even(", "float", ")")
_call("float", "fmod(", "float", ", 0.75e0)")
_call("str", "md5(", "str", ")")
_call("str", "hex(", "str", ")")
_call("str", "url_encode(", "str", ")")
_call("str", "strip_accents(", "str", ")")
_call("str", "regexp_escape(", "str", ")")
_call("str", "overlay(", "str", ", 'x', 2)")
_call("str", "parse_filename(", "str", ", true)")
_call("str", "format('{}-{:>5}', ", "str", ", ", "int", ")")
_call("str", "format('{:.2f}|{}', ", "dec", ", ", "bool", ")")
_call("str", "printf('%5s|%s', ", "str", ", ", "date", ")")
_call("str", "strftime(", "ts", ", '%Y-%m-%d %I:%M %p %j')")
_call("str", "strftime(", "date", ", '%a %U %-d %G')")
_call("bool", "(", "str", " GLOB '*[a-c]*')")
_call("bool", "(", "str", " ~ 'a|b')")
_call("bool", "(", "str", " SIMILAR TO '[a-z]+')")
_call("bool", "(", "str", " ^@ ", "str", ")")
_call("bool", "signbit(", "int", ")")
_call("bool", "isfinite(", "date", ")")
_call("date", "time_bucket(INTERVAL 10 DAY, ", "date", ")")
_call("date", "time_bucket(INTERVAL 5 MONTH, ", "date", ")")
_call("ts", "time_bucket(INTERVAL 90 MINUTE, ", "ts", ")")
_call("ts", "try_strptime(", "str", ", '%Y-%m-%d')")
_call("ts", "date_trunc('epoch', ", "ts", ")")
