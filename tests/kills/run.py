"""Five nodes under kills: nothing that was acknowledged is lost, and no row is wrong.

    python -m tests.kills.run --kills 300 --seed 1 [--resume FILE]

Three of the nodes are voters, each chunk has three copies. Writers put, replace, append, drop and
read while nodes are killed, stopped for seconds, started again, and emptied (the two that are no
voters, one or both at a time, and then all copies are restored first). At the end, in peace, every
name is read from every node, and for each name there must be an order of all operations that
explains what was answered. The seed decides what is done; when it happens is up to the machine, so
a run is not repeated exactly: what is found is kept in a folder, with all logs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from eau2.errors import Error
from eau2.kv.ringsteps import LEFT
from eau2.net.blocking import BlockingConnection
from eau2.net.ring_message import LeaveRing
from eau2.torture.history import Result, linearizable
from tests.cluster.nodes import ANY_PORT
from tests.kills.bugs import BUGS
from tests.kills.nodes import Maker, Node
from tests.kills.writers import Client, Ids, Names, Record, Writer

NODES, VOTERS, COPIES, WRITERS = 5, 3, 3, 4
ROUND_KILLS = 50
"""After so many kills a long run begins anew with other nodes, and keeps its tally."""
REPAIR_S = 120.0
PEACE_S = 90.0


@dataclass
class Tally:
    """What a run, or several of them, did and found."""

    kills: int = 0
    stops: int = 0
    wipes: int = 0
    rounds: int = 0
    puts: int = 0
    operations: int = 0
    unknown: int = 0
    names: int = 0
    lost: int = 0
    wrong_rows: int = 0
    not_linearizable: int = 0
    longest_operation_s: float = 0.0
    resumed_s: list[float] = field(default_factory=list)
    """After each loss of a voter: how long it took until a put that began later had succeeded."""
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            longest = name == "longest_operation_s"
            setattr(self, name, max(mine, value) if longest else mine + value)

    def told(self) -> str:
        """In words."""
        lines = [
            f"{self.kills} kills, {self.stops} stops, {self.wipes} emptied disks,"
            f" {self.rounds} rounds",
            f"{self.puts} acknowledged puts and appends of {self.operations} operations on"
            f" {self.names} names, {self.unknown} outcomes unknown",
            f"{self.lost} lost frames, {self.wrong_rows} wrong rows,"
            f" {self.not_linearizable} names without an order that explains them",
        ]
        if self.resumed_s:
            lines.append(
                f"puts succeeded again after the loss of a voter: p50"
                f" {quantile(self.resumed_s, 0.5):.2f} s, p99"
                f" {quantile(self.resumed_s, 0.99):.2f} s of {len(self.resumed_s)}"
            )
        lines.append(f"longest operation {self.longest_operation_s:.1f} s")
        lines.append(f"outcomes: {dict(sorted(self.outcomes.items()))}")
        return "\n".join(lines + self.violations)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that so many are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things happen, in seconds."""

    stop_s: tuple[float, float] = (1.0, 30.0)
    down_s: tuple[float, float] = (0.0, 8.0)
    between_s: tuple[float, float] = (0.2, 3.0)
    wipes: float = 0.12
    stops: float = 0.2


SHORT = Pace((0.5, 2.0), (0.0, 0.5), (0.1, 0.6), wipes=0.0, stops=0.25)


class Cluster:
    """The nodes, and what is done to them. `close` it."""

    def __init__(self, folder: Path, bug: str | None = None) -> None:
        self.maker = Maker(folder, bug)
        first = Node(self.maker, 0, ANY_PORT, None, VOTERS)
        self.nodes = [first]
        try:
            first.start()
            first.ready()
            for place in range(1, NODES):
                node = Node(self.maker, place, ANY_PORT, first.listen, 1)
                node.start()
                node.ready()
                self.nodes.append(node)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for node in self.nodes:
            if node.pid:
                node.kill()
        self.maker.close()

    def urls(self) -> tuple[str, ...]:
        """Where all nodes are, or were."""
        return tuple(node.url for node in self.nodes)

    @property
    def away(self) -> list[Node]:
        return [node for node in self.nodes if not node.runs]

    def may_lose(self, node: Node) -> bool:
        """Whether a majority of voters stays without this node, and a copy of all chunks."""
        voters_away = sum(other.place < VOTERS for other in self.away)
        if node.place < VOTERS and voters_away:
            return False
        return node.runs and len(self.away) < COPIES - 1

    def wipe(self, nodes: list[Node]) -> None:
        """Start killed nodes with an empty disk; the store is whole again when it returns.

        AssertionError when it is not within REPAIR_S.
        """
        old = [node.name for node in nodes]
        before = self._chunks()
        for node in nodes:
            shutil.rmtree(node.data)
            node.number += 1
            node.join = self.nodes[0].listen
            node.start()
        for node in nodes:
            node.ready()
        for name in old:
            self._leave(name)
        end = time.monotonic() + REPAIR_S
        while missing := self._missing(set(before)):
            assert time.monotonic() < end, f"not repaired after {REPAIR_S:g} s: {missing[:5]}"
            time.sleep(0.2)

    def _missing(self, chunks: set[str]) -> list[str]:
        """Those of the chunks that some node has, and fewer than are to have it."""
        now = self._chunks()
        return [chunk for chunk in sorted(chunks) if 0 < now[chunk] < COPIES]

    def _chunks(self) -> Counter[str]:
        """The chunk files on all disks, and on how many each is."""
        found = Counter[str]()
        for node in self.nodes:
            for folder, _, names in os.walk(node.data / "chunks"):
                # What is deleted meanwhile is not there.
                write = os.path.basename(folder)
                found.update(f"{write}/{name}" for name in names if name.endswith(".arrow"))
        return found

    def _leave(self, name: str) -> None:
        """Say to the store that a node will never come back."""
        end = time.monotonic() + PEACE_S
        while True:
            try:
                connection = BlockingConnection(self.nodes[0].listen, role="node", name="operator")
                try:
                    connection.collect(LeaveRing(name, LEFT), deadline_s=10.0)
                    return
                finally:
                    connection.close()
            except Error:
                assert time.monotonic() < end, f"{name} cannot leave the ring"
                time.sleep(0.2)


class Nemesis:
    """Kills, stops and wipes nodes until there were so many kills."""

    def __init__(self, cluster: Cluster, choices: random.Random, pace: Pace, tally: Tally) -> None:
        self._cluster = cluster
        self._choices = choices
        self._pace = pace
        self._tally = tally
        self._back: dict[int, float] = {}
        self.losses: list[float] = []
        self.pauses: list[tuple[float, float]] = []
        """When nobody wrote, since disks were emptied: (from, to)."""

    def run(self, kills: int, watch: list[Writer], read: Callable[[], None]) -> None:
        """Do it. AssertionError when nodes do not come back, or a writer has failed.

        read: reads all names, after disks were emptied: writers would soon replace what is lost.
        """
        while self._tally.kills < kills and not self._tally.violations:
            self._bring_back(time.monotonic())
            if self._choices.random() < self._pace.wipes:
                self._wipe(watch, read)
            else:
                self._step()
            time.sleep(self._choices.uniform(*self._pace.between_s))
            for writer in watch:
                if writer.failure is not None:
                    raise writer.failure
        self._bring_back(float("inf"))
        for node in self._cluster.nodes:
            node.ready()

    def _step(self) -> None:
        choices, cluster = self._choices, self._cluster
        node = choices.choice(cluster.nodes)
        if not cluster.may_lose(node):
            return
        if node.place < VOTERS:
            self.losses.append(time.monotonic())
        if choices.random() < self._pace.stops:
            node.stop()
            self._tally.stops += 1
            self._back[node.place] = time.monotonic() + choices.uniform(*self._pace.stop_s)
        else:
            node.kill()
            self._tally.kills += 1
            self._back[node.place] = time.monotonic() + choices.uniform(*self._pace.down_s)

    def _wipe(self, writers: list[Writer], read: Callable[[], None]) -> None:
        """Empty one or both of those that are no voters, in the middle of what is written."""
        cluster = self._cluster
        self._bring_back(float("inf"))
        for node in cluster.nodes:
            node.ready()
        count = self._choices.randint(1, COPIES - 1)
        victims = self._choices.sample(cluster.nodes[VOTERS:], count)
        for node in victims:
            node.kill()
        paused = time.monotonic()
        for writer in writers:
            writer.idle.clear()
            writer.resting.set()
        for writer in writers:
            assert writer.idle.wait(PEACE_S) or writer.failure, f"{writer.name} hangs"
        cluster.wipe(victims)
        read()
        for writer in writers:
            writer.resting.clear()
        self.pauses.append((paused, time.monotonic()))
        self._tally.wipes += count
        self._tally.kills += count

    def _bring_back(self, now: float) -> None:
        for place, when in list(self._back.items()):
            if when <= now:
                del self._back[place]
                node = self._cluster.nodes[place]
                if node.stopped:
                    node.go_on()
                else:
                    node.start()
                    node.ready()


def one_round(kills: int, seed: int, folder: Path, pace: Pace, bug: str | None = None) -> Tally:
    """A new store under so many kills."""
    tally = Tally(rounds=1)
    record, ids, names = Record(), Ids(), Names(6)
    cluster = Cluster(folder, bug)
    try:
        writers = [
            Writer(number, seed, record, names, ids, cluster.urls) for number in range(WRITERS)
        ]
        nemesis = Nemesis(cluster, random.Random(seed), pace, tally)
        for writer in writers:
            writer.start()
        try:
            nemesis.run(
                kills,
                writers,
                lambda: _read_all(names.now(), cluster.urls()[:1], record, ids, tally),
            )
        except AssertionError as error:
            tally.violations.append(str(error))
        finally:
            for writer in writers:
                writer.ended.set()
            for writer in writers:
                writer.join(60)
        tally.violations += [f"{w.name} hangs" for w in writers if w.is_alive()]
        if not tally.violations:
            _read_all(list(record.histories), cluster.urls(), record, ids, tally)
    finally:
        cluster.close()
    _judge(record, nemesis, tally)
    with (folder / "history.txt").open("w") as file:
        for name, history in record.histories.items():
            file.writelines(f"{name} {operation}\n" for operation in history)
    return tally


def _read_all(
    names: Iterable[str], urls: Iterable[str], record: Record, ids: Ids, tally: Tally
) -> None:
    """In peace, read these names from these nodes."""
    for url in urls:
        client = Client(record, ids, 30.0)
        end = time.monotonic() + PEACE_S
        try:
            for name in names:
                while True:
                    with suppress(Error):
                        if not client.connected:
                            client.connect(url)
                        if client.do("get", name) is Result.OK:
                            break
                    if time.monotonic() > end:
                        tally.lost += 1
                        tally.violations.append(f"{name} cannot be read at {url}")
                        break
                    time.sleep(0.2)
        finally:
            client.close()


def _judge(record: Record, nemesis: Nemesis, tally: Tally) -> None:
    """What the histories say."""
    for name, history in record.histories.items():
        if not linearizable(sorted(history, key=lambda operation: operation.start)):
            tally.not_linearizable += 1
            tally.violations.append(f"no order explains the operations on {name}")
    kinds: defaultdict[str, int] = defaultdict(int, record.counts)
    tally.puts = kinds["put OK"] + kinds["replace OK"] + kinds["append OK"]
    tally.operations = sum(map(len, record.histories.values()))
    tally.unknown = sum(count for kind, count in kinds.items() if kind.endswith(" UNKNOWN"))
    tally.names = len(record.histories)
    tally.outcomes = record.counts
    tally.wrong_rows = len(record.wrong)
    tally.violations += record.wrong
    tally.longest_operation_s = record.longest_s
    for loss in nemesis.losses:
        ends = [end for start, end in record.puts if start >= loss]
        if ends:
            first = min(ends)
            paused = sum(max(0.0, min(first, b) - max(loss, a)) for a, b in nemesis.pauses)
            tally.resumed_s.append(first - loss - paused)


def run(
    kills: int, seed: int, resume: Path | None, pace: Pace = Pace(), bug: str | None = None
) -> Tally:
    """Rounds until there were so many kills, or one found something; the tally of all of them."""
    tally = Tally()
    if resume is not None and resume.exists():
        tally = Tally(**json.loads(resume.read_text()))
        tally.outcomes = Counter(tally.outcomes)
    while tally.kills < kills and not tally.violations:
        folder = Path(tempfile.mkdtemp(prefix="eau2-kills-"))
        count = min(ROUND_KILLS, kills - tally.kills)
        round_seed = seed * 1_000_000 + tally.rounds
        found = one_round(count, round_seed, folder, pace, bug)
        if found.violations:
            found.violations.append(f"seed {round_seed}; logs and histories: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        tally.add(found)
        if resume is not None:
            partial = resume.with_suffix(".tmp")
            partial.write_text(json.dumps(vars(tally)))
            os.replace(partial, resume)
    return tally


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keeps the tally; goes on")
    parser.add_argument("--short", action="store_true", help="at the pace of the test run")
    parser.add_argument("--bug", choices=BUGS, help="plant a bug, to see it found")
    options = parser.parse_args()
    start = time.monotonic()
    pace = SHORT if options.short else Pace()
    tally = run(options.kills, options.seed, options.resume, pace, options.bug)
    print(tally.told())
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
