"""Stories: queries with changes of their tables in between, on both engines alike.

Owns: `Story`, `story`, `verdicts`. Number n of a seed is the same story for ever. Queries come
again after tables have changed, as texts that are known already: what was kept for them must not
outlive what it was made of. Does not know: which changes there are (changes.py), what makes two
answers differ (fuzz.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pyarrow as pa

from eau2.engine import rule_names
from tests.oracle.analytics import random_statement
from tests.oracle.changes import OWN, Changes, Step
from tests.oracle.compare import difference
from tests.oracle.fuzz import Verdict, judge
from tests.oracle.keyed import keyed_query, keyed_tables
from tests.oracle.query import Statement
from tests.oracle.sides import Answer, Refusal, Setup
from tests.oracle.tables import Table, random_tables
from tests.oracle.told import DuckTold, EauTold, Place

CHANGES = 12
QUERIES_BETWEEN = (2, 3, 4)
AGAIN = 0.45
"""The share of queries that were asked before."""

_SEVERAL = "more than one row returned by a subquery"

PLACES: tuple[Place, ...] = ("memory", "memory", "temporary", "disk", "disk")
CHUNK_ROWS = (1, 2, 3, 7, 20, None, None, None)
TASK_ROWS = (1, 6, None, None)


@dataclass(frozen=True, slots=True)
class Story:
    """Tables, how eau2 runs, and what is done in turn: steps that change tables, and queries."""

    tables: tuple[Table, ...]
    setup: Setup
    place: Place
    told: tuple[Step | Statement, ...]

    @property
    def queries(self) -> int:
        """How many of them are queries."""
        return sum(not isinstance(step, str) for step in self.told)


def random_setup(random: Random) -> Setup:
    """Any setup; ways that otherwise only large tables take are taken more often than not."""
    without: tuple[str, ...] = ()
    if random.random() < 0.35:
        share = random.choice((0.15, 0.5, 1.0))
        drawn = [rule for rule in rule_names() if random.random() < share]
        without = tuple(rule for rule in drawn if rule != "fold_constants")
    return Setup(
        random.choice(CHUNK_ROWS),
        random.choice(TASK_ROWS),
        streaming=random.random() < 0.65,
        without=without,
        coded=random.random() < 0.5,
        indexed=random.random() < 0.6,
        zone_rows=random.choice([None, 1, 2, 3, 5]),
        eager=random.random() < 0.4,
        apart=random.random() < 0.6,
    )


def story(seed: int | str, number: int, place: Place | None = None) -> Story:
    """Story `number` of a seed; `place` in place of the one that is drawn."""
    random = Random(f"{seed}/{number}")
    keyed = random.random() < 0.75
    tables = keyed_tables(random) if keyed else random_tables(random)
    setup, drawn = random_setup(random), random.choice(PLACES)
    changes = Changes(random, drawn == "temporary")
    daring = random.choice((0.02, 0.05))
    told: list[Step | Statement] = []
    asked: list[Statement] = []
    duck = DuckTold(tables)
    now = list(tables)
    for _ in range(CHANGES):
        for _ in range(random.choice(QUERIES_BETWEEN)):
            again = bool(asked) and random.random() < AGAIN
            if again:
                query = random.choice(asked)
            elif random.random() < 0.65:
                query = keyed_query(random, now)
            else:
                query = random_statement(random, tuple(now), daring)
            told.append(query)
            asked.append(query)
        for step in changes.steps(now):
            told.append(step)
            duck.tell(step)
        known = [column for table in now for column in table.columns]
        now = [duck.table(table.name, known) for table in now]
    # What was asked last is asked of the tables as they are in the end.
    told += asked[-3:]
    duck.close()
    return Story(tables, setup, place or drawn, tuple(told))


def verdicts(
    story: Story, last: bool = False, urls: Sequence[str] = ()
) -> Iterator[tuple[int, Verdict]]:
    """The number of each step that was judged, with the verdict. last: judge that step alone.

    After a change both must have the same tables. A story ends where DuckDB itself fails, and
    where a change was told to one side only.
    """
    duck = DuckTold(story.tables)
    other = EauTold(story.tables, story.setup, story.place, urls)
    try:
        for number, step in enumerate(story.told):
            silent = last and number < len(story.told) - 1
            if isinstance(step, str):
                found = changed(duck, other, step)
                if not silent or found.outcome == "different":
                    yield number, found
                if found.outcome == "different":
                    return
                continue
            expected, actual = duck.run(step.sql), other.run(step.sql)
            if isinstance(expected, Refusal) and expected.fault == "bug":
                yield number, Verdict("DuckDB failed")
                return
            if not silent:
                yield number, _judged(step, story.tables, duck, expected, actual)
    finally:
        duck.close()
        other.close()


def _judged(
    query: Statement, first: Sequence[Table], duck: DuckTold, expected: Answer, actual: Answer
) -> Verdict:
    """The verdict on a query over the tables as they are now. first: those that there were."""
    now = tuple(map(duck.table, duck.names()))
    if isinstance(actual, Refusal) and actual.fault == "statement":
        declared = [[(c.name, c.type) for c in table.columns] for table in now]
        if declared != [[(c.name, c.type) for c in table.columns] for table in first]:
            # A name or a type no longer fits, in a place that DuckDB does not look at, or casts.
            return Verdict("refused", "refused", actual.message)
    if isinstance(expected, Refusal) and _SEVERAL in expected.message.lower():
        # Only what raises at the same row can be left out, and a key says that it never does.
        same = isinstance(actual, Refusal) and _SEVERAL in actual.message
        return Verdict("both raised") if same else Verdict("different", "several rows", str(actual))
    return judge(query, now, expected, actual)


def changed(duck: DuckTold, other: EauTold, step: Step) -> Verdict:
    """Take one step on both sides, and compare all tables."""
    theirs, ours = duck.tell(step), other.tell(step)
    if ours is not None and ours.fault == "bug":
        return Verdict("different", "bug", f"{step}: {ours.message}")
    if step.startswith(OWN):
        return Verdict("changed")
    if (theirs is None) != (ours is None):
        who = "only eau2 raised" if theirs is None else "only DuckDB raised"
        return Verdict("different", f"change: {who}", f"{step[:200]}: {ours or theirs}")
    for name in duck.names():
        sql = f"SELECT * FROM {name}"
        found = _same_rows(duck.run(sql), other.run(sql))
        if found is not None:
            return Verdict("different", "change", f"after {step[:200]}: {name}: {found}")
    return Verdict("changed")


def _same_rows(expected: Answer, actual: Answer) -> str | None:
    if isinstance(actual, Refusal):
        return actual.message
    assert isinstance(expected, pa.Table)
    return difference(expected, actual)
