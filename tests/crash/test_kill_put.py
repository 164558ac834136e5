"""A short form of the kill -9 run, so that every test run has some kills in it."""

from __future__ import annotations

from tests.crash.kill_put import run


def test_a_killed_writer_leaves_all_or_nothing() -> None:
    assert sum(run(times=5, seed=7).values()) == 5
