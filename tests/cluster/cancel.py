"""Queries and puts given up at random moments, and what is left of them on the nodes: nothing.

Run it for long with `python -m tests.cluster.cancel --times 200`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.errors import CancelledError, DeadlineError, UnknownNameError
from eau2.net.address import parse_address
from eau2.net.blocking import BlockingConnection
from eau2.net.message import NodeDescription, NodeInfo, Statement
from tests.cluster.asking import ENDLESS, numbers, put, sql
from tests.cluster.nodes import Processes, children, processes, until
from tests.processes import environment

ROWS = 1_000_000
WIDE = "SELECT a, a + 1, a + 2, a * 2, a * 3, a * 5 FROM t"
"""A result of more bytes than are under way at once, which nobody reads to its end."""
GROWTH_BYTES = 50 << 20
WARM_UP = 6


@dataclass
class Storm:
    """Gives work up on the nodes, in ways and at moments that chance decides."""

    nodes: Processes
    chance: random.Random
    slowest_s: float = 0.0
    ways: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watching = [BlockingConnection(node.address) for node in self.nodes.nodes]

    def once(self) -> None:
        """Begin something, give it up, and wait until the nodes have nothing to do any more."""
        ways: list[Callable[[str, float], None]] = [deadline, cancel, close, half_read, half_put]
        if self.chance.random() < 0.15:
            ways = [interrupt]
        way = self.chance.choice(ways)
        self.ways[way.__name__] = self.ways.get(way.__name__, 0) + 1
        way(self.chance.choice(self.nodes.urls), self.chance.random() ** 2 * 0.6)
        start = time.monotonic()
        until(lambda: not any(node.running for node in self.about()))
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)

    def about(self) -> list[NodeDescription]:
        """What each node says of itself."""
        said = [each.call(NodeInfo(), deadline_s=10).message for each in self._watching]
        return [node for node in said if isinstance(node, NodeDescription)]

    def close(self) -> None:
        """Let the nodes alone."""
        for each in self._watching:
            each.close()


def deadline(url: str, moment_s: float) -> None:
    """The query's time is over."""
    with pytest.raises(DeadlineError):
        sql(url, ENDLESS, timeout=0.001 + moment_s)


def cancel(url: str, moment_s: float) -> None:
    """The client cancels, and goes on with its connection."""
    connection = BlockingConnection(parse_address(url))
    try:
        with connection.open(Statement(ENDLESS), end=True) as stream:
            time.sleep(moment_s)
            stream.cancel()
            with pytest.raises(CancelledError):
                stream.receive()
        assert connection.open(Statement("SELECT 1"), end=True).receive() is not None
    finally:
        connection.close()


def close(url: str, moment_s: float) -> None:
    """The client goes away."""
    connection = BlockingConnection(parse_address(url))
    connection.open(Statement(ENDLESS), end=True)
    time.sleep(moment_s)
    connection.close()


def half_read(url: str, moment_s: float) -> None:
    """The client has seen enough."""
    with eau2.connect(url) as connection:
        reader = connection.stream(WIDE)
        try:
            reader.read_next_batch()
            time.sleep(moment_s)
        finally:
            reader.close()


def half_put(url: str, moment_s: float) -> None:
    """The source of a put fails."""
    table = numbers(100_000)

    def batches() -> Iterator[pa.RecordBatch]:
        end = time.monotonic() + moment_s
        yield from table.to_batches()
        while time.monotonic() < end:
            yield from table.to_batches()
        raise ValueError("the source is broken")

    with eau2.connect(url) as connection:
        connection.execute("SET chunk_rows = 100000")
        reader = pa.RecordBatchReader.from_batches(table.schema, batches())
        with pytest.raises((ValueError, eau2.Error), match="source is broken"):
            connection.put("half", reader)
        with pytest.raises(UnknownNameError):
            connection.describe("half")


def interrupt(url: str, moment_s: float) -> None:
    """Ctrl-C at the terminal."""
    client = subprocess.Popen(
        [sys.executable, "-m", "eau2", "query", "--connect", url, ENDLESS],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Before it has started it knows no better than to die of it.
    time.sleep(0.4 + moment_s)
    client.send_signal(signal.SIGINT)
    _, said = client.communicate(timeout=10)
    assert (client.returncode, said) == (130, "Interrupted\n")


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def run(times: int, seed: int) -> str:
    """Give up so many pieces of work on three nodes; how it went. Fails if something is left."""
    with processes(3) as nodes:
        put(nodes.urls[0], "t", ROWS, 100_000)
        storm = Storm(nodes, random.Random(seed))
        try:
            for way in (deadline, cancel, close, half_read, half_put):
                way(nodes.urls[0], 0.05)
            for _ in range(WARM_UP):
                storm.once()
            until(lambda: {node.chunks for node in storm.about()} <= {3, 4})
            pids = [node.pid for node in nodes.nodes]
            memory = [resident_bytes(pid) for pid in pids]
            opened = [files(pid) for pid in pids]
            for _ in range(times):
                storm.once()
            until(lambda: sum(node.chunks for node in storm.about()) == ROWS // 100_000)
            until(lambda: all(len(children(pid)) == 1 for pid in pids))
            assert sql(nodes.urls[1], "SELECT count(*) FROM t") == [(ROWS,)]
            until(
                lambda: all(
                    files(pid) <= before + 12 for pid, before in zip(pids, opened, strict=True)
                )
            )
            grown = [resident_bytes(pid) - before for pid, before in zip(pids, memory, strict=True)]
            left = [path.name for path in nodes.folder.rglob("*.tmp")]
        finally:
            storm.close()
    assert left == []
    assert max(grown) < GROWTH_BYTES, grown
    assert storm.slowest_s < 1.0, f"{storm.slowest_s:.2f} s until all work had ended"
    mebibytes = ", ".join(f"{each / (1 << 20):.1f}" for each in grown)
    return (
        f"{times} given up ({storm.ways}): all work ended within {storm.slowest_s:.2f} s;"
        f" memory of the nodes grew by {mebibytes} MiB"
    )


def main(arguments: list[str]) -> int:
    """Run it and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print(run(options.times, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
