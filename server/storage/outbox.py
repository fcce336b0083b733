"""Jobs in the database: written with what they follow from (Tx.outbox), taken under a lease, done exactly once.

A worker that dies leaves its lease to run out; another takes the job then. What a job does in the database happens in the transaction that
ends it, which the lease guards; what it does outside asks `tx.effect(job, name)` first, or is such that twice is as good as once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server.errors import Stale
from server.storage.store import Store
from server.storage.tx import Tx

LEASE_SECONDS = 60
MAX_FAULT = 200


@dataclass(frozen=True, slots=True)
class Job:
    """A job that one worker has. `attempts` counts this one too."""

    id: str
    kind: str
    key: str
    payload: bytes
    attempts: int
    lease: str


async def claim(store: Store, now: int, worker: str, kinds: Sequence[str], most: int = 10, lease_seconds: int = LEASE_SECONDS) -> list[Job]:
    """Up to `most` jobs that are due and nobody has, those due first at the front; for `lease_seconds` they are this worker's."""

    async def work(tx: Tx) -> list[Job]:
        free = {"done_at": None, "due_at <=": now, "lease_until <=": now, "kind in": kinds}
        jobs = []
        for row in await tx.all("outbox", free, order=["due_at", "id"], limit=most):
            job = Job(row["id"], row["kind"], row["job_key"], row["payload"], row["attempts"] + 1, tx.new_id())
            values = {"lease": job.lease, "worker": worker, "lease_until": now + lease_seconds, "attempts": job.attempts}
            await tx.set("outbox", values, id=job.id)
            jobs.append(job)
        return jobs

    return await store.write(work, now)


async def finish(store: Store, job: Job, now: int, work: Callable[[Tx], Awaitable[None]] | None = None) -> None:
    """The job is done, together with what `work` writes. Raises Stale where the lease ran out and another worker took the job."""

    async def ending(tx: Tx) -> None:
        if not await tx.set("outbox", {"done_at": now, "lease": None, "last_fault": None}, id=job.id, lease=job.lease, done_at=None):
            raise Stale(place="outbox", job=job.id)
        if work is not None:
            await work(tx)

    await store.write(ending, now)


async def put_off(store: Store, job: Job, now: int, due_at: int, fault: str) -> None:
    """Not now: try again at `due_at`. `fault` is a code for the status page, never a name or an address. Raises Stale."""

    async def work(tx: Tx) -> None:
        values = {"due_at": due_at, "lease": None, "lease_until": 0, "last_fault": fault[:MAX_FAULT]}
        if not await tx.set("outbox", values, id=job.id, lease=job.lease, done_at=None):
            raise Stale(place="outbox", job=job.id)
        tx.wake("outbox")

    await store.write(work, now)


async def renew(store: Store, job: Job, now: int, lease_seconds: int = LEASE_SECONDS) -> None:
    """More time for a job that takes long. Raises Stale where another worker has it."""

    async def work(tx: Tx) -> None:
        if not await tx.set("outbox", {"lease_until": now + lease_seconds}, id=job.id, lease=job.lease, done_at=None):
            raise Stale(place="outbox", job=job.id)

    await store.write(work, now)


async def next_due(store: Store, kinds: Sequence[str]) -> int | None:
    """When the next job may be taken, so that a worker knows how long to sleep; None where there is none."""
    async with store.reading() as tx:
        free = await tx.all("outbox", {"done_at": None, "kind in": kinds, "lease": None}, order=["due_at"], limit=1)
        held = await tx.all("outbox", {"done_at": None, "kind in": kinds, "lease !=": None}, order=["lease_until"], limit=1)
    moments = [row["due_at"] for row in free] + [row["lease_until"] for row in held]
    return min(moments, default=None)


async def forget(store: Store, now: int, older_than_seconds: int = 90 * 86_400) -> int:
    """Remove jobs that were done long ago, and their effects; how many jobs."""

    async def work(tx: Tx) -> int:
        old = [row["id"] for row in await tx.all("outbox", {"done_at <": now - older_than_seconds}, limit=500)]
        if old:
            await tx.remove("effect", {"job in": old})
            await tx.remove("outbox", {"id in": old})
        return len(old)

    return await store.write(work, now)
