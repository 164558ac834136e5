"""Nodes from start to stop, and what they say when they cannot start: in this process and as real
processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

import eau2
from eau2.errors import (
    BusyError,
    HandshakeError,
    OperationalError,
    ProtocolError,
    StoreError,
    UnreachableError,
    UsageError,
)
from eau2.launch import ClusterOptions, NodeOptions
from eau2.net.address import Address, parse_address
from eau2.net.blocking import BlockingConnection
from eau2.net.message import (
    DeleteWrites,
    Message,
    NodeInfo,
    Peek,
    RunTask,
)
from eau2.net.ring_message import (
    GetRing,
    Ring,
)
from tests.cluster.asking import ENDLESS, SLOW, Pause, about, ask, in_two_halves, numbers, put, sql
from tests.cluster.nodes import (
    ANY_PORT,
    InProcess,
    Processes,
    children,
    in_process,
    kernels,
    processes,
    until,
    until_dead,
)
from tests.processes import environment

Run = subprocess.CompletedProcess[str]


def command(*arguments: str, timeout_s: float = 30) -> Run:
    """`eau2` with arguments, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "eau2", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


# In this process.


def test_every_node_knows_the_ring_and_itself(three_in_process: InProcess) -> None:
    rings = {ask(url, GetRing()) for url in three_in_process.urls}
    (ring,) = rings
    assert isinstance(ring, Ring)
    assert [member.name for member in ring.members] == ["n1", "n2", "n3"]
    assert ring.voters == ("n1", "n2", "n3")
    nodes = [about(url) for url in three_in_process.urls]
    assert [node.name for node in nodes] == ["n1", "n2", "n3"]
    assert {node.store_id for node in nodes} == {ring.store_id}
    assert [node.address for node in nodes] == [f"eau2://{m.address}" for m in ring.members]


def test_every_node_answers_for_every_name(three_in_process: InProcess) -> None:
    first, second, third = three_in_process.urls
    put(second, "every", 1000)
    for url in (first, second, third):
        assert sql(url, "SELECT sum(a), count(*) FROM every") == [(499_500, 1000)]
    for node in three_in_process.nodes:
        said = about(f"eau2://{node.address}")
        assert said.chunks >= 3
        assert said.bytes > 0
    sql(third, "DROP TABLE every")
    with pytest.raises(eau2.Error, match="every"):
        sql(first, "SELECT * FROM every")


@pytest.mark.parametrize("message", [DeleteWrites(("abc",)), Peek("t"), RunTask(0, 0, 0, ())])
@pytest.mark.parametrize("role", ["client", "", "voter"])
def test_a_client_is_not_answered_what_nodes_ask(
    three_in_process: InProcess, message: Message, role: str
) -> None:
    with pytest.raises(ProtocolError, match="nodes only"):
        ask(three_in_process.urls[0], message, role)


def test_an_address_for_other_machines_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="other machines"):
        NodeOptions(Address("0.0.0.0", 7700), str(tmp_path / "data"))
    with pytest.raises(UsageError, match="other machines"):
        ClusterOptions(3, Address("192.168.0.1", 7700))
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_said_and_leaves_the_directory_free(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as taken, in_process(0) as nodes:
        address = Address(*taken.getsockname())
        with pytest.raises(OperationalError, match=f"{address} is in use"):
            nodes.start(NodeOptions(address, data, inline_kernels=True))
        nodes.start(NodeOptions(ANY_PORT, data, inline_kernels=True))


def test_two_nodes_on_one_directory(tmp_path: Path) -> None:
    with in_process(1, data=tmp_path) as nodes:
        options = NodeOptions(ANY_PORT, str(tmp_path / "n1"), inline_kernels=True)
        with pytest.raises(StoreError, match="another node runs on the directory"):
            nodes.start(options)
        assert ask(nodes.urls[0], GetRing())


def test_a_directory_of_another_store_cannot_join(tmp_path: Path) -> None:
    with in_process(1, data=tmp_path / "a") as a, in_process(1, data=tmp_path / "b") as b:
        ours, theirs = a.nodes[0].store_id, b.nodes[0].store_id
        seed = a.nodes[0].address
        b.stop()
        options = NodeOptions(ANY_PORT, str(tmp_path / "b" / "n1"), seed, inline_kernels=True)
        with pytest.raises((StoreError, HandshakeError)) as failure:
            b.start(options)
        assert ours in str(failure.value)
        assert theirs in str(failure.value)
        ring = ask(a.urls[0], GetRing())
        assert isinstance(ring, Ring)
        assert len(ring.members) == 1


def test_a_seed_that_is_not_there_or_no_node(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web, in_process(0) as nodes:
        gone = Address("127.0.0.1", _free_port())
        with pytest.raises(UnreachableError, match=str(gone)):
            nodes.start(NodeOptions(ANY_PORT, str(tmp_path / "n"), gone, inline_kernels=True))
        answering = threading.Thread(target=_speak_http, args=(web,))
        answering.start()
        address = Address(*web.getsockname())
        with pytest.raises(HandshakeError, match=str(address)):
            nodes.start(NodeOptions(ANY_PORT, str(tmp_path / "n"), address, inline_kernels=True))
        answering.join()
        # What failed twice left a directory that still becomes a node's.
        nodes.start(NodeOptions(ANY_PORT, str(tmp_path / "n"), inline_kernels=True))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _speak_http(server: socket.socket) -> None:
    peer, _ = server.accept()
    with peer:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)


def test_a_browser_is_turned_away_and_the_node_lives(three_in_process: InProcess) -> None:
    url = three_in_process.urls[0]
    with socket.create_connection(parse_address(url), timeout=10) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while browser.recv(4096):
                pass
    assert sql(url, "SELECT 1") == [(1,)]


def test_a_thousand_idle_connections_cost_nothing(three_in_process: InProcess) -> None:
    address = parse_address(three_in_process.urls[2])
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(socket.create_connection(address, timeout=10))
        assert sql(three_in_process.urls[2], "SELECT 1") == [(1,)]


def test_frames_survive_a_restart_and_another_address(tmp_path: Path) -> None:
    with in_process(3, data=tmp_path) as nodes:
        put(nodes.urls[1], "kept", 1000)
    with in_process(3, data=tmp_path) as nodes:
        for url in nodes.urls:
            assert sql(url, "SELECT sum(a) FROM kept") == [(499_500,)]


def test_stopping_lets_what_runs_end() -> None:
    with in_process(1) as nodes:
        connection = BlockingConnection(nodes.nodes[0].address)
        try:
            node = nodes.nodes.pop()
            assert nodes.thread.run(node.stop(5)) is None
            with pytest.raises(eau2.Error):
                connection.call(NodeInfo(), deadline_s=5)
        finally:
            connection.close()
        with pytest.raises(UnreachableError):
            ask(f"eau2://{node.address}", NodeInfo())


def test_a_data_root_that_is_no_folder(tmp_path: Path) -> None:
    with in_process(0) as nodes, pytest.raises(UsageError, match="no folder"):
        nodes.start(NodeOptions(ANY_PORT, None, None, str(tmp_path / "none"), inline_kernels=True))


TASKS_ONLY = """
import asyncio, sys
from eau2.launch import NodeOptions
from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.codec import encode_fragment
from eau2.net.message import NodeInfo, RunTask, Statement, TaskResult
from eau2.operators.values import OneRow
from eau2.process import RunningNode

async def main():
    node = await RunningNode.start(NodeOptions(Address("127.0.0.1", 0), inline_kernels=True))
    peer = await connect(node.address, role="node", store_id=node.store_id)
    await peer.call(NodeInfo())
    task = await peer.open(RunTask(0, 0, 0, ()), [encode_fragment(OneRow())], end=True)
    assert isinstance((await task.receive()).message, TaskResult)
    loaded = [name for name in sys.modules if name.startswith(FORBIDDEN)]
    assert not loaded, loaded
    client = await connect(node.address)
    await (await client.open(Statement("SELECT 1"), end=True)).receive()
    assert "eau2.engine" in sys.modules
    await node.stop(0)

FORBIDDEN = ("eau2.engine", "eau2.sql", "eau2.planner", "eau2.server", "lark")
asyncio.run(main())
"""


def test_a_node_that_only_runs_tasks_loads_no_sql() -> None:
    run = subprocess.run(
        [sys.executable, "-c", TASKS_ONLY],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


# Real processes.


def test_three_processes_answer(three_processes: Processes) -> None:
    put(three_processes.urls[2], "three", 1000)
    for url in three_processes.urls:
        assert sql(url, "SELECT sum(a), count(*) FROM three") == [(499_500, 1000)]


def test_a_node_says_what_it_does_as_json(three_processes: Processes) -> None:
    lines = [json.loads(line) for line in three_processes.logs[1].read_text().splitlines()]
    assert lines
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert any(line.get("node") == "n2" for line in lines)


def test_a_killed_kernel_costs_one_query_at_most(three_processes: Processes) -> None:
    node, url = three_processes.nodes[1], three_processes.urls[1]
    put(url, "mortal", 1000)
    (kernel,) = kernels(node)
    os.kill(kernel, signal.SIGKILL)
    with contextlib.suppress(OperationalError):
        sql(url, "SELECT sum(a) FROM mortal")
    assert sql(url, "SELECT sum(a) FROM mortal") == [(499_500,)]


def test_a_told_node_ends_what_runs_and_then_itself() -> None:
    with processes(1) as nodes:
        node = nodes.nodes[0]
        workers = kernels(node)
        put(node.url, "t", 1_000_000, 100_000)
        with ThreadPoolExecutor(2) as threads, eau2.connect(node.url) as connection:
            pause = Pause()
            running = threads.submit(sql, node.url, SLOW)
            putting = threads.submit(connection.put, "late", in_two_halves(numbers(1000), pause))
            until(lambda: about(node.url).running == 2)
            node.terminate()
            # New work is refused at once, and what runs may take its time.
            with pytest.raises(BusyError, match="stopping"):
                until(lambda: sql(node.url, "SELECT 1") != [(1,)])
            pause.over.set()
            putting.result(20)
            assert running.result(20) == [(10,)]
            assert node.wait(20) == 0
            until_dead(workers)
            with pytest.raises(OperationalError):
                connection.sql("SELECT 1")
        nodes.restart(0)
        assert sql(nodes.urls[0], "SELECT sum(a) FROM late") == [(499_500,)]


def test_a_node_that_is_told_twice_ends_at_once() -> None:
    with processes(1) as nodes:
        node = nodes.nodes[0]
        workers = kernels(node)
        put(node.url, "t", 1_000_000, 100_000)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(sql, node.url, ENDLESS)
            until(lambda: about(node.url).running == 1)
            node.terminate()
            time.sleep(0.2)
            assert node.poll() is None
            node.terminate()
            assert node.wait(5) == 0
            until_dead(workers)
            with pytest.raises(OperationalError):
                running.result(5)


def test_what_cannot_start_says_why_in_one_message(
    three_processes: Processes, tmp_path: Path
) -> None:
    data = str(tmp_path / "data")
    listening = str(three_processes.nodes[0].address)
    run = command("node", "--listen", listening, "--data", data)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"Error E5001: {listening} is in use by another program" in run.stderr
    assert "Traceback" not in run.stderr

    run = command("node", "--listen", "0.0.0.0:7700", "--data", data)
    assert run.returncode == 2
    assert "other machines" in run.stderr

    gone = f"127.0.0.1:{_free_port()}"
    run = command("node", "--listen", "127.0.0.1:0", "--data", data, "--join", gone)
    assert run.returncode == 3
    assert gone in run.stderr

    held = str(three_processes.folder / "n1")
    run = command("node", "--listen", "127.0.0.1:0", "--data", held)
    assert run.returncode == 1
    assert "another node runs on the directory" in run.stderr


def test_no_node_outlives_whoever_started_it(tmp_path: Path) -> None:
    cluster = _cluster(tmp_path)
    try:
        nodes = children(cluster.pid)
        assert len(nodes) == 2
        until(lambda: all(children(node) for node in nodes))
        workers = {worker for node in nodes for worker in children(node)}
        cluster.kill()
        cluster.wait(10)
        until_dead(nodes | workers)
    finally:
        _end(cluster)


def test_a_local_cluster_from_start_to_ctrl_c(tmp_path: Path) -> None:
    cluster = _cluster(tmp_path)
    try:
        nodes = children(cluster.pid)
        (folder,) = tmp_path.glob("eau2-cluster-*")
        cluster.send_signal(signal.SIGINT)
        assert cluster.wait(20) == 0
        until_dead(nodes)
        assert not folder.exists()
    finally:
        _end(cluster)


def test_a_local_cluster_goes_on_without_a_node_and_says_what_it_can_do(tmp_path: Path) -> None:
    cluster = _cluster(tmp_path, 3)
    try:
        nodes = children(cluster.pid)
        assert cluster.stderr is not None
        os.kill(max(nodes), signal.SIGKILL)
        said = _said(cluster.stderr, "node n3 ended")
        assert said[0] == "node n3 ended (signal 9); n1, n2 go on\n"
        assert "Each chunk is on 2 nodes. " in said[1]
        os.kill(sorted(nodes)[1], signal.SIGKILL)
        said = _said(cluster.stderr, "node n2 ended")
        assert said[0] == "node n2 ended (signal 9); n1 goes on\n"
        assert "1 of 3 voters is there" in said[1]
        os.kill(min(nodes), signal.SIGKILL)
        assert cluster.wait(20) == 1
        assert "Error E5001: all nodes have ended, node n1 last\n" in cluster.stderr.read()
        until_dead(nodes)
    finally:
        _end(cluster)


def _said(stderr: IO[str], start: str) -> list[str]:
    """The line that starts so and what is said after it, without what nodes log."""
    lines: list[str] = []
    while len(lines) < 2 and (line := stderr.readline()):
        logged = line.startswith("{") or line[:2].isdigit()
        if not logged and (lines or line.startswith(start)):
            lines.append(line)
    return lines


def _cluster(temporary: Path, count: int = 2) -> subprocess.Popen[str]:
    """A local cluster that says it is ready."""
    made = subprocess.Popen(
        [sys.executable, "-m", "eau2", "cluster", f"--nodes={count}", "--listen=127.0.0.1:0"],
        env=environment(TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert made.stdout is not None
    lines = [made.stdout.readline()]
    while lines[-1] and "Ctrl-C" not in lines[-1]:
        lines.append(made.stdout.readline())
    assert lines[0].startswith("n1 listens at eau2://127.0.0.1:")
    assert lines[1].startswith("n2 listens at eau2://127.0.0.1:")
    return made


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
