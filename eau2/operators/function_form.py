"""The operator form of users' functions as bytes: what is stored and sent of them.

Owns: the two ways, and what is checked of bytes that come from elsewhere. Comes in: a UserFunction,
or bytes. Goes out: bytes, or a UserFunction whose expressions refer to its parameters alone.
Does not know: where functions are kept, what they compute.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from eau2.catalog import Function
from eau2.config import LIMITS
from eau2.errors import NotSupportedError
from eau2.operators.aggregate_types import RESULT_TYPES
from eau2.operators.aggregates import is_aggregate
from eau2.operators.codec import FragmentError, function_from_plain, function_to_plain
from eau2.operators.expr import Call, ColumnRef, Expr, walk
from eau2.operators.functions.table import lookup
from eau2.operators.user_functions import UserFunction
from eau2.types import SqlType


def encode(function: UserFunction) -> bytes:
    """The function as bytes. Raises FragmentError when it exceeds the limits."""
    form: bytes = msgpack.packb(function_to_plain(function))
    if len(form) > LIMITS.function_bytes:
        raise FragmentError(
            f"the function {function.name} takes {len(form):,} bytes in its operator form, more "
            f"than {LIMITS.function_bytes:,}"
        )
    return form


def as_kept(function: UserFunction, source: str = "") -> Function:
    """The function as it is kept. Raises NotSupportedError when it is too large for that."""
    try:
        return Function(function.name, encode(function), source.strip())
    except FragmentError as error:
        raise NotSupportedError(error.message) from error


def decode(form: bytes) -> UserFunction:
    """The function that `encode` made into bytes. Raises FragmentError for any others."""
    if len(form) > LIMITS.function_bytes:
        raise FragmentError(f"a function of {len(form):,} bytes")
    try:
        plain = msgpack.unpackb(form)
    except (ValueError, RecursionError) as error:
        raise FragmentError("the bytes of a function are no msgpack") from error
    function = function_from_plain(plain)
    for call in function.aggregates:
        if not is_aggregate(call.function) and call.function not in RESULT_TYPES:
            raise FragmentError(f"there is no aggregate {call.function[:80]!r}")
    types = [parameter.type for parameter in function.parameters]
    for call in function.aggregates:
        for expr in call.exprs:
            _check(expr, types)
    _check(function.body, [*types, *(call.type for call in function.aggregates)])
    return function


def _check(expr: Expr, types: Sequence[SqlType]) -> None:
    """Whether all columns that an expression names are parameters of these types."""
    for node in walk(expr):
        if isinstance(node, Call):
            try:
                lookup(node.function)
            except KeyError as error:
                raise FragmentError(f"there is no function {node.function[:80]!r}") from error
        if isinstance(node, ColumnRef) and not (
            0 <= node.id < len(types) and types[node.id] == node.type
        ):
            raise FragmentError("an expression of a function names no parameter of it")
