"""The rules of the house that no linter knows: docstrings, sizes, imports, names, leftovers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted((ROOT / "eau2").rglob("*.py"))
MODULES = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])
LINES_MAX = 450

LAZY_IMPORTS = {
    "eau2/operators/distribution_aggregates.py": "NumPy takes its time to load",
    "eau2/operators/moment_states.py": "NumPy takes its time to load, and few statements need it",
    "eau2/operators/window.py": "NumPy takes its time to load, and most statements have no windows",
    "eau2/__main__.py": "an interrupt while modules load has to be caught",
    "eau2/cli.py": "each command loads only what it needs, and `--version` nothing",
    "eau2/embedded.py": "kernel processes are for shells alone",
    "eau2/repl/opening.py": "the engine loads while the prompt waits already",
    "eau2/shell.py": "piped in there is no prompt, and at a prompt the engine comes later",
    "eau2/connection.py": "a connection loads the engine or the wire, and pipelines, when asked",
    "eau2/function_statements.py": "the compiler is loaded when a function in Python is defined",
    "eau2/frames.py": "the readers of files are a fifth of a process's start-up",
    "eau2/node.py": "the codec is for fragments that come from elsewhere",
    "eau2/travel.py": "the codec is for fragments that go elsewhere",
    "eau2/option_values.py": "sizes and decimals are rare on a command line",
    "eau2/options.py": "words that are no command or option are rare on a command line",
    "eau2/place.py": "only what is about nodes needs their addresses",
    "eau2/progress.py": "only a line on a terminal needs a thread",
    "eau2/render.py": "the writer of Parquet takes its time to load, and few results need it",
    "eau2/result.py": "charts and pages are for notebooks, and most results are in none",
    "eau2/scripts.py": "statements that run at a node load nothing of what runs them here",
    "eau2/sql/tables.py": "Lark builds the tables ahead of time; a query must not load it",
}
"""Files with imports inside functions, and why."""

MAY_IMPORT_THE_FACE = {
    *("eau2/backup.py", "eau2/cli.py", "eau2/options.py", "eau2/process.py", "eau2/shell.py"),
}

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
VAGUE = re.compile(r"(?:^|_)(?:utils?|helpers?|managers?|misc|stuff)(?:_|$)")
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
MACHINE_PATHS = re.compile(r"/(?:work|root|home/\w+|tmp/(?:v|tpch))/")
TEXT = {".py", ".md", ".toml", ".lark", ".sql", ".slt", ".csv", ".txt", ""}
SKIPPED_FOLDERS = {"__pycache__", ".git", ".venv", "build", "dist"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def repository_texts() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".gitignore") for part in parts)
        skipped = hidden or SKIPPED_FOLDERS.intersection(parts)
        if path.is_file() and path.suffix in TEXT and not skipped:
            yield path


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), "say what it owns, what comes in, what goes out"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_source_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES_MAX, f"over {LINES_MAX} lines: split it by family"
    assert list(_faults(tree_of(path), name_of(path))) == []


def _faults(tree: ast.Module, file: str) -> Iterator[str]:
    for top in tree.body:
        if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            public = not top.name.startswith("_")
            # One of several signatures of a function, which has its docstring last.
            one_of_several = any(ast.unparse(mark) == "overload" for mark in top.decorator_list)
            if public and not one_of_several and not ast.get_docstring(top):
                yield f"{top.name}: no docstring"
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(outer):
                hidden = isinstance(inner, ast.Import | ast.ImportFrom)
                if hidden and file not in LAZY_IMPORTS:
                    yield f"{outer.name}: an import inside a function"
    for node in ast.walk(tree):
        yield from _forbidden(node, file)


def _forbidden(node: ast.AST, file: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            imported = {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module="eau2", names=names) if file not in MAY_IMPORT_THE_FACE:
            imported = set()
            rooms = {path.stem for path in (ROOT / "eau2").iterdir()}
            if not rooms.issuperset(alias.name for alias in names):
                yield f"line {node.lineno}: imports the public face from below"
        case ast.ImportFrom(module=str(module), level=0):
            imported = {module.partition(".")[0]}
        case ast.ImportFrom():
            imported = set()
            yield f"line {node.lineno}: a relative import"
        case ast.Call(func=ast.Name(id=called)) if called in FORBIDDEN_CALLS:
            imported = set()
            yield f"line {node.lineno}: calls {called}"
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            imported = set()
            if VAGUE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()):
                yield f"line {node.lineno}: {name} says nothing"
        case _:
            return
    for module in imported & FORBIDDEN_MODULES:
        yield f"imports {module}"


def test_no_file_has_a_vague_name() -> None:
    assert [name_of(path) for path in MODULES if VAGUE.search(path.stem.lower())] == []


def test_lazy_imports_are_still_needed() -> None:
    for file in LAZY_IMPORTS:
        functions = [n for n in ast.walk(tree_of(ROOT / file)) if isinstance(n, ast.FunctionDef)]
        inside = [node for function in functions for node in ast.walk(function)]
        assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in inside), file


def test_nothing_is_left_unfinished() -> None:
    assert _lines_with(UNFINISHED) == []


def test_no_path_of_one_machine_is_written_down() -> None:
    assert _lines_with(MACHINE_PATHS) == []


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in repository_texts():
        if path.name == "LICENSE":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{name_of(path)}:{number}")
    return found


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('"""d"""\nimport pickle\n', "imports pickle"),
        ('"""d"""\nx = eval("1")\n', "calls eval"),
        ('"""d"""\ndef f():\n    pass\n', "no docstring"),
        ('"""d"""\ndef _f():\n    import re\n', "import inside a function"),
        ('"""d"""\nclass _ChunkManager:\n    pass\n', "says nothing"),
        ('"""d"""\nfrom . import x\n', "relative import"),
        ('"""d"""\nfrom eau2 import connect\n', "public face"),
    ],
)
def test_the_rules_find_what_they_forbid(source: str, fault: str) -> None:
    faults = list(_faults(ast.parse(source), "eau2/example.py"))
    assert len(faults) == 1
    assert fault in faults[0]
