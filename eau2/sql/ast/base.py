"""The bases of all syntax nodes, and the small nodes that expressions and queries share.

Owns: `Node` and the five families. Does not know: the members of the families.
"""

from __future__ import annotations

from eau2.errors import Span
from eau2.records import Record


class Node(Record, frozen=True):
    """The base of all nodes."""

    span: Span


class Expression(Node, frozen=True):
    """The base of all expressions."""


class TableExpression(Node, frozen=True):
    """The base of what may stand in FROM."""


class Statement(Node, frozen=True):
    """The base of all statements."""


class Query(Statement, frozen=True):
    """The base of all statements that give rows and can stand in brackets."""


class TypeName(Node, frozen=True):
    """A type as written: lower-case name, and parameters: decimal(15, 2).

    lists: how many pairs of [] follow: the type of lists of it, of lists of lists of it.
    """

    name: str
    parameters: tuple[int, ...] = ()
    lists: int = 0


class OrderItem(Node, frozen=True):
    """One ORDER BY entry. nulls_last is None when nothing was said."""

    expression: Expression
    descending: bool
    nulls_last: bool | None


class SelectItem(Node, frozen=True):
    """One entry of a select list: an expression (maybe a Star) and its alias."""

    expression: Expression
    alias: str | None


class Sample(Node, frozen=True):
    """How many rows: a number of rows, or a percentage of them; method is lower case or None."""

    amount: Expression
    percent: bool
    method: str | None = None
    seed: int | None = None
