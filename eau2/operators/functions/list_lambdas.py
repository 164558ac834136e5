"""list_transform, list_filter and list_reduce: a lambda over the elements of lists.

Owns: how a lambda is computed. Comes in: calls with a Lambda. Goes out: Polars expressions.
Does not know: how lambdas are written and bound.

The body is an expression over rows of elements: one frame has the elements of all lists of a batch,
their positions, and beside each the columns around the lambda that it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import polars as pl

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, OutOfRangeError
from eau2.operators.expr import (
    Call,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    transform,
)
from eau2.operators.functions.checks import Scope, batchwise, columns_around
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_calls import list_function
from eau2.operators.functions.list_rows import Elements, elements, nested
from eau2.operators.physical import kernel_dtype

_OWN_IDS = -1_000_000
"""Below this are the columns that parameters become: no column of a plan has such an id."""
_PARAMETERS = 1 << 20
"""More than the parameters of one level."""

Around = Mapping[str, pl.Series]
Run = Callable[[pl.Series, Around, list[pl.Series]], pl.Series]


def _unbound(name: str, args: tuple[Expr, ...]) -> Expr:
    raise mismatch(name, args, f"It is written {name}(list, lambda x: ...).")


def own_column(parameter: LambdaParameter) -> ColumnRef:
    """What a parameter becomes where a body runs."""
    number = parameter.level * _PARAMETERS + parameter.index
    return ColumnRef(parameter.type, _OWN_IDS - number)


class Body:
    """The body of a lambda as a plan over columns: its parameters, and what it reads around it."""

    def __init__(self, function: Expr, scope: Scope) -> None:
        assert isinstance(function, Lambda)
        own = {parameter: own_column(parameter) for parameter in function.parameters}
        body = transform(
            function.body,
            lambda node: own.get(node, node) if isinstance(node, LambdaParameter) else node,
        )
        self.labels = [ref.label for ref in own.values()]
        self.plan = scope.recurse(body, scope.diagnose, None).alias("value")
        self.around = columns_around([self.plan], self.labels)
        self.dtype = kernel_dtype(body.type)

    def over(self, given: Mapping[str, pl.Series]) -> pl.Series:
        """The values of the body over columns of one height."""
        if all(not len(column) for column in given.values()):
            # What reads no column would be computed, and might fail, for no row at all.
            return pl.Series("value", [], self.dtype)
        frame = pl.DataFrame([column.alias(label) for label, column in given.items()])
        return frame.with_columns(self.plan).get_column("value")

    def of(self, found: Elements, around: Mapping[str, pl.Series]) -> pl.Series:
        """The values for each element."""
        given = dict(zip(self.labels, (found.values, found.positions()), strict=False))
        if not given:
            given = {"element": found.values}
        given |= {label: around[label].gather(found.rows) for label in self.around}
        return self.over(given)


def _over(call: Call, scope: Scope, bodies: tuple[Body, ...], run: Run) -> pl.Expr:
    """A function of the lists and the columns around the lambdas, batch by batch."""
    around = tuple(dict.fromkeys(label for body in bodies for label in body.around))
    extra = [scope.lower(arg) for arg in call.args if not isinstance(arg, Lambda)][1:]
    dtype = kernel_dtype(call.type)

    def compute(frame: pl.DataFrame) -> pl.Series:
        lists, *columns = frame.get_columns()
        known = dict(zip(around, columns, strict=False))
        return run(lists, known, columns[len(around) :]).cast(dtype)

    lists = scope.counted(call.args[0], kernel_dtype(call.args[0].type))
    return batchwise(dtype, compute, lists, *map(pl.col, around), *extra)


def _lower_transform(call: Call, scope: Scope) -> pl.Expr:
    """The values of the lambda; a second one says for which elements, as in comprehensions."""
    bodies = tuple(Body(arg, scope) for arg in call.args[1:])

    def run(lists: pl.Series, around: Around, extra: list[pl.Series]) -> pl.Series:
        found = elements(lists)
        values = bodies[0].of(found, around)
        if len(bodies) == 1:
            return found.lists(values)
        kept = bodies[1].of(found, around).fill_null(False)
        return nested(found.rows.filter(kept), values.filter(kept), found.known)

    return _over(call, scope, bodies, run)


def _lower_filter(call: Call, scope: Scope) -> pl.Expr:
    body = Body(call.args[1], scope)

    def run(lists: pl.Series, around: Around, extra: list[pl.Series]) -> pl.Series:
        found = elements(lists)
        kept = body.of(found, around).fill_null(False)
        return nested(found.rows.filter(kept), found.values.filter(kept), found.known)

    return _over(call, scope, (body,), run)


def _lower_reduce(call: Call, scope: Scope) -> pl.Expr:
    body = Body(call.args[1], scope)
    begin = call.args[3]
    assert isinstance(begin, Literal)
    assert isinstance(begin.value, int)
    return _over(call, scope, (body,), partial(_reduce, body, begin.value))


def _reduce(
    body: Body, begin: int, lists: pl.Series, around: Around, extra: list[pl.Series]
) -> pl.Series:
    """Step by step: each step takes the next element of every list that has one.

    extra: what is gathered at first; then `begin` elements are in it already.
    """
    lengths = lists.list.len().fill_null(0).cast(pl.Int64)
    longest = max(lengths.unique().to_list(), default=0)
    if longest > LIMITS.list_reduce_steps:
        raise NotSupportedError(
            f"list_reduce over a list of {longest} elements is not supported:"
            f" it takes at most {LIMITS.list_reduce_steps}"
        )
    if begin and ((lengths == 0) & lists.is_not_null()).any():
        raise OutOfRangeError("list_reduce needs an initial value for an empty list")
    start = pl.DataFrame({"value": extra[0], "known": lists.is_not_null()})
    gathered = start.select(pl.when("known").then(pl.col("value"))).to_series()
    for step in range(begin, longest):
        rows = (lengths > step).arg_true()
        values = lists.gather(rows).list.get(step)
        place = pl.repeat(step + 1, len(rows), dtype=pl.Int64, eager=True)
        given = dict(zip(body.labels, (gathered.gather(rows), values, place), strict=False))
        given |= {label: around[label].gather(rows) for label in body.around}
        changed = body.over(given).cast(gathered.dtype)
        # Not every type can be written into a column, so the rows are taken from behind it.
        behind = pl.int_range(len(lists), len(lists) + len(rows), eager=True)
        places = pl.int_range(len(lists), eager=True).scatter(rows, behind)
        gathered = pl.concat([gathered, changed]).gather(places)
    return gathered


FUNCTIONS: tuple[Function, ...] = (
    list_function(
        "list_transform",
        "list_transform(list, lambda x: ...)",
        "What the lambda gives for each element; also [f(x) FOR x IN list].",
        "list_transform([1, 2], lambda x: x + 1) = [2, 3]",
        _unbound,
        _lower_transform,
        null_rule="own",
        aliases=("list_apply", "array_transform", "array_apply", "apply"),
    ),
    list_function(
        "list_filter",
        "list_filter(list, lambda x: ...)",
        "The elements for which the lambda is true.",
        "list_filter([1, 2], lambda x: x > 1) = [2]",
        _unbound,
        _lower_filter,
        null_rule="own",
        aliases=("array_filter", "filter"),
    ),
    list_function(
        "list_reduce",
        "list_reduce(list, lambda a, b: ...[, initial])",
        "The elements gathered one after the other.",
        "list_reduce([1, 2, 3], lambda a, b: a + b) = 6",
        _unbound,
        _lower_reduce,
        null_rule="own",
        fails=True,
        aliases=("array_reduce", "reduce"),
    ),
)
