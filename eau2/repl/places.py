"""Where the shell keeps files: what was typed, the settings, the statements to begin with.

Owns: the paths, by the XDG base directory rules. Does not know: what stands in the files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HISTORY_BYTES: Final = 4 << 20
"""Of a longer history the older half is forgotten."""

_ENTRY: Final = b"\n# "
"""What an entry of the history begins with: a comment with its time."""


def history_path() -> Path:
    """The file that keeps what was typed, made private to the user, in the user's state folder.

    Raises OSError when it cannot be made.
    """
    path = _base("XDG_STATE_HOME", ".local/state") / "history"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is no file")
    path.touch(mode=0o600)
    path.chmod(0o600)
    if path.stat().st_size > HISTORY_BYTES:
        _shorten(path)
    return path


def _shorten(path: Path) -> None:
    kept = path.read_bytes()[-HISTORY_BYTES // 2 :]
    begin = max(0, kept.find(_ENTRY))
    shorter = path.with_name(f"{path.name}.{os.getpid()}")
    shorter.touch(mode=0o600)
    shorter.write_bytes(kept[begin:])
    shorter.replace(path)


def config_path() -> Path:
    """The file of settings; it need not be there. Raises OSError when the user has no home."""
    return _base("XDG_CONFIG_HOME", ".config") / "config.toml"


def init_path() -> Path:
    """The file of statements that run when a shell begins; it need not be there. Raises OSError."""
    return _base("XDG_CONFIG_HOME", ".config") / "init.sql"


def _base(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable)
    try:
        return (Path(named) if named else Path.home() / otherwise) / "eau2"
    except RuntimeError as error:
        raise FileNotFoundError("this user has no home folder") from error
