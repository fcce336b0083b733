"""A gateway for demonstrations and tests: it takes messages as a real one does and shows the telephones that they would have reached, on a page where
one can answer for whoever holds them. It can be told to misbehave, as real ones do. Refused wherever the service is not a demonstration.

What it holds is in memory and ends with it. It is the other side of docs/notices.md, written from that page and not from our own sending code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web as aioweb
from jinja2 import Environment

from drawing.errors import Refused
from server.handlers.headers import FIXED
from server.handlers.i18n import N_, Language, choose, languages
from server.handlers.render import environment
from server.handlers.static import read_statics
from server.signed import SIGNATURE, TIMESTAMP, fault_of, signature_of

MODES = {
    "well": N_("works"),
    "down": N_("is down: nobody gets an answer, nothing is sent"),
    "slow": N_("is slow: the message goes out, its answer comes too late"),
    "twice": N_("tells every answer twice"),
    "deaf": N_("loses all receipts"),
    "wrong": N_("refuses every number"),
}
ANSWERS = {"1": "accepted", "2": "left"}
MOST_KEPT = 5_000
SLOW_SECONDS = 12.0  # longer than the courier waits
CALLBACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that came. `asked`: how often the same one was handed over; `answered`: what was pressed, and what the service said to it."""

    id: str
    at: int
    channel: str
    kind: str
    to: str
    text: dict[str, str]
    token: str
    callback: str
    asked: int = 1
    receipt: str = ""
    answered: str = ""
    said: str = ""


@dataclass
class DemoGateway:
    """One gateway. `out` signs what it tells, `secret` what it is told."""

    secret: str
    out: str
    now: Callable[[], int]
    mode: str = "well"
    taken: dict[str, Taken] = field(default_factory=dict[str, Taken])
    _running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _session: aiohttp.ClientSession | None = None

    # Towards the service --------------------------------------------------------------------------------------------------------------------

    async def send(self, request: aioweb.Request) -> aioweb.StreamResponse:
        """A message, once for each id."""
        body = await request.read()
        if fault_of(self.secret, request.headers.getall(TIMESTAMP, []), request.headers.getall(SIGNATURE, []), body, self.now()):
            return aioweb.json_response({"code": "bad_signature"}, status=401)
        if self.mode == "down":
            if request.transport is not None:
                request.transport.abort()
            return aioweb.Response(status=503)
        value = json.loads(body)
        if self.mode == "wrong":
            return aioweb.json_response({"code": "bad_address"}, status=422)
        known = self.taken.get(value["id"])
        if known is None:
            names = ("id", "channel", "kind", "to", "text", "token", "callback")
            self.taken[value["id"]] = Taken(at=self.now(), **{name: value[name] for name in names})
            while len(self.taken) > MOST_KEPT:
                del self.taken[next(iter(self.taken))]
            if self.mode != "deaf":
                self._begin(self.tell_receipt(value["id"], "delivered"))
        else:
            self.taken[known.id] = replace(known, asked=known.asked + 1)
        if self.mode == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        return aioweb.json_response({"known": known is not None}, status=202)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def tell_receipt(self, id: str, state: str) -> int:  # noqa: A002 (the field's name)
        """What became of it. Returns the status that came back, 0 for none."""
        message = self.taken[id]
        value = {"channel": message.channel, "kind": message.kind, "state": state, "token": message.token}
        status, _ = await self._tell(message.callback + "/receipts", value)
        self.taken[id] = replace(self.taken[id], receipt=state if status == 200 else f"{state} ({status})")
        return status

    async def tell_answer(self, id: str, key: str) -> int:  # noqa: A002
        """What was pressed or written. Returns the status that came back, 0 for none."""
        message = self.taken[id]
        value = {"answer": ANSWERS[key], "channel": message.channel, "token": message.token}
        status, body = 0, b""
        for _ in range(2 if self.mode == "twice" else 1):
            status, body = await self._tell(message.callback + "/answers", value)
        said = ""
        with contextlib.suppress(ValueError):
            found = json.loads(body)
            said = str(found.get("state") or found.get("detail") or "")
        self.taken[id] = replace(self.taken[id], answered=key, said=said)
        return status

    async def _tell(self, address: str, value: dict[str, str]) -> tuple[int, bytes]:
        body = json.dumps(value).encode()
        at = self.now()
        headers = {"Content-Type": "application/json", TIMESTAMP: str(at), SIGNATURE: signature_of(self.out, at, body)}
        assert self._session is not None
        try:
            async with self._session.post(address, data=body, headers=headers, allow_redirects=False) as got:
                return got.status, await got.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, b""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Its way back to the service, while the block runs."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALLBACK_SECONDS), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        ) as session:
            self._session = session
            try:
                yield
            finally:
                for task in tuple(self._running):
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)


# The page -----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Phones:
    """Telephones and what they got, the newest message first."""

    phones: tuple[tuple[str, tuple[Taken, ...]], ...]
    modes: tuple[tuple[str, str], ...]
    mode: str


def build(gateway: DemoGateway, folder: Path, origin: str) -> aioweb.Application:
    """The program: the webhook, and the page of phones. `folder`: of our templates."""
    spoken = languages(folder / "locale")
    statics = read_statics(folder / "static")
    pages = {name: environment(folder / "templates", language, statics) for name, language in spoken.items()}

    async def show(request: aioweb.Request) -> aioweb.StreamResponse:
        name = choose(request.headers.get("Accept-Language", ""), request.query.get("language", ""), "zh_CN")
        return _shown(gateway, pages[name], spoken[name])

    async def act(request: aioweb.Request) -> aioweb.StreamResponse:
        if request.headers.get("Origin") != origin:
            raise aioweb.HTTPForbidden
        given = await request.post()
        mode, id_, key = (str(given.get(each, "")) for each in ("mode", "id", "key"))
        if mode in MODES:
            gateway.mode = mode
        elif id_ in gateway.taken and key in ANSWERS:
            await gateway.tell_answer(id_, key)
        return aioweb.Response(status=303, headers={"Location": f"/?language={given.get('language', '')}"})

    async def file(request: aioweb.Request) -> aioweb.StreamResponse:
        found = statics.files.get(request.match_info["name"])
        if found is None:
            raise aioweb.HTTPNotFound
        return aioweb.Response(body=found[1], headers={"Content-Type": found[0]})

    async def dress(_: aioweb.Request, response: aioweb.StreamResponse) -> None:
        for header, value in FIXED.items():
            response.headers.setdefault(header, value)

    async def session(_: aioweb.Application) -> AsyncIterator[None]:
        async with gateway.open():
            yield

    app = aioweb.Application(client_max_size=65_536)
    app.add_routes(
        [
            aioweb.post("/send", gateway.send),
            aioweb.get("/", show),
            aioweb.post("/", act),
            aioweb.get("/static/{digest}/{name:.+}", file),
        ]
    )
    app.on_response_prepare.append(dress)
    app.cleanup_ctx.append(session)
    return app


def _shown(gateway: DemoGateway, pages: Environment, language: Language) -> aioweb.Response:
    phones: dict[str, list[Taken]] = {}
    for each in sorted(gateway.taken.values(), key=lambda each: -each.at):
        phones.setdefault(each.to, []).append(each)
    modes = tuple((name, language.say(text)) for name, text in MODES.items())
    view = Phones(tuple((to, tuple(found)) for to, found in sorted(phones.items())), modes, gateway.mode)
    text = pages.get_template("phones.html").render(view=view)
    return aioweb.Response(text=text, content_type="text/html")


@asynccontextmanager
async def serving(gateway: DemoGateway, folder: Path, port: int) -> AsyncIterator[int]:
    """On this machine, while the block runs; gives the port. Raises Refused("port_taken")."""
    runner = aioweb.AppRunner(build(gateway, folder, f"http://localhost:{port}"), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await aioweb.TCPSite(runner, "127.0.0.1", port).start()
        except OSError:
            raise Refused("port_taken", "gateway_port", port=port) from None
        yield port
    finally:
        await runner.cleanup()
