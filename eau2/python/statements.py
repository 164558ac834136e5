"""Statements of Python: locals, branches, loops, and how a function ends.

Owns: the order in which things happen, and which rows reach them. A branch that leaves the function
(or its loop) takes what comes after it along, so that CASE says what `if` said; other branches meet
again, and each name has one value from there. Comes in: statements, a Reader, a Program. Goes out:
the value that they return. Does not know: expressions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Protocol

from eau2.config import LIMITS
from eau2.operators.expr import Call, Expr, Literal
from eau2.python import refused, vocabulary
from eau2.python.annotations import type_of
from eau2.python.appending import change_of, is_list, lengthened
from eau2.python.changes import Changes
from eau2.python.expressions import FALSE, TRUE, condition, expression
from eau2.python.iteration import length_of
from eau2.python.loops import (
    Widened,
    folds,
    read_loop,
    rounds_within,
    short_rounds,
    states_of,
)
from eau2.python.patterns import chain_of, raised, text_of
from eau2.python.program import Path, Program, chosen
from eau2.python.reader import Missing, Reader, Value
from eau2.python.unpacking import unpacked
from eau2.python.vocabulary import Refusal
from eau2.records import Record, Struct, field, replace
from eau2.types import BOOLEAN, SqlType

Env = dict[str, Value]


Result = Callable[[ast.expr | None, Reader, ast.stmt], Expr]
"""How the value of a return is read: in the type that the function gives."""


class Exits(Protocol):
    """What becomes of the values at the places where statements end. reader: with the locals."""

    def returned(self, value: Expr, reader: Reader) -> Expr:
        """At a return."""

    def failed(self, message: str, reader: Reader, node: ast.stmt) -> Expr:
        """Where an exception ends the query."""

    def ended(self, reader: Reader) -> Expr:
        """After the last statement, and at a continue: at the end of a loop's round."""

    def broke(self, reader: Reader) -> Expr:
        """At a break."""


RETURNED, VALUE, BROKE, CONTINUED = "<returned>", "<value>", "<broke>", "<continued>"
"""Locals that say how the rows have left statements which some of them leave and others do not."""
_FLAGS = (RETURNED, BROKE, CONTINUED)
_JUMPS = (ast.Break, ast.Continue)
_LEAVES = (ast.Return, ast.Raise, *_JUMPS)


class _Assigned(Record, frozen=True):
    """In place of a statement: a name gets a value that is known."""

    name: str
    value: Value


Step = ast.stmt | _Assigned


class Block(Struct):
    """Statements being compiled into a program. steps: how many have been read so far.

    type: of what is returned, where that is declared. changes: the lists that may change. rounds:
    how often it runs, as far as that is known.
    """

    program: Program
    exits: Exits
    result: Result
    type: SqlType
    steps: int = 0
    changes: Changes = field(default_factory=lambda: Changes(None))
    rounds: int = 1

    def run(self, statements: Sequence[Step], reader: Reader, path: Path) -> Expr:
        """The value of a run through the statements to wherever they end."""
        place = 0
        while place < len(statements):
            statement = statements[place]
            place += 1
            rest = statements[place:]
            self._count(statement, reader)
            match statement:
                case ast.Return(value=value):
                    return self.exits.returned(self.result(value, reader, statement), reader)
                case ast.Raise():
                    return self.exits.failed(raised(statement, reader), reader, statement)
                case ast.Break():
                    return self.exits.broke(reader)
                case ast.Continue():
                    return self.exits.ended(reader)
                case ast.If(test=test, body=body, orelse=orelse) if leaves(body) or leaves(orelse):
                    holds = self.program.bind(condition(test, reader), path)
                    yes, no = reader.over(reader.env), reader.over(reader.env)
                    then = self.run(_followed(body, rest), yes, (*path, (holds, True)))
                    other = self.run(_followed(orelse, rest), no, (*path, (holds, False)))
                    return chosen(holds, then, other)
                case ast.Match():
                    statements, place = [*self._cases(statement, reader, path), *rest], 0
                case ast.For() if not jumps(statement.body):
                    written = self._written(statement, reader)
                    if written is None:
                        left = self._left(statement, rest, reader, path)
                        if left is not None:
                            return left
                    else:
                        statements, place = [*written, *rest], 0
                case ast.If() | ast.For():
                    left = self._left(statement, rest, reader, path)
                    if left is not None:
                        return left
                case _:
                    self._plain(statement, reader, path)
        return self.exits.ended(reader)

    def _left(
        self, statement: Step, rest: Sequence[Step], reader: Reader, path: Path
    ) -> Expr | None:
        """The value of a statement that some rows leave, and of the rest; None if none leaves."""
        reader.env |= {**dict.fromkeys(_FLAGS, FALSE), VALUE: Literal(self.type, None)}
        self.walk([statement], reader, path)
        ways: list[tuple[Expr, Callable[[], Expr]]] = [
            (self._flag(RETURNED, reader, path), lambda: self._returned(reader)),
            (self._flag(BROKE, reader, path), lambda: self.exits.broke(reader)),
            (self._flag(CONTINUED, reader, path), lambda: self.exits.ended(reader)),
        ]
        taken = [(flag, way) for flag, way in ways if flag != FALSE]
        if not taken:
            return None
        value = self.run(
            rest, reader.over(reader.env), (*path, *((flag, False) for flag, _ in taken))
        )
        for flag, way in reversed(taken):
            value = chosen(flag, way(), value)
        return value

    def _returned(self, reader: Reader) -> Expr:
        value = reader.env[VALUE]
        assert isinstance(value, Expr)
        return self.exits.returned(value, reader)

    def _flag(self, name: str, reader: Reader, path: Path) -> Expr:
        value = reader.env[name]
        assert isinstance(value, Expr)
        return value if value == FALSE else self.program.bind(value, path)

    def walk(self, statements: Sequence[Step], reader: Reader, path: Path) -> None:
        """Run through statements that rows may leave, which flags among the locals tell."""
        for place, statement in enumerate(statements):
            self._count(statement, reader)
            match statement:
                case ast.Return(value=value):
                    reader.env[VALUE] = self.result(value, reader, statement)
                    reader.env[RETURNED] = TRUE
                    return None
                case ast.Raise():
                    text, where = raised(statement, reader), reader.where(statement)
                    self.program.bind(vocabulary.failure(text, self.type, where), path)
                    reader.env[RETURNED] = TRUE
                    return None
                case ast.Break() | ast.Continue():
                    name = BROKE if isinstance(statement, ast.Break) else CONTINUED
                    reader.env[name] = TRUE
                    return None
                case ast.If(test=test, body=body, orelse=orelse):
                    holds = self.program.bind(condition(test, reader), path)
                    self._either(holds, body, orelse, reader, path)
                    if escapes(statement):
                        return self._unless_left(_FLAGS, statements[place + 1 :], reader, path)
                case ast.Match():
                    cases = self._cases(statement, reader, path)
                    return self.walk([*cases, *statements[place + 1 :]], reader, path)
                case ast.For():
                    self._loop(statement, reader, path)
                    if escapes(statement):
                        return self._unless_left(_FLAGS, statements[place + 1 :], reader, path)
                case _:
                    self._plain(statement, reader, path)
        return None

    def _either(
        self,
        holds: Expr,
        body: Sequence[Step],
        orelse: Sequence[Step],
        reader: Reader,
        path: Path,
    ) -> None:
        """Both branches of an if, which meet again behind it."""
        if isinstance(holds, Literal):
            self.walk(body if holds.value is True else orelse, reader, path)
            return
        yes, no = reader.over(reader.env), reader.over(reader.env)
        self.walk(body, yes, (*path, (holds, True)))
        self.walk(orelse, no, (*path, (holds, False)))
        for name in {**yes.env, **no.env}:
            reader.env[name] = self._met(name, holds, yes.env, no.env, reader, path)

    def _unless_left(
        self, flags: Sequence[str], statements: Sequence[Step], reader: Reader, path: Path
    ) -> None:
        """Statements for the rows of which no flag is up."""
        up = [self._flag(name, reader, path) for name in flags]
        up = [flag for flag in up if flag != FALSE]
        if not statements or TRUE in up:
            return
        if not up:
            self.walk(statements, reader, path)
            return
        left = self.program.bind(reduce(lambda a, b: Call(BOOLEAN, "or", (a, b)), up), path)
        self._either(left, (), statements, reader, path)

    def _loop(self, statement: ast.For, reader: Reader, path: Path) -> None:
        """A loop that is part of statements which rows may leave."""
        written = self._rounds_of(statement, reader)
        if written is None:
            self._folded(statement, reader, path)
            return
        outside = {name: reader.env[name] for name in (BROKE, CONTINUED) if name in reader.env}
        reader.env |= dict.fromkeys(_FLAGS, FALSE) | {RETURNED: reader.env.get(RETURNED, FALSE)}
        for step in written:
            self._unless_left((RETURNED, BROKE), [step, *statement.body], reader, path)
            reader.env[CONTINUED] = FALSE
        reader.env |= outside

    def _rounds_of(self, statement: ast.For, reader: Reader) -> list[Step] | None:
        """What gives the variable its value in each round; None for a loop over a list."""
        if statement.orelse:
            raise reader.refuse(statement, "a for with an else", "Put the else behind the loop.")
        values = short_rounds(statement, reader, expression)
        if values is None:
            return None
        name = statement.target
        if not isinstance(name, ast.Name):
            raise reader.refuse(name, "only one name can stand here", "Use positions.")
        return [_Assigned(name.id, value) for value in values]

    def _written(self, statement: ast.For, reader: Reader) -> list[Step] | None:
        """All rounds of a loop one after the other; None for a loop over a list."""
        rounds = self._rounds_of(statement, reader)
        if rounds is None:
            return None
        return [step for assigned in rounds for step in (assigned, *statement.body)]

    def _folded(self, statement: ast.For, reader: Reader, path: Path) -> None:
        """A loop over a list: what its rounds change has another value behind it."""
        loop = read_loop(statement, reader, expression, partial(self._bound, path))
        walk = replace(loop.walk, lists=tuple(map(partial(self._bound, path), loop.walk.lists)))
        rounds = self._bound(path, length_of(loop.walk.lists[0], reader.where(statement)))
        within = rounds_within(loop, rounds, self.rounds, reader)

        def run(exits: Exits, inner: Reader) -> Expr:
            program = Program(self.program.scopes, self.program.scopes.fresh())
            block = replace(self, program=program, exits=exits, rounds=within)
            value = block.run(loop.body, inner, ())
            self.steps = block.steps
            return program.assembled(value)

        types: dict[str, SqlType] = {}
        values: list[Expr] | None = None
        while values is None:
            states = states_of(loop, reader, self.type, types)
            try:
                values = folds(loop, walk, rounds, states, reader, run)
            except Widened as widened:
                types[widened.name] = widened.type
            except Refusal as refusal:
                raise reader.refuse(statement, refusal.message, refusal.hint or None) from None
        for name in loop.stored:
            reader.env[name] = Missing(
                f"{name} has no value where the loop has no round",
                f"Give it one before the loop: {name} = ...",
            )
        # What is returned is computed by the last of them alone.
        alike = len(states) - ("value" in {state.kind for state in states})
        ends = {"returned": RETURNED, "value": VALUE}
        for state, held in zip(
            states, self.program.bind_together(values, path, alike), strict=True
        ):
            place = state.name if state.kind == "local" else ends.get(state.kind)
            if place is not None:
                reader.env[place] = held

    def _cases(self, statement: ast.Match, reader: Reader, path: Path) -> list[ast.stmt]:
        """A match as a chain of ifs over a subject that is computed once."""
        subject = f"<subject of line {statement.lineno}>"
        reader.env[subject] = self.program.bind(expression(statement.subject, reader), path)
        return chain_of(statement, subject, reader)

    def _plain(self, statement: Step, reader: Reader, path: Path) -> None:
        """A statement that no row leaves."""
        match statement:
            case _Assigned(name=name, value=value):
                reader.env[name] = value
            case ast.Pass():
                return
            case ast.Assert(test=test, msg=message):
                text = "" if message is None else f": {text_of(message, reader)}"
                holds = condition(test, reader)
                where = reader.where(statement)
                failed = vocabulary.failure(f"AssertionError{text}", BOOLEAN, where)
                self.program.bind(chosen(holds, TRUE, failed), path)
            case ast.stmt():
                self._simple(statement, reader, path)

    def _count(self, statement: Step, reader: Reader) -> None:
        self.steps += 1
        if self.steps > LIMITS.function_steps and isinstance(statement, ast.stmt):
            raise reader.refuse(
                statement,
                f"its loops and branches, written out, are more than {LIMITS.function_steps:,} "
                "statements",
                "Split it into several functions, or loop over a list.",
            )

    def _simple(self, statement: ast.stmt, reader: Reader, path: Path) -> None:
        """A statement that gives names values, and goes on."""
        change = change_of(statement, reader)
        if change is not None:
            self.changes.check(change[0], statement, reader)
            after = lengthened(*change, reader, partial(self._bound, path))
            reader.env[change[0]] = self._bound(path, after)
            return
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.Expr(value=value):
                self.program.bind(expression(value, reader), path)
            case ast.Assign(targets=targets, value=value):
                for target in targets[:-1]:
                    if not isinstance(target, ast.Name):
                        raise reader.refuse(target, "only names can be chained", "Use two lines.")
                self._assign(targets, value, reader, path)
            case ast.AnnAssign(target=ast.Name(id=name) as target, annotation=written, value=value):
                type_ = type_of(written, reader.names, reader.source)
                if value is None:
                    reader.env[name] = Missing(f"{name} has no value yet", f"Write {name} = ...")
                    return
                held = self._converted(expression(value, reader), type_, target, reader)
                reader.env[name] = self.program.bind(held, path)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                if is_list(name, reader):
                    self.changes.check(name, statement, reader)
                read = ast.copy_location(ast.Name(name, ast.Load()), target)
                whole = ast.copy_location(ast.BinOp(read, op, value), statement)
                reader.env[name] = self.program.bind(expression(whole, reader), path)
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                raise _unchangeable(target, reader)
            case _:
                message, hint = refused.STATEMENTS.get(
                    type(statement), (f"{type(statement).__name__} is not there", "Leave it out.")
                )
                raise reader.refuse(statement, message, hint)

    def _assign(
        self, targets: Sequence[ast.expr], value: ast.expr, reader: Reader, path: Path
    ) -> None:
        """Give names before = their values; a, b = x, y computes its right side first."""
        match targets:
            case [ast.Tuple(elts=names) | ast.List(elts=names)]:
                for name, part in unpacked(names, value, reader, partial(self._bound, path)):
                    reader.env[name] = part
                return
        held_value = self.program.bind(expression(value, reader), path)
        for target in targets:
            if not isinstance(target, ast.Name):
                raise _unchangeable(target, reader)
            reader.env[target.id] = held_value

    def _bound(self, path: Path, value: Expr) -> Expr:
        return self.program.bind(value, path)

    def _met(self, name: str, holds: Expr, yes: Env, no: Env, reader: Reader, path: Path) -> Value:
        """The value of a name where two branches meet."""
        one, two = yes.get(name), no.get(name)
        if name in _FLAGS and two == FALSE and isinstance(one, Expr) and one != FALSE:
            return holds if one == TRUE else Call(BOOLEAN, "and", (holds, one))
        if one == two and one is not None:
            return one
        for value in (one, two):
            if value is None or isinstance(value, Missing):
                return Missing(
                    f"{name} has a value in one branch only",
                    f"Give it one before the if, or in the other branch too: {name} = None.",
                )
        assert isinstance(one, Expr)
        assert isinstance(two, Expr)
        try:
            then, other = vocabulary.unified((one, two), reader.source.name, name)
        except Refusal as refusal:
            return Missing(refusal.message, refusal.hint or "Give it one type.")
        return self.program.bind(chosen(holds, then, other), path)

    def _converted(self, value: Expr, type_: SqlType, node: ast.Name, reader: Reader) -> Expr:
        try:
            return vocabulary.converted(value, type_, reader.where(node), node.id)
        except Refusal as refusal:
            raise reader.refuse(node, refusal.message, refusal.hint or None) from None


def _followed(body: Sequence[Step], rest: Sequence[Step]) -> Sequence[Step]:
    """The statements of a branch, and what comes behind it for the rows that get there."""
    return body if leaves(body) else [*body, *rest]


def leaves(statements: Sequence[Step]) -> bool:
    """Whether no row gets behind the statements."""
    match statements[-1] if statements else None:
        case ast.If(body=body, orelse=orelse):
            return leaves(body) and leaves(orelse)
        case last:
            return isinstance(last, _LEAVES)


def escapes(statement: ast.stmt) -> bool:
    """Whether a row may leave in the statement: by return, raise, break or continue."""
    return any(isinstance(node, _LEAVES) for node in ast.walk(statement))


def jumps(body: Sequence[ast.stmt]) -> bool:
    """Whether a break or continue stands in the body of a loop, for it or for one inside it."""
    return any(isinstance(node, _JUMPS) for part in body for node in ast.walk(part))


def _unchangeable(target: ast.expr, reader: Reader) -> Exception:
    return reader.refuse(
        target, "values never change, so only names can be assigned to", "Make a new list."
    )
