"""INTERVAL constants mean what they mean in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from eau2.errors import StatementError
from eau2.operators.expr import Call, Literal
from eau2.sql.logical import Project
from tests.unit.binder_tables import bound, failure

INTERVALS = """
interval '1 day 2 hours'
interval '1 year 3 months'
interval '-3 days'
interval '1 year -2 months'
interval '3 days ago'
interval '1.5 years'
interval '1.25 years'
interval '1.5 quarters'
interval '0.7 months'
interval '1.55 months'
interval '1.5 weeks'
interval '1.5 days'
interval '1.5 decades'
interval '01:02:03'
interval '-01:02:03.5'
interval '1 day -01:02'
interval '1.123456789 seconds'
interval '5'
interval '1.5'
interval '1y 2mon 3d 4h 5m 6s 7ms 8us'
interval '1 mil 1 c 1 dec 1 w'
interval '@ 1 day'
interval '  2   days  '
interval '1. days'
interval '1day'
interval '1' year
interval 3 month
interval 2 quarter
interval 1 decade
interval 1 century
interval 1 millennium
interval 2 week
interval '1.9' day
interval '-1.9' day
interval (1 + 2) day
interval 1.5 hour
interval 90 minutes
interval 2.5 seconds
interval '2.0000005' second
interval 2.7 milliseconds
interval 2.7 microseconds
interval '1e2' day
interval ' 3 ' day
interval '1' day + interval '2' month
interval '1' day - interval '2' month
- interval '1' day
2 * interval '1' day
interval '2 days 3 hours' * 3
cast('1 day 5 hours' as interval)
""".strip().splitlines()


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    yield connection
    connection.close()


def folded(text: str) -> tuple[object, ...]:
    plan = bound(f"select timestamp '2000-01-01' + ({text})").plan
    assert isinstance(plan, Project)
    call = plan.items[0][1]
    assert isinstance(call, Call)
    assert call.function == "add_interval"
    return tuple(arg.value for arg in call.args[1:] if isinstance(arg, Literal))


@pytest.mark.parametrize("text", INTERVALS)
def test_an_interval_is_duckdbs(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    row = oracle.execute(
        "select (date_part('year', i) * 12 + date_part('month', i))::bigint,"
        " date_part('day', i)::bigint,"
        " epoch_us(i) - epoch_us(to_days(date_part('day', i)::int))"
        " - epoch_us(to_months((date_part('year', i) * 12 + date_part('month', i))::int))"
        f" from (select {text} as i)"
    ).fetchone()
    assert folded(text) == row


@pytest.mark.parametrize(
    "text",
    [
        "interval ''",
        "interval 'abc'",
        "interval '1 foo'",
        "interval '1 day,'",
        "interval '1 day 5'",
        "interval '+1 day'",
        "interval '.5 days'",
        "interval 'abc' day",
        "interval '' day",
        "interval 3000000000 day",
        "interval 300000000 year",
        "interval '100000000000 days'",
        "interval '1e2 days'",
    ],
)
def test_what_is_no_interval_is_refused(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    with pytest.raises(duckdb.Error):
        oracle.execute(f"select date '2000-01-01' + {text}")
    assert isinstance(failure(f"select date '2000-01-01' + {text}"), StatementError)
