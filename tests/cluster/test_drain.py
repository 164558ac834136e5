"""A node of real processes is drained, while queries run, and can be stopped."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.cluster.asking import put, sql
from tests.cluster.nodes import processes, until
from tests.cluster.test_process import command
from tests.cluster.test_status import seen


@pytest.mark.timeout(300)
def test_a_drained_node_holds_nothing_and_can_be_stopped() -> None:
    with processes(3) as nodes:
        first, second, third = nodes.urls
        put(first, "t", 1000)
        # A put of the node that leaves goes to the others.
        put(third, "u", 1000)
        answers: list[object] = []
        over = threading.Event()

        def ask_again() -> None:
            while not over.is_set():
                for url in nodes.urls:
                    answers.append(sql(url, "SELECT sum(t.a), count(*) FROM t, u WHERE t.a = u.a"))

        asking = threading.Thread(target=ask_again)
        asking.start()
        try:
            # Some rounds of repair, ten seconds apart, on cores that others use too.
            done = command("node", "drain", "n3", "--connect", second, timeout_s=200)
        finally:
            over.set()
            asking.join()
        assert (done.returncode, done.stderr) == (0, "")
        assert "n3: " in done.stdout
        last = done.stdout.splitlines()[-1]
        assert "n3 has handed over all it had. It is a voter and goes on voting" in last
        assert "leaves 2 of 3" in last
        assert len(answers) > 3
        assert all(answer == [(499_500, 1000)] for answer in answers)

        for row in sql(first, "SHOW CHUNKS"):
            assert set(str(row[4]).split(", ")) == set(str(row[5]).split(", ")) == {"n1", "n2"}
        folder = nodes.options[2].data
        assert folder is not None
        assert (Path(folder) / "chunks").is_dir()
        assert not list((Path(folder) / "chunks").rglob("*.arrow"))
        put(third, "v", 300)
        assert {str(row[5]) for row in sql(third, "SHOW CHUNKS FROM v")} <= {"n1, n2", "n2, n1"}
        assert seen(first)[2][1:6] == ("left", "up", True, True, 0)

        os.kill(nodes.nodes[2].pid, signal.SIGTERM)
        assert nodes.nodes[2].wait(20) == 0
        assert sql(second, "SELECT count(*) FROM t, v WHERE t.a = v.a") == [(300,)]
        put(second, "w", 100)
        assert seen(first)[0][4] is False
        # Started again, it votes, and does not come in by itself.
        nodes.restart(2)
        until(lambda: seen(second)[2][1:6] == ("left", "up", True, True, 0))
        assert sql(third, "SELECT count(*) FROM w") == [(100,)]
