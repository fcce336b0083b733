"""SIGKILL of the courier between sending and noting, at every message: each is sent exactly once, and the draw goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from tests.conftest import counts
from tests.server.draws.hall import Hall
from tests.server.draws.post import SECRET, Post
from tests.server.draws.test_draw import to_the_lots

LEASE = 61


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


async def courier(hall, post, database, dies, message):
    """One life of it; how it ended."""
    given = {
        "database": database.web, "gateway": f"http://127.0.0.1:{post.port}/send", "callback": f"{post.origin}/api/gateway", "secret": SECRET,
        "socket": str(hall.house.socket), "box": bytes(hall.courier).hex(), "origin": post.origin, "dies": dies, "message": message,
    }  # fmt: skip
    (hall.folder / "courier.json").write_text(json.dumps(given))
    command = (sys.executable, "-m", "tests.server.draws.courier_run", str(hall.folder))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), 60)


async def test_a_courier_that_is_killed_around_each_message_sends_every_message_once(hall, database):
    async with Post(hall) as post:
        await to_the_lots(hall)
        post.gateway.mode = "deaf"  # no receipt helps
        deaths = 0
        for number in range(counts("kills of the courier", 4, 12)):
            ended = await courier(hall, post, database, ("after", "before")[number % 2], 1)
            deaths += ended == -signal.SIGKILL
            hall.house.move_clock(LEASE)
        assert deaths >= 3
        assert await courier(hall, post, database, "never", 0) == 0
        hall.house.move_clock(LEASE)
        assert await courier(hall, post, database, "never", 0) == 0
        assert len(post.messages()) == 6
        assert len({each.to for each in post.messages()}) == 6
        assert await post.states() == ["sent"] * 6
        assert max(each.asked for each in post.messages()) >= 2  # the same message was handed over again, and known
        for each in post.messages():
            await post.press(each.token, state="accepted")
        assert await courier(hall, post, database, "never", 0) == 0
        assert [slot.state for slot in (await hall.project()).draw.slots] == ["accepted"] * 6
