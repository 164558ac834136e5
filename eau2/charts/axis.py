"""Ticks: where they stand along an axis, and what is written at them.

Owns: round numbers, and round days, months and hours. Comes in: the least and greatest value, and
how many ticks there is room for. Goes out: values with labels. Does not know: pixels, columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from eau2.charts.figure import MICROS_PER_DAY, Scale
from eau2.charts.thinning import nice

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_FIXED: Final = (
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * MICROS_PER_DAY for n in (1, 2, 7, 14)),
)
_MONTHS: Final = (1, 2, 3, 6, *(12 * n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)))
_MONTH: Final = 30.4 * MICROS_PER_DAY
_FIRST_MONDAY: Final = 4 * MICROS_PER_DAY
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1)
_LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1)
_LARGE: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"))


class Tick(NamedTuple):
    """A value and what is written at it."""

    value: float
    label: str


def ticks(low: float, high: float, most: int, scale: Scale) -> list[Tick]:
    """About `most` ticks from `low` to `high`, which are not equal, or fewer; also none."""
    if scale in (Scale.NUMBER, Scale.TEXT, Scale.OFFSET):
        found = _number_ticks(low, high, nice((high - low) / max(1, most)))
        if scale is Scale.OFFSET:
            return [Tick(value, label if value < 0 else f"+{label}") for value, label in found]
        return found
    return _moments(low, high, max(1, most), scale)


def fitted(
    low: float, high: float, scale: Scale, most: int, fits: Callable[[list[Tick]], bool]
) -> list[Tick]:
    """As many ticks as `fits` allows, at most `most`; none when not even two do."""
    for count in range(most, 0, -1):
        found = ticks(low, high, count, scale)
        if found and fits(found):
            return found
    return []


def apart(low: float, high: float, scale: Scale) -> tuple[float, float]:
    """The range from `low` to `high`, widened when they are too near each other for ticks."""
    size = max(abs(low), abs(high))
    if high - low > max(size * 1e-13, 1e-290):
        return low, high
    number = size / 10 if size > 1e-280 else 1.0
    room = number if scale in (Scale.NUMBER, Scale.OFFSET) else 43_200e6
    return low - room, high + room


def rounded(low: float, high: float, most: int) -> tuple[float, float]:
    """The range from `low` to `high`, widened to ticks at both ends; also when they are equal."""
    low, high = apart(low, high, Scale.NUMBER)
    step = nice((high - low) / max(1, most))
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def context(low: float, high: float, scale: Scale) -> str:
    """What the labels do not say of a range of moments: the day, if all are of one."""
    if scale is not Scale.MOMENT or high - low >= MICROS_PER_DAY:
        return ""
    first, last = _moment(low), _moment(high)
    return f"{first:%Y-%m-%d}" if first.date() == last.date() else ""


def _number_ticks(low: float, high: float, step: float) -> list[Tick]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    largest = max(abs(low), abs(high))
    return [
        Tick(index * step, number_label(index * step, step, largest))
        for index in range(first, last + 1)
    ]


def number_label(value: float, step: float, largest: float) -> str:
    """`value` with the digits that tell neighbours apart, which lie `step` from each other."""
    if largest >= 1e15 or largest < 1e-4:
        digits = max(0, math.floor(math.log10(largest or 1)) - math.floor(math.log10(step) + 1e-9))
        return "0" if value == 0 else f"{value:.{min(digits, 15)}e}"
    for size, letter in _LARGE:
        if largest >= size and _decimals(step / size) <= 2:
            return "0" if value == 0 else f"{value / size:.{_decimals(step / size)}f}{letter}"
    return f"{value or 0.0:,.{min(_decimals(step), 15)}f}"


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _moments(low: float, high: float, most: int, scale: Scale) -> list[Tick]:
    low, high = max(low, _FIRST), min(high, _LAST)
    span = high - low
    least = MICROS_PER_DAY if scale is Scale.DATE else 1
    for step in _FIXED:
        if step >= least and span / step <= most:
            break
    else:
        return _month_ticks(low, high, most)
    if step == _SECOND:
        step = max(1, min(_SECOND, int(nice(span / most))))
    offset = _FIRST_MONDAY if step in (7 * MICROS_PER_DAY, 14 * MICROS_PER_DAY) else 0
    first = math.ceil((low - offset) / step)
    last = math.floor((high - offset) / step)
    values = [index * step + offset for index in range(first, last + 1)]
    return [Tick(float(value), _label(value, step, low, high, scale)) for value in values]


def _label(value: int, step: int, low: float, high: float, scale: Scale) -> str:
    moment = _moment(value)
    if step >= MICROS_PER_DAY and scale is not Scale.TIME:
        return f"{moment:%Y-%m-%d}" if moment.year > 999 else moment.date().isoformat()
    clock = f"{moment:%H:%M}" if step >= _MINUTE else f"{moment:%H:%M:%S}"
    if scale is Scale.TIME and value >= MICROS_PER_DAY:
        clock = "24:00" if step >= _MINUTE else "24:00:00"
    if step < _SECOND:
        clock += f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    if scale is Scale.TIME or context(low, high, scale):
        return clock
    return f"{moment:%m-%d} {clock}"


def _month_ticks(low: float, high: float, most: int) -> list[Tick]:
    step = next((n for n in _MONTHS if (high - low) / (n * _MONTH) <= most), _MONTHS[-1])
    return list(_every_month(low, high, step))


def _every_month(low: float, high: float, step: int) -> Iterator[Tick]:
    start = _moment(low)
    index = -(-(start.year * 12 + start.month - 1) // step) * step
    while index < 12 * 10_000:
        year, month = divmod(index, 12)
        if year >= 1:
            value = (datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1)
            if value > high:
                return
            if value >= low:
                yield Tick(value, f"{year:04}" if step >= 12 else f"{year:04}-{month + 1:02}")
        index += step


def _moment(micros: float) -> datetime:
    return _EPOCH + timedelta(
        microseconds=int(min(max(micros, _FIRST), _LAST + MICROS_PER_DAY - 1e6))
    )
