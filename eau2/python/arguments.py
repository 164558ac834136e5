"""How the arguments of Python's own words are given: by position, by name, as a generator.

Owns: `SIGNATURES`, in which the parameters of words stand as CPython has them, and what of a word
is a list to go over. Comes in: a word, its arguments, and those that were given by name. Goes out:
the arguments in the order of the parameters. Does not know: types, what a word computes.

A word that is not in the table takes no argument by name. Where one version of CPython that eau2
runs with takes a name and another does not, it is not taken.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from eau2.operators.expr import Expr
from eau2.python.kinds import Refusal, literal
from eau2.records import Record

_MOMENT = "year, month, day, hour=0, minute=0, second=0, microsecond=0"
_PARTS = "year=..., month=..., day=..."

SIGNATURES: Mapping[str, str] = {
    "round": "number, ndigits=None",
    "int": "x, /, base=10",
    "str": "object=''",
    "pow": "base, exp",
    "sum": "iterable, /, start=0",
    "sorted": "iterable, /, *, reverse=False",
    "min": "*values, default=...",
    "max": "*values, default=...",
    "math.isclose": "a, b, *, rel_tol=1e-09, abs_tol=0.0",
    "math.prod": "iterable, /, *, start=1",
    "datetime.date": "year, month, day",
    "datetime.datetime": _MOMENT,
    "str.split": "sep=None, maxsplit=-1",
    "str.rsplit": "sep=None, maxsplit=-1",
    "str.splitlines": "keepends=False",
    "str.expandtabs": "tabsize=8",
    "datetime.date.replace": _PARTS,
    "datetime.date.strftime": "format",
    "datetime.datetime.replace": f"{_PARTS}, hour=..., minute=..., second=..., microsecond=...",
    "datetime.datetime.strftime": "format",
    "datetime.datetime.isoformat": "sep='T', timespec='auto'",
}
"""The parameters of the words that take names: of functions, and of methods by their type.

They stand as `inspect.signature` shows them where it can, without self and without those that are
not there. A default that is ... depends on the receiver, or on what else is given.
"""

_KEY = "Sort a list of what decides; or make rows of the elements, and ORDER BY in SQL."
_NO_ZONE = "There are no time zones here: write it in UTC."
_NOT_THERE: Mapping[tuple[str, str], str] = {
    ("sorted", "key"): _KEY,
    ("min", "key"): "Keep the best and its key in a loop: if len(x) < best: ...",
    ("max", "key"): "Keep the best and its key in a loop: if len(x) > best: ...",
    ("pow", "mod"): "Write pow(base, exp) % mod.",
    **{
        (word, name): _NO_ZONE
        for word in ("datetime.datetime", "datetime.datetime.replace")
        for name in ("tzinfo", "fold")
    },
}
"""Names that CPython takes, and that are not there: what to write."""

OVER_LISTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("any", "all", "sum", "min", "max", "sorted", "list"), (0,)),
    **dict.fromkeys(("math.fsum", "math.prod", "str.join"), (0,)),
    "math.dist": (0, 1),
}
"""The words that take whatever can be gone over, generators too, and the places where they do."""

OF_RANGES: frozenset[str] = frozenset({*OVER_LISTS, "len", "bool"})
"""The words to which a range is as good as a list of its numbers."""


class _Parameters(Record, frozen=True):
    """names: all, in order. positional: so many have no name for callers. by_position: so many can
    be given without their names, None for any number. defaults: by name, where there are any.
    """

    names: tuple[str, ...]
    positional: int
    by_position: int | None
    defaults: Mapping[str, Any]


@cache
def _parameters(word: str) -> _Parameters | None:
    text = SIGNATURES.get(word)
    if text is None:
        return None
    (function,) = ast.parse(f"def word({text}): ...").body
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    listed = [*given.posonlyargs, *given.args]
    values = given.defaults
    defaults = dict(zip(listed[len(listed) - len(values) :], values, strict=True))
    defaults |= {
        name: value
        for name, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if value is not None
    }
    return _Parameters(
        tuple(parameter.arg for parameter in (*listed, *given.kwonlyargs)),
        len(given.posonlyargs),
        None if given.vararg is not None else len(listed),
        {parameter.arg: ast.literal_eval(value) for parameter, value in defaults.items()},
    )


def word_of(kind: str, method: str) -> str:
    """The word that a method of a type is: datetime.date.replace."""
    module = "datetime." if kind in ("date", "datetime") else ""
    return f"{module}{kind}.{method}"


def arranged(
    word: str, shown: str, args: Sequence[Expr], named: Mapping[str, Expr]
) -> Sequence[Expr]:
    """The arguments in the order of the parameters; what is left out before one is its default.

    shown: how messages write the word. Raises Refusal for a name that the word does not take.
    """
    places = matched(word, shown, args, named)
    if places is None:
        return args
    found = _parameters(word)
    assert found is not None
    result: list[Expr] = []
    last = max((found.names.index(name) for name in places), default=-1)
    for name in found.names[: last + 1]:
        if name not in places and name not in found.defaults:
            raise Refusal(f"{shown} needs its argument {name}", _taken(word))
        result.append(places[name] if name in places else literal(found.defaults[name]))
    return result


def matched(
    word: str, shown: str, args: Sequence[Expr], named: Mapping[str, Expr]
) -> dict[str, Expr] | None:
    """Each argument by the name of its parameter; None for a word of which none matters."""
    found = _parameters(word)
    for name in named:
        refusal = refused_name(word, shown, name)
        if refusal is not None:
            raise refusal
    if found is None or found.by_position is None:
        return None
    if len(args) > found.by_position:
        if found.by_position == len(found.names):
            # How many there are is said by the word itself.
            return None
        name = found.names[found.by_position]
        raise Refusal(
            f"{shown} takes only {found.by_position} by position, not {len(args)}",
            f"Write {name}= before it.",
        )
    places = dict(zip(found.names, args, strict=False))
    twice = [name for name in named if name in places]
    if twice:
        raise Refusal(
            f"{shown} is given {twice[0]} by its position and by its name",
            f"Leave {twice[0]}= out.",
        )
    return {**places, **named}


def refused_name(word: str, shown: str, name: str) -> Refusal | None:
    """What is said of an argument with a name that the word does not take."""
    found = _parameters(word)
    if found is None:
        return Refusal(
            f"{shown} takes its arguments by their positions only", f"Leave {name}= out."
        )
    if name in found.names[: found.positional]:
        return Refusal(f"{shown} takes {name} by its position only", f"Leave {name}= out.")
    if name not in found.names:
        hint = _NOT_THERE.get((word, name), _taken(word))
        return Refusal(f"{shown} takes no argument {name}= here", hint)
    return None


def _taken(word: str) -> str:
    return f"It is {word.rpartition('.')[2]}({SIGNATURES[word]})."
