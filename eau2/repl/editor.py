"""A statement in the user's editor.

Owns: the file that the editor is given, and finding the editor. Comes in: text; goes out: what was
made of it. Does not know: statements.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from eau2.errors import UsageError

_FALLBACK: Final = "vi"


def edited(text: str) -> str:
    """What the user makes of `text` in $VISUAL, $EDITOR or vi.

    Raises UsageError when there is no editor, or it fails: then the text is not taken.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _FALLBACK
    with tempfile.TemporaryDirectory(prefix="eau2-") as folder:
        path = Path(folder) / "statement.sql"
        path.write_text(f"{text}\n" if text else "", encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the editor '{command}' cannot be started",
                hint="Set $EDITOR to one that is there.",
            ) from error
        if done.returncode:
            raise UsageError(f"the editor '{command}' ended with code {done.returncode}")
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"what the editor wrote cannot be read: {error}") from error
