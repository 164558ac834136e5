"""Intervals against DuckDB on random rows, their ways in and out, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import eau2
from eau2.errors import DataError, OutOfRangeError, ProtocolError, StatementError
from eau2.net.arrow import decode_table, encode_table
from eau2.operators import interval_form
from eau2.operators.functions.interval_text import read_interval
from eau2.parameters import from_wire, to_wire
from eau2.render import rendered
from eau2.types import INTERVAL, from_arrow, logical_arrow, stored_arrow

PARTS = [
    "year",
    "month",
    "day",
    "decade",
    "century",
    "millennium",
    "quarter",
    "hour",
    "minute",
    "second",
    "millisecond",
]
UNITS = [
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "decade",
]
EXPRESSIONS = (
    *("i + j", "i - j", "-i", "i * n", "i * x", "x * i", "i / x", "i / nullif(n, 0)"),
    *("i::VARCHAR", "i::VARCHAR::INTERVAL", "t + i", "t - i", "t::DATE + i", "t - s"),
    *("age(t, s)", "age(t::DATE, s::DATE)", "i < j", "i = j", "i >= j", "i IN (j, INTERVAL 1 DAY)"),
    *("normalized_interval(i)", "epoch_ms(i)", "epoch_us(i)", "epoch_ns(i)", "epoch(i)"),
    *("epoch_ms(t)", "epoch_us(t)", "greatest(t - s, s - t)", "coalesce(i, j)"),
    "time_bucket(INTERVAL '3 days 5 hours', t)",
    "time_bucket(INTERVAL '7 months', t::DATE)",
    "time_bucket(INTERVAL '50 hours', t::DATE, i)",
    "time_bucket(INTERVAL '5 months', t, i)",
    "time_bucket(INTERVAL '5 months', t, s)",
    "time_bucket(INTERVAL '3 days 5 hours', t, s)",
    "time_bucket(to_hours(abs(n) + 1), t)",
    *(f"to_{unit}(n)" for unit in ("days", "weeks", "months", "years", "hours", "centuries")),
    *(f"to_{unit}(x)" for unit in ("seconds", "milliseconds")),
    *(f"INTERVAL (x) {unit}" for unit in ("DAY", "SECOND", "MONTH", "HOUR", "MICROSECOND")),
    *(f"date_part('{part}', i)" for part in (*PARTS, "microsecond")),
    *(f"date_trunc('{unit}', i)" for unit in UNITS),
    *(f"date_sub('{unit}', t, s)" for unit in UNITS),
    "date_sub('month', t::DATE, s::DATE)",
)
AGGREGATES = (
    "SELECT g, avg(i), epoch_us(min(i)), epoch_us(max(i)), count(DISTINCT i) FROM f GROUP BY g",
    "SELECT g, epoch_us(median(i)), epoch_us(quantile_disc(i, 0.3)) FROM f GROUP BY g",
    "SELECT k, rank() OVER (PARTITION BY g ORDER BY i), epoch_us(min(i) OVER (PARTITION BY g"
    " ORDER BY k ROWS 3 PRECEDING)) FROM f",
    "SELECT k, count(*) OVER (ORDER BY i RANGE BETWEEN INTERVAL 9 DAY PRECEDING AND INTERVAL"
    " 3 HOUR FOLLOWING) FROM f",
    "SELECT a.k, b.k FROM f a JOIN f b ON a.i = b.j",
)
ROWS = 400


def drawn() -> pa.Table:
    """Rows of intervals, near moments, and numbers."""
    random = Random(7)
    columns: dict[str, list[Any]] = {name: [] for name in ("i", "j", "t", "s", "x", "n", "g", "k")}
    for k in range(ROWS):
        for name in ("i", "j"):
            columns[name].append(_interval(random))
        t = datetime(random.randrange(200, 9000), random.randrange(1, 13), 1) + timedelta(
            days=random.choice((0, 27, 28, 29, 30)),
            microseconds=random.choice((0, random.randrange(86_400_000_000))),
        )
        near = timedelta(days=random.randrange(-70, 70), seconds=random.randrange(-90000, 90000))
        columns["t"].append(None if random.random() < 0.05 else t)
        columns["s"].append(t + near)
        columns["x"].append(random.choice((0.5, 1 / 3, -1.7, 0.1, 7.0, random.uniform(-20, 20))))
        columns["n"].append(random.choice((0, 1, -1, random.randrange(-1000, 1000))))
        columns["g"].append(k % 20)
        columns["k"].append(k)
    types = [pa.month_day_nano_interval()] * 2 + [pa.timestamp("us")] * 2 + [pa.float64()]
    arrow = [*types, pa.int32(), pa.int32(), pa.int32()]
    arrays = [pa.array(v, t) for v, t in zip(columns.values(), arrow, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(columns))


def _interval(random: Random) -> tuple[int, int, int] | None:
    if random.random() < 0.05:
        return None
    months = random.choice((0, 0, 1, -1, 12, random.randrange(-500, 500)))
    days = random.choice((0, 0, 1, -1, 30, random.randrange(-400, 400)))
    micros = random.choice((0, 0, 1, 500_000, 86_400_000_000, random.randrange(-(10**12), 10**12)))
    return months, days, micros * 1000


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[eau2.Connection, duckdb.DuckDBPyConnection]]:
    table = drawn()
    ours, theirs = eau2.connect(), duckdb.connect()
    ours.register("f", table)
    theirs.register("given", table)
    theirs.execute("CREATE TABLE f AS SELECT * FROM given")
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_are_duckdbs(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection], expression: str
) -> None:
    sql = f"SELECT {expression} AS v, k FROM f ORDER BY k"
    ours, theirs = both[0].sql(sql), both[1].sql(sql)
    assert [str(t) for t in ours.types] == [str(t) for t in theirs.types]
    wanted = theirs.to_arrow_table().column(0).to_pylist()
    assert ours.to_arrow().column(0).to_pylist() == wanted


@pytest.mark.parametrize("sql", AGGREGATES)
def test_groups_joins_and_windows_are_duckdbs(
    both: tuple[eau2.Connection, duckdb.DuckDBPyConnection], sql: str
) -> None:
    found, wanted = (
        sorted(map(repr, table.to_pylist()))
        for table in (both[0].sql(sql).to_arrow(), both[1].sql(sql).to_arrow_table())
    )
    assert found == wanted


def test_the_kernel_form_keeps_every_part() -> None:
    edges = (-(2**31), -1, 0, 1, 2**31 - 1)
    parts = [(m, d, u) for m in edges for d in edges for u in (-(2**63), -1, 0, 1, 2**63 - 1)]
    values = [interval_form.packed(*p) for p in parts]
    assert [interval_form.unpacked(value) for value in values] == parts
    frame = pl.DataFrame(
        {
            "v": values,
            "m": [p[0] for p in parts],
            "d": [p[1] for p in parts],
            "u": [p[2] for p in parts],
        },
        schema={"v": pl.Int128, "m": pl.Int64, "d": pl.Int64, "u": pl.Int64},
    )
    v, m, d, u = (pl.col(name) for name in "vmdu")
    made = frame.lazy().select(
        m=interval_form.months_of(v) == m,
        d=interval_form.days_of(v) == d,
        u=interval_form.micros_of(v) == u,
        v=interval_form.pack(m, d, u) == v,
        n=interval_form.normalised(v),
    )
    for engine in ("in-memory", "streaming"):
        found = made.collect(engine=engine)
        assert found.select(pl.col("m", "d", "u", "v").all()).row(0) == (True,) * 4
        totals = [interval_form.normalised_value(value) for value in values]
        assert found.get_column("n").to_list() == totals


def test_arrow_forms() -> None:
    spans = pa.array([(1, 2, 3_000), None, (-1, -2, -1_500)], pa.month_day_nano_interval())
    values = interval_form.from_arrow(spans)
    assert [None if v is None else interval_form.unpacked(v) for v in values] == [
        (1, 2, 3),
        None,
        (-1, -2, -1),
    ]
    assert interval_form.to_arrow(values[1:], "i").to_pylist() == [None, (-1, -2, -1_000)]
    stored = interval_form.stored_from_arrow(spans[1:], stored_arrow(INTERVAL))
    assert stored.to_pylist() == [None, {"months": -1, "days": -2, "micros": -1}]
    for unit, wanted in (("s", -1_500_000_000), ("ms", -1_500_000), ("us", -1_500), ("ns", -1)):
        given = pa.array([-1_500, None], pa.duration(unit))
        assert from_arrow(given.type, "d") == INTERVAL
        made = interval_form.stored_from_arrow(given, stored_arrow(INTERVAL))
        assert made.to_pylist() == [{"months": 0, "days": 0, "micros": wanted}, None]


def test_python_and_polars_forms() -> None:
    with eau2.connect() as connection:
        result = connection.sql(
            "SELECT INTERVAL '1 month 2 days 00:00:01' AS i, NULL::INTERVAL AS j"
        )
        assert result.types == (INTERVAL, INTERVAL)
        assert result.fetchall() == [(timedelta(days=32, seconds=1), None)]
        assert result.to_arrow().schema.field("i").type == logical_arrow(INTERVAL)
        row = {"months": 1, "days": 2, "micros": 1_000_000}
        assert result.to_polars().rows() == [(row, None)]
        text = {
            form: b"".join(bytes(p) for p in rendered(form, [result.to_arrow()], result.types))
            for form in ("csv", "json", "box")
        }
    assert text["csv"] == b"i,j\n1 month 2 days 00:00:01,\n"
    assert text["json"] == b'[{"i": "1 month 2 days 00:00:01", "j": null}]\n'
    assert "│ 1 month 2 days 00:00:01 │" in text["box"].decode()


def test_parameters_are_timedeltas() -> None:
    value = timedelta(days=-1, seconds=5, microseconds=7)
    assert from_wire(to_wire({1: value})) == {1: value}
    with pytest.raises(ProtocolError):
        from_wire(((1, "INTERVAL", "9" * 24),))
    with eau2.connect() as connection:
        sql = "SELECT ?::VARCHAR, TIMESTAMP '2024-01-02' + ?, typeof(?)"
        found = connection.sql(sql, [value] * 3).fetchall()
        moment = datetime(2024, 1, 1, 0, 0, 5, 7, UTC).replace(tzinfo=None)
        assert found == [("-1 day 00:00:05.000007", moment, "INTERVAL")]


def test_tables_keep_intervals(tmp_path: Path) -> None:
    spans = pa.table(
        {"i": pa.array([(1, 0, 0), None, (0, 30, 5_000)], pa.month_day_nano_interval())}
    )
    with eau2.connect(str(tmp_path / "store")) as connection:
        connection.put("t", spans)
        connection.sql("CREATE TABLE u (i INTERVAL NOT NULL, k INTEGER)")
        connection.sql("INSERT INTO u VALUES ('1 day', 1), (to_hours(24), 2)")
    with eau2.connect(str(tmp_path / "store")) as connection:
        assert connection.sql("SELECT i::VARCHAR FROM t").fetchall() == [
            ("1 month",),
            (None,),
            ("30 days 00:00:00.000005",),
        ]
        assert connection.sql("SELECT count(*) FROM u WHERE i = '24 hours'").fetchall() == [(2,)]
        assert connection.sql("SELECT k FROM u WHERE i > '1 year'").fetchall() == []
        assert connection.sql("SELECT count(*) FROM t WHERE i IS NULL").fetchall() == [(1,)]
        (column,) = connection.describe("t").statistics
        assert (column.null_count, column.minimum, column.maximum) == (1, None, None)


def test_rows_travel() -> None:
    for type_ in (logical_arrow(INTERVAL), stored_arrow(INTERVAL), pa.duration("ms")):
        table = pa.table({"i": pa.array([None], type_)})
        payload = b"".join(bytes(part) for part in encode_table(table))
        assert decode_table(payload, trusted=False) == table


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT to_months(2147483647) + to_months(n) FROM (VALUES (1)) v(n)",
        "SELECT -(to_months(-2147483647) - to_months(n)) FROM (VALUES (1)) v(n)",
        "SELECT to_hours(n) FROM (VALUES (9223372036854775807)) v(n)",
        "SELECT to_seconds(x) FROM (VALUES ('nan'::DOUBLE)) v(x)",
        "SELECT to_days(n) * 3000000000 FROM (VALUES (0)) v(n)",
        "SELECT to_days(n) * 1e300 FROM (VALUES (1)) v(n)",
        "SELECT to_days(n) / 0 FROM (VALUES (1)) v(n)",
        "SELECT sum(to_days(n)) FROM (VALUES (2147483647), (1)) v(n)",
        "SELECT DATE '2024-01-01' + to_days(n) FROM (VALUES (1000000000)) v(n)",
        "SELECT TIMESTAMP '2024-01-01' - to_years(n) FROM (VALUES (300000)) v(n)",
        "SELECT epoch_ns(to_years(n)) FROM (VALUES (1000)) v(n)",
        "SELECT to_hours(n) FROM (VALUES (10000000)) v(n)",
    ],
)
def test_what_does_not_fit_is_an_error(sql: str) -> None:
    with eau2.connect() as connection, pytest.raises(DataError):
        connection.sql(sql).to_arrow()


def test_a_timedelta_has_its_own_bounds() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT to_months(2147483647)")
        with pytest.raises(OutOfRangeError, match="timedelta"):
            result.fetchall()


def test_only_rows_that_are_reached_can_fail() -> None:
    case = "CASE WHEN n > 0 THEN to_hours(n * 1000) / n ELSE to_hours(0) END"
    sql = f"SELECT {case} FROM (VALUES (0), (2)) v(n)"
    with eau2.connect() as connection:
        assert connection.sql(sql).fetchall() == [(timedelta(0),), (timedelta(hours=1000),)]


@pytest.mark.parametrize("text", ["", "P1D", "1 fortnight", "2 days 3", "1:2:3 4 days", "day", "@"])
def test_texts_that_are_no_intervals(text: str) -> None:
    assert read_interval(text) is None
    with eau2.connect() as connection:
        with pytest.raises(StatementError):
            connection.sql(f"SELECT '{text}'::INTERVAL")
        assert connection.sql(f"SELECT TRY_CAST('{text}' AS INTERVAL)").fetchall() == [(None,)]


def test_a_constant_beside_a_date_is_as_fast_as_ever() -> None:
    with eau2.connect() as connection:
        connection.register("t", pa.table({"d": pa.array([1], pa.date32())}))
        for written in ("INTERVAL 1 MONTH", "'1 month'::INTERVAL", "2 * INTERVAL 15 DAY"):
            (plan,) = zip(
                *connection.sql(f"EXPLAIN SELECT d + {written} FROM t").fetchall(), strict=True
            )
            assert "CAST(d AS TIMESTAMP) + INTERVAL '" in "".join(plan)


@pytest.mark.parametrize(
    ("values", "text", "wanted"),
    [
        ("INTERVAL 1 MONTH), (INTERVAL 30 DAY", "30 days", 2),
        ("0.0::DOUBLE), ('-0.0'::DOUBLE", "0.0", 2),
    ],
)
def test_a_filter_on_groups_sees_groups(values: str, text: str, wanted: int) -> None:
    """Below the grouping it would tell apart rows of one group."""
    groups = f"SELECT v, count(*) AS n FROM (VALUES ({values})) t(v) GROUP BY v"
    with eau2.connect() as connection:
        sql = f"SELECT n FROM ({groups}) WHERE v::VARCHAR = '{text}'"
        assert connection.sql(sql).fetchall() == [(wanted,)]
