"""The grammar file made into LALR tables, at development time.

Owns: the one use of Lark, and the form of the tables file. Comes in: the text of
grammar/eau2.lark. Goes out: plain values that `eau2.sql.tables` reads back without Lark.
Does not know: what the actions named in the grammar do.

The states are numbered in the order in which a walk from the start meets them, and states that
behave alike are one, so the tables depend on the grammar alone.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Any

import lark

START = "script"
END = "$END"
SKIPPED = "SKIPPED"
ROOT = -1
"""The rule number of what ends a parse."""

Row = dict[str, tuple[str, Any]]
"""What a state does at each symbol: ('shift', state), ('reduce', rule) or ('goto', state)."""


def digest(grammar: str) -> str:
    """What a tables file says about the grammar that it was built from."""
    return hashlib.sha256(grammar.encode()).hexdigest()


def build(grammar: str) -> dict[str, Any]:
    """The tables of `grammar` as plain values. Raises ValueError when the grammar has conflicts."""
    parser = _lark(grammar)
    rules, numbers = _rules(parser)
    states, start = _states(parser, numbers)
    states, start = _merged(states, start)
    defined = {terminal.name: terminal for terminal in parser.terminals}
    states = _walked(_signs_by_spelling(states, defined), start)
    used = {symbol for row in states for symbol in row}
    terminals = sorted(
        {symbol for row in states for symbol, (verb, _) in row.items() if verb != "goto"} | {END}
    )
    nonterminals = sorted({lhs for lhs, *_ in rules} | (used - set(terminals)))
    words = {name.lower(): name for name in terminals if name not in defined and name != END}
    words.pop(SKIPPED.lower())
    signs: list[str] = []
    patterns: list[list[str]] = []
    ordered = sorted(defined.values(), key=lambda one: (-one.priority, one.name))
    for terminal in (one for one in ordered if one.name not in parser.ignore_tokens):
        spelled = _spellings(terminal.pattern)
        if spelled is not None:
            words.update(dict.fromkeys(spelled, terminal.name))
        elif terminal.pattern.type == "str":
            signs.append(terminal.pattern.value)
        else:
            patterns.append([terminal.name, terminal.pattern.to_regexp()])
    ignored = [
        defined[name].pattern.to_regexp()
        for name in parser.ignore_tokens
        if defined[name].pattern.type == "re"
    ]
    return {
        "grammar": digest(grammar),
        "terminals": terminals,
        "nonterminals": nonterminals,
        "words": dict(sorted(words.items())),
        "signs": sorted(signs),
        "patterns": patterns,
        "ignored": ignored,
        "rules": [_plain_rule(rule, nonterminals) for rule in rules],
        **_plain_states(states, terminals, nonterminals),
    }


def _lark(grammar: str) -> Any:
    """The grammar as Lark reads it. A conflict that Lark would settle by itself is an error."""
    conflicts: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "conflict" in record.getMessage():
                conflicts.append(record.getMessage())

    listener = Listener()
    level = lark.logger.level
    lark.logger.addHandler(listener)
    lark.logger.setLevel(logging.DEBUG)
    lark.logger.propagate = False
    try:
        parser = lark.Lark(
            grammar,
            parser="lalr",
            lexer="basic",
            start=START,
            maybe_placeholders=True,
            debug=True,
        )
    finally:
        lark.logger.removeHandler(listener)
        lark.logger.setLevel(level)
        lark.logger.propagate = True
    if conflicts:
        raise ValueError("the grammar has conflicts:\n" + "\n".join(conflicts))
    return parser


def _spellings(pattern: Any) -> list[str] | None:
    """The words of a terminal that is a list of words; None for any other."""
    text = re.sub(r"\(\?:|\(|\)", "", pattern.to_regexp())
    words = text.split("|")
    return words if all(re.fullmatch(r"[a-z_]+", word) for word in words) else None


Rule = tuple[str, int, str, tuple[int, ...]]
"""What it reduces to, how many symbols it takes, its action, which of the symbols are arguments.

The action '' passes the only argument on; '[' starts a list and '+' lengthens it. An argument is a
position; -1 stands for None, and a position less than -1 for the items of the list at -2 - it.
"""


def _rules(parser: Any) -> tuple[list[Rule], dict[Any, int]]:
    """The distinct rules, and the number of each of Lark's."""
    defined = {terminal.name for terminal in parser.terminals if terminal.pattern.type == "re"}
    made = {rule: _rule(rule, defined) for rule in parser.rules}
    ordered = sorted(set(made.values()))
    place = {rule: number for number, rule in enumerate(ordered)}
    return ordered, {rule: place[value] for rule, value in made.items()}


def _rule(rule: Any, valued: set[str]) -> Rule:
    """One of Lark's rules as ours."""
    lhs = str(rule.origin.name)
    listed = lhs.startswith("__")
    arguments: list[int] = []
    position = 0
    gaps = rule.options.empty_indices or (False,) * len(rule.expansion)
    for gap in gaps:
        if gap:
            arguments.append(-1)
            continue
        symbol = rule.expansion[position]
        if not symbol.is_term and symbol.name.startswith("__"):
            arguments.append(-2 - position)
        elif not symbol.is_term or symbol.name in valued or rule.options.keep_all_tokens:
            arguments.append(position)
        position += 1
    size = len(rule.expansion)
    if listed:
        grown = bool(arguments) and arguments[0] == -2
        return lhs, size, "+" if grown else "[", tuple(arguments[1:] if grown else arguments)
    passes = rule.options.expand1 and not rule.alias and len(arguments) == 1 and arguments[0] >= 0
    return lhs, size, "" if passes else str(rule.alias or lhs), tuple(arguments)


def _states(parser: Any, numbers: dict[Any, int]) -> tuple[list[Row], int]:
    """Lark's states by number, and the start."""
    table = parser.parser.parser._parse_table
    place = {state: number for number, state in enumerate(table.states)}
    accepting = place[table.end_states[START]]
    rows: list[Row] = []
    for actions in table.states.values():
        row: Row = {}
        for symbol, (action, argument) in actions.items():
            if str(action) == "Reduce":
                row[symbol] = ("reduce", numbers[argument])
            elif symbol.islower():
                row[symbol] = ("goto", place[argument])
            else:
                row[symbol] = ("shift", place[argument])
        rows.append(row)
    rows[accepting] = {END: ("reduce", ROOT)}
    return rows, place[table.start_states[START]]


def _merged(rows: list[Row], start: int) -> tuple[list[Row], int]:
    """States that do the same at every symbol made one, until nothing changes."""
    classes = [0] * len(rows)
    count = 1
    while True:
        known: dict[Any, int] = {}
        refined = []
        for number, row in enumerate(rows):
            key = (
                classes[number],
                tuple(
                    sorted(
                        (symbol, verb, to if verb == "reduce" else classes[to])
                        for symbol, (verb, to) in row.items()
                    )
                ),
            )
            refined.append(known.setdefault(key, len(known)))
        classes = refined
        if len(known) == count:
            break
        count = len(known)
    merged: dict[int, Row] = {}
    for number, row in enumerate(rows):
        merged[classes[number]] = {
            symbol: (verb, to if verb == "reduce" else classes[to])
            for symbol, (verb, to) in row.items()
        }
    return [merged[number] for number in range(count)], classes[start]


def _walked(rows: list[Row], start: int) -> list[Row]:
    """The states numbered in the order of a walk from the start, symbols in order of name."""
    order = [start]
    place = {start: 0}
    for state in order:
        for _, (verb, to) in sorted(rows[state].items()):
            if verb != "reduce" and to not in place:
                place[to] = len(order)
                order.append(to)
    return [
        {
            symbol: (verb, to if verb == "reduce" else place[to])
            for symbol, (verb, to) in rows[state].items()
        }
        for state in order
    ]


def _signs_by_spelling(rows: list[Row], defined: dict[str, Any]) -> list[Row]:
    """The same states, where a terminal that is a sign goes by its spelling, not by Lark's name."""
    spelling = {
        name: one.pattern.value
        for name, one in defined.items()
        if one.pattern.type == "str" and not one.pattern.value.isalpha()
    }
    return [{spelling.get(symbol, symbol): what for symbol, what in row.items()} for row in rows]


def _plain_rule(rule: Rule, nonterminals: list[str]) -> list[Any]:
    lhs, size, action, arguments = rule
    return [nonterminals.index(lhs), size, action, list(arguments)]


def _plain_states(
    rows: list[Row], terminals: list[str], nonterminals: list[str]
) -> dict[str, list[Any]]:
    """Actions and gotos. Equal rows are written once; `states` says which two a state has.

    A row of actions is a list of terminal, action, terminal, action ...; an action is a state to
    go to, or -1 - a rule to reduce by, or -1 - the count of rules to end. A row that always
    reduces by the same rule is that one action: such a state needs no look at the next token.
    """
    terminal_of = {name: number for number, name in enumerate(terminals)}
    nonterminal_of = {name: number for number, name in enumerate(nonterminals)}
    actions: dict[tuple[int, ...], int] = {}
    gotos: dict[tuple[int, ...], int] = {}
    states = []
    for row in rows:
        acts = {
            terminal_of[symbol]: to if verb == "shift" else -2 - to
            for symbol, (verb, to) in row.items()
            if verb != "goto"
        }
        goes = {nonterminal_of[s]: to for s, (verb, to) in row.items() if verb == "goto"}
        only = set(acts.values())
        if len(only) == 1 and (single := only.pop()) < -1:
            action_row: tuple[int, ...] = (single,)
        else:
            action_row = tuple(number for pair in sorted(acts.items()) for number in pair)
        goto_row = tuple(number for pair in sorted(goes.items()) for number in pair)
        states.append(actions.setdefault(action_row, len(actions)))
        states.append(gotos.setdefault(goto_row, len(gotos)))
    return {
        "states": states,
        "actions": [list(row) for row in actions],
        "gotos": [list(row) for row in gotos],
    }
