"""Files on several nodes: stored on as many as the ring says, found on whichever has them.

Owns: how many copies are enough, which node takes the place of one that cannot, and the order in
which nodes are asked. Comes in: chunks and manifests as bytes with their checksums; goes out: who
holds them, their bytes again, or errors that name the nodes. Does not know: names, registers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import xxhash

from eau2.catalog import ChunkKey, ChunkRef, ColumnStatistics, Named, named_as
from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    CorruptChunkError,
    DiskFullError,
    Error,
    MissingError,
    OperationalError,
    TooFewCopiesError,
)
from eau2.kv import manifest
from eau2.kv.exchange import fetch_file, gathered, send_file, tell
from eau2.kv.membership import Membership
from eau2.kv.poll import Poll
from eau2.kv.registry import Entry
from eau2.net.frame import Buffer
from eau2.net.message import ChunkId, GetChunk, GetManifest, PutChunk, PutManifest
from eau2.net.ring_message import SuspectChunk
from eau2.records import Record
from eau2.world import World


class SealedChunk(Record, frozen=True):
    """A chunk file that is complete: its bytes in parts, and what its manifest will say of it."""

    data: tuple[Buffer, ...]
    rows: int
    bytes: int
    checksum: str
    statistics: tuple[ColumnStatistics, ...]


class Copies:
    """Files of the nodes of a ring, for the node called `node`."""

    def __init__(
        self,
        node: str,
        world: World,
        ring: Membership,
        limits: ControlLimits = CONTROL,
        down: Callable[[str], bool] = lambda node: False,
    ) -> None:
        """down: whether a node has not been heard for a while. It is asked last then.

        `ring` may be set: what is stored from then on goes to the nodes of the new one.
        """
        self.node = node
        self.ring = ring
        self._net = world.net
        self._down = down
        self._limits = limits
        self._going_on: dict[int, asyncio.Task[None]] = {}
        self._started = 0

    async def place(self, key: ChunkKey, sealed: SealedChunk) -> ChunkRef:
        """Make a chunk durable on as many nodes as the ring says."""
        ring = self.ring
        slot = ring.slot(self.node, key.number)
        chunk = ChunkId(key.df_id, key.number)
        request = PutChunk(chunk, sealed.rows, sealed.bytes, sealed.checksum)
        nodes = await self._spread(ring.walk(slot), ring.copies, request, sealed.data)
        return ChunkRef(
            key,
            sealed.rows,
            sealed.bytes,
            sealed.checksum,
            sealed.statistics,
            nodes,
            slot,
            len(ring.slots),
        )

    async def keep_manifest(self, df_id: str, named: Named) -> str:
        """Make the manifest durable on most voters, and on as many nodes as a chunk; its checksum.

        Raises as `put` does.
        """
        ring = self.ring
        encoded = manifest.encode(named)
        checksum = manifest.checksum(encoded)
        request = PutManifest(df_id, len(encoded), checksum)
        up = [node for node in ring.voters if not self._down(node)]
        kept, failures = await self._told(up, request, encoded)
        if kept < ring.majority:
            late, more = await self._told(
                [node for node in ring.voters if node not in up], request, encoded
            )
            kept, failures = kept + late, failures + more
        if kept < ring.majority:
            raise _too_few("its manifest", kept, ring.majority, failures)
        if kept < ring.copies:
            asked = dict.fromkeys((*ring.manifest_holders(df_id), *ring.staying))
            others = tuple(node for node in asked if node not in ring.voters)
            await self._spread(others, ring.copies - kept, request, (encoded,))
        return checksum

    async def _told(
        self, nodes: Sequence[str], request: PutManifest, encoded: bytes
    ) -> tuple[int, list[Error]]:
        """Have all of the nodes store a manifest; how many did, and why others did not.

        Those that are slower than most are not waited for, but go on.
        """
        sent: Poll[None] = Poll(nodes, lambda node: self._store(node, request, (encoded,)))
        try:
            await sent.until(lambda: len(sent.answers) >= self.ring.majority)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.manifest_grace_s):
                    await sent.until(lambda: False)
        except BaseException:
            sent.close()
            raise
        for task in sent.running():
            self._go_on(task)
        return len(sent.answers), list(sent.failures.values())

    async def _spread(
        self,
        nodes: Sequence[str],
        copies: int,
        request: PutChunk | PutManifest,
        data: Sequence[Buffer],
    ) -> tuple[str, ...]:
        """Have so many of the nodes store a file, the first ones that can; which did, in order.

        Raises TooFewCopiesError, or what the one node said where one is enough.
        """
        waiting = deque(self.heard(nodes))
        held: list[str] = []
        failures: list[Error] = []
        while len(held) < copies and waiting:
            turn = [waiting.popleft() for _ in range(min(copies - len(held), len(waiting)))]
            results = await gathered([self._sent(node, request, data) for node in turn])
            for node, failure in zip(turn, results, strict=True):
                if failure is None:
                    held.append(node)
                else:
                    failures.append(failure)
        if len(held) < copies:
            raise _too_few("a chunk of it", len(held), copies, failures)
        return tuple(node for node in nodes if node in held)

    async def _sent(
        self, node: str, request: PutChunk | PutManifest, data: Sequence[Buffer]
    ) -> Error | None:
        """Send a file; why it was not stored, None when it was."""
        try:
            await self._store(node, request, data)
        except OperationalError as error:
            return error
        return None

    async def _store(
        self, node: str, request: PutChunk | PutManifest, data: Sequence[Buffer]
    ) -> None:
        await send_file(self._net, node, request, data, self._limits.chunk_s)

    def heard(self, nodes: Sequence[str]) -> tuple[str, ...]:
        """The nodes in their order, but those that are down at the end."""
        return tuple(sorted(nodes, key=self._down))

    async def manifest(self, entry: Entry) -> Named:
        """What is LIVE in an entry. Raises as `chunk` does."""
        encoded = await self.encoded_manifest(entry)
        try:
            return named_as(manifest.decode(encoded), entry.name)
        except manifest.ManifestError as error:
            what = f'the manifest of "{entry.name}"'
            raise CorruptChunkError(f"{what} cannot be read: {error}") from error

    async def encoded_manifest(self, entry: Entry) -> bytes:
        """The manifest file of what is LIVE in an entry. Raises as `chunk` does."""
        what = f'the manifest of "{entry.name}"'
        nodes = self.heard(self.ring.manifest_search())
        return await self.found(nodes, GetManifest(entry.df_id), entry.manifest, what)

    async def chunk(self, ref: ChunkRef, nodes: Sequence[str] | None = None) -> bytes:
        """The bytes of a chunk, from the first of these nodes that has it whole, or of all.

        Raises MissingError, CorruptChunkError, or why the last node could not be asked.
        """
        request = GetChunk(ChunkId(ref.key.df_id, ref.key.number))
        what = f"chunk {ref.key.number} of {ref.key.df_id}"
        asked = self.candidates(ref) if nodes is None else nodes
        return await self.found(asked, request, ref.checksum, what)

    def candidates(self, ref: ChunkRef) -> tuple[str, ...]:
        """The nodes that may hold a chunk, best first."""
        return self.heard(self.ring.search(ref))

    async def found(
        self, nodes: Sequence[str], request: GetChunk | GetManifest, checksum: str, what: str
    ) -> bytes:
        """A file with that checksum from the first node that gives it. Raises as `chunk` does.

        A node that gives another one is told, so that it looks at its disk.
        """
        failure: Error | None = None
        for node in nodes:
            try:
                data = await fetch_file(self._net, node, request, self._limits.chunk_s)
            except OperationalError as error:
                # That a node was not heard says more than that another one never had it.
                if failure is None or isinstance(failure, MissingError):
                    failure = error
                continue
            if xxhash.xxh3_128_hexdigest(data) == checksum:
                return data
            self._suspect(node, request)
            failure = CorruptChunkError(f"{what} is damaged on node {node}")
        raise failure or MissingError(f"{what} is on no node")

    def _suspect(self, node: str, request: GetChunk | GetManifest) -> None:
        """Have a node look at a file that it gave, while the caller goes on."""
        match request:
            case GetChunk(chunk):
                suspect = SuspectChunk(chunk.df_id, chunk.number)
            case GetManifest(df_id):
                suspect = SuspectChunk(df_id, None)

        async def say() -> None:
            # Who is not told finds it by itself, later.
            with suppress(Error):
                await tell(self._net, node, suspect, self._limits.ring_s)

        self._go_on(asyncio.create_task(say()))

    def _go_on(self, task: asyncio.Task[None]) -> None:
        """Let something end that nobody waits for."""
        number = self._started
        self._started += 1
        self._going_on[number] = task
        task.add_done_callback(lambda _: self._going_on.pop(number, None))


def _too_few(what: str, kept: int, wanted: int, failures: Sequence[Error]) -> Error:
    """Why a file is not on enough nodes: the one failure itself where only one node was asked."""
    if wanted == 1 and len(failures) == 1:
        return failures[0]
    said = "; ".join(failure.message for failure in failures)
    full = failures and all(isinstance(failure, DiskFullError) for failure in failures)
    kind = DiskFullError if full else TooFewCopiesError
    return kind(
        f"{kept} of the {wanted} nodes that are to hold {what} do: {said}",
        hint="Nothing was put. Look at the nodes (SHOW NODES), then put it again.",
    )
