"""Short forms of the runs with nodes that are killed and cut off."""

from __future__ import annotations

from pathlib import Path

from tests.kills import partition, run

SEED = 11


def test_kills_lose_nothing(tmp_path: Path) -> None:
    tally = run.one_round(10, SEED, tmp_path, run.SHORT)
    assert not tally.violations, tally.told()
    assert tally.kills == 10
    assert tally.puts


def test_a_cut_is_survived_by_the_majority_and_said_by_the_minority(tmp_path: Path) -> None:
    seen = partition.run(["kill", "its words", "flapping"], SEED, tmp_path, for_s=2.0)
    assert not seen.violations, seen.told()
    assert seen.resumed_s
    assert seen.said_s
