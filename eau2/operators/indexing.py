"""IndexWork: what CREATE INDEX, DROP INDEX and SHOW INDEXES do at the chunks.

Owns: the operator, and what it says of a column of a chunk. Comes in: a scan of the columns that it
is about; goes out: a row for each column of each chunk. Does not know: how row lists are made, who
keeps them. A node does this work itself; kernels have no part in it.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from eau2.errors import InternalError
from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column
from eau2.types import BIGINT, VARCHAR

IndexAction = Literal["build", "drop", "show"]

REPORT = (
    ("column", VARCHAR),
    ("state", VARCHAR),
    ("rows", BIGINT),
    ("bytes", BIGINT),
    ("used", BIGINT),
)
"""What is said of a column of a chunk; used: by how many tasks."""


class IndexWork(Operator, frozen=True):
    """Row lists of the columns that `input` scans are made, let go of or looked at.

    columns: those of REPORT.
    """

    input: Operator
    action: IndexAction
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        if len(self.columns) != len(REPORT):
            raise ValueError(f"{len(self.columns)} columns for a report of {len(REPORT)}")

    @property
    def inputs(self) -> tuple[Operator, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        raise InternalError("row lists are no work for kernels")
