"""`lotroom witness`: a witness's key, logs and process; the tiles of a file log over HTTP; the monitor. The clock comes from the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from aiohttp import web as aioweb

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.keys import MAX_FILE, parse_keys
from drawing.model import shape_of
from drawing.note import VKey
from drawing.proof import Monitored
from server.fetch import ask, open_session, read_answer
from server.files import read_bounded, write_whole
from server.keyfiles import read_key
from server.listening import listening, until_told
from server.texts import tell
from server.witness.monitor import Found, replay, statement
from server.witness.node import Witness, show
from server.witness.store import WitnessStore
from server.witness.tiles import application, read_log

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
TOLD = 200
language = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", envvar="LOTROOM_LANG", help="界面语言 / language")
as_json_option = click.option("--json", "as_json", is_flag=True, help="机器可读 / machine-readable")
listen_option = click.option("--listen", required=True, help="监听地址 / HOST:PORT")
witnesses_option = click.option(
    "--witness",
    "witnesses",
    multiple=True,
    envvar="LOTROOM_WITNESSES",
    help="见证人地址，可多个 / a witness's address (may be given more than once; default: as in the key list's policy)",
)


def witness_commands(clock: Callable[[], float]) -> click.Group:
    """The group of commands over a clock (Unix seconds)."""

    @click.group("witness")
    def witness() -> None:
        """见证人：在另一台机器上为日志检查点签名 / cosigns the log's checkpoints, on another machine."""

    @witness.command("init")
    @click.argument("folder", type=FOLDER)
    @click.option("--body", required=True, help="见证单位 / the body that runs the witness")
    @click.option("--name", default="", help="密钥名称 / key name, e.g. notary.example/witness")
    @click.option("--mldsa", is_flag=True, help="另生成 ML-DSA-44 密钥 / also a key against quantum computers")
    @as_json_option
    @language
    def init(folder: Path, body: str, name: str, mldsa: bool, as_json: bool, lang: str) -> None:
        """生成见证人文件夹与密钥 / make a witness's folder and keys; witness.key.pub goes to whoever writes the key list."""
        store = WitnessStore.create(folder, name, body, second=mldsa)
        _show(show(store), as_json, lang)
        if not as_json:
            click.echo(tell("key_written", lang, path=folder / "witness.key"))

    @witness.command("trust")
    @click.argument("folder", type=FOLDER)
    @click.argument("origin")
    @click.argument("vkey")
    @language
    def trust(folder: Path, origin: str, vkey: str, lang: str) -> None:
        """开始见证一个日志（名称与公钥另行核对）/ watch a log; its name and key come from elsewhere than the log. Restart the process after."""
        WitnessStore(folder).trust(origin, VKey.parse(vkey, "VKEY"))
        click.echo(tell("witness_trusts", lang, origin=origin))

    @witness.command("serve")
    @click.argument("folder", type=FOLDER)
    @listen_option
    @language
    def serve(folder: Path, listen: str, lang: str) -> None:
        """运行见证人 / run a witness."""

        def say(code: str, **params: Any) -> None:
            click.echo(tell(code, lang, **params))
            sys.stdout.flush()

        store = WitnessStore(folder)
        with store.locked():
            node = Witness(store, clock, say)
            asyncio.run(
                _serve(node.application(), listen, lambda url: say("witness_serving", name=store.key.name, url=url, logs=len(node.logs)))
            )

    @witness.command("show")
    @click.argument("where", metavar="FOLDER_OR_ADDRESS")
    @as_json_option
    @language
    def show_command(where: str, as_json: bool, lang: str) -> None:
        """显示见证人的公钥及各日志已见大小 / a witness's keys and how much of each log it has seen."""
        if where.startswith(("http://", "https://")):
            _show(asyncio.run(_ask(where)), as_json, lang)
        else:
            _show(show(WitnessStore(Path(where))), as_json, lang)

    @witness.command("tiles")
    @click.argument("folder", metavar="LOG", type=FOLDER)
    @listen_option
    @language
    def tiles(folder: Path, listen: str, lang: str) -> None:
        """以 HTTP 公开日志文件夹 / serve a log's folder over HTTP, for monitors and anybody."""
        read_bounded(folder / "checkpoint", 65_535)

        def say(url: str) -> None:
            click.echo(tell("tiles_served", lang, url=url))
            sys.stdout.flush()

        asyncio.run(_serve(application(folder), listen, say))

    @witness.command("monitor")
    @click.argument("source", metavar="LOG_FOLDER_OR_ADDRESS")
    @click.option("--origin", required=True, help="日志名称 / the log's name")
    @click.option("--log-key", "log_key", default="", help="日志公钥 / the log's vkey (default: the key list's)")
    @click.option("--keys", "keys_path", type=FILE, help="密钥清单，另行取得 / the key list, obtained elsewhere")
    @click.option("--key", "key_path", type=FILE, help="监测密钥，无差异时签名 / a monitor's key: signs where nothing differs")
    @click.option("--out", type=FILE, help="声明写入此文件 / the statement; goes into the draw's folder monitors/")
    @click.option("--state", type=FILE, help="记住已重放的日志 / remember what was replayed: a log that shrinks or changes is told")
    @as_json_option
    @language
    def monitor(
        source: str,
        origin: str,
        log_key: str,
        keys_path: Path | None,
        key_path: Path | None,
        out: Path | None,
        state: Path | None,
        as_json: bool,
        lang: str,
    ) -> None:
        """重放日志，重算映射根并签名；指出不符之处 / replay a log, make its map root anew and sign it; names what differs (exit 1)."""
        keys = parse_keys(read_bounded(keys_path, MAX_FILE)).newest if keys_path is not None else None
        if not log_key and keys is None:
            raise click.UsageError("--log-key | --keys")
        if (key_path is None) != (out is None):
            raise click.UsageError("--key --out")
        key = VKey.parse(log_key, "--log-key") if log_key or keys is None else keys.log_policy.log
        before = json.loads(read_bounded(state, 4096)) if state is not None and state.exists() else None
        checkpoint, entries = asyncio.run(read_log(source, origin, key))
        found = replay(checkpoint, entries, keys, before)
        if as_json:
            click.echo(json.dumps(_as_json(found)))
        else:
            _tell(found, lang)
        if found.differences:
            sys.exit(1)
        if key_path is not None and out is not None:
            said = statement(found, read_key(key_path), int(clock()))
            write_whole(out, dumps(shape_of(Monitored).write(said)) + b"\n")
        if state is not None:  # last: if we crash before, the same is replayed again
            write_whole(state, dumps({"size": found.size, "tree": found.tree.hex()}) + b"\n")

    return witness


def _as_json(found: Found) -> dict[str, Any]:
    differences = [{"index": each.index, "what": each.what, "detail": each.detail} for each in found.differences]
    return {
        "origin": found.origin,
        "size": found.size,
        "tree": found.tree.hex(),
        "map_root": found.root.hex(),
        "projects": found.projects,
        "differences": differences,
        "notices": [{"index": each.index, "origin": each.origin, "size": each.size, "seen": each.seen} for each in found.notices],
    }


def _tell(found: Found, lang: str) -> None:
    click.echo(tell("monitored", lang, origin=found.origin, size=found.size, projects=found.projects, root=found.root.hex()))
    for notice in found.notices:
        click.echo(tell("monitor_epoch", lang, index=notice.index, origin=notice.origin, size=notice.size, seen=notice.seen))
    for each in found.differences[:TOLD]:
        detail = f" ({each.detail})" if each.detail else ""
        click.echo(f"  {each.index}: {tell('monitor_' + each.what, lang)}{detail}")
    click.echo(tell("differs", lang, count=len(found.differences)) if found.differences else tell("nothing_differs", lang))


def _show(value: dict[str, Any], as_json: bool, lang: str) -> None:
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False))
        return
    click.echo(tell("witness_shown", lang, body=value["body"]))
    for each in value["keys"]:
        click.echo(f"  {each}")
    for each in value["logs"]:
        click.echo(tell("witness_log", lang, origin=each["origin"], size=each["size"], root=each["root"]))


async def _ask(address: str) -> dict[str, Any]:
    url = f"{address.rstrip('/')}/"
    async with open_session(10.0) as session:
        status, body = await ask(session, url, 1 << 20)
    value = read_answer(url, body) if status == 200 else {}
    shaped = all(isinstance(value.get(name), kind) for name, kind in (("body", str), ("keys", list), ("logs", list)))
    if not shaped or any(not isinstance(each, dict) or not {"origin", "size", "root"} <= set(each) for each in value["logs"]):
        raise Refused("no_answer", url, why=f"status {status}")
    return value


async def _serve(app: aioweb.Application, listen: str, say: Callable[[str], None]) -> None:
    """Until the process is asked to end."""
    host, colon, text = listen.rpartition(":")
    if not colon or not (text.isascii() and text.isdigit()) or int(text) > 65_535:
        raise Refused("bad_address", listen[:100])
    async with listening(app, host.strip("[]"), int(text)) as port:
        say(f"http://{host or '127.0.0.1'}:{port}")
        await until_told()
