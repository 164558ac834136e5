"""Rows that are compared: (a, b) = (c, d), (a, b) IN (...), and rows beside a query's rows.

Owns: what NULLs inside rows mean, as in DuckDB 2.0. Comes in: the bound items of two rows. Goes
out: one condition. Does not know: how an item is bound.

Rows as values compare like sort keys: every pair is decided, a NULL equals a NULL and is larger
than all else. Only = and <> ANY of a query's rows compare item by item with unknown results.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from eau2.errors import NotSupportedError, Span, TypeMismatchError
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions import table
from eau2.sql import ast
from eau2.types import BOOLEAN

Row = tuple[Expr, ...]
Compare = Callable[[str, Expr, Expr, Span], Expr]
"""Binds a comparison: operator, left side, right side, the span for errors."""


def items_of(node: ast.Expression) -> tuple[ast.Expression, ...]:
    """The items of a row; any other expression is a row of one."""
    return node.items if isinstance(node, ast.RowOf) else (node,)


def compare_any(operator: str, one: Row, other: Row, span: Span, compare: Compare) -> Expr:
    """The comparison of a row with one row of a query."""
    if len(one) == 1:
        return compare(operator, one[0], other[0], span)
    if operator in ("=", "<>"):
        pairs = zip(one, other, strict=True)
        parts = [compare(operator, left, right, span) for left, right in pairs]
        return reduce(lambda a, b: Call(BOOLEAN, "and" if operator == "=" else "or", (a, b)), parts)
    return compare_values(operator, one, other, span, compare)


def compare_values(operator: str, one: Row, other: Row, span: Span, compare: Compare) -> Expr:
    """The comparison of two rows as values: never NULL."""
    if len(one) != len(other):
        raise TypeMismatchError(
            f"a row of {len(one)} and a row of {len(other)} values cannot be compared", span=span
        )
    if operator in ("=", "is_not_distinct", "<>", "is_distinct"):
        equal = operator in ("=", "is_not_distinct")
        name, joined = ("is_not_distinct", "and") if equal else ("is_distinct", "or")
        pairs = zip(one, other, strict=True)
        parts = [compare(name, left, right, span) for left, right in pairs]
        return reduce(lambda a, b: Call(BOOLEAN, joined, (a, b)), parts)
    if operator not in ("<", "<=", ">", ">="):
        raise NotSupportedError("rows can only be compared", span=span)
    if operator[0] == ">":
        one, other = other, one
    result: Expr = Literal(BOOLEAN, operator.endswith("="))
    for left, right in zip(reversed(one), reversed(other), strict=True):
        same = compare("is_not_distinct", left, right, span)
        result = Call(
            BOOLEAN,
            "or",
            (_before(left, right, span, compare), Call(BOOLEAN, "and", (same, result))),
        )
    return result


def _before(left: Expr, right: Expr, span: Span, compare: Compare) -> Expr:
    """Whether `left` is less than `right`, NULL being the largest of all."""
    less = table.bind("coalesce", (compare("<", left, right, span), Literal(BOOLEAN, False)))
    present, absent = table.bind("is_not_null", (left,)), table.bind("is_null", (right,))
    return Call(BOOLEAN, "or", (less, Call(BOOLEAN, "and", (present, absent))))
