"""The only place that wires: settings, adapters, pages, and the web process itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web as aioweb

import web
from drawing.errors import Refused
from server.adapters.clock import SystemChance, SystemClock
from server.auth.passwords import Hasher
from server.config import Settings
from server.handlers.ask import NOBODY, SITE, Access, Checkpoints, CheckpointView, Permissions, Probe, Route, Site, Tiles, Viewer, Viewers
from server.handlers.doorway import Runner, require_c_parser
from server.handlers.i18n import languages
from server.handlers.middleware import answer, dress
from server.handlers.render import Renderer
from server.handlers.routes import DESK, PUBLIC, TABLE, check, install
from server.handlers.sse import Streams
from server.handlers.static import read_statics
from server.handlers.status import WebProbe
from server.handlers.viewers import LoginViewers, TablePermissions
from server.keeper.client import Keeper
from server.logs import LOG, configure, places
from server.ports import Chance, Clock
from server.services.desk import Caller, Desk, furnished
from server.storage.store import Store
from server.verifier_page import verifier_page


class NoViewers:
    """Until there are logins: nobody is known."""

    async def by_cookie(self, token: str, now: int, caller: Caller) -> Viewer:
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


class NoTiles:
    """Until there is a log."""

    async def file(self, path: str) -> bytes:
        """Nothing."""
        raise Refused("no_such_tile", "log")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages stand on; tests put fakes here, the service its storage, keeper and logins."""

    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=SystemChance)
    viewers: Viewers = field(default_factory=NoViewers)
    permissions: Permissions = field(default_factory=PublicOnly)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    probes: Sequence[Probe] = (WebProbe(),)
    tiles: Tiles = field(default_factory=NoTiles)
    desk: Desk | None = None


def parts_of(desk: Desk, **more: Any) -> Parts:
    """With logins and the permission table over a store and a keeper."""
    return Parts(viewers=LoginViewers(desk), permissions=TablePermissions(), desk=desk, **more)


def build(settings: Settings, parts: Parts | None = None, table: Sequence[Route] | None = None) -> aioweb.Application:
    """The application. Raises Refused where it must not start: a route without permission, the wrong parser, another `web`."""
    require_c_parser()
    folder = own_web()
    parts = parts or Parts()
    if table is None:
        table = (*TABLE, *DESK) if parts.desk else TABLE
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
        tiles=parts.tiles,
        probes=parts.probes,
        renderer=renderer,
        statics=statics,
        languages=spoken,
        streams=Streams(settings.stream_most, settings.stream_heartbeat_seconds),
        verifier=verifier_page(number),
        version=number,
        routes=routes,
        started_at=parts.clock.now(),
        desk=parts.desk,
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


async def serve(settings: Settings) -> None:
    """The web process, until it is told to stop."""
    configure(settings.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unowned)
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with furnished_for(settings) as parts, running(build(settings, parts)):
        await stop.wait()


@asynccontextmanager
async def furnished_for(settings: Settings) -> AsyncIterator[Parts]:
    """The parts over the store and the keeper of the settings; only public ones where there is no database. Raises Refused, NotReady."""
    if not settings.database:
        yield Parts()
        return
    clock, chance = SystemClock(), SystemChance()
    store = await Store.open(settings.database)
    hasher = Hasher(os.cpu_count() or 1)
    try:
        async with Keeper(Path(settings.keeper_socket)) as keeper:
            yield parts_of(furnished(store, keeper, hasher, chance.token, clock.now), clock=clock, chance=chance)
    finally:
        hasher.close()
        await store.close()


def _unowned(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that no task waits for: its kind and places, never its words."""
    raised = context.get("exception")
    if isinstance(raised, Exception):
        LOG.error("unowned", error=type(raised).__name__, places=places(raised))
