"""The keeper's rows in the service's database: `KeeperStore` over `storage.annex`, under the keeper's own role on PostgreSQL.

What the keeper does and what the log says of it are one transaction of one database; its checkpoints lie beside the log that they speak of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from drawing.errors import Refused
from server.errors import NotReady, Stale
from server.keeper.store import Change, Key, Row
from server.storage.annex import KeptRow, KeptRows
from server.storage.frozen import Frozen
from server.storage.store import Store
from server.storage.tx import Head


@contextmanager
def _as_refusals() -> Iterator[None]:
    """The two failures that the keeper's callers know by name."""
    try:
        yield
    except Stale as lost:
        raise Refused("stale", str(lost.params.get("place", ""))) from None
    except NotReady as away:
        raise Refused("store_unavailable", str(away.params.get("why", "database"))) from None


class DatabaseStore:
    """See `KeeperStore`."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._rows = KeptRows(store)
        self._clock = clock

    @classmethod
    async def open(cls, url: str, clock: Callable[[], int]) -> Self:
        """Raises Refused where the database is away or its tables are not this program's."""
        with _as_refusals():
            return cls(await Store.open(url), clock)

    async def close(self) -> None:
        await self._store.close()

    async def read(self, kind: str, keys: Sequence[Key]) -> list[Row | None]:
        with _as_refusals():
            return [None if each is None else _row(each) for each in await self._rows.read(kind, keys)]

    async def scan(self, kind: str, prefix: Key, after: Key, limit: int) -> list[Row]:
        with _as_refusals():
            return [_row(each) for each in await self._rows.scan(kind, prefix, after, limit)]

    async def find(self, table: str, column: str, values: Sequence[bytes]) -> list[str]:
        with _as_refusals():
            return await self._rows.find(table, column, values)

    async def write(self, changes: Sequence[Change]) -> None:
        with _as_refusals():
            await self._rows.write(changes, self._clock())

    async def leaves(self, start: int, end: int) -> list[bytes]:
        with _as_refusals():
            return await self._rows.leaves(start, end)

    async def events(self, project: bytes) -> list[bytes]:
        with _as_refusals():
            return await self._rows.events(f"draw:{project.hex()}")

    async def head(self) -> Head:
        """Where the log stands."""
        with _as_refusals():
            return await self._rows.head()

    async def frozen(self) -> Frozen | None:
        return (await self.head()).frozen


def _row(kept: KeptRow) -> Row:
    return Row(kept.key, kept.value, kept.version)
