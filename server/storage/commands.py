"""`lotroom migrate` and `lotroom check`: for whoever runs the database, with the address of the tables' owner.

The database's library is loaded when a command is run: no other command waits for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drawing.errors import Refused
from drawing.note import VKey
from server.config import load
from server.errors import NotReady
from server.places import database_of
from server.texts import tell

if TYPE_CHECKING:
    from server.storage.check import Report

TOLD = 200
language = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", envvar="LOTROOM_LANG", help="界面语言 / language")
database = click.option(
    "--database",
    envvar="LOTROOM_DATABASE",
    help="数据库地址 / sqlite+aiosqlite:////FILE or postgresql+asyncpg://OWNER@HOST/NAME; default: the settings'",
)


def _of_settings() -> str:
    """Where no address is given: the service's of this folder."""
    return database_of(load(os.environ, Path.cwd()))


@click.command("migrate")
@database
@click.option("--to", "revision", default="head", show_default=True, help="表结构版本 / revision; base removes all tables")
@click.option("--yes", is_flag=True, help="确认退回旧版本 / confirm a way back, which loses what the older tables cannot hold")
@language
def migrate_command(database: str | None, revision: str, yes: bool, lang: str) -> None:
    """建立或升级数据库表结构 / make the tables, or bring them to this program's version."""
    from server.storage.versions import migrate

    if revision != "head" and not yes:
        raise click.UsageError("--to needs --yes")
    before, after = asyncio.run(migrate(database or _of_settings(), revision))
    click.echo(tell("migrated", lang, before=before or "-", after=after or "-"))


@click.command("check")
@database
@click.option("--key", "key_text", help="日志公钥 vkey / the log's key, where the database is not to be believed")
@click.option("--json", "as_json", is_flag=True, help="机器可读 / machine-readable")
@language
def check_command(database: str | None, key_text: str | None, as_json: bool, lang: str) -> None:
    """重放日志，逐行核对数据库，指出不符之处 / replay the log, compare every row, name what differs. 1: something differs; 3: no key."""
    from server.storage.check import check

    try:
        report = asyncio.run(check(database or _of_settings(), VKey.parse(key_text, "--key") if key_text else None))
    except NotReady as wrong:
        raise Refused("database_not_ready", "database", why=wrong.params.get("why", "")) from None
    if as_json:
        click.echo(json.dumps(_as_json(report), ensure_ascii=False))
    else:
        _tell(report, lang)
    sys.exit(1 if report.differences else 3 if report.skipped else 0)


def _as_json(report: Report) -> dict[str, object]:
    differences = [{"table": each.table, "row": each.row, "what": each.what, "detail": each.detail} for each in report.differences]
    return {
        "size": report.size,
        "root": report.root.hex(),
        "rows": report.rows,
        "differences": differences,
        "skipped": list(report.skipped),
    }


def _tell(report: Report, lang: str) -> None:
    click.echo(tell("checked_log", lang, size=report.size, rows=report.rows, root=report.root.hex()))
    for each in report.differences[:TOLD]:
        detail = f" ({each.detail})" if each.detail else ""
        click.echo(f"  {each.table} {each.row}: {tell('differs_' + each.what, lang)}{detail}")
    if len(report.differences) > TOLD:
        click.echo(tell("more_errors", lang, count=len(report.differences) - TOLD))
    for code in report.skipped:
        click.echo(tell(code, lang))
    click.echo(tell("differs", lang, count=len(report.differences)) if report.differences else tell("nothing_differs", lang))
