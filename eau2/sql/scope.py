"""Which column names are visible somewhere, and what each of them means.

Owns: `Scope`, name resolution, the expansion of `*`, the merged columns of USING and NATURAL.
Comes in: the tables of a FROM clause. Goes out: expressions over plan columns.
Does not know: plans, aliases of a select list, functions.

Names compare with letter case ignored.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property
from itertools import count

from eau2.errors import (
    AmbiguousNameError,
    ProgrammingError,
    Span,
    UnknownColumnError,
    UnknownNameError,
    UnknownTableError,
)
from eau2.operators.expr import Expr
from eau2.records import Record, replace


class VisibleColumn(Record, frozen=True):
    """A column's name and what it means."""

    name: str
    expr: Expr


class VisibleTable(Record, frozen=True, dict=True):
    """A table under the name by which its columns can be qualified.

    The name of an `unnamed` one was not given, and gives way when it is taken.
    """

    name: str
    columns: tuple[VisibleColumn, ...]
    unnamed: bool = False

    @cached_property
    def _by_name(self) -> dict[str, VisibleColumn]:
        # From the last to the first, which is the one that is meant.
        return {column.name.casefold(): column for column in reversed(self.columns)}

    def find(self, column: str) -> VisibleColumn | None:
        """The column called `column`, if there is one."""
        return self._by_name.get(column.casefold())


class MergedColumn(Record, frozen=True):
    """Columns of one name made one by USING or NATURAL. `tables` are indices in the scope."""

    name: str
    expr: Expr
    tables: frozenset[int]


class Scope(Record, frozen=True):
    """The tables of a FROM clause in order, and the merged columns over them."""

    tables: tuple[VisibleTable, ...] = ()
    merged: tuple[MergedColumn, ...] = ()

    def beside(self, right: Scope, span: Span) -> Scope:
        """Both scopes together. Raises ProgrammingError when a table name occurs twice."""
        tables = list(self.tables)
        for table in right.tables:
            names = {other.name.casefold() for other in tables}
            if table.unnamed:
                table = replace(table, name=_free(table.name, names))
            elif table.name.casefold() in names:
                raise ProgrammingError(
                    f'the table name "{table.name}" occurs twice in this FROM clause',
                    span=span,
                    hint=f"Give one of them another name: ... AS {table.name}_2.",
                )
            tables.append(table)
        shift = len(self.tables)
        moved = tuple(
            replace(m, tables=frozenset(index + shift for index in m.tables)) for m in right.merged
        )
        return Scope(tuple(tables), self.merged + moved)

    def with_merged(self, merged: tuple[MergedColumn, ...]) -> Scope:
        """The scope where `merged` take the place of older merged columns they cover."""
        covered = {m.name.casefold() for m in merged}
        kept = tuple(
            old
            for old in self.merged
            if old.name.casefold() not in covered
            or not any(
                old.tables <= new.tables
                for new in merged
                if new.name.casefold() == old.name.casefold()
            )
        )
        return Scope(self.tables, kept + merged)

    def holders(self, column: str) -> tuple[tuple[VisibleColumn, frozenset[int]], ...]:
        """What an unqualified name may mean, and which tables each meaning covers.

        A merged column goes before columns of that name in tables that are not merged.
        """
        wanted = column.casefold()
        found = tuple(
            (VisibleColumn(merged.name, merged.expr), merged.tables)
            for merged in self.merged
            if merged.name.casefold() == wanted
        )
        if found:
            return found
        tables = ((table.find(column), frozenset((i,))) for i, table in enumerate(self.tables))
        return tuple((visible, covered) for visible, covered in tables if visible is not None)

    def find(self, column: str, span: Span) -> VisibleColumn | None:
        """What the unqualified name means; None if nothing. Raises when it is ambiguous."""
        found = self.holders(column)
        if len(found) > 1:
            names = ", ".join(
                f'"{self.tables[min(tables)].name}.{visible.name}"' for visible, tables in found
            )
            raise AmbiguousNameError(
                f'the column name "{column}" is ambiguous', span=span, hint=f"Write one of {names}."
            )
        return found[0][0] if found else None

    def called(self, name: str) -> VisibleTable | None:
        """The table that qualifies columns as `name`, if there is one."""
        wanted = name.casefold()
        return next((table for table in self.tables if table.name.casefold() == wanted), None)

    def table(self, name: str, span: Span) -> VisibleTable:
        """The table that qualifies columns as `name`. Raises UnknownTableError."""
        found = self.called(name)
        if found is None:
            raise self._unknown_table(name, span)
        return found

    def unknown_column(self, table: str, column: str, span: Span) -> UnknownNameError:
        """The error for `table.column`, which is not there."""
        holder = self.called(table)
        if holder is None:
            return self._unknown_table(table, span)
        return UnknownColumnError(
            f'the table "{holder.name}" has no column "{column}"',
            span=span,
            hint=suggestion(column, [c.name for c in holder.columns], "Columns"),
        )

    def _unknown_table(self, name: str, span: Span) -> UnknownTableError:
        return UnknownTableError(
            f'there is no table "{name}" in this FROM clause',
            span=span,
            hint=suggestion(name, [table.name for table in self.tables], "Tables"),
        )

    def unknown(self, column: str, span: Span, more: tuple[str, ...] = ()) -> UnknownColumnError:
        """The error for a name that means nothing here; `more` are names that would do as well."""
        names = [c.name for table in self.tables for c in table.columns]
        candidates = list(dict.fromkeys([*names, *more]))
        hint = suggestion(column, candidates, "Columns")
        # What is two longer in the text than the name is a name in double quotes.
        if span.end - span.start == len(column) + 2 and nearest(column, candidates) is None:
            hint = " ".join(filter(None, (f"A text is written '{column}'.", hint)))
        return UnknownColumnError(f'there is no column "{column}"', span=span, hint=hint)

    def star(self, without: frozenset[tuple[str, str]] = frozenset()) -> tuple[VisibleColumn, ...]:
        """All columns in order; a merged one once, where its first table has it.

        without: (table, column), case-folded, to be passed over.
        """
        found: list[VisibleColumn] = []
        seen: set[int] = set()
        merged: dict[tuple[int, str], int] = {}
        for number, common in enumerate(self.merged):
            for index in common.tables:
                merged.setdefault((index, common.name.casefold()), number)
        for index, table in enumerate(self.tables):
            for column in table.columns:
                if (table.name.casefold(), column.name.casefold()) in without:
                    continue
                position = merged.get((index, column.name.casefold()))
                if position is None:
                    found.append(column)
                elif position not in seen:
                    seen.add(position)
                    found.append(VisibleColumn(column.name, self.merged[position].expr))
        return tuple(found)


def _free(name: str, taken: set[str]) -> str:
    """`name`, or with the first number from 2 that makes it one of its own."""
    if name not in taken:
        return name
    return next(f"{name}{n}" for n in count(2) if f"{name}{n}" not in taken)


def nearest(name: str, candidates: list[str]) -> str | None:
    """The candidate most like `name`, if any is."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(name.casefold(), list(folded), 1, 0.6)
    return folded[near[0]] if near else None


def suggestion(name: str, candidates: list[str], what: str) -> str | None:
    """A hint for a name that is unknown: the nearest candidate, and what there is."""
    if not candidates:
        return None
    shown = ", ".join(candidates[:20]) + (", ..." if len(candidates) > 20 else "")
    near = nearest(name, candidates)
    listing = f"{what} here: {shown}."
    return listing if near is None else f'Did you mean "{near}"? {listing}'
