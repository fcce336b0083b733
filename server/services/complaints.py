"""Complaints (投诉) on a draw: a supervisor files one, the keeper holds the draw's files from then on, and two people lift it.

The log has a leaf with the digest of the words, never the words. The authority decides within 30 working days, in both regimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, PersonId, Thing
from server.keeper.approved import hold_object
from server.keeper.draw_verbs import DrawHold, DrawLift
from server.services import draws
from server.services.desk import Caller, Desk, pass_of
from server.storage import proposals as stored
from server.storage.tx import Row, Tx
from server.workdays import SHANGHAI, local, workdays_after

LIFT = "hold.lift"
DECISION_DAYS = 30  # working days from the filing on
LAWS: Mapping[str, str] = {  # regime -> where the 30 days stand
    "ZTB": "招标投标法实施条例 第六十一条",
    "ZFCG": "政府采购法 第五十六条",
}


@dataclass(frozen=True, slots=True)
class Complaints:
    """A draw's complaints, the newest first; `names`: account names of those who filed them."""

    number: str
    law: str
    rows: tuple[Row, ...]
    names: Mapping[str, str]


def paper_digest(salt: bytes, reason: str) -> bytes:
    """What the log and the keeper have of a complaint: whoever has its salt and words computes it again."""
    return TH("lotroom/v1/complaint", salt, reason.encode())


def decide_by(filed_at: int) -> int | None:
    """The end of the thirtieth working day in Shanghai; None where the holidays of a year until then are not announced yet."""
    try:
        day = workdays_after(local(filed_at).date(), DECISION_DAYS)
    except Refused as refused:
        if refused.code != "no_holiday_table":
            raise
        return None  # evidence is frozen whatever the calendar says
    return int(datetime.combine(day + timedelta(days=1), time(), SHANGHAI).timestamp())


async def of_draw(desk: Desk, draw: str, caller: Caller) -> Complaints:
    """Raises Refused("not_found")."""
    desk.require("complaint.read", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        project = await tx.get("project", row["project"])
        rows = tuple(await tx.all("complaint", draw=draw, order=["-filed_at", "id"]))
        filers = sorted({each["filed_by"] for each in rows})
        names = {each["person"]: str(each["name"]) for each in await tx.all("account", {"person in": filers})}
    return Complaints(str(project["title"]), LAWS[row["regime"]], rows, names)


async def file(desk: Desk, draw: str, reason: str, caller: Caller) -> str:
    """A complaint; the keeper holds the draw's files before it is written down. Raises Refused: not_entitled, files_destroyed."""
    thing = await draws.centre_of(desk, draw)
    desk.require("complaint.file", caller, thing)
    made, salt, now = desk.chance(16).hex(), desk.chance(32), caller.request.now
    digest = paper_digest(salt, reason)
    token, login = pass_of(caller.shown)
    await desk.keeper.ask(DrawHold(made, digest, draw, login, token))

    async def work(tx: Tx) -> str:
        told = {"at": now, "complaint": made, "digest": digest.hex(), "draw": draw, "event": "complaint_filed"}
        index = await tx.leaf(dumps(told))
        row = {
            "id": made,
            "centre": thing.centre,
            "draw": draw,
            "filed_by": caller.person,
            "reason": reason,
            "paper_salt": salt,
            "digest": digest,
            "leaf_index": index,
            "filed_at": now,
            "decide_by": decide_by(now),
        }
        await tx.insert("complaint", row, caller.person, "complaint")
        tx.wake(f"draw-{draw}")
        return made

    # If we crash before this commits, the files are held by a complaint that nobody reads: safe, and filed again by the same form.
    return await desk.store.write(work, now)


async def ask_to_lift(desk: Desk, draw: str, complaint: str, why: str, caller: Caller) -> str:
    """Propose that a complaint no longer holds the files. Raises Refused: not_found, complaint_lifted, draft_asked."""
    thing = await draws.centre_of(desk, draw)
    desk.require_to_ask(LIFT, caller, thing)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        row = await tx.one("complaint", id=complaint, draw=draw)
        if row is None:
            raise Refused("not_found", "complaint")
        if row["lifted_at"]:
            raise Refused("complaint_lifted", "complaint")
        if await tx.count("approval", {"expires_at >": now}, action=LIFT, digest=bytes(row["digest"]), state="open"):
            raise Refused("draft_asked", "complaint")
        project = await tx.get("project", (await tx.get("draw", draw))["project"])
        about = Thing(CentreId(row["centre"]), None, bytes(row["digest"]))
        made = approvals.propose(ProposalId(tx.new_id()), LIFT, caller.actor, about, now)
        facts = {"complaint": complaint, "draw": draw, "number": str(project["title"]), "reason": row["reason"]}
        await stored.add(tx, made, f"hold/{hold_object(draw, complaint)}", why, facts)
        return made.id

    return await desk.store.write(work, now)


# Lifting, as the inbox carries it out (services.matters) -----------------------------------------------------------------------------------------


async def _row(tx: Tx, thing: str) -> Row | None:
    _, draw, complaint = thing.split(":")
    return await tx.one("complaint", id=complaint, draw=draw)


async def lift_subject(tx: Tx, thing: str) -> bytes | None:
    """The digest of a complaint that still holds; None of one that does not."""
    row = await _row(tx, thing)
    return bytes(row["digest"]) if row is not None and not row["lifted_at"] else None


async def lift(desk: Desk, thing: str, subject: bytes) -> None:
    """The keeper lifts it, once its own count of approvals is enough; of one that it lifted already nothing is left to do."""
    _, draw, complaint = thing.split(":")
    await desk.keeper.ask(DrawLift(subject, complaint, draw))


async def lifted(tx: Tx, thing: str, proposal: str, by: PersonId) -> None:
    """The row says so."""
    row = await _row(tx, thing)
    assert row is not None
    await tx.change("complaint", row["id"], {"lift": proposal, "lifted_at": tx.now}, by, row["version"], "lifted")
    tx.wake(f"draw-{row['draw']}")


async def public_rows(tx: Tx, draw: str) -> list[dict[str, object]]:
    """What evidence says of a draw's complaints: when, their digest, their leaf; no word of them."""
    return [
        {
            "complaint": row["id"],
            "digest": bytes(row["digest"]).hex(),
            "filed_at": row["filed_at"],
            "leaf_index": row["leaf_index"],
            "lifted_at": row["lifted_at"] or 0,
        }
        for row in await tx.all("complaint", draw=draw, order=["filed_at", "id"])
    ]
