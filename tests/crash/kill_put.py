"""Kill a writer at random moments and look at what is left.

    python -m tests.crash.kill_put --times 100

A child process puts, replaces and drops frames for ever; it is killed with SIGKILL after a random
time. Then the store must open, each name must hold exactly one of the contents that were put
under it or nothing, a name whose last finished operation is known must hold that content or the
one of the operation that was cut short, and after the opening no file may be left that no
manifest lists.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from eau2.catalog import Frame
from eau2.kv.store import Store

ROWS = 30_000
CHUNK_ROWS = 4_000
NAMES = ("a", "b")


def content(seed: int) -> pa.Table:
    """The rows of a frame, which tell from which put they are."""
    return pa.table(
        {
            "seed": pa.array([seed] * ROWS, pa.int64()),
            "number": pa.array(range(ROWS), pa.int64()),
            "text": pa.array([f"{seed}: row number {i}" for i in range(ROWS)]),
        }
    )


def child(root: str, seed: int) -> None:
    """Write for ever; before and after each operation say so, on one line each."""
    store = Store.open(root)
    choices = random.Random(seed)
    print("open", flush=True)
    while True:
        name = choices.choice(NAMES)
        if store.get(name) is not None and choices.random() < 0.3:
            print(f"begin {name} -1", flush=True)
            store.drop(name)
            print(f"done {name} -1", flush=True)
            continue
        seed += 1
        table = content(seed)
        print(f"begin {name} {seed}", flush=True)
        store.put(name, table.schema, table.to_batches(), chunk_rows=CHUNK_ROWS, replace=True)
        print(f"done {name} {seed}", flush=True)


def seed_of(store: Store, name: str) -> int:
    """Which put the frame `name` is from, -1 if there is none; AssertionError if it is mixed."""
    frame = store.get(name)
    if frame is None:
        return -1
    names = tuple(column.name for column in frame.schema.columns)
    table = pa.concat_tables([store.read(ref, names) for ref in frame.chunks])
    seed: int = table.column("seed")[0].as_py()
    assert table.cast(content(seed).schema).equals(content(seed)), f"{name} is not put {seed}"
    return seed


def listed_files(frames: list[Frame]) -> set[str]:
    """The files that manifests list, and the manifests."""
    files = {f"{ref.key.df_id}/{ref.key.number}.arrow" for f in frames for ref in f.chunks}
    return files | {f"{frame.df_id}/manifest" for frame in frames}


def check(root: Path, allowed: dict[str, set[int]]) -> dict[str, int]:
    """Open the store after a crash; what each name holds. AssertionError if anything is wrong."""
    store = Store.open(root)
    found = {name: seed_of(store, name) for name in NAMES}
    for name, seed in found.items():
        assert seed in allowed[name], f"{name} holds put {seed}, expected one of {allowed[name]}"
    frames = [frame for frame in map(store.get, store.names()) if frame is not None]
    chunks = root / "chunks"
    present = {str(path.relative_to(chunks)) for path in chunks.rglob("*") if path.is_file()}
    assert present == listed_files(frames), present ^ listed_files(frames)
    store.close()
    return found


def kill_once(
    root: Path, before: dict[str, int], seed: int, opened: bool, after_s: float
) -> tuple[str, dict[str, int]]:
    """Start a child, kill it, check the store; what was cut short, and what the names hold now.

    opened: let it open the store first; the time before that is mostly its start-up.
    """
    command = [sys.executable, "-m", "tests.crash.kill_put", "--child", str(root), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if opened:
            assert process.stdout.readline() == "open\n"
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
        output = process.stdout.read()
    allowed = {name: {held} for name, held in before.items()}
    cut_short = "nothing"
    lines = [line.split() for line in output.splitlines() if line != "open"]
    for word, name, text in lines:
        if word == "begin":
            cut_short = "drop" if text == "-1" else "put"
            allowed[name].add(int(text))
        else:
            cut_short = "nothing"
            allowed[name] = {int(text)}
    return cut_short, check(root, allowed)


def run(times: int, seed: int) -> Counter[str]:
    """Kill `times` children over one store; what they were doing when they died."""
    choices = random.Random(seed)
    died = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        held = dict.fromkeys(NAMES, -1)
        for number in range(times):
            first_seed = (number + 1) * 100_000
            opened = number % 4 != 0
            after_s = choices.random() * (0.4 if opened else 0.8)
            cut_short, held = kill_once(Path(folder), held, first_seed, opened, after_s)
            died[cut_short] += 1
    return died


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=2, metavar=("ROOT", "SEED"))
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]))
    started = time.monotonic()
    died = run(options.times, options.seed)
    took = time.monotonic() - started
    print(f"{options.times} kills in {took:.0f} s, all as promised; cut short: {dict(died)}")


if __name__ == "__main__":
    main()
