"""The shell: statements typed at a prompt, or piped in, run one after another.

Owns: the two ways in, and what becomes of an error at each. Comes in: how to connect, and text from
stdin. Goes out: what statements give, on stdout. Does not know: the prompt, the commands: repl/.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eau2 import __version__
from eau2.errors import Error, report

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from eau2.connection import Connection
    from eau2.repl.interpreter import Interpreter
    from eau2.repl.opening import Opening


def run(connect: Callable[[], Connection], place: str, *, init: bool = True) -> int:
    """Read statements from stdin until it ends; the exit code.

    connect: opens the connection. place: what the prompt says it is connected to. init: read the
    user's settings and init.sql, which only a shell at a terminal does. At a terminal an error is
    printed and the next statement is read. Piped in, the first error ends the run: it is raised.
    """
    if sys.stdin.isatty():
        return run_prompt(connect, place, init=init)
    return run_script(connect, sys.stdin.buffer.read().decode("utf-8-sig", errors="replace"))


def run_script(connect: Callable[[], Connection], text: str) -> int:
    """Run everything in `text`. Raises what the first failing statement raises."""
    from eau2.repl.interpreter import Interpreter
    from eau2.repl.preferences import Preferences

    with connect() as connection:
        interpreter = Interpreter(connection, Preferences())
        try:
            interpreter.run_script(text)
        finally:
            interpreter.end_output()
    return 0


def run_prompt(
    connect: Callable[[], Connection],
    place: str,
    *,
    init: bool = True,
    source: Input | None = None,
    sink: Output | None = None,
) -> int:
    """Prompt, read, run, until input ends. `source` and `sink` stand in for the terminal.

    The prompt is there before the connection is. Raises what connecting raises.
    """
    from eau2.repl.opening import Opening
    from eau2.repl.places import config_path, init_path
    from eau2.repl.preferences import Preferences, read
    from eau2.repl.session import forgets, session
    from eau2.repl.words import Known

    preferences = Preferences()
    if init:
        try:
            preferences = read(config_path())
        except Error as error:
            _complain(error)
        except OSError:
            # Nobody's home: there is nothing to read, and nowhere to keep what is typed.
            init = False
    known = Known()
    prompt = session(preferences, place, known, source, sink)

    def changed() -> None:
        app = prompt.app
        loop = app.loop
        if loop is None or not app.is_running:
            return
        if opening.failure is not None:
            loop.call_soon_threadsafe(stop_if_failed)
        app.invalidate()

    def stop_if_failed() -> None:
        if opening.failure is not None and prompt.app.is_running and not prompt.app.is_done:
            prompt.app.exit(exception=opening.failure)

    opening = Opening(connect, preferences, known, changed)
    prompt.app.after_render += lambda _: opening.begin()
    try:
        print(f'eau2 {__version__}. Type "\\?" for help.', flush=True)
        if init and os.path.exists(init_path()) and not _begin(opening.interpreter(), init_path()):
            return 0
        draft = ""
        while True:
            try:
                text = prompt.prompt(default=draft, pre_run=stop_if_failed)
                if trouble := forgets(prompt):
                    print(trouble, file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                draft = ""
                continue
            except EOFError:
                return 0
            going, draft = _typed(opening, text)
            if not going:
                return 0
    finally:
        opening.close()


def _typed(opening: Opening, text: str) -> tuple[bool, str]:
    """Run what was typed; whether to go on, and what the next prompt begins with.

    Raises what connecting raises: without a connection there is no shell.
    """
    try:
        interpreter = opening.interpreter()
    except KeyboardInterrupt:
        _interrupted()
        return True, ""
    going = _attempt(lambda: interpreter.run_line(text))
    return going, interpreter.taken_draft()


def _begin(interpreter: Interpreter, path: Path) -> bool:
    """Run the user's first statements; whether to go on."""

    def work() -> bool:
        interpreter.run_file(path)
        return True

    _attempt(work)
    return not interpreter.quits


def _attempt(work: Callable[[], bool]) -> bool:
    """Do something that may fail or be interrupted, which is said; True then."""
    try:
        return work()
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        # Whoever left the pager has seen enough.
        pass
    except Exception as error:
        _complain(error)
    return True


def _interrupted() -> None:
    print("Interrupted", file=sys.stderr, flush=True)


def _complain(error: Exception) -> None:
    print(report(error, ask="\\? "), file=sys.stderr, flush=True)
