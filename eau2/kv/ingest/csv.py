"""CSV and TSV files as batches: header line, types that fit every row.

Owns: finding the separator and the column types, and streaming with pyarrow's reader.
Comes in: paths; goes out: (schema, batches). Does not know: stored form, names.

The files are read twice: once to find types that all their rows fit, starting from what the first
block looks like and widening where a later value does not fit; once to hand out the rows. So a
value never fails to convert, and the types do not depend on where it stands. As in DuckDB: empty
is NULL (quoted too), columns without values are VARCHAR, whole numbers beyond 64 bits stay exact,
numbers with leading zeros are text (if one stands in the first block), times and time zones are
text. The first line is always the header.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from eau2.errors import InputFileError
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.text import DAMAGE, check_readable, damaged, open_bytes

_BLOCK_BYTES = 1 << 21
_SEPARATORS = (",", "\t", ";", "|")
_TRUE = ["true", "True", "TRUE", "t", "T", "yes", "Yes", "YES"]
_FALSE = ["false", "False", "FALSE", "f", "F", "no", "No", "NO"]
_MISFIT = re.compile(r"In CSV column #([0-9]+): (.*)", re.DOTALL)
_VALUE = re.compile(r"'(.*)'", re.DOTALL)
_TOO_WIDE = re.compile(r"Expected ([0-9]+) columns, got ([0-9]+)")
_WHOLE = r"^\s*[+-]?[0-9]{1,38}\s*$"
_LEADING_ZERO = r"^\s*[+-]?0[0-9]+\s*$"
_BIG = pa.decimal128(38, 0)
_NUMBERS = (pa.int64(), _BIG, pa.float64())


def open_csv(
    paths: tuple[str, ...], position: Position | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of CSV files with the same header. Raises InputFileError."""
    for path in paths:
        check_readable(path)
    separators = [_separator(path) for path in paths]
    schema = _guess(paths[0], separators[0])
    for path, separator in zip(paths, separators, strict=True):
        schema = _widen_to_fit(path, separator, schema)
    nulls = [pa.string() if pa.types.is_null(field.type) else field.type for field in schema]
    final = pa.schema(list(zip(schema.names, nulls, strict=True)))

    def rows() -> Iterator[pa.RecordBatch]:
        for path, separator in zip(paths, separators, strict=True):
            try:
                yield from _followed(path, separator, final, position)
            except DAMAGE as error:
                raise _explained(path, separator, error) from error

    return final, rows()


def _separator(path: str) -> str:
    """The separator that the header line has most of; a tab for .tsv."""
    if ".tsv" in path.lower()[-7:]:
        return "\t"
    try:
        with open_bytes(path) as file:
            line = file.readline(1 << 20).decode("utf-8", "replace")
    except DAMAGE as error:
        raise damaged(path, "CSV", error) from error
    return max(_SEPARATORS, key=lambda mark: (line.count(mark), -_SEPARATORS.index(mark)))


def _followed(
    path: str, separator: str, schema: pa.Schema, position: Position | None
) -> Iterator[pa.RecordBatch]:
    """The rows of a file; whoever asks is told how much of it they are.

    The reader is many blocks ahead of them, and each batch is one block. Of a packed file only
    where the reader is can be told.
    """
    if position is None:
        yield from _read(path, separator, schema)
        return
    file = pa.OSFile(path)
    packed = path.lower().endswith(".gz")
    for number, batch in enumerate(_read(path, separator, schema, file=file), start=1):
        read = file.tell()
        position.at(read if packed else min(number * _BLOCK_BYTES, read))
        yield batch
    position.end(path)


def _read(
    path: str,
    separator: str,
    schema: pa.Schema | None,
    *,
    threads: bool = True,
    file: pa.NativeFile | None = None,
) -> pacsv.CSVStreamingReader:
    packed = path.lower().endswith(".gz")
    return pacsv.open_csv(
        pa.input_stream(path if file is None else file, compression="gzip" if packed else None),
        read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=threads),
        parse_options=pacsv.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            # An empty line is a NULL when there is one column, as in DuckDB, else nothing.
            ignore_empty_lines=schema is None or len(schema) > 1,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            true_values=_TRUE,
            false_values=_FALSE,
        ),
    )


def _guess(path: str, separator: str) -> pa.Schema:
    """The types that the first block looks like."""
    try:
        with _read(path, separator, None) as reader:
            found = reader.schema
        schema = pa.schema([(field.name, _tamed(field.type)) for field in found])
        if len(set(schema.names)) < len(schema):
            return schema
        numbers = [field.name for field in schema if _is_number(field.type)]
        as_text = pa.schema(
            [(f.name, pa.string() if f.name in numbers else f.type) for f in schema]
        )
        with _read(path, separator, as_text) as reader:
            block = reader.read_next_batch()
    except StopIteration:
        return schema
    except DAMAGE as error:
        raise _explained(path, separator, error) from error
    for name in numbers:
        index = schema.get_field_index(name)
        exact = _number_type(block.column(name), schema.field(index).type)
        schema = schema.set(index, pa.field(name, exact))
    return schema


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _tamed(type_: pa.DataType) -> pa.DataType:
    """A type that pyarrow guessed, as one that eau2 has."""
    if pa.types.is_time(type_) or pa.types.is_binary(type_):
        return pa.string()
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        return pa.string()
    return type_


def _number_type(text: pa.Array, guessed: pa.DataType) -> pa.DataType:
    """The type of numbers given their text: codes like 007 are text, big integers are exact."""
    if pc.any(pc.match_substring_regex(text, _LEADING_ZERO)).as_py():
        return pa.string()
    if pa.types.is_floating(guessed) and pc.all(pc.match_substring_regex(text, _WHOLE)).as_py():
        return _BIG
    return guessed


def _widen_to_fit(path: str, separator: str, schema: pa.Schema) -> pa.Schema:
    """`schema` with types wide enough for every row of the file."""
    while True:
        try:
            with _read(path, separator, schema) as reader:
                if reader.schema.names != schema.names:
                    raise InputFileError(
                        f"{path} has another header than the first file",
                        hint="Files read together must have the same columns in the same order.",
                    )
                for _ in reader:
                    pass
            return schema
        except DAMAGE as error:
            misfit = _MISFIT.search(str(error))
            if misfit is None or pa.types.is_string(schema.field(int(misfit[1])).type):
                raise _explained(path, separator, error) from error
            index = int(misfit[1])
            value = _VALUE.search(misfit[2])
            # Without a value it is a fraction that a whole number cannot hold.
            seen = _type_of(value[1]) if value is not None else pa.float64()
            wider = _wider(schema.field(index).type, seen)
            schema = schema.set(index, pa.field(schema.names[index], wider))


def _type_of(value: str) -> pa.DataType:
    """The type that one value looks like."""
    first = value.split("\n")[0].replace('"', '""')
    seen = pacsv.read_csv(
        io.BytesIO(f'x\n"{first}"\n'.encode()),
        convert_options=pacsv.ConvertOptions(true_values=_TRUE, false_values=_FALSE),
    )
    type_ = _tamed(seen.schema.field(0).type)
    return _number_type(pa.array([value]), type_) if _is_number(type_) else type_


def _wider(now: pa.DataType, seen: pa.DataType) -> pa.DataType:
    """The narrowest type after `now` that also fits values of type `seen`; text in the end."""
    if pa.types.is_null(now) and seen != now:
        return seen
    if now in _NUMBERS and seen in _NUMBERS:
        wanted = max(_NUMBERS.index(now), _NUMBERS.index(seen))
        if _NUMBERS[wanted] != now:
            return _NUMBERS[wanted]
    if now == pa.timestamp("s") and seen == pa.timestamp("ns"):
        return seen
    return pa.string()


def _explained(path: str, separator: str, error: Exception) -> InputFileError:
    """The error with the number of the line that is wrong, which needs another, slower reading."""
    wrong = _TOO_WIDE.search(str(error))
    if wrong is None:
        return damaged(path, "CSV", error)
    if not _is_text(path):
        return damaged(path, "CSV", "it is not UTF-8 text")
    rows: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        rows.append(row)
        return "error"

    expected, actual = wrong[1], int(wrong[2])
    try:
        with pacsv.open_csv(
            pa.input_stream(path, compression="gzip" if path.lower().endswith(".gz") else None),
            read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pacsv.ParseOptions(
                delimiter=separator, newlines_in_values=True, invalid_row_handler=note
            ),
        ) as reader:
            for _ in reader:
                pass
    except DAMAGE:
        pass
    line = _line_number(path, rows[0].number, rows[0].text) if rows else None
    where = f"line {line}" if line is not None else "a line"
    fields = "1 field" if actual == 1 else f"{actual} fields"
    return InputFileError(
        f"{path}: {where} has {fields} instead of the header's {expected}",
        hint="Correct the line, or quote fields that hold the separator.",
    )


def _is_text(path: str) -> bool:
    """Whether a file is UTF-8, of which alone pyarrow hands out the lines that are wrong."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_bytes(path) as file:
            while data := file.read(_BLOCK_BYTES):
                decoder.decode(data)
        decoder.decode(b"", final=True)
    except DAMAGE:
        return False
    return True


def _line_number(path: str, row: int | None, text: str) -> int | None:
    """The line on which a row begins: at or after its number, since rows may span lines."""
    wanted = text.split("\n")[0].rstrip("\r").encode()
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            if (row is None or number >= row) and line.rstrip(b"\r\n") == wanted:
                return number
    return row
