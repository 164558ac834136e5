"""The KernelHost protocol: where a fragment meets rows.

Owns: the seam between a node and whatever runs its kernels. inline.py runs them in this process.
Does not know: chunks' files, tasks, the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import polars as pl
import pyarrow as pa

from eau2.operators.base import Operator


class KernelHost(Protocol):
    """Runs fragments. Implementations differ in where, never in what comes out."""

    def run(
        self, fragment: Operator, chunks: pa.Table | None, stages: Mapping[int, pl.DataFrame]
    ) -> pl.DataFrame:
        """The fragment's rows, columns by label.

        chunks: the rows of the task in stored form, under their schema names; None when the
        fragment scans nothing. stages: the whole results of the stages it reads. Raises an error of
        eau2's tree: DataError where the data does not allow the computation, OperationalError
        where the surroundings fail.
        """

    def close(self) -> None:
        """Give back what the host holds. Running fragments end first."""
