"""Ctrl-C while something runs: the wish, and the force that comes after it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

import eau2
from eau2.errors import CancelledError, OperationalError
from eau2.repl.interrupts import cancelling

pytestmark = pytest.mark.timeout(30)

SLOW = "SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE x * y % 7 = 1"


def pressed(after_s: float) -> threading.Timer:
    """Ctrl-C is pressed after a while."""
    timer = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def naps() -> None:
    """Sleep for ten seconds, in pieces: a signal just before one is seen after it."""
    for _ in range(200):
        time.sleep(0.05)


def test_a_statement_is_cancelled_in_the_middle_of_a_kernel_call() -> None:
    with eau2.connect() as connection:
        connection.interruptible()
        connection.sql("CREATE TABLE t AS SELECT * FROM range(100000)")
        for run in (connection.sql, lambda text: connection.stream(text).read_all()):
            timer = threading.Timer(0.3, connection.cancel)
            timer.start()
            with pytest.raises(CancelledError):
                run(SLOW)
            timer.join()
        # A cancel that comes too late is for no other statement.
        connection.cancel()
        assert connection.sql("SELECT count(*) FROM t").fetchall() == [(100000,)]


def test_what_obeys_a_wish_is_not_interrupted_elsewhere() -> None:
    wish = threading.Event()

    def cancel() -> bool:
        wish.set()
        return True

    def obey() -> None:
        wish.wait(10)
        raise CancelledError("the query was cancelled")

    timer = pressed(0.1)
    with pytest.raises(KeyboardInterrupt) as caught, cancelling(cancel):
        obey()
    timer.join()
    assert isinstance(caught.value.__cause__, CancelledError)


@pytest.mark.parametrize("obeys", [True, False])
def test_what_does_not_obey_is_interrupted(obeys: bool) -> None:
    timer = pressed(0.1)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), cancelling(lambda: obeys):
        # A wait for a lock, which nobody releases.
        threading.Lock().acquire() and threading.Event().wait(10)
    assert time.monotonic() - start < 5
    timer.join()


def test_an_error_of_its_own_stays_what_it_is() -> None:
    for error in (CancelledError("the node has stopped"), OperationalError("no room")):
        with pytest.raises(OperationalError) as caught, cancelling(lambda: True):
            raise error
        assert caught.value is error
    # The signal means again what it meant before.
    timer = pressed(0.05)
    with pytest.raises(KeyboardInterrupt):
        naps()
    timer.join()
