"""What one node answers: chunks and manifests kept and given; what is asked of a voter goes on.

Owns: the handlers, and how a file becomes durable: written under another name, synced, renamed,
and its folder synced, before Done is said. Comes in: messages of eau2.net.message and the talk they
opened; goes out: answers, or errors that name the node. Does not know: rings, puts, registers, and
what the bytes of a chunk mean; sockets and files are the World's.

On disk: chunks/<df_id>/<number>.arrow and chunks/<df_id>/manifest, as in eau2.kv.shelf.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress

import xxhash

from eau2.config import CONTROL, ControlLimits
from eau2.errors import CorruptChunkError, MissingError, ProtocolError
from eau2.kv.acceptor import Acceptor
from eau2.kv.chunk import disk_error
from eau2.kv.exchange import answer_file, pieces
from eau2.kv.shelf import MANIFEST
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

CHUNKS = "chunks"
_TEMPORARY = ".tmp"
_DF_ID = re.compile(r"[0-9a-z]{1,64}")


class Service:
    """Answers the requests of one node's key-value store."""

    def __init__(
        self,
        node: str,
        world: World,
        acceptor: Acceptor | None = None,
        *,
        in_use: Callable[[str], bool] = lambda df_id: False,
        deleted: Callable[[str], None] = lambda df_id: None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """acceptor: of this node, if it is a voter. in_use: whether a task here
        still reads a write, which is then not deleted; the sweep comes back to it. deleted: is
        told of each write that is gone.
        """
        self.node = node
        self._world = world
        self._disk = world.disk
        self._acceptor = acceptor
        self._in_use = in_use
        self._deleted = deleted
        self._limits = limits

    async def start(self) -> None:
        """Make the place of the chunks, and clear away what was being written at a crash."""
        try:
            await self._disk.make_folder(CHUNKS)
            await self._disk.sync_folder("")
            for df_id in await self._disk.names(CHUNKS):
                for name in await self._disk.names(f"{CHUNKS}/{df_id}"):
                    if name.endswith(_TEMPORARY):
                        await self._disk.remove(f"{CHUNKS}/{df_id}/{name}")
        except OSError as error:
            raise disk_error(error, f"opening the chunks of node {self.node}") from error

    async def answer(self, received: Received, talk: Talk) -> Answer:
        """Answer a request. Raises ProtocolError for one that is not about the store."""
        match received.message:
            case PutChunk(chunk, _, size, checksum):
                return await self._put(chunk.df_id, _file(chunk.number), size, checksum, talk)
            case PutManifest(df_id, size, checksum):
                return await self._put(df_id, MANIFEST, size, checksum, talk)
            case GetChunk(chunk):
                return await self._get(chunk.df_id, _file(chunk.number), talk)
            case GetManifest(df_id):
                return await self._get(df_id, MANIFEST, talk)
            case DeleteChunks(chunks):
                return await self._delete_files([(c.df_id, _file(c.number)) for c in chunks])
            case DeleteWrites(df_ids):
                for df_id in df_ids:
                    await self.delete(df_id)
                return Done()
        if self._acceptor is None:
            asked = type(received.message).__name__
            raise ProtocolError(f"node {self.node} is no voter; it does not answer a {asked}")
        return await self._acceptor.answer(received.message)

    async def writes(self) -> tuple[str, ...]:
        """The df_ids of which something is on this node's disk."""
        try:
            return await self._disk.names(CHUNKS)
        except OSError as error:
            raise disk_error(error, f"listing the chunks of node {self.node}") from error

    async def delete(self, df_id: str, keep: Collection[int] = ()) -> None:
        """Delete all of a write but the chunks to `keep`, unless it is in use.

        Only for a write that can never be LIVE again.
        """
        check_df_id(df_id)
        if self._in_use(df_id):
            return
        folder = f"{CHUNKS}/{df_id}"
        try:
            if keep:
                listed = {_file(number) for number in keep}
                for name in await self._disk.names(folder):
                    if name not in listed:
                        await self._disk.remove(f"{folder}/{name}")
                return
            await self._disk.remove_folder(folder)
            await self._disk.sync_folder(CHUNKS)
        except OSError as error:
            raise disk_error(error, f"deleting {df_id} on node {self.node}") from error
        self._deleted(df_id)

    async def _put(self, df_id: str, name: str, size: int, checksum: str, talk: Talk) -> Answer:
        """Keep a file. Repeating it is harmless: the same bytes come to the same name."""
        check_df_id(df_id)
        if size > self._limits.file_bytes:
            raise ProtocolError(f"a file of {size} bytes is larger than node {self.node} takes")
        folder = f"{CHUNKS}/{df_id}"
        temporary = f"{folder}/{name}.{self._world.ids.new()}{_TEMPORARY}"
        try:
            await self._disk.make_folder(folder)
            await self._disk.sync_folder(CHUNKS)
            try:
                await self._receive(temporary, size, checksum, talk)
                await self._keep(temporary, folder, name)
            except BaseException:
                with suppress(OSError):
                    await self._disk.remove(temporary)
                raise
        except OSError as error:
            raise disk_error(error, f"storing {folder}/{name} on node {self.node}") from error
        return Done()

    async def _receive(self, temporary: str, size: int, checksum: str, talk: Talk) -> None:
        digest = xxhash.xxh3_128()
        await self._disk.append(temporary, b"")
        async for piece in pieces(talk, size):
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
            raise disk_error(error, f"reading {path} on node {self.node}") from error
        return None

    async def _parts(self, path: str, size: int) -> AsyncIterator[bytes]:
        for offset in range(0, size, self._limits.piece_bytes):
            yield await self._disk.read(path, offset, self._limits.piece_bytes)

    async def _delete_files(self, files: list[tuple[str, str]]) -> Answer:
        for df_id, name in files:
            check_df_id(df_id)
            try:
                await self._disk.remove(f"{CHUNKS}/{df_id}/{name}")
            except OSError as error:
                raise disk_error(error, f"deleting {name} on node {self.node}") from error
        return Done()


def _file(number: int) -> str:
    return f"{number}.arrow"


def is_df_id(text: str) -> bool:
    """Whether `text` can be the id of a write; files that are read in place have other ids."""
    return _DF_ID.fullmatch(text) is not None


def check_df_id(df_id: str) -> None:
    """Refuse what is no df_id, with a ProtocolError: it becomes part of a path."""
    if not is_df_id(df_id):
        raise ProtocolError(f"{df_id[:80]!r} is not the id of a write")
