"""Bits that flip in the files of a node: found, never served, and repaired where others have them.

    python -m tests.faults.flips --flips 1000 --seed 1

Three nodes, all of them voters, hold some frames. Again and again one random bit of one file of one
node flips, while the node runs, or while it lies there as after a kill. Then either the node does
not start and says why, and the two others serve all that there is; or it starts, every node serves
what was put, and a damaged chunk or manifest is whole again soon after somebody suspects it. A flip
that changes nothing of what a node knows is harmless: what it serves and votes for is compared.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

import eau2
from eau2.errors import Error
from eau2.kv.inventory import number_of
from eau2.launch import NodeOptions
from eau2.process import RunningNode
from eau2.records import replace
from tests.cluster.nodes import ANY_PORT, InProcess, in_process, until

NODES = 3
KINDS = ("chunk", "manifest", "registers.sqlite", "registers.sqlite-wal", "registers.sqlite-mark")
KINDS_AT_REST = (*KINDS, "ring", "identity", "FORMAT")
_REGISTERS = ("registers.sqlite", "registers.sqlite-wal", "registers.sqlite-mark")
REPAIR_S = 20.0


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of a file of the node at a place."""

    place: int
    path: Path
    bit: int

    def apply(self) -> None:
        """Flip it. A second time puts it back, if nobody has written there."""
        with self.path.open("r+b") as file:
            file.seek(self.bit // 8)
            byte = file.read(1)[0]
            file.seek(self.bit // 8)
            file.write(bytes([byte ^ 1 << self.bit % 8]))


def registers(data: Path) -> dict[str, bytes]:
    """The files of a voter's registers, which belong together."""
    return {name: (data / name).read_bytes() for name in _REGISTERS if (data / name).exists()}


def put_back(data: Path, kept: dict[str, bytes]) -> None:
    """Let the files be as they were, and no others be there."""
    for name in _REGISTERS:
        (data / name).unlink(missing_ok=True)
    for name, content in kept.items():
        (data / name).write_bytes(content)


def contents() -> dict[str, pa.Table]:
    """What is put."""
    return {
        name: pa.table(
            {
                "number": pa.array(range(rows), pa.int64()),
                "text": pa.array([f"{name} {i * i}" for i in range(rows)]),
            }
        )
        for name, rows in (("small", 10), ("middle", 1_000), ("large", 3_500))
    }


@dataclass
class Cluster:
    """Three nodes, one of which is stopped and started again and again."""

    running: InProcess
    folder: Path
    options: list[NodeOptions] = field(default_factory=list)

    def start(self, place: int) -> RunningNode:
        """Start a node on its folder, at its address. Raises as RunningNode.start."""
        return self.running.thread.run(RunningNode.start(self.options[place]))

    def stop(self, place: int, killed: bool = False) -> None:
        """Stop a node; killed: so that its files are as if it had been killed."""
        data = self.data(place)
        kept = registers(data)
        self.running.thread.run(self.running.nodes[place].stop(0))
        if killed:
            put_back(data, kept)

    def data(self, place: int) -> Path:
        return self.folder / f"n{place + 1}"

    def check(self, but: int | None = None) -> None:
        """Every node (but one) serves what was put. AssertionError if not."""
        wanted = contents()
        for place, url in enumerate(self.running.urls):
            if place == but:
                continue
            with eau2.connect(url, timeout=20) as connection:
                assert connection.tables() == tuple(sorted(wanted)), connection.tables()
                for name, table in wanted.items():
                    found = connection.sql(f"SELECT * FROM {name} ORDER BY number").to_arrow()
                    assert found.cast(table.schema).equals(table), f"{name} is wrong at {url}"

    def cells(self, place: int) -> object:
        """All that a node's voter would say."""
        registers = self.running.nodes[place]._registers
        assert registers is not None
        return registers.page("", 10_000)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Three nodes that hold the frames, and the traces of some that are gone."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eau2-flips-")))
        running = stack.enter_context(in_process(0))
        made = Cluster(running, folder)
        first = None
        for place in range(NODES):
            voters = NODES if first is None else 1
            data = str(made.data(place))
            options = NodeOptions(ANY_PORT, data, first, inline_kernels=True, voters=voters)
            node = running.start(options)
            first = first or node.address
            made.options.append(replace(options, listen=node.address))
        until(lambda: all(node._voter is not None for node in running.nodes))
        with eau2.connect(running.urls[0]) as connection:
            connection.execute("SET chunk_rows = 1000")
            for name in ("gone", "small"):
                connection.put(name, contents()["small"])
            connection.drop("gone")
            for name, table in contents().items():
                connection.put(name, table, replace=True)
        yield made


def choose(made: Cluster, choices: random.Random, place: int, running: bool) -> Flip:
    """A random bit of a random file of a random kind."""
    data = made.data(place)
    while True:
        kind = choices.choice(KINDS if running else KINDS_AT_REST)
        if kind == "chunk":
            files = sorted(data.glob("chunks/*/*.arrow"))
        elif kind == "manifest":
            files = sorted(data.glob("chunks/*/manifest"))
        else:
            files = [data / kind]
        files = [file for file in files if file.exists() and file.stat().st_size]
        if files:
            path = choices.choice(files)
            return Flip(place, path, choices.randrange(8 * path.stat().st_size))


def flip_once(made: Cluster, choices: random.Random) -> str:
    """Flip a bit and see what becomes of it; in words. AssertionError if it was not found."""
    place = choices.randrange(NODES)
    running = choices.random() < 0.3
    before = made.cells(place)
    if not running:
        made.stop(place, killed=choices.random() < 0.5)
    flip = choose(made, choices, place, running)
    whole = registers(made.data(place))
    original = flip.path.read_bytes()
    flip.apply()
    kind = flip.path.name if number_of(flip.path.name) is None else "chunk"
    try:
        outcome = _outcome(made, flip, kind, original, whole, running, before)
    except BaseException as error:
        error.add_note(f"bit {flip.bit} of {flip.path}, {'running' if running else 'at rest'}")
        raise
    return f"{kind} {'running' if running else 'at rest'}: {outcome}"


def _outcome(
    made: Cluster,
    flip: Flip,
    kind: str,
    original: bytes,
    whole: dict[str, bytes],
    running: bool,
    before: object,
) -> str:
    """original: of the file. whole: the registers before the flip. before: what they said."""
    place = flip.place
    nodes = made.running.nodes
    if not running:
        try:
            nodes[place] = made.start(place)
        except Error:
            made.check(but=place)
            _restore(made, flip, original, whole)
            nodes[place] = made.start(place)
            return "the node does not start"
    made.check()
    if kind in ("chunk", "manifest"):
        number = number_of(flip.path.name)
        nodes[place]._loop.call_soon_threadsafe(
            nodes[place]._suspect, flip.path.parent.name, number
        )
        until(lambda: flip.path.exists() and flip.path.read_bytes() == original, REPAIR_S)
        made.check()
        return "repaired"
    if running:
        # What the running node knows is in its memory; the next start reads the file.
        assert made.cells(place) == before, "the voter says something else"
        made.stop(place, killed=True)
        flip.apply()
        whole = registers(made.data(place))
        flip.apply()
        return _outcome(made, flip, kind, original, whole, False, before)
    assert made.cells(place) == before, "the voter says something else"
    made.stop(place)
    _restore(made, flip, original, whole)
    nodes[place] = made.start(place)
    return "harmless"


def _restore(made: Cluster, flip: Flip, original: bytes, whole: dict[str, bytes]) -> None:
    if flip.path.name in _REGISTERS:
        # A start that failed may have written the log into the other file.
        put_back(made.data(flip.place), whole)
    else:
        flip.path.write_bytes(original)


def run(flips: int, seed: int) -> Counter[str]:
    """So many flips; what became of them."""
    choices = random.Random(seed)
    tally = Counter[str]()
    with cluster() as made:
        made.check()
        for number in range(flips):
            try:
                tally[flip_once(made, choices)] += 1
            except BaseException as error:
                error.add_note(f"flip {number} of seed {seed}")
                raise
    return tally


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    tally = run(options.flips, options.seed)
    for line, times in sorted(tally.items()):
        print(f"{times:5} {line}")
    print(f"{options.flips} flips in {time.monotonic() - start:.0f} s: none was served")
    return 0


if __name__ == "__main__":
    sys.exit(main())
