"""Backups: frames, views and functions as a folder of files, each of them with a checksum.

Owns: the layout of the folder, its writing, its checks, and the order of a restore. Comes in: an
end (backup_ends.py) that frames are taken from or put to; goes out: the folder, or what was
restored. Does not know: what a store or a node is.

    DIR/BACKUP                 what is in it, as JSON, and the xxh3-128 of that on the last line
    DIR/<id>/manifest          the manifest of a frame, view or function, as in a store
    DIR/<id>/<n>.arrow         chunk n of the frame: an Arrow file in stored form, as in a store

The folder is written as DIR.part and comes to its name when all of it is durable, so DIR is a whole
backup or not there. A backup that was interrupted goes on with the frames that are complete in
DIR.part. One chunk at a time is held in memory. A restore checks every file before it publishes the
first name, and each name is published by itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from eau2 import __version__
from eau2.backup_ends import End
from eau2.catalog import Frame, Function, Named, View, register_of
from eau2.errors import (
    BackupError,
    NameExistsError,
    OperationalError,
    StoreBusyError,
    UnknownTableError,
    UsageError,
)
from eau2.kv import chunk, manifest
from eau2.records import Record, names, replace

FORMAT, WITH_FUNCTIONS = "eau2 backup 1", "eau2 backup 2"
"""Of backups that have functions only the second can be said: earlier versions read the first."""
INDEX, MANIFEST, PART = "BACKUP", "manifest", ".part"
_TRIES = 3
"""How often a frame that is replaced while it is copied is begun anew."""
_ID = re.compile(r"[0-9a-z]{1,64}")

Said = Callable[[str], None]


class Entry(Record, frozen=True):
    """What the index says of a frame, view or function.

    name: of its register. folder: of its files. checksum: of its manifest.
    """

    name: str
    kind: str
    folder: str
    rows: int
    checksum: str


class Checked(Record, frozen=True):
    """A frame, view or function of a backup, all of whose files are what was written."""

    entry: Entry
    place: Path
    named: Named


def check(folder: str, store: str | None) -> None:
    """Refuse a backup's folder that has no name or lies in the store's. Raises UsageError."""
    if not folder:
        raise UsageError("the backup's folder has no name", hint="Name a new folder.")
    if store is not None and Path(folder).resolve().is_relative_to(Path(store).resolve()):
        raise UsageError(
            f"{folder} lies in the store {store}, which it is to be a copy of",
            hint="Name a folder elsewhere, best on another disk.",
        )


def backup(end: End, folder: str, said: Said) -> int:
    """Copy all frames, views and functions of `end` to a new folder; how many there are.

    said: is told of each. Raises UsageError when the folder is there already, StoreBusyError when
    another process writes the same backup, CorruptChunkError, DiskFullError, OperationalError.
    """
    target = Path(folder)
    if target.exists():
        raise UsageError(
            f"{folder} exists already", hint="Name another folder: a backup is never changed."
        )
    part = target.with_name(target.name + PART)
    with _translated(f"writing the backup {folder}"):
        part.mkdir(parents=True, exist_ok=True)
        with _alone(part):
            entries = [_copied(end, part, name, said) for name in end.names()]
            found = [entry for entry in entries if entry is not None]
            kept = {entry.folder for entry in found} | {INDEX}
            for stale in [path for path in part.iterdir() if path.name not in kept]:
                shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
            _write(part / INDEX, _index(found))
            chunk.sync_directory(part)
            part.rename(target)
            chunk.sync_directory(target.parent)
    return len(found)


def checked(folder: str, names: Sequence[str]) -> tuple[Checked, ...]:
    """What a backup has of these names, or all of it; every file of that was read and compared.

    Raises BackupError for what is not whole, UnknownTableError for a name that is not in it.
    """
    root = Path(folder)
    entries = _selected(_entries(root), names, folder)
    return tuple(Checked(entry, root / entry.folder, _whole(root, entry)) for entry in entries)


def restore(end: End, found: Sequence[Checked], *, replace: bool, said: Said) -> None:
    """Put functions, frames, then views of a backup to `end`; `said` is told of each.

    Without `replace`, names that mean what they mean in the backup are taken for restored, so that
    a restore that was interrupted goes on; for others NameExistsError is raised before anything is
    put. Raises too what a put raises: then the names that were said are there, and no other.
    """
    views: list[View] = []
    there = [] if replace else _there(end, found)
    for one in there:
        said(f"{_line(one.entry)}, there already")
    known = {one.entry.name for one in there}
    left = [one for one in found if one.entry.name not in known]
    for one in left:
        if isinstance(one.named, Function):
            # Views may call them.
            end.put_function(one.named, replace)
            said(_line(one.entry))
    for one in left:
        if isinstance(one.named, Function):
            continue
        if isinstance(one.named, View):
            views.append(one.named)
            continue
        end.put_frame(one.named, _chunks(one.place, one.named), replace)
        said(_line(one.entry))
    for view in end.put_views(views, replace):
        said(f"{view.name}: view")


def _there(end: End, found: Sequence[Checked]) -> list[Checked]:
    """What is there as it is in the backup. Raises NameExistsError for what is there otherwise."""
    taken = {name.casefold() for name in end.names()}
    there = [one for one in found if one.entry.name.casefold() in taken]
    for one in there:
        if not _same(end, end.named(one.entry.name), one):
            raise NameExistsError(
                f'"{one.entry.name}" exists already and is not what the backup has;'
                " nothing was restored",
                hint="Put it in place of what there is (--replace), or name others.",
            )
    return there


def _same(end: End, now: Named | None, one: Checked) -> bool:
    """Whether a name means the same: a frame by its columns and rows, all else by what it says."""
    saved = one.named
    if not isinstance(now, Frame) or not isinstance(saved, Frame):
        return now == saved
    if (now.schema, now.rows) != (saved.schema, saved.rows):
        return False
    return end.same(now, saved, _chunks(one.place, saved))


def _entries(root: Path) -> tuple[Entry, ...]:
    """The entries of a backup's index."""
    try:
        text = (root / INDEX).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError) as error:
        raise BackupError(
            f"{root} is not a backup: {INDEX} cannot be read in it",
            hint=f"Name the folder that `eau2 backup` made; one that ends in {PART} is not whole.",
        ) from error
    except OSError as error:
        raise BackupError(
            f"the backup {root} cannot be read: {error.strerror} ({root / INDEX})",
            hint="Check whose files they are, and what their owner allows.",
        ) from error
    body, _, digest = text.rstrip("\n").rpartition("\n")
    if manifest.checksum(body.encode()) != digest:
        raise _damaged(root / INDEX, "its checksum differs from the one written")
    try:
        plain: dict[str, Any] = json.loads(body)
        if plain["format"] not in (FORMAT, WITH_FUNCTIONS):
            raise BackupError(
                f"the backup {root} has the format {str(plain['format'])[:40]!r}",
                hint="Use the version of eau2 that made it.",
            )
        entries = tuple(Entry(**entry) for entry in plain["entries"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(root / INDEX, f"it is no index ({error})") from error
    for entry in entries:
        if not _ID.fullmatch(entry.folder):
            raise _damaged(root / INDEX, f"{entry.folder[:80]!r} is not the id of a write")
    return entries


def _copied(end: End, part: Path, name: str, said: Said) -> Entry | None:
    """Copy what a name means now; None when it means nothing any more."""
    for _ in range(_TRIES):
        named = end.named(name)
        if named is None:
            return None
        entry: Entry | None
        if not isinstance(named, Frame):
            entry = _complete(part, manifest.checksum(manifest.encode(named)), named)
        else:
            entry = _known(part, named) or _copy_frame(end, part, named)
        if entry is not None:
            said(_line(entry))
            return entry
    raise OperationalError(
        f'"{name}" was replaced again and again while it was copied',
        hint="Run the backup again when less is written; it goes on where it was.",
    )


def _copy_frame(end: End, part: Path, frame: Frame) -> Entry | None:
    """Copy the chunks, then the manifest; None when the frame was replaced meanwhile."""
    place = part / frame.df_id
    if place.exists():
        shutil.rmtree(place)
    place.mkdir()
    refs = []
    for number, ref in enumerate(frame.chunks):
        written = end.copy(frame, number, place / f"{number}.arrow")
        if written is None:
            return None
        refs.append(replace(ref, bytes=written[0], checksum=written[1]))
    if not end.still(frame):
        return None
    return _complete(part, frame.df_id, replace(frame, chunks=tuple(refs)))


def _complete(part: Path, folder: str, named: Named) -> Entry:
    """Write the manifest, which says that all before it is there."""
    place = part / folder
    place.mkdir(exist_ok=True)
    data = manifest.encode(named)
    _write(place / MANIFEST, data)
    chunk.sync_directory(place)
    return _entry(folder, named, data)


def _known(part: Path, frame: Frame) -> Entry | None:
    """What an interrupted backup has copied of this very frame, if all of it is there and whole."""
    place = part / frame.df_id
    try:
        data = (place / MANIFEST).read_bytes()
        named = manifest.decode(data)
        if not isinstance(named, Frame) or named.name != frame.name:
            return None
        if [ref.key for ref in named.chunks] != [ref.key for ref in frame.chunks]:
            return None
        _verify_chunks(place, named)
    except (OSError, manifest.ManifestError, BackupError):
        return None
    return _entry(frame.df_id, named, data)


def _entry(folder: str, named: Named, data: bytes) -> Entry:
    kinds = {Frame: "frame", View: "view", Function: "function"}
    rows = named.rows if isinstance(named, Frame) else 0
    return Entry(register_of(named), kinds[type(named)], folder, rows, manifest.checksum(data))


def _index(entries: Sequence[Entry]) -> bytes:
    listed = [{slot: getattr(entry, slot) for slot in names(Entry)} for entry in entries]
    functions = any(entry.kind == "function" for entry in entries)
    spoken = WITH_FUNCTIONS if functions else FORMAT
    plain = {"format": spoken, "software": f"eau2 {__version__}", "entries": listed}
    body = json.dumps(plain, indent=1)
    return f"{body}\n{manifest.checksum(body.encode())}\n".encode()


def _selected(entries: Sequence[Entry], names: Sequence[str], folder: str) -> list[Entry]:
    """The entries of these names, or all."""
    if not names:
        return list(entries)
    known = {entry.name.casefold(): entry for entry in entries}
    for name in names:
        if name.casefold() not in known:
            listed = ", ".join(entry.name for entry in entries) or "nothing"
            raise UnknownTableError(
                f'the backup {folder} has no "{name}"', hint=f"It has {listed}."
            )
    return [known[folded] for folded in dict.fromkeys(name.casefold() for name in names)]


def _whole(root: Path, entry: Entry) -> Named:
    """The frame, view or function of an entry, all of whose files are what was written."""
    path = root / entry.folder / MANIFEST
    try:
        data = path.read_bytes()
        if manifest.checksum(data) != entry.checksum:
            raise _damaged(path, "its checksum differs from the one written")
        named = manifest.decode(data)
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from error
    except manifest.ManifestError as error:
        raise _damaged(path, str(error)) from error
    if isinstance(named, Frame):
        _verify_chunks(root / entry.folder, named)
    return named


def _verify_chunks(place: Path, frame: Frame) -> None:
    for number, ref in enumerate(frame.chunks):
        path = place / f"{number}.arrow"
        try:
            chunk.verify(path, ref.bytes, ref.checksum)
        except chunk.DamagedError as error:
            raise _damaged(path, str(error)) from error


def _chunks(place: Path, frame: Frame) -> Iterator[pa.RecordBatch]:
    """The chunks of a frame that has been checked, one after the other."""
    for number, _ in enumerate(frame.chunks):
        path = place / f"{number}.arrow"
        try:
            batch = chunk.open_chunk(path)
        except chunk.DamagedError as error:
            raise _damaged(path, str(error)) from error
        yield batch
        del batch


def _damaged(path: Path, why: str) -> BackupError:
    return BackupError(
        f"the backup is damaged: {path}: {why}; nothing was restored",
        hint="Take another backup, or restore the frames that are whole by their names.",
    )


def _line(entry: Entry) -> str:
    if entry.kind != "frame":
        return f"{entry.name}: {entry.kind}"
    return f"{entry.name}: {'1 row' if entry.rows == 1 else f'{entry.rows:,} rows'}"


def _write(path: Path, data: bytes) -> None:
    """Make a file of these bytes durable under its name."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep other processes from writing the same backup. Raises StoreBusyError."""
    fd = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreBusyError(
                f"another process is writing the backup {part}",
                hint="Wait until it has finished, or name another folder.",
            ) from error
        yield
    finally:
        os.close(fd)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # Not the disk: whoever reads what is said went away.
        raise
    except OSError as error:
        raise chunk.disk_error(error, doing) from error
