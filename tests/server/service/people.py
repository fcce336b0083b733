"""People who use a service of real processes: settled through its own database and keeper, seen through its pages."""

import asyncio
import base64
import http.client
import threading

from server.auth.model import Role
from server.keeper.client import Keeper
from server.keeper.people import code_at
from server.places import places_of
from server.storage.store import Store
from tests.server.desk.site import ADMINS, CENTRE, Clock, Desk
from tests.server.keeper.house import House
from tests.server.web.live import Answer


class Keys(House):
    """What a House knows of subjects and times, of a keeper that somebody else started."""

    def __init__(self):
        self.offset, self.asked = 0, 0


class People(Desk):
    """The three administrators and whoever is settled. Use as a context."""

    def __init__(self, service, console):
        self.about(service)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.run(self._begin(console))

    def about(self, service):
        """Where the service is; enough for visitors without an account."""
        self.service, self.settings, self.port = service, service.settings, service.port
        self.origin = self.settings.origin
        self.host = self.origin.partition("://")[2]
        self.house, self.keys, self.secrets, self._steps = Keys(), {}, {}, {}
        self.clock = Clock(self.house)
        return self

    async def _begin(self, console):
        self.store = await Store.open(self.service.owner)
        self.keeper = Keeper(places_of(self.settings).socket)
        now = self.clock.now()

        async def centre(tx):
            if await tx.one("centre", id=CENTRE) is None:
                await tx.insert("centre", {"id": CENTRE, "code": "load", "name": "x", "created_at": now}, "test")

        await self.store.write(centre, now)
        grant = (await self.keeper.bootstrap(console)).grant
        for name, role in ADMINS.items():
            await self._settle(name, role, totp=False, passkeys=1)
            await self._first_key(name, bootstrap=grant, role=role.value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        async def end():
            await self.keeper.close()
            await self.store.close()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def code(self, name):
        """A code that was not shown yet: of the step before, of this one, of the next."""
        step = self._steps[name] = self._steps.get(name, -2) + 1
        return code_at(base64.b32decode(self.secrets[name]), self.clock.now() // 30 + step)

    def clerk(self, name="he.xiaowen"):
        """A draw clerk who is signed in and has confirmed."""
        self.settle(name, Role.DRAW_CLERK)
        return self.visitor().as_(name)

    def ask(self, method, path, body=None, headers=None, host="", seconds=40):
        """One request, exactly as told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, {"Host": host or self.host, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
