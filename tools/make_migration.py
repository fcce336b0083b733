"""Write the migration from the last revision to what server/storage/tables.py says now: python tools/make_migration.py NUMBER "sentence".

Read it before it is committed: triggers, grants and rows are not found by comparing tables.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile

from alembic import command
from sqlalchemy import Connection, text

from server.storage.engines import parse_url, sqlite_engine
from server.storage.versions import HERE, config, migrate


async def main(number: str, message: str) -> None:
    """On an empty SQLite database brought to the last revision."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/empty.db"
        if any((HERE / "versions").glob("*.py")):
            await migrate(url)
        engine = sqlite_engine(parse_url(url), "BEGIN IMMEDIATE", 1)
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.run_sync(write, number, message)
        await engine.dispose()


def write(connection: Connection, number: str, message: str) -> None:
    """The file."""
    command.revision(config(connection), message, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(HERE / "versions")], check=True)
