"""A fragment over rows: lower it, choose the engine, run it, say what failed.

Owns: the one call into Polars that computes. Comes in: a fragment, its inputs. Goes out: a
DataFrame with the fragment's labels. Does not know: who asked, where the rows came from.

Failures are explained by running again: the quick form of a checked computation only says that a
value did not fit; `Lowering.diagnose` lowers it so that the failure carries its message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import polars as pl
import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import (
    DataError,
    Error,
    InternalError,
    NotSupportedError,
    OperationalError,
    OutOfRangeError,
)
from eau2.operators.base import Lowering, Operator, lower
from eau2.operators.expand import Expand
from eau2.operators.expr import ColumnRef, Expr, size_of, walk
from eau2.operators.filter import Filter
from eau2.operators.join import Join
from eau2.operators.lowering import diagnosis
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.series import Series
from eau2.operators.union import Union
from eau2.operators.unnest import Unnest
from eau2.operators.values import Rows

_ADDED = "\n\nThis error occurred in the following expression"
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ArithmeticError, ValueError)

_DISK_IS_FULL = "out-of-core disk budget"
"""In the message with which Polars gives up when spilled rows exceed their share of the disk."""


def run_fragment(
    fragment: Operator, chunks: pa.Table | None, stages: Mapping[int, pl.DataFrame]
) -> pl.DataFrame:
    """Run `fragment` in one kernel call; see KernelHost.run for the arguments and errors."""
    scanned = None if chunks is None else _frame_of(chunks)
    rows = sum(frame.height for frame in stages.values())
    rows += 0 if scanned is None else scanned.height
    try:
        return _collect(fragment, scanned, stages, rows, diagnose=False)
    except Error as error:
        raise _plain(error) from error.__cause__
    except MemoryError as error:
        raise OperationalError("the query ran out of memory") from error
    except RecursionError as error:
        raise NotSupportedError("the statement is nested too deep to be computed") from error
    except _FAILURES as error:
        raise _explain(fragment, scanned, stages, rows, error) from error


def _frame_of(table: pa.Table) -> pl.DataFrame:
    """The table's columns without a copy; a frame of no columns keeps its height."""
    if table.num_columns == 0:
        return pl.DataFrame({"": pl.int_range(table.num_rows, eager=True)})
    frame = pl.from_arrow(table, rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _collect(
    fragment: Operator,
    scanned: pl.DataFrame | None,
    stages: Mapping[int, pl.DataFrame],
    rows: int,
    diagnose: bool,
) -> pl.DataFrame:
    lowering = Lowering(
        None if scanned is None else scanned.lazy(),
        {stage: frame.lazy() for stage, frame in stages.items()},
        diagnose,
        None if _multiplies(fragment) else max(rows, 1),
        rows,
        stages,
    )
    frame = lower(fragment, lowering)
    kept = pl.QueryOptFlags(predicate_pushdown=not _grows(fragment))
    if max(rows, _pairs_at_most(fragment, rows, stages)) <= LIMITS.in_memory_engine_rows:
        return frame.collect(engine="in-memory", optimizations=kept)
    try:
        return frame.collect(engine="streaming", optimizations=kept)
    except pl.exceptions.PanicException:
        # Joins whose inputs turn out empty can make the streaming engine panic, and it alone.
        return frame.collect(engine="in-memory", optimizations=kept)


def _grows(fragment: Operator) -> bool:
    """Whether a filter would grow beyond a bound if it was written over what projections read.

    Polars moves filters below projections whatever they become there, which can double with each.
    """
    if isinstance(fragment, Filter) and isinstance(fragment.input, Project):
        below: Operator = fragment.input
        reads = Counter(_reads(fragment.condition))
        while isinstance(below, Project):
            size = sum(reads[column.id] * size_of(expr) for column, expr in below.items)
            if size > LIMITS.repeated_nodes:
                return True
            inner: Counter[int] = Counter()
            for column, expr in below.items:
                for id_ in _reads(expr) if reads[column.id] else ():
                    inner[id_] += reads[column.id]
            reads, below = inner, below.input
    return any(map(_grows, fragment.inputs))


def _reads(expr: Expr) -> Iterator[int]:
    return (node.id for node in walk(expr) if isinstance(node, ColumnRef))


def _multiplies(fragment: Operator) -> bool:
    """Whether the fragment can give more rows than it reads."""
    several = isinstance(fragment, Join | Expand | Unnest | Union | Rows | Series)
    return several or any(_multiplies(node) for node in fragment.inputs)


def _pairs_at_most(fragment: Operator, rows: int, stages: Mapping[int, pl.DataFrame]) -> int:
    """A bound on the pairs that the fragment's joins without keys compare; 0 if it has none.

    The in-memory engine would hold them all at once.
    """
    bounds = [_pairs_at_most(node, rows, stages) for node in fragment.inputs]
    if isinstance(fragment, Join) and not fragment.equalities:
        right = fragment.right
        height = stages[right.stage].height if isinstance(right, StageInput) else rows
        bounds.append(height * rows)
    return max(bounds, default=0)


def _explain(
    fragment: Operator,
    scanned: pl.DataFrame | None,
    stages: Mapping[int, pl.DataFrame],
    rows: int,
    cause: BaseException,
) -> Error:
    """The error to raise for `cause`: found by a run that carries messages, else a general one."""
    found = _translate(cause)
    if found is not None:
        return found
    if _DISK_IS_FULL in str(cause):
        return OperationalError(
            "the query needs more memory than there is, and more disk to make up for it",
            hint="Give it more memory, or let it keep fewer rows.",
        )
    try:
        _collect(fragment, scanned, stages, rows, diagnose=True)
    except Error as error:
        return _plain(error)
    except _FAILURES as error:
        found = _translate(error)
        if found is not None:
            return found
        cause = error
    text = str(cause)
    if "conversion from" in text or "overflow" in text:
        return OutOfRangeError(f"a value does not fit its type: {text.splitlines()[0]}")
    if isinstance(cause, pl.exceptions.ComputeError | pl.exceptions.InvalidOperationError):
        return DataError(f"the computation failed: {text.splitlines()[0]}")
    return InternalError(f"a kernel failed: {type(cause).__name__}: {text.splitlines()[0]}")


def _translate(error: BaseException) -> Error | None:
    """An error of ours that travelled through Polars, or the message of a checked computation."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Error):
            return _plain(cause)
        cause = cause.__cause__ or cause.__context__
    return diagnosis(str(error))


def _plain(error: Error) -> Error:
    """The error without what Polars adds to one that passes through an expression."""
    message = error.message.split(_ADDED, 1)[0]
    if message != error.message:
        error.message, error.args = message, (message,)
    return error
