"""Parts of file paths: parse_filename, parse_dirname, parse_dirpath.

Owns: which characters separate. Does not know: files; a path is a text here.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.distinct import for_distinct
from eau2.operators.functions.function import (
    Function,
    mismatch,
)
from eau2.types import BOOLEAN, VARCHAR

_SEPARATORS = {"system": "/", "forward_slash": "/", "backslash": "\\"}
_BOTH = "/\\"


def _bind_path(name: str, args: tuple[Expr, ...]) -> Expr:
    """The path, whether the ending goes, and the characters that separate, both constants."""
    trims = name == "parse_filename"
    syntax = f"It is written {name}(path{'[, trim]' if trims else ''}[, separator])."
    if not 1 <= len(args) <= 2 + trims:
        raise mismatch(name, args, syntax)
    trim, separators = Literal(BOOLEAN, False), Literal(VARCHAR, _BOTH)
    for position, arg in enumerate(args[1:], 1):
        if not isinstance(arg, Literal):
            raise NotSupportedError(f"argument {position + 1} of {name} must be a constant")
        if arg.type == BOOLEAN and trims and position == 1:
            trim = arg
        elif arg.type == VARCHAR or is_null(arg):
            separators = Literal(VARCHAR, _SEPARATORS.get(str(arg.value), _BOTH))
        else:
            raise mismatch(name, args, syntax)
    path = coerce(args[0], VARCHAR) if is_null(args[0]) else args[0]
    if path.type != VARCHAR:
        raise mismatch(name, args, syntax)
    return Call(VARCHAR, name, (path, trim, separators))


def _first(path: str, separators: str) -> int:
    places = [path.find(separator) for separator in separators]
    return min((place for place in places if place >= 0), default=-1)


def _last(path: str, separators: str) -> int:
    return max(path.rfind(separator) for separator in separators)


def _filename(path: str, trim: bool, separators: str) -> str:
    name = path[_last(path, separators) + 1 :]
    return name[: name.rfind(".")] if trim and "." in name else name


def _dirname(path: str, _: bool, separators: str) -> str:
    place = _first(path, separators)
    return path[: max(place, 1)] if place >= 0 else ""


def _dirpath(path: str, _: bool, separators: str) -> str:
    place = _last(path, separators)
    return path if place == 0 and len(path) == 1 else path[: max(place, 0)]


def _of_path(name: str, summary: str, example: str, compute: Callable[..., str]) -> Function:
    syntax = f"{name}(path{'[, trim]' if name == 'parse_filename' else ''}[, separator])"
    lower = for_distinct(pl.String(), compute)
    return Function(name, "text", syntax, summary, example, _bind_path, lower)


FUNCTIONS = (
    _of_path(
        "parse_filename",
        "The last part of a path, without its ending if trim is true.",
        "parse_filename('a/b.csv') = 'b.csv'",
        _filename,
    ),
    _of_path(
        "parse_dirname", "The first part of a path.", "parse_dirname('a/b/c') = 'a'", _dirname
    ),
    _of_path(
        "parse_dirpath",
        "A path without its last part.",
        "parse_dirpath('a/b/c') = 'a/b'",
        _dirpath,
    ),
)
