"""Functions of dates and timestamps against DuckDB, from year 1 to 9999 and across leap days."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Expr, Literal
from eau2.operators.functions import table
from eau2.types import BIGINT, DATE, DOUBLE, INTEGER, NULL, TIMESTAMP, VARCHAR
from tests.unit.scalar_oracle import check, check_fails, rows

DAYS = (
    "2020-01-31", "2020-02-29", "2021-12-31", "1969-12-31", "0001-01-01", "2024-12-30",
    "2021-01-03",
    "1900-02-28", "2000-02-29", "9999-12-31", "2021-01-04", "2023-01-01", "1970-01-01",
    "0100-05-06",
)  # fmt: skip
MOMENTS = (
    "2020-01-31 23:59:59.999999", "2020-02-29 00:00:00", "1969-12-31 23:59:58.5",
    "0001-01-01 00:00:00.000001", "2024-12-30 01:00:00", "9999-12-31 12:34:56.789",
    "2021-01-03 12:00:00", "1999-12-31 23:59:59", "0099-03-01 06:07:08",
)  # fmt: skip
PARTS = (
    "year", "month", "day", "quarter", "week", "isoyear", "dayofweek", "isodow", "dayofyear",
    "hour",
    "minute", "second", "millisecond", "microsecond", "decade", "century", "millennium", "yearweek",
    "era", "epoch", "julian",
)  # fmt: skip
ALIASES = ("years", "mon", "d", "dow", "doy", "hours", "min", "sec", "ms", "us", "weekday", "y")
UNITS = (
    "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond",
    "microsecond", "decade", "century", "millennium", "isoyear", "yearweek",
)  # fmt: skip
DATA = {"DATE": DAYS, "TIMESTAMP": MOMENTS}


def text(value: str) -> Literal:
    return Literal(VARCHAR, value)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("part", [*PARTS, *ALIASES])
def test_parts(part: str, name: str) -> None:
    data = rows(name, pools=(DATA[name],))
    sql = f"date_part('{part}', a)"
    check(sql, lambda a: table.bind("date_part", (text(part), a)), data, 14)


@pytest.mark.parametrize("part", [p for p in PARTS if p != "yearweek"])
def test_parts_as_functions(part: str) -> None:
    data = rows("TIMESTAMP", pools=(MOMENTS,))
    check(f"{part}(a)", lambda a: table.bind(part, (a,)), data, 14)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("unit", UNITS)
def test_truncation(unit: str, name: str) -> None:
    # Python cannot fetch what lies before the year 1.
    coarse = unit in ("decade", "century", "millennium", "isoyear")
    pool = tuple(v for v in DATA[name] if not (coarse and v.startswith("0")))
    data = rows(name, pools=(pool,))
    sql = f"date_trunc('{unit}', a)"
    check(sql, lambda a: table.bind("date_trunc", (text(unit), a)), data)


@pytest.mark.parametrize(
    "names", [("DATE", "DATE"), ("TIMESTAMP", "TIMESTAMP"), ("DATE", "TIMESTAMP")]
)
@pytest.mark.parametrize("unit", UNITS)
def test_differences(unit: str, names: tuple[str, str]) -> None:
    data = rows(*names, pools=tuple(DATA[name] for name in names))
    sql = f"date_diff('{unit}', a, b)"
    check(sql, lambda a, b: table.bind("date_diff", (text(unit), a, b)), data)


INTERVALS = {
    "INTERVAL 1 DAY": (0, 1, 0),
    "INTERVAL 1 MONTH": (1, 0, 0),
    "INTERVAL (-1) MONTH": (-1, 0, 0),
    "INTERVAL 1 YEAR": (12, 0, 0),
    "INTERVAL 25 HOUR": (0, 0, 25 * 3_600_000_000),
    "INTERVAL '1 month 1 day'": (1, 1, 0),
    "INTERVAL '-13 months 40 days -1 second'": (-13, 40, -1_000_000),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_are_added(interval: str, name: str) -> None:
    pool = tuple(v for v in DATA[name] if not v.startswith(("0001", "9999")))
    amounts = tuple(Literal(BIGINT, n) for n in INTERVALS[interval])
    data = rows(name, pools=(pool,))
    sql = f"a + {interval}"
    check(sql, lambda a: table.bind("add_interval", (a, *amounts)), data)


@pytest.mark.parametrize("name", ["TINYINT", "SMALLINT", "INTEGER"])
def test_days_are_added(name: str) -> None:
    pool = tuple(v for v in DAYS if not v.startswith(("0001", "9999")))
    data = rows("DATE", name, pools=(pool, ("0", "1", "-1", "100")))
    check("a + b", lambda a, b: table.bind("+", (a, b)), data)
    check("b + a", lambda a, b: table.bind("+", (b, a)), data)
    check("a - b", lambda a, b: table.bind("-", (a, b)), data)


def test_dates_are_subtracted() -> None:
    data = rows("DATE", "DATE", pools=(DAYS, DAYS))
    check("a - b", lambda a, b: table.bind("-", (a, b)), data)


def test_trap_a_date_out_of_range_is_an_error() -> None:
    data = rows("DATE", "INTEGER", pools=(("2020-01-01",), ("2147483647", "-2147483648")))
    for i in range(2):
        expr = table.bind("+", data.refs)
        error = check_fails(expr, data.frame[i : i + 1], "date out of range")
        assert "date out of range" in error.message


def test_trap_a_timestamp_out_of_range_is_an_error() -> None:
    data = rows("TIMESTAMP", pools=(("2020-01-01",),))
    amounts = (Literal(BIGINT, 0), Literal(BIGINT, 0), Literal(BIGINT, 2**63 - 1))
    expr = table.bind("add_interval", (*data.refs, *amounts))
    assert "out of range" in check_fails(expr, data.frame[0:1], "timestamp").message


def test_making_and_naming_dates() -> None:
    pools = (("2020", "1900", "9999"), ("2", "12", "13", "0"), ("29", "30", "1", "0"))
    data = rows("BIGINT", "BIGINT", "BIGINT", pools=pools)
    check("make_date(a, b, c)", lambda a, b, c: table.bind("make_date", (a, b, c)), data)
    for name, pool in DATA.items():
        data = rows(name, pools=(pool,))
        for function in ("monthname", "dayname"):
            check(f"{function}(a)", lambda a, f=function: table.bind(f, (a,)), data)
    pool = tuple(day for day in DAYS if not day.startswith("9999"))
    check("last_day(a)", lambda a: table.bind("last_day", (a,)), rows("DATE", pools=(pool,)))


FORMATS = (
    "%Y-%m-%d", "%d.%m.%Y %H:%M:%S.%f", "%a %A %b %B %j %p %I", "%y%%", "%-d.%-m. %-H:%-M:%-S",
    "%U %W %V %G %u %w", "text only", "%g",
)  # fmt: skip


@pytest.mark.parametrize("pattern", FORMATS)
def test_strftime(pattern: str) -> None:
    for name, pool in DATA.items():
        data = rows(name, pools=(pool,))
        sql = f"strftime(a, '{pattern}')"
        check(sql, lambda a: table.bind("strftime", (a, text(pattern))), data)


def test_what_dates_do_not_do() -> None:
    day, moment = ColumnRef(DATE, 0), ColumnRef(TIMESTAMP, 1)
    refused: tuple[tuple[str, tuple[Expr, ...]], ...] = (
        ("date_part", (ColumnRef(VARCHAR, 2), day)),
        ("strftime", (moment, text("%Q"))),
        ("strftime", (moment, ColumnRef(VARCHAR, 2))),
    )
    for name, args in refused:
        with pytest.raises(NotSupportedError):
            table.bind(name, args)
    wrong: tuple[tuple[str, tuple[Expr, ...]], ...] = (
        ("+", (day, day)),
        ("+", (moment, Literal(INTEGER, 1))),
        ("*", (day, Literal(INTEGER, 1))),
        ("+", (day, Literal(BIGINT, 3_000_000_000))),
        ("+", (day, ColumnRef(DOUBLE, 2))),
        ("date_part", (text("fortnight"), day)),
        ("year", (ColumnRef(INTEGER, 2),)),
    )
    for name, args in wrong:
        with pytest.raises(TypeMismatchError):
            table.bind(name, args)
    assert table.bind("+", (day, Literal(NULL, None))).type == DATE
