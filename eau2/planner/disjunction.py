"""Disjunctions: what an OR of ANDs says in every branch, and about one side alone.

Owns: taking ORs apart and putting them together. Pure functions on expressions.
Does not know: plans.
"""

from __future__ import annotations

from eau2.operators.expr import Call, Expr, Literal, chain, columns_of, conjunction, conjuncts
from eau2.operators.facts import can_raise
from eau2.types import BOOLEAN


def disjuncts(expr: Expr) -> tuple[Expr, ...]:
    """The parts of a disjunction, in order."""
    if isinstance(expr, Call) and expr.function == "or":
        return tuple(part for arg in expr.args for part in disjuncts(arg))
    return (expr,)


def disjunction(parts: tuple[Expr, ...]) -> Expr:
    """The parts joined by OR; FALSE for none."""
    if not parts:
        return Literal(BOOLEAN, False)
    return chain("or", parts)


def factor(expr: Expr) -> tuple[Expr, ...]:
    """Conjuncts that together mean `expr`: `(a AND b) OR (a AND c)` gives a, `b OR c`.

    True in three-valued logic as well, since AND distributes over OR there.
    """
    branches = [conjuncts(branch) for branch in disjuncts(expr)]
    if len(branches) < 2:
        return (expr,)
    common = tuple(
        part
        for part in dict.fromkeys(branches[0])
        if not can_raise(part) and all(part in branch for branch in branches[1:])
    )
    if not common:
        return (expr,)
    rests = [tuple(part for part in branch if part not in common) for branch in branches]
    if not all(rests):
        return common
    rest = disjunction(tuple(conjunction(parts) for parts in rests))
    return common + factor(rest)


def implied(expr: Expr, side: frozenset[int]) -> tuple[Expr, ...]:
    """What the disjunction `expr` being true says about the columns of `side` alone, if anything.

    `(a1 AND b1) OR (a2 AND b2)` implies `a1 OR a2`.
    """
    branches = disjuncts(expr)
    if len(branches) < 2:
        return ()
    found: list[Expr] = []
    for branch in branches:
        parts = tuple(
            part
            for part in conjuncts(branch)
            if columns_of(part) and columns_of(part) <= side and not can_raise(part)
        )
        if not parts:
            return ()
        found.append(conjunction(parts))
    return factor(disjunction(tuple(dict.fromkeys(found))))
