"""A whole draw of the service: a real keeper over a real database, a library in it, people with passkeys, and outsiders with keys of their own.

The outsiders (supervisors, contributors) do with drawing's own functions what their clients do: open what is sealed to them, check it, sign.
"""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from dataclasses import replace
from hashlib import sha256

from nacl.public import PrivateKey

from drawing import vrf
from drawing.canonical import dumps, loads
from drawing.draw import Phase, replay, states_bytes
from drawing.events import (
    BODIES,
    Attested,
    Checked,
    Contributed,
    Event,
    Head,
    RoundContributed,
    Signature,
    draft_digest,
    parse_event,
    project_tag,
)
from drawing.keys import KeyList, keys_bytes
from drawing.lots import first_need, rest_need
from drawing.model import shape_of
from drawing.note import Policy, VKey
from drawing.openings import parse_openings
from drawing.proof import proof_bytes
from drawing.randomness import contribution_alpha, round_alpha
from drawing.report import Tally
from drawing.roll import parse_roll_file
from drawing.sealed import unseal
from drawing.verify_roll import check_roll
from server.keeper.approved import body_digest, draw_object
from server.keeper.draw_verbs import (
    AskDrawState,
    AskReplies,
    DrawBegin,
    DrawContributed,
    DrawFile,
    DrawNotices,
    DrawPrepare,
    DrawReply,
    TrustKeys,
)
from server.keyfiles import KeyFile, make_key
from server.library.demo import make_library
from server.library.read_sheet import read_library
from server.material import attest_openings, attest_roll
from server.services import drawing, proofs
from server.services.drawing import Stand
from tests.server.keeper.house import House

CENTRE = "c" * 32
REQUEST = """regime = "ZTB"
[project]
number = "{number}"
name = "演示项目：城市道路改造工程施工"
budget_yuan = 48000000
responsible = "演示负责人"
[pool]
source = "演示评标专家库"
legal_ground = "招标投标法实施条例第四十六条"
[evaluation]
starts = "+40m"
[unsealing]
minutes_before = 60
supervisors = 2
[lot]
method = "{method}"
[committee]
representatives = 2
[limits]
recent_days = 90
recent_max = 2
[[parties]]
role = "tenderer"
name = "演示新中造价咨询股份有限公司"
code = "91110108MA0000000A"
[[parties]]
role = "supervision"
name = "演示市住房和城乡建设委员会"
[[sites]]
id = "home"
areas = ["11"]
[[sites]]
id = "guest"
areas = ["12", "13"]
[[seats]]
professions = ["A0801"]
count = 3
reserves = 1
[[seats]]
professions = ["A0601"]
count = 2
reserves = 0
[[widen]]
seat = 0
professions = ["A08"]
reason = "专业人员不足"
"""


def people_names(hall: Hall) -> list[str]:
    """Everybody's name in the library of this hall."""
    return [json.loads(each)["name"] for each in read_library(hall.folder / "library.csv").records]


def outsider(role: str, name: str, body: str) -> KeyFile:
    return make_key(role, name, body)


class Hall:
    """Made in a folder over a migrated database; `async with` it."""

    key_approvers = ("security", "sup1")
    authority = outsider("authority", "authority/a", "authority")

    def __init__(self, folder, store, url, *, people=300, networks=()):
        self.store, self.people, self.networks = store, people, networks
        self.courier = PrivateKey.generate()
        self.house = House(folder, demo=True, database=url, courier_box=bytes(self.courier.public_key).hex())
        self.supervisors = [outsider("supervisor", "bureau/one", "bureau"), outsider("supervisor", "discipline/two", "discipline")]
        self.contributors = [outsider("contributor", "notary/c", "notary"), outsider("contributor", "other/c", "other centre")]
        self.folder = folder
        self.out = folder / "draws"  # where files that leave lie
        self.numbers = 0
        self.approved = {}

    async def __aenter__(self):
        await self.store.write(lambda tx: tx.begin_log("lotroom.test/log", "console"), self.now())
        self.house.start()
        try:
            return await self.furnish()
        except BaseException:
            self.house.stop()
            raise

    async def furnish(self):
        self.keeper = self.house.client()
        await self.house.administrators(self.keeper)
        for person, role in (("clerk", "draw_clerk"), ("boss", "approver"), ("sup1", "supervisor"), ("sup2", "supervisor")):
            await self.house.member(self.keeper, person, role, centre=CENTRE)
        centre = {"id": CENTRE, "code": "c1", "name": "中心", "created_at": self.now()}
        await self.store.write(lambda tx: tx.insert("centre", centre, "test"), self.now())
        await self.publish_keys()
        await self.fill_library()
        return self

    async def __aexit__(self, *_):
        await self.keeper.close()
        self.house.stop()

    def now(self):
        return self.house.now()

    async def publish_keys(self):
        status = await self.keeper.key_status()
        own = [VKey.parse(each) for each in (status.operator, status.staff)]
        files = [KeyFile(key.name, role, "centre", key.public, b"", b"") for key, role in zip(own, ("operator", "staff"), strict=True)]
        outside = [
            replace(each, sign_secret=b"", vrf_secret=b"", box_secret=b"")
            for each in (*self.supervisors, *self.contributors, self.authority)
        ]
        entries = tuple(sorted((each.entry() for each in (*files, *outside)), key=lambda each: VKey.parse(each.vkey).name))
        self.keys = KeyList(1, entries, self.networks, Policy(VKey.parse(status.log), {}).text(), bytes(32), ())
        self.keys_file = keys_bytes([self.keys])
        subject = self.house.subject("key_list", f"keys:{self.keys.digest.hex()}", self.keys.digest, CENTRE)
        await self.house.approve(self.keeper, subject, *self.key_approvers)
        await self.keeper.ask(TrustKeys(subject.id, self.keys_file))

        async def keep(tx):
            value = dumps({"file": self.keys_file.decode()}, text=True).decode()
            await tx.insert("setting", {"scope": "service", "name": drawing.KEYS, "value": value, "changed_at": tx.now}, "test")

        await self.store.write(keep, self.now())

    async def fill_library(self):
        path = self.folder / "library.csv"
        self.write_library(path)
        records = read_library(path).records
        staging = "5" * 32
        for batch, start in enumerate(range(0, len(records), 20)):
            lines = records[start : start + 20]
            data = base64.b64encode(zlib.compress(b"\n".join(lines))).decode()
            await self.keeper.stage_experts(CENTRE, staging, batch, data)
            ids = [sha256(each).hexdigest()[:32] for each in lines]
            await self.keeper.keep_experts(CENTRE, staging, batch, ids)

    def write_library(self, path):
        make_library(self.people, 7, path)

    # A draw ---------------------------------------------------------------------------------------------------------------------------------

    async def begin(self, **more):
        await self.ask_for(**more)
        return await self.prepared()

    async def ask_for(self, *, method="uniform/1", dry_run=False, request=REQUEST, again=False):
        """The draw is asked for, and its preparation begins. `again`: of the same project as the one before."""
        self.numbers += not again
        number = f"DEMO-2026-{self.numbers:04d}"
        tag = project_tag(number)
        now = self.now()
        text = request.format(number=number, method=method).encode()

        async def rows(tx):
            there = await tx.one("project", tag=tag)
            made = {"centre": CENTRE, "tag": tag, "title": number, "created_at": now}
            project = there["id"] if there else await tx.insert("project", made, "test")
            row = {
                "centre": CENTRE,
                "project": project,
                "section": "1",
                "regime": "ZTB",
                "dry_run": int(dry_run),
                "request_digest": sha256(text).digest(),
            }
            return await tx.insert("draw", {**row, "evaluation_at": now + 2400, "created_at": now}, "test")

        self.draw = await self.store.write(rows, now)
        self.tag = tag
        await self.keeper.ask(DrawBegin(CENTRE, self.draw, dry_run, tag, text, now))
        await self.keeper.ask(DrawPrepare(self.draw))

    async def prepared(self):
        for _ in range(600):
            state = await self.keeper.ask(AskDrawState(self.draw))
            if state.stage in ("ready", "failed"):
                break
            await asyncio.sleep(0.05)
        assert state.stage == "ready", state
        return state

    async def advance(self) -> Stand:
        return await drawing.advance(self.store, self.keeper, self.draw, self.now())

    async def events(self) -> list[Event]:
        async with self.store.reading() as tx:
            return [parse_event(each) for each in await tx.events(drawing.stream(self.tag))]

    async def project(self):
        return replay(await self.events())

    async def sealed_file(self, what, key):
        got = await self.keeper.ask(DrawFile(self.draw, what))
        assert got.readers == (key.name,), got
        return unseal((self.out / got.name).read_bytes(), key.box_secret)

    async def append(self, body, *keys):
        """An event that one key outside signs: an attestation, the check of the selection."""
        project = await self.project()
        draw = project.draw
        head = Head(max(self.now(), draw.last_at), draw.attempt, draw.dry_run, project.head, self.tag, project.events)
        bare = Event(head, body, ())
        sigs = tuple(Signature(each.name, each.sign(bare.payload)) for each in sorted(keys, key=lambda each: each.name))
        await drawing.append(self.store, self.keeper, self.draw, Event(head, body, sigs), self.now())

    async def attest(self):
        """Both supervisors check the draft that waits, each with what only they may have."""
        stand = await self.advance()
        assert stand.waiting == "attestation", stand
        value = loads(stand.body, place="body")
        body = shape_of(BODIES[value["type"]]).read(value["body"], "body")
        draw = (await self.project()).draw
        openings = parse_openings(await self.sealed_file("openings", self.supervisors[0]))
        at = body.evaluation_at if hasattr(body, "evaluation_at") else draw.commit.evaluation_at
        await self.append(Attested(draft_digest(body), attest_openings(openings, body.terms, at), "openings"), self.supervisors[0])
        roll = parse_roll_file(await self.sealed_file("roll", self.supervisors[1]))[-1]
        need = first_need(roll, body.terms.plan) if not draw.commits else rest_need(roll, body.terms.plan, draw.slots, draw.gone)
        await self.append(Attested(draft_digest(body), attest_roll(roll, body.terms, need), "roll"), self.supervisors[1])

    async def draft(self, kind):
        async with self.store.reading() as tx:
            return await drawing.draft_of(tx, self.draw, kind)

    async def sign_draft(self, kind, action, *signers, approvers=()):
        """People approve the draft's body with their passkeys, supervisors sign it with their keys; the keeper signs as staff with the last one."""
        event = await self.draft(kind)
        subject = self.house.subject(action, draw_object(self.tag, event.head.attempt), body_digest(event), CENTRE)
        for person in approvers:
            await self.house.approve(self.keeper, subject, person)
        self.approved[kind] = subject.id
        stand = None
        for each in signers:
            signature = Signature(each.name, each.sign(event.payload))
            stand = await drawing.add_signature(self.store, self.keeper, self.draw, kind, signature, subject.id, self.now())
        return stand

    async def contribution(self, key):
        """What a contributor's client makes of the latest commit."""
        events = await self.events()
        leaf = next(each for each in reversed(events) if each.type in ("committed", "extended")).leaf_hash
        counted = sum(isinstance(event.body, Contributed) and event.body.key == key.name for event in events) + 1
        body = Contributed(key.name, counted, vrf.prove(key.vrf_secret, contribution_alpha(leaf)), key.vrf_public, bytes(64))
        return replace(body, sig=key.sign(body.statement(leaf)))

    async def contribute(self):
        stand = None
        for each in self.contributors:
            value = {"type": "contributed", **shape_of(Contributed).write(await self.contribution(each))}
            found = await self.keeper.ask(DrawContributed(dumps(value), self.draw))
            await drawing.append(self.store, self.keeper, self.draw, parse_event(found.event), self.now())
            stand = await self.advance()
        return stand

    async def contribute_to_round(self, keys=None):
        """Everybody's part in a replacement round, or that of these."""
        stand = None
        for each in self.contributors if keys is None else keys:
            draw = (await self.project()).draw
            running = draw.stages[-1] if draw.phase is Phase.DRAWING else None
            states = running.states if running else states_bytes(draw.slots)
            leaf = draw.commits[-1].leaf_hash
            pi = vrf.prove(each.vrf_secret, round_alpha(leaf, draw.round, states))
            body = RoundContributed(each.name, pi, each.vrf_public, draw.round, bytes(64))
            body = replace(body, sig=each.sign(body.statement(leaf)))
            value = {"type": "round_contributed", **shape_of(RoundContributed).write(body)}
            found = await self.keeper.ask(DrawContributed(dumps(value), self.draw))
            await drawing.append(self.store, self.keeper, self.draw, parse_event(found.event), self.now())
            stand = await self.advance()
        return stand

    async def refill(self):
        """Until nobody's place is open any more: whoever is drawn in accepts."""
        for _ in range(10):
            stand = await self.advance()
            if stand.waiting == "check":
                return
            if stand.waiting == "contribution":
                await self.contribute_to_round()
            for slot in await self.messages():
                await self.answer(slot)
        raise AssertionError(stand)

    async def messages(self):
        """What the courier would send now: slot -> (occupant, content)."""
        found = await self.keeper.ask(DrawNotices(self.draw))
        return {
            each.slot: (each.occupant, loads(unseal(each.sealed, bytes(self.courier)), place="notice", text=True)) for each in found.items
        }

    async def answer(self, slot, state="accepted", reason="", token=None, message=None):
        occupant, content = message or (await self.messages())[slot]
        return await self.keeper.ask(DrawReply(None, self.draw, occupant, reason, slot, state, "link", token or content["token"]))

    async def proof(self):
        async with self.store.reading() as tx:
            return proof_bytes(await proofs.build(tx, self.tag))

    async def replies(self):
        return await self.keeper.ask(AskReplies(self.draw))

    async def check(self):
        roll = await self.sealed_file("roll", self.supervisors[1])
        tally = Tally()
        draw = (await self.project()).draw
        check_roll(roll, draw, tally)
        assert not tally.faults, tally.faults
        await self.append(Checked(), self.supervisors[1])

    async def to_the_lots(self, approvers=("boss", "sup1")):
        """From a prepared draw on, until those drawn answer."""
        await self.attest()
        assert (await self.advance()).draft == "committed"
        await self.sign_draft("committed", "commit", self.supervisors[0], approvers=approvers)
        stand = await self.contribute()
        assert stand.waiting == "answers", stand

    async def to_the_end(self, approvers=("sup1", "sup2")):
        """Everybody who sits has accepted: checked, unsealed, closed."""
        await self.check()
        draw = (await self.project()).draw
        self.house.move_clock(max(0, draw.commit.unsealing.not_before - self.now()))
        assert (await self.advance()).draft == "unsealed"
        stand = await self.sign_draft("unsealed", "unseal", *self.supervisors, approvers=approvers)
        assert stand.draft == "closed", stand
        await self.sign_draft("closed", "commit", self.supervisors[0])
