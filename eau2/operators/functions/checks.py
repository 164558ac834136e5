"""How a computation fails, and how a formula runs over one batch of rows.

Owns: `Scope` (what is known where an expression is lowered), `batchwise` and `checked`, the marker
that carries a message through a kernel engine's exception, and `diagnosis`, which takes it out.
Comes in: lowered operands and a formula over them. Goes out: Polars expressions.
Does not know: functions, SQL types.

A formula that names an operand several times would double the size of the expression at every
level of nesting. So it does not run on the operands' expressions: `batchwise` gives their values,
batch by batch, to a function of whole columns, which evaluates the formula over them. That is also
where a forbidden value is noticed and raised, with a message that shows it. Where one strict cast
says it all, the cast alone is quicker; its failure is explained by a second run with `diagnose`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import polars as pl

from eau2.errors import (
    ConversionError,
    DataError,
    Error,
    FunctionFailedError,
    NotSupportedError,
    OutOfRangeError,
)
from eau2.operators.expr import Expr
from eau2.records import Record, replace

MARK = "\u241f"
"""Stands before and after a message inside the text of a Polars exception."""

_CODES: dict[str, type[Error]] = {
    "range": OutOfRangeError,
    "conversion": ConversionError,
    "unsupported": NotSupportedError,
    "given": DataError,
    "function": FunctionFailedError,
}
_MARKED = re.compile(f"{MARK}eau2:([a-z]+):(.*?){MARK}", re.DOTALL)
_EXPRESSION = "This error occurred in the following expression"

Lower = Callable[[Expr, bool, "pl.Expr | None"], pl.Expr]


class Scope(Record, frozen=True):
    """Where an expression is lowered.

    diagnose: failures shall carry their message. guard: true for the rows that count; on the
    others (NULL included) nothing may fail, and the value does not matter. recurse: lowers a
    sub-expression. can_fail: whether an expression raises on some rows.
    """

    recurse: Lower
    can_fail: Callable[[Expr], bool]
    diagnose: bool = False
    guard: pl.Expr | None = None

    def lower(self, expr: Expr) -> pl.Expr:
        """A sub-expression, evaluated for the same rows."""
        return self.recurse(expr, self.diagnose, self.guard)

    def within(self, condition: pl.Expr) -> Scope:
        """The scope of the rows for which `condition` is true as well."""
        guard = condition if self.guard is None else self.guard & condition
        return replace(self, guard=guard)

    def guarded(self, value: pl.Expr) -> pl.Expr:
        """`value` on the rows that count, NULL elsewhere."""
        return value if self.guard is None else pl.when(self.guard).then(value)

    def counted(self, expr: Expr, dtype: pl.DataType) -> pl.Expr:
        """A sub-expression on the rows that count, NULL elsewhere. dtype: of its values."""
        value = self.lower(expr)
        if self.guard is None or not self.can_fail(expr):
            return self.guarded(value)
        # The engine tries a branch on a row of NULLs, where a guard may be true.
        chosen = pl.when(_column(1)).then(_column(0)).alias("value")
        return batchwise(dtype, lambda frame: frame.select(chosen).to_series(), value, self.guard)


class Outcome(Record, frozen=True):
    """What a formula gives: a value, and where it must not be (NULL counts as false).

    code and parts make the message for a forbidden row: fixed texts and columns. On forbidden rows
    the value itself must not fail.
    """

    value: pl.Expr
    bad: pl.Expr
    code: str
    parts: tuple[str | pl.Expr, ...]


Formula = Callable[..., Outcome]
Columns = Sequence[pl.Series]


def batchwise(
    dtype: pl.DataType,
    compute: Callable[[pl.DataFrame], pl.Series],
    *inputs: pl.Expr,
    quick: Callable[[Columns], pl.Series | None] | None = None,
) -> pl.Expr:
    """A function of whole columns: `compute` gets the inputs as columns "0", "1", ... of a frame.

    It must treat every row by itself: how rows are cut into batches is not known. `quick` is asked
    first, with the columns as they are (a constant may have one row); None means that it passes.
    """

    def run(columns: Columns) -> pl.Series:
        if quick is not None:
            found = quick(columns)
            if found is not None:
                return found
        heights = {len(column) for column in columns}
        height = 1 if heights == {1} else max(heights - {1}, default=0)
        full = [
            (column if len(column) == height else column.new_from_index(0, height)).alias(str(i))
            for i, column in enumerate(columns)
        ]
        result = compute(pl.DataFrame(full))
        return result if len(result) == height else result.new_from_index(0, height)

    return pl.map_batches(list(inputs), run, return_dtype=dtype, is_elementwise=True)


def columns_around(plans: Iterable[pl.Expr], own: Iterable[str]) -> tuple[str, ...]:
    """The columns that plans over a frame of their own read, but for those that are its own.

    As they are lowered: what stands for one column of a fragment may read another one as well.
    """
    read = {name for plan in plans for name in plan.meta.root_names()}
    return tuple(sorted(read.difference(own)))


def _column(index: int) -> pl.Expr:
    return pl.col(str(index))


def formula(dtype: pl.DataType, over: Callable[..., pl.Expr], *inputs: pl.Expr) -> pl.Expr:
    """A formula that cannot fail, over operands that are each evaluated once.

    A constant first operand is spread over the batch: some kernels give as many rows as it has.
    """
    simple = all(operand.meta.is_column() or operand.meta.is_literal() for operand in inputs)
    if simple and (inputs[0].meta.is_column() or all(i.meta.is_literal() for i in inputs)):
        return over(*inputs).cast(dtype)

    @cache
    def plan() -> pl.Expr:
        return over(*map(_column, range(len(inputs)))).cast(dtype).alias("value")

    return batchwise(dtype, lambda frame: frame.select(plan()).to_series(), *inputs)


def checked(
    dtype: pl.DataType,
    over: Formula,
    scope: Scope,
    *inputs: pl.Expr,
    safe: bool = False,
    quick: Callable[[Columns], pl.Series | None] | None = None,
    first: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> pl.Expr:
    """A formula that fails where it says so, on the rows that count.

    With `safe` a forbidden row is NULL instead. `quick` may give the values of a batch at once, if
    it can tell from the batch as a whole that no row of it is forbidden. `first` gives the batch
    more columns that the formula reads: what it would else name many times over.
    """
    guarded = scope.guard is not None and not safe

    @cache
    def plan() -> tuple[Outcome, pl.Expr, pl.Expr]:
        outcome = over(*map(_column, range(len(inputs))))
        bad = outcome.bad & _column(len(inputs)) if guarded else outcome.bad
        return outcome, outcome.value.cast(dtype).alias("value"), bad.alias("bad")

    def run(frame: pl.DataFrame) -> pl.Series:
        outcome, value, bad = plan()
        frame = frame if first is None else first(frame)
        if safe:
            return frame.select(pl.when(~bad).then(value).alias("value")).to_series()
        result = frame.select(value, bad)
        forbidden = result.get_column("bad")
        if forbidden.any():
            raise ValueError(_marked(outcome, frame.filter(forbidden).head(1)))
        return result.get_column("value")

    if guarded:
        assert scope.guard is not None
        return batchwise(dtype, run, *inputs, scope.guard, quick=quick)
    return batchwise(dtype, run, *inputs, quick=quick)


def _marked(outcome: Outcome, row: pl.DataFrame) -> str:
    shown = [
        part if isinstance(part, str) else str(row.select(part.cast(pl.String)).item())
        for part in outcome.parts
    ]
    return marked(outcome.code, "".join(shown))


def marked(code: str, message: str) -> str:
    """The message as `diagnosis` finds it in the text of a kernel exception."""
    # A user may have written what would end a message there.
    plain = message.replace(MARK, "").replace(_EXPRESSION, "This error occurred in the expression")
    return f"{MARK}eau2:{code}:{plain}{MARK}"


def narrowed(
    dtype: pl.DataType,
    wide: Callable[..., pl.Expr],
    parts: Callable[..., tuple[str | pl.Expr, ...]],
    scope: Scope,
    *inputs: pl.Expr,
    code: str = "range",
) -> pl.Expr:
    """An integer computed in a wider dtype and narrowed; what does not fit fails.

    `parts` makes the message from the inputs; it is used when diagnosing.
    """
    if not scope.diagnose:
        return wide(scope.guarded(inputs[0]), *inputs[1:]).cast(dtype)

    def over(*columns: pl.Expr) -> Outcome:
        value = wide(*columns)
        small = value.cast(dtype, strict=False)
        return Outcome(small, value.is_not_null() & small.is_null(), code, parts(*columns))

    return checked(dtype, over, scope, *inputs)


def diagnosis(text: str) -> Error | None:
    """The error that the text of a kernel exception carries; None if it carries none."""
    found = _MARKED.search(text.split(_EXPRESSION, 1)[0])
    if found is None:
        return None
    return _CODES[found[1]](found[2])
