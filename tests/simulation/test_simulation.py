"""The control plane under simulated faults: what must hold, that runs repeat, that bugs show."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash

from eau2.errors import DiskFullError, NameExistsError, OperationalError
from eau2.torture.chance import Chance
from eau2.torture.cluster import LIMITS, Cluster
from eau2.torture.loop import DeadlockError, run
from eau2.torture.story import SCHEMA, play, some_chunks
from tests.processes import environment
from tests.simulation.bugs import BUGS, Bug

SEEDS = 102


def test_a_put_over_three_nodes_goes_round_the_ring() -> None:
    async def story() -> None:
        cluster = Cluster(Chance(1))
        cluster.start_all()
        taker = cluster.lives["n1"]
        frame = await taker.do(taker.coordinator.put("t", SCHEMA, some_chunks(1, 5)))
        held = [ref.locations for ref in frame.chunks]
        pairs = [("n1", "n2"), ("n2", "n0"), ("n0", "n1")]
        assert held == [*pairs, *pairs[:2]]
        for life in cluster.lives.values():
            found = await life.do(life.coordinator.get("T"))
            assert found == frame
            for number, ref in enumerate(found.chunks):
                assert (await life.do(life.coordinator.copies.chunk(ref))).startswith(
                    b"1:%d:" % number
                )
        other = cluster.lives["n2"].coordinator
        assert await other.names() == ("t",)
        with pytest.raises(NameExistsError):
            await other.put("T", SCHEMA, some_chunks(2, 1))
        newer = await other.put("t", SCHEMA, some_chunks(2, 1), replace=True)
        assert newer.version == 2
        assert await taker.coordinator.get("t") == newer
        assert await taker.coordinator.drop("t")
        assert not await taker.coordinator.drop("t")
        await taker.coordinator.settle()
        await other.settle()
        assert [path for p in cluster.platters.values() for path in p.seen if "." in path] == []

    run(story())


def test_a_put_fails_as_a_whole_when_too_few_nodes_can_take_a_chunk() -> None:
    async def story() -> None:
        cluster = Cluster(Chance(1))
        cluster.start_all()
        await asyncio.sleep(1)
        cluster.platters["n2"].capacity = 3
        taker = cluster.lives["n0"].coordinator
        assert len((await taker.put("t", SCHEMA, some_chunks(1, 5))).chunks) == 5
        assert await taker.drop("t")
        cluster.platters["n1"].capacity = 3
        with pytest.raises(DiskFullError, match=r"n1.*n2"):
            await taker.put("t", SCHEMA, some_chunks(1, 5))
        cluster.platters["n1"].capacity = 1 << 30
        cluster.crash("n2")
        cluster.crash("n1")
        with pytest.raises(OperationalError, match="n2"):
            await taker.put("t", SCHEMA, some_chunks(1, 5))
        cluster.start_all()
        await asyncio.sleep(LIMITS.lease_s + 5 * LIMITS.sweep_every_s)
        assert await taker.get("t") is None
        await taker.settle()
        files = {name: [x for x in p.seen if "." in x] for name, p in cluster.platters.items()}
        assert files == {"n0": [], "n1": [], "n2": []}

    run(story())


def test_a_voter_that_is_away_is_named() -> None:
    async def story() -> None:
        cluster = Cluster(Chance(3))
        cluster.start_all()
        cluster.crash("n0")
        start = asyncio.get_running_loop().time()
        with pytest.raises(OperationalError, match="n0"):
            await cluster.lives["n1"].coordinator.get("t")
        assert asyncio.get_running_loop().time() - start < 5

    run(story())


@pytest.mark.parametrize("part", range(3))
def test_nothing_goes_wrong_under_faults(part: int) -> None:
    size = SEEDS // 3
    outcomes = [play(seed) for seed in range(part * size, (part + 1) * size)]
    assert {o.seed: o.faults for o in outcomes if o.faults} == {}
    assert sum(o.acknowledged for o in outcomes) > size


def test_a_seed_is_replayed_exactly() -> None:
    outcomes = [play(7) for _ in range(10)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert play(8).digest != outcomes[0].digest


def test_replays_do_not_depend_on_the_order_of_hashes() -> None:
    code = (
        "from eau2.torture.story import play;"
        "print([(play(seed).digest, play(seed).operations) for seed in range(4)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment(PYTHONHASHSEED=seed),
            cwd=Path(__file__).resolve().parent.parent.parent,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bugs_are_found(bug: Bug) -> None:
    assert play(bug.seed).faults == []
    assert play(bug.seed, bug.parts).faults, (
        "the story of the seed has changed: python -m tests.simulation.bugs 3000 finds another"
    )


def test_waiting_for_nothing_is_noticed() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError):
        run(forever())


def test_time_is_virtual() -> None:
    async def a_day() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(a_day()) == 86_400


def test_some_chunks_are_what_they_say() -> None:
    async def sums() -> list[bool]:
        return [
            xxhash.xxh3_128_hexdigest(b"".join(chunk.data)) == chunk.checksum
            async for chunk in some_chunks(1, 3)
        ]

    assert run(sums()) == [True, True, True]
