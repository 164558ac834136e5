"""Lists as values: their types, how they compare, how they are kept, sent and shown."""

from __future__ import annotations

from decimal import Decimal
from functools import cmp_to_key
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eau2
from eau2 import types
from eau2.catalog import ColumnSchema
from eau2.config import LIMITS
from eau2.errors import DataError, NotSupportedError, OutOfRangeError, ProtocolError
from eau2.kernels.transfer import from_ipc, to_ipc
from eau2.kv.encoding import finish, stage
from eau2.kv.statistics import column_statistics
from eau2.net.arrow import decode_frame, decode_table, encode_frame, encode_table
from eau2.operators import coercion
from eau2.operators.expr import ColumnRef, Expr, Literal
from eau2.operators.functions import table
from eau2.operators.functions.list_keys import list_key
from eau2.operators.physical import kernel_dtype, logical_array
from eau2.render import rendered
from eau2.types import INTEGER, NULL, SqlType, decimal, list_of, parse_type

DEEPEST = list_of(INTEGER)
for _ in range(LIMITS.list_levels - 1):
    DEEPEST = list_of(DEEPEST)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (list_of(INTEGER), "INTEGER[]"),
        (list_of(list_of(decimal(10, 2))), "DECIMAL(10,2)[][]"),
        (list_of(NULL), '"NULL"[]'),
    ],
)
def test_names_of_list_types_can_be_read_back(type_: SqlType, text: str) -> None:
    assert str(type_) == text
    assert parse_type(text) == type_


def test_levels_are_bounded() -> None:
    assert parse_type(str(DEEPEST)) == DEEPEST
    for wrong in (str(DEEPEST) + "[]", "INTEGER" + "[]" * 100_000, "[]", "LIST"):
        with pytest.raises(ValueError, match=r"type|LIST|Kind|levels"):
            parse_type(wrong)
    with pytest.raises(NotSupportedError, match="levels"):
        coercion.list_type(DEEPEST)
    deep = "[" * 9 + "]" * 9
    with eau2.connect() as connection, pytest.raises(NotSupportedError, match="levels"):
        connection.sql(f"SELECT {deep}")


def test_arrow_forms() -> None:
    for arrow in (
        pa.list_(pa.int32()),
        pa.large_list(pa.int32()),
        pa.list_(pa.int32(), 2),
        pa.list_(pa.dictionary(pa.int8(), pa.int32())),
    ):
        assert types.from_arrow(arrow, "a") == list_of(INTEGER)
    assert types.logical_arrow(list_of(types.VARCHAR)) == pa.list_(pa.string())
    with pytest.raises(NotSupportedError, match="too deep"):
        types.from_arrow(pa.list_(types.logical_arrow(DEEPEST)), "a")
    with pytest.raises(NotSupportedError, match='column "a"'):
        types.from_arrow(pa.list_(pa.struct([("x", pa.int32())])), "a")


def arg(type_: SqlType) -> Expr:
    """Some expression of a type."""
    return ColumnRef(type_, 1)


def test_common_types_are_those_of_the_elements() -> None:
    tiny, small = list_of(types.TINYINT), list_of(decimal(3, 1))
    assert coercion.common_type((arg(tiny), arg(small))) == list_of(decimal(4, 1))
    assert coercion.common_type((arg(list_of(NULL)), arg(tiny))) == tiny
    one = table.bind("list_value", (Literal(INTEGER, 1), Literal(NULL, None)))
    assert coercion.coerce(one, tiny) == table.bind(
        "list_value", (Literal(types.TINYINT, 1), Literal(types.TINYINT, None))
    )
    with pytest.raises(NotSupportedError, match="read as a list"):
        coercion.cast(arg(types.VARCHAR), tiny)


Element = int | None
LISTS = st.lists(st.none() | st.integers(-3, 3), max_size=4)


def compared(one: list[Element], other: list[Element]) -> int:
    """Element by element, NULL last, the shorter list first."""
    for a, b in zip(one, other, strict=False):
        if a != b:
            return 1 if a is None or (b is not None and a > b) else -1
    return (len(one) > len(other)) - (len(one) < len(other))


@given(st.lists(LISTS, min_size=1, max_size=12))
def test_keys_are_in_the_order_of_lists(lists: list[list[Element]]) -> None:
    for type_ in (INTEGER, types.HUGEINT, types.DOUBLE):
        frame = pl.DataFrame({"l": lists}, schema={"l": kernel_dtype(list_of(type_))})
        keys = frame.select(list_key(pl.col("l"), list_of(type_)))["l"].to_list()
        by_key = [lists[n] for n in sorted(range(len(lists)), key=keys.__getitem__)]
        assert by_key == sorted(lists, key=cmp_to_key(compared))
        assert len(set(keys)) == len({str(one) for one in lists})


@given(st.lists(st.lists(st.text("ab\x00\x01\x02", max_size=3), max_size=3), max_size=12))
def test_keys_of_texts_and_of_nested_lists(lists: list[list[str]]) -> None:
    type_ = list_of(types.VARCHAR)
    frame = pl.DataFrame({"l": lists}, schema={"l": pl.List(pl.String)})
    keys = frame.select(list_key(pl.col("l"), type_))["l"].to_list()
    assert [lists[n] for n in sorted(range(len(lists)), key=keys.__getitem__)] == sorted(lists)
    nested = pl.DataFrame({"l": [lists, []]}, schema={"l": pl.List(pl.List(pl.String))})
    one, empty = nested.select(list_key(pl.col("l"), list_of(type_)))["l"].to_list()
    assert (one > empty) == bool(lists)


COLUMNS = {
    "INTEGER[]": pa.array([[1, None], None, [], [2]], pa.list_(pa.int32())),
    "VARCHAR[]": pa.array([["a", "é" * 40], [], None, [None]], pa.list_(pa.string())),
    "DECIMAL(5,2)[]": pa.array(
        [[Decimal("1.50")], None, [], [None]], pa.list_(pa.decimal128(5, 2))
    ),
    "HUGEINT[]": pa.array([[Decimal(10**30)], None, []], pa.list_(pa.decimal128(38, 0))),
    "DOUBLE[][]": pa.array([[[1.5], [], None], None, []], pa.list_(pa.list_(pa.float64()))),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_stored_comes_back(name: str) -> None:
    type_, given_ = parse_type(name), COLUMNS[name]
    for start in range(len(given_) + 1):
        array = given_.slice(start)
        staged = [stage(array, ColumnSchema("a", type_)), stage(array, ColumnSchema("a", type_))]
        stored = finish(staged, type_)
        assert stored.type == types.stored_arrow(type_)
        assert column_statistics(stored, type_).null_count == 2 * array.null_count
        assert column_statistics(stored, type_).minimum is None
        kernel = pl.Series(pl.from_arrow(stored)).cast(kernel_dtype(type_))
        logical = logical_array(kernel, type_, "a")
        assert logical.type == types.logical_arrow(type_)
        wanted = given_.type if name != "HUGEINT[]" else logical.type
        assert logical.to_pylist() == array.cast(wanted).to_pylist() * 2
        sent = decode_table(b"".join(map(bytes, encode_table(pa.table({"a": logical})))), True)
        assert sent.column("a").to_pylist() == logical.to_pylist()


def test_128_bits_in_lists_pass_between_processes_and_nodes() -> None:
    wide = pl.List(pl.List(pl.Int128))
    for values in ([[[2**127 - 1, None], []], None], [[], [None]], [None], []):
        frame = pl.DataFrame(
            {"a": values, "b": [1] * len(values)}, schema={"a": wide, "b": pl.Int8}
        )
        for piece in (frame, frame.slice(1)):
            packed = b"".join(map(bytes, to_ipc(piece)))
            assert from_ipc(packed).equals(piece)
            assert decode_frame(b"".join(map(bytes, encode_frame(piece)))).equals(piece)


def test_lists_of_strangers_are_looked_into() -> None:
    for odd in (pa.list_(pa.null()), pa.list_(pa.struct([("x", pa.int32())]))):
        payload = b"".join(map(bytes, encode_table(pa.table({"a": pa.array([], odd)}))))
        with pytest.raises(ProtocolError, match="a column of the type"):
            decode_table(payload, trusted=False)


def test_dates_beyond_the_calendar_are_refused_in_lists_too() -> None:
    days = pa.array([[2**31 - 1]], pa.list_(pa.int32())).cast(pa.list_(pa.date32()))
    with pytest.raises(DataError, match="outside of the years"):
        stage(days, ColumnSchema("a", list_of(types.DATE)))


def test_results_show_lists() -> None:
    with eau2.connect() as connection:
        result = connection.sql("SELECT ['a, b', NULL, 'it''s', ''] AS l, [[1.50], []] AS n")
        assert result.fetchall() == [(["a, b", None, "it's", ""], [[Decimal("1.50")], []])]
        forms = {
            form: b"".join(bytes(p) for p in rendered(form, [result.to_arrow()], result.types))
            for form in ("csv", "json", "box")
        }
    assert forms["csv"] == b"l,n\n\"['a, b', NULL, 'it\\'s', '']\",\"[[1.50], []]\"\n"
    assert forms["json"] == b'[{"l": ["a, b", null, "it\'s", ""], "n": [[1.50], []]}]\n'
    assert b"VARCHAR[]" in forms["box"]
    assert b"DECIMAL(3,2)[][]" in forms["box"]


def test_a_store_keeps_lists(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    with eau2.connect(path) as connection:
        connection.sql("CREATE TABLE t (a INTEGER[], d DECIMAL(4,1)[][])")
        connection.sql("INSERT INTO t VALUES ([1, NULL], [[1.5], NULL]), (NULL, []), ([], NULL)")
    with eau2.connect(path) as connection:
        result = connection.sql("SELECT * FROM t")
        assert [str(type_) for type_ in result.types] == ["INTEGER[]", "DECIMAL(4,1)[][]"]
        assert result.fetchall() == [
            ([1, None], [[Decimal("1.5")], None]),
            (None, []),
            ([], None),
        ]
        assert connection.sql("SELECT count(*) FROM t WHERE a IS NULL").fetchall() == [(1,)]


SAID: list[tuple[str, type[eau2.Error], str]] = [
    ("SELECT list_sum([170141183460469231731687303715884105727, 1])", OutOfRangeError, "sum"),
    ("SELECT list_slice([1, 2], 1, 2, 0)", OutOfRangeError, "step of a slice"),
    ("SELECT list_reduce([]::INT[], lambda a, b: a + b)", OutOfRangeError, "initial value"),
    ("SELECT len(range(1000000000))", eau2.OperationalError, "too long"),
    ("SELECT list_transform([1], lambda x: (SELECT 1))", NotSupportedError, "subquery"),
    ("SELECT list_zip([1], [2])", NotSupportedError, "needs a struct"),
    ("SELECT mode([1])", NotSupportedError, "mode of lists"),
    ("SELECT CAST('[1]' AS INTEGER[])", NotSupportedError, "read as a list"),
]


@pytest.mark.parametrize(("text", "error", "message"), SAID)
def test_what_cannot_be_is_said(text: str, error: type[eau2.Error], message: str) -> None:
    with eau2.connect() as connection, pytest.raises(error, match=message):
        connection.sql(text)


def test_lambdas_read_columns_in_few_bits_and_in_codes() -> None:
    """A comparison of two narrow columns, and one of a coded column with a parameter."""
    count = 3_000
    small, other = [i % 7 for i in range(count)], [i % 5 for i in range(count)]
    texts = [f"k{i % 3}" for i in range(count)]
    pairs, words = [[i % 3, 1] for i in range(count)], [[f"k{i % 2}", "k1"] for i in range(count)]
    columns = {"a": small, "b": other, "s": texts, "l": pairs, "w": words}
    with eau2.connect() as connection:
        connection.register("t", pa.table(columns))
        chosen = "list_transform(l, lambda x: CASE WHEN a < b THEN x ELSE x + 1 END)"
        ((found,),) = connection.sql(f"SELECT sum(list_sum({chosen})) FROM t").fetchall()
        rows = zip(small, other, pairs, strict=True)
        assert found == sum(x + (a >= b) for a, b, row in rows for x in row)
        equal = "list_count(list_filter(w, lambda x: s = x))"
        ((found,),) = connection.sql(f"SELECT sum({equal}) FROM t").fetchall()
        assert found == sum(row.count(text) for row, text in zip(words, texts, strict=True))
        stepped = "CASE WHEN 9 // (b + 1) > 3 THEN 1 WHEN 9 // (a + 1) = b THEN 2 ELSE 3 END"
        ((found,),) = connection.sql(f"SELECT sum({stepped}) FROM t").fetchall()
        assert found == sum(
            1 if 9 // (b + 1) > 3 else 2 if 9 // (a + 1) == b else 3
            for a, b in zip(small, other, strict=True)
        )
