"""One process of the service by its role: `python -m server.processes web|keeper|courier|gateway|prepare|nursery [--parent PID]`.

    prepare   folders, settings and tables are as they must be, or the reason is said and the exit code is not 0; witnesses are asked
    web       pages          keeper   keys          courier   jobs          gateway   telephones of a demonstration
    nursery   a process that forks the roles named after it when it is told to (server.nursery)

Says `<role> ready` on standard output once, then `<role> alive`, and the same to systemd where it asked. With --parent it ends with that process, whatever ends that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from drawing.errors import Refused
from drawing.note import VKey
from server.adapters.clock import SystemClock
from server.config import Settings, load
from server.errors import NotReady
from server.logs import LOG, configure
from server.nursery import be_called, end_with, give_back, nurse, say, speak_apart
from server.places import database_of, keeper_database_of, places_of
from server.refusals import text_of
from server.storage.frozen import first_name
from server.supervisor import notify

if TYPE_CHECKING:
    from server.errands import Errands
    from server.keeper.client import Keeper
    from server.ports import Gateway
    from server.storage.store import Store
    from server.witness.courier import Cosigner

ALIVE_SECONDS = 2.0
Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]


async def web(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Pages."""
    from server.app import serve

    await serve(settings, stop, ready)


async def keeper(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Keys."""
    from server.box import box_public
    from server.keeper.core import Settings as KeeperSettings
    from server.keeper.passkeys import Site
    from server.keeper.process import Place, peer_text, serve
    from server.keeper.verbs import CALLERS

    places = places_of(settings)
    peers = {os.geteuid(): frozenset(CALLERS if not settings.keeper_peers else {"console"}), **dict(map(peer_text, settings.keeper_peers))}
    site = Site(settings.host, settings.origins)
    box = box_public(places, settings.courier_box)
    own = KeeperSettings(places.sealed, site, settings.log_name, peers, settings.insecure_demo, box, places.out)
    await serve(own, Place(places.socket, keeper_database_of(settings)), SystemClock().now, stop, ready)


async def courier(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Jobs. Handlers are registered here, by kind."""
    from server.box import make_box
    from server.courier import CHECKPOINT, Courier, keep_touching
    from server.keeper.client import Keeper
    from server.storage.store import Store
    from server.witness.courier import handler_of

    make_box(places_of(settings))
    store, clock = await Store.open(database_of(settings)), SystemClock()
    keeper = Keeper(places_of(settings).socket)
    touching = asyncio.create_task(keep_touching(places_of(settings).courier))
    try:
        ready()
        handlers = dict(errands_of(settings, store, keeper).handlers)
        if settings.log_witnesses:
            cosigner = await cosigner_when_known(store, settings, stop)
            if cosigner is None:
                return
            handlers[CHECKPOINT] = handler_of(cosigner, clock)
        await Courier(store, clock, handlers, f"courier-{os.getpid()}", settings.log_witness_seconds).run(stop)
    finally:
        touching.cancel()
        await asyncio.wait([touching])
        await keeper.close()
        await store.close()


def errands_of(settings: Settings, store: Store, keeper: Keeper) -> Errands:
    """What the courier does for draws, with the gateways of the settings."""
    from server.adapters.webhooks import HookSender
    from server.beacon_client import Relays
    from server.box import box_secret
    from server.errands import Errands, channels_of
    from server.hooks import Hooks
    from server.services import webhooks

    clock = SystemClock()
    fetch = Relays(settings.beacon_relays, clock.now, no_sleep, progress, wait=False, patience=0)
    centres = {"zh": settings.centre_zh, "en": settings.centre_en}
    gateways = channels_of(gateways_of(settings, clock))
    secret = box_secret(places_of(settings))
    hooks = Hooks(store, clock, secret, HookSender(settings.webhook_reach).send)
    return Errands(store, keeper, clock, secret, gateways, fetch, centres, settings.origin, {webhooks.SEND: hooks.deliver})


def gateways_of(settings: Settings, clock: SystemClock) -> list[Gateway]:
    """The ways out that the settings name."""
    from server.adapters.gateways import Mail, Webhook

    callback = f"{settings.origin}/api/gateway"
    found: list[Gateway] = []
    if settings.sms_address:
        found.append(Webhook("sms", settings.sms_address, clock.now, callback, settings.sms_secret))
    if settings.voice_address:
        found.append(Webhook("voice", settings.voice_address, clock.now, callback, settings.voice_secret))
    if settings.smtp_host:
        given = settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user
        found.append(Mail(*given, settings.smtp_sender, settings.smtp_password))
    return found


def no_sleep(_: float) -> None:
    """The outbox waits, not we."""


def progress(code: str, **params: object) -> None:
    """What a beacon's relay does wrong is worth a line."""
    LOG.info("beacon", code=code)


async def cosigner_when_known(store: Store, settings: Settings, stop: asyncio.Event) -> Cosigner | None:
    """The witnesses of the settings, once the log's key is known: from the database, at the first start from an unsealed keeper. None at a stop."""
    from server.keeper.client import Keeper
    from server.witness.courier import cosigner_of, known_key

    while not stop.is_set():
        try:
            key = await known_key(store)
            if key is None:
                async with Keeper(places_of(settings).socket) as keeper:
                    key = VKey.parse((await keeper.key_status()).log)
            return cosigner_of(store, settings, key)
        except (Refused, NotReady) as wrong:
            LOG.warning("waiting", part="witnesses", code=wrong.code)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await stop.wait()
    return None


async def prepare(settings: Settings) -> None:
    """Raises Refused where the service must not start."""
    from server.box import make_box
    from server.storage.store import Store
    from server.storage.versions import migrate

    places = places_of(settings)
    places.check()
    if not places.sealed.exists():
        raise Refused("not_initialised", str(places.folder))
    if not settings.courier_box:
        make_box(places)  # before the keeper looks for it
    if places.shared is None:
        places.run.chmod(0o700)
    if not settings.database:  # the embedded database is ours alone: nobody else has to be asked
        await migrate(database_of(settings))
    store = await Store.open(database_of(settings))
    try:
        async with store.reading() as tx:
            origin = (await tx.head()).origin
        if not origin:
            raise Refused("not_initialised", str(places.folder))
        if first_name(origin) != settings.log_name:
            raise Refused("log_of_another_name", "log_origin", found=origin, set=settings.log_name)
        await ask_witnesses(store, settings)
    finally:
        await store.close()


async def ask_witnesses(store: Store, settings: Settings) -> None:
    """Before anybody may write: has a witness seen more than this database? Then the log is frozen, and the service starts to be read only.

    One that does not answer keeps nobody waiting for more than a few seconds: an opening hour does not wait for it, and the courier asks on.
    """
    from server.witness.courier import cosigner_of, known_key

    key = await known_key(store) if settings.log_witnesses else None
    if key is None:
        return
    try:
        await cosigner_of(store, settings, key).cosign_newest(SystemClock().now(), everybody=True)
    except Refused as wrong:
        lang = os.environ.get("LOTROOM_LANG", "zh")
        print(f"lotroom: {text_of(wrong.code, {**wrong.params, 'place': wrong.place}, lang)}", file=sys.stderr)


async def gateway(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Telephones of a demonstration."""
    from server.app import own_web
    from server.demo.gateway import DemoGateway, serving

    if not settings.insecure_demo or not settings.gateway_port:
        raise Refused("gateway_only_in_demo", "gateway_port")
    made = DemoGateway(settings.sms_secret, settings.callback_secret, SystemClock().now)
    async with serving(made, own_web(), settings.gateway_port):
        ready()
        await stop.wait()


ROLES: Mapping[str, Run] = {"web": web, "keeper": keeper, "courier": courier, "gateway": gateway}


async def until_told(role: str, run: Run, settings: Settings) -> None:
    """Run a role until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)

    async def alive() -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            say(f"{role} alive")
            notify("WATCHDOG=1")

    telling: list[asyncio.Task[None]] = []

    def ready() -> None:
        say(f"{role} ready")
        notify("READY=1")
        telling.append(asyncio.create_task(alive()))
        gc.collect()
        gc.freeze()
        gc.enable()
        give_back()

    try:
        await run(settings, stop, ready)
    finally:
        for task in telling:
            task.cancel()


def main(arguments: list[str] | None = None, roles: Mapping[str, Run] = ROLES) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="lotroom-process")
    parser.add_argument("role", choices=[*roles, "prepare", "nursery"])
    parser.add_argument("forked", nargs="*")
    parser.add_argument("--parent", type=int)
    given = parser.parse_args(arguments)
    if given.parent is not None:
        end_with(given.parent)
    speak_apart()
    if given.role == "nursery":
        return nurse(given.forked, lambda role: run_role(role, roles))
    return run_role(given.role, roles)


def run_role(role: str, roles: Mapping[str, Run]) -> int:
    """Until it is told to end. The exit code: 1 where it cannot run, and what is to be done was said."""
    be_called(role)
    gc.disable()  # until it is ready: what starting makes is for good
    try:
        settings = load(os.environ, Path.cwd())
        configure(settings.log_level)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
        if role == "prepare":
            asyncio.run(prepare(settings))
        else:
            asyncio.run(until_told(role, roles[role], settings))
    except Refused as wrong:
        lang = os.environ.get("LOTROOM_LANG", "zh")
        print(f"lotroom {role}: {wrong.place}: {text_of(wrong.code, wrong.params, lang)}", file=sys.stderr)
        return 1
    except NotReady as wrong:
        print(f"lotroom {role}: {wrong.params.get('part', '')} {wrong.params.get('why', '')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
