"""Every format: what is read, and what is said about files that are bad."""

from __future__ import annotations

import datetime
import decimal
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eau2.errors import DataError, InputFileError, NotSupportedError, UsageError
from eau2.kv.ingest import csv
from eau2.kv.ingest import source as ingest
from eau2.kv.store import Store

Read = Callable[..., pa.Table]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write files with these contents and read them as one table."""

    def from_files(name: str, *contents: bytes | str) -> pa.Table:
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}-{name}"
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
            paths.append(str(path))
        schema, batches = ingest.open_files(paths)
        return pa.Table.from_batches(list(batches), schema)

    return from_files


DAY = datetime.date(2020, 1, 2)
NOON = datetime.datetime(2020, 1, 2, 12)


@pytest.mark.parametrize(
    ("fields", "type_", "values"),
    [
        (["1", "-2", ""], pa.int64(), [1, -2, None]),
        (["1", "2.5"], pa.float64(), [1.0, 2.5]),
        (["1e3", "nan"], pa.float64(), None),
        (["2020-01-02", ""], pa.date32(), [DAY, None]),
        (["2020-01-02 12:00:00"], None, [NOON]),
        (["2020-01-02T12:00:00"], None, [NOON]),
        (["true", "FALSE", ""], pa.bool_(), [True, False, None]),
        (["t", "f"], pa.bool_(), [True, False]),
        (["Y", "N"], pa.string(), ["Y", "N"]),
        (["a", '""', ""], pa.string(), ["a", None, None]),
        (["", ""], pa.string(), [None, None]),
        (["007", "12"], pa.string(), ["007", "12"]),
        (["1", "true"], pa.string(), ["1", "true"]),
        (["1", "x"], pa.string(), ["1", "x"]),
        (["9223372036854775808"], pa.decimal128(38, 0), [decimal.Decimal(2**63)]),
        (["NULL"], pa.string(), ["NULL"]),
        (["2020-02-30"], pa.string(), ["2020-02-30"]),
        (['"x,y"', '"say ""hi"""'], pa.string(), ["x,y", 'say "hi"']),
        (['"two\nlines"'], pa.string(), ["two\nlines"]),
        (["ü"], pa.string(), ["ü"]),
    ],
)
def test_csv_types_follow_the_values(
    read: Read, fields: list[str], type_: pa.DataType | None, values: list[Any] | None
) -> None:
    table = read("x.csv", "a,b\n" + "".join(f"{field},q\n" for field in fields))
    column = table.column("a")
    assert type_ is None or column.type == type_
    if values is not None:
        assert column.to_pylist() == values
    assert table.column("b").to_pylist() == ["q"] * len(fields)


@pytest.mark.parametrize(
    "fields",
    [
        ["1", "2"],
        ["1.5"],
        ["true"],
        ["2020-01-02"],
        ["x"],
        ["007"],
        [" 5"],
        [""],
        ["1", "z"],
        ["Y"],
    ],
)
def test_csv_types_are_those_of_duckdb(read: Read, tmp_path: Path, fields: list[str]) -> None:
    text = "a,b\n" + "".join(f"{field},q\n" for field in fields)
    (tmp_path / "oracle.csv").write_text(text)
    theirs = duckdb.sql(f"SELECT a FROM read_csv('{tmp_path}/oracle.csv', header = true)")
    store = Store.open(None)
    table = read("x.csv", text)
    frame = store.put("t", table.schema, table.to_batches())
    assert str(frame.schema.columns[0].type) == str(theirs.types[0])
    assert table.column("a").to_pylist() == [row[0] for row in theirs.fetchall()]


@pytest.mark.parametrize(
    ("first", "later", "type_"),
    [
        ("1", "1.5", pa.float64()),
        ("1", "x", pa.string()),
        ("1", "99999999999999999999", pa.decimal128(38, 0)),
        ("99999999999999999999", "1.5", pa.float64()),
        ("", "7", pa.int64()),
        ("", "2020-01-02", pa.date32()),
        ("1.5", "x", pa.string()),
        ("true", "maybe", pa.string()),
        ("2020-01-02", "soon", pa.string()),
        ("2020-01-02 12:00:00", "2020-01-02 12:00:00.5", pa.timestamp("ns")),
        ("2020-01-02 12:00:00", "later, 'perhaps'", pa.string()),
    ],
)
def test_csv_types_fit_values_after_the_first_block(
    read: Read, monkeypatch: pytest.MonkeyPatch, first: str, later: str, type_: pa.DataType
) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 64)
    table = read("x.csv", "a,b\n" + f"{first},q\n" * 40 + f'"{later}",q\n')
    assert table.column("a").type == type_
    assert table.num_rows == 41
    assert table.column("a").null_count == (40 if first == "" else 0)


def test_csv_separators_and_packing(read: Read) -> None:
    expected = {"a": [1, 2], "b": ["x", "y"]}
    assert read("x.csv", "a;b\n1;x\n2;y\n").to_pydict() == expected
    assert read("x.csv", "a|b\r\n1|x\r\n2|y\r\n").to_pydict() == expected
    assert read("x.tsv", "a\tb\n1\tx\n2\ty\n").to_pydict() == expected
    assert read("x.csv.gz", "a,b\n1,x\n2,y\n").to_pydict() == expected
    assert read("x.csv", "\ufeffa,b\n1,x\n2,y").to_pydict() == expected
    assert read("x.csv", "a,b\n1,x\n", "a,b\n2,y\n").to_pydict() == expected


def test_an_empty_line_is_a_null_of_a_single_column(read: Read) -> None:
    assert read("x.csv", "a\n1\n\n2\n").to_pydict() == {"a": [1, None, 2]}
    assert read("x.csv", "a\n1\n").num_rows == 1
    assert read("x.csv", "a,b\n1,2\n\n3,4\n").num_rows == 2


def test_csv_files_share_types(read: Read) -> None:
    table = read("x.csv", "a\n1\n", "a\n2.5\n")
    assert table.to_pydict() == {"a": [1.0, 2.5]}
    with pytest.raises(InputFileError, match="another header"):
        read("x.csv", "a\n1\n", "b\n1\n")


def test_csv_header_only_has_no_rows(read: Read) -> None:
    table = read("x.csv", "a,b\n")
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])
    assert table.schema.types == [pa.string(), pa.string()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 field instead of the header's 2"),
        ("a,b\n1,2\n\n1,2\n3,4,5\n", "line 5 has 3 fields"),
        ('a,b\n"x\ny",2\n3,4,5\n', "line 4 has 3 fields"),
        ("", "is empty"),
        (b"a,b\n1,\xff\xfe\n", "UTF-8|UTF8"),
    ],
)
def test_bad_csv_says_what_and_where(read: Read, text: str | bytes, message: str) -> None:
    with pytest.raises(InputFileError, match=message) as caught:
        read("x.csv", text)
    assert "0-x.csv" in str(caught.value)
    assert caught.value.hint


def test_a_ragged_line_in_a_later_block_is_found(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 64)
    with pytest.raises(InputFileError, match="line 102 has 3 fields"):
        read("x.csv", "a,b\n" + "1,2\n" * 100 + "1,2,3\n" + "1,2\n" * 100)


def test_cut_gzip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-20])
    with pytest.raises(InputFileError, match="cannot be read as CSV"):
        list(ingest.open_files([str(path)])[1])


@pytest.mark.parametrize(
    ("lines", "type_", "values"),
    [
        (['{"a": 1}', '{"a": null}', "{}"], pa.int64(), [1, None, None]),
        (['{"a": 1}', '{"a": 2.5}'], pa.float64(), [1.0, 2.5]),
        (['{"a": 9223372036854775808}'], pa.decimal128(38, 0), [decimal.Decimal(2**63)]),
        (['{"a": "x"}'], pa.string(), ["x"]),
        (['{"a": true}'], pa.bool_(), [True]),
        (['{"a": "2020-01-02"}', '{"a": null}'], pa.date32(), [DAY, None]),
        (['{"a": "2020-01-02 12:00:00"}'], pa.timestamp("us"), [NOON]),
        (['{"a": "2020-01-02"}', '{"a": "x"}'], pa.string(), ["2020-01-02", "x"]),
        (['{"a": "2020-02-30"}'], pa.string(), ["2020-02-30"]),
        (['{"a": null}'], pa.string(), [None]),
    ],
)
def test_ndjson_types_follow_the_values(
    read: Read, lines: list[str], type_: pa.DataType, values: list[Any]
) -> None:
    column = read("x.ndjson", "\n".join(lines)).column("a")
    assert (column.type, column.to_pylist()) == (type_, values)


def test_ndjson_columns_may_begin_late(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eau2.kv.ingest.ndjson._BLOCK_BYTES", 32)
    text = '{"a": 1}\n' * 20 + "\n" + '{"b": "x", "a": 2.5}\n' * 3
    table = read("x.jsonl.gz", text)
    assert table.column("a").to_pylist() == [1.0] * 20 + [2.5] * 3
    assert table.column("b").to_pylist() == [None] * 20 + ["x"] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n\nnonsense\n', "line 3"),
        ('{"a": 1}\n{"a": "x"}\n', "line 2: .*changed from number to string"),
        ('[{"a": 1}]', "one JSON array"),
        ('{"a": 1}\n{"a": 2', "line 2"),
        ("\n \n", "holds no objects"),
        ("", "is empty"),
    ],
)
def test_bad_json_says_what_and_where(read: Read, text: str, message: str) -> None:
    with pytest.raises(InputFileError, match=message) as caught:
        read("x.json", text)
    assert "0-x.json" in str(caught.value)


def test_nested_json_is_refused(read: Read) -> None:
    for nested in ('{"b": 1}', '[{"b": 1}]'):
        with pytest.raises(NotSupportedError, match='column "a"'):
            read("x.ndjson", f'{{"a": {nested}}}\n')


def test_lists_in_json_have_types_that_fit_all_elements(read: Read) -> None:
    text = """{"a": [1, 2], "b": ["x"], "c": ["2020-01-01"], "d": [], "e": [[1], null]}
    {"a": [], "b": null, "c": [], "d": [null], "e": [[], [2.5]]}
    {"a": [1.5], "b": ["y", null], "c": null, "d": null, "e": []}
    """
    table = read("x.ndjson", text)
    assert table.to_pydict() == {
        "a": [[1.0, 2.0], [], [1.5]],
        "b": [["x"], None, ["y", None]],
        "c": [[datetime.date(2020, 1, 1)], [], None],
        "d": [[], [None], None],
        "e": [[[1.0], None], [[], [2.5]], []],
    }
    big = read("x.ndjson", '{"a": [9223372036854775808]}\n')
    assert big.to_pydict() == {"a": [[decimal.Decimal(2**63)]]}
    with pytest.raises(InputFileError, match='column "a" holds values'):
        read("x.ndjson", '{"a": [1]}\n{"a": [2]}\n', '{"a": "x"}\n')


def test_sor_is_read_as_its_first_rows_look(read: Read) -> None:
    text = '<1> < 12 > <1.5> <hi>\n< 0 ><><+2>< "a > b" >\n\n  <>  <-3>\n<1><4><5e1><"">\n'
    table = read("x.sor", text)
    assert table.to_pydict() == {
        "column0": [True, False, None, True],
        "column1": [12, None, -3, 4],
        "column2": [1.5, 2.0, None, 50.0],
        "column3": ["hi", "a > b", None, ""],
    }


@pytest.mark.parametrize(
    ("fields", "type_"),
    [
        (["0", "1", ""], pa.bool_()),
        (["", ""], pa.bool_()),
        (["0", "2"], pa.int64()),
        (["9223372036854775808"], pa.float64()),
        (["1", "1."], pa.float64()),
        (["1", "x"], pa.string()),
        (['"1"'], pa.string()),
    ],
)
def test_a_sor_column_has_the_narrowest_type(
    read: Read, fields: list[str], type_: pa.DataType
) -> None:
    assert read("x.sor", "".join(f"<{f}>\n" for f in fields)).schema.types == [type_]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<1>\nno brackets\n", "line 2: not a row"),
        ("<1>\n<2> x <3>\n", "line 2"),
        ("<1>\n<2\n", "line 2"),
        ("<1>\n" * 500 + "<7>\n", r"line 501: '7' in column0 is not BOOLEAN \(0 or 1\)"),
        ("<2>\n" * 500 + "<1.5>\n", "line 501: '1.5' in column0 is not BIGINT"),
        ("<2.5>\n" * 500 + "<x>\n", "line 501: 'x' in column0 is not DOUBLE"),
        ("<2>\n" * 500 + "<2> <3>\n", "line 501: 2 fields, but the first rows have 1"),
        (b"<\xff>\n", "UTF-8"),
        ("\n\n", "holds no rows"),
        ("", "is empty"),
    ],
)
def test_bad_sor_says_what_and_where(read: Read, text: str | bytes, message: str) -> None:
    with pytest.raises(InputFileError, match=message) as caught:
        read("x.sor", text)
    assert "0-x.sor" in str(caught.value)


SAMPLE = pa.table({"a": [1, 2, None], "s": ["x", None, "z"]})


def written(path: Path, table: pa.Table = SAMPLE) -> str:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        stream = path.suffix == ".arrows"
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(str(path), table.schema) as writer:
            writer.write_table(table)
    return str(path)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".feather", ".arrows"])
def test_binary_formats_are_read(tmp_path: Path, ending: str) -> None:
    paths = [written(tmp_path / f"{n}{ending}") for n in range(2)]
    schema, batches = ingest.open_files([str(tmp_path / f"*{ending}")])
    table = pa.Table.from_batches(list(batches), schema)
    assert table.equals(pa.concat_tables([SAMPLE, SAMPLE]))
    other = written(tmp_path / f"z{ending}", SAMPLE.select(["s", "a"]))
    with pytest.raises(InputFileError, match=r"z\.\w+ has another schema than .*another order"):
        ingest.open_files([*paths, other])


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".arrows"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_cut_binary_files_are_said(tmp_path: Path, ending: str, keep: float) -> None:
    path = tmp_path / f"x{ending}"
    written(path, pa.table({"a": range(1000)}))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputFileError, match=f"x{ending}.*(is empty|cannot be read as)"):
        list(ingest.open_files([str(path)])[1])


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    cases = {
        str(tmp_path / "no.csv"): "there is no file",
        str(tmp_path / "*.csv"): "no file matches",
        str(tmp_path / "x.xlsx"): "not known by its ending",
        str(tmp_path / "x"): "not known by its ending",
        str(tmp_path / "x.parquet.gz"): "not known by its ending",
    }
    for path, message in cases.items():
        with pytest.raises(InputFileError, match=message):
            ingest.open_files([path])
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputFileError, match="is a directory"):
        ingest.open_files([str(tmp_path / "d.csv")])
    with pytest.raises(UsageError):
        ingest.open_files([])
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InputFileError, match="several formats"):
        ingest.open_files([str(tmp_path / "a.csv"), str(tmp_path / "b.sor")])


def test_arrow_data_is_taken_in_every_shape() -> None:
    reader = pa.RecordBatchReader.from_batches(SAMPLE.schema, SAMPLE.to_batches())

    class Stream:
        def __arrow_c_stream__(self, requested: object = None) -> object:
            return SAMPLE.__arrow_c_stream__(requested)

    for data in (SAMPLE, SAMPLE.to_batches()[0], reader, Stream()):
        schema, batches = ingest.from_arrow(data)
        assert pa.Table.from_batches(list(batches), schema).equals(SAMPLE)
    with pytest.raises(UsageError, match="int is not tabular data"):
        ingest.from_arrow(3)


def test_a_duplicate_header_is_refused_at_put(read: Read) -> None:
    table = read("x.csv", "a,A\n1,2\n")
    with pytest.raises(DataError, match="two columns"):
        Store.open(None).put("t", table.schema, table.to_batches())
