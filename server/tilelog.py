"""The transparency log as files: append-only C2SP tlog-tiles, one writer, crash-safe (docs/spec/log.md).

`checkpoint` is the only file that says how long the log is; everything beyond it was never published. So an append writes entries and hash
tiles first, makes them durable, and renames the new checkpoint into place last: a crash leaves the old log or the new one. Opening reads
everything and hashes it again; a log that does not match its checkpoint is refused and the first bad file named.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from drawing import merkle
from drawing.errors import Refused
from drawing.note import Checkpoint, Policy, Sign, VKey, sign_note
from server.files import read_bounded, sync_folder, write_whole

WIDTH = 256
MAX_ENTRY = 65_535
MAX_SIZE = 1 << 24
_TILE = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_COSIGNED = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def tile_name(number: int) -> str:
    """`x001/x234/067` for 1234067: groups of three digits, all but the last marked (tlog-tiles)."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of C2SP tlog-tiles: of entries, or of hashes of whole subtrees of 256^level leaves."""

    entries: bool
    level: int
    number: int
    width: int

    @classmethod
    def parse(cls, path: str, size: int) -> Tile:
        """From its path. Raises Refused for any other spelling, and for what a log of `size` leaves does not have."""
        found = _TILE.fullmatch(path)
        if found is None or len(path) > 100:
            raise Refused("no_such_tile", "log")
        kind, name, partial = found.groups()
        tile = cls(
            kind == "entries", 0 if kind == "entries" else int(kind), int(name.replace("x", "").replace("/", "")), int(partial or WIDTH)
        )
        outside = tile.number * WIDTH + tile.width > size >> 8 * tile.level
        if tile_name(tile.number) != name or (partial and tile.width >= WIDTH) or outside:
            raise Refused("no_such_tile", "log")
        return tile


def headers_of(path: str) -> dict[str, str]:
    """Type and keeping of a published file: a tile never changes, the checkpoint always does."""
    if path == "checkpoint":
        return {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
    return {"Content-Type": "application/octet-stream", "Cache-Control": "public, max-age=31536000, immutable"}


class TileLog:
    """One log folder. Use as a context manager; a writer holds the lock file for as long as it is open."""

    def __init__(self, path: Path, policy: Policy, sign: Sign | None) -> None:
        self.path = path
        self._policy = policy
        self._sign = sign
        self._lock: int | None = None
        self._entries: list[bytes] = []
        self._leaves: list[bytes] = []
        self.root = merkle.EMPTY
        self.origin = ""

    # Opening --------------------------------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, origin: str, key: VKey, sign: Sign) -> Self:
        """A new, empty log. Raises Refused where the folder holds a log already."""
        path.mkdir(parents=True, exist_ok=True)
        log = cls(path, Policy(key, {}), sign)
        log._take_lock()
        if (path / "checkpoint").exists():
            log.close()
            raise Refused("log_exists", str(path))
        log.origin = origin
        try:
            log._publish(0, merkle.EMPTY)
        except Refused:
            log.close()
            raise
        return log

    @classmethod
    def open(cls, path: Path, policy: Policy, sign: Sign | None = None) -> Self:
        """An existing log, for writing where `sign` is given. Raises Refused where it is altered, in use, or not signed by the policy's log."""
        log = cls(path, policy, sign)
        if sign is not None:
            log._take_lock()
        try:
            log._read()
        except Refused:
            log.close()
            raise
        return log

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _take_lock(self) -> None:
        """One writer: the kernel gives the lock back when the process ends, however it ends."""
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as wrong:
            raise Refused("cannot_write", "log/lock", why=wrong.strerror or "") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip()
            os.close(handle)
            raise Refused("log_in_use", str(self.path), pid=holder or "?") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def _read(self) -> None:
        """Everything from disk, hashed again and held against hash tiles and checkpoint."""
        checked = self._policy.check(read_bounded(self.path / "checkpoint", 65_535), "log/checkpoint")
        size = checked.checkpoint.size
        if size > MAX_SIZE:
            raise Refused("log_too_large", "log/checkpoint", most=MAX_SIZE)
        entries: list[bytes] = []
        for name, width in _tiles(size, "tile/entries"):
            entries += split_bundle(self._file(name, width * (MAX_ENTRY + 2)), width, name)
        leaves = [merkle.leaf_hash(entry) for entry in entries]
        level, hashes = 0, leaves
        while hashes:
            for number, (name, width) in enumerate(_tiles(len(hashes), f"tile/{level}")):
                if self._file(name, 32 * WIDTH) != b"".join(hashes[WIDTH * number : WIDTH * number + width]):
                    raise Refused("log_altered", f"log/{name}", index=(WIDTH * number) << 8 * level)
            full = len(hashes) // WIDTH
            hashes = [merkle.root(hashes[WIDTH * n : WIDTH * (n + 1)]) for n in range(full)]
            level += 1
        if merkle.root(leaves) != checked.checkpoint.root:
            raise Refused("log_altered", "log/checkpoint", index=size)
        self.origin, self.root = checked.checkpoint.origin, checked.checkpoint.root
        self._entries, self._leaves = entries, leaves

    def _file(self, name: str, most: int) -> bytes:
        path = self.path / name
        if path.is_symlink():
            raise Refused("log_altered", f"log/{name}", index=0)
        try:
            return read_bounded(path, most)
        except Refused as wrong:
            raise Refused("log_altered" if wrong.code == "too_long" else "log_incomplete", f"log/{name}", index=0) from None

    # Reading --------------------------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return len(self._entries)

    def entries(self, start: int = 0, end: int | None = None) -> list[bytes]:
        """The entries from `start` up to `end`."""
        return self._entries[start:end]

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash of one entry."""
        return self._leaves[index]

    def tree(self, size: int) -> merkle.Tree:
        """The tree of the first `size` leaves, for many inclusion paths."""
        return merkle.Tree(self._leaves[:size])

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion path of an entry in the tree of the first `size`."""
        return merkle.inclusion_proof(self._leaves[:size], index)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The consistency path between two sizes."""
        return merkle.consistency_proof(self._leaves[:new], old)

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed note of a size; Ed25519 is deterministic, so an earlier size gives the very checkpoint that was published then."""
        if size is None or size == self.size:
            return read_bounded(self.path / "checkpoint", 65_535)
        return self._note(size, merkle.root(self._leaves[:size]))

    # Cosignatures -------------------------------------------------------------------------------------------------------------------------

    def keep_cosigned(self, size: int, note: bytes) -> None:
        """Keep a checkpoint with the lines of a quorum of witnesses; a later one of the same size takes its place."""
        folder = self.path / "cosigned"
        if not folder.exists():
            folder.mkdir()
            sync_folder(self.path)
        write_whole(folder / str(size), note)

    def cosigned(self, size: int) -> bytes:
        """The checkpoint of a size with its cosignatures, as far as there are any. Raises Refused where they stand under another one."""
        own = self.checkpoint(size)
        path = self.path / "cosigned" / str(size)
        if not path.exists():
            return own
        note = read_bounded(path, 65_535)
        if not note.startswith(own):
            raise Refused("log_altered", f"log/cosigned/{size}", index=size)
        return note

    def is_cosigned(self, size: int) -> bool:
        """Whether a quorum cosigned the checkpoint of this size, as far as is known here."""
        return (self.path / "cosigned" / str(size)).exists()

    def cosigned_size(self, least: int, most: int) -> int:
        """The smallest size in this range whose checkpoint a quorum cosigned; `least` where there is none."""
        folder = self.path / "cosigned"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return min((int(each) for each in names if _COSIGNED.fullmatch(each) and least <= int(each) <= most), default=least)

    def check(self) -> None:
        """Read and hash everything again. Raises Refused where the disk no longer holds what this object does."""
        before = (self.origin, self.root, self.size)
        self._read()
        if (self.origin, self.root, self.size) != before:
            raise Refused("log_altered", "log/checkpoint", index=self.size)

    # Writing --------------------------------------------------------------------------------------------------------------------------

    def append(self, entries: Sequence[bytes]) -> int:
        """Append entries as one batch and return the index of the first. After a crash either all of them are in or none.

        Raises Refused for an entry of wrong size, and where the disk refuses: the old log stays as it was.
        """
        if not entries or any(not 0 < len(entry) <= MAX_ENTRY for entry in entries):
            raise Refused("bad_entry", "log", most=MAX_ENTRY)
        if self._lock is None or self._sign is None:
            raise Refused("log_read_only", str(self.path))
        first = self.size
        all_entries = [*self._entries, *entries]
        leaves = [*self._leaves, *(merkle.leaf_hash(entry) for entry in entries)]
        try:
            # If we crash in this loop, the new files lie beyond the checkpoint: nobody reads them, the next append writes them again.
            for name, data in _changed(all_entries, leaves, first):
                self._write(name, data)
        except OSError as wrong:
            raise Refused("cannot_write", "log", why=wrong.strerror or "") from None
        root = merkle.root(leaves)
        # If we crash before the rename inside, the old checkpoint stands; after it, everything that it speaks of is durable.
        self._publish(len(leaves), root)
        self._entries, self._leaves, self.root = all_entries, leaves, root
        return first

    def _write(self, name: str, data: bytes) -> None:
        path = self.path / name
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            sync_folder(folder.parent)  # a folder that is not durable takes its files with it
        write_whole(path, data)

    def _note(self, size: int, root: bytes) -> bytes:
        if self._sign is None:
            raise Refused("log_read_only", str(self.path))
        return sign_note(Checkpoint(self.origin, size, root).text(), self._policy.log, self._sign)

    def _publish(self, size: int, root: bytes) -> None:
        write_whole(self.path / "checkpoint", self._note(size, root))


def _tiles(size: int, folder: str) -> Iterator[tuple[str, int]]:
    """The names and widths of the tiles that hold `size` hashes or entries."""
    for number in range(size // WIDTH):
        yield f"{folder}/{tile_name(number)}", WIDTH
    if size % WIDTH:
        yield f"{folder}/{tile_name(size // WIDTH)}.p/{size % WIDTH}", size % WIDTH


def _changed(entries: Sequence[bytes], leaves: Sequence[bytes], first: int) -> Iterator[tuple[str, bytes]]:
    """The files that an append changes: every tile, of entries and of each level, that holds something new."""
    for number, (name, width) in enumerate(_tiles(len(entries), "tile/entries")):
        if WIDTH * number + width > first:
            bundle = entries[WIDTH * number : WIDTH * number + width]
            yield name, b"".join(len(entry).to_bytes(2, "big") + entry for entry in bundle)
    level, hashes = 0, list(leaves)
    while hashes and len(hashes) > first:
        for number, (name, width) in enumerate(_tiles(len(hashes), f"tile/{level}")):
            if WIDTH * number + width > first:
                yield name, b"".join(hashes[WIDTH * number : WIDTH * number + width])
        hashes = [merkle.root(hashes[WIDTH * n : WIDTH * (n + 1)]) for n in range(len(hashes) // WIDTH)]
        first //= WIDTH
        level += 1


def split_bundle(data: bytes, width: int, name: str) -> list[bytes]:
    """The entries of a bundle that has `width` of them and nothing else. Raises Refused."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Refused("log_altered", f"log/{name}", index=len(entries))
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise Refused("log_altered", f"log/{name}", index=width)
    return entries
