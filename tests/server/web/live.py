"""The web process in a thread of the test, with fakes of what pages stand on and a few routes that only tests have."""

from __future__ import annotations

import asyncio
import atexit
import http.client
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlencode

from aiohttp import web as aioweb
from pydantic import Field

from drawing.errors import Refused
from server.adapters.clock import SystemChance, SystemClock
from server.app import Parts, build
from server.config import Settings
from server.errors import Failure, NotFound, Stale
from server.handlers import forms
from server.handlers.ask import NOBODY, SITE, Access, Ask, CheckpointView, Health, Kind, PartState, Route, Viewer
from server.handlers.doorway import Runner
from server.handlers.gallery import SampleForm
from server.handlers.render import page, see_other
from server.handlers.routes import TABLE
from server.handlers.status import as_json

KNOWN = Viewer("1" * 32, "何晓雯", "2" * 32, "3" * 32, ("clerk",), frozenset({"draws.read"}))
SERVICE = replace(KNOWN, login="", by_token=True)
COMPILED = Path(tempfile.mkdtemp(prefix="lotroom-pages-"))  # templates as code: many tests start the service in this process
atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)


class FakeViewers:
    """Two people, known by their tokens."""

    async def by_cookie(self, token: str, now: int, caller: object) -> Viewer:
        return KNOWN if token == "good" else replace(KNOWN, login="4" * 32) if token == "other" else NOBODY

    async def by_bearer(self, token: str, now: int, caller: object) -> Viewer:
        return SERVICE if token == "service" else NOBODY


class FakePermissions:
    """A table of three rows."""

    def known(self) -> Collection[str]:
        return ("public", "draws.read", "draws.never")

    def access(self, viewer: Viewer, permission: str, now: int) -> Access:
        if permission == "public" or permission in viewer.permissions:
            return Access.YES
        return Access.NO if viewer.signed_in else Access.SIGN_IN


class FakeProbe:
    """A part whose state the test sets."""

    def __init__(self, name: str, needed: bool = True) -> None:
        self.name, self.needed, self.state, self.raises, self.sleeps = name, needed, PartState(name, Health.GOOD), False, 0.0

    async def look(self, now: int) -> PartState:
        await asyncio.sleep(self.sleeps)
        if self.raises:
            raise OSError("secret path /var/lib/lotroom")
        return self.state


class FakeCheckpoints:
    """One checkpoint."""

    async def latest(self) -> CheckpointView | None:
        return CheckpointView("lotroom.example/log", 12, "ab" * 32, 1_800_000_000, ("w.example",), "lotroom.example/log\n12\n")


class Sum(forms.Shape):
    """A body of the API."""

    first: int = Field(ge=0, le=1_000)
    name: forms.Line
    kind: Literal["works", "goods"] = "works"
    many: Annotated[tuple[Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)], ...], Field(max_length=5)] = ()


class Window(forms.Fields):
    """A query of the API."""

    limit: int = Field(10, ge=1, le=100)
    after: forms.Id | None = None


class Total(forms.Shape):
    """An answer."""

    total: int


ran: list[str] = []


async def form(ask: Ask) -> aioweb.StreamResponse:
    ran.append(ask.id)
    found = forms.form(ask, SampleForm)
    return (
        see_other(ask, "home", flash="saved")
        if found.value
        else aioweb.json_response({each.field: each.code for each in found.faults}, status=422)
    )


async def add(ask: Ask) -> aioweb.StreamResponse:
    ran.append(ask.id)
    given = forms.json_body(ask, Sum)
    return as_json(Total(total=given.first + len(given.many)))


async def window(ask: Ask) -> aioweb.StreamResponse:
    return as_json(Total(total=forms.api_query(ask, Window).limit))


async def thing(ask: Ask) -> aioweb.StreamResponse:
    if ask.path["id"] != "1" * 32:
        raise NotFound
    return as_json(Total(total=1))


class Unfilled(Failure):
    """A failure whose text wants a value that nobody gave."""

    code = "too_many"


FAILURES: Mapping[str, BaseException] = {
    "boom": RuntimeError("名字 何晓雯 password=hunter2"),
    "assert": AssertionError("secret"),
    "timeout": TimeoutError("secret"),
    "sealed": Refused("service_sealed", "keeper"),
    "keeper": Refused("keeper_missing", "socket"),
    "stale": Stale(),
    "wait": Refused("too_many", "login", retry_after=7),
    "refused": Refused("bad_credit_code", "bidder"),
    "http": aioweb.HTTPForbidden(text="secret"),
    "unfilled": Unfilled(),
}


async def fail(ask: Ask) -> aioweb.StreamResponse:
    raise FAILURES[ask.path["kind"]]


async def sample(ask: Ask) -> aioweb.StreamResponse:
    return page(ask, "problem.html", None)  # StrictUndefined: None has no title


EXTRA = (
    Route("POST", "/t/form", "t_form", form, "public", Kind.PAGE, most_bytes=2_048),
    Route("POST", "/t/private", "t_private", form, "draws.read", Kind.PAGE),
    Route("GET", "/t/read", "t_read", fail, "draws.never", Kind.PAGE),
    Route("GET", "/t/broken", "t_broken", sample, "public", Kind.PAGE),
    Route("GET", "/t/fail/{kind:[a-z]{1,20}}", "t_fail", fail, "public", Kind.PAGE),
    Route("GET", "/api/t/fail/{kind:[a-z]{1,20}}", "t_api_fail", fail, "draws.never", Kind.API, "Fails"),
    Route("POST", "/api/t/add", "t_add", add, "draws.read", Kind.API, "Adds", takes=Sum, gives=Total, most_bytes=4_096),
    Route("GET", "/api/t/window", "t_window", window, "public", Kind.API, "Pages", query=Window, gives=Total),
    Route("GET", "/api/t/things/{id:[0-9a-f]{32}}", "t_thing", thing, "draws.read", Kind.API, "One", gives=Total),
)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Live:
    """A running service."""

    def __init__(self, https: bool = False, **settings: object) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4_096)
        self.port = self.socket.getsockname()[1]
        self.host = "draw.example.cn" if https else f"localhost:{self.port}"
        self.origin = f"https://{self.host}" if https else f"http://{self.host}"
        self.settings = Settings(origin=self.origin, insecure_demo=not https, **settings)  # type: ignore[arg-type]
        self.probes = (FakeProbe("database"), FakeProbe("keeper"), FakeProbe("witness", needed=False))
        self.parts = Parts(SystemClock(), SystemChance(), FakeViewers(), FakePermissions(), FakeCheckpoints(), self.probes)
        self.app = build(self.settings, self.parts, (*TABLE, *EXTRA), COMPILED)
        self.site = self.app[SITE]
        self.loop = asyncio.new_event_loop()
        self.runner = Runner(self.app)
        self.stopped_after = 0.0
        started = threading.Event()

        async def start() -> None:
            await self.runner.setup()
            await aioweb.SockSite(self.runner, self.socket).start()
            started.set()

        def run() -> None:
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(start())
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.runner.cleanup(), self.loop).result(20)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.02), self.loop).result(5)  # transports close in the loop's next rounds
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def do(self, call: object) -> None:
        """Something inside the server's loop."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (call(), done.set()))  # type: ignore[operator]
        assert done.wait(5)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, host: str = "") -> Answer:
        """One request, exactly as told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or self.host)
            for name, value in (headers or {}).items():
                connection.putheader(name, value.encode("latin-1") if isinstance(value, str) else value)
            if body is not None and "Transfer-Encoding" not in (headers or {}) and "Content-Length" not in (headers or {}):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def browser(self) -> Browser:
        """Somebody who has opened the start page."""
        return Browser(self)


class Browser:
    """Keeps cookies and the token of its pages, as a browser does."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.get("/")

    def cookie_header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        found = re.search(rb'name="csrf" value="([^"]+)"', answer.body)
        self.token = found[1].decode() if found else self.token
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.keep(self.live.ask("GET", path, None, {**self.cookie_header(), **headers}))

    def headers(self) -> dict[str, str]:
        return {
            **self.cookie_header(),
            "Origin": self.live.origin,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def post(self, path: str, fields: object = (), raw: bytes | None = None, **headers: str) -> Answer:
        body = urlencode([("csrf", self.token), *fields]).encode() if raw is None else raw  # type: ignore[misc]
        return self.keep(self.live.ask("POST", path, body, {**self.headers(), **headers}))

    def sign_in(self, token: str = "good") -> Browser:
        self.cookies[("__Host-lotroom-" if self.live.settings.encrypted else "lotroom-demo-") + "login"] = token
        self.get("/")
        return self


GOOD_FORM = (("name", "一标段"), ("places", "5"), ("site", "east"))
