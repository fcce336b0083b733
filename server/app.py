"""The only place that wires: settings, adapters, pages, and the web process itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DummyCookieJar
from aiohttp import web as aioweb

import web
from drawing.errors import Refused
from server import metrics
from server.adapters.clock import SystemChance, SystemClock
from server.adapters.oidc_http import ClientHttp
from server.auth import oidc
from server.auth.oidc import Provider
from server.auth.passwords import Hasher
from server.config import Settings
from server.errors import NotFound
from server.forgetting import keep_forgetting
from server.handlers.ask import (
    NOBODY,
    SITE,
    Access,
    Checkpoints,
    CheckpointView,
    DemoPeople,
    Guard,
    Permissions,
    Probe,
    Proofs,
    ProofView,
    Route,
    Site,
    Tiles,
    Viewer,
    Viewers,
)
from server.handlers.doorway import Runner, require_c_parser
from server.handlers.i18n import languages
from server.handlers.middleware import answer, dress
from server.handlers.proxies import networks
from server.handlers.render import Renderer
from server.handlers.routes import DEMO, DESK, PROGRAMS, PUBLIC, TABLE, check, install
from server.handlers.sse import Streams
from server.handlers.static import read_statics
from server.handlers.status import WebProbe
from server.handlers.viewers import LoginViewers, TablePermissions
from server.keeper.client import Keeper
from server.live import (
    CheckpointProbe,
    ClockProbe,
    ClosedProofs,
    CourierProbe,
    DatabaseProbe,
    DiskProbe,
    KeeperProbe,
    LogGuard,
    LogOf,
    ProofFiles,
    WitnessProbe,
)
from server.log_key import record_log_key
from server.logs import LOG
from server.logs import places as places_in
from server.places import Places, database_of, places_of
from server.ports import Chance, Clock
from server.services.desk import Caller, Desk, furnished
from server.storage.log import PublishedLog
from server.storage.store import Store
from server.verifier_page import verifier_page

SSO_BACK = "/sign-in/sso/back"


class NoViewers:
    """Until there are logins: nobody is known."""

    async def by_cookie(self, token: str, now: int, caller: Caller) -> Viewer:
        """Nobody."""
        return NOBODY

    async def by_bearer(self, token: str, now: int, caller: Caller) -> Viewer:
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


class NoProofs:
    """Until there are finished draws."""

    async def shown(self) -> tuple[ProofView, ...]:
        """None."""
        return ()

    async def file(self, name: str) -> bytes:
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
    tiles: Tiles = field(default_factory=NoTiles)
    proofs: Proofs = field(default_factory=NoProofs)
    guard: Guard | None = None
    desk: Desk | None = None
    demo: DemoPeople | None = None


def parts_of(desk: Desk, **more: Any) -> Parts:
    """With logins and the permission table over a store and a keeper."""
    return Parts(viewers=LoginViewers(desk), permissions=TablePermissions(), desk=desk, **more)


def build(
    settings: Settings, parts: Parts | None = None, table: Sequence[Route] | None = None, compiled: Path | None = None
) -> aioweb.Application:
    """The application. `compiled`: a folder where compiled templates are kept. Raises Refused where it must not start: a route without permission, the wrong parser, another `web`."""
    require_c_parser()
    folder = own_web()
    parts = parts or Parts()
    if table is None:
        table = (*TABLE, *DESK, *PROGRAMS) if parts.desk else TABLE
    demo = parts.demo if settings.insecure_demo else None
    if demo is not None:
        table = (*table, *DEMO)
    routes = tuple(route for route in table if settings.insecure_demo or not route.demo_only)
    check(routes, parts.permissions)
    statics = read_statics(folder / "static", demo=demo is not None)
    spoken = languages(folder / "locale")
    renderer = Renderer(folder / "templates", spoken, settings, statics, compiled)
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
        proofs=parts.proofs,
        probes=parts.probes,
        renderer=renderer,
        statics=statics,
        languages=spoken,
        streams=Streams(settings.stream_most, settings.stream_heartbeat_seconds),
        verifier=verifier_page(number),
        version=number,
        routes=routes,
        started_at=parts.clock.now(),
        demo=demo,
        proxies=networks(settings.trusted_proxies),
        guard=parts.guard,
        desk=parts.desk,
    )
    app = aioweb.Application(middlewares=[answer])
    app[SITE] = site
    install(app, routes)
    app.on_response_prepare.append(dress)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.append(_end_tasks)
    return app


async def _end_tasks(app: aioweb.Application) -> None:
    """Work that outlasts requests ends with the service; it goes on from what the database says."""
    desk = app[SITE].desk
    if desk is not None:
        await desk.tasks.close()


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
async def provided(settings: Settings) -> AsyncIterator[Provider | None]:
    """The organisation's identity provider, where the settings name one. Raises Refused for one that cannot be safe."""
    if not settings.sso_issuer:
        yield None
        return
    told = oidc.Settings(
        settings.sso_issuer,
        settings.sso_client_id,
        settings.sso_client_secret,
        settings.origin + SSO_BACK,
        insecure_loopback=settings.insecure_demo,
    )
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield Provider(told, ClientHttp(session))


@asynccontextmanager
async def real_parts(settings: Settings) -> AsyncIterator[Parts]:
    """What pages stand on in the service: the database, the keeper, the machine's clock. Raises Refused and NotReady."""
    places = places_of(settings)
    clock, chance = SystemClock(), SystemChance()
    store = await Store.open(database_of(settings))
    hasher = Hasher(os.cpu_count() or 1)
    tasks = [asyncio.create_task(keep_forgetting(store))]
    guard = LogGuard(store)
    tasks.append(asyncio.create_task(guard.watch()))
    try:
        async with Keeper(places.socket) as keeper, provided(settings) as provider:
            tasks.append(asyncio.create_task(record_log_key(store, keeper, clock.now)))
            yield parts_of(
                replace(furnished(store, keeper, hasher, chance.token, clock.now), provider=provider),
                clock=clock,
                chance=chance,
                checkpoints=LogOf(store),
                tiles=PublishedLog(store),
                proofs=ClosedProofs(store, ProofFiles(places.public)),
                demo=_demo_people(settings, places),
                guard=guard,
                probes=(
                    WebProbe(),
                    DatabaseProbe(store),
                    KeeperProbe(keeper),
                    CourierProbe(places.courier, clock),
                    CheckpointProbe(store),
                    WitnessProbe(store, settings),
                    DiskProbe(places.folder),
                    ClockProbe(store),
                ),
            )
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
        hasher.close()
        await store.close()


def _demo_people(settings: Settings, places: Places) -> DemoPeople | None:
    """The people of a populated demonstration. What they need is loaded there only: a real service's pages know no authenticator's code."""
    if not settings.insecure_demo or not places.demo_people.exists():
        return None
    from server.demo import book

    return book.DemoPeople(places.demo_people)


async def serve(settings: Settings, stop: asyncio.Event, ready: Callable[[], None], table: Sequence[Route] | None = None) -> None:
    """The web process, until `stop`."""
    asyncio.get_running_loop().set_exception_handler(_unowned)
    compiled = places_of(settings).compiled
    if compiled is not None:
        with suppress(OSError):  # without it pages are compiled at each start
            compiled.mkdir(mode=0o700, exist_ok=True)
    async with real_parts(settings) as parts, measured(settings, parts), running(build(settings, parts, table, compiled)):
        ready()
        await stop.wait()


@asynccontextmanager
async def measured(settings: Settings, parts: Parts) -> AsyncIterator[None]:
    """Measurements on a port of this machine alone, where the settings name one."""
    if not settings.metrics_port:
        yield
        return
    app = metrics.build(parts.probes, parts.checkpoints, parts.clock, places_of(settings).folder)
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
