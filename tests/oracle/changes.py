"""Random statements that change tables: rows appended, names given other rows, indexes, order.

Owns: `Changes`, and the forms that are no SQL: see `Step`. What is appended is what belief in the
former rows would get wrong: keys that are there already, NULL keys, rows out of order, values
beyond the former bounds or dictionary. Comes in: the tables as they are. Goes out: one step. Does
not know: engines, and what a step makes of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from eau2.engine import rule_names
from tests.oracle.keyed import keyed_tables, keys
from tests.oracle.tables import (
    INTEGERS,
    Column,
    Table,
    Value,
    literal,
    random_tables,
    random_value,
    random_values,
)

Step = str
"""A statement for both engines, or for eau2 alone behind `OWN`, or for both but by another
connection of eau2's behind `ELSEWHERE`, or one of `ORDERED` (a table, BY, columns: its rows are put
anew in that order) and `REOPENED` (eau2's connections are new ones)."""

OWN, ELSEWHERE, ORDERED, REOPENED = "eau2: ", "elsewhere: ", "order ", "reopen"

MOST_ROWS = 120
"""A table of more is not made longer."""


class Changes:
    """Draws steps. temporary: tables are the connection's own, which nobody else can change."""

    def __init__(self, random: Random, temporary: bool) -> None:
        self.random = random
        self.word = "TEMP TABLE" if temporary else "TABLE"
        self.temporary = temporary
        self._indexes = 0

    def steps(self, tables: Sequence[Table]) -> list[Step]:
        """What one change takes: mostly one step."""
        table = self.random.choice(tables)
        appends: tuple[Callable[[Table], list[Step]], ...] = (
            *(self.fresh, self.again, self.without_keys, self.beyond, self.doubled, self.shifted),
            *(self.fresh, self.again, self.out_of_order, self.nothing, self.refused),
        )
        others: tuple[Callable[[Table], list[Step]], ...] = (
            *(self.anew, self.anew, self.filtered, self.ordered, self.indexed, self.unindexed),
            *(self.reopened, self.index_lost, self.switched),
        )
        few = len(table.rows) < MOST_ROWS
        if few and self.random.random() < 0.6:
            steps = self.random.choice(appends)(table)
        elif self.random.random() < 0.15 and len(tables) > 1:
            steps = self.exchanged(table, self.random.choice(tables))
        else:
            steps = self.random.choice(others)(table)
        if self.temporary or self.random.random() < 0.7:
            return steps
        own = (OWN, ORDERED, REOPENED)
        return [step if step.startswith(own) else ELSEWHERE + step for step in steps]

    def insert(self, table: Table, rows: Sequence[Sequence[Value]]) -> list[Step]:
        """INSERT VALUES, sometimes one row by one."""
        texts = [
            "(" + ", ".join(literal(v, c) for v, c in zip(row, table.columns, strict=True)) + ")"
            for row in rows
        ]
        if not texts:
            return self.nothing(table)
        start = f"INSERT INTO {table.name} VALUES "
        if self.random.random() < 0.2:
            return [start + text for text in texts]
        return [start + ", ".join(texts)]

    def row(self, table: Table, **given: Value) -> list[Value]:
        """A random row, but for the columns that are given."""
        return [
            given[column.name] if column.name in given else random_values(self.random, column, 1)[0]
            for column in table.columns
        ]

    def fresh(self, table: Table) -> list[Step]:
        """Rows like the others; whole-number keys that follow the greatest one."""
        rows = []
        for n in range(self.random.randint(1, 4)):
            given = {}
            for column, values in _numbers(table):
                low, high, _ = INTEGERS[column.type]
                following = max(values, default=low) + n + 1
                if column.name in ("k", "j") and following <= high:
                    given[column.name] = following
            rows.append(self.row(table, **given))
        return self.insert(table, rows)

    def again(self, table: Table) -> list[Step]:
        """A row whose key is there already, with other values beside it."""
        if not table.rows:
            return self.fresh(table)
        old = self.random.choice(table.rows)
        given = {
            column.name: value
            for column, value in zip(table.columns, old, strict=True)
            if column.name in ("k", "j") or self.random.random() < 0.3
        }
        return self.insert(table, [self.row(table, **given)])

    def without_keys(self, table: Table) -> list[Step]:
        """A row with NULL keys, or of NULLs alone."""
        names = [column.name for column in table.columns]
        chosen = names if self.random.random() < 0.3 else ["k", "j"]
        return self.insert(table, [self.row(table, **dict.fromkeys(chosen))])

    def beyond(self, table: Table) -> list[Step]:
        """Values beyond the former bounds: by one, or at the ends of the type; unknown texts."""
        given: dict[str, Value] = {}
        for column, values in _numbers(table):
            low, high, _ = INTEGERS[column.type]
            found = values or [0]
            near = (min(found) - 1, max(found) + 1, max(found) + 300, min(found) - 70_000)
            ends = (low, high, low + 1, high - 1)
            drawn = self.random.choice(near if column.tame or self.random.random() < 0.7 else ends)
            if low <= drawn <= high and self.random.random() < 0.8:
                given[column.name] = drawn
        for column in table.columns:
            if column.family == "str" and self.random.random() < 0.8:
                given[column.name] = f"new {self.random.randint(0, 9)}"
        return self.insert(table, [self.row(table, **given)])

    def out_of_order(self, table: Table) -> list[Step]:
        """The least key behind all others."""
        given: dict[str, Value] = {
            column.name: min(values) for column, values in _numbers(table) if values
        }
        return self.insert(table, [self.row(table, **given)])

    def doubled(self, table: Table) -> list[Step]:
        """The rows of the table once more, or some of them."""
        name = table.name
        condition = self._condition(table)
        if len(table.rows) * 2 > MOST_ROWS or self.random.random() < 0.5:
            return [f"INSERT INTO {name} SELECT * FROM {name} WHERE {condition}"]
        return [f"INSERT INTO {name} SELECT * FROM {name}"]

    def shifted(self, table: Table) -> list[Step]:
        """The rows once more with other keys."""
        numbers = [column for column, _ in _numbers(table) if column.name in ("k", "j")]
        if not numbers or len(table.rows) * 2 > MOST_ROWS:
            return self.fresh(table)
        column = self.random.choice(numbers)
        by = self.random.choice((1, -1, 10, -25, 1000))
        names = [
            f"CAST({one.name} + {by} AS {one.type})" if one is column else one.name
            for one in table.columns
        ]
        return [f"INSERT INTO {table.name} SELECT {', '.join(names)} FROM {table.name}"]

    def nothing(self, table: Table) -> list[Step]:
        """No row at all."""
        return [f"INSERT INTO {table.name} SELECT * FROM {table.name} WHERE 1 = 0"]

    def refused(self, table: Table) -> list[Step]:
        """Rows of which the last one cannot be stored: none is."""
        numbers = [column for column, _ in _numbers(table)]
        if not numbers or not table.rows:
            return self.again(table)
        column = self.random.choice(numbers)
        high = INTEGERS[column.type][1]
        start = f"INSERT INTO {table.name} ({column.name}) SELECT * FROM "
        return [f"{start}(VALUES (1::HUGEINT), ({high}::HUGEINT + 1)) AS v(x)"]

    def anew(self, table: Table) -> list[Step]:
        """The name dropped and given other rows, maybe other columns too."""
        source = keyed_tables if self.random.random() < 0.7 else random_tables
        made = self.random.choice(source(self.random))
        columns = made.columns if self.random.random() < 0.4 else table.columns
        rows = made.rows
        if columns is table.columns:
            count = self.random.choice((0, 1, 5, 20, 40))
            values = [self._column(column, count) for column in columns]
            rows = tuple(zip(*values, strict=True))
        declared = ", ".join(f"{column.name} {column.type}" for column in columns)
        new = Table(table.name, columns, rows)
        filled = self.insert(new, new.rows) if new.rows else []
        if self.random.random() < 0.5:
            return [f"CREATE OR REPLACE {self.word} {table.name} ({declared})", *filled]
        return [
            f"DROP TABLE {table.name}",
            f"CREATE {self.word} {table.name} ({declared})",
            *filled,
        ]

    def _column(self, column: Column, count: int) -> list[Value]:
        if column.family != "int" or self.random.random() < 0.5:
            return random_values(self.random, column, count)
        found: list[Value] = list(keys(self.random, column.type, count))
        return found + [None] * (count - len(found))

    def filtered(self, table: Table) -> list[Step]:
        """The name replaced by some of its own rows."""
        name = table.name
        forms = (
            f"SELECT * FROM {name} WHERE {self._condition(table)}",
            f"SELECT DISTINCT * FROM {name}",
            f"SELECT * FROM {name} ORDER BY {table.columns[0].name}",
        )
        return [f"CREATE OR REPLACE {self.word} {name} AS {self.random.choice(forms)}"]

    def exchanged(self, table: Table, other: Table) -> list[Step]:
        """The name replaced by the rows of another one."""
        return [f"CREATE OR REPLACE {self.word} {table.name} AS SELECT * FROM {other.name}"]

    def ordered(self, table: Table) -> list[Step]:
        """The rows put anew in the order of a column or two."""
        if self.temporary:
            return self.filtered(table)
        names = [column.name for column in table.columns]
        first = (
            ["k"] if "k" in names and self.random.random() < 0.6 else [self.random.choice(names)]
        )
        second = [self.random.choice(names)] if self.random.random() < 0.3 else []
        return [f"{ORDERED}{table.name} BY {', '.join(dict.fromkeys(first + second))}"]

    def indexed(self, table: Table) -> list[Step]:
        """An index on a column that can have one."""
        fitting = [c.name for c in table.columns if c.family in ("int", "date", "ts")]
        if not fitting:
            return self.again(table)
        name = "k" if "k" in fitting and self.random.random() < 0.5 else self.random.choice(fitting)
        self._indexes += 1
        return [f"{OWN}CREATE INDEX i{self._indexes} ON {table.name} ({name})"]

    def unindexed(self, table: Table) -> list[Step]:
        """One of the indexes dropped; some make their lists unasked from now on."""
        if not self._indexes or self.random.random() < 0.3:
            return [f"{OWN}SET auto_index = {self.random.choice(('on', 'off'))}"]
        return [f"{OWN}DROP INDEX IF EXISTS i{self.random.randint(1, self._indexes)}"]

    def index_lost(self, table: Table) -> list[Step]:
        """All lists thrown out, and then made anew as they are asked for."""
        return [f"{OWN}SET index_memory = '1'", f"{OWN}SET index_memory = '64MB'"]

    def switched(self, table: Table) -> list[Step]:
        """A rule, or a way to compute, left out from now on, or taken again."""
        rule = self.random.choice([name for name in rule_names() if name != "fold_constants"])
        return [f"{OWN}SET optimizer.{rule} = {self.random.choice(('on', 'off'))}"]

    def reopened(self, table: Table) -> list[Step]:
        """Nothing is kept but what the store keeps."""
        return self.again(table) if self.temporary else [REOPENED]

    def _condition(self, table: Table) -> str:
        """A condition that some of the rows meet."""
        column = self.random.choice(table.columns)
        drawn = [row[table.columns.index(column)] for row in table.rows]
        value = self.random.choice([v for v in drawn if v is not None] or [None])
        if value is None:
            value = random_value(self.random, column)
        sign = self.random.choice(("=", "<>", "<=", ">"))
        return f"{column.name} {sign} {literal(value, column)}"


def _numbers(table: Table) -> list[tuple[Column, list[int]]]:
    """The columns of whole numbers, and their values that are not NULL."""
    found = []
    for at, column in enumerate(table.columns):
        if column.family == "int":
            values = [row[at] for row in table.rows]
            found.append((column, [value for value in values if isinstance(value, int)]))
    return found
