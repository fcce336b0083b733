"""Jobs: each once, whoever dies in between."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import pytest

from server.errors import Stale
from server.storage import outbox
from tests.conftest import counts

NOW = 1_790_000_000
WORKER = """
import asyncio, os, sys
from server.storage import outbox
from server.storage.store import Store
async def main(url, name, dies):
    store = await Store.open(url)
    taken = 0
    while True:
        jobs = await outbox.claim(store, 1_790_000_100, name, ["sms"], most=7)
        if not jobs:
            break
        for job in jobs:
            taken += 1
            if taken == int(dies):
                os.kill(os.getpid(), 9)
            async def work(tx):
                assert await tx.effect(job.id, "sent")
                await tx.insert("setting", {"scope": "job", "name": job.key, "value": name, "changed_at": 1}, "courier")
            await outbox.finish(store, job, 1_790_000_100, work)
    print(taken)
    await store.close()
asyncio.run(main(*sys.argv[1:]))
"""


async def put(store, count: int, due_at: int = NOW) -> None:
    async def work(tx):
        for number in range(count):
            await tx.outbox("sms", str(number), due_at, b"x")

    await store.write(work, NOW)


async def run(url: str, *workers: tuple[str, int]) -> list[int]:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, url, name, str(dies), stdout=subprocess.PIPE)
        for name, dies in workers
    ]
    told = [await each.communicate() for each in processes]
    assert [each.returncode for each in processes] == [-signal.SIGKILL if dies else 0 for _, dies in workers]
    return [int(out) for out, _ in told if out]


async def test_4_processes_do_600_of_600_jobs_exactly_once(database, store):
    await put(store, 600)
    taken = await run(database.web, *((f"w{n}", 0) for n in range(4)))
    assert sum(taken) == 600
    async with store.reading() as tx:
        assert await tx.count("setting") == await tx.count("effect") == await tx.count("outbox", {"done_at !=": None}) == 600
        assert len(await tx.all("setting")) == 600
        assert (await tx.head()).size == 600


async def test_what_a_killed_worker_held_is_done_by_another_when_the_lease_runs_out(database, store):
    await put(store, 60)
    await run(database.web, ("w0", 10), ("w1", 3))
    await run(database.web, ("w2", 0))
    async with store.reading() as tx:
        left = await tx.all("outbox", done_at=None)
    assert left
    assert all(job["lease_until"] == NOW + 100 + outbox.LEASE_SECONDS for job in left)
    later = NOW + 100 + outbox.LEASE_SECONDS
    assert await outbox.next_due(store, ["sms"]) == later
    assert await outbox.claim(store, later - 1, "w3", ["sms"]) == []
    taken = await outbox.claim(store, later, "w3", ["sms"], most=100)
    assert {job.id for job in taken} == {job["id"] for job in left}
    for job in taken:
        assert job.attempts == 2

        async def work(tx, job=job):
            assert await tx.effect(job.id, "sent")
            await tx.insert("setting", {"scope": "job", "name": job.key, "value": "w3", "changed_at": 1}, "courier")

        await outbox.finish(store, job, later, work)
    async with store.reading() as tx:
        assert await tx.count("setting") == await tx.count("effect") == 60


async def test_a_job_is_once_per_key_is_not_taken_early_and_is_put_off(store):
    await put(store, 2, NOW + 10)
    await put(store, 2, NOW + 99)
    async with store.reading() as tx:
        assert [job["due_at"] for job in await tx.all("outbox")] == [NOW + 10] * 2
    assert await outbox.next_due(store, ["sms"]) == NOW + 10
    assert await outbox.next_due(store, ["other"]) is None
    assert await outbox.claim(store, NOW + 9, "w", ["sms"]) == []
    assert await outbox.claim(store, NOW + 10, "w", ["other"]) == []
    one, two = await outbox.claim(store, NOW + 10, "w", ["sms"])
    assert await outbox.claim(store, NOW + 10, "v", ["sms"]) == []
    await outbox.put_off(store, one, NOW + 11, NOW + 50, "no_answer")
    await outbox.renew(store, two, NOW + 60)
    [again] = await outbox.claim(store, NOW + 100, "v", ["sms"])
    assert (again.id, again.attempts) == (one.id, 2)
    for stale in (outbox.finish(store, one, NOW), outbox.put_off(store, one, NOW, NOW, "x"), outbox.renew(store, one, NOW)):
        with pytest.raises(Stale):
            await stale
    await outbox.finish(store, again, NOW + 101)
    with pytest.raises(Stale):
        await outbox.finish(store, again, NOW + 101)
    assert await outbox.forget(store, NOW + 100 * 86_400) == 1
    async with store.reading() as tx:
        assert await tx.count("outbox") == 1


async def test_an_effect_is_had_once(store):
    got = await asyncio.gather(*(store.write(lambda tx: tx.effect("job", "sent"), NOW) for _ in range(20)))
    assert sorted(got) == [False] * 19 + [True]


async def test_waiting_processes_hear_of_a_commit_and_of_nothing_that_was_taken_back(database, store):
    from server.storage.store import Store

    other = await Store.open(database.keeper)
    heard: asyncio.Queue[tuple[float, frozenset[str]]] = asyncio.Queue()

    async def listen():
        async for topics in other.changes():
            heard.put_nowait((time.monotonic(), topics))

    task = asyncio.create_task(listen())
    assert (await asyncio.wait_for(heard.get(), 5))[1] == frozenset()
    waits = []
    for number in range(counts("wake-ups", 10, 200)):
        said = time.monotonic()
        await store.write(lambda tx, n=number: tx.outbox("sms", str(n), NOW, b""), NOW)
        when, topics = await asyncio.wait_for(heard.get(), 5)
        assert topics in (frozenset(), frozenset({"outbox"}))
        assert topics or database.engine == "sqlite"
        waits.append(when - said)

    async def fails(tx):
        await tx.outbox("sms", "x", NOW, b"")
        raise KeyError

    with pytest.raises(KeyError):
        await store.write(fails, NOW)
    await asyncio.sleep(0.2)
    assert heard.empty()
    await store.write(lambda tx: tx.append("session:a", 0, [b'{"stream":"session:a"}']), NOW)
    assert (await asyncio.wait_for(heard.get(), 5))[1] in (frozenset(), frozenset({"log", "session:a"}))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await other.close()
    print(f"{database.engine}: woken after {sorted(waits)[len(waits) // 2] * 1000:.1f} ms")


async def test_silence_is_told_too(store):
    heard = 0
    async for topics in store.changes(idle_seconds=0.1):
        assert topics == frozenset()
        heard += 1
        if heard == 3:
            break
