"""A small star schema with claimed sizes, and plans from SQL text over it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from eau2.catalog import DistinctSketch, Frame, Function, View
from eau2.errors import InputFileError
from eau2.planner.optimizer import RULES, optimize
from eau2.records import replace
from eau2.sql.binder import bind
from eau2.sql.logical import Logical
from eau2.sql.parser import parse_one
from eau2.sql.plan_text import to_text
from eau2.types import BIGINT, DATE, DOUBLE, INTEGER, VARCHAR, SqlType, decimal
from tests.unit.plans import Builder, Values, frame

MONEY = decimal(15, 2)
SIZES = {"fact": 6_000_000, "big": 1_500_000, "middle": 150_000, "small": 25, "tiny": 5}


def _numbers(low: int, high: int) -> list[int]:
    """Four hundred numbers spread over a range: enough for sketches and bounds."""
    return [low + (high - low) * n // 399 for n in range(400)]


def _columns(name: str) -> dict[str, tuple[SqlType, Values]]:
    rows = SIZES[name]
    own = (BIGINT, _numbers(0, rows - 1))
    match name:
        case "fact":
            return {
                "f_big": (BIGINT, _numbers(0, SIZES["big"] - 1)),
                "f_middle": (BIGINT, _numbers(0, SIZES["middle"] - 1)),
                "f_price": (MONEY, _numbers(90_000, 10_494_950)),
                "f_rate": (MONEY, [n % 11 for n in range(400)]),
                "f_day": (DATE, _numbers(8000, 10_500)),
                "f_mode": (VARCHAR, ["air", "rail", "ship", "truck"] * 100),
                "f_x": (DOUBLE, [1.0 + n for n in range(400)]),
            }
        case "big":
            return {
                "b_key": own,
                "b_middle": (BIGINT, _numbers(0, SIZES["middle"] - 1)),
                "b_day": (DATE, _numbers(8000, 10_500)),
            }
        case "middle":
            return {
                "m_key": own,
                "m_small": (INTEGER, [n % 25 for n in range(400)]),
                "m_name": (VARCHAR, [f"name {n}" for n in range(400)]),
            }
        case "small":
            return {
                "s_key": (INTEGER, list(range(25))),
                "s_tiny": (INTEGER, [n % 5 for n in range(25)]),
                "s_name": (VARCHAR, [f"nation {n}" for n in range(25)]),
            }
    return {"t_key": (INTEGER, list(range(5))), "t_name": (VARCHAR, ["a", "b", "c", "d", "e"])}


def _claiming(made: Frame) -> Frame:
    """The frame with as many distinct keys claimed as the frame has that they refer to."""
    keys = {"f_big": "big", "b_key": "big"}
    keys |= dict.fromkeys(("f_middle", "b_middle", "m_key", "m_name"), "middle")
    claimed = list(made.statistics)
    for position, column in enumerate(made.schema.columns):
        if column.name in keys:
            least = 2**64 // SIZES[keys[column.name]]
            sketch = DistinctSketch("claimed", 2, (0, least))
            claimed[position] = replace(claimed[position], distinct=sketch)
    return replace(made, statistics=tuple(claimed))


@dataclass
class Star:
    """A catalog of the five frames. Their rows are few; their statistics claim SIZES."""

    builder: Builder = field(default_factory=Builder)
    frames: dict[str, Frame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows in SIZES.items():
            columns = _columns(name)
            self.frames[name] = _claiming(frame(name, rows, **columns))
            self.builder.rows[name] = {n: values for n, (_, values) in columns.items()}

    def frame(self, name: str) -> Frame | None:
        return self.frames.get(name.lower())

    def view(self, name: str) -> View | None:
        return None

    def function(self, name: str) -> Function | None:
        return None

    def functions(self) -> tuple[str, ...]:
        return ()

    def file(self, path: str) -> Frame:
        raise InputFileError(f"there is no file {path}")

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.frames))

    def epoch(self) -> Hashable:
        return 0


STAR = Star()


def bound(sql: str) -> Logical:
    """The plan as the binder makes it."""
    return bind(parse_one(sql), STAR).plan  # type: ignore[arg-type]


def optimized(sql: str, *rules: str) -> Logical:
    """The optimised plan; with `rules`, by those alone."""
    off = {f"optimizer.{rule.name}": not rules or rule.name in rules for rule in RULES}
    return optimize(bound(sql), off)


def text(sql: str, *rules: str) -> str:
    """The optimised plan as text."""
    return to_text(optimized(sql, *rules))
