"""Where the command line starts: `eau2`, and `python -m eau2` where that is not on the path.

Owns: that Ctrl-C is a message also while modules load. Does not know: anything of commands.
"""

from __future__ import annotations

import os
from typing import NoReturn


def run() -> NoReturn:
    """The process that `eau2` starts: run one command and end."""
    try:
        from eau2.cli import run as command

        command()
    except KeyboardInterrupt:
        os.write(2, b"Interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    run()
