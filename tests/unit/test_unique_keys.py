"""What tells the rows of a plan apart."""

from __future__ import annotations

import pytest

from eau2.catalog import ColumnStatistics, DistinctSketch
from eau2.operators.expr import JoinKind, ref
from eau2.planner.unique_keys import is_unique, seems_unique, unique_keys
from eau2.records import replace
from eau2.sql.logical import Aggregate, Filter, Join, Limit, Project, Scan, Sort
from eau2.types import BOOLEAN, DOUBLE, INTEGER
from tests.unit.plans import Builder, call, constant, value


def column(count: int, nulls: int = 0, k: int = 10, low: object = 1) -> ColumnStatistics:
    sketch = DistinctSketch("hash", k, tuple(range(min(count, k))))
    return ColumnStatistics(nulls, low, count, sketch)  # type: ignore[arg-type]


def test_a_sketch_that_is_not_full_proves_it() -> None:
    assert is_unique(column(9), 9)
    assert not is_unique(column(9), 10)
    assert not is_unique(column(9, nulls=1), 10)
    assert not is_unique(column(10), 10)  # full
    assert not is_unique(column(3, low=0.5), 3)  # 0.0 and -0.0 are equal
    assert not is_unique(ColumnStatistics(0, 1, 3), 3)
    assert not is_unique(ColumnStatistics(0), 3)


def test_many_values_only_seem_unique() -> None:
    full = replace(column(9), distinct=DistinctSketch("hash", 2, (1, 2**64 // 1000)))
    assert seems_unique(full, 1000)
    assert not is_unique(full, 1000)
    assert not seems_unique(full, 3000)
    assert not seems_unique(ColumnStatistics(0, 1, 9), 9)


@pytest.fixture
def builder() -> Builder:
    return Builder()


def keyed(builder: Builder, name: str = "t") -> Scan:
    """Values of a are unique; b repeats; c has a NULL; d is a float."""
    return builder.scan(
        name,
        a=(INTEGER, [1, 2, 3]),
        b=(INTEGER, [1, 1, 2]),
        c=(INTEGER, [1, 2, None]),
        d=(DOUBLE, [1.0, 2.0, 3.0]),
    )


def test_of_a_frame_what_is_verified(builder: Builder) -> None:
    scan = keyed(builder)
    assert unique_keys(scan) == (frozenset({scan.columns[0].id}),)
    file = replace(scan, frame=replace(scan.frame, version=0))
    assert unique_keys(file) == ()


def test_what_passes_rows_on_passes_keys_on(builder: Builder) -> None:
    scan = keyed(builder)
    keys = unique_keys(scan)
    condition = call(">", value(scan, "b"), constant(INTEGER, 1))
    assert condition.type == BOOLEAN
    assert unique_keys(Filter(scan, condition)) == keys
    assert unique_keys(Sort(scan, ())) == keys
    assert unique_keys(Limit(scan, 2)) == keys
    assert unique_keys(Limit(scan, 1)) == (frozenset(),)
    renamed = builder.column("r", INTEGER)
    assert unique_keys(Project(scan, ((renamed, value(scan, "a")),))) == (frozenset({renamed.id}),)
    computed = call("+", value(scan, "a"), constant(INTEGER, 1))
    assert unique_keys(Project(scan, ((renamed, computed),))) == ()


def test_groups_are_told_apart_by_their_keys(builder: Builder) -> None:
    scan = keyed(builder)
    first, second = builder.column("k", INTEGER), builder.column("l", INTEGER)
    by_b = Aggregate(scan, ((first, value(scan, "b")), (second, value(scan, "c"))), ())
    assert unique_keys(by_b) == (frozenset({first.id, second.id}),)
    by_a = Aggregate(scan, ((first, value(scan, "a")), (second, value(scan, "b"))), ())
    assert unique_keys(by_a) == (frozenset({first.id}),)
    assert unique_keys(Aggregate(scan, (), ())) == (frozenset(),)


def join(kind: JoinKind, left: Scan, right: Scan, a: str, b: str) -> Join:
    return Join(kind, left, right, ((value(left, a), value(right, b)),))


@pytest.mark.parametrize("kind", ["inner", "left"])
def test_a_unique_partner_repeats_no_row(builder: Builder, kind: JoinKind) -> None:
    left, right = keyed(builder), keyed(builder, "u")
    mine, theirs = left.columns[0].id, right.columns[0].id
    assert unique_keys(join(kind, left, right, "b", "a")) == (frozenset({mine}),)
    both = (frozenset({mine, theirs}),)
    assert unique_keys(join(kind, left, right, "b", "b")) == both
    assert unique_keys(join(kind, left, right, "b", "c")) == both
    either = unique_keys(join(kind, left, right, "a", "b"))
    # Rows of a left join that are padded have no key on the right.
    assert either == ((frozenset({theirs}),) if kind == "inner" else both)


def test_semi_joins_only_drop_rows(builder: Builder) -> None:
    left, right = keyed(builder), keyed(builder, "u")
    assert unique_keys(join("semi", left, right, "b", "b")) == unique_keys(left)
    assert unique_keys(join("full", left, right, "a", "a")) == ()
    assert unique_keys(Join("cross", left, Aggregate(right, (), ()))) == unique_keys(left)
    assert ref(left.columns[0]).type == INTEGER
