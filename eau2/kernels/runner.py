"""A fragment over rows: lower it, choose the engine, run it, say what failed.

Owns: the one call into Polars that computes. Comes in: a fragment, its inputs. Goes out: a
DataFrame with the fragment's labels. Does not know: who asked, where the rows came from. What it
keeps of a fragment over few rows goes with them: whoever holds the table decides how long.

Failures are explained by running again: the quick form of a checked computation only says that a
value did not fit; `Lowering.diagnose` lowers it so that the failure carries its message.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa

from eau2.config import KERNELS, LIMITS
from eau2.errors import (
    DataError,
    Error,
    InternalError,
    NotSupportedError,
    OperationalError,
    OutOfRangeError,
)
from eau2.kernels.tables import frame_of
from eau2.operators.base import Lowering, Operator, lower
from eau2.operators.expand import Expand
from eau2.operators.expr import ColumnRef, Expr, size_of, walk
from eau2.operators.filter import Filter
from eau2.operators.forms import Coded, opened
from eau2.operators.join import Join
from eau2.operators.lowering import diagnosis
from eau2.operators.origins import origins_of
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.series import Series
from eau2.operators.union import Union
from eau2.operators.unnest import Unnest
from eau2.operators.values import Rows
from eau2.records import Record

T = TypeVar("T")
_ADDED = "\n\nThis error occurred in the following expression"
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ArithmeticError, ValueError)

_DISK_IS_FULL = "out-of-core disk budget"
"""In the message with which Polars gives up when spilled rows exceed their share of the disk."""


class _Query(Record, frozen=True):
    """A fragment over its rows, as Polars runs it. rows: how many it reads."""

    frame: pl.LazyFrame
    allowed: pl.QueryOptFlags
    rows: int

    def collect(self) -> pl.DataFrame:
        """The rows, by the engine that suits so many."""
        if self.rows > LIMITS.in_memory_engine_rows:
            try:
                return self.frame.collect(engine="streaming", optimizations=self.allowed)
            except pl.exceptions.PanicException:
                # Joins whose inputs turn out empty can make the streaming engine panic.
                return self._in_memory()
        return self._in_memory()

    def _in_memory(self) -> pl.DataFrame:
        try:
            return self.frame.collect(engine="in-memory", optimizations=self.allowed)
        except pl.exceptions.PanicException:
            # So can filters that become part of a cross join.
            return self.frame.collect(engine="in-memory", optimizations=pl.QueryOptFlags.none())


_queries: dict[tuple[int, int], tuple[Operator, weakref.ref[pa.Table], _Query]] = {}
"""Of fragments over small tables that somebody keeps, by the identity of both: to write a query
takes as long as to run it. They go when their tables go."""


def _forget(
    key: tuple[int, int], _: object, queries: dict[tuple[int, int], Any] = _queries
) -> None:
    """Let go of a query. The default is there also when the process ends and modules are gone."""
    queries.pop(key, None)


def run_fragment(
    fragment: Operator, chunks: pa.Table | None, stages: Mapping[int, pl.DataFrame]
) -> pl.DataFrame:
    """Run `fragment` in one kernel call; see KernelHost.run for the arguments and errors."""
    if chunks is not None and not stages and chunks.num_rows <= KERNELS.kept_rows:
        key = (id(fragment), id(chunks))
        known = _queries.get(key)
        if known is None or known[0] is not fragment or known[1]() is not chunks:
            gone = weakref.ref(chunks, partial(_forget, key))
            query = _caught(fragment, chunks, stages, lambda: _query(fragment, chunks, stages))
            _queries[key] = known = (fragment, gone, query)
        return _caught(fragment, chunks, stages, known[2].collect)
    return _caught(fragment, chunks, stages, lambda: _query(fragment, chunks, stages).collect())


def _caught(
    fragment: Operator,
    chunks: pa.Table | None,
    stages: Mapping[int, pl.DataFrame],
    compute: Callable[[], T],
) -> T:
    """What `compute` gives. Errors are those of KernelHost.run."""
    try:
        return compute()
    except Error as error:
        raise _plain(error) from error.__cause__
    except MemoryError as error:
        raise OperationalError("the query ran out of memory") from error
    except RecursionError as error:
        raise NotSupportedError("the statement is nested too deep to be computed") from error
    except _FAILURES as error:
        raise _explain(fragment, chunks, stages, error) from error


def _query(
    fragment: Operator,
    chunks: pa.Table | None,
    stages: Mapping[int, pl.DataFrame],
    diagnose: bool = False,
) -> _Query:
    scanned = None if chunks is None else frame_of(chunks)
    rows = sum(frame.height for frame in stages.values())
    rows += 0 if scanned is None else scanned[0].height
    frames: dict[int, pl.DataFrame] = {}
    coded: dict[int, dict[str, Coded]] = {}
    for stage, result in stages.items():
        frames[stage], coded[stage] = opened(result)
    lowering = Lowering(
        None if scanned is None else scanned[0].lazy(),
        {stage: frame.lazy() for stage, frame in frames.items()},
        diagnose,
        None if _multiplies(fragment) else max(rows, 1),
        rows,
        frames,
        coded,
        {} if scanned is None else scanned[1],
        chunk_rows=None if scanned is None else scanned[0],
        origins=origins_of(stages),
    )
    frame = lower(fragment, lowering)
    size = max(rows, _pairs_at_most(fragment, rows, stages))
    moves = _compares(fragment) and not _grows(fragment)
    return _Query(frame, pl.QueryOptFlags(predicate_pushdown=moves), size)


def _compares(fragment: Operator) -> bool:
    """Whether the fragment has a join with a condition, of which Polars makes a join by comparison.

    Else no filter is to move any more: Polars would make one of those that follow each other, and
    test the dear one at rows that the cheap one has left out (TPC-H: 5 % of the kernels' time).
    """
    pairs = isinstance(fragment, Join) and (fragment.condition or not fragment.equalities)
    return bool(pairs) or any(map(_compares, fragment.inputs))


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
    chunks: pa.Table | None,
    stages: Mapping[int, pl.DataFrame],
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
        _query(fragment, chunks, stages, diagnose=True).collect()
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
