"""Whether a fragment is small: surely within the limits of what may be sent, whatever its form.

Owns: a quick look at a tree, which is enough for most statements. Comes in: an operator tree; goes
out: yes, or that it has to be encoded to be measured. Does not know: how it is encoded.
"""

from __future__ import annotations

from inspect import get_annotations
from typing import Any

from eau2.config import LIMITS
from eau2.operators.base import Operator
from eau2.operators.expr import Column
from eau2.records import Record
from eau2.records import names as fields
from eau2.types import SqlType

_LEAF_LEVELS = 16
"""How deep columns and types are at most, which are not looked into to see that a tree is small."""

_FLAT = ("SqlType", "Column", "tuple[Column, ...]", "bool", "int", "float")

_nesting: dict[type[Any], tuple[str, ...]] = {Column: (), SqlType: ()}
"""The fields that can make a tree deep or large: not those of one column, type or number."""


def is_small(root: Operator) -> bool:
    """Whether the tree has fewer parts than may be nested, and few characters."""
    parts, chars = LIMITS.fragment_depth - _LEAF_LEVELS, LIMITS.fragment_bytes // 2
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        parts -= 1
        if parts < 0 or chars < 0:
            return False
        class_ = type(value)
        if class_ is tuple:
            waiting.extend(value)
        elif class_ is str:
            chars -= len(value)
        else:
            names = _nesting.get(class_)
            if names is None:
                names = _nesting[class_] = _names(class_)
            for name in names:
                waiting.append(getattr(value, name))
    return chars >= 0


def _names(class_: type[Any]) -> tuple[str, ...]:
    if not issubclass(class_, Record):
        return ()
    bases = class_.__mro__
    hints = {name: hint for base in bases for name, hint in get_annotations(base).items()}
    return tuple(name for name in fields(class_) if hints[name] not in _FLAT)
