"""NDJSON files as batches: one JSON object a line.

Owns: finding column types that fit every line, and streaming with pyarrow's reader.
Comes in: paths; goes out: (schema, batches). Does not know: stored form, names.

The files are read twice, like CSV: once to find the types (integers widen to exact big integers
or DOUBLE, a column of nothing but null is VARCHAR, text that is all dates or timestamps becomes
DATE or TIMESTAMP), once to hand out the rows. A column that holds both numbers and text, lists or
objects is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson

from eau2.errors import DataError, InputFileError, NotSupportedError
from eau2.kv.ingest.text import DAMAGE, check_readable, damaged, open_bytes
from eau2.types import from_arrow

_BLOCK_BYTES = 1 << 23
_ROW = re.compile(r" ?in row ([0-9]+)")
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"
_BIG = pa.decimal128(38, 0)
_NUMBERS = (pa.int64(), _BIG, pa.float64())


def open_ndjson(paths: tuple[str, ...]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of NDJSON files, columns in the order of their first appearance.

    Raises InputFileError, and NotSupportedError for lists and objects.
    """
    types: dict[str, pa.DataType] = {}
    for path in paths:
        check_readable(path)
        for line, block in _blocks(path):
            for name, type_ in _block_types(path, line, block).items():
                types[name] = _joined(path, name, types.get(name, pa.null()), type_)
    if not types:
        raise InputFileError(f"{paths[0]} holds no objects", hint="Check how it was written.")
    schema = pa.schema(
        [(name, pa.string() if pa.types.is_null(t) else t) for name, t in types.items()]
    )

    def rows() -> Iterator[pa.RecordBatch]:
        for path in paths:
            for line, block in _blocks(path):
                yield from _rows(path, line, block, schema)

    return schema, rows()


def _blocks(path: str) -> Iterator[tuple[int, bytes]]:
    """Runs of whole lines with the number of their first line."""
    line, rest = 1, b""
    try:
        with open_bytes(path) as file:
            while data := file.read(_BLOCK_BYTES):
                head, found, tail = data.rpartition(b"\n")
                if not found:
                    rest += data
                    continue
                block = rest + head + found
                rest = tail
                if line == 1:
                    block = _first(path, block)
                if block.strip():
                    yield line, block
                line += block.count(b"\n")
    except DAMAGE as error:
        raise damaged(path, "NDJSON", error) from error
    if rest.strip():
        yield line, _first(path, rest) if line == 1 else rest


def _first(path: str, block: bytes) -> bytes:
    block = block.removeprefix(b"\xef\xbb\xbf")
    if block.lstrip()[:1] == b"[":
        raise InputFileError(
            f"{path} holds one JSON array", hint="Write one object a line instead (NDJSON)."
        )
    return block


def _parse(path: str, line: int, block: bytes, schema: pa.Schema | None) -> pa.Table:
    options = pajson.ParseOptions(
        explicit_schema=schema,
        unexpected_field_behavior="infer" if schema is None else "ignore",
    )
    read = pajson.ReadOptions(block_size=len(block) + 1)
    try:
        return pajson.read_json(pa.BufferReader(block), read_options=read, parse_options=options)
    except DAMAGE as error:
        text = str(error).strip().splitlines()[0].removeprefix("JSON parse error: ")
        row = _ROW.search(text)
        where = path
        if row is not None:
            where = f"{path}, line {line + _nth_line(block, int(row[1]))}"
            text = _ROW.sub("", text)
        raise InputFileError(
            f"{where}: {text.rstrip('.')}",
            hint="Each line must be one JSON object, and a column of one kind of value.",
        ) from error


def _nth_line(block: bytes, row: int) -> int:
    """How many lines stand before the row-th line that is not blank."""
    seen = -1
    for number, text in enumerate(block.split(b"\n")):
        if text.strip():
            seen += 1
        if seen == row:
            return number
    return row


def _block_types(path: str, line: int, block: bytes) -> dict[str, pa.DataType]:
    found = _parse(path, line, block, None)
    types: dict[str, pa.DataType] = {}
    for field in found.schema:
        if pa.types.is_nested(field.type):
            try:
                from_arrow(field.type, field.name)
            except NotSupportedError as error:
                raise NotSupportedError(f"{path}: {error.message}", hint=error.hint) from error
        types[field.name] = field.type
    text = [n for n, t in types.items() if pa.types.is_string(t) or pa.types.is_timestamp(t)]
    if text:
        again = _parse(path, line, block, pa.schema([(name, pa.string()) for name in text]))
        types.update({name: _text_type(again.column(name)) for name in text})
    for name in [name for name, type_ in types.items() if type_ == pa.float64()]:
        try:
            _parse(path, line, block, pa.schema([(name, _BIG)]))
        except InputFileError:
            continue
        if pc.all(pc.equal(pc.round(found.column(name)), found.column(name))).as_py():
            types[name] = _BIG
    return types


def _text_type(text: pa.ChunkedArray) -> pa.DataType:
    """DATE or TIMESTAMP when all values are, else text."""
    for pattern, type_ in ((_DATE, pa.date32()), (_TIMESTAMP, pa.timestamp("us"))):
        if pc.all(pc.match_substring_regex(text, pattern)).as_py() and text.null_count < len(text):
            try:
                text.cast(type_)
            except pa.ArrowException:
                return pa.string()
            return type_
    return pa.string()


def _joined(path: str, name: str, first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """The type that fits values of both types."""
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if first in _NUMBERS and second in _NUMBERS:
        return _NUMBERS[max(_NUMBERS.index(first), _NUMBERS.index(second))]
    if not {first, second} & {*_NUMBERS, pa.bool_()}:
        return pa.string()
    raise InputFileError(
        f'{path}: column "{name}" holds values of type {first} and of type {second}',
        hint="A column must be of one kind of value; write them all as text, or all as numbers.",
    )


def _rows(path: str, line: int, block: bytes, schema: pa.Schema) -> list[pa.RecordBatch]:
    read_as = pa.schema([(field.name, _json_type(field.type)) for field in schema])
    table = _parse(path, line, block, read_as)
    try:
        batches: list[pa.RecordBatch] = table.select(schema.names).cast(schema).to_batches()
    except pa.ArrowException as error:
        raise DataError(f"{path}: {error}") from error
    return batches


def _json_type(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_temporal(type_) else type_
