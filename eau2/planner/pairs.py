"""Joins of which some keys take NULL as a value and others do not.

Owns: `join_on`. Comes in: two plans and what their rows must fulfil. Goes out: a Join, whose keys
are all of one kind. Does not know: where the keys come from.
"""

from __future__ import annotations

from eau2.operators.expr import Call, Column, Expr, JoinKind, conjunction
from eau2.planner.nulls import is_never_null, never_null
from eau2.records import replace
from eau2.sql.logical import Filter, Join, Logical
from eau2.types import BOOLEAN

Pairs = tuple[tuple[Expr, Expr], ...]


def join_on(
    kind: JoinKind,
    left: Logical,
    right: Logical,
    strict: Pairs = (),
    safe: Pairs = (),
    rest: tuple[Expr, ...] = (),
    mark: Column | None = None,
) -> Join:
    """The join of the rows with `strict` equal and not NULL, `safe` not distinct, `rest` true.

    Where one side of a safe pair is never NULL it is a strict one. Where both kinds remain, rows
    with NULL in a strict key are taken away, or kept from pairing, beforehand.
    """
    if safe:
        ours, theirs = never_null(left), never_null(right)
        sure = tuple(p for p in safe if is_never_null(p[0], ours) or is_never_null(p[1], theirs))
        strict += sure
        safe = tuple(pair for pair in safe if pair not in sure)
        needed = tuple(b for _, b in strict if not is_never_null(b, theirs)) if safe else ()
        present = tuple(Call(BOOLEAN, "is_not_null", (b,)) for b in needed)
        if present and kind in ("right", "full"):
            rest += present
        elif present:
            right = Filter(right, conjunction(present))
    condition = conjunction(rest) if rest else None
    if kind in ("inner", "cross"):
        kind = "inner" if strict or safe or rest else "cross"
    return Join(kind, left, right, strict + safe, condition, bool(safe), mark)


def flipped(join: Join) -> Join:
    """A right join as a left one: the same pairs, the columns of its sides exchanged."""
    pairs = tuple((b, a) for a, b in join.equalities)
    return replace(join, kind="left", left=join.right, right=join.left, equalities=pairs)
