"""What a text of the command line means: a count, seconds, a size, a parameter and its value.

Owns: reading the values of options. Comes in: text; goes out: the value, or what argparse reports
as a wrong value. Does not know: which option takes what (options.py).
"""

from __future__ import annotations

import argparse
import re

from eau2.errors import UsageError

_NUMBER = re.compile(r"[+-]?(\d+|(?:\d+\.\d*|\.\d+)|(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+)")
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"", re.DOTALL)
_YEAR_S = 31_536_000
_CHUNK_ROWS, _THREADS = 16_777_216, 1024
"""The most that may be asked for. The first is what LIMITS has, which takes its time to load."""
_WORDS = {"null": None, "true": True, "false": False}


def count(text: str) -> int:
    """A whole number of at least 1."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return found


def chunk_rows(text: str) -> int:
    """Rows of a chunk."""
    return _at_most(count(text), _CHUNK_ROWS, "rows")


def threads(text: str) -> int:
    """A number of threads."""
    return _at_most(count(text), _THREADS, "threads")


def _at_most(found: int, limit: int, what: str) -> int:
    if found > limit:
        raise argparse.ArgumentTypeError(f"there can be at most {limit} {what}")
    return found


def whole(text: str) -> int:
    """A whole number of at least 0."""
    return 0 if text.strip() == "0" else count(text)


def seconds(text: str) -> float:
    """A number of seconds above 0, at most a year."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    if found > _YEAR_S:
        raise argparse.ArgumentTypeError(f"'{text}' is more seconds than a year has")
    return found


def size(text: str) -> int:
    """Bytes, written like 512MB."""
    from eau2.config import byte_count

    try:
        return byte_count(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).replace("\n", ". ")) from None


def parameter(text: str) -> tuple[int | str, object]:
    """NAME=VALUE: a name, or a position from 1, and what it stands for."""
    name, equals, rest = text.partition("=")
    name = name.strip().removeprefix("$")
    if not equals or not re.fullmatch(r"\w+", name):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE, like least=100")
    return int(name) if name.isdecimal() else name, value(rest)


def value(text: str) -> object:
    """A number, true, false, null, or a text: what is in quotes, or any other word as it is.

    Numbers are what they are in SQL: 7 is an integer, 1.50 a decimal, 1e3 a float.
    """
    bare = text.strip()
    if bare.lower() in _WORDS:
        return _WORDS[bare.lower()]
    if _NUMBER.fullmatch(bare):
        return _number(bare)
    quoted = _QUOTED.fullmatch(bare)
    if quoted is None:
        return text
    single, double = quoted.groups()
    return double.replace('""', '"') if single is None else single.replace("''", "'")


def _number(text: str) -> object:
    if "e" in text.lower():
        return float(text)
    if "." not in text:
        return int(text)
    from decimal import Decimal

    return Decimal(text)
