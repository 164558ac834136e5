"""A disk that fails at every place where it can: nothing that was acknowledged is lost.

    python -m tests.faults.every --what sync        EIO at the k-th fsync, for every k
    python -m tests.faults.every --what write       EIO at the k-th write
    python -m tests.faults.every --what room        ENOSPC at the k-th write
    python -m tests.faults.every --what full        ENOSPC from the k-th write on

One node puts, appends, replaces, drops and starts again, on a disk that fails once (or stays full).
Then it starts on a healthy disk: each name must hold what was last acknowledged, or, where the node
said that it does not know or went away, what came before or after. A frame is whole or not there.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

import eau2
from eau2.config import CONTROL
from eau2.errors import (
    DeadlineError,
    Error,
    OutcomeUnknownError,
    PeerLostError,
    UnreachableError,
)
from eau2.kv.shelf import MANIFEST
from tests.cluster.nodes import until
from tests.faults.node import SYNCS, WRITES, Ended, Fault, Forks
from tests.kills.bugs import BUGS

ROWS = 2000
CHUNK_ROWS = 1000
APPENDED = 3
FILES = ("identity.tmp", "ring.tmp", "FORMAT.tmp", "lock", "data")
UNHEARD = ("registers.sqlite", "registers.sqlite-wal", "data", "lock")
"""Where failures may be unheard: sqlite copies its log into the first one again and again until
that has succeeded, and syncs the log once more before it does; it does not look at what comes of
syncing the folder, the third one; and the fourth one only says who holds it."""
GONE = -1
"""The content of a name that means nothing."""

WHATS = {
    "sync": Fault(SYNCS, error=errno.EIO),
    "write": Fault(WRITES, error=errno.EIO),
    "room": Fault(WRITES, error=errno.ENOSPC),
    "full": Fault(WRITES, error=errno.ENOSPC, full=True),
}
_UNKNOWN = (
    OutcomeUnknownError,
    PeerLostError,
    DeadlineError,
    UnreachableError,
    eau2.InterfaceError,
)


class NodeEnded(Exception):
    """The node went away while it was asked."""


@dataclass
class Story:
    """What was asked of the names, and what they may hold."""

    may: dict[str, set[int]] = field(default_factory=lambda: {"a": {GONE}, "b": {GONE}})
    errors: Counter[str] = field(default_factory=Counter)

    def did(self, name: str, number: int, work: Callable[[], object]) -> bool:
        """Do something after which the name holds the content `number`; whether it was done."""
        try:
            work()
        except _UNKNOWN as error:
            self.errors[type(error).__name__] += 1
            self.may[name] |= {number}
            raise NodeEnded from error
        except Error as error:
            # Any other error says that the name is as it was.
            self.errors[type(error).__name__] += 1
            return False
        self.may[name] = {number}
        return True


def content(number: int) -> pa.Table:
    """The rows of a content: 100 a put, and one more for each append after it."""
    rows = ROWS + APPENDED * (number % 100)
    return pa.table(
        {
            "number": pa.array([number // 100] * rows, pa.int64()),
            "row": pa.array(range(rows), pa.int64()),
        }
    )


@contextmanager
def connected(url: str) -> Iterator[eau2.Connection]:
    """A connection. Raises NodeEnded when the node is not there any more."""
    try:
        with eau2.connect(url, timeout=20) as connection:
            connection.execute(f"SET chunk_rows = {CHUNK_ROWS}")
            yield connection
    except _UNKNOWN as error:
        raise NodeEnded from error


def first_half(url: str, story: Story) -> None:
    """Put two frames, append to one."""
    with connected(url) as connection:
        story.did("a", 100, lambda: connection.put("a", content(100)))
        if story.may["a"] == {100}:
            values = ", ".join(f"(1, {ROWS + i})" for i in range(APPENDED))
            story.did("a", 101, lambda: connection.execute(f"INSERT INTO a VALUES {values}"))
        story.did("b", 200, lambda: connection.put("b", content(200)))


def second_half(url: str, story: Story) -> None:
    """Replace one frame, drop the other, put it again."""
    with connected(url) as connection:
        story.did("a", 300, lambda: connection.put("a", content(300), replace=True))
        if GONE not in story.may["b"]:
            story.did("b", GONE, lambda: connection.drop("b"))
        if story.may["b"] == {GONE}:
            story.did("b", 400, lambda: connection.put("b", content(400)))


def held(url: str) -> dict[str, int]:
    """What the names hold; AssertionError for rows that are no content."""
    found = {"a": GONE, "b": GONE}
    with connected(url) as connection:
        for name in connection.tables():
            table = connection.sql(f"SELECT * FROM {name} ORDER BY row").to_arrow()
            appends = (table.num_rows - ROWS) // APPENDED
            number = 100 * table["number"][0].as_py() + appends
            wanted = content(number)
            assert table.cast(wanted.schema).equals(wanted), f"{name} is no content of ours"
            found[name] = number
    return found


def chunk_files(data: Path) -> int:
    """How many chunk files, whole and half, are there."""
    # What is deleted meanwhile is not there.
    return sum(name != MANIFEST for _, _, names in os.walk(data / "chunks") for name in names)


def run_once(forks: Forks, fault: Fault) -> tuple[Ended, Story]:
    """The story with a fault; how the node ended that met it, or the last one."""
    story = Story()
    with tempfile.TemporaryDirectory(prefix="eau2-fault-") as folder:
        data = Path(folder) / "data"
        ended = _with_fault(forks, data, fault, story)
        found = _healthy(forks, data, story)
        for name, number in found.items():
            assert number in story.may[name], f"{name} holds {number}, not of {story.may[name]}"
    return ended, story


def _with_fault(forks: Forks, data: Path, fault: Fault, story: Story) -> Ended:
    """Both halves, each at a node of its own; how the last one ended."""
    ended = Ended(0, 0, 0, "")
    for begin, half in enumerate((first_half, second_half)):
        url = forks.start(data, None if begin else fault)
        if isinstance(url, Ended):
            return url
        try:
            half(url, story)
            if fault.error == errno.ENOSPC:
                _check_full(url, data, story, fault.full)
        except NodeEnded:
            ended = forks.end(None)
            assert ended.code != 0, "the node ended without a word"
            return ended
        ended = forks.end(signal.SIGTERM)
        if ended.code:
            return ended
    return ended


def _check_full(url: str, data: Path, story: Story, full: bool) -> None:
    """A node without room answers, keeps nothing of what it refused, and drops."""
    found = held(url)
    for name, number in found.items():
        assert number in story.may[name], f"{name} holds {number}, not of {story.may[name]}"
    if full and story.errors["DiskFullError"]:
        with connected(url) as connection:
            for name in [name for name, number in found.items() if number != GONE]:
                assert story.did(name, GONE, partial(connection.drop, name)), story.errors
    numbers = [next(iter(numbers)) for numbers in story.may.values()]
    wanted = sum(2 + (number % 100 > 0) for number in numbers if number != GONE)
    until(lambda: chunk_files(data) == wanted, 2 * CONTROL.sweep_every_s)


def _healthy(forks: Forks, data: Path, story: Story) -> dict[str, int]:
    url = forks.start(data, Fault())
    assert isinstance(url, str), f"the node does not start on a healthy disk: {url}"
    found = held(url)
    with connected(url) as connection:
        connection.put("after", content(900), replace=True)
    forks.end(signal.SIGKILL)
    return found


def calls(forks: Forks, what: str) -> int:
    """How many calls there are that can fail."""
    ended, story = run_once(forks, Fault())
    assert not story.errors, story.errors
    return ended.syncs if WHATS[what].kind == SYNCS else ended.writes


def run(what: str, numbers: Iterable[int], forks: Forks) -> Counter[str]:
    """Let each of these calls fail; how the nodes ended, by the file that failed."""
    tally = Counter[str]()
    template = WHATS[what]
    for nth in numbers:
        fault = Fault(template.kind, nth, template.error, template.full)
        try:
            ended, story = run_once(forks, fault)
            assert ended.fired or nth > 1, "no call failed"
            _check_ending(what, ended)
        except BaseException as error:
            error.add_note(f"at call {nth} of {what}; the log ends: {forks.said()}")
            raise
        part = _part(ended.fired)
        told = ", ".join(f"{count} {name}" for name, count in sorted(story.errors.items()))
        tally[f"{part}: exit {ended.code}{f'; {told}' if told else ''}"] += 1
    return tally


def _check_ending(what: str, ended: Ended) -> None:
    """A node ends with its disk, and does not end for want of room once it has come up."""
    if what in ("room", "full"):
        assert ended.code in (0, 1), ended
    elif ended.fired and ended.code != os.EX_IOERR:
        assert _part(ended.fired) in UNHEARD, ended


def _part(path: str) -> str:
    """Which file it is that failed, without ids."""
    name = os.path.basename(path)
    for known in ("manifest", "registers.sqlite-wal", "registers.sqlite-mark", "registers.sqlite"):
        if name.startswith(known):
            return known
    if ".arrow" in name:
        return "chunk"
    return name if not name or name in FILES else "folder"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", choices=WHATS, default="sync")
    parser.add_argument("--sample", type=int, help="only so many of the calls")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", choices=BUGS, help="plant a bug, to see it found")
    options = parser.parse_args()
    start = time.monotonic()
    with Forks(options.bug) as forks:
        count = calls(forks, options.what)
        numbers = list(range(1, count + 1))
        if options.sample is not None and options.sample < count:
            numbers = sorted(random.Random(options.seed).sample(numbers, options.sample))
        tally = run(options.what, numbers, forks)
    for line, times in sorted(tally.items()):
        print(f"{times:4} {line}")
    seconds = time.monotonic() - start
    print(f"{options.what}: {len(numbers)} of {count} calls failed, one in each story")
    print(f"nothing that was acknowledged is lost; {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
