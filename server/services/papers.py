"""Papers and evidence of a draw: what is public for everybody who may see the draw, what names people for those entitled, each reading with a reason.

Publication follows the regime: until the result is determined (ZTB) or noticed (ZFCG) names are on no paper but those of the entitled; what is given
to others before is printed without names.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drawing.canonical import dumps
from drawing.draw import ENDED, Phase
from drawing.errors import Refused
from drawing.events import Unsealed
from drawing.keys import keys_bytes
from drawing.proof import proof_bytes
from server.evidence import evidence
from server.keeper.draw_verbs import DrawFile, DrawRecord
from server.printing import documents
from server.printing.facts import Facts, Person, anonymous
from server.printing.typeset import pdf
from server.request import parse_request
from server.services import complaints, drawing, draws, proofs, publication
from server.services.desk import Caller, Desk, pass_of
from server.services.supervision import approval_over
from server.storage.tx import Tx


async def facts(desk: Desk, draw: str, origin: str) -> Facts:
    """What is public. Raises Refused: not_found, nothing_to_print before anything is in the log."""
    async with desk.store.reading() as tx:
        row = await tx.one("draw", id=draw)
        if row is None:
            raise Refused("not_found", "draw")
        project = await tx.get("project", row["project"])
        tag = bytes(project["tag"])
        state = (await drawing.project_of(tx, tag)).draw
        events = tuple(each for each in await draws.indexed(tx, tag) if each[1].head.attempt == state.attempt)
        if not events:
            raise Refused("nothing_to_print", "draw")
        chain = await drawing.key_chain(tx)
        centre = await tx.get("centre", row["centre"])
        operator = await _account(tx, row["created_by"])
    entries = chain.newest.by_name
    return Facts(
        draw=state,
        events=events,
        number=str(project["title"]),
        section=str(row["section"]),
        regime=str(row["regime"]),
        centre=str(centre["name"]),
        place=str(centre["name"]),
        applied_at=int(row["created_at"]),
        evaluation_at=int(row["evaluation_at"]),
        operator=operator,
        bodies={name: entry.body for name, entry in entries.items()},
        roles={name: entry.role for name, entry in entries.items()},
        address=f"{origin}/proofs/{draw}/proof.json",
        people=anonymous(state),
    )


async def _account(tx: Tx, person: object) -> str:
    rows = await tx.all("account", {"person": person}, order=["created_at"], limit=1) if person else []
    return str(rows[0]["name"]) if rows else ""


async def public_record(desk: Desk, draw: str, lang: str, origin: str, caller: Caller) -> bytes:
    """The record without names, as a PDF."""
    desk.require("draw.read", caller, await draws.centre_of(desk, draw))
    return await pdf(documents.made("record", await facts(desk, draw, origin), lang))


async def named_paper(
    desk: Desk, draw: str, kind: str, lang: str, origin: str, reason: str, caller: Caller, code: str = "", approved: bytes | None = None
) -> bytes:
    """A paper with the names, as a PDF; with a code as a sealed letter. `approved`: the subject of `unseal`, looked up without it.

    Raises Refused: not_yet, not_approved, names_stay_secret.
    """
    desk.require("draw.papers", caller, await draws.centre_of(desk, draw))
    found = await facts(desk, draw, origin)
    if kind == "publication":
        publication.check_list(found.regime, found.evaluation_at, caller.request.now)
    token, login = pass_of(caller.shown)
    named = await _with_names(desk, draw, found, token, login, reason, caller.request.now, approved)
    return await pdf(documents.made(kind, named, lang), code)


async def _with_names(
    desk: Desk, draw: str, found: Facts, token: str, login: bytes, reason: str, now: int, approved: bytes | None
) -> Facts:
    opened = next((event for _, event in reversed(found.events) if isinstance(event.body, Unsealed)), None)
    if opened is None:
        raise Refused("not_yet", "draw", until=found.draw.commit.unsealing.not_before if found.draw.commit else 0)
    if approved is None:
        async with desk.store.reading() as tx:
            approved = await approval_over(tx, opened, now)
    if approved is None:
        raise Refused("not_approved", "approved", action="unseal")
    got = json.loads((await desk.keeper.ask(DrawRecord(approved, draw, login, reason, token))).text)
    named = {(each["slot"], each["occupant"]): each for each in got["people"]}
    request = parse_request(got["request"].encode(), "request", got["started_at"])
    people = tuple(_named(each, named.get((each.slot, each.occupant))) for each in found.people)
    return Facts(**{**{name: getattr(found, name) for name in Facts.__dataclass_fields__}, "people": people, "request": request})


def _named(person: Person, value: Mapping[str, Any] | None) -> Person:
    if value is None:
        return person
    reason = str(value["reason"]) if person.said in ("left", "pending") else ""
    return Person(
        person.slot,
        person.occupant,
        person.seat,
        person.reserve,
        person.said,
        reason,
        known=True,
        name=str(value["name"]),
        id_number=str(value["id_number"]),
        employer=str(value["employer"]),
        title=str(value["title"]),
        duty=str(value["duty"]),
        phone=str(value["phone"]),
        professions=tuple(map(str, value["professions"])),
    )


async def public_proof(desk: Desk, draw: str, now: int) -> bytes:
    """The proof of a draw that has ended, for everybody: at most a minute old. Raises Refused("not_found")."""
    made_at, made = _proofs.get(draw, (0, b""))
    if made and 0 <= now - made_at < KEPT_SECONDS:
        return made
    async with desk.store.reading() as tx:
        row = await tx.one("draw", id=draw)
        if row is None:
            raise Refused("not_found", "draw")
        tag = await drawing.tag_of(tx, draw)
        if (await drawing.project_of(tx, tag)).draw.phase not in ENDED:
            raise Refused("not_found", "draw")
        made = proof_bytes(await proofs.build(tx, tag))
    _proofs[draw] = now, made
    while len(_proofs) > MOST_KEPT:
        del _proofs[next(iter(_proofs))]
    return made


KEPT_SECONDS, MOST_KEPT = 60, 16  # strangers may ask for it, and each proof looks at every project
_proofs: dict[str, tuple[int, bytes]] = {}


async def archive(desk: Desk, draw: str, verifier: str, origin: str, out: Path, caller: Caller) -> bytes:
    """The evidence of a draw as one file, without names. Raises Refused."""
    desk.require("draw.read", caller, await draws.centre_of(desk, draw))
    return await archive_of(desk, draw, verifier, origin, out)


async def archive_of(desk: Desk, draw: str, verifier: str, origin: str, out: Path) -> bytes:
    """The same, whoever asks. `out`: the folder of what leaves. The roll is in it after the end alone (draw.md 7.4)."""
    found = await facts(desk, draw, origin)
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        files = {"proof.json": proof_bytes(await proofs.build(tx, tag)), "keys.json": keys_bytes((await drawing.key_chain(tx)).lists)}
        filed = await complaints.public_rows(tx, draw)
    if filed:
        files["complaints.json"] = dumps({"complaints": filed, "v": "lotroom-complaints/1"})
    files["verify.html"] = verifier.encode()
    for lang in ("zh", "en"):
        files[f"record-{lang}.pdf"] = await pdf(documents.made("record", found, lang))
    if found.draw.phase is Phase.CLOSED:
        roll = await _roll(desk, draw, out)
        files |= {"roll.bin": roll} if roll else {}
    return evidence(tag, found.draw.attempt, files)


async def _roll(desk: Desk, draw: str, out: Path) -> bytes:
    """The nameless roll; nothing once the draw's files were destroyed, as the law asks after its time."""
    try:
        made = await desk.keeper.ask(DrawFile(draw, "roll_closed"))
    except Refused as refused:
        if refused.code != "files_destroyed":
            raise
        return b""
    return await asyncio.to_thread((out / made.name).read_bytes)
