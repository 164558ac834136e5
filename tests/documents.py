"""What the documents take from elsewhere: the output of console blocks, the map of the rooms.

A console block shows a command after `$` and its output below; a block of Python what it says
(pages.py). All blocks of a document run in one folder, which has a copy of `examples/`. The map in
ARCHITECTURE.md is the first paragraph of each module's docstring; docs/functions.md has the table
of functions, docs/functions-in-python.md the words of those in Python, docs/errors.md the catalogue
of errors, with the messages of its examples. `python -m tests.documents` writes them anew; read the
difference before you keep it.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import eau2
from eau2.error_codes import Entry, catalogue
from eau2.errors import Error, report
from eau2.operators import aggregates, windows
from eau2.operators.functions import refused, table
from eau2.operators.functions.function import Function
from eau2.python import vocabulary
from tests import pages
from tests.processes import ROOT, environment

DOCUMENTS = tuple(
    ROOT / name
    for name in (
        *("README.md", "docs/cli.md", "docs/shell.md", "docs/formats.md"),
        *("docs/python.md", "docs/files.md", "docs/applications.md"),
        "docs/functions-in-python.md",
    )
)

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
FUNCTIONS = ROOT / "docs" / "functions.md"
ERRORS = ROOT / "docs" / "errors.md"
WORDS = ROOT / "docs" / "functions-in-python.md"
ROOMS = (
    *(
        "",
        "sql",
        "sql/ast",
        "python",
        "planner",
        "planner/rules",
        "indexes",
        "kernels",
        "operators",
        "operators/functions",
    ),
    *("kv", "kv/ingest", "net", "formats", "charts", "pipelines", "repl", "torture"),
)
"""The folders of the package, in the order in which the map shows them."""

FAMILIES = {
    "arithmetic": "Arithmetic",
    "bits": "Bits",
    "comparison": "Comparisons",
    "logic": "Logic",
    "conditional": "Choices",
    "mathematics": "Mathematics",
    "text": "Texts",
    "pattern": "Patterns",
    "date": "Dates and timestamps",
    "interval": "Intervals",
    "list": "Lists",
}
"""The families of scalar functions, in the order and under the titles of docs/functions.md."""

_KINDS = {
    "operator": "Operators",
    "function": "Functions",
    "math": "`math`",
    "datetime": "`datetime`",
}
"""The kinds of words that are no methods, by their titles in docs/functions-in-python.md."""

_TABLES = re.compile(r"(?<=^<!-- generated -->\n).*", re.MULTILINE | re.DOTALL)
_MAP = re.compile(r"(?<=^## The rooms\n\n).*?(?=^## )", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block, and the output that the document shows for it."""

    command: str
    output: str


def blocks(text: str) -> list[list[Step]]:
    """The console blocks of a document."""
    return [_steps(found[1]) for found in _BLOCK.finditer(text)]


def prepare(folder: Path) -> None:
    """Copy the examples into `folder`, and make an `eau2` there that runs these sources."""
    shutil.copytree(ROOT / "examples", folder / "examples", dirs_exist_ok=True)
    program = folder / ".venv" / "bin" / "eau2"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eau2 "$@"\n')
    program.chmod(0o755)


def run(command: str, folder: Path) -> str:
    """What `command` prints, errors included, in a prepared folder."""
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(PATH=path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def rewritten(text: str, folder: Path) -> str:
    """The document with what its commands and its Python say now."""

    def replace(found: re.Match[str]) -> str:
        steps = _steps(found[1])
        return (
            "```console\n"
            + "".join(f"$ {s.command}\n{run(s.command, folder)}" for s in steps)
            + "```"
        )

    return pages.shown(_BLOCK.sub(replace, text), folder)


def rooms() -> str:
    """The map of the rooms: a table for each folder, a row for each module."""
    return "\n".join(_room(room) for room in ROOMS)


def _room(room: str) -> str:
    rows = [f"### {f'eau2/{room}'.rstrip('/')}\n\n| module | what it is |\n|---|---|\n"]
    for path in sorted((ROOT / "eau2" / room).glob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        summary = " ".join(docstring.partition("\n\n")[0].split())
        if path.name != "__init__.py":
            rows.append(f"| `{path.relative_to(ROOT / 'eau2').as_posix()}` | {summary} |\n")
    return "".join(rows)


def mapped(text: str) -> str:
    """ARCHITECTURE.md with the map as it is now."""
    return _MAP.sub(lambda _: rooms() + "\n", text)


def function_tables() -> str:
    """The reference of functions: a table for each family, and the names of the aggregates."""
    parts: list[str] = []
    entries = table.documentation()
    for family in dict.fromkeys([*FAMILIES, *(entry.family for entry in entries)]):
        parts.append(
            f"\n## {FAMILIES[family]}\n\n| written | what it is | example |\n|---|---|---|\n"
        )
        parts += [_row(entry) for entry in entries if entry.family == family]
    listed = {"Aggregates": aggregates.names(), "Window functions": windows.names()}
    for title, names in listed.items():
        parts.append(f"\n## {title}\n\n{', '.join(f'`{name}`' for name in names)}\n")
    reasons: dict[str, list[str]] = {}
    for name, reason in refused.REASONS.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    parts.append("\n## Refused by name\n\n| function | why |\n|---|---|\n")
    parts += [f"| {', '.join(names)} | {reason} |\n" for reason, names in reasons.items()]
    return "".join(parts)


def _row(entry: Function) -> str:
    others = [name for name in entry.aliases if name.isidentifier()]
    also = f" Also called {', '.join(f'`{name}`' for name in others)}." if others else ""
    return f"| {_code(entry.syntax)} | {entry.summary}{also} | {_code(entry.example)} |\n"


def _code(text: str) -> str:
    """Code in a cell of a table, where a bar would end the cell."""
    return f"`{text}`".replace("|", "\\|")


def referenced(text: str) -> str:
    """docs/functions.md with the tables as they are now."""
    return _TABLES.sub(lambda _: function_tables(), text)


def word_tables() -> str:
    """The words of functions in Python: a table for each kind."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for kind, syntax, remark in vocabulary.documentation():
        kinds.setdefault(kind, []).append((syntax, remark))
    parts: list[str] = []
    for kind, words in kinds.items():
        title = _KINDS.get(kind, f"Of `{kind}`")
        parts.append(f"\n### {title}\n\n")
        plain = [_code(syntax) for syntax, remark in words if not remark]
        told = [
            f"| {_code(syntax)} | {remark.replace('|', '&#124;')} |\n"
            for syntax, remark in words
            if remark
        ]
        if plain:
            parts.append(f"{', '.join(plain)}\n" + "\n" * bool(told))
        if told:
            parts += ["| written | what it is |\n|---|---|\n", *told]
    return "".join(parts)


def worded(text: str) -> str:
    """docs/functions-in-python.md with the tables as they are now."""
    return _TABLES.sub(lambda _: word_tables(), text)


def error_entries() -> str:
    """The catalogue of errors: a part for each code, with the message that its example gives."""
    with eau2.connect() as connection:
        connection.put("df", ROOT / "examples" / "df.csv")
        return "".join(_error(entry, connection) for entry in catalogue().values())


def _error(entry: Entry, connection: eau2.Connection) -> str:
    text = (
        f"\n## {entry.code}: {entry.title}\n\n`{entry.class_name}`, SQLSTATE {entry.sqlstate}."
        f" {entry.cause}\n\n**What to do.** {entry.fix}\n"
    )
    if not entry.example:
        return text
    try:
        connection.sql(entry.example)
    except Error as error:
        return f"{text}\n```\n{entry.example}\n\n{report(error)}\n```\n"
    raise AssertionError(f"the example of {entry.code} gives no error")


def catalogued(text: str) -> str:
    """docs/errors.md with the catalogue as it is now."""
    return _TABLES.sub(lambda _: error_entries(), text)


def _steps(block: str) -> list[Step]:
    steps = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        steps.append(Step(command, output))
    return steps


def main() -> None:
    """Rewrite all documents."""
    FUNCTIONS.write_text(referenced(FUNCTIONS.read_text(encoding="utf-8")), "utf-8")
    ERRORS.write_text(catalogued(ERRORS.read_text(encoding="utf-8")), "utf-8")
    WORDS.write_text(worded(WORDS.read_text(encoding="utf-8")), "utf-8")
    ARCHITECTURE.write_text(mapped(ARCHITECTURE.read_text(encoding="utf-8")), "utf-8")
    for path in DOCUMENTS:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder))
            path.write_text(rewritten(path.read_text(encoding="utf-8"), Path(folder)), "utf-8")


if __name__ == "__main__":
    main()
