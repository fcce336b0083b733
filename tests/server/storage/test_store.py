"""What the Store promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing import merkle
from drawing.errors import Refused
from server.errors import NotReady, Stale
from server.storage.annex import NEW, KeptRow, KeptRows
from server.storage.check import check
from server.storage.store import Store
from server.storage.tables import metadata
from server.storage.tx import row_digest
from tests.conftest import counts

NOW = 1_790_000_000
CENTRE = {"code": "bj", "name": "北京市公共资源交易中心", "created_at": NOW}


async def a_centre(store: Store) -> str:
    return await store.write(lambda tx: tx.insert("centre", CENTRE, "system"), NOW)


async def raise_count(store: Store, centre: str) -> None:
    async def work(tx):
        row = await tx.get("centre", centre)
        await asyncio.sleep(0)
        await tx.change("centre", centre, {"name": str(int(row["name"]) + 1)}, "system", row["version"])

    await store.write(work, NOW)


async def test_200_of_200_concurrent_read_modify_writes_count(store):
    centre = await store.write(lambda tx: tx.insert("centre", {**CENTRE, "name": "0"}, "system"), NOW)
    await asyncio.gather(*(raise_count(store, centre) for _ in range(counts("concurrent read-modify-writes", 200, 2_000))))
    async with store.reading() as tx:
        row = await tx.get("centre", centre)
        assert int(row["name"]) == counts("concurrent read-modify-writes", 200, 2_000)
        assert (await tx.head()).size == row["version"]


WRITER = """
import asyncio, sys
from server.storage.store import Store
from tests.server.storage.test_store import raise_count
async def main(url, centre, times):
    store = await Store.open(url)
    await asyncio.gather(*(raise_count(store, centre) for _ in range(int(times))))
    print(store.retries)
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_200_of_200_read_modify_writes_of_4_processes_count(database, store):
    centre = await store.write(lambda tx: tx.insert("centre", {**CENTRE, "name": "0"}, "system"), NOW)
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, database.web, centre, "50", stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    told = [int((await each.communicate())[0]) for each in writers]
    assert [each.returncode for each in writers] == [0] * 4
    async with store.reading() as tx:
        row = await tx.get("centre", centre)
        assert int(row["name"]) == 200
        assert (await tx.head()).size == row["version"] == 201
    assert sum(told) == 0  # writers queue before they have a snapshot: nothing is done twice


async def test_a_change_is_one_leaf_with_the_digests_before_and_after(store):
    centre = await a_centre(store)
    async with store.reading() as tx:
        old = await tx.get("centre", centre)
    await store.write(lambda tx: tx.change("centre", centre, {"closed_at": NOW + 1}, "system", 1, "merged"), NOW + 1)
    async with store.reading() as tx:
        new = await tx.get("centre", centre)
        leaves = [json.loads(row["leaf"]) for row in await tx.all("log_leaf", order=["leaf_index"])]
    table = metadata.tables["centre"]
    assert leaves[0]["after"] == leaves[1]["before"] == row_digest(table, old).hex()
    assert leaves[1] == {
        "after": row_digest(table, new).hex(),
        "at": NOW + 1,
        "before": row_digest(table, old).hex(),
        "by": "system",
        "event": "changed",
        "row": centre,
        "table": "centre",
        "version": 2,
        "why": "merged",
    }
    assert old["salt"] != new["salt"]
    await store.write(lambda tx: tx.delete("centre", centre, "system", 2), NOW + 2)
    async with store.reading() as tx:
        gone = json.loads((await tx.one("log_leaf", leaf_index=2))["leaf"])
        assert gone["before"] == row_digest(table, new).hex()
        assert "after" not in gone


async def test_a_stale_version_or_a_missing_row_writes_nothing(store):
    centre = await a_centre(store)
    for version in (0, 2):
        with pytest.raises(Stale):
            await store.write(lambda tx, v=version: tx.change("centre", centre, {"name": "x"}, "system", v), NOW)
        with pytest.raises(Stale):
            await store.write(lambda tx, v=version: tx.delete("centre", centre, "system", v), NOW)
    with pytest.raises(Refused, match="no_such_row"):
        await store.write(lambda tx: tx.change("centre", "0" * 32, {"name": "x"}, "system", 1), NOW)
    async with store.reading() as tx:
        assert (await tx.head()).size == 1
        assert (await tx.get("centre", centre))["version"] == 1


async def test_a_failure_after_a_change_takes_row_and_leaf_back(store):
    async def work(tx):
        await tx.insert("centre", CENTRE, "system")
        await tx.outbox("sms", "1", NOW, b"x")
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await store.write(work, NOW)
    async with store.reading() as tx:
        assert (await tx.head()).size == await tx.count("centre") == await tx.count("outbox") == await tx.count("log_leaf") == 0


def event(stream: str, number: int) -> bytes:
    return json.dumps({"n": number, "stream": stream}, separators=(",", ":")).encode()


async def test_events_are_appended_after_exactly_the_expected_length(store):
    assert await store.write(lambda tx: tx.append("session:a", 0, [event("session:a", 0), event("session:a", 1)]), NOW) == 0
    assert await store.write(lambda tx: tx.append("session:b", 0, [event("session:b", 0)]), NOW) == 2
    assert await store.write(lambda tx: tx.append("session:a", 2, [event("session:a", 2)]), NOW) == 3
    for wrong in (0, 2, 4):
        with pytest.raises(Stale):
            await store.write(lambda tx, n=wrong: tx.append("session:a", n, [event("session:a", 9)]), NOW)
    with pytest.raises(Refused, match="leaf_of_another_stream"):
        await store.write(lambda tx: tx.append("session:a", 3, [event("session:b", 9)]), NOW)
    with pytest.raises(Refused, match="leaf_of_another_stream"):
        await store.write(lambda tx: tx.leaf(event("session:a", 3)), NOW)
    with pytest.raises(Refused, match="too_long"):
        await store.write(lambda tx: tx.append("s", 0, [b'{"stream":"s","x":"%s"}' % (b"x" * 65_536)]), NOW)
    async with store.reading() as tx:
        assert await tx.events("session:a") == [event("session:a", n) for n in range(3)]
        assert await tx.events("session:a", 2) == [event("session:a", 2)]
        head = await tx.head()
        leaves = [row["leaf_hash"] for row in await tx.all("log_leaf", order=["leaf_index"])]
        assert (head.size, head.root) == (4, merkle.root(leaves))


async def test_one_of_20_appends_at_the_same_length_wins(store):
    async def try_one(number):
        try:
            return await store.write(lambda tx: tx.append("s", 0, [event("s", number)]), NOW)
        except Stale:
            return None

    assert sorted(await asyncio.gather(*(try_one(n) for n in range(20))), key=str) == [0, *[None] * 19]


async def test_a_reading_transaction_has_one_snapshot_and_cannot_write(store):
    centre = await a_centre(store)
    async with store.reading() as tx:
        before = await tx.get("centre", centre)
        await store.write(lambda tx: tx.change("centre", centre, {"name": "x"}, "system", 1), NOW)
        assert await tx.get("centre", centre) == before
        with pytest.raises(AssertionError):
            await tx.insert("centre", {**CENTRE, "code": "x"}, "system")
        with pytest.raises(Exception, match=r"read-only|readonly"):
            await tx.connection.exec_driver_sql("DELETE FROM centre")


async def test_a_broken_constraint_is_a_refusal_without_values(store):
    await a_centre(store)
    with pytest.raises(Refused, match="row_conflicts") as refused:
        await a_centre(store)
    assert "bj" not in str(refused.value)
    with pytest.raises(Refused, match="row_conflicts"):
        await store.write(lambda tx: tx.insert("site", {"centre": "0" * 32, "name": "x", "created_at": 1}, "system"), NOW)


async def test_a_value_that_no_row_may_hold_is_refused(store):
    with pytest.raises(Refused, match="bad_characters"):
        await store.write(lambda tx: tx.insert("centre", {**CENTRE, "name": "a\x00b"}, "system"), NOW)
    for wrong in ({"created_at": "1"}, {"created_at": True}, {"name": b"x"}, {"name": None}):
        with pytest.raises(AssertionError):
            await store.write(lambda tx, w=wrong: tx.insert("centre", {**CENTRE, **w}, "system"), NOW)


async def test_a_write_in_a_write_is_our_own_mistake(store):
    with pytest.raises(AssertionError):
        await store.write(lambda tx: a_centre(store), NOW)


# What the database itself refuses -----------------------------------------------------------------------------------------------------------


async def fill(store: Store, keeper_store: Store) -> None:
    await a_centre(store)
    await store.write(lambda tx: tx.append("s", 0, [event("s", n) for n in range(300)]), NOW)
    await keeper_store.write(lambda tx: tx.checkpoint("o", 301, bytes(32), b"note"), NOW)
    await store.write(lambda tx: tx.witnessed("o", 301, "w", b"line"), NOW)


CHANGES = {
    "log_leaf": ("UPDATE log_leaf SET leaf = leaf WHERE leaf_index = 3", "DELETE FROM log_leaf WHERE leaf_index = 300"),
    "log_node": ("UPDATE log_node SET position = 7", "DELETE FROM log_node"),
    "event": ("UPDATE event SET stream = 't'", "DELETE FROM event WHERE seq = 299"),
    "checkpoint": ("UPDATE checkpoint SET note = root", "DELETE FROM witness_note", "DELETE FROM checkpoint"),
    "witness_note": ("UPDATE witness_note SET witness = 'v'", "DELETE FROM witness_note"),
    "log_head": ("UPDATE log_head SET size = size - 1", "DELETE FROM log_head"),
}


async def test_append_only_tables_refuse_update_and_delete_whoever_asks(database, store, keeper_store):
    await fill(store, keeper_store)
    if database.engine == "sqlite":
        connection = database.as_administrator()
        connection.execute("PRAGMA foreign_keys=OFF")
        for table, statements in CHANGES.items():
            for statement in statements:
                with pytest.raises(sqlite3.IntegrityError, match=r"append-only|only grows"):
                    connection.execute(statement)
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            with pytest.raises(sqlite3.IntegrityError, match=r"not the next row|only grows"):
                connection.execute(f"INSERT OR REPLACE INTO {table} SELECT {', '.join(columns)} FROM {table} LIMIT 1")
        with pytest.raises(sqlite3.IntegrityError, match="not the next row"):
            connection.execute("INSERT INTO log_leaf VALUES (302, x'00', x'00')")
        with pytest.raises(sqlite3.IntegrityError, match="not the next row"):
            connection.execute("INSERT OR REPLACE INTO event VALUES ('u', 0, 5)")
        connection.close()
        return
    for user, codes in (
        ("postgres", (asyncpg.RestrictViolationError,)),
        ("lotroom_web", (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)),
        ("lotroom_keeper", (asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)),
    ):
        connection = await asyncpg.connect(database.plain, user=user)
        if user == "postgres":
            await connection.execute("SET session_replication_role = replica")
        for table, statements in CHANGES.items():
            for statement in (*statements, f"TRUNCATE {table} CASCADE"):
                with pytest.raises(codes):
                    await connection.execute(statement)
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("INSERT INTO log_leaf VALUES (302, '', '')")
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)):
            await connection.execute("INSERT INTO log_leaf VALUES (3, '', '') ON CONFLICT (leaf_index) DO UPDATE SET leaf = ''")
        await connection.close()


async def test_the_web_role_has_nothing_of_the_keepers_and_cannot_change_the_log_or_the_tables(database, store, keeper_store):
    if database.engine == "sqlite":
        pytest.skip("SQLite has no roles: whoever has the file has all of it")
    await fill(store, keeper_store)
    await keeper_store.write(lambda tx: tx.put("wrapped_key", {"id": "k", "value": b"x", "version": 1}), NOW)
    web = await asyncpg.connect(database.plain, user="lotroom_web")
    keeper = await asyncpg.connect(database.plain, user="lotroom_keeper")
    for table in ("annex", "blind_index", "keeper_state", "keeper_credential", "wrapped_key"):
        for statement in (
            f"SELECT 1 FROM {table}",
            f"SELECT count(*) FROM {table}",
            f"INSERT INTO {table} DEFAULT VALUES",
            f"UPDATE {table} SET version = 1",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DO $$ BEGIN LOCK TABLE {table}; END $$",
            f"COPY {table} TO STDOUT",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await web.execute(statement)
        assert await keeper.fetchval(f"SELECT count(*) FROM {table}") is not None
    for statement in (
        "INSERT INTO checkpoint VALUES ('o', 1, 1, '', '')",
        "DELETE FROM log_head",
        "ALTER TABLE log_leaf DISABLE TRIGGER ALL",
        "DROP TRIGGER log_leaf_next ON log_leaf",
        "DROP TABLE log_leaf CASCADE",
        "CREATE TABLE x (y int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE lotroom_keeper",
        "SET ROLE lotroom_migrate",
        "SET SESSION AUTHORIZATION lotroom_keeper",
        "SET session_replication_role = replica",
        "COPY log_leaf TO PROGRAM 'cat'",
        "UPDATE alembic_version SET version_num = 'x'",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError, asyncpg.InvalidParameterValueError)):
            await web.execute(statement)
    for table in ("person", "role_grant", "approval", "approval_vote", "login", "setting", "passkey"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await keeper.execute(f"DELETE FROM {table}")
    await web.close()
    await keeper.close()


async def test_the_three_administrators_exclude_each_other_and_every_other_role(database, store):
    """By direct SQL: no program has to remember it."""
    owner = await asyncpg.connect(database.plain) if database.engine == "postgresql" else database.as_administrator()
    salt = "''" if database.engine == "postgresql" else "x''"
    if database.engine == "sqlite":
        owner.execute("PRAGMA foreign_keys=ON")
    tries = iter(range(10**6))

    async def run(sql: str) -> bool:
        try:
            done = owner.execute(sql)
            if database.engine == "postgresql":
                await done
        except (asyncpg.IntegrityConstraintViolationError, sqlite3.IntegrityError):
            return False
        return True

    async def person(administers: str) -> str | None:
        name = f"{next(tries):032x}"
        sql = f"INSERT INTO person (id, version, salt, kind, administers, created_at) VALUES ('{name}', 1, {salt}, 'staff', '{administers}', 1)"
        return name if await run(sql) else None

    async def grant(person: str, administers: str, role: str) -> bool:
        values = f"'{next(tries):032x}', 1, {salt}, '{person}', '{administers}', '{role}', '*', 'x', 1, 0, 0"
        return await run(
            f"INSERT INTO role_grant (id, version, salt, person, administers, role, centre, granted_by, granted_at, since, until) VALUES ({values})"
        )

    three = ("system_admin", "security_admin", "audit_admin")
    assert await person("other") is None
    for own in ("", *three):
        for first in (*three, "draw_clerk", "expert"):
            for second in (*three, "draw_clerk", "supervisor"):
                one = await person(own)
                assert one
                done = []
                for role in (first, second):
                    done += [role for claimed in ("", *three) if await grant(one, claimed, role)]
                assert not (set(done) & set(three) and len(set(done)) > 1), done
                assert set(done) <= ({own} if own else {"draw_clerk", "expert", "supervisor"})
                for other in ("", *three):
                    if done and other != own:
                        assert not await run(f"UPDATE person SET administers = '{other}' WHERE id = '{one}'")
                        assert not await run(f"UPDATE role_grant SET administers = '{other}' WHERE person = '{one}'")
                        assert not await run(f"UPDATE role_grant SET role = '{other or 'expert'}' WHERE person = '{one}'")
    if database.engine == "postgresql":
        await owner.close()
    else:
        owner.close()


# What a lost answer, a full disk and an absent server come to -----------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
async def test_an_answer_lost_at_the_commit_is_looked_up_and_never_guessed(database, store, monkeypatch, committed):
    if database.engine != "postgresql":
        pytest.skip("SQLite's commit is in our own process")
    real = AsyncConnection.commit
    lost = []

    async def commit(self):
        if lost:
            return await real(self)
        lost.append(1)
        if committed:
            await real(self)
        raise ConnectionResetError

    monkeypatch.setattr(AsyncConnection, "commit", commit)
    called = []

    async def work(tx):
        called.append(1)
        return await tx.insert("centre", CENTRE, "system")

    centre = await store.write(work, NOW)
    assert len(called) == (1 if committed else 2)
    async with store.reading() as tx:
        assert [row["id"] for row in await tx.all("centre")] == [centre]
        assert (await tx.head()).size == 1


async def test_a_full_disk_is_said_and_over_when_there_is_room(database, store):
    if database.engine != "sqlite":
        pytest.skip("needs a limit on the file")
    centre = await a_centre(store)
    async with store._engines.writer.connect() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    many = [{"code": f"c{n}", "name": "x" * 1000, "created_at": 1} for n in range(200)]
    for _ in range(2):
        with pytest.raises(NotReady) as full:
            await store.write(lambda tx: tx.insert_all("centre", many, "system"), NOW)
        assert full.value.params["why"] == "database_full"
    async with store.reading() as tx:
        assert [row["id"] for row in await tx.all("centre")] == [centre]
        assert (await tx.head()).size == 1
    async with store._engines.writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert len(await store.write(lambda tx: tx.insert_all("centre", many, "system"), NOW)) == 200
    assert (await check(database.owner)).differences == ()


async def test_an_absent_server_is_said(monkeypatch):
    monkeypatch.setattr("server.storage.store.RECONNECT_SECONDS", 0.2)
    with pytest.raises(NotReady) as away:
        await Store.open("postgresql+asyncpg://lotroom_web@127.0.0.1:9/none")
    assert away.value.params["why"] == "database_away"


async def test_a_database_that_is_not_there_or_lets_us_not_in_is_said(database):
    if database.engine != "postgresql":
        pytest.skip("SQLite's is in test_versions")
    for url in (database.web + "x", database.web.replace("lotroom_web", "lotroom_nobody")):
        with pytest.raises(Refused, match="database_refuses_us"):
            await Store.open(url)


async def test_20000_rows_go_in_as_batches_in_a_few_seconds(database, store):
    """What an import of a library costs storage; reading and checking the sheet comes on top."""
    centre = await a_centre(store)
    rows = [
        {"centre": centre, "number_index": n.to_bytes(32, "big"), "record_digest": bytes(32), "status": "active", "added_at": NOW}
        for n in range(counts("rows imported", 2_000, 20_000))
    ]
    begun = time.monotonic()
    longest = 0.0
    for start in range(0, len(rows), 250):
        one = time.monotonic()
        await store.write(lambda tx, batch=rows[start : start + 250]: tx.insert_all("expert", batch, "system"), NOW)
        longest = max(longest, time.monotonic() - one)
    took = time.monotonic() - begun
    print(f"{database.engine}: {len(rows)} rows in {took:.1f} s, the longest of 250 in {longest * 1000:.0f} ms")
    assert took < 20
    async with store.reading() as tx:
        assert await tx.count("expert") == len(rows)
        assert (await tx.head()).size == len(rows) + 1


@dataclass(frozen=True)
class Change:
    """As server.keeper writes it."""

    kind: str
    key: tuple[str, ...]
    value: bytes | None
    expected: int | None = None


async def test_the_keepers_rows_are_by_key_and_version(database, store, keeper_store):
    kept = KeptRows(keeper_store)
    place = ("person", "a", "name")
    await kept.write(
        [
            Change("annex", place, b"1", NEW),
            Change("blind", place, b"i" * 32, NEW),
            Change("state", ("totp/1",), b"s", NEW),
            Change("state", ("totp/2",), b"s"),
            Change("state", ("other",), b"s"),
            Change("key", ("k",), b"w", NEW),
            Change("credential", ("c",), b"c", NEW),
            Change("leaf", (), b'{"event":"enrolled"}'),
        ],
        NOW,
    )
    assert await kept.read("annex", [place, ("person", "b", "name")]) == [KeptRow(place, b"1", 1), None]
    assert await kept.find("person", "name", [b"i" * 32, b"j" * 32]) == ["a"]
    assert [row.key[0] for row in await kept.scan("state", (), ("other",), 10)] == ["totp/1", "totp/2"]
    assert await kept.scan("annex", ("person",), (), 10) == [KeptRow(place, b"1", 1)]
    assert await kept.scan("annex", ("person",), place, 10) == []
    for change in (
        Change("annex", place, b"2", 3),
        Change("annex", place, b"2", NEW),
        Change("state", ("totp/1",), None, 2),
        Change("key", ("k",), b"v", NEW),
    ):
        with pytest.raises(Stale):
            await kept.write([Change("state", ("other",), b"gone"), change], NOW)
    await kept.write([Change("annex", place, b"2", 1), Change("key", ("k",), b"v", 1), Change("state", ("totp/1",), None, 1)], NOW)
    assert await kept.read("annex", [place]) == [KeptRow(place, b"2", 2)]
    assert await kept.read("key", [("k",)]) == [KeptRow(("k",), b"v", 2)]
    assert await kept.read("state", [("totp/1",), ("other",)]) == [None, KeptRow(("other",), b"s", 1)]
    await kept.write([Change("annex", place, None, 2), Change("annex", place, None)], NOW)
    assert [json.loads(leaf)["event"] for leaf in await kept.leaves(0, 9)] == ["changed", "enrolled", "changed", "changed"]
    assert (await check(database.owner)).differences == ()
