"""Commands of whoever stands at the machine: demo, init, serve, unseal, doctor, backup, restore. What they do is loaded when they run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drawing.errors import Refused
from server.adapters.clock import SystemClock
from server.commands.shared import FILE, FOLDER, as_json, language
from server.config import FILE_NAME, FILE_VARIABLE, Settings, load
from server.errors import NotReady
from server.refusals import say
from server.supervisor import MEMORY
from server.texts import tell

if TYPE_CHECKING:
    from server.backup import Done


def settings() -> Settings:
    """Of the working folder and the environment, as the processes read them."""
    return load(os.environ, Path.cwd())


@click.command("serve")
@click.option("--role", type=click.Choice(["web", "keeper", "courier"]), help="只运行一个进程 / one process alone")
@language
def serve_command(role: str | None, lang: str) -> None:
    """启动服务：网页、密钥、信使三个进程 / start the service: web, keeper and courier."""
    os.environ["LOTROOM_LANG"] = lang
    settings()  # a mistake in them is told here
    # Nothing of the command line stays in the service: the process becomes another one.
    words = ["server.supervisor"] if role is None else ["server.processes", role]
    os.execve(sys.executable, [sys.executable, "-m", *words], {**MEMORY, **os.environ})  # noqa: S606 - itself, another module


@click.command("init")
@click.option("--custodian", "custodians", multiple=True, help="密钥保管人姓名，每人一次 / a key custodian's name; once for each")
@click.option("--needed", type=click.IntRange(2, 16), default=3, show_default=True, help="解封所需人数 / how many of them unseal")
@click.option("--suite", type=click.IntRange(1, 2), default=1, show_default=True, help="1 XChaCha20-Poly1305, 2 SM4-GCM")
@click.option(
    "--new-secret",
    is_flag=True,
    help="另发一个控制台口令（尚无管理员时）/ another secret for the first day, while there is no administrator",
)
@language
def init_command(custodians: Sequence[str], needed: int, suite: int, new_secret: bool, lang: str) -> None:
    """第一天：数据文件夹、数据库、密钥仪式 / the first day: data folder, database, key ceremony. In a terminal each step is explained."""
    from server import guide

    now = SystemClock().now
    if new_secret:
        guide.new_secret(settings(), lang)
    elif sys.stdin.isatty() and sys.stdout.isatty() and not custodians:
        guide.first_day(settings, Path(os.environ.get(FILE_VARIABLE) or FILE_NAME), needed, suite, now, lang)
    else:
        given = settings()
        guide.begin(given, custodians, needed, suite, now(), lang, demo=given.insecure_demo and not custodians)
        guide.afterwards(given, lang)


@click.command("unseal")
@click.argument("custodian")
@language
def unseal_command(custodian: str, lang: str) -> None:
    """一名保管人输入其份额 / a custodian gives their share, from the terminal or standard input."""
    from server.keeper.client import Keeper
    from server.places import places_of

    words = click.prompt(tell("share_ask", lang, name=custodian), hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()

    async def give() -> tuple[bool, int, int]:
        async with Keeper(places_of(settings()).socket) as keeper:
            status = await keeper.unseal_share(custodian, words)
            return status.sealed, len(status.given), status.needed

    sealed, given, needed = asyncio.run(give())
    click.echo(tell("unseal_more", lang, given=given, needed=needed) if sealed else tell("unsealed", lang))
    sys.exit(3 if sealed else 0)


@click.command("doctor")
@as_json
@language
def doctor_command(as_json: bool, lang: str) -> None:
    """检查设置、权限、数据库、时钟、密钥服务、磁盘 / look at settings, permissions, database, clock, keeper, disk. 1: something is wrong."""
    from server.doctor import examine
    from server.guide import line_of
    from server.unsafe import Finding

    try:
        found = asyncio.run(examine(settings()))
    except Refused as wrong:
        found = [Finding("settings", "bad", "doctor_settings", {"why": say(wrong, lang)})]
    if as_json:
        value = [{"what": each.what, "state": each.state, "code": each.code, **each.params} for each in found]
        click.echo(json.dumps(value, ensure_ascii=False))
    else:
        for each in found:
            click.echo(line_of(each, lang))
    sys.exit(1 if any(each.state == "bad" for each in found) else 0)


key_options = [
    click.option("--key-file", type=FILE, help="密钥文件（至少 32 字节）/ a file of at least 32 secret bytes"),
    click.option("--passphrase-file", type=FILE, help="口令文件（第一行）/ a file whose first line is the passphrase"),
]


@click.command("backup")
@click.argument("folder", type=FOLDER)
@key_options[0]
@key_options[1]
@language
def backup_command(folder: Path, key_file: Path | None, passphrase_file: Path | None, lang: str) -> None:
    """运行中的一致备份，加密 / a consistent, encrypted backup of the running service into FOLDER."""
    from server.backup import backup

    done = _ready(backup(settings(), folder, _secret(key_file, passphrase_file, lang, twice=True), SystemClock().now()))
    click.echo(tell("backed_up", lang, path=done.path, size=done.size, root=done.root.hex()))


@click.command("restore")
@click.argument("file", type=FILE)
@key_options[0]
@key_options[1]
@language
def restore_command(file: Path, key_file: Path | None, passphrase_file: Path | None, lang: str) -> None:
    """恢复到空的数据文件夹 / restore into an empty data folder (and, on PostgreSQL, an empty migrated database)."""
    from server.backup import restore

    done = _ready(restore(settings(), file, _secret(key_file, passphrase_file, lang, twice=False)))
    click.echo(tell("restored", lang, path=done.path, size=done.size, root=done.root.hex()))


def _ready(work: Coroutine[Any, Any, Done]) -> Done:
    try:
        return asyncio.run(work)
    except NotReady as wrong:
        raise Refused("database_not_ready", "database", why=str(wrong.params.get("why", ""))) from None


def _secret(key_file: Path | None, passphrase_file: Path | None, lang: str, *, twice: bool) -> bytes:
    """Key bytes, or the passphrase behind a mark that tells them apart. Raises Refused."""
    from server.backup import LEAST_KEY, LEAST_PASSPHRASE
    from server.files import read_bounded

    if key_file is not None and passphrase_file is None:
        data = read_bounded(key_file, 65_536)
        if len(data) < LEAST_KEY:
            raise Refused("backup_key_missing", str(key_file))
        return b"key:" + data
    if key_file is not None or (passphrase_file is None and not sys.stdin.isatty()):
        raise Refused("backup_key_missing", "--key-file")
    if passphrase_file is not None:
        text = read_bounded(passphrase_file, 65_536).split(b"\n")[0].decode("utf-8", "replace")
    else:
        text = str(click.prompt(tell("passphrase", lang), hide_input=True, confirmation_prompt=twice))
    if len(text) < LEAST_PASSPHRASE:
        raise Refused("backup_passphrase_short", "passphrase", least=LEAST_PASSPHRASE)
    return b"passphrase:" + text.encode()


@click.command("demo")
@click.option("--out", type=FOLDER, help="保留结果的文件夹 / keep everything here (default: a temporary folder, removed at the end)")
@click.option("--port", type=click.IntRange(1, 65535), help="端口（默认 8080，被占用时另选）/ default 8080, or another where it is taken")
@click.option("--serve/--no-serve", default=True, help="不启动网页服务，抽取演示后结束 / end after the draw, without the site")
@language
def demo_command(out: Path | None, port: int | None, serve: bool, lang: str) -> None:
    """演示：一次抽取，以及一个人员齐全的网站（仅本机）/ a draw from library to proof, and a populated site on this machine."""
    import gc

    from server.demo.run import run_demo

    gc.enable()  # unlike the other commands this one stays
    sys.exit(run_demo(out, port, lang, SystemClock(), serve=serve))
