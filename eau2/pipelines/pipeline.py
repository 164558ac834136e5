"""Pipeline: operations on a frame, which nobody runs before rows are asked for.

Owns: the methods that programs call. Comes in: functions, expressions, other pipelines. Goes out: a
pipeline, or the rows of one. Does not know: the text of queries (queries.py), where they run.

A pipeline never changes: each operation gives another one. All operations of a pipeline are planned
together, as one query; what is computed with is one of three (`Computed`, calls.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from eau2.errors import UsageError
from eau2.pipelines import queries, rounds
from eau2.pipelines.calls import Computed, column, name_of
from eau2.pipelines.queries import How, Query
from eau2.pipelines.workplace import Workplace
from eau2.result import Batches, Result


class Pipeline:
    """Rows that a query gives when it is asked for them."""

    def __init__(self, workplace: Workplace, query: Query) -> None:
        """See Connection.frame and Connection.query."""
        self._workplace = workplace
        self._query = query

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return self._query.columns

    @property
    def text(self) -> str:
        """The query as SQL. Functions from Python are called by a name and a digest."""
        return self._query.text

    def map(
        self,
        *computed: Computed,
        keep: bool | Sequence[str] = False,
        **named: Computed,
    ) -> Pipeline:
        """Columns that are computed of each row.

        map(f) gives a column called as f is, map(total=f) one that is called total. A function
        reads the columns that have the names of its parameters; (f, "a", "b") reads others. keep:
        whether the other columns are kept, or which. Raises UsageError, UnknownColumnError.
        """
        return self._made(queries.mapped(self._query, _by_name(computed, named), keep))

    def with_columns(self, *computed: Computed, **named: Computed) -> Pipeline:
        """As `map`, and all other columns are kept; one of the same name is taken the place of."""
        return self._made(queries.mapped(self._query, _by_name(computed, named), True))

    def filter(self, condition: Computed) -> Pipeline:
        """The rows for which a condition is true; NULL is not. Raises as `map`."""
        return self._made(queries.filtered(self._query, condition))

    def reduce(self, *computed: Computed, **named: Computed) -> Pipeline:
        """One row: what aggregate functions gather of all rows. Raises as `map`."""
        return self._made(queries.reduced(self._query, (), _by_name(computed, named)))

    def group_by(self, *keys: str) -> Groups:
        """The rows in groups of those with equal keys. Raises UsageError, UnknownColumnError."""
        if not keys:
            raise UsageError("group_by needs a column", hint="For all rows at once: reduce(...).")
        return Groups(self, tuple(column(key, self.columns) for key in keys))

    def flat_map(
        self,
        *computed: Computed,
        keep: bool | Sequence[str] = False,
        **named: Computed,
    ) -> Pipeline:
        """A row for each element of the list that a function gives of a row. Raises as `map`.

        No row for an empty list or NULL. keep: whether the other columns are kept, or which.
        """
        lists = _by_name(computed, named)
        if len(lists) != 1:
            raise UsageError(
                f"flat_map takes one function, not {len(lists)}",
                hint="Write flat_map(function) or flat_map(name=function).",
            )
        ((name, one),) = lists.items()
        return self._made(queries.flattened(self._query, name, one, keep))

    def join(
        self, other: Pipeline, on: str | Sequence[str] | Mapping[str, str] = (), how: How = "inner"
    ) -> Pipeline:
        """Rows of this one with those of the other that equal them in some columns.

        on: columns of both, or {"column here": "column there"}; they come once. how: inner, left,
        right, full, semi (rows here that the other has), anti (rows here that it has not), or cross
        (each row with each, by no columns). Raises UsageError, UnknownColumnError.
        """
        if isinstance(on, str):
            on = {on: on}
        elif not isinstance(on, Mapping):
            on = {name: name for name in on}
        return self._made(queries.joined(self._query, self._query_of(other), on, how))

    def union(self, other: Pipeline) -> Pipeline:
        """The rows of this one and then of the other, column by column as they are called.

        Raises UsageError when they are not called the same.
        """
        return self._made(queries.united(self._query, self._query_of(other)))

    def sort(self, *by: str, descending: bool | Sequence[str] = False) -> Pipeline:
        """The rows in the order of columns, NULL last. descending: whether all are, or which.

        Raises UsageError, UnknownColumnError.
        """
        return self._made(queries.sorted_(self._query, by, descending))

    def limit(self, rows: int, offset: int = 0) -> Pipeline:
        """So many rows from an offset on. Raises UsageError."""
        return self._made(queries.limited(self._query, rows, offset))

    def select(self, *names: str) -> Pipeline:
        """Some columns, in this order. Raises UsageError, UnknownColumnError."""
        return self._made(queries.selected(self._query, names))

    def rename(self, **olds: str) -> Pipeline:
        """The same rows, some columns under new names, as in new="old". Raises as `select`."""
        return self._made(queries.renamed(self._query, olds))

    def distinct(self) -> Pipeline:
        """Each row once."""
        return self._made(queries.distinct(self._query))

    def iterate(
        self,
        step: Callable[[Pipeline], Pipeline],
        *,
        until: Callable[[Pipeline, Pipeline], Pipeline | bool] | None = None,
        rounds_max: int | None = None,
    ) -> Pipeline:
        """What is there after rounds of `step`: of the pipeline before it makes the one after it.

        It runs at once. The rows of a round are kept in memory, as a temporary frame of the
        connection, until no pipeline reads them. until: told the rows before and after a round,
        whether it was the last: a bool, or a query of one row and one column. Without it there are
        `rounds_max` rounds. Raises UsageError without a bound; DataError when the rounds that are
        allowed do not end it; what a round raises.
        """
        return rounds.iterate(self, step, until, rounds_max)

    def cached(self) -> Pipeline:
        """Run it now, and keep the rows in memory for as long as a pipeline reads them."""
        return self._made(self._workplace.kept(self._query))

    def as_types(self, types: Mapping[str, str]) -> Pipeline:
        """The same columns; some cast to types of SQL. Raises UnknownColumnError."""
        named = {column(name, self.columns): type_ for name, type_ in types.items()}
        return self._made(queries.cast(self._query, named))

    def types(self) -> dict[str, str]:
        """The types of the columns by their names, as SQL writes them. Nothing is computed."""
        return self._workplace.types(self._query)

    def collect(self) -> Result:
        """Run it: all rows. Raises what the statement raises."""
        return self._workplace.run(self._query)

    def stream(self) -> Batches:
        """Run it while the rows are taken, of which there may be more than memory holds.

        Read or close the batches before the connection is asked for anything else.
        """
        return self._workplace.stream(self._query)

    def put(self, name: str, *, replace: bool = False) -> Pipeline:
        """Run it and store the rows under a name; all rows of that frame.

        Raises NameTakenError (not with `replace`), and what the statement raises.
        """
        return self._made(self._workplace.put(self._query, name, instead=replace))

    def count(self) -> int:
        """Run it: how many rows there are."""
        ((rows,),) = self.reduce(rows="count(*)").collect().fetchall()
        return int(rows)

    def explain(self, *, analyze: bool = False) -> str:
        """How it would run: the stages of its plan, as text. analyze: run it, and say how it ran.

        That is how long a stage took, and how many chunks it did not need to read.
        """
        return self._workplace.explain(self._query, analyze=analyze)

    def to_arrow(self) -> pa.Table:
        """Run it: an Arrow table."""
        return self.collect().to_arrow()

    def to_polars(self) -> pl.DataFrame:
        """Run it: a Polars frame."""
        return self.collect().to_polars()

    def rows(self) -> list[tuple[Any, ...]]:
        """Run it: the rows as tuples, as Result.fetchall gives them."""
        return self.collect().fetchall()

    def show(self) -> None:
        """Run it and print the rows: of many, the first and the last."""
        sys.stdout.write(f"{self.collect()}\n")

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.collect().__arrow_c_stream__(requested_schema)

    def __str__(self) -> str:
        return str(self.collect())

    def _repr_html_(self) -> str:
        """For notebooks: run it, as Result shows it."""
        return self.collect()._repr_html_()

    def __repr__(self) -> str:
        return f"<Pipeline of {', '.join(self.columns)}>"

    def __bool__(self) -> bool:
        raise UsageError(
            "whether a pipeline is true is not known before it runs",
            hint="Ask for its rows: pipeline.count() > 0, or pipeline.rows().",
        )

    def _made(self, query: Query) -> Pipeline:
        return Pipeline(self._workplace, query)

    def _query_of(self, other: Pipeline) -> Query:
        if not isinstance(other, Pipeline):
            raise UsageError(
                f"the other one is a pipeline, not {type(other).__name__}",
                hint="con.frame(name) and con.query(text) give pipelines.",
            )
        if other._workplace is not self._workplace:
            raise UsageError(
                "the two pipelines are of two connections",
                hint="Put the rows of one into the other's: con.put(name, pipeline).",
            )
        return other._query


class Groups:
    """The rows of a pipeline in groups."""

    def __init__(self, pipeline: Pipeline, keys: tuple[str, ...]) -> None:
        """See Pipeline.group_by."""
        self._pipeline = pipeline
        self._keys = keys

    def reduce(self, *computed: Computed, **named: Computed) -> Pipeline:
        """A row for each group: its keys, and what aggregate functions gather of its rows.

        Raises UsageError, UnknownColumnError.
        """
        pipeline = self._pipeline
        made = queries.reduced(pipeline._query, self._keys, _by_name(computed, named))
        return pipeline._made(made)

    def count(self) -> Pipeline:
        """A row for each group: its keys, and under `count` how many rows it has."""
        return self.reduce(count="count(*)")


def _by_name(computed: Sequence[Computed], named: Mapping[str, Computed]) -> dict[str, Computed]:
    """What is computed, by the names of the columns. Raises UsageError when two have one name."""
    made: dict[str, Computed] = {}
    for one in computed:
        name = name_of(one)
        if name in made:
            raise UsageError(f'two columns would be called "{name}"', hint="Name one: name=...")
        made[name] = one
    for name, one in named.items():
        if name in made:
            raise UsageError(f'two columns would be called "{name}"', hint="Name one otherwise.")
        made[name] = one
    return made
