"""PIVOT without values: these are read first, and the statement goes on with them written out.

Owns: that values and rows are those of one version of the data. Comes in: statements, and a way to
run a query; goes out: statements without such a PIVOT, and what names mean from then on.
Does not know: how a query is run, what a PIVOT means.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.catalog import Frame, View
from eau2.config import LIMITS
from eau2.errors import MissingError, NotSupportedError
from eau2.sql import ast
from eau2.sql.pivot_values import unvalued
from eau2.statements import Frames

Read = Callable[[ast.Query, Frames], list[str]]
"""Runs a query of one column of texts over what names mean in the catalogue it is given."""


def valued(statement: ast.Statement, frames: Frames, read: Read) -> tuple[ast.Statement, Frames]:
    """The statement with the values of all its PIVOTs, and what names meant when they were read.

    Both are what was given when there is nothing to read. Chunks that are replaced meanwhile are
    read anew. A view and a prepared statement have no values before they are read.
    """
    if isinstance(statement, ast.CreateView | ast.Prepare):
        return statement, frames
    for attempt in range(LIMITS.plan_attempts):
        try:
            return _valued(statement, frames, read)
        except MissingError:
            if attempt == LIMITS.plan_attempts - 1:
                raise
    raise AssertionError("the last attempt has ended")


def _valued(statement: ast.Statement, frames: Frames, read: Read) -> tuple[ast.Statement, Frames]:
    found = unvalued(statement)
    if found is None:
        return statement, frames
    pinned = Pinned(frames)
    for _ in range(LIMITS.pivots_read):
        statement = found.valued(read(found.query, pinned))
        found = unvalued(statement)
        if found is None:
            return statement, pinned
    raise NotSupportedError(
        f"a statement reads the values of more than {LIMITS.pivots_read} columns for its PIVOTs",
        span=found.on.span,
    )


class Pinned:
    """A catalogue in which a name keeps its meaning, however often it is looked up."""

    def __init__(self, frames: Frames) -> None:
        self.names = frames.names
        self.epoch = frames.epoch
        self.place = frames.place
        self.home = frames.home
        self.drop = frames.drop
        self.bounded = frames.bounded
        self.function = frames.function
        self.functions = frames.functions
        self.function_home = frames.function_home
        self._frames = frames
        self._by_name: dict[str, Frame | None] = {}
        self._by_path: dict[str, Frame] = {}
        self._views: dict[str, View | None] = {}

    def frame(self, name: str) -> Frame | None:
        """See Catalog.frame."""
        folded = name.casefold()
        if folded not in self._by_name:
            self._by_name[folded] = self._frames.frame(name)
        return self._by_name[folded]

    def file(self, path: str) -> Frame:
        """See Catalog.file."""
        if path not in self._by_path:
            self._by_path[path] = self._frames.file(path)
        return self._by_path[path]

    def view(self, name: str) -> View | None:
        """See Catalog.view."""
        folded = name.casefold()
        if folded not in self._views:
            self._views[folded] = self._frames.view(name)
        return self._views[folded]
