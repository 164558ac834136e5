"""Short forms of the runs with disks that fail and bits that flip."""

from __future__ import annotations

import errno
import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults import every, flips
from tests.faults.node import SYNCS, Ended, Fault, Forks, compiler

SEED = 5

needs_compiler = pytest.mark.skipif(
    compiler() is None, reason="a disk that fails needs a C compiler (cc), and there is none here"
)


@needs_compiler
@pytest.mark.parametrize(("what", "count"), [("sync", 6), ("write", 4), ("room", 3), ("full", 2)])
def test_a_disk_that_fails_loses_nothing(what: str, count: int) -> None:
    with Forks() as forks:
        calls = every.calls(forks, what)
        numbers = random.Random(SEED).sample(range(1, calls + 1), count)
        assert sum(every.run(what, numbers, forks).values()) == count


@needs_compiler
def test_a_node_ends_and_says_why_when_a_sync_fails(tmp_path: Path) -> None:
    with Forks() as forks:
        first = Fault(SYNCS, 1, errno.EIO)
        ended = forks.start(tmp_path / "data", first)
        assert isinstance(ended, Ended)
        assert ended.code == os.EX_IOERR
        said = forks.said()
        assert "identity could not be made durable (Input/output error)" in said
        assert "Look at the disk (dmesg), then start the node again" in said
        assert isinstance(forks.start(tmp_path / "data", Fault()), str)
        assert forks.end(signal.SIGTERM).code == 0


def test_a_flipped_bit_is_found() -> None:
    tally = flips.run(12, SEED)
    assert sum(tally.values()) == 12
