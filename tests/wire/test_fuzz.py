"""The short form of tests/wire/fuzz.py, in a process of its own, since Arrow is native code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT, environment
from tests.wire.fuzz import Corpus, Tally, block, main

FRAMES = 200_000


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.wire.fuzz", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_mutated_frames_are_taken_or_refused() -> None:
    done = fuzz("--frames", str(FRAMES))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{FRAMES} mutants in")


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    resume = tmp_path / "resume.json"
    resume.write_text(json.dumps({"seed": 1, "next": 2}), encoding="utf-8")
    assert main(["--frames", "30000", "--resume", str(resume)]) == 0
    assert json.loads(resume.read_text(encoding="utf-8")) == {"seed": 1, "next": 3}


def test_a_block_is_the_same_each_time_and_reaches_every_layer() -> None:
    tallies = [Tally(), Tally()]
    for tally in tallies:
        block(Corpus(), 3, 5, 2000, tally)
    assert tallies[0] == tallies[1]
    assert tallies[0].taken > 100
    assert min(tallies[0].reasons[layer] for layer in ("frame", "control", "payload")) > 100
