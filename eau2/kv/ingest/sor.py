"""Files of the .sor format (schema on read) as batches.

Owns: the format. One row a line; fields stand in < and >, spaces around them are ignored; strings
may be in double quotes, and then hold any character but the quote; an empty <> is missing. A
column is BOOLEAN (0 or 1), BIGINT, DOUBLE or VARCHAR, the narrowest that fits the first
LIMITS.schema_sample_rows rows; there are as many columns as the longest of these rows has
fields, called column0, column1 and so on. Short rows end in missing values. A later value that
does not fit its column, a longer row, and text outside of brackets are errors with their line.
Comes in: paths; goes out: (schema, batches). Does not know: stored form, names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest

import pyarrow as pa
import pyarrow.compute as pc

from eau2.config import LIMITS
from eau2.errors import InputFileError
from eau2.kv.ingest.position import Position
from eau2.kv.ingest.text import check_readable, damaged, line_blocks

_BLOCK_BYTES = 1 << 22
_BLANK = r"^\s*$"
_FIELD = r'\s*<([^<>"]*(?:"[^"]*"[^<>"]*)?)>'
_BOOL = r"^[01]?$"
_INT = r"^(?:[+-]?[0-9]+)?$"
_FLOAT = r"^(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|nan))?$"
_STRING = r'^(?:[^"]*|"[^"]*")$'
_INT64 = range(-(2**63), 2**63)

_PATTERNS = {pa.bool_(): _BOOL, pa.int64(): _INT, pa.float64(): _FLOAT, pa.string(): _STRING}
_NAMES = {
    pa.bool_(): "BOOLEAN (0 or 1)",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "a string that is wholly in quotes or has none",
}


def open_sor(
    paths: tuple[str, ...], position: Position | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of .sor files; the first file's first rows decide the types.

    Raises InputFileError; so may the batches.
    """
    for path in paths:
        check_readable(path)
    sample = list(islice(_sample(paths[0]), LIMITS.schema_sample_rows))
    if not sample:
        raise InputFileError(f"{paths[0]} holds no rows", hint="A row is a line like <1> <hi>.")
    types = [_narrowest(column) for column in zip_longest(*sample, fillvalue="")]
    schema = pa.schema([(f"column{number}", type_) for number, type_ in enumerate(types)])

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            for line, block in line_blocks(path, ".sor", _BLOCK_BYTES, position):
                yield _batch(path, line, block, schema)

    return schema, batches()


def _sample(path: str) -> Iterator[list[str]]:
    """The fields of the rows, for as long as rows look like rows."""
    for line, block in line_blocks(path, ".sor", _BLOCK_BYTES):
        for number, text in enumerate(_decoded(path, block).split("\n"), line):
            if not text or text.isspace():
                continue
            if not re.fullmatch(f"(?:{_FIELD})+\\s*", text, re.ASCII):
                raise _no_row(path, number, text)
            yield [field.strip() for field in re.findall(_FIELD, text)]


def _decoded(path: str, block: bytes) -> str:
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        raise damaged(path, ".sor", f"it is not UTF-8 text ({error.reason})") from error


def _no_row(path: str, line: int, text: str) -> InputFileError:
    return InputFileError(
        f"{path}, line {line}: not a row of fields in < and >",
        hint=f"The line is: {text.strip()[:60]}",
    )


def _narrowest(fields: tuple[str, ...]) -> pa.DataType:
    """The type of a column with these fields."""
    for type_ in (pa.bool_(), pa.int64(), pa.float64()):
        if all(re.match(_PATTERNS[type_], field, re.IGNORECASE) for field in fields):
            wide = type_ == pa.int64() and any(f and int(f) not in _INT64 for f in fields)
            if not wide:
                return type_
    return pa.string()


def _batch(path: str, line: int, block: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of a block. Raises InputFileError with the line of the first that is wrong."""
    text = pa.array([_decoded(path, block)], pa.large_string())
    lines = pc.list_flatten(pc.split_pattern(text, "\n"))
    used = pc.invert(pc.match_substring_regex(lines, _BLANK))
    numbers = pc.add(pc.indices_nonzero(used), pa.scalar(line, pa.uint64()))
    lines = lines.filter(used)
    rows = pc.extract_regex(lines, _row_pattern(len(schema)))
    if rows.null_count:
        bad = pc.index(rows.is_null(), True).as_py()
        raise _wrong_row(path, numbers[bad].as_py(), lines[bad].as_py(), len(schema))
    arrays = []
    for field, column in zip(schema, rows.flatten(), strict=True):
        trimmed = pc.utf8_trim_whitespace(column)
        try:
            arrays.append(_values(trimmed, field.type))
        except ValueError:
            bad = _first_misfit(trimmed, field.type)
            value = trimmed[bad].as_py()[:40]
            raise InputFileError(
                f"{path}, line {numbers[bad].as_py()}: {value!r} in {field.name}"
                f" is not {_NAMES[field.type]}",
                hint=f"The first {LIMITS.schema_sample_rows} rows decide a column's type;"
                " correct the value.",
            ) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _row_pattern(width: int) -> str:
    """A row of at most `width` fields, each a named group; RE2 matches it in one pass."""
    pattern = ""
    for number in reversed(range(width)):
        field = _FIELD.replace("(", f"(?P<c{number}>", 1)
        pattern = f"{field}(?:{pattern})?" if pattern else field
    return f"^{pattern}\\s*$"


def _wrong_row(path: str, line: int, text: str, width: int) -> InputFileError:
    if not re.fullmatch(f"(?:{_FIELD})+\\s*", text, re.ASCII):
        return _no_row(path, line, text)
    return InputFileError(
        f"{path}, line {line}: {len(re.findall(_FIELD, text))} fields,"
        f" but the first rows have {width}",
        hint=f"The columns are decided by the first {LIMITS.schema_sample_rows} rows.",
    )


def _values(fields: pa.Array, type_: pa.DataType) -> pa.Array:
    """The fields as values, empty ones missing. Raises ValueError when one does not fit."""
    if not pc.all(pc.match_substring_regex(fields, _PATTERNS[type_], ignore_case=True)).as_py():
        raise ValueError
    missing = pc.equal(fields, "")
    fields = pc.if_else(missing, pa.scalar(None, fields.type), fields)
    if pa.types.is_string(type_):
        return pc.utf8_trim(fields, '"').cast(type_)
    if pa.types.is_boolean(type_):
        return pc.equal(fields, "1")
    return pc.utf8_ltrim(fields, "+").cast(type_)


def _first_misfit(fields: pa.Array, type_: pa.DataType) -> int:
    """The index of the first field that does not fit, by halving."""
    low, high = 0, len(fields)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _values(fields.slice(low, middle - low), type_)
        except ValueError:
            high = middle
        else:
            low = middle
    return low
