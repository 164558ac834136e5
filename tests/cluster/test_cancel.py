"""What is given up leaves nothing behind on the nodes."""

from __future__ import annotations

from tests.cluster.cancel import run


def test_work_given_up_at_random_moments_leaves_nothing() -> None:
    assert run(times=8, seed=3)
