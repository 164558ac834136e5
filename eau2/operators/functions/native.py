"""native: functions of an administrator's over whole columns of Arrow.

Owns: what a native function is, which of them this process has, how a call of one is computed.
Comes in: functions that were declared, and calls of them. Goes out: Polars expressions.
Does not know: modules and how they are loaded (eau2/native.py), the binder.

A call is `native` of the function's name, a constant, and of the arguments. Nothing of a function
but its name is in a plan, so what a process has under the name is looked at again where the call
is computed. A process that only plans knows what the functions take and give, and runs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import polars as pl
import pyarrow as pa

from eau2.errors import NotSupportedError, OperationalError, UnknownFunctionError
from eau2.operators.expr import Call, Expr, Literal, walk
from eau2.operators.functions.checks import Scope, marked
from eau2.operators.functions.function import Function
from eau2.operators.functions.python_calls import height_of, over_columns, said, spread
from eau2.operators.physical import kernel_dtype, logical_array
from eau2.operators.user_functions import Parameter
from eau2.records import Record
from eau2.types import VARCHAR, SqlType, logical_arrow

NATIVE = "native"
_HINT = "Start it with --allow-native-functions MODULE, the module that declares the function."
_MESSAGE_CHARS = 500

Columns = Sequence[pl.Series]


class NativeFunction(Record, frozen=True):
    """A function over pyarrow Arrays, one for each parameter, all of one length.

    It gives an Array of that length, whose type is `logical_arrow(type)`. source: its module and
    name there, for people. runs: whether this process calls it, or only plans with it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    type: SqlType
    compute: Callable[..., object]
    source: str
    runs: bool = True

    @property
    def signature(self) -> str:
        """As a person reads it: f(x BIGINT, y DOUBLE) -> DOUBLE."""
        listed = ", ".join(f"{p.name} {p.type}" for p in self.parameters)
        return f"{self.name}({listed}) -> {self.type}"


class _Here:
    """What this process has: its functions, what it is called in messages, why it has none."""

    def __init__(self) -> None:
        self.functions: dict[str, NativeFunction] = {}
        self.place = "this process"
        self.failure: str | None = None


_here = _Here()


def allow(functions: Iterable[NativeFunction]) -> None:
    """Have calls find these functions in this process, in place of those of the same name."""
    for function in functions:
        _here.functions[function.name] = function


def set_place(place: str, failure: str | None = None) -> None:
    """What messages call this process, and why functions that it should have are not there."""
    _here.place, _here.failure = place, failure


def known(name: str) -> NativeFunction | None:
    """The native function of this process under `name`, whatever its letter case, or None."""
    return _here.functions.get(name.lower())


def names() -> tuple[str, ...]:
    """The names of all native functions of this process, sorted."""
    return tuple(sorted(_here.functions))


def functions() -> tuple[NativeFunction, ...]:
    """All native functions of this process, by name."""
    return tuple(_here.functions[name] for name in names())


def call_of(function: NativeFunction, args: Sequence[Expr]) -> Call:
    """The call of a function with arguments of its parameters' types."""
    return Call(function.type, NATIVE, (Literal(VARCHAR, function.name), *args))


def calls_native(expr: Expr) -> bool:
    """Whether a native function is called anywhere in it."""
    return any(isinstance(node, Call) and node.function == NATIVE for node in walk(expr))


def is_formed(call: Call) -> bool:
    """Whether it names a function. What the function takes and gives, its process knows alone."""
    first = call.args[0] if call.args else None
    named = isinstance(first, Literal) and first.type == VARCHAR and isinstance(first.value, str)
    return named and len(call.args) > 1


def _called(call: Call) -> NativeFunction:
    """The function of a call. Raises OperationalError, NotSupportedError."""
    name = call.args[0]
    assert isinstance(name, Literal)
    function = known(str(name.value))
    if function is None:
        why = "" if _here.failure is None else f": {_here.failure}"
        raise OperationalError(
            f'{_here.place} has no native function "{name.value}"{why}', hint=_HINT
        )
    types = tuple(parameter.type for parameter in function.parameters)
    if function.type != call.type or types != tuple(arg.type for arg in call.args[1:]):
        listed = ", ".join(str(arg.type) for arg in call.args[1:])
        raise OperationalError(
            f"at {_here.place} the native function is {function.signature}, and it is called as"
            f" {function.name}({listed}) -> {call.type}",
            hint="Start all nodes with the same module.",
        )
    if not function.runs:
        raise NotSupportedError(
            f"the native function {function.name} is computed over rows, not while a statement is"
            " planned"
        )
    return function


def _lower(call: Call, scope: Scope) -> pl.Expr:
    function = _called(call)
    inputs = [scope.lower(arg) for arg in call.args[1:]]
    dtype = kernel_dtype(function.type)
    if scope.guard is not None:
        return over_columns(dtype, partial(_where_it_counts, function), *inputs, scope.guard)
    return over_columns(dtype, partial(_computed, function), *inputs)


def _where_it_counts(function: NativeFunction, columns: Columns) -> pl.Series:
    """The results where the last column, a guard, is true: the function sees no other row."""
    *given, guard = spread(columns)
    if guard.all(ignore_nulls=False):
        return _computed(function, given)
    counts = guard.fill_null(False)
    values = _computed(function, [column.filter(counts) for column in given])
    if not len(values):
        return pl.Series([None], dtype=values.dtype).new_from_index(0, len(guard))
    place = pl.when("counts").then(pl.col("counts").cum_sum() - 1)
    places = pl.DataFrame({"counts": counts}).select(place.alias("place")).to_series()
    return values.gather(places)


def _computed(function: NativeFunction, columns: Columns) -> pl.Series:
    """What the function gives for these columns; it is not called where there are no rows."""
    height, dtype = height_of(columns), kernel_dtype(function.type)
    if not height:
        return pl.Series([], dtype=dtype)
    pairs = zip(spread(columns), function.parameters, strict=True)
    try:
        made = function.compute(*(logical_array(c, p.type, p.name) for c, p in pairs))
    except (Exception, SystemExit) as error:
        raise _failed(function, said(error)) from error
    if not isinstance(made, pa.Array | pa.ChunkedArray):
        raise _failed(function, f"it gave a {type(made).__name__}, not a pyarrow Array")
    if len(made) != height:
        raise _failed(function, f"it gave {len(made):,} values for {height:,} rows")
    wanted = logical_arrow(function.type)
    if made.type != wanted:
        raise _failed(function, f"it gave values of type {made.type}, not {wanted}")
    try:
        made.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _failed(function, f"it gave an array that is none: {error}") from error
    return pl.Series(made).cast(dtype)


def _failed(function: NativeFunction, why: str) -> ValueError:
    shown = why if len(why) <= _MESSAGE_CHARS else f"{why[:_MESSAGE_CHARS]}..."
    return ValueError(marked("function", f"{shown}, in the native function {function.name}"))


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    raise UnknownFunctionError(f'there is no function "{name}"')


FUNCTIONS = (
    Function(
        NATIVE,
        "native",
        "f(...)",
        "A native function of the node's.",
        "",
        _bind,
        _lower,
        operator=True,
        null_rule="own",
        fails=True,
    ),
)
