"""A node of a test that answers as eau2.process does: votes by its voter, the rest by its service.

Owns: which of the two answers. Used where there is no whole node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from eau2.kv.acceptor import VOTES, Acceptor
from eau2.kv.service import Service
from eau2.net.connection import Answer
from eau2.net.stream import Received, Stream


def answers(
    service: Service, voter: Acceptor | None
) -> Callable[[Received, Stream], Awaitable[Answer]]:
    """What answers the requests of a node. voter: None if it is none."""

    async def answer(received: Received, stream: Stream) -> Answer:
        if voter is not None and isinstance(received.message, VOTES):
            return await voter.answer(received.message)
        return await service.answer(received, stream)

    return answer
