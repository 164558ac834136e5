"""Lists made of lists: comprehensions, and what loops and comprehensions go over.

Owns: how elements are kept and changed, range(...). Comes in: syntax, a Reader, and the ways to
read what stands inside. Goes out: bound expressions, which are lists.
Does not know: statements, calls.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from eau2.operators.expr import Call, Expr, Lambda, LambdaParameter
from eau2.operators.functions import table
from eau2.python import vocabulary
from eau2.python.reader import Reader
from eau2.types import BIGINT, VARCHAR, list_of

Read = Callable[[ast.expr, Reader], Expr]


def comprehension(
    node: ast.expr,
    element: ast.expr,
    generators: Sequence[ast.comprehension],
    reader: Reader,
    read: Read,
    test: Read,
) -> Expr:
    """[element for x in xs if c]: the list filtered, then mapped, so that c keeps from failing."""
    if len(generators) != 1:
        raise reader.refuse(
            node, "a comprehension over several lists", "Use a function for the inner list."
        )
    (generator,) = generators
    if not isinstance(generator.target, ast.Name) or generator.is_async:
        raise reader.refuse(generator.target, "only one name can stand here", "Use positions.")
    lists = elements_of(generator.iter, reader, read)
    name = generator.target.id
    for chosen in generator.ifs:
        kept, parameter = _within(name, lists, reader)
        body = test(chosen, kept)
        lists = Call(lists.type, "list_filter", (lists, Lambda(body.type, (parameter,), body)))
    inner, parameter = _within(name, lists, reader)
    value = read(element, inner)
    if value == parameter:
        return lists
    try:
        type_ = list_of(value.type)
    except ValueError as error:
        raise reader.refuse(node, str(error)) from None
    return Call(type_, "list_transform", (lists, Lambda(value.type, (parameter,), value)))


def _within(name: str, lists: Expr, reader: Reader) -> tuple[Reader, LambdaParameter]:
    """The reader inside a lambda over the elements of a list."""
    assert lists.type.element is not None
    parameter = LambdaParameter(lists.type.element, reader.scopes.fresh(), 0)
    return reader.over({**reader.env, name: parameter}), parameter


def elements_of(node: ast.expr, reader: Reader, read: Read) -> Expr:
    """What a loop goes over, as a list. Raises FunctionDefinitionError."""
    if is_range(node, reader):
        return read_range(node, reader, read)
    lists = read(node, reader)
    if lists.type == VARCHAR:
        lists = vocabulary.call("list", [lists], reader.where(node))
    if not lists.type.is_list:
        raise reader.refuse(
            node, f"{lists.type} is not a list", "Loops go over lists, texts and range(...)."
        )
    return lists


def is_range(node: ast.expr, reader: Reader) -> bool:
    """Whether it is a call of range."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and "range" not in reader.env
    )


def range_ends(node: ast.expr, reader: Reader, read: Read) -> tuple[Expr, Expr, Expr]:
    """Start, stop and step of range(...)."""
    assert isinstance(node, ast.Call)
    if not 1 <= len(node.args) <= 3 or node.keywords:
        raise reader.refuse(node, "range takes one to three numbers", "Write range(start, stop).")
    args = [read(arg, reader) for arg in node.args]
    for arg, written in zip(args, node.args, strict=True):
        if arg.type != BIGINT:
            raise reader.refuse(written, f"range takes int, not {arg.type}")
    if len(args) == 1:
        args = [vocabulary.literal(0), *args]
    if len(args) == 2:
        args = [*args, vocabulary.literal(1)]
    return args[0], args[1], args[2]


def read_range(node: ast.expr, reader: Reader, read: Read) -> Expr:
    """range(...) as a list of int."""
    return table.bind("range", range_ends(node, reader, read))
