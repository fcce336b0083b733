"""`lotroom beacon`: keys, group file and process of a node; networks for key lists; one value by hand. The clock comes from the command line."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from drawing.beacon import QUICKNET, Local, chain_hash
from drawing.errors import Refused
from drawing.keys import MAX_FILE, parse_keys
from server.beacon.dealer import deal
from server.beacon.group import make_group, read_group
from server.beacon.node import Node, listening
from server.beacon.store import Store
from server.beacon_client import Relays
from server.files import read_bounded, write_new
from server.keyfiles import make_key, read_key, write_key
from server.networks import network_bytes, read_network
from server.texts import tell
from server.waiting import Waiting
from server.workdays import local

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
language = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", envvar="LOTROOM_LANG", help="界面语言 / language")
relays_option = click.option(
    "--relay",
    "relays",
    multiple=True,
    envvar="LOTROOM_RELAYS",
    help="信标节点或中继地址，可多个 / a node or relay (may be given more than once)",
)


def in_groups(digest: bytes) -> str:
    """A digest to read aloud: eight digits at a time."""
    text = digest.hex()
    return " ".join(text[n : n + 8] for n in range(0, len(text), 8))


def beacon_commands(clock: Callable[[], float], sleep: Callable[[float], None]) -> click.Group:
    """The group of commands over a clock (Unix seconds) and a way to wait."""

    @click.group("beacon")
    def beacon() -> None:
        """信标：多家单位共同产生公开随机数 / public randomness from nodes of different bodies."""

    @beacon.command("init")
    @click.option("--body", required=True, help="节点所属单位 / the body that runs the node")
    @click.option("--name", default="", help="密钥名称 / key name")
    @click.option("--out", type=FOLDER, required=True, help="节点文件夹 / the node's folder")
    @language
    def init(body: str, name: str, out: Path, lang: str) -> None:
        """生成节点密钥（仅本人可读）/ make a node's key; its public part goes to whoever writes the group file."""
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_key(make_key("node", name, body), out / "node.key")
        click.echo(tell("key_written", lang, path=out / "node.key"))

    @beacon.command("group")
    @click.option("--name", required=True, help="网络名称 / the network's name")
    @click.option("--node", "nodes", multiple=True, required=True, help="公钥文件=地址 / PUBLIC_KEY_FILE=ADDRESS, one for each node")
    @click.option("--period", type=click.IntRange(1, 3600), default=30, show_default=True, help="每轮秒数 / seconds per round")
    @click.option(
        "--start-in", type=click.IntRange(1, 30 * 86_400), default=1800, show_default=True, help="多少秒后开始 / seconds until dealing"
    )
    @click.option("--phase", type=click.IntRange(1, 3600), default=60, show_default=True, help="每步秒数 / seconds per step of the set-up")
    @click.option("--out", type=FILE, required=True)
    @language
    def group(name: str, nodes: tuple[str, ...], period: int, start_in: int, phase: int, out: Path, lang: str) -> None:
        """编制节点组文件，各方核对摘要 / write the group file; everybody gets the same one and compares its digest."""
        members = []
        for each in nodes:
            path, _, address = each.partition("=")
            members.append((read_key(Path(path)), address))
        made = make_group(members, name=name, period=period, setup_at=int(clock()) + start_in, phase=phase)
        write_new(out, made.data + b"\n")
        _show(out, lang)

    @beacon.command("show")
    @click.argument("group_file", metavar="GROUP", type=FILE)
    @language
    def show(group_file: Path, lang: str) -> None:
        """显示节点组及其摘要 / a group file and the digest to compare."""
        _show(group_file, lang)

    @beacon.command("serve")
    @click.argument("folder", type=FOLDER)
    @click.option("--listen", default="", help="监听地址 / HOST:PORT (default: as in the group file)")
    @language
    def serve(folder: Path, listen: str, lang: str) -> None:
        """运行节点：先共同生成密钥，再按时出值 / run a node: make the key with the others, then sign every round when it is due."""

        def say(code: str, **params: Any) -> None:
            click.echo(tell(code, lang, **params))
            sys.stdout.flush()

        node = Node(Store(folder), clock, secrets.token_bytes, say)
        address = urlsplit(f"//{listen}" if listen else node.group.member(node.number).address)
        try:
            host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
        except ValueError:
            raise Refused("bad_address", listen[:100]) from None
        say("beacon_serving", node=node.number, host=host, port=port, status=node.status, digest=in_groups(node.group.digest))
        asyncio.run(_serve(node, host, port))

    @beacon.command("deal")
    @click.option(
        "--insecure-demo", is_flag=True, required=True, help="只供演示：分发者知道密钥 / demonstrations only: the dealer knows the key"
    )
    @click.option("--nodes", type=click.IntRange(3, 19), default=3, show_default=True)
    @click.option(
        "--port", type=click.IntRange(1, 65_500), default=18_200, show_default=True, help="第一个节点的端口 / port of the first node"
    )
    @click.option("--period", type=click.IntRange(1, 3600), default=3, show_default=True)
    @click.option("--name", default="demo", show_default=True)
    @click.option("--out", type=FOLDER, required=True)
    @language
    def deal_command(insecure_demo: bool, nodes: int, port: int, period: int, name: str, out: Path, lang: str) -> None:
        """（演示）由一人分发整个网络 / a whole network from one dealer: for demonstrations only."""
        addresses = [f"http://127.0.0.1:{port + n}" for n in range(nodes)]
        deal(out, name=name, addresses=addresses, period=period, now=int(clock()), chance=secrets.token_bytes)
        click.echo(tell("beacon_dealt", lang, path=out))

    @beacon.command("pin")
    @click.argument("network_file", metavar="[NETWORK]", type=FILE, required=False)
    @click.option("--quicknet", is_flag=True, help="公共网络 drand quicknet / the public network")
    @click.option("--keys", type=FOLDER, required=True, help="密钥文件夹 / the ceremony's folder of keys")
    @click.option("--held", multiple=True, help="由操作方持有的节点所属单位 / a body whose node the operator holds")
    @language
    def pin(network_file: Path | None, quicknet: bool, keys: Path, held: tuple[str, ...], lang: str) -> None:
        """将网络放入密钥文件夹，首次抽取时写入密钥清单 / pin a network: the first draw takes it into the key list."""
        if (network_file is None) == (not quicknet):
            raise click.UsageError("NETWORK | --quicknet")
        network = QUICKNET if network_file is None else read_network(network_file)
        if held and isinstance(network, Local):
            unknown = set(held) - {node.body for node in network.nodes}
            if unknown:
                raise Refused("unknown_node", str(network_file), node=", ".join(sorted(unknown)))
            nodes = tuple(replace(node, held="operator") if node.body in held else node for node in network.nodes)
            network = replace(network, nodes=nodes)
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(keys / f"{network.name.replace('/', '-')}.network", network_bytes(network))
        click.echo(tell("beacon_pinned", lang, name=network.name, digest=in_groups(chain_hash(network))))

    @beacon.command("fetch")
    @click.argument("keys_file", metavar="KEYS", type=FILE)
    @click.option("--network", "name", required=True, help="网络名称 / the network's name in the key list")
    @click.option("--round", "number", type=click.IntRange(1, 1 << 36), required=True)
    @relays_option
    @language
    def fetch(keys_file: Path, name: str, number: int, relays: tuple[str, ...], lang: str) -> None:
        """取得一轮的值并核对 / fetch one round's value and check it."""
        newest = parse_keys(read_bounded(keys_file, MAX_FILE)).newest
        network = next((each for each in newest.networks if each.name == name), None)
        if network is None:
            raise Refused("unknown_network", keys_file.name)

        def say(code: str, **params: Any) -> None:
            click.echo(tell(code, lang, **params), err=True)

        try:
            value = Relays(relays, lambda: int(clock()), sleep, say, wait=False)(network, number)
        except Waiting as pause:
            click.echo(tell(f"waiting_{pause.code}", lang, **local_values(pause)), err=True)
            sys.exit(3)
        click.echo(value.hex())

    return beacon


def local_values(pause: Waiting) -> dict[str, object]:
    """The values of a Waiting as people read them: moments in local time."""
    params = dict(pause.params)
    if "until" in params:
        params["until"] = local(int(str(params["until"])))
    return params


def _show(path: Path, lang: str) -> None:
    made = read_group(path)
    click.echo(tell("beacon_group", lang, name=made.name, threshold=made.threshold, nodes=len(made.members), period=made.period))
    for number, each in enumerate(made.members, 1):
        click.echo(f"  {number}  {each.body}  {each.address}  {each.key.hex()[:16]}…")
    click.echo(tell("beacon_group_times", lang, setup=local(made.setup_at), genesis=local(made.genesis_time), phase=made.phase))
    click.echo(tell("beacon_group_digest", lang, digest=in_groups(made.digest)))


async def _serve(node: Node, host: str, port: int) -> None:
    """Until the process is asked to end."""
    ended = asyncio.Event()
    with suppress(NotImplementedError):
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
    async with listening(node, host, port):
        await ended.wait()
