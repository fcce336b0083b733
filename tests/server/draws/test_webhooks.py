"""Signed webhooks: told once approved, without names, tried again, never where they may not go."""

from __future__ import annotations

import base64
import hmac
import json
import re
from contextlib import asynccontextmanager

import pytest
from aiohttp import web as aioweb

from drawing.errors import Refused
from server.adapters.webhooks import HookSender, signature_of
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.sign_in import Request
from server.courier import Courier
from server.hooks import Hooks
from server.services import webhooks
from server.services.desk import Caller
from server.webhook_address import Reach, allowed, check_address
from tests.server.desk.site import ADMINS, problem
from tests.server.draws.hall import CENTRE, Hall, people_names
from tests.server.draws.post import Post, free_port

SYSTEM, SECURITY, AUDIT = ADMINS
DEMO = Reach(demo=True)


class Receiver:
    """The other system: what came, and what it answers next."""

    def __init__(self):
        self.got, self.answers, self.port = [], [], free_port()

    async def take(self, request):
        self.got.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 204
        return aioweb.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


@asynccontextmanager
async def receiving():
    made = Receiver()
    app = aioweb.Application()
    app.router.add_route("*", "/{rest:.*}", made.take)
    runner = aioweb.AppRunner(app)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", made.port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


def administrator(hall):
    grants = frozenset({Grant(Role.SYSTEM_ADMIN, "*")})
    actor = Actor(PersonId("b" * 32), AccountId("c" * 32), grants, Level.STEPPED_UP, passkey=True)
    return Caller(actor, None, Request(hall.now(), "127.0.0.1"))


async def registered(hall, desk, address, *, approved=True):
    """An endpoint and its secret, let in as the last vote does it."""
    box = bytes(hall.courier.public_key)

    async def person(tx):
        if await tx.one("person", id="b" * 32) is None:
            await tx.insert("person", {"id": "b" * 32, "kind": "staff", "administers": "", "created_at": tx.now}, "test")

    await hall.store.write(person, hall.now())
    made, secret = await webhooks.make(desk, box, DEMO, CENTRE, "交易系统", address, "接入", administrator(hall))

    async def let_in(tx):
        row = await tx.all("approval", limit=1, order=["-asked_at"])
        await webhooks.let_in(tx, made, row[0]["id"], "test")

    if approved:
        await hall.store.write(let_in, hall.now())
    return made, secret


def verified(secret, headers, body):
    """As docs/webhooks.md has it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    return json.loads(body)


async def test_an_approved_endpoint_is_told_each_event_signed_and_without_names(hall):
    async with Post(hall) as post, receiving() as there, receiving() as waits:
        made, secret = await registered(hall, post.desk, f"http://127.0.0.1:{there.port}/hook")
        await registered(hall, post.desk, f"http://127.0.0.1:{waits.port}/hook", approved=False)
        courier = courier_of(hall, post)
        await hall.begin()
        await hall.to_the_lots()
        await drained(courier)
        told = [verified(secret, headers, body) for headers, body in there.got]
        events = await hall.events()
        assert sorted(each["data"]["seq"] for each in told) == [each.head.seq for each in events]
        assert {each["data"]["event"] for each in told} >= {"opened", "committed", "result", "notified"}
        assert waits.got == []
        everything = b"".join(body for _, body in there.got).decode()
        assert not [name for name in people_names(hall) if name in everything]
        tags = {tag.hex() for slot in (await hall.project()).draw.slots for tag in slot.tags}
        assert tags
        assert not [tag for tag in tags if tag in everything]
        row = await one(hall, "webhook", made)
        assert secret.encode() not in bytes(row["sealed"])


def courier_of(hall, post):
    hooks = Hooks(hall.store, post.clock, bytes(hall.courier), HookSender(DEMO).send)
    return Courier(hall.store, post.clock, {webhooks.SEND: hooks.deliver}, "hooks")


async def drained(courier):
    for _ in range(50):
        if not await courier.once():
            return
    raise AssertionError("no end")


async def one(hall, table, id_):
    async with hall.store.reading() as tx:
        return await tx.one(table, id=id_)


async def deliveries(hall):
    async with hall.store.reading() as tx:
        return await tx.all("delivery", order=["created_at", "id"])


async def test_what_is_not_taken_is_tried_again_under_the_same_id_then_given_up_and_sent_once_more(hall):
    async with Post(hall) as post, receiving() as there:
        _, secret = await registered(hall, post.desk, f"http://127.0.0.1:{there.port}/hook")
        courier = courier_of(hall, post)
        await hall.begin()
        there.answers = [500, 302]
        await hall.advance()
        await drained(courier)
        assert [row["fault"] for row in await deliveries(hall)] == ["status_500"]
        hall.house.move_clock(5)
        await drained(courier)
        (row,) = await deliveries(hall)
        assert (row["state"], row["fault"], row["attempts"]) == ("due", "redirected", 2)
        hall.house.move_clock(10)
        await drained(courier)
        (row,) = await deliveries(hall)
        assert (row["state"], row["attempts"]) == ("delivered", 3)
        assert len({headers["webhook-id"] for headers, _ in there.got}) == 1
        assert len({headers["webhook-timestamp"] for headers, _ in there.got}) == 3
        there.answers = [410]
        await webhooks.again(post.desk, row["id"], administrator(hall))
        await drained(courier)
        assert [(each["state"], each["fault"]) for each in await deliveries(hall)] == [("failed", "status_410")]
        await webhooks.again(post.desk, row["id"], administrator(hall))
        there.answers = [503] * 99
        for _ in range(40):
            await drained(courier)
            hall.house.move_clock(3600)
        assert [each["state"] for each in await deliveries(hall)] == ["failed"]
        assert [verified(secret, *each)["type"] for each in there.got] == ["draw.event"] * len(there.got)


async def test_an_endpoint_that_has_ended_is_told_nothing_more(hall):
    async with Post(hall) as post, receiving() as there:
        made, _ = await registered(hall, post.desk, f"http://127.0.0.1:{there.port}/hook")
        await hall.begin()
        await hall.advance()
        await webhooks.end(post.desk, made, administrator(hall))
        await drained(courier_of(hall, post))
        assert there.got == []
        assert {each["state"] for each in await deliveries(hall)} == {"dropped"}


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://example.org/x", "webhook_not_https"),
        ("ftp://example.org/x", "webhook_not_https"),
        ("https://user:secret@example.org/", "webhook_address"),
        ("https://example.org/#x", "webhook_address"),
        ("https:///x", "webhook_address"),
        ("https://例.org/", "webhook_address"),
        ("https://10.0.0.7/x", "webhook_private"),
        ("https://[::ffff:169.254.169.254]/x", "webhook_private"),
        ("https://127.0.0.1/x", "webhook_private"),
        ("https://localhost/x", "webhook_private"),
        ("https://example.org:99999/", "webhook_address"),
    ],
)
def test_addresses_that_webhooks_do_not_go_to_are_named(address, code):
    with pytest.raises(Refused, match=code):
        check_address(address, Reach())


def test_private_networks_are_reached_where_the_settings_name_them_and_a_name_with_one_bad_address_is_not():
    inner = Reach(networks=("10.1.0.0/16",))
    check_address("https://10.1.2.3/x", inner)
    check_address("https://example.org/x", Reach())
    check_address("http://localhost:8080/x", DEMO)
    assert allowed(["10.1.2.3", "8.8.8.8"], inner)
    assert not allowed(["8.8.8.8", "10.2.0.1"], inner)
    assert not allowed([], inner)


async def test_a_name_that_leads_to_this_machine_is_not_connected_to():
    async with receiving() as there:
        secret = "whsec_" + base64.b64encode(bytes(32)).decode()
        reach = Reach(networks=())
        sender = HookSender(reach)
        code = await sender.send(f"https://localhost.localdomain:{there.port}/", secret, "a", 1, b"{}")
        assert code in ("not_reached", "silent")
        assert await sender.send(f"http://127.0.0.1:{there.port}/", secret, "a", 1, b"{}") == "address"
        assert there.got == []


def test_the_signature_is_that_of_standard_webhooks():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the specification
    body = b'{"test": 2432232314}'
    assert signature_of(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_administrator_registers_one_and_two_others_let_it_in(site):
    system = site.visitor().as_(SYSTEM)
    system.open("/webhooks")
    fields = (("name", "交易系统"), ("centre", CENTRE), ("reason", "接入"))
    answer = system.post("/webhooks", (*fields, ("address", "http://example.org/")))
    assert (answer.status, "https://" in problem(answer)) == (422, True)
    made = system.post("/webhooks", (*fields, ("address", "https://example.org/hook")))
    secret = re.search(r'id="secret">(whsec_[A-Za-z0-9+/=&#;]+)<', made.text)[1]
    again = system.open("/webhooks").text
    assert secret not in again
    assert "https://example.org/hook" in again
    assert "待批准" in again
    for name in (SECURITY, AUDIT):
        site.house.move_clock(61)
        assert site.visitor().as_(name).vote(name, "交易系统").status == 303
    assert "待批准" not in system.open("/webhooks").text
    found = re.search(r"/webhooks/([0-9a-f]{32})/end", again)
    site.house.move_clock(1)
    answer = system.confirm(SYSTEM).post(f"/webhooks/{found[1]}/end")
    assert answer.status == 303, problem(answer)
    assert "已结束" in system.open("/webhooks").text
