"""Calls of timedelta(), whose arguments have names that everybody writes.

Owns: which arguments there are, and in which order. Comes in: a call, a Reader, the way to read
what stands inside. Goes out: bound expressions.
Does not know: what is computed (differences.py).
"""

from __future__ import annotations

import ast

from eau2.operators.expr import Expr
from eau2.python import vocabulary
from eau2.python.iteration import Read
from eau2.python.reader import Reader

_UNITS = vocabulary.TIMEDELTA_ARGUMENTS
_HINT = f"It takes {', '.join(_UNITS[:-1])} and {_UNITS[-1]}."


def read_timedelta(node: ast.Call, reader: Reader, read: Read) -> Expr:
    """The value of timedelta(...). Raises FunctionDefinitionError, Refusal."""
    if len(node.args) > len(_UNITS):
        raise reader.refuse(node, f"timedelta() takes at most {len(_UNITS)} arguments", _HINT)
    written = dict(zip(_UNITS, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in _UNITS:
            raise reader.refuse(
                keyword.value, f"timedelta() has no argument {keyword.arg or '**'}", _HINT
            )
        if keyword.arg in written:
            raise reader.refuse(
                keyword.value, f"the argument {keyword.arg} twice", "Leave one of them out."
            )
        written[keyword.arg] = keyword.value
    given = {unit: read(value, reader) for unit, value in written.items()}
    return vocabulary.timedelta(given, reader.where(node))
