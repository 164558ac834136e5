"""The world as the control plane sees it: time, chance, fresh ids, other nodes, a disk.

Owns: the protocols Clock, Rng, Ids, Net and Disk, and the real ones over asyncio and the operating
system. Comes in: what a node wants done; goes out: the same, done, or the error of whoever did it.
Does not know: chunks, names, who asks. Whatever of the control plane waits, draws lots or touches
a file does it through here, so that a simulator can take this module's place.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from eau2.config import NODE_WIRE
from eau2.errors import UnreachableError
from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.connection import Connection, Handler, no_requests
from eau2.net.frame import Buffer
from eau2.net.message import Message, Welcome
from eau2.net.stream import Received
from eau2.records import Record

T = TypeVar("T")


class Clock(Protocol):
    """Time, for measuring how long something takes. It says nothing about the date."""

    def now(self) -> float:
        """Seconds since some moment; never less than before. The event loop's time."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Rng(Protocol):
    """Chance."""

    def random(self) -> float:
        """A number from 0 up to but not including 1."""


class Ids(Protocol):
    """Names for things that nobody else will ever name so."""

    def new(self) -> str:
        """128 bits as 32 hexadecimal digits."""


class Talk(Protocol):
    """One request and all that is said about it, at either end; eau2.net.stream.Stream is one."""

    async def send(
        self, message: Message, payload: Sequence[Buffer] = (), end: bool = False
    ) -> None:
        """Say something; `end`: it is the last. Raises the error the request ended with."""

    async def finish(self) -> None:
        """Say that nothing more follows."""

    async def receive(self) -> Received | None:
        """What the other end says next; None when it has said all. Raises as `send` does."""

    def cancel(self) -> None:
        """Give the request up. Does nothing when it is over."""


class Net(Protocol):
    """The way to other nodes, and to this one."""

    async def open(
        self,
        node: str,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float,
        query: str = "",
        end: bool = False,
    ) -> Talk:
        """Ask a node by name; `end`: nothing follows from here. query: the id for the logs.

        What is sent may arrive late, twice, or never; then the answer is a PeerLostError or, after
        `deadline_s`, a DeadlineError. Raises UnreachableError when surely nothing was asked.
        """


class Disk(Protocol):
    """Files of one node, by paths with "/" below its directory. All raise OSError.

    What a file holds survives a crash once `sync` has returned; that it exists, has a new name or
    is gone survives once `sync_folder` has.
    """

    async def make_folder(self, path: str) -> None:
        """Make a folder whose parent exists; nothing if it is there."""

    async def append(self, path: str, data: Buffer) -> None:
        """Write at the end of a file, which is made if there is none."""

    async def sync(self, path: str) -> None:
        """Make the content of a file durable."""

    async def sync_folder(self, path: str) -> None:
        """Make the entries of a folder durable."""

    async def rename(self, old: str, new: str) -> None:
        """Give a file another name, at once; what had that name is gone."""

    async def size(self, path: str) -> int:
        """The bytes of a file."""

    async def read(self, path: str, offset: int, size: int) -> bytes:
        """At most `size` bytes of a file; fewer only at its end."""

    async def names(self, path: str) -> tuple[str, ...]:
        """What is in a folder, sorted."""

    async def tree(self, path: str) -> tuple[tuple[str, int], ...]:
        """All files below a folder: their paths below it and their bytes, sorted."""

    async def remove(self, path: str) -> None:
        """Delete a file; nothing if there is none."""

    async def remove_folder(self, path: str) -> None:
        """Delete a folder and all in it; nothing if there is none."""


class World(Record, frozen=True):
    """All of it together, as one node has it."""

    clock: Clock
    rng: Rng
    ids: Ids
    net: Net
    disk: Disk


async def in_thread(call: Callable[[], T]) -> T:
    """The result of a call that waits for a disk, without stopping the loop meanwhile."""
    return await asyncio.to_thread(call)


class LoopClock:
    """The running event loop's clock."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemRng:
    """Chance from the operating system."""

    def __init__(self) -> None:
        self._source = random.SystemRandom()

    def random(self) -> float:
        return self._source.random()


class SystemIds:
    """Random ids: two are the same with a probability that can be neglected."""

    def new(self) -> str:
        return uuid.uuid4().hex


class TcpNet:
    """Nodes by their addresses, with one connection to each, made when first needed."""

    def __init__(
        self,
        addresses: Mapping[str, Address],
        *,
        name: str,
        store_id: str = "",
        handler: Handler = no_requests,
    ) -> None:
        """name: this node's own; `handler` answers what comes back on the same connections.

        `name` and `store_id` may be set when they are known later, before the first request.
        `on_unknown` may be set: it is awaited when a node has no address, and may `update` them.
        """
        self.name = name
        self.store_id = store_id
        self.on_unknown: Callable[[str], Awaitable[None]] | None = None
        self._addresses = dict(addresses)
        self._handler = handler
        self._connections: dict[str, Connection] = {}
        self._connecting: dict[str, asyncio.Lock] = {}

    async def open(
        self,
        node: str,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float,
        query: str = "",
        end: bool = False,
    ) -> Talk:
        """See Net."""
        connection = await self._connection(node)
        return await connection.open(message, payload, deadline_s=deadline_s, query=query, end=end)

    @property
    def addresses(self) -> Mapping[str, Address]:
        """Where nodes listen, by their names."""
        return dict(self._addresses)

    def update(self, addresses: Mapping[str, Address]) -> None:
        """Nodes listen there from now on. Connections to other addresses are closed."""
        before, self._addresses = self._addresses, dict(addresses)
        for node in list(self._connections):
            if before.get(node) != self._addresses.get(node):
                self._connections.pop(node).close()

    async def ask_address(
        self, address: Address, message: Message, *, deadline_s: float, store_id: str = ""
    ) -> tuple[Welcome, Received]:
        """Ask whoever listens at an address, on a connection of its own, for one message.

        Raises UnreachableError, HandshakeError if it is of another store than `store_id`, and what
        the node raised.
        """
        connection = await connect(address, role="node", name=self.name, store_id=store_id)
        try:
            welcome = connection.welcome
            assert welcome is not None
            return welcome, await connection.call(message, deadline_s=deadline_s)
        finally:
            connection.close()

    async def _connection(self, node: str) -> Connection:
        known = self._connections.get(node)
        if known is not None and not known.closed:
            return known
        if node not in self._addresses and self.on_unknown is not None:
            await self.on_unknown(node)
        async with self._connecting.setdefault(node, asyncio.Lock()):
            known = self._connections.get(node)
            if known is not None and not known.closed:
                return known
            address = self._addresses.get(node)
            if address is None:
                raise UnreachableError(f"nobody knows the address of a node called {node!r}")
            made = await self._connect(node, address)
            self._connections[node] = made
            return made

    async def _connect(self, node: str, address: Address) -> Connection:
        made = await connect(
            address,
            role="node",
            name=self.name,
            store_id=self.store_id,
            handler=self._handler,
            limits=NODE_WIRE,
        )
        # Nodes that come up again may have changed places.
        found = made.welcome.name if made.welcome is not None else ""
        if found != node or self._addresses.get(node) != address:
            made.close()
            raise UnreachableError(f"{node} does not listen at {address} any more: {found} does")
        return made

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


class DiskWatch:
    """Remembers that a disk has not kept what it was given. For any thread.

    After a failed fsync the system counts the pages as written: a second one succeeds, and the
    bytes are gone. So nothing is tried again, and nothing more is written.
    """

    def __init__(self, on_failure: Callable[[str], None] = lambda why: None) -> None:
        """on_failure: is told why, in the thread that found it and before anybody else knows."""
        self.failure: str | None = None
        self._on_failure = on_failure

    @contextmanager
    def writing(self, what: str | os.PathLike[str], syncing: bool = False) -> Iterator[None]:
        """Change a file in the block. Its OSError is a failure if it is EIO, or `syncing`.

        Raises OSError at once after a failure.
        """
        if self.failure is not None:
            raise OSError(errno.EIO, f"nothing is written any more, since {self.failure}")
        try:
            yield
        except OSError as error:
            if syncing or error.errno == errno.EIO:
                did = "made durable" if syncing else "written"
                self.fail(f"{os.fspath(what)} could not be {did} ({error.strerror or error})")
            raise

    def fail(self, why: str) -> None:
        """The disk has failed; why: completes "since ..."."""
        if self.failure is None:
            self.failure = why
        self._on_failure(why)


class FileDisk:
    """Files below the folder `root`, which exists."""

    def __init__(self, root: str | os.PathLike[str], watch: DiskWatch | None = None) -> None:
        """watch: is told of failures; after one of them all that changes a file raises OSError."""
        self._root = Path(root)
        self._watch = watch or DiskWatch()

    async def make_folder(self, path: str) -> None:
        await self._change(path, lambda: (self._root / path).mkdir(exist_ok=True))

    async def append(self, path: str, data: Buffer) -> None:
        def work() -> None:
            flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
            file = os.open(self._root / path, flags, 0o644)
            try:
                view = memoryview(data).cast("B")
                while len(view):
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)

        await self._change(path, work)

    async def sync(self, path: str) -> None:
        await in_thread(lambda: self._fsync(path, os.O_RDONLY))

    async def sync_folder(self, path: str) -> None:
        await in_thread(lambda: self._fsync(path, os.O_RDONLY | os.O_DIRECTORY))

    async def rename(self, old: str, new: str) -> None:
        await self._change(new, lambda: os.rename(self._root / old, self._root / new))

    async def size(self, path: str) -> int:
        return await in_thread(lambda: (self._root / path).stat().st_size)

    async def read(self, path: str, offset: int, size: int) -> bytes:
        def work() -> bytes:
            file = os.open(self._root / path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                parts: list[bytes] = []
                have = 0
                while have < size and (part := os.pread(file, size - have, offset + have)):
                    parts.append(part)
                    have += len(part)
                return b"".join(parts)
            finally:
                os.close(file)

        return await in_thread(work)

    async def names(self, path: str) -> tuple[str, ...]:
        return await in_thread(lambda: tuple(sorted(os.listdir(self._root / path))))

    async def tree(self, path: str) -> tuple[tuple[str, int], ...]:
        return await in_thread(lambda: tuple(sorted(_below(os.fspath(self._root / path), ""))))

    async def remove(self, path: str) -> None:
        await self._change(path, lambda: (self._root / path).unlink(missing_ok=True))

    async def remove_folder(self, path: str) -> None:
        def work() -> None:
            with suppress(FileNotFoundError):
                shutil.rmtree(self._root / path)

        await self._change(path, work)

    async def room(self) -> tuple[int, int]:
        """The bytes that are free on this disk for whoever runs this, and all that it has."""

        def work() -> tuple[int, int]:
            found = os.statvfs(self._root)
            return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

        return await in_thread(work)

    async def _change(self, path: str, call: Callable[[], object]) -> None:
        def work() -> None:
            with self._watch.writing(self._root / path):
                call()

        await in_thread(work)

    def _fsync(self, path: str, flags: int) -> None:
        file = os.open(self._root / path, flags | os.O_CLOEXEC)
        try:
            with self._watch.writing(self._root / path, syncing=True):
                os.fsync(file)
        finally:
            os.close(file)


def _below(folder: str, prefix: str) -> Iterator[tuple[str, int]]:
    """The files below a folder: one call of the system for each, and a few for each folder."""
    with os.scandir(folder) as found:
        for entry in found:
            # It may be deleted meanwhile.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _below(entry.path, f"{prefix}{entry.name}/")
                else:
                    yield prefix + entry.name, entry.stat(follow_symlinks=False).st_size
