"""The graph of a tree of inner joins: relations, what equals what, and which order costs least.

Owns: estimating and ordering a set of relations. Comes in: relations with their profiles and the
predicates between them. Goes out: an order, as nested pairs of (probe, build) relation numbers.
Does not know: how the tree is cut out of a plan and put back (rules/order_joins does).

Sets of relations are bit masks. Up to `EXHAUSTIVE` relations every order without cross products is
compared (dynamic programming over pairs of connected sets, DPccp: Moerkotte and Neumann, "Analysis
of two existing and one new dynamic programming algorithm", VLDB 2006); beyond, the pair of smallest
result is joined again and again.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from eau2.operators.expr import Expr
from eau2.planner.estimate import Profile
from eau2.planner.key_matches import matching
from eau2.planner.number_keys import NEARLY, NumberKey, number_keys
from eau2.records import Record, field

Tree = int | tuple["Tree", "Tree"]

EXHAUSTIVE = 10
BUILD_COST = 2.0
"""A row of the build side costs this many times a row of the probe side."""
FEW, FEW_COST = 8.0, 0.25
"""Where the build side has so many times fewer rows, a row of the probe side costs only this: most
are dropped by a look at their keys."""
LOOKUP_COST, NUMBERED_COST = 0.4, 0.5
"""The same for a row of the probe and of the build side where the build side's keys are unique
whole numbers, close together: there rows are found by number, and nothing is hashed."""
JOIN_COST = 1000.0
"""What a join costs besides its rows, in rows."""


class Class(Record, frozen=True):
    """Expressions that are all equal: one for each relation that has any, by relation number."""

    members: dict[int, Expr]

    @property
    def mask(self) -> int:
        """The relations that have a member."""
        return sum(1 << number for number in self.members)


class Predicate(Record, frozen=True):
    """A condition over several relations that is not a class; of its rows `fraction` pass.

    pair: for an equality, its two sides with the relations that each reads. late: it only joins
    what nothing else connects, after everything that something else does.
    """

    expr: Expr
    mask: int
    fraction: float
    pair: tuple[tuple[int, Expr], tuple[int, Expr]] | None = None
    late: bool = False

    def splits(self, left: int, right: int) -> bool:
        """Whether it is an equality with one side in `left` and the other in `right`."""
        if self.pair is None:
            return False
        (a, _), (b, _) = self.pair
        return (a & ~left == 0 and b & ~right == 0) or (a & ~right == 0 and b & ~left == 0)


class Graph(Record, frozen=True):
    """Relations (numbered as their profiles), classes and other predicates."""

    profiles: tuple[Profile, ...]
    classes: tuple[Class, ...]
    predicates: tuple[Predicate, ...]
    _sizes: dict[int, float] = field(default_factory=dict)
    _distinct: list[list[tuple[float, int]]] = field(default_factory=list)
    _numbered: list[list[NumberKey]] = field(default_factory=list)
    _factors: list[list[tuple[int, float]]] = field(default_factory=list)

    def size(self, mask: int) -> float:
        """The estimated rows of the join of a set of relations: the same in whichever order."""
        known = self._sizes.get(mask)
        if known is not None:
            return known
        size = 1.0
        for number in _members(mask):
            size *= self.profiles[number].rows
        if not self._distinct:
            self._distinct.extend(map(self._ranked, self.classes))
        for ranked in self._distinct:
            first = True
            for values, member in ranked:
                if member & mask:
                    if not first and values > 1.0:
                        size /= values
                    first = False
        for pair, factor in self._related():
            if pair & ~mask == 0:
                size *= factor
        for predicate in self.predicates:
            if predicate.mask & ~mask == 0:
                size *= predicate.fraction
        self._sizes[mask] = size
        return size

    def _related(self) -> list[tuple[int, float]]:
        """Pairs of relations with several equal columns: how many more rows match than it seems.

        Of a relation only the pair with the largest such factor counts.
        """
        if self._factors:
            return self._factors[0]
        shared: dict[int, list[tuple[float, float]]] = {}
        if len(self.classes) > 1:
            for class_ in self.classes:
                members = [(n, self.profiles[n].distinct(m)) for n, m in class_.members.items()]
                for at, (first, ours) in enumerate(members):
                    for second, theirs in members[at + 1 :]:
                        shared.setdefault(1 << first | 1 << second, []).append((ours, theirs))
        found: list[tuple[float, int]] = []
        for pair, values in shared.items():
            if len(values) < 2:
                continue
            one, other = (self.profiles[n].rows for n in _members(pair))
            independent = 1.0
            for a, b in values:
                independent *= max(a, b, 1.0)
            found.append((independent / matching(values, one, other), pair))
        chosen: list[tuple[int, float]] = []
        taken = 0
        for factor, pair in sorted(found, reverse=True):
            if factor > 1.0 and not pair & taken:
                chosen.append((pair, factor))
                taken |= pair
        self._factors.append(chosen)
        return chosen

    def finds_by_number(self, probe: int, build: int) -> bool:
        """Whether the rows of `build` are likely to be found by a key that is a unique number."""
        if not self._numbered:
            keys = number_keys(self.profiles, [class_.members for class_ in self.classes])
            self._numbered.append(keys)
        for bit, others, rows in self._numbered[0]:
            # Joined with others its rows are still as many, or fewer.
            if bit & build and others & probe and self.size(build) * NEARLY <= rows:
                return True
        return False

    def _ranked(self, class_: Class) -> list[tuple[float, int]]:
        """The distinct values of a class's members, the fewest first, each with its relation."""
        members = class_.members.items()
        return sorted((self.profiles[n].distinct(member), 1 << n) for n, member in members)

    def neighbours(self) -> list[int]:
        """For each relation, those that an equality connects it with; late ones do not count."""
        found = [0] * len(self.profiles)
        for class_ in self.classes:
            for number in class_.members:
                found[number] |= class_.mask & ~(1 << number)
        for predicate in self.predicates:
            if predicate.pair is not None and not predicate.late:
                a, b = predicate.pair[0][0], predicate.pair[1][0]
                for first, second in ((a, b), (b, a)):
                    if first.bit_count() == 1 and second.bit_count() == 1:
                        found[first.bit_length() - 1] |= second
        return found


class _Candidate(Record, frozen=True):
    mask: int
    cost: float
    tree: Tree


def best_order(graph: Graph) -> tuple[Tree, float]:
    """The order of least estimated cost, and that. No cross product where a predicate connects."""
    neighbours = graph.neighbours()
    parts = []
    for component in components(neighbours):
        if component.bit_count() <= EXHAUSTIVE:
            parts.append(_exhaustive(graph, neighbours, component))
        else:
            singles = [_single(n) for n in range(len(neighbours)) if component >> n & 1]
            parts.append(_greedy(graph, neighbours, singles))
    best = _greedy(graph, neighbours, parts)
    return best.tree, best.cost


def _single(number: int) -> _Candidate:
    return _Candidate(1 << number, 0.0, number)


def components(neighbours: list[int]) -> list[int]:
    """The sets of relations that equalities connect, directly or by way of others."""
    found: list[int] = []
    seen = 0
    for number in range(len(neighbours)):
        if seen >> number & 1:
            continue
        component, edge = 0, 1 << number
        while edge:
            component |= edge
            edge = _around(neighbours, component) & ~component
        found.append(component)
        seen |= component
    return found


def _around(neighbours: list[int], mask: int) -> int:
    around = 0
    while mask:
        lowest = mask & -mask
        around |= neighbours[lowest.bit_length() - 1]
        mask ^= lowest
    return around


def _join(graph: Graph, first: _Candidate, second: _Candidate) -> _Candidate:
    """The two joined, the side that costs less being built; on a tie the larger is the probe side.

    Where both are as large, that is the one with the lower relation.
    """
    a, b = graph.size(first.mask), graph.size(second.mask)
    if (b, -_lowest(second.mask)) > (a, -_lowest(first.mask)):
        first, second, a, b = second, first, b, a
    mask = first.mask | second.mask
    own = (FEW_COST if b * FEW <= a else 1.0) * a + BUILD_COST * b
    if graph.finds_by_number(first.mask, second.mask):
        own = min(own, LOOKUP_COST * a + NUMBERED_COST * b)
    if graph.finds_by_number(second.mask, first.mask):
        other = LOOKUP_COST * b + NUMBERED_COST * a
        if other < own:
            first, second, own = second, first, other
    own += graph.size(mask) + JOIN_COST
    return _Candidate(mask, first.cost + second.cost + own, (first.tree, second.tree))


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length()


def _exhaustive(graph: Graph, neighbours: list[int], component: int) -> _Candidate:
    numbers = [n for n in range(len(neighbours)) if component >> n & 1]
    best: dict[int, _Candidate] = {1 << n: _single(n) for n in numbers}
    for first, second in _connected_pairs(neighbours, component):
        a, b = best[first], best[second]
        known = best.get(first | second)
        # Most pairs cost too much already before they are joined.
        if known is None or a.cost + b.cost < known.cost:
            candidate = _join(graph, a, b)
            if known is None or candidate.cost < known.cost:
                best[candidate.mask] = candidate
    return best[component]


def _connected_pairs(neighbours: list[int], component: int) -> list[tuple[int, int]]:
    """All pairs of connected sets that have a connection and nothing in common, smallest first."""
    pairs = [
        (first, second)
        for first in _connected_sets(neighbours, component, component)
        for second in _complements(neighbours, first)
    ]
    pairs.sort()
    pairs.sort(key=lambda pair: (pair[0] | pair[1]).bit_count())
    return pairs


def _connected_sets(neighbours: list[int], starts: int, within: int) -> list[int]:
    """The connected subsets of `within` whose lowest member among `starts` begins them, once."""
    found: list[int] = []
    for number in reversed(_members(starts)):
        start = 1 << number
        found.append(start)
        _grow(neighbours, start, (2 * start - 1) | ~within, found)
    return found


def _complements(neighbours: list[int], first: int) -> list[int]:
    """The connected sets beside `first` that are connected with it, of each pair one side."""
    lowest = first & -first
    excluded = (2 * lowest - 1) | first
    around = _around(neighbours, first) & ~excluded
    found: list[int] = []
    for number in reversed(_members(around)):
        start = 1 << number
        found.append(start)
        _grow(neighbours, start, excluded | (around & (2 * start - 1)), found)
    return found


def _grow(neighbours: list[int], start: int, excluded: int, found: list[int]) -> None:
    """Add to `found` every connected set that holds `start` and nothing that is excluded."""
    around = _around(neighbours, start) & ~excluded & ~start
    part = around
    larger: list[int] = []
    while part:
        larger.append(start | part)
        part = (part - 1) & around
    found.extend(larger)
    for grown in larger:
        _grow(neighbours, grown, excluded | around, found)


def _members(mask: int) -> list[int]:
    return [number for number in range(mask.bit_length()) if mask >> number & 1]


def _greedy(graph: Graph, neighbours: list[int], parts: list[_Candidate]) -> _Candidate:
    """Join the two parts of smallest result until one is left; connected ones come first.

    Pairs are ranked by size only when none is left that is nearer: most never are.
    """
    numbers = count()
    left: dict[int, _Candidate] = {}
    unranked: tuple[list[tuple[int, int]], ...] = ([], [], [])
    ranked: tuple[list[tuple[float, int, int]], ...] = ([], [], [])

    def add(part: _Candidate) -> None:
        number = next(numbers)
        for other, known in left.items():
            unranked[_distance(graph, neighbours, known.mask, part.mask)].append((other, number))
        left[number] = part

    def nearest() -> tuple[int, int]:
        for waiting, heap in zip(unranked, ranked, strict=True):
            for i, j in waiting:
                if i in left and j in left:
                    heappush(heap, (graph.size(left[i].mask | left[j].mask), i, j))
            waiting.clear()
            while heap:
                _, i, j = heappop(heap)
                if i in left and j in left:
                    return i, j
        raise AssertionError("there are no two parts")

    for part in parts:
        add(part)
    while len(left) > 1:
        i, j = nearest()
        add(_join(graph, left.pop(i), left.pop(j)))
    return left.popitem()[1]


def _distance(graph: Graph, neighbours: list[int], a: int, b: int) -> int:
    """0 when an equality connects the two, 1 when another predicate does, 2 for a cross product."""
    if _around(neighbours, a) & b or any(p.splits(a, b) for p in graph.predicates):
        return 0
    if any(p.mask & a and p.mask & b and p.mask & ~(a | b) == 0 for p in graph.predicates):
        return 1
    return 2
