"""The TIME type: its ways in and out, storage, and the error of what is no time."""

from __future__ import annotations

from datetime import UTC, time
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.errors import NotSupportedError, StatementError
from eau2.net.arrow import decode_table, encode_table
from eau2.operators.functions.times import read_time
from eau2.parameters import from_wire, to_wire
from eau2.render import rendered
from eau2.types import TIME, from_arrow

MOMENT = time(10, 20, 30, 500_000)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        (pa.time32("s"), time(10, 20, 30)),
        (pa.time32("ms"), MOMENT),
        (pa.time64("us"), MOMENT),
        (pa.time64("ns"), MOMENT),
    ],
)
def test_arrow_times_come_in(unit: pa.DataType, wanted: time) -> None:
    assert from_arrow(unit, "t") == TIME
    table = pa.table({"t": pa.array([wanted, None], unit)})
    payload = b"".join(bytes(part) for part in encode_table(table))
    assert decode_table(payload, trusted=False) == table
    with eau2.connect() as connection:
        connection.register("t", table)
        result = connection.sql("SELECT t, t > TIME '10:00' FROM t")
        assert result.types[0] == TIME
        assert result.fetchall() == [(wanted, True), (None, None)]
        assert result.to_arrow().schema.field("t").type == pa.time64("us")


def test_text_forms() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT TIME '10:20:30.5' AS t, TIME '10:00' AS u, NULL::TIME AS v")
        forms = {
            form: b"".join(bytes(p) for p in rendered(form, [result.to_arrow()], result.types))
            for form in ("csv", "json", "box")
        }
        plan = connection.sql(
            "EXPLAIN SELECT k FROM (VALUES (1)) t(k) WHERE k::VARCHAR::TIME > '1:2'"
        )
        assert "TIME '01:02:00'" in str(plan.fetchall())
    assert forms["csv"] == b"t,u,v\n10:20:30.5,10:00:00,\n"
    assert forms["json"] == b'[{"t": "10:20:30.5", "u": "10:00:00", "v": null}]\n'
    assert "│ 10:20:30.5 │ 10:00:00 │ NULL │" in forms["box"].decode()


def test_parameters_are_times() -> None:
    assert from_wire(to_wire({1: MOMENT})) == {1: MOMENT}
    with eau2.connect() as connection:
        assert connection.sql("SELECT ?, typeof(?)", [MOMENT] * 2).fetchall() == [(MOMENT, "TIME")]
        with pytest.raises(NotSupportedError):
            connection.sql("SELECT ?", [MOMENT.replace(tzinfo=UTC)])


def test_tables_keep_times_and_prune_by_them(tmp_path: Path) -> None:
    with eau2.connect(str(tmp_path / "store")) as connection:
        connection.execute("SET chunk_rows = 2")
        times = [time(hour) for hour in range(8)]
        connection.put("t", pa.table({"t": pa.array(times, pa.time64("us"))}))
        found = connection.sql("SELECT t FROM t WHERE t >= '06:30'").fetchall()
        assert found == [(time(7),)]
        (column,) = connection.describe("t").statistics
        assert (column.minimum, column.maximum) == (0, 7 * 3_600_000_000)


@pytest.mark.parametrize("text", ["", "10", "24:00:00", "10:60", "10:20:60", "noon", "10:20+02"])
def test_texts_that_are_no_times(text: str) -> None:
    assert read_time(text) is None
    with eau2.connect() as connection:
        with pytest.raises(StatementError):
            connection.sql(f"SELECT TIME '{text}'")
        assert connection.sql(f"SELECT TRY_CAST('{text}' AS TIME)").fetchall() == [(None,)]


def test_a_time_zone_is_refused() -> None:
    with eau2.connect() as connection:
        for type_ in ("TIME WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "TIMETZ"):
            with pytest.raises(NotSupportedError, match="not supported"):
                connection.sql(f"SELECT CAST('10:00' AS {type_})")
