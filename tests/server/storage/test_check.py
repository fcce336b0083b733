"""`lotroom check` finds and names every change that did not go through the Store; and a database that nobody touched has no differences."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import text

from drawing import map as sparse
from drawing.note import COSIGNATURE, ED25519, Checkpoint, VKey, cosigned_message, sign_note, signature_line
from drawing.proof import Mapped, parse_proof
from server.storage.attempts import AttemptMap
from server.storage.check import Report, check, check_connection
from server.storage.engines import make_engines, parse_url, sqlite_engine
from server.storage.tables import Kind, metadata, of_kind
from tests.conftest import ROOT, counts
from tests.server.storage.test_log import leaves

NOW = 1_790_000_000
LOG, WITNESS = SigningKey(bytes(32)), SigningKey(bytes([1]) * 32)
LOG_KEY = VKey("test.example/log", ED25519, bytes(LOG.verify_key))
WITNESS_KEY = VKey("w0.example/w", COSIGNATURE, bytes(WITNESS.verify_key))
COVERED = tuple(table.name for table in of_kind(Kind.LOG, Kind.HEAD, Kind.STATE, Kind.PROJECTION))


async def publish(store, keeper_store) -> None:
    async with store.reading() as tx:
        head = await tx.head()
    unsigned = Checkpoint(LOG_KEY.name, head.size, head.root).text()
    note = sign_note(unsigned, LOG_KEY, lambda message: bytes(LOG.sign(message).signature))
    await keeper_store.write(lambda tx: tx.checkpoint(LOG_KEY.name, head.size, head.root, note), NOW)
    line = signature_line(WITNESS_KEY, NOW.to_bytes(8, "big") + bytes(WITNESS.sign(cosigned_message(unsigned, NOW)).signature))
    await store.write(lambda tx: tx.witnessed(LOG_KEY.name, head.size, "w0", line.encode()), NOW)


async def populate(store, keeper_store) -> None:
    """A service with a bit of everything."""
    await store.write(lambda tx: tx.begin_log(LOG_KEY.name, "system"), NOW)

    async def work(tx):
        centre = await tx.insert("centre", {"code": "bj", "name": "北京", "created_at": NOW}, "system")
        await tx.insert("witness", {"name": "w0", "vkey": str(WITNESS_KEY), "added_at": NOW}, "system")
        await tx.insert("setting", {"scope": "service", "name": "log_vkey", "value": f'"{LOG_KEY}"', "changed_at": NOW}, "system")
        people = []
        for number in range(8):
            person = {
                "centre": centre,
                "kind": "staff",
                "administers": "",
                "label": f"专家{number}",
                "name_index": bytes([number]) * 32,
                "created_at": NOW,
            }
            people.append(await tx.insert("person", person, "system"))
            account = {"person": people[-1], "kind": "staff", "name": f"clerk{number}", "generation": 0, "created_at": NOW}
            await tx.insert("account", account, "system")
            grant = {"person": people[-1], "administers": "", "role": "draw_clerk", "centre": centre, "granted_by": "system"}
            await tx.insert("role_grant", {**grant, "granted_at": NOW, "since": 0, "until": 0}, "system")
        boss = await tx.insert("person", {"kind": "staff", "administers": "audit_admin", "created_at": NOW}, "system")
        grant = {"person": boss, "administers": "audit_admin", "role": "audit_admin", "centre": "*", "granted_by": "system"}
        await tx.insert("role_grant", {**grant, "granted_at": NOW, "since": 0, "until": 0}, "system")
        approval = {"centre": centre, "action": "commit", "subject": "draw/1", "digest": bytes(32), "needs": "[]", "state": "open"}
        asked = await tx.insert("approval", {**approval, "asked_by": people[0], "asked_at": NOW, "expires_at": NOW + 9}, people[0])
        await tx.insert("approval_vote", {"approval": asked, "person": people[1], "role": "approver", "word": "yes", "at": NOW}, people[1])
        await tx.insert("site", {"centre": centre, "name": "一楼", "created_at": NOW}, people[0])
        gone = await tx.insert("site", {"centre": centre, "name": "二楼", "created_at": NOW}, people[0])
        await tx.change("site", gone, {"name": "三楼"}, people[0], 1)
        await tx.delete("site", gone, people[0], 2)
        await tx.append("session:a", 0, [leaf.replace(b'"s"', b'"session:a"') for leaf in leaves(60)])

    await store.write(work, NOW)
    await publish(store, keeper_store)
    seen = set()
    for folder in sorted((ROOT / "tests" / "vectors" / "golden").iterdir()):
        proof = parse_proof((folder / "proof.json").read_bytes())
        tag = proof.events[0].event.head.project
        if tag in seen:
            continue
        seen.add(tag)
        stream = f"draw:{tag.hex()}"
        for number, logged in enumerate(proof.events):

            async def drawn(tx, n=number, e=logged.event, s=stream):
                index = await tx.append(s, n, [e.leaf])
                mapped = Mapped(e.head.at, LOG_KEY.name, await tx.map_root(), (), index + 1, "mapped", "draw/v1")
                await tx.leaf(mapped.leaf)

            await store.write(drawn, NOW)
    await keeper_store.write(
        lambda tx: tx.insert_all(
            "annex", [{"table_name": "person", "row_id": str(n), "column_name": "name", "value": b"x"} for n in range(5)], "keeper"
        ),
        NOW,
    )
    await store.write(lambda tx: tx.append("session:b", 0, [leaf.replace(b'"s"', b'"session:b"') for leaf in leaves(220)]), NOW)
    await publish(store, keeper_store)


async def test_what_nobody_touched_has_no_differences(database, store, keeper_store):
    assert (await check(database.owner)).differences == ()
    await populate(store, keeper_store)
    begun = time.monotonic()
    report = await check(database.owner)
    print(f"{database.engine}: {report.size} leaves, {report.rows} rows in {time.monotonic() - begun:.2f} s")
    assert report.differences == report.skipped == ()
    async with store.reading() as tx:
        head = await tx.head()
    assert (report.size, report.root) == (head.size, head.root)
    assert report.size > 256
    assert (await check(database.owner, LOG_KEY)).differences == ()
    other = VKey(LOG_KEY.name, ED25519, bytes(WITNESS.verify_key))
    assert {each.table for each in (await check(database.owner, other)).differences} == {"checkpoint"}


def test_the_growing_map_has_the_root_of_the_whole_map():
    chance = random.Random(1)
    growing, whole = AttemptMap(), {}
    assert growing.root == sparse.root(whole)
    for number in range(400):
        key = chance.randbytes(32) if number % 3 else chance.choice([*whole, bytes(32)])
        if number % 50 == 1:
            key = bytes(31) + bytes([number % 256])  # long common prefixes
        whole[key] = chance.randbytes(36)
        growing.put(key, whole[key])
        if number % 10 == 0:
            assert growing.root == sparse.root(whole)


# Random edits by somebody who has the whole database, and who puts the triggers back afterwards ----------------------------------------------------


def other_value(chance: random.Random, value: Any) -> Any:
    """Another value that could stand in its place."""
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 7, 1 << 20))
    if isinstance(value, bytes):
        if not value or chance.random() < 0.2:
            return value + b"x" if chance.random() < 0.5 or not value else value[:-1]
        at = chance.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << chance.randrange(8)]) + value[at + 1 :]
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return chance.choice((value[:at] + "x" + value[at:], value[:at] + "王" + value[at + 1 :], value + " "))
    return chance.choice((0, "", b"", "x", NOW))


class Edit:
    """One edit as a sequence of statements: `statements(execute)` says what was done, in words, or None where the database refused."""

    def __init__(self, chance: random.Random, rows: dict[str, list[dict[str, Any]]]) -> None:
        self.chance, self.rows = chance, rows
        self.table = chance.choice([name for name in COVERED if rows[name]])
        self.touched: list[dict[str, Any]] = []
        self.kind = chance.choice(("column", "column", "column", "delete", "insert", "swap"))

    def keys(self) -> list[str]:
        return [column.name for column in metadata.tables[self.table].primary_key.columns]

    def where(self) -> str:
        return " AND ".join(f'"{name}" = :key_{name}' for name in self.keys())

    def key(self, row: dict[str, Any]) -> dict[str, Any]:
        return {f"key_{name}": row[name] for name in self.keys()}

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        chance, rows = self.chance, self.rows[self.table]
        row = chance.choice(rows)
        self.touched = [row]
        columns = list(row)
        name = chance.choice(columns)
        match self.kind:
            case "column":
                new = chance.choice(rows)[name] if chance.random() < 0.3 else other_value(chance, row[name])
                if new == row[name]:
                    new = other_value(chance, row[name])
                self.touched.append({**row, name: new})
                return [(f'UPDATE "{self.table}" SET "{name}" = :new WHERE {self.where()}', {"new": new, **self.key(row)})]
            case "delete":
                return [(f'DELETE FROM "{self.table}" WHERE {self.where()}', self.key(row))]
            case "insert":
                new = dict(row)
                for each in {*self.keys(), *chance.sample(columns, chance.randrange(1, len(columns) + 1))}:
                    new[each] = other_value(chance, row[each])
                self.touched = [new]
                names = ", ".join(f'"{each}"' for each in columns)
                return [(f'INSERT INTO "{self.table}" ({names}) VALUES ({", ".join(":" + each for each in columns)})', new)]
            case _:
                other = chance.choice(rows)
                moved = chance.sample(columns, chance.randrange(1, len(columns) + 1))
                moved = [each for each in moved if each not in self.keys()] or [each for each in columns if each not in self.keys()]
                self.touched.append(other)
                if other is row or all(other[each] == row[each] for each in moved):
                    return []
                sets = ", ".join(f'"{each}" = :{each}' for each in moved)
                sql = f'UPDATE "{self.table}" SET {sets} WHERE {self.where()}'
                return [(sql, {**{e: other[e] for e in moved}, **self.key(row)}), (sql, {**{e: row[e] for e in moved}, **self.key(other)})]


NAMES: dict[str, Callable[[dict[str, Any]], str]] = {
    "log_leaf": lambda row: str(row["leaf_index"]),
    "log_node": lambda row: f"{row['level']}/{row['position']}",
    "event": lambda row: f"{row['stream']}/{row['seq']}",
    "checkpoint": lambda row: f"{row['origin']} {row['size']}",
    "witness_note": lambda row: f"{row['origin']} {row['size']} {row['witness']}",
    "log_head": lambda row: "1",
    "map_head": lambda row: bytes(row["project"]).hex() if isinstance(row["project"], bytes) else "",
}


def named(report: Report, edit: Edit) -> bool:
    """The very row that was edited is named: as it was, as it is now, or by its number where it is gone."""
    name = NAMES.get(edit.table, lambda row: row["id"])
    allowed = {name(row) for row in edit.touched} | {f"number {row['number']}" for row in edit.touched if "number" in row}
    found = {each.row for each in report.differences if each.table == edit.table}
    if edit.table == "log_leaf":  # a leaf rewritten with its hash is named by its subtree
        ranges = [each.split("..") for each in found if ".." in each]
        return bool(allowed & found) or any(int(a) <= row["leaf_index"] <= int(b) for a, b in ranges for row in edit.touched)
    return bool(allowed & found)


async def populated_file(database, store, keeper_store):
    """Rows and leaves of all kinds in one closed SQLite file, nothing of it in the WAL."""
    await populate(store, keeper_store)
    await store.close()
    await keeper_store.close()
    with sqlite3.connect(database.plain) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def test_random_edits_of_a_sqlite_file_are_all_found_and_named(database, store, keeper_store, tmp_path):
    if database.engine != "sqlite":
        pytest.skip("the next test is PostgreSQL's")
    await populated_file(database, store, keeper_store)
    reader = sqlite3.connect(database.plain)
    reader.row_factory = sqlite3.Row
    rows = {name: [dict(row) for row in reader.execute(f'SELECT * FROM "{name}"')] for name in COVERED}
    triggers = [(row["name"], row["sql"]) for row in reader.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")]
    reader.close()
    assert len([name for name in COVERED if rows[name]]) >= 16
    chance = random.Random(20_260)
    victim = tmp_path / "victim.db"
    done: dict[str, int] = {}
    wanted = counts("random edits of a SQLite file", 100, 9_000)
    while sum(done.values()) < wanted:
        edit = Edit(chance, rows)
        statements = edit.statements()
        shutil.copy(database.plain, victim)
        connection = sqlite3.connect(victim, isolation_level=None)
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA ignore_check_constraints=ON")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        try:
            changed = sum(connection.execute(sql, values).rowcount for sql, values in statements)
        except sqlite3.IntegrityError:  # a unique index or a strict type refused it
            changed = 0
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        if not changed:
            continue
        report = await check(f"sqlite+aiosqlite:///{victim}")
        assert named(report, edit), (edit.table, edit.kind, statements, report.differences)
        done[f"{edit.table} {edit.kind}"] = done.get(f"{edit.table} {edit.kind}", 0) + 1
    assert len({name.partition(" ")[0] for name in done}) >= 16


async def test_the_last_leaves_are_named_when_they_are_gone(database, store, keeper_store):
    if database.engine != "sqlite":
        pytest.skip("the file's triggers are dropped")
    await populated_file(database, store, keeper_store)
    with sqlite3.connect(database.plain) as connection:
        (size,) = connection.execute("SELECT size FROM log_head").fetchone()
        (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'log_leaf_no_delete'").fetchone()
        connection.execute("DROP TRIGGER log_leaf_no_delete")
        connection.execute("DELETE FROM log_leaf WHERE leaf_index >= ?", (size - 3,))
        connection.execute(trigger)
    connection.close()
    report = await check(database.owner)
    assert ("log_leaf", str(size - 3), "missing", "3") in [(each.table, each.row, each.what, each.detail) for each in report.differences]


async def test_random_edits_of_a_postgresql_database_are_all_found_and_named(database, store, keeper_store):
    if database.engine != "postgresql":
        pytest.skip("the test before is SQLite's")
    await populate(store, keeper_store)
    async with store.reading() as tx:
        rows = {name: await tx.all(name) for name in COVERED if name != "annex"}
    async with keeper_store.reading() as tx:
        rows["annex"] = await tx.all("annex")
    chance = random.Random(20_261)
    engines = make_engines(database.owner)
    done = 0
    async with engines.writer.connect() as connection:
        while done < counts("random edits of a PostgreSQL database", 20, 1_000):
            edit = Edit(chance, {name: [dict(row) for row in each] for name, each in rows.items()})
            try:
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
                await connection.execute(text(f"ALTER TABLE {edit.table} DISABLE TRIGGER ALL"))
                changed = 0
                for sql, values in edit.statements():
                    changed += (await connection.execute(text(sql), values)).rowcount
                always = {
                    "log_head": ("grows", "no_delete", "no_truncate"),
                    "log_leaf": ("no_change", "no_truncate", "next"),
                    "event": ("no_change", "no_truncate", "next"),
                }
                await connection.execute(text(f"ALTER TABLE {edit.table} ENABLE TRIGGER ALL"))
                for each in always.get(
                    edit.table, ("no_change", "no_truncate") if edit.table in ("log_node", "checkpoint", "witness_note") else ()
                ):
                    await connection.execute(text(f"ALTER TABLE {edit.table} ENABLE ALWAYS TRIGGER {edit.table}_{each}"))
            except Exception:  # a constraint or a type refused it
                await connection.rollback()
                continue
            if changed:
                report = await check_connection(connection)
                assert named(report, edit), (edit.table, edit.kind, report.differences)
                assert not [each for each in report.differences if each.table == "schema"]
                done += 1
            await connection.rollback()
    await engines.close()


SCHEMA_EDITS = {
    "sqlite": {
        "trigger log_leaf_no_update": "DROP TRIGGER log_leaf_no_update",
        "trigger helpful": "CREATE TRIGGER helpful AFTER INSERT ON person BEGIN DELETE FROM login; END",
        "index uq_role_grant_one_administrator": "DROP INDEX uq_role_grant_one_administrator",
        "table extra": "CREATE TABLE extra (x)",
        "table person": "ALTER TABLE person ADD COLUMN extra TEXT",
        "view v": "CREATE VIEW v AS SELECT * FROM person",
    },
    "postgresql": {
        "trigger log_leaf.log_leaf_no_change": "DROP TRIGGER log_leaf_no_change ON log_leaf",
        "trigger event.event_no_change": "ALTER TABLE event DISABLE TRIGGER event_no_change",
        "trigger checkpoint.checkpoint_no_change": "ALTER TABLE checkpoint ENABLE TRIGGER checkpoint_no_change",
        "function lotroom_append_only": "CREATE OR REPLACE FUNCTION lotroom_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "index uq_role_grant_one_administrator": "DROP INDEX uq_role_grant_one_administrator",
        "constraint role_grant.ck_role_grant_administrators_apart": "ALTER TABLE role_grant DROP CONSTRAINT ck_role_grant_administrators_apart",
        "relation wrapped_key": "GRANT SELECT ON wrapped_key TO lotroom_web",
        "relation log_leaf": "GRANT UPDATE ON log_leaf TO lotroom_web",
        "column annex.value": "GRANT SELECT (value) ON annex TO lotroom_web",
        "relation person": "ALTER TABLE person OWNER TO lotroom_web",
        "rule person.r": "CREATE RULE r AS ON DELETE TO person DO INSTEAD NOTHING",
        "column person.extra": "ALTER TABLE person ADD COLUMN extra text",
        "relation v": "CREATE VIEW v AS SELECT * FROM person",
        "relation login": "ALTER TABLE login ENABLE ROW LEVEL SECURITY",
        "reference account.fk_account_person": "ALTER TABLE account DISABLE TRIGGER ALL",
    },
}


async def test_changed_rules_of_the_database_are_found_and_named(database, store, keeper_store):
    engines = make_engines(database.owner)
    writer = engines.writer if database.engine == "postgresql" else sqlite_engine(parse_url(database.owner), "BEGIN IMMEDIATE", 1)
    async with writer.connect() as connection:
        for name, sql in SCHEMA_EDITS[database.engine].items():
            await connection.execute(text(sql))
            report = await check_connection(connection)
            assert name in {each.row for each in report.differences if each.table == "schema"}, (name, report.differences)
            await connection.rollback()
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        assert "alembic_version" in {each.table for each in (await check_connection(connection)).differences}
    await writer.dispose()
    await engines.close()


def dump(path: Path) -> list[str] | None:
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    try:
        names = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [(name, sorted(map(repr, connection.execute(f'SELECT * FROM "{name}" NOT INDEXED')))) for name in sorted(names)]
        return [repr(tables), repr(sorted(map(repr, connection.execute("SELECT * FROM sqlite_master"))))]
    except sqlite3.Error:
        return None
    finally:
        connection.close()


async def test_flipped_bits_of_the_file_are_found_or_change_nothing_that_is_in_the_log(database, store, keeper_store, tmp_path):
    if database.engine != "sqlite":
        pytest.skip("a file of SQLite")
    await populated_file(database, store, keeper_store)
    with open(database.plain, "rb") as stream:  # noqa: ASYNC230
        data = stream.read()
    before = dump(Path(database.plain))
    chance = random.Random(9)
    victim = tmp_path / "victim.db"
    found = 0
    for _ in range(counts("flipped bits of a SQLite file", 50, 3_000)):
        at = chance.randrange(len(data))
        victim.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        for beside in ("-wal", "-shm"):
            victim.with_name(victim.name + beside).unlink(missing_ok=True)
        try:
            report: Callable[[], Any] | Report = await check(f"sqlite+aiosqlite:///{victim}")
            differs = bool(report.differences)
        except Exception:
            differs = True
        found += differs
        assert differs or dump(victim) == before, at
    print("flips found", found)
    await asyncio.sleep(0)
