"""The long form, resumable: `python -m tests.python.run --programs 20000 --seed 1 --nodes 3`.

Prints a tally (equal, refused, differences) and every difference with its program. With `--resume
FILE` the state is kept in FILE after every batch, and a later run of the same seed goes on from
there. With `--nodes N` the programs run on so many nodes, which are in this process.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import eau2
from eau2.errors import FunctionDefinitionError
from tests.cluster.nodes import in_process
from tests.python.comparing import difference
from tests.python.programs import make

_BATCH = 100


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1 when there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--nodes", type=int, help="run on so many nodes; embedded if not given")
    options = parser.parse_args(arguments)
    tally: Counter[str] = Counter()
    done = 0
    if options.resume is not None and options.resume.exists():
        kept = json.loads(options.resume.read_text())
        if kept["seed"] == options.seed:
            tally, done = Counter(kept["tally"]), kept["done"]
    with ExitStack() as stack:
        url = None
        if options.nodes is not None:
            url = stack.enter_context(in_process(options.nodes)).urls[-1]
        connection = stack.enter_context(eau2.connect(url))
        connection.execute("SET chunk_rows = 2")
        start = time.monotonic()
        while done < options.programs:
            for number in range(done, min(done + _BATCH, options.programs)):
                tally[one(f"{options.seed}:{number}", connection)] += 1
            done = min(done + _BATCH, options.programs)
            if options.resume is not None:
                state = {"seed": options.seed, "tally": tally, "done": done}
                options.resume.write_text(json.dumps(state))
        print(f"{done} programs: {dict(tally)}, {time.monotonic() - start:.0f} s")
    return 1 if tally["different"] else 0


def one(seed: str, connection: eau2.Connection) -> str:
    """What became of the program of a seed; a difference is printed."""
    program = make(random.Random(seed))
    try:
        found = difference(program, connection)
    except FunctionDefinitionError:
        return "refused"
    if found is None:
        return "equal"
    print(f"seed {seed}: {found}", flush=True)
    return "different"


if __name__ == "__main__":
    sys.exit(main())
