"""`eau2 run`: a program of a user's, loaded and run in this process.

Owns: finding its Application, and telling what it raises: with the program's own lines, and without
eau2's. Comes in: a file, what follows it on the command line, a way to connect. Goes out: an exit
code. Does not know: where the store is, what the program does.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from eau2.application import Application, KeyValueStore
from eau2.connection import Connection
from eau2.errors import Error, UsageError, report
from eau2.streams import StdoutError

EXIT_RAISED = 1

_OURS = str(Path(__file__).resolve().parent) + os.sep
_LIBRARIES = (
    "<",
    *(path + os.sep for path in sysconfig.get_paths().values()),
)
"""What the names of files begin with that neither a program nor eau2 owns."""


class _Loader(SourceFileLoader):
    """Loads a file as a module, and leaves nothing beside it."""

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Keep no bytecode: the folder is the user's."""


def run(
    path: str, name: str | None, arguments: Sequence[str], connect: Callable[[], Connection]
) -> int:
    """Run the Application of a file; the exit code.

    name: which, of several. connect: called when the file is loaded. Raises UsageError when there
    is no such program, and what `connect` raises; what the program raises is told on stderr.
    """
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "is not there"
        raise UsageError(f"{path} {what}", hint="eau2 run takes a file in Python.")
    with _surroundings(path, arguments):
        try:
            with _of_the_program():
                module = _loaded(path)
            application = _application(module, path, name)
            with connect() as connection, _of_the_program():
                made = application()
                made.arguments = tuple(arguments)
                made.run(KeyValueStore(connection))
        except _EndedError as ended:
            return ended.code
    return 0


class _EndedError(Exception):
    """The program has ended by an exception, which has been told."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def _of_the_program() -> Iterator[None]:
    """What the program does: what it raises is told. Raises _EndedError then."""
    try:
        yield
    except (BrokenPipeError, StdoutError):
        # Whoever reads stdout went away, which the command line knows how to end with.
        raise
    except SystemExit as end:
        raise _EndedError(_exit_code(end)) from None
    except Exception as error:
        if os.environ.get("EAU2_DEBUG") == "1":
            raise
        sys.stdout.flush()
        sys.stderr.write(_told(error))
        raise _EndedError(EXIT_RAISED) from None


def _exit_code(end: SystemExit) -> int:
    """As Python has it: no code is 0, and what is no number is told."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    sys.stderr.write(f"{end.code}\n")
    return EXIT_RAISED


@contextmanager
def _surroundings(path: str, arguments: Sequence[str]) -> Iterator[None]:
    """What a program finds of its command line and its folder, as if Python had been given it."""
    kept = sys.argv, sys.path
    sys.argv = [path, *arguments]
    sys.path = [str(Path(path).resolve().parent), *sys.path]
    try:
        yield
    finally:
        sys.argv, sys.path = kept


def _loaded(path: str) -> ModuleType:
    """The file as a module, which is called as the file is if no other module is."""
    stem = Path(path).stem
    name = f"eau2_program_{stem}" if stem in sys.modules else stem
    loader = _Loader(name, str(Path(path).resolve()))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _application(module: ModuleType, path: str, name: str | None) -> type[Application]:
    """The class to run: of those that no other derives from, the one, or the one that is named."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Application) and value is not Application
    ]
    own = [one for one in found if one.__module__ == module.__name__] or found
    own = [one for one in own if not any(issubclass(other, one) for other in own if other != one)]
    classes = {one.__name__: one for one in own}
    listed = ", ".join(classes)
    if not classes:
        raise UsageError(
            f"{path} has no application",
            hint="Write class App(eau2.Application) with a method run(self, kv).",
        )
    if name is not None and name not in classes:
        raise UsageError(f"{path} has no application {name}", hint=f"It has {listed}.")
    if name is None and len(classes) > 1:
        raise UsageError(
            f"{path} has {len(classes)} applications: {listed}",
            hint=f"Say which: --app {next(iter(classes))}.",
        )
    chosen = classes[name] if name is not None else next(iter(classes.values()))
    if chosen.run is Application.run:
        raise UsageError(
            f"{chosen.__name__} in {path} has no method run", hint="Write def run(self, kv): ..."
        )
    return chosen


def _told(error: Exception) -> str:
    """An exception as Python tells it, with the lines of the program alone."""
    told = traceback.TracebackException.from_exception(error)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is not None:
            one.stack = traceback.StackSummary.from_list(list(of_the_program_alone(one.stack)))
            waiting += [one.__cause__, one.__context__]
    if not isinstance(error, Error):
        return "".join(told.format())
    stack = "".join(told.stack.format())
    header = "Traceback (most recent call last):\n" if stack else ""
    return f"{header}{stack}{report(error)}\n"


def of_the_program_alone(stack: traceback.StackSummary) -> Iterator[traceback.FrameSummary]:
    """The lines but those of eau2, and of what eau2 calls."""
    inside = True
    for frame in stack:
        if frame.filename.startswith(_OURS):
            inside = True
        elif not (inside and frame.filename.startswith(_LIBRARIES)):
            inside = False
            yield frame
