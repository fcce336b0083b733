"""The only place that wires: settings, adapters, pages, and the web process itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web as aioweb

import web
from drawing.errors import Refused
from server import metrics
from server.adapters.clock import SystemChance, SystemClock
from server.config import Settings
from server.errors import NotFound
from server.handlers.ask import (
    NOBODY,
    SITE,
    Access,
    Checkpoints,
    CheckpointView,
    Permissions,
    Probe,
    ProofView,
    Published,
    Route,
    Site,
    Viewer,
    Viewers,
)
from server.handlers.doorway import Runner, require_c_parser
from server.handlers.i18n import languages
from server.handlers.middleware import answer, dress
from server.handlers.render import Renderer
from server.handlers.routes import PUBLIC, TABLE, check, install
from server.handlers.sse import Streams
from server.handlers.static import read_statics
from server.handlers.status import WebProbe
from server.keeper.client import Keeper
from server.live import CheckpointProbe, CourierProbe, DatabaseProbe, KeeperProbe, LogOf, PublicFiles
from server.logs import LOG
from server.logs import places as places_in
from server.places import database_of, places_of
from server.ports import Chance, Clock
from server.storage.store import Store
from server.verifier_page import verifier_page


class NoViewers:
    """Until there are logins: nobody is known."""

    async def by_cookie(self, token: str, now: int) -> Viewer:
        """Nobody."""
        return NOBODY

    async def by_bearer(self, token: str, now: int) -> Viewer:
        """Nobody."""
        return NOBODY


class PublicOnly:
    """Until there are roles: what everybody may, and nothing else."""

    def known(self) -> Collection[str]:
        """One permission."""
        return (PUBLIC,)

    def access(self, viewer: Viewer, permission: str, now: int) -> Access:
        """Yes for what is public."""
        return Access.YES if permission == PUBLIC else Access.SIGN_IN


class NoCheckpoints:
    """Until there is a log."""

    async def latest(self) -> CheckpointView | None:
        """None."""
        return None


class NothingPublished:
    """Until there is a log."""

    async def log_file(self, path: str) -> bytes:
        """None."""
        raise NotFound

    async def proofs(self) -> tuple[ProofView, ...]:
        """None."""
        return ()

    async def proof(self, name: str) -> bytes:
        """None."""
        raise NotFound


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages stand on; tests put fakes here, the service its storage, keeper and logins."""

    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=SystemChance)
    viewers: Viewers = field(default_factory=NoViewers)
    permissions: Permissions = field(default_factory=PublicOnly)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    probes: Sequence[Probe] = (WebProbe(),)
    published: Published = field(default_factory=NothingPublished)


def build(settings: Settings, parts: Parts | None = None, table: Sequence[Route] = TABLE) -> aioweb.Application:
    """The application. Raises Refused where it must not start: a route without permission, the wrong parser, another `web`."""
    require_c_parser()
    folder = own_web()
    parts = parts or Parts()
    routes = tuple(route for route in table if settings.insecure_demo or not route.demo_only)
    check(routes, parts.permissions)
    statics = read_statics(folder / "static")
    spoken = languages(folder / "locale")
    renderer = Renderer(folder / "templates", spoken, settings, statics)
    renderer.open(routes)
    number = version("lotroom")
    site = Site(
        settings=settings,
        clock=parts.clock,
        chance=parts.chance,
        viewers=parts.viewers,
        permissions=parts.permissions,
        checkpoints=parts.checkpoints,
        published=parts.published,
        probes=parts.probes,
        renderer=renderer,
        statics=statics,
        languages=spoken,
        streams=Streams(settings.stream_most, settings.stream_heartbeat_seconds),
        verifier=verifier_page(number),
        version=number,
        routes=routes,
        started_at=parts.clock.now(),
    )
    app = aioweb.Application(middlewares=[answer])
    app[SITE] = site
    install(app, routes)
    app.on_response_prepare.append(dress)
    app.on_shutdown.append(_end_streams)
    return app


async def _end_streams(app: aioweb.Application) -> None:
    """Open streams end at once: they would hold the stop until its time is out."""
    app[SITE].streams.stop()


def own_web() -> Path:
    """The folder of our pages. Raises Refused `foreign_web` where another package of that name came first."""
    folder = Path(web.__file__ or "").resolve().parent
    if not (folder / "templates" / "base.html").exists():
        raise Refused("foreign_web", str(folder))
    return folder


@asynccontextmanager
async def running(app: aioweb.Application) -> AsyncIterator[int]:
    """The service on its address while the block runs; gives the port."""
    settings = app[SITE].settings
    runner = Runner(app)
    await runner.setup()
    try:
        await aioweb.TCPSite(runner, settings.listen_host, settings.listen_port, reuse_port=False).start()
        port = int(runner.addresses[0][1])
        LOG.info("listening", host=settings.listen_host, port=port, version=app[SITE].version)
        yield port
    finally:
        await runner.cleanup()
        LOG.info("stopped")


@asynccontextmanager
async def real_parts(settings: Settings) -> AsyncIterator[Parts]:
    """What pages stand on in the service: the database, the keeper, the machine's clock. Raises Refused and NotReady."""
    places = places_of(settings)
    clock = SystemClock()
    store = await Store.open(database_of(settings))
    keeper = Keeper(places.socket)
    try:
        probes = (WebProbe(), DatabaseProbe(store), KeeperProbe(keeper), CourierProbe(places.courier, clock), CheckpointProbe(store))
        yield Parts(clock=clock, checkpoints=LogOf(store), published=PublicFiles(store, places.public), probes=probes)
    finally:
        await keeper.close()
        await store.close()


async def serve(settings: Settings, stop: asyncio.Event, ready: Callable[[], None], table: Sequence[Route] = TABLE) -> None:
    """The web process, until `stop`."""
    asyncio.get_running_loop().set_exception_handler(_unowned)
    async with real_parts(settings) as parts, measured(settings, parts), running(build(settings, parts, table)):
        ready()
        await stop.wait()


@asynccontextmanager
async def measured(settings: Settings, parts: Parts) -> AsyncIterator[None]:
    """Measurements on a port of this machine alone, where the settings name one."""
    if not settings.metrics_port:
        yield
        return
    app = metrics.build(parts.probes, parts.checkpoints, parts.clock)
    runner = aioweb.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await aioweb.TCPSite(runner, "127.0.0.1", settings.metrics_port).start()
        yield
    finally:
        await runner.cleanup()


def _unowned(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that no task waits for: its kind and places, never its words."""
    raised = context.get("exception")
    if isinstance(raised, Exception):
        LOG.error("unowned", error=type(raised).__name__, places=places_in(raised))
