"""Every error eau2 raises, as one tree: whose fault it is, whether a retry helps, where it points.

Owns: the exception classes and the way a statement error is drawn with its caret. The PEP 249
names are the top of the tree, so a program that catches `eau2.Error` catches everything.
Does not know: what raises them. Foreign exceptions are translated where they enter, `from` them.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

_MESSAGE_CHARS = 1000
"""Of a longer message the middle is left out."""


class Span(NamedTuple):
    """A half-open range of character offsets into a statement's text."""

    start: int
    end: int


class Warning(Exception):
    """PEP 249: important warnings. eau2 raises none."""


class Error(Exception):
    """The root of the tree. `fault` says whose it is; `retryable` whether trying again can help."""

    fault: ClassVar[str] = "bug"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        if len(message) > _MESSAGE_CHARS:
            # A value of the statement or of the data may be of any length.
            message = f"{message[: _MESSAGE_CHARS - 200]} ... {message[-200:]}"
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """The message as a person reads it: what, then (after a line break) what to do."""
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class InterfaceError(Error):
    """PEP 249: the library was used wrongly (a closed connection, a wrong argument)."""

    fault = "usage"


class UsageError(InterfaceError):
    """The command line or the Python API was called with arguments that make no sense."""


class DatabaseError(Error):
    """PEP 249: everything that concerns the database."""


class DataError(DatabaseError):
    """The data does not allow the computation: overflow, a failing cast, a malformed file."""

    fault = "data"


class OutOfRangeError(DataError):
    """A computed value does not fit its type (integer or decimal overflow, division by zero)."""


class ConversionError(DataError):
    """A CAST met a value that the target type cannot hold."""


class InputFileError(DataError):
    """A file to be read is empty, truncated, ragged, or not what its name says."""


class OperationalError(DatabaseError):
    """PEP 249: the surroundings failed: a disk, a lock, a node."""

    fault = "cluster"


class StoreBusyError(OperationalError):
    """Another process is writing to the store."""

    retryable = True


class DiskFullError(OperationalError):
    """The disk has no room for what was to be written; nothing was published."""

    retryable = True


class StoreError(OperationalError):
    """The store cannot be used: not a store, of another version, unreadable."""


class DiskFailedError(StoreError):
    """The disk did not keep what it was given: no more is written until all is opened anew."""


class CorruptChunkError(OperationalError):
    """A chunk file does not have the content that was written."""

    fault = "data"


class MissingError(OperationalError):
    """A chunk or manifest is not on the node that was asked for it."""

    fault = "data"


class KernelLostError(OperationalError):
    """The process that ran a fragment ended before the fragment did; the node lives."""

    retryable = True


class CancelledError(OperationalError):
    """The query was cancelled before it ended."""

    retryable = True


class UnreachableError(OperationalError):
    """No connection came about: nobody listens, or whoever answers is no node we can talk with."""

    retryable = True


class NoQuorumError(UnreachableError):
    """Fewer than a majority of the voters answered; surely nothing was changed."""


class HandshakeError(UnreachableError):
    """Somebody answered who is not an eau2 node, or one of another version or another store."""

    retryable = False


class ProtocolError(OperationalError):
    """A peer sent what the wire protocol does not allow; the connection to it was closed."""


class PeerLostError(OperationalError):
    """The connection to a peer broke while something was asked of it."""

    retryable = True


class DeadlineError(OperationalError):
    """What was asked did not end within its time."""

    retryable = True


class TooFewCopiesError(OperationalError):
    """Fewer nodes can be reached than must hold what was to be stored; nothing was."""

    retryable = True


class WithdrawnError(OperationalError):
    """A put was given up because its reservation of the name was taken away; nothing is visible."""


class OutcomeUnknownError(OperationalError):
    """Whether what was asked for took effect cannot be told; looking again later can."""


class BusyError(OperationalError):
    """A node has as much to do as it takes on; nothing was begun."""

    retryable = True


class IntegrityError(DatabaseError):
    """PEP 249: a rule of the database would be broken."""

    fault = "statement"


class NameExistsError(IntegrityError):
    """A frame of that name exists already."""


class ConstraintError(IntegrityError):
    """A row breaks a rule of its table (NOT NULL); nothing was inserted."""


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
            parts.append(caret(self.text, self.span))
        if self.hint is not None:
            parts.append(self.hint)
        return "\n".join(parts)


class ProgrammingError(StatementError):
    """PEP 249: the statement is wrong: syntax, unknown names, types that do not fit."""


class SqlSyntaxError(ProgrammingError):
    """The text is not a statement of the language."""


class UnknownNameError(ProgrammingError):
    """A table, column or function that does not exist, or a column name that is ambiguous."""


class TypeMismatchError(ProgrammingError):
    """An operation is not defined for the types it was given."""


class NameTakenError(ProgrammingError):
    """A statement makes a table or view of a name that exists already."""


class NotSupportedError(StatementError):
    """PEP 249: the statement is understood, and eau2 does not do it (yet)."""


def report(error: Exception) -> str:
    """Any error as a face prints it. What is not in the tree is a bug of eau2, and says so."""
    if isinstance(error, Error) and not isinstance(error, InternalError):
        return f"Error: {error.render()}"
    what = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
    return f"Error: internal error: {what}\nPlease report it; EAU2_DEBUG=1 shows where it happened."


def caret(text: str, span: Span) -> str:
    """The line of `text` that holds `span`, and below it carets under the span.

    A long line is cut around the span, so that what is printed fits 100 columns.
    """
    start = min(span.start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    line_number = text.count("\n", 0, start) + 1
    width = max(1, min(span.end, line_end) - start)
    shift = max(0, start - line_start - 60)
    shown = text[line_start + shift : line_end][:100].replace("\t", " ")
    lead = "..." if shift else ""
    prefix = f"line {line_number}: {lead}"
    column = len(prefix) + start - line_start - shift
    carets = min(width, max(1, 100 - (start - line_start - shift)))
    return f"{prefix}{shown}\n{' ' * column}{'^' * carets}"
