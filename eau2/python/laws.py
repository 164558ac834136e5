"""The laws of an aggregate class, tried out on random rows when it is defined.

Owns: which laws there are, and the rows that they are tried on. Comes in: a class and the types of
what its step takes. Goes out: nothing, or `Broken` with an example. Does not know: operators.

With fold(rows) for a state that has stepped through rows, and init for one that has not:
merge(fold(A), fold(B)) is fold(A + B), merge(merge(a, b), c) is merge(a, merge(b, c)), and init
merged with a, on either side, is a. A reduction over such a merge may be cut anywhere (R. Bird, The
Algebra of Programming: homomorphisms of lists).
"""

from __future__ import annotations

import copy
import datetime
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from eau2.types import Kind, SqlType

_ROUNDS = 200
_SEED = 8
_TOLERANCE = 1e-9

Row = tuple[Any, ...]


class Broken(Exception):
    """A law does not hold. method: which method is to blame."""

    def __init__(self, method: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.method, self.message, self.hint = method, message, hint


def check(kind: type, types: Sequence[SqlType]) -> None:
    """Try the laws on random rows. Raises Broken."""
    chance = random.Random(_SEED)
    for _ in range(_ROUNDS):
        parts = [_rows(types, chance) for _ in range(3)]
        try:
            _check(kind, parts)
        except Broken:
            raise
        except Exception as error:
            # Whatever the class raises, on rows as they may come, it would raise in a query.
            shown = [row for part in parts for row in part]
            raise Broken(
                "step",
                f"on the rows {shown} it raises {type(error).__name__}: {error}",
                "Let step and merge take every row; finish may test for what is missing.",
            ) from error


def _check(kind: type, parts: Sequence[Sequence[Row]]) -> None:
    a, b, c = parts
    whole = _folded(kind, [*a, *b])
    merged = _merged(_folded(kind, a), _folded(kind, b))
    if not _alike(whole, merged):
        raise Broken(
            "merge",
            f"merging is not stepping on: over {list(a)} and {list(b)} apart it is "
            f"{_shown(merged)}, over all of them {_shown(whole)}",
            "merge(self, other) must leave self as if it had stepped through the rows of other.",
        )
    left = _merged(_merged(_folded(kind, a), _folded(kind, b)), _folded(kind, c))
    right = _merged(_folded(kind, a), _merged(_folded(kind, b), _folded(kind, c)))
    if not _alike(left, right):
        raise Broken(
            "merge",
            f"merging is not associative: {_shown(left)} and {_shown(right)} for {list(parts)}",
            "merge(merge(a, b), c) must be merge(a, merge(b, c)).",
        )
    for one in (
        _merged(_folded(kind, ()), _folded(kind, a)),
        _merged(_folded(kind, a), _folded(kind, ())),
    ):
        if not _alike(one, _folded(kind, a)):
            raise Broken(
                "init",
                f"merging with a state that has seen no row changes {_shown(_folded(kind, a))} to "
                f"{_shown(one)}",
                "init must be neutral: 0 for a sum, None for an extreme.",
            )


def _folded(kind: type, rows: Sequence[Row]) -> Any:
    state: Any = kind()
    state.init()
    for row in rows:
        state.step(*row)
    return state


def _merged(one: Any, other: Any) -> Any:
    result = copy.copy(one)
    result.merge(copy.copy(other))
    return result


def _shown(state: Any) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in sorted(vars(state).items()))


def _alike(one: Any, other: Any) -> bool:
    """Whether two states are equal, floats up to their rounding."""
    left, right = vars(one), vars(other)
    return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)


def _rows(types: Sequence[SqlType], chance: random.Random) -> list[Row]:
    count = chance.choice((0, 1, 1, 2, 3, 5))
    return [tuple(_value(type_, chance) for type_ in types) for _ in range(count)]


def _value(type_: SqlType, chance: random.Random) -> Any:
    if type_.element is not None:
        return [_value(type_.element, chance) for _ in range(chance.randrange(4))]
    made = _VALUES.get(type_.kind)
    return None if made is None else made(chance)


_VALUES: dict[Kind, Callable[[random.Random], Any]] = {
    Kind.BIGINT: lambda chance: chance.randrange(-9, 10),
    Kind.DOUBLE: lambda chance: chance.randrange(-40, 41) / 4,
    Kind.BOOLEAN: lambda chance: chance.random() < 0.5,
    Kind.VARCHAR: lambda chance: "".join(chance.choice("abcß") for _ in range(chance.randrange(4))),
    Kind.DATE: lambda chance: datetime.date(2000, 1, 1) + datetime.timedelta(chance.randrange(900)),
    Kind.TIMESTAMP: lambda chance: (
        datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=chance.randrange(10**7))
    ),
}
