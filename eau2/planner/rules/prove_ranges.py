"""Prove ranges: where statistics show that nothing can overflow, computations go unchecked.

Owns: carrying what frames' statistics say up a plan. Comes in: any plan. Goes out: the same plan
with `checked`, `wide`, `exponents` and `finite` set as far as they are proven.
Does not know: interval arithmetic itself (planner/ranges.py), how kernels use the proofs.

Bounds are rounded out to powers of two (exponents to multiples of four), so that an append seldom
changes a fragment, and with it the results that are kept for it.
"""

from __future__ import annotations

import math

from eau2.catalog import NOT_STORED, ColumnStatistics
from eau2.config import LIMITS
from eau2.operators.expr import AggregateCall, Column, Expr
from eau2.operators.moment_states import SUMS, as_integer
from eau2.planner.ranges import (
    NO_EXPONENTS,
    Known,
    exponents_of,
    is_finite,
    proven,
    round_out,
    union_of_exponents,
)
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Join,
    Limit,
    Logical,
    Nothing,
    OneRow,
    Project,
    Rows,
    Scan,
    Series,
    Union,
    Unnest,
    Window,
    transform,
)
from eau2.sql.plan_exprs import mapped
from eau2.sql.sharing import Recursive, SharedScan, With

_EXPONENT_GRID = 4
_INT64_MAX = 2**63 - 1
Definitions = dict[int, tuple[tuple[Column, ...], int]]
"""The columns of what SharedScans read, and the most rows of it; rounds of a Recursive are none."""

_NO_DEFINITIONS: Definitions = {}

_COUNTING = frozenset({"count", "count_star", "row_number", "rank", "dense_rank", "ntile"})
"""Window functions that give no more than the number of rows."""


def prove_ranges(plan: Logical) -> Logical:
    """The rule."""
    known = Known()
    definitions: Definitions = {}
    _find_definitions(plan, definitions)

    def of(expr: Expr) -> Expr:
        return proven(expr, known)[0]

    def visit(node: Logical) -> Logical:
        match node:
            case Scan():
                _learn_scan(node, known)
            case SharedScan():
                _learn_shared(node, definitions, known)
            case Project(items=items):
                items = tuple((column, of(expr)) for column, expr in items)
                for column, expr in items:
                    _learn(column, expr, known)
                return replace(node, items=items)
            case Expand(keys=items, grouping=grouping):
                items = tuple((column, of(expr)) for column, expr in items)
                for column, expr in items:
                    _learn(column, expr, known)
                known.intervals[grouping.id] = (0, len(node.sets))
                return replace(node, keys=items)
            case Aggregate():
                return _aggregate(node, most_rows(node.input, definitions), known)
            case Window():
                _learn_window(node, most_rows(node.input, definitions), known)
                return mapped(node, of)
        return mapped(node, of)

    return transform(plan, visit)


def _find_definitions(plan: Logical, found: Definitions) -> None:
    """Enter all definitions, each after those that it reads."""
    if isinstance(plan, With):
        for definition in plan.definitions:
            _find_definitions(definition.plan, found)
            rows = most_rows(definition.plan, found)
            found[definition.number] = (definition.plan.output, rows)
        _find_definitions(plan.input, found)
        return
    for below in plan.inputs:
        _find_definitions(below, found)


def _learn_shared(scan: SharedScan, definitions: Definitions, known: Known) -> None:
    """What is known of a definition's columns; its plan has been visited before what reads it."""
    if scan.definition not in definitions:
        return
    sources, _ = definitions[scan.definition]
    for column, position in zip(scan.columns, scan.positions, strict=True):
        source = sources[position].id
        for learned in (known.intervals, known.exponents):
            if source in learned:
                learned[column.id] = learned[source]
        if source in known.finite:
            known.finite.add(column.id)


def _learn_scan(scan: Scan, known: Known) -> None:
    if scan.frame.version == NOT_STORED:
        # Others wrote these bounds; were they wrong, an overflow would pass unseen.
        return
    statistics = scan.frame.statistics
    for column, position in zip(scan.columns, scan.positions, strict=True):
        if position < len(statistics):
            _learn_column(column, statistics[position], known)


def _learn_column(column: Column, statistics: ColumnStatistics, known: Known) -> None:
    if column.type.is_float:
        bounds = (statistics.minimum, statistics.maximum)
        if all(isinstance(bound, float) and math.isfinite(bound) for bound in bounds):
            known.finite.add(column.id)
        if statistics.exponents is not None:
            lowest, highest = statistics.exponents
            grid = _EXPONENT_GRID
            rounded = (lowest // grid * grid, -(-highest // grid) * grid)
            known.exponents[column.id] = rounded if lowest <= highest else NO_EXPONENTS
        return
    low, high = statistics.minimum, statistics.maximum
    if isinstance(low, int) and isinstance(high, int):
        known.intervals[column.id] = round_out((low, high))


def _learn(column: Column, expr: Expr, known: Known) -> None:
    if column.type.is_float:
        if is_finite(expr, known):
            known.finite.add(column.id)
        exponents = exponents_of(expr, known)
        if exponents is not None:
            known.exponents[column.id] = exponents
        return
    interval = proven(expr, known)[1]
    if interval is not None:
        known.intervals[column.id] = interval


def _aggregate(node: Aggregate, rows: int, known: Known) -> Aggregate:
    keys = tuple((column, proven(expr, known)[0]) for column, expr in node.keys)
    aggregates = tuple(
        (column, _proven_call(call, rows, known)) for column, call in node.aggregates
    )
    for column, expr in keys:
        _learn(column, expr, known)
    for column, call in aggregates:
        if call.function in ("min", "max", "any_value") and call.arg is not None:
            _learn(column, call.arg, known)
        if call.function in ("count", "count_star"):
            known.intervals[column.id] = (0, rows)
    return replace(node, keys=keys, aggregates=aggregates)


def _learn_window(node: Window, rows: int, known: Known) -> None:
    for column, call in node.calls:
        if call.function in _COUNTING:
            known.intervals[column.id] = (0, rows)


def _proven_call(call: AggregateCall, rows: int, known: Known) -> AggregateCall:
    if call.arg is None:
        return call
    arg, interval = proven(call.arg, known)
    call = replace(call, args=(arg, *call.args[1:]))
    if call.function in SUMS:
        return _proven_moment(call, rows, known)
    if call.function not in ("sum", "avg"):
        return call
    if arg.type.is_float:
        exponents = exponents_of(arg, known)
        call = replace(call, finite=is_finite(arg, known))
        return call if exponents in (None, NO_EXPONENTS) else replace(call, exponents=exponents)
    if interval is not None and rows * max(abs(interval[0]), abs(interval[1])) <= _INT64_MAX:
        return replace(call, wide=False)
    return call


def _proven_moment(call: AggregateCall, rows: int, known: Known) -> AggregateCall:
    """Of doubles, exponents of both arguments; of integers, that sums of products fit 64 bits."""
    call = replace(call, args=tuple([proven(arg, known)[0] for arg in call.args]))
    integers = [as_integer(arg) for arg in call.args]
    largest = 0
    for integer in integers:
        interval = None if integer is None else proven(integer, known)[1]
        largest = max(largest, *(_INT64_MAX,) if interval is None else map(abs, interval))
    if rows * largest * largest <= _INT64_MAX:
        return replace(call, wide=False)
    exponents = union_of_exponents([exponents_of(arg, known) for arg in call.args])
    call = replace(call, finite=all(is_finite(arg, known) for arg in call.args))
    return call if exponents in (None, NO_EXPONENTS) else replace(call, exponents=exponents)


def most_rows(plan: Logical, definitions: Definitions = _NO_DEFINITIONS) -> int:
    """More rows than this the plan cannot give, by the rows of its frames rounded up.

    definitions: those that it may read, by number. No plan gives more rows than INT64 counts, and
    the product of many joins must not become a number that takes time to multiply.
    """
    return min(_rows_of(plan, definitions), _INT64_MAX)


def _rows_of(plan: Logical, definitions: Definitions) -> int:
    match plan:
        case Scan(frame=frame):
            return 1 << frame.rows.bit_length()
        case OneRow():
            return 1
        case Nothing():
            return 0
        case Rows(rows=values):
            return len(values)
        case Series(start=start, stop=stop, step=step):
            return len(range(start, stop, step))
        case SharedScan(definition=number) if number in definitions:
            return definitions[number][1]
        case SharedScan() | Recursive():
            return LIMITS.recursion_rows
        case With(input=below):
            return most_rows(below, definitions)
        case Unnest():
            # Nobody knows how long lists are.
            return _INT64_MAX
        case Union(parts=parts):
            return sum(most_rows(part, definitions) for part in parts)
        case Expand(input=below, sets=sets):
            return most_rows(below, definitions) * len(sets)
        case Aggregate(input=below, keys=keys):
            return most_rows(below, definitions) if keys else 1
        case Limit(input=below, count=count):
            rows = most_rows(below, definitions)
            return rows if count is None else min(rows, count)
        case (
            Join(kind=kind, left=left, right=right)
            | DependentJoin(kind=kind, left=left, right=right)
        ):
            a, b = most_rows(left, definitions), most_rows(right, definitions)
            if kind in ("semi", "anti", "mark", "single", "asof", "asof_left"):
                return a
            return a * b if kind in ("inner", "cross") else a * b + a + b
    return max((most_rows(below, definitions) for below in plan.inputs), default=_INT64_MAX)
