"""Open conditions: what CASE, COALESCE and the like say as AND and OR, where a row is kept or not.

Owns: `opened`, for conditions of which only it matters for which rows they are true. Comes in:
bound conditions. Goes out: conditions that are true for the same rows, and that raise for no more.
Does not know: plans, statistics.

A function that returns early is a CASE: CASE WHEN c THEN r ELSE o END keeps the rows for which c
and r are true, and those for which c is not and o is. What can raise is computed only where it was
before: by a part on the right of one that cannot, whose value is never NULL. Where that is not to
be had the CASE stays, beside what it implies.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.operators.expr import (
    Call,
    Case,
    Expr,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    conjunction,
    conjuncts,
    moved,
    size_of,
    walk,
)
from eau2.operators.facts import COMPARISONS, NEGATED, can_raise
from eau2.operators.functions.let import LET
from eau2.operators.lowering import can_fail
from eau2.planner.disjunction import disjunction, disjuncts
from eau2.planner.nulls import is_never_null
from eau2.records import replace
from eau2.types import BOOLEAN

Mode = Callable[[Expr], Expr]
"""From an expression to a condition that is true where that one is true, or false, or either."""

_TRUE, _FALSE = Literal(BOOLEAN, True), Literal(BOOLEAN, False)
_REPEATED_NODES = 16
"""A condition of at most so many nodes may be written twice."""
_LARGEST_NODES, _DEEPEST = 400, 64
_OPENED = frozenset({"coalesce", "is_distinct", "is_not_distinct", LET})
_NO_COLUMNS: frozenset[int] = frozenset()


def is_closed(expr: Expr) -> bool:
    """Whether there is anything in the condition that `opened` writes otherwise."""
    return any(
        isinstance(node, Case) or (isinstance(node, Call) and node.function in _OPENED)
        for node in walk(expr)
    )


def opened(expr: Expr, most_nodes: int = _LARGEST_NODES) -> Expr:
    """A condition that is true for the same rows; where it was NULL it may be false.

    One of more nodes than that is left as it is: what is looked at grows with its square.
    """
    return _true(expr) if is_closed(expr) and _is_small(expr, most_nodes) else expr


def opened_filter(expr: Expr) -> Expr:
    """The same of a filter, whose parts guard each other where they are NULL as well."""
    parts = [part for given in conjuncts(expr) for part in conjuncts(opened(given))]
    return conjunction(tuple(dict.fromkeys(piece for part in parts for piece in _taken_out(part))))


def _taken_out(part: Expr) -> list[Expr]:
    """A let that is part of a filter, after what its result says without its values.

    Where a value can raise nothing is taken out: fewer rows would compute it.
    """
    match part:
        case Call(function="let", args=(*values, Lambda(parameters=own, body=body) as last)):
            if own and not any(map(can_raise, values)):
                pieces = conjuncts(body)
                kept = [piece for piece in pieces if _without(piece, own) is not piece]
                found = [_without(piece, own) for piece in pieces]
                outside = [moved(f, 1, 0) for f in found if f is not None and not can_raise(f)]
                if any(map(can_fail, kept)):
                    # They are guarded by the others.
                    kept = list(pieces)
                result = replace(last, body=conjunction(tuple(kept)))
                return [*outside, replace(part, args=(*values, result))]
    return [part]


def _without(expr: Expr, own: tuple[Expr, ...]) -> Expr | None:
    """What the condition says without these parameters; itself if it reads none of them."""
    if not any(node in own for node in walk(expr) if isinstance(node, LambdaParameter)):
        return expr
    match expr:
        case Call(function="and"):
            found = [_without(part, own) for part in conjuncts(expr)]
            said = tuple(part for part in found if part is not None)
            return conjunction(said) if said else None
        case Call(function="or"):
            found = [_without(part, own) for part in disjuncts(expr)]
            every = tuple(part for part in found if part is not None)
            return disjunction(every) if len(every) == len(found) else None
    return None


def _is_small(expr: Expr, most_nodes: int) -> bool:
    """Whether it has so many nodes at most, and is not nested so deep that calls run out."""
    waiting = [(expr, 1)]
    nodes = 0
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if nodes > most_nodes or depth > _DEEPEST:
            return False
        waiting += [(child, depth + 1) for child in node.children]
    return True


def _true(expr: Expr) -> Expr:
    """True where `expr` is."""
    match expr:
        case Literal(value=None):
            return _FALSE
        case Call(function="or", args=args):
            return expr.with_children(tuple([_true(arg) for arg in args]))
        case Call(function="and"):
            return _all([_true(part) for part in conjuncts(expr)])
        case Call(function="not", args=(arg,)):
            return _false(arg)
        case Call(function="coalesce", args=(arg, Literal(value=bool() as value))):
            return _true_or_null(arg) if value else _true(arg)
        case Call(function="is_not_distinct" | "is_distinct" as name, args=(left, right)):
            return _same(expr, left, right) if name == "is_not_distinct" else _differs(expr)
        case InList(has_null=True):
            return replace(expr, has_null=False)
    return _branched(expr, _true)


def _false(expr: Expr) -> Expr:
    """True where `expr` is false, and not where it is NULL."""
    match expr:
        case Literal(value=value):
            return _TRUE if value is False else _FALSE
        case Call(function="and", args=args):
            return Call(BOOLEAN, "or", tuple([_false(arg) for arg in args]))
        case Call(function="or"):
            return _all([_false(part) for part in disjuncts(expr)])
        case Call(function="not", args=(arg,)):
            return _true(arg)
        case Call(function="coalesce", args=(arg, Literal(value=bool() as value))):
            return _false(arg) if value else _not_true(arg)
        case Call(function="is_distinct", args=(left, right)):
            return _same(replace(expr, function="is_not_distinct"), left, right)
        case Call(function="is_not_distinct"):
            return _differs(replace(expr, function="is_distinct"))
        case Call(function=name) if name in NEGATED:
            return replace(expr, function=NEGATED[name])
        case Case() | Call(function="let"):
            return _branched(expr, _false)
    return Call(BOOLEAN, "not", (expr,))


def _not_true(expr: Expr) -> Expr:
    """True where `expr` is false or NULL, and nowhere else."""
    match expr:
        case Literal(value=value):
            return _FALSE if value else _TRUE
        case Call(function="and", args=args):
            return Call(BOOLEAN, "or", tuple([_not_true(arg) for arg in args]))
        case Call(function="or"):
            return _all([_not_true(part) for part in disjuncts(expr)])
        case Call(function="not", args=(arg,)):
            return _true_or_null(arg)
        case Call(function="coalesce", args=(arg, Literal(value=bool() as value))):
            return _false(arg) if value else _not_true(arg)
        case InList(has_null=True):
            return _not_true(replace(expr, has_null=False))
        case Case() | Call(function="let"):
            return _branched(expr, _not_true)
    if is_never_null(expr, _NO_COLUMNS):
        return _false(expr)
    missing = _missing(expr)
    if missing is not None:
        return Call(BOOLEAN, "or", (_false(expr), missing))
    return Call(BOOLEAN, "not", (Call(BOOLEAN, "coalesce", (expr, _FALSE)),))


def _true_or_null(expr: Expr) -> Expr:
    """True where `expr` is true or NULL, and nowhere else."""
    match expr:
        case Literal(value=value):
            return _FALSE if value is False else _TRUE
        case Call(function="or", args=args):
            return expr.with_children(tuple([_true_or_null(arg) for arg in args]))
        case Call(function="and"):
            return _all([_true_or_null(part) for part in conjuncts(expr)])
        case Call(function="not", args=(arg,)):
            return _not_true(arg)
        case Call(function="coalesce", args=(arg, Literal(value=bool() as value))):
            return _true_or_null(arg) if value else _true(arg)
        case Case() | Call(function="let"):
            return _branched(expr, _true_or_null)
    if is_never_null(expr, _NO_COLUMNS):
        return _true(expr)
    missing = _missing(expr)
    if missing is not None:
        return Call(BOOLEAN, "or", (expr, missing))
    return Call(BOOLEAN, "coalesce", (expr, _TRUE))


def _missing(expr: Expr) -> Expr | None:
    """Where a comparison is NULL: where an operand is. None where that would be long to say."""
    match expr:
        case Call(function=name, args=args) if name in COMPARISONS:
            operands = [arg for arg in args if not isinstance(arg, Literal)]
        case InList(arg=arg, has_null=False):
            operands = [arg]
        case _:
            return None
    if can_raise(expr) or any(size_of(operand) > _REPEATED_NODES for operand in operands):
        return None
    missing: Expr | None = None
    for operand in operands:
        null = Call(BOOLEAN, "is_null", (operand,))
        missing = null if missing is None else Call(BOOLEAN, "or", (missing, null))
    return missing


def _same(expr: Expr, left: Expr, right: Expr) -> Expr:
    """IS NOT DISTINCT FROM a value is an equality, as far as it is true."""
    valued = any(isinstance(side, Literal) and side.value is not None for side in (left, right))
    return replace(expr, function="=") if valued and isinstance(expr, Call) else expr


def _differs(expr: Call) -> Expr:
    """IS DISTINCT FROM a value is an inequality, or there is none."""
    same = _same(expr, *expr.args)
    if same is expr:
        return expr
    unequal = replace(expr, function="<>")
    missing = _missing(unequal)
    return expr if missing is None else Call(BOOLEAN, "or", (unequal, missing))


def _branched(expr: Expr, mode: Mode) -> Expr:
    """What has its value from one of several places, with the mode where those are."""
    match expr:
        case Case(branches=branches, otherwise=otherwise):
            rest = mode(otherwise)
            if otherwise == branches[-1][0] and mode in (_true, _not_true):
                # It is taken where it is not true.
                rest = mode(_FALSE)
            for condition, value in reversed(branches):
                taken = mode(_TRUE if value == condition else value)
                rest = _chosen(condition, taken, rest)
            return rest
        case Call(function="let", args=(*values, Lambda() as last)):
            return replace(expr, args=(*values, replace(last, body=mode(last.body))))
    return expr


def _chosen(condition: Expr, taken: Expr, otherwise: Expr) -> Expr:
    """True where the condition and `taken` are, or `otherwise` is and the condition is not."""
    fails = can_fail(taken) or can_fail(otherwise)
    if can_raise(condition) or (fails and can_fail(condition)):
        # What can fail guards nothing.
        return _case(_true(condition), taken, otherwise)
    if taken == otherwise:
        return taken
    if otherwise == _FALSE:
        return _all([_true(condition), taken])
    if taken == _TRUE:
        return Call(BOOLEAN, "or", (_true(condition), otherwise))
    if taken == _FALSE:
        return _all([_not_true(condition), otherwise])
    if otherwise == _TRUE:
        return Call(BOOLEAN, "or", (_not_true(condition), taken))
    if fails or size_of(condition) > _REPEATED_NODES:
        return _case(_true(condition), taken, otherwise)
    both = Call(BOOLEAN, "and", (_true(condition), taken))
    neither = Call(BOOLEAN, "and", (_not_true(condition), otherwise))
    return Call(BOOLEAN, "or", (both, neither))


def _all(parts: list[Expr]) -> Expr:
    """True where all parts are. Under AND what can fail is computed where those before it are NULL,
    too; there it gets a guard of its own.
    """
    made: dict[Expr, None] = {}
    before: list[Expr] = []
    for part in parts:
        fails = can_fail(part)
        if fails and not all(map(_is_decided, before)):
            guard = conjunction(tuple(before))
            if not (isinstance(part, Case) and part.branches[0][0] == guard):
                part = _case(guard, part, _FALSE)
        for piece in conjuncts(part):
            made[piece] = None
            before += [] if fails else [piece]
    return conjunction(tuple(made))


def _is_decided(expr: Expr) -> bool:
    """Whether a condition is true or false, and never NULL."""
    match expr:
        case Call(function="or", args=(left, right)) if right == _missing(left):
            return True
        case Call(function="and" | "or", args=args):
            return all(map(_is_decided, args))
    return is_never_null(expr, _NO_COLUMNS)


def _case(condition: Expr, value: Expr, otherwise: Expr) -> Expr:
    """One CASE of what may be several in one another."""
    branches = ((condition, value),)
    if isinstance(otherwise, Case):
        return Case(BOOLEAN, branches + otherwise.branches, otherwise.otherwise)
    return Case(BOOLEAN, branches, otherwise)
