"""One transaction, through which everything is read and written.

No leaf, no action: the only way to change a state row also writes its leaf, in the same transaction. A leaf has digests, never values:
TH("lotroom/v1/row", salt, canonical JSON of the row) with a fresh salt for each version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Column, Executable, Select, Table, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing import map as sparse
from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from drawing.merkle import leaf_hash
from drawing.proof import map_value
from server.errors import Stale
from server.storage import tables
from server.storage.frontier import Frontier
from server.storage.frozen import Frozen
from server.storage.leaves import Changed, stream_of
from server.storage.tables import Kind, kind_of

Row = Mapping[str, Any]
Chance = Callable[[int], bytes]
MAX_LEAF = 65_535
MAX_TOPICS = 7_900  # PostgreSQL refuses a NOTIFY of 8,000 bytes
_WORD = re.compile(r"[a-z0-9_.:/-]{1,96}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "": lambda column, value: column.is_(None) if value is None else column == value,
    "!=": lambda column, value: column.is_not(None) if value is None else column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, value: column.in_(list(value)),
}


@cache
def column_names(table: Table) -> tuple[str, ...]:
    """A table's columns; plain strings, which SQLAlchemy's own are not."""
    return tuple("".join(column.name) for column in table.columns)


def row_digest(table: Table, row: Row) -> bytes:
    """What a leaf says of a row: a missing value is left out, bytes are hex, the salt goes in as itself. Raises Refused for bad characters."""
    value = {
        name: row[name].hex() if type(row[name]) is bytes else row[name]
        for name in column_names(table)
        if name != "salt" and row[name] is not None
    }
    return TH("lotroom/v1/row", row["salt"], dumps(value, text=True, place=table.name))


class Gone(Exception):
    """The server went away in the middle of a statement."""


# A transaction ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands: `size` leaves under `root`; `origin` is the log's name, '' before the first; `frozen`: why it must not grow."""

    size: int
    root: bytes
    origin: str
    frozen: Frozen | None = None


@dataclass
class Tx:
    """One transaction. Reading has one snapshot; writing is alone, and all of it happens or none.

    Tables are given by name. Conditions are columns with values: {"person": id, "due_at <=": now, "state in": [...], "done_at": None}.
    """

    connection: AsyncConnection
    now: int
    writes: bool
    chance: Chance
    wrote: bool = False
    for_epoch: bool = False  # may append to a frozen log
    _frontier: Frontier | None = None
    _base: int = 0
    _leaves: list[tuple[bytes, bytes]] = field(default_factory=list)
    _events: list[dict[str, Any]] = field(default_factory=list)
    _topics: set[str] = field(default_factory=set)

    # Reading --------------------------------------------------------------------------------------------------------------------------------

    async def one(self, table: str, where: Mapping[str, Any] | None = None, **equal: Any) -> Row | None:
        """The one row, or None. More than one is our own mistake."""
        found = await self.all(table, where, limit=2, **equal)
        assert len(found) < 2, table
        return found[0] if found else None

    async def get(self, table: str, row: str) -> Row:
        """The row with this id. Raises Refused where there is none."""
        found = await self.one(table, id=row)
        if found is None:
            raise Refused("no_such_row", table)
        return found

    async def all(
        self,
        table: str,
        where: Mapping[str, Any] | None = None,
        *,
        order: Sequence[str] = (),
        limit: int = 10_000,
        skip: int = 0,
        **equal: Any,
    ) -> list[Row]:
        """The rows that meet all conditions, at most `limit`; `order` names columns, "-" before one turns it round."""
        chosen = _table(table)
        query = select(chosen).where(*_conditions(chosen, where, equal)).limit(limit).offset(skip)
        for name in order:
            column = chosen.c[name.removeprefix("-")]
            query = query.order_by(column.desc() if name.startswith("-") else column)
        return await self.rows(query)

    async def count(self, table: str, where: Mapping[str, Any] | None = None, **equal: Any) -> int:
        """How many rows meet all conditions."""
        chosen = _table(table)
        found = await self._execute(select(func.count()).select_from(chosen).where(*_conditions(chosen, where, equal)))
        return int(found.scalar_one())

    async def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of a query of storage's own (views); `values` of its parameters."""
        return [dict(each) for each in (await self._execute(query, values)).mappings()]

    async def head(self) -> Head:
        """Where the log stands, this transaction's own leaves included."""
        await self._flush()
        found = (await self._execute(select(tables.log_head))).mappings().one()
        frontier = self._frontier or Frontier.of(found["size"], found["frontier"])
        return Head(frontier.size, frontier.root, found["origin"], Frozen.read(found["frozen"]))

    async def length(self, stream: str) -> int:
        """How many events a stream has."""
        last = (await self._execute(select(func.max(tables.event.c.seq)).where(tables.event.c.stream == stream))).scalar_one()
        stored: int = 0 if last is None else last + 1
        return stored + len([each for each in self._events if each["stream"] == stream])

    async def events(self, stream: str, start: int = 0) -> list[bytes]:
        """The leaves of a stream, in order."""
        await self._flush()
        query = (
            select(tables.log_leaf.c.leaf)
            .join_from(tables.event, tables.log_leaf, tables.event.c.leaf_index == tables.log_leaf.c.leaf_index)
            .where(tables.event.c.stream == stream, tables.event.c.seq >= start)
            .order_by(tables.event.c.seq)
        )
        return [bytes(each) for each in (await self._execute(query)).scalars()]

    async def map_root(self) -> bytes:
        """The root of the map of attempts after all events so far (docs/spec/log.md 4)."""
        rows = (await self._execute(select(tables.map_head))).mappings()
        return sparse.root({row["project"]: map_value(row["attempts"], row["head"]) for row in rows})

    # State rows -------------------------------------------------------------------------------------------------------------------------------

    async def insert(self, table: str, values: Mapping[str, Any], by: str, why: str = "") -> str:
        """A new row, and its leaf. Returns its id, which is `values["id"]` where it is given. `by` is a person's id or the name of a process.

        Raises Refused for a value that no row may hold, and at the end where a constraint of the database is broken.
        """
        return (await self.insert_all(table, [values], by, why))[0]

    async def insert_all(self, table: str, rows: Sequence[Mapping[str, Any]], by: str, why: str = "") -> list[str]:
        """Many new rows of one table, one leaf each."""
        chosen = _table(table, Kind.STATE)
        new = [self._new_row(chosen, values) for values in rows]
        for row in new:
            await self._change_leaf(chosen, None, row, by, why)
        if new:
            await self._execute(insert(chosen), new)
        return [row["id"] for row in new]

    async def change(self, table: str, row: str, values: Mapping[str, Any], by: str, expected_version: int, why: str = "") -> int:
        """Other values for some columns of a row, and the leaf. Returns the new version.

        Raises Refused where there is no such row; Stale where its version is not the one that the caller saw.
        """
        chosen = _table(table, Kind.STATE)
        old = await self._seen(chosen, row, expected_version)
        assert not {"id", "version", "salt"} & set(values), table
        new = _checked(chosen, {**old, **values, "version": old["version"] + 1, "salt": self.chance(32)})
        await self._change_leaf(chosen, old, new, by, why)
        changed = {name: new[name] for name in (*values, "version", "salt")}
        done = await self._execute(update(chosen).where(chosen.c.id == row, chosen.c.version == expected_version).values(changed))
        assert done.rowcount == 1, table
        return int(new["version"])

    async def delete(self, table: str, row: str, by: str, expected_version: int, why: str = "") -> None:
        """The row is gone; the leaf says so. Raises Refused and Stale as `change` does."""
        chosen = _table(table, Kind.STATE)
        old = await self._seen(chosen, row, expected_version)
        await self._change_leaf(chosen, old, None, by, why)
        done = await self._execute(delete(chosen).where(chosen.c.id == row))
        assert done.rowcount == 1, table

    async def _seen(self, table: Table, row: str, expected_version: int) -> Row:
        old = await self.get(table.name, row)
        if old["version"] != expected_version:
            raise Stale(place=table.name, version=old["version"])
        return old

    def _new_row(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        empty = dict.fromkeys(column_names(table))
        row = _checked(table, {**empty, "id": self.new_id(), **values, "version": 1, "salt": self.chance(32)})
        assert _ID.fullmatch(row["id"]), table.name
        return row

    def new_id(self) -> str:
        """An id that nobody can guess."""
        return self.chance(16).hex()

    async def _change_leaf(self, table: Table, old: Row | None, new: Row | None, by: str, why: str) -> None:
        some = new or old
        assert some is not None
        before = row_digest(table, old) if old else None
        after = row_digest(table, new) if new else None
        changed = Changed("".join(table.name), some["id"], some["version"], before, after, by, why, self.now)
        await self._append([changed.leaf])

    # Transient tables ---------------------------------------------------------------------------------------------------------------------------

    async def put(self, table: str, values: Mapping[str, Any]) -> None:
        """A new row of a table that is not in the log."""
        chosen = _table(table, Kind.TRANSIENT, Kind.KEEPER)
        empty = dict.fromkeys(column_names(chosen))
        await self._execute(insert(chosen).values(_checked(chosen, {**empty, **values})))

    async def put_all(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Many new rows of one table that is not in the log."""
        chosen = _table(table, Kind.TRANSIENT, Kind.KEEPER)
        empty = dict.fromkeys(column_names(chosen))
        if rows:
            await self._execute(insert(chosen), [_checked(chosen, {**empty, **each}) for each in rows])

    async def set(self, table: str, values: Mapping[str, Any], where: Mapping[str, Any] | None = None, **equal: Any) -> int:
        """Other values for all rows that meet the conditions; how many there were. With the old value as a condition: compare and set."""
        chosen = _table(table, Kind.TRANSIENT, Kind.KEEPER)
        conditions = _conditions(chosen, where, equal)
        assert conditions, table
        return int((await self._execute(update(chosen).where(*conditions).values(dict(values)))).rowcount)

    async def remove(self, table: str, where: Mapping[str, Any] | None = None, **equal: Any) -> int:
        """Rows that meet the conditions are gone; how many there were."""
        chosen = _table(table, Kind.TRANSIENT, Kind.KEEPER)
        conditions = _conditions(chosen, where, equal)
        assert conditions, table
        return int((await self._execute(delete(chosen).where(*conditions))).rowcount)

    # The log --------------------------------------------------------------------------------------------------------------------------------------

    async def append(self, stream: str, expected_length: int, leaves: Sequence[bytes]) -> int:
        """Events of one stream, after exactly `expected_length` others. Returns the log index of the first.

        A leaf names its stream itself (server.storage.leaves), so that the log alone tells which events a stream has. Raises Stale where
        the stream has another length; Refused where a leaf is of another stream, empty or too long.
        """
        length = await self.length(stream)
        if length != expected_length:
            raise Stale(place=stream, length=length)
        values = [loads(leaf, place=stream, text=True) for leaf in leaves]
        if any(stream_of(value) != stream for value in values):
            raise Refused("leaf_of_another_stream", stream)
        first = await self._append(leaves)
        for number, (leaf, value) in enumerate(zip(leaves, values, strict=True)):
            self._events.append({"stream": stream, "seq": expected_length + number, "leaf_index": first + number})
            if stream.startswith("draw:"):
                await self._map(bytes.fromhex(value["project"]), value["attempt"], leaf_hash(leaf), first + number)
        self.wake(stream)
        return first

    async def leaf(self, leaf: bytes) -> int:
        """One leaf that is neither an event of a stream nor a change of a row: a map root, a notice. Returns its index. Raises Refused."""
        value = loads(leaf, place="leaf", text=True)
        if stream_of(value) is not None or not isinstance(value, dict) or value.get("event") == Changed.EVENT:
            raise Refused("leaf_of_another_stream", "leaf")
        return await self._append([leaf])

    async def checkpoint(self, origin: str, size: int, root: bytes, note: bytes) -> None:
        """Keep a signed checkpoint of the log. A size that has one keeps it: there is one per size. Raises Refused for a frozen log."""
        self._check_thawed((await self._execute(select(tables.log_head.c.frozen))).scalar_one())
        if await self.count("checkpoint", origin=origin, size=size) == 0:
            number = await self._counted(tables.log_head.c.checkpoints)
            await self._execute(insert(tables.checkpoint).values(origin=origin, size=size, number=number, root=root, note=note))
            await self.put("checkpoint_time", {"origin": origin, "size": size, "at": self.now})
            self.wake("checkpoint")

    async def witnessed(self, origin: str, size: int, witness: str, line: bytes) -> None:
        """Keep a witness's cosignature line of a checkpoint; the first of each witness and size stays."""
        if await self.count("witness_note", origin=origin, size=size, witness=witness) == 0:
            number = await self._counted(tables.log_head.c.cosignatures)
            await self._execute(insert(tables.witness_note).values(origin=origin, size=size, witness=witness, number=number, line=line))
            self.wake("checkpoint")

    async def _counted(self, column: Column[int]) -> int:
        """The number of the next row, which log_head counts."""
        number = int((await self._execute(select(column))).scalar_one())
        await self._execute(update(tables.log_head).values({column: number + 1}))
        return number

    async def begin_log(self, origin: str, by: str, why: str = "") -> None:
        """Give the log its name, or a new one: a new epoch for witnesses that saw a longer log under the old name. One leaf says so.

        A frozen log grows again from here on.
        """
        assert _WORD.fullmatch(by), by
        assert not why or _WORD.fullmatch(why), why
        before = await self.head()
        leaf = {"at": self.now, "before": before.origin, "by": by, "event": "log_begun", "origin": origin, "size": before.size, "why": why}
        await self._append([dumps(leaf)])
        await self._execute(update(tables.log_head).values(origin=origin, frozen=None))

    async def freeze(self, frozen: Frozen | None) -> None:
        """From the end of this transaction on nothing is appended to the log; with None, it grows again."""
        await self._execute(update(tables.log_head).values(frozen=frozen.text if frozen else None))
        self.wake("log_head")

    def _check_thawed(self, frozen: str | None) -> None:
        found = Frozen.read(frozen)
        if found is not None and not self.for_epoch:
            raise found.refusal

    async def _append(self, leaves: Sequence[bytes]) -> int:
        assert self.writes, "a reading transaction"
        if any(not 0 < len(leaf) <= MAX_LEAF for leaf in leaves):
            raise Refused("bad_entry", "log", most=MAX_LEAF)
        if self._frontier is None:
            found = (await self._execute(select(tables.log_head))).mappings().one()
            self._check_thawed(found["frozen"])
            self._frontier = Frontier.of(found["size"], found["frontier"])
            self._base = found["size"]
        first = self._base + len(self._leaves)
        self._leaves += [(leaf, leaf_hash(leaf)) for leaf in leaves]
        self._topics.add("log")
        return first

    async def _map(self, project: bytes, attempts: int, head: bytes, leaf_index: int) -> None:
        chosen = tables.map_head
        values = {"attempts": attempts, "head": head, "leaf_index": leaf_index}
        done = await self._execute(update(chosen).where(chosen.c.project == project).values(values))
        if not done.rowcount:
            await self._execute(insert(chosen).values(project=project, **values))

    async def _flush(self) -> None:
        """Write the leaves that wait: many at once, in the order of their index."""
        if not self._leaves or self._frontier is None:
            return
        rows = [
            {"leaf_index": index, "leaf": leaf, "leaf_hash": hashed}
            for index, (leaf, hashed) in enumerate(self._leaves, self._frontier.size)
        ]
        self._frontier, nodes = self._frontier.append([hashed for _, hashed in self._leaves])
        await self._execute(insert(tables.log_leaf), rows)
        if nodes:
            await self._execute(
                insert(tables.log_node), [{"level": each.level, "position": each.position, "node_hash": each.node_hash} for each in nodes]
            )
        if self._events:
            await self._execute(insert(tables.event), self._events)
        await self._execute(update(tables.log_head).values(size=self._frontier.size, frontier=self._frontier.data))
        self._base, self._leaves, self._events = self._frontier.size, [], []

    # Jobs, repeated requests, waking ------------------------------------------------------------------------------------------------------------------

    async def outbox(self, kind: str, key: str, due_at: int, payload: bytes) -> str:
        """A job for later, once per kind and key: the same again is the same job. Returns its id."""
        found = await self.one("outbox", kind=kind, job_key=key)
        if found is not None:
            return str(found["id"])
        job = self.new_id()
        row = {"id": job, "kind": kind, "job_key": key, "payload": payload, "created_at": self.now, "due_at": due_at}
        await self.put("outbox", {**row, "attempts": 0, "lease_until": 0})
        self.wake("outbox")
        return job

    async def effect(self, job: str, name: str) -> bool:
        """Whether an effect of a job is still to be had; from now on it is not."""
        if await self.count("effect", job=job, effect=name):
            return False
        await self.put("effect", {"job": job, "effect": name, "at": self.now})
        return True

    def wake(self, *topics: str) -> None:
        """Tell waiting processes after the commit. Topics are ids and names of tables or streams, never values."""
        self._topics.update(topics)

    async def _execute(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None) -> Any:
        assert self.writes or isinstance(statement, Select), "a reading transaction"
        self.wrote = self.wrote or not isinstance(statement, Select)
        try:
            return await self.connection.execute(statement, rows)
        except OSError as wrong:  # asyncpg lets it through where the server is gone
            raise Gone from wrong

    async def finish(self, dialect: str) -> None:
        """All that is left to do before the commit."""
        await self._flush()
        if dialect == "postgresql" and self._topics:
            payload = " ".join(sorted(self._topics))
            await self.connection.execute(
                text("SELECT pg_notify('lotroom', :payload)"), {"payload": payload if len(payload) < MAX_TOPICS else ""}
            )


def _table(name: str, *kinds: Kind) -> Table:
    table = tables.metadata.tables[name]
    assert not kinds or kind_of(table) in kinds, f"{name} is not written this way"
    return table


def _conditions(table: Table, where: Mapping[str, Any] | None, equal: Mapping[str, Any]) -> list[Any]:
    out = []
    for key, value in {**(where or {}), **equal}.items():
        name, _, operator = key.partition(" ")
        out.append(_OPERATORS[operator](table.c[name], value))
    return out


def _checked(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row, where each value is of its column's one type."""
    for name, value in row.items():
        column = table.c[name]
        kind = column.type.python_type
        assert (value is None and column.nullable) or type(value) is kind, (
            f"{table.name}.{name} is {type(value).__name__}, not {kind.__name__}"
        )
    return row
