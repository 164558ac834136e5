"""The documents say what is: modules are named, commands print what is shown, links lead."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import eau2
from eau2.operators.functions import table
from eau2.options import parse
from tests import pages
from tests.documents import (
    ARCHITECTURE,
    DOCUMENTS,
    ERRORS,
    FUNCTIONS,
    WORDS,
    blocks,
    catalogued,
    mapped,
    prepare,
    referenced,
    run,
    worded,
)
from tests.processes import ROOT, environment

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_architecture_names_every_module_and_no_other() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    named = re.findall(r"^\| `([\w/]+\.py)` \|", text, re.MULTILINE)
    modules = [path for path in (ROOT / "eau2").rglob("*.py") if path.name != "__init__.py"]
    assert sorted(named) == sorted(path.relative_to(ROOT / "eau2").as_posix() for path in modules)
    assert text == mapped(text), "write the map anew: python -m tests.documents"


def test_the_reference_lists_every_function_as_it_is() -> None:
    text = FUNCTIONS.read_text(encoding="utf-8")
    assert text == referenced(text), "write the tables anew: python -m tests.documents"
    for entry in table.documentation():
        assert entry.syntax.replace("|", "\\|") in text


def test_the_words_of_functions_in_python_are_listed() -> None:
    text = WORDS.read_text(encoding="utf-8")
    assert text == worded(text), "write the tables anew: python -m tests.documents"
    assert "`math.sqrt(float)`" in text


def test_the_page_of_errors_is_the_catalogue() -> None:
    text = ERRORS.read_text(encoding="utf-8")
    assert text == catalogued(text), "write it anew: python -m tests.documents"
    assert "## E1004: " in text


def test_the_examples_of_the_reference_are_true() -> None:
    connection = eau2.connect()
    for entry in table.documentation():
        answer = connection.sql(f"SELECT {entry.example}").fetchall()
        assert answer[0][0] is not None, entry.example
        assert answer[0][0] is not False, entry.example


def test_the_changelog_has_a_place_for_what_comes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## Unreleased$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_commands_print_what_is_shown(page: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    found = blocks(page.read_text(encoding="utf-8"))
    for step in [step for block in found for step in block]:
        assert run(step.command, tmp_path) == step.output, f"$ {step.command}"


def test_the_commands_for_several_nodes_are_commands() -> None:
    """They need nodes that run; here it is held against them what may stand on a command line."""
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.splitlines()]
    named = {parse(shlex.split(line, comments=True)[1:]).command for line in lines}
    assert named > {
        "cluster",
        "cluster status",
        "node",
        "node drain",
        "node undrain",
        "node remove",
    }


def test_the_readme_shows_commands() -> None:
    assert len(blocks(README)) >= 2


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    text = page.read_text(encoding="utf-8")
    if pages.has_python(text):
        assert pages.shown(text, tmp_path) == text


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=name_of)
def test_example_programs_run(example: Path, tmp_path: Path) -> None:
    is_application = "eau2.Application" in example.read_text(encoding="utf-8")
    command = ["-m", "eau2", "run"] if is_application else []
    assert check_python([*command, str(example)], tmp_path) != ""


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.sql")), ids=name_of)
def test_example_statements_run(example: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    output = run(f"eau2 query - < examples/{example.name} && echo passed", tmp_path)
    assert output.endswith("passed\n"), output


def check_python(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_first_readme_command_queries_the_example(tmp_path: Path) -> None:
    (line,) = re.findall(r"^python3 -m venv .*SELECT.*$", README, re.MULTILINE)
    make, install, *rest = line.split(" && ")
    assert make == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install -q ."
    prepare(tmp_path)
    for _ in range(2):
        assert "sum(a)" in run(" && ".join(rest), tmp_path)


def test_the_second_readme_command_runs_the_check() -> None:
    (line,) = re.findall(r"^python3 -m venv .*tests.*$", README, re.MULTILINE)
    assert line.split(" && ") == [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q -e '.[dev]'",
        ".venv/bin/python -m tests.check",
    ]
    assert "-m tests.check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
