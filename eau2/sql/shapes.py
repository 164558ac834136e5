"""Equality of bound expressions by structure, and replacing what is known.

Owns: `Shapes`, which numbers expressions so that equal ones have equal numbers.
Comes in: bound expressions. Goes out: numbers, rewritten expressions.
Does not know: what the expressions are for.

Comparing deep trees with == would recurse through several frames a level; here each node is
compared with its children already replaced by their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from eau2.operators.expr import ColumnRef, Expr


class Shapes:
    """Numbers for expressions: equal structure, equal number."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[Expr, int] = {}

    def of(self, expr: Expr) -> int:
        """The number of the expression's structure."""
        return self._replace(expr, {})[1]

    def replace(self, expr: Expr, known: Mapping[int, Expr]) -> Expr:
        """`expr` with every largest sub-expression whose number is in `known` replaced."""
        return self._replace(expr, known)[0]

    def _replace(self, expr: Expr, known: Mapping[int, Expr]) -> tuple[Expr, int]:
        children = expr.children
        if not children:
            number = self._numbers.setdefault(expr, len(self._numbers))
            return known.get(number, expr), number
        new: list[Expr] = []
        stand_ins: list[Expr] = []
        for child in children:
            replaced, child_number = self._replace(child, known)
            new.append(replaced)
            stand_ins.append(ColumnRef(child.type, -1 - child_number))
        bare = expr.with_children(tuple(stand_ins))
        number = self._numbers.setdefault(bare, len(self._numbers))
        if number in known:
            return known[number], number
        if any(a is not b for a, b in zip(children, new, strict=True)):
            expr = expr.with_children(tuple(new))
        return expr, number

    @staticmethod
    def columns(expr: Expr) -> frozenset[int]:
        """The ids of all columns the expression reads, without recursion."""
        found: set[int] = set()
        waiting = [expr]
        while waiting:
            node = waiting.pop()
            if type(node) is ColumnRef:
                found.add(node.id)
            else:
                waiting.extend(node.children)
        return frozenset(found)
