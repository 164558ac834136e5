"""Functions as statements write them: CREATE FUNCTION ... LANGUAGE python AS $$ def ... $$.

Owns: what such a text may hold, and whether it is an aggregate function. Comes in: text, and the
types that the statement says. Goes out: UserFunction. Does not know: SQL, who keeps functions.

The text is read by `ast`, and nothing of it is run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from eau2.errors import StatementError
from eau2.operators.coercion import cast, coerce
from eau2.operators.expr import ColumnRef, Expr, substitute
from eau2.operators.user_functions import (
    OptionalParameter,
    Parameter,
    UserFunction,
    default_of,
    is_constant,
)
from eau2.operators.well_formed import check_bound
from eau2.python import aggregates, definitions, names
from eau2.python.annotations import TYPES, named
from eau2.python.names import AggregateWord, Names
from eau2.python.source import Source, parsed
from eau2.records import replace
from eau2.types import BIGINT, DOUBLE, SqlType, list_of

Known = Callable[[str], UserFunction | None]


def from_text(
    text: str,
    name: str,
    parameters: tuple[Parameter, ...],
    result: SqlType,
    known: Known = lambda name: None,
) -> UserFunction:
    """The definition of a function out of a statement, whose types the statement says.

    known: other functions by their names. Raises FunctionDefinitionError.
    """
    source = Source(name, text)
    module = parsed(source)
    found = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if len(found) != 1:
        place = found[1] if found else module
        raise source.refusal(place, "there is not one function in it", "Write one def.")
    (node,) = found
    given = definitions.arguments(node, source)
    if [argument.arg.lower() for argument in given] != [p.name.lower() for p in parameters]:
        listed = ", ".join(parameter.name for parameter in parameters)
        raise source.refusal(node, f"its parameters are not those of {name}({listed})")
    own = tuple(
        Parameter(argument.arg, _in_python(parameter.type, argument, source))
        for argument, parameter in zip(given, parameters, strict=True)
    )
    type_ = _in_python(result, node, source)
    around = names.of_text(module, source, known)
    own = definitions.with_defaults(node, own, around, source)
    compiled = aggregates.compiled if _gathers(node, around) else definitions.compiled
    places = [*[node] * (len(own) - len(node.args.defaults)), *node.args.defaults]
    parameters = tuple(
        _optional(parameter, default_of(read), place, source)
        for parameter, read, place in zip(parameters, own, places, strict=True)
    )
    return _in_sql(compiled(node, own, type_, around, source), parameters, result)


def _optional(
    parameter: Parameter, default: Expr | None, node: ast.AST, source: Source
) -> Parameter:
    """The parameter with the default in the type that the statement says."""
    if default is None:
        return parameter
    try:
        fitting = coerce(default, parameter.type)
        check_bound(fitting, ())
    except (StatementError, ValueError):
        fitting = default
    if fitting.type != parameter.type or not is_constant(fitting):
        raise source.refusal(
            node,
            f"the default of {parameter.name} is no {parameter.type}",
            "Declare BIGINT, DOUBLE or VARCHAR, or give another default.",
        )
    return OptionalParameter(parameter.name, parameter.type, fitting)


def _in_python(type_: SqlType, node: ast.AST, source: Source) -> SqlType:
    """The type that values of an SQL type have in a function. Raises FunctionDefinitionError."""
    if type_.element is not None:
        return list_of(_in_python(type_.element, node, source))
    if type_ in TYPES.values():
        return type_
    if type_.is_integer:
        return BIGINT
    if type_.is_float or type_.is_decimal:
        return DOUBLE
    raise source.refusal(
        node,
        f"{type_} is no type of functions in Python",
        "Types are BOOLEAN, numbers, VARCHAR, DATE, TIMESTAMP, and lists of them.",
    )


def _in_sql(
    function: UserFunction, parameters: tuple[Parameter, ...], result: SqlType
) -> UserFunction:
    """The function over the types that the statement says, cast where they are others."""
    places: dict[int, Expr] = {
        number: cast(ColumnRef(parameter.type, number), own.type)
        for number, (parameter, own) in enumerate(zip(parameters, function.parameters, strict=True))
    }
    calls = tuple(
        call.mapped(lambda expr: substitute(expr, places)) for call in function.aggregates
    )
    results = {
        len(places) + number: ColumnRef(call.type, len(places) + number)
        for number, call in enumerate(calls)
    }
    body = cast(substitute(function.body, places | results), result)
    return replace(function, parameters=parameters, type=result, body=body, aggregates=calls)


def _gathers(node: ast.FunctionDef, around: Names) -> bool:
    """Whether the function calls an aggregate of eau2.math."""
    own = {argument.arg for argument in node.args.args}
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return any(
        isinstance(named(called, around), AggregateWord)
        for called in calls
        if not (isinstance(called, ast.Name) and called.id in own)
    )
