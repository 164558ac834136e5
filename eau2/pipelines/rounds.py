"""Rounds: a part of a pipeline that is repeated on what it gave, until that is enough.

Owns: the loop, its bound, and that columns and their types stay what they were. Comes in: the rows
that it begins with, a step, a condition. Goes out: the rows of the last round. Does not know: how a
round is computed or where its rows are kept; those of the round before are let go of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

from eau2.errors import DataError, UsageError

_WHOLE = frozenset(
    f"{sign}{name}"
    for sign in ("", "U")
    for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
"""Types between which a value is the same or an error."""


class Repeated(Protocol):
    """What is repeated: a pipeline."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""

    def types(self) -> dict[str, str]:
        """The types of the columns."""

    def select(self, *names: str) -> Self:
        """Columns in an order."""

    def as_types(self, types: dict[str, str]) -> Self:
        """Columns in other types."""

    def cached(self) -> Self:
        """The rows, computed and kept."""

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows."""


P = TypeVar("P", bound=Repeated)


def iterate(
    start: P,
    step: Callable[[P], P],
    until: Callable[[P, P], P | bool] | None,
    rounds_max: int | None,
) -> P:
    """The rows of the last round. See Pipeline.iterate."""
    bound = _bound(rounds_max)
    before = start.cached()
    types = before.types()
    for _ in range(bound):
        after = _like_before(before, step(before), types).cached()
        if until is not None and _holds(until(before, after)):
            return after
        before = after
    if until is not None:
        raise DataError(
            f"after {bound} rounds `until` was not true yet",
            hint="Allow more of them (rounds_max), or see whether `until` can become true.",
        )
    return before


def _bound(rounds_max: int | None) -> int:
    if rounds_max is None:
        raise UsageError(
            "iterate needs a bound on its rounds",
            hint="Write rounds_max=100: it may end before that, when `until` is true.",
        )
    if isinstance(rounds_max, bool) or not isinstance(rounds_max, int) or rounds_max < 1:
        raise UsageError(f"rounds_max is a number from 1 on, not {rounds_max!r}")
    return rounds_max


def _like_before(before: P, after: object, types: dict[str, str]) -> P:
    """What a step gave, in the columns and types of what it was given."""
    if not isinstance(after, type(before)):
        raise UsageError(
            f"the step of iterate gave {type(after).__name__}, not a pipeline",
            hint="Have it return the pipeline that it makes of the one that it is given.",
        )
    if {name.casefold() for name in after.columns} != {name.casefold() for name in types}:
        raise UsageError(
            f"a round begins with the columns {', '.join(types)} and ends with "
            f"{', '.join(after.columns)}",
            hint="Have the step give the same columns, with select, rename or map.",
        )
    after = after.select(*types)
    casts: dict[str, str] = {}
    for (name, wanted), found in zip(types.items(), after.types().values(), strict=True):
        if found == wanted:
            continue
        if not {found, wanted} <= _WHOLE:
            raise UsageError(
                f'the column "{name}" is {wanted} before a round and {found} after it',
                hint=f"Begin with {found}, or cast at the end of the step.",
            )
        casts[name] = wanted
    return after.as_types(casts) if casts else after


def _holds(answer: Repeated | bool) -> bool:
    if isinstance(answer, bool):
        return answer
    if not hasattr(answer, "rows"):
        raise _no_answer(type(answer).__name__)
    values = [value for row in answer.rows() for value in row]
    if len(values) != 1:
        raise _no_answer(f"{len(values)} values")
    return bool(values[0])


def _no_answer(what: str) -> UsageError:
    return UsageError(
        f"`until` gave {what}, neither a bool nor one value",
        hint="Compare numbers, as in before.count() == after.count(), or reduce to one value.",
    )
