"""Looks for each planted bug with the fuzzer: `python -m tests.mutants.search [--queries N]`.

A bug is found by the first query whose answer differs from DuckDB's with the bug and not without.
What finds it is recorded in found.json as it is: the tables and the query in SQL, made as small as
they become, how eau2 runs them, and how many queries it took. The test run replays the record, so
that a generator which draws other queries for a seed leaves the record as it is. Bugs that show
only when tables change are looked for in stories, whose steps are recorded too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from tests.mutants.bugs import MUTANTS, Mutant
from tests.mutants.change_bugs import OF_CHANGES
from tests.oracle.compare import difference
from tests.oracle.fuzz import BATCH_QUERIES, Case, cases, minimise, run_cases
from tests.oracle.query import Statement
from tests.oracle.shorter import minimised
from tests.oracle.sides import Refusal, Setup
from tests.oracle.stories import Story, story, verdicts
from tests.oracle.tables import Table
from tests.oracle.told import DuckTold, EauTold, Place

ASK = "ask: "
"""What stands before a query among the steps of a story."""

RECORD = Path(__file__).parent / "found.json"


@dataclass(frozen=True, slots=True)
class Held:
    """A table that SQL has made."""

    name: str
    rows: pa.Table

    def arrow(self) -> pa.Table:
        return self.rows


@dataclass(frozen=True, slots=True)
class Finding:
    """The case that finds a bug, and after how many queries it came.

    tables: by name, the statements that make each. inexact, ordered: as in compare.difference.
    before: steps that change the tables, and queries, before the one that counts. place: as in
    told.EauTold.
    """

    queries: int
    tables: dict[str, str]
    sql: str
    setup: Setup
    inexact: tuple[int, ...]
    ordered: tuple[int, ...]
    before: tuple[str, ...] = ()
    place: Place = "memory"

    def held(self) -> list[Held]:
        """The tables."""
        connection = duckdb.connect()
        for sql in self.tables.values():
            connection.execute(sql)
        made = [Held(name, connection.table(name).to_arrow_table()) for name in self.tables]
        connection.close()
        return made


def finding_of(case: Case, queries: int) -> Finding:
    """A case as a record of it."""
    return _finding(case.tables, case.query, case.setup, queries)


def finding_in(told: Story, queries: int) -> Finding | None:
    """A story as a record of it; None where it ends with a change of a table."""
    *before, last = told.told
    if isinstance(last, str):
        return None
    texts = tuple(step if isinstance(step, str) else ASK + step.sql for step in before)
    found = _finding(told.tables, last, told.setup, queries)
    return replace(found, before=texts, place=told.place)


def _finding(tables: Sequence[Table], query: Statement, setup: Setup, queries: int) -> Finding:
    inexact = tuple(n for n, item in enumerate(query.items) if not item.expr.exact)
    made = {table.name: table.sql() for table in tables}
    return Finding(queries, made, query.sql, setup, inexact, query.ordered_prefix)


def differs(finding: Finding) -> bool:
    """Whether eau2, as it is now, answers the case differently from DuckDB."""
    tables = finding.held()
    duck, other = DuckTold(tables), EauTold(tables, finding.setup, finding.place)
    for step in finding.before:
        for side in (duck, other):
            if step.startswith(ASK):
                side.run(step.removeprefix(ASK))
            else:
                side.tell(step)
    expected, actual = duck.run(finding.sql), other.run(finding.sql)
    duck.close()
    other.close()
    if isinstance(actual, Refusal):
        return actual.fault == "bug" or not isinstance(expected, Refusal)
    if isinstance(expected, Refusal):
        return True
    return difference(expected, actual, finding.inexact, finding.ordered) is not None


def search(mutant: Mutant, seed: str, queries: int) -> Finding | None:
    """The first case that finds a bug, among so many queries."""
    for batch in range(queries // BATCH_QUERIES):
        drawn = list(cases(seed, batch))
        with mutant():
            verdicts = [verdict for _, verdict in run_cases(drawn)]
        for number, verdict in enumerate(verdicts):
            if verdict.outcome != "different":
                continue
            took = batch * BATCH_QUERIES + number + 1
            with mutant():
                small = minimise(drawn[number], verdict, steps=120)
            for finding in (finding_of(small, took), finding_of(drawn[number], took)):
                if not differs(finding) and found_with(mutant, finding):
                    return finding
    return None


def search_stories(mutant: Mutant, seed: str, queries: int) -> Finding | None:
    """As `search`, with tables that change."""
    took, number = 0, 0
    while took < queries:
        told = story(seed, number)
        with mutant():
            judged = list(verdicts(told))
            for at, verdict in judged:
                if verdict.outcome == "different":
                    took += sum(not isinstance(step, str) for step in told.told[: at + 1])
                    found = finding_in(minimised(told, at, verdict), took)
                    break
            else:
                took, found = took + told.queries, None
        if found is not None and not differs(found) and found_with(mutant, found):
            return found
        number += 1
    return None


def found_with(mutant: Mutant, finding: Finding) -> bool:
    """Whether the case shows the bug."""
    with mutant():
        return differs(finding)


def read() -> dict[str, Finding]:
    """The recorded findings."""
    found = {}
    for name, kept in json.loads(RECORD.read_text()).items():
        setup = kept["setup"]
        setup = Setup(**(setup | {"without": tuple(setup["without"])}))
        places = {key: tuple(kept.get(key, ())) for key in ("inexact", "ordered", "before")}
        found[name] = Finding(**(kept | {"setup": setup} | places))
    return found


def write(found: dict[str, Finding]) -> None:
    """Record the findings."""
    kept = {name: asdict(finding) for name, finding in found.items()}
    RECORD.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
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
        look = search_stories if name in OF_CHANGES else search
        finding = look(mutant, options.seed, options.queries)
        if finding is not None:
            found[name] = finding
            print(f"{name}: query {finding.queries}: {finding.sql}", flush=True)
        else:
            print(f"{name}: not found in {options.queries} queries", flush=True)
        write(found)
    return 0 if len(found) == len(MUTANTS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
