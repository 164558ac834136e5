"""What an expression or a statement is read with: its source, what names mean, values of locals.

Owns: `Reader`. Does not know: syntax, what is computed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from eau2.errors import FunctionDefinitionError
from eau2.operators.expr import Expr
from eau2.python.names import Names
from eau2.python.program import Scopes
from eau2.python.source import Source
from eau2.records import Record, Struct


class Missing(Record, frozen=True):
    """What stands for a name that has no value, or may have none, with the reason."""

    reason: str
    hint: str


Value = Expr | Missing
Gather = Callable[[str, ast.Call, "Reader"], Expr]
"""What a call of an aggregate function, by its name, becomes."""


class Reader(Struct):
    """What an expression is read with. env: the values of parameters and locals.

    gather: what a call of an aggregate function becomes; None where there can be none. depth: how
    many expressions are around the one being read.
    """

    source: Source
    names: Names
    scopes: Scopes
    env: dict[str, Value]
    gather: Gather | None = None
    depth: int = 0

    def over(self, env: Mapping[str, Value]) -> Reader:
        """The same over other values."""
        return Reader(self.source, self.names, self.scopes, dict(env), self.gather, self.depth)

    def where(self, node: ast.AST) -> str:
        """The function and line that messages name."""
        return self.source.where(node)

    def refuse(
        self, node: ast.AST, message: str, hint: str | None = None
    ) -> FunctionDefinitionError:
        """The error that refuses a node."""
        return self.source.refusal(node, message, hint)
