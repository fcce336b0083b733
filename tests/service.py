"""The service's database for tests: real SQLite and real PostgreSQL. tests/conftest.py makes the fixtures known everywhere.

PostgreSQL is asked for at LOTROOM_TEST_POSTGRES (an administrator's address without a database; default: 127.0.0.1 as postgres). Each
run makes one database, brings it to the last revision, and copies it for each test.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from server.storage.store import Store
from server.storage.versions import migrate

POSTGRES = os.environ.get("LOTROOM_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
ENGINES = tuple(os.environ.get("LOTROOM_TEST_ENGINES", "sqlite postgresql").split())


@dataclass(frozen=True)
class Database:
    """One database, at the last revision, under three roles; on SQLite the three are one."""

    engine: str
    owner: str
    web: str
    keeper: str
    plain: str  # a path, or an administrator's address for asyncpg

    def as_administrator(self) -> sqlite3.Connection:
        """SQLite only: whoever has the file."""
        return sqlite3.connect(self.plain, isolation_level=None)


def _as(role: str, name: str) -> str:
    return f"postgresql+asyncpg://{role}@{POSTGRES.rpartition('@')[2].rstrip('/')}/{name}"


async def _admin(sql: str, database: str = "postgres") -> None:
    connection = await asyncpg.connect(f"{POSTGRES}/{database}", timeout=10)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An empty database per engine, made once."""
    made: dict[str, str] = {}
    if "sqlite" in ENGINES:
        made["sqlite"] = str(tmp_path_factory.mktemp("template") / "lotroom.db")
        asyncio.run(migrate(f"sqlite+aiosqlite:///{made['sqlite']}"))
    if "postgresql" in ENGINES:
        made["postgresql"] = f"lotroom_{uuid4().hex[:12]}"
        asyncio.run(_admin(f"CREATE DATABASE {made['postgresql']}"))
        asyncio.run(migrate(_as("postgres", made["postgresql"])))
    yield made
    if "postgresql" in ENGINES:
        asyncio.run(_admin(f"DROP DATABASE {made['postgresql']} WITH (FORCE)"))


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, templates: dict[str, str], tmp_path: Path) -> AsyncIterator[Database]:
    """A database of the test's own."""
    if request.param == "sqlite":
        path = tmp_path / "lotroom.db"
        shutil.copy(templates["sqlite"], path)
        url = f"sqlite+aiosqlite:///{path}"
        yield Database("sqlite", url, url, url, str(path))
        return
    name = f"lotroom_{uuid4().hex[:12]}"
    await _admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}")
    yield Database("postgresql", _as("postgres", name), _as("lotroom_web", name), _as("lotroom_keeper", name), f"{POSTGRES}/{name}")
    await _admin(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """The Store as the web process has it."""
    opened = await Store.open(database.web)
    yield opened
    await opened.close()


@pytest.fixture
async def keeper_store(database: Database) -> AsyncIterator[Store]:
    """The Store as the keeper has it."""
    opened = await Store.open(database.keeper)
    yield opened
    await opened.close()
