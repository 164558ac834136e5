"""divmod(a, b): two numbers, of which each is taken at once.

Owns: what they are. Comes in: calls of divmod. Goes out: bound expressions.
Does not know: who takes them.
"""

from __future__ import annotations

import ast

from eau2.operators.expr import Call, Expr
from eau2.python import vocabulary
from eau2.python.iteration import Read, is_builtin
from eau2.python.reader import Reader
from eau2.python.vocabulary import Refusal


def is_divmod(node: ast.expr, reader: Reader) -> bool:
    """Whether it is a call of divmod."""
    match node:
        case ast.Call(func=ast.Name(id="divmod"), args=[_, _], keywords=[]):
            return is_builtin("divmod", reader)
    return False


def divided(left: Expr, right: Expr, node: ast.expr, reader: Reader) -> tuple[Expr, Expr]:
    """Quotient and rest. Raises FunctionDefinitionError for what are no numbers."""
    where = reader.where(node)
    try:
        quotient = vocabulary.binary("//", left, right, where)
        rest = vocabulary.binary("%", left, right, where)
    except Refusal as refusal:
        message = refusal.message.replace("// is", "divmod is").replace("% is", "divmod is")
        raise reader.refuse(node, message, "Of numbers: divmod(7, 2).") from None
    return _as_divmod(quotient), _as_divmod(rest)


def of_divmod(node: ast.expr, place: ast.expr, reader: Reader, read: Read) -> Expr:
    """divmod(a, b)[0] or [1]. Raises FunctionDefinitionError for another index."""
    assert isinstance(node, ast.Call)
    left, right = (read(part, reader) for part in node.args)
    if isinstance(place, ast.Constant) and type(place.value) is int and place.value in (0, 1):
        return divided(left, right, node, reader)[place.value]
    raise reader.refuse(place, "divmod gives two values", "Write divmod(a, b)[0], or [1].")


def _as_divmod(division: Expr) -> Expr:
    """A division with the message that divmod has."""
    match division:
        case Call(function="int.%" | "float.//" | "float.%", type=type_, args=args):
            kind, _, sign = division.function.partition(".")
            return Call(type_, f"{kind}.divmod{sign}", args)
    return division
