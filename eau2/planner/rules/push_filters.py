"""Push filters: each condition as far down as it may go, and equalities into joins.

Owns: where conditions are evaluated. Comes in: any plan. Goes out: the same rows from a plan whose
filters stand as near to the scans as is sound, whose cross joins have become equi-joins where an
equality connects their sides, and whose outer joins that a filter makes inner are inner.
Does not know: sizes, the order of joins.

A condition that can raise (see facts.can_raise) is never moved to where it would see rows that it
did not see before: it passes projections and sorts, and stops above anything that drops rows. One
exception, which DuckDB makes as well: an equality that alone connects two sides becomes the join's
key instead of a filter over their cross product, and is then computed for every row of its side.
"""

from __future__ import annotations

from eau2.config import LIMITS
from eau2.operators.expr import (
    Call,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    conjunction,
    conjuncts,
    ref,
    size_of,
    substitute,
    walk,
)
from eau2.operators.facts import can_raise, follows_equality, never_true
from eau2.planner.disjunction import factor, implied
from eau2.records import replace
from eau2.sql.logical import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Logical,
    Project,
    Sort,
    Union,
    Unnest,
    Window,
)
from eau2.sql.sharing import With
from eau2.types import BOOLEAN

Parts = tuple[Expr, ...]
Pairs = tuple[tuple[Expr, Expr], ...]


def push_filters(plan: Logical) -> Logical:
    """The rule."""
    return _push(plan, ())


def _push(plan: Logical, parts: Parts) -> Logical:
    """A plan that means: the rows of `plan` for which all of `parts` are true."""
    match plan:
        case Filter(input=below, condition=condition):
            own = tuple(piece for part in conjuncts(condition) for piece in factor(part))
            return _push(below, _distinct(own + parts))
        case Project(input=below):
            through, rest = _through_items(plan, parts)
            return _filtered(replace(plan, input=_push(below, through)), rest)
        case Sort(input=below):
            return replace(plan, input=_push(below, parts))
        case Aggregate(input=below):
            through, rest = _through_keys(plan, parts)
            return _filtered(replace(plan, input=_push(below, through)), rest)
        case Window(input=below):
            through, rest = _through_partition(plan, parts)
            return _filtered(replace(plan, input=_push(below, through)), rest)
        case Unnest(input=below):
            ids = _ids(below)
            down = tuple(p for p in parts if columns_of(p) <= ids and not can_raise(p))
            rest = tuple(part for part in parts if part not in down)
            return _filtered(replace(plan, input=_push(below, down)), rest)
        case Join():
            return _push_join(plan, parts)
        case Limit(input=below):
            return _filtered(replace(plan, input=_push(below, ())), parts)
        case Union():
            return _push_union(plan, parts)
        case With(input=below):
            defined = tuple(_push(definition.plan, ()) for definition in plan.definitions)
            return plan.with_inputs((*defined, _push(below, parts)))
    if plan.inputs:
        plan = plan.with_inputs(tuple(_push(below, ()) for below in plan.inputs))
    return _filtered(plan, parts)


def _push_union(plan: Union, parts: Parts) -> Logical:
    """Every input is filtered for itself."""
    inputs: list[Logical] = []
    for below in plan.parts:
        pairs = zip(plan.columns, below.output, strict=True)
        mapping: dict[int, Expr] = {column.id: ref(given) for column, given in pairs}
        inputs.append(_push(below, tuple(substitute(part, mapping) for part in parts)))
    return plan.with_inputs(tuple(inputs))


def _filtered(plan: Logical, parts: Parts) -> Logical:
    """`plan` under one filter of the parts. What can raise comes last: AND protects it."""
    if not parts:
        return plan
    return Filter(plan, conjunction(tuple(sorted(parts, key=can_raise))))


def _distinct(parts: Parts) -> Parts:
    return tuple(p for p in dict.fromkeys(parts) if p != Literal(BOOLEAN, True))


def _through_keys(plan: Aggregate, parts: Parts) -> tuple[Parts, Parts]:
    """The parts that read group keys alone, over the aggregate's input; and the others.

    Without keys there is one row even of no rows, so nothing passes. Nor does a part that can tell
    apart rows of one group.
    """
    mapping = {column.id: expr for column, expr in plan.keys}
    formed = {column.id for column, _ in plan.keys if column.type.has_equal_forms}
    through: list[Expr] = []
    rest: list[Expr] = []
    grown = _grown(mapping, parts)
    for part in parts:
        below = part if part in grown else substitute(part, mapping)
        exact = not columns_of(part) & formed or follows_equality(part)
        passes = part not in grown and exact and columns_of(part) <= mapping.keys()
        if mapping and passes and not can_raise(below):
            through.append(below)
        else:
            rest.append(part)
    return tuple(through), tuple(rest)


def _through_items(plan: Project, parts: Parts) -> tuple[Parts, Parts]:
    """The parts over a projection's input; and those that would grow too much there."""
    mapping = {column.id: expr for column, expr in plan.items}
    grown = _grown(mapping, parts)
    small = (part for part in parts if part not in grown)
    return tuple(substitute(part, mapping) for part in small), grown


def _grown(mapping: dict[int, Expr], parts: Parts) -> Parts:
    """The parts that would grow beyond a bound with the mapping's expressions for its columns.

    A part that names a column several times repeats what it stands for. Where projections lie upon
    one another it would grow with every one of them, by as many times.
    """
    added = {id_: size_of(expr) - 1 for id_, expr in mapping.items()}
    return tuple(
        part
        for part in parts
        if sum(added.get(node.id, 0) for node in walk(part) if isinstance(node, ColumnRef))
        > LIMITS.repeated_nodes
    )


def _through_partition(plan: Window, parts: Parts) -> tuple[Parts, Parts]:
    """The parts that keep or drop whole partitions of a window; and the others.

    Such a part reads partition keys alone, and cannot tell rows of one partition apart.
    """
    keys = {expr.id: expr.type for expr in plan.partition if isinstance(expr, ColumnRef)}
    through: list[Expr] = []
    rest: list[Expr] = []
    for part in parts:
        ids = columns_of(part)
        keyed = bool(ids) and ids <= keys.keys() and not can_raise(part)
        exact = not any(keys[id_].has_equal_forms for id_ in ids) if keyed else False
        (through if keyed and (exact or follows_equality(part)) else rest).append(part)
    return tuple(through), tuple(rest)


def _push_join(join: Join, parts: Parts) -> Logical:
    left, right = _ids(join.left), _ids(join.right)
    match join.kind:
        case "inner" | "cross":
            return _push_inner(join, parts)
        case "left":
            if any(never_true(part, right) for part in parts):
                return _push_inner(replace(join, kind="inner"), parts)
            return _push_left(join, parts)
        case "right":
            if any(never_true(part, left) for part in parts):
                return _push_inner(replace(join, kind="inner"), parts)
            swapped = replace(
                join,
                kind="left",
                left=join.right,
                right=join.left,
                equalities=tuple((b, a) for a, b in join.equalities),
            )
            return Project(_push_left(swapped, parts), tuple((c, ref(c)) for c in join.output))
        case "full":
            keeps_left = any(never_true(part, left) for part in parts)
            keeps_right = any(never_true(part, right) for part in parts)
            if keeps_left or keeps_right:
                kept = "left" if keeps_left else "right"
                narrowed = replace(join, kind="left" if kept == "left" else "right")
                return _push_join(narrowed, parts)
            below = replace(join, left=_push(join.left, ()), right=_push(join.right, ()))
            return _filtered(below, parts)
        case "single":
            # Never an inner join, even where a filter takes the padded rows: it refuses others.
            return _push_left(join, parts)
        case "asof" | "asof_left":
            return _push_asof(join, parts)
    return _push_semi(join, parts)


def _push_inner(join: Join, parts: Parts) -> Logical:
    """Everything that must hold, from above and from the join, goes where its columns are."""
    left, right = _ids(join.left), _ids(join.right)
    own = () if join.condition is None else conjuncts(join.condition)
    own = tuple(piece for part in own for piece in factor(part))
    equalities = list(join.equalities)
    to_left: list[Expr] = []
    to_right: list[Expr] = []
    condition: list[Expr] = []
    above: list[Expr] = []
    for part in _distinct(own + parts):
        pair = None if join.null_safe else equality_between(part, left, right)
        ids = columns_of(part)
        if pair is not None and not can_raise(part):
            equalities.append(pair)
        elif can_raise(part):
            (condition if part in own else above).append(part)
        elif ids and ids <= left:
            to_left.append(part)
        elif ids and ids <= right:
            to_right.append(part)
        else:
            condition.append(part)
            to_left.extend(implied(part, left))
            to_right.extend(implied(part, right))
    if not (equalities or join.null_safe):
        equalities += _bridge((condition, above), left, right)
    pairs = tuple(dict.fromkeys(equalities))
    if not join.null_safe:
        to_left.extend(_mirrored(to_right, tuple((b, a) for a, b in pairs)))
        to_right.extend(_mirrored(to_left, pairs))
    kind = join.kind if join.null_safe else "inner" if pairs or condition else "cross"
    below = Join(
        kind,
        _push(join.left, _distinct(tuple(to_left))),
        _push(join.right, _distinct(tuple(to_right))),
        pairs,
        conjunction(tuple(sorted(condition, key=can_raise))) if condition else None,
        join.null_safe,
    )
    return _filtered(below, tuple(above))


def _push_left(join: Join, parts: Parts) -> Logical:
    """Conditions on the kept side go down it; the join's own on the padded side go down that."""
    left, right = _ids(join.left), _ids(join.right)
    to_left: list[Expr] = []
    above: list[Expr] = []
    for part in parts:
        ids = columns_of(part)
        down = ids and ids <= left and not can_raise(part)
        (to_left if down else above).append(part)
        if not down and not can_raise(part):
            to_left.extend(implied(part, left))
    join, to_right = _own_to_right(join, right)
    if not join.null_safe:
        to_right = (*to_right, *_mirrored(to_left, join.equalities))
    below = replace(
        join,
        left=_push(join.left, _distinct(tuple(to_left))),
        right=_push(join.right, _distinct(to_right)),
    )
    return _filtered(below, tuple(above))


def _push_asof(join: Join, parts: Parts) -> Logical:
    """Which right row is nearest depends on all of them; the left rows are each for themselves."""
    left = _ids(join.left)
    down = tuple(p for p in parts if columns_of(p) and columns_of(p) <= left and not can_raise(p))
    below = replace(join, left=_push(join.left, down), right=_push(join.right, ()))
    return _filtered(below, tuple(part for part in parts if part not in down))


def _push_semi(join: Join, parts: Parts) -> Logical:
    """A semi, anti or mark join gives left rows: what cannot raise goes down the left side."""
    left = _ids(join.left)
    down = tuple(p for p in parts if columns_of(p) and columns_of(p) <= left and not can_raise(p))
    above = tuple(p for p in parts if p not in down)
    join, to_right = _own_to_right(join, _ids(join.right))
    below = replace(join, left=_push(join.left, down), right=_push(join.right, to_right))
    return _filtered(below, above)


def _own_to_right(join: Join, right: frozenset[int]) -> tuple[Join, Parts]:
    """Take from the join's own condition what reads the right side alone, and equalities."""
    left = _ids(join.left)
    equalities = list(join.equalities)
    to_right: list[Expr] = []
    rest: list[Expr] = []
    for part in () if join.condition is None else conjuncts(join.condition):
        for piece in factor(part):
            pair = None if join.null_safe else equality_between(piece, left, right)
            ids = columns_of(piece)
            if pair is not None and not can_raise(piece):
                equalities.append(pair)
            elif ids and ids <= right and not can_raise(piece):
                to_right.append(piece)
            else:
                rest.append(piece)
                if not can_raise(piece):
                    to_right.extend(implied(piece, right))
    if not (equalities or join.null_safe):
        equalities += _bridge((rest,), left, right)
    condition = conjunction(tuple(sorted(rest, key=can_raise))) if rest else None
    pairs = tuple(dict.fromkeys(equalities))
    return replace(join, equalities=pairs, condition=condition), tuple(to_right)


def _bridge(
    lists: tuple[list[Expr], ...], left: frozenset[int], right: frozenset[int]
) -> list[tuple[Expr, Expr]]:
    """Take from the lists the first equality between the sides, where no other connects them."""
    for parts in lists:
        for part in parts:
            pair = equality_between(part, left, right)
            if pair is not None:
                parts.remove(part)
                return [pair]
    return []


def _mirrored(parts: list[Expr], pairs: Pairs) -> Parts:
    """What conditions on the first column of an equal pair say about the second."""
    found: list[Expr] = []
    for first, second in pairs:
        if isinstance(first, ColumnRef) and isinstance(second, ColumnRef):
            found += [
                substitute(part, {first.id: second})
                for part in parts
                if columns_of(part) == {first.id} and follows_equality(part)
            ]
    return tuple(found)


def equality_between(
    part: Expr, left: frozenset[int], right: frozenset[int]
) -> tuple[Expr, Expr] | None:
    """The two sides of an equality of which one reads `left` alone and one `right` alone."""
    match part:
        case Call(function="=", args=(a, b)):
            ids_a, ids_b = columns_of(a), columns_of(b)
            if ids_a and ids_b and ids_a <= left and ids_b <= right:
                return (a, b)
            if ids_a and ids_b and ids_a <= right and ids_b <= left:
                return (b, a)
    return None


def _ids(plan: Logical) -> frozenset[int]:
    return frozenset(column.id for column in plan.output)
