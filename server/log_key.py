"""Writes down under which key the log's checkpoints are signed: setting `log_vkey`, itself a leaf of the log, so that `lotroom check` knows it.

The key is made by the keeper when it is first unsealed, on whatever machine and day that is; the first web process that finds it unsealed asks
for its public part. Whoever does not believe the database compares with a copy from elsewhere: `lotroom check --key`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from drawing.canonical import dumps
from drawing.errors import Refused
from server.errors import Failure
from server.keeper.client import Keeper
from server.logs import LOG
from server.storage.store import Store
from server.storage.tx import Tx

SCOPE, NAME = "service", "log_vkey"
WAIT_SECONDS = 1.0  # while the keeper is away or sealed


async def record_log_key(store: Store, keeper: Keeper, now: Callable[[], int]) -> None:
    """Until it is written, once for an installation. A key that is written already is not touched: another one would be another log."""
    while True:
        try:
            found = await recorded(store)
            value = dumps((await keeper.key_status()).log, text=True).decode()
            if found:
                if found != value:
                    LOG.error("log_key_differs")
                return
            await store.write(partial(_insert, value), now())
        except (Refused, Failure) as wrong:  # sealed, away, or another process was first: look again
            if wrong.code not in ("service_sealed", "keeper_missing", "row_conflicts", "not_ready"):
                LOG.warning("log_key_not_recorded", code=wrong.code)
        await asyncio.sleep(WAIT_SECONDS)


async def recorded(store: Store) -> str:
    """The setting as it is stored, JSON; nothing where there is none yet."""
    async with store.reading() as tx:
        row = await tx.one("setting", scope=SCOPE, name=NAME)
    return str(row["value"]) if row else ""


async def _insert(value: str, tx: Tx) -> None:
    await tx.insert("setting", {"scope": SCOPE, "name": NAME, "value": value, "changed_at": tx.now}, "console", "log_key")
