"""A frame five times the memory budget is put and aggregated within budget plus 300 MB.

The scaled-down form of `python -m tests.bench.memory`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench import memory

BUDGET_MB = 64


@pytest.mark.timeout(110)
def test_a_frame_larger_than_memory(tmp_path: Path) -> None:
    source = tmp_path / "big.parquet"
    rows = memory.write_frame(source, 5 * BUDGET_MB * memory.MB)
    sql = "SELECT count(*), sum(a), min(b), count(DISTINCT g) FROM big"
    report = memory.measure(source, BUDGET_MB, sql, tmp_path / "store")
    count, total, least, groups = report["rows"][0]
    assert (count, total, least, groups) == (rows, rows * (rows - 1) // 2, 0, 1024)
    assert report["peak_mb"] <= BUDGET_MB + memory.GRACE_MB


def test_the_probe_sees_memory() -> None:
    code = "x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096]); print(len(x))"
    peak, output = memory.peak_of([sys.executable, "-c", code])
    assert int(output) == 200 << 20
    assert peak >= 200 * memory.MB
