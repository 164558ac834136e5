"""Ordering joins: the largest streams, small ones are built, nothing is crossed in vain."""

from __future__ import annotations

from itertools import permutations

import pytest

from eau2.operators.expr import Column, ref
from eau2.planner.estimate import ColumnProfile, Profile, profile
from eau2.planner.join_graph import Class, Graph, Predicate, Tree, best_order
from eau2.planner.rules.order_joins import order_joins
from eau2.sql.logical import Join, Logical
from eau2.types import INTEGER
from tests.unit.plans import TRUE, Builder, frames, nodes, value
from tests.unit.star_schema import optimized, text

CHAIN = "f_big = b_key AND b_middle = m_key AND m_small = s_key AND s_tiny = t_key"


def joins(plan: Logical) -> list[Join]:
    return [node for node in nodes(plan, Join) if isinstance(node, Join)]


def test_the_fact_streams_past_what_was_filtered_before() -> None:
    plan = optimized(
        f"SELECT count(*) FROM tiny, small, middle, big, fact WHERE {CHAIN} AND t_name = 'a'"
    )
    top = joins(plan)[0]
    assert frames(top.left) == ["fact"]
    assert all(join.kind == "inner" and join.equalities for join in joins(plan))


def test_the_order_of_writing_does_not_matter() -> None:
    names = ["tiny", "small", "middle", "big", "fact"]
    orders = set()
    for written in list(permutations(names))[::7]:
        plan = optimized(f"SELECT count(*) FROM {', '.join(written)} WHERE {CHAIN}")
        orders.add(tuple(frames(plan)))
    assert len(orders) == 1


def test_equalities_are_taken_transitively() -> None:
    plan = optimized(
        "SELECT count(*) FROM fact, middle, small WHERE f_middle = m_key AND"
        " m_small = s_key AND s_key = 3 AND f_rate = 1"
    )
    assert "Filter m_small = 3" in text(
        "SELECT count(*) FROM fact, middle, small WHERE f_middle = m_key AND"
        " m_small = s_key AND s_key = 3"
    )
    assert all(join.equalities for join in joins(plan))
    both_ways = optimized(
        "SELECT count(*) FROM big b, middle m, fact f"
        " WHERE b_middle = m_key AND f_middle = b_middle AND m_small = 1"
    )
    first = joins(both_ways)[-1]
    assert "middle" in frames(first)


def test_no_cross_product_where_a_predicate_connects() -> None:
    plan = optimized(
        "SELECT count(*) FROM tiny, fact, small WHERE s_tiny = t_key AND f_rate < s_key"
    )
    kinds = [join.kind for join in joins(plan)]
    assert kinds == ["inner", "inner"]
    crossed = optimized("SELECT count(*) FROM tiny, fact, small WHERE s_tiny = t_key")
    assert sorted(join.kind for join in joins(crossed)) == ["cross", "inner"]


def test_what_can_raise_is_evaluated_above_the_whole_tree() -> None:
    plan = text(
        "SELECT count(*) FROM middle JOIN small ON m_small = s_key"
        " AND CAST(m_name AS INTEGER) > s_tiny JOIN tiny ON s_tiny = t_key",
        "push_filters",
        "order_joins",
    )
    assert plan.index("Filter CAST") < plan.index("Join inner")


def test_an_equality_that_can_raise_is_a_key_only_where_nothing_else_connects() -> None:
    alone = "SELECT count(*) FROM middle, small WHERE CAST(m_name AS INTEGER) = s_key"
    assert "Join inner on CAST(m_name AS INTEGER) = s_key" in text(alone)
    beside = text(f"{alone} AND m_small = s_key")
    assert "Join inner on m_small = s_key" in beside
    assert "Filter CAST(m_name AS INTEGER) = s_key" in beside


def test_two_columns_equal_to_a_third_are_equal() -> None:
    builder = Builder()
    left = builder.scan("l", a=(INTEGER, [1, 2, 3]), b=(INTEGER, [1, 3, 3]))
    right = builder.scan("r", c=(INTEGER, [1, 2, 3]))
    pairs = tuple((value(left, name), value(right, "c")) for name in "ab")
    plan = order_joins(Join("inner", left, right, pairs))
    assert sorted(builder.run(plan).rows()) == [(1, 1, 1), (3, 3, 3)]


def test_columns_come_out_as_they_were() -> None:
    plan = optimized("SELECT * FROM tiny, small, middle WHERE m_small = s_key AND s_tiny = t_key")
    names = [column.name for column in plan.output]
    assert names == ["t_key", "t_name", "s_key", "s_tiny", "s_name", "m_key", "m_small", "m_name"]


def test_an_outer_join_bounds_the_tree() -> None:
    plan = optimized(
        "SELECT count(*) FROM tiny, small LEFT JOIN middle ON m_small = s_key, big"
        " WHERE s_tiny = t_key AND b_key = t_key"
    )
    left = [join for join in joins(plan) if join.kind == "left"]
    assert len(left) == 1
    assert frames(left[0].right) == ["middle"]


def test_renamed_inputs_are_part_of_the_tree() -> None:
    plan = optimized(
        "SELECT count(*) FROM"
        " (SELECT s_key AS k, t_name AS n FROM small, tiny WHERE s_tiny = t_key) x,"
        " middle, fact WHERE m_small = k AND f_middle = m_key AND n = 'a'"
    )
    top = joins(plan)[0]
    assert frames(top.left) == ["fact"]


def graph(sizes: list[int], edges: list[tuple[int, int]]) -> Graph:
    """Relations of these sizes; each edge is an equality of keys unique in the second."""
    columns = [Column(n, f"c{n}", INTEGER) for n in range(2 * len(edges))]
    known: list[dict[int, ColumnProfile]] = [{} for _ in sizes]
    classes = []
    for number, (a, b) in enumerate(edges):
        first, second = columns[2 * number], columns[2 * number + 1]
        known[a][first.id] = ColumnProfile(min(sizes[a], sizes[b]))
        known[b][second.id] = ColumnProfile(sizes[b])
        classes.append(Class({a: ref(first), b: ref(second)}))
    profiles = tuple(Profile(float(n), c) for n, c in zip(sizes, known, strict=True))
    return Graph(profiles, tuple(classes), ())


def relations(tree: Tree) -> list[int]:
    if isinstance(tree, int):
        return [tree]
    return relations(tree[0]) + relations(tree[1])


def test_small_dimensions_are_built_and_the_fact_streams() -> None:
    star = graph([1_000_000, 100, 50, 10], [(0, 1), (0, 2), (0, 3)])
    tree = best_order(star)[0]
    assert relations(tree)[0] == 0
    assert sorted(relations(tree)) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [2, 5, 8, 9, 20])
def test_every_relation_is_joined_once(count: int) -> None:
    chain = graph([10 * (n + 1) for n in range(count)], [(n, n + 1) for n in range(count - 1)])
    assert sorted(relations(best_order(chain)[0])) == list(range(count))


def test_the_size_of_a_set_does_not_depend_on_the_order() -> None:
    chain = graph([1000, 100, 10], [(0, 1), (1, 2)])
    assert chain.size(0b111) == pytest.approx(1000)
    assert chain.size(0b011) == pytest.approx(1000)
    assert chain.size(0b101) == pytest.approx(10_000)


def test_unconnected_parts_are_crossed_last_and_predicates_come_first() -> None:
    sizes = [1000.0, 100.0, 10.0]
    profiles = tuple(Profile(size) for size in sizes)
    apart = Graph(profiles, (), (Predicate(TRUE, 0b011, 0.1),))
    tree = best_order(apart)[0]
    assert tree in ((2, (0, 1)), ((0, 1), 2))
    assert isinstance(Graph(profiles, (), ()).size(0b111), float)


def test_rows_are_found_by_a_key_that_is_a_unique_number() -> None:
    """The table with the key is built though it is the larger one; unless it is much larger."""
    for day, built in (("1992-06-01", "big"), ("1991-12-03", "fact")):
        plan = optimized(
            f"SELECT count(*) FROM fact, big WHERE f_big = b_key AND f_day < DATE '{day}'"
        )
        (join,) = joins(plan)
        assert frames(join.right) == [built]


def test_two_columns_may_be_a_key_together() -> None:
    """Equal pairs are as many as the smaller table has rows, not as if both were independent."""
    builder = Builder()
    pairs = [(n // 20, n % 20) for n in range(400)]
    columns = {"a": (INTEGER, [a for a, _ in pairs]), "b": (INTEGER, [b for _, b in pairs])}
    fact, pair = builder.scan("fact", 40_000, **columns), builder.scan("pair", **columns)
    profiles = (profile(fact), profile(pair))
    classes = tuple(Class({0: value(fact, name), 1: value(pair, name)}) for name in "ab")
    assert Graph(profiles, classes, ()).size(0b11) == pytest.approx(40_000)
    assert best_order(Graph(profiles, classes, ()))[0] == (0, 1)
    thin = (profile(builder.scan("fact", 100, **columns)), profile(pair))
    assert Graph(thin, classes, ()).size(0b11) <= 401
