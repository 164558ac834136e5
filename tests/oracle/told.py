"""The two engines as takers of steps: their tables change while they answer queries.

Owns: `DuckTold`, `EauTold`, `Place`. Comes in: steps (changes.py) and SQL. Goes out: answers, and
the tables as they are. Does not know: which steps there are to take, who compares the answers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal

import duckdb

import eau2
from tests.oracle.changes import ELSEWHERE, ORDERED, OWN, REOPENED, Step
from tests.oracle.sides import DuckSide, EauSide, Refusal, Rows, Setup
from tests.oracle.tables import INTEGERS, Column, Family, Table

Place = Literal["memory", "temporary", "disk", "nodes"]
"""Where eau2 has the tables: in a store in memory or on disk, with the connection alone, or on the
nodes whose addresses are given."""


class DuckTold(DuckSide):
    """DuckDB, which takes steps too."""

    def tell(self, step: Step) -> Refusal | None:
        """Take one step: None, or how it was refused, and then nothing has changed."""
        # The first tables are no temporary ones here, and would show again behind such.
        step = step.removeprefix(ELSEWHERE).replace(" TEMP TABLE ", " TABLE ", 1)
        if step.startswith((OWN, REOPENED)):
            return None
        if step.startswith(ORDERED):
            name, names = ordering(step)
            step = f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name} ORDER BY "
            step += ", ".join(names)
        try:
            self.connection.execute(step)
        except duckdb.Error as error:
            return Refusal("data", str(error))
        return None

    def table(self, name: str, tame: Sequence[Column] = ()) -> Table:
        """A table as it is now; columns that were known before are as tame as they were."""
        rows = self.connection.table(name)
        before = {(column.name, column.type): column for column in tame}
        columns = []
        for column, type_ in zip(rows.columns, map(str, rows.types), strict=True):
            known = before.get((column, type_))
            columns.append(known or Column(column, type_, family_of(type_), False))
        return Table(name, tuple(columns), tuple(rows.fetchall()))

    def names(self) -> list[str]:
        """The tables that there are."""
        found = self.connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1")
        return [name for (name,) in found.fetchall()]


def ordering(step: Step) -> tuple[str, list[str]]:
    """The table and the columns of an `ORDERED` step."""
    name, _, names = step.removeprefix(ORDERED).partition(" BY ")
    return name, names.split(", ")


def family_of(type_: str) -> Family:
    """The family of one of DuckDB's types."""
    if type_ in INTEGERS:
        return "int"
    if type_.startswith("DECIMAL"):
        return "dec"
    families: dict[str, Family] = {"DOUBLE": "float", "FLOAT": "float", "VARCHAR": "str"}
    families |= {"DATE": "date", "TIMESTAMP": "ts", "BOOLEAN": "bool"}
    return families[type_]


class EauTold(EauSide):
    """eau2, which takes steps too; on disk and on nodes by a second connection if they say so."""

    def __init__(
        self, tables: Sequence[Rows], setup: Setup, place: Place, urls: Sequence[str] = ()
    ) -> None:
        """urls: the nodes of the place "nodes"; the last one is asked, the first one elsewhere."""
        self.place = place
        self.folder = tempfile.mkdtemp() if place == "disk" else None
        self.urls = urls
        to = self.folder if place != "nodes" else urls[-1]
        super().__init__(() if place != "temporary" else tables, setup, to if to else None)
        self.to = to
        self.other = self.opened(urls[0] if urls else to) if to is not None else self.connection
        if place != "temporary":
            with setup.compacting():
                for table in tables:
                    self.connection.put(table.name, table.arrow(), replace=True)
                    setup.index(self.connection, table)

    def opened(self, to: str) -> eau2.Connection:
        """A connection with the settings of the first one."""
        connection = self.connected(to)
        for setting in self.setup.settings:
            connection.execute(setting)
        return connection

    def tell(self, step: Step) -> Refusal | None:
        """As DuckTold.tell."""
        connection = self.other if step.startswith(ELSEWHERE) else self.connection
        step = step.removeprefix(ELSEWHERE).removeprefix(OWN)
        if step == REOPENED:
            self.reopen()
            return None
        with ExitStack() as stack:
            stack.enter_context(self.setup.compacting())
            stack.enter_context(self.setup.running())
            try:
                if step.startswith(ORDERED):
                    name, names = ordering(step)
                    rows = connection.sql(f"SELECT * FROM {name}").to_arrow()
                    connection.put(name, rows, replace=True, order_by=names)
                else:
                    connection.execute(step)
            except eau2.NotSupportedError as error:
                return Refusal("refused", str(error))
            except (eau2.DataError, eau2.ProgrammingError, eau2.IntegrityError) as error:
                return Refusal("data", str(error))
            except Exception as error:  # Whatever else comes out is what is looked for.
                return Refusal("bug", f"{type(error).__name__}: {error}")
        return None

    def reopen(self) -> None:
        """New connections to the same store; one in memory goes with its connection."""
        if self.to is None:
            return
        self.connection.close()
        self.other.close()
        self.connection = self.opened(self.to)
        self.other = self.opened(self.urls[0] if self.urls else self.to)

    def close(self) -> None:
        if self.place == "nodes":
            for name in self.connection.tables():
                self.connection.drop(name)
        if self.other is not self.connection:
            self.other.close()
        super().close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
