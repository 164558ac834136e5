"""Loops over lists: every name that a round changes becomes a state of a fold.

Owns: which names those are, how a loop is left early, and what is known behind it. Comes in: a for
statement, the block that it stands in. Goes out: the value of all that follows, or the statements
that do. Does not know: what a statement means.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from eau2.config import LIMITS
from eau2.operators.expr import Call, Expr, Lambda, LambdaParameter, Literal
from eau2.operators.functions.let import FOLD
from eau2.python import vocabulary
from eau2.python.comprehensions import elements_of, is_range, range_ends
from eau2.python.expressions import FALSE, TRUE
from eau2.python.program import chosen, is_simple
from eau2.python.reader import Missing, Reader, Value
from eau2.python.vocabulary import Refusal
from eau2.records import Record
from eau2.types import BIGINT, NULL, SqlType


class State(Record, frozen=True):
    """What a round hands to the next: the value of a name, or how the loop was left.

    name: of the local; "" for a flag or for the value that is returned. begin: before the loop.
    """

    name: str
    begin: Expr
    kind: str = "local"


class Loop(Record, frozen=True):
    """A loop over a list. element and position: the names that each round gives values."""

    body: tuple[ast.stmt, ...]
    lists: Expr
    element: str
    position: str | None
    node: ast.For

    @property
    def stored(self) -> list[str]:
        """Every name that a round gives a value, sorted."""
        nodes = [node for statement in self.body for node in ast.walk(statement)]
        names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return sorted({*names, self.element, *([self.position] if self.position else [])})


def read_loop(statement: ast.For, reader: Reader, read: Callable[[ast.expr, Reader], Expr]) -> Loop:
    """What a for statement goes over. Raises FunctionDefinitionError."""
    target, over, position = statement.target, statement.iter, None
    match over:
        case ast.Call(func=ast.Name(id="enumerate"), args=[inner], keywords=[]) if (
            "enumerate" not in reader.env
        ):
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                raise reader.refuse(target, "enumerate gives two values", "Write for i, x in ...")
            first, target = target.elts
            if not isinstance(first, ast.Name):
                raise reader.refuse(first, "only a name can stand here")
            position, over = first.id, inner
    if not isinstance(target, ast.Name):
        raise reader.refuse(target, "only one name can stand here", "Use positions.")
    lists = elements_of(over, reader, read)
    where = reader.where(over)
    if isinstance(lists, Literal) or is_constant_range(lists):
        return Loop(tuple(statement.body), lists, target.id, position, statement)
    failure = vocabulary.failure("TypeError: 'NoneType' object is not iterable", lists.type, where)
    present = vocabulary.compare("is", lists, vocabulary.literal(None), where)
    return Loop(
        tuple(statement.body), chosen(present, failure, lists), target.id, position, statement
    )


def is_constant_range(lists: Expr) -> bool:
    """Whether it is range(...) of constants, which is a list for certain."""
    ends = lists.args if isinstance(lists, Call) and lists.function == "range" else ()
    return bool(ends) and all(isinstance(end, Literal) and end.value is not None for end in ends)


def states_of(loop: Loop, reader: Reader, result: SqlType) -> list[State]:
    """The states of a loop, in the order of their names; flags and a returned value last.

    result: the type of what the function returns. Raises FunctionDefinitionError.
    """
    states: list[State] = []
    for name in loop.stored:
        begin = reader.env.get(name)
        if isinstance(begin, Expr) and name not in (loop.element, loop.position):
            if begin.type == NULL:
                raise reader.refuse(
                    loop.node,
                    f"{name} is None before the loop, and its type is not known",
                    f"Say it: {name}: int | None = None.",
                )
            states.append(State(name, begin))
    if leaves(loop.body):
        states.append(State("", FALSE, "done"))
    if returns(loop.body):
        states.append(State("", FALSE, "returned"))
        states.append(State("", Literal(result, None), "value"))
    if not states:
        # Nothing comes out of the loop, but what it computes may raise.
        states.append(State("", FALSE, "effect"))
    return states


def leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop of this body may end before its list does. True when in doubt."""
    return any(isinstance(node, ast.Break | ast.Return) for part in body for node in ast.walk(part))


def returns(body: Sequence[ast.stmt]) -> bool:
    """Whether a return stands in the body."""
    return any(isinstance(node, ast.Return) for part in body for node in ast.walk(part))


class RoundExits(Record, frozen=True):
    """What one state is at each place where a round ends. See statements.Exits."""

    state: State
    parameter: Expr

    def returned(self, value: Expr, reader: Reader) -> Expr:
        """The loop is done, and with it the function."""
        if self.state.kind in ("done", "returned"):
            return TRUE
        return value if self.state.kind == "value" else self._local(reader)

    def failed(self, message: str, reader: Reader, node: ast.stmt) -> Expr:
        """Whatever state it is: the query ends."""
        return vocabulary.failure(message, self.parameter.type, reader.where(node))

    def ended(self, reader: Reader) -> Expr:
        """The next round comes."""
        return self._local(reader)

    def broke(self, reader: Reader) -> Expr:
        """No further round comes."""
        return TRUE if self.state.kind == "done" else self.ended(reader)

    def _local(self, reader: Reader) -> Expr:
        if self.state.kind != "local":
            return self.parameter
        value = reader.env[self.state.name]
        if isinstance(value, Missing):
            raise Refusal(value.reason, value.hint)
        if value.type not in (self.parameter.type, NULL):
            name, before = self.state.name, vocabulary.name_of(self.parameter.type)
            raise Refusal(
                f"{name} is {before} before the loop and {vocabulary.name_of(value.type)} in it",
                f"Begin with a value of its type: {name} = 0.0, or convert it.",
            )
        if value.type == NULL:
            return Literal(self.parameter.type, None)
        return value


Run = Callable[["RoundExits", Reader], Expr]


def folds(loop: Loop, lists: Expr, states: Sequence[State], reader: Reader, run: Run) -> list[Expr]:
    """What each state is behind the loop. run: the value of a round's statements, with exits.

    Raises Refusal for a state that changes its type.
    """
    assert lists.type.element is not None
    scope = reader.scopes.fresh()
    own = [LambdaParameter(s.begin.type, scope, number) for number, s in enumerate(states)]
    element = LambdaParameter(lists.type.element, scope, len(own))
    position = LambdaParameter(BIGINT, scope, len(own) + 1)
    env: dict[str, Value] = dict(reader.env)
    for name in loop.stored:
        env[name] = Missing(
            f"{name} has no value yet in this round", f"Give it one before the loop: {name} = ..."
        )
    env |= {state.name: own[number] for number, state in enumerate(states) if state.name}
    env[loop.element] = element
    if loop.position is not None:
        env[loop.position] = position
    done = next((own[n] for n, state in enumerate(states) if state.kind == "done"), None)
    steps: list[Expr] = []
    for state, parameter in zip(states, own, strict=True):
        value = run(RoundExits(state, parameter), reader.over(env))
        if done is not None:
            value = chosen(done, parameter, value)
        steps.append(Lambda(value.type, (*own, element, position), value))
    begins = [state.begin for state in states]
    return [
        Call(begin.type, FOLD, (lists, *begins, *steps, Literal(BIGINT, number)))
        for number, begin in enumerate(begins)
    ]


def short_rounds(
    statement: ast.For, reader: Reader, read: Callable[[ast.expr, Reader], Expr]
) -> list[Expr] | None:
    """The values of a loop over a literal range or list that is short; None for any other."""
    items: list[Expr]
    match statement.iter:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            items = [read(element, reader) for element in elements]
            items = [item for item in items if is_simple(item)]
            if len(items) < len(elements):
                return None
        case ast.Call() as call if is_range(call, reader):
            found = [number_of(end) for end in range_ends(call, reader, read)]
            ends = [end for end in found if end is not None]
            if len(ends) < 3 or ends[2] == 0:
                return None
            numbers = range(*ends)
            if len(numbers) > LIMITS.function_rounds:
                return None
            items = [vocabulary.literal(number) for number in numbers]
        case _:
            return None
    size = sum(map(_weight, statement.body))
    few = len(items) * size <= LIMITS.function_written_nodes
    return items if few and len(items) <= LIMITS.function_rounds else None


def number_of(expr: Expr) -> int | None:
    """A constant whole number; None for anything else."""
    value = expr.value if isinstance(expr, Literal) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _weight(node: ast.AST) -> int:
    """How many nodes of syntax it has, with its loops over constants written out."""
    inside = 1 + sum(map(_weight, ast.iter_child_nodes(node)))
    match node:
        case ast.For(iter=ast.Call(func=ast.Name(id="range"), args=args)):
            ends = [end.value for end in args if isinstance(end, ast.Constant)]
            whole = [end for end in ends if type(end) is int]
            if 1 <= len(whole) == len(args) <= 2:
                return inside * max(1, len(range(*whole)))
    return inside
