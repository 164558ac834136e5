"""The planner by itself: what would run where, as data, without running it.

The catalogue is a description of a frame that does not exist anywhere: 300 chunks on three nodes.
"""

from __future__ import annotations

from collections.abc import Hashable

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    ColumnSchema,
    ColumnStatistics,
    Frame,
    FrameSchema,
    Function,
    View,
)
from eau2.errors import InputFileError
from eau2.operators.text import to_text
from eau2.planner.optimizer import optimize
from eau2.planner.physical import plan
from eau2.planner.placement import tasks
from eau2.sql import ast
from eau2.sql.binder import bind
from eau2.sql.parser import parse_one
from eau2.types import BIGINT, DATE

ROWS = 1_000_000


class Imagined:
    """A catalogue of one frame, `sales`, whose days ascend from chunk to chunk."""

    def __init__(self) -> None:
        schema = FrameSchema((ColumnSchema("day", DATE), ColumnSchema("amount", BIGINT)))
        chunks = tuple(_chunk(number) for number in range(300))
        whole = (ColumnStatistics(0, 20_000, 20_299), ColumnStatistics(0, 0, 5_000))
        self._sales = Frame("sales", "imagined", 1, schema, chunks, whole)

    def frame(self, name: str) -> Frame | None:
        """The frame under `name`."""
        return self._sales if name == "sales" else None

    def view(self, name: str) -> View | None:
        """There are no views."""
        return None

    def function(self, name: str) -> Function | None:
        """There are no functions."""
        return None

    def functions(self) -> tuple[str, ...]:
        """There are no functions."""
        return ()

    def file(self, path: str) -> Frame:
        """There are no files."""
        raise InputFileError(f"no file {path}")

    def names(self) -> tuple[str, ...]:
        """The one name."""
        return ("sales",)

    def epoch(self) -> Hashable:
        """Nothing ever changes."""
        return 0


def _chunk(number: int) -> ChunkRef:
    day = 20_000 + number
    statistics = (ColumnStatistics(0, day, day), ColumnStatistics(0, 0, 5_000))
    node = f"node-{number % 3}"
    return ChunkRef(ChunkKey("imagined", number), ROWS, 8 * ROWS, "", statistics, (node,))


def main() -> None:
    """Print the stages of a query and how many of the chunks it reads."""
    text = "SELECT day, sum(amount) FROM sales WHERE day >= DATE '2025-06-30' GROUP BY day"
    statement = parse_one(text)
    assert isinstance(statement, ast.Select)
    bound = bind(statement, Imagined(), None)
    stages = plan(optimize(bound.plan), bound.names).stages
    for stage in stages:
        placed = tasks(stage, ROWS, "node-0")
        chunks = sum(len(task.chunks) for task in placed)
        print(f"stage {stage.id}, {len(placed)} tasks over {chunks} chunks:")
        print(to_text(stage.root))


if __name__ == "__main__":
    main()
