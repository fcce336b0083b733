"""The unsealed keeper's memory and its sealed rows: named states, credentials, data keys. Every row opens at its own place only.

A row that somebody writes into the database by hand does not open; one that is copied from another place does not open; one that was
the keeper's own some time ago is not what it remembers (`anchor`). A state is a frozen
value with a shape; changing one is a compare-and-set of its version. Data keys are named by their object, made when first needed, kept in
memory while unsealed.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.model import shape_of
from server.keeper import anchor, keys
from server.keeper.anchor import Anchor
from server.keeper.keys import KEY, Chance, DataKey, Keyring, Place, Secret, object_key_id
from server.keeper.passkeys import Credential
from server.keeper.store import NEW, Change, KeeperStore, Key, Row

T = TypeVar("T")
PASS_SECONDS = 12 * 3600  # security.md 3: a login's absolute end
MAX_CACHED = 20_000
_PAGE = 2_000
FOREVER = 0  # no time before which an object stays shut


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A value and the version that its change must expect."""

    value: T
    version: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Whom the keeper itself saw prove who they are, how, for which login, and when."""

    person: str
    method: str
    login: bytes
    at: int
    until: int


class Vault:
    """Made by unsealing, forgotten by sealing."""

    def __init__(self, ring: Keyring, store: KeeperStore, chance: Chance) -> None:
        self.ring = ring
        self.store = store
        self.chance = chance
        self._data_keys: dict[bytes, DataKey] = {}
        self._anchor: Anchor | None = None
        self._writing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Vault({self.ring})"

    # Reading and writing -------------------------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Reads all rows of the keeper's own and compares them with their sum. Raises Refused("keeper_rows_altered")."""
        async with self._writing:
            await self._load()

    async def _load(self) -> None:
        before, self._anchor = self._anchor, None
        made = Anchor((await self._anchor_key()).key)
        (row,) = await self.store.read("state", [(anchor.NAME,)])
        kept = anchor.EMPTY if row is None else self.read_state(anchor.Sum, row)
        for kind in anchor.KINDS:
            after: Key = ()
            while rows := await self.store.scan(kind, (), after, _PAGE):
                made.add(kind, rows)
                after = rows[-1].key
        made.number = kept.number
        if made.after([]).sum != kept.sum or (before is not None and kept.number < before.number):
            raise Refused("keeper_rows_altered", "keeper")
        self._anchor = made

    async def _anchor_key(self) -> DataKey:
        """Made with the first row of all; it is one of the rows that it counts."""
        key_id = object_key_id("keeper:anchor")
        (row,) = await self.store.read("key", [(key_id.hex(),)])
        if row is not None:
            return self.unwrap(key_id, row.value)
        made = DataKey(key_id, Secret(self.chance(KEY)), "keeper:anchor", FOREVER, 0)
        change = Change("key", (key_id.hex(),), self.wrap(made), NEW)
        total = Anchor(made.key).after([change])
        await self.store.write([change, self.put_state(anchor.NAME, total, NEW)])
        return made

    async def write(self, changes: Sequence[Change]) -> None:
        """All or nothing, with the sum. Raises Refused("stale"), and where the store fell silent in between it looks again before it goes on."""
        async with self._writing:
            if self._anchor is None:
                await self._load()
            held = self._anchor
            assert held is not None
            try:
                await self.store.write([*changes, self.put_state(anchor.NAME, held.after(changes), None)])
            except Refused as wrong:
                if wrong.code != "stale":
                    self._anchor = None  # written or not: nobody knows until the rows are read
                raise
            except BaseException:
                self._anchor = None
                raise
            held.written(changes)

    async def row(self, kind: str, key: Key) -> Row | None:
        """A row of the keeper's own, as it last wrote it. Raises Refused("keeper_rows_altered")."""
        (row,) = await self.store.read(kind, [key])
        if self._anchor is not None and self._anchor.fits(kind, key, row):
            return row
        async with self._writing:  # perhaps it was just being written
            if self._anchor is None:
                await self._load()
            (row,) = await self.store.read(kind, [key])
            assert self._anchor is not None
            if not self._anchor.fits(kind, key, row):
                raise Refused("keeper_rows_altered", f"{kind}/{'/'.join(key)}")
            return row

    async def rows(self, kind: str, keys: Sequence[Key]) -> list[Row | None]:
        """As `row`, of many."""
        found = await self.store.read(kind, keys)
        same = [self._anchor is not None and self._anchor.fits(kind, key, row) for key, row in zip(keys, found, strict=True)]
        return [row if fits else await self.row(kind, key) for key, row, fits in zip(keys, found, same, strict=True)]

    async def scan(self, kind: str, prefix: Key, after: Key, limit: int) -> list[Row]:
        """As the store's, of rows that are as the keeper last wrote them."""
        rows = await self.store.scan(kind, prefix, after, limit)
        return [found for each in rows if (found := await self._same(kind, each)) is not None]

    async def _same(self, kind: str, row: Row) -> Row | None:
        if self._anchor is not None and self._anchor.fits(kind, row.key, row):
            return row
        return await self.row(kind, row.key)

    # Named states ---------------------------------------------------------------------------------------------------------------------

    async def state(self, cls: type[T], name: str, empty: T) -> Kept[T]:
        """A state, or the empty one. Raises Refused where its row does not open."""
        row = await self.row("state", (name,))
        return Kept(empty, NEW) if row is None else Kept(self.read_state(cls, row), row.version)

    async def states_of(self, cls: type[T], names: Sequence[str], empty: T) -> list[Kept[T]]:
        """As `state`, of many at once."""
        rows = await self.rows("state", [(name,) for name in names]) if names else []
        return [Kept(empty, NEW) if row is None else Kept(self.read_state(cls, row), row.version) for row in rows]

    async def states(self, cls: type[T], prefix: str, most: int = 200) -> dict[str, T]:
        """States whose name begins with a prefix, by the rest of the name; at most `most`."""
        rows = await self.scan("state", (), (prefix,), most)
        return {row.key[0].removeprefix(prefix): self.read_state(cls, row) for row in rows if row.key[0].startswith(prefix)}

    def read_state(self, cls: type[T], row: Row) -> T:
        return self._read(cls, Place("keeper_state", row.key[0], "value"), row.value)

    def put_state(self, name: str, value: Any, version: int | None) -> Change:
        """The change that makes a state this value, if it still has that version."""
        return Change("state", (name,), self._write(Place("keeper_state", name, "value"), value), version)

    async def credential(self, key: str) -> Kept[Credential] | None:
        row = await self.row("credential", (key,))
        if row is None:
            return None
        return Kept(self._read(Credential, Place("keeper_credential", key, "value"), row.value), row.version)

    def put_credential(self, value: Credential, version: int) -> Change:
        return Change("credential", (value.key,), self._write(Place("keeper_credential", value.key, "value"), value), version)

    def _read(self, cls: type[T], place: Place, envelope: bytes) -> T:
        return shape_of(cls).read(loads(self.ring.open("state", place, envelope), place=place.table, text=True), place.table)

    def _write(self, place: Place, value: Any) -> bytes:
        return self.ring.seal("state", place, dumps(shape_of(type(value)).write(value), text=True), self.chance)

    # Data keys ------------------------------------------------------------------------------------------------------------------------

    async def data_key(self, key_id: bytes) -> DataKey:
        """Raises Refused("no_such_key") where an object has none, or no longer."""
        if key_id in self._data_keys:
            return self._data_keys[key_id]
        row = await self.row("key", (key_id.hex(),))
        if row is None:
            raise Refused("no_such_key", "")
        return self._keep(self.unwrap(key_id, row.value))

    async def make_data_key(self, name: str, not_before: int = FOREVER, least: int = 0) -> DataKey:
        """The object's key, made where there is none. The first maker says when and with how many it opens; nobody says it again."""
        key_id = object_key_id(name)
        for _ in range(3):
            try:
                return await self.data_key(key_id)
            except Refused as missing:
                if missing.code != "no_such_key":
                    raise
            made = DataKey(key_id, Secret(self.chance(KEY)), name, not_before, least)
            try:
                # If we crash before this returns, nothing was sealed under the key; after it, the key is durable before what it seals.
                await self.write([Change("key", (key_id.hex(),), self.wrap(made), NEW)])
            except Refused as lost:
                if lost.code != "stale":
                    raise
                continue
            return self._keep(made)
        raise Refused("stale", "key")

    def forget(self, key_id: bytes) -> None:
        """Out of memory, before its row is destroyed."""
        self._data_keys.pop(key_id, None)

    def wrap(self, key: DataKey) -> bytes:
        return keys.wrap(self.ring, key, self.chance)

    def unwrap(self, key_id: bytes, envelope: bytes) -> DataKey:
        return keys.unwrap(self.ring, key_id, envelope)

    def _keep(self, key: DataKey) -> DataKey:
        if len(self._data_keys) >= MAX_CACHED:
            self._data_keys.clear()
        self._data_keys[key.id] = key
        return key

    # Passes ---------------------------------------------------------------------------------------------------------------------------

    def make_pass(self, person: str, method: str, login: bytes, now: int) -> str:
        """`person|method|login|at|until|generation|mac`: survives a restart, proves itself, belongs to one login."""
        generation = self.ring.newest
        body = f"{person}|{method}|{login.hex()}|{now}|{now + PASS_SECONDS}|{generation}"
        return f"{body}|{self._mac(body, generation)}"

    def read_pass(self, token: str, login: bytes, now: int) -> Pass:
        """Raises Refused("pass_refused") for one that the keeper did not give, or not for this login, or that ended."""
        parts = token.split("|")
        if len(parts) != 7 or not all(each.isascii() and each.isdecimal() and len(each) < 12 for each in parts[3:6]):
            raise Refused("pass_refused", "pass")
        generation = int(parts[5])
        if generation not in self.ring.generations or not hmac.compare_digest(
            parts[6].encode(), self._mac("|".join(parts[:6]), generation).encode()
        ):
            raise Refused("pass_refused", "pass")
        found = Pass(parts[0], parts[1], bytes.fromhex(parts[2]), int(parts[3]), int(parts[4]))
        if found.login != login or not found.at <= now < found.until:
            raise Refused("pass_refused", "pass")
        return found

    def _mac(self, body: str, generation: int) -> str:
        return hmac.digest(self.ring.purpose("pass", generation).raw, body.encode(), "sha256").hex()
