"""The two engines, set up so that what was acknowledged stays: and asserted, on every connection, that they are.

SQLite: the driver's own transactions silently lose updates, so it starts none and we say BEGIN ourselves: BEGIN IMMEDIATE for writers.
WAL with synchronous=FULL lost nothing in power cuts; NORMAL did. PostgreSQL: SERIALIZABLE writers, readers of one snapshot.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from drawing.errors import Refused

READERS = 5
BUSY_MS = 30_000
LOCK_MS = 30_000
IDLE_MS = 60_000  # a writer that stops in the middle of a transaction holds up all others: PostgreSQL ends it
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "secure_delete": 1,
    "recursive_triggers": 1,
}
_POSTGRES = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": ("on", "remote_apply")}


@dataclass(frozen=True, slots=True)
class Engines:
    """One engine for writers, one for readers, of the same database."""

    url: URL
    writer: AsyncEngine
    reader: AsyncEngine

    @property
    def dialect(self) -> str:
        return self.writer.dialect.name

    async def close(self) -> None:
        await self.writer.dispose()
        await self.reader.dispose()


def parse_url(url: str) -> URL:
    """The address of a database. Raises Refused for one that is not sqlite+aiosqlite:///FILE or postgresql+asyncpg://…"""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Refused("bad_database_url", "database") from None
    ours = {"sqlite+aiosqlite": parsed.database not in (None, "", ":memory:"), "postgresql+asyncpg": bool(parsed.database)}
    if not ours.get(parsed.drivername):
        raise Refused("bad_database_url", "database")
    return parsed


def make_engines(url: str) -> Engines:
    """Engines for an address; nothing is connected yet. Raises Refused."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Engines(parsed, sqlite_engine(parsed, "BEGIN IMMEDIATE", 1), sqlite_engine(parsed, "BEGIN", READERS))
    writer = postgres_engine(parsed, "SERIALIZABLE", 2)
    return Engines(parsed, writer, postgres_engine(parsed, "REPEATABLE READ", READERS).execution_options(postgresql_readonly=True))


def sqlite_engine(url: URL, begin: str, size: int, *, foreign_keys: bool = True) -> AsyncEngine:
    """SQLite with our settings on each connection and our BEGIN."""
    engine = create_async_engine(url, pool_size=size, max_overflow=0, connect_args={"timeout": BUSY_MS / 1000})
    pragmas = {**_PRAGMAS, "foreign_keys": int(foreign_keys)}

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing of its own accord
        cursor = connection.cursor()
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
            cursor.execute(f"PRAGMA {name}")
            found = cursor.fetchone()
            if found is None or found[0] != value:
                raise Refused("database_setting", "database", name=name, value=str(value))
        if begin == "BEGIN":
            cursor.execute("PRAGMA query_only=1")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def postgres_engine(url: URL, isolation: str, size: int) -> AsyncEngine:
    """PostgreSQL with our settings on each connection."""
    settings = {
        "application_name": "lotroom",
        "synchronous_commit": "on",
        "lock_timeout": str(LOCK_MS),
        "idle_in_transaction_session_timeout": str(IDLE_MS),
        "search_path": "public",
    }
    return create_async_engine(
        url,
        isolation_level=isolation,
        pool_size=size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        connect_args={"timeout": 5, "server_settings": settings},
    )


def make_file(url: URL) -> None:
    """The SQLite file, for its owner alone; its WAL and shared memory get the same mode. Raises Refused where it cannot be made."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as wrong:
        raise Refused("cannot_write", path.name, why=wrong.strerror or "") from None


def must_exist(url: URL) -> None:
    """Raises Refused where the SQLite file is missing: a mistyped name must not become an empty database."""
    if not Path(url.database or "").is_file():
        raise Refused("no_such_file", url.database or "")
    if sqlite3.sqlite_version_info < (3, 37):
        raise Refused("database_too_old", "SQLite", version=sqlite3.sqlite_version, least="3.37")


async def check_postgres(connection: AsyncConnection) -> None:
    """Raises Refused where the server is too old or may lose what it acknowledged."""
    version = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
    if version < 130_000:
        raise Refused("database_too_old", "PostgreSQL", version=version // 10_000, least="13")
    for name, good in _POSTGRES.items():
        found = (await connection.execute(text(f"SHOW {name}"))).scalar_one()
        if found not in (good if isinstance(good, tuple) else (good,)):
            raise Refused("database_setting", "database", name=name, value=good if isinstance(good, str) else good[0])
