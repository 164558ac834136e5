"""How nodes come into a ring, come back with other addresses, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eau2.errors import (
    BusyError,
    DiskFullError,
    Error,
    HandshakeError,
    ProtocolError,
    UnreachableError,
    UsageError,
)
from eau2.kv.exchange import ask, tell
from eau2.net.client import connect
from eau2.net.message import Fingerprint, Message
from eau2.net.ring_message import (
    GetRing,
    Join,
    Member,
    Ring,
    RingChanged,
)
from tests.unit.keepers import ANY, Node, Place, addresses, told, until


def test_a_new_store_has_one_node(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        node = await place.start("a")
        ring = node.keeper.ring
        assert ring.members == (Member("n1", node.data.identity.id, str(node.address)),)
        assert (ring.voters, node.keeper.is_voter, node.keeper.name) == (("n1",), True, "n1")
        assert len(ring.store_id) == 32
        assert node.rings == [ring]
        assert node.data.ring == ring
        assert node.keeper.membership.slots == ("n1",)
        node.data.registers().close()
        assert await node.number("n1") == 1

    told(tmp_path, story)


def test_nodes_join_through_any_node_and_all_learn_of_it(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a = await place.start("a")
        b = await place.start("b", a.address)
        c = await place.start("c", b.address)
        nodes = (a, b, c)
        await until(lambda: all(len(node.keeper.ring.members) == 3 for node in nodes))
        assert a.keeper.ring == b.keeper.ring == c.keeper.ring
        assert [node.keeper.name for node in nodes] == ["n1", "n2", "n3"]
        assert a.keeper.membership.slots == ("n1", "n2", "n3")
        assert a.keeper.membership.voters == ("n1",)
        assert [node.keeper.is_voter for node in nodes] == [True, False, False]
        for node in nodes:
            assert [await node.number(f"n{number}") for number in (1, 2, 3)] == [1, 2, 3]
            assert node.rings[-1] == a.keeper.ring
            assert node.data.ring == a.keeper.ring
            assert await ask(a.net, node.keeper.name, GetRing(), Ring, 1.0) == a.keeper.ring

    told(tmp_path, story)


def test_a_name_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        # As if b had heard nothing of c.
        await until(lambda: len(b.keeper.ring.members) == 3)
        b.net.update({"n1": a.address, "n2": b.address})
        b.keeper._ring = a.keeper.ring.__class__(
            a.keeper.ring.store_id, 2, a.keeper.ring.members[:2], ("n1",)
        )
        assert await b.number("n3") == 3
        with pytest.raises(UnreachableError, match=r"nobody knows the address .* 'n9'"):
            await b.number("n9")
        assert c.keeper.name == "n3"

    told(tmp_path, story)


def test_nodes_come_back_with_their_names_and_other_addresses(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        ids = [node.data.identity.id for node in (a, b, c)]
        store_id = a.keeper.ring.store_id
        await place.stop("a", "b", "c")
        # The others come first, without --join; the voter does not know where they are now, nor
        # they where it is, until it comes up at its address.
        b, c = await place.start("b"), await place.start("c")
        assert (b.keeper.name, c.keeper.name) == ("n2", "n3")
        with pytest.raises(Error):
            await b.number("n1")
        a = await place.start("a", listen=a.address)
        await until(lambda: [str(n.address) for n in (a, b, c)] == addresses(a.keeper.ring))
        await until(lambda: a.keeper.ring == b.keeper.ring == c.keeper.ring)
        assert [member.id for member in a.keeper.ring.members] == ids
        assert a.keeper.ring.store_id == store_id
        for node in (a, b, c):
            assert [await node.number(f"n{number}") for number in (1, 2, 3)] == [1, 2, 3]

    told(tmp_path, story)


def test_the_voter_may_move(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        await until(lambda: len(b.keeper.ring.members) == 3)
        await place.stop("a")
        a = await place.start("a")
        assert (a.keeper.name, a.keeper.is_voter) == ("n1", True)
        await until(lambda: addresses(b.keeper.ring)[0] == str(a.address))
        assert await b.number("n1") == 1
        # The voter and another one at once: that one asks whomever it knows.
        await place.stop("a", "b")
        a = await place.start("a")
        b = await place.start("b")
        await until(lambda: [str(n.address) for n in (a, b, c)] == addresses(a.keeper.ring))
        await until(lambda: b.keeper.ring == c.keeper.ring == a.keeper.ring)
        assert await b.number("n1") == 1

    told(tmp_path, story)


def test_nodes_that_change_places_are_told_apart(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        await until(lambda: len(a.keeper.ring.members) == 3)
        of_b, of_c = b.address, c.address
        await place.stop("b", "c")
        before = a.keeper.ring.epoch
        b = place.node("b")
        place.nodes["b"] = b
        # Until the voter has heard of it, n2 listens where n3 is thought to be.
        b.keeper.address = await b.server.start(of_c)
        b.server.known_as(a.keeper.ring.store_id, "n2")
        with pytest.raises(UnreachableError, match=r"n3 does not listen at .* any more: n2 does"):
            await a.number("n3")
        await b.keeper.start(a.address)
        assert addresses(a.keeper.ring)[1:] == [str(of_c), ""]
        with pytest.raises(UnreachableError, match=r"nobody knows the address .* 'n3'"):
            await a.number("n3")
        c = await place.start("c", listen=of_b)
        await until(lambda: addresses(a.keeper.ring)[1:] == [str(of_c), str(of_b)])
        assert [await a.number("n2"), await a.number("n3")] == [2, 3]
        assert a.keeper.ring.epoch == before + 2

    told(tmp_path, story)


def test_a_node_comes_up_while_the_voter_is_down(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, c = await place.three()
        await until(lambda: len(b.keeper.ring.members) == 3)
        ring = b.keeper.ring
        await place.stop("a", "b")
        # With the address of a seed that is down as well as without.
        b = await place.start("b", a.address)
        assert b.keeper.ring == ring
        assert await b.number("n3") == 3
        fresh = place.node("d")
        with pytest.raises(UnreachableError, match=f"cannot join eau2://{a.address}: nobody"):
            await fresh.start(a.address)
        fresh = place.node("d")
        with pytest.raises(UnreachableError, match=r"cannot join .*n1"):
            await fresh.start(c.address)
        # What was refused can be tried again.
        a = await place.start("a", listen=a.address)
        d = await place.start("d", c.address)
        assert d.keeper.name == "n4"

    told(tmp_path, story)


def test_another_store_is_refused_and_both_are_named(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, _ = await place.three()
        place.nodes["other"] = other = await Node(tmp_path / "other").start()
        ours, theirs = a.keeper.ring.store_id, other.keeper.ring.store_id
        await place.stop("b")
        node = place.node("b")
        with pytest.raises(HandshakeError, match="store") as caught:
            await node.start(other.address)
        assert ours in caught.value.message
        assert theirs in caught.value.message
        assert str(tmp_path / "b") in caught.value.message
        await place.stop("other")
        node = place.node("other")
        with pytest.raises(HandshakeError, match=f"(?s){ours}.*{theirs}"):
            await node.start(a.address)
        b = await place.start("b", a.address)
        assert b.keeper.name == "n2"

    told(tmp_path, story)


def test_a_voter_may_name_a_seed_of_its_own_store(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        _, b, _ = await place.three()
        await place.stop("a")
        a = await place.start("a", b.address)
        assert a.keeper.is_voter
        await until(lambda: b.keeper.ring == a.keeper.ring)

    told(tmp_path, story)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        alone = place.node("alone")
        alone.keeper.address = await alone.server.start(ANY)
        with pytest.raises(BusyError, match="not in a ring yet"):
            _ = alone.keeper.ring
        with pytest.raises(UsageError, match="cannot join itself"):
            await alone.keeper.start(alone.address)
        await alone.stop()

        a, b, _ = await place.three()
        connection = await connect(b.address, role="node")
        refused: list[tuple[Message, type[Error], str]] = [
            (Join("no id", "127.0.0.1:1"), ProtocolError, "is not the id of a node"),
            (Join("d" * 32, "10.0.0.1:7700"), UsageError, "other machines"),
            (Join("d" * 32, "127.0.0.1:0"), UsageError, "nobody can listen"),
            (Join("d" * 32, "http://x/y"), UsageError, "not the address"),
            (Fingerprint(), ProtocolError, "asked about the ring with a Fingerprint"),
        ]
        b.server._handler = b.keeper.answer
        connection.close()
        connection = await connect(b.address, role="node")
        for message, error, words in refused:
            with pytest.raises(error, match=words):
                await connection.call(message)
        connection.close()
        assert len(a.keeper.ring.members) == 3

    told(tmp_path, story)


def test_only_newer_rings_of_this_store_are_believed(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, b, _ = await place.three()
        await until(lambda: len(b.keeper.ring.members) == 3)
        ring = b.keeper.ring
        members = ring.members

        def other(epoch: int, *members: Member, store: str = ring.store_id) -> RingChanged:
            return RingChanged(Ring(store, epoch, members, ("n1",)))

        await tell(a.net, "n2", other(1, *members[:2]), 1.0)
        assert b.keeper.ring == ring
        swapped = (members[0], Member("n3", members[1].id, members[1].address), members[2])
        for wrong, why in [
            (other(9, *members, store="x" * 32), "of the store"),
            (other(9, members[0], members[2]), "this node is not in"),
            (other(9, *swapped), "a ring that cannot be"),
            (other(9, members[0], swapped[1]), "n2 has another name"),
            (other(9, *members[:2], Member("n3", "d" * 32, "10.0.0.1:1")), "cannot be"),
            (other(9), "cannot be"),
        ]:
            with pytest.raises(ProtocolError, match=why):
                await tell(a.net, "n2", wrong, 1.0)
        assert b.keeper.ring == ring

    told(tmp_path, story)


def test_a_ring_has_a_largest_size(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a, *_ = await place.three()
        await place.start("d", a.address)
        with pytest.raises(UsageError, match="has 4 nodes; no more are taken"):
            await place.node("e").start(a.address)

    told(tmp_path, story)


def test_many_join_at_once(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        a = await place.start("a")
        joined = await asyncio.gather(*(place.start(name, a.address) for name in "bcd"))
        await until(lambda: all(node.keeper.ring == a.keeper.ring for node in joined))
        assert sorted(node.keeper.name for node in joined) == ["n2", "n3", "n4"]
        assert len(set(addresses(a.keeper.ring))) == 4

    told(tmp_path, story)


def test_a_ring_is_durable_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(place: Place) -> None:
        a = await place.start("a")

        def full(ring: Ring) -> None:
            raise DiskFullError("no room")

        with monkeypatch.context() as patch:
            patch.setattr(a.data, "keep_ring", full)
            with pytest.raises(DiskFullError, match=r"cannot join .*no room"):
                await place.node("b").start(a.address)
        assert len(a.keeper.ring.members) == 1
        b = await place.start("b", a.address)
        assert b.keeper.name == "n2"

    told(tmp_path, story)
