"""A keeper in a folder: its ceremony, its process, people with passkeys. What the tests act with."""

import asyncio
import base64
import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from copy import copy

from server.keeper import sealed
from server.keeper.client import Keeper
from server.keeper.people import code_at
from server.keeper.rules import EVERYWHERE, Grant, Grants, Subject, grant_digest
from server.keeper.verbs import Field
from tests.server.keeper.authenticator import Authenticator

LOGIN = bytes(range(32))
NAMES = ("王玉兰", "Li Gang", "赵喆", "custodian-4", "custodian-5")


class House:
    place = {}  # of passkeys, where it is not the usual one

    def __init__(self, folder, *, demo=False, suite=1, needed=3, **given):
        self.folder = folder
        self.given = {"demo": demo, **given}
        self.ceremony = sealed.make_root(() if demo else NAMES, needed, suite, int(time.time()), secrets.token_bytes, demo=demo)
        sealed.write_sealed(self.ceremony.file, folder / "sealed", new=True)
        (folder / "s").mkdir(mode=0o700)
        self.socket = folder / "s" / "keeper.sock"
        self.process = None
        self.offset = 0
        self.people = {}
        self.asked = 0

    def copy(self, folder):
        """The same house at another place, as it was left."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("log"))
        made = copy(self)
        made.folder, made.socket, made.process = folder, folder / "s" / "keeper.sock", None
        made.people = {person: copy(each) for person, each in self.people.items()}
        return made

    @contextmanager
    def running(self, **more):
        self.start(**more)
        try:
            yield self
        finally:
            self.stop()

    def start(self, **more):
        (self.folder / "keeper.json").write_text(json.dumps({**self.given, **more}))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.server.keeper.run", str(self.folder)], stdout=subprocess.PIPE, stderr=log
            )
        line = self.process.stdout.readline()
        assert line == b"ready\n", (self.folder / "log").read_text()

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(20)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def move_clock(self, seconds):
        self.offset += seconds
        (self.folder / "clock.new").write_text(str(self.offset))
        (self.folder / "clock.new").rename(self.folder / "clock")

    def now(self):
        return int(time.time()) + self.offset

    def client(self):
        return Keeper(self.socket)

    async def unseal(self, keeper):
        for name in NAMES[: self.ceremony.file.needed]:
            status = await keeper.unseal_share(name, self.ceremony.shares[name])
        assert not status.sealed

    # People -------------------------------------------------------------------------------------------------------------------------

    async def administrators(self, keeper):
        """The three, by the console's secret: `system`, `security`, `audit`."""
        grant = (await keeper.bootstrap(self.ceremony.console)).grant
        for role in ("system_admin", "security_admin", "audit_admin"):
            person = role.removesuffix("_admin")
            await self.passkey(keeper, person, bootstrap=grant, role=role)

    async def passkey(self, keeper, person, *, alg=-7, **more):
        """A passkey of a person, kept in `people`."""
        made = Authenticator(alg=alg, **self.place)
        asked = await keeper.enrol_passkey_options(person, f"{person} 的密钥", **more)
        enrolled = await keeper.enrol_passkey(asked.challenge, made.create(asked.options))
        self.people[person] = made
        return enrolled

    def subject(self, action, about, digest, centre="c1", seconds=3600):
        return Subject(action, centre, digest, self.now() + seconds, about)

    async def approve(self, keeper, subject, *people, grants=None):
        answer = None
        for person in people:
            asked = await keeper.approval_challenge(person, subject, grants)
            answer = await keeper.approve(asked.challenge, self.people[person].get(asked.options))
        return answer

    async def enrol(self, keeper, person, *, alg=-7):
        """A passkey that the security administrator approved."""
        enrolled = await self.passkey(keeper, person, alg=alg)
        assert (await self.approve(keeper, self.subject("enrol", enrolled.credential, enrolled.digest), "security")).used
        return enrolled

    async def grant(self, keeper, person, *roles, centre="c1"):
        grants = Grants(tuple(Grant(centre, role) for role in roles))
        self.asked += 1  # the same roles twice in a second are two subjects
        subject = self.subject("grant", person, grant_digest(person, grants), EVERYWHERE, 3600 + self.asked)
        assert (await self.approve(keeper, subject, "security", "audit", grants=grants)).used

    async def member(self, keeper, person, *roles, centre="c1"):
        await self.enrol(keeper, person)
        await self.grant(keeper, person, *roles, centre=centre)

    async def login(self, keeper, person, login=LOGIN):
        asked = await keeper.login_challenge(person)
        return await keeper.check_passkey(asked.challenge, self.people[person].get(asked.options), login)

    def code(self, secret, step=0):
        return code_at(base64.b32decode(secret), self.now() // 30 + step)


def forms(raw):
    """A key as anybody might print it; of bytes also as a part of longer ones."""
    coded = [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    return (raw.hex(), raw.hex().upper(), repr(raw)[2:-1], str(list(raw))[1:-1], str(int.from_bytes(raw, "big")), *coded)


def run(work):
    return asyncio.run(work)


async def house_of_people(folder, walk, **given):
    """A demonstration keeper with its administrators, and what is done in it."""
    house = House(folder, demo=True, **given)
    house.start()
    try:
        async with house.client() as keeper:
            await house.administrators(keeper)
            await walk(house, keeper)
    finally:
        house.stop()


def field(row, column, value, *, table="person", index="none"):
    return Field(column, index, row, table, value if isinstance(value, bytes) else value.encode())
