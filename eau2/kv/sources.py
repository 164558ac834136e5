"""Who has copies of which files: other nodes asked, page by page.

Owns: asking for holdings within the bounds of a message, and what was said. Comes in: nodes and
writes; goes out: the nodes that have a chunk or a manifest. Does not know: whether what they have
is whole, who should have it.
"""

from __future__ import annotations

from collections.abc import Sequence

from eau2.catalog import ChunkKey
from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error, ProtocolError
from eau2.kv.exchange import ask, gathered
from eau2.kv.inventory import covers
from eau2.net.ring_message import HeldWrites, Holdings
from eau2.records import Record, Struct, field
from eau2.world import World


class _Said(Struct):
    """What a node has of one write: ranges of chunk numbers, and perhaps the manifest."""

    manifest: bool = False
    chunks: list[tuple[int, int]] = field(default_factory=list)


class Sources(Record, frozen=True):
    """nodes: those that answered; each with what it has."""

    nodes: dict[str, dict[str, _Said]]

    def of_chunk(self, key: ChunkKey) -> tuple[str, ...]:
        """The nodes that have a chunk."""
        return tuple(
            node
            for node, said in self.nodes.items()
            if key.df_id in said and covers(said[key.df_id].chunks, key.number)
        )

    def of_manifest(self, df_id: str) -> tuple[str, ...]:
        """The nodes that have the manifest of a write."""
        return tuple(
            node for node, said in self.nodes.items() if df_id in said and said[df_id].manifest
        )


async def sources(
    world: World, nodes: Sequence[str], df_ids: Sequence[str], limits: ControlLimits = CONTROL
) -> Sources:
    """What the nodes have of some writes. Who does not answer has nothing. Raises nothing."""
    if not df_ids:
        return Sources({})
    said = await gathered([_said(world, node, df_ids, limits) for node in nodes])
    return Sources({node: each for node, each in zip(nodes, said, strict=True) if each is not None})


async def _said(
    world: World, node: str, df_ids: Sequence[str], limits: ControlLimits
) -> dict[str, _Said] | None:
    found: dict[str, _Said] = {}
    try:
        for start in range(0, len(df_ids), limits.holdings_writes):
            some = tuple(df_ids[start : start + limits.holdings_writes])
            await _page(world, node, some, found, limits)
    except Error:
        return None
    return found


async def _page(
    world: World, node: str, asked: tuple[str, ...], found: dict[str, _Said], limits: ControlLimits
) -> None:
    """Ask for writes that one question has room for, until all is said. Raises Error."""
    first = 0
    while True:
        question = Holdings(asked, first)
        answer = await ask(world.net, node, question, HeldWrites, limits.holdings_s)
        for held in answer.held:
            said = found.setdefault(held.df_id, _Said())
            said.manifest = said.manifest or held.manifest
            said.chunks += held.chunks
        if not answer.more:
            return
        last = answer.held[-1] if answer.held else None
        if last is None or last.df_id not in asked:
            raise ProtocolError("it said that there is more, and not of which write")
        place = asked.index(last.df_id)
        after = sum(last.chunks[-1]) if last.chunks else 0
        if place == 0 and after <= first:
            raise ProtocolError("it says the same holdings again and again")
        asked, first = asked[place:], after
