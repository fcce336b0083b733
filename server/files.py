"""Files that survive a crash: written whole or not at all, never half, never over something else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import file_digest
from pathlib import Path

from drawing.errors import Refused


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most `most` bytes. Raises Refused where it is missing, too large or no file."""
    try:
        if not path.is_file():
            raise Refused("no_such_file", str(path))
        size = path.stat().st_size
        if size > most:
            raise Refused("too_long", path.name, most=most)
        with path.open("rb") as handle:
            data = handle.read(size + 1)  # what is asked for is allocated: never `most` for a small file
            if len(data) > size:  # it grew meanwhile
                data += handle.read(most + 1 - len(data))
    except OSError as wrong:
        raise Refused("cannot_read", path.name, why=wrong.strerror or "") from None
    if len(data) > most:
        raise Refused("too_long", path.name, most=most)
    return data


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a rename is not on disk before its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, parts: bytes | Iterable[bytes], mode: int = 0o644) -> None:
    """Write beside, fsync, rename, fsync the folder: after a crash there is the old file or the new one. Raises Refused when it fails."""
    beside = path.with_name(path.name + ".new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as stream:
            for part in (parts,) if isinstance(parts, bytes) else parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(beside, mode)
        os.replace(beside, path)
        sync_folder(path.parent)
    except OSError as wrong:
        beside.unlink(missing_ok=True)
        raise Refused("cannot_write", path.name, why=wrong.strerror or "") from None


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """As `write_whole`, but refused where the file exists."""
    if path.exists() or path.is_symlink():
        raise Refused("file_exists", str(path))
    write_whole(path, data, mode)


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file of any size."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").digest()
