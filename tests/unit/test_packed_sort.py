"""Sorting by packed keys: the rows that the engine's own sort gives, equal ones as they came."""

from __future__ import annotations

import datetime
import random

import polars as pl
import pytest

from eau2.operators import packed_sort
from eau2.operators.packed_sort import Term, engine_sorted, sorted_rows

ROWS = 600


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred rows are enough to pack."""
    monkeypatch.setattr(packed_sort, "_FEW_ROWS", 2)


def column(kind: str, draw: random.Random) -> pl.Series:
    """Values with many ties, with the extremes of their type."""
    day = datetime.date(2024, 2, 28)
    pools: dict[str, tuple[list[object], pl.DataType]] = {
        "few": ([1, 2, 3], pl.Int8()),
        "small": ([-128, 127, 0, 5], pl.Int8()),
        "int": ([-(2**31), 2**31 - 1, 0, 7], pl.Int32()),
        "long": ([-(2**63), 2**63 - 1, 0, 7], pl.Int64()),
        "unsigned": ([2**32 - 1, 0, 7], pl.UInt32()),
        "wide": ([2**100, -(2**100), 0], pl.Int128()),
        "double": ([1.5, -1.5, 2.5], pl.Float64()),
        "text": (["", "a", "b", "ab"], pl.String()),
        "flag": ([True, False], pl.Boolean()),
        "day": ([day, datetime.date(1, 1, 1), datetime.date(9999, 12, 31)], pl.Date()),
        "moment": ([datetime.datetime(2024, 1, n) for n in (1, 2, 3)], pl.Datetime("us")),
        "one": ([4], pl.Int32()),
        "nothing": ([None], pl.Int32()),
    }
    pool, dtype = pools[kind.removesuffix("?")]
    missing = [None] if kind.endswith("?") else []
    return pl.Series(kind, [draw.choice([*pool, *missing]) for _ in range(ROWS)], dtype)


ORDERS = [
    ("few", "small"), ("few?", "small?", "flag?"), ("int", "int?", "int"), ("long", "few"),
    ("few", "long?", "day?", "few?"), ("text", "few"), ("few", "text", "small?"),
    ("flag", "text?", "double", "few"), ("one", "nothing", "few"), ("nothing", "text"),
    ("unsigned?", "wide", "few"), ("moment?", "day", "unsigned", "long", "text"),
    ("double", "few"), ("few", "double", "text"), ("int", "flag?", "moment", "small", "text"),
]  # fmt: skip


@pytest.mark.parametrize("kinds", ORDERS, ids=["-".join(kinds) for kinds in ORDERS])
@pytest.mark.parametrize("seed", range(4))
def test_like_the_engine(kinds: tuple[str, ...], seed: int) -> None:
    draw = random.Random(repr((kinds, seed)))
    rows = pl.DataFrame(
        [column(kind, draw).alias(f"c{n}") for n, kind in enumerate(kinds)]
    ).with_row_index("came")
    terms = [
        Term(pl.col(f"c{n}"), draw.random() < 0.5, draw.random() < 0.5) for n in range(len(kinds))
    ]
    wanted = engine_sorted(rows.lazy(), terms, stable=True).collect()
    assert sorted_rows(rows, terms).equals(wanted)


@pytest.mark.parametrize("height", [0, 1, 2, 3])
def test_few_rows(height: int) -> None:
    rows = pl.DataFrame({"a": [2, 1, 1][:height], "b": [1, None, 0][:height]})
    rows = rows.cast(pl.Int32)
    terms = [Term(pl.col("a"), False, True), Term(pl.col("b"), True, True)]
    wanted = engine_sorted(rows.lazy(), terms, stable=True).collect()
    assert sorted_rows(rows, terms).equals(wanted)


def test_few_ties_among_many_rows() -> None:
    """Only ties look at a key that cannot be packed."""
    numbers = [*range(ROWS), 5, 5, 17]
    texts = [str(n % 7) for n in range(ROWS)] + ["z", "a", "q"]
    rows = pl.DataFrame({"a": numbers, "s": texts}).sample(fraction=1.0, shuffle=True, seed=3)
    terms = [Term(pl.col("a"), True, True), Term(pl.col("s"), False, True)]
    wanted = engine_sorted(rows.lazy(), terms, stable=True).collect()
    assert sorted_rows(rows, terms).equals(wanted)
