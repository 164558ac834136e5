"""Types as annotations write them: int, float | None, list[str], datetime.date.

Owns: the map from annotations to SQL types. Comes in: syntax trees of annotations, and what names
mean. Goes out: SqlType. Does not know: values.
"""

from __future__ import annotations

import ast
import datetime
from typing import Any

from eau2.python.kinds import TIMEDELTA
from eau2.python.names import Meaning, Module, Names, Type, attribute
from eau2.python.source import Source
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType, list_of

TYPES: dict[Any, SqlType] = {
    bool: BOOLEAN,
    int: BIGINT,
    float: DOUBLE,
    str: VARCHAR,
    datetime.date: DATE,
    datetime.datetime: TIMESTAMP,
}
_HINT = (
    "Types are int, float, bool, str, datetime.date, datetime.datetime, and list[...] of them; "
    "each may be None, written with | None or without."
)
_OF_LOCALS: dict[Any, SqlType] = TYPES | {datetime.timedelta: TIMEDELTA}
_DIFFERENCE_HINT = (
    "Take and give days or seconds: datetime.timedelta(days=n) makes one of an int, .days and "
    ".total_seconds() make numbers of it."
)


def declared_type(node: ast.expr, names: Names, source: Source) -> SqlType:
    """The type of a parameter, a result, an attribute or of elements, which is none of a timedelta.

    Raises FunctionDefinitionError.
    """
    type_ = type_of(node, names, source)
    if type_ == TIMEDELTA:
        raise source.refusal(node, "a timedelta is only the value of a local", _DIFFERENCE_HINT)
    return type_


def type_of(node: ast.expr, names: Names, source: Source) -> SqlType:
    """The SQL type of the annotation of a local. Raises FunctionDefinitionError."""
    match node:
        case ast.Constant(value=str(text)):
            return type_of(_quoted(text, node, source), names, source)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            chosen = [part for part in (left, right) if not _is_none(part)]
            if len(chosen) == 1:
                return type_of(chosen[0], names, source)
        case ast.Subscript(value=value, slice=inner):
            called = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
            if called == "Optional":
                return type_of(inner, names, source)
            if called in ("list", "List"):
                try:
                    return list_of(declared_type(inner, names, source))
                except ValueError as error:
                    raise source.refusal(node, str(error)) from None
        case ast.Name() | ast.Attribute():
            meaning = named(node, names)
            if isinstance(meaning, Type) and meaning.type in _OF_LOCALS:
                return _OF_LOCALS[meaning.type]
    raise source.refusal(node, f"{ast.unparse(node)} is no type here", _HINT)


def named(node: ast.expr, names: Names) -> Meaning | None:
    """What a name, or an attribute of a module, means."""
    match node:
        case ast.Name(id=name):
            return names(name)
        case ast.Attribute(value=value, attr=name):
            inner = named(value, names)
            if isinstance(inner, Module):
                return attribute(inner.module, name)
            if isinstance(inner, Type) and inner.type is datetime.datetime:
                return None
    return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _quoted(text: str, node: ast.expr, source: Source) -> ast.expr:
    try:
        inner = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise source.refusal(node, f"{text!r} is no type", _HINT) from None
    return ast.fix_missing_locations(ast.copy_location(inner, node))
