"""The long form of stories, resumable: `python -m tests.oracle.tell --seed 1 --from 0 --to 500`.

Each story asks some forty queries while their tables change (stories.py). Prints a tally and every
difference, minimised: tables and steps as SQL, the last of which differs. With `--resume FILE` the
state is kept in FILE after every story, and a later run of the same seed goes on from there. With
`--nodes N` eau2 runs on so many nodes, which are in this process; `--seconds S` ends it after the
story that is under way then.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.nodes import in_process
from tests.oracle.shorter import minimised, shown
from tests.oracle.stories import story, verdicts


@dataclass(slots=True)
class State:
    """What came of the stories before `story`. found: of each that differs, its text."""

    seed: str
    story: int
    stories: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Keep the state in a file."""
        path.write_text(json.dumps({name: getattr(self, name) for name in self.__slots__}))


def load(path: Path | None, seed: str, first: int) -> State:
    """The state to go on from."""
    if path is None or not path.exists():
        return State(seed, first)
    kept = json.loads(path.read_text())
    if kept["seed"] != seed:
        return State(seed, first)
    counters = {name: Counter(kept[name]) for name in ("outcomes", "refusals")}
    return State(**(kept | counters))


def tell(state: State, urls: Sequence[str], steps: int) -> None:
    """One more story. It ends with the first difference, since what follows may come of it."""
    told = story(state.seed, state.story, "nodes" if urls else None)
    for number, verdict in verdicts(told, urls=urls):
        state.outcomes[verdict.outcome] += 1
        if verdict.outcome == "refused":
            state.refusals[verdict.text.splitlines()[0][:100]] += 1
        if verdict.outcome == "different":
            small = minimised(told, number, verdict, steps, urls)
            text = f"--- {state.seed}/{state.story}, step {number}: {verdict.kind}: "
            text += f"{verdict.text[:300]}\n{shown(small, urls)}\n"
            print(text, flush=True)
            state.found.append(text)
            break
    state.stories += 1
    state.story += 1


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1 when there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--to", type=int, default=100, help="the story after the last one")
    parser.add_argument("--resume", type=Path, metavar="FILE")
    parser.add_argument("--nodes", type=int, help="eau2 on so many nodes; embedded if not given")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--steps", type=int, default=300, help="tries to make a story shorter")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    state = load(options.resume, options.seed, options.first)
    with ExitStack() as stack:
        nodes = options.nodes and stack.enter_context(in_process(options.nodes))
        while state.story < options.to and time.monotonic() - started < options.seconds:
            tell(state, nodes.urls if nodes else (), options.steps)
            if options.resume is not None:
                state.write(options.resume)
    queries = state.outcomes.total() - state.outcomes["changed"]
    seconds = time.monotonic() - started
    print(f"{state.stories} stories, {queries} queries, {seconds:.1f} s")
    for name, count in state.outcomes.most_common():
        print(f"{count:8}  {name}")
    for reason, count in state.refusals.most_common(15):
        print(f"{count:8}  refused: {reason}")
    return 1 if state.outcomes["different"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
