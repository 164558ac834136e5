"""Making, reading, writing and counting moments against DuckDB: strptime, epochs, buckets."""

from __future__ import annotations

import pytest

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.expr import ColumnRef, Literal
from eau2.operators.functions import table
from eau2.operators.interval_form import packed
from eau2.types import BIGINT, INTERVAL, TIMESTAMP, VARCHAR
from tests.unit.scalar_oracle import check, rows

MOMENTS = (
    "2020-01-31 23:59:59.999999", "2020-02-29 00:00:00", "1969-12-31 23:59:58.5",
    "0001-01-01 00:00:00", "9999-12-31 12:34:56", "2024-12-30 01:00:00", "2024-02-09 13:02:03.0045",
    "1999-03-31 12:00:00", "2021-02-28 12:00:01", "1969-12-31 23:59:59.998499",
    "2000-01-03 00:00:00",
)  # fmt: skip
CODES = (
    "a", "A", "b", "h", "B", "d", "-d", "m", "-m", "y", "-y", "Y", "G", "H", "-H", "I", "-I",
    "p", "M",
    "-M", "S", "-S", "f", "g", "n", "j", "-j", "u", "w", "U", "W", "V", "c", "x", "X", "T",
    "z", "Z",
    "%",
)  # fmt: skip


def text(value: str) -> Literal:
    return Literal(VARCHAR, value)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ["DATE", "TIMESTAMP"])
def test_strftime(name: str, code: str) -> None:
    pool = tuple(moment[:10] for moment in MOMENTS) if name == "DATE" else MOMENTS
    data = rows(name, pools=(pool,))
    constant = text(f"é %{code}|%Y")
    sql = f"strftime(a, 'é %{code}|%Y')"
    check(sql, lambda a: table.bind("strftime", (a, constant)), data)


@pytest.mark.parametrize("pattern", ["", "%", "%-", "%q", "%-U", "%F"])
def test_formats_that_are_none(pattern: str) -> None:
    with pytest.raises((NotSupportedError, TypeMismatchError)):
        table.bind("strftime", (ColumnRef(TIMESTAMP, 0), text(pattern)))


FORMATS: dict[str, tuple[str, ...]] = {
    "%Y-%m-%d": (
        "2024-02-29",
        "2023-02-29",
        "2024-2-9",
        " 2024-02-09 ",
        "24-02-09",
        "12024-01-01",
        "2024-13-01",
        "2024-00-01",
        "2024-02-09x",
        "-2024-01-01",
        "2024- 2-09",
        "",
        "epoch",
        " EPOCH ",
        "2024-02",
    ),
    "%d/%m/%y %H:%M:%S": ("1/2/69 1:2:3", "01/02/68 23:59:59", "1/2/24 24:00:00", "1/2/24 1:60:0"),
    "%Y%m%d%H%M": ("202402091203", "20240209123", "2024 0209", "2024020912034"),
    "%b %d %Y": ("Feb 9 2024", "FEB 09 2024", "february 9 2024", "feb  9\t2024", "xyz 1 2024"),
    "%B %-d, %Y": ("February 9, 2024", "may 31, 2024", "mayx 1, 2024", "June 31, 2024"),
    "%a %A %Y": ("mon Monday 2024", "xxx Monday 2024", "Tue Sunday 2024", "Tuesday Sunday 2024"),
    "%I:%M %p": ("12:00 am", "12:30 PM", "1:05 pm", "13:00 pm", "0:10 am", "1:05 xm", "11:59 AM"),
    "%H %p": ("0 am", "0 pm", "12 am", "12 pm", "13 am", "5 pm"),
    "%Y-%j": ("2024-060", "2024-366", "2023-366", "2024-1", "2024-0", "2024-367"),
    "%S.%f": ("0.5", "59.123456", "1.1234567", ".5", "5."),
    "%S,%g": ("0,5", "59,123", "1,1234"),
    "%x %X": ("2024-02-29 01:02:03", "2024-02-30 01:02:03", "2024-02-29"),
    "%c": ("2024-02-29 01:02:03", "2024-02-29 1:2:3", "2024-02-29"),
    "%w %u %Y": ("0 1 2024", "7 1 2024", "6 7 2024", "1 0 2024"),
    "%%%Y é%m": ("%2024 é5", "2024 é5", "%2024 e5"),
    "%d1%m": ("51 2", "511", "5112", "3112"),
    "x": ("x", " x", "x ", "y", "xx"),
}


@pytest.mark.parametrize("pattern", FORMATS)
def test_strptime(pattern: str) -> None:
    data = rows("VARCHAR", pools=((*FORMATS[pattern], "2024-02-29"),))
    constant = text(pattern)
    for function in ("strptime", "try_strptime"):
        sql = f"{function}(a, '{pattern}')"
        check(sql, lambda a: table.bind(function, (a, constant)), data)  # noqa: B023


@pytest.mark.parametrize(
    "pattern", ["", "%q", "%z", "%Z", "%n", "%Y %W", "%G %V", "%Y %y", "%j %m", "%H %I", " %Y"]
)
def test_what_strptime_refuses(pattern: str) -> None:
    with pytest.raises((NotSupportedError, TypeMismatchError)):
        table.bind("strptime", (ColumnRef(VARCHAR, 0), text(pattern)))


def test_infinity_is_no_moment_here() -> None:
    bound = table.bind("try_strptime", (ColumnRef(VARCHAR, 0), text("%Y")))
    assert bound.type == TIMESTAMP


@pytest.mark.parametrize("function", ["epoch_ms", "epoch_us", "epoch_ns", "nanosecond"])
@pytest.mark.parametrize("name", ["DATE", "TIMESTAMP"])
def test_numbers_of_moments(name: str, function: str) -> None:
    pool = tuple(moment[:10] for moment in MOMENTS) if name == "DATE" else MOMENTS
    data = rows(name, pools=(pool,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data)


@pytest.mark.parametrize("function", ["epoch_ms", "make_timestamp", "make_timestamp_ms"])
def test_moments_of_numbers(function: str) -> None:
    pool = ("0", "1", "-1", "1700000000123", "-1700000000123", "9223372036854775807")
    data = rows("BIGINT", pools=(pool,))
    check(f"{function}(a)", lambda a: table.bind(function, (a,)), data)


def test_a_date_of_a_number() -> None:
    data = rows("INTEGER", pools=(("0", "1", "-1", "19000", "-719162", "2932896"),))
    check("make_date(a)", lambda a: table.bind("make_date", (a,)), data)


def test_a_moment_of_its_parts() -> None:
    seconds = ("0", "59.9999996", "60", "60.5", "61", "-0.5", "1.0000005", "nan", "1e18")
    data = rows("BIGINT", "DOUBLE", pools=(("0", "23", "24", "25", "-1"), seconds))
    for minute in (0, 59, 60):
        fixed = [Literal(BIGINT, value) for value in (2024, 2, 29)]
        given = Literal(BIGINT, minute)
        check(
            f"make_timestamp(2024, 2, 29, a, {minute}, b)",
            lambda a, b: table.bind("make_timestamp", (*fixed, a, given, b)),  # noqa: B023
            data,
        )


@pytest.mark.parametrize(
    "part",
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond",
     "microsecond", "decade", "century", "millennium", "isoyear", "yearweek", "dow", "isodow",
     "doy",
     "epoch", "julian"],
)  # fmt: skip
@pytest.mark.parametrize("function", ["date_sub", "date_diff"])
def test_units_between(function: str, part: str) -> None:
    data = rows("TIMESTAMP", "TIMESTAMP", pools=(MOMENTS, MOMENTS))
    constant = text(part)
    sql = f"{function}('{part}', a, b)"
    check(sql, lambda a, b: table.bind(function, (constant, a, b)), data)


@pytest.mark.parametrize("part", ["dow", "isodow", "doy", "epoch", "julian", "yearweek", "quarter"])
@pytest.mark.parametrize("name", ["DATE", "TIMESTAMP"])
def test_further_parts_of_date_trunc(name: str, part: str) -> None:
    constant = text(part)
    sql = f"date_trunc('{part}', a)"
    check(sql, lambda a: table.bind("date_trunc", (constant, a)), rows(name))


def test_days_in_month() -> None:
    for name in ("DATE", "TIMESTAMP"):
        check("days_in_month(a)", lambda a: table.bind("days_in_month", (a,)), rows(name))


@pytest.mark.parametrize(
    ("interval", "months", "micros"),
    [
        ("1 day", 0, 86_400_000_000), ("2 weeks", 0, 14 * 86_400_000_000), ("36 hours", 0,
        129_600_000_000),
        ("7 microseconds", 0, 7), ("1 month", 1, 0), ("5 months", 5, 0), ("3 years", 36, 0),
    ],
)  # fmt: skip
def test_buckets(interval: str, months: int, micros: int) -> None:
    width = Literal(INTERVAL, packed(months, 0, micros))
    # The bucket of the first moment of year 1 begins before it, where Python has no dates.
    late = tuple(moment for moment in MOMENTS if moment > "0002")
    data = rows("TIMESTAMP", "TIMESTAMP", pools=(late, late[:6]))
    sql = f"time_bucket(INTERVAL '{interval}', a"
    check(f"{sql})", lambda a, b: table.bind("time_bucket", (width, a)), data)
    check(f"{sql}, b)", lambda a, b: table.bind("time_bucket", (width, a, b)), data)
    days = rows("DATE", "DATE", pools=(tuple(m[:10] for m in late), ("2000-01-05", "1970-02-01")))
    check(f"{sql})", lambda a, b: table.bind("time_bucket", (width, a)), days)
    check(f"{sql}, b)", lambda a, b: table.bind("time_bucket", (width, a, b)), days)
