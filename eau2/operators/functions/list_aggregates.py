"""Aggregates over the elements of lists: list_sum, list_aggregate(list, 'sum') and so on.

Owns: these functions. Comes in: bound calls. Goes out: Polars expressions that group elements by
the row whose list they are in. Does not know: how an aggregate is computed (aggregates.py plans it,
merging.py does it), so sums of floats are as exact here as anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators import aggregates
from eau2.operators.expr import AggregateCall, Call, Column, ColumnRef, Expr, Literal, SortKey
from eau2.operators.functions.checks import Scope, batchwise
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_calls import (
    as_list,
    constant_text,
    element_of,
    list_function,
)
from eau2.operators.functions.list_rows import Elements, elements
from eau2.operators.merging import checked, grouped, merge_binned
from eau2.operators.physical import kernel_dtype
from eau2.types import BIGINT, VARCHAR, SqlType

_ROW = Column(0, "row", BIGINT)
_PLACE = ColumnRef(BIGINT, 1)
_ELEMENT = 2
_RESULT = 3
_COUNTS = frozenset({"count", "count_if"})
"""What is zero of no elements."""
_GENERAL = "list_aggregate"
_SINGLE = [
    "any_value",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "first",
    "last",
    "max",
    "median",
    "min",
    "mode",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
]
"""The aggregates that have a function of their own, as list_sum."""


def _bind_single(aggregate: str, name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise mismatch(name, args, f"It is written {name}(list).")
    return _bind(name, (args[0], Literal(VARCHAR, aggregate), *args[1:]))


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) < 2:
        raise mismatch(name, args, f"It is written {name}(list, 'aggregate'[, argument]).")
    lists = as_list(name, args[0], args)
    aggregate = constant_text(name, args[1], "aggregate").lower()
    if not aggregates.is_aggregate(aggregate):
        raise TypeMismatchError(f"there is no aggregate {aggregate}")
    others = args[2:]
    if not all(isinstance(arg, Literal) for arg in others):
        raise NotSupportedError(f"the arguments of {aggregate} in {name} must be constants")
    type_ = _aggregate(aggregate, element_of(lists.type), others).type
    return Call(type_, _GENERAL, (lists, Literal(VARCHAR, aggregate), *others))


def _aggregate(name: str, element: SqlType, others: tuple[Expr, ...]) -> AggregateCall:
    """The aggregate of a column of elements; where the order shows, it is that of the list."""
    value = ColumnRef(element, _ELEMENT)
    if name in ("any_value", "arbitrary"):
        name = "first"
    order = (SortKey(_PLACE),) if name in ("array_agg", "first", "last", "list") else ()
    if name in ("string_agg", "group_concat", "listagg"):
        order = (SortKey(_PLACE),)
    call = aggregates.bind(name, (value, *others), order=order)
    if call.distinct:
        raise NotSupportedError(f"{name} of a list is not supported", hint="list_unique counts.")
    return call


def _lower(call: Call, scope: Scope) -> pl.Expr:
    lists, name, *others = call.args
    assert isinstance(name, Literal)
    element = element_of(lists.type)
    aggregate = _aggregate(str(name.value), element, tuple(others))
    any_value = name.value in ("any_value", "arbitrary")

    def run(frame: pl.DataFrame) -> pl.Series:
        found = elements(frame.to_series())
        if any_value:
            there = found.values.is_not_null()
            found = Elements(found.rows.filter(there), found.values.filter(there), found.known)
        return _computed(aggregate, found, scope).cast(kernel_dtype(call.type))

    return batchwise(kernel_dtype(call.type), run, scope.counted(lists, kernel_dtype(lists.type)))


def _computed(call: AggregateCall, found: Elements, scope: Scope) -> pl.Series:
    """The aggregate of each row's elements."""
    result = Column(_RESULT, "result", call.type)
    plan = aggregates.plan_states(((result, call),))
    names = (_ROW.label, _PLACE.label, f"c{_ELEMENT}")
    columns: Sequence[pl.Series] = (found.rows, found.positions(), found.values)
    pairs = zip(names, columns, strict=True)
    rows = pl.DataFrame([column.alias(name) for name, column in pairs]).lazy()
    lowered = [scope.recurse(expr, True, None).alias(label) for label, expr in plan.arguments]
    rows = rows.with_columns(lowered).with_columns(*plan.prepared).with_columns(plan.bin_columns)
    bins = [binned.bin_ for binned in plan.bins]
    groups = grouped(rows, (_ROW,), bins, [state.partial for state in plan.states])
    if plan.bins:
        groups = merge_binned(groups, (_ROW,), plan, merged=False)
    if plan.checks:
        groups = checked(groups, plan.checks)
    known = pl.LazyFrame(
        {_ROW.label: pl.int_range(len(found.known), eager=True), "known": found.known}
    )
    results = known.join(
        groups.select(_ROW.label, *plan.results), on=_ROW.label, how="left", maintain_order="left"
    )
    value = pl.col(result.label)
    if call.function in _COUNTS:
        value = pl.when("known").then(value.fill_null(0))
    return results.select(value).collect(engine="in-memory").to_series()


def _entry(aggregate: str) -> Function:
    sample = "true" if aggregate.startswith("bool") else "1, 2"
    return list_function(
        f"list_{aggregate}",
        f"list_{aggregate}(list)",
        f"{aggregate} of the elements.",
        f"list_{aggregate}([{sample}])",
        partial(_bind_single, aggregate),
        _lower,
        aliases=(f"array_{aggregate}",) if aggregate in ("sum", "min", "max", "avg") else (),
        null_rule="own",
        fails=aggregate == "sum",
    )


FUNCTIONS: tuple[Function, ...] = (
    list_function(
        _GENERAL,
        "list_aggregate(list, 'aggregate'[, argument])",
        "An aggregate of the elements, by its name.",
        "list_aggregate([1, 2], 'sum') = 3",
        _bind,
        _lower,
        aliases=("list_aggr", "array_aggr", "array_aggregate", "aggregate"),
        null_rule="own",
        fails=True,
    ),
    *(_entry(aggregate) for aggregate in _SINGLE),
)
