"""How functions of lists are bound and lowered: what their families share.

Owns: which arguments are lists of which common type, and a lowering that hands whole columns to a
function of Series. Comes in: bound arguments. Goes out: bound arguments, `LowerCall`s.
Does not know: the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, common_type, is_null
from eau2.operators.expr import Call, Cast, ColumnRef, Expr, Literal
from eau2.operators.functions.checks import Scope, batchwise
from eau2.operators.functions.function import Bind, Function, LowerCall, mismatch
from eau2.operators.physical import kernel_dtype
from eau2.types import NULL, VARCHAR, SqlType, list_of

Compute = Callable[[Call, Sequence[pl.Series]], pl.Series]


def element_of(type_: SqlType) -> SqlType:
    """The type of the elements of a list type."""
    assert type_.element is not None
    return type_.element


def as_list(name: str, arg: Expr, args: tuple[Expr, ...]) -> Expr:
    """The argument as a list: NULL is one of no type."""
    if is_null(arg):
        return Literal(list_of(NULL), None)
    if not arg.type.is_list:
        raise mismatch(name, args, "It takes a list.")
    return arg


def list_and_element(name: str, args: tuple[Expr, ...], place: int = 0) -> tuple[Expr, Expr]:
    """A list and a value, in types such that the value could be an element of the list.

    place: where among the two arguments the list stands.
    """
    if len(args) != 2:
        raise mismatch(name, args, "It takes a list and a value.")
    lists, value = as_list(name, args[place], args), args[1 - place]
    element = common_type((ColumnRef(element_of(lists.type), -1), value))
    return coerce(lists, list_of(element)), coerce(value, element)


def common_lists(name: str, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """All arguments as lists of one type."""
    lists = tuple(as_list(name, arg, args) for arg in args)
    type_ = common_type(lists)
    return tuple(coerce(arg, type_) for arg in lists)


def constant_text(name: str, arg: Expr, what: str) -> str:
    """A text that must be constant."""
    while isinstance(arg, Cast) and arg.type == VARCHAR:
        arg = arg.arg
    if isinstance(arg, Literal) and isinstance(arg.value, str):
        return arg.value
    raise NotSupportedError(f"the {what} of {name} must be a constant text")


def by_columns(compute: Compute) -> LowerCall:
    """Lower to a function of whole columns; it treats every row by itself.

    The first argument is NULL on rows that do not count.
    """

    def lower(call: Call, scope: Scope) -> pl.Expr:
        dtype = kernel_dtype(call.type)
        first, *others = call.args
        return batchwise(
            dtype,
            lambda frame: compute(call, frame.get_columns()).cast(dtype),
            scope.counted(first, kernel_dtype(first.type)),
            *(scope.lower(arg) for arg in others),
        )

    return lower


def list_function(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    bind: Bind,
    lower: LowerCall,
    *,
    aliases: tuple[str, ...] = (),
    null_rule: str = "strict",
    fails: bool = False,
) -> Function:
    """An entry of the family of lists."""
    return Function(
        name,
        "list",
        syntax,
        summary,
        example,
        bind,
        lower,
        aliases=aliases,
        null_rule=null_rule,
        fails=fails,
    )
