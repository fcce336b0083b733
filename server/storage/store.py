"""One Store over SQLite and PostgreSQL.

Writers queue: BEGIN IMMEDIATE on SQLite; on PostgreSQL a SERIALIZABLE transaction whose first statement locks log_head, before it has a
snapshot. So a decision taken from what a Tx reads still holds when it is written, and leaves are in the order of commits.

An answer can be lost while a commit takes place. On PostgreSQL every writing transaction leaves a mark, and `write` looks for it after
it has connected again: what was done is not done twice, what was not done is done again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import NoReturn, Self, TypeVar

from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from drawing.errors import Refused
from server.errors import NotReady
from server.storage import tables
from server.storage.changes import changes
from server.storage.engines import Engines, check_postgres, make_engines, must_exist
from server.storage.tx import Chance, Gone, Tx
from server.storage.versions import check_version

T = TypeVar("T")
RECONNECT_SECONDS = 10.0
OUTCOME_SECONDS = 30.0  # longer: who does not know whether it was done must not do it again
MARKS_KEPT_SECONDS = 3600
_LOCK = text("LOCK TABLE log_head IN SHARE ROW EXCLUSIVE MODE")
_AGAIN = frozenset({"40001", "40P01"})  # serialization failure, deadlock: certainly not committed
_AWAY = frozenset({"57P01", "57P02", "57P03", "25P03", "08000", "08001", "08003", "08004", "08006"})
_FULL = frozenset({"53100", "53200", "53300"})
_writing: ContextVar[bool] = ContextVar("lotroom_writing", default=False)


class _Lost(Exception):
    """The connection went away; whether before the commit or while it took place."""

    def __init__(self, mark: bytes | None) -> None:
        self.mark = mark
        super().__init__()


class _OfWork(Exception):
    """An OSError that `work` raised of its own, which says nothing of the database."""


class Store:
    """The database of one installation. `retries` counts transactions that were done again."""

    def __init__(self, engines: Engines, chance: Chance) -> None:
        self._engines = engines
        self._chance = chance
        self._queue = asyncio.Lock()
        self._away = False  # whoever has its turn lost the database and looks for it
        self.retries = 0

    @classmethod
    async def open(cls, url: str, chance: Chance = secrets.token_bytes) -> Self:
        """Connect, and make sure that the database is set up as it must be and its tables are this program's.

        Raises Refused for an address, a setting, a version or tables that are not right; NotReady where the database is away.
        """
        engines = make_engines(url)
        store = cls(engines, chance)
        if store.dialect == "sqlite":
            must_exist(engines.url)
        try:
            async with store.reading() as tx:
                if store.dialect == "postgresql":
                    await check_postgres(tx.connection)
                await check_version(tx.connection)
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engines.dialect

    async def close(self) -> None:
        """Give all connections back. Nothing may be open."""
        await self._engines.close()

    async def forget(self) -> None:
        """Close the connections that nobody uses now: each remembers its last statement and what was in it. The next one connects anew."""
        await self._engines.close()

    def changes(self, idle_seconds: float = 3600.0) -> AsyncIterator[frozenset[str]]:
        """What other transactions changed, as it is committed: names of tables and streams, or nothing for "look at all".

        The first comes at once, so that a reader listens first and looks then; one comes after `idle_seconds` of silence. A topic can be
        missed and one can come for nothing: it says when to look, never what is there.
        """
        return changes(self._engines.url, idle_seconds)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A transaction that only reads, of one snapshot. Raises NotReady."""
        connection = await self._connected()
        try:
            yield Tx(connection, 0, writes=False, chance=self._chance)
        except (DBAPIError, Gone) as wrong:
            _raise(wrong)
        finally:
            await _give_back(connection)

    async def _connected(self) -> AsyncConnection:
        deadline = asyncio.get_running_loop().time() + RECONNECT_SECONDS
        pause = 0.05
        while True:
            connection = self._engines.reader.connect()
            started = False
            try:
                _ = await connection.start()
                started = True
                _ = await connection.begin()
                return connection
            except BaseException as wrong:
                if started:
                    await _give_back(connection)
                if not isinstance(wrong, Exception) or not _is_away(wrong):
                    _raise(wrong)
                if asyncio.get_running_loop().time() > deadline:
                    raise NotReady(part="database", why="database_away") from wrong
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.5)

    async def write(self, work: Callable[[Tx], Awaitable[T]], now: int, *, for_epoch: bool = False) -> T:
        """Do `work` in a transaction of its own and commit; its result. `now` is Unix seconds. `for_epoch`: also where the log is frozen.

        `work` may be called more than once, each time from the start: it changes nothing but through its Tx, and does not call `write`.
        Raises what `work` raises (nothing is written); Refused("row_conflicts") where a constraint is broken, and the
        refusals of `storage.frozen` where a witness has seen more than this log; NotReady.
        """
        assert not _writing.get(), "a write inside a write would wait for itself"
        # From here on, not from its turn: where the database is away all who wait hear it together, not each after the one before.
        deadline = asyncio.get_running_loop().time() + RECONNECT_SECONDS
        await self._turn(deadline)
        mine = _writing.set(True)
        try:
            return await self._until_done(work, now, deadline, for_epoch)
        finally:
            _writing.reset(mine)
            self._queue.release()

    async def _turn(self, deadline: float) -> None:
        """Of one process one writes at a time: waiting here costs no connection. Behind one that has lost the database nobody waits on."""
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._queue.acquire()
                    return
            except TimeoutError:
                if self._away:
                    raise NotReady(part="database", why="database_away") from None
            deadline = asyncio.get_running_loop().time() + 1

    async def _until_done(self, work: Callable[[Tx], Awaitable[T]], now: int, deadline: float, for_epoch: bool) -> T:
        loop = asyncio.get_running_loop()
        pause = 0.01
        while True:
            result: list[T] = []
            try:
                await self._once(work, now, for_epoch, result)
                return result[0]
            except _Lost as lost:
                self._away = True
                if lost.mark is not None and await self._was_committed(lost.mark, loop.time() + OUTCOME_SECONDS):
                    return result[0]
                wrong: BaseException | None = lost.__cause__
            except _OfWork as own:
                raise own.__cause__ or own from None
            except (DBAPIError, OSError, PoolTimeout) as other:
                if _state(other) not in _AGAIN:
                    _raise(other)
                wrong = other
            if loop.time() > deadline:
                raise NotReady(part="database", why="database_away" if wrong is None or _is_away(wrong) else "database_busy") from wrong
            self.retries += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.5)

    async def _once(self, work: Callable[[Tx], Awaitable[T]], now: int, for_epoch: bool, result: list[T]) -> None:
        """One transaction. Raises _Lost where the connection went away, with a mark where that was during the commit."""
        marked: bytes | None = None
        committed = False
        try:
            async with _lent(self._engines.writer) as connection:
                _ = await connection.begin()
                if self.dialect == "postgresql":
                    await connection.execute(_LOCK)  # nothing before it: there is no snapshot yet
                self._away = False
                tx = Tx(connection, now, writes=True, chance=self._chance, for_epoch=for_epoch)
                try:
                    result.append(await work(tx))
                except OSError as own:
                    raise _OfWork from own
                await tx.finish(self.dialect)
                mark = self._chance(16)
                if tx.wrote and self.dialect == "postgresql":
                    await connection.execute(insert(tables.commit_mark).values(mark=mark, at=now))
                    if mark[0] == 0:
                        await connection.execute(delete(tables.commit_mark).where(tables.commit_mark.c.at < now - MARKS_KEPT_SECONDS))
                marked = mark if tx.wrote else None
                await connection.commit()
                committed = True
        except Exception as wrong:
            if committed:  # what the connection says afterwards changes nothing
                return
            if isinstance(wrong, Refused | _OfWork) or not _is_away(wrong):
                raise
            raise _Lost(marked) from wrong

    async def _was_committed(self, mark: bytes, deadline: float) -> bool:
        """Whether the transaction with this mark took place. The lock is free only once it has ended. Raises NotReady."""
        while True:
            try:
                async with _lent(self._engines.writer) as connection:
                    await connection.execute(_LOCK)
                    found = await connection.execute(select(tables.commit_mark.c.at).where(tables.commit_mark.c.mark == mark))
                    return found.first() is not None
            except Exception as wrong:
                if not _is_away(wrong) or asyncio.get_running_loop().time() > deadline:
                    raise NotReady(part="database", why="outcome_unknown") from wrong
                await asyncio.sleep(0.1)


@asynccontextmanager
async def _lent(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = await engine.connect()
    try:
        yield connection
    finally:
        await _give_back(connection)


async def _give_back(connection: AsyncConnection) -> None:
    """Close, also where the server is gone and cannot be told to roll back: or the pool would miss the connection for ever."""
    try:
        await connection.close()
    except Exception as wrong:
        if not _is_away(wrong):
            raise
        if not connection.closed:
            await connection.invalidate()
            await connection.close()


def _state(wrong: BaseException) -> str:
    """The SQLSTATE of an error of PostgreSQL, or nothing."""
    return str(getattr(getattr(wrong, "orig", wrong), "sqlstate", None) or "")


def _is_away(wrong: BaseException) -> bool:
    if isinstance(wrong, DBAPIError) and wrong.connection_invalidated:
        return True
    return (
        isinstance(wrong, OSError)
        or _state(wrong) in _AWAY
        or "connection is closed" in str(wrong)
        or "connection was closed" in str(wrong)
    )


def _raise(wrong: BaseException) -> NoReturn:
    refusal = refusal_of(wrong)
    if refusal is wrong:
        raise wrong
    raise refusal from wrong


def refusal_of(wrong: BaseException) -> BaseException:
    """What a caller can act on; values of rows stay out of it."""
    words = str(getattr(wrong, "orig", wrong))
    state = _state(wrong)
    if isinstance(wrong, IntegrityError):
        name = getattr(getattr(wrong.orig, "__cause__", None), "constraint_name", None)
        return Refused("row_conflicts", str(name or words.partition("failed: ")[2] or state))
    if isinstance(wrong, PoolTimeout) or state == "55P03" or "locked" in words:
        return NotReady(part="database", why="database_busy")
    if state in _FULL or "full" in words:
        return NotReady(part="database", why="database_full")
    if _is_away(wrong):
        return NotReady(part="database", why="database_away")
    if state == "42501":
        return Refused("database_needs_the_owner", "database")
    if state[:2] in ("28", "3D"):  # no such role or password, no such database
        return Refused("database_refuses_us", "database", why=state)
    if "disk I/O" in words or "readonly" in words or "unable to open" in words or "malformed" in words:
        return NotReady(part="database", why="database_refuses")
    return wrong
