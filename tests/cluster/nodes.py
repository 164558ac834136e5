"""Stores of several nodes for tests: in this process, which is quick, and as real processes.

Owns: starting and ending them, on ports that are free and with data that is deleted at the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from eau2.launch import NodeOptions, NodeProcess, voters
from eau2.net.address import SCHEME, Address
from eau2.net.blocking import LoopThread
from eau2.process import RunningNode
from eau2.records import replace
from tests.processes import environment

ANY_PORT = Address("127.0.0.1", 0)


class Nodes(Protocol):
    """Some nodes of one store."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where to connect to, in the order of the nodes."""

    def stop(self) -> None:
        """Stop all of them. May be called again."""


@dataclass
class InProcess:
    """Nodes on one event loop in a thread of this process."""

    thread: LoopThread
    nodes: list[RunningNode] = field(default_factory=list)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"{SCHEME}{node.address}" for node in self.nodes)

    def start(self, options: NodeOptions) -> RunningNode:
        """One more node. Raises as RunningNode.start."""
        node = self.thread.run(RunningNode.start(options))
        self.nodes.append(node)
        return node

    def stop(self) -> None:
        while self.nodes:
            self.thread.run(self.nodes.pop().stop(0))


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until the condition holds. Fails when it takes longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.02)


def children(pid: int) -> set[int]:
    """The processes that a process has started and that are there."""
    found = set()
    # A thread may end meanwhile.
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def kernels(node: NodeProcess) -> set[int]:
    """A node's kernel process, which may still be on its way."""
    until(lambda: children(node.pid))
    return children(node.pid)


def until_dead(pids: set[int]) -> None:
    """Wait until none of the processes is there."""
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


@contextmanager
def in_process(
    count: int, *, data_root: str | None = None, data: Path | None = None
) -> Iterator[InProcess]:
    """So many nodes in this process, whose kernels run here too."""
    with ExitStack() as stack:
        thread = LoopThread()
        stack.callback(thread.close)
        stack.callback(lambda: thread.run(_end_tasks()))
        running = InProcess(thread)
        stack.callback(running.stop)
        first: Address | None = None
        for number in range(1, count + 1):
            folder = None if data is None else str(data / f"n{number}")
            options = NodeOptions(
                *(ANY_PORT, folder, first, data_root),
                inline_kernels=True,
                voters=1 if first else voters(count),
            )
            node = running.start(options)
            first = first or node.address
        yield running


@dataclass
class Processes:
    """Nodes as real processes. folder: holds the data of each, n1, n2, ..., and their logs."""

    folder: Path
    options: list[NodeOptions] = field(default_factory=list)
    nodes: list[NodeProcess] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    def start(self, options: NodeOptions, place: int | None = None) -> NodeProcess:
        """Start a node, in place of another one or as one more; `ready` is the caller's."""
        if place is None:
            self.logs.append(self.folder / f"{len(self.nodes)}.log")
        with self.logs[-1 if place is None else place].open("ab") as log:
            node = NodeProcess(options, variables=environment(), log=log)
        if place is None:
            self.options.append(options)
            self.nodes.append(node)
        else:
            self.nodes[place] = node
        return node

    def ready(self) -> None:
        """Wait until all can be asked, and put them in the order of their names.

        They are started side by side, and the names are given in the order of their joining.
        """
        for node in self.nodes:
            node.ready()
        order = sorted(range(len(self.nodes)), key=lambda place: int(self.nodes[place].name[1:]))
        self.options = [self.options[place] for place in order]
        self.nodes = [self.nodes[place] for place in order]
        self.logs = [self.logs[place] for place in order]

    def kill(self, place: int) -> None:
        """End a node at once, without its knowing."""
        self.nodes[place].kill()

    def restart(self, place: int) -> None:
        """Start a node that has ended again, at its old address and with its data."""
        options = replace(self.options[place], listen=self.nodes[place].address)
        self.start(options, place).ready()

    def stop(self) -> None:
        """Stop all that run, and see that they end well."""
        codes = {}
        for node in reversed(self.nodes):
            if node.poll() is None:
                os.kill(node.pid, signal.SIGTERM)
                codes[node.name] = node.wait(20)
            else:
                node.kill()
        self.nodes.clear()
        assert not any(codes.values()), codes


@contextmanager
def processes(
    count: int,
    *,
    data_root: str | None = None,
    threads: int | None = 1,
    memory_bytes: int | None = None,
) -> Iterator[Processes]:
    """So many nodes as processes of their own, each with a kernel process."""
    with tempfile.TemporaryDirectory(prefix="eau2-test-", ignore_cleanup_errors=True) as folder:
        running = Processes(Path(folder))

        def options(number: int, join: Address | None) -> NodeOptions:
            data = os.path.join(folder, f"n{number}")
            return NodeOptions(
                *(ANY_PORT, data, join, data_root, threads, memory_bytes),
                voters=1 if join else voters(count),
            )

        try:
            running.start(options(1, None)).ready()
            first = running.nodes[0].address
            for number in range(2, count + 1):
                running.start(options(number, first))
            running.ready()
            yield running
        except BaseException as error:
            for node in running.nodes:
                node.kill()
            for log in running.logs:
                error.add_note(f"{log.name}: ...{log.read_text()[-1000:]}")
            raise
        running.stop()


async def _end_tasks() -> None:
    """Let what was cancelled end, so that nothing is left on the loop when it stops."""
    mine = asyncio.current_task()
    rest = [task for task in asyncio.all_tasks() if task is not mine]
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=5)
