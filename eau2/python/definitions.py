"""Definitions: from the source of a function to a UserFunction.

Owns: parameters and their types, what a function must declare, and the limits of what it may
become. Comes in: a live function, or text. Goes out: UserFunction, with its source.
Does not know: aggregates (aggregates.py), who keeps functions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from eau2.config import LIMITS
from eau2.operators.expr import ColumnRef, Expr, Literal, size_of
from eau2.operators.user_functions import (
    OptionalParameter,
    Parameter,
    UserFunction,
    is_constant,
)
from eau2.python import mapping_lists, names, vocabulary
from eau2.python.annotations import declared_type
from eau2.python.changes import Changes
from eau2.python.expressions import expression
from eau2.python.mappings import NotConstantError, value_of
from eau2.python.mixtures import settled
from eau2.python.names import Names
from eau2.python.program import Program, Scopes, levelled
from eau2.python.reader import Reader
from eau2.python.source import Source, of_object
from eau2.python.statements import Block
from eau2.python.vocabulary import Refusal
from eau2.records import Record, replace
from eau2.types import SqlType

_NO_CONSTANT = (
    "the default is no constant",
    "Constants are numbers, texts, dates, None and lists of them.",
)
_PARAMETERS_HINT = "Write def f(x: int, y: str) -> float: parameters by position, with types."


class FunctionExits(Record, frozen=True):
    """Where a function ends. See statements.Exits."""

    type: SqlType

    def returned(self, value: Expr, reader: Reader) -> Expr:
        """At a return: the value."""
        return value

    def failed(self, message: str, reader: Reader, node: ast.stmt) -> Expr:
        """The query ends, for a row that gets here."""
        return vocabulary.failure(message, self.type, reader.where(node))

    def ended(self, reader: Reader) -> Expr:
        """A function that ends without a return gives None."""
        return Literal(self.type, None)

    def broke(self, reader: Reader) -> Expr:
        """No break stands outside of loops: it would be no Python."""
        raise AssertionError("break outside of a loop")


def from_function(
    function: Callable[..., Any], name: str | None = None, *, table: bool = False
) -> tuple[UserFunction, str]:
    """The definition of a live function, and its source. Raises FunctionDefinitionError.

    table: it gives a list, of which each element is a row.
    """
    source, node = of_object(function, name or str(getattr(function, "__name__", "a function")))
    if not isinstance(node, ast.FunctionDef) or not isinstance(function, FunctionType):
        raise source.refusal(node, "it is no function", "Decorate a def.")
    definition = defined(node, names.around(function), source, function.__defaults__ or ())
    if table and not definition.type.is_list:
        raise source.refusal(
            node, f"a table function gives a list, not {definition.type}", "Return list[...]."
        )
    return replace(definition, table=table), source.text


def defined(
    node: ast.FunctionDef, known: Names, source: Source, defaults: Sequence[object] | None = None
) -> UserFunction:
    """The definition of a function whose annotations say its types.

    defaults: the values of its last parameters, where they are known; else they are read.
    """
    parameters = with_defaults(node, parameters_of(node, known, source), known, source, defaults)
    if node.returns is None:
        raise source.refusal(node, "it does not say what it returns", _PARAMETERS_HINT)
    return compiled(node, parameters, declared_type(node.returns, known, source), known, source)


def parameters_of(node: ast.FunctionDef, known: Names, source: Source) -> tuple[Parameter, ...]:
    """The parameters of a function and their types. Raises FunctionDefinitionError."""
    parameters: list[Parameter] = []
    for argument in arguments(node, source):
        if argument.annotation is None:
            raise source.refusal(
                argument, f"the parameter {argument.arg} has no type", _PARAMETERS_HINT
            )
        parameters.append(
            Parameter(argument.arg, declared_type(argument.annotation, known, source))
        )
    return tuple(parameters)


def arguments(node: ast.FunctionDef, source: Source) -> list[ast.arg]:
    """The parameters as they are written. Raises FunctionDefinitionError for odd ones."""
    given = node.args
    odd = given.vararg or given.kwarg or next(iter([*given.kwonlyargs, *given.posonlyargs]), None)
    if odd is not None:
        raise source.refusal(odd, "parameters that are not simply named", _PARAMETERS_HINT)
    return given.args


def with_defaults(
    node: ast.FunctionDef,
    parameters: tuple[Parameter, ...],
    known: Names,
    source: Source,
    values: Sequence[object] | None = None,
) -> tuple[Parameter, ...]:
    """The parameters, of which the last have defaults. Raises FunctionDefinitionError.

    values: what the defaults are in a live function; of a text they are read, and nothing is run.
    """
    written = node.args.defaults
    if values is None:
        values = [_default_value(default, known, source) for default in written]
    if len(values) != len(written):
        raise source.refusal(node, "its defaults are others than those that are written")
    first = len(parameters) - len(written)
    optional: list[Parameter] = []
    for parameter, value, place in zip(parameters[first:], values, written, strict=True):
        try:
            what = f"the default of {parameter.name}"
            default = vocabulary.converted(
                vocabulary.literal(value), parameter.type, source.name, what
            )
        except Refusal as refusal:
            raise source.refusal(place, refusal.message, refusal.hint or None) from None
        if not is_constant(default):
            raise source.refusal(place, *_NO_CONSTANT)
        optional.append(OptionalParameter(parameter.name, parameter.type, default))
    return (*parameters[:first], *optional)


def _default_value(node: ast.expr, known: Names, source: Source) -> object:
    try:
        return value_of(node, known)
    except NotConstantError:
        raise source.refusal(node, *_NO_CONSTANT) from None


def reader_of(
    parameters: tuple[Parameter, ...], known: Names, source: Source, scopes: Scopes
) -> Reader:
    """A reader in which the parameters are the columns from 0."""
    env = {p.name: ColumnRef(p.type, number) for number, p in enumerate(parameters)}
    return Reader(source, known, scopes, dict(env))


def compiled(
    node: ast.FunctionDef,
    parameters: tuple[Parameter, ...],
    result: SqlType,
    known: Names,
    source: Source,
) -> UserFunction:
    """The definition, its types being known. Raises FunctionDefinitionError."""
    scopes = Scopes()
    body = body_of(node, reader_of(parameters, known, source, scopes), result)
    return settled(UserFunction(source.name, parameters, result, levelled(body)), node, source)


def body_of(
    node: ast.FunctionDef, reader: Reader, result: SqlType, program: Program | None = None
) -> Expr:
    """What the statements of a function give, as one expression. Raises FunctionDefinitionError."""
    if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)):
        raise reader.refuse(
            node,
            "a function of one row gives one value",
            "Return a list; @eau2.table_function makes rows of its elements.",
        )

    def value_of(value: ast.expr | None, inner: Reader, place: ast.stmt) -> Expr:
        if value is None:
            return Literal(result, None)
        try:
            return vocabulary.converted(
                expression(value, inner), result, inner.where(place), "the result"
            )
        except Refusal as refusal:
            raise inner.refuse(value, refusal.message, refusal.hint or None) from None

    program = program or Program(reader.scopes, reader.scopes.fresh())
    block = Block(program, FunctionExits(result), value_of, result, changes=Changes(node))
    statements, reader = mapping_lists.prepared(node, reader)
    body = program.assembled(block.run(statements, reader, ()))
    if size_of(body) > LIMITS.function_nodes:
        raise reader.refuse(
            node,
            f"it expands to more than {LIMITS.function_nodes:,} operators",
            "Split it into several functions.",
        )
    return body
