"""Aggregate functions as expressions over others: exp(sum(log(x)) / count(x)).

Owns: which part of such a function is computed for each row and which for each group. The planner
splits the aggregates in it into partial and final by itself. Comes in: a function. Goes out: a
UserFunction with aggregates. Does not know: classes (aggregate_classes.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from eau2.operators import aggregates
from eau2.operators.coercion import cast
from eau2.operators.expr import AggregateCall, ColumnRef, Expr, columns_of
from eau2.operators.user_functions import Parameter, UserFunction
from eau2.python import names
from eau2.python.annotations import declared_type
from eau2.python.definitions import arguments, body_of, reader_of, with_defaults
from eau2.python.expressions import expression
from eau2.python.kinds import TIMEDELTA
from eau2.python.mixtures import settled
from eau2.python.names import Names
from eau2.python.program import Path, Program, Scopes, levelled
from eau2.python.reader import Reader
from eau2.python.source import Source, of_object
from eau2.records import Struct, field
from eau2.types import BIGINT, DOUBLE, SqlType

_EXAMPLE = "Write def mean(x: float) -> float: return sum(x) / count(x)."


class WrittenOut(Program):
    """A program without locals: each stands where it is read, since rows and groups must part."""

    def bind(self, value: Expr, path: Path) -> Expr:
        """The value itself."""
        return value


class Gathered(Struct):
    """The aggregates met so far. width: how many parameters there are before their columns."""

    width: int
    calls: list[AggregateCall] = field(default_factory=list)

    def column(self, call: AggregateCall) -> Expr:
        """The result of an aggregate in the body. A whole number is an int, as all are."""
        if call not in self.calls:
            self.calls.append(call)
        ref = ColumnRef(call.type, self.width + self.calls.index(call))
        return cast(ref, BIGINT) if call.type.is_integer else ref

    def is_of_rows(self, expr: Expr) -> bool:
        """Whether it reads parameters."""
        return any(id_ < self.width for id_ in columns_of(expr))

    def is_of_groups(self, expr: Expr) -> bool:
        """Whether it reads results of aggregates."""
        return any(id_ >= self.width for id_ in columns_of(expr))


def from_function(
    function: Callable[..., Any], name: str | None = None
) -> tuple[UserFunction, str]:
    """The definition of an aggregate function, and its source. Raises FunctionDefinitionError."""
    source, node = of_object(function, name or str(getattr(function, "__name__", "an aggregate")))
    if not isinstance(node, ast.FunctionDef) or not isinstance(function, FunctionType):
        raise source.refusal(node, "it is no function", "Decorate a def, or a class.")
    known = names.around(function)
    return defined(node, known, source, function.__defaults__ or ()), source.text


def defined(
    node: ast.FunctionDef, known: Names, source: Source, defaults: Sequence[object] | None = None
) -> UserFunction:
    """The definition. A parameter without a type is a float. defaults: as in definitions.py."""
    parameters = tuple(
        Parameter(
            argument.arg,
            DOUBLE
            if argument.annotation is None
            else declared_type(argument.annotation, known, source),
        )
        for argument in arguments(node, source)
    )
    parameters = with_defaults(node, parameters, known, source, defaults)
    result = DOUBLE if node.returns is None else declared_type(node.returns, known, source)
    return compiled(node, parameters, result, known, source)


def compiled(
    node: ast.FunctionDef,
    parameters: tuple[Parameter, ...],
    result: SqlType,
    known: Names,
    source: Source,
) -> UserFunction:
    """The definition, its types being known. Raises FunctionDefinitionError."""
    scopes = Scopes()
    gathered = Gathered(len(parameters))

    def gather(called: str, call: ast.Call, reader: Reader) -> Expr:
        if call.keywords:
            raise reader.refuse(call, "an aggregate's argument by its name")
        args = tuple([expression(arg, reader) for arg in call.args])
        if any(gathered.is_of_groups(arg) for arg in args):
            raise reader.refuse(
                call, "an aggregate of an aggregate", "Gather once, with SQL twice."
            )
        if any(arg.type == TIMEDELTA for arg in args):
            raise reader.refuse(
                call, "an aggregate of a timedelta", "Gather its .days or its total_seconds()."
            )
        return gathered.column(aggregates.bind(called, args))

    reader = reader_of(parameters, known, source, scopes)
    reader.gather = gather
    program = WrittenOut(scopes, scopes.fresh())
    body = body_of(node, reader, result, program)
    if not gathered.calls:
        raise source.refusal(node, "it gathers nothing", _EXAMPLE)
    if gathered.is_of_rows(body):
        raise source.refusal(
            node,
            "it mixes values of rows with values of groups",
            "Each parameter stands inside an aggregate: sum(x), max(x), count(x).",
        )
    calls = tuple(gathered.calls)
    function = UserFunction(source.name, parameters, result, levelled(body), calls)
    return settled(function, node, source)
