"""Int constants beside floats: where Python would tell them from floats, there are none.

Owns: `settled`. In `max(0, x)` and `0 if c else x` the constant becomes a float, which equals it in
every way but one: Python writes 0 and not 0.0. Comes in: a compiled function. Goes out: the same,
or a refusal. Does not know: where constants are turned (kinds.py), what makes a text (texts.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eau2.operators.expr import Call, Expr, Literal, transform, walk
from eau2.operators.user_functions import UserFunction
from eau2.python.kinds import TurnedInt
from eau2.python.source import Source
from eau2.records import replace
from eau2.types import DOUBLE

_TELLING = frozenset(
    {"float.__str__", "__str__", "__repr__", "__ascii__", "__format__", "float.is_integer"}
)
"""What is another thing for an int than for the float that equals it."""


def settled(function: UserFunction, node: ast.AST, source: Source) -> UserFunction:
    """The function with floats alone. Raises FunctionDefinitionError for one that would differ.

    node: of the function, for the message. Which text is made of which constant is not looked at.
    """
    turned = [part for part in _parts(function) if isinstance(part, TurnedInt)]
    if not turned:
        return function
    if any(map(_tells, _parts(function))):
        value = turned[0].value
        raise source.refusal(
            node,
            f"{value:g} stands beside floats, and a float becomes a text, where Python would write "
            f"{value:g} and not {value}",
            f"Write {value} in {turned[0].where}.",
        )
    calls = tuple(call.mapped(_settled) for call in function.aggregates)
    return replace(function, body=_settled(function.body), aggregates=calls)


def _parts(function: UserFunction) -> Iterator[Expr]:
    yield from walk(function.body)
    for call in function.aggregates:
        for expr in call.exprs:
            yield from walk(expr)


def _tells(part: Expr) -> bool:
    return (
        isinstance(part, Call)
        and part.function in _TELLING
        and any(arg.type.innermost == DOUBLE for arg in part.args)
    )


def _settled(expr: Expr) -> Expr:
    return transform(expr, _plain)


def _plain(expr: Expr) -> Expr:
    return Literal(expr.type, expr.value) if isinstance(expr, TurnedInt) else expr
