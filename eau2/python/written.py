"""Functions as statements write them: CREATE FUNCTION ... LANGUAGE python AS $$ def ... $$.

Owns: what such a text may hold, and whether it is an aggregate function. Comes in: text, and the
types that the statement says. Goes out: UserFunction. Does not know: SQL, who keeps functions.

The text is read by `ast`, and nothing of it is run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from eau2.operators.user_functions import Parameter, UserFunction
from eau2.python import aggregates, definitions, names
from eau2.python.annotations import named
from eau2.python.names import AggregateWord, Names
from eau2.python.source import Source, parsed
from eau2.types import SqlType

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
        Parameter(argument.arg, parameter.type)
        for argument, parameter in zip(given, parameters, strict=True)
    )
    around = names.of_text(module, source, known)
    if _gathers(node, around):
        return aggregates.compiled(node, own, result, around, source)
    return definitions.compiled(node, own, result, around, source)


def _gathers(node: ast.FunctionDef, around: Names) -> bool:
    """Whether the function calls an aggregate of eau2.math."""
    own = {argument.arg for argument in node.args.args}
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return any(
        isinstance(named(called, around), AggregateWord)
        for called in calls
        if not (isinstance(called, ast.Name) and called.id in own)
    )
