"""The service's roles for tests: the real ones, with a page that writes and a job that counts. python -m tests.server.service.run ROLE [--parent PID]"""

import asyncio
import sys
from hashlib import sha256

from aiohttp import web as aioweb

from server import processes
from server.adapters.clock import SystemClock
from server.app import serve
from server.courier import Courier, keep_touching
from server.handlers.ask import Kind, Route
from server.handlers.routes import DESK, PUBLIC, TABLE
from server.places import database_of, places_of
from server.storage import repeats
from server.storage.store import Store

CENTRE = "c" * 32


async def web(settings, stop, ready):
    store = await Store.open(database_of(settings))

    async def write(ask):
        """One action under its idempotency key: a site with the key's name, of which the tables would take a second one, and a job."""
        key = ask.path["key"]
        digest = sha256(key.encode()).digest()

        async def work(tx):
            before = await repeats.begin(tx, "load", key, digest)
            if before is not None:
                return before
            if await tx.one("centre", id=CENTRE) is None:
                await tx.insert("centre", {"id": CENTRE, "code": "load", "name": "x", "created_at": ask.now}, "web")
            site = await tx.insert("site", {"centre": CENTRE, "name": key, "created_at": ask.now}, "web")
            await tx.outbox("count", key, ask.now, key.encode())
            await repeats.end(tx, "load", key, site.encode())
            return site.encode()

        return aioweb.Response(text=(await store.write(work, ask.now)).decode())

    route = Route("GET", "/write/{key:[0-9a-z-]{1,40}}", "write", write, PUBLIC, Kind.PUBLIC)
    await serve(settings, stop, ready, (*TABLE, *DESK, route))
    await store.close()


async def courier(settings, stop, ready):
    store = await Store.open(database_of(settings))

    async def count(job):
        async def work(tx):
            assert await tx.effect(job.id, "counted"), "done twice"
            row = {"id": job.id, "kind": "count", "state": job.key, "done": 1, "total": 1, "created_at": tx.now, "updated_at": tx.now}
            await tx.put("progress", row)

        return work

    touching = asyncio.create_task(keep_touching(places_of(settings).courier))
    ready()
    await Courier(store, SystemClock(), {"count": count}, "test").run(stop)
    touching.cancel()
    await store.close()


if __name__ == "__main__":
    sys.exit(processes.main(roles={"web": web, "keeper": processes.keeper, "courier": courier}))
