"""What a node does all the time goes on after an error that nobody has foreseen."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from eau2.config import ControlLimits
from eau2.kv.sweep import Sweep
from eau2.kv.upkeep import Upkeep
from eau2.records import replace
from tests.cluster.nodes import in_process, until


def test_a_sweep_that_fails_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[object] = []

    async def run(sweep: Sweep) -> None:
        begun.append(sweep)
        if len(begun) < 3:
            raise ZeroDivisionError("planted")
        await asyncio.Event().wait()

    monkeypatch.setattr(Sweep, "run", run)
    built = Upkeep.__init__

    def quick(upkeep: Upkeep, *parts: object) -> None:
        built(upkeep, *parts, ControlLimits(sweep_every_s=0.01))  # type: ignore[arg-type, call-arg]

    monkeypatch.setattr(Upkeep, "__init__", quick)
    with caplog.at_level(logging.ERROR, "eau2.upkeep"), in_process(1):
        until(lambda: len(begun) == 3)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["the sweep of node n1 failed; it begins again"] * 2
    assert "planted" in caplog.text


def test_a_ring_that_changes_as_a_round_begins_is_the_one_looked_at() -> None:
    """Else the node would be quiet, and said not to have looked, until something else changes."""
    with in_process(1) as nodes:
        upkeep: Any = nodes.nodes[0]._upkeep
        until(lambda: upkeep.looked[0] == upkeep._ring().epoch)
        known, registers_epoch = upkeep._ring, upkeep._registers_epoch
        later = replace(known(), epoch=known().epoch + 1)
        rings = [known()]

        async def epoch() -> int:
            found: int = await registers_epoch()
            rings.append(later)
            return found

        upkeep._registers_epoch = epoch
        upkeep._ring = upkeep._repair._ring = lambda: rings[-1]
        upkeep.wake()
        until(lambda: rings[-1] is later and upkeep.looked[0] == later.epoch)
