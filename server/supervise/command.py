"""`lotroom supervise`: what waits for a supervisor's key is checked and signed, once or as long as it runs; drafts only where they are named.

Openings and roll are opened in memory and never written. A refusal ends nothing: the next draw is looked at, and the exit code says that something
was refused. If we crash between signing and filing, nothing was filed and the next run does it again.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import click

from drawing.errors import Refused
from drawing.events import Committed, Event, Unsealed
from drawing.keys import MAX_FILE as MAX_KEYS
from drawing.keys import KeyChain, parse_keys
from drawing.merkle import leaf_hash
from drawing.sealed import unseal
from server.adapters.clock import SystemClock
from server.commands.shared import as_json, language
from server.files import read_bounded
from server.keyfiles import KeyFile, check_private, read_own_key
from server.refusals import text_of
from server.supervise import checking
from server.supervise.checking import Believed, Task
from server.supervise.service import Service
from server.supervise.texts import say
from server.texts import event_name
from server.workdays import local

FILE = click.Path(path_type=Path, dir_okay=False)
DRAFTS = ("committed", "unsealed", "closed", "extended", "screened", "appointed", "answers", "abandoned")
Tell = Callable[..., None]


@dataclass
class Supervisor:
    """One key, one list that was given elsewhere, one service. `signs`: the types of drafts that are signed now, `sure` asks about each."""

    key: KeyFile
    chain: KeyChain
    service: Service
    now: Callable[[], int]
    tell: Tell
    signs: frozenset[str] = frozenset()
    sure: Callable[[Believed, Event], bool] = lambda *_: True
    refused: int = 0
    told: int = 0
    _told: set[tuple[str, ...]] = field(default_factory=set)

    async def look(self) -> bool:
        """Everything that waits for this key. False where the service could not be asked."""
        async with self.service.session() as session:
            try:
                waiting = await self.service.waiting(session)
            except Refused as wrong:
                if wrong.code != "no_answer":
                    raise
                self._once("away", why=wrong)
                return False
            for each in waiting:
                await self._draw(session, str(each.get("draw", "")), str(each.get("project", "")))
        return True

    async def _draw(self, session: aiohttp.ClientSession, draw: str, project: str) -> None:
        """One draw, as long as there is something for this key in it."""
        for _ in range(8):
            try:
                shown = await self.service.shown(session, draw)
                found = checking.believe(shown, self.chain, self.now())
                todo = checking.tasks(found, shown.waiting, self.key.name)
                if not await self._first(session, draw, found, todo):
                    return
            except Refused as wrong:
                self.refused += 1
                self._once("refused", draw, project=project, why=wrong)
                return

    async def _first(self, session: aiohttp.ClientSession, draw: str, found: Believed, todo: tuple[Task, ...]) -> bool:
        """The first thing that is done without asking, or was asked for. False where there is none."""
        for task in todo:
            if task.event is not None and task.what not in self.signs:
                self._once("to_sign", draw, **self._about(found, task), type=task.what)
                continue
            if task.event is not None and not self.sure(found, task.event):
                self._once("not_signed", draw, task.what)
                continue
            stand = await self._do(session, draw, found, task)
            self.told += 1
            waits = task.event is not None and stand.get("waiting") == "approval"
            self.tell("sign_waits" if waits else task.kind, **self._about(found, task))
            return True
        return False

    async def _do(self, session: aiohttp.ClientSession, draw: str, found: Believed, task: Task) -> Any:
        if task.event is not None:
            signature = checking.draft_signature(found, task.event, self.key, self.now())
            bare = Event(task.event.head, task.event.body, ()).leaf
            value = {"type": task.what, "leaf": leaf_hash(bare).hex(), "key": self.key.name, "signature": signature.hex()}
            return await self.service.sign(session, draw, value)
        opened = unseal(await self.service.sealed(session, draw, task.what), self.key.box_secret)
        # Screening a large library takes a while; nothing else of this process waits for it.
        make = checking.selection if task.kind == "check" else lambda one, two: checking.attestation(one, task.what, two)
        event = checking.event_of(found, make(found, opened), self.key, self.now())
        return await self.service.file_event(session, draw, event.leaf)

    def _about(self, found: Believed, task: Task) -> dict[str, object]:
        return {"project": found.number, "attempt": found.draw.attempt, "what": task.what, "kind": task.kind}

    def _once(self, code: str, *which: str, **values: object) -> None:
        """What stays so is said once."""
        told = (code, *which, *(str(each) for each in values.values()))
        if told not in self._told:
            self._told.add(told)
            self.told += 1
            self.tell(code, **values)


def facts(found: Believed, event: Event) -> list[tuple[str, str]]:
    """What a draft says, for whoever signs it."""
    body = event.body
    made: list[tuple[str, str]] = []
    if isinstance(body, Committed):
        seats = "; ".join(f"{seat.count}+{seat.reserves} {'/'.join(seat.professions)}" for seat in body.terms.plan.seats)
        made += [
            ("evaluation_at", local(body.evaluation_at).isoformat()),
            ("regime", body.regime),
            ("seats", seats),
            ("method", body.terms.method),
            ("total", str(body.terms.total)),
            ("contributors", ", ".join(body.contributors)),
            ("not_before", local(body.unsealing.not_before).isoformat()),
            ("threshold", str(body.unsealing.threshold)),
        ]
    if isinstance(body, Unsealed):
        made.append(("slots", ", ".join(map(str, body.slots))))
    made += [("digest", leaf_hash(Event(event.head, body, ()).leaf).hex()), ("signed", ", ".join(each.key for each in event.sigs) or "-")]
    return made


def _token(file: Path | None) -> str:
    if file is not None:
        check_private(file)
        found = read_bounded(file, 4096).decode("ascii", "replace").strip()
    else:
        found = os.environ.get("LOTROOM_TOKEN", "").strip()
    if not found.startswith("lotroom_"):
        raise Refused("token_missing", "token")
    return found


@click.command("supervise")
@click.argument("address")
@click.option("--key", "key_path", type=FILE, required=True, help="监督人密钥文件 / the supervisor's key file")
@click.option("--keys", "keys_path", type=FILE, required=True, help="密钥清单，另行取得 / the key list, obtained elsewhere")
@click.option("--token-file", type=FILE, help="服务令牌文件（仅本人可读）/ file with the service token; else LOTROOM_TOKEN")
@click.option("--ca", type=FILE, help="服务的证书 / certificates to trust")
@click.option("--sign", "signs", multiple=True, type=click.Choice(DRAFTS), help="签署此类待签步骤 / sign drafts of this type")
@click.option("--yes", is_flag=True, help="显示后不再询问 / shown, and not asked about")
@click.option("--once/--watch", default=True, show_default=True, help="处理一次，或持续运行 / once, or as long as it runs")
@click.option("--seconds", type=click.IntRange(2, 600), default=10, show_default=True, help="--watch 的间隔 / between two looks")
@as_json
@language
def supervise_command(
    address: str,
    key_path: Path,
    keys_path: Path,
    token_file: Path | None,
    ca: Path | None,
    signs: tuple[str, ...],
    yes: bool,
    once: bool,
    seconds: int,
    as_json: bool,
    lang: str,
) -> None:
    """监督人客户端：在自己的机器上核对并签署 / check what waits for a supervisor's key on their own machine, and sign it."""

    def tell(code: str, **values: Any) -> None:
        why = values.get("why")
        if isinstance(why, Refused):
            values = {
                **values,
                "why": text_of(why.code, {"place": why.place, **why.params}, lang),
                "code": why.params.get("said", why.code),
            }
        if as_json:
            click.echo(json.dumps({"event": code, **values}, ensure_ascii=False))
        else:
            click.echo(say(code, lang, **_in_words(values, lang)))

    def sure(found: Believed, event: Event) -> bool:
        shown = facts(found, event)
        if as_json:
            click.echo(json.dumps({"event": "draft", "project": found.number, "type": event.type, **dict(shown)}, ensure_ascii=False))
            return yes
        what = event_name(event.type, lang) + (say("exercise", lang) if event.head.dry_run else "")
        click.echo(say("draft", lang, project=found.number, attempt=event.head.attempt, what=what))
        for name, value in shown:
            click.echo(f"  {say('fact_' + name, lang)}: {value}")
        return yes or click.confirm(say("sure", lang), default=False)

    key = read_own_key(key_path, "supervisor", "not_a_supervisors_key")
    chain = parse_keys(read_bounded(keys_path, MAX_KEYS))
    checking.own_key(key, chain)
    service = Service(address, _token(token_file), lang, ca)
    client = Supervisor(key, chain, service, SystemClock().now, tell, frozenset(signs), sure)
    reached = asyncio.run(_run(client, once=once, seconds=seconds))
    if once and reached and not client.told:
        tell("nothing")
    raise SystemExit(0 if reached and not client.refused else 1)


async def _run(client: Supervisor, *, once: bool, seconds: int) -> bool:
    while True:
        reached = await client.look()
        if once:
            return reached
        await asyncio.sleep(seconds)


def _in_words(values: dict[str, Any], lang: str) -> dict[str, Any]:
    what = values.get("what", "")
    named = say(what, lang) if what in ("openings", "roll") else event_name(what, lang) if what else ""
    return {**values, "what": named}
