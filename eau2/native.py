"""Native functions: how an administrator's module declares them, and how they are loaded.

Owns: `native_function`, and `load`, which imports modules and has this process find what they
declare. Comes in: functions over pyarrow Arrays, names of modules. Goes out: native functions.
Does not know: calls of them (operators/functions/native.py), who names the modules.

These functions are code that runs with all rights of its process. Nothing brings one there but the
name of its module on the command line of a node, or in the program that embeds the engine.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from eau2.errors import Error, UsageError
from eau2.operators.functions import native
from eau2.operators.functions.native import NativeFunction
from eau2.operators.functions.python_calls import said
from eau2.operators.user_functions import Parameter
from eau2.records import Record, replace
from eau2.types import HUGEINT, Kind, SqlType, parse_type

F = TypeVar("F", bound=Callable[..., object])

_DECLARED = "__eau2_native__"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_KINDS = frozenset({Kind.BOOLEAN, Kind.FLOAT, Kind.DOUBLE, Kind.VARCHAR, Kind.DATE, Kind.TIMESTAMP})


class NativeModules(Record, frozen=True):
    """The modules that a process may load, and what it is called in messages."""

    modules: tuple[str, ...] = ()
    place: str = "this process"


def native_function(*parameters: str, returns: str = "", name: str = "") -> Callable[[F], F]:
    """Declare a function over pyarrow Arrays as a native function; it stays what it is.

    parameters, returns: SQL types, like "DOUBLE" or "VARCHAR[]". name: in SQL, else the function's
    own. It gets an Array for each parameter, all of one length, and gives one of that length, each
    row's value from that row's arguments alone. Raises UsageError.
    """
    if not all(isinstance(text, str) for text in (*parameters, returns, name)) or not returns:
        raise UsageError(
            "a native function is declared with its types",
            hint='Write @eau2.native_function("DOUBLE", "DOUBLE", returns="DOUBLE").',
        )

    def declare(function: F) -> F:
        if not inspect.isfunction(function):
            raise UsageError(
                f"a {type(function).__name__} cannot be declared as a native function",
                hint="Write a def that calls it.",
            )
        called = name or function.__name__
        if not _NAME.fullmatch(called):
            raise UsageError(
                f"a native function cannot be called {called[:80]!r}",
                hint="A name is made of A-Z a-z 0-9 and _, at most 128 of them: name=...",
            )
        if not parameters:
            raise UsageError(
                f"the native function {called} has no parameter",
                hint="It takes one at least, whose length says how many values it gives.",
            )
        named = zip(_names(function, called, len(parameters)), parameters, strict=True)
        listed = tuple(Parameter(own, _type(text, called, own)) for own, text in named)
        result = _type(returns, called, "its result")
        source = f"{function.__module__}.{function.__qualname__}"
        made = NativeFunction(called.lower(), listed, result, function, source)
        setattr(function, _DECLARED, made)
        return function

    return declare


def _names(function: Callable[..., object], called: str, count: int) -> list[str]:
    """What the parameters are called: as in Python, those behind a * by their number."""
    try:
        signature = inspect.signature(function)
        signature.bind(*range(count))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the native function {called} does not take {count} arrays: {error}",
            hint="Name as many types as it has parameters.",
        ) from None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [name for name, held in signature.parameters.items() if held.kind in kinds][:count]
    return own + [f"x{number}" for number in range(len(own) + 1, count + 1)]


def _type(text: str, called: str, of: str) -> SqlType:
    try:
        found = parse_type(text.strip().upper())
    except ValueError:
        raise UsageError(
            f"the native function {called}: the type of {of} is {text[:80]!r}, which is none",
            hint="Types are written as DESCRIBE shows them: BIGINT, DOUBLE, VARCHAR, DATE[].",
        ) from None
    inner = found.innermost
    if inner == HUGEINT or not (inner.kind in _KINDS or inner.is_integer):
        raise UsageError(
            f"the native function {called}: the type of {of} is {found}, which is not supported",
            hint="Take DOUBLE, BIGINT or VARCHAR, and cast in SQL.",
        )
    return found


def load(wanted: NativeModules, *, runs: bool = True, taken: Collection[str] = ()) -> None:
    """Import the modules, and have this process find the native functions that they declare.

    runs: whether this process calls them. taken: names that mean functions of eau2's own.
    Raises UsageError for a module that cannot be imported or declares nothing, and for names.
    """
    found: dict[str, NativeFunction] = {}
    for module in wanted.modules:
        declared = list(_declared(_imported(module)))
        if not declared:
            raise UsageError(
                f"the module {module} declares no native function",
                hint="Decorate its functions with @eau2.native_function(...).",
            )
        for function in declared:
            _check_name(function, found.get(function.name), taken)
            found[function.name] = replace(function, runs=runs)
    native.allow(found.values())


def place_of(wanted: NativeModules) -> None:
    """Load the modules in a process that runs kernels; a failure is told when one is called."""
    native.set_place(wanted.place)
    try:
        load(wanted)
    except UsageError as error:
        native.set_place(wanted.place, error.message)


def modules_of(given: str | Sequence[str]) -> tuple[str, ...]:
    """The names of modules as they are given: one, or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def _imported(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        raise UsageError(
            f"{name[:80]!r} is not the name of a module",
            hint="It is written as after import: rates, or tools.rates, without .py.",
        )
    try:
        # The first line that a node prints is for whoever started it.
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        if missing:
            raise UsageError(
                f"there is no module {name}",
                hint="It has to be installed, or to lie in a folder that PYTHONPATH names.",
            ) from None
        why = error.message if isinstance(error, Error) else said(error)
        raise UsageError(
            f"the module {name} cannot be imported: {why}",
            hint=f"Look at it by itself: {sys.executable} -c 'import {name}'",
        ) from error


def _declared(module: ModuleType) -> Iterator[NativeFunction]:
    """What a module declares, once each, whatever it calls it."""
    seen: set[int] = set()
    for value in list(vars(module).values()):
        # Asked of what answers to any name, an attribute would be there and be anything.
        function = vars(value).get(_DECLARED) if inspect.isfunction(value) else None
        if isinstance(function, NativeFunction) and id(function) not in seen:
            seen.add(id(function))
            yield function


def _check_name(
    function: NativeFunction, other: NativeFunction | None, taken: Collection[str]
) -> None:
    name = function.name
    if name in taken:
        raise UsageError(
            f"{function.source} is called {name}, which is a function that eau2 has",
            hint='Give it another name: @eau2.native_function(..., name="...").',
        )
    other = other or native.known(name)
    if other is not None and other.source != function.source:
        raise UsageError(
            f"{function.source} and {other.source} are both called {name}",
            hint='Give one another name: @eau2.native_function(..., name="...").',
        )
