"""Intervals that are equal and differ: no chunking, engine, disk or order of rows shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from tests.oracle.sides import EauSide, Setup

QUERIES = (
    "SELECT i, count(*), sum(k) FROM t GROUP BY i",
    "SELECT DISTINCT i FROM t",
    "SELECT DISTINCT i, k % 2 FROM t",
    "SELECT min(i), max(i), any_value(i), sum(i), avg(i), median(i), mode(i) FROM t",
    "SELECT g, min(i), max(i), sum(i), avg(i), first(i), quantile_disc(i, 0.4) FROM t GROUP BY g",
    "SELECT g, sum(DISTINCT i), avg(DISTINCT i), count(DISTINCT i), sum(x) FROM t GROUP BY g",
    "SELECT g, arg_min(i, k), arg_max(k, i), string_agg(i, ',' ORDER BY i) FROM t GROUP BY g",
    "SELECT i, sum(x), median(x) FROM t GROUP BY i",
    "SELECT i, g, count(*) FROM t GROUP BY GROUPING SETS ((i), (g), (i, g))",
    "SELECT i, k FROM t ORDER BY i",
    "SELECT i, k FROM t ORDER BY i DESC, g LIMIT 7",
    "SELECT i FROM t ORDER BY i LIMIT 5 OFFSET 3",
    "SELECT k, i FROM t WHERE i IN (INTERVAL 1 MONTH, INTERVAL 1 DAY, INTERVAL 0 DAY, '3 hours')",
    "SELECT a.i, b.i, a.k, b.k FROM t a JOIN t b ON a.i = b.i AND a.g = b.g",
    "SELECT a.i, b.i FROM t a LEFT JOIN t b ON a.i = b.i AND a.k < b.k",
    "SELECT i FROM t WHERE g = 0 UNION SELECT i FROM t WHERE g = 1",
    "SELECT i FROM t WHERE g = 0 INTERSECT SELECT i FROM t WHERE g = 1",
    "SELECT i FROM t WHERE g = 0 EXCEPT ALL SELECT i FROM t WHERE g = 1",
    "SELECT k, rank() OVER (PARTITION BY g ORDER BY i), min(i) OVER (PARTITION BY g ORDER BY k"
    " ROWS 2 PRECEDING), lag(i) OVER (ORDER BY i, k) FROM t",
    "SELECT k, count(*) OVER (PARTITION BY i ORDER BY k), max(i) OVER (PARTITION BY i) FROM t",
    "SELECT k, sum(DISTINCT i) OVER (ORDER BY k ROWS 3 PRECEDING) FROM t",
    "SELECT k, count(*) OVER (ORDER BY i RANGE INTERVAL 1 DAY PRECEDING) FROM t",
    "SELECT k, (SELECT max(i::VARCHAR || b.k) FROM t b WHERE b.i <= a.i) FROM t a",
    "SELECT k, (SELECT a.i::VARCHAR FROM t b WHERE b.i <= a.i ORDER BY b.k LIMIT 1) FROM t a",
    "SELECT i * 1.5, i / 3, i + i, -i, DATE '2024-01-31' + i FROM t",
    "SELECT * FROM (SELECT i, count(*) FROM t GROUP BY i) WHERE i::VARCHAR LIKE '%day%'",
)
SETUPS = (
    Setup(),
    *(Setup(rows, 1) for rows in (1, 7)),
    Setup(3, 6, streaming=True),
)


@dataclass(frozen=True, slots=True)
class Spans:
    """A table of intervals of few values, in many forms."""

    seed: int
    reversed: bool = False
    name: str = "t"

    def arrow(self) -> pa.Table:
        random = Random(self.seed)
        rows = [(k, random.randrange(2), *_form(random)) for k in range(24)]
        if self.reversed:
            rows.reverse()
        spans = [
            None if months is None else (months, days, nanos) for *_, months, days, nanos in rows
        ]
        return pa.table(
            {
                "k": pa.array([row[0] for row in rows], pa.int32()),
                "g": pa.array([row[1] for row in rows], pa.int32()),
                "x": pa.array([1.0 / (row[0] + 1) for row in rows], pa.float64()),
                "i": pa.array(spans, pa.month_day_nano_interval()),
            }
        )


def _form(random: Random) -> tuple[int | None, int, int]:
    """A multiple of 12 hours between -2 and 2 months, cut into parts at random."""
    if random.random() < 0.1:
        return None, 0, 0
    halves = random.choice((0, 2, 60, 62, -60, random.randrange(-120, 120)))
    months = random.choice((0, 1, -1, 2))
    days = random.choice((0, 1, 30, -30, (halves - 60 * months) // 2))
    return months, days, (halves - 60 * months - 2 * days) * 43_200_000_000_000


def answers(side: EauSide, ordered: bool) -> list[object]:
    """What each query gives, its rows in their order or in any."""
    found: list[object] = []
    for sql in QUERIES:
        table = side.run(sql)
        assert isinstance(table, pa.Table), f"{table}: {sql}"
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        found.append((sql, rows if ordered else sorted(rows, key=repr)))
    side.close()
    return found


@pytest.mark.parametrize("seed", range(2))
def test_neither_chunks_nor_disk_show(seed: int, tmp_path: Path) -> None:
    wanted, *others = (answers(EauSide([Spans(seed)], setup), True) for setup in SETUPS)
    for found in others:
        assert found == wanted
    stored = EauSide([Spans(seed)], Setup(3), store=str(tmp_path / "store"))
    assert answers(stored, True) == wanted


def test_the_order_of_rows_does_not_show() -> None:
    forward, backward = Spans(1), Spans(1, reversed=True)
    ordered = [s for s in QUERIES if "EXCEPT ALL" not in s]
    assert len(ordered) == len(QUERIES) - 1
    wanted = answers(EauSide([forward], Setup(2, 4)), False)
    assert answers(EauSide([backward], Setup(2, 4)), False) == wanted
