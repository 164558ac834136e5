"""Rules that fire however few rows there are, so that small tables try them.

Owns: `eager`. Comes in: nothing. Goes out: for as long as it is entered, thresholds of the
optimiser's rules that every plan passes. Does not know: queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from eau2.planner.rules import (
    compare_extremes,
    group_before_joins,
    reduce_inputs,
    share_filters,
    share_joins,
    share_rows,
)

ALWAYS = 1e9


def _anything(*_: object) -> bool:
    return True


@contextmanager
def eager() -> Iterator[None]:
    """No rule asks whether it pays."""
    thresholds = (
        (compare_extremes, "ROWS", 0.0),
        (group_before_joins, "ROWS", 0.0),
        (group_before_joins, "FEWER", 0.0),
        (group_before_joins, "FEWER_OUTER", 0.0),
        (group_before_joins, "seems_unique", _anything),
        (reduce_inputs, "ROWS", 0.0),
        (reduce_inputs, "FRACTION", ALWAYS),
        (reduce_inputs, "KEYS", ALWAYS),
        (share_filters, "LEAST", 0.0),
        (share_filters, "MOST", ALWAYS),
        (share_filters, "FRACTION", ALWAYS),
        (share_filters, "NEARLY", 0.0),
        (share_filters, "VALUES", -1.0),
        (share_joins, "ROWS", ALWAYS),
        (share_joins, "FRACTION", ALWAYS),
        (share_rows, "ROWS", 0.0),
        (share_rows, "FRACTION", ALWAYS),
    )
    with ExitStack() as stack:
        for module, name, value in thresholds:
            stack.enter_context(patch.object(module, name, value))
        yield
