"""A ring whose voters are formed, move and come back, and whose nodes leave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eau2.errors import (
    BusyError,
    UsageError,
)
from eau2.kv.exchange import ask
from eau2.kv.ringsteps import is_formed, leave, membership
from eau2.net.ring_message import (
    LeaveRing,
    Ring,
)
from tests.unit.keepers import Node, Place, addresses, told, until


def test_a_store_of_three_voters_is_formed_when_they_are_there(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a = await place.start("a", voters=3)
        assert not is_formed(a.keeper.ring)
        b = await place.start("b", a.address)
        with pytest.raises(BusyError, match="is being formed by n1"):
            await b.keeper._change(leave("n1", "leaving"))
        # What is formed so far is remembered by whoever is there.
        await place.stop("a", "b")
        a = await place.start("a", listen=a.address)
        b = await place.start("b")
        await until(lambda: [str(n.address) for n in (a, b)] == addresses(a.keeper.ring))
        assert not is_formed(a.keeper.ring)
        place.cells.voters = ["n1", "n2", "n3"]
        c = await place.start("c", b.address)
        assert c.keeper.ring.voters == ("n1", "n2", "n3")
        await until(lambda: a.keeper.ring == b.keeper.ring == c.keeper.ring)
        assert all(node.keeper.is_voter for node in (a, b, c))
        d = await place.start("d", c.address)
        assert (d.keeper.name, d.keeper.is_voter) == ("n4", False)
        assert d.keeper.ring.voters == ("n1", "n2", "n3")

    told(tmp_path, story)


def test_voters_that_have_all_moved_find_one_another(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        await until(lambda: len(c.keeper.ring.members) == 3)
        await place.stop("a", "b", "c")
        place.cells.voters = ["n1", "n2"]
        a = await place.start("a")
        b = await place.start("b", a.address)
        # Before the register has it, n1 knows where n2 is: it needs it to write the register.
        assert await a.number("n2") == 2
        await until(lambda: addresses(a.keeper.ring)[1] == str(b.address))
        c = await place.start("c", b.address)
        await until(lambda: [str(n.address) for n in (a, b, c)] == addresses(c.keeper.ring))

    told(tmp_path, story)


def test_a_node_leaves_and_is_taken_back(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        ring = await ask(a.net, "n2", LeaveRing("n3", "leaving"), Ring, 2.0)
        assert membership(ring).leaving == ("n3",)
        await until(lambda: a.keeper.ring == b.keeper.ring == c.keeper.ring == ring)
        with pytest.raises(UsageError, match="there is no node 'n9'"):
            await ask(a.net, "n2", LeaveRing("n9", "leaving"), Ring, 2.0)
        await ask(a.net, "n2", LeaveRing("n2", "leaving"), Ring, 2.0)
        with pytest.raises(UsageError, match="n1 is the last node that stays"):
            await ask(a.net, "n2", LeaveRing("n1", "left"), Ring, 2.0)
        await ask(a.net, "n2", LeaveRing("n2", "in"), Ring, 2.0)
        await ask(a.net, "n2", LeaveRing("n3", "in"), Ring, 2.0)
        await a.keeper.lose("n3")
        # It is there all the same, and says so.
        await until(lambda: membership(c.keeper.ring).leaving == ())

    told(tmp_path, story)


@pytest.mark.parametrize("way", ["removed", "drained", "lost while it was leaving"])
def test_a_node_that_was_to_leave_stays_out(tmp_path: Path, way: str) -> None:
    async def story(place: Place) -> None:
        a, _, c = await place.three()
        await until(lambda: len(c.keeper.ring.members) == 3)
        if way != "removed":
            await ask(a.net, "n1", LeaveRing("n3", "leaving"), Ring, 2.0)
        match way:
            case "removed":
                await ask(a.net, "n1", LeaveRing("n3", "left"), Ring, 2.0)
            case "drained":
                await c.keeper.lose("n3")
            case _:
                # It may hold what nobody else has: it alone says that it has left.
                await a.keeper.lose("n3")
                assert state(a) == "leaving"
                await c.keeper.lose("n3")
        await until(lambda: state(c) == "left")
        # It asks for the ring several times meanwhile, and does not join.
        await asyncio.sleep(0.3)
        assert state(a) == state(c) == "left"
        await place.stop("c")
        c = await place.start("c", a.address)
        await until(lambda: addresses(a.keeper.ring)[2] == str(c.address))
        assert state(a) == state(c) == "left"
        await ask(a.net, "n3", LeaveRing("n3", "in"), Ring, 2.0)
        await until(lambda: state(a) == state(c) == "in")

    told(tmp_path, story)


def state(node: Node) -> str:
    """Of n3, as a node knows it."""
    return node.keeper.ring.members[2].state


def test_whose_address_another_has_taken_has_left(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, _, c = await place.three()
        await until(lambda: len(a.keeper.ring.members) == 3)
        address = c.address
        await place.stop("c")
        d = await place.start("d", a.address, address)
        states = [(member.name, member.state) for member in d.keeper.ring.members]
        assert states == [("n1", "in"), ("n2", "in"), ("n3", "left"), ("n4", "in")]
        c = await place.start("c")
        await until(lambda: membership(c.keeper.ring).leaving == ())

    told(tmp_path, story)
