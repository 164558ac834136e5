"""Queries on several engines side by side: answers compared once, then interleaved medians.

Owns: `Options`, `Contest`, `loaded`. Comes in: sides and statements. Goes out: a Workload. A side
that fails or gives another answer than DuckDB has no figure for that query, and a note says why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from tests.bench import agree
from tests.bench.measure import Call, Noise, interleaved
from tests.bench.report import DUCKDB, EAU2, Workload
from tests.bench.sides import ForeignError, Side, first_line

WRONG = "WRONG"
"""Begins the notes about other answers than DuckDB's."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was asked for. off: optimiser's rules left out. sides: None for all.

    scale: TPC-H's. h2o_rows, hits_rows: rows of the largest made tables.
    """

    threads: int = 2
    rounds: int = 5
    scale: str = "1"
    h2o_rows: int = 10_000_000
    hits_rows: int = 1_000_000
    off: tuple[str, ...] = ()
    sides: tuple[str, ...] | None = None
    queries: tuple[str, ...] | None = None

    def wants(self, side: str) -> bool:
        """Whether a side takes part; eau2 and DuckDB's own tables always do."""
        return self.sides is None or side in (EAU2, DUCKDB, *self.sides)


Check = Callable[[str, str, pa.Table, pa.Table], str | None]
"""How a side's answer to a query differs: side, query, DuckDB's answer, the side's."""


def loosely(side: str, query: str, wanted: pa.Table, actual: pa.Table) -> str | None:
    """All columns; others cut the average of decimals to a few digits."""
    return agree.disagreement(wanted, actual, digits=1e-9 if side == EAU2 else 1e-4)


@dataclass
class Contest:
    """The sides of one workload, DuckDB among them. notes: those about the sides."""

    name: str
    sides: dict[str, Side]
    check: Check = loosely
    notes: list[str] = field(default_factory=list)

    def run(self, queries: Mapping[str, str], rounds: int) -> Workload:
        """Every query on every side that answers it as DuckDB does."""
        workload = Workload(self.name, tuple(self.sides), notes=self.notes)
        noise = Noise()
        for query, sql in queries.items():
            able = self._able(query, sql, workload)
            calls: dict[str, Call] = {side: _call(self.sides[side], sql) for side in able}
            workload.take(query, interleaved(calls, rounds, noise))
            tell(f"{self.name} {query}")
        workload.notes.append(str(noise))
        return workload

    def _able(self, query: str, sql: str, workload: Workload) -> list[str]:
        """The sides whose answer is DuckDB's."""
        wanted = self.sides[DUCKDB].answer(sql)
        able = []
        for name, side in self.sides.items():
            try:
                actual = wanted if name == DUCKDB else side.answer(sql)
            # What an engine cannot do is its own business, whatever it raises.
            except Exception as error:
                workload.notes.append(f"{name} has no {query}: {first_line(error)}")
                continue
            words = None if name == DUCKDB else self.check(name, query, wanted, actual)
            if words is not None:
                workload.notes.append(f"{WRONG}: {name} {query}: {words[:200]}")
                continue
            able.append(name)
        return able


def _call(side: Side, sql: str) -> Call:
    return lambda: side.run(sql)


def loaded(
    stack: ExitStack,
    sides: Mapping[str, Callable[[], Side]],
    paths: Mapping[str, Path],
    notes: list[str],
) -> dict[str, Side]:
    """The sides with their tables, closed at the stack's end; a note for a foreign one without."""
    ready: dict[str, Side] = {}
    for name, make in sides.items():
        try:
            side = make()
            stack.callback(side.close)
            side.load(paths)
        except ForeignError as error:
            notes.append(f"{name} is left out: {first_line(error)}")
            continue
        ready[name] = side
        tell(f"loaded into {name}")
    return ready


def tell(words: str) -> None:
    """How far the run is, beside what it prints."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
