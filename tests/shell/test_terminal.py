"""The shell at a real terminal: keys go in, and a screen comes out."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from eau2.render import display_width
from tests.cluster.nodes import Processes
from tests.shell.prompts import Terminal, plain, terminal, until

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals"),
]

SLOW = "SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE x * y % 7 = 1;"
CANCELLED_S = 0.2


def cancelled(shell: Terminal) -> float:
    """Run what is slow, press Ctrl-C; seconds until the prompt is there again."""
    shell.type(f"{SLOW}\r")
    shell.child.expect(r"\x1b\[\?2004l")
    time.sleep(0.5)
    start = time.perf_counter()
    shell.type("\x03")
    shell.wait("Interrupted")
    shell.shown()
    return time.perf_counter() - start


def box_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] in "┌│├└" and line]


def test_control_c_cancels_what_runs_and_control_d_ends(tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        shell.run("CREATE TABLE t AS SELECT * FROM range(9);")
        # The machine may be busy, so the quickest of some counts.
        assert min(cancelled(shell) for _ in range(3)) < CANCELLED_S
        # The connection and what it holds is as before.
        assert "│     36 │" in shell.run("SELECT sum(range)::BIGINT AS n FROM t;")
        shell.type("SELECT 'half\x03")
        assert "Interrupted" not in shell.shown()
        assert shell.end() == 0
    assert "+SELECT sum(range)" in (tmp_path / "state" / "eau2" / "history").read_text()


def test_control_c_ends_a_watch_and_a_wait_for_rows(tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        shell.run("SELECT 4242 AS x;")
        shell.type("\\watch 0.1\r")
        for _ in range(3):
            shell.wait("4242")
        shell.type("\x03")
        shell.wait("Interrupted")
        shell.shown()
        # Rows of a result that is far too long are on their way out.
        shell.run("\\pager off")
        shell.run("\\format csv")
        shell.type("SELECT * FROM range(10000000);\r")
        shell.wait("1000\r\n")
        shell.type("\x03")
        shell.wait("Interrupted")
        shell.shown()
        assert "\n42\n" in shell.run("SELECT 42 AS x;")


def test_ten_million_rows(tmp_path: Path) -> None:
    with terminal(tmp_path, PAGER="cat") as shell:
        shell.run("SELECT 1;")
        before = _memory_mb(shell)
        start = time.perf_counter()
        out = shell.run("SELECT range AS n, range % 10 AS digit FROM range(10000000);")
        assert time.perf_counter() - start < 20
        assert "40 of 10,000,000 rows" in out
        assert "│ 9999999 │" in out
        # The rows themselves take 160 MB; that they pass by is no reason to keep a second copy.
        assert _memory_mb(shell) - before < 400
        assert "was not kept: it has 10,000,000 rows" in shell.run("\\last")
        assert "42" in shell.run("SELECT 42 AS x;")


def _memory_mb(shell: Terminal) -> int:
    status = Path(f"/proc/{shell.child.pid}/status")
    if not status.exists():
        pytest.skip("the memory of a process is not told here")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) >> 10


def test_the_pager_shows_what_is_taller_than_the_screen(tmp_path: Path) -> None:
    with terminal(tmp_path, rows=20, PAGER="cat -n") as shell:
        assert "     1\t┌" in shell.run("SELECT * FROM range(39);")
        assert "     1\t┌" not in shell.run("SELECT * FROM range(3);")
        out = shell.run("SELECT * FROM range(100);")
        assert "40 of 100 rows" in out
        assert "\\last shows all of them." in out
        assert "   106\t100 rows" in shell.run("\\last")
        shell.run("\\pager off")
        assert "     1\t┌" not in shell.run("SELECT * FROM range(39);")
    # A pager that is left early ends the writing, not the shell.
    with terminal(tmp_path, rows=20, PAGER="head -n 3") as shell:
        shell.run("\\format csv")
        out = shell.run("SELECT * FROM range(3000000);")
        assert "\n1\n" in out
        assert "Error" not in out
        assert "42" in shell.run("SELECT 42 AS x;")


def test_a_real_pager_takes_keys(tmp_path: Path) -> None:
    with terminal(tmp_path, rows=20, PAGER="less -SRX") as shell:
        shell.type("SELECT range AS n FROM range(39);\r")
        shell.wait("12 ")
        shell.type("q")
        shell.shown()
        assert "42" in shell.run("SELECT 42 AS x;")


def test_boxes_are_straight_and_follow_the_width_of_the_terminal(tmp_path: Path) -> None:
    wide = "SELECT " + ", ".join(f"{n} AS a_column_{n}" for n in range(12)) + ";"
    with terminal(tmp_path, columns=200) as shell:
        lines = box_lines(shell.run(wide))
        assert {len(line) for line in lines} == {159}
        out = shell.run("SELECT '日本語テキスト' AS \"列\", 'e\u0301' AS combined, '🙂' AS face;")
        lines = box_lines(out)
        assert len(lines) == 6
        assert len({display_width(line) for line in lines}) == 1
        assert "日本語テキスト" in out
        for columns in (60, 120):
            shell.child.setwinsize(30, columns)
            # The prompt hears of it by a signal, and is drawn anew, once or twice.
            shell.settle()
            lines = box_lines(shell.run(wide))
            assert 40 < max(map(len, lines)) <= columns


def test_what_fits_is_offered_and_an_editor_types(tmp_path: Path) -> None:
    script = tmp_path / "edit.py"
    script.write_text("import sys\nopen(sys.argv[1], 'w').write('SELECT 6 * 7 AS x;')\n")
    with terminal(tmp_path, VISUAL=f"{sys.executable} {script}") as shell:
        shell.run("CREATE TABLE order_items AS SELECT 1 AS amount, 2 AS price;")

        def offered() -> bool:
            shell.type("SELECT * FROM oit")
            time.sleep(0.3)
            shell.type("\t\x03")
            return "order_items" in shell.shown()

        assert until(offered)
        # What the editor makes of the last statement is typed at the next prompt.
        shell.run("\\e")
        assert "│      42 │" in shell.run("")


def test_colours_are_left_out_where_they_are_not_wanted(tmp_path: Path) -> None:
    for unwanted, colored in (("", True), ("1", False)):
        with terminal(tmp_path, NO_COLOR=unwanted) as shell:
            shell.run("SELECT 1;")
            shell.type("SELECT 'x' FROM")
            time.sleep(0.3)
            shell.type("\x03")
            shell.child.expect(r"\x1b\[\?2004h")
            found = any(f"\x1b[0;{n}" in shell.child.before for n in range(30, 39))
            assert found == colored


def test_a_dumb_terminal_gets_a_plain_prompt(tmp_path: Path) -> None:
    with terminal(tmp_path, TERM="dumb", ready="eau2:memory> ") as shell:
        shell.type("SELECT 41 + 1 AS x;\r")
        assert "│      42 │" in shell.wait("1 row")
        # A plain prompt is shown a moment before keys are read one by one.
        shell.settle()
        assert shell.end() == 0


def test_the_shell_of_a_node(three_processes: Processes, tmp_path: Path) -> None:
    url = three_processes.urls[0]
    with terminal(tmp_path, "shell", "--connect", url, columns=220) as shell:
        shell.run("SELECT 1;")
        assert min(cancelled(shell) for _ in range(3)) < 2 * CANCELLED_S
        shell.run("SET chunk_rows = 10;")
        out = shell.run("CREATE TABLE shell_t AS SELECT * FROM range(60);")
        try:
            assert "60" in out
            out = shell.run("\\chunks shell_t")
            assert "shell_t: 6 chunks, 60 rows, on 3 nodes" in out
            assert out.count("●") >= 12
            assert out.count("│ up") == 0
            assert shell.run("\\nodes").count("127.0.0.1:") == 3
            out = shell.run("SELECT sum(range) FROM shell_t;")
            assert "HUGEINT" in out
            assert "1770" in out
            assert "1770" in shell.run("SELECT * FROM _;")
            shell.run("\\format json")
            out = shell.run("SELECT count(*) AS n FROM shell_t;")
            assert json.loads(out[out.index("[") : out.index("]") + 1]) == [{"n": 60}]
        finally:
            shell.run("DROP TABLE shell_t;")
        assert shell.end() == 0


def test_a_node_that_is_not_there_ends_the_shell(tmp_path: Path) -> None:
    with terminal(tmp_path, "shell", "--connect", "eau2://127.0.0.1:1", ready="help.") as shell:
        out = shell.rest()
        assert "nobody listens at eau2://127.0.0.1:1" in plain(out)
        assert shell.child.exitstatus == 3


def test_data_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        for form in ("csv", "markdown", "tsv", "json", "box", "line"):
            shell.run(f"\\format {form}")
            shell.type(f"SELECT 'left' || chr(27) || ']0;title' || chr(7) || 'right' AS {form}_;\r")
            shell.child.expect(r"\x1b\[\?2004l", timeout=20)
            shell.child.expect(r"\x1b\[\?2004h", timeout=20)
            assert "right" in shell.child.before, form
            assert "\x1b]0;" not in shell.child.before, form
        assert shell.end() == 0
