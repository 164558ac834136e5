"""How long a node takes from its start until it serves, with many chunks on its disk.

    python -m tests.faults.restart --chunks 100000

A store of one node gets a frame, whose first chunk file is then copied under as many other names as
is asked: whole chunk files of frames that nobody knows any more, as after a long time away. What is
measured is what a user sees: from the start of `eau2 node` until a query of the frame is answered,
best of a few. The sweep, which deletes the copies, begins only then.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

import eau2
from eau2.launch import NodeOptions, NodeProcess
from tests.cluster.nodes import ANY_PORT
from tests.processes import environment

SERVING_S = 10.0
FILES_OF_A_WRITE = 100
"""Chunks of one frame: so many files are in one folder."""
TIMES = 3


def fill(data: Path, chunks: int) -> None:
    """Copy the first chunk file until there are so many."""
    folder = data / "chunks"
    content = next(folder.glob("*/*.arrow")).read_bytes()
    have = sum(1 for _ in folder.glob("*/*.arrow"))
    number = 0
    while have < chunks:
        place = folder / f"{number:032x}"
        number += 1
        place.mkdir(exist_ok=True)
        for part in range(min(FILES_OF_A_WRITE, chunks - have)):
            (place / f"{part}.arrow").write_bytes(content)
            have += 1


def started(data: Path) -> NodeProcess:
    """A node on this folder, which is on its way."""
    return NodeProcess(NodeOptions(ANY_PORT, str(data), threads=1), variables=environment())


def measure(data: Path, chunks: int) -> float:
    """Seconds from the start of a node until it answers a query."""
    fill(data, chunks)
    os.sync()
    start = time.monotonic()
    node = started(data)
    try:
        node.ready()
        with eau2.connect(node.url) as connection:
            assert connection.sql("SELECT count(*) FROM t").fetchall() == [(10,)]
        return time.monotonic() - start
    finally:
        node.kill()


def run(chunks: int, times: int) -> list[float]:
    """The seconds of so many starts."""
    with tempfile.TemporaryDirectory(prefix="eau2-restart-") as folder:
        data = Path(folder) / "data"
        node = started(data)
        try:
            node.ready()
            with eau2.connect(node.url) as connection:
                connection.put("t", pa.table({"a": range(10)}))
        finally:
            node.kill()
        return [measure(data, chunks) for _ in range(times)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    options = parser.parse_args()
    seconds = run(options.chunks, TIMES)
    said = ", ".join(f"{second:.2f}" for second in seconds)
    print(f"from the start to the first answer with {options.chunks:,} chunk files: {said} s")
    return 0 if min(seconds) <= SERVING_S else 1


if __name__ == "__main__":
    sys.exit(main())
