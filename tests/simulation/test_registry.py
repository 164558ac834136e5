"""The registers alone under simulated faults: what must hold, that runs repeat, that bugs show."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eau2.torture.history import Operation, Result, linearizable
from eau2.torture.registry_story import _apply, play
from tests.processes import ROOT, environment
from tests.simulation.registry_bugs import BUGS, Bug

SEEDS = 900


@pytest.mark.parametrize("part", range(3))
def test_nothing_goes_wrong_under_faults(part: int) -> None:
    size = SEEDS // 3
    outcomes = [play(seed) for seed in range(part * size, (part + 1) * size)]
    assert {o.seed: o.faults for o in outcomes if o.faults} == {}
    assert sum(o.acknowledged for o in outcomes) > 2 * size


def test_a_seed_is_replayed_exactly() -> None:
    outcomes = [play(5) for _ in range(10)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert play(6).digest != outcomes[0].digest


def test_replays_do_not_depend_on_the_order_of_hashes() -> None:
    code = (
        "from eau2.torture.registry_story import play;"
        "print([(play(seed).digest, play(seed).operations) for seed in range(20)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment(PYTHONHASHSEED=seed),
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=100,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.seed >= 0], ids=lambda bug: bug.name)
def test_planted_bugs_are_found(bug: Bug) -> None:
    assert play(bug.seed).faults == []
    assert play(bug.seed, bug.parts).faults, (
        "the story of the seed has changed: python -m tests.simulation.registry_bugs 10000 finds"
        " another"
    )


def test_the_judge_knows_what_may_follow_what() -> None:
    def history(*steps: tuple[str, object, Result]) -> list[Operation]:
        return [
            Operation(kind, value, result, 2.0 * number, 2.0 * number + 1)
            for number, (kind, value, result) in enumerate(steps)
        ]

    ok, unknown = Result.OK, Result.UNKNOWN
    right = history(
        ("get", None, ok),
        ("put", 1, ok),
        ("append", 2, ok),
        ("put", 3, Result.EXISTS),
        ("replace", 4, unknown),
        ("get", (1, 2), ok),
        ("get", (4,), ok),
        ("drop", None, unknown),
        ("append", 5, ok),
        ("drop", (4, 5), ok),
        ("drop", None, ok),
    )
    assert linearizable(right, _apply)
    for wrong in (
        history(("put", 1, ok), ("get", None, ok)),
        history(("put", 1, ok), ("put", 2, ok)),
        history(("put", 1, ok), ("append", 2, ok), ("append", 3, ok), ("get", (1, 3), ok)),
        history(("put", 1, ok), ("append", 2, ok), ("get", (1,), ok)),
        history(("append", 1, ok)),
        history(("put", 1, ok), ("drop", (1,), ok), ("get", (1,), ok)),
        history(("put", 1, ok), ("drop", None, ok)),
        # A drop that was to take another frame than what is there takes nothing.
        history(("replace", 1, ok), ("replace", 2, ok), ("drop", (1,), ok), ("get", None, ok)),
    ):
        assert not linearizable(wrong, _apply)
