"""Backups: one encrypted file that holds the database as it was at one moment, the sealed root and the public files; and the way back.

SQLite gives its own consistent copy (the backup API) while others write. PostgreSQL gives all tables in one read-only
transaction of one snapshot; writers queue, so a snapshot is what some moment was.
Names are sealed in the database already; the backup's own key keeps the rest from whoever finds the file, and shows a changed byte.

    line        JSON: format, engine, revision, log name, size and root, salt, how the key was made; authenticated with every frame
    frames      u32be length || crypto_secretstream_xchacha20poly1305 frames; the first byte of the plain text says what it is:
                F name: a file begins; D bytes: of that file; T name: a table begins; R row: canonical JSON; the last frame is FINAL

A backup restored beside a living service, or older than what a witness saw, is met by the witnesses (docs/spec/log.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from nacl import bindings, pwhash
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing.errors import Refused
from server.config import Settings
from server.files import sync_folder
from server.places import Places, database_of, places_of
from server.storage import tables
from server.storage.engines import make_engines
from server.storage.store import Store, refusal_of
from server.storage.versions import latest

FORMAT = "lotroom-backup/1"
LEAST_KEY, LEAST_PASSPHRASE = 32, 12
FRAME = 1 << 16
MOST_FRAME = 1 << 22
_OPS, _MEMORY = 3, 1 << 28  # argon2id, a second or so: a passphrase is all that stands before the file
_HEADER, _SALT = 24, 16
_ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}


@dataclass(frozen=True, slots=True)
class Done:
    """A backup or what came out of one: where its log stood."""

    path: Path
    size: int
    root: bytes


def _key(secret: bytes, salt: bytes) -> bytes:
    """From a passphrase by argon2id, from key bytes by SHA-256. Raises nothing: a wrong one opens nothing."""
    kind, _, value = secret.partition(b":")
    if kind == b"passphrase":
        return bytes(pwhash.argon2id.kdf(32, value, salt, opslimit=_OPS, memlimit=_MEMORY))
    return sha256(b"lotroom/v1/backup" + salt + value).digest()


class _Writer:
    def __init__(self, out: BinaryIO, head: dict[str, Any], secret: bytes) -> None:
        self._out = out
        salt = secrets.token_bytes(_SALT)
        self._line = json.dumps({**head, "salt": b64encode(salt).decode(), "v": FORMAT}, sort_keys=True).encode()
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, _key(secret, salt))
        out.write(self._line + b"\n" + header)

    def put(self, kind: bytes, data: bytes, *, final: bool = False) -> None:
        tag = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL if final else 0
        frame = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, kind + data, self._line, tag)
        self._out.write(len(frame).to_bytes(4, "big") + frame)

    def file(self, name: str, path: Path) -> None:
        self.put(b"F", name.encode())
        with path.open("rb") as stream:
            while data := stream.read(FRAME):
                self.put(b"D", data)


def _frames(stream: BinaryIO, line: bytes, key: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each frame. Raises Refused at the first that is not right, and where the last is missing."""
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    try:
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, stream.read(_HEADER), key)
        while True:
            length = int.from_bytes(stream.read(4), "big")
            if not 0 < length <= MOST_FRAME:
                raise Refused("backup_refused", "backup")
            plain, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, stream.read(length), line)
            yield plain[:1], plain[1:]
            if tag == bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL:
                if stream.read(1):
                    raise Refused("backup_refused", "backup")
                return
    except (RuntimeError, ValueError, TypeError):
        raise Refused("backup_refused", "backup") from None


# Making one -----------------------------------------------------------------------------------------------------------------------------


async def backup(settings: Settings, folder: Path, secret: bytes, now: int) -> Done:
    """Into a new file of the folder. Raises Refused, NotReady."""
    places = places_of(settings)
    store = await Store.open(database_of(settings))
    try:
        await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
        done = await _backup(store, places, folder, secret, now)
        places.backup_made.touch(0o600)  # for whoever looks when the last one was
        return done
    except OSError as wrong:  # a full disk, a folder that is none: what was begun is removed
        raise Refused("cannot_write", str(folder), why=wrong.strerror or "") from None
    finally:
        await store.close()


async def _backup(store: Store, places: Places, folder: Path, secret: bytes, now: int) -> Done:
    path = folder / f"lotroom-{now}-{secrets.token_hex(4)}.backup"
    beside = path.with_name(path.name + ".new")
    copy = folder / f".{path.name}.db"
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            if store.dialect == "sqlite":
                await asyncio.to_thread(_copy_sqlite, store_file(store), copy)
                head = await _head_of(f"sqlite+aiosqlite:///{copy}")
                writer = await asyncio.to_thread(_Writer, out, {"engine": "sqlite", "revision": latest(), **head}, secret)
                await asyncio.to_thread(writer.file, "lotroom.db", copy)
            else:
                async with store.reading() as tx:  # one snapshot for all tables
                    found = await tx.head()
                    head = {"origin": found.origin, "size": found.size, "root": found.root.hex()}
                    writer = await asyncio.to_thread(_Writer, out, {"engine": "postgresql", "revision": latest(), **head}, secret)
                    for table in tables.metadata.sorted_tables:
                        writer.put(b"T", table.name.encode())
                        async for row in await tx.connection.stream(select(table)):
                            writer.put(b"R", json.dumps([_plain(each) for each in row]).encode())
            _other_files(writer, places)
            writer.put(b"E", b"", final=True)
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, path)
        sync_folder(folder)
    finally:
        beside.unlink(missing_ok=True)
        for each in ("", "-wal", "-shm"):
            copy.with_name(copy.name + each).unlink(missing_ok=True)
    return Done(path, int(head["size"]), bytes.fromhex(str(head["root"])))


def store_file(store: Store) -> Path:
    """The SQLite file of a store, by its address."""
    return Path(store._engines.url.database or "")


def _other_files(writer: _Writer, places: Places) -> None:
    if places.sealed.exists():
        writer.file("keeper/root.sealed", places.sealed)
    for each in sorted(places.public.glob("*.json")) if places.public.is_dir() else ():
        writer.file(f"public/{each.name}", each)


def _copy_sqlite(source: Path, copy: Path) -> None:
    """SQLite's own backup: consistent while others write, and begun again by itself where they do."""
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as there, closing(sqlite3.connect(copy)) as here:
        there.backup(here)  # all pages in one step: one read transaction, one moment


async def _head_of(url: str) -> dict[str, str | int]:
    store = await Store.open(url)
    try:
        async with store.reading() as tx:
            found = await tx.head()
            return {"origin": found.origin, "size": found.size, "root": found.root.hex()}
    finally:
        await store.close()


def _plain(value: Any) -> Any:
    return {"b": b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def _value(value: Any) -> Any:
    return b64decode(value["b"]) if isinstance(value, dict) else value


# The way back ---------------------------------------------------------------------------------------------------------------------------


async def restore(settings: Settings, file: Path, secret: bytes) -> Done:
    """Into an empty data folder; on PostgreSQL into an empty database that `lotroom migrate` made, as the tables' owner. Raises Refused, NotReady.

    All of it is there afterwards, or nothing is.
    """
    places = places_of(settings)
    if places.sealed.exists() or places.database_file.exists():
        raise Refused("already_initialised", str(places.folder))
    try:
        stream = file.open("rb")
    except OSError as wrong:
        raise Refused("cannot_read", str(file), why=wrong.strerror or "") from None
    with stream:
        line = stream.readline(65_536).removesuffix(b"\n")
        try:
            head = json.loads(line)
            salt, engine, size, root = b64decode(head["salt"]), head["engine"], int(head["size"]), bytes.fromhex(head["root"])
            good = head["v"] == FORMAT and len(salt) == _SALT
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused("backup_refused", file.name) from None
        url = database_of(settings)
        if not good or engine not in ("sqlite", "postgresql"):
            raise Refused("backup_refused", file.name)
        if not url.startswith(engine):
            raise Refused("backup_of_another_kind", file.name, found=engine)
        if head.get("revision") != latest() and engine == "postgresql":
            raise Refused("tables_of_another_version", "database", found=str(head.get("revision")), needed=latest(), newer=0)
        key = await asyncio.to_thread(_key, secret, salt)
        begin = stream.tell()
        for _ in _frames(stream, line, key):  # all of it is right before anything is written
            pass
        stream.seek(begin)
        frames = _frames(stream, line, key)
        with _Written(places) as written:
            if engine == "sqlite":
                written.files(frames)
            else:
                await _restore_rows(frames, url, written)
            sync_folder(places.folder)
    return Done(file, size, root)


class _Written:
    """What a restore has put on the disk: when it fails, all of that goes again."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._files: list[Path] = []
        self._folders = [each for each in places.folders if not each.exists()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if value is None:
            return
        for each in self._files:
            each.unlink(missing_ok=True)
        for each in reversed(self._folders):
            with contextlib.suppress(OSError):
                each.rmdir()

    def files(self, frames: Iterable[tuple[bytes, bytes]]) -> None:
        """Each file of the frames. Raises Refused."""
        self._places.make()
        out: BinaryIO | None = None
        path = self._places.folder
        try:
            try:
                for kind, data in frames:
                    if kind == b"F":
                        if out is not None:
                            _finish(out)
                        path = self._places.folder / _safe(data.decode())
                        out = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb", buffering=0)
                        self._files.append(path)
                    elif kind == b"D" and out is not None:
                        _all_of(out, data)
            finally:
                if out is not None:
                    _finish(out)
        except OSError as wrong:
            raise Refused("cannot_write", str(path), why=wrong.strerror or "") from None


def _all_of(out: BinaryIO, data: bytes) -> None:
    """Without a buffer: a full disk is told here, not when the file is closed."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


def _finish(out: BinaryIO) -> None:
    if not out.closed:
        os.fsync(out.fileno())
        out.close()


def _safe(name: str) -> str:
    """Only names that a backup has. Raises Refused."""
    folder, _, last = name.rpartition("/")
    if name in ("lotroom.db", "keeper/root.sealed") or (folder == "public" and last.endswith(".json") and not last.startswith(".")):
        return name
    raise Refused("backup_refused", "backup")


async def _restore_rows(frames: Iterator[tuple[bytes, bytes]], url: str, written: _Written) -> None:
    """All tables in one transaction, with the triggers asleep: rows of the log come back in any order. The owner may do that."""
    engines = make_engines(url)
    try:
        async with engines.writer.begin() as connection:
            if (await connection.execute(text("SELECT size FROM log_head"))).scalar_one():
                raise Refused("database_not_empty", "database")
            # If we crash behind this the files are there and the rows are not: remove the folder and restore again.
            written.files(await _rows(frames, connection))
    except (DBAPIError, OSError) as wrong:
        raise refusal_of(wrong) from None
    finally:
        await engines.close()


async def _rows(frames: Iterator[tuple[bytes, bytes]], connection: AsyncConnection) -> list[tuple[bytes, bytes]]:
    """Puts the rows back; the frames of files, which come behind them."""
    await connection.execute(text("SET LOCAL ROLE lotroom_migrate"))
    names = [table.name for table in tables.metadata.sorted_tables]
    awake = await connection.execute(text("SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"))
    triggers = [tuple(row) for row in awake]
    for name in names:
        await connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
    await connection.execute(text("DELETE FROM log_head"))
    table, waiting, rest = tables.log_head, list[dict[str, Any]](), list[tuple[bytes, bytes]]()
    for kind, data in frames:
        if kind == b"R":
            values = [_value(each) for each in json.loads(data)]
            waiting.append(dict(zip(table.columns.keys(), values, strict=True)))
            if len(waiting) < 500:
                continue
        if waiting:
            await connection.execute(insert(table), waiting)
            waiting = []
        if kind == b"T":
            if data.decode() not in names:
                raise Refused("backup_refused", "backup")
            table = tables.metadata.tables[data.decode()]
        elif kind in (b"F", b"D"):
            rest.append((kind, data))
    for owner, trigger, state in triggers:  # as they were: some are awake also where `session_replication_role` lets others rest
        if state in _ENABLE:
            await connection.execute(text(f"ALTER TABLE {owner} {_ENABLE[state]} TRIGGER {trigger}"))
    return rest
