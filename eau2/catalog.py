"""The shared nouns of stored data: schemas, chunks, frames, views, functions, and the Catalog.

Owns: what a frame *is* for the binder, the planner and the store alike. Plain data.
Does not know: SQL, Polars, files, the network.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, Protocol

from eau2.records import Record, replace
from eau2.types import SqlType

Plain = bool | int | float | str

Order = Literal["", "ascending", "increasing"]
"""How whole numbers follow one another: as it comes, none below, or each above the one before."""

NO_EXPONENTS = (2000, -2000)
"""Exponents of a chunk whose floats are all zero, infinite or NaN: neutral when merged."""


class ColumnSchema(Record, frozen=True):
    """A named, typed column of a frame. not_null: INSERT refuses NULL in it."""

    name: str
    type: SqlType
    not_null: bool = False


class FrameSchema(Record, frozen=True):
    """The columns of a frame, in order. Names are unique when letter case is ignored."""

    columns: tuple[ColumnSchema, ...]

    def position(self, name: str) -> int | None:
        """The index of the column called `name` (letter case ignored), or None."""
        wanted = name.casefold()
        for index, column in enumerate(self.columns):
            if column.name.casefold() == wanted:
                return index
        return None


class DistinctSketch(Record, frozen=True):
    """The k smallest 64-bit hashes of a column's distinct values (K minimum values).

    Merging keeps the k smallest of the union, so the result does not depend on how rows were cut
    into chunks. Fewer than k hashes mean an exact count. Source: Bar-Yossef et al., "Counting
    distinct elements in a data stream", RANDOM 2002. `hashing` names the hash function; sketches
    of different hashings do not merge.
    """

    hashing: str
    k: int
    hashes: tuple[int, ...]

    def estimate(self) -> int:
        """The estimated number of distinct values."""
        if len(self.hashes) < self.k:
            return len(self.hashes)
        return int((self.k - 1) * 2.0**64 / (self.hashes[-1] + 1))


class ColumnStatistics(Record, frozen=True):
    """What is known of a column's values in one chunk, or merged over a frame.

    minimum, maximum: stored values (a decimal's scaled integer, a date's days since 1970-01-01,
    a timestamp's microseconds since then; strings are possibly only bounds: a prefix for the
    minimum, a prefix with its last character raised for the maximum); None when unknown or all
    NULL; NaN counts as unknown maximum, and of NaN alone the minimum is infinity. exponents: for
    floats, (lowest, highest) binary exponents of the finite values that are not zero, as
    math.frexp gives them; None when unknown; a chunk without such values has NO_EXPONENTS, a
    whole frame without them (0, 0). order: that of whole numbers, dates and timestamps of which
    none is NULL, as it was found, never as it was promised.
    """

    null_count: int
    minimum: Plain | None = None
    maximum: Plain | None = None
    distinct: DistinctSketch | None = None
    exponents: tuple[int, int] | None = None
    order: Order = ""

    @property
    def unique(self) -> bool:
        """Whether it is certain that all values differ and none is NULL."""
        return self.order == "increasing"


FILE_PREFIX = "parquet:"
"""How the df_id of a file that is read in place begins."""


NOT_STORED = 0
"""The version of a frame that a file gives: the file may change at any time."""


class ChunkKey(Record, frozen=True):
    """Names a chunk: the id of the write that made it, and its number within that write."""

    df_id: str
    number: int


class ChunkRef(Record, frozen=True):
    """A chunk as a manifest lists it.

    locations: the nodes that held it when it was put, preferred first. slot: its place in the ring,
    which had so many `slots` then.
    """

    key: ChunkKey
    rows: int
    bytes: int
    checksum: str
    statistics: tuple[ColumnStatistics, ...]
    locations: tuple[str, ...]
    slot: int = 0
    slots: int = 1


class IndexDefinition(Record, frozen=True):
    """An index under a name: row lists of a column are wanted. That they are there it says not."""

    name: str
    column: str


class Frame(Record, frozen=True):
    """One version of a dataframe: its schema, its chunks in row order, its merged statistics.

    indexes: what CREATE INDEX has asked for.
    """

    name: str
    df_id: str
    version: int
    schema: FrameSchema
    chunks: tuple[ChunkRef, ...]
    statistics: tuple[ColumnStatistics, ...]
    indexes: tuple[IndexDefinition, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows of all chunks together."""
        return sum(chunk.rows for chunk in self.chunks)


class View(Record, frozen=True):
    """A query under a name. It is bound anew, by its text, wherever it is read.

    column_names: new names of the first columns of the query.
    """

    name: str
    column_names: tuple[str, ...]
    text: str


class Function(Record, frozen=True):
    """A function that a user defined. form: its operators as bytes, which alone have a meaning.

    source: as it was written, a comment for people. See operators/user_functions.py.
    """

    name: str
    form: bytes
    source: str = ""


Named = Frame | View | Function
"""What a name can mean. Functions have names of their own: a frame may be called the same."""

_BRACKETS = "()"


def register_of_function(name: str) -> str:
    """The name of the register that says what the function `name` is. No frame can be called so."""
    return name + _BRACKETS


def function_of_register(register: str) -> str | None:
    """The name of the function that a register is about; None where it is no function's."""
    return register.removesuffix(_BRACKETS) if register.endswith(_BRACKETS) else None


def register_of(named: Named) -> str:
    """The name of the register that says what it is."""
    return register_of_function(named.name) if isinstance(named, Function) else named.name


def named_as(named: Named, register: str) -> Named:
    """The same, under the name that its register has, whose letter case may be another."""
    name = function_of_register(register) if isinstance(named, Function) else register
    return named if name is None else replace(named, name=name)


class Catalog(Protocol):
    """Where binder and planner look names up. A connection has one; tests make their own."""

    def frame(self, name: str) -> Frame | None:
        """The current version of the frame under `name`, or None when it means no frame."""

    def view(self, name: str) -> View | None:
        """The view under `name`, or None when it means no view."""

    def file(self, path: str) -> Frame:
        """A file (or a glob of files of one schema) as a frame. Raises InputFileError."""

    def names(self) -> tuple[str, ...]:
        """The names of all frames and views, sorted: for SHOW TABLES and for suggestions."""

    def function(self, name: str) -> Function | None:
        """The function of a user's under `name`, or None."""

    def functions(self) -> tuple[str, ...]:
        """The names of all functions of users, sorted."""

    def epoch(self) -> Hashable:
        """A value that changes whenever a name means something else: keys the plan cache."""


def merge_statistics(parts: Sequence[ColumnStatistics]) -> ColumnStatistics:
    """The statistics of several row sets together. Associative; unknown stays unknown.

    A part whose minimum and maximum are None because all of its values are NULL must be left out
    by the caller (see merge_chunk_statistics), since None means "unknown" here.
    """
    lows = [part.minimum for part in parts if part.minimum is not None]
    highs = [part.maximum for part in parts if part.maximum is not None]
    exponents = [part.exponents for part in parts if part.exponents is not None]
    known = len(parts)
    return ColumnStatistics(
        sum(part.null_count for part in parts),
        min(lows) if len(lows) == known else None,
        max(highs) if len(highs) == known else None,
        merge_sketches([part.distinct for part in parts]),
        (min(low for low, _ in exponents), max(high for _, high in exponents))
        if len(exponents) == known
        else None,
        merged_order(parts),
    )


def merged_order(parts: Sequence[ColumnStatistics]) -> Order:
    """The order of the values of several row sets, one after the other."""
    order: Order = "increasing"
    last: Plain | None = None
    for part in parts:
        low, high = part.minimum, part.maximum
        if not part.order or part.null_count or isinstance(low, str) or isinstance(high, str):
            return ""
        if low is None or high is None:
            return ""
        if last is not None and not isinstance(last, str):
            if low < last:
                return ""
            if low == last:
                order = "ascending"
        if part.order == "ascending":
            order = "ascending"
        last = high
    return order if parts else ""


def merge_sketches(sketches: Sequence[DistinctSketch | None]) -> DistinctSketch | None:
    """The sketch of all values together; None when one is unknown or the hashings differ."""
    first = sketches[0]
    if first is None:
        return None
    union: set[int] = set()
    for sketch in sketches:
        if sketch is None or (sketch.hashing, sketch.k) != (first.hashing, first.k):
            return None
        union.update(sketch.hashes)
    return DistinctSketch(first.hashing, first.k, tuple(sorted(union)[: first.k]))


def merge_parts(
    parts: Sequence[tuple[int, tuple[ColumnStatistics, ...]]], columns: int
) -> tuple[ColumnStatistics, ...]:
    """The statistics of each column over row sets given as (number of rows, statistics)."""
    merged: list[ColumnStatistics] = []
    for index in range(columns):
        known: list[ColumnStatistics] = []
        nulls = 0
        for rows, statistics in parts:
            part = statistics[index]
            if part.null_count == rows:
                nulls += part.null_count
            else:
                known.append(part)
        if not known:
            merged.append(ColumnStatistics(nulls))
            continue
        total = merge_statistics(known) if len(known) > 1 else known[0]
        if nulls:
            total = replace(total, null_count=total.null_count + nulls, order="")
        merged.append(total)
    return tuple(merged)


def merge_chunk_statistics(
    chunks: Sequence[ChunkRef], columns: int
) -> tuple[ColumnStatistics, ...]:
    """The statistics of each of `columns` columns over all chunks."""
    return tuple(
        replace(part, exponents=of_frame(part.exponents))
        for part in merge_parts([(chunk.rows, chunk.statistics) for chunk in chunks], columns)
    )


def of_frame(exponents: tuple[int, int] | None) -> tuple[int, int] | None:
    """The exponents of a whole frame, given those of its chunks together."""
    return (0, 0) if exponents == NO_EXPONENTS else exponents
