"""INTERVAL inside kernels: months, days and microseconds in the bits of one 128-bit integer.

Owns: that form and the ways in and out of it: from and to its three parts, stored structs, Arrow
arrays. Comes in: Polars expressions and series, Arrow arrays, Python integers. Goes out: the same.
Does not know: expressions of a plan, SQL, text.

From the top: 32 bits of months, 32 of days, 64 of microseconds, each in two's complement. So a
column of intervals is one plain column, which every kernel carries like any other. Only where
values are compared must `normalised` stand in its place: a month counts 30 days there and a day 24
hours, so that different intervals can be equal. Of equal intervals the one with the least integer
is kept where only one can be (GROUP BY, DISTINCT, min, max), so that no answer depends on how rows
came.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pyarrow as pa

from eau2.errors import OutOfRangeError

DAYS_PER_MONTH = 30
MICROS_PER_DAY = 86_400_000_000
MICROS_PER_MONTH = DAYS_PER_MONTH * MICROS_PER_DAY

PARTS = ("months", "days", "micros")
"""The fields of a stored interval."""

_WIDE = pl.Int128()
_LOW = 1 << 64
_MIDDLE = 1 << 32
_NANOS = 1000
_NANO_LIMIT = 2**63 // _NANOS


def packed(months: int, days: int, micros: int) -> int:
    """The kernel form of one interval. Raises ValueError when a part does not fit."""
    for part, bits in ((months, 31), (days, 31), (micros, 63)):
        if not -(1 << bits) <= part < 1 << bits:
            raise ValueError(f"{part} does not fit an interval")
    return months * (_LOW * _MIDDLE) + (days % _MIDDLE) * _LOW + micros % _LOW


def unpacked(value: int) -> tuple[int, int, int]:
    """(months, days, microseconds) of a kernel value."""
    high, micros = divmod(value, _LOW)
    months, days = divmod(high, _MIDDLE)
    return months, _signed(days, _MIDDLE), _signed(micros, _LOW)


def normalised_value(value: int) -> int:
    """What a kernel value counts for when it is compared: microseconds."""
    months, days, micros = unpacked(value)
    return months * MICROS_PER_MONTH + days * MICROS_PER_DAY + micros


def _signed(bits: int, modulus: int) -> int:
    return bits - modulus if bits >= modulus // 2 else bits


def pack(months: pl.Expr, days: pl.Expr, micros: pl.Expr) -> pl.Expr:
    """The kernel form of three integer columns, whose values fit; NULL where one of them is."""
    top = months.cast(_WIDE) * pl.lit(_LOW * _MIDDLE, _WIDE)
    middle = days.cast(pl.Int32).reinterpret(signed=False).cast(_WIDE) * pl.lit(_LOW, _WIDE)
    return top + middle + micros.cast(pl.Int64).reinterpret(signed=False).cast(_WIDE)


def micros_of(value: pl.Expr) -> pl.Expr:
    """The microseconds, Int64."""
    low = value & pl.lit(_LOW - 1, _WIDE)
    return low.cast(pl.UInt64).reinterpret(signed=True)


def days_of(value: pl.Expr) -> pl.Expr:
    """The days, Int64."""
    low = _high(value) & pl.lit(_MIDDLE - 1, pl.Int64)
    return low.cast(pl.UInt32).reinterpret(signed=True).cast(pl.Int64)


def months_of(value: pl.Expr) -> pl.Expr:
    """The months, Int64."""
    return _high(value).floordiv(pl.lit(_MIDDLE, pl.Int64))


def _high(value: pl.Expr) -> pl.Expr:
    return value.floordiv(pl.lit(_LOW, _WIDE)).cast(pl.Int64)


def normalised(value: pl.Expr) -> pl.Expr:
    """What intervals count for when they are compared: microseconds, Int128."""
    days = months_of(value) * DAYS_PER_MONTH + days_of(value)
    return days.cast(_WIDE) * pl.lit(MICROS_PER_DAY, _WIDE) + micros_of(value).cast(_WIDE)


def halfway(low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """Between two intervals, as days and time; half a microsecond counts as one."""
    one, two = normalised(low), normalised(high)
    total = one + (two - one + 1) // 2
    unit = pl.lit(MICROS_PER_DAY, _WIDE)
    days = total // unit + ((total < 0) & (total % unit != 0)).cast(_WIDE)
    return pack(days * 0, days, total - days * unit)


def least(value: pl.Expr) -> pl.Expr:
    """The least interval of a group, as an aggregation; of equal ones that of the least integer."""
    order = normalised(value)
    return value.filter(order == order.min()).min()


def greatest(value: pl.Expr) -> pl.Expr:
    """The greatest interval of a group; of equal ones that of the least integer."""
    order = normalised(value)
    return value.filter(order == order.max()).min()


def from_struct(value: pl.Expr) -> pl.Expr:
    """The kernel form of a stored column."""
    fields = [value.struct.field(part) for part in PARTS]
    return pack(*fields)


def stored_from_arrow(array: pa.Array, stored: pa.DataType) -> pa.Array:
    """A month_day_nano_interval or duration array in stored form; digits below 1 us are cut off.

    Raises pa.ArrowException for a duration of more microseconds than an interval can have.
    """
    parts = _duration_parts(array) if pa.types.is_duration(array.type) else _parts(array)
    # What lies below a NULL is nobody's business, and no chunk's.
    parts = parts.select(pl.when(pl.Series(array.is_valid())).then(pl.all()).otherwise(0))
    return pa.StructArray.from_arrays(
        [part.to_arrow() for part in parts.get_columns()], fields=list(stored), mask=array.is_null()
    )


def _duration_parts(array: pa.Array) -> pl.DataFrame:
    """A duration is microseconds alone."""
    nanos = array.type.unit == "ns"
    counts = (array if nanos else array.cast(pa.duration("us"))).view(pa.int64())
    found = pl.Series(PARTS[2], counts, pl.Int64).fill_null(0).to_frame()
    zero = pl.lit(0, pl.Int32)
    micros = _without_nanos(pl.col(PARTS[2])) if nanos else pl.col(PARTS[2])
    return found.select(zero.alias(PARTS[0]), zero.alias(PARTS[1]), micros)


def _without_nanos(nanos: pl.Expr) -> pl.Expr:
    """Whole microseconds, cut toward zero."""
    return nanos // _NANOS + ((nanos < 0) & (nanos % _NANOS != 0)).cast(pl.Int64)


def _parts(array: pa.Array) -> pl.DataFrame:
    """The months, days and microseconds of a month_day_nano_interval array; anything for NULL."""
    low, high = _halves(array)
    months = pl.col("low") & pl.lit(_MIDDLE - 1, pl.Int64)
    days = pl.col("low").floordiv(pl.lit(_MIDDLE, pl.Int64))
    return pl.DataFrame({"low": low, "nanos": high}).select(
        months.cast(pl.UInt32).reinterpret(signed=True).alias(PARTS[0]),
        days.cast(pl.Int32).alias(PARTS[1]),
        _without_nanos(pl.col("nanos")).alias(PARTS[2]),
    )


def _halves(array: pa.Array) -> tuple[pl.Series, pl.Series]:
    """The two 64-bit words of each value: months below days, then nanoseconds."""
    if not len(array):
        return pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.Int64)
    words = pa.Array.from_buffers(
        pa.int64(), 2 * len(array), [None, array.buffers()[1]], 0, 2 * array.offset
    )
    series = pl.Series(words)
    return series.gather_every(2), series.gather_every(2, 1)


def from_arrow(array: pa.Array) -> pl.Series:
    """The kernel form of a month_day_nano_interval array."""
    parts = _parts(array).with_columns(pl.Series("null", array.is_null()))
    value = pack(*(pl.col(part) for part in PARTS))
    return parts.select(pl.when(~pl.col("null")).then(value).alias("value")).to_series()


def durations(array: pa.Array) -> list[timedelta | None]:
    """A month_day_nano_interval array as Python's durations, of which months have 30 days.

    Raises OutOfRangeError for more days than a timedelta can have.
    """
    totals = from_arrow(array).to_frame("i").select(normalised(pl.col("i"))).to_series()
    try:
        return [None if n is None else timedelta(microseconds=n) for n in totals.to_list()]
    except OverflowError as error:
        raise OutOfRangeError(
            "an interval is longer than a timedelta can be",
            hint="Cast it to VARCHAR, or read the result as an Arrow table.",
        ) from error


def to_arrow(series: pl.Series, name: str) -> pa.Array:
    """A kernel column as a month_day_nano_interval array.

    Raises OutOfRangeError, naming the column `name`, for a time of more than about 292 years.
    """
    value = pl.col("value")
    frame = (
        series.alias("value")
        .to_frame()
        .select(
            "value",
            low=months_of(value) & pl.lit(_MIDDLE - 1, pl.Int64),
            days=days_of(value),
            micros=micros_of(value),
        )
    )
    far = frame.filter((pl.col("micros") >= _NANO_LIMIT) | (pl.col("micros") <= -_NANO_LIMIT))
    if far.height:
        raise OutOfRangeError(
            f'column "{name}" holds an interval of {far.item(0, "micros")} microseconds: the time'
            " of a result has 292 years at most",
            hint="Cast it to VARCHAR, or take its parts, for example epoch(x).",
        )
    words = frame.select(
        pl.concat_arr(
            (pl.col("days") * _MIDDLE + pl.col("low")).fill_null(0),
            (pl.col("micros") * _NANOS).fill_null(0),
        ).alias("words")
    )
    bits = pa.concat_arrays(
        [words.get_column("words").to_arrow().flatten(), pa.array([], pa.int64())]
    )
    valid = series.is_not_null().to_arrow()
    valid = pa.concat_arrays([valid, valid.slice(0, 0)])
    return pa.Array.from_buffers(
        pa.month_day_nano_interval(),
        len(series),
        [valid.buffers()[1], bits.buffers()[1]],
        series.null_count(),
    )
