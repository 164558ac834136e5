"""Queries and puts given up at random moments, and what is left of them on the nodes: nothing.

Run it for long with `python -m tests.cluster.cancel --times 200`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pytest

import eau2
from eau2.config import LAUNCH
from eau2.errors import CancelledError, DeadlineError, KernelLostError, UnknownNameError
from eau2.net.address import parse_address
from eau2.net.blocking import BlockingConnection
from eau2.net.message import NodeDescription, NodeInfo, Statement
from tests.cluster.asking import ENDLESS, SLOW, numbers, put, sql
from tests.cluster.nodes import Processes, children, kernels, processes, until
from tests.cluster.watch import Watch, alive
from tests.cluster.ways import STATEMENTS, WAYS
from tests.processes import environment

ROWS = 1_000_000
WIDE = "SELECT a, a + 1, a + 2, a * 2, a * 3, a * 5 FROM t"
"""A result of more bytes than are under way at once, which nobody reads to its end."""
GROWTH_MIB = 50
LONG = 100
"""So many pieces of work fill what the allocators of all threads keep for the next time."""
SAMPLES, BETWEEN = 4, 4
"""The memory is looked at so many times, after so many pieces of work each."""
FILES_KEPT = 12
"""Files and sockets that a node may have opened for the next time."""


@dataclass
class Storm:
    """Gives work up on the nodes, in ways and at moments that chance decides."""

    nodes: Processes
    chance: random.Random
    slowest_s: float = 0.0
    ways: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watching = [BlockingConnection(node.address) for node in self.nodes.nodes]
        self.watch = Watch(self.nodes, lambda: any(node.running for node in self.about()))

    def once(self) -> None:
        """Begin something, give it up, and wait until the nodes have nothing to do any more."""
        url, moment_s = self.chance.choice(self.nodes.urls), self.chance.random() ** 2 * 0.6
        known = self.watch.pids()
        number = self.chance.randrange(len(OF_THEIR_OWN) + len(WAYS))
        if number < len(OF_THEIR_OWN):
            name = OF_THEIR_OWN[number].__name__
            OF_THEIR_OWN[number](url, moment_s)
        else:
            way = WAYS[number - len(OF_THEIR_OWN)]
            name = way.__name__
            way(url, self.chance.choice(STATEMENTS), moment_s)
        self.ways[name] = self.ways.get(name, 0) + 1
        self.slowest_s = max(self.slowest_s, self.watch.quiet_after_s(known))

    def rest(self) -> None:
        """Wait until the nodes have given back what they keep for the next; new kernel processes.

        A kernel process keeps memory for the next statement, in its allocator, until it ends.
        """
        old = {pid for node in self.nodes.nodes for pid in kernels(node)}
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(alive, old)))
        for url in self.nodes.urls:
            until(partial(runs, url))
        until(lambda: all(len(children(node.pid)) == 1 for node in self.nodes.nodes))
        time.sleep(2 * LAUNCH.rest_s)

    def resident_bytes(self) -> float:
        """What all processes hold at rest: a mean, since it depends on the last work too."""
        taken = []
        for number in range(SAMPLES):
            for _ in range(0 if number == 0 else BETWEEN):
                self.once()
            self.rest()
            taken.append(self.watch.resident_bytes())
        return statistics.mean(taken)

    def about(self) -> list[NodeDescription]:
        """What each node says of itself."""
        said = [each.call(NodeInfo(), deadline_s=10).message for each in self._watching]
        return [node for node in said if isinstance(node, NodeDescription)]

    def close(self) -> None:
        """Let the nodes alone."""
        for each in self._watching:
            each.close()


def runs(url: str) -> bool:
    """Whether a statement runs; the system may still be at the end of killed kernel processes."""
    with suppress(KernelLostError):
        return sql(url, SLOW) == [(10,)]
    return False


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


OF_THEIR_OWN = (deadline, cancel, close, half_read, half_put, interrupt)
"""Ways that bring what is given up with them."""


def run(times: int, seed: int, count: int = 3) -> str:
    """Give up so many pieces of work on some nodes; how it went. Fails if something is left.

    The memory is looked at when there are enough times for what allocators keep to level out.
    """
    long = times >= LONG
    with processes(count) as nodes:
        put(nodes.urls[0], "t", ROWS, 100_000)
        storm = Storm(nodes, random.Random(seed))
        watch = storm.watch
        try:
            for way in OF_THEIR_OWN:
                way(nodes.urls[0], 0.05)
            for _ in range(LONG if long else 0):
                storm.once()
            before = storm.resident_bytes() if long else 0.0
            opened, files = watch.open_files(), watch.files()
            storm.ways.clear()
            for _ in range(times):
                storm.once()
            ended = time.monotonic()
            until(lambda: sum(node.chunks for node in storm.about()) == 2 * (ROWS // 100_000))
            until(lambda: all(len(children(node.pid)) == 1 for node in nodes.nodes))
            until(lambda: watch.files() == files)
            until(lambda: watch.open_files() <= opened + FILES_KEPT * count)
            cleaned_s = time.monotonic() - ended
            grown = (storm.resident_bytes() - before) / (1 << 20) if long else None
            assert sql(nodes.urls[1], "SELECT count(*) FROM t") == [(ROWS,)]
        finally:
            storm.close()
    # The test run has other tests beside it on the same cores.
    bound_s = 1.0 if long else 2.0
    assert storm.slowest_s < bound_s, f"{storm.slowest_s:.2f} s until all work had ended"
    assert grown is None or grown < GROWTH_MIB, f"memory grew by {grown:.1f} MiB"
    return (
        f"{times} given up ({storm.ways}): all work ended within {storm.slowest_s:.2f} s, and"
        f" files, chunks and processes were as before {cleaned_s:.2f} s after the last one"
        + (f"; resident memory grew by {grown:.1f} MiB" if grown is not None else "")
    )


def main(arguments: list[str]) -> int:
    """Run it and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print(run(options.times, options.seed, options.nodes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
