"""The manifest of what a name means: of one version of a frame, a view or a function, as bytes.

Owns: the encoding of schema, chunks and statistics, or of a query's text (msgpack behind a magic
and a checksum), and its checks. Chunks are garbage when no manifest that a name points to lists
them. Does not know: where the bytes are kept.
"""

from __future__ import annotations

import array
import sys
from typing import Any

import msgpack
import xxhash

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    ColumnSchema,
    ColumnStatistics,
    DistinctSketch,
    Frame,
    FrameSchema,
    Function,
    IndexDefinition,
    Named,
    Order,
    View,
)
from eau2.types import Kind, SqlType, parse_type

_MAGIC = b"eau2mf3\n"
_EARLIER = b"eau2mf2\n"
"""Of manifests whose chunks hold every column in the width of its type. They read alike."""
_DIGEST_BYTES = 16
_INT64 = range(-(2**63), 2**64)


class ManifestError(Exception):
    """The bytes are not a manifest, or not the one that was written."""


def checksum(data: bytes) -> str:
    """The xxh3-128 of an encoded manifest, in hexadecimal."""
    digest: str = xxhash.xxh3_128_hexdigest(data)
    return digest


def encode(named: Named) -> bytes:
    """The manifest of a frame, view or function as bytes; `decode` gives the same one back."""
    body: bytes = msgpack.packb(_to_plain(named))
    digest: bytes = xxhash.xxh3_128_digest(body)
    return _MAGIC + digest + body


def _to_plain(named: Named) -> dict[str, Any]:
    match named:
        case View(name=name, column_names=columns, text=text):
            return {"view": name, "columns": list(columns), "text": text}
        case Function(name=name, form=form, source=source):
            return {"function": name, "form": form, "source": source}
    return _frame_to_plain(named)


def _frame_to_plain(frame: Frame) -> dict[str, Any]:
    hashings = sorted(
        {
            part.distinct.hashing
            for chunk in frame.chunks
            for part in chunk.statistics
            if part.distinct is not None
        }
    )
    return {
        "name": frame.name,
        "df_id": frame.df_id,
        "version": frame.version,
        "schema": [[column.name, *_type_to_plain(column.type)] for column in frame.schema.columns],
        "not_null": [i for i, column in enumerate(frame.schema.columns) if column.not_null],
        "hashings": hashings,
        "chunks": [
            [
                chunk.key.df_id,
                chunk.key.number,
                chunk.rows,
                chunk.bytes,
                chunk.checksum,
                list(chunk.locations),
                [chunk.slot, chunk.slots],
                [_statistics_to_plain(part, hashings) for part in chunk.statistics],
            ]
            for chunk in frame.chunks
        ],
        "statistics": [_statistics_to_plain(part, hashings) for part in frame.statistics],
        **({"indexes": [[i.name, i.column] for i in frame.indexes]} if frame.indexes else {}),
    }


def decode(data: bytes) -> Named:
    """The frame, view or function that an encoded manifest describes. Raises ManifestError."""
    start = len(_MAGIC) + _DIGEST_BYTES
    if data[: len(_MAGIC)] not in (_MAGIC, _EARLIER) or len(data) < start:
        raise ManifestError("it does not begin like a manifest of this version")
    if xxhash.xxh3_128_digest(data[start:]) != data[len(_MAGIC) : start]:
        raise ManifestError("its checksum differs from the one written")
    try:
        plain = msgpack.unpackb(data[start:])
        if "function" in plain:
            return _function(plain)
        return _view(plain) if "view" in plain else _frame(plain)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ManifestError(f"its content is not a manifest ({error})") from error


def _function(plain: dict[str, Any]) -> Function:
    name, form, source = plain["function"], plain["form"], plain["source"]
    if not (isinstance(name, str) and isinstance(form, bytes) and isinstance(source, str)):
        raise ValueError("a function's parts are of other types")
    return Function(name, form, source)


def _view(plain: dict[str, Any]) -> View:
    return View(plain["view"], tuple(plain["columns"]), plain["text"])


def _frame(plain: dict[str, Any]) -> Frame:
    hashings = plain["hashings"]
    required = frozenset(plain.get("not_null", ()))
    return Frame(
        name=plain["name"],
        df_id=plain["df_id"],
        version=plain["version"],
        schema=FrameSchema(
            tuple(
                ColumnSchema(name, _type_from_plain(*type_), number in required)
                for number, (name, *type_) in enumerate(plain["schema"])
            )
        ),
        chunks=tuple(
            ChunkRef(
                ChunkKey(df_id, number),
                rows,
                size,
                digest,
                tuple(_statistics_from_plain(part, hashings) for part in statistics),
                tuple(locations),
                slot,
                slots,
            )
            for df_id, number, rows, size, digest, locations, (slot, slots), statistics in plain[
                "chunks"
            ]
        ),
        statistics=tuple(_statistics_from_plain(part, hashings) for part in plain["statistics"]),
        indexes=tuple(IndexDefinition(name, column) for name, column in plain.get("indexes", ())),
    )


def _type_to_plain(type_: SqlType) -> tuple[str, int, int]:
    """The kind and its parameters; a list has its whole name in place of the kind."""
    kind = str(type_) if type_.is_list else type_.kind.value
    return kind, type_.precision, type_.scale


def _type_from_plain(kind: str, precision: int, scale: int) -> SqlType:
    return parse_type(kind) if kind.endswith("[]") else SqlType(Kind(kind), precision, scale)


def _statistics_to_plain(part: ColumnStatistics, hashings: list[str]) -> list[Any]:
    sketch = None
    if part.distinct is not None:
        hashes = array.array("Q", part.distinct.hashes)
        if sys.byteorder == "big":
            hashes.byteswap()
        sketch = [hashings.index(part.distinct.hashing), part.distinct.k, hashes.tobytes()]
    exponents = None if part.exponents is None else list(part.exponents)
    bounds = [part.null_count, _wide(part.minimum), _wide(part.maximum), sketch, exponents]
    return [*bounds, part.order] if part.order else bounds


def _statistics_from_plain(plain: list[Any], hashings: list[str]) -> ColumnStatistics:
    nulls, low, high, sketch, exponents, *order = plain
    distinct = None
    if sketch is not None:
        hashes = array.array("Q", sketch[2])
        if sys.byteorder == "big":
            hashes.byteswap()
        distinct = DistinctSketch(hashings[sketch[0]], sketch[1], tuple(hashes))
    return ColumnStatistics(
        nulls,
        _narrow(low),
        _narrow(high),
        distinct,
        None if exponents is None else (exponents[0], exponents[1]),
        _order(order),
    )


def _order(plain: list[Any]) -> Order:
    match plain:
        case ["ascending"]:
            return "ascending"
        case ["increasing"]:
            return "increasing"
        case []:
            return ""
    raise ValueError(f"an order that there is not: {plain}")


def _wide(value: Any) -> Any:
    """Msgpack has 64-bit integers; a wider one travels as a list of its decimal digits."""
    if isinstance(value, int) and value not in _INT64:
        return [str(value)]
    return value


def _narrow(value: Any) -> Any:
    return int(value[0]) if isinstance(value, list) else value
