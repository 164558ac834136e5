"""The operator form of users' functions as bytes: what is stored and sent of them.

Owns: the two ways, and what is checked of bytes that come from elsewhere. Comes in: a UserFunction,
or bytes. Goes out: bytes, or a UserFunction whose expressions refer to its parameters alone.
Does not know: where functions are kept, what they compute.
"""

from __future__ import annotations

import msgpack

from eau2.catalog import Function
from eau2.config import LIMITS
from eau2.errors import Error, NotSupportedError
from eau2.operators.aggregates import bind
from eau2.operators.codec import FragmentError, function_from_plain, function_to_plain
from eau2.operators.expr import AggregateCall, Expr
from eau2.operators.user_functions import UserFunction, default_of, is_constant
from eau2.operators.well_formed import check_bound
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
    _check(function)
    return function


def _check(function: UserFunction) -> None:
    """Whether its expressions are over its parameters alone, and such as binding makes them."""
    types = [parameter.type for parameter in function.parameters]
    try:
        for parameter in function.parameters:
            default = default_of(parameter)
            if default is not None:
                _check_default(default, parameter.type)
        for call in function.aggregates:
            for expr in call.exprs:
                check_bound(expr, types)
            _check_aggregate(call)
        check_bound(function.body, [*types, *(call.type for call in function.aggregates)])
    except ValueError as error:
        raise FragmentError(f"the function {function.name[:40]} is not well formed: {error}") from (
            error
        )
    if function.body.type != function.type:
        raise FragmentError("a function gives a value of another type than it says")


def _check_default(default: Expr, type_: SqlType) -> None:
    if default.type != type_ or not is_constant(default):
        raise ValueError("a default is no constant of its parameter's type")
    check_bound(default, ())


def _check_aggregate(call: AggregateCall) -> None:
    # Its fraction is written by binding, which takes the values alone.
    args = call.args[:1] if call.function == "mad" else call.args
    try:
        known = bind(call.function, args, call.distinct, call.where, call.order)
    except Error as error:
        raise ValueError(f"{call.function[:40]} aggregates no such arguments") from error
    if known.type != call.type or (args != call.args and known.args != call.args):
        raise ValueError(f"{call.function[:40]} gives no {call.type}")
