"""Zones in chunk files: what a chunk's own metadata says of its values, run of rows by run of rows.

Owns: the measuring, and the bytes in the metadata of the chunk's Arrow schema. Comes in: a compact
chunk; goes out: those bytes, and from a chunk that has them its Zones. Does not know: files,
manifests, who leaves zones out (operators/zones.py).

They are written with the chunk and so covered by its checksum. A chunk of one zone has none: its
statistics say as much. So they do of columns whose zones hold about what the whole chunk holds,
which are left out.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from eau2.catalog import ColumnSchema, FrameSchema
from eau2.config import LIMITS
from eau2.kv.columns import Columns
from eau2.kv.statistics import lower_bound, upper_bound
from eau2.net.packing import pack, unpack
from eau2.operators.zones import ColumnZones, Zones
from eau2.types import Kind

_KEY = b"eau2.zones"
_VERSION = 1
_LIMIT_BYTES = 16 << 20
_UNMEASURED = frozenset({Kind.INTERVAL, Kind.BOOLEAN})

_NARROW = 0.75
_NARROW_TEXTS = 0.4
"""Zones that span more of the chunk on average are not told. Of values in no order they span all of
it, and half of the bounds of texts.
"""

_FIRST = 4
"""So many zones of texts are measured before the others: it takes longer than that of numbers."""

_Ends = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def zone_metadata(
    batch: pa.RecordBatch, schema: FrameSchema, work: Columns
) -> dict[bytes, bytes] | None:
    """What the Arrow schema of a compact chunk has to say of its zones; None: nothing."""
    if batch.num_rows <= LIMITS.zone_rows:
        return None
    measured = work.map(batch.num_rows, _measured_column, batch.columns, schema.columns)
    columns = {
        column.name: known
        for column, known in zip(schema.columns, measured, strict=True)
        if known is not None
    }
    packed = pack([_VERSION, LIMITS.zone_rows, batch.num_rows, columns], _LIMIT_BYTES)
    # Arrow readers want text here.
    return {_KEY: b64encode(packed)}


def _measured_column(array: pa.Array, column: ColumnSchema) -> list[Any] | None:
    if column.type.kind in _UNMEASURED or column.type.is_list:
        return None
    known = _measured(array)
    if known is None:
        return None
    low, high, form = known
    nulls = _nulls(array)
    if not (_some_have_none(nulls, len(array)) or _are_narrow(low, high, form)):
        return None
    if form:
        low, high = low.astype(form).tobytes(), high.astype(form).tobytes()
    return [low, high, form, nulls.astype("<i8").tobytes()]


def _some_have_none(nulls: npt.NDArray[np.int64], rows: int) -> bool:
    """Whether some zones have no NULL and others do, or some have nothing else."""
    sizes = np.diff(_starts(rows), append=rows)
    valued = nulls < sizes
    return bool((nulls.any() and not nulls.all()) or (valued.any() and not valued.all()))


def _are_narrow(low: Any, high: Any, form: str) -> bool:
    """Whether zones tell more than the chunk: they span a part of what it spans, on average."""
    if not form:
        # Texts have no distance: how many bounds of zones lie between is one.
        bounds = sorted({text for text in (*low, *high) if text is not None})
        place = {text: number for number, text in enumerate(bounds)}
        low = np.array([0 if text is None else place[text] for text in low])
        high = np.array([len(bounds) - 1 if text is None else place[text] for text in high])
        most = _NARROW_TEXTS
    else:
        most = _NARROW
    low, high = low.astype(np.float64), high.astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        span = high.max() - low.min()
        return bool(span > 0 and (high - low).mean() <= most * span)


def zones_of(schema: pa.Schema) -> Zones | None:
    """The zones that a chunk of this Arrow schema has, if it says so.

    Raises InternalError for bytes that this version has not written.
    """
    packed = (schema.metadata or {}).get(_KEY)
    if packed is None:
        return None
    version, *values = unpack(b64decode(packed), _LIMIT_BYTES, list)
    if version != _VERSION:
        return None
    zone_rows, rows, columns = values
    return Zones(zone_rows, rows, {name: _column(*known) for name, known in columns.items()})


def _column(low: Any, high: Any, form: str, nulls: bytes) -> ColumnZones:
    counts = np.frombuffer(nulls, "<i8")
    if form:
        return ColumnZones(np.frombuffer(low, form), np.frombuffer(high, form), counts)
    return ColumnZones(low, high, counts)


def _measured(array: pa.Array) -> tuple[Any, Any, str] | None:
    """Least and greatest values by zone, and the form in which they are kept; texts have none."""
    type_ = array.type
    if pa.types.is_dictionary(type_):
        return _texts(*_of_codes(array))
    if pa.types.is_string_view(type_):
        return _texts(*_of_texts(array))
    if pa.types.is_floating(type_):
        low, high = (end.astype(np.float64) + 0.0 for end in _ends(array))
        unknown = np.isnan(low) | np.isnan(high)
        low[unknown], high[unknown] = -np.inf, np.nan
        return low, high, "<f8"
    if not (pa.types.is_integer(type_) or pa.types.is_temporal(type_)):
        return None
    low, high = _ends(array)
    if high.dtype == np.uint64 and max(low.max(), high.max()) >= 1 << 63:
        return None
    return low, high, "<i8"


def _values(array: pa.Array) -> npt.NDArray[Any]:
    """The numbers of an array without a copy; anything may stand for NULL."""
    type_ = array.type
    unsigned = pa.types.is_unsigned_integer(type_)
    kind = "f" if pa.types.is_floating(type_) else "u" if unsigned else "i"
    dtype = np.dtype(f"{kind}{type_.bit_width // 8}")
    return np.frombuffer(array.buffers()[1], dtype, array.offset + len(array))[array.offset :]


def _valid(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Which values are not NULL; None for all."""
    if not array.null_count:
        return None
    valid: npt.NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _nulls(array: pa.Array) -> npt.NDArray[np.int64]:
    """How many NULLs each zone has."""
    valid = _valid(array)
    starts = _starts(len(array))
    if valid is None:
        return np.zeros(len(starts), np.int64)
    return np.add.reduceat(~valid, starts, dtype=np.int64)


def _starts(rows: int) -> npt.NDArray[np.int64]:
    return np.arange(0, rows, LIMITS.zone_rows)


def _ends(array: pa.Array, places: npt.NDArray[Any] | None = None) -> _Ends:
    """The least and the greatest value of each zone. Without values, the other way round.

    places: what to compare instead of the values, which are positions in it.
    """
    values, valid = _values(array), _valid(array)
    if places is not None:
        values = places[values if valid is None else np.where(valid, values, 0)]
    if valid is None:
        return _reduced(values, np.minimum), _reduced(values, np.maximum)
    least: Any = -np.inf
    greatest: Any = np.inf
    if values.dtype.kind != "f":
        least, greatest = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
    low = np.where(valid, values, values.dtype.type(greatest))
    high = np.where(valid, values, values.dtype.type(least))
    return _reduced(low, np.minimum), _reduced(high, np.maximum)


def _reduced(values: npt.NDArray[Any], by: np.ufunc) -> npt.NDArray[Any]:
    whole = len(values) // LIMITS.zone_rows * LIMITS.zone_rows
    parts = [by.reduce(values[:whole].reshape(-1, LIMITS.zone_rows), axis=1)]
    if whole < len(values):
        parts.append(by.reduce(values[whole:], keepdims=True))
    return np.concatenate(parts)


def _texts(
    low: Sequence[str | None], high: Sequence[str | None]
) -> tuple[list[str | None], list[str | None], str]:
    """Bounds of texts, which are short."""
    return (
        [None if text is None else lower_bound(text) for text in low],
        [None if text is None else upper_bound(text) for text in high],
        "",
    )


def _of_codes(array: pa.Array) -> tuple[list[str | None], list[str | None]]:
    """The ends of zones of codes. A dictionary that has grown is in order only at its beginning."""
    values = pl.Series("", pl.from_arrow(array.dictionary), dtype=pl.String)
    if not len(values):
        return [None for _ in _starts(len(array))], [None for _ in _starts(len(array))]
    ranks = None
    if not values.is_sorted():
        order = values.arg_sort()
        ranks = np.empty(len(values), np.uint16)
        ranks[order.to_numpy()] = np.arange(len(values), dtype=np.uint16)
        values = values.gather(order)
    low, high = _ends(array.indices, ranks)
    known = [(values[a], values[b]) if a <= b else (None, None) for a, b in _pairs(low, high)]
    return [a for a, _ in known], [b for _, b in known]


def _pairs(low: npt.NDArray[Any], high: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    return zip(low.tolist(), high.tolist(), strict=True)


def _of_texts(array: pa.Array) -> tuple[list[str | None], list[str | None]]:
    """The ends of zones of texts; nothing where the first zones already tell nothing."""
    texts = pl.Series("", pl.from_arrow(array), dtype=pl.String)
    parts = [texts.slice(int(start), LIMITS.zone_rows) for start in _starts(len(array))]
    low = [_text(part.min()) for part in parts[:_FIRST]]
    high = [_text(part.max()) for part in parts[:_FIRST]]
    if len(parts) > _FIRST and low != high and not _are_narrow(low, high, ""):
        return [None] * len(parts), [None] * len(parts)
    low += [_text(part.min()) for part in parts[_FIRST:]]
    high += [_text(part.max()) for part in parts[_FIRST:]]
    return low, high


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
