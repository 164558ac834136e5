"""The source of a function: its text, where it stands, and refusals that point into it.

Owns: `Source`, reading the source of a live function, and the errors of what is refused. Comes in:
functions, or text. Goes out: syntax trees of Python, FunctionDefinitionError.
Does not know: what a function means.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any

from eau2.config import LIMITS
from eau2.errors import FunctionDefinitionError, Span
from eau2.records import Record


class Source(Record, frozen=True):
    """The text of one function or class.

    name: what it is called. file: where it is written, None for text out of a statement. first: the
    number of its first line.
    """

    name: str
    text: str
    file: str | None = None
    first: int = 1

    def where(self, node: ast.AST) -> str:
        """The function and the line, as messages about rows name them."""
        line = self.line(node)
        if self.file is None:
            return f"{self.name}, line {line}"
        return f"{self.name} ({os.path.basename(self.file)}, line {line})"

    def line(self, node: ast.AST) -> int:
        """The number of the node's line in its file."""
        return int(getattr(node, "lineno", 1)) + self.first - 1

    def refusal(
        self, node: ast.AST, message: str, hint: str | None = None
    ) -> FunctionDefinitionError:
        """The error that points at a node."""
        lines = self.text.splitlines(keepends=True)
        begin, end = self._offset(lines, node, "lineno", "col_offset"), 0
        if getattr(node, "end_lineno", None) is not None:
            end = self._offset(lines, node, "end_lineno", "end_col_offset")
        # The caret counts lines from the beginning of its text.
        lead = self.first - 1
        span = Span(begin + lead, max(begin + 1, end) + lead)
        return FunctionDefinitionError(
            f"{self.name} cannot be compiled: {message}",
            span=span,
            text="\n" * lead + self.text,
            hint=hint,
            file=self.file,
        )

    @staticmethod
    def _offset(lines: list[str], node: ast.AST, line: str, column: str) -> int:
        """Where a place of a node is, in characters; Python counts columns in bytes."""
        number = int(getattr(node, line, 1)) - 1
        if not lines or number >= len(lines):
            return 0
        bytes_before = lines[number].encode()[: int(getattr(node, column, 0))]
        return sum(map(len, lines[:number])) + len(bytes_before.decode(errors="ignore"))


def of_object(written: Callable[..., Any] | type, name: str) -> tuple[Source, ast.stmt]:
    """The source of a live function or class, and its syntax tree.

    Raises FunctionDefinitionError where it cannot be read.
    """
    if isinstance(written, FunctionType) and written.__name__ == "<lambda>":
        raise FunctionDefinitionError(
            "a lambda has no name and no types",
            hint="Write it as a function: def name(x: int) -> int: return ...",
        )
    try:
        lines, first, file = _lines_of(written)
    except (OSError, TypeError, SyntaxError, IndentationError) as error:
        raise FunctionDefinitionError(
            f"the source of {name} cannot be read",
            hint="Functions are compiled from their source: define it in a file or a notebook, or "
            "with CREATE FUNCTION ... LANGUAGE python.",
        ) from error
    text = "".join(lines)
    moved = textwrap.dedent(text)
    source = Source(name, moved, file, max(1, first))
    return source, _only(source, parsed(source))


def _lines_of(written: Callable[..., Any] | type) -> tuple[list[str], int, str | None]:
    """The lines of a definition, the number of the first, and the file.

    A class is found by one of its methods: unlike the class itself, that knows its file. Raises
    OSError, TypeError.
    """
    if not isinstance(written, type):
        lines, first = inspect.getsourcelines(written)
        return lines, first, inspect.getsourcefile(written)
    method = next((m for m in vars(written).values() if isinstance(m, FunctionType)), None)
    if method is None:
        raise OSError("a class without methods")
    file = method.__code__.co_filename
    every = linecache.getlines(file, method.__globals__)
    line = method.__code__.co_firstlineno
    found = [
        node
        for node in ast.walk(ast.parse("".join(every)))
        if isinstance(node, ast.ClassDef)
        and node.name == written.__name__
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    if not found:
        raise OSError("the file has no such class")
    begin = min([found[0].lineno, *(d.lineno for d in found[0].decorator_list)])
    return every[begin - 1 : found[0].end_lineno], begin, file


def parsed(source: Source) -> ast.Module:
    """The syntax tree of the text. Raises FunctionDefinitionError."""
    if len(source.text) > LIMITS.function_chars:
        raise FunctionDefinitionError(
            f"the source of {source.name} has more than {LIMITS.function_chars:,} characters",
            hint="Split it into several functions that call one another.",
        )
    try:
        return ast.parse(source.text)
    except SyntaxError as error:
        place = ast.Pass(lineno=error.lineno or 1, col_offset=max(0, (error.offset or 1) - 1))
        raise source.refusal(place, f"it is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FunctionDefinitionError(
            f"the source of {source.name} cannot be read: {error or type(error).__name__}"
        ) from None


def _only(source: Source, module: ast.Module) -> ast.stmt:
    """The one statement of a module that is a definition."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            return statement
        if isinstance(statement, ast.AsyncFunctionDef):
            raise source.refusal(statement, "a coroutine is no function of one row")
    raise source.refusal(module, "there is no definition", "Begin with def.")
