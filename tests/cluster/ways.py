"""Further kinds of work for nodes, and further ways of giving it up.

Owns: statements that take from half a second to minutes, and clients that end in the middle of one.
Comes in: a node's URL, a statement, after how many seconds to give up; goes out: nothing, or an
error when giving up did not go as it should. Does not know: what is left on the nodes (watch.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import eau2
from eau2.errors import DeadlineError, InterfaceError, PeerLostError
from tests.cluster.asking import ENDLESS
from tests.processes import environment

STATEMENTS = (
    ENDLESS,
    "SELECT x.a % 9 AS m, x.a + y.a AS s FROM t x, (SELECT a FROM t WHERE a < 4) y ORDER BY m, s",
    "SELECT a % 700001 AS g, count(*), sum(a), avg(a) FROM t GROUP BY a % 700001 ORDER BY g DESC",
    "SELECT a % 13 AS m, count(DISTINCT a % 500009) FROM t GROUP BY a % 13",
    "SELECT x.a, y.a AS b FROM t x JOIN t y ON x.a % 100003 = y.a % 100003 WHERE x.a < y.a",
    "SELECT a, a + 1, a * 2, a * 3, CAST(a AS VARCHAR) FROM t",
)
"""Over a frame t of a million rows."""

_SINCE_START_S = 0.15
"""A client that is a process of its own needs this long to ask."""

Way = Callable[[str, str, float], None]


def in_time(url: str, text: str, moment_s: float) -> None:
    """A deadline, of a statement that may also end before it."""
    with eau2.connect(url) as connection:
        with suppress(DeadlineError):
            connection.sql(text, timeout=0.001 + moment_s)
        usable(connection)


def keyboard_interrupt(url: str, text: str, moment_s: float) -> None:
    """Ctrl-C in a program that waits for a result. For the main thread."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(moment_s, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with eau2.connect(url) as connection:
            try:
                timer.start()
                connection.sql(text)
                # It had ended before.
                time.sleep(5)
                raise AssertionError("the interrupt was lost")
            except KeyboardInterrupt:
                usable(connection)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)


def closed_by_another_thread(url: str, text: str, moment_s: float) -> None:
    """The connection is closed while somebody waits for its answer."""
    connection = eau2.connect(url)
    timer = threading.Timer(moment_s, connection.close)
    timer.start()
    with suppress(PeerLostError, InterfaceError):
        connection.sql(text)
    timer.join()


def stopped_reading(url: str, text: str, moment_s: float) -> None:
    """The batches are taken for a while and then let go."""
    end = time.monotonic() + moment_s
    with eau2.connect(url) as connection:
        # What gives nothing for so long would be waited for.
        with suppress(DeadlineError), connection.stream(text, timeout=1 + moment_s) as batches:
            while time.monotonic() < end and next(batches, None) is not None:
                pass
        usable(connection)


def killed(url: str, text: str, moment_s: float) -> None:
    """The client's process is gone from one moment to the next."""
    with client(url, text) as process:
        time.sleep(_SINCE_START_S + moment_s)
        process.kill()


def terminated_while_writing(url: str, text: str, moment_s: float) -> None:
    """The client writes to somebody who does not read any more, and is told to end."""
    with client(url, text) as process:
        time.sleep(_SINCE_START_S + moment_s)
        assert process.stdout is not None
        process.stdout.close()
        process.terminate()


def client(url: str, text: str) -> subprocess.Popen[bytes]:
    """`eau2 query` with a pipe for what it writes, which nobody reads."""
    return subprocess.Popen(
        [sys.executable, "-m", "eau2", "query", "--connect", url, "--format", "csv", text],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def usable(connection: eau2.Connection) -> None:
    """The connection can be asked for other things, at once."""
    assert connection.sql("SELECT 1", timeout=5).fetchall() == [(1,)]


WAYS: tuple[Way, ...] = (
    in_time,
    keyboard_interrupt,
    closed_by_another_thread,
    stopped_reading,
    killed,
    terminated_while_writing,
)
