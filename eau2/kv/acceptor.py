"""A voter of the registers: what it promises and accepts, and that it says so only once durable.

Owns: the rule by which a cell changes (the acceptor of CASPaxos, Rystsov 2018), and that requests
are decided one after the other, several in one write of the store. Comes in: ballots and values;
goes out: cells, as they are on the disk. Does not know: proposers, names, what a value means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from eau2.config import CONTROL, ControlLimits
from eau2.errors import BusyError, ProtocolError
from eau2.kv.register_store import Ballot, Cell, Page, RegisterStore
from eau2.net.message import (
    Accept,
    Fingerprint,
    Message,
    Number,
    Peek,
    PeekPage,
    Prepare,
    Vote,
    Votes,
)
from eau2.records import Struct
from eau2.records import replace as changed
from eau2.world import in_thread

T = TypeVar("T")

VOTES = (Prepare, Accept, Peek, PeekPage, Fingerprint)
"""What a voter is asked."""


class Run(Protocol):
    """Does work that waits for a disk, and gives its result: eau2.world.in_thread."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """The result of `call`."""


class _Request(Struct):
    """Somebody waits for a cell to be changed by a step."""

    key: str
    step: Callable[[Cell], Cell]
    answer: asyncio.Future[Cell]


class Acceptor:
    """One voter, over the store that it alone writes. All calls raise what the store raises."""

    def __init__(
        self,
        node: str,
        store: RegisterStore,
        run: Run = in_thread,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """run: how the store's calls are made, which wait for a disk."""
        self.node = node
        self.store = store
        self._run = run
        self._limits = limits
        self._waiting: list[_Request] = []
        self._deciding: asyncio.Task[None] | None = None

    async def prepare(self, key: str, ballot: Ballot) -> Cell:
        """Promise to accept no lower ballot; the cell, whose `promised` is higher if refused."""
        return await self._changed(key, lambda cell: self._promised(cell, ballot))

    async def accept(self, key: str, ballot: Ballot, value: bytes) -> Cell:
        """Accept a value; the cell, whose `accepted` is not `ballot` if that was refused."""
        return await self._changed(key, lambda cell: self._accepted(cell, ballot, value))

    async def peek(self, key: str) -> Cell:
        """The cell as it is."""
        return await self._run(lambda: self.store.read(key))

    async def page(self, after: str) -> Page:
        """Cells in the order of their keys after `after`; whether there are more."""
        limits = self._limits
        cells, more = await self._run(lambda: self.store.page(after, limits.registers_page))
        room = limits.page_bytes
        for number, (_, cell) in enumerate(cells):
            room -= len(cell.value)
            if room < 0 and number:
                return cells[:number], True
        return cells, more

    def fingerprint(self) -> int:
        """See RegisterStore.fingerprint. From any thread."""
        return self.store.fingerprint()

    async def answer(self, request: Message) -> Message:
        """Answer a proposer's message. Raises ProtocolError for one that is none."""
        match request:
            case Prepare(key, ballot):
                return _vote(await self.prepare(key, Ballot(*ballot)))
            case Accept(key, ballot, value):
                return _vote(changed(await self.accept(key, Ballot(*ballot), value), value=b""))
            case Peek(key):
                return _vote(await self.peek(key))
            case PeekPage(after):
                cells, more = await self.page(after)
                return Votes(tuple((key, cell.accepted, cell.value) for key, cell in cells), more)
            case Fingerprint():
                return Number(self.fingerprint())
        raise ProtocolError(f"node {self.node} does not answer a {type(request).__name__}")

    async def close(self) -> None:
        """Decide nothing more; what is being written is waited for."""
        for request in self._waiting:
            if not request.answer.done():
                request.answer.set_exception(BusyError(f"node {self.node} is stopping"))
        self._waiting.clear()
        if self._deciding is not None:
            await asyncio.gather(self._deciding, return_exceptions=True)

    def _promised(self, cell: Cell, ballot: Ballot) -> Cell:
        return changed(cell, promised=ballot) if ballot > cell.promised else cell

    def _accepted(self, cell: Cell, ballot: Ballot, value: bytes) -> Cell:
        if ballot < cell.promised:
            return cell
        after = Cell(ballot, ballot, value)
        return cell if after == cell else after

    async def _changed(self, key: str, step: Callable[[Cell], Cell]) -> Cell:
        request = _Request(key, step, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._deciding is None:
            self._deciding = asyncio.create_task(self._decide())
        return await request.answer

    async def _decide(self) -> None:
        """Decide what waits, and what comes meanwhile; each write of the store takes it all."""
        at_once = self._limits.votes_at_once
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:at_once], self._waiting[at_once:]
                await self._decide_together(batch)
        finally:
            self._deciding = None

    async def _decide_together(self, batch: Sequence[_Request]) -> None:
        try:
            cells = await self._run(lambda: _decided(self.store, batch))
        except Exception as error:
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(error)
            return
        except BaseException:
            for request in batch:
                request.answer.cancel()
            raise
        for request, cell in zip(batch, cells, strict=True):
            if not request.answer.done():
                request.answer.set_result(cell)


def _decided(store: RegisterStore, batch: Sequence[_Request]) -> list[Cell]:
    """The cells after each request, in order; durable."""
    now: dict[str, Cell] = {}
    written: dict[str, Cell] = {}
    answers = []
    for request in batch:
        before = now.get(request.key) or store.read(request.key)
        after = request.step(before)
        if after is not before:
            written[request.key] = after
        now[request.key] = after
        answers.append(after)
    if written:
        store.write(tuple(written.items()))
    return answers


def _vote(cell: Cell) -> Vote:
    return Vote(cell.promised, cell.accepted, cell.value)


def cell_of(vote: Any) -> Cell:
    """The cell that a Vote tells of."""
    return Cell(Ballot(*vote.promised), Ballot(*vote.accepted), vote.value)
