"""The LALR tables as the parser uses them, and where the grammar lies.

Owns: finding the grammar, reading the tables file, rebuilding it. Goes out: one `Tables`, the same
for the whole process. Does not know: what the rules' actions do.

Lark is not imported, unless the tables file was not built from the grammar beside it: then the
tables are built anew in memory. `python -m eau2.sql.tables` rewrites the file.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from eau2.records import Record, field

GRAMMAR = "eau2.lark"
TABLES = "tables.json"
END = "$END"
SKIPPED = "SKIPPED"

PASS = ""
LIST = "["
LIST_MORE = "+"


class Rule(Record, frozen=True):
    """What a reduction does: pop `size` values, call `action` with `arguments`, push the result.

    An argument is a position among the popped; -1 stands for None, and a position p < -1 for the
    items of the list at -2 - p. PASS, LIST and LIST_MORE are actions of the parser itself.
    """

    lhs: int
    size: int
    action: str
    arguments: tuple[int, ...]


class Tables(Record, frozen=True):
    """The automaton. `actions[state]` is a dict from terminal to action, or one action for all.

    An action is a state to go to, or -2 - rule to reduce by a rule, or ACCEPT.
    """

    terminals: tuple[str, ...]
    words: dict[str, int]
    signs: dict[str, int]
    patterns: tuple[tuple[int, str], ...]
    ignored: tuple[str, ...]
    rules: tuple[Rule, ...]
    actions: tuple[dict[int, int] | int, ...]
    gotos: tuple[dict[int, int], ...]
    end: int
    skipped: int
    passed: dict[int, int] = field(default_factory=dict)
    """Where a chain of passing reductions ends: the parser fills this in as it learns."""


ACCEPT = -1


def folder() -> Path:
    """The grammar's folder: inside the package when installed, beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "grammar"
    return inside if inside.is_dir() else package.parent / "grammar"


@cache
def tables() -> Tables:
    """The tables of the shipped grammar, loaded once."""
    grammar = (folder() / GRAMMAR).read_bytes()
    path = folder() / TABLES
    plain = json.loads(path.read_bytes()) if path.exists() else {}
    if plain.get("grammar") != hashlib.sha256(grammar).hexdigest():
        plain = build(grammar.decode())
    return from_plain(plain)


def build(grammar: str) -> dict[str, Any]:
    """The tables of `grammar` as plain values, built by Lark, which is loaded for this alone."""
    from eau2.sql import generate

    return generate.build(grammar)


def from_plain(plain: dict[str, Any]) -> Tables:
    """The tables from what the file holds."""
    terminals = tuple(plain["terminals"])
    number = {name: index for index, name in enumerate(terminals)}
    action_rows: list[dict[int, int] | int] = [
        row[0] if len(row) == 1 else dict(zip(row[::2], row[1::2], strict=True))
        for row in plain["actions"]
    ]
    goto_rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in plain["gotos"]]
    states = plain["states"]
    return Tables(
        terminals=terminals,
        words={word: number[name] for word, name in plain["words"].items()},
        signs={sign: number[sign] for sign in plain["signs"]},
        patterns=tuple((number[name], pattern) for name, pattern in plain["patterns"]),
        ignored=tuple(plain["ignored"]),
        rules=tuple(Rule(lhs, size, act, tuple(args)) for lhs, size, act, args in plain["rules"]),
        actions=tuple(action_rows[row] for row in states[::2]),
        gotos=tuple(goto_rows[row] for row in states[1::2]),
        end=number[END],
        skipped=number[SKIPPED],
    )


def main() -> None:
    """Rewrite the tables file from the grammar beside it."""
    plain = build((folder() / GRAMMAR).read_text(encoding="utf-8"))
    (folder() / TABLES).write_text(to_text(plain), encoding="utf-8")


def to_text(plain: dict[str, Any]) -> str:
    """The tables file: JSON, one line for each part, so that a change shows where it is."""
    lines = [f"{json.dumps(key)}:{json.dumps(plain[key], separators=(',', ':'))}" for key in plain]
    return "{" + ",\n".join(lines) + "}\n"


if __name__ == "__main__":
    main()
