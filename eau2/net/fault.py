"""Errors across the wire: what was raised here is raised there.

Owns: errors as messages and back. Comes in: an exception, or an ErrorMessage; goes out: the other.
Does not know: connections. Only classes of eau2.errors come back; any other is its nearest
ancestor there, and no text from a peer names a class that is then looked up anywhere else.
"""

from __future__ import annotations

from eau2 import errors
from eau2.errors import Error, InternalError, Span, StatementError
from eau2.net.message import ErrorMessage

_TEXT_CHARS = 200_000
"""Longer statement texts stay behind, and with them the caret: four bytes each fit a frame."""
_MESSAGE_CHARS = 8_000

CLASSES: dict[str, type[Error]] = {
    name: cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, Error)
}
"""The errors that come back as themselves."""


def to_message(error: BaseException) -> ErrorMessage:
    """The message that tells of an error. What is not in the tree is a bug, and told as one."""
    if not isinstance(error, Error):
        return ErrorMessage("InternalError", _clip(f"{type(error).__name__}: {error}"))
    name = next(cls.__name__ for cls in type(error).__mro__ if CLASSES.get(cls.__name__) is cls)
    span, text = None, None
    if isinstance(error, StatementError):
        span, text = error.span, error.text
    if text is not None and len(text) > _TEXT_CHARS:
        span, text = None, None
    return ErrorMessage(
        name,
        _clip(error.message),
        None if error.hint is None else _clip(error.hint),
        None if span is None else (max(0, span.start), max(0, span.end)),
        None if text is None else _packable(text),
        error.retryable,
    )


def from_message(message: ErrorMessage) -> Error:
    """The error that a message tells of."""
    cls = CLASSES.get(message.name, InternalError)
    if issubclass(cls, StatementError):
        span = None if message.span is None else Span(*message.span)
        return cls(message.message, span=span, text=message.text, hint=message.hint)
    return cls(message.message, hint=message.hint)


def _clip(text: str) -> str:
    short = text if len(text) <= _MESSAGE_CHARS else text[:_MESSAGE_CHARS] + "..."
    return _packable(short)


def _packable(text: str) -> str:
    """The text with what UTF-8 has not (a lone half of a surrogate pair) as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
