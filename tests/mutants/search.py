"""Looks for each planted bug with the fuzzer: `python -m tests.mutants.search [--queries N]`.

A bug is found by the first query whose answer differs from DuckDB's with the bug and not without.
What finds it is recorded in found.json (seed, batch, number in the batch, queries it took), which
the test run replays.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.bugs import MUTANTS, Mutant
from tests.oracle.fuzz import BATCH_QUERIES, Case, cases, eau_side, judge_alone, run_cases

RECORD = Path(__file__).parent / "found.json"


@dataclass(frozen=True, slots=True)
class Finding:
    """The case that finds a bug, and after how many queries it came."""

    seed: str
    batch: int
    number: int
    queries: int


def case_of(finding: Finding) -> Case:
    """The recorded case, drawn again."""
    *_, case = cases(finding.seed, finding.batch, finding.number + 1)
    return case


def differs(case: Case) -> bool:
    """Whether eau2, as it is now, answers the case differently from DuckDB."""
    return judge_alone(case, eau_side).outcome == "different"


def search(mutant: Mutant, seed: str, queries: int) -> Finding | None:
    """The first case that finds a bug, among so many queries."""
    for batch in range(queries // BATCH_QUERIES):
        drawn = list(cases(seed, batch))
        with mutant():
            verdicts = [verdict for _, verdict in run_cases(drawn)]
        for number, verdict in enumerate(verdicts):
            if verdict.outcome == "different" and not differs(drawn[number]):
                return Finding(seed, batch, number, batch * BATCH_QUERIES + number + 1)
    return None


def read() -> dict[str, Finding]:
    """The recorded findings."""
    return {name: Finding(**found) for name, found in json.loads(RECORD.read_text()).items()}


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1 when a bug stays hidden."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--seed", default="mutants")
    parser.add_argument("--new", action="store_true", help="only those that are not on record")
    options = parser.parse_args(arguments)
    found = read() if options.new else {}
    for name, mutant in MUTANTS.items():
        if name in found:
            continue
        finding = search(mutant, options.seed, options.queries)
        if finding is not None:
            found[name] = finding
            print(f"{name}: query {finding.queries}: {case_of(finding).query.sql}")
        else:
            print(f"{name}: not found in {options.queries} queries")
    RECORD.write_text(json.dumps({name: asdict(f) for name, f in found.items()}, indent=2) + "\n")
    return 0 if len(found) == len(MUTANTS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
