"""Nodes as processes, made by fork from one that has loaded all there is to load.

Owns: the process that makes them (`python -m tests.kills.nodes`), and a node's life as the harness
sees it: made, ready, killed, stopped, gone on. Comes in: options; goes out: processes and their
addresses. A node runs the same code as `eau2 node`, but for kernels in its own process; a planted
bug (bugs.py) is put in before it is made.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from eau2 import daemon, server
from eau2.errors import report
from eau2.launch import NodeOptions
from eau2.net.address import SCHEME, Address, parse_address
from tests.kills.bugs import BUGS
from tests.processes import ROOT, environment

START_S = 60.0
_PR_SET_PDEATHSIG = 1


class Maker:
    """Makes nodes, each with its log in `folder`. Closed, it ends them all."""

    def __init__(self, folder: Path, bug: str | None = None) -> None:
        self.folder = folder
        self._stack = ExitStack()
        log = self._stack.enter_context((folder / "maker.log").open("ab"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.nodes", *([bug] if bug else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env=environment(OPENBLAS_NUM_THREADS="1"),
            text=True,
            bufsize=1,
        )

    def make(self, order: dict[str, object]) -> int:
        """The process id of a new node. order: as `main` takes it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        line = self._process.stdout.readline()
        assert line, (self.folder / "maker.log").read_text()[-2000:]
        return int(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._stack.close()


@dataclass
class Node:
    """One node. place: counts from 0. number: rises with each disk that it begins anew."""

    maker: Maker
    place: int
    listen: Address
    join: Address | None
    voters: int
    advertise: Address | None = None
    number: int = 0
    name: str = ""
    pid: int = 0
    stopped: bool = field(default=False)
    _line: Path = Path()

    @property
    def data(self) -> Path:
        """Its folder."""
        return self.maker.folder / f"node{self.place}-{self.number}"

    @property
    def log(self) -> Path:
        """Where it logs."""
        return self.maker.folder / f"node{self.place}.log"

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.listen}"

    @property
    def runs(self) -> bool:
        """Whether its process is there, and not stopped."""
        return bool(self.pid) and not self.stopped

    def start(self) -> None:
        """Make its process; `ready` waits for it."""
        assert not self.pid
        self._line = self.maker.folder / f"node{self.place}.ready"
        self._line.unlink(missing_ok=True)
        self.pid = self.maker.make(
            {
                "listen": str(self.listen),
                "join": None if self.join is None else str(self.join),
                "advertise": None if self.advertise is None else str(self.advertise),
                "data": str(self.data),
                "voters": self.voters,
                "stdout": str(self._line),
                "stderr": str(self.log),
            }
        )

    def ready(self) -> None:
        """Wait until it can be asked."""
        end = time.monotonic() + START_S
        while not (self._line.exists() and (line := self._line.read_text()).endswith("\n")):
            assert time.monotonic() < end, f"node {self.place} is not ready; {self.said()}"
            assert self.alive(), f"node {self.place} did not start; {self.said()}"
            time.sleep(0.02)
        self.name, self.listen = line.split()[1], parse_address(line.split()[-1])

    def alive(self) -> bool:
        """Whether its process is there."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, 0)
                return True
        return False

    def kill(self) -> None:
        """End its process at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while self.alive():
            time.sleep(0.002)
        self.pid, self.stopped = 0, False

    def stop(self) -> None:
        """Let it stand still, as it is."""
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped = True

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)
        self.stopped = False

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else "no log"


def main(bugs: list[str]) -> None:
    """Make nodes as the lines of the standard input say; answer each with a process id."""
    for bug in bugs:
        BUGS[bug]()
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Nobody waits for the children: they are gone when they have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _be(order)
        print(child, flush=True)


def _be(order: dict[str, object]) -> None:
    """Be a node until it ends, and end with it."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for name, number in (("stdout", 1), ("stderr", 2)):
            file = os.open(str(order[name]), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
            os.dup2(file, number)
        assert server.__name__ in sys.modules
        code = daemon.run_node(
            NodeOptions(
                parse_address(str(order["listen"])),
                str(order["data"]),
                _address(order["join"]),
                threads=1,
                inline_kernels=True,
                voters=int(str(order["voters"])),
                advertise=_address(order["advertise"]),
            )
        )
    except Exception as error:
        print(report(error), file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _address(text: object) -> Address | None:
    return None if text is None else parse_address(str(text))


if __name__ == "__main__":
    main(sys.argv[1:])
