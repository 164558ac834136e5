"""Functions that users define: their operator form, and what a call of one stands for.

Owns: `UserFunction`, and how a call of one is written out. Comes in: a definition and bound
arguments. Goes out: bound expressions.
Does not know: the language that a function was written in (sql/, python/), where it is kept, its
bytes (function_form.py).

A definition is plain data: expressions over numbered parameters. Nothing else of a function is
ever stored or sent but its source, as a comment that nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eau2.errors import TypeMismatchError
from eau2.operators.coercion import coerce, coercion_cost
from eau2.operators.expr import (
    AggregateCall,
    Call,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    moved,
    placed,
    size_of,
    walk,
)
from eau2.operators.functions.let import LET
from eau2.records import Record
from eau2.types import SqlType

_REPEATED_NODES = 3
"""An argument of so many nodes is written out wherever its parameter stands."""


class Parameter(Record, frozen=True):
    """A parameter of a function: its name, and the type to which arguments are cast implicitly."""

    name: str
    type: SqlType


class UserFunction(Record, frozen=True):
    """A function of SQL that a user defined.

    body: the result, of type `type`, over the parameters: the i-th of n is ColumnRef(type, i).
    aggregates: if there are any, the function is an aggregate function. Their arguments are over
    the parameters, and in `body` the result of the j-th is ColumnRef(type, n + j).
    table: the function stands in FROM; its result is a list, each element of which is a row.
    """

    name: str
    parameters: tuple[Parameter, ...]
    type: SqlType
    body: Expr
    aggregates: tuple[AggregateCall, ...] = ()
    table: bool = False

    def __post_init__(self) -> None:
        if self.table and (self.type.element is None or self.aggregates):
            raise ValueError("a table function gives a list, and is no aggregate")

    @property
    def is_aggregate(self) -> bool:
        """Whether it gathers rows."""
        return bool(self.aggregates)

    @property
    def signature(self) -> str:
        """As a person reads it: f(x BIGINT, y DOUBLE) -> DOUBLE."""
        listed = ", ".join(f"{p.name} {p.type}" for p in self.parameters)
        return f"{self.name}({listed}) -> {self.type}"


class Called(Protocol):
    """What is called with arguments of declared types: a user's function, or a native one."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it takes."""

    @property
    def signature(self) -> str:
        """As a person reads it."""


def coerced(function: Called, args: Sequence[Expr]) -> tuple[Expr, ...]:
    """The arguments of a call in the types of the parameters. Raises TypeMismatchError."""
    wanted = function.parameters
    if len(args) != len(wanted):
        plural = "" if len(wanted) == 1 else "s"
        raise TypeMismatchError(
            f"{function.name} takes {len(wanted)} argument{plural}, not {len(args)}",
            hint=f"It is {function.signature}.",
        )
    result: list[Expr] = []
    for number, (arg, parameter) in enumerate(zip(args, wanted, strict=True), start=1):
        # Between integers of any width what does not fit is an error, so that nothing is lost.
        integers = arg.type.is_integer and parameter.type.is_integer
        if coercion_cost(arg, parameter.type) is None and not integers:
            raise TypeMismatchError(
                f"argument {number} of {function.name} is {arg.type}, not {parameter.type}",
                hint=f"It is {function.signature}; write an explicit cast.",
            )
        result.append(coerce(arg, parameter.type))
    return tuple(result)


def written_out(function: UserFunction, args: Sequence[Expr], level: int = 0) -> Expr:
    """What a call of a scalar or table function stands for; no call of it remains.

    level: how many lambdas are around the call. An argument that is no small expression and that
    the body reads several times is computed once. Raises TypeMismatchError.
    """
    return over(function.body, coerced(function, args), level)


def over(body: Expr, args: Sequence[Expr], level: int = 0) -> Expr:
    """`body` with its ColumnRefs numbered from 0 replaced by the arguments.

    level: how many lambdas are around the call, and so around its arguments.
    """
    reads = [0] * len(args)
    for node in walk(body):
        if isinstance(node, ColumnRef):
            reads[node.id] += 1
    shared = [
        number
        for number, arg in enumerate(args)
        if reads[number] > 1 and size_of(arg) > _REPEATED_NODES
    ]
    if not shared:
        return _placed(body, dict(enumerate(args)), level, level)
    inner = level + 1
    places = dict(enumerate(args))
    parameters: list[LambdaParameter] = []
    values: list[Expr] = []
    for index, number in enumerate(shared):
        value = args[number]
        # It stands inside the lambda that gives it.
        values.append(Lambda(value.type, (), moved(value, level, inner)))
        parameters.append(LambdaParameter(value.type, level, index))
        places[number] = parameters[-1]
    result = _placed(body, places, level, inner)
    return Call(body.type, LET, (*values, Lambda(body.type, tuple(parameters), result)))


def _placed(body: Expr, places: dict[int, Expr], outer: int, level: int) -> Expr:
    """The body inside `level` lambdas over what takes the places of its columns, written for
    `outer` of them. (A parameter of level `outer` is that of the lambda between the two.)
    """

    def place(node: Expr, depth: int) -> Expr | None:
        if not isinstance(node, ColumnRef):
            return None
        given = places[node.id]
        return given if isinstance(given, LambdaParameter) else moved(given, outer, depth)

    return placed(moved(body, 0, level), place, level)
