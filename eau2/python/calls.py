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
from eau2.python.comprehensions import comprehension
from eau2.python.iteration import Read, is_range, read_range
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
from eau2.python.timedelta_calls import read_timedelta

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


def read_call(node: ast.Call, reader: Reader, read: Read, test: Read) -> Expr:
    """The value of a call. Raises FunctionDefinitionError, Refusal."""
    function = node.func
    meaning = None if _root_is_local(function, reader) else named(function, reader.names)
    if meaning is None and isinstance(function, ast.Attribute):
        return _method(node, function, reader, read, test)
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
            return _word(name, node, reader, read, test)
        case Type(type=datetime.timedelta):
            return read_timedelta(node, reader, read)
        case Type(type=type_):
            return _word(_CONVERTERS[type_], node, reader, read, test)
        case Foreign(what=what, hint=hint):
            raise reader.refuse(function, what, hint)
    raise _uncallable(function, meaning, reader)


def _word(name: str, node: ast.Call, reader: Reader, read: Read, test: Read) -> Expr:
    args = _positional(name, node, reader, read, test)
    by_name = _named(name, f"{name}()", node, reader, read)
    return vocabulary.call(name, args, reader.where(node), by_name)


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


def _method(
    node: ast.Call, function: ast.Attribute, reader: Reader, read: Read, test: Read
) -> Expr:
    root = None if _root_is_local(function.value, reader) else named(function.value, reader.names)
    if isinstance(root, Type):
        name = f"{root.type.__module__}.{root.type.__qualname__}.{function.attr}"
        if name in vocabulary.DATETIME:
            return _word(name, node, reader, read, test)
        raise reader.refuse(
            function,
            f"{ast.unparse(function)} is not there",
            "Types are called to convert and to make values; what depends on the clock or on the "
            "place is given as an argument.",
        )
    receiver = read(function.value, reader)
    word = vocabulary.word_of(vocabulary.kind_of(receiver), function.attr)
    args = _positional(word, node, reader, read, test)
    by_name = _named(word, f"{function.attr}()", node, reader, read)
    return vocabulary.method(function.attr, receiver, args, reader.where(node), by_name)


def _positional(word: str, node: ast.Call, reader: Reader, read: Read, test: Read) -> list[Expr]:
    """The arguments of a word of Python that have no names. A generator that it consumes is a list.

    word: its name in the vocabulary, with the type before a method's.
    """
    places = vocabulary.OVER_LISTS.get(word, ())
    args: list[Expr] = []
    for place, written in enumerate(node.args):
        if isinstance(written, ast.GeneratorExp) and place in places:
            element, generators = written.elt, written.generators
            args.append(comprehension(written, element, generators, reader, read, test))
        elif isinstance(written, ast.GeneratorExp) and word == "len":
            raise reader.refuse(
                written, "a generator has no len()", "Write sum(1 for ...), or len([...])."
            )
        elif is_range(written, reader) and word in vocabulary.OF_RANGES:
            args.append(read_range(written, reader, read))
        else:
            args.append(read(written, reader))
    return args


def _named(word: str, shown: str, node: ast.Call, reader: Reader, read: Read) -> dict[str, Expr]:
    """The arguments of a word of Python that have names. shown: how messages write the word."""
    found: dict[str, Expr] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise reader.refuse(
                keyword.value,
                "arguments are counted when a function is defined",
                "Write them one by one.",
            )
        refusal = vocabulary.refused_name(word, shown, keyword.arg)
        if refusal is None:
            found[keyword.arg] = read(keyword.value, reader)
        elif word in vocabulary.SIGNATURES:
            raise reader.refuse(keyword.value, refusal.message, refusal.hint)
        else:
            # That there is no such word at all says more, and what stands here may be no value.
            found[keyword.arg] = vocabulary.literal(None)
    return found


def call_defined(function: UserFunction, node: ast.Call, reader: Reader, read: Read) -> Expr:
    """A call of a compiled function, written out. Arguments are computed once, whatever it does."""
    if function.is_aggregate:
        raise reader.refuse(node, f"{function.name} is an aggregate function, which gathers rows")
    for type_ in (function.type, *(parameter.type for parameter in function.parameters)):
        if type_.innermost == vocabulary.TIMEDELTA:
            raise reader.refuse(node, f"{function.name} takes or gives {type_}", "Declare BIGINT.")
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
