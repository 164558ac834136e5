"""Ctrl-C while a statement runs: first a wish, then force.

Owns: what the signal means during a statement, and the thread that carries the wish out. Comes in:
how to cancel. Goes out: KeyboardInterrupt. Does not know: statements.

An exception out of nowhere can leave a lock or a kernel process taken for ever. So the first Ctrl-C
only asks for the end, as another thread would (the interrupted one may hold the locks for that).
Only what does not end soon after is interrupted where it is.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from eau2.errors import CancelledError

FORCED_S: Final = 0.1
"""So long after the wish comes force: the prompt is to be back within 0.2 s."""

AGAIN_S: Final = 0.02
QUIET_S: Final = 0.5
"""So long after an interrupt no second one comes: what it ends is to be left in order."""


class _Presses:
    """The presses of Ctrl-C during one statement, and the thread that waits for the first."""

    def __init__(self, cancel: Callable[[], bool]) -> None:
        self._cancel = cancel
        self.count = 0
        # Of the ways to wake a thread this one may be called by a signal handler at any point.
        self._wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._over = self._raised = False
        self._quiet_until = 0.0
        self._thread = threading.Thread(target=self._carry_out, name="eau2-interrupt", daemon=True)
        self._thread.start()

    def pressed(self, _number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        now = time.monotonic()
        if self._over or now < self._quiet_until:
            return
        self.count += 1
        if self.count > 1:
            self._quiet_until = now + QUIET_S
            self._raised = True
            raise KeyboardInterrupt
        self._wishes.put(True)

    def end(self) -> None:
        """The statement has ended."""
        self._over = True
        self._ended.set()
        self._wishes.put(False)
        self._thread.join()

    def _carry_out(self) -> None:
        if not self._wishes.get():
            return
        if self._cancel() and self._ended.wait(FORCED_S):
            return
        main = threading.main_thread().ident
        while main is not None and not (self._over or self._raised):
            # A real signal, which wakes whoever waits for a lock; not if it comes just before the
            # wait, so it comes again.
            signal.pthread_kill(main, signal.SIGINT)
            self._ended.wait(AGAIN_S)


@contextmanager
def cancelling(cancel: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, Ctrl-C calls `cancel`, and the CancelledError becomes a KeyboardInterrupt.

    cancel: is called on another thread; gives whether the statement ends by it. If not, or not at
    once, or at a second Ctrl-C, there is a KeyboardInterrupt out of nowhere. On any thread but the
    main one, which alone has signals, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    presses = _Presses(cancel)
    before = signal.signal(signal.SIGINT, presses.pressed)
    try:
        yield
    except CancelledError as error:
        if not presses.count:
            raise
        raise KeyboardInterrupt from error
    finally:
        presses.end()
        signal.signal(signal.SIGINT, before)
