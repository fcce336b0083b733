"""`lotroom check`: replay the log, rebuild everything that follows from it, compare row by row, and name what differs.

The log decides. From its leaves follow: the digest of each state row, the events of each stream and their draws, the map of attempts, the
hashes of whole subtrees, the frontier. A checkpoint is compared with the root at its size, its signatures with the keys. Not covered are
tables that are not in the log: logins, counters, jobs, and the keeper's sealed rows, whose envelopes say themselves where they belong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, Text, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing.canonical import loads
from drawing.draw import Project, apply
from drawing.errors import Refused
from drawing.events import parse_event
from drawing.merkle import leaf_hash
from drawing.note import Checkpoint, Note, Policy, VKey, check_cosignature
from drawing.proof import map_value
from server.storage import schema, tables
from server.storage.attempts import AttemptMap
from server.storage.engines import make_engines
from server.storage.frontier import Frontier
from server.storage.leaves import Changed, stream_of
from server.storage.tables import Kind
from server.storage.tx import column_names, row_digest
from server.storage.versions import check_version

WIDTH = 256
MOST = 10_000  # differences told; a database that is another one altogether has no end of them


_ORDER = {table.name: n for n, table in enumerate((*tables.of_kind(Kind.LOG), *tables.of_kind(Kind.HEAD, Kind.STATE, Kind.PROJECTION)))}


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """Something that is not as the log says: in which table, which row (its key), what (a code with a text), and a detail."""

    table: str
    row: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `skipped` are codes of what could not be checked, for want of a key."""

    size: int
    root: bytes
    rows: int
    differences: tuple[Difference, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What the log says of a state row: the version and digest of its last change; no digest: it is gone."""

    version: int
    digest: bytes | None


@dataclass
class Replay:
    """What follows from the leaves read so far."""

    frontier: Frontier = field(default_factory=Frontier)
    origin: str = ""
    states: dict[tuple[str, str], State] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    events: dict[tuple[str, int], int] = field(default_factory=dict)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    projects: dict[bytes, Project] = field(default_factory=dict)
    heads: dict[bytes, tuple[int, bytes, int]] = field(default_factory=dict)
    attempts: AttemptMap = field(default_factory=AttemptMap)
    sizes: frozenset[int] = frozenset()
    roots: dict[int, bytes] = field(default_factory=dict)

    def read(self, leaf: bytes, hashed: bytes) -> Iterator[str]:
        """One more leaf; yields what is wrong with it."""
        index = self.frontier.size
        self.frontier, done = self.frontier.append([hashed])
        for node in done:
            self.nodes[node.level, node.position] = node.node_hash
        if self.frontier.size in self.sizes:
            self.roots[self.frontier.size] = self.frontier.root
        if leaf_hash(leaf) != hashed:
            yield "changed"
        try:
            value = loads(leaf, place="leaf", text=True)
        except Refused:
            yield "not_a_leaf"
            return
        stream = stream_of(value)
        if stream is not None:
            seq = self.lengths.get(stream, 0)
            self.lengths[stream] = seq + 1
            self.events[stream, seq] = index
            if stream.startswith("draw:"):
                yield from self._drawn(leaf, hashed, index)
        elif not isinstance(value, dict):
            yield "not_a_leaf"
        elif value.get("event") == Changed.EVENT:
            yield from self._changed(value)
        elif value.get("event") == "log_begun":
            self.origin = str(value.get("origin"))
        elif value.get("type") == "mapped" and (value.get("root") != self.attempts.root.hex() or value.get("size") != index):
            yield "wrong_map_root"

    def lose(self, count: int) -> None:
        """Leaves that are not there: their hashes are unknown, and the root with them."""
        self.frontier, done = self.frontier.append([bytes(32)] * count)
        for node in done:
            self.nodes[node.level, node.position] = node.node_hash

    def _changed(self, value: dict[str, Any]) -> Iterator[str]:
        try:
            changed = Changed.read(value, "leaf")
        except Refused:
            yield "not_a_leaf"
            return
        before = self.states.get((changed.table, changed.row), State(0, None))
        version = changed.version if changed.after is None else changed.version - 1
        if changed.before != before.digest or (changed.before is not None and version != before.version) or changed.table not in _STATE:
            yield "does_not_follow"
        self.states[changed.table, changed.row] = State(changed.version, changed.after)

    def _drawn(self, leaf: bytes, hashed: bytes, index: int) -> Iterator[str]:
        try:
            event = parse_event(leaf)
            tag = event.head.project
            self.projects[tag] = apply(self.projects.get(tag, Project()), event)
        except Refused as wrong:
            yield f"event_refused:{wrong.code}"
            return
        self.heads[tag] = (event.head.attempt, hashed, index)
        self.attempts.put(tag, map_value(event.head.attempt, hashed))


_STATE: Mapping[str, Table] = {table.name: table for table in tables.of_kind(Kind.STATE)}


async def check(url: str, key: VKey | None = None) -> Report:
    """Everything, in one snapshot. `key` is the log's, where the database does not name it in a setting or should not be believed.

    On PostgreSQL the address is that of the tables' owner or an administrator. Raises Refused and NotReady where it cannot be read.
    """
    engines = make_engines(url)
    try:
        async with engines.reader.connect() as fresh:
            # On PostgreSQL it makes a schema to compare with; of its transaction nothing stays.
            connection = await fresh.execution_options(postgresql_readonly=False)
            try:
                return await check_connection(connection, key)
            finally:
                await connection.rollback()
    finally:
        await engines.close()


async def check_connection(connection: AsyncConnection, key: VKey | None = None) -> Report:
    """The check within a transaction; on PostgreSQL the caller rolls it back."""
    checking = _Checking(connection, key)
    try:
        await checking.everything()
    except DBAPIError as broken:
        checking.differ("database", "", "cannot_be_read", str(broken.orig)[:200])
    return Report(
        checking.replay.frontier.size,
        checking.replay.frontier.root,
        checking.rows,
        tuple(sorted(set(checking.differences), key=_order)),
        tuple(checking.skipped),
    )


def _order(each: Difference) -> tuple[int, Difference]:
    """The log first: what follows from it may differ only because it does."""
    return _ORDER.get(each.table, -1), each


@dataclass
class _Checking:
    connection: AsyncConnection
    key: VKey | None
    replay: Replay = field(default_factory=Replay)
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    rows: int = 0
    witnesses: dict[str, str] = field(default_factory=dict)
    wrong_nodes: set[tuple[int, int]] = field(default_factory=set)
    head: dict[str, Any] = field(default_factory=dict)

    def differ(self, table: str, row: str, what: str, detail: str = "") -> None:
        if len(self.differences) < MOST:
            self.differences.append(Difference(table, row, what, detail))

    async def everything(self) -> None:
        """All steps, the log first: everything else is compared with it."""
        sqlite = self.connection.dialect.name == "sqlite"
        if sqlite:
            await self._engine_says()
            await self._schema()
        checkpoints = [row async for row in self._rows(tables.checkpoint, "number")]
        self.replay.sizes = frozenset(row["size"] for row in checkpoints)
        if 0 in self.replay.sizes:
            self.replay.roots[0] = Frontier().root
        await self._log()
        await self._nodes()
        await self._events()
        await self._map()
        for table in _STATE.values():
            await self._state(table)
        notes = [row async for row in self._rows(tables.witness_note, "number")]
        await self._head({"checkpoint": checkpoints, "witness_note": notes})
        self._checkpoints(checkpoints)
        self._rewritten(checkpoints)
        self._notes(notes, {(row["origin"], row["size"]): row["note"] for row in checkpoints})
        if not sqlite:  # last: it makes a schema of its own
            await self._schema()

    async def _engine_says(self) -> None:
        for statement in ("PRAGMA integrity_check(100)", "PRAGMA foreign_key_check"):
            for row in await self.connection.execute(text(statement)):
                if tuple(row) != ("ok",):
                    self.differ("database", "", "engine_finds_fault", " ".join(str(each) for each in row)[:200])

    async def _schema(self) -> None:
        try:
            await check_version(self.connection)
        except Refused as wrong:
            self.differ("alembic_version", "", "changed", str(wrong.params.get("found", "")))
        there = await schema.found(self.connection)
        should = await schema.expected(self.connection)
        for name in sorted(there.keys() | should.keys()):
            if there.get(name) != should.get(name):
                what = "missing" if name not in there else "unknown" if name not in should else "changed"
                self.differ("schema", name, what)

    async def _rows(self, table: Table, order: str = "") -> AsyncIterator[dict[str, Any]]:
        """The rows as they are stored, with no index in between; a value that is not of its column's type is named and replaced."""
        names = column_names(table)
        if self.connection.dialect.name == "sqlite":
            columns = ", ".join(
                f'CAST("{c.name}" AS BLOB) AS "{c.name}"' if isinstance(c.type, Text) else f'"{c.name}"' for c in table.columns
            )
            source = f'"{table.name}" NOT INDEXED'
        else:
            columns = ", ".join(f'"{name}"' for name in names)
            source = f'"{table.name}"'
        query = f"SELECT {columns} FROM {source}" + (f' ORDER BY "{order}"' if order else "")  # noqa: S608 - names are of our tables
        result = await self.connection.stream(text(query))
        async for found in result.mappings():
            row = {name: found[name] for name in names}
            for column in table.columns:
                name, kind = "".join(column.name), column.type.python_type
                try:
                    if kind is str and isinstance(row[name], bytes):
                        row[name] = row[name].decode()
                    good = type(row[name]) is kind or (row[name] is None and column.nullable)
                except UnicodeDecodeError:
                    good = False
                if not good:
                    self.differ(table.name, str(row[names[0]]), "wrong_type", name)
                    row[name] = kind()
            self.rows += 1
            yield row

    async def _log(self) -> None:
        expected = 0
        async for row in self._rows(tables.log_leaf, "leaf_index"):
            index = row["leaf_index"]
            if not 0 <= index - expected <= MOST:  # at no place that a log could have
                self.differ("log_leaf", str(index), "unknown")
                continue
            if index != expected:
                self.differ("log_leaf", str(expected), "missing", f"{index - expected}")
                self.replay.lose(index - expected)  # so that all others keep their index
                expected = index
            for what in self.replay.read(row["leaf"], row["leaf_hash"]):
                code, _, detail = what.partition(":")
                self.differ("log_leaf", str(index), code, detail)
            expected += 1

    async def _nodes(self) -> None:
        should = dict(self.replay.nodes)
        async for row in self._rows(tables.log_node):
            place = (row["level"], row["position"])
            computed = should.pop(place, None)
            if computed not in (None, row["node_hash"]):
                self.wrong_nodes.add(place)
            self._compare("log_node", "/".join(map(str, place)), computed, row["node_hash"])
        for level, position in should:
            self.differ("log_node", f"{level}/{position}", "missing")

    async def _events(self) -> None:
        should = dict(self.replay.events)
        async for row in self._rows(tables.event):
            place = (row["stream"], row["seq"])
            self._compare("event", f"{row['stream']}/{row['seq']}", should.pop(place, None), row["leaf_index"])
        for stream, seq in should:
            self.differ("event", f"{stream}/{seq}", "missing")

    async def _map(self) -> None:
        should = dict(self.replay.heads)
        async for row in self._rows(tables.map_head):
            self._compare(
                "map_head", row["project"].hex(), should.pop(row["project"], None), (row["attempts"], row["head"], row["leaf_index"])
            )
        for tag in should:
            self.differ("map_head", tag.hex(), "missing")

    def _compare(self, table: str, row: str, should: object, found: object) -> None:
        if should is None:
            self.differ(table, row, "unknown")
        elif should != found:
            self.differ(table, row, "changed")

    async def _state(self, table: Table) -> None:
        seen: set[str] = set()
        async for row in self._rows(table):
            state = self.replay.states.get((table.name, row["id"]))
            if state is None or state.digest is None or row["id"] in seen:
                self.differ(table.name, row["id"], "unknown" if state is None else "back_again" if state.digest is None else "twice")
                continue
            seen.add(row["id"])
            try:
                same = row_digest(table, row) == state.digest
            except Refused:
                same = False
            if not same:
                self.differ(
                    table.name, row["id"], "changed", "" if row["version"] == state.version else f"{row['version']} / {state.version}"
                )
            elif table is tables.witness:
                self.witnesses[row["name"]] = row["vkey"]
            elif table is tables.setting and self.key is None and (row["scope"], row["name"]) == ("service", "log_vkey"):
                self.key = _key(row["value"])
        for (name, row_id), state in self.replay.states.items():
            if name == table.name and state.digest is not None and row_id not in seen:
                self.differ(name, row_id, "missing")

    async def _head(self, counted: Mapping[str, list[dict[str, Any]]]) -> None:
        rows = [row async for row in self._rows(tables.log_head)]
        if [row["id"] for row in rows] != [1]:
            self.differ("log_head", "1", "missing" if not rows else "unknown")
            return
        self.head = rows[0]
        frontier = self.replay.frontier
        for name, value in {"size": frontier.size, "frontier": frontier.data, "origin": self.replay.origin}.items():
            if rows[0][name] != value:
                self.differ("log_head", "1", "changed", name)
        more = rows[0]["size"] - frontier.size
        if more > 0:  # the last leaves are gone, or the head says too much
            self.differ("log_leaf", str(frontier.size), "missing", str(more))
        if rows[0]["frozen"] is not None:  # a witness has seen more than is here; or somebody says so who should not
            self.differ("log_head", "1", "frozen", str(rows[0]["frozen"]))
        for table, name in (("checkpoint", "checkpoints"), ("witness_note", "cosignatures")):
            numbers = {row["number"] for row in counted[table]}
            if rows[0][name] != len(counted[table]):
                self.differ("log_head", "1", "changed", name)
            gone = set(range(min(rows[0][name], len(numbers) + 100))) - numbers
            for number in gone:
                self.differ(table, f"number {number}", "missing")

    def _checkpoints(self, rows: list[dict[str, Any]]) -> None:
        for number, row in enumerate(rows):
            name = f"{row['origin']} {row['size']}"
            if row["number"] != number:
                self.differ("checkpoint", name, "out_of_order", f"{row['number']} / {number}")
            try:
                note = Note.parse(row["note"], "note")
                said = Checkpoint.parse(note.text, "note")
            except Refused as wrong:
                self.differ("checkpoint", name, "changed", wrong.code)
                continue
            if said != Checkpoint(row["origin"], row["size"], row["root"]):
                self.differ("checkpoint", name, "changed", "note")
            if self.replay.roots.get(row["size"]) != row["root"]:
                self.differ("checkpoint", name, "of_another_log")
            try:
                if self.key is not None:
                    Policy(self.key, {}).check(row["note"], "note")
            except Refused as wrong:
                self.differ("checkpoint", name, "changed", wrong.code)
        if rows and self.key is None:
            self.skipped.append("checkpoints_without_key")

    def _rewritten(self, checkpoints: list[dict[str, Any]]) -> None:
        """Where leaves may have been rewritten together with their hashes: whole subtrees that head and nodes know otherwise.

        Nothing stored tells which of 256 leaves it was. What a checkpoint still covers was not rewritten: there head or node were.
        """
        frontier = self.replay.frontier
        try:
            known = Frontier.of(self.head.get("size", -1), self.head.get("frontier", b""))
        except ValueError:
            return
        covered = max((row["size"] for row in checkpoints if self.replay.roots.get(row["size"]) == row["root"]), default=0)
        start = 0
        for place, (ours, theirs) in enumerate(zip(frontier.hashes, known.hashes, strict=False)):
            width = 1 << [bit for bit in range(frontier.size.bit_length() - 1, -1, -1) if frontier.size >> bit & 1][place]
            if known.size == frontier.size and ours != theirs:
                parts = [(n << 8, (n + 1) << 8) for level, n in sorted(self.wrong_nodes) if level == 1 and start <= n << 8 < start + width]
                for first, end in parts if width >= WIDTH else [(start, start + width)]:
                    if end > covered:
                        self.differ("log_leaf", f"{first}..{end - 1}", "rewritten")
            start += width

    def _notes(self, rows: list[dict[str, Any]], notes: Mapping[tuple[str, int], bytes]) -> None:
        for number, row in enumerate(rows):
            name = f"{row['origin']} {row['size']} {row['witness']}"
            if row["number"] != number:
                self.differ("witness_note", name, "out_of_order", f"{row['number']} / {number}")
            if row["witness"] not in self.witnesses:
                self.differ("witness_note", name, "unknown")
                continue
            try:
                text_of = Note.parse(notes.get((row["origin"], row["size"]), b""), "note").text
                _check_line(VKey.parse(self.witnesses[row["witness"]]), text_of, row["line"])
            except Refused as wrong:
                self.differ("witness_note", name, "changed", wrong.code)


def _key(value: str) -> VKey | None:
    """The key that a setting names, if it does."""
    try:
        return VKey.parse(str(loads(value.encode(), text=True)))
    except Refused:
        return None


def _check_line(key: VKey, signed: str, line: bytes) -> None:
    """Raises Refused unless this is the one spelling of a witness's valid cosignature line."""
    lines = Note.parse(signed.encode() + b"\n" + line, "line").lines
    if len(lines) != 1 or lines[0][:2] != (key.name, key.key_hash):
        raise Refused("line_of_unknown_key", "line", key=lines[0][0])
    check_cosignature(key, signed, lines[0][2], "line")
