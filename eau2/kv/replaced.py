"""What a name meant and means no more: the writes and chunks that nothing lists any longer.

Owns: the difference between two versions of a name, pure. Comes in: frames and views; goes out:
what may be deleted when nobody reads it. Does not know: where it lies, who reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from eau2.catalog import ChunkKey, Frame, Named
from eau2.records import Record


class Replaced(Record, frozen=True):
    """chunks: all that can go. writes: of which nothing else is listed either.

    manifests: that can go though chunks of their writes are still listed. delete: whether this
    process is to delete all this, or only to let go of it.
    """

    writes: frozenset[str]
    chunks: frozenset[ChunkKey]
    manifests: frozenset[str]
    delete: bool

    @property
    def df_ids(self) -> frozenset[str]:
        """The writes that it is about."""
        return self.writes | {key.df_id for key in self.chunks}

    @property
    def single(self) -> frozenset[ChunkKey]:
        """The chunks of writes that still have others that are listed."""
        return frozenset(key for key in self.chunks if key.df_id not in self.writes)


def writes_of(df_id: str, named: Named | None) -> frozenset[str]:
    """The writes of which something is listed when `df_id` made what `named` is."""
    chunks = named.chunks if isinstance(named, Frame) else ()
    return frozenset((df_id, *(chunk.key.df_id for chunk in chunks)))


def chunks_of(named: Named | None) -> frozenset[ChunkKey]:
    """The chunks of a frame; none of anything else."""
    return (
        frozenset(chunk.key for chunk in named.chunks) if isinstance(named, Frame) else frozenset()
    )


def kept(frames: Iterable[tuple[str, Named]]) -> dict[str, frozenset[int] | None]:
    """For each write that is listed the numbers of its chunks that are; None where all are."""
    listed: dict[str, set[int]] = {}
    whole: list[str] = []
    for df_id, named in frames:
        whole.append(df_id)
        for key in chunks_of(named):
            listed.setdefault(key.df_id, set()).add(key.number)
    return {df_id: frozenset(numbers) for df_id, numbers in listed.items()} | dict.fromkeys(whole)


def replaced(
    df_id: str, old: Named | None, new_id: str, new: Named | None, delete: bool
) -> Replaced:
    """What `old`, which the write `df_id` made, lists and `new` of the write `new_id` does not.

    old: None when it cannot be read; then only the write itself is known of.
    """
    listed = writes_of(new_id, new)
    before = writes_of(df_id, old)
    shared = before & listed & {df_id}
    return Replaced(before - listed, chunks_of(old) - chunks_of(new), shared, delete)
