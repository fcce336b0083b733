"""Ids of another centre, of other people, and of nothing: whoever names one learns nothing of what is behind it."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from drawing.errors import Refused
from server.auth.approvals import Proposal, ProposalId
from server.auth.logins import Kind
from server.auth.model import CentreId, Grant, PersonId, Role
from server.auth.people import Account, AccountState, Change
from server.auth.permissions import TABLE
from server.auth.sign_in import Request
from server.handlers.ask import Kind as RouteKind
from server.handlers.ask import csrf_token
from server.handlers.routes import DESK, ID, PROGRAMS
from server.services import account as own_account
from server.services import approvals, people, tokens
from server.services.desk import Caller
from server.services.sign_in import who
from server.storage import accounts
from server.storage import proposals as stored
from tests.conftest import counts
from tests.server.desk.site import CENTRE, id_of
from tests.server.desk.test_matrix import enter

OTHER = CentreId("d" * 32)
PLACE = sha256(b"ip:127.0.0.1\nx").digest()
CANARY = "canary-of-the-other-centre"
ROLES = (Role.DRAW_CLERK, Role.SITE_HOST, Role.SUPERVISOR, Role.APPROVER, Role.ARCHIVIST, Role.EXPERT)
WRONG = {"not_found", "not_your_role", "step_up", "step_up_passkey", "passkey_first", "sign_in", "own_approval", "token_scope"}


@dataclass(frozen=True)
class World:
    """Ids of things of the other centre and of other people, and the callers of this one: their tokens and, in process, who they are."""

    ids: tuple[str, ...]
    tokens: tuple[str, ...]
    callers: tuple[Caller, ...]


@pytest.fixture(scope="module")
def world(site):
    now = site.clock.now()
    there = Account(id_of("a" + CANARY), PersonId(id_of(CANARY)), OTHER, CANARY, Kind.STAFF, AccountState.ACTIVE, None, 0, True, 1)

    async def fill(tx):
        await tx.insert("centre", {"id": OTHER, "code": "other", "name": CANARY, "created_at": now}, "test")
        await accounts.add_person(tx, there, "staff", "test")
        await accounts.give_role(tx, there.person, Grant(Role.SITE_HOST, OTHER), None, "test")
        key = {"account": there.id, "person": there.person, "credential": uuid4().bytes, "public_key": bytes(32), "name": CANARY}
        passkey = await tx.insert("passkey", {**key, "created_at": now}, "test")
        made = Proposal(
            ProposalId(uuid4().hex),
            "people.stand_in",
            bytes(32),
            OTHER,
            there.person,
            frozenset(),
            TABLE["people.stand_in"].approvals,
            now,
            now + 86_000,
        )
        await stored.add(tx, made, f"person/{there.person}", CANARY, {"account": CANARY})
        return [there.person, there.id, passkey, made.id]

    ids = site.run(site.store.write(fill, now))
    enter(site, CANARY, "code again")
    secrets, callers = [], []
    for role in ROLES:
        name = f"f.{role}"
        site.run(site._settle(name, role, totp=False, passkeys=1))
        secret = enter(site, name, "passkey again")
        secrets.append(secret)
        request = Caller(request=Request(now, "127.0.0.1", b""))
        found, _, _ = site.run(who(site.desk, secret, Caller(request=Request(site.clock.now(), "127.0.0.1", PLACE))))
        callers.append(Caller(found.actor, found.login, request.request, ""))
    return World((*ids, id_of(CANARY + "code again")), tuple(secrets), tuple(callers))


CALLS = {
    "approvals.card": approvals.card,
    "approvals.vote_options": approvals.vote_options,
    "approvals.refuse": lambda desk, one, caller: approvals.refuse(desk, one, "no", caller),
    "approvals.withdraw": approvals.withdraw,
    "approvals.collect": approvals.collect,
    "approvals.approve": lambda desk, one, caller: approvals.approve(desk, one, "{}", caller),
    "account.end_login": own_account.end_login,
    "account.remove_passkey": own_account.remove_passkey,
    "people.one": people.one,
    "people.end": lambda desk, one, caller: people.end(desk, one, Change.SUSPENDED, caller),
    "people.end_logins": people.end_logins,
    "people.name_of": lambda desk, one, caller: people.name_of(desk, one, "r", caller),
    "people.ask_for_role": lambda desk, one, caller: people.ask_for_role(desk, one, Role.EXPERT, "r", caller),
    "tokens.revoke": tokens.revoke,
}


def test_a_foreign_id_gives_no_foreign_byte_in_process(site, world):
    number = counts("foreign-id calls of use cases, each database", 3_000, 250_000)
    chance = random.Random(7)

    async def all_of_them():
        answers = {}
        for _ in range(number):
            name, call = chance.choice(list(CALLS.items()))
            one = chance.choice((*world.ids, uuid4().hex))
            caller = chance.choice(world.callers)
            try:
                given = await call(site.desk, one, caller)
            except Refused as refused:
                said = f"{refused.code} {refused.place} {refused.params}"
                assert refused.code in WRONG, (name, said)
            else:
                raise AssertionError((name, one, given))
            assert CANARY not in said
            answers.setdefault((name, id(caller)), set()).add(said.partition(" ")[0])  # the place of these is shown to nobody
        return answers

    found = asyncio.run_coroutine_threadsafe(all_of_them(), site.loop).result(3_600)
    # What is there and what is not are answered alike.
    assert all(len(each) == 1 for each in found.values()), [key for key, each in found.items() if len(each) > 1]


def test_a_foreign_id_gives_no_foreign_byte_over_http(site, world):
    number = counts("foreign-id calls over HTTP, each database", 2_000, 250_000)
    chance = random.Random(11)
    routes = [route for route in (*DESK, *PROGRAMS) if "{id:" in route.path]
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    visit = site.visitor()
    visit.get("/sign-in")
    cookie = visit.cookies["lotroom-demo-visit"]
    foreign = 0
    for _ in range(number):
        role = chance.randrange(len(ROLES))
        route, one = chance.choice(routes), chance.choice((*world.ids, uuid4().hex))
        token = csrf_token(urlsafe_b64decode(cookie + "="), id_of(f"f.{ROLES[role]}" + "passkey again"))
        headers = {
            "Host": site.host, "User-Agent": "x", "Cookie": f"lotroom-demo-login={world.tokens[role]}; lotroom-demo-visit={cookie}",
            "Origin": site.origin, "X-CSRF-Token": token,
        }  # fmt: skip
        body = None
        if route.method == "POST":
            api = route.kind is RouteKind.API
            fields = {"assertion": "{}"} if "approve" in route.name else {"reason": "r"}
            fields |= {"role": "expert"} if "role" in route.name else {}
            body = json.dumps(fields).encode() if api else urlencode(fields).encode()
            headers["Content-Type"] = "application/json" if api else "application/x-www-form-urlencoded"
        path = route.path.replace(ID, one).replace("{type:[a-z]{3,12}}", "committed")
        assert "{" not in path
        connection.request(route.method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (400, 401, 403, 404, 422), (route.name, role, answer.status, text[:300])
        foreign += CANARY.encode() in text
    connection.close()
    assert foreign == 0
    assert CENTRE != OTHER
