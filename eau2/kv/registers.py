"""The registers of names, on the voters of a store: reading them, changing them, listing them.

Owns: the `AsyncRegistry` protocol and what keeps it over a quorum; how an entry is written in the
bytes of a register; and how a step of kv/transitions.py is carried out although answers may be
lost. Comes in: names and steps; goes out: entries. Does not know: chunks, what a step is for, how
voters agree.

An answer that was lost leaves open whether the register was written. Then it is read again and the
step decides anew; it is never taken for a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    BusyError,
    DeadlineError,
    DiskFullError,
    OperationalError,
    OutcomeUnknownError,
    ProtocolError,
    StoreBusyError,
    UnreachableError,
    WithdrawnError,
)
from eau2.kv.quorum import Quorum
from eau2.kv.registry import Entry, State
from eau2.kv.transitions import Step
from eau2.net.message import RegisterEntry
from eau2.net.packing import MessageError, pack, shape, unpack
from eau2.world import World

T = TypeVar("T")

RESERVED = "\0"
"""No name of a frame begins so: the key of a register that is about the cluster itself does."""
_FORMAT = b"\x01"

_NOTHING_DONE = (UnreachableError, BusyError, StoreBusyError, DiskFullError)
"""After these errors a register was surely not written."""


class AsyncRegistry(Protocol):
    """Compare-and-set registers by name; reads and writes are linearizable."""

    @property
    def whom(self) -> str:
        """Who is asked, for messages."""

    async def read(self, name: str) -> Entry | None:
        """What the register of `name` holds (letter case ignored), or None."""

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        """Write `value`, durably, if the register holds exactly `expect`; says whether it did."""

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        """Registers in the order of their folded names after `after`; whether there are more."""

    async def epoch(self) -> int:
        """A number that changes whenever a register does."""


class QuorumRegistry:
    """The registers of names on the voters. Those of the cluster itself begin with RESERVED."""

    def __init__(self, quorum: Quorum) -> None:
        self.quorum = quorum

    @property
    def whom(self) -> str:
        return f"the voters {', '.join(self.quorum.voters)}"

    async def read(self, name: str) -> Entry | None:
        return _decoded(await self.quorum.read(name.lower()))

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        return await self.quorum.cas(name.lower(), _encoded(expect), _encoded(value))

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        found: list[Entry] = []
        start: str | None = after.lower()
        while start is not None and not found:
            page, start = await self.quorum.page(start)
            for key, value in page:
                entry = None if key.startswith(RESERVED) else _decoded(value)
                if entry is not None:
                    found.append(entry)
        return tuple(found), start is not None

    async def epoch(self) -> int:
        return await self.quorum.epoch()


async def change(
    world: World,
    registry: AsyncRegistry,
    name: str,
    step: Step,
    limits: ControlLimits = CONTROL,
    wait_s: float | None = None,
) -> Entry | None:
    """Carry out a step within `wait_s`, or CONTROL.change_s; what the register then held.

    Raises what the step raises; when the registers cannot be asked, their error, or
    OutcomeUnknownError if the step may have been written all the same.
    """
    tried = False
    end = world.clock.now() + (limits.change_s if wait_s is None else wait_s)
    pause = limits.retry_s
    last: OperationalError | None = None
    while True:
        failure: OperationalError = StoreBusyError(f'others keep changing the name "{name}"')
        try:
            entry = await _by(world, registry, end, lambda: registry.read(name), last)
            wanted = step(entry, tried)
            if wanted is None:
                return entry
            try:
                if await registry.cas(name, entry, wanted):
                    return wanted
            except OperationalError as error:
                tried = tried or not isinstance(error, _NOTHING_DONE)
                raise
        except (WithdrawnError, OutcomeUnknownError):
            raise
        except OperationalError as error:
            failure = last = error
        late = world.clock.now() + pause >= end
        if tried and late:
            raise OutcomeUnknownError(
                f'whether the name "{name}" was changed cannot be told: {failure.message}',
                hint="Look at what the name holds when its voters can be reached again.",
            ) from failure
        if not tried and (late or not _passing(failure)):
            raise failure
        pause = await _rest(world, pause, limits)


async def retried(
    world: World,
    registry: AsyncRegistry,
    call: Callable[[], Awaitable[T]],
    limits: ControlLimits = CONTROL,
) -> T:
    """The result of a question that may be asked again, until `change_s` has passed."""
    end = world.clock.now() + limits.change_s
    pause = limits.retry_s
    last: OperationalError | None = None
    while True:
        try:
            return await _by(world, registry, end, call, last)
        except OperationalError as error:
            last = error
            if not _passing(error) or world.clock.now() + pause >= end:
                raise
        pause = await _rest(world, pause, limits)


async def _by(
    world: World,
    registry: AsyncRegistry,
    end: float,
    call: Callable[[], Awaitable[T]],
    last: OperationalError | None,
) -> T:
    """The result of a question, given up at `end`: then `last` is raised, if there is one."""
    left_s = max(0.001, end - world.clock.now())
    try:
        async with asyncio.timeout(left_s) as limit:
            return await call()
    except TimeoutError as error:
        if not limit.expired():
            raise
        late = DeadlineError(f"{registry.whom} did not answer within {left_s:.1f} s")
        raise last or late from error


async def entries(
    world: World, registry: AsyncRegistry, limits: ControlLimits = CONTROL
) -> AsyncIterator[Entry]:
    """All registers, page by page: each page as it is at some moment after the call."""
    after = ""
    more = True
    while more:
        page, more = await retried(world, registry, partial(registry.page, after), limits)
        for entry in page:
            yield entry
            after = entry.name.lower()


async def _rest(world: World, pause: float, limits: ControlLimits) -> float:
    """Wait about `pause` seconds, not all writers equally long; the next pause."""
    await world.clock.sleep(pause * (0.5 + world.rng.random()))
    return min(2 * pause, limits.retry_max_s)


def _passing(error: OperationalError) -> bool:
    """Whether another attempt can help: voters were not heard, or had too much to do."""
    return error.retryable and not isinstance(error, DiskFullError)


def _encoded(entry: Entry | None) -> bytes:
    """An entry as the bytes of a register, always the same ones; none for None."""
    if entry is None:
        return b""
    plain = RegisterEntry(
        entry.name,
        entry.state.value,
        entry.df_id,
        entry.version,
        entry.manifest,
        entry.pending,
        entry.revision,
        entry.op,
        entry.pending_op,
    )
    return _FORMAT + pack(plain, CONTROL.register_bytes)


def _decoded(value: bytes) -> Entry | None:
    """The entry in the bytes of a register. Raises ProtocolError."""
    if not value:
        return None
    if value[:1] != _FORMAT:
        raise ProtocolError(
            f"a register is written in the format {value[0]}, which this eau2 cannot read",
            hint="Another node runs another version of eau2.",
        )
    try:
        plain = unpack(value[1:], CONTROL.register_bytes, tuple)
    except MessageError as error:
        raise ProtocolError(f"a register that cannot be read: {error.message}") from error
    entry: RegisterEntry = shape(RegisterEntry).build(plain)
    try:
        state = State(entry.state)
    except ValueError as error:
        raise ProtocolError(f"a register in the unknown state {entry.state!r}") from error
    return Entry(
        entry.name,
        state,
        entry.df_id,
        entry.version,
        entry.manifest,
        entry.pending,
        entry.revision,
        entry.op,
        entry.pending_op,
    )
