"""Groups of rows that lie together: reduced run by run, without a hash table.

Owns: when a key's rows lie together, and the states of such groups. Comes in: rows with their key
and arguments; goes out: partial states, one row for each run. Does not know: plans, how the states
merge.

Facts are mostly stored in the order of a key: lines of an order, readings of a day. Measured with
6 million rows in 1.5 million groups, one sum: 20 ns of processor time for a row by hashing, 5 here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.operators.aggregates import State
from eau2.operators.base import Operator
from eau2.operators.expr import Column, ColumnRef
from eau2.operators.filter import Filter
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks
from eau2.operators.sum_states import Reduction

FEW_ROWS = 100_000
"""Of fewer rows hashing takes no time worth a thought."""
_LOOK_ROWS = 4096

_Numbers = npt.NDArray[Any]


def stored_name(source: Operator, id_: int) -> str | None:
    """The chunks' column that is `id_` of `source`, if rows come to it in their order."""
    match source:
        case ScanChunks(columns, names):
            found = (name for c, name in zip(columns, names, strict=True) if c.id == id_)
            return next(found, None)
        case Filter(below, _):
            return stored_name(below, id_)
        case Project(below, items):
            for column, expr in items:
                if column.id == id_ and isinstance(expr, ColumnRef):
                    return stored_name(below, expr.id)
    return None


def seems_sorted(values: pl.Series) -> bool:
    """Whether whole numbers seem to ascend, by a look at the first ones of each buffer."""
    if values.null_count() or not (values.dtype.is_integer() or values.dtype == pl.Date()):
        return False
    last = None
    for part in values.get_chunks():
        first = part.head(_LOOK_ROWS).to_physical().to_numpy()
        if not len(first) or (last is not None and first[0] < last):
            return False
        if (first[1:] < first[:-1]).any():
            return False
        last = part.to_physical()[-1]
    return len(values) > FEW_ROWS


def by_runs(rows: pl.LazyFrame, key: Column, states: Sequence[State]) -> pl.LazyFrame | None:
    """One row for each value of the key, with its states; None where a state has no short form.

    Where the rows turn out not to ascend, or to hold NULLs, they are grouped by hashing.
    """
    if any(state.reduction is None for state in states):
        return None
    return gathered(rows, key, states, _reduced)


Reduce = Callable[[pl.DataFrame, str, Sequence[State]], pl.DataFrame | None]
"""Makes the states of all rows by the key of that label; None where it finds that it cannot."""


def gathered(
    rows: pl.LazyFrame, key: Column, states: Sequence[State], reduced: Reduce
) -> pl.LazyFrame:
    """One row for each value of the key, of all rows at once; by hashing where `reduced` cannot."""

    def reduce(frame: pl.DataFrame) -> pl.DataFrame:
        made = reduced(frame, key.label, states)
        if made is not None:
            return made
        return frame.group_by(key.label).agg(state.partial for state in states)

    schema = {key.label: rows.collect_schema()[key.label]} | {s.label: s.dtype for s in states}
    return rows.map_batches(
        reduce,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )


def _reduced(frame: pl.DataFrame, key: str, states: Sequence[State]) -> pl.DataFrame | None:
    """The runs of the frame, buffer by buffer on several threads, joined where one goes on."""
    labels = list(dict.fromkeys(s.reduction[1] for s in states if s.reduction and s.reduction[1]))
    frame = in_64_bits(frame, states)
    if frame.is_empty() or any(frame.get_column(label).null_count() for label in (key, *labels)):
        return None
    if len({frame.get_column(label).n_chunks() for label in (key, *labels)}) > 1:
        frame = frame.rechunk()
    buffers = zip(*(frame.get_column(label).get_chunks() for label in (key, *labels)), strict=True)
    work = partial(_buffer, labels, [state.reduction for state in states if state.reduction])
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        parts = list(threads.map(work, buffers))
    found: list[_Runs] = []
    for part in parts:
        if part is None or (found and part.keys[0] < found[-1].keys[-1]):
            return None
        if found and part.keys[0] == found[-1].keys[-1]:
            part = _going_on(found[-1], part, states)
        if len(part.keys):
            found.append(part)
    dtype = frame.schema[key]
    keys = pl.Series(key, np.concatenate([part.keys for part in found])).cast(_bits(dtype))
    made = [keys.cast(dtype)]
    for number, state in enumerate(states):
        values = np.concatenate([part.values[number] for part in found])
        made.append(_as(pl.Series(state.label, values), state.dtype))
    return pl.DataFrame(made)


def in_64_bits(frame: pl.DataFrame, states: Sequence[State]) -> pl.DataFrame:
    """The frame with the arguments of sums in at most 64 bits, as whoever adds them has proven."""
    summed = {s.reduction[1] for s in states if s.reduction and s.reduction[0] == "sum"}
    wide = [label for label in summed if frame.schema[label] == pl.Int128()]
    return frame.with_columns(pl.col(wide).cast(pl.Int64)) if wide else frame


class _Runs(NamedTuple):
    """The keys of some runs, and the values of each state."""

    keys: _Numbers
    values: list[_Numbers]


def _buffer(
    labels: Sequence[str],
    reductions: Sequence[tuple[Reduction, str]],
    columns: Sequence[pl.Series],
) -> _Runs | None:
    """The runs of one buffer; None where its keys do not ascend."""
    keys, *arguments = (column.to_physical().to_numpy() for column in columns)
    if (keys[1:] < keys[:-1]).any():
        return None
    first = np.empty(len(keys), np.bool_)
    first[0] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(keys)) - 1
    rows = ends - starts + 1
    held = dict(zip(labels, arguments, strict=True))
    values: list[_Numbers] = []
    for name, label in reductions:
        match name:
            case "rows" | "count":
                # Each state its own, to which a run that goes on is added.
                values.append(rows.copy())
            case "sum":
                # Totals may wrap: their differences are right as long as the sums fit.
                totals = np.cumsum(held[label], dtype=np.int64)
                values.append(np.diff(totals[ends], prepend=0))
            case "min":
                values.append(np.minimum.reduceat(held[label], starts))
            case "max":
                values.append(np.maximum.reduceat(held[label], starts))
    return _Runs(keys[starts], values)


def _going_on(before: _Runs, after: _Runs, states: Sequence[State]) -> _Runs:
    """The runs `after`, of which the first one takes its state to the last of those before."""
    for number, state in enumerate(states):
        assert state.reduction is not None
        last, first = before.values[number], after.values[number][0]
        match state.reduction[0]:
            case "min":
                last[-1] = min(last[-1], first)
            case "max":
                last[-1] = max(last[-1], first)
            case _:
                last[-1] += first
    return _Runs(after.keys[1:], [values[1:] for values in after.values])


def _bits(dtype: pl.DataType) -> pl.DataType:
    return pl.Int32() if dtype == pl.Date() else dtype


def _as(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    return values.cast(_bits(dtype)).cast(dtype)
