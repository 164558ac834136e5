"""The KernelHost protocol: where a fragment meets rows.

Owns: the seam between a node and whatever runs its kernels, and the nouns that pass it: chunk files
by path, and `Cancel`. inline.py runs fragments in this process, subprocess.py in others.
Does not know: tasks, stores, the network.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import polars as pl
import pyarrow as pa

from eau2.errors import CancelledError, DeadlineError
from eau2.net.arrow import Payload
from eau2.operators.base import Operator
from eau2.operators.zones import Runs
from eau2.records import Record


class ChunkFiles(Record, frozen=True):
    """Chunks as verified files, and the columns to read of them. There is at least one.

    rows: of all that is read of the files together. runs: of each file the row ranges to read;
    None for all of it.
    """

    paths: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int
    runs: tuple[Runs | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("chunk files without a file")
        if len(self.runs) not in (0, len(self.paths)):
            raise ValueError(f"{len(self.paths)} chunk files with runs of {len(self.runs)}")


class Cancel:
    """The wish that something under way ends: on request, or at a point in time. Thread-safe."""

    def __init__(self, deadline_s: float | None = None) -> None:
        """deadline_s: seconds from now; None for no deadline."""
        self._ends_at = None if deadline_s is None else time.monotonic() + deadline_s
        self._guard = threading.Lock()
        self._cancelled = False
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    def cancel(self) -> None:
        """Call what waits for this. Later calls do nothing."""
        with self._guard:
            self._cancelled = True
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` at the cancellation (now, if it was before), once, on any thread.

        Gives what takes it back; a callback that has begun then may still be under way. A deadline
        calls nothing: whoever waits asks `left_s`.
        """
        with self._guard:
            number = self._next
            self._next += 1
            late = self._cancelled
            if not late:
                self._callbacks[number] = callback
        if late:
            callback()

        def take_back() -> None:
            with self._guard:
                self._callbacks.pop(number, None)

        return take_back

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def left_s(self) -> float | None:
        """Seconds until the deadline, not below 0; None when there is none."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def check(self) -> None:
        """Raise CancelledError or DeadlineError when it is time to end."""
        if self._cancelled:
            raise CancelledError("the query was cancelled")
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            raise DeadlineError("the query did not end within its time")


class KernelHost(Protocol):
    """Runs fragments. Implementations differ in where, never in what comes out."""

    @property
    def takes_files(self) -> bool:
        """Whether chunks that are files are better named than read."""

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """The fragment's rows, columns by label.

        chunks: the rows of the task in stored form, under their schema names; None when the
        fragment scans nothing. stages: the whole results of the stages it reads; they are not
        changed afterwards. Raises an error of eau2's tree: DataError where the data does not allow
        the computation, OperationalError where the surroundings fail, CancelledError and
        DeadlineError as `cancel` says.
        """

    def send(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> list[Payload]:
        """As `run`, with the rows as payloads for another node; one at least."""

    def close(self) -> None:
        """Give back what the host holds. Running fragments end first."""
