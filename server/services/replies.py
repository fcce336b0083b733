"""Answers of people who were drawn: by their own link, through a gateway that heard them, or by hand with two approvals.

The link's token finds the place: its hash was kept when the message was registered, with a draw, a slot and an occupant and nothing of a person.
The keeper knows the token and decides; what it keeps is read by nobody before the whole window's answers go into the log together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import Thing
from server.keeper.draw_verbs import DrawLink, DrawReply, LinkState, Replied
from server.services import drawing, draws, notices
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

STATES = ("accepted", "left")
REASONS = ("busy", "ill", "away", "conflict", "other")  # of whoever cannot come; what they mean is the page's to say


@dataclass(frozen=True, slots=True)
class Link:
    """Somebody's link as their page shows it; `None` where it is nobody's."""

    token: str
    state: LinkState | None
    code: str


async def look(desk: Desk, token: str) -> Link:
    """How a link stands. One that is nobody's is as good as one that is no more."""
    row = await _row(desk, token)
    if row is None:
        return Link(token, None, "")
    try:
        state = await desk.keeper.ask(DrawLink(row["draw"], row["occupant"], row["slot"], token))
    except Refused as refused:
        if refused.code not in ("reply_refused", "no_such_draw"):
            raise
        return Link(token, None, "")
    return Link(token, state, notices.code_of(bytes(row["token_hash"])))


async def reply(desk: Desk, token: str, state: str, reason: str, now: int, through: str = "link") -> Replied:
    """What somebody answered. Raises Refused: reply_refused, reply_too_late, leave_too_late, nobody_to_answer."""
    row = await _row(desk, token)
    if row is None:
        raise Refused("reply_refused", "reply")
    draw = row["draw"]
    said = await desk.keeper.ask(DrawReply(None, draw, row["occupant"], reason, row["slot"], state, through, token))
    # If we crash here the answer is kept, and the window's end brings it into the log.
    if said.first:
        answer = f"{row['slot']} {row['occupant']} {state}"
        await desk.store.write(lambda tx: _heard(tx, draw, answer, now, goes_on=said.everybody), now)
    return said


async def _row(desk: Desk, token: str) -> Row | None:
    async with desk.store.reading() as tx:
        found = await tx.all("notice", token_hash=sha256(token.encode()).digest(), limit=1)
    return found[0] if found else None


async def _heard(tx: Tx, draw: str, answer: str, now: int, *, goes_on: bool) -> None:
    tx.wake(f"draw-{draw}")
    if goes_on:
        await tx.outbox(drawing.ADVANCE, f"{draw} answered {answer}", now, draw.encode())


# By hand ------------------------------------------------------------------------------------------------------------------------------------------


def answer_subject(state: str, reason: str) -> bytes:
    """What an approval of an answer by hand covers; the keeper computes the same."""
    return TH("lotroom/v1/answer", state.encode(), reason.encode())


def answer_object(draw: str, slot: int, occupant: int) -> str:
    """Whose answer it is, in the keeper's words."""
    return f"reply:{draw}:{slot}:{occupant}"


async def ask_for_answer(desk: Desk, draw: str, code: str, state: str, reason: str, caller: Caller) -> str:
    """Proposes the answer of somebody who telephoned and read out the code of their message. Raises Refused: unknown_code, reason_missing."""
    centre = (await draws.centre_of(desk, draw)).centre
    desk.require_to_ask("draw.answer", caller, Thing(centre))
    if state not in STATES:
        raise Refused("not_a_choice", "state", choices=", ".join(STATES))
    if not reason.strip():
        raise Refused("reason_missing", "reason", most=200)
    now = caller.request.now
    wanted = code.strip().upper()

    async def work(tx: Tx) -> str:
        row = next((each for each in await tx.all("notice", draw=draw) if notices.code_of(bytes(each["token_hash"])) == wanted), None)
        if row is None:
            raise Refused("unknown_code", "code")
        thing = Thing(centre, digest=answer_subject(state, reason))
        made = approvals.propose(ProposalId(tx.new_id()), "draw.answer", caller.actor, thing, now)
        facts = {"draw": draw, "occupant": row["occupant"], "slot": row["slot"], "state": state}
        await stored.add(tx, made, f"reply/{answer_object(draw, row['slot'], row['occupant'])}", reason, facts)
        return made.id

    return await desk.store.write(work, now)


async def enter(tx: Tx, proposal: str, subject: bytes, about: Mapping[str, Any]) -> None:
    """Approved: the courier tells the keeper, who counts the approvals itself. `subject`: the keeper's id of what was approved."""
    value = {"approved": subject.hex(), "draw": about["draw"], "occupant": about["occupant"], "reason": about["why"], "slot": about["slot"]}
    await tx.outbox(notices.ANSWER, proposal, tx.now, dumps({**value, "state": about["state"]}, text=True))
