"""Work on the columns of a chunk, two at a time where it is long.

Owns: the threads for it. Comes in: a function and what it is to be called with, column by column;
goes out: what it gives, in the order of the columns. Does not know: what is done.

Arrow and Polars let other threads run while they compute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_THREADS = 2
_LONG_ROWS = 1 << 15
"""Shorter columns are done before another thread has begun."""


class Columns:
    """Threads for columns. Use it in a `with` block, which ends them."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Columns:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def map(self, rows: int, function: Callable[..., T], *columns: Iterable[Any]) -> list[T]:
        """The function over columns of so many rows. Raises what it raises for the first one."""
        if rows < _LONG_ROWS or (os.cpu_count() or 1) < _THREADS:
            return list(map(function, *columns))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="eau2-columns")
        return list(self._pool.map(function, *columns))
