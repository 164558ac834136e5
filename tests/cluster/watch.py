"""What nodes that are processes do and hold, as the operating system sees it.

Owns: when they have nothing to do any more, and what they still have then. Comes in: the processes;
goes out: seconds, bytes, names. Does not know: what they were asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.cluster.nodes import Processes, children

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_SAMPLE_S = 0.06
_IDLE_S = 2 * _TICK_S
"""A process that takes no more than this in a sample has nothing to do but to be asked."""


class Watch:
    """Nodes and their kernel processes. `running`: whether any node says it runs something."""

    def __init__(self, nodes: Processes, running: Callable[[], bool]) -> None:
        self._nodes = nodes
        self._running = running

    def pids(self) -> set[int]:
        """The nodes and the kernel processes that are there now."""
        found = {node.pid for node in self._nodes.nodes}
        return found.union(*(children(pid) for pid in found))

    def quiet_after_s(self, known: set[int], at_most_s: float = 10.0) -> float:
        """How long it takes until nothing runs; of processes, `known` ones are looked at.

        A kernel process that starts in place of another one is not work that was left.
        """
        start = time.monotonic()
        while True:
            begin = time.monotonic()
            if not self._running():
                before = {pid: processor_s(pid) for pid in known}
                time.sleep(_SAMPLE_S)
                used = {pid: processor_s(pid) - before[pid] for pid in known}
                if max(used.values()) <= _IDLE_S and not self._running():
                    return begin - start
            assert time.monotonic() < start + at_most_s, f"still at work after {at_most_s} s"

    def resident_bytes(self) -> int:
        """The resident memory of all together."""
        return sum(map(resident_bytes, self.pids()))

    def open_files(self) -> int:
        """The files, sockets and shared memory that the nodes have open."""
        return sum(len(os.listdir(f"/proc/{node.pid}/fd")) for node in self._nodes.nodes)

    def threads(self) -> int:
        """The threads of the nodes."""
        return sum(len(os.listdir(f"/proc/{node.pid}/task")) for node in self._nodes.nodes)

    def files(self) -> set[str]:
        """The files below the data folders, relative to them all."""
        root = self._nodes.folder
        return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


def alive(pid: int) -> bool:
    """Whether a process has not ended, even if nobody has asked yet how it did."""
    fields = _statistics(pid)
    return bool(fields) and fields[0] not in "ZX"


def processor_s(pid: int) -> float:
    """The processor time of a process, 0 when it is gone."""
    fields = _statistics(pid)
    return (int(fields[11]) + int(fields[12])) * _TICK_S if fields else 0.0


def _statistics(pid: int) -> list[str]:
    """What follows the name in /proc/PID/stat."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, 0 when it is gone."""
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
