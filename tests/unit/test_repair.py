"""Repair in calm weather: what is missing comes, what is too much goes, and not before it may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eau2.catalog import ChunkRef, Frame
from eau2.errors import BusyError, ProtocolError
from eau2.kv.exchange import ask
from eau2.kv.inventory import CHUNKS, covers, file_name
from eau2.kv.ringsteps import LEAVING, LEFT, leave, membership
from eau2.kv.sources import sources
from eau2.net.message import ChunkId, Number, PutChunk, TaskChunk
from eau2.net.ring_message import ConfirmChunk, Heartbeat
from eau2.net.stream import Received
from eau2.records import replace
from eau2.torture.chance import Chance
from eau2.torture.loop import run
from eau2.torture.repair_cluster import LIMITS, Life, Registers, RingCluster
from eau2.torture.repair_story import SCHEMA, chunks_of


def told(
    story: Callable[[RingCluster], Awaitable[None]], size: int = 5, voters: int = 3
) -> RingCluster:
    """Tell a story of a calm cluster."""

    async def main() -> RingCluster:
        cluster = RingCluster(Chance(1), size=size, voters=voters)
        await asyncio.sleep(1)
        await story(cluster)
        assert cluster.network.unexpected == []
        return cluster

    return run(main())


async def put(cluster: RingCluster, name: str = "t", count: int = 10, tag: int = 1) -> Frame:
    life = cluster.lives["n1"]
    return await life.do(life.coordinator.put(name, SCHEMA, chunks_of(tag, count)))


def path_of(ref: ChunkRef) -> str:
    return f"{CHUNKS}/{ref.key.df_id}/{file_name(ref.key.number)}"


def held_by(cluster: RingCluster, ref: ChunkRef) -> set[str]:
    return {name for name in cluster.platters if cluster.has_whole(name, ref)}


async def in_order(cluster: RingCluster, within_s: float = 200.0) -> None:
    end = asyncio.get_running_loop().time() + within_s
    while cluster.faults() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.5)
    assert cluster.faults() == []


def question(ref: ChunkRef, epoch: int) -> ConfirmChunk:
    chunk = TaskChunk(ref.key.df_id, ref.key.number, ref.rows, ref.bytes, ref.checksum)
    return ConfirmChunk(epoch, chunk, ref.slot, ref.slots)


def test_a_joining_node_gets_its_share_and_others_let_go() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=40)
        await in_order(cluster)
        before = {ref.key: held_by(cluster, ref) for ref in frame.chunks}
        name = cluster.join()
        await in_order(cluster)
        moved = [ref for ref in frame.chunks if before[ref.key] != held_by(cluster, ref)]
        assert 0 < len(moved) < len(frame.chunks)
        assert all(name in held_by(cluster, ref) for ref in moved)
        assert sum(done.deleted for done in cluster.reports) >= len(moved)

    told(story)


def test_fewest_copies_come_first() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=10)
        await in_order(cluster)
        life = cluster.lives["n4"]
        mine = [ref for ref in frame.chunks if "n4" in life.membership().proper(ref)]
        seldom = mine[len(mine) // 2]
        for ref in mine:
            del cluster.platters["n4"].seen[path_of(ref)]
        others = held_by(cluster, seldom) - {"n4"}
        del cluster.platters[sorted(others)[0]].seen[path_of(seldom)]
        order: list[int] = []
        store = life.service.store

        async def noted(df_id: str, number: int | None, data: bytes, checksum: str) -> None:
            assert number is not None
            order.append(number)
            await store(df_id, number, data, checksum)

        life.service.store = noted  # type: ignore[method-assign]
        life.repair.wake()
        await in_order(cluster)
        assert order[0] == seldom.key.number
        assert sorted(order) == [ref.key.number for ref in mine]

    told(story)


def test_a_damaged_copy_is_put_aside_and_replaced() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=5)
        await in_order(cluster)
        ref = frame.chunks[2]
        node = membership(cluster.ring).proper(ref)[0]
        cluster.flip(node, path_of(ref), 5)
        reader = cluster.lives["n5"]
        # Whoever reads gets it from another node, and tells this one.
        data = await reader.do(reader.coordinator.copies.chunk(ref))
        assert data.startswith(b"1:2:")
        await asyncio.sleep(LIMITS.scrub_round_s / 2)
        await in_order(cluster, within_s=10)
        assert cluster.damage_found == 1
        kept = [p for p in cluster.platters[node].seen if p.startswith("quarantine/")]
        assert kept == [f"quarantine/00000000-{ref.key.df_id}-2"]

    told(story)


def test_a_chunk_of_a_wrong_size_is_found_after_a_start() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=5)
        await in_order(cluster)
        ref = frame.chunks[0]
        node = membership(cluster.ring).proper(ref)[0]
        cluster.crash(node)
        inode = cluster.platters[node].seen[path_of(ref)]
        assert inode is not None
        del inode.data[-1]
        inode.synced = bytes(inode.data)
        cluster.start(node)
        await asyncio.sleep(1.5)
        await in_order(cluster, within_s=10)
        assert sum(done.damaged for done in cluster.reports) == 1

    told(story)


def test_a_damaged_last_copy_is_said_and_not_served() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=1)
        await in_order(cluster)
        ref = frame.chunks[0]
        for node in sorted(held_by(cluster, ref)):
            cluster.flip(node, path_of(ref), 0)
        await asyncio.sleep(3 * LIMITS.scrub_every_s)
        assert held_by(cluster, ref) == set()
        last = [life.repair.last for life in cluster.lives.values()]
        assert max(done.failed for done in last if done is not None) == 1

    told(story)


def test_a_yes_needs_all_of_it() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=5)
        await in_order(cluster)
        ref, ring = frame.chunks[1], membership(cluster.ring)
        node = ring.proper(ref)[0]
        holding = cluster.lives[node].holding
        assert await holding.confirm(question(ref, ring.epoch))
        assert not await holding.confirm(question(ref, ring.epoch - 1))
        assert not await holding.confirm(question(ref, ring.epoch + 1))
        assert not await holding.confirm(question(replace(ref, checksum="0" * 32), ring.epoch))
        other = next(name for name in ring.slots if name not in ring.proper(ref))
        assert not await cluster.lives[other].holding.confirm(question(ref, ring.epoch))
        holding._going.add(ref.key)
        assert not await holding.confirm(question(ref, ring.epoch))
        holding._going.clear()
        # Found damaged while it was read.
        digest = cluster.lives[node].service.digest

        async def damaged(*args: object) -> str:
            cluster.lives[node].service.damaged += 1
            return ref.checksum

        cluster.lives[node].service.digest = damaged  # type: ignore[assignment, method-assign]
        assert not await holding.confirm(question(ref, ring.epoch))
        cluster.lives[node].service.digest = digest  # type: ignore[method-assign]
        cluster.flip(node, path_of(ref), 0)
        assert not await holding.confirm(question(ref, ring.epoch))
        with pytest.raises(ProtocolError, match="slot 7 of 3"):
            await holding.confirm(question(replace(ref, slot=7, slots=3), ring.epoch))

    told(story)


def test_one_lets_go_only_of_what_others_are_to_hold_under_the_same_ring() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=5)
        await in_order(cluster)
        ref, ring = frame.chunks[1], membership(cluster.ring)
        mine = cluster.lives[ring.proper(ref)[0]]
        assert not await mine.holding.let_go(ref, ring.epoch)
        other = next(name for name in ring.slots if name not in ring.proper(ref))
        life = cluster.lives[other]
        data = cluster.read(mine.name, path_of(ref))
        assert data is not None
        await life.service.store(ref.key.df_id, 1, data, ref.checksum)
        assert await life.holding.confirmed(ref, ring)
        assert not await life.holding.let_go(ref, ring.epoch - 1)
        life.service._in_use = lambda df_id: True
        assert not await life.holding.let_go(ref, ring.epoch)
        life.service._in_use = lambda df_id: False
        assert cluster.has_whole(other, ref)
        assert await life.holding.let_go(ref, ring.epoch)
        assert not cluster.has_whole(other, ref)

    told(story)


def test_a_copy_stays_while_one_holder_cannot_be_asked() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=20)
        await in_order(cluster)
        cluster.crash("n2")
        cluster.join()
        await asyncio.sleep(10)
        ring = membership(cluster.ring)
        moved = [r for r in frame.chunks if set(r.locations) != set(ring.proper(r))]
        waiting = [r for r in moved if "n2" in ring.proper(r)]
        assert waiting
        assert all(len(held_by(cluster, r)) >= 3 for r in waiting)
        cluster.start("n2")
        await in_order(cluster)

    told(story)


def test_a_draining_node_takes_nothing_gives_all_and_has_left() -> None:
    async def story(cluster: RingCluster) -> None:
        await put(cluster, count=40)
        await in_order(cluster)
        cluster.drained.append("n5")
        cluster.change(leave("n5", LEAVING))
        await asyncio.sleep(LIMITS.repair_round_s + 2.5)
        life = cluster.lives["n5"]
        first = life.repair.last
        assert first is not None
        assert 0 < first.deleted_bytes < first.extra_bytes
        with pytest.raises(BusyError, match="n5 is leaving"):
            await life.service.answer(
                Received(PutChunk(ChunkId("a", 0), 1, 1, "")),
                None,  # type: ignore[arg-type]
            )
        for _ in range(200):
            await asyncio.sleep(1)
            if cluster.ring.members[4].state == LEFT:
                break
        assert cluster.ring.members[4].state == LEFT
        assert life.repair.last is not None
        assert life.repair.last.extra == life.repair.last.deleted
        cluster.turn_off("n5")
        await in_order(cluster)

    told(story)


def test_a_node_that_stays_silent_is_lost_and_back_when_it_is_heard() -> None:
    async def story(cluster: RingCluster) -> None:
        await put(cluster, count=20)
        await in_order(cluster)
        cluster.crash("n4")
        await asyncio.sleep(LIMITS.lost_s / 2)
        assert "n4" in membership(cluster.ring).staying
        await asyncio.sleep(LIMITS.lost_s)
        assert "n4" not in membership(cluster.ring).staying
        await asyncio.sleep(20)
        # What is on its disk is too much by now.
        assert {fault.rpartition(" is left on ")[2] for fault in cluster.faults()} == {"n4"}
        cluster.start("n4")
        await asyncio.sleep(1)
        assert "n4" in membership(cluster.ring).staying
        await in_order(cluster)

    told(story)


def test_who_hears_nobody_takes_nobody_for_lost() -> None:
    async def story(cluster: RingCluster) -> None:
        for other in ("n1", "n2", "n3", "n4"):
            cluster.network.cut |= {("n5", other), (other, "n5")}
        life = cluster.lives["n5"]
        await asyncio.sleep(LIMITS.lost_s + 5)
        assert life.liveness.silent_s("n1") > LIMITS.lost_s
        lost = [member.name for member in cluster.ring.members if member.state == LEFT]
        assert set(lost) <= {"n5"}

    told(story)


class Heard:
    """Who is heard, as one has set it."""

    def __init__(self, **silent_s: float) -> None:
        self.silent = silent_s

    def is_away(self, node: str) -> bool:
        return node in self.silent

    def silent_s(self, node: str) -> float:
        return self.silent.get(node, 0.0)


def test_who_was_stopped_takes_nobody_for_lost() -> None:
    async def story(cluster: RingCluster) -> None:
        repair = cluster.lives["n1"].repair
        heard = Heard(n4=LIMITS.lost_s + 100)
        repair._silence = heard
        # It goes on after a long pause: the others are heard again one after the other.
        await repair._lose_silent()
        heard.silent = {}
        await asyncio.sleep(2 * LIMITS.suspect_s)
        await repair._lose_silent()
        assert "n4" in membership(cluster.ring).staying
        heard.silent = {"n4": LIMITS.lost_s + 1}
        await repair._lose_silent()
        assert "n4" in membership(cluster.ring).staying
        await asyncio.sleep(2 * LIMITS.suspect_s)
        await repair._lose_silent()
        assert "n4" not in membership(cluster.ring).staying

    told(story)


def test_a_leaving_node_is_not_lost() -> None:
    async def story(cluster: RingCluster) -> None:
        await put(cluster)
        cluster.change(leave("n5", LEAVING))
        cluster.crash("n5")
        await asyncio.sleep(3 * LIMITS.lost_s)
        assert cluster.ring.members[4].state == LEAVING

    told(story)


def test_a_round_without_need_is_not_made() -> None:
    async def story(cluster: RingCluster) -> None:
        await put(cluster)
        await in_order(cluster)
        await asyncio.sleep(5)
        before = len(cluster.reports)
        await asyncio.sleep(LIMITS.repair_look_s)
        quiet = len(cluster.reports) - before
        assert quiet <= 2 * len(cluster.lives)
        await put(cluster, "u")
        await asyncio.sleep(2 * LIMITS.repair_every_s)
        assert len(cluster.reports) - before - quiet >= len(cluster.lives)

    told(story)


def test_a_fetch_that_ends_after_a_drop_is_swept() -> None:
    async def story(cluster: RingCluster) -> None:
        frame = await put(cluster, count=5)
        await in_order(cluster)
        ref = frame.chunks[0]
        life = cluster.lives["n1"]
        data = await life.do(life.coordinator.copies.chunk(ref))
        assert await life.do(life.coordinator.drop("t"))
        await life.coordinator.settle()
        await asyncio.sleep(2 * LIMITS.sweep_every_s)
        late = cluster.lives["n5"]
        await late.service.store(ref.key.df_id, 0, data, ref.checksum)
        assert cluster.has_whole("n5", ref)
        await asyncio.sleep(2 * LIMITS.sweep_every_s)
        assert not any(path.startswith(f"{CHUNKS}/") for path in cluster.platters["n5"].seen)

    told(story)


def test_holdings_come_in_pages() -> None:
    async def story(cluster: RingCluster) -> None:
        frames = [await put(cluster, name, 21, tag) for tag, name in enumerate("abc")]
        await in_order(cluster)
        ring = membership(cluster.ring)
        life: Life = cluster.lives["n1"]
        df_ids = [*(frame.df_id for frame in frames), "f" * 32]
        world = life.repair._world
        found = await sources(world, ring.slots, df_ids, LIMITS)
        assert list(found.nodes) == list(ring.slots)
        for frame in frames:
            for ref in frame.chunks:
                assert set(found.of_chunk(ref.key)) == set(ring.proper(ref))
            assert set(found.of_manifest(frame.df_id)) >= set(ring.manifest_holders(frame.df_id))
        said = found.nodes["n4"][frames[0].df_id]
        assert len(said.chunks) >= LIMITS.holdings_ranges
        assert not covers(said.chunks, 21)
        cluster.crash("n2")
        assert "n2" not in (await sources(world, ring.slots, df_ids, LIMITS)).nodes

    told(story)


def test_what_is_not_about_copies_is_refused() -> None:
    async def story(cluster: RingCluster) -> None:
        with pytest.raises(ProtocolError, match="about its copies with a Heartbeat"):
            await cluster.lives["n1"].holding.answer(Received(Heartbeat(1)))
        life = cluster.lives["n1"]
        assert await ask(life.repair._world.net, "n2", Heartbeat(1), Number, 1.0)
        assert isinstance(life.coordinator.registers, Registers)

    told(story)
