"""Order joins: trees of inner joins by estimated size, the largest input streaming past the others.

Owns: cutting a tree of inner and cross joins out of a plan and putting it back in the best order.
Comes in: a plan whose filters have been pushed. Goes out: the same rows and columns; in each join
the left side is the probe side and the right one, estimated smaller, is the build side.
Does not know: how an order is chosen (join_graph), how rows are estimated (estimate).

Outer joins, aggregates, sorts and limits bound a tree. A semi or anti join over one that reads a
single relation of it may filter that relation, or the rows of the whole tree, whatever costs less.
Equalities are taken transitively: with a = b and b = c, a and c may be joined first. A condition
that can raise is evaluated last, above the whole tree, where it sees no row that it did not see
before; but an equality that alone connects two parts of the tree is their join's key (see
push_filters).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from eau2.operators.expr import (
    Call,
    Expr,
    JoinKind,
    columns_of,
    conjunction,
    ref,
)
from eau2.operators.facts import can_raise
from eau2.planner.estimate import Known, Profile, profile, rows, selectivity, together
from eau2.planner.inner_joins import is_inner, taken_apart
from eau2.planner.join_graph import (
    Class,
    Graph,
    Predicate,
    Tree,
    best_order,
    components,
)
from eau2.planner.semi_joins import filters_tree, over_relation
from eau2.records import Record, field, replace
from eau2.sql.logical import Filter, Join, Logical, Project, Scan
from eau2.types import BOOLEAN

PAIRS = 4.0
"""A row costs so many times more where a semi join has to look at its pairs."""
TRIED = 4
"""Of so many semi joins over a tree both places are tried, of each; more stay where they are."""


class _Known(Record, frozen=True):
    """Plans by their identity: each with its best order and what that costs, and with its profile.

    What stands beside a join is met in every place that is tried for the join.
    """

    orders: dict[int, tuple[Logical, Logical, float]] = field(default_factory=dict)
    profiles: Known = field(default_factory=dict)


def order_joins(plan: Logical) -> Logical:
    """The rule."""
    return _ordered(plan, _Known())[0]


def _ordered(plan: Logical, known: _Known) -> tuple[Logical, float]:
    """The plan in its best order, and what its joins cost, as far as they were ordered."""
    found = known.orders.get(id(plan))
    if found is None:
        found = known.orders[id(plan)] = (plan, *_anew(plan, known))
    return found[1:]


def _anew(plan: Logical, known: _Known) -> tuple[Logical, float]:
    if is_inner(plan):
        return _reordered(plan, known)
    match plan:
        case Join(kind="semi" | "anti", left=left) if filters_tree(left):
            return _semi(plan, known)
        case Filter(input=below) | Project(input=below):
            ordered, cost = _ordered(below, known)
            return plan.with_inputs((ordered,)), cost
    if plan.inputs:
        return plan.with_inputs(tuple(_ordered(below, known)[0] for below in plan.inputs)), 0.0
    return plan, 0.0


def _semi(join: Join, known: _Known) -> tuple[Logical, float]:
    """A semi or anti join over a tree of joins, or over the relation of it that it reads."""
    left, cost = _ordered(join.left, known)
    above = join.with_inputs((left, _ordered(join.right, known)[0]))
    each = 1.0 if join.condition is None else PAIRS
    cost += each * rows(join.left, known.profiles)
    lower = over_relation(join)
    if lower is None or _filters_over(join.left) > TRIED:
        return above, cost
    relation, whole = lower
    below, other = _ordered(whole, known)
    other += each * rows(relation.left, known.profiles)
    return (below, other) if other < cost else (above, cost)


def _filters_over(plan: Logical) -> int:
    """How many semi and anti joins stand over a tree of joins."""
    found = 0
    while filters_tree(plan) and not is_inner(plan):
        found += isinstance(plan, Join)
        plan = plan.inputs[0]
    return found


def _reordered(plan: Logical, known: _Known) -> tuple[Logical, float]:
    tree = taken_apart(plan)
    ordered = [_ordered(relation, known)[0] for relation in tree.relations]
    relations, profiles = _canonical(ordered, known.profiles)
    owner = {c.id: number for number, r in enumerate(relations) for c in r.output}
    parts = tuple(dict.fromkeys(tree.conditions))
    classes, rest, local = _classes(tuple(p for p in parts if not can_raise(p)), owner)
    for number, conditions in local.items():
        relations[number] = Filter(relations[number], conjunction(conditions))
    over = tuple(part for part in rest if _mask(part, owner).bit_count() > 1)
    predicates = [_predicate(part, owner, profiles) for part in over]
    predicates += _bridges(
        Graph(tuple(profiles), classes, tuple(predicates)),
        [_predicate(p, owner, profiles) for p in parts if can_raise(p) and _is_key(p, owner)],
    )
    done = {predicate.expr for predicate in predicates}
    last = tuple(p for p in rest if p not in done)
    last += tuple(p for p in parts if can_raise(p) and p not in done)
    graph = Graph(tuple(profiles), classes, tuple(predicates))
    tree_, cost = best_order(graph)
    result = _built(tree_, relations, graph)[1]
    if last:
        result = Filter(result, conjunction(last))
    if result.output != plan.output:
        renamed = tree.renamed
        result = Project(result, tuple((c, renamed.get(c.id, ref(c))) for c in plan.output))
    return result, cost


def _predicate(part: Expr, owner: Mapping[int, int], profiles: list[Profile]) -> Predicate:
    fraction = selectivity((part,), together(profiles))
    return Predicate(part, _mask(part, owner), fraction, _equality(part, owner))


def _bridges(graph: Graph, equalities: list[Predicate]) -> list[Predicate]:
    """Of equalities that can raise, those that join what nothing else connects."""
    parts = components(graph.neighbours())
    found: list[Predicate] = []
    for predicate in equalities:
        touched = [part for part in parts if part & predicate.mask]
        if len(touched) > 1:
            parts = [part for part in parts if part not in touched] + [sum(touched)]
            found.append(replace(predicate, late=True))
    return found


def _canonical(relations: list[Logical], profiles: Known) -> tuple[list[Logical], list[Profile]]:
    """The relations in an order that the statement's wording decides only between equals."""
    known = [(relation, profile(relation, profiles)) for relation in relations]
    known.sort(key=lambda pair: (-pair[1].rows, _names(pair[0])))
    return [relation for relation, _ in known], [profile_ for _, profile_ in known]


def _names(plan: Logical) -> tuple[str, ...]:
    if isinstance(plan, Scan):
        return (plan.frame.name,)
    return tuple(name for below in plan.inputs for name in _names(below))


def _mask(expr: Expr, owner: Mapping[int, int]) -> int:
    mask = 0
    for id_ in columns_of(expr):
        mask |= 1 << owner[id_]
    return mask


def _equality(
    part: Expr, owner: Mapping[int, int]
) -> tuple[tuple[int, Expr], tuple[int, Expr]] | None:
    """The sides of an equality between sets of relations that have none in common."""
    match part:
        case Call(function="=", args=(a, b)):
            left, right = _mask(a, owner), _mask(b, owner)
            if left and right and not left & right:
                return ((left, a), (right, b))
    return None


def _is_key(part: Expr, owner: Mapping[int, int]) -> bool:
    """Whether it equates one relation with another, so that it will be a key of some join."""
    pair = _equality(part, owner)
    return pair is not None and all(mask.bit_count() == 1 for mask, _ in pair)


def _classes(
    parts: tuple[Expr, ...], owner: Mapping[int, int]
) -> tuple[tuple[Class, ...], tuple[Expr, ...], dict[int, tuple[Expr, ...]]]:
    """Equal expressions gathered; the other predicates; and what the classes mean within one
    relation: where it has two members of a class, they are equal.
    """
    numbers = count()
    groups: dict[int, list[Expr]] = {}
    group_of: dict[Expr, int] = {}
    rest: list[Expr] = []
    local: dict[int, tuple[Expr, ...]] = {}
    for part in parts:
        pair = _equality(part, owner)
        if pair is None or not _is_key(part, owner):
            mask = _mask(part, owner)
            if mask.bit_count() == 1:
                number = mask.bit_length() - 1
                local[number] = (*local.get(number, ()), part)
            else:
                rest.append(part)
            continue
        members = [pair[0][1], pair[1][1]]
        touched = sorted({group_of[m] for m in members if m in group_of})
        merged = [m for number in touched for m in groups.pop(number)]
        merged += [m for m in dict.fromkeys(members) if m not in group_of]
        number = next(numbers)
        groups[number] = merged
        group_of |= dict.fromkeys(merged, number)
    classes = []
    for group in groups.values():
        firsts: dict[int, Expr] = {}
        for member in sorted(group, key=lambda m: (_mask(m, owner), min(columns_of(m)))):
            number = _mask(member, owner).bit_length() - 1
            if number in firsts:
                equal = Call(BOOLEAN, "=", (firsts[number], member))
                local[number] = (*local.get(number, ()), equal)
            else:
                firsts[number] = member
        classes.append(Class(firsts))
    return tuple(classes), tuple(rest), local


def _built(tree: Tree, relations: list[Logical], graph: Graph) -> tuple[int, Logical]:
    """The set of relations in `tree`, and their joins."""
    if isinstance(tree, int):
        return 1 << tree, relations[tree]
    left, probe = _built(tree[0], relations, graph)
    right, build = _built(tree[1], relations, graph)
    both = left | right
    equalities: list[tuple[Expr, Expr]] = []
    condition: list[Expr] = []
    for class_ in graph.classes:
        mine = [m for n, m in class_.members.items() if left >> n & 1]
        theirs = [m for n, m in class_.members.items() if right >> n & 1]
        if mine and theirs:
            equalities.append((mine[0], theirs[0]))
    for predicate in graph.predicates:
        if predicate.mask & ~both or not (predicate.mask & left and predicate.mask & right):
            continue
        if predicate.pair is not None and predicate.splits(left, right):
            (a, first), (_, second) = predicate.pair
            equalities.append((first, second) if a & left else (second, first))
        else:
            condition.append(predicate.expr)
    kind: JoinKind = "inner" if equalities or condition else "cross"
    on = conjunction(tuple(condition)) if condition else None
    return both, Join(kind, probe, build, tuple(equalities), on)
