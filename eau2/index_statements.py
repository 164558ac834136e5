"""CREATE INDEX, DROP INDEX and SHOW INDEXES.

Owns: what each of them checks, and what SHOW INDEXES says. Comes in: ast statements, and a way to
have work done at the chunks; goes out: answers. Does not know: row lists, nodes.

An index is a name in the frame's manifest and lists of rows in the memory of the nodes. The name is
durable; lists that are lost are made anew when they are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from eau2.answer import Answer, nothing, typed
from eau2.catalog import Frame, IndexDefinition
from eau2.errors import (
    NameTakenError,
    NotSupportedError,
    ProgrammingError,
    UnknownNameError,
    UnknownTableError,
)
from eau2.indexes.asked import can_be_indexed
from eau2.operators.indexing import IndexAction
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.scope import suggestion
from eau2.statements import Frames, Surroundings
from eau2.types import BIGINT, VARCHAR

Report = tuple[str, str, int, int, int]
"""column, state, rows, bytes, used: of one column of one chunk."""
Work = Callable[[Frame, Sequence[str], IndexAction], list[Report]]
"""Does something about the row lists of columns of a frame, at all of its chunks."""


def create_index(node: ast.CreateIndex, around: Surroundings, work: Work) -> Answer:
    """CREATE INDEX. The name is kept, then the lists are made, as far as there is room."""
    frames = around.frames
    if any(node.name.lower() == index.name.lower() for _, index in _indexes(frames)):
        if node.if_not_exists:
            return nothing()
        raise NameTakenError(
            f'an index called "{node.name}" exists already',
            span=around.span(node, node.name),
            hint="Write CREATE INDEX IF NOT EXISTS, or choose another name.",
        )
    if len(node.columns) != 1:
        raise NotSupportedError(
            "an index of several columns is not supported",
            span=node.span,
            hint="Make one for each column: the one that leaves fewest rows is used.",
        )
    frame = _table(node.table, node, around)
    column = _column(frame, node.columns[0], node, around)
    index = IndexDefinition(node.name, column)
    frames.home(node.table).amend(frame.name, lambda old: _with(old, index))
    work(_table(node.table, node, around), (column,), "build")
    return nothing()


def drop_index(node: ast.DropIndex, around: Surroundings, work: Work) -> Answer:
    """DROP INDEX. Lists go unless another index wants them."""
    frames = around.frames
    known = list(_indexes(frames))
    for frame, index in known:
        if index.name.lower() == node.name.lower():
            frames.home(frame.name).amend(frame.name, lambda old: _without(old, node.name))
            if not any(f is frame and i.column == index.column for f, i in known if i != index):
                work(frame, (index.column,), "drop")
            return nothing()
    if node.if_exists:
        return nothing()
    raise UnknownNameError(
        f'there is no index "{node.name}" to drop',
        span=around.span(node, node.name),
        hint=suggestion(node.name, [index.name for _, index in known], "Indexes"),
    )


def show_indexes(node: ast.ShowIndexes, around: Surroundings, work: Work) -> Answer:
    """SHOW INDEXES: a row for each index, for each column that has lists without one, and for what
    joins keep of columns.
    """
    frames = around.frames
    if node.name is not None:
        found = [_table(node.name, node, around)]
    else:
        each = (frames.frame(name) for name in frames.names())
        found = [frame for frame in each if frame is not None]
    rows = [row for frame in found for row in _rows(frame, work)]
    return typed(
        [
            ("name", VARCHAR, [name for name, *_ in rows]),
            ("table", VARCHAR, [table for _, table, *_ in rows]),
            ("column", VARCHAR, [column for _, _, column, *_ in rows]),
            ("state", VARCHAR, [row[3] for row in rows]),
            ("chunks", BIGINT, [row[4] for row in rows]),
            ("rows", BIGINT, [row[5] for row in rows]),
            ("bytes", BIGINT, [row[6] for row in rows]),
            ("used", BIGINT, [row[7] for row in rows]),
        ]
    )


_Row = tuple[str | None, str, str, str, int, int, int, int]


def _rows(frame: Frame, work: Work) -> Iterator[_Row]:
    """Of one frame. chunks, rows: of which there are lists."""
    columns = [c.name for c in frame.schema.columns if can_be_indexed(c.type)]
    if not columns:
        return
    reports: dict[str, list[Report]] = {}
    arrays: dict[str, list[Report]] = {}
    for report in work(frame, columns, "show"):
        (arrays if report[1] == "joins" else reports).setdefault(report[0], []).append(report)
    named = {index.column for index in frame.indexes}
    wanted: list[tuple[str | None, str]] = [(index.name, index.column) for index in frame.indexes]
    active = ("built", "building", "waiting")
    wanted += [
        (None, column)
        for column in columns
        if column not in named and any(state in active for _, state, *_ in reports.get(column, ()))
    ]
    for name, column in wanted:
        found = reports.get(column, [])
        built = [report for report in found if report[1] == "built"]
        yield (
            name,
            frame.name,
            column,
            _state([state for _, state, *_ in found]),
            len(built),
            sum(report[2] for report in built),
            sum(report[3] for report in built),
            max((report[4] for report in built), default=0),
        )
    for column, found in arrays.items():
        count, size, used = (
            sum(r[2] for r in found),
            sum(r[3] for r in found),
            max(r[4] for r in found),
        )
        yield (None, frame.name, column, "joins", len(found), count, size, used)


def _state(states: Sequence[str]) -> str:
    """Of several chunks together. Small ones need no lists."""
    counts = Counter(state for state in states if state != "small")
    for state in ("building", "waiting", "no room"):
        if counts[state]:
            return state
    if counts["not built"]:
        return "partly built" if counts["built"] else "not built"
    return "built" if counts["built"] else "not needed"


def _indexes(frames: Frames) -> Iterator[tuple[Frame, IndexDefinition]]:
    for name in frames.names():
        frame = frames.frame(name)
        for index in () if frame is None else frame.indexes:
            assert frame is not None
            yield frame, index


def _with(frame: Frame, index: IndexDefinition) -> Frame:
    return replace(frame, indexes=(*_without(frame, index.name).indexes, index))


def _without(frame: Frame, name: str) -> Frame:
    kept = tuple(index for index in frame.indexes if index.name.lower() != name.lower())
    return replace(frame, indexes=kept)


def _table(name: str, node: ast.Statement, around: Surroundings) -> Frame:
    frames, span = around.frames, around.span(node, name)
    frame = frames.frame(name)
    if frame is not None:
        return frame
    if frames.view(name) is not None:
        raise ProgrammingError(
            f'"{name}" is a view: it has no indexes',
            span=span,
            hint="Name a table that it reads.",
        )
    near = suggestion(name, list(frames.names()), "Tables")
    raise UnknownTableError(f'there is no table "{name}"', span=span, hint=near)


def _column(frame: Frame, name: str, node: ast.Statement, around: Surroundings) -> str:
    """The stored name of a column that can have an index."""
    span = around.span(node, name)
    for column in frame.schema.columns:
        if column.name.lower() != name.lower():
            continue
        if not can_be_indexed(column.type):
            raise NotSupportedError(
                f"a column of type {column.type} cannot have an index",
                span=span,
                hint="Integers, dates, timestamps and decimals of up to 18 digits can.",
            )
        return column.name
    names = [column.name for column in frame.schema.columns]
    raise ProgrammingError(
        f'there is no column "{name}" in "{frame.name}"',
        span=span,
        hint=suggestion(name, names, "Columns"),
    )
