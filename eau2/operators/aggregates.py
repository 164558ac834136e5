"""The aggregate functions: their types, and each as (partial states, merge, final).

Owns: the table of aggregates and `plan_states`. Comes in: bound AggregateCalls. Goes out: Polars
expressions for the three steps. Does not know: grouping keys, tasks, how many partial frames
there are. group.py applies the steps; exact_sum.py makes float sums exact.

A partial frame has one row for each group of one task, the columns of its states, and for binned
float sums a bin column, which is one more grouping key of the partial frame. States merge in any
order and grouping, to the same bits. Calls share states: sum(x) and avg(x) add x up once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from eau2 import types
from eau2.errors import InternalError, TypeMismatchError
from eau2.operators import (
    distribution_aggregates,
    exact_sum,
    interval_states,
    moment_states,
    sum_states,
    whole_aggregates,
)
from eau2.operators.aggregate_types import RESULT_TYPES
from eau2.operators.expr import AggregateCall, Call, Case, Column, Expr, Literal, SortKey, walk
from eau2.operators.physical import kernel_dtype
from eau2.operators.sum_spellings import SPELLINGS, spelled_plainly
from eau2.operators.sum_states import Reduction
from eau2.records import Record, Struct, field, replace
from eau2.types import Kind

_SYNONYMS = {"mean": "avg", "countif": "count_if"}
_WITHOUT_DISTINCT = frozenset(
    {"any_value", "bool_and", "bool_or", "max", "min"}
    | {"first", "last", "arg_min", "arg_max", "bit_and", "bit_or"}
)
"""Functions whose result does not change when duplicates are dropped."""
_FIRST_OF_AN_ORDER = frozenset({("any_value", 1), ("arg_max", 2), ("arg_min", 2)})
"""Functions, with how many arguments they have, that take the first of several rows."""


def names() -> tuple[str, ...]:
    """The names of all aggregate functions, sorted."""
    others = whole_aggregates.WHOLE | whole_aggregates.BITWISE | whole_aggregates.SYNONYMS.keys()
    others |= moment_states.SUMS.keys() | moment_states.SYNONYMS.keys()
    own = {*RESULT_TYPES, *_SYNONYMS, *SPELLINGS, "count_star"} - {"avg_moment"}
    return tuple(sorted({*own, *others}))


_NAMES = frozenset({*names(), "approx_count_distinct"})


def is_aggregate(name: str) -> bool:
    """Whether `name` (letter case ignored) is an aggregate function."""
    return name.lower() in _NAMES


def minds_duplicates(name: str) -> bool:
    """Whether DISTINCT makes a difference to aggregate `name`."""
    return _function(name) not in _WITHOUT_DISTINCT


def is_ordered(name: str) -> bool:
    """Whether aggregate `name` takes rows in an order, also where none is written."""
    return _function(name) in whole_aggregates.ORDERED


def takes_order(name: str) -> bool:
    """Whether an ORDER BY among the arguments makes a difference to aggregate `name`."""
    return _function(name) in whole_aggregates.ORDERABLE


def _function(name: str) -> str:
    """The aggregate that a name means, under the name that it has here."""
    function = name.lower()
    for synonyms in (_SYNONYMS, whole_aggregates.SYNONYMS, moment_states.SYNONYMS):
        function = synonyms.get(function, function)
    return function


def bind(
    name: str,
    args: tuple[Expr, ...],
    distinct: bool = False,
    where: Expr | None = None,
    order: tuple[SortKey, ...] = (),
) -> AggregateCall:
    """The call of aggregate `name` with DuckDB's result type. count(*) has no arguments.

    where: FILTER. order: in which rows are taken, for aggregates to which it makes a difference.
    Raises TypeMismatchError when the function does not take these arguments, NotSupportedError
    when DuckDB has it and eau2 has not. The caller adds the span.
    """
    function = _function(name)
    if function in ("count", "count_star") and not args:
        if distinct:
            raise TypeMismatchError("DISTINCT is not applicable to count(*)")
        if where is not None:
            return AggregateCall("count", (_where(where, Literal(types.INTEGER, 1)),), types.BIGINT)
        return AggregateCall("count_star", (), types.BIGINT)
    if function == "approx_count_distinct":
        function, distinct = "count", True
    if function in moment_states.SUMS:
        return moment_states.bind_moment(name, function, args, distinct, where)
    if order and (function, len(args)) in _FIRST_OF_AN_ORDER:
        return whole_aggregates.first_in_order(function, args, where, order)
    if function in whole_aggregates.WHOLE or function in whole_aggregates.BITWISE:
        call = whole_aggregates.bind_whole(name, function, args, order)
        call = replace(call, distinct=distinct and function not in _WITHOUT_DISTINCT)
        if where is None:
            return call
        if call.function in ("first", "last", "list"):
            return replace(call, where=where)
        return replace(call, args=(_where(where, call.args[0]), *call.args[1:]))
    function, args = spelled_plainly(function, args)
    result = RESULT_TYPES.get(function)
    if result is None:
        raise TypeMismatchError(f"{name} is not an aggregate of {len(args)} arguments")
    if len(args) != 1:
        raise TypeMismatchError(f"{name} takes one argument, not {len(args)}")
    (arg,) = args
    if arg.type.is_list and function in ("any_value", "max", "min"):
        return whole_aggregates.bind_extreme(function, arg, where)
    type_ = result(arg.type)
    if type_ is None:
        raise TypeMismatchError(f"{name} is not defined for {arg.type}")
    if where is not None:
        args = (_where(where, arg),)
    return AggregateCall(function, args, type_, distinct and function not in _WITHOUT_DISTINCT)


def narrowed(
    call: AggregateCall, distinct: bool, where: Expr | None, order: tuple[SortKey, ...]
) -> AggregateCall:
    """The same aggregate with DISTINCT, FILTER and ORDER BY as well. Raises TypeMismatchError."""
    if order:
        call = replace(call, order=order)
    if distinct and not call.args:
        raise TypeMismatchError("DISTINCT is not applicable to count(*)")
    if distinct and call.function not in _WITHOUT_DISTINCT:
        call = replace(call, distinct=True)
    if where is None:
        return call
    if call.function in ("first", "last", "list"):
        both = where if call.where is None else Call(types.BOOLEAN, "and", (call.where, where))
        return replace(call, where=both)
    if not call.args:
        return AggregateCall("count", (_where(where, Literal(types.INTEGER, 1)),), types.BIGINT)
    return replace(call, args=(_where(where, call.args[0]), *call.args[1:]))


def _where(condition: Expr, arg: Expr) -> Expr:
    """What FILTER means to an aggregate that passes over NULLs."""
    return Case(arg.type, ((condition, arg),), Literal(arg.type, None))


class State(Record, frozen=True):
    """One column of a partial frame: how rows make it, and how rows of partial frames merge.

    whole: it is made of all rows of a group together, and does not merge. reduction: what
    `partial` is in short, where it has such a form: a Reduction's name and an argument's label.
    """

    label: str
    dtype: pl.DataType
    partial: pl.Expr
    merge: pl.Expr
    whole: bool = False
    reduction: tuple[Reduction, str] | None = None


class Check(Record, frozen=True):
    """A column that is true where a group's result does not fit its type, and what to say then."""

    overflow: pl.Expr
    message: str


class BinnedSum(NamedTuple):
    """An exact sum of Float64 values over bins.

    bin_: label of the bins, which are a further grouping key of the partial frame. sum_: label of
    the state, which is combined into one Float64 for each group after merging. special: label of
    the state that adds up NaN and infinities, if there is one.
    """

    bin_: str
    sum_: str
    value: pl.Expr
    special: str | None


class StatePlan(Record, frozen=True):
    """The three steps of some aggregates together.

    arguments: (label, expression) to compute per row first. prepared: columns over those.
    pairs: (label, sums): a further Float64, of all those binned sums together, and in a column with
    "_low" behind its label what its rounding left out.
    results: over merged states, named by the aggregates' labels.
    """

    arguments: tuple[tuple[str, Expr], ...]
    prepared: tuple[pl.Expr, ...]
    bins: tuple[BinnedSum, ...]
    pairs: tuple[tuple[str, tuple[str, ...]], ...]
    states: tuple[State, ...]
    checks: tuple[Check, ...]
    results: tuple[pl.Expr, ...]

    @property
    def bin_columns(self) -> list[pl.Expr]:
        """The bins of each row, named."""
        return [exact_sum.bin_of(value).alias(bin_) for bin_, _, value, _ in self.bins]


@lru_cache(maxsize=256)
def plan_states(
    aggregates: tuple[tuple[Column, AggregateCall], ...], keyed: bool = False
) -> StatePlan:
    """The states of `aggregates`. Equal input gives equal labels: both steps call this.

    keyed: there are grouping keys, so that no group is without rows.
    """
    book = _Book(keyed)
    results = tuple(
        _result(call, column.label, book).cast(kernel_dtype(column.type)).alias(column.label)
        for column, call in aggregates
    )
    return StatePlan(
        tuple(book.arguments.values()),
        tuple(book.prepared),
        tuple(book.bins),
        tuple(book.pairs.values()),
        tuple(book.states.values()),
        tuple(book.checks),
        results,
    )


class _Book(Struct):
    """What has been asked for while planning, so that calls share it. keyed: as in plan_states."""

    keyed: bool
    arguments: dict[object, tuple[str, Expr]] = field(default_factory=dict)
    prepared: list[pl.Expr] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    bins: list[BinnedSum] = field(default_factory=list)
    pairs: dict[object, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    states: dict[object, State] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def argument(self, expr: Expr) -> str:
        """The label of `expr`, which is computed once per row.

        0.0 and -0.0 are equal constants, but 1 / x tells them apart: their signs are in the key.
        """
        zeros = tuple(
            str(node.value)
            for node in walk(expr)
            if isinstance(node, Literal) and node.value == 0 and isinstance(node.value, float)
        )
        label = f"arg_{len(self.arguments)}"
        return self.arguments.setdefault((expr, zeros), (label, expr))[0]

    def has(self, key: object) -> bool:
        """Whether there is a state of this key."""
        return key in self.states

    def binned(
        self, key: object, label: str, value: pl.Expr, special: str | None = None
    ) -> pl.Expr:
        """See sum_states.Book."""
        if key not in self.states:
            bin_ = f"{label.removesuffix('_sum')}_bin"
            self.bins.append(BinnedSum(bin_, label, value, special))
        return self.state(key, label, pl.Int128(), exact_sum.scaled_in_bin(value).sum(), "sum")

    def exact_pair(
        self, key: object, label: str, parts: Sequence[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr]:
        """The exact sum of several Float64 together, and what its rounding leaves out."""
        if key not in self.pairs:
            sums = tuple(f"{label}_part_{number}" for number in range(len(parts)))
            for name, part in zip(sums, parts, strict=True):
                self.binned((key, name), name, part)
            self.pairs[key] = (label, sums)
        label, _ = self.pairs[key]
        return pl.col(label), pl.col(f"{label}_low")

    def prepare(self, label: str, value: pl.Expr) -> pl.Expr:
        """A column computed once per row, for all who ask for this label."""
        if label not in self.columns:
            self.columns.add(label)
            self.prepared.append(value.alias(label))
        return pl.col(label)

    def state(
        self,
        key: object,
        label: str,
        dtype: pl.DataType,
        partial: pl.Expr,
        merge: str | Callable[[pl.Expr], pl.Expr],
        reduction: tuple[Reduction, str] | None = None,
    ) -> pl.Expr:
        """The column of a state, made once for each `key`. `merge` is the merging aggregation."""
        if key not in self.states:
            column = pl.col(label)
            merged = getattr(column, merge)() if isinstance(merge, str) else merge(column)
            whole = isinstance(key, tuple) and key[0] == "whole"
            made = (partial.alias(label), merged.alias(label))
            self.states[key] = State(label, dtype, *made, whole, reduction)
        return pl.col(self.states[key].label)

    def check(self, overflow: pl.Expr, message: str) -> None:
        """Raise with the message where `overflow` is true of a group."""
        self.checks.append(Check(overflow, message))


def _result(call: AggregateCall, label: str, book: _Book) -> pl.Expr:
    """The final expression of one call; its states and checks are put into the book."""
    if call.distinct:
        raise InternalError(f"{call.function}(DISTINCT) reached the kernels")
    if call.arg is None:
        return sum_states.row_count(label, book)
    arg = call.arg
    if call.function in whole_aggregates.WHOLE:
        return _whole(call, label, book)
    if call.function in moment_states.SUMS:
        return moment_states.moment(call, label, book)
    if call.function in whole_aggregates.BITWISE:
        name = book.argument(arg)
        partial = whole_aggregates.bitwise(call, pl.col(name))
        key, dtype = (call.function, name), kernel_dtype(arg.type)
        return book.state(key, f"{label}_bits", dtype, partial, f"bitwise_{call.function[4:]}")
    if arg.type.kind is Kind.INTERVAL and call.function != "count":
        return interval_states.result(call.function, book.argument(arg), label, book)
    match call.function:
        case "count":
            return sum_states.value_count(call, arg, label, book)
        case "count_if" | "sum":
            total = sum_states.float_sum(call, arg, label, book) if arg.type.is_float else None
            if total is None:
                total = sum_states.integer_sum(call, arg, label, book)
            if book.keyed and call.present:
                return total
            return pl.when(sum_states.value_count(call, arg, label, book) > 0).then(total)
        case "avg":
            return sum_states.average(call, arg, label, book)
        case "avg_moment":
            total = sum_states.integer_sum(call, arg, label, book)
            count = sum_states.value_count(call, arg, label, book).cast(pl.Int128)
            # As in DuckDB: rounded after 1970 (a half down), and cut towards it before.
            late = (total * 2 + count - 1) // (count * 2)
            mean = pl.when(total > 0).then(late).otherwise(0 - (0 - total) // count)
            return pl.when(count > 0).then(mean).cast(pl.Int64)
        case "min" | "bool_and" | "any_value":
            return _minimum(arg, label, book)
        case "max" | "bool_or":
            return _maximum(arg, label, book)
    raise InternalError(f"there is no aggregate {call.function}")


def _whole(call: AggregateCall, label: str, book: _Book) -> pl.Expr:
    """A result that partial frames hold as it is: there is but one of them for each group."""
    if whole_aggregates.is_between_doubles(call):
        name = book.argument(call.args[0])
        value = pl.col(name)
        low, high = (
            book.state(("whole", label, side), f"{label}_{side}", pl.Float64(), made, "first")
            for side, made in zip(
                ("low", "high"), whole_aggregates.neighbours(call, value), strict=True
            )
        )
        counted = value.count().cast(pl.Int64)
        count = book.state(("whole", name), f"{label}_of", pl.Int64(), counted, "first")
        return whole_aggregates.between(call, low, high, count)
    columns = whole_aggregates.Columns(
        [book.argument(arg) for arg in call.args],
        None if call.where is None else book.argument(call.where),
        [book.argument(key.expr) for key in call.order],
    )
    partial = whole_aggregates.whole(call, columns)
    dtype = kernel_dtype(call.type)
    found = book.state(("whole", label), f"{label}_whole", dtype, partial, "first")
    if call.function in distribution_aggregates.MOMENTS:
        message = f"{call.function} is out of range: it is no finite number"
        book.checks.append(Check(found.is_nan(), message))
    # Beside sums whose groups are cut into bins no row comes of no rows.
    empty = distribution_aggregates.OF_NO_ROWS.get(call.function)
    return found if empty is None else found.fill_null(empty)


def _minimum(arg: Expr, label: str, book: _Book) -> pl.Expr:
    """The least value; of floats NaN only if there is nothing else, and never -0.0."""
    name = book.argument(arg)
    value = pl.col(name)
    dtype, short = kernel_dtype(arg.type), _reduction("min", arg, name)
    least = book.state(("min", name), f"{label}_min", dtype, value.min(), "min", short)
    return exact_sum.canonical(least) if arg.type.is_float else least


def _reduction(name: Reduction, arg: Expr, label: str) -> tuple[Reduction, str] | None:
    whole = arg.type.is_integer or arg.type.is_decimal or arg.type.kind is Kind.DATE
    return (name, label) if whole and not arg.type.is_wide else None


def _maximum(arg: Expr, label: str, book: _Book) -> pl.Expr:
    """The greatest value; of floats NaN if there is one, and never -0.0."""
    name = book.argument(arg)
    value = pl.col(name)
    dtype = kernel_dtype(arg.type)
    short = _reduction("max", arg, name)
    greatest = book.state(("max", name), f"{label}_max", dtype, value.max(), "max", short)
    if not arg.type.is_float:
        return greatest
    any_nan = book.state(("nan", name), f"{label}_nan", pl.Boolean(), value.is_nan().any(), "any")
    return pl.when(any_nan).then(float("nan")).otherwise(exact_sum.canonical(greatest))
