"""What is seen of a store on several nodes: SHOW NODES, SHOW CHUNKS, and the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from eau2.errors import ProgrammingError, UnknownNameError
from eau2.launch import NodeOptions
from eau2.net.message import NodeInfo
from eau2.net.ring_message import LeaveRing, Ring
from tests.cluster.asking import about, ask, put, sql
from tests.cluster.nodes import ANY_PORT, InProcess, in_process, until
from tests.conftest import Cli

COLUMNS = ["name", "state", "health", "voter", "may_fail", "chunks", "missing"]


@pytest.fixture(scope="module")
def store() -> Iterator[InProcess]:
    """Three nodes, all voters, with the frame t of four chunks. Left as it was."""
    with in_process(3) as nodes:
        put(nodes.urls[0], "t", 400)
        until(lambda: seen(nodes.urls[0]) == in_order(), 30)
        yield nodes


def seen(url: str) -> list[tuple[object, ...]]:
    """Some columns of SHOW NODES."""
    with eau2.connect(url) as connection:
        rows = connection.sql("SHOW NODES").to_arrow()
    return list(zip(*(rows[name].to_pylist() for name in COLUMNS), strict=True))


def in_order() -> list[tuple[object, ...]]:
    return [
        ("n1", "in", "up", True, True, 3, 0),
        ("n2", "in", "up", True, True, 3, 0),
        ("n3", "in", "up", True, True, 2, 0),
    ]


def test_every_node_sees_all_nodes(store: InProcess) -> None:
    for url in store.urls:
        assert seen(url) == in_order()
    rows = sql(store.urls[1], "SHOW NODES")
    assert [row[1] for row in rows] == list(store.urls)
    with eau2.connect(store.urls[1]) as connection:
        result = connection.sql("SHOW NODES")
    types = [str(type_) for type_ in result.types]
    assert types == [*(["VARCHAR"] * 4 + ["BOOLEAN"] * 2 + ["BIGINT"] * 5 + ["DOUBLE", "VARCHAR"])]
    # It counts the statement that asks.
    assert [row[10] for row in rows] == [0, 1, 0]


def test_every_chunk_is_where_it_belongs(store: InProcess) -> None:
    for text in ("SHOW CHUNKS", "SHOW CHUNKS FROM t", "show chunks from T"):
        rows = sql(store.urls[2], text)
        assert [row[:3] for row in rows] == [("t", number, 100) for number in range(4)]
        assert [row[4] for row in rows] == ["n1, n2", "n2, n3", "n3, n1", "n1, n2"]
        assert [row[5] for row in rows] == [row[4] for row in rows]
    (first, *_) = rows
    with eau2.connect(store.urls[0]) as connection:
        chunk = connection.describe("t").chunks[0]
    assert first[6:] == (f"{chunk.key.df_id}/0", chunk.checksum)


def test_frames_of_the_connection_are_listed_too(store: InProcess) -> None:
    with eau2.connect(store.urls[0]) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
        rows = connection.sql("SHOW CHUNKS FROM mine").fetchall()
        assert [row[:3] + row[4:6] for row in rows] == [("mine", 0, 1, "local", "local")]
        assert len(connection.sql("SHOW CHUNKS").fetchall()) == 5


def test_what_has_no_chunks(store: InProcess) -> None:
    with eau2.connect(store.urls[0]) as connection:
        connection.execute("CREATE TEMP VIEW seen AS SELECT 1 AS a")
        with pytest.raises(ProgrammingError, match="is a view: it has no chunks"):
            connection.sql("SHOW CHUNKS FROM seen")
        with pytest.raises(UnknownNameError) as failure:
            connection.sql("SHOW CHUNKS FROM sene")
    assert 'Did you mean "seen"?' in str(failure.value)


def test_a_store_of_this_process() -> None:
    with eau2.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        ((name, address, state, health, voter, may_fail, chunks, *_),) = connection.sql(
            "SHOW NODES"
        ).fetchall()
        rows = connection.sql("SHOW CHUNKS").fetchall()
    assert (name, address, state, health) == ("local", None, "in", "up")
    assert (voter, may_fail, chunks) == (True, False, 1)
    assert [row[:3] + row[4:6] for row in rows] == [("t", 0, 1, "local", "local")]


def test_the_command_line_says_that_all_is_well(main: Cli, store: InProcess) -> None:
    done = main("cluster", "status", "--connect", store.urls[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[5:] == [
        "Each chunk is on 2 nodes.",
        "Any one node may fail: all can be read, and puts go on.",
        "All is in order.",
    ]


def test_what_cannot_be_drained_or_removed(main: Cli, store: InProcess) -> None:
    at = ("--connect", store.urls[0])
    done = main("node", "drain", "n7", *at)
    assert (done.returncode, done.stderr) == (
        1,
        'Error E1007: there is no node "n7"\nThe nodes are n1, n2, n3.\n',
    )
    done = main("node", "remove", "n2", *at)
    assert done.returncode == 2
    assert "n2 is up" in done.stderr
    assert "--yes" in done.stderr
    done = main("node", "undrain", "n2", *at)
    assert done.stdout == "n2 holds chunks: there is nothing to take back.\n"
    assert seen(store.urls[0]) == in_order()


def test_a_drain_that_takes_too_long_goes_on_and_is_taken_back(main: Cli, store: InProcess) -> None:
    at = ("--connect", store.urls[0])
    done = main("node", "drain", "n3", "--timeout", "0.01", *at)
    assert (done.returncode, done.stderr) == (1, "")
    assert "n3: 2 chunks" in done.stdout
    assert "n3 has not handed over all within 0.01 s. It goes on" in done.stdout
    ring = ask(store.urls[1], LeaveRing("n3", "leaving"))
    assert isinstance(ring, Ring)
    assert [member.state for member in ring.members] == ["in", "in", "leaving"]
    # Its registers go on: it is the voters' word that takes it back.
    done = main("node", "drain", "n3", "--undo", *at)
    assert (done.returncode, done.stdout) == (
        0,
        "n3 holds chunks again; it fetches those that it is to have.\n",
    )
    until(lambda: seen(store.urls[1]) == in_order(), 40)


def test_the_last_node_cannot_be_drained(main: Cli) -> None:
    with in_process(1) as nodes:
        done = main("node", "drain", "n1", "--connect", nodes.urls[0])
        assert done.returncode == 2
        assert "n1 is the last node that stays" in done.stderr


def test_nodes_that_are_not_there(main: Cli, tmp_path: Path) -> None:
    with in_process(3, data=tmp_path / "data") as nodes:
        url = nodes.urls[0]
        put(url, "t", 400)
        gone = nodes.nodes.pop()
        nodes.thread.run(gone.stop(0))
        # Not heard for a moment only, but it does not answer.
        rows = seen(url)
        assert [row[4] for row in rows][:2] == [False, False]
        assert rows[2][5:] == (None, None)
        done = main("cluster", "status", "--connect", url)
        assert done.returncode == 1
        assert "n3 does not answer" in done.stdout
        rows = sql(url, "SHOW CHUNKS")
        assert [row[4] for row in rows] == ["n1, n2", "n2, n3", "n3, n1", "n1, n2"]
        assert [row[5] for row in rows] == ["n1, n2", "n2", "n1", "n1, n2"]
        # Without most of the voters names cannot be read, but who asks what is wrong is told.
        nodes.thread.run(nodes.nodes.pop().stop(0))
        start = time.monotonic()
        done = main("cluster", "status", "--connect", url)
        assert time.monotonic() - start < 4
        assert done.returncode == 1
        assert "1 of 3 voters is there" in done.stdout


def test_a_store_that_is_being_formed(main: Cli) -> None:
    with in_process(0) as nodes:
        first = nodes.start(NodeOptions(ANY_PORT, inline_kernels=True, voters=3))
        nodes.start(NodeOptions(ANY_PORT, None, first.address, inline_kernels=True))
        done = main("cluster", "status", "--connect", nodes.urls[0])
        assert "The store is being formed" in done.stdout
        assert [row[3:5] for row in seen(nodes.urls[0])] == [(False, False)] * 2


def test_a_node_says_when_it_has_looked(store: InProcess) -> None:
    ring = ask(store.urls[0], LeaveRing("n1", "in"))
    assert isinstance(ring, Ring)
    assert about(store.urls[0]).looked == ring.epoch
    assert ask(store.urls[0], NodeInfo()) is not None
