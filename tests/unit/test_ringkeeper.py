"""How nodes come into a ring, come back with other addresses, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eau2.config import ControlLimits
from eau2.errors import (
    BusyError,
    DiskFullError,
    Error,
    HandshakeError,
    ProtocolError,
    UnreachableError,
    UsageError,
)
from eau2.kv.datadir import DataDirectory
from eau2.kv.exchange import ask, tell
from eau2.kv.ringkeeper import RingKeeper
from eau2.kv.ringsteps import is_formed, leave, membership
from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.connection import Answer
from eau2.net.message import Fingerprint, Message, Number
from eau2.net.ring_message import (
    GetRing,
    Join,
    LeaveRing,
    Member,
    Ring,
    RingChanged,
)
from eau2.net.server import Server
from eau2.net.stream import Received, Stream
from eau2.world import FileDisk, LoopClock, SystemIds, SystemRng, TcpNet, World

LIMITS = ControlLimits(
    ring_every_s=0.05, ring_s=1.0, join_s=2.0, change_s=0.5, retry_s=0.01, ring_nodes=4
)
ANY = Address("127.0.0.1", 0)


class VoterCells:
    """The registers of a store's voters, of which all must be up."""

    def __init__(self) -> None:
        self.voters = ["n1"]
        self.up: set[str] = set()
        self.held: dict[str, bytes] = {}

    async def read(self, key: str) -> bytes:
        self._ask()
        await asyncio.sleep(0)
        return self.held.get(key, b"")

    async def cas(self, key: str, expect: bytes, value: bytes) -> bool:
        self._ask()
        await asyncio.sleep(0)
        if self.held.get(key, b"") != expect:
            return False
        self.held[key] = value
        return True

    def _ask(self) -> None:
        for voter in self.voters:
            if voter not in self.up:
                raise UnreachableError(f"the voter {voter} cannot be asked")


class Node:
    """A node that keeps nothing but the ring. It answers Fingerprint with its number."""

    def __init__(self, root: Path, cells: VoterCells | None = None) -> None:
        self.data = DataDirectory.open(root)
        self.net = TcpNet({}, name="")
        world = World(LoopClock(), SystemRng(), SystemIds(), self.net, FileDisk(root))
        self.rings: list[Ring] = []
        self.cells = VoterCells() if cells is None else cells
        self.keeper = RingKeeper(
            world, self.data, ANY, self.net, self.cells, self.rings.append, LIMITS
        )
        self.server = Server(self._answer, store_id="", name="")

    async def start(
        self, join: Address | None = None, listen: Address = ANY, voters: int = 1
    ) -> Node:
        self.keeper.address = await self.server.start(listen)
        try:
            ring = await self.keeper.start(join, voters)
        except BaseException:
            await self.stop()
            raise
        self.cells.up.add(self.keeper.name)
        self.server.known_as(ring.store_id, self.keeper.name)
        return self

    async def stop(self) -> None:
        if self.data.settled:
            self.cells.up.discard(self.keeper.name)
        await self.keeper.stop()
        self.net.close()
        await self.server.stop(0)
        self.data.close()

    @property
    def address(self) -> Address:
        return self.keeper.address

    async def number(self, node: str) -> int:
        return (await ask(self.net, node, Fingerprint(), Number, 2.0)).value

    async def _answer(self, received: Received, stream: Stream) -> Answer:
        if isinstance(received.message, Fingerprint):
            return Number(int(self.keeper.name[1:]))
        return await self.keeper.answer(received, stream)


class Place:
    """The directories of some nodes, and the nodes that run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: dict[str, Node] = {}
        self.cells = VoterCells()

    def node(self, name: str) -> Node:
        return Node(self.root / name, self.cells)

    async def start(
        self, name: str, join: Address | None = None, listen: Address = ANY, voters: int = 1
    ) -> Node:
        self.nodes[name] = node = self.node(name)
        return await node.start(join, listen, voters)

    async def stop(self, *names: str) -> None:
        for name in names:
            await self.nodes.pop(name).stop()

    async def three(self) -> tuple[Node, Node, Node]:
        a = await self.start("a")
        return a, await self.start("b", a.address), await self.start("c", a.address)


@asynccontextmanager
async def _place(root: Path) -> AsyncIterator[Place]:
    place = Place(root)
    try:
        yield place
    finally:
        for node in place.nodes.values():
            await node.stop()


def told(root: Path, story: Callable[[Place], Awaitable[None]]) -> None:
    async def work() -> None:
        async with _place(root) as place, asyncio.timeout(20):
            await story(place)

    asyncio.run(work())


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.01)


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


def addresses(ring: Ring) -> list[str]:
    return [member.address for member in ring.members]


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
                await a.keeper.lose("n3")
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
