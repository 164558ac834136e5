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
