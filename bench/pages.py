"""A page of somebody who is signed in, beside a bare aiohttp + Jinja2 page that makes the same login look-up; same run, same machine, same load.

`python -m bench.pages [--seconds 2] [--rounds 11] [--connections 8] [--url DATABASE]`. Each service is a process of its own over a copy of one
database; rounds alternate, so that what else the machine does meets both. The bare page has one handler: hash the cookie, one joined look-up,
one render of the same template with the same values. It checks no host, no permission, no framing, sets no header and logs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aiohttp import web as aioweb

import web
from server.adapters.clock import SystemChance, SystemClock
from server.app import build, parts_of
from server.auth import logins
from server.auth.logins import Event, Kind, LoginId, State
from server.auth.model import AccountId, CentreId, Grant, PersonId, Role
from server.auth.passwords import Hasher
from server.auth.people import Account, AccountState
from server.config import Settings
from server.handlers.ask import SITE
from server.handlers.doorway import Runner
from server.handlers.forms import empty
from server.handlers.i18n import languages
from server.handlers.render import NAVIGATION, Frame, NavItem, environment
from server.handlers.static import read_statics
from server.handlers.views import SecondFactorPage
from server.keeper.client import Keeper
from server.logs import configure
from server.services.desk import furnished
from server.storage import accounts
from server.storage.logins import entered
from server.storage.store import Store
from server.storage.versions import migrate

PAGE = "/step-up"
AGENT = "bench"
SHOWN = {
    "home",
    "verify",
    "status",
    "draws",
    "approvals",
    "key_list",
    "my_key",
    "library",
    "account",
    "gallery",
}  # an archivist's navigation
TARGET = 0.8


@dataclass(frozen=True)
class Load:
    """What one round gave: answers a second, the time within which 50 and 99 of 100 came, in milliseconds, and the bytes of a page."""

    rate: float
    p50: float
    p99: float
    size: int


async def prepare(url: str) -> str:
    """One account with one full login; its token."""
    store = await Store.open(url)
    clock, chance = SystemClock(), SystemChance()
    now = clock.now()
    centre = CentreId("c" * 32)
    made = Account(AccountId("a" * 32), PersonId("b" * 32), centre, "bench", Kind.STAFF, AccountState.ACTIVE, None, 0, True, 0)

    async def work(tx):  # type: ignore[no-untyped-def]
        await tx.insert("centre", {"id": centre, "code": "b", "name": "b", "created_at": now}, "bench")
        await accounts.add_person(tx, made, "staff", "bench")
        await accounts.give_role(tx, made.person, Grant(Role.ARCHIVIST, centre), None, "bench")

    await store.write(work, now)
    secret, hashed = logins.token(chance.token(32))
    place = sha256(b"ip:127.0.0.1\n" + AGENT.encode()).digest()
    shown = (Event.PASSWORD_RIGHT, Event.TOTP_RIGHT)
    login = logins.Login(LoginId("d" * 32), made.id, Kind.STAFF, hashed, 0, now, now, State.FULL, shown, place)
    desk = furnished(store, Keeper(Path("/nowhere")), Hasher(1), chance.token, clock.now)
    await desk.house.logins.add(login)
    await store.close()
    return secret


async def ours(url: str, port: int) -> None:
    """The service, without its keeper; it logs as `lotroom serve` does."""
    configure("info")
    store = await Store.open(url)
    clock, chance = SystemClock(), SystemChance()
    desk = furnished(store, Keeper(Path("/nowhere")), Hasher(1), chance.token, clock.now)
    settings = Settings(origin=f"http://localhost:{port}", insecure_demo=True, log_level="info")
    app = build(settings, parts_of(desk, clock=clock, chance=chance))
    assert app[SITE].desk
    runner = Runner(app)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def bare(url: str, port: int) -> None:
    """One handler."""
    store = await Store.open(url)
    folder = Path(str(web.__file__)).parent
    spoken = languages(folder / "locale")["zh_CN"]
    env = environment(folder / "templates", spoken, read_statics(folder / "static", demo=True))
    env.globals["url"] = lambda name, **_: "/" + name
    env.globals["known"] = lambda _: True
    template = env.get_template("second_factor.html")
    shown = tuple(NavItem(spoken.say(label), "/" + name) for name, label in NAVIGATION if name in SHOWN)
    frame = Frame("中心", True, shown, "bench", 0, "", "x" * 43, PAGE, "0" * 32)
    view = SecondFactorPage(empty(), passkey=True, step_up=True)

    async def handler(request: aioweb.Request) -> aioweb.Response:
        async with store.reading() as tx:
            found = await entered(tx, logins.token_hash(request.cookies["lotroom-demo-login"]) or b"")
        assert found is not None
        return aioweb.Response(text=template.render(frame=frame, view=view), content_type="text/html")

    app = aioweb.Application()
    app.router.add_get(PAGE, handler)
    runner = aioweb.AppRunner(app, access_log=None)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def one_client(port: int, request: bytes, until: float, took: list[float]) -> int:
    """Ask over one connection, one request after the other; the bytes of the last page."""
    length = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append((time.perf_counter() - begun) * 1000)
    writer.close()
    return length


async def load(port: int, token: str, seconds: float, connections: int) -> Load:
    """All connections at once, for so long."""
    cookies = f"lotroom-demo-login={token}; lotroom-demo-visit={'v' * 42}A"  # a browser that has been here
    request = f"GET {PAGE} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: {AGENT}\r\nCookie: {cookies}\r\n\r\n".encode()
    took: list[float] = []
    until = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(one_client(port, request, until, took)) for _ in range(connections)]
    took.sort()
    return Load(len(took) / seconds, took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], clients[0].result())


def _free() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def measure(url: str, seconds: float, rounds: int, connections: int) -> dict[str, object]:
    """Both, in turns. `ratio` is the median over the rounds of ours to bare."""
    token = asyncio.run(prepare(url))
    ports = {"ours": _free(), "bare": _free()}
    running = []
    try:
        for name, port in ports.items():
            words = [sys.executable, "-m", "bench.pages", "--serve", name, "--port", str(port), "--url", url]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            running.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        found: dict[str, list[Load]] = {"ours": [], "bare": []}
        for number in range(rounds + 1):
            for name in ("ours", "bare"):
                got = asyncio.run(load(ports[name], token, seconds, connections))
                if number:  # the first warms up
                    found[name].append(got)
    finally:
        for process in running:
            process.kill()
            process.wait()
    sizes = [found[name][0].size for name in ("ours", "bare")]
    assert max(sizes) < 1.03 * min(sizes), f"two pages: {sizes} bytes"
    ratios = [mine.rate / floor.rate for mine, floor in zip(found["ours"], found["bare"], strict=True)]
    return {
        "page": PAGE,
        "connections": connections,
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(each, 3) for each in ratios],
        **{
            f"{name} {what}": round(statistics.median(getattr(each, what) for each in each_round), 2)
            for name, each_round in found.items()
            for what in ("rate", "p50", "p99")
        },
    }


def report(url: str = "", seconds: float = 2.0, rounds: int = 11, connections: int = 8) -> dict[str, object]:
    """Measure over a fresh SQLite database, or an empty one at `url`, and print."""
    with tempfile.TemporaryDirectory(prefix="lotroom-bench-") as folder:
        place = url or f"sqlite+aiosqlite:///{folder}/bench.db"
        if not url:
            asyncio.run(migrate(place))
        found = measure(place, seconds, rounds, connections)
    print(f"signed-in page {PAGE}, {connections} connections, {os.cpu_count()} cores")
    for name in ("ours", "bare"):
        print(f"{name:6} {found[f'{name} rate']:>9} pages/s   p50 {found[f'{name} p50']:>7} ms   p99 {found[f'{name} p99']:>7} ms")
    print(f"ratio  {found['ratio']} (target {TARGET}; rounds {found['ratios']})")
    return found


def main() -> None:
    """Measure and print; or be one of the two services."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--connections", type=int, default=8)
    arguments.add_argument("--url", default="")
    arguments.add_argument("--json", type=Path)
    arguments.add_argument("--serve", choices=("ours", "bare"))
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    if given.serve:
        asyncio.run((ours if given.serve == "ours" else bare)(given.url, given.port))
        return
    found = report(given.url, given.seconds, given.rounds, given.connections)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
