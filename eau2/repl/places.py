"""Where the shell keeps files: what was typed, the settings, the statements to begin with.

Owns: the paths, by the XDG base directory rules. Does not know: what stands in the files.
"""

from __future__ import annotations

import os
from pathlib import Path


def history_path() -> Path:
    """The file that keeps what was typed, made private to the user, in the user's state folder."""
    path = _base("XDG_STATE_HOME", ".local/state") / "history"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def config_path() -> Path:
    """The file of settings; it need not be there."""
    return _base("XDG_CONFIG_HOME", ".config") / "config.toml"


def init_path() -> Path:
    """The file of statements that run when a shell begins; it need not be there."""
    return _base("XDG_CONFIG_HOME", ".config") / "init.sql"


def _base(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable)
    return (Path(named) if named else Path.home() / otherwise) / "eau2"
