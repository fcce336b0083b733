"""People with keys of their own around a service of real processes: what supervisors and contributors do with clients of theirs, and a clerk asks for."""

from __future__ import annotations

import asyncio
import os
import time
from types import SimpleNamespace

import aiohttp

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.events import Attested, Committed, Contributed, Notified, draft_digest
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.openings import parse_openings
from drawing.roll import parse_roll_file
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.passwords import Cost, Hasher
from server.auth.sign_in import Request
from server.keeper.client import Keeper
from server.material import attest_openings, attest_roll
from server.places import places_of
from server.services import draws
from server.services.desk import Caller, furnished
from server.storage.store import Store
from tests.server.draws.hall import CENTRE, Hall, outsider
from tests.server.draws.site import SiteHall
from tests.server.service.people import Keys

PATIENCE = 150  # seconds for a step, killed or not; a lease is 60


class Outside(SiteHall):
    """Use as a context."""

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


async def signed(hall, kind, action, keys, approvers):
    await hall.advance()
    await hall.sign_draft(kind, action, *keys, approvers=approvers)


async def contributed(hall, key):
    value = {"type": "contributed", **shape_of(Contributed).write(await hall.contribution(key))}
    await draws.contribute(hall.desk, hall.draw, dumps(value), hall.now())
