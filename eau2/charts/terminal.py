"""Charts out of characters: Braille dots, blocks, and axes with ticks.

Owns: where each character stands. Comes in: a Figure and the size of the place for it. Goes out:
lines of text without colours. Does not know: tables, terminals.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eau2.charts.axis import Tick, apart, context, fitted, rounded
from eau2.charts.figure import Figure, Limits, Scale, Series
from eau2.charts.thinning import Numbers
from eau2.errors import UsageError
from eau2.formats.texts import cut, display_width, pad, printable

WIDTH_MIN: Final = 40
HEIGHT_MIN: Final = 12

_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bits of a Braille character, by row and column of its dots. (Source: Unicode, U+2800 ff.)"""

_MARKS: Final = "•x+o*#"
_FILLS: Final = "█▒░▓▚■"
_RISING: Final = " ▁▂▃▄▅▆▇█"
_GROWING: Final = " ▏▎▍▌▋▊▉█"

Dots = NDArray[np.bool_]


def check_size(width: int, height: int) -> None:
    """Raises UsageError for a place that is too small."""
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        raise UsageError(
            f"a chart needs at least {WIDTH_MIN} columns and {HEIGHT_MIN} lines,"
            f" and there are {width} and {height}",
            hint="Make the window larger, or draw an SVG.",
        )


def limits(width: int, height: int) -> Limits:
    """What there is room for in so many columns and lines."""
    # Beside bars stand their names, their axis with its labels, and what is left out.
    return Limits(bars=height - 6, points=2 * 2 * width, bins=width // 3)


def draw(figure: Figure, width: int, height: int) -> str:
    """The figure in at most so many columns and lines; lines end without spaces."""
    notes = textwrap.wrap("; ".join(figure.notes), width)
    room = height - len(notes)
    match figure.kind:
        case "bar":
            drawn = list(_bars(figure, width))
        case "histogram":
            drawn = list(_histogram(figure, width, room))
        case _:
            drawn = list(_points(figure, width, room))
    return "\n".join(line.rstrip() for line in [*drawn, *notes]) + "\n"


def _points(figure: Figure, width: int, height: int) -> Iterator[str]:
    low, high = _range([series.y for series in figure.series])
    left, right = apart(*_range([series.x for series in figure.series]), figure.x_scale)
    rows = max(3, height - 4)
    low, high = rounded(low, high, max(1, rows // 2))
    labels = _y_labels(low, high, rows, figure.y_scale)
    margin = max(map(display_width, labels))
    columns = max(4, width - margin - 2)
    if len(figure.series) == 1:
        series = figure.series[0]
        dots = _dots(figure.kind, series, (left, right), (low, high), (columns * 2, rows * 4))
        grid = _braille(dots)
    else:
        grid = [[" "] * columns for _ in range(rows)]
        for series, mark in zip(figure.series, _MARKS, strict=False):
            dots = _dots(figure.kind, series, (left, right), (low, high), (columns, rows))
            for row, column in np.argwhere(dots):
                grid[row][column] = mark
    yield _legend(figure, _MARKS, width)
    yield from _framed(["".join(row) for row in grid], labels, margin)
    yield from _below(figure, left, right, columns, margin)


def _histogram(figure: Figure, width: int, height: int) -> Iterator[str]:
    (series,) = figure.series
    rows = max(3, height - 4)
    low, high = rounded(0.0, max(1.0, float(series.y.max())), max(1, rows // 2))
    labels = _y_labels(low, high, rows)
    margin = max(map(display_width, labels))
    each = max(1, (width - margin - 2) // len(series.y))
    eighths = np.rint(series.y / high * rows * 8).astype(int)
    # A bin that has rows at all is never drawn as an empty one.
    eighths = np.where((series.y > 0) & (eighths == 0), 1, eighths)
    grid = []
    for row in range(rows):
        above = eighths - 8 * (rows - 1 - row)
        grid.append("".join(_RISING[int(np.clip(part, 0, 8))] * each for part in above))
    yield cut(f"{' ' * margin} {series.name}", width)
    yield from _framed(grid, labels, margin)
    columns = each * len(series.y)
    yield from _below(figure, float(series.x[0]), float(series.x[-1]), columns, margin)


def _bars(figure: Figure, width: int) -> Iterator[str]:
    texts = [text for series in figure.series for text in series.texts]
    values = [cut(printable(text), width // 3) for text in texts]
    labels = [cut(printable(label), width // 3) for label in figure.labels]
    name = cut(printable(figure.x_name), width // 3)
    margin = max(map(display_width, [*labels, name]))
    room = max(4, width - margin - 3 - max(map(display_width, values)))
    low, high = _range([np.append(series.y, 0.0) for series in figure.series])
    low, high = rounded(low, high, max(1, room // 12)) if low < high else (0.0, 1.0)
    zero = round(-low / (high - low) * room)
    shown = iter(values)
    by_series = [[next(shown) for _ in series.texts] for series in figure.series]
    yield f"{pad(name, margin, 'left')} {_legend(figure, _FILLS, width - margin - 1).lstrip()}"
    for index, label in enumerate(labels):
        for number, series in enumerate(figure.series):
            fill = _FILLS[number] if len(figure.series) > 1 else ""
            bar = _bar(float(series.y[index]), low, high, room, zero, fill)
            left = pad(label if number == 0 else "", margin, "left")
            yield f"{left} │{bar} {by_series[number][index]}"
    yield from _scale_below(low, high, Scale.NUMBER, room, margin)


def _bar(value: float, low: float, high: float, room: int, zero: int, fill: str) -> str:
    """A bar from zero to `value`, in `room` columns, of which `zero` are for what is below zero.

    fill: the character it is made of; "" for blocks with a fine end.
    """
    if np.isnan(value):
        return " " * zero
    length = abs(value) / (high - low) * room
    if value < 0:
        whole = min(zero, round(length))
        return " " * (zero - whole) + (fill or "█") * whole
    if fill:
        return " " * zero + fill * min(round(length), room - zero)
    eighths = min(round(length * 8) or (1 if value else 0), 8 * (room - zero))
    end = _GROWING[eighths % 8] if eighths % 8 else ""
    return " " * zero + "█" * (eighths // 8) + end


def _range(arrays: list[Numbers]) -> tuple[float, float]:
    finite = [array[np.isfinite(array)] for array in arrays]
    return (
        min(float(array.min()) for array in finite if len(array)),
        max(float(array.max()) for array in finite if len(array)),
    )


def _dots(
    kind: str,
    series: Series,
    across: tuple[float, float],
    up: tuple[float, float],
    size: tuple[int, int],
) -> Dots:
    """Which dots of a grid of `size` (columns, rows) the series touches; row 0 is the top."""
    columns, rows = size
    x = np.rint((series.x - across[0]) / (across[1] - across[0]) * (columns - 1)).astype(int)
    y = np.rint((up[1] - series.y) / (up[1] - up[0]) * (rows - 1)).astype(int)
    dots = np.zeros((rows, columns), dtype=np.bool_)
    dots[y, x] = True
    if kind == "line":
        for start in range(len(x) - 1):
            steps = max(abs(int(x[start + 1] - x[start])), abs(int(y[start + 1] - y[start])))
            if steps > 1:
                between_x = np.linspace(x[start], x[start + 1], steps + 1)
                between_y = np.linspace(y[start], y[start + 1], steps + 1)
                dots[np.rint(between_y).astype(int), np.rint(between_x).astype(int)] = True
    return dots


def _braille(dots: Dots) -> list[list[str]]:
    rows, columns = dots.shape[0] // 4, dots.shape[1] // 2
    cells = dots.reshape(rows, 4, columns, 2)
    codes = np.einsum("rdcs,ds->rc", cells.astype(int), _DOTS)
    return [[chr(0x2800 + code) if code else " " for code in row] for row in codes.tolist()]


def _y_labels(low: float, high: float, rows: int, scale: Scale = Scale.NUMBER) -> list[str]:
    """What stands left of each row; most often nothing."""

    def places(found: list[Tick]) -> list[int]:
        return [round((high - tick.value) / (high - low) * (rows - 1)) for tick in found]

    def fits(found: list[Tick]) -> bool:
        at = sorted(places(found))
        return all(right - left >= 2 for left, right in pairwise(at))

    found = fitted(low, high, scale, max(2, rows // 2), fits)
    labels = [""] * rows
    for place, tick in zip(places(found), found, strict=True):
        labels[place] = tick.label
    return labels


def _framed(grid: list[str], labels: list[str], margin: int) -> Iterator[str]:
    for row, label in zip(grid, labels, strict=True):
        yield f"{pad(label, margin, 'right')} {'┤' if label else '│'}{row}"


def _below(figure: Figure, left: float, right: float, columns: int, margin: int) -> Iterator[str]:
    yield from _scale_below(left, right, figure.x_scale, columns, margin)
    day = context(left, right, figure.x_scale)
    name = printable(figure.x_name) + (f" ({day})" if day else "")
    name = cut(name, columns + margin)
    yield " " * (margin + 2 + max(0, (columns - display_width(name)) // 2)) + name


def _scale_below(
    left: float, right: float, scale: Scale, columns: int, margin: int
) -> Iterator[str]:
    """The axis below a drawing of so many columns, and the labels of its ticks."""

    def start(tick: Tick) -> int:
        place = round((tick.value - left) / (right - left) * (columns - 1))
        wanted = place - len(tick.label) // 2
        return max(-margin, min(wanted, columns - len(tick.label)))

    def fits(found: list[Tick]) -> bool:
        ends = [(start(tick), start(tick) + len(tick.label)) for tick in found]
        return all(next_[0] - end[1] >= 2 for end, next_ in pairwise(ends))

    found = fitted(left, right, scale, max(2, columns // 8), fits)
    axis, labels = ["─"] * columns, [" "] * (margin + 2 + columns)
    for tick in found:
        axis[round((tick.value - left) / (right - left) * (columns - 1))] = "┬"
        begin = margin + 2 + start(tick)
        labels[begin : begin + len(tick.label)] = tick.label
    yield f"{' ' * (margin + 1)}└{''.join(axis)}"
    yield "".join(labels)


def _legend(figure: Figure, marks: str, width: int) -> str:
    names = [printable(series.name) for series in figure.series]
    if len(names) > 1:
        names = [f"{mark} {name}" for mark, name in zip(marks, names, strict=False)]
    return cut("  ".join(names), width)
