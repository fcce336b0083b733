"""Who was drawn, while answers are awaited, looked for in everything that the service shows and keeps: pages, log, database, files, a backup, memory."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time

import aiohttp
import pytest

from server.adapters.clock import SystemClock
from server.app import own_web
from server.auth.model import Role
from server.demo.gateway import DemoGateway, serving
from server.forgetting import FORGET_SECONDS
from server.library.columns import COLUMNS
from server.library.demo import people
from server.library.read_sheet import read_library
from server.library.write_sheet import write_table
from server.services import draws
from tests.server.draws.hall import CENTRE, REQUEST
from tests.server.draws.post import OUT, SECRET, Post
from tests.server.draws.served import Browser, signed_in
from tests.server.service.canaries import forms_of, hits, hits_in
from tests.server.service.machine import Service, free_port
from tests.server.service.outside import Outside, to_the_answers
from tests.server.service.test_backup import back_up, key_file
from tests.server.service.test_canaries import hits_in_memory
from tests.server.service.test_killed import of

RARE = "瓘瓛瓞甪畾疃皛皝盝瞾矻砮硎碶磏祎祃禤秾竑筼篯簃粼絜綝缊翃翚翯"  # what no text of the service has
STAFF = {
    "clerk": (
        Role.DRAW_CLERK,
        ("/draws", "/draws/{draw}", "/draws/{draw}/screen", "/draws/{draw}/notices", "/library", "/api/draws/{draw}"),
    ),
    "boss": (Role.APPROVER, ("/draws", "/draws/{draw}", "/approvals", "/api/draws")),
    "sup1": (Role.SUPERVISOR, ("/draws/{draw}", "/draws/{draw}/proof.json", "/approvals", "/supervision", "/supervision/statistics")),
}


class Secret(Outside):
    """With a library whose names and employers cannot be taken for anything else."""

    def write_library(self, path):
        names = [each.alias for each in COLUMNS]
        chance, rows = random.Random(5), []
        for row in people(self.people, 7):
            values = dict(zip(names, row, strict=True))
            values["name"] = "".join(chance.choices(RARE, k=4))
            values["employer_name"] = "演示" + "".join(chance.choices(RARE, k=4)) + "研究所"
            rows.append([values[name] for name in names])
        write_table(path, [each.title for each in COLUMNS], rows)

    def of_phones(self, phones):
        """Name, phone, number and employer of whoever has these phones."""
        found = [each.decode() for each in read_library(self.folder / "library.csv").records]
        theirs = [each for each in found if json.loads(each)["phone"] in phones]
        words = {json.loads(each)[name] for each in theirs for name in ("name", "phone", "id_number")}
        return words | {employer for each in theirs for employer in re.findall(f"演示[{RARE}]{{4}}研究所", each)}


async def awaited(hall, post):
    """A draw whose people are told, one of whom accepted and one declined."""
    text = REQUEST.format(number=f"DEMO-{os.urandom(4).hex()}", method="uniform/1")
    await hall.follow(await draws.begin(hall.desk, CENTRE, text.encode(), hall.clerk()))
    await to_the_answers(hall)

    async def told():
        return len(post.messages()) >= 6

    await hall.insist(lambda: asyncio.sleep(0.1), told)
    seen = []
    for each, given in zip(post.messages(), ({"state": "accepted"}, {"state": "left", "reason": "ill"}), strict=False):
        status, text = await post.press(each.token, **given)
        assert status == 200, text[:300]
        seen.append((each.token, text.encode()))
    return seen


async def read_by_staff(hall):
    """Every answer that staff get about the draw, in both languages."""
    seen = []
    for person, (role, paths) in STAFF.items():
        browser = Browser(hall, await signed_in(hall, f"reads.{person}", role, person))
        for path in paths:
            for lang in ("zh", "en"):
                where = path.format(draw=hall.draw)
                status, headers, body = await browser.ask("GET", where, lang=lang)
                assert status == 200, (person, where, status, body[-300:])
                seen.append((where, str(headers).encode() + body))
    return seen


async def run(service, console, port):
    gateway = DemoGateway(SECRET, OUT, SystemClock().now)
    async with (
        Secret(service, console) as hall,
        serving(gateway, own_web(), port),
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        hall.address = service.settings.origin
        post = Post(hall)
        post.gateway, post.http, post.origin = gateway, http, hall.address
        seen = await awaited(hall, post) + await read_by_staff(hall)
        for path in ("/", "/status", "/checkpoint", "/verify"):
            seen.append((path, service.get(path)[1].encode()))
        return hall.of_phones({each.to for each in post.messages()}), seen


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of another process")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nobody_who_was_drawn_is_found_before_the_unsealing(tmp_path, engine, request):
    cluster = request.getfixturevalue("cluster") if engine == "postgresql" else None
    port, service = free_port(), Service(tmp_path / "d", of(cluster) if cluster else None, real=True)
    console = service.set_up().console
    try:
        service.start(LOTROOM_SMS_ADDRESS=f"http://127.0.0.1:{port}/send", LOTROOM_SMS_SECRET=SECRET, LOTROOM_CALLBACK_SECRET=OUT)
        secret, seen = asyncio.run(run(service, console, port))
        assert len(secret) >= 20, secret
        forms = forms_of(secret)
        (tmp_path / "canary").write_text(max(secret))
        assert hits_in(tmp_path / "canary", forms=forms)  # it would be found
        back_up(service, tmp_path / "backups", key_file(tmp_path))
        time.sleep(FORGET_SECONDS + 1)
        assert service.get("/status")[0] == 200  # others come after
        looked, found = hits_in_memory(service.pids()["web"], forms)
        assert not found, found
        places = [tmp_path / "d", tmp_path / "backups", service.out, *([cluster.folder, cluster.log] if cluster else [])]
        assert not hits_in(*places, forms=forms), hits_in(*places, forms=forms)
        service.stop()
        assert not hits_in(*places, forms=forms)
    finally:
        service.end()
    for where, body in seen:
        assert not hits(body, forms), (where, hits(body, forms))
    print(
        f"{len(forms)} forms of {len(secret)} words about the drawn: 0 in {len(seen)} answers, files, logs, a backup, {looked} bytes of memory"
    )
