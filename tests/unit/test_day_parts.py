"""Parts of dates that are held in few bits are those that the calendar gives."""

from __future__ import annotations

import datetime
from typing import Any
from unittest.mock import patch

import duckdb
import pyarrow as pa
import pytest

import eau2
from eau2.operators import formed
from eau2.operators.day_parts import by_table

PARTS = (
    *("year", "month", "day", "quarter", "week", "isoyear", "dayofweek", "isodow", "dayofyear"),
    *("decade", "century", "millennium", "yearweek", "era", "hour", "epoch", "julian"),
)
EPOCH = datetime.date(1970, 1, 1)


def dates(numbers: list[int | None]) -> pa.Table:
    days = [None if n is None else EPOCH + datetime.timedelta(n) for n in numbers]
    return pa.table({"d": pa.array(days, pa.date32()), "n": list(range(len(days)))})


@pytest.mark.parametrize(
    ("numbers", "narrow"),
    [
        ([None, *range(-32768, 32768, 11), -1, 0, 1, 32767], True),
        ([-128, -1, 0, 1, 127, None], True),
        ([-32769, 0, 32768, 700_000, None], False),
        ([0], True),
        ([None, None], None),
        ([], None),
    ],
)
def test_parts_are_those_of_the_calendar(numbers: list[int | None], narrow: bool | None) -> None:
    table = dates(numbers)
    called: list[str] = []

    def watched(part: str, *args: Any) -> Any:
        called.append(part)
        return by_table(part, *args)

    with eau2.connect() as connection, patch.object(formed, "by_table", watched):
        connection.put("t", table)
        other = duckdb.connect()
        other.register("t", table)
        for part in PARTS:
            each = f"SELECT n, date_part('{part}', d) FROM t ORDER BY n"
            groups = (
                f"SELECT date_part('{part}', d) AS p, count(*), max(n) FROM t"
                f" WHERE date_part('{part}', d) <> 3 GROUP BY p ORDER BY p"
            )
            for query in (each, groups):
                assert connection.sql(query).fetchall() == other.sql(query).fetchall()
    assert narrow is None or bool(called) == narrow
