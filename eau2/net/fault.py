"""Errors across the wire: what was raised here is raised there.

Owns: errors as plain values, and back. Comes in: an exception, or the values; goes out: the other.
Does not know: messages, connections. Only classes of eau2.errors come back; any other is told as
its nearest ancestor there, and no text from a peer is ever looked up anywhere else. It imports next
to nothing, since the thin client needs it.
"""

from __future__ import annotations

from eau2 import errors
from eau2.errors import Error, InternalError, Span, StatementError

_TEXT_CHARS = 200_000
"""Longer statement texts stay behind, and with them the caret: four bytes each fit a frame."""
_MESSAGE_CHARS = 8_000

CLASSES: dict[str, type[Error]] = {
    name: cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, Error)
}
"""The errors that come back as themselves."""

Described = tuple[str, str, str | None, tuple[int, int] | None, str | None, bool]
"""Class name, message, hint, span, statement text, and whether a retry can help."""


def describe(error: BaseException) -> Described:
    """An error as plain values. What is not in the tree is a bug, and told as one."""
    if not isinstance(error, Error):
        message = _clip(f"{type(error).__name__}: {error}")
        return "InternalError", message, None, None, None, False
    name = next(cls.__name__ for cls in type(error).__mro__ if CLASSES.get(cls.__name__) is cls)
    span: tuple[int, int] | None = None
    text: str | None = None
    if isinstance(error, StatementError) and len(error.text or "") <= _TEXT_CHARS:
        text = None if error.text is None else _packable(error.text)
        if error.span is not None:
            span = (max(0, error.span.start), max(0, error.span.end))
    hint = None if error.hint is None else _clip(error.hint)
    return name, _clip(error.message), hint, span, text, error.retryable


def rebuild(
    name: str, message: str, hint: str | None, span: tuple[int, int] | None, text: str | None
) -> Error:
    """The error that `describe` told of."""
    cls = CLASSES.get(name, InternalError)
    if issubclass(cls, StatementError):
        place = None if span is None else Span(*span)
        return cls(message, span=place, text=text, hint=hint)
    return cls(message, hint=hint)


def _clip(text: str) -> str:
    short = text if len(text) <= _MESSAGE_CHARS else text[:_MESSAGE_CHARS] + "..."
    return _packable(short)


def _packable(text: str) -> str:
    """The text with what UTF-8 has not (a lone half of a surrogate pair) as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
