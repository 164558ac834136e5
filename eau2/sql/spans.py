"""Where an error points: a function that knows no text is called for a place in it.

Owns: `at`, where a name is written, and conditions made BOOLEAN at their place. Comes in: a span
and a function. Goes out: what the function gives. Does not know: what is bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from eau2.errors import Span, StatementError
from eau2.operators import coercion
from eau2.operators.expr import Expr
from eau2.types import BOOLEAN

_Result = TypeVar("_Result")


def at(span: Span, function: Callable[..., _Result], *args: object, **named: object) -> _Result:
    """`function(*args)`; a statement error without a span gets this one."""
    try:
        return function(*args, **named)
    except StatementError as error:
        if error.span is None:
            error.span = span
        raise


def of_name(text: str, span: Span, name: str) -> Span:
    """Where `name` first stands as a word in the part of a text; that part if it does not."""
    word = re.compile(rf'(?<![\w"])("?){re.escape(name)}\1(?![\w"])', re.IGNORECASE)
    found = word.search(text, span.start, span.end)
    return span if found is None else Span(*found.span())


def as_condition(expr: Expr, span: Span) -> Expr:
    """`expr` as a BOOLEAN: what WHERE, ON, HAVING, WHEN, AND and OR test."""
    return at(span, coercion.cast, expr, BOOLEAN)
