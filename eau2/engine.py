"""The story of one statement on one page: parse, bind, optimise, plan, run.

Owns: the order of the phases, and the plans that are kept for statements that come again.
Comes in: text and parameters. Goes out: an `Answer`. Does not know: files, Polars, who shows it.

    text      sql/parser           what was written
    ast       sql/binder           what is meant: names are columns, types are known
    logical   planner/optimizer    what is needed
    stages    planner/physical     how: fragments of operators, cut at exchanges
    tasks     planner/placement    where
    rows      cluster, node        the answer, in order
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Hashable, Sequence
from datetime import datetime
from difflib import get_close_matches

import polars as pl

from eau2.analyze import analyzed, watched
from eau2.answer import Answer, nothing, table
from eau2.catalog import NOT_STORED, Frame, View
from eau2.cluster import Cluster
from eau2.config import LIMITS
from eau2.errors import (
    InternalError,
    MissingError,
    NotSupportedError,
    ProgrammingError,
    StatementError,
    UnknownSettingError,
)
from eau2.execution import Prepared
from eau2.function_statements import create_function, drop_function, show_functions
from eau2.index_statements import Report, Work, create_index, drop_index, show_indexes
from eau2.kernels.host import Cancel
from eau2.operators.indexing import IndexAction
from eau2.operators.text import column_names, columns_in, to_text
from eau2.parameters import Parameters
from eau2.pivots import valued
from eau2.planner.indexing import index_work
from eau2.planner.optimizer import optimize, switch_names
from eau2.planner.physical import Plan
from eau2.planner.physical import plan as cut
from eau2.prepared import PreparedStatements
from eau2.progress import Watch
from eau2.records import Record, replace
from eau2.settings import Settings
from eau2.sql import ast
from eau2.sql.binder import Bound, bind
from eau2.sql.parser import parse
from eau2.sql.refusals import unsupported
from eau2.sql.spans import at
from eau2.statements import Frames, Surroundings, create_table, create_view, drop, insert
from eau2.travel import TaskReport
from eau2.types import described
from eau2.whereabouts import chunks, nodes

_TELLS_TIME = re.compile(r"now|today|current_|localtime", re.IGNORECASE)
_SHOWS = re.compile(r"\s*show\b", re.IGNORECASE)
"""Who asks how the nodes are is to be answered also when names cannot be read."""
_PIVOTS = re.compile(r"pivot", re.IGNORECASE)


class _Asked(Record, frozen=True):
    """What a statement is run for. key: under which its plan is kept, if it is.

    frames: what names mean. now: what current_date and now() give.
    """

    text: str
    parameters: Parameters | None
    cancel: Cancel | None
    query: str
    key: Hashable | None
    frames: Frames
    now: datetime


class Engine:
    """Runs statements against a catalogue, on a cluster."""

    def __init__(self, frames: Frames, cluster: Cluster, settings: Settings) -> None:
        self.settings = settings
        self.watch: Watch | None = None
        """Is told how far the stages of a query are, on the thread that runs it."""
        self._frames = frames
        self._cluster = cluster
        self._prepared: dict[Hashable, Prepared] = {}
        self._parsed: dict[str, tuple[ast.Statement, ...]] = {}
        self._statements = PreparedStatements()

    def moved(self, cluster: Cluster) -> None:
        """Run what comes from now on elsewhere."""
        self._cluster = cluster
        self._prepared.clear()

    def run(
        self,
        text: str,
        parameters: Parameters | None = None,
        cancel: Cancel | None = None,
        query: str = "",
    ) -> Answer:
        """Run every statement in `text`, in order, to its end; the last one's answer.

        Raises StatementError (with the place in the text), DataError, OperationalError.
        """
        answer = self.stream(text, parameters, cancel, query)
        _ = answer.rows
        return answer

    def stream(
        self,
        text: str,
        parameters: Parameters | None = None,
        cancel: Cancel | None = None,
        query: str = "",
    ) -> Answer:
        """As `run`, but the last statement, if it is a query, runs while its batches are taken.

        cancel: ends it from elsewhere. query: the id under which logs speak of it.
        """
        key = self._key(text, parameters)
        asked = _Asked(text, parameters, cancel, query, key, self._frames, datetime.now())
        prepared = None if key is None else self._prepared.get(key)
        if prepared is not None:
            return self._answer(prepared, asked)
        answer: Answer | None = None
        try:
            statements = self._parse(text)
            if len(statements) > 1:
                asked = replace(asked, key=None)
            for statement in statements:
                if answer is not None:
                    _ = answer.rows
                answer = self._run(statement, asked)
        except StatementError as error:
            raise error.with_text(text) from error.__cause__
        except RecursionError as error:
            raise _too_deep() from error
        if answer is None:
            raise ProgrammingError("there is no statement to run")
        return answer

    def _parse(self, text: str) -> tuple[ast.Statement, ...]:
        """The statements of a text; short texts come again and are kept."""
        statements = self._parsed.get(text)
        if statements is None:
            statements = parse(text)
            if len(text) <= LIMITS.kept_text_chars:
                if len(self._parsed) >= LIMITS.plan_cache_entries:
                    self._parsed.clear()
                self._parsed[text] = statements
        return statements

    def plan(self, query: ast.Query, parameters: Parameters | None = None) -> Plan:
        """The stages of a query, without running them."""
        return self._plan(
            query, _Asked("", parameters, None, "", None, self._frames, datetime.now())
        )

    def _plan(self, query: ast.Query, asked: _Asked) -> Plan:
        bound = bind(query, asked.frames, asked.parameters, asked.now)
        return self._cut(bound)

    def _valued(self, statement: ast.Statement, asked: _Asked) -> tuple[ast.Statement, _Asked]:
        """The statement with the values that its PIVOTs find in the data, which are read first."""
        if not _PIVOTS.search(asked.text):
            return statement, asked

        def read(query: ast.Query, frames: Frames) -> list[str]:
            plan = self._plan(query, replace(asked, frames=frames))
            stream = self._cluster.stream(self._cluster.prepare(plan), asked.cancel, asked.query)
            return [text for rows in stream for text in rows.to_series(0).to_list()]

        statement, frames = valued(statement, asked.frames, read)
        if frames is asked.frames:
            return statement, asked
        # What is kept for the text would hold only for the values that there are now.
        return statement, replace(asked, frames=frames, key=None)

    def _planned(self, query: ast.Query, asked: _Asked) -> Prepared:
        """A plan of a query, ready to run. It is kept for when the statement comes again."""
        watched = _Watched(asked.frames)
        bound = bind(query, watched, asked.parameters, asked.now)
        prepared = self._cluster.prepare(self._cut(bound))
        if not watched.tells_time:
            self._keep(asked.key, prepared)
        return prepared

    def _cut(self, bound: Bound) -> Plan:
        switches = self.settings.switches()
        return cut(optimize(bound.plan, switches), bound.names, switches)

    def _answer(self, prepared: Prepared, asked: _Asked) -> Answer:
        plan = prepared.plan
        return Answer(self._rows(prepared, asked), plan.columns, plan.names)

    def _rows(self, prepared: Prepared, asked: _Asked) -> Generator[pl.DataFrame, None, None]:
        """The rows of a plan; when chunks were replaced before they were read, of a newer one."""
        given = False
        for attempt in range(LIMITS.plan_attempts):
            observe = None if self.watch is None else watched(prepared, self.watch)
            try:
                for rows in self._cluster.stream(prepared, asked.cancel, asked.query, observe):
                    given = True
                    yield rows
                return
            except (RecursionError, InternalError) as error:
                if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
                    raise _too_deep() from error
                raise
            except MissingError:
                again = None if given else self._again(asked)
                last = attempt == LIMITS.plan_attempts - 1
                if last or again is None or not _stands_for(again, prepared):
                    raise
                prepared = again

    def _again(self, asked: _Asked) -> Prepared | None:
        """A plan over what names mean now; None when the statement is more than a query."""
        match self._parse(asked.text):
            case (ast.Query() as query,):
                key = self._key(asked.text, asked.parameters)
                asked = replace(asked, key=key, frames=self._frames)
                statement, asked = self._valued(query, asked)
                assert isinstance(statement, ast.Query)
                return self._planned(statement, asked)
        return None

    def _analyzed(self, plan: Plan, cancel: Cancel | None, query: str) -> Answer:
        """Run a plan to its end, and what its stages did instead of its rows."""
        reports: list[TaskReport] = []
        start = time.perf_counter()
        prepared = self._cluster.prepare(plan)
        for _ in self._cluster.stream(prepared, cancel, query, reports.append):
            pass
        seconds = time.perf_counter() - start
        return table({"plan": analyzed(prepared.plan, reports, seconds).splitlines()})

    def _key(self, text: str, parameters: Parameters | None) -> Hashable | None:
        """What a kept plan depends on; None for statements whose plans are not kept."""
        if _TELLS_TIME.search(text) or _SHOWS.match(text):
            return None
        values = () if parameters is None else tuple(parameters.items())
        typed = tuple((name, type(value), value) for name, value in values)
        switches = tuple(sorted(self.settings.switches().items()))
        key = (text, typed, switches, self._frames.epoch())
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _keep(self, key: Hashable | None, prepared: Prepared) -> None:
        """Keep a plan for when the statement comes again; files may change, so theirs are not."""
        sources = [stage.source for stage in prepared.plan.stages if stage.source is not None]
        if key is None or any(source.frame.version == NOT_STORED for source in sources):
            return
        if len(self._prepared) >= LIMITS.plan_cache_entries:
            self._prepared.clear()
        self._prepared[key] = prepared

    def _run(self, statement: ast.Statement, asked: _Asked) -> Answer:
        statement, asked = self._valued(statement, asked)
        match statement:
            case ast.Query():
                return self._answer(self._planned(statement, asked), asked)
            case ast.Insert():
                return insert(statement, self._surroundings(asked))
            case ast.CreateTable():
                return create_table(statement, self._surroundings(asked))
            case ast.CreateView():
                return create_view(statement, self._surroundings(asked))
            case ast.CreateIndex():
                return create_index(statement, self._surroundings(asked), self._index_work(asked))
            case ast.DropIndex():
                return drop_index(statement, self._surroundings(asked), self._index_work(asked))
            case ast.CreateFunction():
                return create_function(statement, self._surroundings(asked))
            case ast.DropFunction():
                return drop_function(statement, self._surroundings(asked))
            case ast.Drop():
                dropped = drop(statement, self._surroundings(asked))
                self._cluster.home.indexes.sweep()
                return dropped
            case ast.Execute():
                text, values = self._statements.call(statement, self._frames, asked.parameters)
                return self.stream(text, values, asked.cancel, asked.query)
            case ast.Explain(query=query, analyze=True):
                plan = self._plan(query, asked)
                return self._analyzed(plan, asked.cancel, asked.query)
        return self._aside(statement, asked)

    def _index_work(self, asked: _Asked) -> Work:
        """How statements about indexes have something done at the chunks of a frame."""

        def work(frame: Frame, names: Sequence[str], action: IndexAction) -> list[Report]:
            prepared = self._cluster.prepare(index_work(frame, names, action))
            with self._cluster.home.pinned(prepared.df_ids):
                stream = self._cluster.stream(prepared, asked.cancel, asked.query)
                return [row for rows in stream for row in rows.iter_rows()]

        return work

    def _surroundings(self, asked: _Asked) -> Surroundings:
        def run(bound: Bound) -> Answer:
            prepared = self._cluster.prepare(self._cut(bound))
            return self._answer(prepared, asked)

        rows = self.settings.chunk_rows
        return Surroundings(asked.text, asked.frames, asked.parameters, asked.now, rows, run)

    def _aside(self, statement: ast.Statement, asked: _Asked) -> Answer:
        """The statements about the connection and about other statements."""
        match statement:
            case ast.Explain(query=query):
                lines = explain(self._plan(query, asked)).splitlines()
                return table({"plan": lines})
            case ast.SetStatement(name=name, value=value, span=span):
                text = None if value is None else value.text
                before, self.settings = (
                    self.settings,
                    at(span, self.settings.changed, name, text, rule_names()),
                )
                if self.settings.index_memory != before.index_memory:
                    self._cluster.home.indexes.set_budget(self.settings.index_memory)
                return nothing()
            case ast.Prepare():
                self._statements.prepare(statement)
                return nothing()
            case ast.Deallocate():
                self._statements.deallocate(statement)
                return nothing()
            case ast.ShowTables():
                return table({"name": list(self._frames.names())})
            case ast.ShowFunctions():
                return show_functions(self._frames)
            case ast.ShowNodes():
                return nodes(self._frames)
            case ast.ShowChunks():
                return chunks(statement, self._surroundings(asked))
            case ast.ShowSetting():
                return self._show(statement)
            case ast.Describe(target=target):
                return self._describe(target, asked)
            case ast.ShowIndexes():
                return show_indexes(statement, self._surroundings(asked), self._index_work(asked))
            case ast.UnsupportedStatement(what=what, span=span, hint=hint):
                raise NotSupportedError(f"{what} is not supported", span=span, hint=hint)
        raise unsupported(statement)

    def _show(self, asked: ast.ShowSetting) -> Answer:
        name, values = asked.name, self.settings.values()
        if name.lower() == "all":
            return table({"name": list(values), "value": list(values.values())})
        if name.lower() not in values:
            if near := get_close_matches(name.lower(), ("tables", "nodes", "chunks", "indexes"), 1):
                raise UnknownSettingError(
                    f'there is no setting "{name}"',
                    span=asked.span,
                    hint=f"Did you mean SHOW {near[0].upper()}?",
                )
            at(asked.span, self.settings.changed, name, None, rule_names())
            return table({name: ["on"]})
        return table({name: [values[name.lower()]]})

    def _describe(self, target: ast.TableExpression | ast.Query, asked: _Asked) -> Answer:
        """The columns in DuckDB's form; there are no keys and no defaults."""
        frame = asked.frames.frame(target.name) if isinstance(target, ast.TableName) else None
        if not isinstance(target, ast.Query):
            star = ast.SelectItem(target.span, ast.Star(target.span, None), None)
            target = ast.Select(target.span, (star,), target)
        bound = bind(target, asked.frames, asked.parameters, asked.now)
        types = [described(column.type) for column in bound.plan.output]
        filled = [False for _ in types]
        if frame is not None:
            filled = [column.not_null for column in frame.schema.columns]
        nulls = ["NO" if always else "YES" for always in filled]
        absent = [None for _ in types]
        names = list(bound.names)
        known = {"column_name": names, "column_type": types, "null": nulls}
        return table({**known, "key": absent, "default": absent, "extra": absent})


class _Watched:
    """A catalogue for one statement, that notes whether a view in it tells the time."""

    def __init__(self, frames: Frames) -> None:
        self.frame = frames.frame
        self.file = frames.file
        self.names = frames.names
        self.epoch = frames.epoch
        self.function = frames.function
        self.functions = frames.functions
        self.tells_time = False
        self._frames = frames

    def view(self, name: str) -> View | None:
        """See Catalog.view."""
        view = self._frames.view(name)
        if view is not None and _TELLS_TIME.search(view.text):
            self.tells_time = True
        return view


def _too_deep() -> NotSupportedError:
    """What is said when a phase runs out of stack: how much there is depends on who calls."""
    return NotSupportedError(
        "the statement is nested too deep for the stack that is left here",
        hint="Name parts of it with WITH, or store what they give with CREATE TABLE.",
    )


def _stands_for(new: Prepared, old: Prepared) -> bool:
    """Whether a plan reads newer versions of what another one reads, and gives the same columns."""
    columns = (new.plan.columns, new.plan.names) == (old.plan.columns, old.plan.names)
    return columns and new.df_ids != old.df_ids


def explain(plan: Plan) -> str:
    """The stages of a plan as indented text, in the order in which they run."""
    names = column_names(column for stage in plan.stages for column in columns_in(stage.root))
    parts = []
    for stage in plan.stages:
        if stage.source is None:
            head = f"stage {stage.id}: once"
        else:
            frame = stage.source.frame
            count = len(frame.chunks)
            chunks = "1 chunk" if count == 1 else f"{count} chunks"
            head = f"stage {stage.id}: at {chunks} of {frame.name}"
        body = "\n".join("  " + line for line in to_text(stage.root, names).splitlines())
        parts.append(f"{head}\n{body}")
    return "\n".join(parts)


def rule_names() -> tuple[str, ...]:
    """The names that SET optimizer.<name> takes."""
    return switch_names()
