"""unnest in a select list: lists that become rows.

Owns: what its arguments mean. Comes in: calls of unnest and generate_subscripts. Goes out: columns
of an Unnest node that stands above everything else which the select list reads.
Does not know: how other functions are bound, unnest in FROM (table_functions.py).
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import MisplacedCallError, NotSupportedError, ProgrammingError, TypeMismatchError
from eau2.operators.expr import Expr, Literal, ref
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast, literals
from eau2.sql.environment import Environment, Use
from eau2.sql.naming import expression_text
from eau2.sql.spans import at
from eau2.types import NULL, list_of

Bind = Callable[[ast.Expression, Environment, int], Expr]

NAMES = frozenset({"generate_subscripts", "unlist", "unnest"})
"""What makes rows of a list; the first of them its positions."""


def bind_unnest(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The column that holds the elements of a list, each in a row of its own."""
    if env.unnests is None:
        raise MisplacedCallError(env.unnest_refusal, span=node.span)
    uses: list[Use] = []
    inner = replace(env, unnests=None, unnest_refusal="calls of unnest cannot be nested", uses=uses)
    if node.name == "generate_subscripts":
        lists = _subscripts(node, inner, depth, bind)
        levels: int | None = 1
    else:
        lists, levels = _lists(node, inner, depth, bind)
    if env.uses is not None:
        env.uses.extend(uses)
    known = len(env.unnests.items)
    column = env.unnests.column(_flat(node, lists, levels), expression_text(node), tuple(uses))
    if levels != 1 and known and len(env.unnests.items) > 1:
        raise NotSupportedError(
            "unnest of several levels beside another unnest is not supported", span=node.span
        )
    return ref(column)


def _lists(
    node: ast.FunctionCall, env: Environment, depth: int, bind: Bind
) -> tuple[Expr, int | None]:
    """The list, and how many levels of it are taken apart; None for all."""
    first, *others = node.arguments or (None,)
    if first is None or isinstance(first, ast.NamedArgument):
        raise ProgrammingError(f"{node.name} takes a list", span=node.span)
    levels: int | None = 1
    for argument in others:
        if not isinstance(argument, ast.NamedArgument):
            raise ProgrammingError(f"{node.name} takes one list", span=argument.span)
        value = literals.unpinned(bind(argument.value, env, depth))
        match argument.name.casefold(), value:
            case "recursive", Literal(value=bool() as every):
                levels = None if every else 1
            case "max_depth", Literal(value=int() as count) if count > 0:
                levels = count
            case _:
                raise ProgrammingError(
                    "unnest takes recursive := true or false, and max_depth := a number above 0",
                    span=argument.span,
                )
    lists = bind(first, env, depth)
    if lists.type == NULL:
        lists = Literal(list_of(NULL), None)
    if not lists.type.is_list:
        raise TypeMismatchError(
            f"{node.name} takes a list, not {lists.type}",
            span=first.span,
            hint="A list is written [a, b], or made by list(x), string_split and others.",
        )
    return lists, levels


def _subscripts(node: ast.FunctionCall, env: Environment, depth: int, bind: Bind) -> Expr:
    """The positions of a list's elements."""
    if len(node.arguments) != 2:
        raise ProgrammingError("generate_subscripts takes a list and a dimension", span=node.span)
    lists, dimension = (bind(argument, env, depth) for argument in node.arguments)
    length = at(node.span, table.bind, "array_length", (lists, literals.unpinned(dimension)))
    return at(node.span, table.bind, "generate_series", (Literal(length.type, 1), length))


def _flat(node: ast.FunctionCall, lists: Expr, levels: int | None) -> Expr:
    """The list with as many levels joined as shall become rows together."""
    wanted = lists.type.levels if levels is None else min(levels, lists.type.levels)
    for _ in range(wanted - 1):
        lists = at(node.span, table.bind, "flatten", (lists,))
    return lists
