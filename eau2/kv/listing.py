"""All that names mean now: which chunks and manifests the nodes are to hold.

Owns: reading every register and, once for each write, its manifest; what was read of a manifest is
kept as long as a name means it. Comes in: the registers; goes out: chunks without statistics, and
entries. Does not know: who is to hold what, what is on a disk.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from eau2.catalog import ChunkKey, ChunkRef, Frame, Named
from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error
from eau2.kv.registers import AsyncRegistry, entries
from eau2.kv.registry import Entry, State
from eau2.records import Record
from eau2.records import replace as changed
from eau2.world import World

_log = logging.getLogger("eau2.repair")


class Live(Record, frozen=True):
    """manifests: the entries by the writes that they mean. chunks: of all of them, each once.

    unread: names whose manifest no node gives; their chunks are not among these.
    """

    manifests: Mapping[str, Entry]
    chunks: Mapping[ChunkKey, ChunkRef]
    unread: tuple[str, ...] = ()


class Listing:
    """What names mean, for whoever asks often."""

    def __init__(
        self,
        world: World,
        registry: AsyncRegistry,
        named: Callable[[Entry], Awaitable[Named]],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """named: what is LIVE in an entry, see Coordinator.named."""
        self._world = world
        self._registry = registry
        self._named = named
        self._limits = limits
        self._known: dict[str, tuple[ChunkRef, ...]] = {}

    async def read(self) -> Live:
        """What names mean. Raises OperationalError when the registers cannot be read."""
        before, known = self._known, dict[str, tuple[ChunkRef, ...]]()
        manifests: dict[str, Entry] = {}
        unread: list[str] = []
        async for entry in entries(self._world, self._registry, self._limits):
            if entry.state is not State.LIVE:
                continue
            manifests[entry.df_id] = entry
            try:
                chunks = before.get(entry.df_id)
                known[entry.df_id] = await self._chunks(entry) if chunks is None else chunks
            except Error as error:
                # It may have been dropped meanwhile.
                _log.info('the manifest of "%s" cannot be read: %s', entry.name, error.message)
                unread.append(entry.name)
        self._known = known
        listed = {chunk.key: chunk for df_id in known for chunk in known[df_id]}
        return Live(manifests, listed, tuple(unread))

    async def _chunks(self, entry: Entry) -> tuple[ChunkRef, ...]:
        named = await self._named(entry)
        if not isinstance(named, Frame):
            return ()
        return tuple(changed(chunk, statistics=(), locations=()) for chunk in named.chunks)
