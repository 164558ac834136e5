"""How a function of Python is computed over columns: by the very function of CPython.

Owns: `python_function`, which makes an entry of the function table; the way from columns to the
distinct combinations of arguments and back; how an exception of Python becomes an error.
Comes in: a function of one row's values, and maybe a quick way for whole columns.
Goes out: entries of the function table. Does not know: which functions there are.

These entries are what the binder of Python functions (python/) writes; SQL cannot call them. What
an entry calls is code of eau2 and of CPython; no text of a user's is ever run. An entry that can
fail has a last argument more, a constant text that says where the call stands: it ends the message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import polars as pl

from eau2.operators.expr import Call, Literal
from eau2.operators.functions.checks import Scope, batchwise, marked
from eau2.operators.functions.function import Function
from eau2.operators.functions.python_signatures import PythonSignature
from eau2.operators.physical import kernel_dtype
from eau2.records import Record

Columns = Sequence[pl.Series]
Quick = Callable[[Columns], pl.Series | None]
Compute = Callable[..., Any]

FAMILY = "python"
_FAILURES = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
_FEW_ROWS = 32
"""So many rows are computed one by one: to find which are alike takes longer."""
_ROW, _VALUE = "row", "value"


class _Plan(Record, frozen=True):
    """How the calls of one entry at one place are computed.

    nulls: the function takes None itself, else a NULL among the arguments makes NULL. elements:
    a TypeError comes from a None within a list, and makes NULL. where: ends a message.
    """

    dtype: pl.DataType
    compute: Compute
    quick: Quick | None
    nulls: bool
    elements: bool
    where: str


def python_entry(
    name: str,
    takes: str,
    summary: str,
    lower: Callable[[Call, Scope], pl.Expr],
    *,
    fails: bool = False,
    nulls: bool = False,
    raises: bool = False,
    constants: tuple[int, ...] = (),
) -> Function:
    """An entry with a lowering of its own.

    raises: it can fail, but no argument says where it stands.
    takes, constants: see python_signatures.py. nulls: NULL arguments do not always make NULL.
    """
    return Function(
        name,
        FAMILY,
        name,
        summary,
        "",
        PythonSignature(takes, fails, constants),
        lower,
        operator=True,
        null_rule="own" if nulls else "strict",
        fails=fails or raises,
    )


def python_function(
    name: str,
    takes: str,
    compute: Compute,
    *,
    quick: Quick | None = None,
    fails: bool = False,
    nulls: bool = False,
    elements: bool = False,
    constants: tuple[int, ...] = (),
) -> Function:
    """An entry that is computed by `compute`, once for each distinct combination of arguments.

    quick: gives the result for whole columns (a constant has one row), or None where it cannot
    tell that no row fails. Of what can fail, a NULL first argument never does. nulls, elements: as
    in the plan above.
    """

    def lower(call: Call, scope: Scope) -> pl.Expr:
        args, where = call.args, ""
        if fails:
            args, place = call.args[:-1], call.args[-1]
            assert isinstance(place, Literal)
            where = f", in {place.value}"
        inputs = [scope.lower(arg) for arg in args]
        plan = _Plan(kernel_dtype(call.type), compute, quick, nulls, elements, where)
        if fails and scope.guard is not None:
            # A when() around what can fail would be tried on a row of NULLs, where a guard is true.
            guarded = partial(_where_it_counts, plan)
            return over_columns(plan.dtype, guarded, *inputs, scope.guard)
        return over_columns(plan.dtype, lambda columns: _computed(plan, columns), *inputs)

    summary = f"As {name} in Python."
    own = nulls or elements
    return python_entry(name, takes, summary, lower, fails=fails, nulls=own, constants=constants)


def over_columns(
    dtype: pl.DataType, compute: Callable[[Columns], pl.Series], *inputs: pl.Expr
) -> pl.Expr:
    """A function of columns as they are: a constant has one row, as may the result of constants."""

    def unreached(frame: pl.DataFrame) -> pl.Series:
        raise AssertionError("the columns are always taken as they are")

    return batchwise(dtype, unreached, *inputs, quick=compute)


def height_of(columns: Columns) -> int:
    """How many rows the result has: constants, of one row, count only where all are."""
    heights = {len(column) for column in columns}
    return 1 if heights == {1} else max(heights - {1}, default=0)


def spread(columns: Columns) -> list[pl.Series]:
    """The columns all of one height."""
    height = height_of(columns)
    return [c if len(c) == height else c.new_from_index(0, height) for c in columns]


def _where_it_counts(plan: _Plan, columns: Columns) -> pl.Series:
    """The results where the last column, a guard, is true; elsewhere the first argument is NULL."""
    *given, guard = columns
    height = height_of(columns)
    found = pl.Series(_VALUE, [None], dtype=plan.dtype)
    if height and guard.any():
        if not guard.all(ignore_nulls=False):
            first, guard = spread([given[0], guard])
            pair = pl.DataFrame([first.alias("x"), guard.alias("g")])
            given[0] = pair.select(pl.when("g").then(pl.col("x"))).to_series()
        found = _computed(plan, given)
    return found if len(found) == height else found.new_from_index(0, height)


def _computed(plan: _Plan, columns: Columns) -> pl.Series:
    height = height_of(columns)
    if plan.quick is not None:
        found = plan.quick(columns)
        if found is not None:
            found = found.cast(plan.dtype)
            return found if len(found) == height else found.new_from_index(0, height)
    for column in columns:
        must_be_in_calendar(column, plan.where)
    varying = [c for c in columns if len(c) == height]
    if height <= _FEW_ROWS or any(isinstance(c.dtype, pl.List) for c in varying):
        return _one_by_one(plan, columns, height)
    names = [str(number) for number in range(len(varying))]
    keys = pl.DataFrame([_key(c).alias(n) for n, c in zip(names, varying, strict=True)])
    known = keys.with_row_index(_ROW).unique(names, keep="any")
    if len(known) > height // 2:
        return _one_by_one(plan, columns, height)
    rows = known.get_column(_ROW)
    chosen = [c.gather(rows) if len(c) == height else c for c in columns]
    values = _one_by_one(plan, chosen, len(rows)).alias(_VALUE)
    table = known.select(names).with_columns(values)
    joined = keys.join(table, on=names, how="left", nulls_equal=True, maintain_order="left")
    return joined.get_column(_VALUE)


def _key(column: pl.Series) -> pl.Series:
    """The column in a form whose equality is that of its bits: 0.0 and -0.0 are two arguments."""
    if column.dtype == pl.Float64:
        return column.to_frame("x").select(pl.col("x").reinterpret(dtype=pl.Int64)).to_series()
    return column


def must_be_in_calendar(column: pl.Series, where: str) -> None:
    """Raise for a date that Python has not, in lists too; SQL has more years."""
    while isinstance(column.dtype, pl.List):
        column = column.list.explode(keep_nulls=False, empty_as_null=False)
    if column.dtype in (pl.Date, pl.Datetime("us")):
        years = column.dt.year()
        if not years.is_between(1, 9999).all():
            raise ValueError(
                marked("function", f"OverflowError: a date outside of the years 1 to 9999{where}")
            )


def _one_by_one(plan: _Plan, columns: Columns, height: int) -> pl.Series:
    lists = [c.to_list() if len(c) == height else repeat(c.to_list()[0], height) for c in columns]
    compute = _forgiving(plan.compute) if plan.elements else plan.compute
    try:
        if plan.nulls or not any(c.null_count() for c in columns):
            values = list(map(compute, *lists))
        else:
            rows = zip(*lists, strict=True)
            values = [None if any(v is None for v in row) else compute(*row) for row in rows]
        return pl.Series(_VALUE, values, dtype=plan.dtype)
    except _FAILURES as error:
        raise ValueError(marked("function", said(error) + plan.where)) from error


def said(error: BaseException) -> str:
    """An exception as Python's traceback ends: its class and its text."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _forgiving(compute: Compute) -> Compute:
    """A function of lists that gives None where a None in them is a TypeError."""

    def over(*values: Any) -> Any:
        try:
            return compute(*values)
        except TypeError:
            return None

    return over
