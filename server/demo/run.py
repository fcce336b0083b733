"""`lotroom demo`: makes a data folder, fills it, walks one draw, serves it on this machine, and says who can sign in; until it is told to end.

The settings are written into the folder and no others count, so that nothing of an installation on this machine is touched or read. While it is
filled the keeper runs alone: web and courier begin when there is something to show. The logs of all go into a file beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unicodedata import east_asian_width

import click

from drawing.errors import Refused
from server.auth.model import Role
from server.auth.passwords import Hasher
from server.config import CREDENTIALS_VARIABLE, FILE_VARIABLE, PREFIX, Settings, load
from server.demo.book import Book, Person, code_of
from server.demo.people import populate
from server.files import write_whole
from server.keeper.client import Keeper
from server.logs import configure
from server.places import Places, database_of, places_of
from server.ports import Clock
from server.services.desk import furnished
from server.setting_up import set_up
from server.storage.store import Store
from server.supervisor import ROLES, Supervisor
from server.texts import ROLE_NAMES, tell
from server.walkthrough import walk

T = TypeVar("T")
USUAL_PORT = 8080
READY_SECONDS = 60
TAIL = 4_000  # bytes of a log that is shown where a process does not start
SETTINGS = """# A demonstration: everything in it is invented, and none of it is safe.
insecure_demo = true
data_folder = {folder}
listen_port = {port}
origin = "http://localhost:{port}"
log_origin = "demo.lotroom.invalid/log"
centre_zh = "示例市公共资源交易中心"
centre_en = "Example Public Resource Trading Centre"
gateway_port = {gateway}
sms_address = "http://127.0.0.1:{gateway}/send"
sms_secret = "{secret}"
callback_secret = "{callback}"

[[complaints]]
zh = "示例市发展和改革委员会"
en = "Example Development and Reform Commission"
phone = "010-5559 0000"
"""


class Told(Exception):
    """Somebody wants it to end."""


@dataclass(frozen=True, slots=True)
class Demo:
    """One demonstration: its folder, its settings, the file of its logs."""

    folder: Path
    settings: Settings
    log: Path
    clock: Clock
    lang: str

    @property
    def places(self) -> Places:
        return places_of(self.settings)


def run_demo(out: Path | None, port: int | None, lang: str, clock: Clock, *, serve: bool) -> int:
    """All of it; the exit code: 0 where everything came out as it should and the end was asked for. Raises Refused."""
    chosen = free_port(port) if serve else port or USUAL_PORT
    folder = out or Path(tempfile.mkdtemp(prefix="lotroom-demo-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        demo = _prepared(folder.absolute(), chosen, lang, clock)
        with demo.log.open("ab") as log:
            return asyncio.run(_run(demo, log.fileno(), serve=serve))
    finally:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)


def free_port(wanted: int | None) -> int:
    """The port that was asked for, or the usual one, or any that is free. Raises Refused("port_taken")."""
    for port in (wanted,) if wanted else (USUAL_PORT, 0):
        with socket.socket() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                end.bind(("127.0.0.1", port or 0))
                return int(end.getsockname()[1])
    raise Refused("port_taken", "--port", port=wanted or USUAL_PORT)


def any_port() -> int:
    """A port that is free now: of the page that shows telephones."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


def _prepared(folder: Path, port: int, lang: str, clock: Clock) -> Demo:
    data, config = folder / "data", folder / "lotroom.toml"
    if config.exists() or data.exists():
        raise Refused("file_exists", str(config if config.exists() else data))
    for name in [each for each in os.environ if each.startswith(PREFIX) or each == CREDENTIALS_VARIABLE]:
        del os.environ[name]
    keys = {"secret": secrets.token_hex(24), "callback": secrets.token_hex(24)}
    settings = SETTINGS.format(folder=json.dumps(str(data), ensure_ascii=False), port=port, gateway=any_port(), **keys)
    write_whole(config, settings.encode(), mode=0o600)
    os.environ[FILE_VARIABLE] = str(config)  # for the processes that begin here
    os.environ["LOTROOM_LANG"] = lang
    return Demo(folder, load(os.environ, folder), folder / "serve.log", clock, lang)


async def _run(demo: Demo, log: int, *, serve: bool) -> int:
    configure("error")
    told = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, told.set)
    try:
        click.echo(tell("demo_begins", demo.lang, folder=demo.folder))
        ceremony = await set_up(demo.settings, (), 1, 1, demo.clock.now(), demo=True)
        async with _processes(demo, log, ("keeper",), told):
            walking = asyncio.create_task(walk(demo.folder, demo.lang))
            filling = asyncio.create_task(_fill(demo, ceremony.console))
            try:
                book = await _until(filling, told)
                code = await _until(walking, told)
            finally:
                for task in (walking, filling):
                    task.cancel()
                await asyncio.gather(walking, filling, return_exceptions=True)
        if code:
            return code
        _publish(demo)
        if not serve:
            click.echo(tell("demo_filled", demo.lang, count=len(book.people)))
            return 0
        async with _processes(demo, log, (*ROLES, "gateway"), told):
            _tell(demo, book)
            await told.wait()
    except Told:
        pass
    return 0


async def _until(task: asyncio.Task[T], told: asyncio.Event) -> T:
    """The result of a task, unless the end is asked for first. Raises Told."""
    ending = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
    if not task.done():
        raise Told
    return task.result()


@asynccontextmanager
async def _processes(demo: Demo, log: int, roles: tuple[str, ...], told: asyncio.Event) -> AsyncIterator[None]:
    """The service's processes, ready. Raises Refused("demo_not_started") with the end of their log, Told."""
    supervisor = Supervisor(roles, errors=log)
    running = asyncio.create_task(supervisor.run())
    try:
        ready = asyncio.create_task(asyncio.wait_for(supervisor.all_ready.wait(), READY_SECONDS))
        try:
            await _until(ready, told)
        except TimeoutError:
            with demo.log.open("rb") as read:
                read.seek(max(0, demo.log.stat().st_size - TAIL))
                click.echo(read.read().decode("utf-8", "replace"), err=True)
            raise Refused("demo_not_started", str(demo.log)) from None
        finally:
            ready.cancel()
        yield
    finally:
        supervisor.stop()
        await running


async def _fill(demo: Demo, console: str) -> Book:
    store = await Store.open(database_of(demo.settings))
    hasher = Hasher(os.cpu_count() or 1)
    try:
        async with Keeper(demo.places.socket) as keeper:
            desk = furnished(store, keeper, hasher, secrets.token_bytes, demo.clock.now)
            return await populate(desk, console, demo.places, demo.settings.origin, demo.clock)
    finally:
        hasher.close()
        await store.close()


def _publish(demo: Demo) -> None:
    """The walk's proof and key list, for the start page."""
    for name in ("proof", "keys"):
        made = demo.places.public / f"demo-{name}.json"
        shutil.copyfile(demo.folder / "draw" / f"{name}.json", made)
        made.chmod(0o600)


# What is told ---------------------------------------------------------------------------------------------------------------------------


def _tell(demo: Demo, book: Book) -> None:
    """Address and logins."""
    now = demo.clock.now()
    head = tuple(tell("demo_column_" + each, demo.lang) for each in ("role", "name", "account", "secret", "code", "passkey"))
    rows = [
        (
            _role(each, demo.lang),
            each.name,
            each.account,
            each.secret,
            code_of(each, now),
            tell("yes" if each.keys else "no", demo.lang),
        )
        for each in book.people
    ]
    origin = demo.settings.origin
    click.echo()
    click.echo(click.style(tell("demo_address", demo.lang, address=origin), bold=True))
    click.echo(tell("demo_password", demo.lang, password=book.password))
    click.echo()
    for line in table([head, *rows]):
        click.echo(line)
    click.echo()
    for role in (Role.BIDDER_GUEST, Role.VISITOR):
        click.echo(tell("demo_" + role.value, demo.lang))
    click.echo(tell("demo_phones", demo.lang, page=f"http://localhost:{demo.settings.gateway_port}/"))
    click.echo(tell("demo_more", demo.lang, page=origin + "/demo", invitation=origin + book.invitation))
    click.echo(tell("demo_end", demo.lang, config=demo.folder / "lotroom.toml", log=demo.log))
    sys.stdout.flush()


def _role(person: Person, lang: str) -> str:
    if not person.role:
        return tell("demo_no_role", lang)
    name = ROLE_NAMES[person.role][0 if lang == "zh" else 1]
    return tell("demo_role", lang, role=name, centre=person.centre) if person.centre else name


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows in columns as wide as a terminal shows them: a Chinese character takes two places."""
    widths = [max(_width(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)
