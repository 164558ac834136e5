"""Several names at once: a, b = b, a and a, b = s.split(",", 1) and first, *rest = xs, and divmod.

Owns: which value each name gets, and how many values there must be. Comes in: targets, a value, a
Reader, and what computes a value once. Goes out: names with their values.
Does not know: other statements.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from eau2.operators.expr import Call, Expr, Literal
from eau2.python import vocabulary
from eau2.python.division import divided, is_divmod
from eau2.python.expressions import expression
from eau2.python.iteration import elements_of
from eau2.python.reader import Reader
from eau2.types import BIGINT, VARCHAR

Bind = Callable[[Expr], Expr]


def unpacked(
    targets: Sequence[ast.expr], value: ast.expr, reader: Reader, bind: Bind
) -> list[tuple[str, Expr]]:
    """The names of `targets` = value with what each gets. Raises FunctionDefinitionError."""
    starred = [place for place, target in enumerate(targets) if isinstance(target, ast.Starred)]
    names = [_name(target, reader) for target in targets]
    star = starred[0] if starred else None
    match value:
        case ast.Tuple(elts=values) | ast.List(elts=values):
            held = [bind(expression(part, reader)) for part in values]
            return _of_display(names, star, held, value, reader)
        case ast.Call(args=[left, right], keywords=[]) if is_divmod(value, reader):
            sides = [bind(expression(part, reader)) for part in (left, right)]
            held = [bind(part) for part in divided(sides[0], sides[1], value, reader)]
            return _of_display(names, star, held, value, reader)
    lists = bind(_sized(elements_of(value, reader, expression), len(names), star, reader, value))
    if star is None:
        return [(n, _at(lists, vocabulary.literal(place))) for place, n in enumerate(names)]
    behind = len(names) - star - 1
    ends = vocabulary.literal(-behind) if behind else None
    where = reader.where(value)
    rest = vocabulary.slice_(lists, vocabulary.literal(star), ends, None, where)
    found = [_at(lists, vocabulary.literal(place)) for place in range(star)]
    found.append(bind(rest))
    size = vocabulary.call("len", [lists], where)
    for place in range(behind, 0, -1):
        last = vocabulary.binary("-", size, vocabulary.literal(place), where)
        found.append(_at(lists, last))
    return list(zip(names, found, strict=True))


def _of_display(
    names: Sequence[str], star: int | None, held: list[Expr], node: ast.expr, reader: Reader
) -> list[tuple[str, Expr]]:
    """Values that stand side by side: their number is known."""
    if star is not None and len(held) >= len(names) - 1:
        end = len(held) - (len(names) - star - 1)
        rest = vocabulary.make_list(held[star:end], reader.where(node))
        held = [*held[:star], rest, *held[end:]]
    if len(names) != len(held):
        raise reader.refuse(node, f"{len(held)} values for {len(names)} names")
    return list(zip(names, held, strict=True))


def _name(target: ast.expr, reader: Reader) -> str:
    match target:
        case ast.Name(id=name) | ast.Starred(value=ast.Name(id=name)):
            return name
    raise reader.refuse(
        target, "values never change, so only names can be assigned to", "Make a new list."
    )


def _sized(lists: Expr, count: int, star: int | None, reader: Reader, node: ast.expr) -> Expr:
    """The list, if it has as many elements as there are names."""
    name = "list.unpack" if star is None else "list.unpack*"
    needed = Literal(BIGINT, count if star is None else count - 1)
    return Call(lists.type, name, (lists, needed, Literal(VARCHAR, reader.where(node))))


def _at(lists: Expr, place: Expr) -> Expr:
    assert lists.type.element is not None
    return Call(lists.type.element, "list.at", (lists, place))
