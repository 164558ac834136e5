"""Nodes that die or stop answering while something is asked of the store: real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import eau2
from eau2.errors import (
    DeadlineError,
    InterfaceError,
    OperationalError,
    OutcomeUnknownError,
    UnknownNameError,
)
from tests.cluster.asking import (
    SLOW,
    about,
    in_two_halves,
    numbers,
    put,
    sql,
)
from tests.cluster.nodes import Processes, in_process, kernels, processes, until, until_dead

LONG = SLOW.replace("100", "1000")
"""The same as SLOW, ten times as long."""

CHUNKS = 10
"""Of the frame t; each is on two nodes."""

NOTICED_S = 5.0
"""Within this time the death of a node that nobody can replace must be an error that names it."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Processes]:
    """Three nodes with a frame t; a test that kills one starts it again."""
    with processes(3) as nodes:
        put(nodes.urls[1], "t", 1_000_000, 1_000_000 // CHUNKS)
        yield nodes


def failing(work: object, match: str) -> float:
    """How long it took to fail, which it must with a message that matches."""
    assert callable(work)
    start = time.monotonic()
    with pytest.raises(OperationalError, match=match):
        work()
    return time.monotonic() - start


def _copies_held(nodes: Processes) -> int:
    """How many chunks the nodes have, each copy counted."""
    return sum(about(url).chunks for url in nodes.urls)


def test_a_node_killed_in_mid_query_costs_no_more_than_time(shared: Processes) -> None:
    first, _, third = shared.nodes
    workers = kernels(third)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(sql, first.url, LONG)
        until(lambda: about(third.url).running)
        shared.kill(2)
        assert running.result(30) == [(10,)]
    until_dead(workers)
    assert sql(first.url, SLOW) == [(10,)]
    shared.restart(2)
    assert sql(first.url, SLOW) == [(10,)]


def test_a_node_killed_in_mid_put_is_replaced_by_the_others(shared: Processes) -> None:
    first, second, _ = shared.nodes
    with eau2.connect(second.url) as connection:
        connection.execute("SET chunk_rows = 1000")
        connection.put("half", in_two_halves(numbers(100_000), lambda: shared.kill(2)))
    for node in (first, second):
        rows = sql(node.url, "SELECT count(*), sum(a) FROM half")
        assert rows == [(100_000, 100_000 * 99_999 // 2)]
    shared.restart(2)
    sql(shared.urls[2], "DROP TABLE half")
    for url in shared.urls:
        with pytest.raises(UnknownNameError):
            sql(url, "SELECT * FROM half")
    until(lambda: _copies_held(shared) == 2 * CHUNKS, 30)


def test_a_client_that_goes_away_in_mid_put_leaves_no_trace_of_it(shared: Processes) -> None:
    url = shared.urls[2]
    # What other tests have left behind is swept first.
    until(lambda: _copies_held(shared) == 2 * CHUNKS, 30)
    held = [about(url).chunks for url in shared.urls]
    connection = eau2.connect(url)
    connection.execute("SET chunk_rows = 1000")
    with pytest.raises(InterfaceError, match="closed"):
        connection.put("gone", in_two_halves(numbers(100_000), connection.close))
    until(lambda: about(url).running == 0)
    until(lambda: [about(url).chunks for url in shared.urls] == held)
    assert sql(url, "SHOW TABLES") == [("t",)]


def test_names_are_found_without_one_of_three_voters(shared: Processes) -> None:
    second = shared.nodes[1]
    with eau2.connect(second.url) as connection:
        assert connection.sql("SELECT count(*) FROM t").fetchall() == [(1_000_000,)]
        shared.kill(0)
        assert connection.sql("SELECT count(*) FROM t").fetchall() == [(1_000_000,)]
        shared.restart(0)
        assert connection.sql("SELECT count(*) FROM t").fetchall() == [(1_000_000,)]


def test_without_a_majority_names_cannot_be_asked_and_come_back_with_it() -> None:
    with processes(2) as nodes:
        put(nodes.urls[1], "t", 1000)
        nodes.kill(0)
        with eau2.connect(nodes.urls[1]) as connection:
            assert failing(lambda: connection.sql("SELECT count(*) FROM t"), "n1") < 2 * NOTICED_S
            nodes.restart(0)
            assert connection.sql("SELECT count(*) FROM t").fetchall() == [(1000,)]


def test_a_node_that_hangs_costs_no_more_than_the_deadline(shared: Processes) -> None:
    first, _, third = shared.nodes
    os.kill(third.pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            sql(first.url, SLOW, timeout=1)
        assert time.monotonic() - start < 2.5
    finally:
        os.kill(third.pid, signal.SIGCONT)
    assert sql(first.url, SLOW) == [(10,)]


def test_a_node_comes_up_before_the_voter_and_finds_it_later() -> None:
    with processes(2) as nodes:
        put(nodes.urls[0], "t", 1000)
        for place in (1, 0):
            nodes.kill(place)
        nodes.restart(1)
        assert about(nodes.urls[1]).name == "n2"
        # The voter may even be somewhere else by then: it tells the others.
        old = nodes.nodes[0].address
        nodes.start(nodes.options[0], 0).ready()
        assert nodes.nodes[0].address != old
        for url in nodes.urls:
            assert sql(url, "SELECT sum(a) FROM t") == [(499_500,)]


def test_a_write_that_a_stopping_node_has_begun_has_no_known_outcome() -> None:
    """It may have been done; that nothing was begun must not be said."""
    with in_process(1) as nodes:
        put(nodes.urls[0], "t", 1_000_000, 100_000)
        text = f"CREATE TABLE u AS {SLOW.replace('100', '2000')}"
        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(sql, nodes.urls[0], text)
            until(lambda: about(nodes.urls[0]).running)
            nodes.thread.run(nodes.nodes[0].stop(0))
            with pytest.raises(OutcomeUnknownError, match="has stopped"):
                writing.result(20)
