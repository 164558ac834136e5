"""What completes the command line in a shell: bash is asked, where it is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eau2.commands import COMMANDS
from eau2.completion import script
from eau2.options import FORMATS, SHELLS, parsers
from tests.conftest import Cli

ASKED = {
    "eau2 ": {*(name.split()[0] for name in COMMANDS), "--help", "--version"},
    "eau2 q": {"query"},
    "eau2 node ": {"drain", "undrain", "remove"},
    "eau2 node dr": {"drain"},
    "eau2 node drain --t": {"--timeout"},
    "eau2 node --vo": {"--voters"},
    "eau2 query --form": {"--format"},
    "eau2 query --format ": set(FORMATS),
    "eau2 tables --format cs": {"csv"},
    "eau2 query --k": {"--keep-going"},
    "eau2 query -f re": {"report.sql"},
    "eau2 query --threads ": set(),
    "eau2 load df re": {"report.sql"},
    "eau2 restore ba": {"backups"},
    "eau2 completion ": set(SHELLS),
    "eau2 explain E100": {f"E100{digit}" for digit in range(1, 10)},
    "eau2 cluster st": {"status"},
    "eau2 cluster status --con": {"--connect"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes(main: Cli, tmp_path: Path) -> None:
    (tmp_path / "report.sql").touch()
    (tmp_path / "backups").mkdir()
    (tmp_path / "eau2.bash").write_text(main("completion", "bash").stdout)
    asks = ["source ./eau2.bash"]
    for line in ASKED:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        asks.append(
            f'COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _eau2; echo "${{COMPREPLY[*]}}"'
        )
    done = subprocess.run(
        ["bash", "--norc", "-uc", "\n".join(asks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    answers = dict(zip(ASKED, done.stdout.splitlines(), strict=True))
    for line, expected in ASKED.items():
        assert set(answers[line].split()) == expected, line


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_each_script(shell: str, tmp_path: Path) -> None:
    text = script(shell)
    for name, parser in parsers().items():
        assert name.split()[-1] in text
        for action in parser._actions:
            for option in action.option_strings:
                spelled = option.lstrip("-") if shell == "fish" else option
                assert re.search(rf"(?<!\w){re.escape(spelled)}(?!\w)", text), (name, option)
    if shutil.which(shell) is not None:
        path = tmp_path / "script"
        path.write_text(text)
        subprocess.run([shell, "-n", str(path)], check=True, timeout=30)
