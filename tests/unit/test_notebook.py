"""`%eau2` and `%%eau2` in a real IPython shell: results, variables, connections, errors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import eau2
from eau2.errors import ProgrammingError, UnknownNameError, UnreachableError, UsageError
from eau2.notebook import parameter_names
from tests.unit.front_door import NUMBERS, door, fill


class Notebook:
    """A notebook without a browser: it runs cells as IPython's kernel does."""

    def __init__(self) -> None:
        config = import_module("traitlets.config").Config()
        config.HistoryManager.enabled = False
        self._shell = import_module("IPython.core.interactiveshell").InteractiveShell(config=config)
        self.variables: dict[str, Any] = self._shell.user_ns

    def run(self, cell: str) -> tuple[Any, str]:
        """What a cell gives, and what is printed. Raises what the cell raises."""
        with redirect_stdout(io.StringIO()) as printed:
            done = self._shell.run_cell(cell)
        if done.error_in_exec is not None:
            done.error_in_exec.add_note(printed.getvalue())
        done.raise_error()
        return done.result, printed.getvalue()

    def rows(self, cell: str) -> list[tuple[Any, ...]]:
        """The rows of the result that a cell gives."""
        result, _ = self.run(cell)
        assert isinstance(result, eau2.Result)
        return result.fetchall()


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    made = Notebook()
    made.run("%load_ext eau2")
    yield made
    made.run("%unload_ext eau2")


def test_lines_and_cells_give_results(notebook: Notebook) -> None:
    assert notebook.rows("%eau2 SELECT 1 + 1 AS a, ';' AS b;") == [(2, ";")]
    assert notebook.rows("%%eau2\nCREATE TABLE t AS SELECT 5 AS a;\nSELECT a\nFROM t") == [(5,)]
    result, printed = notebook.run("%eau2 SELECT 'shown' AS a")
    assert "shown" in printed
    assert "<td>shown</td>" in result._repr_html_()
    assert notebook.run("%eau2 SET chunk_rows = 5") == (None, "")


def test_a_result_is_kept_in_a_variable(notebook: Notebook) -> None:
    assert notebook.run("%%eau2 kept <<\nSELECT 7 AS a") == (None, "")
    assert notebook.variables["kept"].fetchall() == [(7,)]
    assert notebook.run("%eau2 kept << SELECT 8 AS a") == (None, "")
    assert notebook.run("kept.fetchall()")[0] == [(8,)]


def test_parameters_are_variables_and_keep_their_types(notebook: Notebook) -> None:
    notebook.run('name = "it\'s"\nlimit = 3\nlisted = [1, None]')
    cell = "SELECT $name AS n, $limit + 1 AS m, $listed AS l, '$name' AS text, :limit AS o"
    for magic in ("%eau2 ", "%%eau2\n"):
        assert notebook.rows(magic + cell) == [("it's", 4, [1, None], "$name", 3)]
    with pytest.raises(UsageError, match="no variable is called nope"):
        notebook.run("%eau2 SELECT $nope")


def test_names_of_parameters_are_read_as_the_grammar_reads_them() -> None:
    text = "SELECT $a, '$b', :c, x::INT, \"$d\", $a, $1, ? -- $e\n/* $f */, $$ $g $$, l[1:2]"
    assert parameter_names(text) == ["a", "c"]


def test_an_error_is_shown_with_its_place_and_fails_the_cell(notebook: Notebook) -> None:
    with pytest.raises(ProgrammingError) as caught:
        notebook.run("%%eau2\nSELECT 1;\nSELECT b\nFRM x")
    (shown,) = caught.value.__notes__
    assert shown.splitlines()[-3:] == ["line 3: FRM x", "        ^^^", "Did you mean FROM?"]
    assert "Traceback" not in shown
    for cell in ("%eau2", "%%eau2 SELECT 1\nSELECT 2", "%eau2 --conect x", "%%eau2\n-- nothing"):
        with pytest.raises(UsageError, match="%eau2 SQL"):
            notebook.run(cell)
    for name in ("class", "None", "x²"):
        with pytest.raises(UsageError, match=f"cannot be kept as {name}"):
            notebook.run(f"%%eau2 {name} <<\nSELECT 1")
        assert name not in notebook.variables
    with pytest.raises(UnreachableError, match="nobody listens"):
        notebook.run("%eau2 --connect eau2://127.0.0.1:1")


def test_a_mistyped_variable_makes_no_store(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    notebook.variables["number"] = 7
    for name, said in (("nosuchvar", "does not exist"), ("number", "holds no connection")):
        with pytest.raises(UsageError, match=f"the variable {name} {said}.*\n.*./{name} "):
            notebook.run(f"%eau2 --connect {name}")
    assert list(folder.iterdir()) == []
    notebook.run("%eau2 --connect ./store")
    notebook.run("%eau2 CREATE TABLE kept AS SELECT 2 AS a")
    notebook.run("%eau2 --close")
    notebook.run("%eau2 --connect store")
    assert notebook.rows("%eau2 SELECT a FROM kept") == [(2,)]


def test_a_connection_is_a_variable_a_store_or_a_node(notebook: Notebook, tmp_path: Path) -> None:
    with eau2.connect() as mine:
        notebook.variables["mine"] = mine
        notebook.run("%eau2 --connect mine")
        notebook.run("%eau2 CREATE TABLE q AS SELECT 1 AS a")
        assert mine.tables() == ("q",)
        notebook.run(f"%eau2 --connect {tmp_path / 'store'}")
        with pytest.raises(UnknownNameError):
            notebook.run("%eau2 SELECT * FROM q")
        assert mine.tables() == ("q",), "the notebook's own connection stays open"
    notebook.run("%eau2 CREATE TABLE kept AS SELECT 2 AS a")
    notebook.run("%eau2 --close")
    with eau2.connect(tmp_path / "store") as store:
        assert store.tables() == ("kept",)
    with door() as opened:
        fill(opened.store, "t", NUMBERS)
        address = opened.address
        cell = f"%%eau2 --connect eau2://{address}\nSELECT count(*) FROM t"
        assert notebook.rows(cell) == [(1000,)]
        notebook.run("%eau2 --close")
    assert notebook.rows("%eau2 SELECT 1 AS a") == [(1,)]
