"""CAST and TRY_CAST between all types against DuckDB."""

from __future__ import annotations

import pytest

from eau2.operators import coercion
from tests.unit.scalar_oracle import POOLS, Rows, check, duckdb_type, rows, sql_type

NUMBER_TEXTS = (
    "  12 ", "+12", "1e3", "1.5", "2.5", "-1.5", "0x1F", "1_000", "", " ", "12abc", "1.", ".5", "-",
    "1e-1", "1e400", "99999999999", "0b11", "1,000", "\u0661", "\xa01", "\t1\n", "1e0", "--1",
    "1.0000000000000000000000001", "9223372036854775807.4", "9223372036854775807.5", "1__0", "_1",
    "1_", "1e5", "0.5e1", "5e", "e5", "+.5", "-0.4", "+ 1", "1e+2", "Inf", "infinity", "-inf",
    "NaN", "+inf", "1d", "1f", "1_000.5", "1e1_0", "9007199254740993", "00012", "-0", "1e39",
    "123456789012345678901234567890", "170141183460469231731687303715884105727", "1.25e1", "1.005",
    "-1.995", "0.004", "5e-3", "4.9999e-3", "9999999.995", "9999999.994", "128", "-129", "255.5",
    "255.4", "-0.5", "1e-400", "0.00000000000000000000000000000000000000000001",
    "100000000000000000000000000000000000000000", "2.5e-1", "1e-10", "+", ".", "-.", "1..2", "1e",
)  # fmt: skip
BOOLEAN_TEXTS = ("yes", "Y", "on", " true ", "1", "2", "0", "t", "F", "nO", "TRUE", "", "off")
DATE_TEXTS = (
    "2020-01-02", "2020-1-2", "2020/01/02", " 2020-01-02 ", "2020-02-30", "20200102", "1-1-1",
    "2020-01-02 10:00:00", "01-02-2020", "", "2020-01/02", "2020 01 02", "2020\\01\\02", "12-1-1",
    "10000-01-01x", "9999-12-31", "2020-01-02x", "2020-01-02T", "2020-01-02T10:00", "2020-01-002",
    "2020-01-02T10:00:00Z", "2020-01-02 25:00:00", "2020-01-02 10:00:00.123", "2020-13-01",
    "2020-01-02 garbage", "2020-001-01", "2020-00-10", "2020-01-00", "+2020-01-01", "2020-01",
    "2020-01-02 10", "2020-01-02 10:00", "2020-01-02 1:2:3", "2020-01-02 24:00:00", "2020",
    "2020-01-02 10:60:00", "2020-01-02 10:00:60", "2020-01-02 10:00:00.1234567", "\t2020-01-02\n",
    "2020-01-02 10:00:00.", "2020-01-02 10:00:00+02", "2020-01-02 10:00:00 UTC", "1900-02-29",
    "2020-01-02  10:00:00", "2020-01-02 10:00:00 ", "2020-01-02 10:00:00-05:30", "2000-02-29",
    "2020-01-02t10:00:00", "2020-1-2 10:00:00", "2020/1/2 10:00", "2020-01-02 10:00:00.9999999",
    "2020-01-02 100:00:00", "2020-01-02 10:00:00z", "0001-01-01", "1969-12-31 23:59:59.999999",
)  # fmt: skip
FLOAT_TEXTS = (
    "0", "-0", "1.5", "2.5", "-2.5", "0.5", "-0.5", "127.5", "127.4", "-128.5", "255.5", "1e10",
    "9.2233720368547748e18", "9.223372036854775807e18", "-9.223372036854775808e18", "1e38", "1e-5",
    "1.7e38", "1.8e38", "1e300", "nan", "inf", "-inf", "1e15", "1e16", "1e17", "0.0001", "0.00012",
    "123456789.125", "1e-7", "1.005", "2.675", "0.125", "0.375", "-0.125", "1e22", "4.35", "1e-320",
    "9999999.995", "9999999.994", "3.5e38", "16777217", "1.1", "123456789012345680", "1e23",
    "155219408", "4088288.25", "359125824", "86879296", "270307616", "123456792", "192957.625",
)  # fmt: skip
NAMES = tuple(POOLS)


def check_cast(data: Rows, target: str) -> None:
    type_ = sql_type(target)
    check(f"CAST(a AS {target})", lambda a: coercion.cast(a, type_), data, 14)
    check(f"TRY_CAST(a AS {target})", lambda a: coercion.cast(a, type_, True), data, 14)


@pytest.mark.parametrize("source", NAMES)
def test_every_cast(source: str) -> None:
    data = rows(source)
    for target in NAMES:
        if source != target and duckdb_type(f"TRY_CAST(a AS {target})", data.table) is not None:
            # DuckDB casts true to 0.0001 there, we raise.
            odd = source == "BOOLEAN" and target == "DECIMAL(4,4)"
            if coercion.castable(sql_type(source), sql_type(target)) and not odd:
                check_cast(data, target)


@pytest.mark.parametrize("source", ["FLOAT", "DOUBLE"])
def test_casts_of_floats(source: str) -> None:
    texts = [t for t in FLOAT_TEXTS if source == "DOUBLE" or abs(float(t)) < 3.4e38 or "e" not in t]
    data = rows(source, pools=(tuple(texts),))
    for target in NAMES:
        if coercion.castable(sql_type(source), sql_type(target)):
            check_cast(data, target) if source != target else None


@pytest.mark.parametrize("target", [n for n in NAMES if n not in ("VARCHAR", "DATE", "TIMESTAMP")])
def test_texts_as_numbers_and_booleans(target: str) -> None:
    texts = BOOLEAN_TEXTS if target == "BOOLEAN" else NUMBER_TEXTS
    check_cast(rows("VARCHAR", pools=(texts,)), target)


@pytest.mark.parametrize("target", ["DATE", "TIMESTAMP"])
def test_texts_as_dates(target: str) -> None:
    check_cast(rows("VARCHAR", pools=(DATE_TEXTS,)), target)


def test_decimals_become_the_nearest_float() -> None:
    for source, texts in (
        ("DECIMAL(15,3)", ("267960872.339", "-873067889.219", "0.001")),
        ("DECIMAL(18,4)", ("87306788.9219", "99999999999999.9999")),
        ("DECIMAL(18,17)", ("0.72238137654432493", "-0.00000000000000001")),
        ("DECIMAL(38,10)", ("-32822723952621818.7255950121", "9007199254740993.5")),
        ("DECIMAL(38,37)", ("0.0000000000000000004943536052", "-1.2345678901234567890123456789")),
    ):
        data = rows(source, pools=(texts,))
        for target in ("FLOAT", "DOUBLE"):
            build = lambda a, t=target: coercion.cast(a, sql_type(t))  # noqa: E731
            check(f"CAST(a AS {target})", build, data)


@pytest.mark.parametrize("target", [n for n in NAMES if n.startswith("DECIMAL")])
def test_decimals_round_half_away_from_zero(target: str) -> None:
    texts = ("0.5", "-0.5", "0.05", "0.15", "-0.005", "0.004", "9.995", "0.00005", "-0.00005")
    for source in ("DECIMAL(18,10)", "DECIMAL(38,30)"):
        data = rows(source, pools=(texts,))
        check_cast(data, target)
        check_cast(data, "INTEGER")
