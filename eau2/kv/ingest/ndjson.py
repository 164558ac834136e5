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
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.text import DAMAGE, check_readable, line_blocks
from eau2.types import from_arrow

_BLOCK_BYTES = 1 << 23
_ROW = re.compile(r" ?in row ([0-9]+)")
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"
_BIG = pa.decimal128(38, 0)
_NUMBERS = (pa.int64(), _BIG, pa.float64())


def open_ndjson(
    paths: tuple[str, ...], position: Position | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of NDJSON files, columns in the order of their first appearance.

    Raises InputFileError, and NotSupportedError for objects.
    """
    types: dict[str, pa.DataType] = {}
    for path in paths:
        check_readable(path)
        for line, block in _blocks(path):
            if types and _fit_already(block, types):
                continue
            for name, type_ in _block_types(path, line, block).items():
                types[name] = _joined(path, name, types.get(name, pa.null()), type_)
    if not types:
        raise InputFileError(f"{paths[0]} holds no objects", hint="Check how it was written.")
    schema = pa.schema(
        [(name, _of_text(t) if pa.types.is_null(_innermost(t)) else t) for name, t in types.items()]
    )

    def rows() -> Iterator[pa.RecordBatch]:
        for path in paths:
            for line, block in _blocks(path, position):
                yield from _rows(path, line, block, schema)

    return schema, rows()


def _blocks(path: str, position: Position | None = None) -> Iterator[tuple[int, bytes]]:
    for line, block in line_blocks(path, "NDJSON", _BLOCK_BYTES, position):
        if line == 1 and block.lstrip()[:1] == b"[":
            raise InputFileError(
                f"{path} holds one JSON array", hint="Write one object a line instead (NDJSON)."
            )
        yield line, block


def _read(block: bytes, schema: pa.Schema | None, others: str = "ignore") -> pa.Table:
    return pajson.read_json(
        pa.BufferReader(block),
        read_options=pajson.ReadOptions(block_size=len(block) + 1),
        parse_options=pajson.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else others,
        ),
    )


def _fit_already(block: bytes, types: dict[str, pa.DataType]) -> bool:
    """Whether the block has no other columns and no values that `types` do not fit."""
    known = {n: type_ for n, type_ in types.items() if not pa.types.is_null(_innermost(type_))}
    read_as = pa.schema([(name, _json_type(type_)) for name, type_ in known.items()])
    try:
        found = _read(block, read_as, others="infer")
    except pa.ArrowException:
        return False
    if any(f.name not in known and not pa.types.is_null(f.type) for f in found.schema):
        return False
    if any(field.name not in types for field in found.schema):
        return False
    return all(
        _text_type(_flat(found.column(name))) in (_innermost(type_), pa.null())
        for name, type_ in known.items()
        if pa.types.is_temporal(_innermost(type_))
    )


def _parse(path: str, line: int, block: bytes, schema: pa.Schema | None) -> pa.Table:
    try:
        return _read(block, schema)
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
    texts = (pa.types.is_string, pa.types.is_timestamp)
    text = [n for n, t in types.items() if any(is_(_innermost(t)) for is_ in texts)]
    if text:
        read_as = pa.schema([(name, _of_text(types[name])) for name in text])
        again = _parse(path, line, block, read_as)
        for name in text:
            types[name] = _with(types[name], _text_type(_flat(again.column(name))))
    for name in [name for name, type_ in types.items() if _innermost(type_) == pa.float64()]:
        big = _with(types[name], _BIG)
        if _beyond_int64(_flat(found.column(name))) and _fits(block, name, big):
            types[name] = big
    return types


def _innermost(type_: pa.DataType) -> pa.DataType:
    """The type of what lies in lists of any depth."""
    while pa.types.is_list(type_):
        type_ = type_.value_type
    return type_


def _with(type_: pa.DataType, innermost: pa.DataType) -> pa.DataType:
    """The type with another one in the innermost lists."""
    if not pa.types.is_list(type_):
        return innermost
    return pa.list_(_with(type_.value_type, innermost))


def _of_text(type_: pa.DataType) -> pa.DataType:
    return _with(type_, pa.string())


def _flat(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """What lies in lists of any depth, one after the other."""
    while pa.types.is_list(values.type):
        values = pc.list_flatten(values)
    return values


def _beyond_int64(values: pa.ChunkedArray) -> bool:
    """Whether these are whole numbers which became floats because one has more than 64 bits."""
    whole = pc.all(pc.equal(pc.round(values), values)).as_py()
    greatest = pc.max(pc.abs(values)).as_py()
    return bool(whole) and greatest is not None and greatest >= 2.0**63


def _fits(block: bytes, name: str, type_: pa.DataType) -> bool:
    try:
        _read(block, pa.schema([(name, type_)]))
    except pa.ArrowException:
        return False
    return True


def _text_type(text: pa.ChunkedArray) -> pa.DataType:
    """DATE or TIMESTAMP when all values are, else text; null without values."""
    if text.null_count == len(text):
        return pa.null()
    for pattern, type_ in ((_DATE, pa.date32()), (_TIMESTAMP, pa.timestamp("us"))):
        if pc.all(pc.match_substring_regex(text, pattern)).as_py():
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
    if pa.types.is_list(first) and pa.types.is_list(second):
        return pa.list_(_joined(path, name, first.value_type, second.value_type))
    if first in _NUMBERS and second in _NUMBERS:
        return _NUMBERS[max(_NUMBERS.index(first), _NUMBERS.index(second))]
    one_list = pa.types.is_list(first) or pa.types.is_list(second)
    if not one_list and not {first, second} & {*_NUMBERS, pa.bool_()}:
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
    return _of_text(type_) if pa.types.is_temporal(_innermost(type_)) else type_
