"""A value compared with all elements of a list: x = ANY(list), x > ALL(list).

Owns: what such a comparison is, in three values. Comes in: the bound sides. Goes out: an expression
over the list's least and greatest element. Does not know: the same with a query (subqueries.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as OneOf

from eau2.errors import Span, TypeMismatchError
from eau2.operators.expr import Call, Case, Expr, Literal
from eau2.operators.functions import table
from eau2.operators.functions.list_calls import list_and_element
from eau2.sql.spans import at
from eau2.types import BIGINT, BOOLEAN, NULL

Compare = Callable[[str, Expr, Expr, Span], Expr]

_NEGATED = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def over_list(
    operator: str,
    quantifier: OneOf["any", "all"],
    operand: Expr,
    lists: Expr,
    span: Span,
    compare: Compare,
) -> Expr:
    """A value <operator> ANY or ALL of the elements; without elements ANY is false, ALL is true.

    x > ALL (list) is NOT x <= ANY (list), also where it is NULL.
    """
    if quantifier == "all":
        found = over_list(_NEGATED[operator], "any", operand, lists, span, compare)
        return table.bind("not", (found,))
    if not (lists.type.is_list or lists.type == NULL):
        raise TypeMismatchError(f"ANY and ALL take a list or a query, not {lists.type}", span=span)
    lists, value = at(span, list_and_element, "ANY", (lists, operand))
    length = table.bind("coalesce", (table.bind("array_length", (lists,)), Literal(BIGINT, 0)))
    nothing = Call(BOOLEAN, "=", (length, Literal(BIGINT, 0)))
    null = Literal(value.type, None)
    holds_null = table.bind("is_not_null", (table.bind("list_position", (lists, null)),))
    true, false, unknown = (Literal(BOOLEAN, truth) for truth in (True, False, None))
    is_null = table.bind("is_null", (value,))
    found = _found(operator, value, lists, span, compare)
    branches = ((nothing, false), (is_null, unknown), (found, true), (holds_null, unknown))
    return Case(BOOLEAN, branches, false)


def _found(operator: str, value: Expr, lists: Expr, span: Span, compare: Compare) -> Expr:
    """Whether the comparison holds for an element that is not NULL."""
    if operator == "=":
        return table.bind("list_contains", (lists, value))
    ends = {"<": ("list_max",), "<=": ("list_max",), ">": ("list_min",), ">=": ("list_min",)}
    found = [
        compare(operator, value, at(span, table.bind, end, (lists,)), span)
        for end in ends.get(operator, ("list_min", "list_max"))
    ]
    return found[0] if len(found) == 1 else table.bind("or", tuple(found))
