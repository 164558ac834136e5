"""Groups by keys at the ends of their types, in spans that are short enough to be counted."""

from __future__ import annotations

from unittest.mock import patch

import polars as pl
import pyarrow as pa
import pytest

import eau2
from eau2.operators import dense

ENDS = (
    (pa.uint64(), (1 << 64) - 4),
    (pa.uint64(), (1 << 63) - 2),
    (pa.uint64(), (1 << 63) - 4),
    (pa.int64(), (1 << 63) - 4),
    (pa.int64(), -(1 << 63)),
    (pa.int8(), -128),
    (pa.uint8(), 252),
)


@pytest.mark.parametrize(("type_", "first"), ENDS)
def test_keys_at_the_end_of_their_type(type_: pa.DataType, first: int) -> None:
    keys = [first + n for n in (3, 0, 1, 3, 0, 3, 2, 1)]
    with (
        patch.object(dense, "FEW_ROWS", 0),
        patch.object(dense, "ROWS_PER_NUMBER", 1),
        eau2.connect() as connection,
    ):
        connection.put("t", pa.table({"k": pa.array(keys, type_), "a": range(8)}))
        found = connection.sql("SELECT k, count(*), sum(a) FROM t GROUP BY k ORDER BY k").fetchall()
    places = {key: [at for at, other in enumerate(keys) if other == key] for key in keys}
    assert found == [(key, len(places[key]), sum(places[key])) for key in sorted(places)]


def test_spans_beyond_64_bits_with_a_sign_are_not_counted() -> None:
    first = (1 << 63) - 200_000
    near = pl.Series([first + n % 5000 for n in range(200_000)], dtype=pl.UInt64())
    assert dense.has_short_span(near)
    assert not dense.has_short_span(near + 200_000)
