"""The keeper's rows over the Store: what server.keeper asks of whatever keeps them, by key and version.

kind        key                     in                  in the log
annex       table, row, column      annex               each change one leaf, with digests of the envelope
blind       table, row, column      blind_index         no
state       name                    keeper_state        no
credential  credential id           keeper_credential   no
key         key id                  wrapped_key         no: rewrapping and destroying leave nothing behind
checkpoint  size                    checkpoint          no: it speaks of the log
leaf        (none)                  log_leaf            it is one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_

from drawing.canonical import TH
from drawing.note import Checkpoint, Note
from server.errors import Stale
from server.storage import tables
from server.storage.log import Log
from server.storage.store import Store
from server.storage.tx import Tx

Key = tuple[str, ...]
NEW = 0  # the expected version of a row that must not be there
MOST_FOUND = 1_000
_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "annex": ("annex", ("table_name", "row_id", "column_name")),
    "blind": ("blind_index", ("table_name", "row_id", "column_name")),
    "state": ("keeper_state", ("name",)),
    "credential": ("keeper_credential", ("id",)),
    "key": ("wrapped_key", ("id",)),
}


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One row. `version` counts its changes from 1."""

    key: Key
    value: bytes
    version: int


def annex_id(key: Key) -> str:
    """The row id of a sealed column: it follows from where the column belongs, so that one place has one row."""
    return TH("lotroom/v1/annex", *(part.encode() for part in key))[:16].hex()


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows of the keeper. Every method raises NotReady where the database does not answer."""

    store: Store
    by: str = "keeper"

    async def read(self, kind: str, keys: Sequence[Key]) -> list[KeptRow | None]:
        """These rows, in order."""
        async with self.store.reading() as tx:
            return [await _one(tx, kind, key) for key in keys]

    async def scan(self, kind: str, prefix: Key, after: Key, limit: int) -> list[KeptRow]:
        """Rows whose key begins with `prefix`, in the order of keys, those behind `after` (a whole key or ())."""
        name, columns = _KINDS[kind]
        table = tables.metadata.tables[name]
        places = [table.c[column] for column in columns]
        query = select(*places, table.c.value, table.c.version).order_by(*places).limit(limit)
        for place, part in zip(places, prefix, strict=False):
            query = query.where(place == part)
        if after:
            query = query.where(tuple_(*places) > tuple_(*after))
        async with self.store.reading() as tx:
            rows = await tx.rows(query)
        return [KeptRow(tuple(row[column] for column in columns), row["value"], row["version"]) for row in rows]

    async def find(self, table: str, column: str, values: Sequence[bytes]) -> list[str]:
        """The rows whose blind index is one of these."""
        where = {"table_name": table, "column_name": column, "value in": values}
        async with self.store.reading() as tx:
            return [row["row_id"] for row in await tx.all("blind_index", where, order=["row_id"], limit=MOST_FOUND)]

    async def write(self, changes: Sequence[Any], now: int) -> None:
        """All changes (kind, key, value or None, expected version or None), durable when this returns, or none. Raises Stale."""

        async def work(tx: Tx) -> None:
            for change in changes:
                await self._apply(tx, change.kind, change.key, change.value, change.expected)

        await self.store.write(work, now)

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """The log's leaves from `start` up to before `end`, fewer where the log is shorter."""
        async with self.store.reading() as tx:
            return await Log(tx).entries(start, end)

    async def head(self) -> tuple[int, bytes, str]:
        """How many leaves the log has, their root, and the log's name."""
        async with self.store.reading() as tx:
            found = await tx.head()
            return found.size, found.root, found.origin

    async def _apply(self, tx: Tx, kind: str, key: Key, value: bytes | None, expected: int | None) -> None:
        if kind == "leaf":
            assert value is not None
            await tx.leaf(value)
            return
        if kind == "checkpoint":
            assert value is not None
            signed = Checkpoint.parse(Note.parse(value, kind).text, kind)
            await tx.checkpoint(signed.origin, signed.size, signed.root, value)
            return
        there = await _one(tx, kind, key)
        version = NEW if there is None else there.version
        if expected is not None and expected != version:
            raise Stale(place=kind, version=version)
        name, columns = _KINDS[kind]
        place = dict(zip(columns, key, strict=True))
        match (kind, value, there):
            case (_, None, None):
                pass
            case ("annex", None, _):
                await tx.delete(name, annex_id(key), self.by, version)
            case ("annex", bytes(), None):
                await tx.insert(name, {**place, "id": annex_id(key), "value": value}, self.by)
            case ("annex", _, _):
                await tx.change(name, annex_id(key), {"value": value}, self.by, version)
            case (_, None, _):
                await tx.remove(name, place)
            case (_, _, None):
                await tx.put(name, {**place, "value": value, "version": 1})
            case _:
                await tx.set(name, {"value": value, "version": version + 1}, place)


async def _one(tx: Tx, kind: str, key: Key) -> KeptRow | None:
    name, columns = _KINDS[kind]
    found = await tx.one(name, dict(zip(columns, key, strict=True)))
    return None if found is None else KeptRow(key, found["value"], found["version"])
