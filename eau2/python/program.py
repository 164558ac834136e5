"""A program under way: its locals in order, each for the rows that reach it, and what they become.

Owns: `Program`. A local is computed once, by a `let`, unless it can just as well stand where it is
read: then nothing of it remains, and what is left is an expression as SQL would have it, which
filters and statistics can look into. Comes in: values, with the path on which they are reached.
Goes out: one expression. Does not know: Python.

While a program is under way, the parameters of a lambda have a number of their own in place of
their level, which is known only when all is put together (`levelled`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from eau2.operators.expr import (
    Call,
    Case,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    size_of,
    transform,
    walk,
)
from eau2.operators.facts import can_raise
from eau2.operators.functions.let import FOLD, LET
from eau2.records import Record, Struct, field, replace

Path = tuple[tuple[Expr, bool], ...]
"""Conditions, each with whether it holds: what a row has met on its way. NULL does not hold."""

_SMALL_NODES = 5
_REPEATED_NODES = 16
"""So many nodes may all copies of a value have together that is written out where it is read."""


class Local(Record, frozen=True):
    """A value that was given a name, and the path on which that happens.

    twins: the indexes of locals that raise wherever this one does, so that one of them is enough.
    """

    parameter: LambdaParameter
    value: Expr
    path: Path
    twins: tuple[int, ...] = ()


class Scopes(Struct):
    """Fresh numbers for lambdas."""

    numbers: Iterator[int] = field(default_factory=lambda: count(-1, -1))

    def fresh(self) -> int:
        """A number that no lambda of this definition has."""
        return next(self.numbers)


class Program(Struct):
    """The locals of one body."""

    scopes: Scopes
    scope: int
    locals: list[Local] = field(default_factory=list)

    def bind(self, value: Expr, path: Path) -> Expr:
        """What stands for the value from now on. It is computed for the rows on the path."""
        if is_simple(value):
            return value
        parameter = LambdaParameter(value.type, self.scope, len(self.locals))
        self.locals.append(Local(parameter, value, path))
        return parameter

    def bind_together(self, values: Sequence[Expr], path: Path, always: int) -> list[Expr]:
        """As `bind`, for values none of which is simple. Any raises where the first `always` do.

        Of these one is computed that nothing reads only if no other of the values is.
        """
        first = len(self.locals)
        held = [self.bind(value, path) for value in values]
        own = range(first, len(self.locals))
        for index in own[:always]:
            twins = tuple(other for other in own if other != index)
            self.locals[index] = replace(self.locals[index], twins=twins)
        return held

    def assembled(self, result: Expr) -> Expr:
        """The result with the locals that it reads, and all that may raise."""
        kept: list[Local] = []
        dropped: set[int] = set()
        for local in reversed(self.locals):
            spare = any(twin not in dropped for twin in local.twins)
            if spare and not _reads(local.parameter, kept, result):
                dropped.add(local.parameter.index)
                continue
            placed = _placed(local, kept, result)
            if placed is None:
                kept.insert(0, local)
            else:
                kept, result = placed
        if not kept:
            return result
        return _let(self.scope, kept, result)


def is_simple(value: Expr) -> bool:
    """Whether nothing is gained by computing the value once."""
    return isinstance(value, ColumnRef | Literal | LambdaParameter)


def shared(value: Expr, scopes: Scopes, use: Callable[[Expr], Expr]) -> Expr:
    """What `use` makes of a value that it reads several times; it is computed once."""
    if is_simple(value) or (size_of(value) <= _SMALL_NODES and not can_raise(value)):
        return use(value)
    scope = scopes.fresh()
    parameter = LambdaParameter(value.type, scope, 0)
    body = use(parameter)
    return Call(
        body.type, LET, (Lambda(value.type, (), value), Lambda(body.type, (parameter,), body))
    )


def chosen(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """CASE WHEN condition THEN then ELSE otherwise END, for values of one type."""
    if isinstance(condition, Literal):
        return then if condition.value is True else otherwise
    if isinstance(otherwise, Case) and not can_raise(condition):
        return Case(then.type, ((condition, then), *otherwise.branches), otherwise.otherwise)
    return Case(then.type, ((condition, then),), otherwise)


def guarded(value: Expr, path: Path) -> Expr:
    """The value on the rows that take the path, NULL elsewhere."""
    nothing = Literal(value.type, None)
    for condition, holds in reversed(path):
        value = chosen(condition, value, nothing) if holds else chosen(condition, nothing, value)
    return value


def _let(scope: int, kept: Sequence[Local], result: Expr) -> Expr:
    """The locals that remain, as one call."""
    numbered: dict[Expr, Expr] = {
        local.parameter: replace(local.parameter, index=index) for index, local in enumerate(kept)
    }
    parameters: list[LambdaParameter] = []
    parts: list[Expr] = []
    for index, local in enumerate(kept):
        value = _on_path(local.value, local.path) if can_raise(local.value) else local.value
        value = _renamed(value, numbered)
        parts.append(Lambda(value.type, (), value))
        parameters.append(LambdaParameter(value.type, scope, index))
    body = _renamed(result, numbered)
    return Call(body.type, LET, (*parts, Lambda(body.type, tuple(parameters), body)))


def _on_path(value: Expr, path: Path) -> Expr:
    """The value on the rows that take the path. A fold has no list elsewhere, so it gives NULL."""
    if isinstance(value, Call) and value.function == FOLD:
        lists, *others = value.args
        return value.with_children((guarded(lists, path), *others))
    return guarded(value, path)


def _renamed(expr: Expr, names: dict[Expr, Expr]) -> Expr:
    return transform(expr, lambda node: names.get(node, node) if _is_parameter(node) else node)


def _is_parameter(node: Expr) -> bool:
    return isinstance(node, LambdaParameter)


def _placed(local: Local, kept: list[Local], result: Expr) -> tuple[list[Local], Expr] | None:
    """The later locals and the result with the value where it was read; None if it must stay."""
    reads = _reads(local.parameter, kept, result)
    raises = can_raise(local.value)
    if not reads:
        return None if raises else (kept, result)
    names: dict[Expr, Expr] = {local.parameter: local.value}
    if not raises:
        size = size_of(local.value)
        once = reads == 1 and not _in_lambda(local.parameter, kept, result)
        if not once and (size > _SMALL_NODES or size * reads > _REPEATED_NODES):
            return None
        return [
            replace(
                other,
                value=_renamed(other.value, names),
                path=tuple((_renamed(condition, names), holds) for condition, holds in other.path),
            )
            for other in kept
        ], _renamed(result, names)
    if reads > 1:
        return None
    for number, other in enumerate(kept):
        moved = _moved(local, other.value, other.path)
        if moved is not None:
            return [*kept[:number], replace(other, value=moved), *kept[number + 1 :]], result
    moved = _moved(local, result, ())
    return None if moved is None else (kept, moved)


def _reads(parameter: LambdaParameter, kept: list[Local], result: Expr) -> int:
    """How many times the value is read, in conditions of paths too."""
    exprs = [result, *(local.value for local in kept)]
    exprs += [condition for local in kept for condition, _ in local.path]
    return sum(node == parameter for expr in exprs for node in walk(expr) if _is_parameter(node))


def _in_lambda(parameter: LambdaParameter, kept: list[Local], result: Expr) -> bool:
    """Whether a lambda reads the value: there it would be computed for each element."""
    exprs = [result, *(local.value for local in kept)]
    exprs += [condition for local in kept for condition, _ in local.path]
    lambdas = (node for expr in exprs for node in walk(expr) if isinstance(node, Lambda))
    return any(node == parameter for found in lambdas for node in walk(found.body))


def _moved(local: Local, expr: Expr, path: Path) -> Expr | None:
    """`expr` with the value at the one place where it is read, if that is reached by the same rows.

    The place may be reached only on the local's own path: there, and nowhere else, it may raise.
    """
    if expr == local.parameter:
        return local.value if set(path) == set(local.path) else None
    match expr:
        case Case():
            return _moved_into_case(local, expr, path)
        case Call(function="and" | "or" | "coalesce", args=(first, *others)):
            moved = _moved(local, first, path)
            return None if moved is None else expr.with_children((moved, *others))
        case Lambda() | Call(function="fold"):
            return None
    for number, child in enumerate(expr.children):
        if isinstance(expr, Call) and isinstance(child, Lambda):
            continue
        moved = _moved(local, child, path)
        if moved is not None:
            children = expr.children
            return expr.with_children((*children[:number], moved, *children[number + 1 :]))
    return None


def _moved_into_case(local: Local, case: Case, path: Path) -> Expr | None:
    """A test that may raise does not keep rows from the tests after it, only from the values."""
    sure = True
    before = path
    for number, (condition, value) in enumerate(case.branches):
        found = _moved(local, condition, before) if sure else None
        branch = None if found is None else (found, value)
        if branch is None:
            inside = _moved(local, value, (*before, (condition, True)))
            branch = None if inside is None else (condition, inside)
        if branch is not None:
            branches = (*case.branches[:number], branch, *case.branches[number + 1 :])
            return replace(case, branches=branches)
        sure = sure and not can_raise(condition)
        before = (*before, (condition, False))
    moved = _moved(local, case.otherwise, before)
    return None if moved is None else replace(case, otherwise=moved)


def levelled(expr: Expr) -> Expr:
    """The expression with the levels that the parameters of its lambdas have."""
    return _relabelled(expr, {}, 0, lambda depth: depth)


def rescoped(expr: Expr, scopes: Scopes) -> Expr:
    """A finished expression, with fresh numbers in place of levels, to stand inside a program."""
    return _relabelled(expr, {}, 0, lambda depth: scopes.fresh())


def _relabelled(expr: Expr, known: dict[int, int], depth: int, label: Callable[[int], int]) -> Expr:
    match expr:
        case LambdaParameter(level=level):
            return replace(expr, level=known[level])
        case Call(args=args) if any(isinstance(arg, Lambda) for arg in args):
            own = {
                parameter.level
                for arg in args
                if isinstance(arg, Lambda)
                for parameter in arg.parameters
            }
            new = label(depth)
            inner = known | dict.fromkeys(own, new)
            return expr.with_children(
                tuple(
                    _relabelled_lambda(arg, inner, new, depth, label)
                    if isinstance(arg, Lambda)
                    else _relabelled(arg, known, depth, label)
                    for arg in args
                )
            )
    children = expr.children
    if not children:
        return expr
    return expr.with_children(tuple(_relabelled(c, known, depth, label) for c in children))


def _relabelled_lambda(
    expr: Lambda, known: dict[int, int], new: int, depth: int, label: Callable[[int], int]
) -> Lambda:
    parameters = tuple(replace(parameter, level=new) for parameter in expr.parameters)
    body = _relabelled(expr.body, known, depth + 1, label)
    return Lambda(expr.type, parameters, body)
