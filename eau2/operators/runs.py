"""Groups of rows that lie together: reduced run by run, without a hash table.

Owns: when a key's rows lie together, and the states of such groups. Comes in: rows with their key
and arguments; goes out: partial states, one row for each run. Does not know: plans, how the states
merge.

Facts are mostly stored in the order of a key: lines of an order, readings of a day. Measured with
6 million rows in 1.5 million groups, one sum: 20 ns of processor time for a row by hashing, 5 here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.operators.aggregates import State
from eau2.operators.base import Operator
from eau2.operators.expr import Column, ColumnRef
from eau2.operators.filter import Filter
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks

FEW_ROWS = 100_000
"""Of fewer rows hashing takes no time worth a thought."""
_LOOK_ROWS = 4096

_Numbers = npt.NDArray[np.generic]
_Starts = npt.NDArray[np.intp]


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

    def reduce(frame: pl.DataFrame) -> pl.DataFrame:
        made = _reduced(frame, key.label, states)
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
    column = frame.get_column(key)
    if frame.is_empty() or column.null_count():
        return None
    numbers = column.to_physical().to_numpy()
    if (numbers[1:] < numbers[:-1]).any():
        return None
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    made = {key: column.gather(pl.Series(starts))}
    rows = np.diff(starts, append=len(numbers))
    for state in states:
        assert state.reduction is not None
        name, label = state.reduction
        if name == "rows":
            values: _Numbers = rows
        else:
            argument = frame.get_column(label)
            if argument.null_count():
                return None
            values = rows if name == "count" else _REDUCTIONS[name](argument, starts)
        made[state.label] = _as(pl.Series(values), state.dtype)
    return pl.DataFrame(made)


def _as(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    return values.cast(pl.Int32).cast(dtype) if dtype == pl.Date() else values.cast(dtype)


def _sums(argument: pl.Series, starts: _Starts) -> _Numbers:
    return np.add.reduceat(argument.cast(pl.Int64).to_numpy(), starts)


def _least(argument: pl.Series, starts: _Starts) -> _Numbers:
    return np.minimum.reduceat(argument.to_physical().to_numpy(), starts)


def _greatest(argument: pl.Series, starts: _Starts) -> _Numbers:
    return np.maximum.reduceat(argument.to_physical().to_numpy(), starts)


_REDUCTIONS: dict[str, Callable[[pl.Series, _Starts], _Numbers]] = {
    "sum": _sums,
    "min": _least,
    "max": _greatest,
}
