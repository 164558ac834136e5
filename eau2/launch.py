"""Nodes as processes of their own, started and ended by this one: `eau2 cluster`.

Owns: the processes, waiting until they are ready, and their end. Comes in: where they listen and
keep their data; goes out: their addresses. Does not know: what a node does; it reads only the line
that a node prints when it is ready. No node outlives the process that started it: the end of its
standard input tells it to stop.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

from eau2.config import LAUNCH
from eau2.errors import OperationalError, UsageError
from eau2.net.address import SCHEME, Address, parse_address, require_loopback
from eau2.records import Record

AfterEnd = Callable[[Address, Collection[str]], str]
"""Says what the others still do when some nodes have ended; the address is that of another one."""

UNTIL_EOF = "EAU2_UNTIL_EOF"
"""A node in whose environment this is 1 stops at the end of its standard input."""

VOTERS = (1, 3, 5)

_READY = re.compile(rb"node (\S+) of store (\S+) listens at (\S+)\n")
_WATCH_S = 0.1
_LINE_BYTES = 1000


class NodeOptions(Record, frozen=True):
    """How to run a node.

    listen: port 0 takes any that is free. data: its directory; None for one that is deleted at the
    end. join: any node of the store to become part of; None for a new store, or the one that the
    directory belongs to. data_root: where SQL may read files; None: nowhere. threads: of the
    kernels, None for all cores. memory_bytes: what the kernels may have; None for most of the
    machine's memory.
    inline_kernels: run them in the node's own process, for tests. voters: how many nodes keep the
    registers of a store that this node begins; it takes no data before so many have joined.
    advertise: where other nodes reach this one, None for where it listens. native_functions: the
    modules of native functions that it loads.
    """

    listen: Address
    data: str | None = None
    join: Address | None = None
    data_root: str | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    inline_kernels: bool = False
    voters: int = 1
    advertise: Address | None = None
    native_functions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_loopback(self.listen)
        if self.advertise is not None:
            require_loopback(self.advertise)
            if not self.advertise.port:
                raise UsageError(
                    f"nobody can be reached at {self.advertise}",
                    hint="Name the port that leads to this node (--advertise HOST:PORT).",
                )
        if self.voters not in VOTERS:
            raise UsageError(
                f"a store has 1, 3 or 5 voters, not {self.voters}",
                hint="Of 3 voters one may fail, of 5 two.",
            )


class ClusterOptions(Record, frozen=True):
    """How to run several nodes here: the first listens at `listen`, the others at the next ports.

    data: a directory with one for each node in it; None for one that is deleted at the end. The
    rest is each node's, as in NodeOptions.
    """

    nodes: int
    listen: Address
    data: str | None = None
    data_root: str | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    native_functions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_loopback(self.listen)
        if not 1 <= self.nodes <= LAUNCH.nodes:
            raise UsageError(f"a local cluster has 1 to {LAUNCH.nodes} nodes, not {self.nodes}")
        if self.listen.port and self.listen.port + self.nodes - 1 > 65535:
            raise UsageError(f"{self.nodes} ports from {self.listen.port} on are not there")

    def node(self, number: int, folder: str, join: Address | None) -> NodeOptions:
        """The options of node `number`, which counts from 1, with its data below `folder`."""
        host, port = self.listen
        return NodeOptions(
            Address(host, port + number - 1 if port else 0),
            os.path.join(folder, f"n{number}"),
            join,
            self.data_root,
            self.threads,
            self.memory_bytes or most_of_memory() // self.nodes,
            voters=voters(self.nodes) if join is None else 1,
            native_functions=self.native_functions,
        )


def voters(nodes: int) -> int:
    """How many nodes of a new store of so many keep the registers, when nobody says."""
    return 3 if nodes >= 3 else 1


def most_of_memory() -> int:
    """The bytes that kernels may have when nobody says how many."""
    return int(LAUNCH.memory_share * whole_memory())


def whole_memory() -> int:
    """The bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def ready_line(name: str, store_id: str, address: Address) -> str:
    """What a node prints when it can be asked."""
    return f"node {name} of store {store_id} listens at {SCHEME}{address}\n"


class NodeProcess:
    """A node as a child of this process. `ready` must be awaited before it is of use."""

    def __init__(
        self,
        options: NodeOptions,
        *,
        variables: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        """Start it. variables: its whole environment, None for this process's. log: for what it
        logs, None for where this process logs. Raises OperationalError.
        """
        self.name = ""
        self.store_id = ""
        self.address = options.listen
        self._started = time.monotonic()
        self._line = b""
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "eau2", "node", *_arguments(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=dict(os.environ if variables is None else variables) | {UNTIL_EOF: "1"},
                # A Ctrl-C at the terminal is for the parent, which then stops its nodes in order.
                process_group=0,
            )
        except OSError as error:
            raise OperationalError(f"a node cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def url(self) -> str:
        """Where to connect to; known once it is ready."""
        return f"{SCHEME}{self.address}"

    def ready(self) -> None:
        """Wait until it can be asked. Raises OperationalError when it ends or takes too long."""
        stdout = self._child.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not self._line.endswith(b"\n"):
                left = self._started + LAUNCH.start_s - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise OperationalError(
                        f"the node at {self.address} was not ready within {LAUNCH.start_s:g} s"
                    )
                part = os.read(stdout.fileno(), _LINE_BYTES)
                self._line += part
                if not part or len(self._line) > _LINE_BYTES:
                    self._child.wait(LAUNCH.kill_s)
                    raise OperationalError(
                        f"the node at {self.address} did not start ({self.ending()})",
                        hint="What it said itself stands above.",
                    )
        found = _READY.fullmatch(self._line)
        if found is None:
            raise OperationalError(f"a node began with {self._line!r}")
        self.name, self.store_id = found[1].decode(), found[2].decode()
        self.address = parse_address(found[3].decode())

    def poll(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs."""
        return self._child.poll()

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.poll()
        if code is None:
            return "it runs"
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def terminate(self) -> None:
        """Ask it to finish what it does and end."""
        self._child.terminate()

    def kill(self) -> None:
        """End it at once; nothing of it is left afterwards."""
        self._child.kill()
        self.wait(LAUNCH.kill_s)

    def wait(self, timeout_s: float) -> int:
        """Its exit code, once it has ended. Raises OperationalError when that takes too long."""
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise OperationalError(f"node {self.name} did not end within {timeout_s:g} s") from None
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        return code


def run_cluster(options: ClusterOptions, after_end: AfterEnd | None = None) -> int:
    """Run nodes until a signal comes or none of them runs any more; the exit code."""
    folder = tempfile.mkdtemp(prefix="eau2-cluster-") if options.data is None else options.data
    Path(folder).mkdir(parents=True, exist_ok=True)
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    nodes: list[NodeProcess] = []
    try:
        _start(options, folder, nodes, signals)
        if signals:
            return 0
        sys.stdout.write(_greeting(nodes, options.data))
        sys.stdout.flush()
        return _watch(nodes, signals, after_end)
    finally:
        _stop(nodes, signals)
        for number, handler in before.items():
            signal.signal(number, handler)
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _start(
    options: ClusterOptions, folder: str, nodes: list[NodeProcess], signals: list[int]
) -> None:
    """Start the first node, then all others, which join it.

    One after the other, because the names are given in the order of joining.
    """
    for number in range(1, options.nodes + 1):
        if signals:
            return
        first = nodes[0].address if nodes else None
        nodes.append(NodeProcess(options.node(number, folder, first)))
        nodes[-1].ready()


def _greeting(nodes: list[NodeProcess], data: str | None) -> str:
    lines = [f"{node.name} listens at {node.url}" for node in nodes]
    kept = "is deleted at the end" if data is None else f"is kept in {data}"
    return "\n".join(
        [
            *lines,
            f"The data {kept}. Ask any of them:",
            f'  eau2 query --connect {nodes[0].url} "SELECT 1"',
            f"  eau2 shell --connect {nodes[0].url}",
            "Ctrl-C stops the cluster.\n",
        ]
    )


def _watch(nodes: list[NodeProcess], signals: list[int], after_end: AfterEnd | None) -> int:
    """Wait for a signal, or until no node runs any more; the exit code.

    A node that ends is told of, and the others go on.
    """
    ended: list[str] = []
    while not signals:
        before = len(ended)
        for node in nodes:
            if node.name not in ended and node.poll() is not None:
                ended.append(node.name)
                sys.stderr.write(f"node {node.name} ended ({node.ending()}){_left(nodes)}\n")
        running = [node for node in nodes if node.poll() is None]
        if len(ended) > before and running and after_end is not None:
            said = after_end(running[0].address, ended)
            sys.stderr.write(f"{said}\n" if said else "")
        sys.stderr.flush()
        if len(ended) == len(nodes):
            raise OperationalError(f"all nodes have ended, node {ended[-1]} last")
        time.sleep(_WATCH_S)
    return 0


def _left(nodes: list[NodeProcess]) -> str:
    """What is said of the nodes that still run."""
    running = [node.name for node in nodes if node.poll() is None]
    goes = "goes" if len(running) == 1 else "go"
    return f"; {', '.join(running)} {goes} on" if running else ""


def _stop(nodes: list[NodeProcess], signals: list[int]) -> None:
    """Stop all nodes, the first one last, since the others ask it about names to the end."""
    known = len(signals)
    for group in (nodes[1:], nodes[:1]):
        for node in group:
            if node.poll() is None:
                node.terminate()
        until = time.monotonic() + LAUNCH.stop_s
        while any(node.poll() is None for node in group):
            if len(signals) > known or time.monotonic() > until:
                break
            time.sleep(_WATCH_S / 2)
        for node in group:
            node.kill()


def _arguments(options: NodeOptions) -> list[str]:
    """The options as `eau2 node` takes them."""
    given = {
        "--listen": options.listen,
        "--data": options.data,
        "--join": options.join,
        "--data-root": options.data_root,
        "--threads": options.threads,
        "--memory": options.memory_bytes,
        "--voters": options.voters,
        "--advertise": options.advertise,
    }
    modules = [f"--allow-native-functions={module}" for module in options.native_functions]
    return [f"{name}={value}" for name, value in given.items() if value is not None] + modules
