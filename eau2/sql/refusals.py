"""Refusing what the syntax tree can say and the binder cannot do, by its name.

Owns: what each form is called in messages. Comes in: an ast node. Goes out: NotSupportedError.
Does not know: which forms are supported.
"""

from __future__ import annotations

import re

from eau2.errors import NotSupportedError
from eau2.sql import ast

_FORMS: dict[type[ast.Node], str] = {
    ast.CreateTable: "CREATE TABLE",
    ast.CreateView: "CREATE VIEW",
    ast.DefaultValue: "DEFAULT outside INSERT",
    ast.EveryColumn: "ALL in place of an expression",
    ast.Exists: "EXISTS",
    ast.GroupingSet: "ROLLUP, CUBE or GROUPING SETS outside GROUP BY",
    ast.InQuery: "IN with a subquery",
    ast.Lambda: "A lambda",
    ast.ListOf: "A list",
    ast.NamedArgument: "A named argument",
    ast.Ordered: "ORDER BY or LIMIT after this query",
    ast.Quantified: "ANY or ALL",
    ast.RowOf: "A row of several values",
    ast.SampledTable: "TABLESAMPLE",
    ast.SetOperation: "UNION, INTERSECT or EXCEPT",
    ast.Slice: "A slice of a list",
    ast.Subquery: "A subquery in an expression",
    ast.Subscript: "A subscript",
    ast.TableFunction: "A function in FROM",
    ast.WithQuery: "WITH",
}


_OF_STRUCTS = frozenset(
    {"array_zip", "histogram", "list_histogram", "list_zip", "row"}
    | {"map", "map_entries", "map_extract", "map_from_entries", "map_keys", "map_values"}
    | {"struct_extract", "struct_insert", "struct_pack"}
)


def needs_structs(name: str) -> bool:
    """Whether a function of DuckDB's takes or gives structs or maps."""
    return name in _OF_STRUCTS


def struct_functions() -> frozenset[str]:
    """The names of those functions."""
    return frozenset(_OF_STRUCTS)


def unsupported(node: ast.Node) -> NotSupportedError:
    """The error that names the form of `node`."""
    form = _FORMS.get(type(node))
    if form is None:
        form = " ".join(re.findall("[A-Z][a-z]*", type(node).__name__)).upper()
    return NotSupportedError(f"{form} is not supported here", span=node.span)
