"""Patterns of match as tests, and what raise and assert say.

Owns: which patterns and messages there are. Comes in: syntax trees. Goes out: syntax trees that say
the same with comparisons; texts. Does not know: values.
"""

from __future__ import annotations

import ast
import builtins

from eau2.python.reader import Reader


def chain_of(statement: ast.Match, subject: str, reader: Reader) -> list[ast.stmt]:
    """The cases as a chain of ifs over the name `subject`. Raises FunctionDefinitionError."""
    chain: list[ast.stmt] = []
    for case in reversed(statement.cases):
        test, bound = _pattern(case.pattern, subject, reader)
        tests = [part for part in (test, case.guard) if part is not None]
        # A name has its value before the guard is asked, and keeps it where that does not hold.
        given = [] if bound is None else [bound]
        if not tests:
            chain = [*given, *case.body]
            continue
        whole = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        place = ast.If(whole, case.body, chain)
        chain = [*given, ast.fix_missing_locations(ast.copy_location(place, case.pattern))]
    return chain


def raised(statement: ast.Raise, reader: Reader) -> str:
    """The exception and its text, which is a constant."""
    match statement.exc:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if len(args) <= 1:
            text = "".join(f": {text_of(arg, reader)}" for arg in args)
        case ast.Name(id=name):
            text = ""
        case _:
            raise reader.refuse(statement, "what is raised", "Write raise ValueError('why').")
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise reader.refuse(statement, f"{name} is no exception", "Write raise ValueError('why').")
    return name + text


def text_of(node: ast.expr, reader: Reader) -> str:
    """A constant text. Raises FunctionDefinitionError."""
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
