"""The command line at a node: what it prints is what the embedded one prints, and how it fails."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from eau2.backup import backup
from eau2.backup_ends import StoreEnd
from eau2.kv.store import Store
from tests.cluster.nodes import in_process
from tests.conftest import Cli
from tests.processes import ROOT, environment
from tests.unit.test_cli import check_message
from tests.unit.test_remote import odd

DF = str(ROOT / "examples" / "df.csv")
NOBODY = "eau2://127.0.0.1:1"

UNLOADED = {
    *("asyncio", "pyarrow", "polars", "lark", "duckdb", "numpy", "prompt_toolkit", "ssl"),
    *("dataclasses", "inspect", "email", "eau2.types", "eau2.config", "eau2.connection"),
    *("eau2.net.message", "eau2.sql", "eau2.sql.split", "eau2.remote", "eau2.show"),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A node that holds the frame df."""
    with in_process(1) as nodes:
        with eau2.connect(nodes.urls[0]) as connection:
            connection.put("df", DF)
        yield nodes.urls[0]


TEXTS = [
    "SELECT * FROM df ORDER BY day, station, a LIMIT 50",
    "SELECT station, sum(a) AS s FROM df GROUP BY station ORDER BY s; SELECT 1.50 AS x",
    "SELECT a FROM df WHERE a < 0",
    "EXPLAIN SELECT sum(a) FROM df WHERE d > 1",
    "SET chunk_rows = 5; SHOW chunk_rows",
]


@pytest.mark.parametrize("form", ["box", "csv", "json"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_node_prints_what_is_printed_embedded(
    main: Cli, url: str, tmp_path: Path, text: str, form: str
) -> None:
    with eau2.connect(tmp_path / ".eau2") as store:
        store.put("df", DF)
    here = main("query", "--format", form, text)
    for arguments, stdin in (([text], ""), (["-"], text), ([], text)):
        there = main("query", "--connect", url, "--format", form, *arguments, stdin=stdin)
        assert (there.returncode, there.stderr) == (0, "")
        assert there.stdout == here.stdout


@pytest.mark.parametrize("text", ["SELECT a FRM df", "SELECT\n b FROM df", "SELECT * FROM x", "--"])
def test_errors_are_those_of_the_embedded_one(
    main: Cli, url: str, tmp_path: Path, text: str
) -> None:
    with eau2.connect(tmp_path / ".eau2") as store:
        store.put("df", DF)
    here, there = main("query", text), main("query", "--connect", url, text)
    assert there.stdout == here.stdout == ""
    if text == "--":
        assert "no statement" in there.stderr
    else:
        assert (there.stderr, there.returncode) == (here.stderr, here.returncode)


def test_load_tables_describe_drop(main: Cli, url: str, tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text("a,s\n1,x\n2,y\n")
    at = ("--connect", url)
    assert main("load", *at, "t", "small.csv", "small.csv").stdout == "t: 4 rows\n"
    again = main("load", *at, "t", "small.csv")
    assert again.returncode == 1
    check_message(again.stderr, '"t" exists already')
    done = main("load", *at, "t", "small.csv", "--replace", "--chunk-rows", "1")
    assert done.stdout == "t: 2 rows\n"
    rows = json.loads(main("tables", *at, "--format", "json").stdout)
    assert [(row["name"], row["rows"], row["chunks"]) for row in rows] == [
        ("df", 60, 1),
        ("t", 2, 2),
    ]
    columns = json.loads(main("describe", *at, "--format", "json", "t").stdout)
    assert [(c["column_name"], c["column_type"], c["about_distinct"]) for c in columns] == [
        ("a", "BIGINT", 2),
        ("s", "VARCHAR", 2),
    ]
    shell = main("shell", *at, stdin="SELECT sum(a) AS s FROM t;\n\\d t\n")
    assert shell.returncode == 0
    assert "3" in shell.stdout
    assert "about_distinct" in shell.stdout
    assert main("drop", *at, "t").stdout == "t: dropped\n"
    assert main("drop", *at, "t").returncode == 1


def test_the_help_names_every_command(main: Cli) -> None:
    asking = ("query", "shell", "cluster status", "node drain", "node undrain", "node remove")
    for command in ("node", "cluster", *asking):
        assert re.search(rf"^    {command}(?:  |$)", main("--help").stdout, re.MULTILINE)
        done = main(*command.split(), "--help")
        assert done.returncode == 0
        assert ("--connect" in done.stdout) is (command in asking)


def test_time_goes_to_stderr(main: Cli, url: str) -> None:
    done = main("query", "--connect", url, "--timing", "--format", "csv", "SELECT 1 AS a")
    assert done.stdout == "a\n1\n"
    assert done.stderr.startswith("Time: ")


COMMANDS = [
    *(["query", "SELECT 1"], ["tables"], ["describe", "t"], ["drop", "t"], ["load", "t", DF]),
    *(["shell"], ["export", "t", "t.csv"], ["backup", "saved"], ["restore", "backup"]),
]


def write_empty_backup(folder: Path) -> None:
    """A backup of a store without names."""
    store = Store.open(None)
    backup(StoreEnd(store), str(folder), lambda _: None)
    store.close()


OPERATING = [
    ["cluster", "status"],
    *(["node", verb, "n1"] for verb in ("drain", "undrain", "remove")),
]


@pytest.mark.parametrize("arguments", OPERATING, ids=[c[1] for c in OPERATING])
def test_operating_without_a_connection(main: Cli, arguments: list[str]) -> None:
    done = main(*arguments, "--connect", NOBODY)
    assert (done.returncode, done.stdout) == (3, "")
    check_message(done.stderr, "nobody listens at eau2://127.0.0.1:1", "eau2 node")


@pytest.mark.parametrize("arguments", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_without_a_connection(main: Cli, tmp_path: Path, arguments: list[str]) -> None:
    write_empty_backup(tmp_path / "backup")
    done = main(*arguments, "--connect", NOBODY)
    assert (done.returncode, done.stdout) == (3, "")
    check_message(done.stderr, "nobody listens at eau2://127.0.0.1:1", "eau2 node")
    done = main(*arguments, "--connect", "eau2://:x")
    assert done.returncode == 2
    check_message(done.stderr, "not the address of a node")
    done = main(*arguments, "--connect", NOBODY, "--store", "here")
    assert done.returncode == 2
    check_message(done.stderr, "--store does not go with --connect")


def test_somebody_else_listens(main: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                accepted, _peer = server.accept()
                with accepted:
                    accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    accepted.recv(4096)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        for arguments in (["query", "SELECT 1"], ["tables"]):
            done = main(*arguments, "--connect", address)
            assert (done.returncode, done.stdout) == (3, "")
            check_message(done.stderr, "HTTP")
        thread.join()


WRONG = {
    "threads are the node's": (
        ["query", "--connect", NOBODY, "--threads", "2", "SELECT 1"],
        "--threads",
    ),
    "memory is the node's": (["shell", "--connect", NOBODY, "--memory", "1GB"], "--memory"),
    "no statement": (["query", "--connect", NOBODY, " "], "no statement"),
    "no time": (["query", "--timeout", "0", "SELECT 1"], "'0' is not a number of seconds"),
    "endless time": (["query", "--timeout", "inf", "SELECT 1"], "'inf'"),
    "a node elsewhere": (["node", "--listen", "0.0.0.0:0"], "can be reached from other machines"),
    "a cluster elsewhere": (["cluster", "--listen", "10.0.0.1:7700"], "not encrypted"),
    "no nodes": (["cluster", "--nodes", "0"], "'0'"),
    "a node's word": (["node", "here"], "there is no command 'node here'"),
    "a cluster's word": (["cluster", "stat"], "Did you mean 'cluster status'?"),
    "no node to drain": (["node", "drain"], "NAME"),
    "no time to drain": (["node", "drain", "n1", "--timeout", "0"], "'0' is not a number"),
    "no address": (["node", "--join", "a/b"], "'a/b' is not the address"),
}


@pytest.mark.parametrize(("arguments", "part"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_line(main: Cli, tmp_path: Path, arguments: list[str], part: str) -> None:
    done = main(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    check_message(done.stderr, part)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_timeout(main: Cli) -> None:
    with odd() as (url, _, _stop):
        done = main("query", "--connect", url, "--timeout", "0.2", "sleep")
    assert (done.returncode, done.stdout) == (4, "")
    check_message(done.stderr, "E5003", "within")


def test_ctrl_c_cancels_at_the_node(tmp_path: Path) -> None:
    with odd() as (url, node, _):
        arguments = [sys.executable, "-m", "eau2", "query", "--connect", url, "sleep"]
        with subprocess.Popen(
            arguments, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
        ) as process:
            assert node.begun.wait(30)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (130, b"Interrupted\n")
        assert node.cancelled.wait(5)


def test_the_thin_client_loads_next_to_nothing(url: str, tmp_path: Path) -> None:
    code = (
        "import sys, eau2.cli\n"
        f"at = ['--connect', {url!r}, '--format', 'csv']\n"
        "code = eau2.cli.main(['query', *at, 'SELECT 7 AS a'])\n"
        "print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *rows, loaded = done.stdout.splitlines()
    code_said, *modules = loaded.split()
    assert (rows, code_said) == (["a", "7"], "0")
    assert UNLOADED.intersection(modules) == set()
