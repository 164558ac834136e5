"""What one node learns of the others: what they say, and what is made of their silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from eau2.catalog import ChunkKey, ChunkRef
from eau2.config import ControlLimits
from eau2.errors import UnreachableError
from eau2.kv.liveness import Health
from eau2.kv.status import NodeStatus, Place
from eau2.kv.survey import Survey, places
from eau2.net.message import Message, NodeDescription, NodeInfo
from eau2.net.ring_message import Held, HeldWrites, Holdings, Member, Ring
from eau2.net.stream import Received
from eau2.records import replace
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, World

EPOCH = 7
LIMITS = ControlLimits(describe_s=0.1, holdings_s=0.1)


def said(name: str, looked: int = EPOCH, missing: int = 0) -> NodeDescription:
    return NodeDescription(
        *(name, "eau2://x", "store", "eau2", 1, 2, 300, 4, 5.25), looked, missing, 1
    )


class Answers:
    """A net on which each node has one answer for all; an error is raised, None never comes."""

    def __init__(self, answers: Mapping[str, Message | Exception | None]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def open(self, node: str, message: Message, **_: Any) -> _Talk:
        self.asked.append(node)
        assert isinstance(message, NodeInfo | Holdings)
        answer = self.answers[node]
        if isinstance(answer, Exception):
            raise answer
        return _Talk(answer)


class _Talk:
    def __init__(self, answer: Message | None) -> None:
        self.answer = answer

    async def receive(self) -> Received:
        if self.answer is None:
            await asyncio.sleep(60)
        assert self.answer is not None
        return Received(self.answer)

    def cancel(self) -> None:
        """Nothing more is wanted."""


def survey(net: Answers, tmp_path: Path, down: Sequence[str] = (), wanted: int = 1) -> Survey:
    names = sorted(net.answers)
    members = tuple(Member(name, name, f"127.0.0.1:{1 + i}") for i, name in enumerate(names))
    ring = Ring("store", EPOCH, members, ("n1",), wanted)
    world = World(LoopClock(), SystemRng(), SystemIds(), net, FileDisk(tmp_path))  # type: ignore[arg-type]
    return Survey(world, lambda: ring, lambda n: Health.DOWN if n in down else Health.UP, LIMITS)


def nodes(net: Answers, tmp_path: Path, **options: Any) -> tuple[NodeStatus, ...]:
    return asyncio.run(survey(net, tmp_path, **options).nodes())


def test_what_nodes_say(tmp_path: Path) -> None:
    net = Answers({"n1": said("n1"), "n2": said("n2"), "n3": said("n3", missing=3)})
    first, second, third = nodes(net, tmp_path)
    known = NodeStatus("n1", "eau2://127.0.0.1:1", "in", "up", True, False, 2, 300, 0, 1, 4)
    assert first == replace(known, uptime_s=5.2, software="eau2")
    assert [node.may_fail for node in (first, second, third)] == [False, False, True]
    assert third.missing == 3


def test_who_has_not_looked_since_the_ring_changed_may_lack_anything(tmp_path: Path) -> None:
    net = Answers({"n1": said("n1"), "n2": said("n2"), "n3": said("n3", EPOCH - 1)})
    assert [node.missing for node in nodes(net, tmp_path)] == [0, 0, None]
    assert [node.may_fail for node in nodes(net, tmp_path)] == [False, False, True]


@pytest.mark.parametrize("silence", [UnreachableError("nobody listens"), None])
def test_silence_is_short_and_counts_as_failure(tmp_path: Path, silence: Exception | None) -> None:
    net = Answers({"n1": said("n1"), "n2": said("n2"), "n3": silence})
    start = time.monotonic()
    found = nodes(net, tmp_path)
    assert time.monotonic() - start < 5
    assert found[2] == NodeStatus("n3", "eau2://127.0.0.1:3", "in", "up", False, True)
    assert [node.may_fail for node in found] == [False, False, True]


def test_who_is_down_is_not_asked(tmp_path: Path) -> None:
    net = Answers({"n1": said("n1"), "n2": said("n2"), "n3": None})
    assert nodes(net, tmp_path, down=["n3"])[2].health == "down"
    assert net.asked == ["n1", "n2"]


def test_a_store_that_is_being_formed_has_no_voters(tmp_path: Path) -> None:
    net = Answers({"n1": said("n1"), "n2": said("n2"), "n3": said("n3")})
    found = nodes(net, tmp_path, wanted=3)
    assert [(node.voter, node.may_fail) for node in found] == [(False, False)] * 3


def chunk(number: int, slot: int) -> ChunkRef:
    return ChunkRef(ChunkKey("d", number), 1, 1, "", (), (), slot, 3)


def test_where_chunks_are(tmp_path: Path) -> None:
    both = HeldWrites((Held("d", True, ((0, 2),)),))
    net = Answers({"n1": both, "n2": HeldWrites(()), "n3": both})
    chunks = [chunk(0, 0), chunk(1, 2), chunk(2, 1)]
    found = asyncio.run(survey(net, tmp_path).sources(chunks))
    assert places(*found, chunks) == (
        Place(("n1", "n2"), ("n1", "n3")),
        Place(("n3", "n1"), ("n3", "n1")),
        Place(("n2", "n3"), ()),
    )


def test_where_chunks_are_when_nobody_answers(tmp_path: Path) -> None:
    net = Answers({"n1": None, "n2": UnreachableError("nobody listens"), "n3": None})
    chunks = [chunk(0, 0)]
    found = asyncio.run(survey(net, tmp_path, down=["n3"]).sources(chunks))
    assert places(*found, chunks) == (Place(("n1", "n2"), None),)
    assert net.asked == ["n1", "n2"]
