"""Mutated frames against the framing, the codec and the Arrow decoder.

    python -m tests.wire.fuzz --frames 5000000 --resume FILE [--seed N]

Every mutant must be taken, or refused with ProtocolError; nothing else may happen. Frames come in
blocks, each with its own random numbers, so that a run goes on where FILE says it stopped, and a
block that failed (or ended the process) can be run again alone with --block.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from eau2.errors import ProtocolError
from eau2.net.arrow import decode_frame, decode_table
from eau2.net.codec import TABLE, decode_message, decode_request, encode_message, kind_of
from eau2.net.frame import FrameReader, frame_buffers
from eau2.net.header import OPEN, Kind
from eau2.net.message import Request
from tests.wire.samples import MESSAGES, frame_of, payloads

BLOCK_FRAMES = 10_000
RSS_GROWTH_BYTES = 64 << 20
_INTERESTING = bytes([0, 1, 0x7F, 0x80, 0x81, 0xC0, 0xC7, 0xD9, 0xDD, 0xDF, 0xFE, 0xFF])
_LONG = [(1 << n).to_bytes(8, "little") for n in (15, 31, 40, 62)]


@dataclass(slots=True)
class Tally:
    """What became of the mutants."""

    taken: int = 0
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def refuse(self, layer: str) -> None:
        """One more was refused, by this layer."""
        self.refused += 1
        self.reasons[layer] = self.reasons.get(layer, 0) + 1


def mutate(rng: random.Random, original: bytes, others: list[bytes]) -> bytes:
    """A few small changes: flipped, replaced, removed, doubled bytes, lengths, a spliced tail."""
    data = bytearray(original)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            return bytes(rng.randbytes(4))
        at = rng.randrange(len(data))
        match rng.randrange(8):
            case 0 | 1:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at] = rng.choice(_INTERESTING)
            case 3:
                del data[at : at + rng.randrange(1, 9)]
            case 4:
                data[at:at] = data[max(0, at - 8) : at + rng.randrange(8)]
            case 5:
                data[at : at + 8] = rng.choice(_LONG)
            case 6:
                del data[at:]
            case _:
                data[at:] = rng.choice(others)[at : at + 4096]
    return bytes(data)


class Corpus:
    """Valid frames, control parts and payloads, and what is done with mutants of each."""

    def __init__(self) -> None:
        self.payloads = payloads()
        self.frames = [frame_of(message) for message in MESSAGES]
        self.frames += [frame_of(MESSAGES[12], payload) for payload in self.payloads]
        self.controls = []
        for message in MESSAGES:
            kind = kind_of(message)
            request = Request(5.0, "q") if TABLE[kind].opens else None
            self.controls.append((kind, encode_message(message, request)))
        self._packed = [control for _, control in self.controls]

    def raw(self, rng: random.Random, tally: Tally) -> None:
        """A mutated frame, and half of the time another behind it."""
        data = mutate(rng, rng.choice(self.frames), self.frames)
        if rng.random() < 0.5:
            data += rng.choice(self.frames)
        reader = FrameReader()
        if rng.random() < 0.8:
            reader.hello_done()
        try:
            feed(reader, data)
            tally.taken += 1
        except ProtocolError:
            tally.refuse("frame")

    def control(self, rng: random.Random, tally: Tally) -> None:
        """A frame whose checksums are right, around a mutated control part."""
        kind, control = rng.choice(self.controls)
        mutant = mutate(rng, control, self._packed)
        if rng.random() < 0.1:
            kind = rng.choice(list(Kind))
        flags = OPEN if TABLE[kind].opens else 0
        reader = FrameReader()
        reader.hello_done()
        data = b"".join(frame_buffers(kind, flags, 1, mutant))
        try:
            for frame_kind, packed in feed(reader, data):
                if flags:
                    decode_request(frame_kind, packed)
                else:
                    message = decode_message(frame_kind, packed)
                    assert kind_of(message) is frame_kind
            tally.taken += 1
        except ProtocolError:
            tally.refuse("control")

    def payload(self, rng: random.Random, tally: Tally) -> None:
        """A mutated Arrow stream; what is taken is used, so that wrong memory would show."""
        mutant = mutate(rng, rng.choice(self.payloads), self.payloads)
        try:
            table = decode_table(mutant, trusted=False)
            frame = decode_frame(mutant, trusted=False)
        except ProtocolError:
            tally.refuse("payload")
            return
        assert table.num_rows == frame.height
        if frame.width:
            frame.select(pl.all().is_null().sum())
            frame.hash_rows()
        tally.taken += 1


def feed(reader: FrameReader, data: bytes) -> list[tuple[Kind, bytes]]:
    """Kind and control part of the frames in `data`."""
    found = []
    position = 0
    while position < len(data):
        space = reader.space()
        count = min(len(space), len(data) - position)
        space[:count] = data[position : position + count]
        reader.received(count)
        position += count
        while (frame := reader.next_frame()) is not None:
            found.append((frame.kind, frame.control))
    return found


def block(corpus: Corpus, seed: int, number: int, frames: int, tally: Tally) -> None:
    """Run one block. Raises what a mutant raised, with the way to repeat it."""
    rng = random.Random(f"{seed}:{number}")
    ways: tuple[Callable[[random.Random, Tally], None], ...]
    ways = (corpus.raw, corpus.control, corpus.control, corpus.payload)
    for index in range(frames):
        try:
            ways[index % 4](rng, tally)
        except BaseException:
            print(f"mutant {index} of --seed {seed} --block {number}", file=sys.stderr)
            raise


def resident_bytes() -> int:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str]) -> int:
    """Run the blocks that are left; 0 when nothing unexpected happened."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--block", type=int, help="run this block alone")
    options = parser.parse_args(arguments)
    corpus, tally = Corpus(), Tally()
    if options.block is not None:
        block(corpus, options.seed, options.block, BLOCK_FRAMES, tally)
        return 0
    blocks = -(-options.frames // BLOCK_FRAMES)
    first = 0
    if options.resume is not None and options.resume.exists():
        saved = json.loads(options.resume.read_text(encoding="utf-8"))
        if saved["seed"] == options.seed:
            first = saved["next"]
    start, resident = time.perf_counter(), 0
    for number in range(first, blocks):
        block(corpus, options.seed, number, BLOCK_FRAMES, tally)
        if options.resume is not None:
            text = json.dumps({"seed": options.seed, "next": number + 1})
            options.resume.write_text(text, encoding="utf-8")
        if number == first + 1:
            # By now the allocators have what they need.
            resident = resident_bytes()
    seconds = time.perf_counter() - start
    grown = resident_bytes() - resident if resident else 0
    frames = tally.taken + tally.refused
    print(
        f"{frames} mutants in {seconds:.1f} s ({frames / max(seconds, 1e-9):.0f}/s):"
        f" {tally.taken} taken, {tally.refused} refused {tally.reasons},"
        f" resident memory grew by {grown >> 10} KiB"
    )
    if grown > RSS_GROWTH_BYTES:
        print("memory has grown too much", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
