"""Forms that are spelled in words of their own and mean calls: OVERLAY, COLLATE.

Owns: which calls they mean. Comes in: ast expressions. Goes out: ast expressions.
Does not know: how a call is bound.
"""

from __future__ import annotations

from eau2.errors import NotSupportedError, ProgrammingError, Span
from eau2.records import replace
from eau2.sql import ast

_AS_IT_IS = frozenset({"c", "posix", "binary"})


def overlay(node: ast.FunctionCall) -> ast.Expression:
    """OVERLAY as what stands before, the new text, and what comes behind.

    Without a length, or with one below zero, as many characters are replaced as the new text has.
    """
    span = node.span
    if len(node.arguments) not in (3, 4):
        raise ProgrammingError(
            "overlay takes a text, a new text, a position and maybe a length", span=span
        )
    text, new, start = node.arguments[:3]
    length: ast.Expression = _call("length", span, new)
    if len(node.arguments) == 4:
        given = node.arguments[3]
        below = ast.Binary(span, "<", given, _number(0, span))
        length = ast.CaseWhen(span, None, ((below, length),), given)
    # A length or a position below that would count from the end.
    before = _at_least(0, ast.Binary(span, "-", start, _number(1, span)), span)
    behind = _at_least(1, ast.Binary(span, "+", start, length), span)
    head = _call("substring", span, text, _number(1, span), before)
    tail = _call("substring", span, text, behind)
    return ast.Binary(span, "||", ast.Binary(span, "||", head, new), tail)


def collated(node: ast.Expression) -> ast.Expression:
    """A comparison of which a part has a collation: its parts as the collation compares them."""
    match node:
        case ast.Binary(span, _, left, right):
            left, right = _compared((left, right), span)
            return replace(node, left=left, right=right)
        case ast.In(span, operand, items):
            operand, *rest = _compared((operand, *items), span)
            return replace(node, operand=operand, items=tuple(rest))
        case ast.Between(span, operand, low, high):
            operand, low, high = _compared((operand, low, high), span)
            return replace(node, operand=operand, low=low, high=high)
    return node


def _compared(nodes: tuple[ast.Expression, ...], span: Span) -> list[ast.Expression]:
    names = {node.collation.lower() for node in nodes if isinstance(node, ast.Collated)}
    if len(names) > 1:
        raise ProgrammingError("the sides of this comparison differ in COLLATE", span=span)
    for name in names:
        return [
            comparable(node if isinstance(node, ast.Collated) else ast.Collated(span, node, name))
            for node in nodes
        ]
    return list(nodes)


def comparable(node: ast.Expression) -> ast.Expression:
    """What is compared in the place of an expression with a collation; others stay."""
    if not isinstance(node, ast.Collated):
        return node
    name = node.collation.lower()
    if name in _AS_IT_IS:
        return node.operand
    if name != "nocase":
        raise NotSupportedError(
            f"the collation {node.collation} is not supported",
            span=node.span,
            hint="There are NOCASE and C.",
        )
    return _call("lower", node.span, node.operand)


def refused_collation(node: ast.Collated) -> NotSupportedError:
    """The error for COLLATE where it would have to be remembered."""
    return NotSupportedError(
        "COLLATE is only supported in comparisons and as a key of ORDER BY",
        span=node.span,
        hint="lower(x) in its place ignores letter case.",
    )


def _at_least(bound: int, node: ast.Expression, span: Span) -> ast.Expression:
    """The number, or `bound` if it is larger; NULL stays NULL."""
    least = _number(bound, span)
    return ast.CaseWhen(span, None, ((ast.Binary(span, "<", node, least), least),), node)


def _call(name: str, span: Span, *arguments: ast.Expression) -> ast.Expression:
    return ast.FunctionCall(span, name, arguments)


def _number(value: int, span: Span) -> ast.Expression:
    return ast.Constant(span, "integer", str(value))
