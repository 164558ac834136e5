"""Write out lets: a local value stands where it is read, if that costs and changes nothing.

Owns: which values of a let are written out or dropped. Comes in: lets, and what simplifies their
parts. Goes out: expressions of the same value that raise on the same rows.
Does not know: conditions (conditions.py), plans.

A value that can raise is computed for every row of its let. It is written out only where it is read
once and computed for every row all the same. So it never stands in AND or OR, whose parts change
places in filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eau2.operators.expr import (
    Call,
    Case,
    ColumnRef,
    Expr,
    Lambda,
    LambdaParameter,
    Literal,
    moved,
    placed,
    reads_parameters,
    size_of,
    walk,
)
from eau2.operators.facts import can_raise
from eau2.operators.functions.let import LET, result_of, values_of
from eau2.records import Struct, replace

Simplify = Callable[[Expr], Expr]

_SMALL_NODES = 3
"""So small a value that cannot raise is written out wherever it is read."""
_ONCE_NODES = 64
"""What is written out may be written out again with what reads it: chains of values are cut."""
_NOWHERE = 1 << 30
_LEAVES = (ColumnRef, Literal, LambdaParameter)


class _Reads(Struct):
    """How a parameter is read. at_elements: for each element of a list. always: for every row."""

    count: int = 0
    at_elements: bool = False
    always: bool = True


def written_out(let: Call, simplify: Simplify) -> Expr:
    """The let, without what need not be a value of it; `simplify` is applied to each part."""
    depth = _depth(let)
    reads = _reads(let)
    places: dict[Expr, Expr] = {}

    def place(node: Expr, at: int) -> Expr | None:
        given = places.get(node) if isinstance(node, LambdaParameter) else None
        return None if given is None else moved(given, depth + 1, at)

    kept: list[tuple[LambdaParameter, Expr]] = []
    for parameter, body in values_of(let):
        value = simplify(placed(body, place, depth + 1))
        if _goes(value, reads[parameter]):
            places[parameter] = value
        else:
            kept.append((parameter, value))
    result = simplify(placed(result_of(let), place, depth + 1))
    return _rebuilt(let, _needed(kept, result), result, depth)


def stands_alone(expr: Expr) -> bool:
    """Whether it reads no column, and no parameter of a lambda around it."""
    return not any(isinstance(node, ColumnRef) for node in walk(expr)) and not reads_parameters(
        expr
    )


def _depth(let: Call) -> int:
    """Inside how many lambdas it stands, by the first parameter that it brings.

    If it brings none, more than any: then no level in it changes wherever it moves.
    """
    waiting: list[tuple[Expr, int]] = [(let, 0)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, Lambda):
            if node.parameters:
                return node.parameters[0].level - inside
            inside += 1
        waiting += [(child, inside) for child in node.children]
    return _NOWHERE


def _reads(let: Call) -> dict[LambdaParameter, _Reads]:
    found = {parameter: _Reads() for parameter, _ in values_of(let)}
    for arg in let.args:
        waiting = [(arg.children[0], True, False)]
        while waiting:
            node, always, at_elements = waiting.pop()
            if isinstance(node, LambdaParameter) and node in found:
                reads = found[node]
                reads.count += 1
                reads.always &= always
                reads.at_elements |= at_elements
            for child, sure, element in _parts(node):
                waiting.append((child, always and sure, at_elements or element))
    return found


def _parts(node: Expr) -> Iterator[tuple[Expr, bool, bool]]:
    """The children: whether each is computed for all rows for which the node is, and whether for
    each element of a list.
    """
    match node:
        case Case(branches=((first, _), *_)):
            yield first, True, False
            for child in node.children[1:]:
                yield child, False, False
        case Call(function="and" | "or", args=args):
            for arg in args:
                yield arg, False, False
        case Call(function="coalesce", args=(first, *others)):
            yield first, True, False
            for other in others:
                yield other, False, False
        case Call(function=name, args=args):
            for arg in args:
                if isinstance(arg, Lambda):
                    yield arg.body, name == LET, name != LET
                else:
                    yield arg, True, False
        case _:
            for child in node.children:
                yield child, True, False


def _goes(value: Expr, reads: _Reads) -> bool:
    """Whether a value may stand wherever it is read."""
    if isinstance(value, _LEAVES):
        return True
    if reads.at_elements or reads.count == 0:
        return False
    size = size_of(value)
    if reads.count > 1:
        return size <= _SMALL_NODES and not can_raise(value)
    return size <= _ONCE_NODES and (reads.always or not can_raise(value))


def _needed(
    kept: list[tuple[LambdaParameter, Expr]], result: Expr
) -> list[tuple[LambdaParameter, Expr]]:
    """The values without those that nothing reads and that cannot raise."""
    read = _parameters(result)
    needed: list[tuple[LambdaParameter, Expr]] = []
    for parameter, value in reversed(kept):
        if parameter in read or can_raise(value):
            read |= _parameters(value)
            needed.append((parameter, value))
    return needed[::-1]


def _parameters(expr: Expr) -> set[Expr]:
    return {node for node in walk(expr) if isinstance(node, LambdaParameter)}


def _rebuilt(
    let: Call, values: list[tuple[LambdaParameter, Expr]], result: Expr, depth: int
) -> Expr:
    """A let of these values, which are numbered anew; without any, the result outside of it."""
    if not values:
        return moved(result, depth + 1, depth)
    names = {old: replace(old, index=index) for index, (old, _) in enumerate(values)}
    given = tuple(names.values())

    def place(node: Expr, _: int) -> Expr | None:
        return names.get(node) if isinstance(node, LambdaParameter) else None

    bodies = [*(value for _, value in values), result]
    lambdas = [Lambda(body.type, (), placed(body, place, depth + 1)) for body in bodies]
    last = replace(lambdas[-1], parameters=given)
    made = replace(let, args=(*lambdas[:-1], last))
    return let if made == let else made
