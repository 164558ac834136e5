"""Copies under simulated faults: none is lost, none is left, bugs show, runs repeat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eau2.torture.repair_story import play
from tests.processes import environment
from tests.simulation.repair_bugs import BUGS, Bug

SEEDS = 12


@pytest.mark.parametrize("part", range(3))
def test_no_copy_is_lost_under_faults(part: int) -> None:
    size = SEEDS // 3
    outcomes = [play(seed) for seed in range(part * size, (part + 1) * size)]
    assert {o.seed: o.faults for o in outcomes if o.faults} == {}
    # The story is about something.
    for what in ("acknowledged", "fetched", "deleted", "harms", "left", "damage_found"):
        assert sum(getattr(outcome, what) for outcome in outcomes) > 0


@pytest.mark.parametrize("seed", [166, 4344])
def test_what_seeds_have_found_once_stays_mended(seed: int) -> None:
    """4344: a node that was leaving was said to have left by one that knew an older ring."""
    assert play(seed).faults == []


def test_a_seed_is_replayed_exactly() -> None:
    outcomes = [play(3) for _ in range(10)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert play(4).digest != outcomes[0].digest


def test_replays_do_not_depend_on_the_order_of_hashes() -> None:
    code = (
        "from eau2.torture.repair_story import play;"
        "print([(play(seed).digest, play(seed).fetched) for seed in range(2)])"
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
        "the story of the seed has changed: python -m tests.simulation.repair_bugs 200 finds one"
    )
