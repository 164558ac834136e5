"""Results of stages as they came over the wire, and rows that kernel processes write for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eau2 import types
from eau2.errors import ProtocolError
from eau2.kernels.inline import InlineHost
from eau2.kernels.mixed import MixedHost
from eau2.kernels.sent import Arrived, Sent
from eau2.kernels.subprocess import SubprocessHost
from eau2.net.arrow import Payload, decode_frame, payloads
from eau2.operators.expr import Call, Column, Literal, ref
from eau2.operators.filter import Filter
from eau2.operators.forms import joined
from eau2.operators.physical import kernel_dtype
from eau2.operators.scan import StageInput

COLUMNS = (
    Column(1, "n", types.BIGINT),
    Column(2, "h", types.HUGEINT),
    Column(3, "s", types.VARCHAR),
    Column(4, "d", types.DATE),
    Column(5, "f", types.DOUBLE),
)
N, H, S, D, F = (column.label for column in COLUMNS)
READ = StageInput(7, COLUMNS)
SOME = Filter(READ, Call(types.BOOLEAN, ">=", (ref(COLUMNS[0]), Literal(types.BIGINT, 0))))


def rows_of(count: int, negative: int = 3) -> pl.DataFrame:
    """Rows with NULLs, negative numbers, numbers of 39 digits and texts of all lengths."""
    values = range(-negative, count - negative)
    return pl.DataFrame(
        {
            N: list(values),
            H: [None if n % 5 == 0 else n % 99 * 2**120 for n in values],
            S: [None if n % 7 == 0 else "ü" * (n % 30) for n in values],
            D: [date(1970, 1, 1 + n % 28) for n in values],
            F: [n / 3 for n in values],
        },
        schema={column.label: kernel_dtype(column.type) for column in COLUMNS},
    )


def wired(frame: pl.DataFrame) -> list[Payload]:
    """A frame as it comes over the wire: each payload in one buffer."""
    return [(rows, [b"".join(map(bytes, buffers))]) for rows, buffers in payloads(frame)]


def read(made: list[Payload]) -> pl.DataFrame:
    """What another node reads of payloads."""
    assert made
    frames = [decode_frame(b"".join(map(bytes, buffers))) for _, buffers in made]
    assert [frame.height for frame in frames] == [rows for rows, _ in made]
    return joined(frames)


@pytest.fixture(scope="module")
def host() -> Iterator[SubprocessHost]:
    host = SubprocessHost(threads=1)
    yield host
    host.close()


@pytest.mark.parametrize("count", [0, 1, 10, 5000, 120_000])
def test_rows_are_the_same_wherever_they_are_read(host: SubprocessHost, count: int) -> None:
    frame = rows_of(count)
    wanted = frame.filter(pl.col(N) >= 0)
    sent = Sent({7: Arrived(wired(frame))})
    assert sent.rows == count
    for way in (host, InlineHost(), MixedHost(InlineHost(), host)):
        assert_frame_equal(read(way.send(SOME, None, sent)), wanted)
        assert_frame_equal(way.run(SOME, None, sent), wanted)
        assert_frame_equal(read(way.send(SOME, None, {7: frame})), wanted)


def test_several_payloads_are_one_stage(host: SubprocessHost) -> None:
    parts = [rows_of(count) for count in (4, 0, 30_000)]
    # A node gives narrower numbers where its own allow it.
    parts[0] = parts[0].with_columns(pl.col(N).cast(pl.Int8))
    arrived = Arrived([payload for part in parts for payload in wired(part)])
    wanted = pl.concat([parts[0].with_columns(pl.col(N).cast(pl.Int64)), *parts[1:]])
    assert_frame_equal(read(host.send(READ, None, Sent({7: arrived}))), wanted)
    assert "frame" not in vars(arrived)
    assert_frame_equal(arrived.frame, wanted)


def test_large_results_are_several_payloads(host: SubprocessHost) -> None:
    frame = pl.DataFrame({N: range(1_500_000)}, schema={N: pl.Int64})
    made = host.send(StageInput(7, COLUMNS[:1]), None, Sent({7: Arrived(wired(frame))}))
    assert len(made) > 1
    assert_frame_equal(read(made), frame)


def test_whole_numbers_and_dates_are_read_alone() -> None:
    frame = rows_of(100)
    arrived = Arrived(wired(frame))
    numbers = Sent({7: arrived}).numbers
    assert_frame_equal(numbers[7], frame.select(N, D))
    assert numbers.get(8) is None
    assert list(numbers) == [7]
    assert len(numbers) == 1
    assert "frame" not in vars(arrived)
    assert Arrived(wired(frame.select(S))).numbers.columns == []


def test_another_number_of_rows_than_was_said_is_refused() -> None:
    ((rows, buffers),) = wired(rows_of(5))
    with pytest.raises(ProtocolError, match="5 rows of a stage that should be 6"):
        _ = Sent({7: Arrived([(rows + 1, buffers)])})[7]


@pytest.mark.parametrize("bytes_", [b"", b"x" * 100, wired(rows_of(5))[0][1][0][:-8]])
def test_what_are_no_rows_is_refused_wherever_it_is_read(
    host: SubprocessHost, bytes_: bytes
) -> None:
    sent = Sent({7: Arrived([(50_000, [bytes_])])})
    for ask in (host.send, host.run, InlineHost().send):
        with pytest.raises(ProtocolError):
            ask(READ, None, sent)
    with pytest.raises(ProtocolError):
        _ = sent.numbers[7]
    # The process goes on.
    assert_frame_equal(host.run(READ, None, {7: rows_of(3)}), rows_of(3))
