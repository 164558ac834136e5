"""Lists give the same bits in any chunking, engine and place, with any rule left out; and DuckDB's.

The tables are drawn once from a seed: lists of few and many elements, NULL and empty ones, NULLs
and equal elements in them, floats with both zeros and NaN.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from eau2.engine import rule_names
from tests.laws.test_reproducible import digest
from tests.oracle.sides import DuckSide, EauSide, Refusal, Setup

ROWS = 40
TEXTS = ("a", "b", "ab", ",", "\x00", "é", "")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table of lists."""

    name: str
    table: pa.Table

    def arrow(self) -> pa.Table:
        """Its rows."""
        return self.table


def drawn(name: str, seed: int) -> Drawn:
    """The table that a seed gives."""
    chance = random.Random(seed)

    def lists(element: Callable[[], object]) -> list[object]:
        def one() -> object:
            if chance.random() < 0.15:
                return None
            size = chance.choice((0, 1, 1, 2, 3, 7))
            return [None if chance.random() < 0.2 else element() for _ in range(size)]

        return [one() for _ in range(ROWS)]

    floats = (0.0, -0.0, 0.1, 1e300, -1e300, 1.5, float("nan"), float("inf"), 1e-300)
    ints = lists(lambda: chance.randrange(-3, 4))
    columns = {
        "k": pa.array([chance.randrange(6) for _ in range(ROWS)], pa.int32()),
        "a": pa.array(ints, pa.list_(pa.int32())),
        "f": pa.array(lists(lambda: chance.choice(floats)), pa.list_(pa.float64())),
        "s": pa.array(
            lists(lambda: chance.choice(["a", "b", "ab", ",", "\x00", "é", ""])),
            pa.list_(pa.string()),
        ),
        "n": pa.array(
            lists(lambda: [chance.randrange(2) for _ in range(chance.randrange(3))]),
            pa.list_(pa.list_(pa.int64())),
        ),
    }
    return Drawn(name, pa.table(columns))


TABLES = (drawn("t", 1), drawn("u", 2))

SAME = [
    "SELECT * FROM t ORDER BY a, s, n",
    "SELECT a, count(*) FROM t GROUP BY a",
    "SELECT f, count(*) FROM t GROUP BY f",
    "SELECT DISTINCT n FROM t",
    "SELECT s FROM t UNION SELECT s FROM u",
    "SELECT a FROM t EXCEPT SELECT a FROM u",
    "SELECT t.k, u.k FROM t JOIN u ON t.a = u.a",
    "SELECT t.k, u.k FROM t JOIN u ON t.f IS NOT DISTINCT FROM u.f AND t.k = u.k",
    "SELECT k, s FROM t WHERE s NOT IN (SELECT s FROM u WHERE s IS NOT NULL)",
    "SELECT k, min(a), max(a), min(n), max(s) FROM t GROUP BY k",
    "SELECT k, unnest(a) FROM t ORDER BY ALL",
    "SELECT k, unnest(a), unnest(s) FROM t ORDER BY ALL",
    "SELECT k, x, o FROM t, unnest(a) WITH ORDINALITY q(x, o) ORDER BY ALL",
    "SELECT k, x, y FROM t, unnest(n) q(x), unnest(x) r(y) WHERE k > 1 ORDER BY ALL",
    "SELECT k, x FROM t LEFT JOIN unnest(s) q(x) ON true WHERE k < 3 ORDER BY ALL",
    "SELECT x, count(*) FROM t, unnest(s) q(x) GROUP BY x",
    "SELECT k, (SELECT sum(x) FROM unnest(a) q(x) WHERE x > t.k) FROM t ORDER BY ALL",
    "SELECT k, list(a ORDER BY a), list(k ORDER BY k) FROM t GROUP BY k",
    "SELECT k, list(DISTINCT x ORDER BY x) FROM t, unnest(a) q(x) GROUP BY k",
    "SELECT k, list(x ORDER BY x DESC NULLS FIRST) FILTER (WHERE x <> 2)"
    " FROM t, unnest(a) q(x) GROUP BY k",
    "SELECT list_sort(a), list_sort(f), list_sort(s, 'desc'), list_reverse_sort(n)"
    " FROM t ORDER BY ALL",
    "SELECT list_sort(list_distinct(a)), list_unique(s), list_unique(f) FROM t ORDER BY ALL",
    "SELECT list_contains(a, k), list_position(a, k), a[k], a[-1], a[2:], a[:k], a[k:-2]"
    " FROM t ORDER BY ALL",
    "SELECT list_contains(n, [1]), list_contains(f, 0.0), list_contains(s, 'a')"
    " FROM t ORDER BY ALL",
    "SELECT list_has_any(a, [1, k]), list_has_all(a, [k]), list_concat(a, [k]), a || [k]"
    " FROM t ORDER BY ALL",
    "SELECT list_transform(a, lambda x, i: x * k + i), [y || 'z' FOR y IN s IF y <> 'a']"
    " FROM t ORDER BY ALL",
    "SELECT list_filter(a, lambda x: x > k - 3), list_reduce(a, lambda p, q: coalesce(p,"
    " 0) + coalesce(q, 0), 7)"
    " FROM t ORDER BY ALL",
    "SELECT list_sum(a), list_min(f), list_max(n), list_count(s), list_avg(a) FROM t ORDER BY ALL",
    "SELECT a < [k], a = [k], a >= [0, k], n <> [[k]], s IS DISTINCT"
    " FROM ['a'] FROM t ORDER BY ALL",
    "SELECT a::VARCHAR, s::VARCHAR, n::VARCHAR, a::DOUBLE[]::VARCHAR[] FROM t ORDER BY ALL",
    "SELECT k, row_number() OVER (PARTITION BY s ORDER BY k, a, n) FROM t ORDER BY ALL",
    "SELECT k, rank() OVER (ORDER BY a), max(s) OVER (PARTITION BY k) FROM t ORDER BY ALL",
    "SELECT k, list(a) OVER (PARTITION BY k ORDER BY a, s, n ROWS 2 PRECEDING) FROM t ORDER BY ALL",
    "SELECT k = ANY(a), k > ALL(a), k IN a, flatten(n), len(flatten(n)) FROM t ORDER BY ALL",
    "SELECT greatest(a, [k]), least(a, [0]), coalesce(a, [k]), nullif(a, [k]) FROM t ORDER BY ALL",
    "SELECT array_to_string(s, '-'), string_split(array_to_string(s, ','), ',')"
    " FROM t ORDER BY ALL",
]
"""Queries to which DuckDB has the same answer."""

OWN = [
    "SELECT f FROM t ORDER BY f",
    "SELECT k, list(x) FROM t, unnest(f) q(x) GROUP BY k",
    "SELECT sum(x), avg(x) FROM t, unnest(f) q(x) WHERE x < 2",
    "SELECT list_sum(f), list_avg(f), list_distinct(f) FROM t",
    "SELECT k, list(f), list(s), array_agg(DISTINCT n) FROM t GROUP BY k",
    "SELECT list_mode(a), list_median(a), list_first(f), list_aggregate(f, 'list') FROM t",
    "SELECT DISTINCT f FROM (SELECT f FROM t UNION ALL SELECT f FROM u)",
]
"""Queries whose answers DuckDB leaves open."""


def unordered(answer: pa.Table) -> list[str]:
    """The rows as texts, in an order of their own; 0.0 and -0.0 are alike."""
    columns = [column.to_pylist() for column in answer.columns]
    return sorted(str(row).replace("-0.0", "0.0") for row in zip(*columns, strict=True))


def test_answers_are_duckdbs() -> None:
    duck, ours = DuckSide(TABLES), EauSide(TABLES, Setup(7, 1))
    for sql in SAME:
        wanted, answer = duck.run(sql), ours.run(sql)
        assert not isinstance(wanted, Refusal), (sql, wanted)
        assert not isinstance(answer, Refusal), (sql, answer)
        assert unordered(answer) == unordered(wanted), sql
    duck.close()
    ours.close()


def test_chunks_engines_and_disk_do_not_show(tmp_path: Path) -> None:
    sides = {"default": EauSide(TABLES, Setup())}
    sides |= {f"chunk_rows {rows}": EauSide(TABLES, Setup(rows, 1)) for rows in (1, 7)}
    sides["streaming"] = EauSide(TABLES, Setup(3, 6, streaming=True))
    sides["on disk"] = EauSide(TABLES, Setup(3), store=str(tmp_path / "store"))
    for sql in (*SAME, *OWN):
        found = {name: digest(side.run(sql)) for name, side in sides.items()}
        assert len(set(found.values())) == 1, f"{found}\n{sql}"
        assert "data" not in found.values(), sql
        assert "bug" not in found.values(), sql
    for side in sides.values():
        side.close()


@pytest.mark.parametrize("left_out", [None, *rule_names()])
def test_rules_do_not_show(left_out: str | None) -> None:
    off = tuple(name for name in rule_names() if left_out in (None, name))
    plain, without = EauSide(TABLES, Setup(7)), EauSide(TABLES, Setup(7, without=off))
    # Each rule alone is left out of every fifth query, all together of all.
    some = slice(None) if left_out is None else slice(rule_names().index(left_out) % 5, None, 5)
    for sql in (*SAME, *OWN)[some]:
        assert digest(without.run(sql)) == digest(plain.run(sql)), sql
    plain.close()
    without.close()
