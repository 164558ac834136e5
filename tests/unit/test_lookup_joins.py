"""Joins by lookup give what hashing gives and what pairs compared one by one give."""

from __future__ import annotations

import datetime
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import eau2
from eau2 import types
from eau2.errors import DataError
from eau2.kernels.runner import run_fragment
from eau2.operators import row_arrays
from eau2.operators.addressing import RowTable, row_table
from eau2.operators.base import Lowering, lower
from eau2.operators.expr import Call, Cast, Column, JoinKind, ref
from eau2.operators.join import Join
from eau2.operators.lookup_join import lookup_join
from eau2.operators.physical import kernel_dtype
from eau2.operators.row_arrays import ROW, ByBlocks
from eau2.operators.scan import StageInput
from eau2.types import SqlType
from tests.oracle.sides import Setup

KINDS: tuple[JoinKind, ...] = ("inner", "left", "single", "semi", "anti", "mark")
MARK = Column(9, "m", types.BOOLEAN)
B, D = Column(7, "b", types.INTEGER), Column(8, "d", types.INTEGER)
UNDER = Call(types.BOOLEAN, "<", (ref(B), ref(D)))
DAY, NOON = datetime.date(2000, 1, 1), datetime.datetime(2000, 1, 1, 12)
Sides = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]

WHOLE: dict[SqlType, tuple[int, int]] = {
    types.TINYINT: (-(1 << 7), (1 << 7) - 1),
    types.SMALLINT: (-(1 << 15), (1 << 15) - 1),
    types.INTEGER: (-(1 << 31), (1 << 31) - 1),
    types.BIGINT: (-(1 << 63), (1 << 63) - 1),
    types.UTINYINT: (0, (1 << 8) - 1),
    types.UINTEGER: (0, (1 << 32) - 1),
    types.UBIGINT: (0, (1 << 64) - 1),
}


def values_of(type_: SqlType) -> st.SearchStrategy[list[Any]]:
    """Some values of a type, near to one another for the most part."""
    if type_ == types.BOOLEAN:
        return st.just([False, True])
    if type_ == types.DATE:
        return st.just([DAY + datetime.timedelta(n) for n in (*range(9), 300)])
    if type_ == types.TIMESTAMP:
        return st.just([NOON + datetime.timedelta(microseconds=n) for n in (*range(9), 300)])
    low, high = WHOLE[type_]
    starts = sorted({low, high - 9, max(low, -4), 0})
    far = {low, high, (low + high) // 2}
    return st.sampled_from(starts).map(lambda n: sorted({*range(n, n + 10), *far}))


@st.composite
def sides(draw: st.DrawFn, keys: tuple[SqlType, ...]) -> Sides:
    """Rows of the keys and one more value. Right keys are far apart, repeated or NULL at times."""
    pools = [draw(values_of(type_)) for type_ in keys]
    near = draw(st.booleans())
    rights = [pool if not near or len(pool) < 10 else pool[len(pool) // 4 :][:8] for pool in pools]
    null = draw(st.sampled_from([[], [None]]))
    payload = st.sampled_from([None, 0, 1, 2, 3])
    left = st.tuples(*(st.sampled_from([None, *pool]) for pool in pools), payload)
    right = st.tuples(*(st.sampled_from([*null, *pool]) for pool in rights), payload)
    unique = draw(st.booleans())
    by = (lambda row: row[: len(keys)]) if unique else None
    return draw(st.lists(left, max_size=30)), draw(st.lists(right, max_size=14, unique_by=by))


def naive(kind: JoinKind, rows: Sides, condition: bool) -> list[tuple[Any, ...]] | None:
    """The rows of the join; None where a single join refuses."""
    given = []
    for left in rows[0]:
        pairs = [
            (*left, *right)
            for right in rows[1]
            if None not in left[:-1]
            and left[:-1] == right[:-1]
            and (not condition or (None not in (left[-1], right[-1]) and left[-1] < right[-1]))
        ]
        if kind == "single" and len(pairs) > 1:
            return None
        match kind:
            case "inner":
                given += pairs
            case "left" | "single":
                given += pairs or [(*left, *(None,) * len(left))]
            case "mark":
                given.append((*left, bool(pairs)))
            case _:
                given += [left] if bool(pairs) == (kind == "semi") else []
    return given


def frame(rows: list[tuple[Any, ...]], columns: tuple[Column, ...], parts: int) -> pl.DataFrame:
    schema = {column.label: kernel_dtype(column.type) for column in columns}
    whole = pl.DataFrame(rows, schema=schema, orient="row")
    step = max(1, len(rows) // parts)
    pieces = [whole[n : n + step] for n in range(0, max(1, len(rows)), step)]
    return pl.concat(pieces, rechunk=False)


def joined(
    kind: JoinKind,
    keys: tuple[SqlType, ...],
    rows: Sides,
    condition: bool,
    lookups: bool,
    read: int,
) -> list[tuple[Any, ...]] | None:
    left = (*(Column(n, f"a{n}", type_) for n, type_ in enumerate(keys, 1)), B)
    right = (*(Column(n, f"c{n}", type_) for n, type_ in enumerate(keys, 4)), D)
    pairs = tuple((ref(a), ref(c)) for a, c in zip(left[:-1], right[:-1], strict=True))
    mark = MARK if kind == "mark" else None
    tree = Join(
        kind,
        StageInput(0, left),
        StageInput(1, right),
        pairs,
        UNDER if condition else None,
        False,
        mark,
        lookups,
    )
    frames = {0: frame(rows[0], left, 3), 1: frame(rows[1], right, 2)}
    lazy = {stage: rows.lazy() for stage, rows in frames.items()}
    plan = lower(tree, Lowering(None, lazy, rows=read, frames=frames))
    engine: Any = "streaming" if read > 1000 else "in-memory"
    try:
        return plan.collect(engine=engine).rows()
    except (DataError, pl.exceptions.PolarsError) as error:
        if "more than one row" not in str(error):
            raise
        return None


def agrees(keys: tuple[SqlType, ...], rows: Sides) -> None:
    for kind in KINDS:
        for condition in (False, True):
            expected = naive(kind, rows, condition)
            for lookups, read in ((True, 40), (True, 1_000_000), (False, 40)):
                found = joined(kind, keys, rows, condition, lookups, read)
                if expected is None:
                    assert found is None, kind
                else:
                    assert found is not None, kind
                    assert sorted(found, key=repr) == sorted(expected, key=repr), (kind, lookups)
                    assert kind != "mark" or found == expected, "the left rows in their order"


ONE = [*WHOLE, types.BOOLEAN, types.DATE, types.TIMESTAMP]


@pytest.mark.parametrize("type_", ONE, ids=str)
def test_one_key(type_: SqlType) -> None:
    @settings(max_examples=8, deadline=None)
    @given(sides((type_,)))
    def run(rows: Sides) -> None:
        agrees((type_,), rows)

    run()


SEVERAL = [
    (types.INTEGER, types.INTEGER),
    (types.BIGINT, types.TINYINT),
    (types.UBIGINT, types.BIGINT),
    (types.DATE, types.BOOLEAN),
    (types.INTEGER, types.TIMESTAMP, types.UTINYINT),
]


@pytest.mark.parametrize("keys", SEVERAL, ids=str)
def test_several_keys(keys: tuple[SqlType, ...]) -> None:
    @settings(max_examples=8, deadline=None)
    @given(sides(keys))
    def run(rows: Sides) -> None:
        agrees(keys, rows)

    run()


def table(left: list[str], right: list[list[Any]], rows: int = 0) -> RowTable | None:
    return row_table(left, [pl.Series(keys, dtype=pl.Int64) for keys in right], rows)


def rows_of(found: RowTable, frame: pl.DataFrame) -> list[int | None]:
    for column, _ in found.steps:
        frame = frame.with_columns(column)
    return [None if n is None or n >= found.height else n for n in frame.get_column(ROW)]


def test_keys_are_found_in_buckets() -> None:
    """Four rows for each first key, too far apart for one address of both keys."""
    a = [n // 4 for n in range(400)]
    b = [n * 7919 % 30_011 for n in range(400)]
    found = table(["a", "b"], [a, b])
    assert found is not None
    assert len(found.steps) == 2
    assert rows_of(found, pl.DataFrame({"a": a, "b": b})) == list(range(400))
    wrong = pl.DataFrame({"a": a, "b": [n + 1 for n in b]})
    assert rows_of(found, wrong) == [None] * 400
    ends = [-(1 << 63), -1, 0, 99, 100, (1 << 63) - 1, None]
    outside = pl.DataFrame(
        [(x, y) for x in ends for y in [*ends, 1 << 16, -(1 << 32)]],
        schema=["a", "b"],
        orient="row",
    )
    there = dict(zip(zip(a, b, strict=True), range(400), strict=True))
    assert rows_of(found, outside) == [there.get(row) for row in outside.rows()]
    assert table(["a", "b"], [a, [0, *b[1:3], 0, *b[4:]]]) is None, "twice the same keys"
    assert table(["a", "b"], [[0] * 9 + a[9:], b]) is None, "nine rows in a bucket"


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 8), st.integers(9, 60_000), st.integers(), st.booleans())
def test_any_bucket_finds_its_rows(width: int, most: int, seed: int, dense: bool) -> None:
    random = Random(seed)
    pairs = {(n, random.randrange(most)) for n in range(200) for _ in range(width)}
    pairs = {pair for pair in pairs if dense or pair[0] % 3}
    order = random.sample(sorted(pairs), len(pairs))
    a, b = [x for x, _ in order], [y for _, y in order]
    found = table(["a", "b"], [a, b])
    if found is None:
        assert most >= 254, "lanes of eight bits hold all keys"
        return
    assume(not found.rest)
    probes = order + [(x, random.randrange(-2, most + 2)) for x in range(-1, 202)]
    there = {pair: n for n, pair in enumerate(order)}
    frame = pl.DataFrame(probes, schema=["a", "b"], orient="row")
    assert rows_of(found, frame) == [there.get(pair) for pair in probes]


@pytest.mark.parametrize("most", [254, 255, 256, 257, 258])
def test_keys_that_just_fit_into_a_lane_and_those_that_do_not(most: int) -> None:
    """Eight rows in a bucket leave eight bits for each."""
    pairs = [(2 * n, (n + 31 * k) % most) for n in range(200) for k in range(8)]
    pairs[:2] = [(0, 0), (0, most - 1)]
    found = table(["a", "b"], [[a for a, _ in pairs], [b for _, b in pairs]])
    if found is not None:
        there = {pair: n for n, pair in enumerate(pairs)}
        probes = [(a, b) for a in range(400) for b in range(-3, most + 3)]
        frame = pl.DataFrame(probes, schema=["a", "b"], orient="row")
        assert rows_of(found, frame) == [there.get(pair) for pair in probes]
    assert (found is None) == (most >= 255)


S = Column(10, "s", types.VARCHAR)


@pytest.mark.parametrize("lookups", [True, False])
def test_a_condition_is_asked_of_pairs_alone(lookups: bool) -> None:
    """It may hold for the NULLs of a row without a pair, or fail on such a row."""
    k, c = Column(1, "k", types.INTEGER), Column(2, "c", types.INTEGER)
    left = frame([(1, "5"), (2, "6"), (9, "7"), (None, "8")], (k, S), 1)
    right = frame([(1, None), (2, 6), (3, 0)], (c, D), 1)
    bad = left.with_columns(pl.Series("s", ["5", "6", "x", "y"]).alias(S.label))
    no_value = Call(types.BOOLEAN, "is_null", (ref(D),))
    number = Call(types.BOOLEAN, "=", (Cast(types.INTEGER, ref(S)), ref(D)))
    for rows, condition, held in ((left, no_value, [1]), (bad, number, [2])):
        for kind in KINDS:
            mark = MARK if kind == "mark" else None
            sides = (StageInput(0, (k, S)), StageInput(1, (c, D)))
            tree = Join(kind, *sides, ((ref(k), ref(c)),), condition, False, mark, lookups)
            found = run_fragment(tree, None, {0: rows, 1: right}).rows()
            keys = [row[0] for row in found]
            match kind:
                case "inner" | "semi":
                    assert keys == held
                case "anti":
                    assert sorted(keys, key=str) == sorted({1, 2, 9, None} - set(held), key=str)
                case "mark":
                    assert [row[0] for row in found if row[-1]] == held
                case _:
                    assert len(keys) == 4
                    assert [row[0] for row in found if row[2] is not None] == held


def test_a_lookup_is_made_where_the_keys_lie_close() -> None:
    assert table(["a"], [[3, 1, 2]]) is not None
    assert table(["a"], [[3, 1, 3]]) is None, "not unique"
    assert table(["a"], [[3, 1, None, None]]) is not None, "NULLs are nobody's keys"
    assert table(["a"], [[0, 1_000_000]]) is None, "far apart"
    assert table(["a"], [[0, 1_000_000]], rows=1_000_000) is not None, "many rows are read"
    assert table(["a"], [[0, (1 << 63) - 1]], rows=1 << 62) is None
    assert table(["a"], [[None]]) is None
    assert row_table(["a"], [pl.Series(["x"])], 0) is None
    whole = table(["a"], [[5, 6, 7]])
    assert whole is not None
    assert "gather" not in str(whole.steps[0][0]), "consecutive keys are their rows' numbers"


def test_the_switch_leaves_lookups_out(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def watched(kind: JoinKind, *args: Any) -> pl.LazyFrame | None:
        called.append(kind)
        return lookup_join(kind, *args)

    monkeypatch.setattr("eau2.operators.join.lookup_join", watched)
    rows: Sides = ([(1, 1), (2, 2)], [(2, 3)])
    for lookups in (False, True):
        assert joined("inner", (types.INTEGER,), rows, False, lookups, 40) == [(2, 2, 2, 3)]
    assert called == ["inner"]


def test_codes_of_right_rows_are_texts_where_rows_without_a_partner_are_made() -> None:
    left = pa.table({"k": [8, 1], "low": [0, 0]})
    right = pa.table({"s": ["2.5", "b"], "k": [8, 9], "high": [5, 6]})
    with eau2.connect() as connection, Setup(coded=True).compacting():
        connection.register("l", left)
        connection.register("r", right)
        connection.execute("SET optimizer.push_filters = off")
        on = "l.k = r.k AND r.high >= l.low"
        sql = f"SELECT l.k, r.s FROM l LEFT JOIN r ON {on} WHERE ltrim(r.s) LIKE '2%'"
        assert connection.sql(sql).fetchall() == [(8, "2.5")]
        one = "SELECT l.k, (SELECT s FROM r WHERE r.k = l.k) || '!' FROM l ORDER BY 1"
        assert connection.sql(one).fetchall() == [(1, None), (8, "2.5!")]


def test_columns_that_are_only_null_keep_their_types() -> None:
    """Polars takes one for another, of whatever type, where both are looked up alike."""
    with eau2.connect() as connection:
        connection.execute("CREATE TABLE t (k INTEGER, s VARCHAR, b BOOLEAN, d DATE)")
        connection.execute("INSERT INTO t VALUES (1, NULL, NULL, NULL)")
        query = "SELECT y.s, y.b, y.d FROM t AS x LEFT JOIN t AS y ON x.k = y.k"
        found = connection.sql(query).to_arrow()
        assert [str(field.type) for field in found.schema] == ["string", "bool", "date32[day]"]
        query = "SELECT avg(NULL::DOUBLE) FROM t AS x LEFT JOIN t AS y USING (k) GROUP BY y.b, y.s"
        assert connection.sql(query).fetchall() == [(None,)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([types.TINYINT, types.SMALLINT, types.BIGINT, types.UBIGINT, types.DATE]),
    st.data(),
    st.sampled_from([40, 1_000_000]),
)
def test_right_rows_of_which_only_the_keys_are_given(
    type_: SqlType, data: st.DataObject, read: int
) -> None:
    """They are only looked for, unless one of them is there twice."""
    pool = data.draw(values_of(type_))
    near = st.sampled_from([*pool[:10], None])
    ours = data.draw(st.lists(st.one_of(near, st.sampled_from(pool)), max_size=30))
    theirs = data.draw(st.lists(near, max_size=9, unique=data.draw(st.booleans())))
    a, c = Column(1, "a", type_), Column(2, "c", type_)
    tree = Join("inner", StageInput(0, (a,)), StageInput(1, (c,)), ((ref(a), ref(c)),))
    frames = {0: frame([(n,) for n in ours], (a,), 3), 1: frame([(n,) for n in theirs], (c,), 2)}
    lazy = {stage: rows.lazy() for stage, rows in frames.items()}
    plan = lower(tree, Lowering(None, lazy, rows=read, frames=frames))
    assert plan.collect_schema()[c.label] == kernel_dtype(type_)
    expected = [(x, y) for x in ours for y in theirs if x == y and x is not None]
    assert sorted(plan.collect().rows()) == sorted(expected)


def test_a_key_is_not_fetched_where_its_equal_is_there() -> None:
    a, c = Column(1, "a", types.BIGINT), Column(2, "c", types.BIGINT)
    sides = (StageInput(0, (a, B)), StageInput(1, (c, D)))
    frames = {
        0: frame([(5, 1), (6, 2), (7, 3)], (a, B), 1),
        1: frame([(5, 4), (9, 5), (7, 6)], (c, D), 1),
    }
    lazy = {stage: rows.lazy() for stage, rows in frames.items()}
    for kind, gathers in (("inner", 2), ("left", 3)):
        tree = Join(kind, *sides, ((ref(a), ref(c)),))  # type: ignore[arg-type]
        plan = lower(tree, Lowering(None, lazy, rows=9, frames=frames))
        assert plan.explain(optimized=False).count(".gather(") == gathers
        missing = [] if kind == "inner" else [(6, 2, None, None)]
        assert sorted(plan.collect().rows()) == sorted([(5, 1, 5, 4), (7, 3, 7, 6), *missing])


@pytest.mark.parametrize("keys", [[1, 2, 4, 90], [0, 3, 5], [-3, 5, 6], [100, 127, 101]])
@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64], ids=str)
def test_spans_that_begin_at_zero_and_those_that_do_not(keys: list[int], dtype: Any) -> None:
    found = row_table(["a"], [pl.Series(keys, dtype=dtype)], 1_000_000)
    assert found is not None
    ours = [-128, -100, -1, *range(128)]
    there = {key: n for n, key in enumerate(keys)}
    probes = pl.DataFrame({"a": pl.Series(ours, dtype=dtype)})
    assert rows_of(found, probes) == [there.get(n) for n in ours]


@pytest.mark.parametrize("read", [9, 1_000_000])
@pytest.mark.parametrize("theirs", [[1, 2, 2], [2, 1, 2], [2, 4, 2, 1], [2, 2], [1, 2, None, 2]])
def test_a_key_that_is_there_twice_is_in_two_pairs(theirs: list[int | None], read: int) -> None:
    a, c = Column(1, "a", types.BIGINT), Column(2, "c", types.BIGINT)
    tree = Join("inner", StageInput(0, (a,)), StageInput(1, (c,)), ((ref(a), ref(c)),))
    frames = {0: frame([(2,), (3,), (None,)], (a,), 1), 1: frame([(n,) for n in theirs], (c,), 1)}
    lazy = {stage: rows.lazy() for stage, rows in frames.items()}
    plan = lower(tree, Lowering(None, lazy, rows=read, frames=frames))
    assert plan.collect().rows() == [(2, 2), (2, 2)]


BLOCKS = [
    list(range(300)),
    list(range(0, 3000, 10)),
    [*range(5, 133), *range(700, 1000), 40_000],
    [-5000, *range(-300, 0), 127, 128, 255, 256, 300_000],
    [n * n for n in range(600)],
    [(1 << 40) + 129 * n for n in range(700)],
]


@pytest.mark.parametrize("counted", [0, 1_000_000])
@pytest.mark.parametrize("keys", BLOCKS, ids=range(len(BLOCKS)))
def test_keys_in_order_are_found_in_blocks(
    keys: list[int], counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_arrays, "BLOCKS_FROM", (1, 1))
    monkeypatch.setattr(row_arrays, "_COUNTED", counted)
    column = pl.Series(keys, dtype=pl.Int64)
    made = row_arrays.row_arrays([column], 1_000_000, several=False)
    assert isinstance(made, ByBlocks) or keys == list(range(300))
    assert made is not None
    probes = [*keys, *(key + n for key in keys[:400] for n in (-1, 1, 128))]
    probes += [-(1 << 63), (1 << 63) - 1, keys[0] - 1, keys[-1] + 1, keys[-1] + 128]
    there = {key: n for n, key in enumerate(keys)}
    frame = pl.DataFrame({"a": [*probes, None]}, schema={"a": pl.Int64})
    found = row_table(["a"], [column], 1_000_000)
    assert found is not None
    assert rows_of(found, frame) == [*map(there.get, probes), None]
    for disorder in (keys[::-1], [*keys[1:], keys[0]], [*keys, None]):
        mixed = row_arrays.row_arrays([pl.Series(disorder, dtype=pl.Int64)], 1_000_000, False)
        assert mixed is not None
        assert not isinstance(mixed, ByBlocks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type_", [types.INTEGER, types.UBIGINT, types.DATE], ids=str)
def test_any_join_by_blocks(
    kind: JoinKind, type_: SqlType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_arrays, "BLOCKS_FROM", (1, 1))
    random = Random(7)
    a, c = Column(1, "a", type_), Column(2, "c", type_)
    theirs = sorted(random.sample(range(17, 4000), 400))
    ours = [random.choice([*theirs, 0, 5, 16, 4001, 9000]) for _ in range(900)]
    as_key = (lambda n: DAY + datetime.timedelta(n)) if type_ == types.DATE else (lambda n: n)
    frames = {
        0: frame([*((as_key(n), n % 4) for n in ours), (None, 1)], (a, B), 5),
        1: frame([(as_key(n), n % 3) for n in theirs], (c, D), 3),
    }
    lazy = {stage: rows.lazy() for stage, rows in frames.items()}
    mark = MARK if kind == "mark" else None
    sides = (StageInput(0, (a, B)), StageInput(1, (c, D)))
    for condition in (None, UNDER):
        answers = []
        for lookups in (True, False):
            tree = Join(kind, *sides, ((ref(a), ref(c)),), condition, False, mark, lookups)
            plan = lower(tree, Lowering(None, lazy, rows=1_000_000, frames=frames))
            answers.append(sorted(plan.collect().rows(), key=repr))
        assert answers[0] == answers[1]
