"""Nodes on a disk that fails when it is told to: `python -m tests.faults.node`, for one at a time.

Owns: the process that makes a node of itself again and again, by fork, so that a start takes no
time; and the library that fails its writes (disk.c). Comes in: lines of JSON; goes out: the line of
a node that is ready, and a line when it has ended. The product has no part in it: it is the same
code, and the failures are the system's.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

from eau2 import daemon, server
from eau2.errors import report
from eau2.launch import NodeOptions
from eau2.net.address import Address
from tests.kills.bugs import BUGS
from tests.processes import ROOT, environment

SYNCS, WRITES = 0, 1
_PR_SET_PDEATHSIG = 1
_SOURCE = Path(__file__).with_name("disk.c")


@dataclass(frozen=True, slots=True)
class Fault:
    """The call of a kind (SYNCS, WRITES) with this number fails with this error; full: and all
    later ones, until the ballast is gone. nth: from 1; 0: none fails.
    """

    kind: int = SYNCS
    nth: int = 0
    error: int = 0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a node ended. code: negative for a signal. fired: the file whose call failed, or ""."""

    code: int
    syncs: int
    writes: int
    fired: str


def compiler() -> str | None:
    """A C compiler, which the library needs."""
    return which("cc") or which("gcc") or which("clang")


@cache
def library() -> str:
    """The library, built once for each process that uses it."""
    found = compiler()
    assert found is not None, "there is no C compiler"
    folder = tempfile.mkdtemp(prefix="eau2-disk-")
    built = os.path.join(folder, "disk.so")
    options = ("-O1", "-Wall", "-shared", "-fPIC")
    subprocess.run([found, *options, "-o", built, _SOURCE, "-ldl", "-lpthread"], check=True)
    return built


class Forks:
    """Makes nodes, one at a time. A context manager."""

    def __init__(self, bug: str | None = None) -> None:
        """bug: of tests.kills.bugs, planted into all nodes."""
        self._stack = ExitStack()
        self.log = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._maker = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.node", library(), *([bug] if bug else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=ROOT,
            env=environment(LD_PRELOAD=library(), OPENBLAS_NUM_THREADS="1"),
            text=True,
            bufsize=1,
        )
        self._pid = 0

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self._maker.kill()
        self._maker.wait()
        for pipe in (self._maker.stdin, self._maker.stdout):
            if pipe is not None:
                pipe.close()
        self._stack.close()

    def start(self, data: Path, fault: Fault | None = None) -> str | Ended:
        """Make a node on this folder; its URL, or how it ended when it did not come up.

        fault: of this disk from now on; None: as before, and the counts go on.
        """
        order = {"data": str(data), "fault": None if fault is None else asdict(fault)}
        assert self._maker.stdin is not None
        self._maker.stdin.write(json.dumps(order) + "\n")
        self._pid = int(self._line().split()[1])
        line = self._line()
        if line.startswith("ended"):
            return self._ended(line)
        return line.split()[-1]

    def end(self, number: int | None) -> Ended:
        """How the node ended, after a signal if there is one. It must end by itself else."""
        if number is not None:
            os.kill(self._pid, number)
        return self._ended(self._line())

    def said(self) -> str:
        """The end of what nodes wrote to their standard error."""
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 3000))
        return self.log.read().decode(errors="replace")

    def _line(self) -> str:
        assert self._maker.stdout is not None
        line = self._maker.stdout.readline()
        assert line, self.said()
        return line

    def _ended(self, line: str) -> Ended:
        word, rest = line.split(" ", 1)
        assert word == "ended", line
        return Ended(**json.loads(rest))


def main(path: str, *bugs: str) -> None:
    """Make nodes as the lines of the standard input say."""
    for bug in bugs:
        BUGS[bug]()
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    disk: Any = ctypes.CDLL(path)
    disk.disk_count.restype = ctypes.c_long
    disk.disk_fired.restype = ctypes.c_char_p
    for line in sys.stdin:
        order = json.loads(line)
        if order["fault"] is not None:
            fault = Fault(**order["fault"])
            folder, nth = order["data"].encode(), ctypes.c_long(fault.nth or -1)
            disk.disk_set(folder, fault.kind, nth, fault.error, int(fault.full))
        child = os.fork()
        if not child:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _say(f"made {os.getpid()}")
            _be(order["data"])
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        ended = Ended(
            code, disk.disk_count(SYNCS), disk.disk_count(WRITES), disk.disk_fired().decode()
        )
        _say(f"ended {json.dumps(asdict(ended))}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _be(data: str) -> None:
    """Be a node until it ends, and end with it."""
    code = 1
    try:
        # What a node loads with the first statement was loaded before the fork.
        assert server.__name__ in sys.modules
        options = NodeOptions(Address("127.0.0.1", 0), data, threads=1, inline_kernels=True)
        code = daemon.run_node(options)
    except Exception as error:
        print(report(error), file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
