"""The fuzzer: cases from a seed, verdicts, a tally, and minimised differences.

Owns: `Case`, `Verdict`, `Tally`, `run_batches`, `minimise`. A batch is one set of tables and
`BATCH_QUERIES` queries; batch n of seed s is the same for ever.

An error on one side only is a difference, but for what evaluation.py knows. And where decimals that
have no common type of 38 digits meet, which comparisons raise depends on where DuckDB puts the
cast; either outcome is accepted there too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pyarrow as pa

from eau2.engine import rule_names
from tests.oracle.analytics import random_statement
from tests.oracle.compare import difference, rows_of, show
from tests.oracle.evaluation import (
    as_written,
    cast_that_raises,
    depends_on_evaluation,
    narrower,
    only_kept_rows,
    sign_of_zero,
    text_that_raises,
    unoptimized,
    without_nan_signs,
    without_signs,
)
from tests.oracle.queries import random_query
from tests.oracle.query import Query, Statement
from tests.oracle.shrink import smaller
from tests.oracle.sides import Answer, DuckSide, EauSide, NodesSide, Refusal, Setup, Side
from tests.oracle.tables import Table, random_tables

BATCH_QUERIES = 50
_TEXT_FROM_BELOW = re.compile(r"(VARCHAR and \w+|\w+(\(.*\))? and VARCHAR) have no common type")
_WIDE_SUM = re.compile(r"the sum of DECIMAL\(38,\d+\) values does not fit")
_TEXT_COLUMN = re.compile(r"'[^']*' AS \w")
CHUNK_ROWS = (1, 2, 3, 7, None)
TASK_ROWS = (1, 6, None)

ANALYTIC = 0.6
"""The share of batches that draw from the whole of SELECT; the others have simple queries."""

SWITCHED = 0.35
"""The share of batches that run without some of the optimiser's rules.

fold_constants stays on: a constant that a query computes twice over no rows is NULL to Polars, and
folding it before is what keeps statements from meeting that.
"""

MakeSide = Callable[[tuple[Table, ...], Setup], Side]


def eau_side(tables: tuple[Table, ...], setup: Setup) -> Side:
    """The engine under test."""
    return EauSide(tables, setup)


def nodes_side(urls: Sequence[str]) -> MakeSide:
    """The engine under test on nodes of this process."""
    return lambda tables, setup: NodesSide(tables, setup, urls)


def duck_side(tables: tuple[Table, ...], setup: Setup) -> Side:
    """DuckDB in its place: the fuzzer must then find nothing."""
    return DuckSide(tables)


@dataclass(frozen=True, slots=True)
class Case:
    """A query over tables, and how eau2 runs it."""

    tables: tuple[Table, ...]
    setup: Setup
    query: Statement


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comparing came to. `kind` keeps a difference the same one while it is minimised."""

    outcome: str
    kind: str = ""
    text: str = ""


@dataclass(slots=True)
class Tally:
    """Counts of outcomes, reasons of refusals, and the differences found."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[Case, Verdict]] = field(default_factory=list)

    @property
    def queries(self) -> int:
        """How many queries were judged."""
        return sum(self.outcomes.values())

    def add(self, case: Case, verdict: Verdict) -> None:
        """Count one verdict."""
        self.outcomes[verdict.outcome] += 1
        if verdict.outcome == "refused":
            self.refusals[verdict.text.splitlines()[0][:100]] += 1
        if verdict.outcome == "different":
            self.differences.append((case, verdict))


def judge(query: Statement, tables: tuple[Table, ...], expected: Answer, actual: Answer) -> Verdict:
    """Compare DuckDB's answer with the other's."""
    if isinstance(actual, Refusal):
        if actual.fault == "bug":
            return Verdict("different", "bug", actual.message)
        if actual.fault == "refused":
            return Verdict("refused", "refused", actual.message)
        if isinstance(expected, Refusal):
            return Verdict("both raised")
        if _TEXT_FROM_BELOW.search(actual.message) and _TEXT_COLUMN.search(query.sql):
            # A text constant of a subquery is a VARCHAR here, and still any type in DuckDB.
            return Verdict("refused", "refused", actual.message)
        if re.search(r"could not cast \S+ to DECIMAL\(38,", actual.message):
            return Verdict("beyond 38 digits")
        if "avg(" in query.sql and _WIDE_SUM.search(actual.message):
            # DuckDB divides sums of 39 digits too, but not where its optimiser writes sum / count.
            return Verdict("beyond 38 digits")
        if actual.fault == "data" and depends_on_evaluation(query, tables):
            return Verdict("evaluation order")
        if actual.fault == "data" and cast_that_raises(query, tables, actual):
            return Verdict("evaluation order")
        if actual.fault == "data" and text_that_raises(query.sql, tables, actual):
            return Verdict("evaluation order")
        again = as_written(query.sql, tables) if actual.fault == "data" else actual
        if not isinstance(again, Refusal) and answers_differ(query, expected, again) is None:
            return Verdict("evaluation order")
        return Verdict("different", f"only eau2 raised ({actual.fault})", actual.message)
    if isinstance(expected, Refusal):
        if expected.fault in ("bug", "refused"):
            return Verdict("DuckDB failed" if expected.fault == "bug" else "DuckDB refused")
        if "Cannot mix aggregates with non-aggregated columns" in expected.message:
            # GROUP BY ALL beside sum(a) + b, where b is a key: it means something here.
            return Verdict("DuckDB refused")
        if "to type DECIMAL(38," in expected.message and "Casting value" in expected.message:
            return Verdict("beyond 38 digits")
        again = unoptimized(query, tables) if expected.fault == "data" else expected
        if expected.fault == "data" and isinstance(as_written(query.sql, tables), Refusal):
            return Verdict("evaluation order")
        if expected.fault == "data" and only_kept_rows(query, tables):
            return Verdict("evaluation order")
        if expected.fault == "data" and text_that_raises(query.sql, tables, expected):
            return Verdict("evaluation order")
        if isinstance(again, Refusal):
            return Verdict("different", f"only DuckDB raised ({expected.fault})", expected.message)
        expected = again
    words = answers_differ(query, expected, actual)
    if words is None:
        return Verdict("equal")
    if answers_differ(query, without_nan_signs(expected), actual) is None:
        return Verdict("sign of NaN")
    if sign_of_zero(query, tables):
        signless = (without_signs(expected), without_signs(actual))
        if answers_differ(query, *signless) is None:
            return Verdict("sign of zero")
    if agree_in_narrow_decimals(query, tables):
        return Verdict("beyond 38 digits")
    return Verdict("different", words.split(" ")[0].split("_")[0], words)


def agree_in_narrow_decimals(query: Statement, tables: tuple[Table, ...]) -> bool:
    """Whether both give the same once decimals leave room for what they are compared with."""
    other = narrower(tables)
    if other == tables:
        return False
    sides = (DuckSide(other), EauSide(other, Setup()))
    theirs, ours = (side.run(query.sql) for side in sides)
    for side in sides:
        side.close()
    if isinstance(theirs, Refusal) or isinstance(ours, Refusal):
        return False
    return answers_differ(query, theirs, ours) is None


def answers_differ(query: Statement, expected: pa.Table, actual: pa.Table) -> str | None:
    """How two answers to a query differ; None when they do not."""
    inexact = [n for n, item in enumerate(query.items) if not item.expr.exact]
    return difference(expected, actual, inexact, query.ordered_prefix)


def cases(seed: int | str, batch: int, queries: int = BATCH_QUERIES) -> Iterator[Case]:
    """The cases of one batch; all have the same tables."""
    random = Random(f"{seed}/{batch}")
    tables = random_tables(random)
    chunk_rows, task_rows = random.choice(CHUNK_ROWS), random.choice(TASK_ROWS)
    streaming = random.random() < 0.3
    without: tuple[str, ...] = ()
    if random.random() < SWITCHED:
        share = random.choice((0.15, 0.5, 1.0))
        drawn = [rule for rule in rule_names() if random.random() < share]
        without = tuple(rule for rule in drawn if rule != "fold_constants")
    coded, indexed = random.random() < 0.5, random.random() < 0.5
    # Drawn apart, so that the queries do not depend on it.
    zone_rows = Random(f"{seed}/{batch}/zones").choice([None, 1, 2, 3, 5])
    setup = Setup(chunk_rows, task_rows, streaming, without, coded, indexed, zone_rows)
    daring = random.choice((0.02, 0.05, 0.2, 0.8))
    draw = random_statement if random.random() < ANALYTIC else random_query
    for _ in range(queries):
        yield Case(tables, setup, draw(random, tables, daring))


def run_cases(batch: Iterable[Case], make: MakeSide = eau_side) -> Iterator[tuple[Case, Verdict]]:
    """Judge the cases of one batch."""
    duck: DuckSide | None = None
    other: Side | None = None
    for case in batch:
        if duck is None or other is None:
            duck, other = DuckSide(case.tables), make(case.tables, case.setup)
        sql = case.query.sql
        yield case, judge(case.query, case.tables, duck.run(sql), other.run(sql))
    for side in (duck, other):
        if side is not None:
            side.close()


def run_batches(
    seed: int | str, batches: Iterable[int], make: MakeSide = eau_side, tally: Tally | None = None
) -> Tally:
    """Judge whole batches into a tally."""
    tally = Tally() if tally is None else tally
    for batch in batches:
        for case, verdict in run_cases(cases(seed, batch), make):
            tally.add(case, verdict)
    return tally


def judge_alone(case: Case, make: MakeSide) -> Verdict:
    """Judge one case on fresh engines."""
    ((_, verdict),) = run_cases([case], make)
    return verdict


def minimise(case: Case, verdict: Verdict, make: MakeSide = eau_side, steps: int = 1500) -> Case:
    """A smaller case with the same kind of difference: first the query, then the rows."""
    duck, other = DuckSide(case.tables), make(case.tables, case.setup)
    query = case.query
    improved = True
    while improved and steps > 0:
        improved = False
        for candidate in smaller(query):
            if weight(candidate) >= weight(query):
                continue
            steps -= 1
            sql = candidate.sql
            found = judge(candidate, case.tables, duck.run(sql), other.run(sql))
            if (found.outcome, found.kind) == (verdict.outcome, verdict.kind):
                query, improved = candidate, True
                break
            if steps <= 0:
                break
    duck.close()
    other.close()
    return minimise_rows(replace(case, query=query), verdict, make)


def weight(query: Statement) -> int:
    """How long a query is; a star counts as more than what it stands for."""
    return len(query.sql) + (1000 if isinstance(query, Query) and query.written else 0)


def minimise_rows(case: Case, verdict: Verdict, make: MakeSide) -> Case:
    """The same query over fewer tables, columns and rows."""

    def still(candidate: Case) -> bool:
        found = judge_alone(candidate, make)
        return (found.outcome, found.kind) == (verdict.outcome, verdict.kind)

    if case.setup != Setup() and still(replace(case, setup=Setup())):
        case = replace(case, setup=Setup())
    used = tuple(table for table in case.tables if f"{table.name} " in case.query.sql + " ")
    if len(used) < len(case.tables) and still(replace(case, tables=used)):
        case = replace(case, tables=used)
    for at in range(len(case.tables)):
        keep = len(case.tables[at].rows)
        size = keep
        while size >= 1:
            start = 0
            while start < len(case.tables[at].rows):
                rows = case.tables[at].rows
                candidate = with_table(
                    case, at, replace(case.tables[at], rows=rows[:start] + rows[start + size :])
                )
                if still(candidate):
                    case = candidate
                else:
                    start += size
            size //= 2
        case = drop_columns(case, at, still)
    return case


def drop_columns(case: Case, at: int, still: Callable[[Case], bool]) -> Case:
    """The case without the columns of a table that the difference does not need."""
    for column in case.tables[at].columns:
        table = case.tables[at]
        index = table.columns.index(column)
        if len(table.columns) > 1 and column.name not in case.query.sql:
            candidate = with_table(case, at, without_column(table, index))
            if still(candidate):
                case = candidate
    return case


def without_column(table: Table, index: int) -> Table:
    """The table without a column."""
    return replace(
        table,
        columns=table.columns[:index] + table.columns[index + 1 :],
        rows=tuple(row[:index] + row[index + 1 :] for row in table.rows),
    )


def with_table(case: Case, at: int, table: Table) -> Case:
    """The case with another table at a position."""
    return replace(case, tables=(*case.tables[:at], table, *case.tables[at + 1 :]))


def describe(case: Case, make: MakeSide = eau_side) -> str:
    """A case for people: tables as SQL, the query, both answers."""
    duck, other = DuckSide(case.tables), make(case.tables, case.setup)
    parts = [f"-- {case.setup}"]
    parts += [table.sql() for table in case.tables]
    parts.append(case.query.sql + ";")
    for name, side in (("DuckDB", duck), ("eau2", other)):
        parts.append(f"-- {name}: {show_answer(side.run(case.query.sql))}")
        side.close()
    return "\n".join(parts)


def show_answer(answer: Answer) -> str:
    """An answer on a few lines."""
    if isinstance(answer, Refusal):
        return f"{answer.fault}: {answer.message[:300]}".replace("\n", "\n--   ")
    table: pa.Table = answer
    types = ", ".join(f"{f.name} {f.type}" for f in table.schema)
    rows = "\n--   ".join(show(row) for row in rows_of(table.slice(0, 12)))
    return f"[{types}] {table.num_rows} rows\n--   {rows}"
