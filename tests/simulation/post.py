"""A simulated network of questions that have one answer each: all that registers need, and quick.

As in tests.simulation.network, every message passes through the codec when it is sent, may be late,
lost, cut off or doubled, and a lost connection is noticed soon or not at all. There are no streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from eau2.errors import Error, PeerLostError, UnreachableError
from eau2.net.codec import decode_message, decode_request, encode_message, kind_of
from eau2.net.frame import Buffer
from eau2.net.header import Kind
from eau2.net.message import ErrorMessage, Message, Request
from eau2.net.stream import Received, raised, told
from eau2.world import Talk
from tests.simulation.chance import Chance

_NOTHING = memoryview(b"")

# Messages are frozen, so the same bytes may be the same object.
_encoded = lru_cache(4096)(encode_message)
_decoded = lru_cache(4096)(decode_message)
_decoded_request = lru_cache(4096)(decode_request)


class Addressee(Protocol):
    """One life of a node, as the post sees it."""

    name: str
    alive: bool

    async def thaw(self) -> None:
        """Wait until the node is not stopped. Raises asyncio.CancelledError if it is dead."""

    async def answer(self, message: Message) -> Message:
        """Answer a question."""

    def keep(self, task: asyncio.Task[None]) -> None:
        """Let a task live as long as the node."""


@dataclass(slots=True)
class Post:
    """The wires between all nodes. cut: pairs (from, to) between which nothing passes."""

    chance: Chance
    loop: asyncio.AbstractEventLoop
    drop: float = 0.0
    double: float = 0.0
    delay_s: float = 0.001
    cut: set[tuple[str, str]] = field(default_factory=set)
    nodes: dict[str, Addressee] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def travel_s(self) -> float:
        """How long a message is under way."""
        return 0.0005 + self.chance.exponential(self.delay_s)

    def passes(self, here: str, there: str) -> bool:
        """Whether a message that arrives now was not lost."""
        return (here, there) not in self.cut and self.chance.random() >= self.drop


class Letter:
    """A question under way, and its answer: eau2.world.Talk at the end of whoever asked."""

    def __init__(self, post: Post, asker: Addressee, node: str) -> None:
        self._post = post
        self._asker = asker
        self._node = node
        self._answer: asyncio.Future[Message] = post.loop.create_future()
        self._serving: asyncio.Task[None] | None = None

    async def receive(self) -> Received | None:
        answer = await self._answer
        await self._asker.thaw()
        if isinstance(answer, ErrorMessage):
            raise raised(answer)
        return Received(answer, _NOTHING)

    async def send(
        self, message: Message, payload: Sequence[Buffer] = (), end: bool = False
    ) -> None:
        raise AssertionError("a question is one message")

    async def finish(self) -> None:
        raise AssertionError("a question is one message")

    def cancel(self) -> None:
        if not self._answer.done():
            self._answer.cancel()
            if self._asker.alive:
                self._post.loop.call_later(self._post.travel_s(), self._give_up)

    def _give_up(self) -> None:
        if self._serving is not None and self._post.passes(self._asker.name, self._node):
            self._serving.cancel()

    def arrive(self, kind: Kind, control: bytes, ghost: bool) -> None:
        """The question comes to its node; a ghost is one whose answer nobody hears."""
        post = self._post
        node = post.nodes[self._node]
        if not node.alive or not post.passes(self._asker.name, self._node):
            if not ghost:
                self._lose()
            return
        post.chance.mark(kind, control)
        _, message = _decoded_request(kind, control)
        task = post.loop.create_task(self._serve(node, message, ghost))
        node.keep(task)
        if not ghost:
            self._serving = task

    async def _serve(self, node: Addressee, message: Message, ghost: bool) -> None:
        try:
            answer = await node.answer(message)
        except Error as error:
            answer = told(error)
        except Exception as error:
            self._post.unexpected.append(f"{type(message).__name__}: {error!r}")
            answer = told(error)
        await node.thaw()
        if not ghost:
            control = _encoded(answer)
            travel = self._post.travel_s()
            self._post.loop.call_later(travel, self._hear, node, kind_of(answer), control)

    def _hear(self, node: Addressee, kind: Kind, control: bytes) -> None:
        self._serving = None
        if self._answer.done() or not self._asker.alive:
            return
        if not node.alive or not self._post.passes(self._node, self._asker.name):
            self._lose()
            return
        self._post.chance.mark(kind, control)
        self._answer.set_result(_decoded(kind, control))

    def _lose(self) -> None:
        """Now and then a lost connection is noticed before the deadline."""
        if self._post.chance.random() < 0.5:
            self._post.loop.call_later(self._post.chance.random(), self._break)

    def _break(self) -> None:
        if not self._answer.done():
            self._answer.set_result(told(PeerLostError(f"the connection to {self._node} was lost")))


class PostNet:
    """eau2.world.Net for one life of a node."""

    def __init__(self, post: Post, asker: Addressee) -> None:
        self._post = post
        self._asker = asker

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
        assert end
        assert not payload
        await self._asker.thaw()
        post = self._post
        kind, control = kind_of(message), _encoded(message, Request(deadline_s))
        if not post.nodes[node].alive and post.chance.random() < 0.5:
            await asyncio.sleep(post.travel_s())
            raise UnreachableError(f"nobody listens at {node}")
        letter = Letter(post, self._asker, node)
        travel = post.travel_s()
        post.loop.call_later(travel, letter.arrive, kind, control, False)
        if post.double and post.chance.random() < post.double:
            later = travel + post.chance.exponential(post.delay_s * 100)
            post.loop.call_later(later, letter.arrive, kind, control, True)
        return letter
