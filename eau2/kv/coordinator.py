"""The coordinator: a put, an append, a get and a drop over the nodes of a ring, as coroutines.

Owns: the story of each. A put reserves its name, sends its chunks round robin to the nodes of the
ring, each until enough nodes have it durably, then its manifest, and makes it visible with one
change of the name's register; whatever fails before fails the put as a whole. A node that cannot
take a copy is replaced by the next one of the ring. Comes in: names, and chunks as
bytes with their checksums; goes out: Frames, or errors that name the node. Does not know: Arrow,
SQL, sockets, files, the time of day: all of the world comes from eau2.world.

The register decides. Chunks are deleted here only after the register has let go of their write;
where this cannot be learnt, the sweep will learn it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    Frame,
    FrameSchema,
    Function,
    Named,
    View,
    merge_chunk_statistics,
    register_of,
)
from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    CorruptChunkError,
    DeadlineError,
    Error,
    MissingError,
    OperationalError,
    OutcomeUnknownError,
)
from eau2.kv import transitions
from eau2.kv.appending import Joint, appended, joint, next_base
from eau2.kv.copies import Copies, SealedChunk
from eau2.kv.exchange import tell
from eau2.kv.membership import Membership
from eau2.kv.registers import AsyncRegistry, change, entries, retried
from eau2.kv.registry import Entry, State
from eau2.kv.replaced import writes_of
from eau2.net.message import DeleteWrites
from eau2.records import Record
from eau2.records import replace as changed
from eau2.world import World

T = TypeVar("T", Frame, View | Function)


class _Reservation(Record, frozen=True):
    """A name held for a put. before: the register when it was reserved, if LIVE.

    done: `before` is what the same operation made when it was asked for earlier; nothing is held.
    """

    name: str
    df_id: str
    version: int
    before: Entry | None
    done: bool = False

    @property
    def base(self) -> str | None:
        """The df_id of what it replaces, if there is something."""
        return transitions.live(self.before)


class Coordinator:
    """Puts, gets and drops for whoever asks the node called `node`."""

    def __init__(
        self,
        node: str,
        world: World,
        registry: AsyncRegistry,
        ring: Membership,
        limits: ControlLimits = CONTROL,
        *,
        down: Callable[[str], bool] = lambda node: False,
    ) -> None:
        """down: whether a node has not been heard for a while. It is asked last then."""
        self.node = node
        self.copies = Copies(node, world, ring, limits, down)
        self._world = world
        self.registers = registry
        self._limits = limits
        self._known: OrderedDict[str, Named] = OrderedDict()
        self._deleting: dict[int, asyncio.Task[None]] = {}
        self._deletions = 0

    async def put(
        self,
        name: str,
        schema: FrameSchema,
        chunks: AsyncIterator[SealedChunk],
        *,
        replace: bool = False,
        op: str = "",
    ) -> Frame:
        """Store the chunks under `name`, spread over the ring from this node on; the new frame.

        op: what the asker calls this put, if it may ask again: while nothing else is written to the
        name it is done once, and an earlier attempt that is still under way cannot become visible
        any more. At most CONTROL.chunks_in_flight chunks are held. Raises NameExistsError unless
        `replace`; StoreBusyError while another put of the name is under way; whatever kept a chunk
        from being durable; and OutcomeUnknownError when it cannot be told whether the frame is
        visible. After every other error the name is as it was before.
        """

        async def make(held: _Reservation, renewing: asyncio.Task[None]) -> Frame:
            refs = await self._upload(held, chunks, renewing)
            merged = merge_chunk_statistics(refs, len(schema.columns))
            return Frame(name, held.df_id, held.version, schema, refs, merged)

        df_id = self._world.ids.new()
        step = transitions.reserve(name, df_id, replace, op=op)
        held = await self._reserve(name, df_id, step, op=op)
        if held.done and held.before is not None:
            return _frame(await self.named(held.before))
        return await self._make(held, make)

    async def append(
        self,
        name: str,
        schema: FrameSchema,
        rows: int,
        chunk_rows: int,
        chunks: Callable[[Joint], AsyncIterator[SealedChunk]],
        *,
        op: str = "",
    ) -> Frame:
        """Publish the next version of the frame `name`, which must have that schema.

        op: as in `put`. rows: of the first new chunk. chunks: what follows the chunks that stay,
        once it is known which do. Puts and appends of one name follow one another: each waits for a
        while. Raises as `put` does, and OperationalError when there is no such frame any more.
        """

        async def make(held: _Reservation, renewing: asyncio.Task[None]) -> Frame:
            assert held.before is not None
            base = next_base(name, await self.named(held.before), schema)
            place = joint(base, rows, chunk_rows)
            refs = await self._upload(held, chunks(place), renewing)
            return appended(place, held.df_id, refs)

        df_id = self._world.ids.new()
        step = transitions.reserve(name, df_id, replace=True, append=True, op=op)
        held = await self._reserve(name, df_id, step, self._limits.append_s, op)
        if held.done and held.before is not None:
            return _frame(await self.named(held.before))
        return await self._make(held, make, appends=True)

    async def amend(self, name: str, change: Callable[[Frame], Frame]) -> Frame:
        """Publish a new version of the frame `name`, of the same chunks. Raises as `append`."""

        async def make(held: _Reservation, renewing: asyncio.Task[None]) -> Frame:
            assert held.before is not None
            frame = next_base(name, await self.named(held.before))
            return changed(change(frame), df_id=held.df_id, version=held.version)

        df_id = self._world.ids.new()
        step = transitions.reserve(name, df_id, replace=True, append=True)
        held = await self._reserve(name, df_id, step, self._limits.append_s)
        return await self._make(held, make, appends=True)

    async def keep(self, named: View | Function, *, replace: bool = False) -> None:
        """Keep a view or a function under its name. Raises as `put` does."""

        async def make(held: _Reservation, renewing: asyncio.Task[None]) -> View | Function:
            return named

        register = register_of(named)
        df_id = self._world.ids.new()
        step = transitions.reserve(register, df_id, replace)
        await self._make(await self._reserve(register, df_id, step), make)

    async def _make(
        self,
        held: _Reservation,
        make: Callable[[_Reservation, asyncio.Task[None]], Awaitable[T]],
        appends: bool = False,
    ) -> T:
        """Have `make` store what the reserved name shall mean, and publish that."""
        renewing = asyncio.create_task(self._renew(held))
        try:
            named = await make(held, renewing)
            checksum = await self.copies.keep_manifest(held.df_id, named)
            await self._publish(changed(held, name=register_of(named)), checksum)
        except OutcomeUnknownError:
            raise
        except BaseException:
            await self._give_up(held.name, held.df_id, held.base)
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        self._remember(held.df_id, named)
        if held.base is not None and not appends:
            self._delete_later(*writes_of(held.base, self._known.get(held.base)))
        return named

    async def get(self, name: str) -> Frame | None:
        """The current frame of `name`, or None.

        Raises MissingError or CorruptChunkError when no node has its manifest; OperationalError
        when nodes cannot be asked.
        """
        named = await self.means(name)
        return named if isinstance(named, Frame) else None

    async def named(self, entry: Entry) -> Named:
        """The frame, view or function that is LIVE in `entry`. Raises as `get` does."""
        known = self._known.get(entry.df_id)
        if known is not None:
            self._known.move_to_end(entry.df_id)
            return known
        fetched = await self.copies.manifest(entry)
        self._remember(entry.df_id, fetched)
        return fetched

    async def means(self, name: str) -> Named | None:
        """What the register `name` means, or None. Raises as `get` does."""
        missing: str | None = None
        while True:
            entry = await self._read(name)
            df_id = transitions.live(entry)
            if entry is None or df_id is None:
                return None
            try:
                return await self.named(entry)
            except (MissingError, CorruptChunkError):
                # It may have been replaced or dropped since the register was read.
                if missing == df_id:
                    raise
                missing = df_id

    async def drop(self, name: str) -> bool:
        """Remove `name` and what it means; False when it means nothing.

        Raises OperationalError when it surely was not removed, else OutcomeUnknownError.
        """
        end = self._world.clock.now() + self._limits.append_s
        while True:
            df_id = transitions.live(await self._read(name))
            if df_id is None:
                return False
            unsure = False

            def step(entry: Entry | None, tried: bool, df_id: str = df_id) -> Entry | None:
                nonlocal unsure
                unsure = tried
                return transitions.drop(df_id)(entry, tried)

            entry = await self._change(name, step)
            if transitions.live(entry) is None:
                # Whoever has replaced it meanwhile may share its chunks: then the sweep decides.
                self._delete_later(*writes_of(df_id, self._known.pop(df_id, None)))
                return True
            # An append was quicker, and has what was to be dropped; or it was dropped and put anew.
            if unsure or self._world.clock.now() >= end:
                raise OutcomeUnknownError(
                    f'whether "{name}" was dropped cannot be told: it was written meanwhile',
                    hint="Look at what the name holds now.",
                )

    async def names(self) -> tuple[str, ...]:
        """The names of all registers that mean something, sorted, in their letter case."""
        every = entries(self._world, self.registers, self._limits)
        return tuple([entry.name async for entry in every if entry.state is State.LIVE])

    async def epoch(self) -> int:
        """A number that changes when a name means something else."""
        return await retried(self._world, self.registers, self.registers.epoch, self._limits)

    async def settle(self) -> None:
        """Wait until the deletions that were begun have ended."""
        await asyncio.gather(*self._deleting.values(), return_exceptions=True)

    async def _reserve(
        self,
        name: str,
        df_id: str,
        step: transitions.Step,
        wait_s: float | None = None,
        op: str = "",
    ) -> _Reservation:
        try:
            entry = await self._change(name, step, wait_s)
        except BaseException as error:
            unknown = isinstance(error, OutcomeUnknownError)
            if unknown or not isinstance(error, Error):
                await self._give_up(name, df_id)
            if not unknown:
                raise
            # Nothing can become visible by a reservation alone: the put has failed.
            raise OperationalError(
                f'"{name}" was not put: {error.__cause__ or error}', hint="Put it again."
            ) from error
        if transitions.pending(entry) != df_id and transitions.done(entry, op):
            return _Reservation(name, df_id, 0, entry, done=True)
        base = transitions.live(entry)
        version = 1 if entry is None or base is None else entry.version + 1
        return _Reservation(name, df_id, version, entry if base is not None else None)

    async def _renew(self, held: _Reservation) -> None:
        """Show again and again that the put is alive. Ends with an error when it was withdrawn."""
        while True:
            await self._world.clock.sleep(self._limits.renew_s)
            try:
                await self._change(held.name, transitions.renew(held.name, held.df_id))
            except OperationalError as error:
                if not error.retryable and not isinstance(error, OutcomeUnknownError):
                    raise

    async def _upload(
        self,
        held: _Reservation,
        chunks: AsyncIterator[SealedChunk],
        renewing: asyncio.Task[None],
    ) -> tuple[ChunkRef, ...]:
        """Send all chunks, several at once; done when every one is durable."""
        refs: list[ChunkRef] = []
        sending: deque[asyncio.Task[ChunkRef]] = deque()
        number = 0
        try:
            while (sealed := await self._next(held, chunks)) is not None:
                if renewing.done():
                    renewing.result()
                if len(sending) >= self._limits.chunks_in_flight:
                    refs.append(await sending.popleft())
                key = ChunkKey(held.df_id, number)
                sending.append(asyncio.create_task(self.copies.place(key, sealed)))
                number += 1
            while sending:
                refs.append(await sending.popleft())
        except BaseException:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            raise
        return tuple(refs)

    async def _next(
        self, held: _Reservation, chunks: AsyncIterator[SealedChunk]
    ) -> SealedChunk | None:
        limit_s = self._limits.source_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await anext(chunks, None)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineError(
                f'the rows of "{held.name}" stopped coming for {limit_s:g} s; nothing was put'
            ) from error

    async def _publish(self, held: _Reservation, checksum: str) -> None:
        step = transitions.publish(held.name, held.df_id, held.version, checksum, held.base)
        wait_s = self._limits.publish_s
        await change(self._world, self.registers, held.name, step, self._limits, wait_s)

    async def _give_up(self, name: str, df_id: str, base: str | None = None) -> None:
        """Withdraw the reservation, then delete what was sent. What fails here, the sweep does."""
        with suppress(Error):
            entry = await self._change(name, transitions.abort(df_id))
            # Of anything else that is there it may be a part: then the sweep decides.
            if transitions.live(entry) in (None, base):
                self._delete_later(df_id)

    def _delete_later(self, *df_ids: str) -> None:
        """Delete writes that the register has let go of, while the caller goes on."""
        number = self._deletions
        self._deletions += 1
        task = asyncio.create_task(self._delete(tuple(sorted(df_ids))))
        self._deleting[number] = task
        task.add_done_callback(lambda _: self._deleting.pop(number, None))

    async def _delete(self, df_ids: tuple[str, ...]) -> None:
        for node in self.copies.heard(self.copies.ring.slots):
            with suppress(Error):
                request = DeleteWrites(df_ids)
                await tell(self._world.net, node, request, self._limits.delete_s)

    async def _read(self, name: str) -> Entry | None:
        return await retried(
            self._world, self.registers, lambda: self.registers.read(name), self._limits
        )

    async def _change(
        self, name: str, step: transitions.Step, wait_s: float | None = None
    ) -> Entry | None:
        return await change(self._world, self.registers, name, step, self._limits, wait_s)

    def _remember(self, df_id: str, named: Named) -> None:
        self._known[df_id] = named
        while len(self._known) > self._limits.manifests_cached:
            self._known.popitem(last=False)


def _frame(named: Named) -> Frame:
    """What an operation that puts frames has made. Raises OperationalError if it is no frame."""
    if isinstance(named, Frame):
        return named
    raise OperationalError(
        f'the operation that is asked for again has made the view "{named.name}"',
        hint="Give each operation a name of its own.",
    )
