"""Peak anonymous memory (RssAnon) of what runs in a process of its own.

`python -m tests.bench.memory [--budget MB]`: a frame five times the budget is put from Parquet and
aggregated, and the peak is printed beside the bound, budget plus 300 MB. `--lineitem SCALE` puts
TPC-H's lineitem instead. Both run `eau2` in a child process, so the parent's memory does not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.tpch import data

MB = 1 << 20
BATCH_ROWS = 65_536
ROW_BYTES = 4 * 8
GRACE_MB = 300

CHILD = """
import json, sys, time
import eau2
store, source, budget, sql = sys.argv[1:5]
started = time.perf_counter()
connection = eau2.connect(store, memory=f"{budget}MB" if int(budget) else None)
connection.put("big", source)
put_s = time.perf_counter() - started
rows = connection.sql(sql).fetchall() if sql else []
done = {"put_s": put_s, "all_s": time.perf_counter() - started}
print(json.dumps(done | {"rows": [[int(v) for v in row] for row in rows[:3]]}))
"""


def anonymous_bytes(pid: int) -> int:
    """RssAnon of a process; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def peak_of(command: list[str]) -> tuple[int, str]:
    """Run a command to its end; its peak RssAnon in bytes, and what it printed."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, anonymous_bytes(child.pid))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = child.communicate()
    done.set()
    watcher.join()
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {' '.join(command[:3])} ...")
    return peak, output


def batches(total_bytes: int) -> Iterator[pa.RecordBatch]:
    """Record batches of a made frame: g, a, b, x; `total_bytes` altogether."""
    base = pa.array(range(BATCH_ROWS), pa.int64())
    schema = pa.schema(
        [("g", pa.int64()), ("a", pa.int64()), ("b", pa.int64()), ("x", pa.float64())]
    )
    for number in range(max(1, total_bytes // (ROW_BYTES * BATCH_ROWS))):
        a = pc.add(base, number * BATCH_ROWS)
        b = pc.bit_wise_and(pc.multiply(a, 2654435761), 0xFFFFFFFF)
        x = pc.divide(pc.cast(b, pa.float64()), 7.0)
        yield pa.RecordBatch.from_arrays([pc.bit_wise_and(b, 1023), a, b, x], schema=schema)


def write_frame(path: Path, total_bytes: int) -> int:
    """A Parquet file whose rows are `total_bytes` in memory; its number of rows."""
    writer = None
    rows = 0
    for batch in batches(total_bytes):
        if writer is None:
            writer = pq.ParquetWriter(path, batch.schema)
        writer.write_batch(batch)
        rows += batch.num_rows
    assert writer is not None
    writer.close()
    return rows


def measure(source: Path, budget_mb: int, sql: str, store: Path) -> dict[str, Any]:
    """Put a file and run a query in a child process: peak megabytes and seconds."""
    command = [sys.executable, "-c", CHILD, str(store), str(source), str(budget_mb), sql]
    peak, output = peak_of(command)
    report: dict[str, Any] = json.loads(output)
    return report | {"peak_mb": peak / MB}


AGGREGATE = "SELECT g, count(*), sum(a), avg(b), sum(x) FROM big GROUP BY g ORDER BY g"
"""What the frame is aggregated by; of sums of doubles the parent sees whole numbers."""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=200, help="megabytes")
    parser.add_argument("--lineitem", metavar="SCALE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if options.lineitem:
            source = data.path(options.lineitem, "lineitem")
            report = measure(source, 0, "", directory / "store")
            print(f"put of lineitem, scale {options.lineitem}: {report['put_s']:.1f} s,", end=" ")
            print(f"peak RssAnon {report['peak_mb']:.0f} MB (bound: 1024 MB)")
            return 0
        source = directory / "big.parquet"
        rows = write_frame(source, 5 * options.budget * MB)
        report = measure(source, options.budget, AGGREGATE, directory / "store")
        print(f"{rows} rows, {5 * options.budget} MB; budget {options.budget} MB:", end=" ")
        print(f"put {report['put_s']:.1f} s, put and aggregate {report['all_s']:.1f} s,", end=" ")
        print(f"peak RssAnon {report['peak_mb']:.0f} MB (bound {options.budget + GRACE_MB} MB)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
