"""A result larger than the node's memory budget is read in batches, and nobody holds all of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from tests.bench.memory import MB, batches, peak_of
from tests.cluster.nodes import Processes, kernels, processes

BUDGET_MB = 64
RESULT_MB = 5 * BUDGET_MB
NODE_MB = 224
"""What a node's own process may hold at any moment; 50 to 100 of it are libraries."""
CLIENT_MB = 160

CLIENT = """
import json, sys, time
import eau2
rows = size = last = 0
with eau2.connect(sys.argv[1]) as connection, connection.stream(sys.argv[2]) as reader:
    for batch in reader:
        # One that stops for a while does not make the node collect what it has not taken.
        time.sleep(0.5 if rows == 0 else 0)
        rows, size, last = rows + batch.num_rows, size + batch.nbytes, batch.column("a")[-1].as_py()
print(json.dumps([rows, size, last]))
"""


@pytest.fixture(scope="module")
def loaded() -> Iterator[Processes]:
    """Two nodes of a small memory, with a frame of a multiple of that."""
    with processes(2, memory_bytes=BUDGET_MB * MB) as nodes:
        rows = batches(RESULT_MB * MB)
        first = next(rows)
        with eau2.connect(nodes.urls[1]) as connection:
            connection.execute("SET chunk_rows = 200000")
            reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], rows))
            connection.put("big", reader)
        yield nodes


@contextmanager
def watched(pids: list[int]) -> Iterator[dict[int, int]]:
    """The most that each process holds from now on, in bytes."""
    peaks = dict.fromkeys(pids, 0)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for pid in pids:
                peaks[pid] = max(peaks[pid], held_bytes(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def held_bytes(pid: int) -> int:
    """The memory of a process that is no file: its own, and what it shares with its kernels."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    parts = [line.split() for line in lines if line.startswith(("RssAnon:", "RssShmem:"))]
    return sum(int(part[1]) * 1024 for part in parts)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM big",
        "SELECT a, b * 2 AS b, x + 1 AS x, g FROM big WHERE a >= 0",
    ],
)
def test_a_result_larger_than_memory(query: str, loaded: Processes) -> None:
    nodes = [node.pid for node in loaded.nodes]
    workers = [pid for node in loaded.nodes for pid in kernels(node)]
    with watched(nodes + workers) as peaks:
        client, said = peak_of([sys.executable, "-c", CLIENT, loaded.urls[0], query])
    rows, size, last = json.loads(said)
    assert size == rows * 32 >= (RESULT_MB - 2) * MB
    assert last == rows - 1
    assert client <= CLIENT_MB * MB
    assert max(peaks[pid] for pid in nodes) <= NODE_MB * MB
    assert max(peaks[pid] for pid in workers) <= NODE_MB * MB


def test_a_whole_result_shows_in_the_client(loaded: Processes) -> None:
    whole = "import sys, eau2; c = eau2.connect(sys.argv[1]); t = c.sql(sys.argv[2]).to_arrow()"
    code = f"{whole}; print(t.num_rows)"
    client, _ = peak_of([sys.executable, "-c", code, loaded.urls[0], "SELECT * FROM big"])
    assert client >= RESULT_MB * MB
