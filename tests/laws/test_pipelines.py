"""Pipelines against lists of rows in plain Python: any chain of operations gives the same rows.

The functions are called as the Python that they are written in, with the one rule that differs: a
TypeError because of None is None.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eau2
from eau2.pipelines.pipeline import Pipeline

Row = tuple[Any, ...]
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])


class Both(NamedTuple):
    """A pipeline, and the rows that it should give, in its columns k and v."""

    pipeline: Pipeline
    rows: list[Row]


@eau2.function
def total(k: int, v: int) -> int:
    return k * 3 + v


@eau2.function
def step(v: int | None) -> int:
    if v is None:
        return -1
    return v // 2 if v % 2 == 0 else v - 3


@eau2.function
def is_less(k: int, v: int) -> bool:
    return k < v


@eau2.function
def is_odd_or_none(v: int | None) -> bool:
    return v is None or v % 2 == 1


@eau2.table_function
def below(v: int | None) -> list[int]:
    if v is None:
        return [7]
    return [n * n for n in range(v) if n != 1]


def called(function: Callable[..., Any], *values: int | None) -> Any:
    """What a function gives in Python, where a TypeError because of None is None."""
    try:
        return function(*values)
    except TypeError:
        if None not in values:
            raise
        return None


def mapped(both: Both) -> Both:
    rows = [(called(step, v), called(total, k, v)) for k, v in both.rows]
    return Both(both.pipeline.map(k=step, v=total), rows)


def kept(both: Both) -> Both:
    return Both(both.pipeline.with_columns(v=step), [(k, called(step, v)) for k, v in both.rows])


def less(both: Both) -> Both:
    return Both(both.pipeline.filter(is_less), [row for row in both.rows if called(is_less, *row)])


def odd(both: Both) -> Both:
    rows = [row for row in both.rows if is_odd_or_none(row[1])]
    return Both(both.pipeline.filter(is_odd_or_none), rows)


def swapped(both: Both) -> Both:
    pipeline = both.pipeline.rename(k="v", v="k").select("k", "v")
    return Both(pipeline, [(v, k) for k, v in both.rows])


def distinct(both: Both) -> Both:
    return Both(both.pipeline.distinct(), list(dict.fromkeys(both.rows)))


def first(both: Both) -> Both:
    def order(row: Row) -> tuple[Any, ...]:
        k, v = row
        return (k is None, -(k or 0), v is None, v or 0)

    pipeline = both.pipeline.sort("k", "v", descending=["k"]).limit(4, offset=1)
    return Both(pipeline, sorted(both.rows, key=order)[1:5])


def flat(both: Both) -> Both:
    rows = [(k, element) for k, v in both.rows for element in below(v)]
    return Both(both.pipeline.flat_map(v=below, keep=["k"]), rows)


def grouped(both: Both) -> Both:
    groups: dict[int | None, list[int]] = defaultdict(list)
    for k, v in both.rows:
        groups[k] += [] if v is None else [v]
    rows: list[Row] = [(k, sum(values) if values else None) for k, values in groups.items()]
    pipeline = both.pipeline.group_by("k").reduce(v="sum(v)").as_types({"v": "BIGINT"})
    return Both(pipeline, rows)


def gathered(both: Both) -> Both:
    ks = [k for k, _ in both.rows if k is not None]
    row: Row = (max(ks, default=None), len(both.rows))
    return Both(both.pipeline.reduce(k="max(k)", v="count(*)"), [row])


ALONE = (mapped, kept, less, odd, swapped, distinct, first, flat, grouped, gathered)


def united(one: Both, other: Both) -> Both:
    return Both(one.pipeline.union(other.pipeline), one.rows + other.rows)


def matching(one: Both, other: Both) -> list[tuple[Row, Row]]:
    pairs = product(one.rows, other.rows)
    return [(a, b) for a, b in pairs if a[0] is not None and a[0] == b[0]]


def renamed(both: Both) -> Pipeline:
    return both.pipeline.rename(w="v")


def inner(one: Both, other: Both) -> Both:
    pipeline = one.pipeline.join(renamed(other), on="k").map(k="k", v=(total, "v", "w"))
    return Both(pipeline, [(a[0], called(total, a[1], b[1])) for a, b in matching(one, other)])


def full(one: Both, other: Both) -> Both:
    pipeline = one.pipeline.join(renamed(other), on="k", how="full").map(v="w", keep=["k"])
    pairs = matching(one, other)
    rows: list[Row] = [b for _, b in pairs]
    rows += [(k, None) for k, v in one.rows if k not in {a[0] for a, _ in pairs}]
    rows += [row for row in other.rows if row[0] not in {b[0] for _, b in pairs}]
    return Both(pipeline, rows)


def semi(one: Both, other: Both) -> Both:
    there = {v for _, v in other.rows} - {None}
    pipeline = one.pipeline.join(other.pipeline, on={"k": "v"}, how="semi")
    return Both(pipeline, [row for row in one.rows if row[0] in there])


def anti(one: Both, other: Both) -> Both:
    there = {v for _, v in other.rows} - {None}
    pipeline = one.pipeline.join(other.pipeline, on={"k": "v"}, how="anti")
    return Both(pipeline, [row for row in one.rows if row[0] not in there])


TOGETHER = (united, inner, full, semi, anti)

Tree = tuple[Any, ...]
"""("frame", rows), (an operation of one, tree), or (an operation of two, tree, tree)."""

NUMBERS = st.none() | st.integers(-3, 5)
LEAVES = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=7).map(lambda rows: ("frame", rows))


def longer(below: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """One operation more."""
    one = st.tuples(st.sampled_from(ALONE), below)
    return one | one | st.tuples(st.sampled_from(TOGETHER), below, below)


TREES = st.recursive(LEAVES, longer, max_leaves=4)


@pytest.fixture(scope="module")
def connection() -> Iterator[eau2.Connection]:
    with eau2.connect() as opened:
        opened.sql("SET chunk_rows = 2")
        yield opened


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_any_pipeline_gives_what_lists_give(connection: eau2.Connection, tree: Tree) -> None:
    pipeline, rows = built(connection, tree)
    assert Counter(pipeline.rows()) == Counter(rows)
    for name in connection.tables():
        connection.drop(name)


def built(connection: eau2.Connection, tree: Tree) -> Both:
    if tree[0] == "frame":
        rows: list[Row] = tree[1]
        columns = [pa.array([row[place] for row in rows], pa.int64()) for place in (0, 1)]
        name = f"t{len(connection.tables())}"
        connection.put(name, pa.table(columns, schema=SCHEMA))
        return Both(connection.frame(name), rows)
    return tree[0](*(built(connection, below) for below in tree[1:]))  # type: ignore[no-any-return]
