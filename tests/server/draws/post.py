"""What stands around a hall so that a draw's messages leave and answers come: a gateway, the web process, the courier. All real, in the test's own loop."""

from __future__ import annotations

import os
import re
import socket
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
from aiohttp import web as aioweb

from server.adapters.clock import SystemChance
from server.adapters.gateways import Webhook
from server.app import build, own_web, parts_of
from server.auth.passwords import Cost, Hasher
from server.config import Settings
from server.courier import Courier
from server.demo.gateway import DemoGateway, serving
from server.errands import Errands, channels_of
from server.handlers.doorway import Runner
from server.services.desk import furnished
from tests.server.desk.site import Clock
from tests.server.web.live import COMPILED

SECRET, OUT = "s" * 40, "o" * 40
CENTRES = {"zh": "示例中心", "en": "Example Centre"}


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


class Post:
    """`async with` it, around a hall."""

    def __init__(self, hall, *more, viewers=None):
        self.hall, self.more, self.viewers = hall, more, viewers
        self.clock = Clock(hall.house)
        self.gateway = DemoGateway(SECRET, OUT, self.clock.now)
        self.stack = AsyncExitStack()

    async def __aenter__(self):
        self.port = await self.stack.enter_async_context(serving(self.gateway, own_web(), free_port()))
        await self._serve()
        webhook = Webhook("sms", f"http://127.0.0.1:{self.port}/send", self.clock.now, f"{self.origin}/api/gateway", SECRET)
        self.errands = Errands(
            self.hall.store, self.hall.keeper, self.clock, bytes(self.hall.courier), channels_of([webhook, *self.more]),
            self._fetch, CENTRES, self.origin,
        )  # fmt: skip
        self.courier = Courier(self.hall.store, self.clock, self.errands.handlers, "test")
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
        return self

    async def __aexit__(self, *_):
        await self.stack.aclose()

    def _fetch(self, network, number):
        raise AssertionError((network, number))

    async def _serve(self):
        end = socket.create_server(("127.0.0.1", 0))
        self.host = f"localhost:{end.getsockname()[1]}"
        self.origin = f"http://{self.host}"
        self.settings = Settings(origin=self.origin, insecure_demo=True, callback_secret=OUT)
        hasher = Hasher(1, cost=Cost(8 << 10, 1))
        self.stack.callback(hasher.close)
        self.desk = furnished(self.hall.store, self.hall.keeper, hasher, os.urandom, self.clock.now)
        parts = parts_of(self.desk, clock=self.clock, chance=SystemChance())
        self.app = build(self.settings, replace(parts, viewers=self.viewers) if self.viewers else parts, compiled=COMPILED)
        runner = Runner(self.app)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await aioweb.SockSite(runner, end).start()

    async def work(self):
        """All that is due now."""
        for _ in range(200):
            if not await self.courier.once():
                return
        raise AssertionError("the courier does not come to an end")

    async def later(self, seconds):
        self.hall.house.move_clock(seconds)
        await self.work()

    def messages(self, kind="call"):
        return [each for each in self.gateway.taken.values() if each.kind == kind]

    async def rows(self):
        async with self.hall.store.reading() as tx:
            return await tx.all("notice", order=["slot", "occupant", "kind", "channel"])

    async def states(self):
        return [row["state"] for row in await self.rows()]

    async def stand(self):
        async with self.hall.store.reading() as tx:
            return await tx.one("stand", draw=self.hall.draw)

    async def open(self, token):
        """The page behind a link: status and text."""
        async with self.http.get(f"{self.origin}/r/{token}", headers={"Accept-Language": "en"}) as got:
            return got.status, await got.text()

    async def press(self, token, **fields):
        """A button of that page: status and text of what comes of it."""
        _, page = await self.open(token)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        headers = {"Origin": self.origin, "Accept-Language": "en"}
        async with self.http.post(f"{self.origin}/r/{token}", data={"csrf": csrf, **fields}, headers=headers) as got:
            return got.status, await got.text()
