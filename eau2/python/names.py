"""What the names in a function mean: constants, words of Python, modules, other functions.

Owns: `Meaning` and its kinds, and looking a name up by the identity of what it is bound to, so that
`import math as m` and `from math import log as ln` mean what they say. Comes in: what a live
function sees around it, or the imports of a text. Goes out: meanings.
Does not know: what a word computes (vocabulary.py).
"""

from __future__ import annotations

import ast
import builtins
import datetime
import math
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Protocol, runtime_checkable

import eau2.math
from eau2.math import AGGREGATES
from eau2.operators.user_functions import UserFunction
from eau2.python import refused
from eau2.python.source import Source
from eau2.python.vocabulary import BUILTINS, MATH
from eau2.records import Record

MODULES: dict[str, ModuleType] = {
    "math": math,
    "datetime": datetime,
    "eau2.math": eau2.math,
}
"""Modules that a text may import; nothing of them is run."""

_MOMENTS = (datetime.date, datetime.datetime, datetime.timedelta)
_TYPES = (bool, int, float, str, list, *_MOMENTS)
_CONSTANTS = (bool, int, float, str, list, tuple, set, frozenset, dict, *_MOMENTS)


class Constant(Record, frozen=True):
    """A value, captured when the function is defined."""

    value: Any


class Word(Record, frozen=True):
    """A function of Python that the vocabulary has: len, math.sqrt, datetime.date."""

    name: str


class AggregateWord(Record, frozen=True):
    """An aggregate function of eau2.math, by its name in SQL."""

    name: str


class Module(Record, frozen=True):
    """A module, whose attributes are meanings in turn."""

    module: Any


class Defined(Record, frozen=True):
    """A function that is compiled already."""

    function: UserFunction


class Type(Record, frozen=True):
    """A type, which as a function converts."""

    type: Any


class Foreign(Record, frozen=True):
    """Anything else. what: how a message speaks of it."""

    what: str
    hint: str


Meaning = Constant | Word | AggregateWord | Module | Defined | Type | Foreign


@runtime_checkable
class Compiled(Protocol):
    """What a decorator made of a function: see decorators.py."""

    definition: UserFunction


Names = Callable[[str], Meaning | None]
"""What a name means; None when it means nothing."""


def around(function: FunctionType) -> Names:
    """What a live function sees: its closure, its module, the builtins."""
    closure: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            closure[name] = cell.cell_contents
        except ValueError:
            # It is bound only after the function is defined.
            continue
    return within({**function.__globals__, **closure})


def within(known: Mapping[str, Any]) -> Names:
    """What names mean where these objects are bound, and else the builtins."""

    def meaning(name: str) -> Meaning | None:
        if name in known:
            return meaning_of(known[name], name)
        if hasattr(builtins, name):
            return meaning_of(getattr(builtins, name), name)
        return None

    return meaning


def of_text(
    module: ast.Module, source: Source, known: Callable[[str], UserFunction | None]
) -> Names:
    """What names mean in a text: what it imports, its constants, and functions that are known."""
    bound: dict[str, Any] = {}
    for statement in module.body:
        match statement:
            case ast.Import(names=aliases):
                for alias in aliases:
                    target = _module(alias.name, statement, source)
                    if alias.asname is None and "." in alias.name:
                        raise source.refusal(
                            statement, "a module inside a package", "Write: from eau2 import math"
                        )
                    bound[alias.asname or alias.name] = target
            case ast.ImportFrom(module=str(name), names=aliases, level=0):
                for alias in aliases:
                    bound[alias.asname or alias.name] = _imported(
                        name, alias.name, statement, source
                    )
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    bound[name] = ast.literal_eval(value)
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    raise source.refusal(
                        value, "outside the function only constants may be assigned"
                    ) from None
            case ast.FunctionDef() | ast.Expr(value=ast.Constant()):
                continue
            case _:
                raise source.refusal(
                    statement,
                    "beside the function only imports and constants may stand",
                    "Put it into the function.",
                )
    plain = within(bound)

    def meaning(name: str) -> Meaning | None:
        if name not in bound:
            function = known(name)
            if function is not None:
                return Defined(function)
        return plain(name)

    return meaning


def _module(name: str, node: ast.stmt, source: Source) -> ModuleType:
    module = MODULES.get(name)
    if module is None:
        listed = ", ".join(MODULES)
        raise source.refusal(
            node, f"the module {name} is not there", f"Modules that may be imported: {listed}."
        )
    return module


def _imported(module: str, name: str, node: ast.stmt, source: Source) -> Any:
    if (module, name) == ("eau2", "math"):
        return eau2.math
    if module == "__future__":
        return None
    found = _module(module, node, source)
    if name.startswith("_") or not hasattr(found, name):
        raise source.refusal(node, f"the module {module} has no {name}")
    return getattr(found, name)


def attribute(module: ModuleType, name: str) -> Meaning | None:
    """What an attribute of a module means; None when it has none of that name."""
    if module not in MODULES.values():
        return Foreign(
            f"the module {module.__name__}", f"Modules that are there: {', '.join(MODULES)}."
        )
    if name.startswith("_") or not hasattr(module, name):
        return None
    return meaning_of(getattr(module, name), f"{module.__name__}.{name}")


def meaning_of(value: Any, name: str) -> Meaning:
    """What a name means that is bound to `value`."""
    if isinstance(value, Compiled) and isinstance(value.definition, UserFunction):
        return Defined(value.definition)
    if isinstance(value, ModuleType):
        return Module(value)
    if value is None or type(value) in _CONSTANTS:
        return Constant(value)
    if any(value is type_ for type_ in _TYPES):
        return Type(value)
    for module, label in ((eau2.math, "math"), (math, "math")):
        word = getattr(value, "__name__", "")
        if word and getattr(module, word, None) is value:
            if module is eau2.math and word in AGGREGATES:
                return AggregateWord(AGGREGATES[word])
            if word in MATH:
                return Word(f"{label}.{word}")
            return Foreign(f"{name} of the module math", f"There are: {', '.join(sorted(MATH))}.")
    word = getattr(value, "__name__", "")
    if word in BUILTINS and getattr(builtins, word, None) is value:
        return Word(word)
    if word in refused.WORDS and getattr(builtins, word, None) is value:
        return Foreign(f"{name} is not there", refused.WORDS[word])
    if isinstance(value, FunctionType):
        return Foreign(
            f"{name} is a function that is not compiled",
            f"Decorate it with @eau2.function, so that {name} can be called.",
        )
    return Foreign(
        f"{name} is a {type(value).__name__}",
        "Functions see constants (numbers, texts, dates, lists, sets, dicts) and compiled ones.",
    )
