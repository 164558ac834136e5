"""The grammar's alternatives one by one, and which of them a statement uses.

Owns: reading the grammar file with Lark, and running its automaton beside our parser. Comes in:
statements. Goes out: parts as text, `rule -> action: symbol`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import Any

from eau2.errors import SqlSyntaxError
from eau2.sql import driver, generate
from eau2.sql.build_statements import StatementReader, deepens
from eau2.sql.lexer import tokenize
from eau2.sql.tables import GRAMMAR, folder, tables

DEPTH = 250


@cache
def lark_parser() -> Any:
    """The grammar as Lark reads it."""
    return generate._lark((folder() / GRAMMAR).read_text(encoding="utf-8"))


def parts(rule: Any) -> set[str]:
    """What must be shown of one of Lark's rules: each of its symbols under the action it calls.

    Lark writes an alternative with optional parts out as many; here they are one.
    """
    name = f"{rule.origin.name} -> {rule.alias}" if rule.alias else str(rule.origin.name)
    symbols = {symbol.name for symbol in rule.expansion} or {"nothing"}
    if name.startswith("$"):
        return set()
    name = re.sub(r"_(star|plus)_\d+$", "_more", name)
    return {
        f"{name}: {symbol}" for symbol in symbols if not symbol.startswith("__") or _is_sign(symbol)
    }


def _is_sign(symbol: str) -> bool:
    return symbol.startswith("__ANON_")


@cache
def all_parts() -> frozenset[str]:
    """Every symbol of every alternative of the grammar."""
    return frozenset().union(*(parts(rule) for rule in lark_parser().rules))


@cache
def _names() -> dict[str, str]:
    """Lark's name of each terminal, by ours: signs go by their spelling there."""
    return {
        one.pattern.value: one.name
        for one in lark_parser().terminals
        if one.pattern.type == "str" and not one.pattern.value.isalpha()
    }


def used(text: str) -> set[str]:
    """The parts that the parser takes when it reads `text`.

    What an action refuses while it is read counts as well. Raises driver.UnexpectedTokenError.
    """
    known = tables()
    tokens = tokenize(text)
    with suppress(SqlSyntaxError):
        driver.parse(tokens, known, StatementReader(text).actions(), deepens, DEPTH)
    kinds = [known.terminals[kind] for kind in tokens.kinds]
    table = lark_parser().parser.parser._parse_table
    states = [table.start_states[generate.START]]
    taken: set[str] = set()
    for name in (_names().get(kind, kind) for kind in kinds):
        while True:
            action, argument = table.states[states[-1]][name]
            if str(action) != "Reduce":
                states.append(argument)
                break
            taken |= parts(argument)
            if argument.expansion:
                del states[-len(argument.expansion) :]
            states.append(table.states[states[-1]][argument.origin.name][1])
            if states[-1] == table.end_states[generate.START]:
                return taken
    return taken
