"""Alembic's entry: within a connection that the caller has open, or over the address in LOTROOM_DATABASE (for `alembic` by hand)."""

from __future__ import annotations

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from server.storage.tables import metadata


def run(connection: Connection) -> None:
    """All steps in the connection's one transaction. SQLite cannot alter most things: its tables are made anew (batch)."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def alone() -> None:
    """Over an engine of our own."""
    engine = create_async_engine(os.environ["LOTROOM_DATABASE"])
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(alone())
