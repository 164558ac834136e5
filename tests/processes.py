"""The environment of the processes that tests start: these sources, and nothing of the caller's.

Compiled modules are kept between processes wherever the caller keeps them: without them, each start
would compile all of eau2 anew.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(**variables: str) -> dict[str, str]:
    """The variables of a process that runs eau2 from these sources."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EAU2_", "PYTHONDONT"))}
    bytecode = str(ROOT / ".pytest_cache" / "bytecode")
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": bytecode} | variables
