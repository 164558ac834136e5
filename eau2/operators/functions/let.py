"""let and fold: local values, and loops over the elements of a list.

Owns: their form, and how they are computed. Comes in: calls that compiled functions become. Goes
out: Polars expressions.
Does not know: which language they were written in; where they are written out (planner/lets.py).

Both have lambdas of one level as arguments. `let` has one for each value and one for the result:
the i-th parameter is the i-th value, which those after it and the result may read. Every value is
computed once, and for every row that the let is computed for. `fold` has a list, k states to begin
with, k lambdas that give the next states from the present ones, the element and its position from
0, and the number of the state that is the result.

The lambda of a let's result lists all parameters. Those of its values may list the ones that come
before them, and need not: with hundreds of values the lists would be longer than all else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from eau2.config import LIMITS
from eau2.errors import UnknownFunctionError
from eau2.operators.expr import (
    Call,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    columns_of,
    placed,
)
from eau2.operators.functions.checks import Scope, batchwise, columns_around, marked
from eau2.operators.functions.function import Function, LowerCall
from eau2.operators.functions.list_lambdas import own_column
from eau2.operators.functions.list_rows import elements
from eau2.operators.physical import kernel_dtype
from eau2.records import replace

LET = "let"
FOLD = "fold"

_GUARD = "guard"
_EMPTY = "empty"
Columns = Mapping[str, pl.Series]


def values_of(call: Call) -> tuple[tuple[LambdaParameter, Expr], ...]:
    """The values of a let, each with the parameter that it is the value of."""
    *values, result = call.args
    assert isinstance(result, Lambda)
    bodies = [value.body for value in values if isinstance(value, Lambda)]
    return tuple(zip(result.parameters, bodies, strict=True))


def result_of(call: Call) -> Expr:
    """The result of a let over its parameters."""
    result = call.args[-1]
    assert isinstance(result, Lambda)
    return result.body


class Fold:
    """The parts of a fold: list, initial states, steps and the number of the result."""

    __slots__ = ("initial", "lists", "parameters", "steps", "which")

    def __init__(self, call: Call) -> None:
        lists, *others, which = call.args
        assert isinstance(which, Literal)
        assert isinstance(which.value, int)
        half = len(others) // 2
        steps = [step for step in others[half:] if isinstance(step, Lambda)]
        assert len(steps) == half > which.value >= 0
        self.lists, self.initial, self.which = lists, others[:half], which.value
        self.parameters = steps[0].parameters
        self.steps = [step.body for step in steps]


class _Plans:
    """Bodies of lambdas of one level as plans over columns: parameters, and what is around them."""

    def __init__(
        self, parameters: Sequence[LambdaParameter], bodies: Sequence[Expr], scope: Scope
    ) -> None:
        own = {parameter: own_column(parameter) for parameter in parameters}

        def place(node: Expr, depth: int) -> Expr | None:
            return own.get(node) if isinstance(node, LambdaParameter) else None

        self.labels = [column.label for column in own.values()]
        self.bodies = [placed(body, place, 0) for body in bodies]
        self._scope = scope
        self._made: list[pl.Expr] = []

    @property
    def around(self) -> tuple[str, ...]:
        """The columns that the plans made so far read around the lambdas."""
        return columns_around(self._made, (*self.labels, _GUARD))

    def plan(self, number: int, guard: pl.Expr | None, label: str) -> pl.Expr:
        """The plan of a body for the rows for which `guard` is true."""
        body = self.bodies[number]
        lowered = self._scope.recurse(body, self._scope.diagnose, guard)
        self._made.append(lowered.cast(kernel_dtype(body.type)).alias(label))
        return self._made[-1]

    def states(self, fold: Call, guard: pl.Expr | None) -> pl.Expr:
        """All states of a loop as a struct, its fields their numbers."""
        self._made.append(_lower_states(fold, replace(self._scope, guard=guard)))
        return self._made[-1]


def _lower_let(call: Call, scope: Scope) -> pl.Expr:
    parameters = [parameter for parameter, _ in values_of(call)]
    bodies = [value for _, value in values_of(call)]
    plans = _Plans(parameters, [*bodies, result_of(call)], scope)
    guard = None if scope.guard is None else pl.col(_GUARD)
    layers = _layers(plans, guard)
    result = plans.plan(len(bodies), guard, "value")
    labels, inputs = _inputs(plans, scope)
    dtype = kernel_dtype(call.type)

    def compute(frame: pl.DataFrame) -> pl.Series:
        if not frame.height:
            # What reads no column would be computed, and might fail, for no row at all.
            return pl.Series("value", [], dtype)
        frame.columns = labels
        for layer in layers:
            frame = frame.with_columns(layer)
        return frame.with_columns(result).get_column("value")

    return batchwise(dtype, compute, *inputs)


def _layers(plans: _Plans, guard: pl.Expr | None) -> list[list[pl.Expr]]:
    """The values by how many others they stand upon: those of one layer are computed at once.

    The states of one loop are several folds that differ in which state they give: it runs once.
    """
    layers: list[list[pl.Expr]] = []
    heights: dict[int, int] = {}
    loops: dict[tuple[Expr, ...], tuple[int, str]] = {}
    alike = _loops_of_several(plans.bodies)
    for number, label in enumerate(plans.labels):
        body = plans.bodies[number]
        read = columns_of(body)
        height = max((heights[id_] + 1 for id_ in read if id_ in heights), default=0)
        loop = _loop_of(body)
        if loop not in alike:
            _add(layers, height, plans.plan(number, guard, label))
        else:
            assert isinstance(body, Call)
            if loop not in loops:
                loops[loop] = (height, f"loop{number}")
                _add(layers, height, plans.states(body, guard).alias(f"loop{number}"))
            state, struct = Fold(body).which, pl.col(loops[loop][1]).struct
            height = loops[loop][0] + 1
            _add(layers, height, struct.field(str(state)).alias(label))
        heights[int(label[1:])] = height
    return layers


def _add(layers: list[list[pl.Expr]], height: int, plan: pl.Expr) -> None:
    while height >= len(layers):
        layers.append([])
    layers[height].append(plan)


def _loop_of(body: Expr) -> tuple[Expr, ...]:
    """What folds of one loop have in common; empty for anything else."""
    return body.args[:-1] if isinstance(body, Call) and body.function == FOLD else ()


def _loops_of_several(bodies: Sequence[Expr]) -> set[tuple[Expr, ...]]:
    """The loops of which several states are values."""
    loops = Counter(_loop_of(body) for body in bodies)
    return {loop for loop, count in loops.items() if loop and count > 1}


def _inputs(plans: _Plans, scope: Scope) -> tuple[list[str], list[pl.Expr]]:
    """What a batch holds: the columns around, and the guard."""
    labels = list(plans.around)
    inputs = [pl.col(label) for label in labels]
    if scope.guard is not None:
        labels.append(_GUARD)
        inputs.append(scope.guard)
    if not labels:
        return [_EMPTY], [pl.lit(True)]
    return labels, inputs


def _lower_fold(call: Call, scope: Scope) -> pl.Expr:
    return _lower_states(call, scope).struct.field(str(Fold(call).which))


def _lower_states(call: Call, scope: Scope) -> pl.Expr:
    """What all states of a loop are behind it, as a struct."""
    parts = Fold(call)
    plans = _Plans(parts.parameters, parts.steps, scope)
    count = len(parts.initial)
    steps = [plans.plan(number, None, str(number)) for number in range(count)]
    dtypes = [kernel_dtype(initial.type) for initial in parts.initial]
    read = plans.around
    lists = scope.counted(parts.lists, kernel_dtype(parts.lists.type))
    initial = [scope.lower(state).cast(dtypes[n]) for n, state in enumerate(parts.initial)]

    def compute(frame: pl.DataFrame) -> pl.Series:
        gathered, *columns = frame.get_columns()
        around = dict(zip(read, columns[count:], strict=True))
        states = [column.alias(str(n)) for n, column in enumerate(columns[:count])]
        return _folded(plans, steps, gathered, states, around).to_struct("states")

    fields = pl.Struct({str(number): dtype for number, dtype in enumerate(dtypes)})
    return batchwise(fields, compute, lists, *initial, *map(pl.col, read))


def _folded(
    plans: _Plans,
    steps: list[pl.Expr],
    lists: pl.Series,
    states: list[pl.Series],
    around: Columns,
) -> pl.DataFrame:
    """The states after the last element of every list; NULL where there is no list.

    Rows are taken by the lengths of their lists, longest first: those with a next element are the
    first ones at every step, and what is finished is cut off behind them. So no value is ever
    written into a column, which not every type allows.
    """
    known = pl.DataFrame([*states, *(column.alias(label) for label, column in around.items())])
    lengths = lists.list.len().fill_null(0).cast(pl.Int64)
    longest = max(lengths.unique().to_list(), default=0)
    if longest > LIMITS.list_reduce_steps:
        raise _too_long(longest)
    order = lengths.arg_sort(descending=True)
    lengths, lists = lengths.gather(order), lists.gather(order)
    known = known.select(pl.all().gather(order))
    values = elements(lists).values
    begins = lengths.cum_sum() - lengths
    ascending = lengths.reverse()
    names = [state.name for state in states]
    finished: list[pl.DataFrame] = []
    for step in range(longest):
        count = len(lengths) - ascending.search_sorted(step, side="right")
        finished.append(known.slice(count).select(names))
        known = known.head(count)
        element = values.gather(begins.head(count) + step)
        place = pl.repeat(step, count, dtype=pl.Int64, eager=True)
        given = [*(known.get_column(name) for name in names), element, place]
        labelled = zip(plans.labels, given, strict=True)
        rows = pl.DataFrame([column.alias(label) for label, column in labelled])
        rows = rows.with_columns(known.drop(names)).with_columns(steps)
        known = known.with_columns(rows.select(names))
    every = pl.concat([known.select(names), *reversed(finished)])
    back = order.arg_sort()
    rows = every.with_columns(lists.is_not_null().alias(_GUARD)).select(pl.all().gather(back))
    return rows.select(pl.when(_GUARD).then(pl.col(name)).alias(name) for name in names)


def _too_long(length: int) -> ValueError:
    most = LIMITS.list_reduce_steps
    text = f"a loop over a list of {length:,} elements: at most {most:,} are supported"
    return ValueError(marked("function", text))


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    raise UnknownFunctionError(f'there is no function "{name}"')


def _entry(name: str, syntax: str, summary: str, lower: LowerCall) -> Function:
    """Without an example: no statement calls it."""
    return Function(
        name, "python", syntax, summary, "", _bind, lower, operator=True, null_rule="own"
    )


FUNCTIONS: tuple[Function, ...] = (
    _entry(LET, "let(a := x, ...)", "A result over local values.", _lower_let),
    _entry(FOLD, "fold(list, ...)", "What a loop over a list gathers.", _lower_fold),
)
