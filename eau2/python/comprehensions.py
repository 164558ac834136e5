"""Lists made of lists: comprehensions, also over several lists, at once or inside of one another.

Owns: how elements are kept and changed, in which order, and how many there may be. Comes in:
syntax, a Reader, and the ways to read what stands inside. Goes out: bound expressions, which are
lists. Does not know: statements, calls, what can be gone over (iteration.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from eau2.operators.expr import Call, Expr, Lambda, LambdaParameter, Literal, walk
from eau2.operators.facts import can_raise
from eau2.operators.functions.python_sequences import EACH
from eau2.python import vocabulary
from eau2.python.iteration import Read, Walk, length_of, read_walk, times
from eau2.python.program import chosen, shared
from eau2.python.reader import Reader
from eau2.records import Record
from eau2.types import BIGINT, BOOLEAN, VARCHAR, list_of

_FALSE = Literal(BOOLEAN, False)


class _Written(Record, frozen=True):
    """A comprehension as it is written, with the ways to read what stands inside."""

    node: ast.expr
    element: ast.expr
    where: str
    read: Read
    test: Read


def comprehension(
    node: ast.expr,
    element: ast.expr,
    generators: Sequence[ast.comprehension],
    reader: Reader,
    read: Read,
    test: Read,
) -> Expr:
    """[element for x in xs if c], or over several lists. Raises FunctionDefinitionError."""
    written = _Written(node, element, reader.where(node), read, test)
    return _over(written, generators, reader, None)


def _over(
    written: _Written, generators: Sequence[ast.comprehension], reader: Reader, around: Expr | None
) -> Expr:
    """The lists of one `for` and those behind it. around: in how many rounds it is reached."""
    generator, *others = generators
    if generator.is_async:
        raise reader.refuse(generator.target, "there is nothing to wait for", "Leave async out.")
    gone = read_walk(generator.target, generator.iter, reader, written.read)
    first, *beside = gone.lists
    if not isinstance(gone.start, Literal):
        # Nothing can be counted from None.
        begun = vocabulary.compare("is not", gone.start, vocabulary.literal(None), written.where)
        first = chosen(begun, first, Literal(first.type, None))
    if around is not None:
        first = _bounded("list.within", first, around, written)
    if gone.is_plain:
        first = _filtered(gone, first, generator.ifs, reader, written)
    if not others:
        return _gathered(written, gone, (first, *beside), generator.ifs, reader, None)

    def inside(lists: Expr) -> Expr:
        rounds = length_of(lists, written.where)
        if around is not None:
            rounds = times(rounds, around, written.where)
        known = _known_beforehand(written, gone, others[0], reader)
        if known is not None:
            lists = _bounded("list.product", lists, known, written)

        def value(inner: Reader) -> Expr:
            return _over(written, others, inner, rounds)

        made = _gathered(written, gone, (lists, *beside), generator.ifs, reader, value)
        assert made.type.element is not None
        return Call(made.type.element, "list.flat", (made, Literal(VARCHAR, written.where)))

    return shared(first, reader.scopes, inside)


def _known_beforehand(
    written: _Written, gone: Walk, inner: ast.comprehension, reader: Reader
) -> Expr | None:
    """How long the list inside is, if that does not depend on the round: before any is made."""
    within, parameters = _within(gone, gone.lists, reader)
    lists = read_walk(inner.target, inner.iter, within, written.read).lists[0]
    own = {*parameters}
    if can_raise(lists) or any(part in own for part in walk(lists)):
        return None
    return length_of(lists, written.where)


def _bounded(name: str, lists: Expr, around: Expr, written: _Written) -> Expr:
    """The list, if with the rounds around it there are not too many elements in all."""
    return Call(lists.type, name, (lists, around, Literal(VARCHAR, written.where)))


def _filtered(
    gone: Walk,
    lists: Expr,
    conditions: Sequence[ast.expr],
    reader: Reader,
    written: _Written,
) -> Expr:
    """The elements of one list for which all conditions hold, so that these keep from failing."""
    for condition in conditions:
        kept, (parameter, *_) = _within(gone, (lists,), reader)
        body = written.test(condition, kept)
        lists = Call(lists.type, "list_filter", (lists, Lambda(body.type, (parameter,), body)))
    return lists


def _gathered(
    written: _Written,
    gone: Walk,
    lists: Sequence[Expr],
    conditions: Sequence[ast.expr],
    reader: Reader,
    inside: Callable[[Reader], Expr] | None,
) -> Expr:
    """The list of the values for each round. The conditions of a plain walk are met already."""
    inner, parameters = _within(gone, lists, reader)
    value = written.read(written.element, inner) if inside is None else inside(inner)
    if gone.is_plain and value == parameters[0]:
        return lists[0]
    try:
        type_ = list_of(value.type)
    except ValueError as error:
        raise reader.refuse(written.node, str(error)) from None
    if gone.is_plain:
        body = Lambda(value.type, parameters[:1], value)
        return Call(type_, "list_transform", (lists[0], body))
    lambdas = [Lambda(value.type, parameters, value)]
    tests = [written.test(condition, inner) for condition in conditions]
    if tests:
        kept = tests[-1]
        for test in reversed(tests[:-1]):
            kept = chosen(test, kept, _FALSE)
        lambdas.insert(0, Lambda(BOOLEAN, parameters, kept))
    return Call(type_, EACH, (*lists, *lambdas))


def _within(
    gone: Walk, lists: Sequence[Expr], reader: Reader
) -> tuple[Reader, tuple[LambdaParameter, ...]]:
    """The reader inside a lambda over the elements of lists and their place, and its parameters."""
    scope = reader.scopes.fresh()
    types = [one.type.element for one in lists]
    parameters = tuple(
        LambdaParameter(type_, scope, number)
        for number, type_ in enumerate([*types, BIGINT])
        if type_ is not None
    )
    env = {**reader.env, **gone.counted(parameters[-1])}
    for target, parameter in zip(gone.targets, parameters, strict=False):
        if not isinstance(target, ast.Name):
            raise reader.refuse(target, "only a name can stand here", "Use positions.")
        env[target.id] = parameter
    return reader.over(env), parameters
