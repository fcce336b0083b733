"""The keeper's rows over the Store: what server.keeper asks of whatever keeps them, by key and version.

kind        key                     in                  in the log
annex       table, row, column      annex               each change one leaf, with digests of the envelope
blind       table, row, column      blind_index         no
state       name                    keeper_state        no
credential  credential id           keeper_credential   no
key         key id                  wrapped_key         no: rewrapping and destroying leave nothing behind
checkpoint  size                    checkpoint          no: it speaks of the log
leaf        (none)                  log_leaf            it is one
epoch_leaf  (none)                  log_leaf            one that a frozen log takes too: an approval of a new epoch
epoch       the log's new name      log_head            two leaves: the value and what `begin_log` says
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, tuple_

from drawing.canonical import TH
from drawing.note import Checkpoint, Note
from server.errors import Stale
from server.storage import tables
from server.storage.frozen import BEHIND
from server.storage.log import Log
from server.storage.store import Store
from server.storage.tx import Head, Tx

Key = tuple[str, ...]
NEW = 0  # the expected version of a row that must not be there
MOST_FOUND = 1_000
_AT_ONCE = 500  # keys of one statement
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
            there = await _there(tx, kind, keys)
        return [there.get(key) for key in keys]

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
        """All changes (kind, key, value or None, expected version or None), durable when this returns, or none. Raises Stale, Refused."""

        async def work(tx: Tx) -> None:
            for run in _runs(changes):
                await _Run(tx, self.by, await _known(tx, run)).apply(run)

        await self.store.write(work, now, for_epoch=any(change.kind in ("epoch", "epoch_leaf") for change in changes))

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """The log's leaves from `start` up to before `end`, fewer where the log is shorter."""
        async with self.store.reading() as tx:
            return await Log(tx).entries(start, end)

    async def events(self, stream: str) -> list[bytes]:
        """The leaves of a stream, in order."""
        async with self.store.reading() as tx:
            return await tx.events(stream)

    async def head(self) -> Head:
        """Where the log stands."""
        async with self.store.reading() as tx:
            return await tx.head()


@dataclass
class _Run:
    """Changes of different rows in one transaction. New rows wait and are written together: an import is thousands of them, and a statement
    for each would take minutes. Leaves stay in the order of the changes.
    """

    tx: Tx
    by: str
    known: Mapping[tuple[str, Key], KeptRow]
    fresh: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def apply(self, changes: Sequence[Any]) -> None:
        for change in changes:
            await self._one(change.kind, change.key, change.value, change.expected)
        await self._flush()

    async def _flush(self) -> None:
        for name, rows in self.fresh.items():
            await (self.tx.insert_all(name, rows, self.by) if name == "annex" else self.tx.put_all(name, rows))
        self.fresh.clear()

    async def _one(self, kind: str, key: Key, value: bytes | None, expected: int | None) -> None:
        tx = self.tx
        if kind in ("leaf", "epoch_leaf", "epoch"):
            assert value is not None
            await self._flush()
            await tx.leaf(value)
            if kind == "epoch":
                await tx.begin_log(key[0], self.by, BEHIND)
            return
        if kind == "checkpoint":
            assert value is not None
            signed = Checkpoint.parse(Note.parse(value, kind).text, kind)
            await tx.checkpoint(signed.origin, signed.size, signed.root, value)
            return
        there = self.known.get((kind, key))
        version = NEW if there is None else there.version
        if expected is not None and expected != version:
            raise Stale(place=kind, version=version)
        name, columns = _KINDS[kind]
        place = dict(zip(columns, key, strict=True))
        match (kind, value, there):
            case (_, None, None):
                pass
            case ("annex", None, _):
                await self._flush()
                await tx.delete(name, annex_id(key), self.by, version)
            case ("annex", bytes(), None):
                self.fresh.setdefault(name, []).append({**place, "id": annex_id(key), "value": value})
            case ("annex", _, _):
                await self._flush()
                await tx.change(name, annex_id(key), {"value": value}, self.by, version)
            case (_, None, _):
                await tx.remove(name, place)
            case (_, _, None):
                self.fresh.setdefault(name, []).append({**place, "value": value, "version": 1})
            case _:
                await tx.set(name, {"value": value, "version": version + 1}, place)


def _runs(changes: Sequence[Any]) -> list[list[Any]]:
    """The changes in order, cut where a row comes again."""
    runs: list[list[Any]] = [[]]
    seen: set[tuple[str, Key]] = set()
    for each in changes:
        if each.kind in _KINDS and (each.kind, each.key) in seen:
            runs.append([])
            seen.clear()
        runs[-1].append(each)
        seen.add((each.kind, each.key))
    return runs


async def _known(tx: Tx, changes: Sequence[Any]) -> dict[tuple[str, Key], KeptRow]:
    keys: dict[str, list[Key]] = {}
    for each in changes:
        if each.kind in _KINDS:
            keys.setdefault(each.kind, []).append(each.key)
    return {(kind, key): row for kind, wanted in keys.items() for key, row in (await _there(tx, kind, wanted)).items()}


async def _there(tx: Tx, kind: str, keys: Sequence[Key]) -> dict[Key, KeptRow]:
    """Those of these rows that are there."""
    name, columns = _KINDS[kind]
    groups: list[dict[str, Any]] = []
    if kind == "annex":
        groups = [{"id in": [annex_id(key) for key in some]} for some in _cut(keys)]
    elif len(columns) == 1:
        groups = [{f"{columns[0]} in": [key[0] for key in some]} for some in _cut(keys)]
    else:  # a table's name, a row, a column's name: few of the first and the last
        for table, column in sorted({(key[0], key[2]) for key in keys}):
            mine = [key for key in keys if (key[0], key[2]) == (table, column)]
            groups += [{columns[0]: table, columns[2]: column, f"{columns[1]} in": [key[1] for key in some]} for some in _cut(mine)]
    found = {}
    for where in groups:
        for row in await tx.all(name, where):
            key = tuple(row[column] for column in columns)
            found[key] = KeptRow(key, row["value"], row["version"])
    return found


def _cut(keys: Sequence[Key]) -> list[Sequence[Key]]:
    return [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
