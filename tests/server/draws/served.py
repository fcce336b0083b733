"""A hall with its web process, and supervisors who come with `lotroom supervise` from machines of their own: folders with a key, a list, a token."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import ClientSession, DummyCookieJar
from aiohttp import web as aioweb

from server.adapters.clock import SystemChance
from server.app import build, parts_of
from server.auth import logins, service_tokens
from server.auth.logins import Kind
from server.auth.model import AccountId, CentreId, Grant, PersonId, Role
from server.auth.passwords import Cost, Hasher
from server.auth.people import Account, AccountState
from server.auth.service_tokens import TokenId
from server.config import Settings
from server.handlers.doorway import Runner
from server.keyfiles import write_key
from server.services.desk import furnished, pass_text
from server.storage import accounts
from server.storage import service_tokens as rows
from tests.server.draws.hall import CENTRE, Hall
from tests.server.web.live import COMPILED

SCOPES = ("draw.list", "draw.read", "draw.sign")


class Clock:
    """The hall's."""

    def __init__(self, hall):
        self.hall = hall

    def now(self):
        return self.hall.now()

    def steady_ms(self):
        return 0


class Machines:
    """Of supervisors, around a hall whose service is at `address`: folders with a key, a list, a token. `ahead`: by how many seconds their clocks are."""

    ahead = 0

    async def equip(self):
        """One for each supervisor."""
        self.token = await self.service_token(*SCOPES)
        self.machines = [self.machine(f"machine{n}", key) for n, key in enumerate(self.supervisors)]

    async def service_token(self, *scopes, role=Role.SUPERVISOR, centre=CENTRE):
        now = self.now()
        made_id = os.urandom(16).hex()
        secret, made = service_tokens.make(
            TokenId(made_id), "监督机", role, centre, scopes, PersonId("a" * 32), os.urandom(32), now, 86_400
        )

        async def work(tx):
            if await tx.one("person", id="a" * 32) is None:
                await tx.insert("person", {"id": "a" * 32, "kind": "staff", "administers": "", "created_at": now}, "test")
            await rows.add(tx, made)
            row = {"centre": None, "action": "tokens.make", "subject": "x/y", "digest": made.digest, "needs": "[]", "state": "used"}
            more = {"asked_by": "a" * 32, "terms": '{"about":{"name":"监督机"},"concerns":[]}', "asked_at": now, "expires_at": now + 9}
            approval = await tx.insert("approval", {**row, **more}, "test")
            await rows.let_in(tx, made.id, approval, "test")

        await self.store.write(work, now)
        return secret

    def machine(self, name, key, keys=None, token=None):
        """A folder of a machine that is not the centre's."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        write_key(key, folder / "my.key")
        (folder / "keys.json").write_bytes(keys or self.keys_file)
        (folder / "token").write_text((token or self.token) + "\n")
        (folder / "token").chmod(0o600)
        return folder

    async def supervise(self, machine, *words, code=0):
        """The client as a process of its own: what it said, line by line."""
        files = {path: path.read_bytes() for path in machine.iterdir()}
        process = await self.client(machine, "--json", *words)
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == code, (process.returncode, out.decode(), err.decode())
        assert {path: path.read_bytes() for path in machine.iterdir()} == files  # nothing was written, in clear or otherwise
        return [json.loads(line) for line in out.decode().splitlines()], err.decode()

    async def client(self, machine, *words, lang="en"):
        """The process itself."""
        given = ("supervise", self.address, "--key", "my.key", "--keys", "keys.json", "--token-file", "token", *words)
        more = {"LOTROOM_LANG": lang, "LOTROOM_TEST_AHEAD": str(self.house.offset + self.ahead), "PYTHONPATH": os.pathsep.join(sys.path)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.server.draws.client", *given, cwd=machine, env={**os.environ, **more, "PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def attested(self):
        """Both clients, each with what it may open."""
        await self.advance()
        return [await self.supervise(each) for each in self.machines]


class Served(Machines, Hall):
    """A hall whose service is asked over HTTP."""

    def __init__(self, folder, store, url, **more):
        super().__init__(folder, store, url, **more)
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.out = self.data / "out"
        self.house.given["out"] = str(self.out)

    async def furnish(self):
        await super().furnish()
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{listening.getsockname()[1]}"
        settings = Settings(origin=self.address, insecure_demo=True, data_folder=str(self.data))
        self.hasher = Hasher(1, cost=Cost(8 << 10, 1))
        self.desk = furnished(self.store, self.keeper, self.hasher, os.urandom, self.now)
        self.runner = Runner(build(settings, parts_of(self.desk, clock=Clock(self), chance=SystemChance()), compiled=COMPILED))
        await self.runner.setup()
        await aioweb.SockSite(self.runner, listening).start()
        await self.equip()
        return self

    async def __aexit__(self, *given):
        await self.runner.cleanup()
        self.hasher.close()
        await super().__aexit__(*given)


async def signed_in(hall, name, role, keeper_person):
    """A browser's cookies of somebody who has confirmed: the login is the database's, the pass the keeper gave to one of its people."""
    now = hall.now()
    account, person = (sha256(f"{each}{name}".encode()).hexdigest()[:32] for each in ("account", "person"))
    made = Account(AccountId(account), PersonId(person), CentreId(CENTRE), name, Kind.STAFF, AccountState.ACTIVE, None, now, False, 1)

    async def rows_of(tx):
        await accounts.add_person(tx, made, "staff", "test")
        await accounts.give_role(tx, made.person, Grant(role, CentreId(CENTRE)), None, "test")

    await hall.store.write(rows_of, now)
    secret, hashed = logins.token(os.urandom(32))
    shown = (logins.Event.PASSWORD_RIGHT, logins.Event.PASSKEY_RIGHT)
    where = sha256(b"ip:127.0.0.1\nx").digest()
    begun = logins.Login(
        logins.LoginId(os.urandom(16).hex()), made.id, Kind.STAFF, hashed, 0, now, now, logins.State.STEPPED_UP, shown, where
    )
    await hall.desk.house.logins.add(replace(begun, stepped_up_at=now, stepped_up_by=logins.Event.PASSKEY_RIGHT))
    handle = os.urandom(32)
    given = pass_text(handle, await hall.house.login(hall.keeper, keeper_person, sha256(handle).digest()))
    return {"lotroom-demo-login": secret, "lotroom-demo-pass": given}


class Browser:
    """One browser, without a window."""

    def __init__(self, hall, cookies=()):
        self.address, self.cookies, self.csrf = hall.address, dict(cookies), ""

    async def ask(self, method, path, fields=(), lang="zh"):
        """(status, headers, body)."""
        headers = {"User-Agent": "x", "Accept-Language": lang, "Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())}
        data = None
        if method == "POST":
            headers |= {"Origin": self.address, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
            data = urlencode([("csrf", self.csrf), *fields])
        given = {"data": data, "headers": headers, "allow_redirects": False}
        async with (
            ClientSession(cookie_jar=DummyCookieJar()) as session,
            session.request(method, self.address + path, **given) as answer,
        ):
            body = await answer.read()
            for each in answer.headers.getall("Set-Cookie", ()):
                key, _, value = each.partition(";")[0].partition("=")
                self.cookies[key] = value
            found = re.search(rb'name="csrf" value="([^"]+)"', body)
            self.csrf = found[1].decode() if found else self.csrf
            return answer.status, answer.headers, body
