"""Calls in functions: words of Python, methods, compiled functions.

Owns: who is called, and how arguments meet parameters. Comes in: calls, a
Reader, and the ways to read what stands inside them. Goes out: bound expressions.
Does not know: what a word computes (vocabulary.py).
"""

from __future__ import annotations

import ast
import datetime
from typing import Any

from eau2.operators.expr import (
    Call,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    size_of,
    substitute,
    walk,
)
from eau2.operators.facts import can_raise
from eau2.operators.functions.let import LET
from eau2.operators.user_functions import UserFunction, counted, default_of
from eau2.python import refused, vocabulary
from eau2.python.annotations import named
from eau2.python.comprehensions import Read, comprehension, is_range, read_range
from eau2.python.names import (
    AggregateWord,
    Constant,
    Defined,
    Foreign,
    Meaning,
    Module,
    Type,
    Word,
)
from eau2.python.program import is_simple, rescoped
from eau2.python.reader import Reader

_SMALL_NODES = 5
_CONVERTERS: dict[Any, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
    datetime.date: "datetime.date",
    datetime.datetime: "datetime.datetime",
}
_OVER_GENERATORS = frozenset({"any", "all", "sum", "min", "max", "sorted", "len", "list"})


def read_call(node: ast.Call, reader: Reader, read: Read, test: Read) -> Expr:
    """The value of a call. Raises FunctionDefinitionError, Refusal."""
    function = node.func
    meaning = None if _root_is_local(function, reader) else named(function, reader.names)
    if meaning is None and isinstance(function, ast.Attribute):
        return _method(node, function, reader, read)
    match meaning:
        case Defined(function=defined):
            return call_defined(defined, node, reader, read)
        case AggregateWord(name=name):
            if reader.gather is None:
                raise reader.refuse(
                    node,
                    f"{ast.unparse(function)} is an aggregate function, which gathers rows",
                    "Use it in an @eau2.aggregate.",
                )
            return reader.gather(name, node, reader)
        case Word(name=name):
            return vocabulary.call(name, _positional(node, reader, read, test), reader.where(node))
        case Type(type=type_):
            name = _CONVERTERS[type_]
            return vocabulary.call(name, _positional(node, reader, read, test), reader.where(node))
        case Foreign(what=what, hint=hint):
            raise reader.refuse(function, what, hint)
    raise _uncallable(function, meaning, reader)


def _uncallable(function: ast.expr, meaning: Meaning | None, reader: Reader) -> Exception:
    shown = ast.unparse(function)
    if meaning is None and not _root_is_local(function, reader):
        if shown == reader.source.name:
            return reader.refuse(
                function,
                f"{shown} calls itself",
                "Use a loop with a bound; SQL has WITH RECURSIVE.",
            )
        hint = refused.WORDS.get(shown, "Define it above, with @eau2.function.")
        return reader.refuse(function, f"there is no function {shown}", hint)
    what = "a constant" if isinstance(meaning, Constant) else "no function"
    what = "a module" if isinstance(meaning, Module) else what
    return reader.refuse(function, f"{shown} is {what}, and cannot be called")


def _root_is_local(node: ast.expr, reader: Reader) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return not isinstance(node, ast.Name) or node.id in reader.env


def _method(node: ast.Call, function: ast.Attribute, reader: Reader, read: Read) -> Expr:
    root = None if _root_is_local(function.value, reader) else named(function.value, reader.names)
    if isinstance(root, Type):
        name = f"{root.type.__module__}.{root.type.__qualname__}.{function.attr}"
        if name in vocabulary.DATETIME:
            args = _positional(node, reader, read, read)
            return vocabulary.call(name, args, reader.where(node))
        raise reader.refuse(
            function,
            f"{ast.unparse(function)} is not there",
            "Types are called to convert and to make values; what depends on the clock or on the "
            "place is given as an argument.",
        )
    receiver = read(function.value, reader)
    args = _positional(node, reader, read, read)
    return vocabulary.method(function.attr, receiver, args, reader.where(node))


def _positional(node: ast.Call, reader: Reader, read: Read, test: Read) -> list[Expr]:
    """The arguments of a word of Python. A generator among them is a list."""
    if node.keywords:
        raise reader.refuse(
            node.keywords[0].value,
            f"the argument {node.keywords[0].arg} by its name",
            "Give arguments by their positions; names are for functions with @eau2.function.",
        )
    called = node.func.id if isinstance(node.func, ast.Name) else ""
    args: list[Expr] = []
    for written in node.args:
        if isinstance(written, ast.GeneratorExp) and called in _OVER_GENERATORS:
            element, generators = written.elt, written.generators
            args.append(comprehension(written, element, generators, reader, read, test))
        elif is_range(written, reader):
            args.append(read_range(written, reader, read))
        else:
            args.append(read(written, reader))
    return args


def call_defined(function: UserFunction, node: ast.Call, reader: Reader, read: Read) -> Expr:
    """A call of a compiled function, written out. Arguments are computed once, whatever it does."""
    if function.is_aggregate:
        raise reader.refuse(node, f"{function.name} is an aggregate function, which gathers rows")
    where = reader.where(node)
    args: list[Expr] = []
    written_args = arguments_of(function, node, reader)
    for written, parameter in zip(written_args, function.parameters, strict=True):
        value = default_of(parameter) if written is None else read(written, reader)
        assert value is not None
        args.append(vocabulary.converted(value, parameter.type, where, f"{parameter.name}"))
    body = rescoped(function.body, reader.scopes)
    reads = [0] * len(args)
    for inner in walk(body):
        if isinstance(inner, ColumnRef):
            reads[inner.id] += 1
    scope = reader.scopes.fresh()
    places: dict[int, Expr] = {}
    values: list[Expr] = []
    parameters: list[LambdaParameter] = []
    for number, (arg, read_count) in enumerate(zip(args, reads, strict=True)):
        places[number] = arg
        small = read_count <= 1 or size_of(arg) <= _SMALL_NODES
        if not is_simple(arg) and (can_raise(arg) or not small):
            values.append(Lambda(arg.type, (), arg))
            parameters.append(LambdaParameter(arg.type, scope, len(parameters)))
            places[number] = parameters[-1]
    result = substitute(body, places)
    if not values:
        return result
    return Call(body.type, LET, (*values, Lambda(body.type, tuple(parameters), result)))


def arguments_of(function: UserFunction, node: ast.Call, reader: Reader) -> list[ast.expr | None]:
    """The arguments in the order of the parameters, None where the default is taken.

    Raises FunctionDefinitionError.
    """
    names = [parameter.name for parameter in function.parameters]
    given = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in names or keyword.arg in given:
            raise reader.refuse(
                keyword.value,
                f"{function.name} has no such argument",
                f"It is {function.signature}.",
            )
        given[keyword.arg] = keyword.value
    needed = {p.name for p in function.parameters if default_of(p) is None}
    if len(node.args) > len(names) or not needed <= given.keys():
        raise reader.refuse(
            node,
            f"{function.name} takes {counted(function)}, not {len(node.args) + len(node.keywords)}",
            f"It is {function.signature}.",
        )
    return [given.get(name) for name in names]
