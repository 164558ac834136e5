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
from collections.abc import Callable, Iterator
from itertools import islice, zip_longest

import pyarrow as pa

from eau2.config import LIMITS
from eau2.errors import InputFileError
from eau2.kv.ingest.text import DAMAGE, check_readable, damaged, open_bytes

_FIELD = re.compile(r'\s*<\s*("[^"]*"|[^<>"]*?)\s*>\s*')
_LINE = re.compile(r'(?:\s*<\s*(?:"[^"]*"|[^<>"]*)\s*>)+\s*')
_BOOL = re.compile(r"[01]")
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|nan)", re.IGNORECASE
)
_INT64 = range(-(2**63), 2**63)

Row = tuple[int, list[str]]
"""A line's number and its fields; an empty string is missing, strings keep their quotes."""


def open_sor(paths: tuple[str, ...]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of .sor files; the first file's first rows decide the types.

    Raises InputFileError; so may the batches.
    """
    for path in paths:
        check_readable(path)
    sample = [fields for _, fields in islice(_rows(paths[0]), LIMITS.schema_sample_rows)]
    if not sample:
        raise InputFileError(f"{paths[0]} holds no rows", hint="A row is a line like <1> <hi>.")
    types = [_narrowest(column) for column in zip_longest(*sample, fillvalue="")]
    schema = pa.schema([(f"column{number}", type_) for number, type_ in enumerate(types)])

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            rows = _rows(path)
            while run := list(islice(rows, LIMITS.ingest_batch_rows)):
                yield _batch(path, run, schema)

    return schema, batches()


def _rows(path: str) -> Iterator[Row]:
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):
                text = line.decode()
                if text.isspace():
                    continue
                if not _LINE.fullmatch(text):
                    raise InputFileError(
                        f"{path}, line {number}: not a row of fields in < and >",
                        hint=f"The line is: {text.strip()[:60]}",
                    )
                yield number, _FIELD.findall(text)
    except UnicodeDecodeError as error:
        raise damaged(path, ".sor", f"it is not UTF-8 text ({error.reason})") from error
    except DAMAGE as error:
        raise damaged(path, ".sor", error) from error


def _narrowest(fields: tuple[str, ...]) -> pa.DataType:
    """The type of a column with these fields."""
    present = [field for field in fields if field]
    if all(map(_BOOL.fullmatch, present)):
        return pa.bool_()
    if all(map(_is_int, present)):
        return pa.int64()
    if all(map(_FLOAT.fullmatch, present)):
        return pa.float64()
    return pa.string()


def _is_int(field: str) -> bool:
    return _INT.fullmatch(field) is not None and int(field) in _INT64


def _is_float(field: str) -> bool:
    return _FLOAT.fullmatch(field) is not None


def _batch(path: str, rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    width = len(schema)
    longest = max(len(fields) for _, fields in rows)
    if longest > width:
        number, fields = next(row for row in rows if len(row[1]) > width)
        raise InputFileError(
            f"{path}, line {number}: {len(fields)} fields, but the first rows have {width}",
            hint=f"The columns are decided by the first {LIMITS.schema_sample_rows} rows.",
        )
    columns = list(zip_longest(*(fields for _, fields in rows), fillvalue=""))
    columns.extend([("",) * len(rows)] * (width - longest))
    arrays = []
    for field, column in zip(schema, columns, strict=True):
        try:
            arrays.append(_array(column, field.type))
        except ValueError:
            raise _misfit(path, rows, schema.get_field_index(field.name), field.type) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(fields: tuple[str, ...], type_: pa.DataType) -> pa.Array:
    """The fields as values. Raises ValueError when one does not fit."""
    if pa.types.is_string(type_):
        return pa.array([_unquoted(field) if field else None for field in fields], pa.string())
    if pa.types.is_boolean(type_):
        if not all(map(_fits_bool, fields)):
            raise ValueError
        return pa.array([field == "1" if field else None for field in fields], pa.bool_())
    if pa.types.is_integer(type_):
        if not all(not field or _is_int(field) for field in fields):
            raise ValueError
        return pa.array([int(field) if field else None for field in fields], pa.int64())
    if not all(not field or _FLOAT.fullmatch(field) for field in fields):
        raise ValueError
    return pa.array([float(field) if field else None for field in fields], pa.float64())


def _fits_bool(field: str) -> bool:
    return field in ("", "0", "1")


def _unquoted(field: str) -> str:
    return field[1:-1] if field[0] == '"' else field


_NAMES = {pa.bool_(): "BOOLEAN (0 or 1)", pa.int64(): "BIGINT", pa.float64(): "DOUBLE"}
_FITS: dict[pa.DataType, Callable[[str], bool]] = {
    pa.bool_(): _fits_bool,
    pa.int64(): _is_int,
    pa.float64(): _is_float,
}


def _misfit(path: str, rows: list[Row], column: int, type_: pa.DataType) -> InputFileError:
    fits = _FITS[type_]
    for number, fields in rows:
        field = fields[column] if column < len(fields) else ""
        if field and not fits(field):
            return InputFileError(
                f"{path}, line {number}: {field[:40]!r} in column{column} is not {_NAMES[type_]}",
                hint="The first "
                f"{LIMITS.schema_sample_rows} rows decide a column's type; correct the value.",
            )
    return InputFileError(f"{path}: a value in column{column} is not {_NAMES[type_]}")
