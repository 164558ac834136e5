"""A simulated network: what is sent may be late, lost, cut off or, as a whole request, doubled.

Every message passes through the codec when it is sent, so that nothing is shared between nodes.
Within one talk and direction the order is kept, as TCP keeps it: after a loss nothing more comes.
A doubled request is one that somebody sent again after losing the answer: nobody hears its answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eau2.errors import (
    CancelledError,
    DeadlineError,
    Error,
    PeerLostError,
    ProtocolError,
    UnreachableError,
)
from eau2.net.codec import decode_message, decode_request, encode_message, kind_of
from eau2.net.connection import Answer
from eau2.net.frame import Buffer
from eau2.net.header import Kind
from eau2.net.message import Cancel, Done, ErrorMessage, Message, Request
from eau2.net.stream import Received, raised, told
from eau2.torture.chance import Chance
from eau2.world import Talk


class Host(Protocol):
    """One life of a node, as the network sees it."""

    name: str
    alive: bool
    ends: dict[int, End]

    async def thaw(self) -> None:
        """Wait until the node is not stopped. Raises asyncio.CancelledError if it is dead."""

    async def answer(self, received: Received, talk: Talk) -> Answer:
        """Answer a request."""

    def keep(self, task: asyncio.Task[None]) -> None:
        """Let a task live as long as the host."""


@dataclass(slots=True)
class Network:
    """The wires between all nodes. cut: pairs (from, to) between which nothing passes."""

    chance: Chance
    drop: float = 0.0
    double: float = 0.0
    delay_s: float = 0.001
    cut: set[tuple[str, str]] = field(default_factory=set)
    hosts: dict[str, Host] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    numbers: int = 0
    doubled_until_s: float = 0.0
    """When the last of the requests that were doubled arrives, by the loop's time."""

    def travel_s(self, here: str, there: str) -> float:
        """How long a message is under way."""
        return 0.0001 if here == there else 0.0005 + self.chance.exponential(self.delay_s)

    def passes(self, here: str, there: str) -> bool:
        """Whether a message that arrives now was not lost."""
        if here == there:
            return True
        return (here, there) not in self.cut and self.chance.random() >= self.drop

    def new_end(self, host: Host, peer: str, deadline_s: float) -> End:
        """One end of a new talk."""
        self.numbers += 1
        return End(self, self.numbers, host, peer, deadline_s)


class End:
    """One end of a talk: eau2.world.Talk. Without another end, what is said vanishes."""

    def __init__(
        self, network: Network, number: int, host: Host, peer: str, deadline_s: float
    ) -> None:
        self.number = number
        self.host = host
        self.peer = peer
        self.other: End | None = None
        self.task: asyncio.Task[None] | None = None
        self.deadline_s = deadline_s
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + deadline_s
        self._inbox: deque[Received] = deque()
        self._error: Error | None = None
        self._said_end = False
        self._heard_end = False
        self._lost = False
        self._last = 0.0
        self._change: asyncio.Future[None] | None = None
        host.ends[number] = self

    async def send(
        self, message: Message, payload: Sequence[Buffer] = (), end: bool = False
    ) -> None:
        await self.host.thaw()
        await asyncio.sleep(0)
        await self.host.thaw()
        if self._error is not None:
            raise self._error
        if self._heard_end and self.task is None:
            raise ProtocolError(f"{self.peer} answered before it had been told all")
        self._say(message, b"".join(bytes(part) for part in payload), end)

    async def finish(self) -> None:
        if not self._said_end and self._error is None:
            await self.send(Done(), end=True)

    async def receive(self) -> Received | None:
        while not self._inbox:
            await self.host.thaw()
            if self._error is not None:
                raise self._error
            if self._heard_end:
                return None
            await self._wait()
        await self.host.thaw()
        return self._inbox.popleft()

    def cancel(self) -> None:
        if self.task is None and not self._heard_end and self._error is None:
            self._error = CancelledError("the request was cancelled")
            if self.host.alive:
                self._say(Cancel(), b"", False)

    def tell_error(self, error: BaseException) -> None:
        """Answer with an error."""
        if not self._said_end and self._error is None:
            self._say(told(error), b"", True)

    def fail(self, error: Error) -> None:
        """The talk is over."""
        if self._error is None and not self._heard_end:
            self._error = error
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def _wait(self) -> None:
        self._change = self._loop.create_future()
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._change
        except TimeoutError:
            await self.host.thaw()
            self.cancel()
            raise DeadlineError(
                f"{self.peer} did not answer within {self.deadline_s:g} s"
            ) from None

    def _say(self, message: Message, payload: bytes, end: bool) -> None:
        self._said_end = self._said_end or end
        self.carry(kind_of(message), encode_message(message), payload, end)

    def carry(self, kind: Kind, control: bytes, payload: bytes, end: bool) -> None:
        """Put an encoded message on its way to the other end."""
        here, there = self.host.name, self.peer
        travel = self._network.travel_s(here, there)
        self._last = max(self._last + 1e-6, self._loop.time() + travel)
        self._loop.call_at(self._last, self._arrive, kind, control, payload, end)

    def _arrive(self, kind: Kind, control: bytes, payload: bytes, end: bool) -> None:
        if self._lost or self.other is None:
            return
        if not self._network.passes(self.host.name, self.peer) or not self.other.host.alive:
            self._lost = True
            self.break_later()
            return
        self._network.chance.note("arrive", self.number, kind.name, payload, end)
        self.other.hear(decode_message(kind, control), payload, end)

    def hear(self, message: Message, payload: bytes, end: bool) -> None:
        """A message has come."""
        match message:
            case Cancel():
                if self.task is not None:
                    self.task.cancel()
            case ErrorMessage():
                self.fail(raised(message))
            case Done():
                pass
            case _:
                self._inbox.append(Received(message, memoryview(payload)))
        self._heard_end = self._heard_end or end
        self.wake()

    def break_later(self) -> None:
        """Now and then a lost connection is noticed before the deadline."""
        if self._network.chance.random() < 0.5:
            delay = self._network.chance.random()
            for end in (self, self.other):
                if end is not None:
                    error = PeerLostError(f"the connection to {end.peer} was lost")
                    self._loop.call_later(delay, end.fail, error)


class SimNet:
    """eau2.world.Net for one life of a node."""

    def __init__(self, network: Network, host: Host) -> None:
        self._network = network
        self._host = host
        self._loop = asyncio.get_running_loop()

    async def open(
        self,
        node: str,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float,
        query: str = "",
        end: bool = False,
    ) -> Talk:
        assert not payload, "no request of the control plane opens with a payload"
        await self._host.thaw()
        network = self._network
        talk = network.new_end(self._host, node, deadline_s)
        control = encode_message(message, Request(deadline_s))
        await self._connect(node)
        travel = network.travel_s(self._host.name, node)
        kind = kind_of(message)
        self._loop.call_later(travel, self._arrive, kind, control, talk, end, False)
        talk._last = self._loop.time() + travel
        if end and network.chance.random() < network.double:
            later = travel + network.chance.exponential(network.delay_s * 100)
            self._loop.call_later(later, self._arrive, kind, control, talk, end, True)
            due_s = self._loop.time() + later
            network.doubled_until_s = max(network.doubled_until_s, due_s)
        return talk

    async def _connect(self, node: str) -> None:
        """A node that is down refuses, or is not heard of."""
        await asyncio.sleep(self._network.travel_s(self._host.name, node))
        await self._host.thaw()
        if not self._network.hosts[node].alive and self._network.chance.random() < 0.5:
            raise UnreachableError(f"nobody listens at {node}")

    def _arrive(self, kind: Kind, control: bytes, talk: End, end: bool, ghost: bool) -> None:
        network, host = self._network, self._network.hosts[talk.peer]
        if not host.alive or not network.passes(self._host.name, talk.peer):
            if not ghost:
                talk.break_later()
            return
        network.chance.note("ask", talk.number, kind.name, control, ghost)
        request, message = decode_request(kind, control)
        answering = network.new_end(host, self._host.name, request.deadline_s)
        answering.task = self._loop.create_task(self._serve(host, message, answering))
        host.keep(answering.task)
        answering._heard_end = end
        if not ghost:
            answering.other, talk.other = talk, answering

    async def _serve(self, host: Host, message: Message, talk: End) -> None:
        """What eau2.net.connection does around its handler."""
        try:
            async with asyncio.timeout(talk.deadline_s):
                answer = await host.answer(Received(message), talk)
                said, payload = answer if isinstance(answer, tuple) else (answer, ())
                if said is not None:
                    await talk.send(said, payload, end=True)
                else:
                    await talk.finish()
        except TimeoutError:
            talk.tell_error(DeadlineError(f"{host.name} was too slow"))
        except Error as error:
            talk.tell_error(error)
        except Exception as error:
            self._network.unexpected.append(f"{type(message).__name__}: {error!r}")
            talk.tell_error(error)
        finally:
            host.ends.pop(talk.number, None)
