"""The rule reduce_inputs: what it writes, and that no answer changes where it is made to fire."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

import eau2
from eau2.planner.rules import reduce_inputs
from tests.oracle.fuzz import describe, run_batches

FEW = "SELECT k FROM few WHERE {} (SELECT 1 FROM many WHERE many.k = few.k AND many.v <> few.v)"


@pytest.fixture
def sizes() -> Iterator[eau2.Connection]:
    """Few rows, and many more of other keys, some NULL."""
    with eau2.connect() as connection:
        few = {"k": [1, 2, 3, None], "v": [1, 1, 1, 1]}
        connection.put("few", pa.table({name: pa.array(v, pa.int64()) for name, v in few.items()}))
        keys = [n % 40_000 if n % 7 else None for n in range(80_000)]
        connection.put("many", pa.table({"k": keys, "v": [n % 3 for n in range(80_000)]}))
        yield connection


def plan(connection: eau2.Connection, sql: str) -> str:
    return "\n".join(row[0] for row in connection.sql(f"EXPLAIN {sql}").fetchall())


@pytest.mark.parametrize("kind", ["EXISTS", "NOT EXISTS"])
def test_a_large_right_side_is_reduced_to_the_keys_on_the_left(
    sizes: eau2.Connection, kind: str
) -> None:
    sql = FEW.format(kind)
    joins = plan(sizes, sql).count("Join semi")
    answer = sizes.sql(sql).fetchall()
    sizes.execute("SET optimizer.reduce_inputs = off")
    assert plan(sizes, sql).count("Join semi") == joins - 1
    assert sizes.sql(sql).fetchall() == answer
    assert answer == ([(1,), (2,), (3,)] if kind == "EXISTS" else [(None,)])


def test_sides_that_match_are_left_alone(sizes: eau2.Connection) -> None:
    sql = "SELECT count(*) FROM many a WHERE EXISTS (SELECT 1 FROM many b WHERE a.k = b.k)"
    before = plan(sizes, sql)
    sizes.execute("SET optimizer.reduce_inputs = off")
    assert plan(sizes, sql) == before


@pytest.mark.parametrize("batch", range(2))
def test_no_answer_changes_where_everything_is_reduced(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(reduce_inputs, "ROWS", 0.0)
    monkeypatch.setattr(reduce_inputs, "FRACTION", 1e9)
    monkeypatch.setattr(reduce_inputs, "KEYS", 1e9)
    tally = run_batches("reduced", [batch])
    shown = [f"{verdict.text[:300]}\n{describe(case)}" for case, verdict in tally.differences[:3]]
    assert not tally.differences, "\n\n".join(shown)
