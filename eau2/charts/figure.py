"""What a chart shows of a result: its kind, its columns as numbers, and what is left out.

Owns: which kind suits which columns, and the words for what cannot be drawn. Comes in: an Arrow
table in logical types. Goes out: a `Figure`. Does not know: terminals, SVG, ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from eau2.charts.offsets import near, rounding_alone
from eau2.charts.thinning import Numbers, bins, evenly, extremes
from eau2.errors import UsageError
from eau2.formats.parts import slices
from eau2.operators.cells import text_cell
from eau2.records import Record

KINDS: Final = ("bar", "line", "scatter", "histogram")
SERIES_MAX: Final = 6
"""More columns than these cannot be told apart."""

LARGEST: Final = 1e300
"""Beyond it, the distance of two values may be no number any more."""

MICROS_PER_DAY: Final = 86_400_000_000
_NEAR_MOMENTS: Final = (Fraction(1, 10**12), 1000)
"""Moments so near each other, to their size or in microseconds, differ in a clock's last digits."""


class Scale(StrEnum):
    """What the numbers along an axis are: themselves, or microseconds since 1970 or midnight.

    OFFSET: what the values lie above the least of them, which a note names.
    """

    NUMBER = "number"
    DATE = "date"
    MOMENT = "moment"
    TIME = "time"
    TEXT = "text"
    OFFSET = "offset"


class Limits(NamedTuple):
    """How much a drawing has room for: bars, points of a series, bins of a histogram."""

    bars: int
    points: int
    bins: int


class Series(Record, frozen=True):
    """One column as it is drawn. Points: x and y, finite; bars: y, where NaN is no bar.

    A histogram has the edges of its bins as x, one more than the counts in y.
    texts: the values of bars as a result shows them.
    """

    name: str
    x: Numbers
    y: Numbers
    texts: tuple[str, ...] = ()


class Figure(Record, frozen=True):
    """A chart without a size. labels: of bars. notes: sentences about what is left out."""

    kind: str
    x_name: str
    x_scale: Scale
    series: tuple[Series, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    y_scale: Scale = Scale.NUMBER


class _Column(NamedTuple):
    position: int
    name: str
    scale: Scale


class _Choice(NamedTuple):
    kind: str
    x: _Column | None
    ys: list[_Column]


def figure(
    table: pa.Table,
    kind: str | None,
    x: str | None,
    y: str | Sequence[str] | None,
    limits: Limits,
) -> Figure:
    """What to draw of `table`.

    kind: one of KINDS; None for what suits the columns: bars for texts with numbers, lines for
    dates or numbers with numbers, a histogram for numbers alone. x, y: names of columns, None for
    the first that fit. Raises UsageError for what cannot be drawn.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(
            f"there is no chart of the kind '{str(kind)[:40]}'",
            hint=f"The kinds are {', '.join(KINDS)}.",
        )
    if not table.num_rows:
        raise UsageError("there is nothing to draw: the result has no rows")
    choice = _choice(table, kind, x, y)
    ys, notes = choice.ys, []
    if len(ys) > SERIES_MAX:
        notes.append(f"{SERIES_MAX} of {len(ys)} columns drawn")
        ys = ys[:SERIES_MAX]
    match choice.kind:
        case "histogram":
            return _histogram(table, ys[0], limits, notes)
        case "bar":
            return _bars(table, choice.x, ys, limits, notes)
        case drawn:
            assert choice.x is not None
            return _points(table, drawn, choice.x, ys, limits, notes)


def _choice(
    table: pa.Table, kind: str | None, x: str | None, y: str | Sequence[str] | None
) -> _Choice:
    columns = [
        _Column(position, field.name, scale)
        for position, field in enumerate(table.schema)
        if (scale := _scale(field.type)) is not None
    ]
    if not (y is None or isinstance(y, Iterable)):
        raise UsageError(f"y is the name of a column, or several names, not {str(y)[:40]}")
    wanted = [] if y is None else [y] if isinstance(y, str) else list(y)
    ys = [_named(table, columns, name) for name in wanted]
    across = None if x is None else _named(table, columns, x)
    if kind == "histogram":
        return _Choice(kind, None, [_of_histogram(columns, across, ys)])
    texts = [column for column in columns if column.scale is Scale.TEXT]
    times = [column for column in columns if column.scale in _TIMES]
    numbers = [column for column in columns if column.scale is Scale.NUMBER and column != across]
    if across is None:
        rest = [column for column in numbers if column not in ys]
        spare = rest[:1] if ys or len(numbers) > 1 else []
        order = [*texts, *times] if kind == "bar" else [*times, *texts]
        if kind in ("line", "scatter"):
            order = times
        across = next(iter([*(column for column in order if column not in ys), *spare]), None)
    ys = ys or [column for column in numbers if column != across]
    if not ys:
        raise UsageError(
            "there is nothing to draw: no column of numbers"
            + ("" if across is None else f" beside {across.name}"),
            hint="A chart needs a column of numbers, such as count(*) or sum(x) with GROUP BY.",
        )
    for column in ys:
        if column.scale is not Scale.NUMBER:
            raise UsageError(
                f"the column {column.name} is no number, and cannot be the height of a chart",
                hint="Take it as x, or name a column of numbers as y.",
            )
    if kind is None:
        kind = _suited(across)
    if kind == "histogram":
        return _Choice(kind, None, ys[:1])
    if kind != "bar" and (across is None or across.scale is Scale.TEXT):
        named = "no second column" if across is None else f"{across.name} is a text"
        raise UsageError(
            f"a {kind} chart needs numbers, dates or times along its x axis: {named}",
            hint="Take a bar chart or a histogram, or name another column as x.",
        )
    return _Choice(kind, across, ys)


def _suited(across: _Column | None) -> str:
    if across is None:
        return "histogram"
    return "bar" if across.scale is Scale.TEXT else "line"


def _of_histogram(columns: list[_Column], across: _Column | None, ys: list[_Column]) -> _Column:
    given = [column for column in (across, *ys) if column is not None]
    if len(given) > 1:
        raise UsageError("a histogram is of one column", hint="Name it as x, and no y.")
    fit = [column for column in given or columns if column.scale is not Scale.TEXT]
    if not fit:
        raise UsageError(
            "a histogram needs a column of numbers, dates or times",
            hint="Count texts with GROUP BY, and draw bars.",
        )
    return min(fit, key=lambda column: column.scale is not Scale.NUMBER)


_TIMES: Final = (Scale.DATE, Scale.MOMENT, Scale.TIME)


def _scale(type_: pa.DataType) -> Scale | None:
    """What a column is drawn as; None for lists, intervals and columns of NULL alone."""
    types = pa.types
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return Scale.NUMBER
    if types.is_date(type_):
        return Scale.DATE
    if types.is_timestamp(type_):
        return Scale.MOMENT
    if types.is_time(type_):
        return Scale.TIME
    if types.is_string(type_) or types.is_large_string(type_) or types.is_boolean(type_):
        return Scale.TEXT
    return None


def _named(table: pa.Table, columns: list[_Column], name: str) -> _Column:
    for column in columns:
        if column.name == name:
            return column
    if name in table.column_names:
        type_ = table.schema.field(table.column_names.index(name)).type
        raise UsageError(f"the column {name} cannot be drawn: its type is {type_}")
    raise UsageError(
        f"there is no column '{name}' to draw",
        hint=f"The columns are {', '.join(table.column_names)[:500]}.",
    )


def _numbers(table: pa.Table, column: _Column) -> Numbers:
    """The column as floats; NULL is NaN."""
    series = pl.Series(pl.from_arrow(table.column(column.position)))
    match column.scale:
        case Scale.DATE:
            floats = series.cast(pl.Int32).cast(pl.Float64) * MICROS_PER_DAY
        case Scale.MOMENT:
            floats = series.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64)
        case Scale.TIME:
            floats = series.cast(pl.Int64).cast(pl.Float64) / 1000
        case _:
            floats = series.cast(pl.Float64)
    return np.asarray(floats.fill_null(float("nan")).to_numpy(), dtype=np.float64)


class _Axis(NamedTuple):
    """The columns of an axis as they are drawn, and what is to be said of them."""

    values: list[Numbers]
    scale: Scale
    notes: list[str]


def _axis(table: pa.Table, columns: list[_Column], letter: str) -> _Axis:
    """The columns, of one scale, as floats, or as what they lie above the least value of all."""
    scale = columns[0].scale
    if scale not in (Scale.NUMBER, Scale.MOMENT):
        return _Axis([_numbers(table, column) for column in columns], scale, [])
    exact = [pl.Series(pl.from_arrow(table.column(column.position))) for column in columns]
    exact = [series.cast(pl.Float64) if series.dtype.is_float() else series for series in exact]
    if scale is Scale.MOMENT:
        exact = [series.cast(pl.Datetime("us")).cast(pl.Int64) for series in exact]
    equal = rounding_alone(exact)
    found = None if equal else near(exact, *(_NEAR_MOMENTS if scale is Scale.MOMENT else ()))
    if found is None:
        names = " and ".join(column.name for column in columns)
        said = f"the values of {names} differ by rounding alone"
        return _Axis(
            [_numbers(table, column) for column in columns],
            scale,
            [f"{said}, from {equal[0]!r} to {equal[1]!r}"] if equal else [],
        )
    values, base = found
    text = f"{base:,}"
    if scale is Scale.MOMENT:
        moment = pa.array([base], pa.int64()).cast(pa.timestamp("us"))
        text = f"{_texts(pa.table({'0': moment}))[0][0]}, and +1 a microsecond later"
    return _Axis(values, Scale.OFFSET, [f"+0 along the {letter} axis is {text}"])


def _left_out(missing: int) -> list[str]:
    if not missing:
        return []
    noun = "row" if missing == 1 else "rows"
    return [f"{missing:,} {noun} with NULL, NaN or infinity left out"]


def _nothing(names: str) -> UsageError:
    return UsageError(f"there is nothing to draw: {names} has no finite value")


def _histogram(table: pa.Table, column: _Column, limits: Limits, notes: list[str]) -> Figure:
    (values,), scale, said = _axis(table, [column], "x")
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise _nothing(column.name)
    _check_size(column.name, finite)
    # Whole seconds would hide what happens within a few of them.
    second = 0.0 if 0 < finite.max() - finite.min() < 10e6 else 1e6
    unit = {Scale.DATE: float(MICROS_PER_DAY), Scale.NUMBER: 0.0, Scale.OFFSET: 0.0}.get(
        scale, second
    )
    if scale in (Scale.NUMBER, Scale.OFFSET) and not pa.types.is_floating(
        table.schema[column.position].type
    ):
        unit = 1.0 if bool((finite == np.floor(finite)).all()) else 0.0
    edges = bins(finite, limits.bins, unit)
    counts, _ = np.histogram(finite, edges)
    series = Series("rows", edges, counts.astype(np.float64))
    notes += said + _left_out(len(values) - len(finite))
    return Figure("histogram", column.name, scale, (series,), (), tuple(notes))


def _bars(
    table: pa.Table, x: _Column | None, ys: list[_Column], limits: Limits, notes: list[str]
) -> Figure:
    heights = [_numbers(table, column) for column in ys]
    there = np.any([np.isfinite(values) for values in heights], axis=0)
    rows = np.flatnonzero(there)
    if not len(rows):
        raise _nothing(" and ".join(column.name for column in ys))
    drawn = rows[: max(1, limits.bars // len(ys))]
    if len(drawn) < len(rows):
        notes.append(f"the first {len(drawn):,} of {len(rows):,} rows drawn")
    notes += _left_out(table.num_rows - len(rows))
    # `take` of a chunked column may copy all of it; so few rows are taken one slice at a time.
    few = pa.concat_tables([table.slice(int(row), 1) for row in drawn])
    columns = [few.column(column.position) for column in ([x] if x else []) + ys]
    texts = _texts(pa.Table.from_arrays(columns, [str(i) for i in range(len(columns))]))
    labels = tuple(texts.pop(0)) if x else tuple(f"row {row + 1}" for row in drawn)
    every = np.arange(len(drawn), dtype=np.float64)
    series = []
    for column, values, shown in zip(ys, heights, texts, strict=True):
        kept = np.where(np.isfinite(values[drawn]), values[drawn], np.nan)
        _check_size(column.name, np.append(kept[np.isfinite(kept)], 0.0))
        series.append(Series(column.name, every, kept, tuple(shown)))
    return Figure("bar", x.name if x else "", Scale.TEXT, tuple(series), labels, tuple(notes))


def _texts(table: pa.Table) -> list[list[str]]:
    (frame,) = slices(table)
    return [
        frame.select(text_cell(name, type_).fill_null("NULL")).to_series().to_list()
        for name, type_ in frame.schema.items()
    ]


def _points(
    table: pa.Table,
    kind: str,
    x: _Column,
    ys: list[_Column],
    limits: Limits,
    notes: list[str],
) -> Figure:
    (across,), x_scale, x_said = _axis(table, [x], "x")
    columns, y_scale, y_said = _axis(table, ys, "y")
    series: list[Series] = []
    thinned: list[str] = []
    missing = 0
    for column, heights in zip(ys, columns, strict=True):
        finite = np.isfinite(across) & np.isfinite(heights)
        missing = max(missing, int(len(finite) - finite.sum()))
        xs, values = across[finite], heights[finite]
        if not len(xs):
            continue
        _check_size(x.name, xs)
        _check_size(column.name, values)
        if kind == "line" and bool((xs[1:] < xs[:-1]).any()):
            order = np.argsort(xs, kind="stable")
            xs, values = xs[order], values[order]
        if len(xs) > limits.points:
            if kind == "line":
                kept = extremes(xs, values, limits.points // 2)
                said = f"{len(xs):,} points drawn by the least and greatest of small intervals"
            else:
                kept = evenly(len(xs), limits.points)
                said = f"{len(kept):,} of {len(xs):,} points drawn, at equal distances in the rows"
            thinned.append(said)
            xs, values = xs[kept], values[kept]
        series.append(Series(column.name, xs, values))
    if not series:
        raise _nothing(" and ".join(column.name for column in ys))
    if len(series) < len(ys):
        notes.append(f"{len(ys) - len(series)} columns without a finite value left out")
    notes += x_said + y_said + thinned[:1] + _left_out(missing)
    return Figure(kind, x.name, x_scale, tuple(series), (), tuple(notes), y_scale)


def _check_size(name: str, values: Numbers) -> None:
    if float(np.abs(values).max()) > LARGEST:
        raise UsageError(
            f"the values of {name} are too large to draw: {values.min():g} to {values.max():g}",
            hint="Leave some out with WHERE, or draw their logarithms.",
        )
