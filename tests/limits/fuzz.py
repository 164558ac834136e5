"""A fuzzer for the front end: `python -m tests.limits.fuzz --count 100000 --seed 1`.

Owns: `statement`, a text from a seed, and `fault`, what is wrong with how the front end takes it.
Texts are soups of tokens, and valid statements (those of the grammar's examples and of the .slt
files) with tokens taken out, doubled, exchanged, put into brackets, or replaced by pieces of other
statements. A text must have a plan that is well-formed after every rule, or raise an `eau2.Error`
that is not the engine's own fault. Nothing is run.

A text is the same for ever for its seed and number. The exit code is 1 when a fault was found.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import eau2
from eau2.catalog import Frame, Function, View
from eau2.errors import InputFileError, StatementError
from eau2.net.codec import decode_fragment, encode_fragment
from eau2.net.packing import MessageError
from eau2.operators.codec import FragmentError
from eau2.planner.optimizer import RULES
from eau2.planner.physical import plan as cut
from eau2.sql import ast
from eau2.sql.bind_insert import bind_insert
from eau2.sql.binder import bind
from eau2.sql.check import check
from eau2.sql.lexer import tokenize
from eau2.sql.logical import Logical
from eau2.sql.parser import parse
from eau2.sql.tables import tables
from tests.slt.records import read
from tests.unit.binder_tables import NOW, TABLES, frame
from tests.unit.grammar_examples import examples

SLT = Path(__file__).parent.parent / "slt"
SLOW_S = 5.0
"""Processor time after which a text of some hundred tokens counts as a fault."""

WORDS = frozenset(word.upper() for word in tables().words)
OPERATORS = frozenset(
    ["+", "-", "*", "/", "//", "%", "^", "||", "=", "<>", "!=", "<", "<=", ">", ">=", "&", "|"]
)

COLUMNS = tuple(name for name in TABLES["t"] if name.isidentifier())

Tokens = list[str]


class AnyTable:
    """A catalogue in which every name is a table; those of no test have the columns of `t`."""

    def frame(self, name: str) -> Frame | None:
        """See Catalog.frame."""
        return frame(name.lower(), TABLES.get(name.lower(), TABLES["t"]))

    def view(self, name: str) -> View | None:
        """See Catalog.view."""
        return None

    def function(self, name: str) -> Function | None:
        """See Catalog.function."""
        return None

    def functions(self) -> tuple[str, ...]:
        """See Catalog.functions."""
        return ()

    def file(self, path: str) -> Frame:
        """See Catalog.file."""
        raise InputFileError(f"there is no file {path}")

    def names(self) -> tuple[str, ...]:
        """See Catalog.names."""
        return tuple(TABLES)

    def epoch(self) -> Hashable:
        """See Catalog.epoch."""
        return 1


CATALOG = AnyTable()


@functools.cache
def corpus() -> tuple[tuple[str, ...], ...]:
    """Valid statements as tokens."""
    texts = examples()
    for path in sorted(SLT.glob("*.slt")):
        texts += [r.sql for r in read(path) if r.head and r.head[0] in ("query", "statement")]
    return tuple(filter(None, (tuple(pieces(text)) for text in dict.fromkeys(texts))))


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """The tokens of all statements, each once."""
    return tuple(dict.fromkeys(token for tokens in corpus() for token in tokens))


def pieces(text: str) -> Tokens:
    """The tokens of a text as they are written."""
    cuts = tokenize(text)
    return [
        text[start:end] for start, end in zip(cuts.starts, cuts.ends, strict=True) if start < end
    ]


def statement(seed: str, number: int) -> str:
    """A text to try."""
    random = Random(f"{seed}/{number}")
    if random.random() < 0.1:
        words = random.choices(vocabulary(), k=random.randint(1, 30))
        return " ".join(["SELECT", *words] if random.random() < 0.5 else words)
    tokens = list(random.choice(corpus()))
    changes = GENTLE if random.random() < 0.75 else CHANGES
    for _ in range(random.choice((1, 1, 1, 1, 2, 2, 3, 5))):
        random.choice(changes)(tokens, random)
    return " ".join(tokens)


def _span(tokens: Tokens, random: Random, most: int = 8) -> tuple[int, int]:
    start = random.randrange(len(tokens) + 1)
    return start, min(len(tokens), start + random.randint(1, most))


def _drop(tokens: Tokens, random: Random) -> None:
    start, end = _span(tokens, random, 4)
    del tokens[start:end]


def _double(tokens: Tokens, random: Random) -> None:
    start, end = _span(tokens, random)
    tokens[start:start] = tokens[start:end] * random.choice((1, 1, 2, 20))


def _exchange(tokens: Tokens, random: Random) -> None:
    if tokens:
        first, second = random.randrange(len(tokens)), random.randrange(len(tokens))
        tokens[first], tokens[second] = tokens[second], tokens[first]


def _replace(tokens: Tokens, random: Random) -> None:
    if tokens:
        tokens[random.randrange(len(tokens))] = random.choice(vocabulary())


def _insert(tokens: Tokens, random: Random) -> None:
    tokens.insert(random.randrange(len(tokens) + 1), random.choice(vocabulary()))


def _splice(tokens: Tokens, random: Random) -> None:
    other = list(random.choice(corpus()))
    start, end = _span(tokens, random)
    low, high = _span(other, random, 12)
    tokens[start:end] = other[low:high]


def _embed(tokens: Tokens, random: Random) -> None:
    """Another whole statement in brackets, in the place of a token."""
    start, end = _span(tokens, random, 2)
    tokens[start:end] = ["(", *random.choice(corpus()), ")"]


def _kind(token: str) -> str:
    """What a token is, roughly: those of one kind may often stand in one another's place."""
    if token.upper() in WORDS:
        return "word"
    if token[0].isalpha() or token[0] in '_"':
        return "name"
    if token[0].isdigit():
        return "number"
    return "string" if token[0] == "'" else "operator" if token in OPERATORS else token


@functools.cache
def _alike() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for token in vocabulary():
        found.setdefault(_kind(token), []).append(token)
    return {kind: tuple(tokens) for kind, tokens in found.items()}


def _vary(tokens: Tokens, random: Random) -> None:
    """Another token of the same kind."""
    kinds = set(_alike()) - {"word"}
    places = [place for place, token in enumerate(tokens) if _kind(token) in kinds]
    if places:
        place = random.choice(places)
        kind = _kind(tokens[place])
        known = COLUMNS if kind == "name" and random.random() < 0.7 else _alike()[kind]
        tokens[place] = random.choice(known)


def _groups(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where brackets open and close."""
    opened: list[int] = []
    found = []
    for place, token in enumerate(tokens):
        if token == "(":
            opened.append(place)
        elif token == ")" and opened:
            found.append((opened.pop(), place + 1))
    return found


@functools.cache
def _graftable() -> tuple[tuple[str, ...], ...]:
    return tuple(tokens[i:j] for tokens in corpus() for i, j in _groups(tokens))


def _graft(tokens: Tokens, random: Random) -> None:
    """Another group in the place of a group in brackets, or of a token that is a value."""
    places = _groups(tokens)
    values = ("name", "number", "string")
    places += [(i, i + 1) for i, token in enumerate(tokens) if _kind(token) in values]
    if places:
        start, end = random.choice(places)
        tokens[start:end] = random.choice(_graftable())


def _wrap(tokens: Tokens, random: Random) -> None:
    start, end = _span(tokens, random)
    times = random.choice((1, 1, 2, 30))
    opening, closing = random.choice(
        ((["("], [")"]), (["NOT", "("], [")"]), (["-", "("], [")"]), (["(", "SELECT"], [")"]))
    )
    tokens[start:end] = opening * times + tokens[start:end] + closing * times


Change = Callable[[Tokens, Random], None]

GENTLE: tuple[Change, ...] = (_vary, _graft)
"""What often leaves a statement that can be parsed."""
CHANGES: tuple[Change, ...] = (
    *(_drop, _double, _exchange, _replace, _insert, _splice, _embed, _wrap),
    *GENTLE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: the text, and what the front end raised or how long it took."""

    text: str
    what: str
    where: str


def fault(text: str, outcomes: Counter[str] | None = None) -> Fault | None:
    """What is wrong with how the front end takes the text; None when nothing is.

    outcomes: counts how texts ended.
    """
    counts: Counter[str] = Counter() if outcomes is None else outcomes
    started = time.process_time()
    found: Fault | None = None
    try:
        for one in parse(text):
            counts[_planned(one)] += 1
    except eau2.InternalError as error:
        found = _fault(text, error)
    except eau2.Error as error:
        counts[type(error).__name__] += 1
        # An error that cannot be shown is no better than a crash.
        shown = error.with_text(text) if isinstance(error, StatementError) else error
        if not str(shown):
            found = Fault(text, "an error that says nothing", type(error).__name__)
    except Exception as error:
        found = _fault(text, error)
    seconds = time.process_time() - started
    if found is None and seconds > SLOW_S:
        found = Fault(text, f"took {seconds:.1f} s", "slow")
    return found


def _fault(text: str, error: Exception) -> Fault:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    return Fault(text, f"{type(error).__name__}: {error}"[:500], where)


def _planned(node: ast.Statement) -> str:
    """Plan the queries in a statement; what was done."""
    match node:
        case ast.Query():
            _plan(node)
        case ast.Explain(query=query):
            _plan(query)
        case ast.CreateTable(query=ast.Query() as query) | ast.CreateView(query=query):
            _plan(query)
        case ast.Describe(target=ast.Query() as query):
            _plan(query)
        case ast.Insert(name=name):
            into = CATALOG.frame(name)
            assert into is not None
            _optimized(bind_insert(node, into.schema, CATALOG, None, now=NOW))
        case ast.Prepare(statement=inner):
            return _planned(inner)
        case _:
            return "parsed"
    return "planned"


def _plan(query: ast.Query) -> None:
    bound = bind(query, CATALOG, None, NOW)
    stages = cut(_optimized(bound.plan), bound.names).stages
    try:
        for stage in stages:
            decode_fragment(encode_fragment(stage.root))
    except (FragmentError, MessageError) as error:
        # The cluster says so by another name.
        raise eau2.NotSupportedError(error.message) from error


def _optimized(plan: Logical) -> Logical:
    check(plan)
    shape = [(column.id, column.type) for column in plan.output]
    for rule in RULES:
        plan = rule.apply(plan)
        check(plan)
        if [(column.id, column.type) for column in plan.output] != shape:
            raise eau2.InternalError(f"the rule {rule.name} changed the columns of the result")
    return plan


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--start", type=int, default=0, help="the number of the first text")
    options = parser.parse_args(arguments)
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    started = time.process_time()
    for number in range(options.start, options.start + options.count):
        found = fault(statement(options.seed, number), outcomes)
        if found is None:
            continue
        kinds[found.where] += 1
        if kinds[found.where] <= 2:
            print(
                f"{options.seed}/{number} {found.where}\n  {found.what}\n  {found.text}", flush=True
            )
    seconds = time.process_time() - started
    print(f"{options.count} texts, {seconds:.1f} s, {kinds.total()} faults of {len(kinds)} kinds")
    for name, count in outcomes.most_common():
        print(f"{count:8}  {name}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
