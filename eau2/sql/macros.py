"""Calls that are short for other expressions, as DuckDB's macros are: geomean, fdiv, date_add.

Owns: what each stands for. Comes in: calls as they were written. Goes out: syntax trees.
Does not know: types, what the functions in them compute.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import ProgrammingError, Span
from eau2.sql import ast

Expression = ast.Expression


def _geomean(span: Span, x: Expression) -> Expression:
    return _call(span, "exp", _call(span, "avg", _call(span, "ln", x)))


def _weighted_avg(span: Span, value: Expression, weight: Expression) -> Expression:
    known = ast.IsTest(span, value, "null", True)
    zero = ast.Constant(span, "integer", "0")
    counted = ast.CaseWhen(span, None, ((known, weight),), zero)
    total = _call(span, "sum", ast.Binary(span, "*", value, weight))
    return ast.Binary(span, "/", total, _call(span, "sum", counted))


def _fdiv(span: Span, x: Expression, y: Expression) -> Expression:
    return _call(span, "floor", ast.Binary(span, "/", x, y))


def _date_add(span: Span, x: Expression, interval: Expression) -> Expression:
    return ast.Binary(span, "+", x, interval)


def _call(span: Span, name: str, *arguments: Expression) -> Expression:
    return ast.FunctionCall(span, name, arguments)


_MACROS: dict[str, tuple[int, Callable[..., Expression]]] = {
    "date_add": (2, _date_add),
    "fdiv": (2, _fdiv),
    "geomean": (1, _geomean),
    "geometric_mean": (1, _geomean),
    "wavg": (2, _weighted_avg),
    "weighted_avg": (2, _weighted_avg),
}
NAMES = frozenset(_MACROS)


def expanded(node: ast.FunctionCall) -> Expression:
    """What a call of one of NAMES stands for. Raises ProgrammingError."""
    count, build = _MACROS[node.name]
    if len(node.arguments) != count:
        plural = "" if count == 1 else "s"
        raise ProgrammingError(
            f"{node.name} takes {count} argument{plural}, not {len(node.arguments)}",
            span=node.span,
        )
    return build(node.span, *node.arguments)
