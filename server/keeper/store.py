"""The port through which the keeper keeps things, and its one implementation over a plain SQLite file.

The keeper needs five operations on rows of a few kinds, and the log's leaves. A row is (kind, key, value, version); values are sealed before
they come here. `write` is all or nothing and a change may say which version it expects: a second writer loses and gets Refused("stale").

    kind        key                     value
    annex       table, row, column      envelope under a data key
    blind       table, row, column      blind index, found by value
    state       name                    envelope under `state`
    credential  credential id           envelope under `state`
    key         key id                  a data key, envelope under `kek`
    checkpoint  size                    a signed note
    leaf        (none)                  appended to the log
    epoch_leaf  (none)                  the same, also to a frozen one
    epoch       the log's new name      a notice, and the log goes on under the name

A leaf goes into the log in the same transaction as what it speaks of. In the SQLite file the log is a table of its own; in the service's
database it is the service's log.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

from drawing.errors import Refused
from server.storage.frozen import Frozen

T = TypeVar("T")
Key = tuple[str, ...]
WIDTHS: Final = {"annex": 3, "blind": 3, "state": 1, "credential": 1, "key": 1, "checkpoint": 1}
NEW = 0  # the expected version of a row that must not be there


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `version` counts its changes from 1."""

    key: Key
    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """Put a value, or with None remove the row. `expected`: the version that is there, NEW for none, None for whichever."""

    kind: str
    key: Key
    value: bytes | None
    expected: int | None = None


class KeeperStore(Protocol):
    """What the keeper asks of whatever keeps its rows. Every method raises Refused("store_unavailable") where the store does not answer."""

    async def read(self, kind: str, keys: Sequence[Key]) -> list[Row | None]:
        """These rows, in order."""

    async def scan(self, kind: str, prefix: Key, after: Key, limit: int) -> list[Row]:
        """Rows whose key begins with `prefix`, in the order of keys, those behind `after` (a whole key or ())."""

    async def find(self, table: str, column: str, values: Sequence[bytes]) -> list[str]:
        """The rows whose blind index is one of these."""

    async def write(self, changes: Sequence[Change]) -> None:
        """All of them, durable when this returns, or none. Raises Refused("stale")."""

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """The log's leaves from `start` up to before `end`, fewer where the log is shorter."""

    async def frozen(self) -> Frozen | None:
        """Why nothing may be appended to the log, where that is so."""

    async def events(self, project: bytes) -> list[bytes]:
        """The leaves of a project's draw, in order."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS annex (table_name TEXT, row TEXT, column_name TEXT, value BLOB NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (table_name, row, column_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blind_index (table_name TEXT, row TEXT, column_name TEXT, value BLOB NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (table_name, row, column_name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blind_index_value ON blind_index (table_name, column_name, value);
CREATE TABLE IF NOT EXISTS keeper_state (name TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keeper_credential (id TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wrapped_key (id TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (size TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_leaf (id INTEGER PRIMARY KEY, leaf BLOB NOT NULL);
"""
_TABLES: Final = {
    "annex": ("annex", ("table_name", "row", "column_name")),
    "blind": ("blind_index", ("table_name", "row", "column_name")),
    "state": ("keeper_state", ("name",)),
    "credential": ("keeper_credential", ("id",)),
    "key": ("wrapped_key", ("id",)),
    "checkpoint": ("checkpoint", ("size",)),
}


class FileStore:
    """A SQLite file (0600): WAL, synchronous FULL, one connection in one thread of its own, so that no write stalls the loop."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._db = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises Refused where the file cannot be used or SQLite does not keep what it promises."""
        thread = ThreadPoolExecutor(1, "keeper-store")
        try:
            return cls(await asyncio.get_running_loop().run_in_executor(thread, _connect, path), thread)
        except (OSError, sqlite3.Error):
            thread.shutdown(wait=False)
            raise Refused("store_unavailable", path.name) from None

    async def close(self) -> None:
        await self._run(self._db.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, RuntimeError):
            raise Refused("store_unavailable", "keeper") from None

    async def read(self, kind: str, keys: Sequence[Key]) -> list[Row | None]:
        return await self._run(lambda: [self._one(kind, key) for key in keys])

    async def scan(self, kind: str, prefix: Key, after: Key, limit: int) -> list[Row]:
        table, columns = _TABLES[kind]
        names = ", ".join(columns)
        wanted = [f"{name} = ?" for name in columns[: len(prefix)]]
        if after:
            wanted.append(f"({names}) > ({', '.join('?' * len(columns))})")
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        sql = f"SELECT {names}, value, version FROM {table} {where} ORDER BY {names} LIMIT ?"  # noqa: S608 - names are of the table above
        return await self._run(
            lambda: [Row(tuple(each[:-2]), each[-2], each[-1]) for each in self._db.execute(sql, (*prefix, *after, limit))]
        )

    async def find(self, table: str, column: str, values: Sequence[bytes]) -> list[str]:
        marks = ", ".join("?" * len(values))
        sql = f"SELECT row FROM blind_index WHERE table_name = ? AND column_name = ? AND value IN ({marks}) ORDER BY row LIMIT 1000"  # noqa: S608 - marks only
        return await self._run(lambda: [row for (row,) in self._db.execute(sql, (table, column, *values))])

    async def write(self, changes: Sequence[Change]) -> None:
        await self._run(lambda: self._write(changes))

    async def leaves(self, start: int, end: int) -> list[bytes]:
        sql = "SELECT leaf FROM log_leaf WHERE id > ? AND id <= ? ORDER BY id"
        return await self._run(lambda: [leaf for (leaf,) in self._db.execute(sql, (start, end))])

    async def frozen(self) -> None:
        """A log of the keeper's own has no witnesses."""

    async def events(self, project: bytes) -> list[bytes]:
        marks = f'"project":"{project.hex()}"'.encode(), b'"v":"draw/v1"'
        sql = "SELECT leaf FROM log_leaf WHERE instr(leaf, ?) AND instr(leaf, ?) ORDER BY id"
        return await self._run(lambda: [leaf for (leaf,) in self._db.execute(sql, marks)])

    def _one(self, kind: str, key: Key) -> Row | None:
        table, columns = _TABLES[kind]
        sql = f"SELECT value, version FROM {table} WHERE {' AND '.join(f'{name} = ?' for name in columns)}"  # noqa: S608 - names are of the table above
        found = self._db.execute(sql, key).fetchone()
        return None if found is None else Row(key, found[0], found[1])

    def _write(self, changes: Sequence[Change]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._apply(change)
            self._db.execute("COMMIT")  # if we crash before this returns, nobody was told; after it, everything is on the disk
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _apply(self, change: Change) -> None:
        if change.kind in ("leaf", "epoch_leaf", "epoch"):
            self._db.execute("INSERT INTO log_leaf (leaf) VALUES (?)", (change.value,))
            return
        table, columns = _TABLES[change.kind]
        there = self._one(change.kind, change.key)
        version = NEW if there is None else there.version
        if change.expected is not None and change.expected != version:
            raise Refused("stale", change.kind)
        where = " AND ".join(f"{name} = ?" for name in columns)
        if change.value is None:
            self._db.execute(f"DELETE FROM {table} WHERE {where}", change.key)  # noqa: S608 - names are of the table above
        elif there is None:
            marks = ", ".join("?" * (len(columns) + 1))
            self._db.execute(f"INSERT INTO {table} VALUES ({marks}, 1)", (*change.key, change.value))  # noqa: S608 - as above
        else:
            sql = f"UPDATE {table} SET value = ?, version = version + 1 WHERE {where}"  # noqa: S608 - as above
            self._db.execute(sql, (change.value, *change.key))


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF", "cell_size_check=ON", "secure_delete=ON"):
        db.execute(f"PRAGMA {pragma}")
    kept = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    if kept != ["wal", 2]:
        db.close()
        raise Refused("store_unavailable", path.name)
    db.executescript(_SCHEMA)
    return db
