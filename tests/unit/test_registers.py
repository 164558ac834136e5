"""Registers of names: their entries as bytes, and steps that are carried out once."""

from __future__ import annotations

import pytest

from eau2.errors import NoQuorumError, ProtocolError
from eau2.kv.registers import _decoded, _encoded, change
from eau2.kv.registry import Entry, State
from eau2.kv.transitions import reserve
from eau2.torture.chance import Chance
from eau2.torture.cluster import LIMITS, Cluster, Life
from eau2.torture.loop import run

ENTRY = Entry("T", State.LIVE, "d" * 32, 3, "m", "p", 7, "op", "pop")


def test_entries_are_bytes_and_back() -> None:
    for entry in (None, ENTRY, Entry("t", State.PENDING, "d", 1)):
        assert _decoded(_encoded(entry)) == entry
    assert _encoded(None) == b""
    with pytest.raises(ProtocolError, match="in the format 2"):
        _decoded(b"\x02" + _encoded(ENTRY)[1:])
    for wrong in (b"\x01", b"\x01\x00", b"\x01\xc1", _encoded(ENTRY)[:-1]):
        with pytest.raises(ProtocolError):
            _decoded(wrong)
    with pytest.raises(ProtocolError, match="SLEEPING"):
        _decoded(_encoded(ENTRY).replace(b"\xa4LIVE", b"\xa8SLEEPING"))


def lives(cluster: Cluster) -> list[Life]:
    cluster.start_all()
    return list(cluster.lives.values())


def test_a_step_is_carried_out_once_whoever_restarts() -> None:
    async def story() -> None:
        cluster = Cluster(Chance(5), voters=3)
        first, second, third = lives(cluster)
        await change(first.world, first.registers, "t", reserve("t", "one", False), LIMITS)
        cluster.crash("n0")
        cluster.crash("n1")
        with pytest.raises(NoQuorumError, match="n0"):
            await third.registers.read("t")
        cluster.start_all()
        entry = await cluster.lives["n1"].registers.read("t")
        assert entry is not None
        assert (entry.state, entry.df_id) == (State.PENDING, "one")
        assert second.registers.quorum._proposer != cluster.lives["n1"].registers.quorum._proposer

    run(story())
