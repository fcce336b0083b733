"""The courier: the only way out. Takes jobs that are due from the outbox under a lease, does them by their kind, ends or puts them off.

A handler does what is outside and returns what is to be written with the end of its job (or None). One that is killed in between leaves its lease
to run out, and the job is done again: so what a handler does outside is such that twice is as good as once, or asks `tx.effect` first.
Without a handler of its kind a job waits. `checkpoint` is the one kind that the courier itself brings into being: the newest checkpoint is shown
to the witnesses. There is one such job for each name of the log, done again for a newer checkpoint, at a start, and when the last time
is `fresh_seconds` ago: a log that stands still is cosigned on, and witnesses that have seen more are heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from drawing.errors import Refused
from server.errors import Failure, NotReady, Stale
from server.logs import LOG, places
from server.ports import Clock
from server.storage import outbox
from server.storage.outbox import Job
from server.storage.store import Store
from server.storage.tx import Tx

Work = Callable[[Tx], Awaitable[None]]
Handler = Callable[[Job], Awaitable[Work | None]]
CHECKPOINT = "checkpoint"
JOB_SECONDS = 45  # less than the lease
AT_ONCE = 8  # jobs that run together: a gateway that is slow holds up few others
LOOK_SECONDS = 5.0  # however it sleeps, it looks so often
FIRST_DELAY, LONGEST_DELAY = 2, 600
LONGEST_DELAYS = {
    CHECKPOINT: 60,  # an unwitnessed log is worth asking for
    "draw.advance": 30,  # and so is a draw: the keeper may be unsealed any moment
    "draw.notices": 30,
    "draw.answer": 30,
    "notice.send": 30,
}
FORGET_SECONDS = 3_600
ALIVE_SECONDS = 2.0


class Later(Exception):
    """A handler could not, and knows when it is worth trying again. `code` is for the status page."""

    def __init__(self, code: str, seconds: int) -> None:
        self.code = code
        self.seconds = seconds
        super().__init__(code)


class Courier:
    """One courier over a store. `handlers`: kind -> how."""

    def __init__(self, store: Store, clock: Clock, handlers: Mapping[str, Handler], name: str, fresh_seconds: int = 60) -> None:
        self._store = store
        self._clock = clock
        self._handlers = dict(handlers)
        self._name = name
        self._woken = asyncio.Event()
        self._forgotten = 0
        self._fresh_seconds = fresh_seconds
        self._begun = clock.now()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; a job that runs then is finished."""
        watching = asyncio.create_task(self._watch())
        ending = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                self._woken.clear()
                pause = LOOK_SECONDS
                try:
                    if await self.once():
                        continue
                    pause = await self._pause()
                except NotReady:
                    LOG.warning("waiting", part="database")
                    pause = 1.0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
        finally:
            for each in (watching, ending):
                each.cancel()
            await asyncio.wait([watching, ending])

    async def once(self) -> int:
        """Do what is due now; how many jobs that was."""
        if not self._handlers:
            return 0
        now = self._clock.now()
        if CHECKPOINT in self._handlers:
            await self._newest_checkpoint(now)
        if now >= self._forgotten + FORGET_SECONDS:
            await outbox.forget(self._store, now)
            self._forgotten = now
        due = await outbox.next_due(self._store, tuple(self._handlers))
        if due is None or due > now:  # looking costs no writing transaction
            return 0
        jobs = await outbox.claim(self._store, now, self._name, tuple(self._handlers), most=AT_ONCE)
        for each in await asyncio.gather(*map(self._do, jobs), return_exceptions=True):
            if isinstance(each, BaseException):
                raise each
        return len(jobs)

    async def _do(self, job: Job) -> None:
        try:
            async with asyncio.timeout(JOB_SECONDS):
                work = await self._handlers[job.kind](job)
            # If we crash before this returns, the job is done again; after it, never.
            await outbox.finish(self._store, job, self._clock.now(), work)
        except Stale:
            LOG.warning("overtaken", job=job.id)  # the lease ran out: another one has it
        except NotReady:
            raise
        except Exception as wrong:
            fault = wrong.code if isinstance(wrong, Refused | Failure | Later) else type(wrong).__name__
            delay = min(FIRST_DELAY << min(job.attempts - 1, 10), LONGEST_DELAYS.get(job.kind, LONGEST_DELAY))
            if isinstance(wrong, Later):
                delay = wrong.seconds
            LOG.warning("put_off", job=job.id, attempt=job.attempts, code=fault, seconds=delay, places=places(wrong))
            with contextlib.suppress(Stale):
                now = self._clock.now()
                await outbox.put_off(self._store, job, now, now + delay, fault)

    async def _newest_checkpoint(self, now: int) -> None:
        async with self._store.reading() as tx:
            head = await tx.head()
            newest = await tx.all("checkpoint", origin=head.origin, order=["-size"], limit=1)
            job = await tx.one("outbox", kind=CHECKPOINT, job_key=head.origin)
        if not newest:
            return
        payload = str(newest[0]["size"]).encode()
        if job is None:
            await self._store.write(lambda tx: tx.outbox(CHECKPOINT, head.origin, now, payload), now)
            return
        done = job["done_at"]
        if done is None or (job["payload"] == payload and max(self._begun, now - self._fresh_seconds) <= done):
            return

        async def again(tx: Tx) -> None:
            values = {"done_at": None, "due_at": now, "lease_until": 0, "attempts": 0, "payload": payload}
            if await tx.set("outbox", values, id=job["id"], done_at=done):
                tx.wake("outbox")

        await self._store.write(again, now)

    async def _pause(self) -> float:
        due = await outbox.next_due(self._store, tuple(self._handlers)) if self._handlers else None
        return LOOK_SECONDS if due is None else min(LOOK_SECONDS, max(0.05, due - self._clock.now()))

    async def _watch(self) -> None:
        while True:
            try:
                async for topics in self._store.changes():
                    if not topics or topics & {"outbox", CHECKPOINT}:
                        self._woken.set()
            except Exception as wrong:
                LOG.warning("watch_ended", error=type(wrong).__name__)
            await asyncio.sleep(1)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()


async def keep_touching(path: Path) -> None:
    """Says to whoever looks that this process's loop runs."""
    while True:
        with contextlib.suppress(OSError):  # a full disk is told elsewhere
            await asyncio.to_thread(path.touch, 0o600)
        await asyncio.sleep(ALIVE_SECONDS)
