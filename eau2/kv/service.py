"""What one node answers about chunks and manifests: they are kept, given and deleted.

Owns: the handlers, and how a file becomes durable: written under another name, synced, renamed,
and its folder synced, before Done is said. Comes in: messages of eau2.net.message and the talk they
opened; goes out: answers, or errors that name the node. Does not know: rings, puts, registers, and
what the bytes of a chunk mean; sockets and files are the World's.

On disk: chunks/<df_id>/<number>.arrow and chunks/<df_id>/manifest, as in eau2.kv.shelf.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext, suppress

import xxhash

from eau2.catalog import ChunkKey
from eau2.config import CONTROL, ControlLimits
from eau2.errors import BusyError, CorruptChunkError, MissingError, ProtocolError
from eau2.kv.chunk import disk_error
from eau2.kv.exchange import answer_file, pieces
from eau2.kv.inventory import CHUNKS as CHUNKS
from eau2.kv.inventory import (
    TEMPORARY,
    Inventory,
    check_df_id,
    file_name,
    inventory,
    number_of,
    together,
)
from eau2.kv.quarantine import Quarantine
from eau2.kv.room import Room
from eau2.net.connection import Answer
from eau2.net.message import (
    DeleteChunks,
    DeleteWrites,
    Done,
    GetChunk,
    GetManifest,
    PutChunk,
    PutManifest,
)
from eau2.net.stream import Received
from eau2.world import Talk, World

_log = logging.getLogger("eau2.chunks")

_NAMED_AT_ONCE = 10
"""A message names so many files at most."""


_FILES_AT_ONCE = 2000
"""So many names are looked at before others have their turn."""


class Service:
    """Answers the requests of one node's key-value store."""

    def __init__(
        self,
        node: str,
        world: World,
        *,
        in_use: Callable[[str], bool] = lambda df_id: False,
        deleted: Callable[[str], None] = lambda df_id: None,
        leaving: Callable[[], bool] = lambda: False,
        suspect: Callable[[str, int | None], None] = lambda df_id, number: None,
        room: Room | None = None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """in_use: whether a task here still reads a write, which is then not deleted; the sweep
        comes back to it. deleted: is told of each write of which something is gone. leaving:
        whether this node hands its chunks over, and takes no new ones. suspect: is told of each
        file that could not be read, see Scrub.suspect. room: says when the disk takes no more
        chunks; None: when it is full.
        """
        self.node = node
        self._world = world
        self._disk = world.disk
        self._in_use = in_use
        self._deleted = deleted
        self._limits = limits
        self._leaving = leaving
        self._suspect = suspect
        self._room = room
        self._quarantine = Quarantine(world, limits)
        self.changes = 0
        """How often a file came or went. Two equal numbers: the same files."""
        self.storing = 0
        """How many files are being stored now."""
        self.damaged = 0
        """How many files were found damaged since the start."""

    async def start(self) -> None:
        """Make the places of the files, see what is there, clear away what a crash left half done.

        No file is read. Raises OperationalError when the disk cannot be used.
        """
        try:
            await self._disk.make_folder(CHUNKS)
            await self._quarantine.start()
            await self._disk.sync_folder("")
            found = await self._inventory()
            for path in found.temporaries:
                await self._disk.remove(f"{CHUNKS}/{path}")
        except OSError as error:
            raise disk_error(error, f"opening the chunks of node {self.node}") from error
        _log.info(
            "node %s has %d chunks and %d manifests, %d bytes; %d files in quarantine",
            *(self.node, len(found.chunks), len(found.manifests), found.bytes),
            self._quarantine.files,
        )
        if found.temporaries:
            _log.info("files that were being written at a crash: %d", len(found.temporaries))
        if found.strange:
            some = ", ".join(found.strange[:_NAMED_AT_ONCE])
            _log.warning("files in the chunk folder that are none of eau2's, kept: %s", some)

    async def answer(self, received: Received, talk: Talk) -> Answer:
        """Answer a request. Raises ProtocolError for one that is not about chunks."""
        match received.message:
            case PutChunk() if self._leaving():
                raise BusyError(
                    f"node {self.node} is leaving the ring and takes no chunks",
                    hint="Another node takes them; nothing is to be done.",
                )
            case PutChunk(chunk, _, size, checksum):
                async with self._taken(size):
                    name = file_name(chunk.number)
                    return await self._put(chunk.df_id, name, size, checksum, talk)
            case PutManifest(df_id, size, checksum):
                async with self._taken(size):
                    return await self._put(df_id, file_name(None), size, checksum, talk)
            case GetChunk(chunk):
                return await self._get(chunk.df_id, file_name(chunk.number), talk)
            case GetManifest(df_id):
                return await self._get(df_id, file_name(None), talk)
            case DeleteChunks(chunks):
                return await self._delete_files([(c.df_id, file_name(c.number)) for c in chunks])
            case DeleteWrites(df_ids):
                for df_id in df_ids:
                    await self.delete(df_id)
                return Done()
        asked = type(received.message).__name__
        raise ProtocolError(f"node {self.node} does not answer a {asked}")

    @property
    def quarantined(self) -> int:
        """How many damaged files are kept to be looked at."""
        return self._quarantine.files

    async def writes(self) -> tuple[str, ...]:
        """The df_ids of which something is on this node's disk."""
        try:
            return await self._disk.names(CHUNKS)
        except OSError as error:
            raise disk_error(error, f"listing the chunks of node {self.node}") from error

    async def inventory(self) -> Inventory:
        """What is in the chunk folder. Raises OperationalError."""
        try:
            return await self._inventory()
        except OSError as error:
            raise disk_error(error, f"listing the chunks of node {self.node}") from error

    async def _inventory(self) -> Inventory:
        files = await self._disk.tree(CHUNKS)
        parts = []
        for start in range(0, len(files), _FILES_AT_ONCE):
            parts.append(inventory(files[start : start + _FILES_AT_ONCE]))
            await self._world.clock.sleep(0)
        return together(parts)

    async def held(self, df_id: str) -> tuple[bool, tuple[int, ...]]:
        """Whether the manifest of a write is here, and the numbers of its chunks, sorted."""
        check_df_id(df_id)
        try:
            names = await self._disk.names(f"{CHUNKS}/{df_id}")
        except FileNotFoundError:
            return False, ()
        except OSError as error:
            raise disk_error(error, f"listing {df_id} on node {self.node}") from error
        numbers = [number for name in names if (number := number_of(name)) is not None]
        return file_name(None) in names, tuple(sorted(numbers))

    async def digest(
        self, df_id: str, number: int | None, rest: Callable[[int], Awaitable[None]]
    ) -> str:
        """The checksum of a file; number: of the chunk, None for the manifest.

        rest: is told the bytes of each piece that was read, and may wait. Raises OSError.
        """
        check_df_id(df_id)
        path = f"{CHUNKS}/{df_id}/{file_name(number)}"
        digest = xxhash.xxh3_128()
        size = await self._disk.size(path)
        async for piece in self._parts(path, size):
            digest.update(piece)
            await rest(len(piece))
        found: str = digest.hexdigest()
        return found

    async def make_durable(self, df_id: str, number: int | None) -> None:
        """Let a file survive a crash from now on, whoever wrote it. Raises OSError."""
        folder = f"{CHUNKS}/{df_id}"
        await self._disk.sync(f"{folder}/{file_name(number)}")
        await self._disk.sync_folder(folder)
        await self._disk.sync_folder(CHUNKS)

    async def store(self, df_id: str, number: int | None, data: bytes, checksum: str) -> None:
        """Keep a file that this node is to have, as durably as one that is put. Raises as a put."""

        async def parts() -> AsyncIterator[memoryview]:
            for start in range(0, len(data), self._limits.piece_bytes):
                yield memoryview(data)[start : start + self._limits.piece_bytes]

        async with self._taken(len(data)):
            await self._store(df_id, file_name(number), checksum, parts())

    async def remove(self, key: ChunkKey) -> None:
        """Delete one chunk that others hold. Raises OperationalError."""
        await self._delete_files([(key.df_id, file_name(key.number))])
        self._deleted(key.df_id)

    def in_use(self, df_id: str) -> bool:
        """Whether a task here reads a write."""
        return self._in_use(df_id)

    async def set_aside(self, df_id: str, number: int | None, why: str) -> bool:
        """Put a damaged file into quarantine: this node does not have it any more.

        Whether there was one. Raises OperationalError.
        """
        check_df_id(df_id)
        folder, name = f"{CHUNKS}/{df_id}", file_name(number)
        self.changes += 1
        # Before it is gone: Holding.confirm relies on it.
        self.damaged += 1
        try:
            kept = await self._quarantine.take(folder, name)
        except FileNotFoundError:
            self.damaged -= 1
            return False
        except OSError as error:
            doing = f"putting {folder}/{name} of node {self.node} into quarantine"
            raise disk_error(error, doing) from error
        finally:
            self.changes += 1
            self._deleted(df_id)
        what = "the manifest" if number is None else f"chunk {number}"
        _log.error(
            "%s of %s is damaged on node %s: %s; it is now %s", what, df_id, self.node, why, kept
        )
        return True

    async def delete(self, df_id: str, keep: Collection[int] = ()) -> None:
        """Delete all of a write but the chunks to `keep`, unless it is in use.

        Only for a write that can never be LIVE again.
        """
        check_df_id(df_id)
        if self._in_use(df_id):
            return
        self.changes += 1
        folder = f"{CHUNKS}/{df_id}"
        try:
            if keep:
                listed = {file_name(number) for number in keep}
                for name in await self._disk.names(folder):
                    if name not in listed:
                        await self._disk.remove(f"{folder}/{name}")
                return
            await self._disk.remove_folder(folder)
            await self._disk.sync_folder(CHUNKS)
        except OSError as error:
            raise disk_error(error, f"deleting {df_id} on node {self.node}") from error
        self._deleted(df_id)

    def _taken(self, size: int) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._room is None else self._room.taken(size)

    async def _put(self, df_id: str, name: str, size: int, checksum: str, talk: Talk) -> Answer:
        """Keep a file that comes. Repeating it is harmless: the same bytes come to the name."""
        if size > self._limits.file_bytes:
            raise ProtocolError(f"a file of {size} bytes is larger than node {self.node} takes")
        # Whoever asks whether this node takes chunks, and then this number, misses none.
        self.storing += 1
        try:
            await self._store(df_id, name, checksum, pieces(talk, size))
        finally:
            self.storing -= 1
        return Done()

    async def _store(
        self, df_id: str, name: str, checksum: str, data: AsyncIterator[memoryview]
    ) -> None:
        """Make a file durable if it has that checksum. Done when it will survive a crash."""
        check_df_id(df_id)
        folder = f"{CHUNKS}/{df_id}"
        temporary = f"{folder}/{name}.{self._world.ids.new()}{TEMPORARY}"
        try:
            await self._disk.make_folder(folder)
            await self._disk.sync_folder(CHUNKS)
            try:
                await self._write(temporary, checksum, data)
                await self._keep(temporary, folder, name)
            except BaseException:
                with suppress(OSError):
                    await self._disk.remove(temporary)
                raise
        except OSError as error:
            raise disk_error(error, f"storing {folder}/{name} on node {self.node}") from error
        self.changes += 1

    async def _write(self, temporary: str, checksum: str, data: AsyncIterator[memoryview]) -> None:
        digest = xxhash.xxh3_128()
        await self._disk.append(temporary, b"")
        async for piece in data:
            digest.update(piece)
            await self._disk.append(temporary, piece)
        if digest.hexdigest() != checksum:
            raise CorruptChunkError(f"what node {self.node} received is not what was sent")

    async def _keep(self, temporary: str, folder: str, name: str) -> None:
        """Make a file that is all written durable under its name."""
        await self._disk.sync(temporary)
        await self._disk.rename(temporary, f"{folder}/{name}")
        await self._disk.sync_folder(folder)

    async def _get(self, df_id: str, name: str, talk: Talk) -> Answer:
        check_df_id(df_id)
        path = f"{CHUNKS}/{df_id}/{name}"
        try:
            size = await self._disk.size(path)
            await answer_file(talk, size, self._parts(path, size))
        except FileNotFoundError as error:
            raise MissingError(f"{path} is not on node {self.node}") from error
        except OSError as error:
            self._suspect(df_id, number_of(name))
            raise disk_error(error, f"reading {path} on node {self.node}") from error
        return None

    async def _parts(self, path: str, size: int) -> AsyncIterator[bytes]:
        for offset in range(0, size, self._limits.piece_bytes):
            yield await self._disk.read(path, offset, self._limits.piece_bytes)

    async def _delete_files(self, files: list[tuple[str, str]]) -> Answer:
        for df_id, name in files:
            check_df_id(df_id)
            self.changes += 1
            try:
                await self._disk.remove(f"{CHUNKS}/{df_id}/{name}")
            except OSError as error:
                raise disk_error(error, f"deleting {name} on node {self.node}") from error
        return Done()
