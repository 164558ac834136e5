"""CREATE FUNCTION, DROP FUNCTION and SHOW FUNCTIONS.

Owns: what each of them checks, and what SHOW FUNCTIONS says. Comes in: ast statements; goes out:
answers. Does not know: how a body is bound (sql/bind_function.py) or compiled (python/), how a
function is kept.

A function in Python is parsed and compiled where it is defined, and only what it was compiled to is
kept: nothing of its text is ever run.
"""

from __future__ import annotations

from textwrap import dedent

from eau2.answer import Answer, nothing, table
from eau2.catalog import Function, register_of_function
from eau2.config import LIMITS
from eau2.errors import (
    CorruptChunkError,
    FunctionDefinitionError,
    NameTakenError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Span,
    StoreError,
    UnknownFunctionError,
    UsageError,
)
from eau2.kv.registry import check_function_name
from eau2.operators.codec import FragmentError
from eau2.operators.function_form import as_kept, decode
from eau2.operators.functions import native
from eau2.operators.user_functions import UserFunction
from eau2.sql import ast
from eau2.sql.bind_function import bind_function, check_free, signature
from eau2.sql.function_names import built_in
from eau2.sql.scope import suggestion
from eau2.sql.spans import at
from eau2.sql.user_calls import meaning
from eau2.statements import Frames, Surroundings


def create_function(node: ast.CreateFunction, around: Surroundings) -> Answer:
    """CREATE FUNCTION. Its body is bound, or compiled, now."""
    span = around.span(node, node.name)
    try:
        check_function_name(node.name)
    except UsageError as error:
        raise ProgrammingError(error.message, span=span, hint=error.hint) from None
    check_free(node.name, span)
    if node.replace and node.if_not_exists:
        raise ProgrammingError("OR REPLACE and IF NOT EXISTS exclude each other", span=node.span)
    place = around.frames.place(node.temporary)
    # What is replaced is not read: it may be damaged.
    if not node.replace and place.function(node.name) is not None:
        if node.if_not_exists:
            return nothing()
        raise NameTakenError(
            f'a function called "{node.name}" exists already',
            span=span,
            hint="Write CREATE OR REPLACE FUNCTION, or IF NOT EXISTS.",
        )
    _kept(around.frames, node.temporary, _defined(node, around), node.replace)
    return nothing()


def _defined(node: ast.CreateFunction, around: Surroundings) -> Function:
    if node.language == "sql":
        return at(node.span, as_kept, bind_function(node, around.frames), node.text)
    if node.language != "python":
        raise NotSupportedError(
            f"functions in {node.language} are not supported",
            span=around.span(node, node.language),
            hint="LANGUAGE sql (which need not be written) and LANGUAGE python are.",
        )
    if not isinstance(node.body, ast.Constant) or node.body.kind != "string":
        raise ProgrammingError(
            "the body of a function in Python is a string",
            span=node.body.span,
            hint="Write AS $$ def name(a, b): ... $$.",
        )
    source = dedent(node.body.text)
    return at(node.span, as_kept, _compiled(node, source, around), source)


def _place(error: FunctionDefinitionError, body: Span, text: str) -> None:
    """Have an error in the source of a function point into the statement that holds it."""
    written = text[body.start : body.end]
    opening = written.find("$", 1) + 1 if written.startswith("$") else 0
    lines = written[opening : len(written) - opening].split("\n")
    compiled = (error.text or "").split("\n")
    if error.span is None or error.text is None:
        error.span = body
    elif opening and len(lines) == len(compiled):

        def place(offset: int) -> int:
            before = compiled_text[:offset]
            line = before.count("\n")
            column = offset - before.rfind("\n") - 1
            start = sum(len(each) + 1 for each in lines[:line])
            return body.start + opening + start + column + len(lines[line]) - len(compiled[line])

        compiled_text = error.text
        error.span = Span(place(error.span.start), place(error.span.end))
        error.text = None


def _compiled(node: ast.CreateFunction, source: str, around: Surroundings) -> UserFunction:
    """What a function in Python computes. Raises statement errors with spans."""
    # Most processes never see a function in Python, and its compiler takes its time to load.
    from eau2.python.written import from_text

    if len(source) > LIMITS.function_chars:
        raise NotSupportedError(
            f"a function of more than {LIMITS.function_chars:,} characters is not supported",
            span=node.body.span,
        )
    parameters, result = signature(node)

    def known(name: str) -> UserFunction | None:
        function = None if name.lower() in built_in() else around.frames.function(name)
        return None if function is None else meaning(function)

    try:
        return from_text(source, node.name, parameters, result, known)
    except FunctionDefinitionError as error:
        _place(error, node.body.span, around.text)
        raise


def keep(frames: Frames, temporary: bool, function: Function, replace: bool) -> None:
    """Keep a function that comes as bytes, if they are one and its name is free.

    Raises FragmentError for other bytes, UsageError, ProgrammingError, and what a put raises.
    """
    said = decode(function.form).name
    if said != function.name:
        raise FragmentError(f"the function {function.name} calls itself {said[:80]!r}")
    check_function_name(function.name)
    check_free(function.name)
    _kept(frames, temporary, function, replace)


def _kept(frames: Frames, temporary: bool, function: Function, replace: bool) -> None:
    """Keep a function; of temporary ones no more than a connection may have."""
    place = frames.place(temporary)
    if temporary:
        names = (name for name in place.functions() if name.lower() != function.name.lower())
        others = [place.function(name) for name in names]
        size = sum(len(one.form) + len(one.source) for one in (*others, function) if one)
        if size > LIMITS.temporary_function_bytes:
            raise OperationalError(
                f"functions of more than {LIMITS.temporary_function_bytes:,} bytes together are"
                " not kept for one connection",
                hint="Drop those that are not needed, or store them: CREATE FUNCTION without TEMP.",
            )
    place.keep(function, replace=replace)


def drop_function(node: ast.DropFunction, around: Surroundings) -> Answer:
    """DROP FUNCTION. What was defined with the function, or is planned, stays as it is."""
    frames, span = around.frames, around.span(node, node.name)
    home = frames.function_home(node.name)
    if home.drop(register_of_function(node.name)) or node.if_exists:
        return nothing()
    hint = suggestion(node.name, list(frames.functions()), "Functions")
    if node.name.lower() in built_in():
        hint = f"{node.name} is one that eau2 has."
    elif native.known(node.name) is not None:
        hint = f"{node.name} is a native function: it is there while its module is loaded."
    raise UnknownFunctionError(f'there is no function "{node.name}" to drop', span=span, hint=hint)


def show_functions(frames: Frames) -> Answer:
    """SHOW FUNCTIONS: a row for each function of users, and for each native one of this process.

    One that cannot be read hides no other: it is damaged, and its signature says how.
    """
    rows = [row for name in frames.functions() if (row := _row(frames, name)) is not None]
    hidden = {name.lower() for name, *_ in rows}
    for one in native.functions():
        if one.name not in hidden:
            rows.append((one.name, one.signature, "native", one.source))
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    return table(
        dict(zip(("name", "signature", "kind", "source"), map(list, columns), strict=True))
    )


def _row(frames: Frames, name: str) -> tuple[str, str, str, str | None] | None:
    try:
        function = frames.function(name)
        if function is None:
            return None
        found = meaning(function)
    except (CorruptChunkError, StoreError) as error:
        return name, error.message, "damaged", None
    return function.name, found.signature, _kind(found), function.source


def _kind(function: UserFunction) -> str:
    if function.is_aggregate:
        return "aggregate"
    return "table" if function.table else "scalar"
