"""`lotroom key` and `lotroom contribute`: key files, and a contribution made on its contributor's own machine."""

from __future__ import annotations

from pathlib import Path

import click

from drawing.events import RoundContributed
from drawing.keys import MAX_FILE as MAX_KEYS
from drawing.keys import parse_keys
from server.commands.shared import FILE, language
from server.contribute import MAX_FILE, Order, contribute, contribution_bytes
from server.files import read_bounded, write_new
from server.keyfiles import ALL_ROLES, make_key, read_key, write_key
from server.texts import tell


@click.group()
def key() -> None:
    """密钥文件 / key files."""


@key.command("make")
@click.option("--role", required=True, help=" | ".join(ALL_ROLES))
@click.option("--out", type=FILE, required=True)
@click.option("--name", default="", help="密钥名称 / key name, e.g. example.gov.cn/supervisor-1")
@click.option("--body", default="", help="所属单位 / the body it belongs to")
@language
def key_make(role: str, out: Path, name: str, body: str, lang: str) -> None:
    """生成密钥（仅本人可读）/ make a key readable by you alone."""
    write_key(make_key(role, name, body), out)
    click.echo(tell("key_written", lang, path=out))


@click.command("contribute")
@click.argument("commit", type=FILE)
@click.option("--key", "key_path", type=FILE, required=True)
@click.option("--keys", "keys_path", type=FILE, required=True, help="密钥清单，另行取得 / the key list, obtained elsewhere")
@click.option("--out", type=FILE, help="输出文件 / output (default: beside the commit)")
@language
def contribute_command(commit: Path, key_path: Path, keys_path: Path, out: Path | None, lang: str) -> None:
    """为一次提交贡献随机数 / contribute to a commit, on the contributor's own machine."""
    order = Order.parse(read_bounded(commit, MAX_FILE))
    keys = parse_keys(read_bounded(keys_path, MAX_KEYS))
    holder = read_key(key_path)
    body = contribute(order, holder, key_path, keys)
    if not keys.newest.log_policy.has_quorum:
        click.echo(tell("no_witnesses_to_ask", lang), err=True)
    suffix = f"round-{body.round}" if isinstance(body, RoundContributed) else "contribution"
    short = holder.name.rpartition("/")[2]
    target = out or commit.with_name(f"{suffix}-{short}-{order.leaf_hash.hex()[:8]}.json")
    data = contribution_bytes(order, body)
    if not target.exists() or read_bounded(target, 65_535) != data:  # the same contribution again is the same file
        write_new(target, data)
    if isinstance(body, RoundContributed):
        click.echo(tell("round_contribution_written", lang, round=body.round, path=target))
    else:
        click.echo(tell("contribution_written", lang, nth=body.nth, path=target))
