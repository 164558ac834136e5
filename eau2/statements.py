"""Statements that change what names mean: CREATE, INSERT, DROP.

Owns: what each of them checks, and which rows it has the store keep. Comes in: ast statements, and
a way to run plans; goes out: answers. Does not know: how a plan is run, how rows are stored.

Whatever fails, fails as a whole: rows become visible when all of them are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from eau2.answer import Answer, counted, nothing
from eau2.catalog import Catalog, ColumnSchema, Frame, FrameSchema, View
from eau2.errors import (
    ConstraintError,
    NameTakenError,
    NotSupportedError,
    ProgrammingError,
    Span,
    UnknownTableError,
    UsageError,
)
from eau2.frames import Stored
from eau2.kv.registry import check_name
from eau2.operators import values
from eau2.operators.physical import to_logical
from eau2.parameters import Parameters
from eau2.planner.simplify import computed
from eau2.records import Record
from eau2.sql import ast
from eau2.sql.bind_insert import bind_insert
from eau2.sql.binder import Bound, bind
from eau2.sql.logical import Logical, Rows
from eau2.sql.pivot_values import unvalued
from eau2.sql.scope import suggestion
from eau2.sql.sources import unique_names
from eau2.sql.spans import of_name
from eau2.sql.type_names import resolve
from eau2.types import INTEGER, NULL, SqlType, list_of


class Frames(Catalog, Protocol):
    """A catalogue that statements may also change."""

    def place(self, temporary: bool) -> Stored:
        """Where what is temporary is kept, and what is not."""

    def home(self, name: str) -> Stored:
        """Where `name` is looked up."""

    def function_home(self, name: str) -> Stored:
        """Where the function `name` is looked up."""

    def drop(self, name: str) -> bool:
        """Drop what `name` means; False when it means nothing."""

    def bounded(self, place: Stored, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, but an OperationalError where there is no memory for them."""


class Surroundings(Record, frozen=True):
    """What a statement is run with. text: its own, or one that it is part of.

    now: what now() gives. run: the rows of a plan, as they come.
    """

    text: str
    frames: Frames
    parameters: Parameters | None
    now: datetime
    chunk_rows: int
    run: Callable[[Bound], Answer]

    def span(self, node: ast.Node, name: str) -> Span:
        """Where a name is written in a statement."""
        return of_name(self.text, node.span, name)


def create_table(node: ast.CreateTable, around: Surroundings) -> Answer:
    """CREATE TABLE. The answer counts the rows of a query."""
    _check_name(node.name, around.span(node, node.name))
    place = around.frames.place(node.temporary)
    if _stands(node, "table", place, around):
        return nothing()
    if node.query is None:
        place.put(node.name, _schema(node), (), chunk_rows=around.chunk_rows, replace=node.replace)
        return nothing()
    bound = bind(node.query, around.frames, around.parameters, around.now)
    schema = _schema_of(bound, node)
    rows = _Counted(schema, around.run(bound))
    batches = around.frames.bounded(place, rows.batches() if node.with_data else ())
    place.put(node.name, schema, batches, chunk_rows=around.chunk_rows, replace=node.replace)
    return counted(rows.count)


def create_view(node: ast.CreateView, around: Surroundings) -> Answer:
    """CREATE VIEW. The query is bound once, so that it is known to have a meaning."""
    _check_name(node.name, around.span(node, node.name))
    place = around.frames.place(node.temporary)
    if _stands(node, "view", place, around):
        return nothing()
    open_pivot = unvalued(node.query)
    if open_pivot is not None:
        raise NotSupportedError(
            "a view cannot hold a PIVOT whose values are read from the data",
            span=open_pivot.on.span,
            hint="Name them: ON column IN (value, ...).",
        )
    view = View(node.name, node.column_names, node.text)
    bound = bind(node.query, _With(view, around.frames), None, around.now)
    if len(node.column_names) > len(bound.names):
        raise ProgrammingError(
            f'the view "{node.name}" names {len(node.column_names)} columns, but its query has '
            f"{len(bound.names)}",
            span=around.span(node, node.name),
        )
    place.keep(view, replace=node.replace)
    return nothing()


def insert(node: ast.Insert, around: Surroundings) -> Answer:
    """INSERT. The answer counts the rows."""
    frame = _target(node, around)
    plan = bind_insert(
        node,
        frame.schema,
        around.frames,
        around.parameters,
        now=around.now,
        compute=computed,
        text=around.text,
    )
    rows = _Counted(frame.schema, _rows_of(plan, around))
    home = around.frames.home(node.name)
    batches = around.frames.bounded(home, rows.batches())
    home.append(frame.name, frame.schema, batches, chunk_rows=around.chunk_rows)
    return counted(rows.count)


def drop(node: ast.Drop, around: Surroundings) -> Answer:
    """DROP TABLE, DROP VIEW."""
    frames, span = around.frames, around.span(node, node.name)
    kind = "view" if node.view else "table"
    found = _kind(node.name, frames.home(node.name))
    if found is None and not node.if_exists:
        near = suggestion(node.name, list(frames.names()), "Tables")
        raise UnknownTableError(f'there is no {kind} "{node.name}" to drop', span=span, hint=near)
    if found is not None and found != kind:
        raise ProgrammingError(
            f'"{node.name}" is a {found}, not a {kind}',
            span=span,
            hint=f"Write DROP {found.upper()}.",
        )
    frames.drop(node.name)
    return nothing()


class _With:
    """A catalogue in which a view stands already, so that one that reads itself is found out."""

    def __init__(self, view: View, frames: Frames) -> None:
        self.file = frames.file
        self.names = frames.names
        self.epoch = frames.epoch
        self.function = frames.function
        self.functions = frames.functions
        self._view = view
        self._frames = frames

    def frame(self, name: str) -> Frame | None:
        """See Catalog.frame."""
        return None if self._is_it(name) else self._frames.frame(name)

    def view(self, name: str) -> View | None:
        """See Catalog.view."""
        return self._view if self._is_it(name) else self._frames.view(name)

    def _is_it(self, name: str) -> bool:
        return name.lower() == self._view.name.lower()


def _rows_of(plan: Logical, around: Surroundings) -> Answer:
    """The rows to insert; constants need no plan to be run."""
    names = tuple(column.name for column in plan.output)
    if isinstance(plan, Rows):
        by_column = tuple(zip(*plan.rows, strict=True))
        frame = values.Rows(plan.columns, by_column).frame()
        return Answer((rows for rows in [frame]), plan.columns, names)
    return around.run(Bound(plan, names))


class _Counted:
    """Rows on their way into a table: counted, and held against its constraints."""

    def __init__(self, schema: FrameSchema, answer: Answer) -> None:
        self.count = 0
        self._schema = schema
        self._answer = answer

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as a store takes them. Raises ConstraintError."""
        names = tuple(column.name for column in self._schema.columns)
        try:
            for frame in self._answer.batches:
                table = to_logical(frame, self._answer.columns, names)
                self._check(table)
                self.count += table.num_rows
                yield from table.to_batches()
        finally:
            self._answer.batches.close()

    def _check(self, table: pa.Table) -> None:
        for column, array in zip(self._schema.columns, table.columns, strict=True):
            if column.not_null and array.null_count:
                raise ConstraintError(
                    f'the column "{column.name}" is NOT NULL, but a value for it is NULL',
                    hint="Nothing was inserted.",
                )


def _target(node: ast.Insert, around: Surroundings) -> Frame:
    frames, span = around.frames, around.span(node, node.name)
    frame = frames.frame(node.name)
    if frame is not None:
        return frame
    if frames.view(node.name) is not None:
        raise ProgrammingError(f'"{node.name}" is a view: it takes no rows', span=span)
    raise UnknownTableError(
        f'there is no table "{node.name}"',
        span=span,
        hint=suggestion(node.name, list(frames.names()), "Tables") or "There are no tables yet.",
    )


def _kind(name: str, place: Stored) -> str | None:
    """What a name means there: "table", "view" or nothing."""
    if place.get(name) is not None:
        return "table"
    return None if place.view(name) is None else "view"


def _stands(
    node: ast.CreateTable | ast.CreateView, kind: str, place: Stored, around: Surroundings
) -> bool:
    """Whether there is something already that is to stay. Raises ProgrammingError."""
    if node.replace and node.if_not_exists:
        raise ProgrammingError("OR REPLACE and IF NOT EXISTS exclude each other", span=node.span)
    found = _kind(node.name, place)
    if found is None:
        return False
    if node.if_not_exists:
        return True
    if not node.replace:
        raise NameTakenError(
            f'a {found} called "{node.name}" exists already',
            span=around.span(node, node.name),
            hint=f"Write CREATE OR REPLACE {kind.upper()}, or IF NOT EXISTS."
            if found == kind
            else f"Choose another name, or drop the {found} first.",
        )
    if found != kind:
        raise ProgrammingError(
            f'"{node.name}" is a {found}, which no {kind} replaces',
            span=around.span(node, node.name),
            hint=f"DROP {found.upper()} first.",
        )
    return False


def _check_name(name: str, span: Span) -> None:
    try:
        check_name(name)
    except UsageError as error:
        raise ProgrammingError(error.message, span=span, hint=error.hint) from None


def _schema(node: ast.CreateTable) -> FrameSchema:
    """The columns as they are declared."""
    columns = tuple(
        ColumnSchema(column.name, _kept(resolve(column.type), column), column.not_null)
        for column in node.columns
    )
    seen: set[str] = set()
    for column in node.columns:
        if column.name.casefold() in seen:
            raise ProgrammingError(
                f'a column called "{column.name}" is declared already', span=column.span
            )
        seen.add(column.name.casefold())
    return FrameSchema(columns)


def _schema_of(bound: Bound, node: ast.CreateTable) -> FrameSchema:
    """The columns of a query as those of a table."""
    span = node.span
    if len(node.column_names) > len(bound.names):
        raise ProgrammingError(
            f"{len(node.column_names)} columns are named, but the query has {len(bound.names)}",
            span=span,
        )
    names = unique_names((*node.column_names, *bound.names[len(node.column_names) :]))
    pairs = zip(names, bound.plan.output, strict=True)
    return FrameSchema(tuple(ColumnSchema(name, _kept(c.type, node)) for name, c in pairs))


def _kept(type_: SqlType, node: ast.Node) -> SqlType:
    """The type that a column of this type has in a table."""
    if type_.element is not None:
        return list_of(_kept(type_.element, node))
    return INTEGER if type_ == NULL else type_
