"""The engine and the connection, made by a thread of their own while the prompt waits already.

Owns: that thread, which later keeps the known words up to date. Comes in: how to connect. Goes out:
the interpreter, or the error that there is none. Does not know: the terminal.

Loading the engine takes several times longer than showing a prompt, and nobody types that fast.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from eau2.errors import Error
from eau2.repl.preferences import Preferences
from eau2.repl.words import Known

if TYPE_CHECKING:
    from eau2.connection import Connection
    from eau2.repl.interpreter import Interpreter

_WAIT_S: Final = 0.2
"""A Ctrl-C that comes just before a wait is not seen during it, so that none may be long."""

_PAUSE_S: Final = 0.05

_END_S: Final = 5.0
"""How long the end of the thread is waited for."""


class Opening:
    """The interpreter of a shell, as soon as there is one."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        preferences: Preferences,
        known: Known,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        """changed: is called when the known words are new ones, or there is an error."""
        self._connect = connect
        self._preferences = preferences
        self._known = known
        self._changed = changed
        self._made: Future[Interpreter] = Future()
        self._ask = threading.Event()
        self._begun = self._ended = False
        self._thread = threading.Thread(target=self._work, name="eau2-shell", daemon=True)

    def begin(self) -> None:
        """Begin, if it has not. Best once the prompt is shown: both would be slower at once."""
        if not self._begun:
            self._begun = True
            self._thread.start()

    @property
    def failure(self) -> BaseException | None:
        """Why there is no connection, once that is known."""
        return self._made.exception() if self._made.done() else None

    def interpreter(self) -> Interpreter:
        """Begin, and wait for it. Raises what connecting raises."""
        self.begin()
        while True:
            try:
                return self._made.result(_WAIT_S)
            except TimeoutError:
                if self._made.done():
                    return self._made.result()

    def refresh(self) -> None:
        """Have the known words looked up again."""
        self._ask.set()

    def close(self) -> None:
        """End the thread and the connection. What still connects is not waited for."""
        self._ended = True
        self._ask.set()
        if self._made.done() and self._made.exception() is None:
            self._made.result().close()
            self._thread.join(_END_S)

    def _work(self) -> None:
        from eau2.repl import wordlists
        from eau2.repl.interpreter import Interpreter

        try:
            connection = self._connect()
            connection.interruptible()
            interpreter = Interpreter(connection, self._preferences, self._connect)
            interpreter.names_changed = self.refresh
            self._made.set_result(interpreter)
        except BaseException as error:
            self._made.set_exception(error)
            self._changed()
            return
        if self._ended:
            interpreter.close()
            return
        words = wordlists.of_language()
        self._ask.set()
        while self._ask.wait() and not self._ended:
            self._ask.clear()
            try:
                with interpreter.idle() as (idle, go_on):
                    found = wordlists.of_connection(words, idle, go_on)
            except Error:
                # What is wrong with the connection is told to whoever runs a statement on it.
                found = words
            if found is None:
                # A statement has come in between.
                self._ask.set()
                time.sleep(_PAUSE_S)
                continue
            self._known.words = words = found
            self._changed()
