"""Three voters of which one is lost, by a kill or by a cut of the network: the others go on.

    python -m tests.kills.partition --losses 30 --seed 1

The nodes know one another by the ports of a proxy (--advertise). Again and again one of them is
killed, or cut off from the two others: in both directions, in one of them, or in and out of reach
every half second. Meanwhile the one that is cut off must acknowledge no put, and say so within
SAID_S; at the two others puts succeed again within RESUMED_S (p99); and after the cut all three
agree. All that was asked is checked as in run.py.
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import eau2
from eau2.errors import Error, NoQuorumError
from eau2.net.address import Address
from tests.kills.bugs import BUGS
from tests.kills.nodes import Maker, Node
from tests.kills.proxy import Proxy
from tests.kills.run import quantile
from tests.kills.writers import Ids, Names, Record, Writer, content
from tests.simulation.history import linearizable

NODES = 3
SAID_S = 5.0
SLACK_S = 0.5
"""What a busy machine may add to a time that the nodes promise."""
RESUMED_S = 6.0
AGREED_S = 20.0
ROWS_OF = 10
"""Of so many frames a loss the rows are compared; the writers read all of theirs."""
KINDS = ("kill", "both ways", "its words", "its ears", "flapping")


@dataclass
class Seen:
    """What was seen of the losses."""

    losses: int = 0
    resumed_s: list[float] = field(default_factory=list)
    said_s: list[float] = field(default_factory=list)
    agreed_s: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    operations: int = 0

    def told(self) -> str:
        """In words."""
        lines = [f"{self.losses} losses, {self.operations} operations of writers meanwhile"]
        for what, values in (
            ("puts at the majority succeeded again after", self.resumed_s),
            ("the minority said that there is no quorum after", self.said_s),
            ("all agreed after the cut was healed, after", self.agreed_s),
        ):
            if values:
                p50, p99 = quantile(values, 0.5), quantile(values, 0.99)
                lines.append(f"{what} p50 {p50:.2f} s, p99 {p99:.2f} s of {len(values)}")
        return "\n".join(lines + self.violations)


def free_address() -> Address:
    """Where nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Address("127.0.0.1", server.getsockname()[1])


class Trio:
    """Three nodes that reach one another through a proxy, and clients that reach them directly."""

    def __init__(self, folder: Path, bug: str | None = None) -> None:
        self.maker = Maker(folder, bug)
        self.proxy = Proxy()
        self.nodes: list[Node] = []
        try:
            for place in range(NODES):
                name = f"n{place + 1}"
                join = self.nodes[0].advertise if self.nodes else None
                voters = 1 if self.nodes else NODES
                # Others reach it before it says where it listens.
                listen = free_address()
                self.proxy.lead(name, listen)
                node = Node(self.maker, place, listen, join, voters, self.proxy.open(name))
                node.start()
                node.ready()
                assert node.name == name
                self.nodes.append(node)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for node in self.nodes:
            if node.pid:
                node.kill()
        self.maker.close()
        self.proxy.close()

    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    def ways(self, place: int, out: bool = True, back: bool = True) -> set[tuple[str, str]]:
        """What is cut when nothing comes out of a node, or into it."""
        me = self.nodes[place].name
        others = [node.name for node in self.nodes if node.name != me]
        found = {(me, other) for other in others if out}
        return found | {(other, me) for other in others if back}


class Prober(threading.Thread):
    """Puts new frames at one node, one after the other, for as long as it is told to."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.succeeded = threading.Event()
        self.after_s = 0.0
        self.errors: list[tuple[Error, float]] = []
        self.acknowledged: list[str] = []
        self._url = url
        self._prefix = prefix

    def run(self) -> None:
        begin = time.monotonic()
        number = 0
        while not self.ended.is_set():
            number += 1
            name, start = f"{self._prefix}_{number}", time.monotonic()
            try:
                with eau2.connect(self._url, timeout=30) as connection:
                    connection.put(name, content(number))
            except Error as error:
                self.errors.append((error, time.monotonic() - start))
                self.ended.wait(0.02)
                continue
            self.acknowledged.append(name)
            if not self.succeeded.is_set():
                self.after_s = time.monotonic() - begin
                self.succeeded.set()
            self.ended.wait(0.1)


@contextmanager
def writing(trio: Trio, record: Record, seed: int) -> Iterator[None]:
    """Writers at all nodes, inside the block."""
    ids, names = Ids(), Names(4)
    writers = [Writer(number, seed, record, names, ids, trio.urls) for number in range(2)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        for writer in writers:
            writer.ended.set()
        for writer in writers:
            writer.join(60)
    for writer in writers:
        if writer.failure is not None:
            raise writer.failure


def lose(trio: Trio, place: int, kind: str, number: int, seen: Seen, for_s: float) -> None:
    """One loss, from its begin until all agree again."""
    seen.losses += 1
    node = trio.nodes[place]
    majority = [other for other in trio.nodes if other is not node]
    if kind == "kill":
        node.kill()
    elif kind != "flapping":
        trio.proxy.cut(trio.ways(place, kind != "its ears", kind != "its words"))
    probers = [Prober(other.url, f"p{number}_{other.place}") for other in majority]
    minority = Prober(node.url, f"p{number}_{place}")
    for prober in probers:
        prober.start()
    if kind not in ("kill", "flapping"):
        minority.start()
    if kind == "flapping":
        _flap(trio, place, for_s)
    for prober in probers:
        if prober.succeeded.wait(30):
            seen.resumed_s.append(prober.after_s)
        else:
            said = [error.message for error, _ in prober.errors[-3:]]
            seen.violations.append(f"no put succeeded after the loss of {node.name}: {said}")
    if minority.ident is not None:
        _check_minority(minority, seen, kind, for_s)
    for prober in probers:
        prober.ended.set()
        prober.join(40)
    trio.proxy.heal()
    if kind == "kill":
        node.start()
        node.ready()
    _check_agreement(trio, [name for prober in probers for name in prober.acknowledged], seen)


def _flap(trio: Trio, place: int, for_s: float) -> None:
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        trio.proxy.cut(trio.ways(place))
        time.sleep(0.5)
        trio.proxy.heal()
        time.sleep(0.5)


def _check_minority(minority: Prober, seen: Seen, kind: str, for_s: float) -> None:
    """It acknowledges nothing, and says why in time."""
    end = time.monotonic() + max(for_s, 2 * SAID_S)
    while time.monotonic() < end and len(minority.errors) < 2 and not minority.acknowledged:
        time.sleep(0.05)
    # What was begun under the cut must end before it is healed.
    minority.ended.set()
    minority.join(40)
    if minority.acknowledged:
        seen.violations.append(f"cut off ({kind}), a node acknowledged {minority.acknowledged}")
    if not minority.errors:
        seen.violations.append(f"cut off ({kind}), a node said nothing")
    for error, seconds in minority.errors:
        seen.said_s.append(seconds)
        if not isinstance(error, NoQuorumError):
            seen.violations.append(f"cut off ({kind}), a node said {type(error).__name__}: {error}")
        if seconds > SAID_S + SLACK_S:
            seen.violations.append(f"cut off ({kind}), a node took {seconds:.1f} s: {error}")


def _check_agreement(trio: Trio, acknowledged: list[str], seen: Seen) -> None:
    """All nodes know all frames that were put, with their rows."""
    begin = time.monotonic()
    why = ""
    while time.monotonic() < begin + AGREED_S:
        try:
            for node in trio.nodes:
                with eau2.connect(node.url, timeout=10) as connection:
                    lost = set(acknowledged) - set(connection.tables())
                    if lost:
                        seen.violations.append(f"{sorted(lost)} are lost at {node.name}")
                    connection.put(f"{acknowledged[0]}_{node.name}", content(1), replace=True)
            seen.agreed_s.append(time.monotonic() - begin)
            _check_rows(trio, acknowledged)
            return
        except Error as error:
            why = f"{node.name}: {error.message}"
            time.sleep(0.1)
    seen.violations.append(f"not agreed {AGREED_S:g} s after the cut: {why}")


def _check_rows(trio: Trio, acknowledged: list[str]) -> None:
    """Each node gives the rows of some of the frames. AssertionError if it does not."""
    for node in trio.nodes:
        with eau2.connect(node.url, timeout=30) as connection:
            for name in acknowledged[:: 1 + len(acknowledged) // ROWS_OF]:
                found = connection.sql(f"SELECT * FROM {name}").to_arrow()
                wanted = content(int(name.rpartition("_")[2]))
                assert found.cast(wanted.schema).equals(wanted), f"{name} is wrong"


def run(
    losses: list[str], seed: int, folder: Path, for_s: float = 6.0, bug: str | None = None
) -> Seen:
    """These losses, of random nodes; what was seen."""
    seen, record, choices = Seen(), Record(), random.Random(seed)
    trio = Trio(folder, bug)
    try:
        with writing(trio, record, seed):
            for number, kind in enumerate(losses):
                lose(trio, choices.randrange(NODES), kind, number, seen, for_s)
    finally:
        trio.close()
    seen.violations += record.wrong
    seen.operations = sum(map(len, record.histories.values()))
    for name, history in record.histories.items():
        if not linearizable(sorted(history, key=lambda operation: operation.start)):
            seen.violations.append(f"no order explains the operations on {name}")
    if seen.resumed_s and quantile(seen.resumed_s, 0.99) > RESUMED_S:
        seen.violations.append(f"puts did not resume within {RESUMED_S:g} s (p99)")
    return seen


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--losses", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", choices=BUGS, help="plant a bug, to see it found")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="eau2-cuts-"))
    losses = [KINDS[number % len(KINDS)] for number in range(options.losses)]
    seen = run(losses, options.seed, folder, bug=options.bug)
    print(seen.told())
    if seen.violations:
        print(f"logs: {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
