"""What a statement answers over the wire: its result as payloads, made a few megabytes at a time.

Owns: when a part is large or old enough to be sent, and which of several statements answer. Comes
in: an engine and a Statement; goes out: parts. Does not know: streams, threads, sessions: `next`
is called by one thread after another, never by two at once.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import pyarrow as pa

from eau2.answer import Answer
from eau2.engine import Engine, rule_names
from eau2.errors import ProgrammingError, UsageError
from eau2.kernels.host import Cancel
from eau2.net.arrow import PART_BYTES, encode_table, parts
from eau2.net.frame import Buffer
from eau2.net.message import Statement
from eau2.operators.physical import to_logical
from eau2.parameters import Parameters, from_wire
from eau2.progress import Tally
from eau2.records import Record
from eau2.render import FORMATS, Piece, rendered
from eau2.sink import check_alone
from eau2.sql.split import is_explain, split

FORMS = ("rows", *FORMATS)


class Part(Record, frozen=True):
    """The next payload of an answer, and how many rows of the result went into it.

    last: no other part follows. Without it one may still not follow.
    """

    rows: int
    payload: list[Buffer]
    last: bool


class Reply:
    """The answer to one statement message. Nothing runs before `next` is called."""

    def __init__(
        self, engine: Engine, statement: Statement, cancel: Cancel, query: str, part_s: float
    ) -> None:
        """part_s: what has come is given after so long, however little it is."""
        self.columns: tuple[tuple[str, str], ...] = ()
        self.rows = 0
        self.tally: Tally = ()
        """How far the statement is. Read on another thread."""
        self.tells = statement.progress
        """Whether whoever asked wants to know that."""
        self._engine = engine
        self._statement = statement
        self._cancel = cancel
        self._query = query
        self._part_s = part_s
        self._results = 0
        self._parts = self._all_parts()

    def next(self) -> Part | None:
        """The next part; None after the last. Raises what the statement raises.

        From then on `columns` and `rows` say what the last statement with a result gave.
        """
        self._cancel.check()
        return next(self._parts, None)

    def close(self) -> None:
        """End the query, whether it has given all its rows or not."""
        self._parts.close()

    def _noted(self, tally: Tally) -> None:
        self.tally = tally

    def _all_parts(self) -> Generator[Part, None, None]:
        statement = self._statement
        self._engine.watch = self._noted if statement.progress else None
        if statement.format not in FORMS:
            raise UsageError(
                f"there is no format '{statement.format[:40]}'",
                hint=f"The formats are {', '.join(FORMS)}.",
            )
        for name, value in statement.settings.items():
            settings = self._engine.settings
            self._engine.settings = settings.changed(name, value, rule_names())
        parameters = from_wire(statement.parameters) if statement.parameters else None
        if statement.format == "rows":
            yield from self._row_parts(parameters)
            return
        statements, rest = split(statement.text)
        if not statements and not rest:
            raise ProgrammingError("there is no statement to run")
        texts = (*statements, rest) if rest else statements
        for number, text in enumerate(texts, 1):
            check_alone(statement.format, self._results)
            yield from self._text_parts(text, parameters, last=number == len(texts))

    def _row_parts(self, parameters: Parameters | None) -> Iterator[Part]:
        tables = self._tables(self._answer(self._statement.text, parameters))
        for table, last in _of_fit_size(tables, self._part_s):
            yield Part(table.num_rows, encode_table(table), last)

    def _text_parts(self, text: str, parameters: Parameters | None, last: bool) -> Iterator[Part]:
        answer = self._answer(text, parameters)
        form = self._statement.format
        self._results += bool(answer.names)
        if form == "box" and is_explain(text):
            form = "lines"
        types = [column.type for column in answer.columns]
        width = self._statement.width or None
        given = 0
        for payload, ends in _gathered(
            rendered(form, self._tables(answer), types, width), self._part_s
        ):
            yield Part(self.rows - given, payload, last and ends)
            given = self.rows

    def _answer(self, text: str, parameters: Parameters | None) -> Answer:
        answer = self._engine.stream(text, parameters, self._cancel, self._query)
        if answer.names:
            types = [str(column.type) for column in answer.columns]
            self.columns = tuple(zip(answer.names, types, strict=True))
            self.rows = 0
        return answer

    def _tables(self, answer: Answer) -> Iterator[pa.Table]:
        """The rows as users see them, in parts; no part for a statement without columns."""
        try:
            for frame in answer.batches:
                self._cancel.check()
                if answer.names:
                    self.rows += frame.height
                    yield to_logical(frame, answer.columns, answer.names)
        finally:
            answer.batches.close()


def _of_fit_size(tables: Iterator[pa.Table], part_s: float) -> Iterator[tuple[pa.Table, bool]]:
    """The same rows in tables to be sent one by one: large ones cut, small ones joined.

    Each comes with whether it is the last.
    """
    held: list[pa.Table] = []
    size, since = 0, time.monotonic()
    for table in tables:
        for piece in parts(table):
            if held and size + piece.nbytes > PART_BYTES:
                yield _joined(held), False
                held, size, since = [], 0, time.monotonic()
            held.append(piece)
            size += piece.nbytes
        del table, piece
        if time.monotonic() - since > part_s:
            yield _joined(held), False
            held, size, since = [], 0, time.monotonic()
    if held:
        yield _joined(held), True


def _joined(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()


def _gathered(pieces: Iterator[Piece], part_s: float) -> Iterator[tuple[list[Buffer], bool]]:
    """Rendered bytes as payloads of a fit size, each with whether it is the last."""
    held: list[Buffer] = []
    size, since = 0, time.monotonic()
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), PART_BYTES):
            cut = view[start : start + PART_BYTES]
            if held and size + len(cut) > PART_BYTES:
                yield held, False
                held, size, since = [], 0, time.monotonic()
            held.append(cut)
            size += len(cut)
        if held and time.monotonic() - since > part_s:
            yield held, False
            held, size, since = [], 0, time.monotonic()
    if held:
        yield held, True
