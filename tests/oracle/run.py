"""The long form of the fuzzer, resumable: `python -m tests.oracle.run --queries 30000 --seed 1`.

Prints a tally (equal, both raised, refused, accepted differences of evaluation order, differences)
and every difference, minimised, with its tables as SQL. With `--resume FILE` the state is kept in
FILE after every batch, and a later run of the same seed goes on from there. With `--nodes N` eau2
runs on so many nodes, which are in this process. With `--rules-off` every batch runs without some
of the optimiser's rules, drawn for it; with `--eager` rules fire however little they save.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.cluster.nodes import in_process
from tests.oracle import fuzz
from tests.oracle.eager import eager
from tests.oracle.fuzz import (
    BATCH_QUERIES,
    MakeSide,
    Tally,
    describe,
    duck_side,
    eau_side,
    minimise,
    nodes_side,
    run_batches,
)


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1 when there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--keep", type=int, default=20, help="differences to minimise")
    parser.add_argument("--rules-off", action="store_true", help="some rules off in every batch")
    parser.add_argument("--eager", action="store_true", help="rules fire whatever the sizes")
    sides = parser.add_mutually_exclusive_group()
    sides.add_argument("--against-itself", action="store_true", help="DuckDB on both sides")
    sides.add_argument("--nodes", type=int, help="eau2 on so many nodes; embedded if not given")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        if options.rules_off:
            stack.enter_context(patch.object(fuzz, "SWITCHED", 1.0))
        if options.eager:
            stack.enter_context(eager())
        if options.nodes is None:
            return compare(options, duck_side if options.against_itself else eau_side)
        nodes = stack.enter_context(in_process(options.nodes))
        return compare(options, nodes_side(nodes.urls))


def compare(options: argparse.Namespace, make: MakeSide) -> int:
    """Run what is still to run, and print what came of all; the exit code."""
    started = time.monotonic()
    state = load(options.resume, options.seed)
    outcomes: Counter[str] = Counter(state["outcomes"])
    refusals: Counter[str] = Counter(state["refusals"])
    found: list[str] = state["found"]
    batch: int = state["batch"]
    seen: Counter[str] = Counter()
    while sum(outcomes.values()) < options.queries:
        tally = run_batches(options.seed, [batch], make)
        outcomes += tally.outcomes
        refusals += tally.refusals
        found += report(tally, make, f"{options.seed}/{batch}", options.keep - len(found), seen)
        batch += 1
        if options.resume is not None:
            new = {"seed": options.seed, "batch": batch, "found": found}
            new |= {"outcomes": outcomes, "refusals": refusals}
            options.resume.write_text(json.dumps(new))
    seconds = time.monotonic() - started
    print(f"{sum(outcomes.values())} queries, {batch * BATCH_QUERIES} drawn, {seconds:.1f} s")
    for name, count in outcomes.most_common():
        print(f"{count:8}  {name}")
    for reason, count in refusals.most_common(15):
        print(f"{count:8}  refused: {reason}")
    return 1 if outcomes["different"] else 0


def report(tally: Tally, make: MakeSide, where: str, room: int, seen: Counter[str]) -> list[str]:
    """Minimise and print the differences of a batch: up to `room`, a few of each kind."""
    texts: list[str] = []
    for case, verdict in tally.differences:
        shape = f"{verdict.kind} {verdict.text[:40] if verdict.kind == 'bug' else ''}"
        seen[shape] += 1
        if len(texts) >= room or seen[shape] > 4:
            continue
        small = minimise(case, verdict, make)
        text = f"--- {where}: {verdict.kind}: {verdict.text[:300]}\n{describe(small, make)}\n"
        print(text)
        sys.stdout.flush()
        texts.append(text)
    return texts


def load(path: Path | None, seed: str) -> dict[str, Any]:
    """The state to go on from."""
    fresh = {"seed": seed, "batch": 0, "outcomes": {}, "refusals": {}, "found": []}
    if path is None or not path.exists():
        return fresh
    state = json.loads(path.read_text())
    return state if state["seed"] == seed else fresh


if __name__ == "__main__":
    raise SystemExit(main())
