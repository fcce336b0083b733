"""`lotroom init`: the first day at the console. In a terminal six steps, each with what it does and why; elsewhere the same by options.

What the service shows once is shown here once: the custodians' shares, one after the other with the screen cleared between, and the secret that
enrols the three administrators on the page /first-day. It ends with what comes next and with one page of what is still unsafe.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from pydantic import ValidationError

from drawing.errors import Refused
from server.config import Settings
from server.doctor import examine, still_unsafe
from server.files import write_new
from server.keeper.client import Keeper
from server.keeper.sealed import MAX_CUSTODIANS, read_sealed
from server.keeper.verbs import ConsoleSecret
from server.places import places_of
from server.setting_up import set_up
from server.texts import tell
from server.unsafe import Finding

MARKS = {"good": "✓", "mind": "!", "bad": "✗"}
NEXT = (
    ("lotroom serve", "next_serve"),
    ("lotroom unseal NAME", "next_unseal"),
    ("{origin}/first-day", "next_first_day"),
    ("lotroom witness serve", "next_witness"),
    ("server/rules/holidays", "next_holidays"),
    ("lotroom library check FILE --rejects REJECTS", "next_import"),
    ("lotroom draw run LIBRARY REQUEST --out FOLDER --dry-run", "next_dry_run"),
    ("lotroom backup FOLDER", "next_backup"),
)


def first_day(settings: Callable[[], Settings], path: Path, needed: int, suite: int, now: Callable[[], int], lang: str) -> None:
    """All six steps. `path`: where the settings are, or will be. Raises Refused."""
    click.echo(tell("guide_begin", lang))
    _step("guide_1", lang)
    if not path.exists():
        _write_settings(path, lang)
    given = settings()
    places = places_of(given)
    if places.sealed.exists():
        raise Refused("already_initialised", str(places.folder))
    click.echo(tell("guide_settings", lang, origin=given.origin, folder=places.folder, path=path))
    _step("guide_2", lang, database=tell("guide_postgresql" if given.database else "guide_sqlite", lang))
    _step("guide_3", lang)
    custodians, needed = _custodians(given, needed, lang)
    click.confirm(tell("guide_go", lang), default=True, abort=True)
    begin(given, custodians, needed, suite, now(), lang, demo=not custodians, guided=True)
    afterwards(given, lang)


def begin(
    given: Settings, custodians: Sequence[str], needed: int, suite: int, now: int, lang: str, *, demo: bool, guided: bool = False
) -> None:
    """The service is made, its shares and its secret are shown."""
    ceremony = asyncio.run(set_up(given, custodians, needed, suite, now, demo=demo))
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    for name, words in ceremony.shares.items():
        if terminal:
            click.pause(tell("share_of", lang, name=name))
        click.echo(tell("share", lang, name=name, words=words))
        if terminal:
            click.pause(tell("share_noted", lang))
            click.clear()
    if guided:
        _step("guide_4", lang, log=given.log_name)
        _step("guide_5", lang)
    click.echo(tell("initialised", lang, folder=given.data_folder, log=given.log_name))
    click.echo(tell("console_secret", lang, secret=ceremony.console, page=given.origin + "/first-day"))


def new_secret(given: Settings, lang: str) -> None:
    """Another secret of the console, from the keeper that runs. Raises Refused."""

    async def ask() -> ConsoleSecret:
        async with Keeper(places_of(given).socket) as keeper:
            return await keeper.renew_bootstrap()

    click.echo(tell("console_secret", lang, secret=asyncio.run(ask()).secret, page=given.origin + "/first-day"))


def afterwards(given: Settings, lang: str) -> None:
    """What comes next, and one page of what is still unsafe."""
    _step("guide_6", lang)
    sealed = read_sealed(places_of(given).sealed)
    for command, why in NEXT:
        if why != "next_unseal" or sealed.custodians:
            click.echo(f"  {command.format(origin=given.origin)}\n      {tell(why, lang, needed=sealed.needed)}")
    found = still_unsafe(asyncio.run(examine(given)))
    click.echo()
    click.echo(click.style(tell("still_unsafe", lang, count=len(found)) if found else tell("nothing_unsafe", lang), bold=True))
    for each in found:
        click.echo("  " + line_of(each, lang))


def line_of(found: Finding, lang: str) -> str:
    """A finding in a line."""
    return f"{MARKS[found.state]} {found.what}: {tell(found.code, lang, **found.params)}"


def _step(code: str, lang: str, **params: object) -> None:
    head, *rest = tell(code, lang, **params).split("\n")
    click.echo("\n" + click.style(head, bold=True))
    for line in rest:
        click.echo(line)


def _write_settings(path: Path, lang: str) -> None:
    while True:
        origin = click.prompt(tell("guide_origin", lang)).strip()
        try:
            Settings.model_validate({"origin": origin})
        except ValidationError:
            click.echo(tell("guide_origin_wrong", lang))
            continue
        break
    zh = click.prompt(tell("guide_centre_zh", lang)).strip()
    en = click.prompt(tell("guide_centre_en", lang)).strip()
    folder = click.prompt(tell("guide_folder", lang), default="lotroom-data").strip()
    values = {"origin": origin, "centre_zh": zh, "centre_en": en, "data_folder": str(Path(folder).absolute())}
    # A JSON string is a TOML basic string.
    write_new(path, "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items()).encode(), mode=0o600)
    click.echo(tell("guide_written", lang, path=path))


def _custodians(given: Settings, needed: int, lang: str) -> tuple[tuple[str, ...], int]:
    """Names, and how many of them unseal; nobody in a demonstration."""
    if given.insecure_demo:
        click.echo(tell("guide_demo_root", lang))
        return (), 1
    count = click.prompt(tell("guide_count", lang), type=click.IntRange(2, MAX_CUSTODIANS), default=5)
    names: list[str] = []
    while len(names) < count:
        name = click.prompt(tell("guide_name", lang, number=len(names) + 1)).strip()
        if name in names:
            click.echo(tell("guide_twice", lang))
        elif name:
            names.append(name)
    return tuple(names), click.prompt(tell("guide_needed", lang), type=click.IntRange(2, count), default=min(needed, count))
