"""The registers of names, asked over the network: reading them, changing them, listing them.

Owns: the `AsyncRegistry` protocol; the registers of this node's own disk, and those of a voter
elsewhere; and how a step of kv/transitions.py is carried out although answers may be lost.
Comes in: names and steps; goes out: entries. Does not know: chunks, and what a step is for.

An answer that was lost leaves open whether the register was written. Then it is read again and the
step decides anew; it is never taken for a failure. What replaces the one voter (a register
replicated by consensus) keeps this protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    BusyError,
    DiskFullError,
    OperationalError,
    OutcomeUnknownError,
    ProtocolError,
    StoreBusyError,
    UnreachableError,
    WithdrawnError,
)
from eau2.kv.exchange import ask
from eau2.kv.registry import Entry, Registry, State
from eau2.kv.transitions import Step
from eau2.net.message import (
    Epoch,
    Number,
    RegisterEntry,
    RegistryCas,
    RegistryEntries,
    RegistryList,
    RegistryRead,
)
from eau2.world import World, in_thread

T = TypeVar("T")

_NOTHING_DONE = (UnreachableError, BusyError, StoreBusyError, DiskFullError)
"""After these errors a register was surely not written."""


class AsyncRegistry(Protocol):
    """Compare-and-set registers by name; reads and writes are linearizable."""

    async def read(self, name: str) -> Entry | None:
        """What the register of `name` holds (letter case ignored), or None."""

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        """Write `value`, durably, if the register holds exactly `expect`; says whether it did."""

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        """Registers in the order of their folded names after `after`; whether there are more."""

    async def epoch(self) -> int:
        """A number that changes whenever the LIVE frame of any name changes."""


class LocalRegistry:
    """The registers that this node keeps as a voter."""

    def __init__(self, registry: Registry, limits: ControlLimits = CONTROL) -> None:
        self.registry = registry
        self._limits = limits

    async def read(self, name: str) -> Entry | None:
        return await in_thread(lambda: self.registry.read(name))

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        return await in_thread(lambda: self.registry.cas(name, expect, value))

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        return page_of(await in_thread(self.registry.list), after, self._limits.registers_page)

    async def epoch(self) -> int:
        return await in_thread(self.registry.epoch)


class RemoteRegistry:
    """The registers that one voter keeps, asked over the network."""

    def __init__(self, world: World, voter: str, limits: ControlLimits = CONTROL) -> None:
        self._net = world.net
        self._voter = voter
        self._deadline_s = limits.register_s

    async def read(self, name: str) -> Entry | None:
        question = RegistryRead(name)
        found = await ask(self._net, self._voter, question, RegistryEntries, self._deadline_s)
        return from_wire(found.entries[0]) if found.entries else None

    async def cas(self, name: str, expect: Entry | None, value: Entry) -> bool:
        question = RegistryCas(name, None if expect is None else to_wire(expect), to_wire(value))
        done = await ask(self._net, self._voter, question, Number, self._deadline_s)
        return done.value == 1

    async def page(self, after: str) -> tuple[tuple[Entry, ...], bool]:
        question = RegistryList(after)
        found = await ask(self._net, self._voter, question, RegistryEntries, self._deadline_s)
        return tuple(from_wire(entry) for entry in found.entries), found.more

    async def epoch(self) -> int:
        answer = await ask(self._net, self._voter, Epoch(), Number, self._deadline_s)
        return answer.value


def page_of(entries: tuple[Entry, ...], after: str, at_most: int) -> tuple[tuple[Entry, ...], bool]:
    """A page of all entries, which are sorted by their folded names."""
    rest = [entry for entry in entries if not after or entry.name.lower() > after]
    return tuple(rest[:at_most]), len(rest) > at_most


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
    while True:
        failure: OperationalError = StoreBusyError(f'others keep changing the name "{name}"')
        try:
            entry = await registry.read(name)
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
            failure = error
        late = world.clock.now() + pause >= end
        if tried and late:
            raise OutcomeUnknownError(
                f'whether the name "{name}" was changed cannot be told: {failure.message}',
                hint="Look at what the name holds when its voter can be reached again.",
            ) from failure
        if not tried and (late or not _passing(failure)):
            raise failure
        pause = await _rest(world, pause, limits)


async def retried(
    world: World, call: Callable[[], Awaitable[T]], limits: ControlLimits = CONTROL
) -> T:
    """The result of a question that may be asked again, until `change_s` has passed."""
    end = world.clock.now() + limits.change_s
    pause = limits.retry_s
    while True:
        try:
            return await call()
        except OperationalError as error:
            if not _passing(error) or world.clock.now() + pause >= end:
                raise
        pause = await _rest(world, pause, limits)


async def entries(
    world: World, registry: AsyncRegistry, limits: ControlLimits = CONTROL
) -> AsyncIterator[Entry]:
    """All registers, page by page: each page as it is at some moment after the call."""
    after = ""
    more = True
    while more:
        page, more = await retried(world, partial(registry.page, after), limits)
        for entry in page:
            yield entry
            after = entry.name.lower()


async def _rest(world: World, pause: float, limits: ControlLimits) -> float:
    """Wait about `pause` seconds, not all writers equally long; the next pause."""
    await world.clock.sleep(pause * (0.5 + world.rng.random()))
    return min(2 * pause, limits.retry_max_s)


def _passing(error: OperationalError) -> bool:
    """Whether another attempt can help: the voter was not heard, or had too much to do."""
    return error.retryable and not isinstance(error, DiskFullError)


def to_wire(entry: Entry) -> RegisterEntry:
    """An entry as a message's part."""
    return RegisterEntry(
        entry.name,
        entry.state.value,
        entry.df_id,
        entry.version,
        entry.manifest,
        entry.pending,
        entry.revision,
    )


def from_wire(entry: RegisterEntry) -> Entry:
    """The entry that a message tells of. Raises ProtocolError."""
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
    )
