"""Keys that lie far apart: what a coarse membership test lets through is looked at again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from eau2.operators import addressing
from eau2.operators.base import Lowering, lower
from eau2.operators.expr import Column, JoinKind, ref
from eau2.operators.join import Join
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import StageInput
from eau2.types import BIGINT, BOOLEAN, DATE, INTEGER, TIMESTAMP, Kind, SqlType

READ = 1_000_000
TYPES = (INTEGER, BIGINT, DATE, TIMESTAMP, SqlType(Kind.UBIGINT), SqlType(Kind.USMALLINT))
KINDS: tuple[JoinKind, ...] = ("inner", "semi", "anti", "mark", "left")


def rows(kind: JoinKind, sides: list[pl.DataFrame], type_: SqlType, lookups: bool) -> list[Any]:
    a, b = Column(1, "a", type_), Column(2, "b", BIGINT)
    c, d = Column(3, "c", type_), Column(4, "d", BIGINT)
    mark = Column(5, "m", BOOLEAN) if kind == "mark" else None
    pairs = ((ref(a), ref(c)),)
    left, right = StageInput(0, (a, b)), StageInput(1, (c, d))
    tree = Join(kind, left, right, pairs, None, False, mark, lookups)
    frames = dict(enumerate(sides))
    lazy = {number: frame.lazy() for number, frame in frames.items()}
    plan = lower(tree, Lowering(None, lazy, rows=READ, frames=frames))
    return sorted(plan.collect(engine="streaming").rows(), key=repr)


@pytest.mark.parametrize("type_", TYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_few_keys_in_a_wide_span(
    type_: SqlType, kind: JoinKind, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addressing, "_NARROW", 100)
    draw = random.Random(seed)
    base = (1 << 63) + 5 if type_.kind is Kind.UBIGINT else draw.choice((0, 17, 3000))
    width = 20_000
    ours = [base + draw.randrange(width) for _ in range(2_000)]
    keys = [*draw.sample(sorted(set(ours)), 40), base + width - 1, base]
    draw.shuffle(keys)
    theirs: list[int | None] = [*keys, None] if seed % 2 else list(keys)
    dtype = kernel_dtype(type_)
    physical = pl.UInt64 if type_.kind is Kind.UBIGINT else pl.Int64
    sides = []
    for numbers, first, second in (([*ours, None], "c1", "c2"), (theirs, "c3", "c4")):
        values = pl.Series(first, numbers, dtype=physical)
        narrow = values.cast(pl.Int32).cast(dtype) if dtype == pl.Date else values.cast(dtype)
        sides.append(pl.DataFrame([narrow, pl.Series(second, range(len(values)), dtype=pl.Int64)]))
    assert rows(kind, sides, type_, True) == rows(kind, sides, type_, False)


def test_a_coarse_test_holds_for_every_key() -> None:
    keys = pl.Series([5, 70_000, 1_000_000], dtype=pl.Int32)
    first, exact = addressing.member("k", keys, 10_000_000)
    assert first is not None
    frame = pl.DataFrame({"k": pl.Series(range(1_100_000), dtype=pl.Int32)})
    passed = frame.filter(first)
    assert 3 < passed.height < frame.height / 100
    assert frame.filter(exact).to_series().to_list() == [5, 70_000, 1_000_000]
    assert passed.filter(exact).height == 3


def pairs_of(rows_: Sequence[tuple[int | None, ...]], columns: Sequence[Column]) -> pl.DataFrame:
    data = [(*row, place) for place, row in enumerate(rows_)]
    schema = {column.label: pl.Int64 for column in columns}
    return pl.DataFrame(data, schema=schema, orient="row")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_few_pairs_of_keys_in_a_wide_span(
    kind: JoinKind, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addressing, "_NARROW", 100)
    draw = random.Random(seed)
    a, b, n = (Column(1 + id_, name, BIGINT) for id_, name in enumerate("abn"))
    c, d, m = (Column(5 + id_, name, BIGINT) for id_, name in enumerate("cdm"))
    firsts = draw.sample(range(20_000), 60)
    pairs = {(first, 1000 * draw.randrange(50)) for first in firsts for _ in range(3)}
    theirs: list[tuple[int | None, int | None]] = [*pairs, *([(None, 3)] if seed % 2 else [])]
    ours = [draw.choice([*pairs, (draw.randrange(20_000), 7), (None, 3)]) for _ in range(3_000)]
    found = []
    for lookups in (True, False):
        mark = Column(9, "found", BOOLEAN) if kind == "mark" else None
        left, right = StageInput(0, (a, b, n)), StageInput(1, (c, d, m))
        keys = ((ref(a), ref(c)), (ref(b), ref(d)))
        tree = Join(kind, left, right, keys, None, False, mark, lookups)
        frames = {0: pairs_of(ours, (a, b, n)), 1: pairs_of(theirs, (c, d, m))}
        lazy = {number: frame.lazy() for number, frame in frames.items()}
        plan = lower(tree, Lowering(None, lazy, rows=READ, frames=frames))
        found.append(sorted(plan.collect(engine="streaming").rows(), key=repr))
    assert found[0] == found[1]
