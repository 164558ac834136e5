"""What nodes do with registers, without the chunks: puts, appends, drops, reads, the sweep.

A `Writer` takes the steps of eau2.kv.transitions in the order in which Coordinator and Sweep take
them. What a write holds is a tuple of tags in `contents`, by df_id: the manifest and the chunks in
one. It is there before the write is published, and deleted when no register wants it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from eau2.config import ControlLimits
from eau2.errors import Error, OperationalError, OutcomeUnknownError
from eau2.kv import transitions
from eau2.kv.registers import AsyncRegistry, change, entries, retried
from eau2.kv.registry import Entry
from eau2.world import World

Content = tuple[int, ...]
DELETE_S = 1.0
"""How long it takes at most until something is deleted."""


class LostError(Exception):
    """A frame is visible, and what it holds is deleted."""


class Writer:
    """The work of one life of a node."""

    def __init__(
        self,
        world: World,
        registers: AsyncRegistry,
        contents: dict[str, Content],
        upload_s: float,
        limits: ControlLimits,
    ) -> None:
        self.registers = registers
        self._world = world
        self._contents = contents
        self._upload_s = upload_s
        self._limits = limits
        self._known: dict[str, tuple[int, Content | None]] = {}
        self._seen: dict[str, int] = {}
        self._deleting: dict[int, asyncio.Task[None]] = {}
        self._deletions = 0

    async def put(self, name: str, tag: int, replace: bool, op: str) -> bool:
        """Make (tag,) visible; False if it was already. Raises as Coordinator.put does."""
        df_id = self._new_df_id(op)
        step = transitions.reserve(name, df_id, replace, op=op)
        return await self._write(name, df_id, step, tag, op, appends=False)

    async def append(self, name: str, tag: int, op: str) -> bool:
        """Make the tag visible behind what is there; False if it was. Raises as `put` does."""
        df_id = self._new_df_id(op)
        step = transitions.reserve(name, df_id, replace=True, append=True, op=op)
        return await self._write(name, df_id, step, tag, op, appends=True)

    async def _write(
        self, name: str, df_id: str, step: transitions.Step, tag: int, op: str, appends: bool
    ) -> bool:
        try:
            entry = await self._change(name, step)
            if transitions.done(entry, op):
                return False
            base = transitions.live(entry)
            content = (*self._content(base), tag) if base is not None and appends else (tag,)
            await self._world.clock.sleep(self._world.rng.random() * self._upload_s)
            self._contents[df_id] = content
            version = 1 if entry is None or base is None else entry.version + 1
            await self._publish(name, df_id, version, base)
            if base is not None and not appends:
                self._delete_later(base)
            return True
        except OutcomeUnknownError:
            raise
        except BaseException:
            await self._give_up(name, df_id)
            raise

    async def _publish(self, name: str, df_id: str, version: int, base: str | None) -> None:
        step = transitions.publish(name, df_id, version, df_id[:8], base)
        wait_s = self._limits.publish_s
        await change(self._world, self.registers, name, step, self._limits, wait_s)

    async def _give_up(self, name: str, df_id: str) -> None:
        with suppress(Error):
            entry = await self._change(name, transitions.abort(df_id))
            if transitions.live(entry) != df_id:
                self._delete_later(df_id)

    def _delete_later(self, df_id: str) -> None:
        """Delete what the register has let go of, while the caller goes on."""
        number = self._deletions
        self._deletions += 1
        task = asyncio.create_task(self._delete(df_id))
        self._deleting[number] = task
        task.add_done_callback(lambda _: self._deleting.pop(number, None))

    async def _delete(self, df_id: str) -> None:
        await self._world.clock.sleep(self._world.rng.random() * DELETE_S)
        self._contents.pop(df_id, None)

    async def drop(self, name: str) -> Content | None:
        """Take away what is visible; what that was."""
        entry = await self._read(name)
        df_id = transitions.live(entry)
        if df_id is None:
            return None
        # It may be replaced and deleted by now; then this takes nothing away.
        content = self._contents.get(df_id, GONE)
        await self._change(name, self._dropped(df_id))
        self._delete_later(df_id)
        return content

    def _dropped(self, df_id: str) -> transitions.Step:
        return transitions.drop(df_id)

    async def get(self, name: str) -> Content | None:
        """What is visible. Raises LostError."""
        return await self._meant(name, await self._read(name))

    async def get_known(self, name: str) -> Content | None:
        """What is visible, which is not read again while the epoch stays."""
        epoch = await retried(self._world, self.registers, self.registers.epoch, self._limits)
        known = self._known.get(name)
        if known is None or known[0] != epoch:
            known = self._known[name] = (epoch, await self.get(name))
        return known[1]

    async def list(self) -> dict[str, Content | None]:
        """What is visible under each name that a register is kept of."""
        found = {}
        async for entry in entries(self._world, self.registers, self._limits):
            found[entry.name] = await self._meant(entry.name, entry)
        return found

    async def sweep(self) -> None:
        """Delete what no register wants, and abort writes that did not go on since the last one."""
        held = list(self._contents)
        wanted: set[str | None] = set()
        before, self._seen = self._seen, {}
        stale: list[tuple[Entry, str]] = []
        async for entry in entries(self._world, self.registers, self._limits):
            wanted |= {transitions.live(entry), transitions.pending(entry)}
            if (df_id := transitions.pending(entry)) is not None:
                self._seen[df_id] = entry.revision
                if before.get(df_id) == entry.revision:
                    stale.append((entry, df_id))
        for df_id in held:
            if df_id not in wanted:
                await self._delete(df_id)
        for entry, df_id in stale:
            await self._change(entry.name, transitions.abort(df_id, entry.revision))

    async def _meant(self, name: str, entry: Entry | None) -> Content | None:
        missing: str | None = None
        while (df_id := transitions.live(entry)) is not None:
            content = self._contents.get(df_id)
            if content is not None:
                return content
            # It may have been replaced or dropped since the register was read.
            if missing == df_id:
                raise LostError(f"{name} means {df_id}, which is deleted")
            missing = df_id
            entry = await self._read(name)
        return None

    def _content(self, df_id: str) -> Content:
        content = self._contents.get(df_id)
        if content is None:
            raise OperationalError("it was dropped meanwhile")
        return content

    def _new_df_id(self, op: str) -> str:
        return self._world.ids.new()

    async def _read(self, name: str) -> Entry | None:
        return await retried(
            self._world, self.registers, lambda: self.registers.read(name), self._limits
        )

    async def _change(self, name: str, step: transitions.Step) -> Entry | None:
        return await change(self._world, self.registers, name, step, self._limits)


GONE: Content = (-1,)
"""What was there and is deleted."""
