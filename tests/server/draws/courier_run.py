"""A courier of its own process for tests: python -m tests.server.draws.courier_run FOLDER. FOLDER/courier.json says where everything is, and where it
dies: `before` or `after` the n-th message left, or `never`.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from server.adapters.clock import SystemClock
from server.adapters.gateways import Webhook
from server.courier import Courier
from server.errands import Errands
from server.keeper.client import Keeper
from server.storage.store import Store

folder = Path(sys.argv[1])
given = json.loads((folder / "courier.json").read_text())
moved = folder / "clock"


class Clock(SystemClock):
    def now(self):
        return super().now() + (int(moved.read_text()) if moved.exists() else 0)


class Deadly:
    """The webhook, and death around it."""

    channel, repeatable = "sms", True

    def __init__(self, inner):
        self.inner, self.count = inner, 0

    async def send(self, message):
        self.count += 1
        if self.count == given["message"] and given["dies"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        sent = await self.inner.send(message)
        if self.count >= given["message"] and given["dies"] == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return sent


async def main():
    clock = Clock()
    store = await Store.open(given["database"])
    webhook = Webhook("sms", given["gateway"], clock.now, given["callback"], given["secret"])
    async with Keeper(Path(given["socket"])) as keeper:
        centres = {"zh": "示例中心", "en": "Example Centre"}
        errands = Errands(store, keeper, clock, bytes.fromhex(given["box"]), {"sms": Deadly(webhook)}, None, centres, given["origin"])
        courier = Courier(store, clock, errands.handlers, f"courier-{os.getpid()}")
        while await courier.once():
            pass
    await store.close()


asyncio.run(main())
