"""Calls of functions over windows: OVER, named windows, frames.

Owns: what a window is, and the collecting of the calls over it. Comes in: function calls, an
Environment that collects them, the function that binds arguments. Goes out: references to the
columns that the calls will be. Does not know: what an aggregate's brackets hold (bind_call.py),
which plan nodes compute the calls.
"""

from __future__ import annotations

from collections.abc import Mapping

from eau2.errors import (
    NotSupportedError,
    ProgrammingError,
    Span,
    TypeMismatchError,
    UnknownNameError,
)
from eau2.operators import windows
from eau2.operators.expr import Expr, FrameBound, Literal, SortKey, WindowCall, WindowFrame, ref
from eau2.operators.interval_form import unpacked
from eau2.records import Record, replace
from eau2.sql import ast
from eau2.sql.bind_call import (
    Bind,
    bound_arguments,
    bound_filter,
    bound_order,
    completed_order,
    misplaced,
    sort_key,
)
from eau2.sql.depth import check_bound, check_written
from eau2.sql.environment import Environment, Use, Windowed, Windows
from eau2.sql.naming import expression_text
from eau2.sql.shapes import Shapes
from eau2.sql.spans import at
from eau2.sql.syntax_walk import rewritten
from eau2.types import INTERVAL


def named_windows(
    definitions: tuple[tuple[str, ast.WindowSpec], ...],
) -> Mapping[str, ast.WindowSpec]:
    """The windows of a WINDOW clause by case-folded name; each may extend one before it."""
    named: dict[str, ast.WindowSpec] = {}
    for name, spec in definitions:
        if name.casefold() in named:
            raise ProgrammingError(f'the window "{name}" is defined twice', span=spec.span)
        named[name.casefold()] = _extended(spec, named)
    return named


def with_windows(node: ast.Expression, named: Mapping[str, ast.WindowSpec]) -> ast.Expression:
    """The expression with named windows written out, as names of result columns have them."""

    def visit(part: ast.Node) -> tuple[ast.Node, ...] | None:
        if not isinstance(part, ast.FunctionCall) or part.over is None:
            return None
        return (replace(part, over=_window(part, named)),)

    if not named:
        return node
    check_written(node)
    return rewritten(node, visit)


def _window(node: ast.FunctionCall, named: Mapping[str, ast.WindowSpec]) -> ast.WindowSpec:
    if isinstance(node.over, str):
        return _named(node.over, named, node.span)
    assert node.over is not None
    return _extended(node.over, named)


def _extended(spec: ast.WindowSpec, named: Mapping[str, ast.WindowSpec]) -> ast.WindowSpec:
    """The window with what it takes from the one that it is based on."""
    if spec.base is None:
        return spec
    base = _named(spec.base, named, spec.span)
    problem = None
    if base.frame is not None:
        problem = "has a frame, so it cannot be extended"
    elif spec.partition_by:
        problem = "cannot be given another PARTITION BY"
    elif spec.order_by and base.order_by:
        problem = "has an ORDER BY and cannot be given another"
    if problem is not None:
        raise ProgrammingError(f'the window "{spec.base}" {problem}', span=spec.span)
    return replace(
        spec,
        base=None,
        partition_by=base.partition_by,
        order_by=spec.order_by or base.order_by,
    )


def _named(name: str, named: Mapping[str, ast.WindowSpec], span: Span) -> ast.WindowSpec:
    found = named.get(name.casefold())
    if found is None:
        listed = ", ".join(named)
        raise UnknownNameError(
            f'there is no window "{name}"',
            span=span,
            hint=f"Windows here: {listed}." if listed else "Define it in a WINDOW clause.",
        )
    return found


class Over(Record, frozen=True):
    """A window that stands behind a call, bound, and what stands in the call's brackets.

    name: the function's own. args, where, own: its arguments, FILTER and ORDER BY. order: the keys
    of the window that decide something.
    """

    node: ast.FunctionCall
    windows: Windows
    name: str
    args: tuple[Expr, ...]
    where: Expr | None
    own: tuple[SortKey, ...]
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    frame: WindowFrame | None
    uses: tuple[Use, ...]

    def call(
        self,
        name: str,
        args: tuple[Expr, ...],
        distinct: bool,
        where: Expr | None,
        order: tuple[SortKey, ...],
    ) -> WindowCall:
        """A call of a function over this window. Raises statement errors with spans."""
        return at(
            self.node.span,
            windows.bind,
            name,
            args,
            frame=self.frame,
            distinct=distinct,
            where=where,
            ignore_nulls=self.node.ignore_nulls is True,
            ordered=bool(self.order),
            order=order,
        )

    def column(self, call: WindowCall) -> Expr:
        """The column that holds the result of such a call."""
        collected, span = self.windows, self.node.span
        if call.order:
            call = replace(call, order=completed_order(call.order, call.args, collected.shapes))
        column = collected.context.column(expression_text(self.node), call.type)
        partition = tuple(key for key in self.partition if Shapes.columns(key))
        found = Windowed(column, call, partition, self.order, self.uses, span)
        for expr in found.exprs:
            check_bound(expr, span)
        return ref(collected.column(found))


def bind_window(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The column that holds the result of a function over its window."""
    over = bound_over(node, env, depth, bind)
    return over.column(over.call(over.name, over.args, node.distinct, over.where, over.own))


def bound_over(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Over:
    """What stands in the brackets of a call, and the window behind it."""
    if env.windows is None:
        raise misplaced(env.window_refusal, node.span)
    if node.within_group:
        raise NotSupportedError("WITHIN GROUP with OVER is not supported", span=node.span)
    collected = env.windows
    spec = _window(node, collected.named)
    uses: list[Use] = []
    inner = replace(
        env,
        windows=None,
        window_refusal="window functions cannot be nested",
        unnests=None,
        unnest_refusal="unnest is not allowed inside window functions",
        uses=uses,
        subqueries=collected.subqueries,
    )
    name, args = bound_arguments(node, inner, depth, bind)
    where = bound_filter(node, inner, depth, bind)
    own = bound_order(node, args, inner, depth, bind)
    partition = tuple(bind(key, inner, depth) for key in spec.partition_by)
    order = tuple(_window_key(item, inner, depth, bind) for item in spec.order_by)
    deciding = tuple(key for key in order if Shapes.columns(key.expr))
    frame = None if spec.frame is None else _frame(spec.frame, order, inner, depth, bind)
    return Over(node, collected, name, args, where, own, partition, deciding, frame, tuple(uses))


def _window_key(item: ast.OrderItem, env: Environment, depth: int, bind: Bind) -> SortKey:
    """A key of a window's order. A number is a constant there, no position."""
    if isinstance(item.expression, ast.EveryColumn):
        raise ProgrammingError("a window cannot ORDER BY ALL", span=item.span)
    return sort_key(item, bind(item.expression, env, depth))


def _frame(
    frame: ast.Frame, order: tuple[SortKey, ...], env: Environment, depth: int, bind: Bind
) -> WindowFrame:
    def end(written: ast.FrameEnd) -> FrameBound:
        offset = written.offset
        if offset is None:
            return FrameBound(written.kind)
        expr = bind(offset, env, depth)
        if expr.type == INTERVAL and frame.unit != "range":
            raise TypeMismatchError(
                f"{frame.unit.upper()} frames count rows; an INTERVAL is for RANGE",
                span=offset.span,
            )
        if expr.type == INTERVAL and isinstance(expr, Literal) and isinstance(expr.value, int):
            if any(part < 0 for part in unpacked(expr.value)):
                raise ProgrammingError(
                    "the offset of a frame must not be negative", span=offset.span
                )
            return at(offset.span, windows.bound, frame.unit, written.kind, expr, order)
        if isinstance(expr, Literal) and isinstance(expr.value, int | float) and expr.value < 0:
            raise ProgrammingError("the offset of a frame must not be negative", span=offset.span)
        if isinstance(expr, Literal) and expr.value is None:
            raise ProgrammingError("the offset of a frame cannot be NULL", span=offset.span)
        return at(offset.span, windows.bound, frame.unit, written.kind, expr, order)

    return WindowFrame(frame.unit, end(frame.start), end(frame.end), frame.exclude)
