"""`python -m eau2`: the command line, for where the `eau2` script is not on the path.

Does not know: anything but where the command line starts.
"""

from __future__ import annotations

from eau2.cli import run

if __name__ == "__main__":
    run()
