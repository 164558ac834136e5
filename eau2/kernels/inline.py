"""The kernel host inside this process: for embedded use, and for a node's small work.

Owns: the number of kernel threads, which Polars fixes when it is first used.
Does not know: chunks' files, tasks, the network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from eau2.config import KERNELS
from eau2.errors import InterfaceError
from eau2.kernels.host import Cancel, ChunkFiles
from eau2.kernels.mapped import MappedFiles
from eau2.kernels.runner import run_fragment
from eau2.net.arrow import Payload, payloads
from eau2.operators.base import Operator


class InlineHost:
    """Runs fragments on the caller's thread, with Polars' thread pool."""

    def __init__(self, threads: int | None = None, memory_bytes: int | None = None) -> None:
        """Fix the kernels' threads (None: as many as there are) and spill beyond `memory_bytes`.

        Both are the process's, not the host's: Polars has one pool and one budget. The budget is
        soft, and None leaves spilling off; spilled data takes at most half of what the disk has
        free. Raises InterfaceError when kernels already run on another number of threads.
        """
        if memory_bytes is not None:
            free_bytes = shutil.disk_usage(tempfile.gettempdir()).free
            os.environ["POLARS_OOC_MEMORY_BUDGET_MB"] = str(max(1, memory_bytes >> 20))
            os.environ.setdefault("POLARS_OOC_DISK_BUDGET_MB", str(max(1, free_bytes >> 21)))
        # Polars evaluates nested expressions by recursion on its threads, which read this variable.
        os.environ.setdefault("RUST_MIN_STACK", str(KERNELS.stack_bytes))
        if threads is not None:
            os.environ["POLARS_MAX_THREADS"] = str(threads)
        pl.Config.reload_env_vars()
        if threads is not None and pl.thread_pool_size() != threads:
            raise InterfaceError(
                f"kernels already run on {pl.thread_pool_size()} threads in this process; "
                f"{threads} cannot be set any more",
                hint="Let eau2.connect(threads=n) come before any other use of eau2 or polars.",
            )

    @property
    def takes_files(self) -> bool:
        """Whoever reads chunks in this process keeps them mapped already."""
        return False

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """See KernelHost.run. A call that has begun runs to its end before a cancel shows."""
        if cancel is not None:
            cancel.check()
        table = (
            MappedFiles().table(chunks.paths, chunks.columns, chunks.runs)
            if isinstance(chunks, ChunkFiles)
            else chunks
        )
        rows = run_fragment(fragment, table, stages)
        if cancel is not None:
            cancel.check()
        return rows

    def send(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> list[Payload]:
        """See KernelHost.send."""
        return list(payloads(self.run(fragment, chunks, stages, cancel)))

    def close(self) -> None:
        """Nothing to give back."""
