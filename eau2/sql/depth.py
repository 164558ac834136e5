"""How deep an expression may be nested, so that no phase runs out of stack.

Owns: the two measures, of what was written and of what was bound. Comes in: expressions. Goes out:
nothing, or NotSupportedError. Does not know: what the expressions mean.

Both walk without recursion. A chain of one of AND or OR counts as one level, since it is bound as
a balanced tree.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, Span
from eau2.operators.expr import Expr
from eau2.sql import ast

_LEAVES = (ast.Name, ast.Constant, ast.TypedConstant)


def check_written(node: ast.Expression) -> None:
    """Raise NotSupportedError for an expression that is nested too deep."""
    waiting = [(node, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > LIMITS.expression_depth:
            raise too_deep(node.span)
        if isinstance(part, _LEAVES):
            continue
        for child in _children(part):
            waiting.append((child, depth + (not _continues(part, child))))


def check_bound(expr: Expr, span: Span) -> Expr:
    """`expr` itself. Raises NotSupportedError when, with its casts, it is nested too deep.

    Also when it has too many nodes: BETWEEN and NULLIF write an operand out twice.
    """
    level: tuple[Expr, ...] = (expr,)
    depth = nodes = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > LIMITS.expression_depth:
            raise too_deep(span)
        if nodes > LIMITS.expression_nodes:
            raise NotSupportedError(
                f"an expression expands to more than {LIMITS.expression_nodes:,} parts", span=span
            )
        level = tuple([child for part in level for child in part.children])
    return expr


def too_deep(span: Span) -> NotSupportedError:
    """The error for an expression that is nested too deep."""
    return NotSupportedError(
        f"an expression is nested more than {LIMITS.expression_depth} levels deep", span=span
    )


def _continues(part: ast.Expression, child: ast.Expression) -> bool:
    """Whether the child is a link of the same chain of AND or OR."""
    return (
        isinstance(part, ast.Binary)
        and isinstance(child, ast.Binary)
        and part.operator in ("and", "or")
        and part.operator == child.operator
    )


def _children(node: ast.Expression) -> Iterable[ast.Expression]:
    match node:
        case ast.Binary(_, _, left, right):
            return (left, right)
        case ast.Unary(_, _, operand) | ast.CastTo(_, operand) | ast.IsTest(_, operand):
            return (operand,)
        case ast.Collated(_, operand):
            return (operand,)
        case ast.Extract(_, _, operand) | ast.IntervalConstant(_, operand):
            return (operand,)
        case ast.FunctionCall(_, _, arguments, _, order_by, _, where, over):
            return (*arguments, *_clauses(order_by, where, over))
        case ast.Between(_, operand, low, high):
            return (operand, low, high)
        case ast.In(_, operand, items):
            return (operand, *items)
        case ast.Like(_, operand, pattern, escape):
            return (operand, pattern) if escape is None else (operand, pattern, escape)
        case ast.CaseWhen(_, operand, branches, otherwise):
            parts = [operand, *(part for branch in branches for part in branch), otherwise]
            return [part for part in parts if part is not None]
    return _parts(node)


def _parts(node: ast.Expression) -> Iterable[ast.Expression]:
    """The parts of a row, a list, or what holds a query. Queries are measured for themselves."""
    match node:
        case ast.ListOf(_, items) | ast.RowOf(_, items):
            return items
        case ast.Subscript(_, operand, index):
            return (operand, index)
        case ast.Slice(_, operand, start, stop, step):
            return [part for part in (operand, start, stop, step) if part is not None]
        case ast.NamedArgument(_, _, value) | ast.Lambda(_, _, value) | ast.InQuery(_, value):
            return (value,)
        case ast.Quantified(_, _, operand, _, right):
            return (operand, right) if isinstance(right, ast.Expression) else (operand,)
        case ast.Star(_, _, _, replaced):
            return [value for value, _ in replaced]
    return ()


def _clauses(
    order_by: tuple[ast.OrderItem, ...],
    where: ast.Expression | None,
    over: ast.WindowSpec | str | None,
) -> Iterable[ast.Expression]:
    """The expressions of what follows a call's arguments."""
    yield from (item.expression for item in order_by)
    if where is not None:
        yield where
    if isinstance(over, ast.WindowSpec):
        yield from over.partition_by
        yield from (item.expression for item in over.order_by)
        if over.frame is not None:
            ends = (over.frame.start.offset, over.frame.end.offset)
            yield from (offset for offset in ends if offset is not None)
