"""The bases of all syntax nodes, and the small nodes that expressions and queries share.

Owns: `Node` and the five families. Does not know: the members of the families.
"""

from __future__ import annotations

from dataclasses import dataclass

from eau2.errors import Span


@dataclass(frozen=True, slots=True)
class Node:
    """The base of all nodes."""

    span: Span


@dataclass(frozen=True, slots=True)
class Expression(Node):
    """The base of all expressions."""


@dataclass(frozen=True, slots=True)
class TableExpression(Node):
    """The base of what may stand in FROM."""


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """The base of all statements."""


@dataclass(frozen=True, slots=True)
class Query(Statement):
    """The base of all statements that give rows and can stand in brackets."""


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type as written: lower-case name, and parameters: decimal(15, 2).

    lists: how many pairs of [] follow: the type of lists of it, of lists of lists of it.
    """

    name: str
    parameters: tuple[int, ...] = ()
    lists: int = 0


@dataclass(frozen=True, slots=True)
class OrderItem(Node):
    """One ORDER BY entry. nulls_last is None when nothing was said."""

    expression: Expression
    descending: bool
    nulls_last: bool | None


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """One entry of a select list: an expression (maybe a Star) and its alias."""

    expression: Expression
    alias: str | None


@dataclass(frozen=True, slots=True)
class Sample(Node):
    """How many rows: a number of rows, or a percentage of them; method is lower case or None."""

    amount: Expression
    percent: bool
    method: str | None = None
    seed: int | None = None
