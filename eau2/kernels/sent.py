"""Results of stages as they came over the wire: handed on to a kernel process as they are.

Owns: when such rows are read in this process, and which of their columns. Comes in: payloads of
net/arrow.py; goes out: frames in kernel form, where somebody asks for them. Does not know: tasks,
sockets, who runs the fragment.

A node reads of them what says which rows of its chunks matter: whole numbers, which cost nothing to
read. Texts are read where the fragment runs, mostly in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import polars as pl
import pyarrow as pa

from eau2.errors import ProtocolError
from eau2.net.arrow import Payload, decode_frame, decode_table
from eau2.operators.forms import joined


class Arrived:
    """The result of one stage, in one payload at least."""

    def __init__(self, payloads: Sequence[Payload]) -> None:
        """payloads: each of one buffer."""
        self.rows = sum(rows for rows, _ in payloads)
        self.buffers = [buffer for _, buffers in payloads for buffer in buffers]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """All of it. Raises ProtocolError for other bytes, and for another number of rows."""
        frame = joined([decode_frame(buffer) for buffer in self.buffers])
        if frame.height != self.rows:
            raise ProtocolError(f"{frame.height} rows of a stage that should be {self.rows}")
        return frame

    @cached_property
    def numbers(self) -> pl.DataFrame:
        """Its columns of whole numbers and dates. Raises ProtocolError."""
        return joined([_numbers(decode_table(buffer, trusted=True)) for buffer in self.buffers])


class Sent(Mapping[int, pl.DataFrame]):
    """Results of stages by stage, each read when it is asked for."""

    def __init__(self, stages: Mapping[int, Arrived]) -> None:
        self.stages = stages

    @property
    def rows(self) -> int:
        """Of all stages together."""
        return sum(arrived.rows for arrived in self.stages.values())

    @property
    def numbers(self) -> Mapping[int, pl.DataFrame]:
        """The columns of whole numbers alone, by stage."""
        return _Read(self.stages, lambda arrived: arrived.numbers)

    def __getitem__(self, stage: int) -> pl.DataFrame:
        return self.stages[stage].frame

    def __iter__(self) -> Iterator[int]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)


class _Read(Mapping[int, pl.DataFrame]):
    """What `read` makes of stages, when it is asked for."""

    def __init__(
        self, stages: Mapping[int, Arrived], read: Callable[[Arrived], pl.DataFrame]
    ) -> None:
        self._stages = stages
        self._read = read

    def __getitem__(self, stage: int) -> pl.DataFrame:
        return self._read(self._stages[stage])

    def __iter__(self) -> Iterator[int]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)


def _numbers(table: pa.Table) -> pl.DataFrame:
    names = [
        field.name
        for field in table.schema
        if pa.types.is_integer(field.type) or pa.types.is_date32(field.type)
    ]
    frame = pl.from_arrow(table.select(names), rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame
