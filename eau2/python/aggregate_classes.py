"""Aggregate functions as classes: init, step, merge and finish, taken apart into known aggregates.

Owns: which steps are sums, extremes or truths, so that partial results merge in any order. Comes
in: a class. Goes out: a UserFunction with aggregates. Does not know: whether what the class says of
itself is so (laws.py tries it out).

Each attribute of the state is one aggregate. Its step must add to it, or keep the least or the
greatest, or whether any or all are true; its merge must do the same with two states.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from eau2.operators import aggregates
from eau2.operators.coercion import cast
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    conjunction,
    substitute,
    walk,
)
from eau2.operators.user_functions import UserFunction
from eau2.python import laws, names, vocabulary
from eau2.python.aggregates import WrittenOut
from eau2.python.annotations import declared_type
from eau2.python.definitions import body_of, parameters_of
from eau2.python.mapping_lists import prepared
from eau2.python.mixtures import settled
from eau2.python.names import Names
from eau2.python.program import Scopes, chosen, levelled
from eau2.python.reader import Missing, Reader, Value
from eau2.python.source import Source, of_object
from eau2.python.statements import Block
from eau2.python.vocabulary import Refusal
from eau2.records import Record
from eau2.types import BIGINT, BOOLEAN, SqlType

_METHODS = ("init", "step", "merge", "finish")
_SHAPE = (
    "A class has annotated attributes (total: float) and the methods init(self), step(self, x: "
    "float), merge(self, other) and finish(self) -> float."
)
_STEPS = (
    "A step adds (self.n += 1), keeps an extreme (self.least = min(self.least, x)), or a truth "
    "(self.any = self.any or x > 0), for rows that an if chooses or for all."
)


class Attribute(Record, frozen=True):
    """One value of the state. begin: what init gives it."""

    name: str
    type: SqlType
    begin: Expr


class Part(Record, frozen=True):
    """What an attribute gathers: an aggregate function and its argument."""

    function: str
    argument: Expr


class _Attributes(ast.NodeTransformer):
    """self.total becomes a name of its own, which no program can write."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """The name of an attribute of self or other."""
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "other"):
            return ast.copy_location(ast.Name(f"{node.value.id}.{node.attr}", node.ctx), node)
        self.generic_visit(node)
        return node


class _StateExits(Record, frozen=True):
    """Where a method ends: the value of one attribute. See statements.Exits."""

    name: str
    type: SqlType

    def returned(self, value: Expr, reader: Reader) -> Expr:
        """At a return without a value."""
        return self.ended(reader)

    def failed(self, message: str, reader: Reader, node: ast.stmt) -> Expr:
        """For a row that gets here."""
        return vocabulary.failure(message, self.type, reader.where(node))

    def ended(self, reader: Reader) -> Expr:
        """The value that the attribute has."""
        value = reader.env[self.name]
        if isinstance(value, Missing):
            raise Refusal(value.reason, value.hint)
        return vocabulary.converted(value, self.type, reader.source.name, self.name)

    def broke(self, reader: Reader) -> Expr:
        """No break stands outside of loops."""
        raise AssertionError("break outside of a loop")


def from_class(kind: type, name: str | None = None) -> tuple[UserFunction, str]:
    """The definition of an aggregate class, and its source. Raises FunctionDefinitionError."""
    source, node = of_object(kind, name or kind.__name__)
    if not isinstance(node, ast.ClassDef):
        raise source.refusal(node, "it is no class", _SHAPE)
    methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    for method in _METHODS:
        if method not in methods:
            raise source.refusal(node, f"it has no method {method}", _SHAPE)
    known = names.around(vars(kind)["step"])
    definition = _Class(node, methods, known, source).definition()
    types = tuple(parameter.type for parameter in definition.parameters)
    try:
        laws.check(kind, types)
    except laws.Broken as broken:
        raise source.refusal(methods[broken.method], broken.message, broken.hint) from None
    return definition, source.text


class _Class:
    """A class while it is taken apart."""

    def __init__(
        self, node: ast.ClassDef, methods: dict[str, ast.FunctionDef], known: Names, source: Source
    ) -> None:
        self._source, self._known, self._node = source, known, node
        self._methods = {name: _Attributes().visit(method) for name, method in methods.items()}
        self._scopes = Scopes()
        self._attributes = self._read_attributes()

    def definition(self) -> UserFunction:
        """The function that the class describes. Raises FunctionDefinitionError."""
        step = self._methods["step"]
        if step.args.defaults:
            raise self._source.refusal(
                step.args.defaults[0],
                "a parameter of step with a default",
                "Give the argument where the aggregate is called.",
            )
        parameters = parameters_of(_without_self(step, self._source), self._known, self._source)
        states = [
            ColumnRef(attribute.type, number) for number, attribute in enumerate(self._attributes)
        ]
        arguments = [
            ColumnRef(parameter.type, len(states) + number)
            for number, parameter in enumerate(parameters)
        ]
        env: dict[str, Expr] = dict(zip((p.name for p in parameters), arguments, strict=True))
        after = self._values(step, states, env)
        calls: list[AggregateCall] = []
        results: dict[str, Expr] = {}
        for number, attribute in enumerate(self._attributes):
            part = part_of(after[number], states[number], len(states))
            if part is None:
                raise self._source.refusal(
                    step, f"the step of {attribute.name} is no aggregate that merges", _STEPS
                )
            call = self._call(part, arguments, len(states))
            if call not in calls:
                calls.append(call)
            gathered = ColumnRef(call.type, len(parameters) + calls.index(call))
            results[f"self.{attribute.name}"] = self._result(attribute, part, gathered)
        body, type_ = self._finished(results)
        name, whole = self._source.name, levelled(body)
        function = UserFunction(name, parameters, type_, whole, tuple(calls))
        return settled(function, self._node, self._source)

    def _read_attributes(self) -> tuple[Attribute, ...]:
        found: list[tuple[str, SqlType]] = []
        for part in self._node.body:
            match part:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=written, value=None):
                    found.append((name, declared_type(written, self._known, self._source)))
                case ast.FunctionDef() | ast.Expr(value=ast.Constant()):
                    continue
                case _:
                    raise self._source.refusal(part, "it is no part of an aggregate", _SHAPE)
        if not found:
            raise self._source.refusal(self._node, "it has no state", _SHAPE)
        begins: list[Expr] = []
        init = self._methods["init"]
        env = {f"self.{n}": Missing(f"init gives self.{n} no value", _SHAPE) for n, _ in found}
        for name, type_ in found:
            value = self._run(init, dict(env), _StateExits(f"self.{name}", type_))
            if not isinstance(value, Literal):
                raise self._source.refusal(init, f"{name} does not begin with a constant", _SHAPE)
            begins.append(value)
        return tuple(
            Attribute(name, type_, begin)
            for (name, type_), begin in zip(found, begins, strict=True)
        )

    def _values(
        self, method: ast.FunctionDef, states: Sequence[Expr], env: dict[str, Expr]
    ) -> list[Expr]:
        """What each attribute is after a method, over what it was before."""
        held = {
            f"self.{attribute.name}": state
            for attribute, state in zip(self._attributes, states, strict=True)
        }
        return [
            self._run(
                method,
                {**held, **env},
                _StateExits(f"self.{attribute.name}", attribute.type),
            )
            for attribute in self._attributes
        ]

    def _run(self, method: ast.FunctionDef, env: dict[str, Value], exits: _StateExits) -> Expr:
        def nothing(value: ast.expr | None, reader: Reader, node: ast.stmt) -> Expr:
            if value is not None:
                raise reader.refuse(node, f"{method.name} returns nothing", _SHAPE)
            return Literal(exits.type, None)

        reader = Reader(self._source, self._known, self._scopes, env)
        statements, reader = prepared(method, reader)
        program = WrittenOut(self._scopes, self._scopes.fresh())
        try:
            return Block(program, exits, nothing, exits.type).run(statements, reader, ())
        except Refusal as refusal:
            raise self._source.refusal(method, refusal.message, refusal.hint or None) from None

    def _call(self, part: Part, arguments: Sequence[Expr], width: int) -> AggregateCall:
        """The aggregate of a part, over the rows of which no argument is NULL."""
        here: dict[int, Expr] = {
            width + number: ColumnRef(argument.type, number)
            for number, argument in enumerate(arguments)
        }
        argument = substitute(part.argument, here)
        if part.function == "count" and len(here) == 1:
            # Rows are counted of which the one argument is there.
            (argument,) = here.values()
        present = [Call(BOOLEAN, "is_not_null", (place,)) for place in here.values()]
        if argument not in here.values() or len(here) > 1:
            nothing = Literal(argument.type, None)
            argument = chosen(conjunction(tuple(present)), argument, nothing)
        return aggregates.bind(part.function, (argument,))

    def _result(self, attribute: Attribute, part: Part, gathered: Expr) -> Expr:
        """The attribute after all rows."""
        begin, init = attribute.begin, self._methods["init"]
        wanted = {"sum": 0, "count": 0, "bool_or": False, "bool_and": True}
        if part.function in wanted:
            if not isinstance(begin, Literal) or begin.value != wanted[part.function]:
                raise self._source.refusal(
                    init,
                    f"{attribute.name} must begin with {wanted[part.function]}",
                    "Else it would count once for each part of the rows.",
                )
            value = cast(gathered, BIGINT) if gathered.type.is_integer else gathered
            return Call(attribute.type, "coalesce", (value, begin))
        if isinstance(begin, Literal) and begin.value is None:
            return gathered
        both = vocabulary.call(part.function, [begin, gathered], self._source.name)
        return chosen(Call(BOOLEAN, "is_null", (gathered,)), begin, both)

    def _finished(self, results: dict[str, Expr]) -> tuple[Expr, SqlType]:
        finish = _without_self(self._methods["finish"], self._source)
        if finish.returns is None:
            raise self._source.refusal(finish, "finish does not say what it returns", _SHAPE)
        type_ = declared_type(finish.returns, self._known, self._source)
        reader = Reader(self._source, self._known, self._scopes, dict(results))
        return body_of(finish, reader, type_), type_


def _without_self(method: ast.FunctionDef, source: Source) -> ast.FunctionDef:
    """The method as a function of its other parameters."""
    if not method.args.args or method.args.args[0].arg != "self":
        raise source.refusal(method, f"the first parameter of {method.name} is not self", _SHAPE)
    own = copy.copy(method)
    own.args = copy.copy(method.args)
    own.args.args = method.args.args[1:]
    return own


def part_of(after: Expr, state: Expr, width: int) -> Part | None:
    """What an attribute gathers, if its step is one of those that merge; None if it is not.

    after: the attribute behind the step. width: columns below this are attributes.
    """
    added = _added(after, state, width)
    if added is not None:
        one = isinstance(added, Literal) and added.value == 1
        return Part("count" if one else "sum", added)
    for candidate in walk(after):
        if candidate.type == state.type and _is_free(candidate, width):
            found = _extreme(after, state, candidate) or _truth(after, state, candidate)
            if found is not None:
                return Part(found, candidate)
    match after:
        case Case(branches=((test, Literal(value=True)),), otherwise=other) if other == state:
            return Part("bool_or", vocabulary.truth(test)) if _is_free(test, width) else None
        case Case(branches=((test, Literal(value=False)),), otherwise=other) if other == state:
            falls = vocabulary.unary("not", vocabulary.truth(test), "")
            return Part("bool_and", falls) if _is_free(test, width) else None
    return None


def _is_free(expr: Expr, width: int) -> bool:
    """Whether it reads no attribute."""
    return all(id_ >= width for id_ in columns_of(expr))


def _added(after: Expr, state: Expr, width: int) -> Expr | None:
    """What a step adds to a number; None when it does something else."""
    if after == state or not state.type.is_numeric:
        return (
            vocabulary.converted(vocabulary.literal(0), state.type, "", "")
            if (after == state and state.type.is_numeric)
            else None
        )
    match after:
        case Call(function="+", args=(left, right)):
            for one, other in ((left, right), (right, left)):
                if one == state and _is_free(other, width):
                    return other
                inner = _added(one, state, width) if _is_free(other, width) else None
                if inner is not None:
                    return vocabulary.binary("+", inner, other, "")
        case Call(function="-", args=(left, right)) if _is_free(right, width):
            less = vocabulary.unary("-", right, "")
            if left == state:
                return less
            inner = _added(left, state, width)
            return None if inner is None else vocabulary.binary("+", inner, less, "")
        case Case(branches=branches, otherwise=otherwise):
            parts = [_added(value, state, width) for _, value in branches]
            last = _added(otherwise, state, width)
            tests = [test for test, _ in branches]
            if last is None or not all(_is_free(test, width) for test in tests):
                return None
            known = [part for part in parts if part is not None]
            if len(known) == len(parts):
                return Case(state.type, tuple(zip(tests, known, strict=True)), last)
    return None


def _extreme(after: Expr, state: Expr, value: Expr) -> str | None:
    """Whether a step keeps the least or the greatest of its state and a value."""
    for word in ("max", "min"):
        for pair in ((state, value), (value, state)):
            if after == vocabulary.call(word, pair, ""):
                return word
    nothing = vocabulary.condition(vocabulary.compare("is", state, vocabulary.literal(None), ""))
    for word, over, under in (("max", ">", "<"), ("min", "<", ">")):
        for equal in ("", "="):
            for sign, left, right in ((over, value, state), (under, state, value)):
                test = vocabulary.condition(vocabulary.compare(sign + equal, left, right, ""))
                for whole in (test, Call(BOOLEAN, "or", (nothing, test))):
                    if after == chosen(whole, value, state):
                        return word
    return None


def _truth(after: Expr, state: Expr, value: Expr) -> str | None:
    """Whether a step keeps whether any, or all, of its values are true."""
    if state.type != BOOLEAN:
        return None
    test = vocabulary.condition(state)
    if after == chosen(test, state, value):
        return "bool_or"
    return "bool_and" if after == chosen(test, value, state) else None
