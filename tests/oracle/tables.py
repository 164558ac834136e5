"""Random typed tables: small, full of NULLs, duplicates and extremes.

Owns: `Table` and `Column`, how they are drawn from a `random.Random`, and their Arrow and SQL
forms. Does not know: queries. The same seed gives the same tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

import pyarrow as pa

Family = Literal["bool", "int", "dec", "float", "str", "date", "ts"]
Value = bool | int | float | Decimal | str | date | datetime | None

INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1, pa.int8()),
    "SMALLINT": (-(2**15), 2**15 - 1, pa.int16()),
    "INTEGER": (-(2**31), 2**31 - 1, pa.int32()),
    "BIGINT": (-(2**63), 2**63 - 1, pa.int64()),
    "UTINYINT": (0, 2**8 - 1, pa.uint8()),
    "USMALLINT": (0, 2**16 - 1, pa.uint16()),
    "UINTEGER": (0, 2**32 - 1, pa.uint32()),
    "UBIGINT": (0, 2**64 - 1, pa.uint64()),
}
DECIMALS = ((4, 1), (9, 2), (15, 2), (18, 4), (18, 0), (19, 3), (25, 6), (38, 10), (38, 0))

COLUMN_FAMILIES: tuple[Family, ...] = (
    *("bool", "int", "int", "int", "dec", "dec", "float", "float", "str", "str", "date", "ts"),
)

STRINGS = (
    *("", "a", "b", "ab", "abc", "A", "Aa", "é", "É", "ß", "日本", "😀x", "e\u0301", "a b", " a "),
    *("%", "_", "a%b", "a_b", "\\", "it's", "10", "-3", "2.5", " 7 ", "true", "1e3", "2020-02-29"),
    *("null", "NaN", "zzzzzzzzzzzzzzzzzzzz", "abcdefghijklm", "abcdefghijkln", "\t", "Ωmega"),
)
WILD_DOUBLES = (
    *(
        math.nan,
        math.nan,
        math.nan,
        math.inf,
        math.inf,
        -math.inf,
        -0.0,
        -0.0,
        0.0,
        1e308,
        -1e308,
        5e-324,
        0.1,
        1 / 3,
        -1.5,
        1e16,
    ),
    *(123456.789, 2.0**53 + 2, -2.5, 1e-7, 1e15, 0.5, 1.5, 2.5),
)
WILD_DATES = (
    *(date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), date(1582, 10, 10)),
    *(date(2000, 2, 29), date(1900, 3, 1), date(2020, 12, 31), date(2021, 1, 3)),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Values of a `tame` one are small, so that arithmetic seldom fails."""

    name: str
    type: str
    family: Family
    tame: bool

    @property
    def parameters(self) -> tuple[int, int]:
        """Precision and scale of a DECIMAL."""
        inside = self.type[self.type.index("(") + 1 : -1].split(",")
        return int(inside[0]), int(inside[1])

    @property
    def arrow(self) -> pa.DataType:
        """The column's Arrow type."""
        if self.family == "int":
            return INTEGERS[self.type][2]
        if self.family == "dec":
            return pa.decimal128(*self.parameters)
        if self.family == "float":
            return pa.float32() if self.type == "FLOAT" else pa.float64()
        if self.family == "ts":
            return pa.timestamp("us")
        return {"bool": pa.bool_(), "str": pa.string(), "date": pa.date32()}[self.family]


@dataclass(frozen=True, slots=True)
class Table:
    """A named table: columns and rows."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def arrow(self) -> pa.Table:
        """The table as Arrow."""
        arrays = [
            pa.array([row[i] for row in self.rows], column.arrow)
            for i, column in enumerate(self.columns)
        ]
        names = [column.name for column in self.columns]
        return pa.Table.from_arrays(arrays, names=names)

    def sql(self) -> str:
        """Statements that make the table in DuckDB."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        text = f"CREATE TABLE {self.name} ({columns});"
        if self.rows:
            rows = ",\n  ".join(
                "(" + ", ".join(literal(v, c) for v, c in zip(row, self.columns, strict=True)) + ")"
                for row in self.rows
            )
            text += f"\nINSERT INTO {self.name} VALUES\n  {rows};"
        return text


def literal(value: Value, column: Column) -> str:
    """A value as SQL text of the column's type."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        return f"'{value!r}'::{column.type}"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def random_value(random: Random, column: Column) -> Value:
    """One value that is not NULL."""
    tame = column.tame
    match column.family:
        case "bool":
            return random.random() < 0.5
        case "int":
            low, high, _ = INTEGERS[column.type]
            if tame:
                return random.randint(max(low, -9), 10)
            near = random.choice((low, low + 1, high - 1, high, 0, 1, high // 2))
            return near if random.random() < 0.7 else random.randint(low, high)
        case "dec":
            precision, scale = column.parameters
            bound = 10**precision - 1
            if tame:
                unscaled = random.randint(-40, 60) * max(1, 10 ** max(scale - 2, 0))
                unscaled += random.choice((0, 0, 1, 5)) * 10 ** max(0, scale - 3)
            else:
                unscaled = random.choice((bound, -bound, 0, 1, -5, random.randint(-bound, bound)))
            return Decimal(f"{unscaled}E-{scale}") if abs(unscaled) <= bound else Decimal(0)
        case "float":
            value = random.randint(-40, 40) / 4 if tame else random.choice(WILD_DOUBLES)
            if column.type == "FLOAT" and math.isfinite(value):
                value = float(pa.scalar(max(-3e38, min(3e38, value)), pa.float32()).as_py())
            return value
        case "str":
            return random.choice(STRINGS)
        case "date":
            if tame:
                return date(2019, 12, 28) + timedelta(random.randint(0, 65))
            return random.choice(WILD_DATES)
        case "ts":
            if tame:
                seconds = random.randint(0, 65 * 24) * 3600 + random.choice((0, 59, 1800))
                return datetime(2019, 12, 28) + timedelta(seconds=seconds)
            day = random.choice(WILD_DATES)
            micros = random.choice((0, 1, 999_999, 86_399_999_999, 43_200_000_000))
            return datetime(day.year, day.month, day.day) + timedelta(microseconds=micros)


def random_column(random: Random, name: str, family: Family | None = None) -> Column:
    """A column of any type, or of any type of a family."""
    drawn = random.choice(COLUMN_FAMILIES) if family is None else family
    tame = random.random() < 0.65
    match drawn:
        case "int":
            type_ = random.choice((*INTEGERS, "INTEGER", "BIGINT"))
        case "dec":
            precision, scale = random.choice(DECIMALS)
            type_ = f"DECIMAL({precision},{scale})"
        case "float":
            type_ = random.choice(("DOUBLE", "DOUBLE", "FLOAT"))
        case _:
            names = {"bool": "BOOLEAN", "str": "VARCHAR", "date": "DATE", "ts": "TIMESTAMP"}
            type_ = names[drawn]
    return Column(name, type_, drawn, tame)


def random_values(random: Random, column: Column, count: int) -> list[Value]:
    """`count` values of a column, with its own share of NULLs and of duplicates."""
    nulls = random.choice((0.0, 0.0, 0.1, 0.3, 0.6, 1.0))
    if nulls == 1.0 and random.random() < 0.7:
        nulls = 0.2
    distinct = random.choice((1, 2, 3, 4, 6, 1000))
    pool = [random_value(random, column) for _ in range(min(distinct, max(count, 1)))]
    return [None if random.random() < nulls else random.choice(pool) for _ in range(count)]


def random_tables(random: Random) -> tuple[Table, ...]:
    """Three tables that share a key column `k`, and sometimes a string column `s`."""
    keys: tuple[Family, ...] = ("int", "int", "int", "str", "date", "dec")
    key = random.choice(keys)
    shared_string = random.random() < 0.4
    tables = []
    for letter in "abc":
        columns = [replace(random_column(random, "k", key), tame=True)]
        if shared_string:
            columns.append(random_column(random, "s", "str"))
        wanted: tuple[Family, ...] = ("int", "dec", "float", "str", "date", "ts", "bool")
        for number, family in enumerate(random.sample(wanted, random.randint(2, 7))):
            columns.append(random_column(random, f"{letter}{number}", family))
        for number in range(random.randint(0, 3)):
            columns.append(random_column(random, f"{letter}x{number}"))
        random.shuffle(columns)
        count = random.choice((0, 1, 2, 3, 5, 8, 8, 13, 13, 20, 20, 40, 60))
        values = [random_values(random, column, count) for column in columns]
        rows: tuple[tuple[Any, ...], ...] = tuple(zip(*values, strict=True))
        tables.append(Table(f"t{letter}", tuple(columns), rows))
    return tuple(tables)
