"""The kernel host inside this process: for embedded use, and for a node's small work.

Owns: the number of kernel threads, which Polars fixes when it is first used.
Does not know: chunks' files, tasks, the network.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from eau2.errors import InterfaceError
from eau2.kernels.runner import run_fragment
from eau2.operators.base import Operator


class InlineHost:
    """Runs fragments on the caller's thread, with Polars' thread pool."""

    def __init__(self, threads: int | None = None) -> None:
        """Check that kernels run on `threads` threads (None: as many as there are).

        Raises InterfaceError when Polars was first used with another number.
        """
        if threads is not None and pl.thread_pool_size() != threads:
            raise InterfaceError(
                f"kernels already run on {pl.thread_pool_size()} threads in this process; "
                f"{threads} cannot be set any more",
                hint="Set POLARS_MAX_THREADS before polars is imported, or let eau2.connect(threads=n)"
                " be the first use.",
            )

    def run(
        self, fragment: Operator, chunks: pa.Table | None, stages: Mapping[int, pl.DataFrame]
    ) -> pl.DataFrame:
        """See KernelHost.run."""
        return run_fragment(fragment, chunks, stages)

    def close(self) -> None:
        """Nothing to give back."""
