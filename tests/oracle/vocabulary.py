"""The words that random expressions are made of: types, date parts, intervals, patterns.

Owns: the lists. Does not know: who draws from them. Changing a list changes what every seed means.
"""

from __future__ import annotations

from tests.oracle.tables import Family

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


def text_literal(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
