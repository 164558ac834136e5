"""PIVOT without values: what is read first, of which version, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import eau2
from eau2.catalog import Frame, View
from eau2.config import LIMITS
from eau2.errors import MissingError, NotSupportedError
from eau2.frames import LocalFrames
from eau2.kv.store import Store
from eau2.pivots import Pinned, valued
from eau2.sql import ast
from eau2.sql.parser import parse_one
from eau2.sql.pivot_values import unvalued
from eau2.statements import Frames
from eau2.types import INTEGER
from tests.unit.binder_tables import frame


class Changing(LocalFrames):
    """Names that mean something else each time they are looked up."""

    def __init__(self) -> None:
        super().__init__(Store.open(None))
        self.looked_up = 0

    def frame(self, name: str) -> Frame | None:
        self.looked_up += 1
        return frame(name, {f"a{self.looked_up}": INTEGER})

    def view(self, name: str) -> View | None:
        self.looked_up += 1
        return View(name, (), f"SELECT {self.looked_up}")

    def file(self, path: str) -> Frame:
        self.looked_up += 1
        return frame(path, {f"a{self.looked_up}": INTEGER})


def query_of(text: str) -> str:
    """Which tables the first query reads, and which names stand in it, in order."""
    found = unvalued(parse_one(text))
    assert found is not None
    return text[found.on.span.start : found.on.span.end]


def test_a_pinned_name_keeps_its_meaning() -> None:
    pinned = Pinned(Changing())
    assert pinned.frame("t") is pinned.frame("T")
    assert pinned.frame("t") is not pinned.frame("u")
    assert pinned.view("t") is pinned.view("T")
    assert pinned.file("a.csv") is pinned.file("a.csv")


def test_values_and_rows_are_of_one_version() -> None:
    seen: list[Frame | None] = []

    def read(query: ast.Query, frames: Frames) -> list[str]:
        seen.append(frames.frame("t"))
        return ["1", "2"]

    statement = parse_one("SELECT * FROM (PIVOT t ON a) x, (PIVOT t ON b) y")
    filled, frames = valued(statement, Changing(), read)
    assert len(seen) == 2
    assert all(one is frames.frame("t") for one in seen)
    assert unvalued(filled) is None


def test_what_has_values_is_left_as_it_is() -> None:
    frames = Changing()

    def read(query: ast.Query, frames: Frames) -> list[str]:
        raise AssertionError("there is nothing to read")

    for text in (
        "PIVOT t ON a IN (1)",
        "SELECT 1",
        "CREATE VIEW v AS PIVOT t ON a",
        "PREPARE p AS PIVOT t ON a",
    ):
        statement = parse_one(text)
        assert valued(statement, frames, read) == (statement, frames)
    assert frames.looked_up == 0


def test_replaced_chunks_are_read_anew() -> None:
    attempts: list[Frames] = []

    def read(query: ast.Query, frames: Frames) -> list[str]:
        attempts.append(frames)
        if len(attempts) < LIMITS.plan_attempts:
            raise MissingError("gone")
        return ["1"]

    valued(parse_one("PIVOT t ON a"), Changing(), read)
    assert len({id(frames) for frames in attempts}) == LIMITS.plan_attempts

    def never(query: ast.Query, frames: Frames) -> list[str]:
        raise MissingError("gone")

    with pytest.raises(MissingError):
        valued(parse_one("PIVOT t ON a"), Changing(), never)


def test_there_is_a_bound() -> None:
    columns = ", ".join(f"a{n}" for n in range(LIMITS.pivots_read))
    one = lambda query, frames: ["1"]  # noqa: E731
    statement, _ = valued(parse_one(f"PIVOT t ON {columns}"), Changing(), one)
    assert unvalued(statement) is None
    with pytest.raises(NotSupportedError, match="more than"):
        valued(parse_one(f"PIVOT t ON {columns}, b"), Changing(), one)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("PIVOT t ON a, b", "a"),
        ("PIVOT (PIVOT t ON a) ON b", "a"),
        ("WITH x AS (PIVOT t ON a) PIVOT x ON b", "a"),
        ("SELECT * FROM (PIVOT t ON a) x JOIN (PIVOT t ON b) y ON true", "a"),
        ("SELECT 1 WHERE 1 IN (SELECT c FROM (PIVOT t ON a IN (1), b + 1))", "b + 1"),
        ("CREATE TABLE x AS PIVOT t ON a", "a"),
        ("EXPLAIN ANALYZE SUMMARIZE PIVOT t ON a", "a"),
        ("INSERT INTO x PIVOT t ON a", "a"),
    ],
)
def test_which_comes_first(text: str, first: str) -> None:
    assert query_of(text) == first


def test_a_query_sees_the_common_tables_before_it() -> None:
    found = unvalued(parse_one("WITH x AS (SELECT 1 a), y AS (PIVOT x ON a), z AS (FROM y) FROM z"))
    assert found is not None
    assert isinstance(found.query, ast.WithQuery)
    assert [table.name for table in found.query.tables] == ["x"]


def test_plans_are_not_kept_beyond_the_values(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = f"PIVOT '{path}' ON g USING sum(v)"
    with eau2.connect() as connection:
        for values, expected in ("x,1\ny,2\n", ["x", "y"]), ("z,3\n", ["z"]):
            path.write_text("g,v\n" + values)
            assert connection.sql(text).to_arrow().column_names == expected
