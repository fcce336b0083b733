"""Storage under kill -9: of the writer, of its connections, of PostgreSQL. What was acknowledged is there once; leaf and row are both there or neither."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

from server.errors import NotReady
from server.storage.check import check
from server.storage.store import Store
from server.storage.versions import migrate
from tests.conftest import counts

NOW = 1_790_000_000

# Writes until it is killed: by itself at the k-th statement or commit, before or after it, or by the test at any moment.
WRITER = """
import asyncio, os, sys
from sqlalchemy import event
from server.storage import repeats
from server.storage.store import Store
left, after = int(sys.argv[3]), sys.argv[4] == "after"
def deadly(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
async def act(tx, number):
    answer = await repeats.begin(tx, "p", f"key-{number}", b"d")
    if answer is None:
        centre = await tx.insert("centre", {"code": str(number), "name": "x", "created_at": 1}, "system")
        await tx.change("centre", centre, {"name": "y"}, "system", 1)
        site = await tx.insert("site", {"centre": centre, "name": "x", "created_at": 1}, "system")
        await tx.delete("site", site, "system", 1)
        length = await tx.length("session:a")
        await tx.append("session:a", length, [b'{"n":%d,"stream":"session:a"}' % number])
        await tx.outbox("sms", str(number), 1, b"x")
        await repeats.end(tx, "p", f"key-{number}", b"done")
    return answer
async def main(url, first):
    store = await Store.open(url)
    engine = store._engines.writer.sync_engine
    event.listen(engine, "after_cursor_execute" if after else "before_cursor_execute", deadly)
    event.listen(engine, "commit", deadly)
    for number in range(int(first), int(first) + 10_000):
        await store.write(lambda tx: act(tx, number), 1_790_000_000)
        os.write(1, b"%d\\n" % number)
asyncio.run(main(*sys.argv[1:3]))
"""


async def stored(store: Store) -> set[int]:
    async with store.reading() as tx:
        return {int(row["code"]) for row in await tx.all("centre", limit=100_000)}


async def test_a_writer_killed_anywhere_leaves_row_and_leaf_or_neither(database, store):
    chance = random.Random(2026)
    acknowledged: set[int] = set()
    uncertain = 0
    for number in range(counts("writers killed, each engine", 8, 200)):
        by_itself = number % 2 == 0
        first = max(await stored(store), default=-1) + 1
        words = [database.web, str(first), str(chance.randrange(1, 90) if by_itself else 10**9), chance.choice(("before", "after"))]
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, *words, stdout=subprocess.PIPE)
        assert writer.stdout
        told: list[int] = []
        if not by_itself:
            told.append(int(await writer.stdout.readline()))
            await asyncio.sleep(chance.random() * 0.2)
            writer.kill()
        out, _ = await writer.communicate()
        assert writer.returncode == -signal.SIGKILL
        told += [int(line) for line in out.split(b"\n")[: out.count(b"\n")]]
        acknowledged |= set(told)
        begun = time.monotonic()
        there = await stored(store)
        await store.write(
            lambda tx: tx.put("effect", {"job": tx.new_id(), "effect": "x", "at": NOW}), NOW
        )  # the killed one holds up nobody
        assert time.monotonic() - begun < 5
        assert acknowledged <= there
        assert len(there - acknowledged) <= uncertain + 1
        uncertain = len(there - acknowledged)
        report = await check(database.owner)
        assert report.differences == ()
        async with store.reading() as tx:
            assert report.size == 5 * len(there) == 5 * await tx.length("session:a")
            assert await tx.count("outbox") == await tx.count("idempotency") == len(there)
    print(f"{database.engine}: {len(acknowledged)} acknowledged, 0 lost, {uncertain} done and not acknowledged")


async def act(store: Store, writer: int, number: int) -> None:
    async def work(tx):
        await tx.insert("centre", {"code": str(writer * 100_000 + number), "name": "x", "created_at": 1}, "system")
        counter = await tx.one("setting", scope="service", name="counter")
        if counter is None:
            await tx.insert("setting", {"scope": "service", "name": "counter", "value": "1", "changed_at": 1}, "system")
        else:
            await tx.change("setting", counter["id"], {"value": str(int(counter["value"]) + 1)}, "system", counter["version"])

    await store.write(work, NOW)


async def eight_writers(url: str, owner: str, times: int, disturb) -> list[float]:
    """8 stores write `times` actions each while `disturb` is at work. All are acknowledged; each is there exactly once. When each was."""
    stores = [await Store.open(url) for _ in range(8)]
    moments: list[float] = []

    async def write(index: int) -> None:
        for number in range(times):
            while True:
                try:
                    await act(stores[index], index, number)
                    break
                except NotReady as wrong:
                    if wrong.params["why"] == "outcome_unknown":  # look, do not guess
                        async with stores[index].reading() as tx:
                            if await tx.count("centre", code=str(index * 100_000 + number)):
                                break
                    else:  # certain: nothing was written, so the same again
                        assert wrong.params["why"] in ("database_away", "database_busy")
            moments.append(time.monotonic())

    async def read() -> None:
        while True:
            try:
                async with stores[0].reading() as tx:
                    assert len(await tx.all("log_leaf", order=["-leaf_index"], limit=3)) <= 3
            except NotReady as wrong:
                assert wrong.params["why"] == "database_away"
            await asyncio.sleep(0.01)

    trouble = asyncio.create_task(disturb())
    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(index) for index in range(8)))
    trouble.cancel()
    await asyncio.gather(trouble, return_exceptions=True)
    assert not reader.done()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    there = await stored(stores[0])
    assert there == {index * 100_000 + number for index in range(8) for number in range(times)}
    async with stores[0].reading() as tx:
        counter = await tx.one("setting", name="counter")
        assert counter
        assert int(counter["value"]) == 8 * times
    print("transactions done again:", sum(store.retries for store in stores))
    for store in stores:
        await store.close()
    assert (await check(owner)).differences == ()
    return moments


async def test_killed_connections_lose_nothing_and_double_nothing(database):
    if database.engine != "postgresql":
        pytest.skip("SQLite has no connections to kill")
    chance = random.Random(5)
    killed = 0

    async def kill() -> None:
        nonlocal killed
        sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'lotroom_web'"
        admin = await asyncpg.connect(database.plain)
        try:
            while True:
                await asyncio.sleep(chance.random() * 0.2)
                pids = [row["pid"] for row in await admin.fetch(sql)]
                if pids:
                    killed += await admin.fetchval("SELECT pg_terminate_backend($1)::int", chance.choice(pids))
        finally:
            admin.terminate()

    await eight_writers(database.web, database.owner, counts("writes of each of 8 writers under killed connections", 40, 400), kill)
    print("connections killed:", killed)
    assert killed > 10


@pytest.fixture
def server():
    """A PostgreSQL of our own, which may be killed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.getuid() != 0:
        pytest.skip("needs PostgreSQL's programs, and root to become its user")
    folder = Path(tempfile.mkdtemp(prefix="lotroom-postgres-"))
    shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program: str, *words: str) -> None:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", str(programs[-1] / program), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    data = str(folder / "data")
    run("initdb", "-D", data, "-A", "trust", "-U", "postgres")
    start = ("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -h 127.0.0.1", "start")
    run(*start)
    yield port, data, lambda: run(*start), lambda: run("pg_ctl", "-D", data, "-m", "immediate", "restart")
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


async def test_a_killed_postgresql_under_8_writers_loses_nothing_and_doubles_nothing(server):
    port, data, start, restart = server
    owner = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    await migrate(owner)
    downs = counts("PostgreSQL killed under 8 writers", 2, 20)
    ready: list[float] = []

    async def kill() -> None:
        for number in range(downs):
            await asyncio.sleep(0.5)
            if number % 2:
                await asyncio.to_thread(restart)
            else:
                with open(f"{data}/postmaster.pid", encoding="utf-8") as stream:  # noqa: ASYNC230
                    pid = int(stream.readline())
                os.kill(pid, signal.SIGKILL)
                for _ in range(100):  # its children end when they miss it; before that it does not start again
                    await asyncio.sleep(0.05)
                    try:
                        await asyncio.to_thread(start)
                        break
                    except subprocess.CalledProcessError:
                        continue
            ready.append(time.monotonic())
        await asyncio.sleep(3600)

    moments = await eight_writers(f"postgresql+asyncpg://lotroom_web@127.0.0.1:{port}/postgres", owner, 60 * downs, kill)
    assert len(ready) == downs
    recovery = [min(moment for moment in moments if moment > up) - up for up in ready]
    print(f"killed {downs} times; first acknowledgement after the server was back: {max(recovery):.2f} s at most")
    assert max(recovery) < 5
