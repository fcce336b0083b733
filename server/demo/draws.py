"""Draws of a fresh demonstration: a library, a key list, one draw that stands at its answers, one request that is prepared.

Outside a demonstration supervisors and contributors hold their keys themselves, and this service never sees them; here they lie in the folder
`demo-keys` of its data, each file marked by its name. What their holders do is done with them through the same services that take it from clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.events import Attested, Committed, Contributed, Signature, draft_digest
from drawing.keys import KeyList, keys_bytes, parse_keys
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.note import Policy, VKey
from drawing.openings import parse_openings
from drawing.roll import Roll, parse_roll_file
from drawing.sealed import unseal
from server.auth.model import CentreId
from server.contribute import contribute
from server.keeper import rules
from server.keeper.draw_verbs import AskDrawState, TrustKeys
from server.keyfiles import KeyFile, make_key, write_key
from server.library.columns import COLUMNS
from server.library.demo import make_library, people
from server.material import attest_openings, attest_roll
from server.places import Places
from server.services import approvals, bidders, draw_approvals, draws, imports, library, own_record
from server.services.desk import Caller, Desk

PEOPLE, SEED = 600, 12
HOLDERS = (
    ("supervisor", "demo-bureau/s1", "demo bureau"),
    ("supervisor", "demo-discipline/s2", "demo discipline inspection"),
    ("contributor", "demo-notary/c1", "demo notary"),
    ("contributor", "demo-neighbour/c2", "demo neighbouring centre"),
)
REQUEST = """regime = "ZTB"
[project]
number = "{number}"
name = "{name}"
budget_yuan = {budget}
responsible = "演示负责人"
[pool]
source = "演示评标专家库"
legal_ground = "招标投标法实施条例第四十六条"
[evaluation]
starts = "+4h"
[replies]
window_minutes = 120
[lot]
method = "uniform/1"
[committee]
representatives = 2
[[parties]]
role = "tenderer"
name = "演示新中造价咨询股份有限公司"
code = "91110108MA0000000A"
[[parties]]
role = "supervision"
name = "演示市住房和城乡建设委员会"
[[seats]]
professions = ["A0801"]
count = 3
reserves = 1
[[seats]]
professions = ["A0601"]
count = 2
[[widen]]
seat = 0
professions = ["A08"]
reason = "专业人员不足"
"""
RUNNING = ("DEMO-2026-0101", "演示项目：城市道路改造工程施工", 48_000_000)
EXPERT, EXPERT_NAME = "chen.liqun", "陈立群"
CLERK, APPROVER, SUPERVISOR, SECURITY = "he.xiaowen", "zheng.guodong", "ouyang.jing", "an.ruolan"
AGENCY = "qiao.yiran"
MOST_WAITS = 600
PREPARED = ("DEMO-2026-0102", "演示项目：滨河公园景观工程施工", 21_000_000)


class Players(Protocol):
    """Who acts: callers by account name, and their software passkeys."""

    def caller(self, name: str) -> Caller:
        """Them, now."""
        ...

    def answer(self, name: str, options: str) -> str:
        """What their passkey answers."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it is played, and the outsiders' keys with their files."""

    desk: Desk
    centre: CentreId
    places: Places
    players: Players
    held: Mapping[str, tuple[KeyFile, Path]]

    def key(self, n: int) -> KeyFile:
        """Of the n-th of HOLDERS."""
        return self.held[HOLDERS[n][1]][0]


async def play(desk: Desk, centre: CentreId, places: Places, players: Players) -> None:
    """All of it."""
    await imports.fill(desk, centre, "csv", _library())
    await _own_record(desk, centre, players)
    stage = Stage(desk, centre, places, players, _held(places.folder / "demo-keys"))
    await _publish_keys(stage)
    await _to_the_answers(stage, await _prepared(stage, *RUNNING))
    waiting = await _prepared(stage, *PREPARED)
    await bidders.give(desk, waiting, AGENCY, players.caller(CLERK))


async def _own_record(desk: Desk, centre: CentreId, players: Players) -> None:
    """The expert who can sign in is in the library, and reads that record as her own."""
    (row,) = people(1, SEED + 1)
    cells = dict(zip((each.alias for each in COLUMNS), row, strict=True))
    expert, faults = await library.add(desk, centre, {**cells, "name": EXPERT_NAME}, players.caller(CLERK))
    assert not faults, faults
    proposal = await own_record.ask_to_connect(desk, expert, EXPERT, players.caller(CLERK))
    await _approve(desk, players, proposal)


async def _approve(desk: Desk, players: Players, proposal: str) -> None:
    for name in (APPROVER, SUPERVISOR):
        options = await approvals.vote_options(desk, proposal, players.caller(name))
        await approvals.approve(desk, proposal, players.answer(name, options), players.caller(name))


def _library() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "library.csv"
        make_library(PEOPLE, SEED, path)
        return path.read_bytes()


def _held(folder: Path) -> dict[str, tuple[KeyFile, Path]]:
    folder.mkdir(mode=0o700)
    found = {}
    for role, name, body in HOLDERS:
        key, path = make_key(role, name, body), folder / f"{name.replace('/', '-')}.demo.key"
        write_key(key, path)
        found[name] = (key, path)
    for each in folder.iterdir():  # the public parts too: nothing here is for anybody else on this machine
        each.chmod(0o600)
    return found


async def _publish_keys(stage: Stage) -> None:
    """A key list that the keeper trusts, under an approval of the security administrator and a supervisor."""
    keeper, now = stage.desk.keeper, stage.desk.now()
    status = await keeper.key_status()
    own = [VKey.parse(each) for each in (status.operator, status.staff)]
    files = [KeyFile(key.name, role, "centre", key.public, b"", b"") for key, role in zip(own, ("operator", "staff"), strict=True)]
    entries = [each.entry() for each in (*files, *(key for key, _ in stage.held.values()))]
    entries.sort(key=lambda each: VKey.parse(each.vkey).name)
    made = KeyList(1, tuple(entries), (), Policy(VKey.parse(status.log), {}).text(), bytes(32), ())
    file = keys_bytes([made])
    subject = rules.Subject("key_list", stage.centre, made.digest, now + 3600, f"keys:{made.digest.hex()}")
    for name in (SECURITY, SUPERVISOR):
        asked = await keeper.approval_challenge(stage.players.caller(name).person, subject, None)
        await keeper.approve(asked.challenge, stage.players.answer(name, asked.options))
    await keeper.ask(TrustKeys(subject.id, file))
    await draws.publish_keys(stage.desk, file, str(stage.players.caller(SECURITY).person), now)


async def _prepared(stage: Stage, number: str, name: str, budget: int) -> str:
    """A draw that was asked for, with its library read."""
    text = REQUEST.format(number=number, name=name, budget=budget).encode()
    draw = await draws.begin(stage.desk, stage.centre, text, stage.players.caller(CLERK))
    state = await stage.desk.keeper.ask(AskDrawState(draw))
    for _ in range(MOST_WAITS):
        if state.stage in ("ready", "failed"):
            break
        await asyncio.sleep(0.1)
        state = await stage.desk.keeper.ask(AskDrawState(draw))
    if state.stage != "ready":
        raise Refused(state.fault or "draw_not_begun", "draw")
    return draw


async def _to_the_answers(stage: Stage, draw: str) -> None:
    """Opened, attested, approved, committed, contributed to: those drawn have two hours to answer."""
    desk, caller = stage.desk, stage.players.caller
    stand = await draws.proceed(desk, draw, caller(CLERK))
    value = loads(stand.body, place="body")
    body = shape_of(Committed).read(value["body"], "body")
    openings = parse_openings(await _opened(stage, draw, "openings", stage.key(0)))
    await _attest(stage, draw, Attested(draft_digest(body), attest_openings(openings, body.terms, body.evaluation_at), "openings"), 0)
    roll = parse_roll_file(await _opened(stage, draw, "roll", stage.key(1)))[-1]
    assert isinstance(roll, Roll)
    await _attest(stage, draw, Attested(draft_digest(body), attest_roll(roll, body.terms, first_need(roll, body.terms.plan)), "roll"), 1)
    proposal = await draw_approvals.propose(desk, draw, "committed", "演示：按计划抽取", caller(CLERK))
    await _approve(desk, stage.players, proposal)
    (draft,) = (await draws.show(desk, draw, caller(CLERK))).drafts
    key = stage.key(0)
    await draws.sign(desk, draw, "committed", key.name, key.sign(replace(draft.event, sigs=()).payload), None, caller(SUPERVISOR))
    chain = parse_keys(await draws.key_file(desk))
    for n in (2, 3):
        key, path = stage.held[HOLDERS[n][1]]
        made = contribute(await draws.order(desk, draw), key, path, chain)
        assert isinstance(made, Contributed)
        await draws.contribute(desk, draw, dumps({"type": "contributed", **shape_of(Contributed).write(made)}), desk.now())


async def _opened(stage: Stage, draw: str, what: str, key: KeyFile) -> bytes:
    """What is sealed to this supervisor, opened."""
    found = await draws.sealed_file(stage.desk, draw, what, stage.players.caller(SUPERVISOR))
    data = await asyncio.to_thread((stage.places.out / found.name).read_bytes)
    return unseal(data, key.box_secret)


async def _attest(stage: Stage, draw: str, body: Attested, n: int) -> None:
    bare = await draws.unsigned(stage.desk, draw, body, stage.desk.now())
    key = stage.key(n)
    signed = replace(bare, sigs=(Signature(key.name, key.sign(bare.payload)),))
    await draws.file_signed(stage.desk, draw, signed.leaf, stage.players.caller(SUPERVISOR))
