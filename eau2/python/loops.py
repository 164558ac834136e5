"""Loops over lists: every name that a round changes becomes a state of a fold.

Owns: which names those are, how a loop is left early, and what is known behind it. Comes in: a for
statement, the block that it stands in. Goes out: the value of all that follows, or the statements
that do. Does not know: what a statement means.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from eau2.config import LIMITS
from eau2.operators.expr import Call, Expr, Lambda, LambdaParameter, Literal, transform
from eau2.operators.functions.let import FOLD
from eau2.operators.functions.python_sequences import ROUNDS, too_many_rounds
from eau2.python import vocabulary
from eau2.python.changes import CHANGES
from eau2.python.expressions import FALSE, TRUE
from eau2.python.iteration import (
    Walk,
    is_range,
    number_of,
    range_ends,
    read_walk,
    times,
)
from eau2.python.program import chosen, is_simple
from eau2.python.reader import Missing, Reader, Value
from eau2.python.vocabulary import Refusal
from eau2.records import Record
from eau2.types import BIGINT, NULL, VARCHAR, SqlType


class State(Record, frozen=True):
    """What a round hands to the next: the value of a name, or how the loop was left.

    name: of the local; "" for a flag or for the value that is returned. begin: before the loop.
    """

    name: str
    begin: Expr
    kind: str = "local"


class Loop(Record, frozen=True):
    """A loop over lists: walk.lists[0] is gone over, cut to the shortest of all."""

    body: tuple[ast.stmt, ...]
    walk: Walk
    node: ast.For

    @property
    def given(self) -> list[str]:
        """The names that each round gives values at its beginning."""
        names = [target.id for target in self.walk.targets if isinstance(target, ast.Name)]
        return [*names, *([self.walk.position] if self.walk.position else [])]

    @property
    def stored(self) -> list[str]:
        """Every name that a round gives a value, sorted."""
        nodes = [node for statement in self.body for node in ast.walk(statement)]
        names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names |= {n.name for n in nodes if isinstance(n, ast.MatchAs) and n.name is not None}
        return sorted({*names, *appended(self.body), *self.given})


def read_loop(
    statement: ast.For,
    reader: Reader,
    read: Callable[[ast.expr, Reader], Expr],
    bind: Callable[[Expr], Expr],
) -> Loop:
    """What a for statement goes over. bind: computes a list once. Raises FunctionDefinitionError.

    Elements that are lists are unpacked by a statement of their own.
    """
    walk = read_walk(statement.target, statement.iter, reader, read)
    where = reader.where(statement.iter)
    targets: list[ast.expr] = []
    body: list[ast.stmt] = [*statement.body]
    for number, target in enumerate(walk.targets):
        if isinstance(target, ast.Tuple | ast.List):
            name = f"<element {number} of line {statement.lineno}>"
            part = ast.Assign([target], ast.Name(name, ast.Load()))
            body.insert(0, ast.fix_missing_locations(ast.copy_location(part, target)))
            target = ast.copy_location(ast.Name(name, ast.Store()), target)
        if not isinstance(target, ast.Name):
            raise reader.refuse(target, "only a name can stand here", "Use positions.")
        targets.append(target)
    first, *others = walk.lists
    if others:
        first, *others = map(bind, walk.lists)
        first = Call(first.type, "list.zip", (first, *others))
    if not isinstance(walk.start, Literal):
        begun = vocabulary.compare("is not", walk.start, vocabulary.literal(None), where)
        failure = vocabulary.failure(
            "TypeError: 'NoneType' object cannot be interpreted as an integer", first.type, where
        )
        first = chosen(begun, first, failure)
    if not (isinstance(first, Literal) or is_constant_range(first)):
        failure = vocabulary.failure(
            "TypeError: 'NoneType' object is not iterable", first.type, where
        )
        first = bind(first) if others else first
        present = vocabulary.compare("is", first, vocabulary.literal(None), where)
        first = chosen(present, failure, first)
    walk = Walk(tuple(targets), (first, *others), walk.position, walk.start)
    return Loop(tuple(body), walk, statement)


def appended(body: Sequence[ast.stmt]) -> set[str]:
    """The names of lists that statements change where they are: by append and extend."""
    return {
        node.func.value.id
        for part in body
        for node in ast.walk(part)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.attr in CHANGES
    }


def is_constant_range(lists: Expr) -> bool:
    """Whether it is range(...) of constants, which is a list for certain."""
    ends = lists.args if isinstance(lists, Call) and lists.function == "range" else ()
    return bool(ends) and all(isinstance(end, Literal) and end.value is not None for end in ends)


def states_of(
    loop: Loop, reader: Reader, result: SqlType, types: Mapping[str, SqlType]
) -> list[State]:
    """The states of a loop, in the order of their names; flags and a returned value last.

    result: the type of what the function returns. types: of lists that are empty before the loop.
    Raises FunctionDefinitionError.
    """
    states: list[State] = []
    for name in loop.stored:
        begin = reader.env.get(name)
        if isinstance(begin, Expr) and name not in loop.given:
            if begin.type == NULL:
                raise reader.refuse(
                    loop.node,
                    f"{name} is None before the loop, and its type is not known",
                    f"Say it: {name}: int | None = None.",
                )
            if name in types:
                begin = vocabulary.converted(begin, types[name], "", name)
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


class Widened(Exception):
    """A list that is empty before the loop, with the type that a round gives it."""

    def __init__(self, name: str, type_: SqlType) -> None:
        super().__init__(name)
        self.name = name
        self.type = type_


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
            if self.parameter.type.element == NULL and value.type.is_list:
                raise Widened(name, value.type)
            raise Refusal(
                f"{name} is {before} before the loop and {vocabulary.name_of(value.type)} in it",
                f"Begin with a value of its type: {name} = 0.0, or convert it.",
            )
        if value.type == NULL:
            return Literal(self.parameter.type, None)
        return value


Run = Callable[["RoundExits", Reader], Expr]


def folds(
    loop: Loop, walk: Walk, rounds: Expr, states: Sequence[State], reader: Reader, run: Run
) -> list[Expr]:
    """What each state is behind the loop. run: the value of a round's statements, with exits.

    walk: what the loop goes over, each list computed. rounds: how many there are. Raises Refusal
    for a state that changes its type, Widened for an empty list that is given one.
    """
    lists, *others = walk.lists
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
    env |= walk.counted(position)
    elements = [element, *(_beside(other, position) for other in others)]
    for target, value in zip(walk.targets, elements, strict=True):
        assert isinstance(target, ast.Name)
        env[target.id] = value
    done = next((own[n] for n, state in enumerate(states) if state.kind == "done"), None)
    where = reader.where(loop.node)
    steps: list[Expr] = []
    for state, parameter in zip(states, own, strict=True):
        made = bounded(run(RoundExits(state, parameter), reader.over(env)), rounds, where)
        if done is not None:
            made = chosen(done, parameter, made)
        steps.append(Lambda(made.type, (*own, element, position), made))
    begins = [state.begin for state in states]
    return [
        Call(begin.type, FOLD, (lists, *begins, *steps, Literal(BIGINT, number)))
        for number, begin in enumerate(begins)
    ]


def rounds_within(loop: Loop, rounds: Expr, around: int, reader: Reader) -> int:
    """How many rounds of a loop there are with those `around` it, as far as that is known.

    Raises FunctionDefinitionError for too many.
    """
    most = max(1, number_of(rounds) or 1) * around
    if around > 1 and most > LIMITS.function_nested_rounds:
        raise reader.refuse(loop.node, too_many_rounds(most), "Join with rows, or loop less far.")
    return most


def _beside(lists: Expr, position: Expr) -> Expr:
    """The element of another list in the same round."""
    assert lists.type.element is not None
    return Call(lists.type.element, "list.at", (lists, position))


def bounded(round_: Expr, rounds: Expr, where: str) -> Expr:
    """What a round gives, its loops held to the rounds that they have together with this one.

    The loops of functions that are called are among them.
    """

    def held(node: Expr) -> Expr:
        if not isinstance(node, Call) or node.function != FOLD:
            return node
        lists, *others = node.args
        place, around = where, rounds
        if isinstance(lists, Call) and lists.function == ROUNDS:
            lists, before, ends = lists.args
            assert isinstance(ends, Literal)
            place, around = str(ends.value), times(before, rounds, where)
        checked = Call(lists.type, ROUNDS, (lists, around, Literal(VARCHAR, place)))
        return node.with_children((checked, *others))

    return transform(round_, held)


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
