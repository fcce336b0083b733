"""The whole service of a test: a real keeper process, a real database, the web process in a thread; people with passwords, code apps and passkeys."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import threading
from hashlib import sha256
from pathlib import Path

from aiohttp import web as aioweb

from server.adapters.clock import SystemChance, SystemClock
from server.app import build, parts_of
from server.auth.logins import Kind
from server.auth.model import EVERYWHERE, AccountId, CentreId, Grant, PersonId, Role
from server.auth.passwords import Cost, Hasher, hash_password
from server.auth.people import Account, AccountState
from server.config import Settings
from server.handlers.ask import SITE
from server.handlers.doorway import Runner
from server.keeper.client import Keeper
from server.keeper.people import code_at
from server.services.approvals import keeper_grants
from server.services.desk import furnished
from server.storage import accounts
from server.storage.store import Store
from tests.server.keeper.authenticator import Authenticator
from tests.server.keeper.house import House
from tests.server.web.live import COMPILED, Browser, Live

CHEAP = Cost(8 << 10, 1)
PASSWORD = "Rosin-tulip-43-kelp"
CENTRE = CentreId("c" * 32)
ADMINS = {"sun.xitong": Role.SYSTEM_ADMIN, "an.quan": Role.SECURITY_ADMIN, "shen.ji": Role.AUDIT_ADMIN}


def id_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


async def begin_log(url: str, now: int) -> None:
    store = await Store.open(url)
    await store.write(lambda tx: tx.begin_log("lotroom.test/log", "console"), now)
    await store.close()


class Clock:
    """The wall's, as far ahead as the test has moved it."""

    def __init__(self, house: House) -> None:
        self.house, self.system = house, SystemClock()

    def now(self) -> int:
        return self.system.now() + self.house.offset

    def steady_ms(self) -> int:
        return self.system.steady_ms()


class Desk(Live):
    """A running service and those who use it."""

    def __init__(self, folder: Path, url: str, *, settings=None, **given) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.host = f"localhost:{self.port}"
        self.origin = f"http://{self.host}"
        self.settings = Settings(origin=self.origin, insecure_demo=True, **(settings or {}))
        self.house = House(folder, demo=True, rp="localhost", origins=[self.origin], **given)
        if "database" in given:  # the keeper reads the log there
            beginning = threading.Thread(target=lambda: asyncio.run(begin_log(url, self.house.now())))  # a browser's test has a loop here
            beginning.start()
            beginning.join()
        self.house.start()
        self.clock = Clock(self.house)
        self.keys: dict[str, Authenticator] = {}
        self.secrets: dict[str, str] = {}
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        def run() -> None:
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(self._start(url))
            started.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert started.wait(30)

    async def _start(self, url: str) -> None:
        self.store = await Store.open(url)
        self.keeper = Keeper(self.house.socket)
        self.hasher = Hasher(2, cost=CHEAP)
        self.desk = furnished(self.store, self.keeper, self.hasher, os.urandom, self.clock.now)
        self.app = build(self.settings, parts_of(self.desk, clock=self.clock, chance=SystemChance()), compiled=COMPILED)
        self.site = self.app[SITE]
        self.runner = Runner(self.app)
        await self.runner.setup()
        await aioweb.SockSite(self.runner, self.socket).start()
        centre = {"id": CENTRE, "code": "cs", "name": "中心", "created_at": self.clock.now()}
        await self.store.write(lambda tx: tx.insert("centre", centre, "test"), self.clock.now())
        grant = (await self.keeper.bootstrap(self.house.ceremony.console)).grant
        for name, role in ADMINS.items():
            await self._settle(name, role, totp=False, passkeys=1)
            await self._first_key(name, bootstrap=grant, role=role.value)

    def stop(self) -> None:
        async def end() -> None:
            await self.runner.cleanup()
            await self.keeper.close()
            await self.store.close()

        self.run(end())
        self.hasher.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        self.house.stop()

    def run(self, work):
        """Something of the service itself, from the test's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    # People -----------------------------------------------------------------------------------------------------------------------------

    async def _settle(self, name: str, *roles: Role, totp: bool = True, passkeys: int = 0, **more) -> Account:
        centre = EVERYWHERE if name in ADMINS else CENTRE
        password = hash_password(PASSWORD, bytes(16), CHEAP)
        now = self.clock.now()
        made = Account(
            AccountId(id_of("a" + name)),
            PersonId(id_of(name)),
            centre,
            name,
            more.pop("kind", Kind.STAFF),
            more.pop("state", AccountState.ACTIVE),
            password,
            now,
            totp,
            passkeys,
        )

        async def work(tx):
            await accounts.add_person(tx, made, "staff", "test")
            for role in roles:
                await accounts.give_role(tx, made.person, Grant(role, centre), None, "test")

        await self.store.write(work, now)
        if totp:
            self.secrets[name] = await self.keeper.enrol_totp(made.person)
        return made

    async def _first_key(self, name: str, **more) -> None:
        key = Authenticator(rp="localhost", origin=self.origin)
        asked = await self.keeper.enrol_passkey_options(id_of(name), name, **more)
        enrolled = await self.keeper.enrol_passkey(asked.challenge, key.create(asked.options))
        self.keys[name] = key
        if not more:
            await self._approved("enrol", enrolled.credential, enrolled.digest, ("an.quan",))

    async def _approved(self, action, about, digest, people, grants=None) -> None:
        subject = self.house.subject(action, about, digest, "all", 3600)
        for name in people:
            asked = await self.keeper.approval_challenge(id_of(name), subject, grants)
            got = await self.keeper.approve(asked.challenge, self.keys[name].get(asked.options))
        assert got.used

    def settle(self, name: str, *roles: Role, passkey: bool = False, **more) -> Account:
        """Somebody at work. Their roles are the database's; the keeper's too where `passkey`."""

        async def work():
            made = await self._settle(name, *roles, passkeys=int(passkey), **more)
            if passkey:
                await self._first_key(name)
                if roles:
                    given = keeper_grants(frozenset(Grant(role, CENTRE) for role in roles))
                    from server.keeper.rules import grant_digest

                    await self._approved("grant", id_of(name), grant_digest(id_of(name), given), ("an.quan", "shen.ji"), given)
            return made

        return self.run(work())

    def code(self, name: str) -> str:
        """The next code of their app; time goes on, so that it is a fresh one."""
        self.house.move_clock(30)
        return code_at(base64.b32decode(self.secrets[name]), self.clock.now() // 30)

    def visitor(self) -> Visitor:
        return Visitor(self)


class Visitor(Browser):
    """A browser with somebody before it."""

    live: Desk

    def open(self, path: str):
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, problem(answer))
        return answer

    def upload(self, path: str, fields: dict[str, str], file: tuple[str, str, bytes]):
        """A form with a file, as browsers send it."""
        mark = "----lotroom0123456789"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode()
            for n, v in {"csrf": self.token, **fields}.items()
        ]
        name, called, data = file
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{called}"\r\nContent-Type: text/csv\r\n\r\n'
        return self.raw_upload(path, b"".join(parts) + head.encode() + data + f"\r\n--{mark}--\r\n".encode(), mark)

    def raw_upload(self, path: str, body: bytes, mark: str):
        return self.post(path, raw=body, **{"Content-Type": f"multipart/form-data; boundary={mark}"})

    def enter(self, name: str, password: str = PASSWORD):
        self.open("/sign-in")
        return self.post("/sign-in", (("account", name), ("password", password)))

    def with_code(self, name: str):
        """Password and code. Returns the answer."""
        answer = self.enter(name)
        assert answer.headers["Location"] == "/sign-in/second", problem(answer)
        self.open("/sign-in/second")
        answer = self.post("/sign-in/second", (("code", self.live.code(name)),))
        if answer.status == 303:
            self.open(answer.headers["Location"])
        return answer

    def options(self, path: str, *fields):
        answer = self.post(path, fields)
        assert answer.status == 200, (path, answer.status, problem(answer))
        return json.loads(answer.body)

    def with_passkey(self, name: str):
        self.open("/sign-in")
        asked = self.options("/sign-in/passkey/options", ("account", name))
        answer = self.post("/sign-in/passkey", (("account", name), ("assertion", self.live.keys[name].get(json.dumps(asked)))))
        if answer.status == 303:
            self.open(answer.headers["Location"])
        return answer

    def confirm(self, name: str):
        """The step-up, by the strongest that they have."""
        self.open("/step-up")
        if name in self.live.keys:
            asked = self.options("/sign-in/second/options")
            fields = (("assertion", self.live.keys[name].get(json.dumps(asked))),)
        else:
            fields = (("code", self.live.code(name)),)
        answer = self.post("/step-up", fields)
        assert answer.status == 303, problem(answer)
        self.open(answer.headers["Location"])
        return self

    def vote(self, name: str, title: str = ""):
        """Approve the newest that waits, or that whose title has these words. Returns the answer."""
        text = self.open("/approvals").text
        cards = re.findall(r'<h2 id="a-([0-9a-f]{32})">([^<]*)</h2>', text)
        found = next(each for each, words in cards if title in words)
        asked = self.options(f"/approvals/{found}/options")
        return self.post(f"/approvals/{found}/approve", (("assertion", self.live.keys[name].get(json.dumps(asked))),))

    def as_(self, name: str):
        """Signed in and confirmed."""
        answer = self.with_passkey(name) if name in self.live.keys else self.with_code(name)
        assert answer.status == 303, problem(answer)
        return self.confirm(name)


def problem(answer) -> str:
    """The code of a problem page, or what its form says is wrong."""
    found = re.search(r'class="problem-code">.*?<code>(\w+)</code>', answer.text, re.DOTALL)
    return found[1] if found else " ".join(re.findall(r'<a href="#[^"]*">([^<]*)</a></li>', answer.text))
