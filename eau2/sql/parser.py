"""Text to syntax tree.

Owns: the two functions that the rest of eau2 calls. Comes in: the text of one or several
statements. Goes out: frozen ast nodes with spans into that text. Does not know: what names mean.

The language is grammar/eau2.lark. `tables` loads what was built from it, `lexer` cuts the text,
`driver` runs the automaton, `build_statements` and `build_expressions` make the nodes, and
`syntax_errors` says what is wrong.
"""

from __future__ import annotations

from eau2.config import LIMITS
from eau2.errors import Span, SqlSyntaxError
from eau2.sql import ast, driver, syntax_errors
from eau2.sql.build_statements import StatementReader, deepens
from eau2.sql.lexer import tokenize
from eau2.sql.tables import tables


def parse(text: str) -> tuple[ast.Statement, ...]:
    """The statements of `text`, which semicolons separate; at least one.

    Raises SqlSyntaxError with the span, the text and what was expected. A statement that is
    understood and not supported comes back as UnsupportedStatement.
    """
    _check_text(text)
    known = tables()
    tokens = tokenize(text)
    try:
        statements: tuple[ast.Statement, ...] = driver.parse(
            tokens, known, StatementReader(text).actions(), deepens, LIMITS.expression_depth
        )
    except driver.UnexpectedTokenError as error:
        raise syntax_errors.unexpected(tokens, error.index, known) from None
    except driver.TooDeepError as error:
        message = f"The statement nests deeper than {LIMITS.expression_depth} levels"
        raise SqlSyntaxError(message, span=error.span, text=text) from None
    except SqlSyntaxError as error:
        raise error.with_text(text) from None
    if not statements:
        raise SqlSyntaxError("There is no statement")
    return statements


def parse_one(text: str) -> ast.Statement:
    """The one statement of `text`. Raises SqlSyntaxError as `parse` does, and for a second one."""
    statement, *more = parse(text)
    if more:
        raise SqlSyntaxError("Only one statement is allowed here", span=more[0].span, text=text)
    return statement


def _check_text(text: str) -> None:
    """Refuse what no statement may be: too long, or not writable as UTF-8."""
    if len(text) > LIMITS.statement_chars:
        message = f"The text has {len(text):,} characters; the limit is {LIMITS.statement_chars:,}"
        raise SqlSyntaxError(message)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        span = Span(error.start, error.end)
        raise SqlSyntaxError("The text holds a lone surrogate", span=span) from None
