"""A panic of the kernel engine is answered by a more careful run, as long as there is one."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from eau2.config import LIMITS
from eau2.kernels import runner

FEW, MANY = 1, LIMITS.in_memory_engine_rows + 1
ALLOWED = pl.QueryOptFlags()


class Frame:
    """Panics so many times before it gives a row."""

    def __init__(self, panics: int) -> None:
        self.panics = panics
        self.runs: list[tuple[str, bool]] = []

    def collect(self, *, engine: str, optimizations: pl.QueryOptFlags) -> pl.DataFrame:
        self.runs.append((engine, optimizations is ALLOWED))
        if len(self.runs) <= self.panics:
            raise pl.exceptions.PanicException("a kernel panicked")
        return pl.DataFrame({"a": [1]})


def collected(frame: Any, rows: int) -> pl.DataFrame:
    return runner._Query(frame, ALLOWED, rows).collect()


@pytest.mark.parametrize(
    ("rows", "runs"),
    [
        (FEW, [("in-memory", True), ("in-memory", False)]),
        (MANY, [("streaming", True), ("in-memory", True), ("in-memory", False)]),
    ],
)
def test_each_run_is_more_careful(rows: int, runs: list[tuple[str, bool]]) -> None:
    for panics in range(len(runs)):
        frame = Frame(panics)
        assert collected(frame, rows).height == 1
        assert frame.runs == runs[: panics + 1]
    frame = Frame(len(runs))
    with pytest.raises(pl.exceptions.PanicException):
        collected(frame, rows)
