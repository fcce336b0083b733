"""Web, keeper and courier killed at any moment of draws that go on, with answers arriving: one attempt each, the panel that its seed says, every message once."""

from __future__ import annotations

import asyncio
import os
import random
import time
from types import SimpleNamespace

import aiohttp

from drawing.canonical import dumps, loads
from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import Attested, Checked, Committed, Contributed, Notified, RoundContributed, Unsealed, draft_digest
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.openings import parse_openings
from drawing.roll import parse_roll_file
from drawing.sealed import unseal
from drawing.verify import Files, verify
from server.adapters.clock import SystemClock
from server.app import own_web
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.passwords import Cost, Hasher
from server.auth.sign_in import Request
from server.demo.gateway import DemoGateway, serving
from server.keeper.client import Keeper
from server.keeper.draw_verbs import DrawFile
from server.material import attest_openings, attest_roll
from server.places import places_of
from server.services import draws
from server.services.desk import Caller, furnished
from server.storage.store import Store
from tests.conftest import counts
from tests.server.draws.hall import CENTRE, REQUEST, Hall, outsider
from tests.server.draws.post import OUT, SECRET, Post
from tests.server.draws.site import SiteHall
from tests.server.service.machine import Service, free_port
from tests.server.service.people import Keys

OF_A_DRAW = 6  # kills
ROLES = (("web",), ("keeper",), ("courier",), ("web", "keeper", "courier"))
LEAVE = 2  # how many of those called first decline
PATIENCE = 150  # seconds for a step, killed or not; a lease is 60


class Outside(SiteHall):
    """People with keys of their own around a service of real processes. Use as a context."""

    key_approvers = Hall.key_approvers

    def __init__(self, service, console):
        self.service, self.people, self.networks, self.approved, self.numbers = service, 300, (), {}, 0
        self.house = Keys()
        self.house.people, self.house.ceremony = {}, SimpleNamespace(console=console)
        self.house.place = {"rp": "localhost", "origin": service.settings.origin}
        self.supervisors = [outsider("supervisor", "bureau/one", "bureau"), outsider("supervisor", "discipline/two", "discipline")]
        self.contributors = [outsider("contributor", "notary/c", "notary"), outsider("contributor", "other/c", "other centre")]
        self.folder = service.folder.parent
        self.out = places_of(service.settings).out

    async def __aenter__(self):
        self.store = await Store.open(self.service.owner)
        self.house.client = lambda: Keeper(places_of(self.service.settings).socket)
        await self.furnish()
        clerk = {"id": "a" * 32, "kind": "staff", "administers": "", "created_at": self.now()}
        await self.store.write(lambda tx: tx.insert("person", clerk, "test"), self.now())
        self.hasher = Hasher(1, cost=Cost(8 << 10, 1))
        self.desk = furnished(self.store, self.keeper, self.hasher, os.urandom, self.now)
        return self

    async def __aexit__(self, *_):
        await self.keeper.close()
        await self.store.close()
        self.hasher.close()

    def clerk(self):
        grants = frozenset({Grant(Role.DRAW_CLERK, CENTRE)})
        return Caller(
            Actor(PersonId("a" * 32), AccountId("b" * 32), grants, Level.STEPPED_UP, passkey=True), None, Request(self.now(), "127.0.0.1")
        )

    async def there(self, kind, least=1, **fields):
        """Whether the log has so many such events."""
        bodies = [each.body for each in await self.events() if isinstance(each.body, kind)]
        return sum(all(getattr(each, name) == value for name, value in fields.items()) for each in bodies) >= least

    async def attest_part(self, n, scope):
        value = loads((await self.advance()).body, place="body")
        draft = shape_of(Committed).read(value["body"], "body")
        file = await self.sealed_file(scope, self.supervisors[n])
        if scope == "openings":
            digest = attest_openings(parse_openings(file), draft.terms, draft.evaluation_at)
        else:
            roll = parse_roll_file(file)[-1]
            digest = attest_roll(roll, draft.terms, first_need(roll, draft.terms.plan))
        await self.append(Attested(draft_digest(draft), digest, scope), self.supervisors[n])

    async def insist(self, step, done):
        """Again until it is so: a client whose service was killed under it comes back."""
        end, last = time.monotonic() + PATIENCE, None
        while not await done():
            try:
                await step()
            except (Refused, OSError, aiohttp.ClientError) as failed:
                last = failed
                await asyncio.sleep(0.1)
            if time.monotonic() > end:
                raise AssertionError(f"{last} {await self.stands()}")

    async def stands(self):
        async with self.store.reading() as tx:
            told = [(row["slot"], row["occupant"], row["kind"], row["state"]) for row in await tx.all("notice", draw=self.draw)]
            waiting = await tx.one("stand", draw=self.draw)
        return dict(waiting or {}), told, [each.type for each in await self.events()]


async def to_the_answers(hall):
    """A draw that was begun, until people are called."""
    events = hall.there
    for n, scope in enumerate(("openings", "roll")):
        await hall.insist(lambda n=n, scope=scope: hall.attest_part(n, scope), lambda scope=scope: events(Attested, scope=scope))
    await hall.insist(lambda: signed(hall, "committed", "commit", hall.supervisors[:1], ("boss", "sup1")), lambda: events(Committed))
    for key in hall.contributors:
        await hall.insist(lambda key=key: contributed(hall, key), lambda key=key: events(Contributed, key=key.name))
    await hall.insist(hall.advance, lambda: events(Notified))


async def play(hall, post):
    """A draw that was begun, to its end."""
    await to_the_answers(hall)
    events = hall.there

    async def stand():
        row = await post.stand()
        return row["waiting"] if row else ""

    answered = {}

    async def seated():
        return await stand() == "check" or (await hall.project()).draw.phase is Phase.CLOSED

    async def answers():
        for each in post.messages():
            if each.id not in answered:
                given = {"state": "left", "reason": "ill"} if len(answered) < LEAVE else {"state": "accepted"}
                status, text = await post.press(each.token, **given)
                if status == 503:
                    raise OSError(status)
                assert status == 200, text[:300]
                answered[each.id] = given["state"]
        if await stand() == "contribution":
            number = (await hall.project()).draw.round
            left = [key for key in hall.contributors if not await events(RoundContributed, key=key.name, round=number)]
            await hall.contribute_to_round(left)
            if not left:  # a killed courier's job is taken up when its lease is over; the clerk need not wait for that
                await draws.proceed(hall.desk, hall.draw, hall.clerk())
        await asyncio.sleep(0.1)

    await hall.insist(answers, seated)
    await hall.insist(hall.check, lambda: events(Checked))
    await hall.insist(lambda: signed(hall, "unsealed", "unseal", hall.supervisors, ("sup1", "sup2")), lambda: events(Unsealed))

    async def closed():
        return (await hall.project()).draw.phase is Phase.CLOSED

    await hall.insist(lambda: signed(hall, "closed", "commit", hall.supervisors[:1], ()), closed)
    return answered


async def signed(hall, kind, action, keys, approvers):
    await hall.advance()
    await hall.sign_draft(kind, action, *keys, approvers=approvers)


async def contributed(hall, key):
    value = {"type": "contributed", **shape_of(Contributed).write(await hall.contribution(key))}
    await draws.contribute(hall.desk, hall.draw, dumps(value), hall.now())


async def kill(service, chance, number):
    """So many kills, each at some moment after the one before."""
    for n in range(number):
        await asyncio.sleep(chance.uniform(0.05, 1.5))
        await asyncio.to_thread(service.kill, *ROLES[n % len(ROLES)])


async def own_file(hall, what):
    got = await hall.keeper.ask(DrawFile(hall.draw, what))
    return unseal((hall.out / got.name).read_bytes(), hall.supervisors[0].box_secret)


async def judged(hall, post):
    """What the draw came to, looked at from outside."""
    events = await hall.events()
    project = await hall.project()
    assert len(project.attempts) == 1
    files = Files(await hall.proof(), hall.keys_file, await own_file(hall, "roll"), await own_file(hall, "openings"))
    report = verify(files)  # the seed follows from what was contributed, and the panel from the seed
    assert report.failed == (), [(each, report.outcome(each).faults[:2]) for each in report.failed]
    called = [(each.slot, event.head.seq) for event in events if isinstance(event.body, Notified) for each in event.body.notices]
    assert len(set(called)) == len(called)
    calls = [each for each in post.messages() if each.id in hall.heard]
    assert len({(each.to, each.token) for each in calls}) == len(calls) == len(called)

    async with hall.store.reading() as tx:
        states = [row["state"] for row in await tx.all("notice", draw=hall.draw)]
    assert not {"due", "sending", "uncertain"} & set(states), states
    return len(called)


async def run_draws(service, console, port, kills):
    """Draw after draw, each with its kills; how many people were called."""
    chance, called = random.Random(11), 0
    gateway = DemoGateway(SECRET, OUT, SystemClock().now)
    async with (
        Outside(service, console) as hall,
        serving(gateway, own_web(), port),
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        post = Post(hall)
        post.gateway, post.http, post.origin = gateway, http, service.settings.origin
        for _ in range(-(-kills // OF_A_DRAW)):
            text = REQUEST.format(number=f"DEMO-{os.urandom(4).hex()}", method="uniform/1")
            await hall.follow(await draws.begin(hall.desk, CENTRE, text.encode(), hall.clerk()))
            before = set(gateway.taken)
            killing = asyncio.create_task(kill(service, chance, OF_A_DRAW))
            await play(hall, post)
            await killing
            hall.heard = set(gateway.taken) - before
            called += await judged(hall, post)
    return called


def test_killed_anywhere_a_draw_is_one_attempt_with_the_panel_of_its_seed_and_every_message_is_sent_once(tmp_path, base):
    port, service = free_port(), Service(tmp_path / "d", base, real=True)
    console = service.set_up().console
    kills = counts("kills around running draws, each database", OF_A_DRAW, 150)
    try:
        service.start(LOTROOM_SMS_ADDRESS=f"http://127.0.0.1:{port}/send", LOTROOM_SMS_SECRET=SECRET, LOTROOM_CALLBACK_SECRET=OUT)
        called = asyncio.run(run_draws(service, console, port, kills))
        service.stop()
        report = service.checked()
    finally:
        service.end()
    print(f"{kills} kills, {called} people called once each, {report['size']} leaves")
    assert called > 5
