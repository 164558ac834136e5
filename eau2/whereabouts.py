"""SHOW NODES and SHOW CHUNKS: what a store is spread over, as answers.

Owns: which columns they have, and which frames SHOW CHUNKS is about. Comes in: what names mean on a
connection; goes out: answers. Does not know: how nodes are asked (kv/survey.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from eau2.answer import Answer, typed
from eau2.catalog import ChunkRef, Frame
from eau2.errors import ProgrammingError, UnknownTableError
from eau2.frames import Stored
from eau2.kv.status import NodeStatus, Place
from eau2.sql import ast
from eau2.sql.scope import suggestion
from eau2.statements import Frames, Surroundings
from eau2.types import BIGINT, BOOLEAN, DOUBLE, VARCHAR, SqlType

_NODES: dict[str, SqlType] = {
    "name": VARCHAR,
    "address": VARCHAR,
    "state": VARCHAR,
    "health": VARCHAR,
    "voter": BOOLEAN,
    "may_fail": BOOLEAN,
    "chunks": BIGINT,
    "bytes": BIGINT,
    "missing": BIGINT,
    "quarantined": BIGINT,
    "running": BIGINT,
    "uptime_s": DOUBLE,
    "software": VARCHAR,
}
"""The columns of SHOW NODES, called as the fields of a NodeStatus."""


def nodes(frames: Frames) -> Answer:
    """SHOW NODES: a row for each node, in the order of the ring."""
    found: Sequence[NodeStatus] = frames.place(temporary=False).nodes()
    return typed(
        [(name, type_, [getattr(node, name) for node in found]) for name, type_ in _NODES.items()]
    )


def chunks(node: ast.ShowChunks, around: Surroundings) -> Answer:
    """SHOW CHUNKS: a row for each chunk, by table and in the order of its rows.

    Raises ProgrammingError for a view, UnknownNameError.
    """
    frames = around.frames
    names = frames.names() if node.name is None else (node.name,)
    rows: list[tuple[Frame, int, ChunkRef, Place]] = []
    # Asked for together, since each question goes to all nodes.
    by_home: dict[int, tuple[Stored, list[Frame]]] = {}
    for name in names:
        home = frames.home(name)
        frame = home.get(name)
        if frame is not None:
            by_home.setdefault(id(home), (home, []))[1].append(frame)
        elif node.name is not None:
            raise _no_table(node.name, around, node)
    for home, found in by_home.values():
        listed = [(frame, *pair) for frame in found for pair in enumerate(frame.chunks)]
        known = home.places([chunk for _, _, chunk in listed])
        rows += [(*each, place) for each, place in zip(listed, known, strict=True)]
    rows.sort(key=lambda row: (row[0].name, row[1]))
    return typed(
        [
            ("table", VARCHAR, [frame.name for frame, _, _, _ in rows]),
            ("number", BIGINT, [number for _, number, _, _ in rows]),
            ("rows", BIGINT, [chunk.rows for _, _, chunk, _ in rows]),
            ("bytes", BIGINT, [chunk.bytes for _, _, chunk, _ in rows]),
            ("belongs_on", VARCHAR, [_listed(place.belongs_on) for _, _, _, place in rows]),
            ("is_on", VARCHAR, [_listed(place.is_on) for _, _, _, place in rows]),
            ("id", VARCHAR, [f"{c.key.df_id}/{c.key.number}" for _, _, c, _ in rows]),
            ("checksum", VARCHAR, [chunk.checksum for _, _, chunk, _ in rows]),
        ]
    )


def _listed(nodes: tuple[str, ...] | None) -> str | None:
    return None if nodes is None else ", ".join(nodes)


def _no_table(name: str, around: Surroundings, node: ast.ShowChunks) -> ProgrammingError:
    span = around.span(node, name)
    if around.frames.view(name) is not None:
        return ProgrammingError(
            f'"{name}" is a view: it has no chunks',
            span=span,
            hint="Name a table that it reads; SHOW CHUNKS lists those of all tables.",
        )
    return UnknownTableError(
        f'there is no table "{name}"',
        span=span,
        hint=suggestion(name, list(around.frames.names()), "Tables") or "There are no tables yet.",
    )
