"""Web, keeper and courier killed at any moment of draws that go on, with answers arriving: one attempt each, the panel that its seed says, every message once."""

from __future__ import annotations

import asyncio
import os
import random

import aiohttp

from drawing.draw import Phase
from drawing.events import Checked, Notified, RoundContributed, Unsealed
from drawing.sealed import unseal
from drawing.verify import Files, verify
from server.adapters.clock import SystemClock
from server.app import own_web
from server.demo.gateway import DemoGateway, serving
from server.keeper.draw_verbs import DrawFile
from server.services import draws
from tests.conftest import counts
from tests.server.draws.hall import CENTRE, REQUEST
from tests.server.draws.post import OUT, SECRET, Post
from tests.server.service.machine import Service, free_port
from tests.server.service.outside import Outside, signed, to_the_answers

OF_A_DRAW = 6  # kills
ROLES = (("web",), ("keeper",), ("courier",), ("web", "keeper", "courier"))
LEAVE = 2  # how many of those called first decline


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
