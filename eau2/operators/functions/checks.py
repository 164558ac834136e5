"""How a computation fails: the columns of a kernel call that raise, and the message they carry.

Owns: `Scope` (what is known where an expression is lowered), the raising idiom, the marker that
carries a message through a kernel engine's exception, and `diagnosis`, which takes it out again.
Comes in: conditions under which a value must not be. Goes out: Polars expressions.
Does not know: functions, SQL types.

Polars computes silently where SQL raises, and it cannot raise on request. What it does raise on is
a strict cast of a value that does not fit, so a forbidden row is turned into such a value. The
quick form says only that something failed. In a second run with `diagnose` the value is a text
that holds the message, and Polars quotes the first few texts in its exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from eau2.errors import ConversionError, Error, NotSupportedError, OutOfRangeError
from eau2.operators.expr import Expr

MARK = "\u241f"
"""Stands before and after a message inside the text of a Polars exception."""

_CODES: dict[str, type[Error]] = {
    "range": OutOfRangeError,
    "conversion": ConversionError,
    "unsupported": NotSupportedError,
}
_MARKED = re.compile(f"{MARK}eau2:([a-z]+):(.*?){MARK}", re.DOTALL)
_EXPRESSION = "This error occurred in the following expression"

Lower = Callable[[Expr, bool, "pl.Expr | None"], pl.Expr]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression is lowered.

    diagnose: failures shall carry their message. guard: true for the rows that count; on the
    others (NULL included) nothing may fail, and the value does not matter. recurse: lowers a
    sub-expression. can_fail: whether an expression raises on some rows.
    """

    recurse: Lower
    can_fail: Callable[[Expr], bool]
    diagnose: bool = False
    guard: pl.Expr | None = None

    def lower(self, expr: Expr) -> pl.Expr:
        """A sub-expression, evaluated for the same rows."""
        return self.recurse(expr, self.diagnose, self.guard)

    def within(self, condition: pl.Expr) -> Scope:
        """The scope of the rows for which `condition` is true as well."""
        guard = condition if self.guard is None else self.guard & condition
        return replace(self, guard=guard)

    def guarded(self, value: pl.Expr) -> pl.Expr:
        """`value` on the rows that count, NULL elsewhere."""
        return value if self.guard is None else pl.when(self.guard).then(value)


Problem = Callable[[], tuple[str, tuple["str | pl.Expr", ...]]]
"""Makes the code and the parts of a message; called only when diagnosing."""


def problem(code: str, *parts: str | pl.Expr) -> Problem:
    """A message of fixed texts and columns."""
    return lambda: (code, parts)


def _text(code: str, parts: tuple[str | pl.Expr, ...]) -> pl.Expr:
    pieces = [part if isinstance(part, pl.Expr) else pl.lit(part) for part in parts]
    cast = [piece.cast(pl.String) for piece in pieces]
    return pl.concat_str(pl.lit(f"{MARK}eau2:{code}:"), *cast, pl.lit(MARK), ignore_nulls=True)


def _zero_or_raise(bad: pl.Expr, what: Problem, scope: Scope) -> pl.Expr:
    """A column of zeros that raises where `bad` is true."""
    if scope.diagnose:
        code, parts = what()
        return pl.when(bad).then(_text(code, parts)).otherwise(pl.lit("0")).cast(pl.UInt8)
    wrong = pl.when(bad).then(pl.lit(256, pl.Int16)).otherwise(pl.lit(0, pl.Int16))
    return wrong.cast(pl.UInt8)


def raise_where(value: pl.Expr, bad: pl.Expr, what: Problem, scope: Scope) -> pl.Expr:
    """`value`, or a failure if `bad` is true on a row that counts. NULL in `bad` is false."""
    failing = bad if scope.guard is None else scope.guard & bad
    return pl.when(_zero_or_raise(failing, what, scope) == 0).then(value)


def narrow(value: pl.Expr, dtype: pl.DataType, what: Problem, scope: Scope) -> pl.Expr:
    """An integer column in a narrower integer dtype, or a failure if a value does not fit."""
    kept = scope.guarded(value)
    if not scope.diagnose:
        return kept.cast(dtype)
    lost = kept.is_not_null() & kept.cast(dtype, strict=False).is_null()
    return raise_where(kept.cast(dtype, strict=False), lost, what, scope)


def diagnosis(text: str) -> Error | None:
    """The error that the text of a kernel exception carries; None if it carries none."""
    found = _MARKED.search(text.split(_EXPRESSION, 1)[0])
    if found is None:
        return None
    return _CODES[found[1]](found[2])
