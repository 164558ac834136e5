"""A proxy between nodes, which can be cut: in both directions or in one.

Owns: a port for each node, at which the others reach it, and the bytes on their way. Comes in:
which directions are cut; goes out: bytes, in order, later or never. Who connects is told by the
hello it sends. What is held back while there is a cut goes on when it heals, as on a network that
sends again what was not confirmed; nobody is told that a connection is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from eau2.net.address import Address
from eau2.net.blocking import LoopThread
from eau2.net.codec import decode_message
from eau2.net.header import HEADER_BYTES, parse_header
from eau2.net.message import Hello

_PART_BYTES = 1 << 16


class Proxy:
    """Ways between nodes, by their names. `close` it."""

    def __init__(self) -> None:
        self._thread = LoopThread()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: set[tuple[str, str]] = set()
        self._healed = asyncio.Event()
        self._targets: dict[str, Address] = {}

    def open(self, name: str) -> Address:
        """A port at which others will reach the node of this name."""
        return self._thread.run(self._open(name))

    def lead(self, name: str, target: Address) -> None:
        """The node of this name listens there."""
        self._targets[name] = target

    def cut(self, ways: Iterable[tuple[str, str]]) -> None:
        """From now on nothing that the first node of a pair says reaches the second one."""
        wanted = set(ways)

        async def change() -> None:
            self._cut = wanted
            healed, self._healed = self._healed, asyncio.Event()
            healed.set()

        self._thread.run(change())

    def heal(self) -> None:
        """All ways are open."""
        self.cut(())

    def close(self) -> None:
        async def end() -> None:
            for server in self._servers:
                server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._thread.run(end())
        self._thread.close()

    async def _open(self, name: str) -> Address:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await self._join(name, reader, writer)
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        self._servers.append(server)
        return Address("127.0.0.1", server.sockets[0].getsockname()[1])

    async def _join(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Both directions of one connection to the node of this name."""
        head = await reader.readexactly(HEADER_BYTES)
        header = parse_header(head, hello_only=True)
        control = await reader.readexactly(header.control_bytes)
        hello = decode_message(header.kind, control)
        asker = hello.name if isinstance(hello, Hello) else ""
        await self._may_pass(asker, name)
        target = await asyncio.open_connection(*self._targets[name])
        try:
            target[1].write(head + control)
            ways = [
                asyncio.create_task(self._pump(reader, target[1], asker, name)),
                asyncio.create_task(self._pump(target[0], writer, name, asker)),
            ]
            try:
                await asyncio.gather(*ways)
            finally:
                for way in ways:
                    way.cancel()
        finally:
            target[1].close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str, goal: str
    ) -> None:
        while part := await reader.read(_PART_BYTES):
            await self._may_pass(source, goal)
            writer.write(part)
            await writer.drain()
        await self._may_pass(source, goal)
        writer.close()

    async def _may_pass(self, source: str, goal: str) -> None:
        while (source, goal) in self._cut:
            await self._healed.wait()
