"""Statements of Python: locals, branches, loops, and how a function ends.

Owns: the order in which things happen, and which rows reach them. A branch that leaves the function
(or its loop) takes what comes after it along, so that CASE says what `if` said; other branches meet
again, and each name has one value from there. Comes in: statements, a Reader, a Program. Goes out:
the value that they return. Does not know: expressions.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Protocol

from eau2.config import LIMITS
from eau2.operators.expr import Expr, Literal
from eau2.python import refused, vocabulary
from eau2.python.annotations import type_of
from eau2.python.calling import is_range, range_ends
from eau2.python.expressions import FALSE, condition, expression
from eau2.python.loops import folds, read_loop, states_of
from eau2.python.program import Path, Program, chosen, is_simple
from eau2.python.reader import Missing, Reader, Value
from eau2.python.vocabulary import Refusal
from eau2.records import Record, Struct
from eau2.types import SqlType

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


class _Assigned(Record, frozen=True):
    """In place of a statement: a name gets a value that is known."""

    name: str
    value: Value


class _Mark(Record, frozen=True):
    """In place of a statement: a round of a loop ends here, or the loop itself."""

    loop: bool


Step = ast.stmt | _Assigned | _Mark


class Block(Struct):
    """Statements being compiled into a program. steps: how many have been read so far.

    type: of what is returned, where that is declared.
    """

    program: Program
    exits: Exits
    result: Result
    type: SqlType
    steps: int = 0

    def run(self, statements: Sequence[Step], reader: Reader, path: Path) -> Expr:
        """The value of a run through the statements to wherever they end."""
        ended = self._walk(statements, reader, path)
        return self.exits.ended(reader) if ended is None else ended

    def _walk(self, statements: Sequence[Step], reader: Reader, path: Path) -> Expr | None:
        """As `run`; None when the last statement was passed. Changes the reader's values."""
        place = 0
        while place < len(statements):
            statement = statements[place]
            place += 1
            rest = statements[place:]
            self._count(statement, reader)
            match statement:
                case _Assigned(name=name, value=value):
                    reader.env[name] = value
                case _Mark() | ast.Pass():
                    continue
                case ast.Return(value=value):
                    return self.exits.returned(self.result(value, reader, statement), reader)
                case ast.Break() | ast.Continue():
                    after = _after(isinstance(statement, ast.Break), rest)
                    if after is None:
                        broke = isinstance(statement, ast.Break)
                        return (self.exits.broke if broke else self.exits.ended)(reader)
                    statements, place = after, 0
                case ast.Raise():
                    return self.exits.failed(_raised(statement, reader), reader, statement)
                case ast.Assert(test=test, msg=message):
                    text = "" if message is None else f": {_text(message, reader)}"
                    holds = self.program.bind(condition(test, reader), path)
                    failed = self.exits.failed(f"AssertionError{text}", reader, statement)
                    passed = self.run(rest, reader, (*path, (holds, True)))
                    return chosen(holds, passed, failed)
                case ast.If(test=test, body=body, orelse=orelse):
                    holds = self.program.bind(condition(test, reader), path)
                    value = self._branch(holds, body, orelse, rest, reader, path)
                    if value is not None:
                        return value
                case ast.Match():
                    statements, place = [*self._cases(statement, reader, path), *rest], 0
                case ast.For():
                    found = self._loop(statement, rest, reader, path)
                    if isinstance(found, Expr):
                        return found
                    statements, place = found, 0
                case _:
                    self._simple(statement, reader, path)
        return None

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
        match targets, value:
            case [ast.Tuple(elts=names) | ast.List(elts=names)], (
                ast.Tuple(elts=values) | ast.List(elts=values)
            ):
                if len(names) != len(values):
                    raise reader.refuse(value, f"{len(values)} values for {len(names)} names")
                held = [self.program.bind(expression(v, reader), path) for v in values]
                for name, part in zip(names, held, strict=True):
                    if not isinstance(name, ast.Name):
                        raise _unchangeable(name, reader)
                    reader.env[name.id] = part
                return
        held_value = self.program.bind(expression(value, reader), path)
        for target in targets:
            if not isinstance(target, ast.Name):
                raise _unchangeable(target, reader)
            reader.env[target.id] = held_value

    def _branch(
        self,
        holds: Expr,
        body: Sequence[Step],
        orelse: Sequence[Step],
        rest: Sequence[Step],
        reader: Reader,
        path: Path,
    ) -> Expr | None:
        """The value of an `if` and all after it; None when both sides meet again behind it."""
        if isinstance(holds, Literal):
            taken = body if holds.value is True else orelse
            return self.run([*taken, *rest], reader, path)
        yes, no = reader.over(reader.env), reader.over(reader.env)
        if _escapes(body) or _escapes(orelse):
            then = self.run([*body, *rest], yes, (*path, (holds, True)))
            other = self.run([*orelse, *rest], no, (*path, (holds, False)))
            return chosen(holds, then, other)
        self._walk(body, yes, (*path, (holds, True)))
        self._walk(orelse, no, (*path, (holds, False)))
        for name in {**yes.env, **no.env}:
            reader.env[name] = self._met(name, holds, yes.env, no.env, reader, path)
        return None

    def _met(self, name: str, holds: Expr, yes: Env, no: Env, reader: Reader, path: Path) -> Value:
        """The value of a name where two branches meet."""
        one, two = yes.get(name), no.get(name)
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
            raise reader.refuse(node, refusal.message, refusal.hint) from None

    def _cases(self, statement: ast.Match, reader: Reader, path: Path) -> list[Step]:
        """A match as a chain of ifs over a subject that is computed once."""
        subject = f"<subject of line {statement.lineno}>"
        reader.env[subject] = self.program.bind(expression(statement.subject, reader), path)
        chain: list[ast.stmt] = []
        for case in reversed(statement.cases):
            test, bound = _pattern(case.pattern, subject, reader)
            if case.guard is not None and bound is not None:
                raise reader.refuse(
                    case.guard, "a guard beside a name that the pattern gives", "Use if inside."
                )
            tests = [part for part in (test, case.guard) if part is not None]
            body = [*([] if bound is None else [bound]), *case.body]
            if not tests:
                chain = body
                continue
            whole = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
            place = ast.If(whole, body, chain)
            chain = [ast.fix_missing_locations(ast.copy_location(place, case.pattern))]
        return list(chain)

    def _loop(
        self, statement: ast.For, rest: Sequence[Step], reader: Reader, path: Path
    ) -> Expr | Sequence[Step]:
        """A loop: its rounds written out where they are few, else a fold over a list."""
        if statement.orelse:
            raise reader.refuse(statement, "a for with an else", "Put the else behind the loop.")
        values = _rounds(statement, reader)
        if values is None:
            return self._folded(statement, rest, reader, path)
        name = statement.target
        if not isinstance(name, ast.Name):
            raise reader.refuse(name, "only one name can stand here", "Use positions.")
        written: list[Step] = []
        for value in values:
            written += [_Assigned(name.id, value), *statement.body, _Mark(loop=False)]
        return [*written, _Mark(loop=True), *rest]

    def _folded(
        self, statement: ast.For, rest: Sequence[Step], reader: Reader, path: Path
    ) -> Expr | Sequence[Step]:
        loop = read_loop(statement, reader, expression)
        states = states_of(loop, reader, self.type)
        lists = self.program.bind(loop.lists, path)

        def run(exits: Exits, inner: Reader) -> Expr:
            program = Program(self.program.scopes, self.program.scopes.fresh())
            block = Block(program, exits, self.result, self.type, self.steps)
            value = block.run(loop.body, inner, ())
            self.steps = block.steps
            return program.assembled(value)

        try:
            values = folds(loop, lists, states, reader, run)
        except Refusal as refusal:
            raise reader.refuse(statement, refusal.message, refusal.hint) from None
        for name in loop.stored:
            reader.env[name] = Missing(
                f"{name} has no value where the loop has no round",
                f"Give it one before the loop: {name} = ...",
            )
        ends: dict[str, Expr] = {"done": FALSE, "returned": FALSE}
        # What is returned is computed by the last of them alone.
        alike = len(states) - ("value" in {state.kind for state in states})
        for state, held in zip(
            states, self.program.bind_together(values, path, alike), strict=True
        ):
            if state.kind == "local":
                reader.env[state.name] = held
            ends[state.kind] = held
        if "value" not in ends:
            return rest
        left = ends["returned"]
        returned = self.exits.returned(ends["value"], reader)
        return chosen(left, returned, self.run(rest, reader, (*path, (left, False))))


def _rounds(statement: ast.For, reader: Reader) -> list[Expr] | None:
    """The values of a loop over a literal range or list that is short; None for any other."""
    items: list[Expr]
    match statement.iter:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            items = [expression(element, reader) for element in elements]
            items = [item for item in items if is_simple(item)]
            if len(items) < len(elements):
                return None
        case ast.Call() as call if is_range(call, reader):
            found = [number_of(end) for end in range_ends(call, reader, expression)]
            ends = [end for end in found if end is not None]
            if len(ends) < 3 or ends[2] == 0:
                return None
            numbers = range(*ends)
            if len(numbers) > LIMITS.function_rounds:
                return None
            items = [vocabulary.literal(number) for number in numbers]
        case _:
            return None
    size = sum(1 for part in statement.body for _ in ast.walk(part))
    few = len(items) * size <= LIMITS.function_written_nodes
    return items if few and len(items) <= LIMITS.function_rounds else None


def number_of(expr: Expr) -> int | None:
    """A constant whole number; None for anything else."""
    value = expr.value if isinstance(expr, Literal) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _after(of_loop: bool, rest: Sequence[Step]) -> Sequence[Step] | None:
    """What comes after the round, or after the loop, that the statements are part of."""
    for number, step in enumerate(rest):
        if isinstance(step, _Mark) and step.loop >= of_loop:
            return rest[number + 1 :]
    return None


def _escapes(statements: Sequence[Step]) -> bool:
    """Whether a return, raise, assert, break or continue is somewhere among the statements."""
    kinds = (ast.Return, ast.Raise, ast.Assert, ast.Break, ast.Continue)
    for step in statements:
        if isinstance(step, ast.stmt) and any(isinstance(n, kinds) for n in ast.walk(step)):
            return True
    return False


def _unchangeable(target: ast.expr, reader: Reader) -> Exception:
    return reader.refuse(
        target, "values never change, so only names can be assigned to", "Make a new list."
    )


def _raised(statement: ast.Raise, reader: Reader) -> str:
    """The exception and its text, which is a constant."""
    match statement.exc:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if len(args) <= 1:
            text = "".join(f": {_text(arg, reader)}" for arg in args)
        case ast.Name(id=name):
            text = ""
        case _:
            raise reader.refuse(statement, "what is raised", "Write raise ValueError('why').")
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise reader.refuse(statement, f"{name} is no exception", "Write raise ValueError('why').")
    return name + text


def _text(node: ast.expr, reader: Reader) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
    raise reader.refuse(node, "a message that depends on values", "Messages are constant texts.")


def _pattern(
    pattern: ast.pattern, subject: str, reader: Reader
) -> tuple[ast.expr | None, ast.stmt | None]:
    """The test of a pattern, None for one that always fits; and what it gives a name."""
    name = ast.copy_location(ast.Name(subject, ast.Load()), pattern)
    match pattern:
        case ast.MatchValue(value=value):
            return _located(ast.Compare(name, [ast.Eq()], [value]), pattern), None
        case ast.MatchSingleton(value=value):
            constant = ast.Constant(value)
            return _located(ast.Compare(name, [ast.Is()], [constant]), pattern), None
        case ast.MatchOr(patterns=patterns):
            tests = [_pattern(part, subject, reader) for part in patterns]
            parts = [test for test, bound in tests if test is not None and bound is None]
            if len(parts) == len(patterns):
                return _located(ast.BoolOp(ast.Or(), parts), pattern), None
        case ast.MatchAs(pattern=None, name=None):
            return None, None
        case ast.MatchAs(pattern=None, name=str(bound)):
            target = ast.Name(bound, ast.Store())
            assigned = ast.fix_missing_locations(
                ast.copy_location(ast.Assign([target], name), pattern)
            )
            return None, assigned
    raise reader.refuse(
        pattern, "a pattern that is no literal", "Patterns are literals, joined by |, and _."
    )


def _located(node: ast.expr, place: ast.pattern) -> ast.expr:
    return ast.fix_missing_locations(ast.copy_location(node, place))
