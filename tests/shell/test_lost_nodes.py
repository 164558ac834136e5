"""The shell at nodes that are lost while it runs."""

from __future__ import annotations

import pytest

import eau2
from eau2.errors import PeerLostError
from eau2.repl.interpreter import Interpreter
from eau2.repl.preferences import Preferences
from tests.unit.test_reconnect import Node, running

pytestmark = pytest.mark.timeout(30)

Captured = pytest.CaptureFixture[str]


def test_a_node_that_comes_back_is_asked_again(capfd: Captured) -> None:
    one = Node(1, dies_at="SELECT 2")
    with running(one) as url:
        shell = Interpreter(eau2.connect(url), Preferences(), lambda: eau2.connect(url))
        shell.run_line("SELECT 1;")
        with pytest.raises(PeerLostError, match="run it again"):
            shell.run_line("SELECT 2;")
        shell.run_line("SELECT 3;")
        assert capfd.readouterr().err == ""
        # What was set is gone with the node, which is said once.
        shell.run_line("SET chunk_rows = 7;")
        with pytest.raises(PeerLostError, match="settings"):
            shell.run_line("SELECT 2;")
        shell.run_line("SELECT 4;")
        shell.run_line("SELECT 5;")
        assert capfd.readouterr().err.count("settings, prepared statements") == 1
        one.dies_at = "SELECT 6"
        shell.run_line("SET chunk_rows = 7;")
        with pytest.raises(PeerLostError):
            shell.run_line("SELECT 6;")
        capfd.readouterr()
        shell.close()
        # Nobody connects only to leave.
        assert capfd.readouterr().err == ""


def test_the_last_result_follows_to_the_next_node() -> None:
    one, two = Node(1, dies_at="SELECT 2"), Node(2)
    with running(one, two) as url:
        shell = Interpreter(eau2.connect(url), Preferences())
        shell.run_line("SELECT 1;")
        shell.run_line("SELECT * FROM _;")
        shell.run_line("SELECT 2;")
        assert two.asked == ["SELECT 2;"]
        shell.run_line("SELECT * FROM _;")
        assert two.asked == ["SELECT 2;", "_", "SELECT * FROM _;"]
        shell.close()
