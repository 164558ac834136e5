"""Which nodes may fail: what is promised holds in every case, and no less is promised."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.kv.ring import copies, majority
from eau2.kv.tolerance import STAYS, Seen, may_fail, puts, reads, spare_voters, wanted_copies


@st.composite
def rings(draw: st.DrawFn) -> list[Seen]:
    """Up to six nodes in any condition, one at least that stays, and some voters."""
    count = draw(st.integers(1, 6))
    states = draw(st.lists(st.sampled_from([STAYS, STAYS, "leaving", "left"]), min_size=count))
    states[0] = STAYS
    voters = draw(st.sampled_from([n for n in (1, 3, 5) if n <= count]))
    return [
        Seen(
            f"n{number + 1}",
            states[number],
            draw(st.booleans()) or draw(st.booleans()),
            number < voters,
            draw(st.booleans()) or draw(st.booleans()),
        )
        for number in range(count)
    ]


def can_read(nodes: Sequence[Seen], lost: Collection[str]) -> bool:
    """Whether every chunk that could be there is on a node that is there, and names are."""
    stay = [node for node in nodes if node.state == STAYS]
    has = {n.name for n in stay if n.up and n.complete and n.name not in lost}
    placed = combinations([node.name for node in stay], copies(len(stay)))
    return can_vote(nodes, lost) and all(has.intersection(names) for names in placed)


def can_put(nodes: Sequence[Seen], lost: Collection[str]) -> bool:
    stay = [node for node in nodes if node.state == STAYS]
    there = [node for node in stay if node.up and node.name not in lost]
    return can_vote(nodes, lost) and len(there) >= copies(len(stay))


def can_vote(nodes: Sequence[Seen], lost: Collection[str]) -> bool:
    voters = [node for node in nodes if node.voter]
    there = [node for node in voters if node.up and node.name not in lost]
    return len(there) >= majority(len(voters))


@settings(max_examples=200, deadline=None)
@given(rings())
def test_as_many_may_fail_as_is_said_and_no_more(nodes: list[Seen]) -> None:
    for promised, holds in ((reads(nodes), can_read), (puts(nodes), can_put)):
        names = [node.name for node in nodes]
        assert (promised >= 0) is holds(nodes, ())
        for count in range(max(0, promised) + 1):
            if promised >= 0:
                assert all(holds(nodes, lost) for lost in combinations(names, count))
        if 0 <= promised < len(names):
            assert not all(holds(nodes, lost) for lost in combinations(names, promised + 1))


@settings(max_examples=300, deadline=None)
@given(rings())
def test_a_node_may_fail_if_all_goes_on_without_it(nodes: list[Seen]) -> None:
    for node in nodes:
        expected = can_read(nodes, (node.name,)) and can_put(nodes, (node.name,))
        assert may_fail(nodes, node.name) is expected


def ring(states: str, voters: int = 3, down: str = "", behind: str = "") -> list[Seen]:
    """Nodes n1, n2, ...: i is in, g is leaving, l has left."""
    words = {"i": STAYS, "g": "leaving", "l": "left"}
    names = [f"n{number + 1}" for number in range(len(states))]
    return [
        Seen(name, words[state], name not in down, place < voters, name not in behind)
        for place, (name, state) in enumerate(zip(names, states, strict=True))
    ]


@pytest.mark.parametrize(
    ("nodes", "able", "taking", "single"),
    [
        (ring("i", 1), 0, 0, ""),
        (ring("ii", 1), 0, 0, ""),
        (ring("iii", 1), 0, 0, "n2 n3"),
        (ring("iii"), 1, 1, "n1 n2 n3"),
        (ring("iii", down="n3"), 0, 0, "n3"),
        (ring("iii", behind="n3"), 0, 1, "n3"),
        (ring("iil"), 1, 0, "n3"),
        (ring("iil", down="n3"), 0, 0, "n3"),
        (ring("iiiii", 5), 2, 2, "n1 n2 n3 n4 n5"),
        (ring("iiiii"), 1, 1, "n1 n2 n3 n4 n5"),
        (ring("iii", down="n2 n3"), -1, -1, ""),
    ],
)
def test_known_cases(nodes: list[Seen], able: int, taking: int, single: str) -> None:
    assert (reads(nodes), puts(nodes)) == (able, taking)
    assert [n.name for n in nodes if may_fail(nodes, n.name)] == single.split()


def test_copies_and_voters() -> None:
    assert wanted_copies(ring("iil")) == 2
    assert wanted_copies(ring("iiiii")) == 3
    assert spare_voters(ring("iii", down="n1")) == 0
    assert spare_voters(ring("iii"), ("n1", "n2")) == -1
