"""When to look again: LISTEN on PostgreSQL, `PRAGMA data_version` on SQLite, behind one iterator."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

from sqlalchemy.engine import URL

POLL_SECONDS = 0.05
RECONNECT_SECONDS = 0.5
MAX_WAITING = 1000
ALL: frozenset[str] = frozenset()


def changes(url: URL, idle_seconds: float) -> AsyncIterator[frozenset[str]]:
    """See Store.changes."""
    return _polled(url, idle_seconds) if url.get_backend_name() == "sqlite" else _notified(url, idle_seconds)


async def _polled(url: URL, idle_seconds: float) -> AsyncIterator[frozenset[str]]:
    """data_version changes when another connection commits; asking takes microseconds and never waits."""
    loop = asyncio.get_running_loop()
    with closing(sqlite3.connect(f"file:{url.database}?mode=ro", uri=True, isolation_level=None)) as connection:
        seen = connection.execute("PRAGMA data_version").fetchone()[0]
        yield ALL
        spoken = loop.time()
        while True:
            await asyncio.sleep(min(POLL_SECONDS, idle_seconds))
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != seen or loop.time() - spoken >= idle_seconds:
                seen = version
                yield ALL
                spoken = loop.time()


async def _notified(url: URL, idle_seconds: float) -> AsyncIterator[frozenset[str]]:
    """Topics as they are notified. After a lost connection, and where too many wait, everything may have changed."""
    import asyncpg

    while True:
        waiting: asyncio.Queue[frozenset[str] | None] = asyncio.Queue(MAX_WAITING)

        def heard(_: object, __: int, ___: str, payload: object, queue: asyncio.Queue[frozenset[str] | None] = waiting) -> None:
            if not queue.full():  # the next one taken out says "all"
                queue.put_nowait(frozenset(str(payload).split()))

        def ended(_: object, queue: asyncio.Queue[frozenset[str] | None] = waiting) -> None:
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

        try:
            connection = await asyncpg.connect(
                host=url.host or url.query.get("host"),
                port=url.port,
                user=url.username,
                password=url.password,
                database=url.database,
                timeout=5,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        try:
            connection.add_termination_listener(ended)
            await connection.add_listener("lotroom", heard)
            yield ALL
            while True:
                was_full = waiting.full()
                try:
                    async with asyncio.timeout(idle_seconds):
                        topics = await waiting.get()
                except TimeoutError:
                    topics = ALL
                if topics is None:
                    break
                yield ALL if was_full else topics
        finally:
            connection.terminate()
