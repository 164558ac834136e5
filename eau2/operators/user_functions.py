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
from eau2.operators.coercion import LIST_VALUE, coerce, coercion_cost
from eau2.operators.constant_text import literal_text
from eau2.operators.expr import (
    AggregateCall,
    Call,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
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


class OptionalParameter(Parameter, frozen=True):
    """A parameter that a call may leave out. default: the constant that it is then, of its type."""

    default: Expr


def default_of(parameter: Parameter) -> Expr | None:
    """What the parameter is where a call leaves it out; None where no call may."""
    return parameter.default if isinstance(parameter, OptionalParameter) else None


def is_constant(expr: Expr) -> bool:
    """Whether it is a constant, or a list of constants that is written out."""
    if isinstance(expr, Call) and expr.function == LIST_VALUE:
        return all(map(is_constant, expr.args))
    return isinstance(expr, Literal)


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
        optional = [default_of(parameter) is not None for parameter in self.parameters]
        if optional != sorted(optional):
            raise ValueError("a parameter without a default stands behind one with a default")

    @property
    def is_aggregate(self) -> bool:
        """Whether it gathers rows."""
        return bool(self.aggregates)

    @property
    def signature(self) -> str:
        """As a person reads it: f(x BIGINT, y DOUBLE = 0.5) -> DOUBLE."""
        listed = ", ".join(map(_parameter_text, self.parameters))
        return f"{self.name}({listed}) -> {self.type}"


def _parameter_text(parameter: Parameter) -> str:
    default = default_of(parameter)
    end = "" if default is None else f" = {_constant_text(default)}"
    return f"{parameter.name} {parameter.type}{end}"


def _constant_text(constant: Expr) -> str:
    if isinstance(constant, Literal):
        return literal_text(constant.value, constant.type)
    return f"[{', '.join(map(_constant_text, constant.children))}]"


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


def counted(function: Called) -> str:
    """How many arguments a call has: "2 arguments", "1 to 2 arguments"."""
    most = len(function.parameters)
    fewest = sum(default_of(parameter) is None for parameter in function.parameters)
    plural = "" if most == 1 else "s"
    return f"{most if fewest == most else f'{fewest} to {most}'} argument{plural}"


def coerced(function: Called, args: Sequence[Expr | None]) -> tuple[Expr, ...]:
    """The arguments of a call in the types of the parameters. Raises TypeMismatchError.

    None stands for an argument that is left out, as do those that are missing at the end.
    """
    wanted = function.parameters
    places = [*args, *[None] * (len(wanted) - len(args))]
    pairs = list(zip(places, wanted, strict=False))
    if len(args) > len(wanted) or any(a is None and default_of(p) is None for a, p in pairs):
        given = sum(arg is not None for arg in args)
        raise TypeMismatchError(
            f"{function.name} takes {counted(function)}, not {given}",
            hint=f"It is {function.signature}.",
        )
    result: list[Expr] = []
    for number, (given_or_not, parameter) in enumerate(pairs, start=1):
        arg = default_of(parameter) if given_or_not is None else given_or_not
        assert arg is not None
        # Between integers of any width what does not fit is an error, so that nothing is lost.
        integers = arg.type.is_integer and parameter.type.is_integer
        if coercion_cost(arg, parameter.type) is None and not integers:
            raise TypeMismatchError(
                f"argument {number} of {function.name} is {arg.type}, not {parameter.type}",
                hint=f"It is {function.signature}; write an explicit cast.",
            )
        result.append(coerce(arg, parameter.type))
    return tuple(result)


def written_out(function: UserFunction, args: Sequence[Expr | None], level: int = 0) -> Expr:
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
