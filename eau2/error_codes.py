"""The error catalogue: what a code means, why the error comes about, and what to do.

Owns: reading error_codes.toml, and an entry as text. Comes in: a code like E1004; goes out: an
entry, or what `eau2 explain` and the shell print. Does not know: what raises an error; that its
classes have the codes of the catalogue is held by a test.
"""

from __future__ import annotations

import textwrap
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from eau2.errors import UsageError
from eau2.records import Record

_WIDTH = 90


class Entry(Record, frozen=True):
    """One error. class_name: in eau2.errors. example: statements that give it; "" if none do."""

    code: str
    class_name: str
    sqlstate: str
    title: str
    cause: str
    fix: str
    example: str = ""


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by their codes, in the order of the file."""
    text = files("eau2").joinpath("error_codes.toml").read_text("utf-8")
    return {code: _entry(code, fields) for code, fields in tomllib.loads(text).items()}


def explain(code: str) -> str:
    """The entry of a code as lines. Letter case does not count. Raises UsageError."""
    entries = catalogue()
    entry = entries.get(code.strip().upper())
    if entry is None:
        raise _unknown(code, entries)
    parts = [
        f"{entry.code}: {entry.title}",
        f"class {entry.class_name}, SQLSTATE {entry.sqlstate}",
        "",
        *textwrap.wrap(entry.cause, _WIDTH),
        "",
        *textwrap.wrap(f"What to do: {entry.fix}", _WIDTH),
    ]
    if entry.example:
        parts += ["", "For example:", f"  {entry.example}"]
    return "\n".join(parts)


def _entry(code: str, fields: dict[str, str]) -> Entry:
    return Entry(
        code,
        fields["class"],
        fields["sqlstate"],
        fields["title"],
        fields["cause"],
        fields["fix"],
        fields.get("example", ""),
    )


def _unknown(code: str, entries: dict[str, Entry]) -> UsageError:
    wanted = code.strip().upper()
    if wanted.isdigit():
        wanted = f"E{wanted}"
    near = [wanted] if wanted in entries else get_close_matches(wanted, entries, 3)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    else:
        hint = f"The codes go from {next(iter(entries))} to {list(entries)[-1]}: docs/errors.md."
    return UsageError(f"there is no error code '{code[:40]}'", hint=hint)
