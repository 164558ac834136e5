"""out.append(x) and out.extend(xs): the list that the name has from there.

Owns: what is added. Comes in: the list before, syntax, a Reader, and what computes a value once.
Goes out: the list after. Does not know: whether the list may be changed (changes.py).
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from eau2.operators.expr import Expr
from eau2.python import vocabulary
from eau2.python.changes import CHANGES
from eau2.python.expressions import expression
from eau2.python.iteration import elements_of
from eau2.python.program import chosen
from eau2.python.reader import Reader
from eau2.python.vocabulary import Refusal


def change_of(statement: ast.stmt, reader: Reader) -> tuple[str, str, ast.expr] | None:
    """The name, the method and what is added, of a statement that changes a list; else None."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[added], keywords=[]
            )
        ) if method in CHANGES and is_list(name, reader):
            return name, method, added
    return None


def is_list(name: str, reader: Reader) -> bool:
    """Whether a local is a list."""
    value = reader.env.get(name)
    return isinstance(value, Expr) and value.type.is_list


def lengthened(
    name: str, method: str, added: ast.expr, reader: Reader, bind: Callable[[Expr], Expr]
) -> Expr:
    """The list of the name with what is added. Raises FunctionDefinitionError."""
    before, where = reader.env[name], reader.where(added)
    assert isinstance(before, Expr)
    try:
        if method == "append":
            more = vocabulary.make_list([expression(added, reader)], where)
            return vocabulary.binary("+", before, more, where)
        more = bind(elements_of(added, reader, expression))
        after = vocabulary.binary("+", before, more, where)
        # Where there is no list to add, nothing is added.
        known = vocabulary.compare("is not", more, vocabulary.literal(None), where)
        return chosen(known, after, vocabulary.converted(before, after.type, where, name))
    except Refusal as refusal:
        raise reader.refuse(added, refusal.message, refusal.hint or None) from None
