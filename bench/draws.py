"""Many draws at once, through a service of real processes: from the approval to the result while somebody reads pages, then a flood of answers.

`python -m bench.draws [--people 100000] [--draws 20] [--answers 2000]`. Supervisors, contributors and whoever is called act with keys and browsers of their
own, in this process; what they need is not taken off the figures. Goals: results within 120 s, 95 of 100 pages within 300 ms meanwhile, 2,000 answers
within a minute, every replacement told within five minutes of the end of the window.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any

import aiohttp

from drawing.errors import Refused
from drawing.events import Attested, Committed, Contributed, Notified, Result, RoundContributed
from server.adapters.clock import SystemClock
from server.app import own_web
from server.auth.model import Role
from server.auth.passwords import Cost, Hasher
from server.demo.gateway import DemoGateway, serving
from server.errors import Stale
from server.keeper.draw_verbs import AskDrawState
from server.library.demo import make_library
from server.services import draws, imports
from server.services.desk import furnished
from tests.server.draws.hall import CENTRE, REQUEST
from tests.server.draws.post import OUT, SECRET, Post
from tests.server.draws.served import Browser, signed_in
from tests.server.service.machine import Service, free_port
from tests.server.service.outside import Outside, contributed, signed

RESULT_SECONDS, PAGE_MS, ANSWER_SECONDS, REPLACED_SECONDS = 120, 300, 60, 300
WINDOW_MINUTES = 5
PREPARED_SECONDS = 3_600
DECLINE = 10  # every tenth
SEATS = 39
MANY = f"""[[seats]]
professions = ["A08"]
count = {SEATS}
reserves = 0
"""


class Bench(Outside):
    """With a library that comes in as a clerk's file does."""

    async def fill_library(self) -> None:
        path = self.folder / "library.csv"
        make_library(self.people, 7, path)
        hasher = Hasher(1, cost=Cost(8 << 10, 1))
        desk = furnished(self.store, self.keeper, hasher, os.urandom, self.now)
        assert await imports.fill(desk, CENTRE, "csv", path.read_bytes()) == self.people
        hasher.close()

    def following(self, draw: str, tag: bytes) -> Bench:
        """The same people, at another draw."""
        made = copy(self)
        made.draw, made.tag = draw, tag
        return made


@asynccontextmanager
async def service_with(people: int, folder: Path) -> AsyncIterator[tuple[Bench, Post]]:
    """A service with a library of so many people, and the telephones around it."""
    port, service = free_port(), Service(folder / "d", None, real=True)
    console = (await asyncio.to_thread(service.set_up)).console
    gateway = DemoGateway(SECRET, OUT, SystemClock().now)
    given = {"LOTROOM_SMS_ADDRESS": f"http://127.0.0.1:{port}/send", "LOTROOM_SMS_SECRET": SECRET, "LOTROOM_CALLBACK_SECRET": OUT}
    try:
        await asyncio.to_thread(lambda: service.start(**given))
        hall = Bench(service, console)
        hall.people, hall.address = people, service.settings.origin
        jar, connector = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(limit=64)
        async with hall, serving(gateway, own_web(), port), aiohttp.ClientSession(cookie_jar=jar, connector=connector) as http:
            post = Post(hall)
            post.gateway, post.http, post.origin = gateway, http, hall.address
            yield hall, post
    finally:
        await asyncio.to_thread(service.end)


async def prepared(hall: Bench, number: int, text: Callable[[int], str]) -> list[Bench]:
    """So many draws, each attested by two supervisors and waiting for its commit to be approved."""
    found = []
    for n in range(number):
        draw = await draws.begin(hall.desk, CENTRE, text(n).encode(), hall.clerk())
        await hall.follow(draw)
        found.append(hall.following(draw, hall.tag))
        await asyncio.sleep(0.5)  # the keeper begins two a second
    for each in found:
        for _ in range(PREPARED_SECONDS):
            state = await each.keeper.ask(AskDrawState(each.draw))
            if state.stage in ("ready", "failed"):
                break
            await asyncio.sleep(1)
        assert state.stage == "ready", state
    for each in found:
        for which, scope in enumerate(("openings", "roll")):
            await each.insist(
                lambda each=each, which=which, scope=scope: each.attest_part(which, scope),
                lambda each=each, scope=scope: each.there(Attested, scope=scope),
            )
        await each.advance()
    return found


async def to_the_result(each: Bench) -> float:
    """The approvals, the supervisor's signature, both contributions, the result: seconds."""
    begun = time.monotonic()
    await each.insist(lambda: signed(each, "committed", "commit", each.supervisors[:1], ("boss", "sup1")), lambda: each.there(Committed))
    for key in each.contributors:
        await each.insist(lambda key=key: contributed(each, key), lambda key=key: each.there(Contributed, key=key.name))
    await each.insist(each.advance, lambda: each.there(Result))
    return time.monotonic() - begun


async def reading(hall: Bench, paths: Sequence[str], times: list[float], stop: asyncio.Event) -> None:
    """A clerk who opens one page after the other, five a second at most."""
    browser = Browser(hall, await signed_in(hall, f"reads.{os.urandom(3).hex()}", Role.DRAW_CLERK, "clerk"))
    while not stop.is_set():
        for path in paths:
            begun = time.monotonic()
            status, _, _ = await browser.ask("GET", path)
            times.append((time.monotonic() - begun) * 1000)
            assert status == 200, (path, status)
            await asyncio.sleep(0.2)


async def results(people: int, number: int, folder: Path) -> dict[str, Any]:
    """The first figure."""
    async with service_with(people, folder) as (hall, _):
        begun = time.monotonic()
        found = await prepared(hall, number, lambda _: REQUEST.format(number=f"BENCH-{os.urandom(4).hex()}", method="fair/1"))
        made = time.monotonic() - begun
        times: list[float] = []
        stop = asyncio.Event()
        reader = asyncio.create_task(reading(hall, ("/draws", f"/draws/{found[0].draw}", "/approvals"), times, stop))
        begun = time.monotonic()
        took = await asyncio.gather(*(to_the_result(each) for each in found))
        whole = time.monotonic() - begun
        stop.set()
        await reader
    cuts = statistics.quantiles(times, n=100)
    return {
        "people": people, "draws": number, "prepared_seconds": round(made, 1), "result_seconds": round(whole, 1),
        "result_median_seconds": round(statistics.median(took), 1), "pages": len(times),
        "page_p50_ms": round(cuts[49]), "page_p95_ms": round(cuts[94]), "page_p99_ms": round(cuts[98]),
    }  # fmt: skip


async def answered(people: int, wanted: int, folder: Path) -> dict[str, Any]:
    """The second: everybody who is called answers at once; a tenth declines, and others are called for them."""
    number = -(-wanted // SEATS)

    def text(_: int) -> str:
        asked = REQUEST.format(number=f"BENCH-{os.urandom(4).hex()}", method="uniform/1").partition("[[seats]]")[0]
        replies = f"[replies]\nwindow_minutes = {WINDOW_MINUTES}\n[committee]"
        for old, new in (("representatives = 2", "representatives = 0"), ("recent_max = 2", "recent_max = 40"), ("[committee]", replies)):
            assert old in asked
            asked = asked.replace(old, new)
        return asked + MANY

    async with service_with(people, folder) as (hall, post):
        found = await prepared(hall, number, text)
        await asyncio.gather(*(to_the_result(each) for each in found))

        async def told(least: int) -> list[Any]:
            for _ in range(3_000):
                if len(post.messages()) >= least:
                    break
                await asyncio.sleep(0.2)
            return post.messages()

        called = await told(number * SEATS)
        gate, declined = asyncio.Semaphore(24), set()

        async def one(n: int, each: Any) -> None:
            async with gate:
                given = {"state": "left", "reason": "ill"} if n % DECLINE == 0 else {"state": "accepted"}
                for _ in range(20):
                    status, said = await post.press(each.token, **given)
                    if status == 200:
                        break
                    await asyncio.sleep(0.5)
                assert status == 200, said[:300]
                if n % DECLINE == 0:
                    declined.add(each.id)

        begun = time.monotonic()
        await asyncio.gather(*(one(n, each) for n, each in enumerate(called[:wanted])))
        answering = time.monotonic() - begun
        for each in called[wanted:]:
            await one(1, each)
        closed = time.monotonic()
        seen = {each.id for each in called}

        async def replaced(each: Bench) -> None:
            while not await each.there(Notified, 2):
                left = [key for key in each.contributors if not await each.there(RoundContributed, key=key.name)]
                with contextlib.suppress(Refused, Stale):  # not asked yet, or somebody was faster
                    await each.contribute_to_round(left)
                await asyncio.sleep(0.5)

        await asyncio.gather(*(replaced(each) for each in found))
        await told(len(called) + len(declined))
        fresh = [each for each in post.messages() if each.id not in seen]
        took = time.monotonic() - closed
    return {
        "people": people, "draws": number, "called": len(called), "answers": min(wanted, len(called)),
        "answer_seconds": round(answering, 1), "declined": len(declined), "replaced": len(fresh), "replaced_seconds": round(took, 1),
    }  # fmt: skip


def measure(people: int = 100_000, number: int = 20, answers: int = 2_000) -> dict[str, Any]:
    """Both, one after the other."""
    with tempfile.TemporaryDirectory(prefix="lr-") as name:
        first = asyncio.run(results(people, number, Path(name)))
    with tempfile.TemporaryDirectory(prefix="lr-") as name:
        return {"at_once": first, "answers": asyncio.run(answered(min(people, 5_000), answers, Path(name)))}


def show(found: dict[str, Any]) -> None:
    """The table."""
    once, after = found["at_once"], found["answers"]
    lines = (
        (
            f"{once['draws']} draws at once from {once['people']:,}: approval to the last result",
            once["result_seconds"],
            RESULT_SECONDS,
            "s",
        ),
        (f"pages meanwhile ({once['pages']}; median {once['page_p50_ms']} ms), 95 of 100 within", once["page_p95_ms"], PAGE_MS, "ms"),
        (f"{after['answers']:,} answers taken within", after["answer_seconds"], ANSWER_SECONDS, "s"),
        (f"{after['replaced']} who replace {after['declined']} told within", after["replaced_seconds"], REPLACED_SECONDS, "s"),
    )
    print(f"{'what':75} {'found':>8} {'goal':>6} {'ratio':>6}")
    for what, value, goal, unit in lines:
        print(f"{what:75} {value:>8} {goal:>6} {value / goal:>6.2f}  {unit}")
    print(f"prepared and attested before: {once['prepared_seconds']} s")


def main() -> None:
    """Alone."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--people", type=int, default=100_000)
    given.add_argument("--draws", type=int, default=20)
    given.add_argument("--answers", type=int, default=2_000)
    given.add_argument("--json", type=Path)
    asked = given.parse_args()
    found = measure(asked.people, asked.draws, asked.answers)
    show(found)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
