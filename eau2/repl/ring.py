"""The ring drawn: the nodes in their order around it, and which chunk of a frame is on which.

Owns: the drawing. Comes in: the nodes' names and states, the chunks' places. Goes out: text. Does
not know: how a store is asked, where the text goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from eau2.records import Record

HELD, MISSING, BESIDE, ELSEWHERE = "●", "○", "◦", "·"
_KEY: Final = f"{HELD} is there   {MISSING} belongs there and is not   {BESIDE} is there beside"

_NODES_AROUND: Final = 12
"""More nodes than these are listed only."""

_ROWS: Final = 9
_COLUMNS: Final = 40
_LABEL_ROOM: Final = 22


class Placed(Record, frozen=True):
    """A chunk: where it is to be, and where it is; None where that cannot be told."""

    rows: int
    bytes: int
    belongs_on: tuple[str, ...]
    is_on: tuple[str, ...] | None


def drawn(
    frame: str, nodes: Sequence[tuple[str, str]], chunks: Sequence[Placed], width: int
) -> str:
    """The ring and the chunks of a frame on it, in lines of at most `width` columns.

    nodes: each one's name and health, in the order of the ring.
    """
    names = [name for name, _ in nodes]
    counts = {name: sum(name in (chunk.is_on or ()) for chunk in chunks) for name in names}
    total = f"{_counted(len(chunks), 'chunk')}, {_counted(sum(c.rows for c in chunks), 'row')}"
    lines = [f"{frame}: {total}, on {_counted(len(nodes), 'node')}", ""]
    if 1 < len(nodes) <= _NODES_AROUND:
        lines += [*_circle([(n, f"{n} {counts[n]}", health) for n, health in nodes]), ""]
    lines += _table(nodes, chunks, counts, width)
    return "\n".join(lines)


def _circle(nodes: Sequence[tuple[str, str, str]]) -> list[str]:
    """An ellipse of dots with the nodes on it, clockwise from the top."""
    wide = _COLUMNS + 2 * _LABEL_ROOM
    canvas = [[" "] * wide for _ in range(_ROWS)]
    middle_x, middle_y = wide / 2, (_ROWS - 1) / 2

    def spot(turn: float) -> tuple[int, int]:
        angle = 2 * math.pi * turn - math.pi / 2
        x = middle_x + (_COLUMNS / 2 - 1) * math.cos(angle)
        return round(x), round(middle_y + middle_y * math.sin(angle))

    for step in range(72):
        x, y = spot(step / 72)
        canvas[y][x] = ELSEWHERE
    for number, (_, label, health) in enumerate(nodes):
        x, y = spot(number / len(nodes))
        text = label if health == "up" else f"{label} ({health})"
        text = text[:_LABEL_ROOM]
        left = x - len(text) - 1 if x < middle_x - 1 else x + 2
        canvas[y][x] = HELD if health == "up" else MISSING
        for place, letter in enumerate(text):
            canvas[y][left + place] = letter
        for place in (left - 1, left + len(text)):
            canvas[y][place] = " " if place != x else canvas[y][place]
    lines = ["".join(row).rstrip() for row in canvas]
    margin = min(len(line) - len(line.lstrip()) for line in lines if line)
    return ["  " + line[margin:] for line in lines]


def _table(
    nodes: Sequence[tuple[str, str]],
    chunks: Sequence[Placed],
    counts: dict[str, int],
    width: int,
) -> list[str]:
    """A line for each node, a column for each chunk; several tables when there are many chunks."""
    names = [*(name for name, _ in nodes)]
    others = {name for chunk in chunks for name in (*chunk.belongs_on, *(chunk.is_on or ()))}
    names += sorted(others - set(names))
    label = max([len("chunk"), *(len(name) for name in names)])
    tail = 9
    room = max(10, (width - label - tail - 2) // 10 * 10)
    lines: list[str] = []
    for start in range(0, max(1, len(chunks)), room):
        part = chunks[start : start + room]
        scale = "".join(f"{n:<10}" for n in range(start, start + len(part), 10))
        lines.append(f"{'chunk':{label}}  {scale}".rstrip())
        for name in names:
            marks = "".join(_mark(name, chunk) for chunk in part)
            sums = f"  {counts.get(name, 0)}" if start + room >= len(chunks) else ""
            lines.append(f"{name:{label}}  {marks}{sums}".rstrip())
        lines.append("")
    return [*lines, _KEY] if chunks else lines[:-1]


def _mark(name: str, chunk: Placed) -> str:
    belongs = name in chunk.belongs_on
    if chunk.is_on is None:
        return "?" if belongs else ELSEWHERE
    if name in chunk.is_on:
        return HELD if belongs else BESIDE
    return MISSING if belongs else ELSEWHERE


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
