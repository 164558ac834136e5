"""Results on their way out: drawn part by part, and the last one kept.

Owns: how a result of any size is shown without being held, and the last result. Comes in: batches
as a query gives them. Goes out: bytes to the output. Does not know: statements, commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, overload

import pyarrow as pa

from eau2.errors import UsageError
from eau2.records import Struct, field
from eau2.render import rendered
from eau2.repl.output import Output
from eau2.repl.pieces import Kind, cut
from eau2.repl.preferences import Preferences
from eau2.result import Batches
from eau2.sink import BINARY
from eau2.types import SqlType

KEPT_BYTES: Final = 64 << 20
"""A result of up to this size is kept for `\\last` and as the table `_`."""

NAME: Final = "_"
"""What the last result is called in a statement."""


class Last(Struct):
    """The last result: all of its parts, or none when it was too large."""

    tables: list[pa.Table] = field(default_factory=list)
    types: tuple[SqlType, ...] = ()
    rows: int = 0
    whole: bool = False

    def table(self) -> pa.Table:
        """All rows. Raises UsageError when there is no result, or it was not kept."""
        if not self.types:
            raise UsageError("there is no result yet", hint="Run a statement first.")
        if not self.whole:
            raise UsageError(
                f"the last result was not kept: it has {self.rows:,} rows, of more than "
                f"{KEPT_BYTES >> 20} MB",
                hint="CREATE TABLE name AS ... keeps a result of any size.",
            )
        return pa.concat_tables(self.tables)

    def distinct(self) -> pa.Table:
        """All rows as a table whose columns have a name each, by which it can be registered."""
        table = self.table()
        return table.rename_columns(_numbered(table.column_names))


def refuse_last(statement: str) -> None:
    """Raise UsageError for a statement that makes, fills or drops a table called `_`.

    Such a table could not be read here.
    """
    words = [piece for piece in cut(statement) if piece.kind is not Kind.COMMENT]
    if not words or words[0].word not in ("create", "insert", "drop"):
        return
    of = next((n for n, each in enumerate(words) if each.word in ("table", "view", "into")), None)
    if of is None:
        return
    named = next(
        (each for each in words[of + 1 :] if each.word not in ("if", "not", "exists")), None
    )
    if named is not None and named.name == NAME:
        raise UsageError(
            f"{NAME} is the last result in the shell, and no table that {words[0].word} can change",
            hint="Name the table in another way.",
        )


class Display:
    """Shows results in the format of the moment."""

    def __init__(self, preferences: Preferences, output: Output) -> None:
        self.last = Last()
        self._preferences = preferences
        self._output = output

    def show(
        self,
        batches: Batches,
        *,
        plan: bool = False,
        paged: bool = True,
        begins: Callable[[], None] = lambda: None,
    ) -> None:
        """Show a result while it comes, and keep it. plan: it is an EXPLAIN, to be read whole.

        begins: is called before anything is written.
        Raises what the query raises; BrokenPipeError when the pager was left.
        """
        last = Last()
        form = self._preferences.format
        form = "lines" if plan and form == "box" else form
        try:
            with batches:
                tables = self._kept(batches, last)
                self._write(tables, _Types(batches), form, paged, begins=begins)
        finally:
            # All of it has come, also if whoever reads it has seen enough.
            if last.types:
                self.last = last
        self._hint(last, form)

    def again(self, form: str) -> None:
        """Show the last result once more, all of it. Raises UsageError."""
        last = self.last
        table = last.table()
        rows = max(2, table.num_rows)
        self._write([table], last.types, form, paged=True, max_rows=rows)

    def overview(self, table: pa.Table, types: Sequence[SqlType], *, most: bool = False) -> None:
        """Show a table that no statement made; it is not kept. most: all rows of it, also boxed."""
        form = self._preferences.format
        form = "box" if form in BINARY and self._output.on_screen else form
        rows = max(2, table.num_rows) if most else None
        self._write([table], types, form, paged=True, max_rows=rows)

    def _write(
        self,
        tables: Iterable[pa.Table],
        types: Sequence[SqlType],
        form: str,
        paged: bool,
        max_rows: int | None = None,
        begins: Callable[[], None] = lambda: None,
    ) -> None:
        rows = max_rows or self._preferences.max_rows
        with self._output.opened(form, paged=paged) as sink:
            for piece in rendered(form, tables, types, self._output.width, rows):
                begins()
                sink.write(piece)

    def _kept(self, batches: Batches, last: Last) -> Iterator[pa.Table]:
        """The parts of a result; those of a small one are kept."""
        size = 0
        last.whole = True
        empty = batches.schema.empty_table()
        given = False
        for batch in batches:
            table = pa.Table.from_batches([batch])
            last.rows += table.num_rows
            size += table.nbytes
            last.whole = last.whole and size <= KEPT_BYTES
            if last.whole:
                last.tables.append(table)
            else:
                last.tables.clear()
            given = True
            yield table
        if not given:
            last.tables.append(empty)
            yield empty
        last.types = batches.types

    def _hint(self, last: Last, form: str) -> None:
        cut = form == "box" and last.rows > self._preferences.max_rows
        if cut and last.whole and self._output.on_screen:
            self._output.say("\\last shows all of them.")


class _Types(Sequence[SqlType]):
    """The columns' types, looked up when they are needed: a node tells them after the rows."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches.types)

    @overload
    def __getitem__(self, index: int) -> SqlType: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SqlType]: ...

    def __getitem__(self, index: int | slice) -> SqlType | Sequence[SqlType]:
        return self._batches.types[index]


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, numbered where one comes again, letter case aside."""
    taken: set[str] = set()
    made = []
    for name in names:
        candidate, number = name or "column", 0
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name or 'column'}_{number}"
        taken.add(candidate.lower())
        made.append(candidate)
    return made
