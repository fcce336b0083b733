"""One process of the service by its role: `python -m server.processes web|keeper|courier|prepare [--parent PID]`.

    prepare   folders, settings and tables are as they must be, or the reason is said and the exit code is not 0
    web       pages          keeper   keys          courier   jobs

Says `ready` on standard output once, then `alive`. With --parent it ends with that process, whatever ends that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from drawing.errors import Refused
from server.adapters.clock import SystemClock
from server.config import Settings, load
from server.errors import NotReady
from server.logs import configure
from server.places import database_of, keeper_database_of, places_of
from server.refusals import text_of

_PR_SET_PDEATHSIG = 1
ALIVE_SECONDS = 2.0
Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]


async def web(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Pages."""
    from server.app import serve

    await serve(settings, stop, ready)


async def keeper(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Keys."""
    from server.keeper.core import Settings as KeeperSettings
    from server.keeper.passkeys import Site
    from server.keeper.process import Place, serve
    from server.keeper.verbs import CALLERS

    places = places_of(settings)
    peers = {os.geteuid(): frozenset(CALLERS)}
    site = Site(settings.host, settings.origins)
    own = KeeperSettings(places.sealed, site, settings.log_name, peers, settings.insecure_demo)
    await serve(own, Place(places.socket, keeper_database_of(settings)), SystemClock().now, stop, ready)


async def courier(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Jobs. Handlers are registered here, by kind."""
    from server.courier import Courier, keep_touching
    from server.storage.store import Store

    store = await Store.open(database_of(settings))
    touching = asyncio.create_task(keep_touching(places_of(settings).courier))
    try:
        ready()
        await Courier(store, SystemClock(), {}, f"courier-{os.getpid()}").run(stop)
    finally:
        touching.cancel()
        await asyncio.wait([touching])
        await store.close()


async def prepare(settings: Settings) -> None:
    """Raises Refused where the service must not start."""
    from server.storage.store import Store
    from server.storage.versions import migrate

    places = places_of(settings)
    places.check()
    if not places.sealed.exists():
        raise Refused("not_initialised", str(places.folder))
    places.socket.parent.chmod(0o700)
    if not settings.database:  # the embedded database is ours alone: nobody else has to be asked
        await migrate(database_of(settings))
    store = await Store.open(database_of(settings))
    try:
        async with store.reading() as tx:
            origin = (await tx.head()).origin
    finally:
        await store.close()
    if not origin:
        raise Refused("not_initialised", str(places.folder))
    if origin != settings.log_name:
        raise Refused("log_of_another_name", "log_origin", found=origin, set=settings.log_name)


ROLES: Mapping[str, Run] = {"web": web, "keeper": keeper, "courier": courier}


def end_with(parent: int) -> None:
    """The kernel kills this process when its parent ends; one that is gone already is noticed here."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def say(line: str) -> None:
    """To the supervisor, if it still reads."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


async def until_told(run: Run, settings: Settings) -> None:
    """Run a role until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)

    async def alive() -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            say("alive")

    telling: list[asyncio.Task[None]] = []

    def ready() -> None:
        say("ready")
        telling.append(asyncio.create_task(alive()))
        gc.freeze()

    try:
        await run(settings, stop, ready)
    finally:
        for task in telling:
            task.cancel()


def main(arguments: list[str] | None = None, roles: Mapping[str, Run] = ROLES) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="lotroom-process")
    parser.add_argument("role", choices=[*roles, "prepare"])
    parser.add_argument("--parent", type=int)
    given = parser.parse_args(arguments)
    if given.parent is not None:
        end_with(given.parent)
    try:
        settings = load(os.environ, Path.cwd())
        configure(settings.log_level)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
        if given.role == "prepare":
            asyncio.run(prepare(settings))
        else:
            asyncio.run(until_told(roles[given.role], settings))
    except Refused as wrong:
        lang = os.environ.get("LOTROOM_LANG", "zh")
        print(f"lotroom {given.role}: {wrong.place}: {text_of(wrong.code, wrong.params, lang)}", file=sys.stderr)
        return 1
    except NotReady as wrong:
        print(f"lotroom {given.role}: {wrong.params.get('part', '')} {wrong.params.get('why', '')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
