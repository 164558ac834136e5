"""Every error eau2 raises, as one tree: whose fault it is, whether a retry helps, where it points.

Owns: the exception classes, their codes, and the way an error is printed. The PEP 249 names
are the top of the tree, so a program that catches `eau2.Error` catches everything. What a code
means, and what to do, is said in error_codes.toml.
Does not know: what raises them. Foreign exceptions are translated where they enter, `from` them.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from eau2.terminal_text import ESCAPES, caret

_MESSAGE_CHARS = 1000
"""Of a longer message the middle is left out."""


class Span(NamedTuple):
    """A half-open range of character offsets into a statement's text."""

    start: int
    end: int


class Warning(Exception):
    """PEP 249: important warnings. eau2 raises none."""


def _cut(text: str) -> str:
    """A text that fits a message: a value of the statement or of the data may be of any length."""
    if len(text) <= _MESSAGE_CHARS:
        return text
    return f"{text[: _MESSAGE_CHARS - 200]} ... {text[-200:]}"


class Error(Exception):
    """The root of the tree. `fault` says whose it is; `retryable` whether trying again can help.

    code: the entry of the catalogue. sqlstate: the standard's five characters for it.
    """

    fault: ClassVar[str] = "bug"
    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "E9001"
    sqlstate: ClassVar[str] = "XX000"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = _cut(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else _cut(hint)

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """The message as a person reads it: what, then (after a line break) what to do."""
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class InterfaceError(Error):
    """PEP 249: the library was used wrongly (a closed connection, a wrong argument)."""

    code, sqlstate = "E6002", "08003"
    fault = "usage"


class UsageError(InterfaceError):
    """The command line or the Python API was called with arguments that make no sense."""

    code, sqlstate = "E6001", "22023"


class DatabaseError(Error):
    """PEP 249: everything that concerns the database."""


class DataError(DatabaseError):
    """The data does not allow the computation: overflow, a failing cast, a malformed file."""

    code, sqlstate = "E2001", "22000"
    fault = "data"


class OutOfRangeError(DataError):
    """A computed value does not fit its type (integer or decimal overflow, division by zero)."""

    code, sqlstate = "E2002", "22003"


class ConversionError(DataError):
    """A CAST met a value that the target type cannot hold."""

    code, sqlstate = "E2003", "22018"


class InputFileError(DataError):
    """A file to be read is empty, truncated, ragged, or not what its name says."""

    code, sqlstate = "E2004", "22P04"


class FunctionFailedError(DataError):
    """A user's function met a row on which it raises; the message names function and line."""

    code, sqlstate = "E2007", "38000"


class OperationalError(DatabaseError):
    """PEP 249: the surroundings failed: a disk, a lock, a node."""

    code, sqlstate = "E5001", "58000"
    fault = "cluster"


class StoreBusyError(OperationalError):
    """Another process is writing to the store."""

    code, sqlstate = "E3002", "55P03"
    retryable = True


class DiskFullError(OperationalError):
    """The disk has no room for what was to be written; nothing was published."""

    code, sqlstate = "E3003", "53100"
    retryable = True


class StoreError(OperationalError):
    """The store cannot be used: not a store, of another version, unreadable."""

    code, sqlstate = "E3001", "58030"


class DiskFailedError(StoreError):
    """The disk did not keep what it was given: no more is written until all is opened anew."""

    code, sqlstate = "E3004", "58030"


class CorruptChunkError(OperationalError):
    """A chunk file does not have the content that was written."""

    code, sqlstate = "E3005", "XX001"
    fault = "data"


class BackupError(OperationalError):
    """A backup that is not whole, or not one at all; nothing was restored."""

    fault = "data"
    code, sqlstate = "E3007", "XX001"


class MissingError(OperationalError):
    """A chunk or manifest is not on the node that was asked for it."""

    code, sqlstate = "E3006", "58P01"
    fault = "data"


class KernelLostError(OperationalError):
    """The process that ran a fragment ended before the fragment did; the node lives."""

    code, sqlstate = "E5004", "57P02"
    retryable = True


class CancelledError(OperationalError):
    """The query was cancelled before it ended."""

    code, sqlstate = "E5002", "57014"
    retryable = True


class UnreachableError(OperationalError):
    """No connection came about: nobody listens, or whoever answers is no node we can talk with."""

    code, sqlstate = "E4001", "08001"
    retryable = True


class NoQuorumError(UnreachableError):
    """Fewer than a majority of the voters answered; surely nothing was changed."""

    code, sqlstate = "E4005", "57P03"


class HandshakeError(UnreachableError):
    """Somebody answered who is not an eau2 node, or one of another version or another store."""

    code, sqlstate = "E4002", "08004"
    retryable = False


class ProtocolError(OperationalError):
    """A peer sent what the wire protocol does not allow; the connection to it was closed."""

    code, sqlstate = "E4003", "08P01"


class PeerLostError(OperationalError):
    """The connection to a peer broke while something was asked of it."""

    code, sqlstate = "E4004", "08006"
    retryable = True


class DeadlineError(OperationalError):
    """What was asked did not end within its time."""

    code, sqlstate = "E5003", "57014"
    retryable = True


class TooFewCopiesError(OperationalError):
    """Fewer nodes can be reached than must hold what was to be stored; nothing was."""

    code, sqlstate = "E4006", "53000"
    retryable = True


class WithdrawnError(OperationalError):
    """A put was given up because its reservation of the name was taken away; nothing is visible."""

    code, sqlstate = "E4007", "40000"


class OutcomeUnknownError(OperationalError):
    """Whether what was asked for took effect cannot be told; looking again later can."""

    code, sqlstate = "E4008", "08007"


class BusyError(OperationalError):
    """A node has as much to do as it takes on; nothing was begun."""

    code, sqlstate = "E4009", "53300"
    retryable = True


class IntegrityError(DatabaseError):
    """PEP 249: a rule of the database would be broken."""

    fault = "statement"


class NameExistsError(IntegrityError):
    """A frame of that name exists already."""

    code, sqlstate = "E2006", "42P07"


class ConstraintError(IntegrityError):
    """A row breaks a rule of its table (NOT NULL); nothing was inserted."""

    code, sqlstate = "E2005", "23502"


class InternalError(DatabaseError):
    """PEP 249: eau2 itself is wrong. Please report it."""


class StatementError(DatabaseError):
    """An error in the text of a statement. Holds the text and the span it is about."""

    fault = "statement"

    def __init__(
        self,
        message: str,
        *,
        span: Span | None = None,
        text: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.span = span
        self.text = text

    def with_text(self, text: str) -> StatementError:
        """Remember the statement's text, if it is not known yet, so that a caret can be drawn."""
        if self.text is None:
            self.text = text
        return self

    def render(self) -> str:
        """The message, the line it is about with a caret under the span, and the hint."""
        parts = [self.message]
        if self.text is not None and self.span is not None:
            parts.append(caret(self.text, *self.span))
        if self.hint is not None:
            parts.append(self.hint)
        return "\n".join(parts)


class ProgrammingError(StatementError):
    """PEP 249: the statement is wrong: syntax, unknown names, types that do not fit."""

    code, sqlstate = "E1002", "42000"


class SqlSyntaxError(ProgrammingError):
    """The text is not a statement of the language."""

    code, sqlstate = "E1001", "42601"


class UnknownNameError(ProgrammingError):
    """A name that means nothing: a table, a column, a function, a type, a window and so on."""

    code, sqlstate = "E1007", "42704"


class UnknownTableError(UnknownNameError):
    """A table or view that does not exist."""

    code, sqlstate = "E1003", "42P01"


class UnknownColumnError(UnknownNameError):
    """A column that does not exist where it is named."""

    code, sqlstate = "E1004", "42703"


class UnknownFunctionError(UnknownNameError):
    """A function that does not exist."""

    code, sqlstate = "E1005", "42883"


class AmbiguousNameError(UnknownNameError):
    """A name that several columns have."""

    code, sqlstate = "E1006", "42702"


class MisplacedCallError(ProgrammingError):
    """An aggregate, a window function or unnest at a place where it cannot stand."""

    code, sqlstate = "E1009", "42803"


class NotGroupedError(ProgrammingError):
    """A column that is neither grouped by nor inside an aggregate, where rows are grouped."""

    code, sqlstate = "E1010", "42803"


class ParameterError(ProgrammingError):
    """A parameter of the statement was given no value."""

    code, sqlstate = "E1013", "42P02"


class UnknownSettingError(ProgrammingError):
    """A setting that does not exist."""

    code, sqlstate = "E1014", "42704"


class TypeMismatchError(ProgrammingError):
    """An operation is not defined for the types it was given."""

    code, sqlstate = "E1008", "42804"


class NameTakenError(ProgrammingError):
    """A statement makes a table or view of a name that exists already."""

    code, sqlstate = "E1011", "42P07"


class FunctionDefinitionError(ProgrammingError):
    """A function cannot be defined: what it is made of lies outside the subset of Python.

    file: where it is written, if that is a file. `text` begins with as many line feeds as there are
    lines before the function, so that the caret tells the line of the file.
    """

    code, sqlstate = "E1015", "42P13"

    def __init__(
        self,
        message: str,
        *,
        span: Span | None = None,
        text: str | None = None,
        hint: str | None = None,
        file: str | None = None,
    ) -> None:
        super().__init__(message, span=span, text=text, hint=hint)
        self.file = file

    def render(self) -> str:
        """As of any statement, but with the file first."""
        shown = super().render()
        return shown if self.file is None else f"{self.file}: {shown}"


class NotSupportedError(StatementError):
    """PEP 249: the statement is understood, and eau2 does not do it (yet)."""

    code, sqlstate = "E1012", "0A000"


def report(error: Exception, *, ask: str = "eau2 explain ", place: str | None = None) -> str:
    """Any error as a face prints it. What is not in the tree is a bug of eau2, and says so.

    An error without a hint says how its code is explained: `ask` and the code. place: the file
    that the statement stands in. Texts of the data and of files may be in it: what would steer the
    terminal is written as escapes.
    """
    return _reported(error, ask, place).translate(ESCAPES)


def _reported(error: Exception, ask: str, place: str | None) -> str:
    if not isinstance(error, Error) or isinstance(error, InternalError):
        what = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        return (
            f"Error {Error.code}: internal error: {what}\n"
            "Please report it; EAU2_DEBUG=1 shows where it happened."
        )
    where = "" if place is None else f" in {place}"
    more = f"\nMore: {ask}{error.code}" if error.hint is None else ""
    return f"Error {error.code}{where}: {error.render()}{more}"
