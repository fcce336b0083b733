"""The people of a draw: what they answer, what is sent to them, and their names once they may be known.

An answer comes through the person's own link: its token follows from the draw's secret, the slot and the occupant, so that neither the database nor
the web process can make one, or tell whose it is. The first answer stays. A batch goes into the log when everybody has answered or the window is over.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from drawing.canonical import TH, dumps, loads
from drawing.draw import ENDED, Draw, Phase
from drawing.errors import Refused
from drawing.events import Notified
from drawing.model import choice, text, time, unicode_text
from drawing.sealed import seal
from server.keeper.approvals import approved
from server.keeper.core import Core, leaf
from server.keeper.draw_verbs import (
    AskReplies,
    DrawLink,
    DrawNames,
    DrawNotices,
    DrawRecord,
    DrawReply,
    LinkState,
    Named,
    Names,
    NoticeOut,
    Notices,
    Replied,
    Replies,
)
from server.keeper.draws import Standing, draw_kept, standing, task_of
from server.keeper.people import grants_of, person_of_pass
from server.keeper.rules import OBJECTS
from server.keeper.store import NEW
from server.keeper.vault import Kept

TOKEN_BYTES = 18  # 144 bits, 24 characters of a short link
_COURIER = "courier"
NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class ReplyKept:
    """One answer."""

    at: Annotated[int, time]
    evidence: Annotated[str, choice("gateway", "link", "two_persons")]
    reason: Annotated[str, unicode_text(402)]  # with a mark before it, for it may be empty
    state: Annotated[str, choice("accepted", "left")]


_NONE = ReplyKept(0, "link", "-", "left")


@dataclass(frozen=True, slots=True)
class Accessed:
    """One reading of names, for the audit."""

    at: Annotated[int, time]
    draw: Annotated[str, text(32)]
    person: Annotated[str, text(64)]
    reason: Annotated[str, unicode_text(400)]


def waiting_slots(draw: Draw) -> list[tuple[int, int]]:
    """(slot, occupant) of everybody who was told and has not answered in the log, in a draw that goes on."""
    if draw.phase in ENDED:
        return []
    return [(n, len(slot.tags)) for n, slot in enumerate(draw.slots) if slot.tag and slot.notified and slot.state == "pending"]


def window_end(now: Standing) -> int:
    """When the reply window that is open ends; 0 where none is."""
    draw = now.own
    if not waiting_slots(draw) or draw.commit is None:
        return 0
    told = [each.head.at for each in now.events if isinstance(each.body, Notified) and each.head.attempt == draw.attempt]
    return told[-1] + draw.commit.reply_window


async def replies_for(core: Core, now: Standing) -> list[dict[str, Any]] | None:
    """The answers of the window, where it is over or everybody has answered; None before. With them those of earlier windows."""
    waiting = waiting_slots(now.own)
    found = await _all_said(core, now, "reply")
    answered = {(each["slot"], each["occupant"]) for each in found}
    if waiting and core.clock() < window_end(now) and not set(waiting) <= answered:
        return None
    return found


async def said_by(core: Core, draw_id: str, slot: int, occupant: int) -> str:
    """Why somebody does not come, in their words; `no_answer` where they said nothing."""
    left = await core.vault.state(ReplyKept, _name(draw_id, slot, occupant, "leave"), _NONE)
    kept = await core.vault.state(ReplyKept, _name(draw_id, slot, occupant), _NONE) if left.version == NEW else left
    return NO_ANSWER if kept.version == NEW else kept.value.reason[1:]


async def answered_nothing(core: Core, draw_id: str, slot: int, occupant: int) -> bool:
    """Whether somebody who counts as not coming said nothing at all."""
    return await said_by(core, draw_id, slot, occupant) == NO_ANSWER


async def leaves_for(core: Core, now: Standing) -> list[dict[str, Any]]:
    """Those who had accepted and cannot come after all."""
    return await _all_said(core, now, "leave")


async def _all_said(core: Core, now: Standing, kind: str) -> list[dict[str, Any]]:
    everybody = _everybody(now.own)
    kept = await _replies_of(core, now.id, everybody, kind)
    return [_said(*place, each.value) for place, each in zip(everybody, kept, strict=True) if each.version != NEW]


async def _replies_of(core: Core, draw_id: str, places: Sequence[tuple[int, int]], kind: str = "reply") -> list[Kept[ReplyKept]]:
    """What those at these places (slot, occupant) said."""
    return await core.vault.states_of(ReplyKept, [_name(draw_id, *place, kind) for place in places], _NONE)


def _said(slot: int, occupant: int, value: ReplyKept) -> dict[str, Any]:
    return {"slot": slot, "occupant": occupant, "state": value.state, "reason": value.reason[1:], "evidence": value.evidence}


def _everybody(draw: Draw) -> list[tuple[int, int]]:
    return [(n, occupant) for n, slot in enumerate(draw.slots) for occupant in range(1, len(slot.tags) + 1)]


def _name(draw_id: str, slot: int, occupant: int, kind: str = "reply") -> str:
    return f"{kind}/{draw_id}/{slot:03d}/{occupant:05d}"


async def token_of(core: Core, draw_id: str, slot: int, occupant: int) -> str:
    """What makes a link somebody's own."""
    secret = await core.vault.make_data_key(f"draw-secret:{draw_id}")
    made = hmac.digest(
        secret.key.raw, TH("lotroom/v1/reply", draw_id.encode(), slot.to_bytes(2, "big"), occupant.to_bytes(4, "big")), "sha256"
    )
    return base64.urlsafe_b64encode(made[:TOKEN_BYTES]).decode()


async def _check_token(core: Core, draw_id: str, slot: int, occupant: int, token: str) -> None:
    """Raises Refused("reply_refused")."""
    right = await token_of(core, draw_id, slot, occupant)
    if not hmac.compare_digest(right.encode(), token.encode()):
        raise Refused("reply_refused", "reply")


async def reply(core: Core, ask: DrawReply) -> Replied:
    """Raises Refused: reply_refused for a link that is nobody's, reply_too_late, leave_too_late, nobody_to_answer."""
    stands = await standing(core, ask.draw)
    evidence = ask.through
    if ask.token:
        await _check_token(core, ask.draw, ask.slot, ask.occupant, ask.token)
    else:
        if ask.approved is None:
            raise Refused("not_approved", "approved", action="answer")
        found = await approved(core, ask.approved, "answer", f"reply:{ask.draw}:{ask.slot}:{ask.occupant}", stands.kept.centre)
        if found.digest != TH("lotroom/v1/answer", ask.state.encode(), ask.reason.encode()):
            raise Refused("subject_differs", "subject.digest")
        evidence = "two_persons"
    now = core.clock()
    made = ReplyKept(now, evidence, f"-{ask.reason}", ask.state)
    name = _name(ask.draw, ask.slot, ask.occupant)
    before = await core.vault.state(ReplyKept, name, _NONE)
    if before.version != NEW:
        return await _again(core, ask, stands, before.value.state, made)
    if (ask.slot, ask.occupant) not in waiting_slots(stands.own):
        raise Refused("nobody_to_answer", "reply", slot=ask.slot)
    until = window_end(stands)
    if now >= until:
        raise Refused("reply_too_late", "reply", until=until)
    await core.vault.write([core.vault.put_state(name, made, NEW)])
    return Replied(await _everybody_answered(core, stands), True, ask.state)


async def _again(core: Core, ask: DrawReply, stands: Standing, state: str, made: ReplyKept) -> Replied:
    """The first answer stays. Only whoever accepted, and is in the log with it, may leave: once, by their own word as long as the request lets them."""
    seat = seat_of(stands.own, ask.slot, ask.occupant)
    if ask.state != "left" or state != "accepted" or seat is None:
        return Replied(False, False, state)
    name = _name(ask.draw, *seat, "leave")
    left = await core.vault.state(ReplyKept, name, _NONE)
    if left.version != NEW:
        return Replied(False, False, "left")
    until = _leave_until(stands)
    if ask.token and made.at >= until:
        raise Refused("leave_too_late", "reply", until=until)
    await core.vault.write([core.vault.put_state(name, made, NEW)])
    return Replied(await _everybody_answered(core, stands), True, "left")


async def _everybody_answered(core: Core, stands: Standing) -> bool:
    """Whether nobody is left of whom the window's end would have to be waited for."""
    names = [(_name(stands.id, *place),) for place in waiting_slots(stands.own)]
    return not names or None not in await core.vault.rows("state", names)


def _leave_until(stands: Standing) -> int:
    commit = stands.own.commit
    return max(0, commit.evaluation_at - 3600 * stands.kept.leave_hours) if commit else 0


def seat_of(draw: Draw, slot: int, occupant: int) -> tuple[int, int] | None:
    """Where somebody sits who accepted by the link of this slot: there, or where they stepped in as a reserve. None in a draw that has ended."""
    if draw.phase in ENDED or slot >= len(draw.slots) or len(draw.slots[slot].tags) != occupant:
        return None
    found = draw.slots[slot]
    if found.state == "accepted":
        return slot, occupant
    if found.state != "used":
        return None
    return next(((n, len(each.tags)) for n, each in enumerate(draw.slots) if each.state == "accepted" and each.tag == found.tags[-1]), None)


def link_of(draw: Draw, slot: int) -> tuple[int, int]:
    """The slot and occupant whose link the last person of a slot was sent: a reserve who stepped in keeps theirs."""
    tag = draw.slots[slot].tags[-1]
    moved = ((n, len(each.tags)) for n, each in enumerate(draw.slots) if n != slot and each.state == "used" and each.tags[-1] == tag)
    return next(moved, (slot, len(draw.slots[slot].tags)))


async def link(core: Core, ask: DrawLink) -> LinkState:
    """Raises Refused("reply_refused")."""
    stands = await standing(core, ask.draw)
    await _check_token(core, ask.draw, ask.slot, ask.occupant, ask.token)
    draw, here = stands.own, (ask.slot, ask.occupant)
    said = await core.vault.state(ReplyKept, _name(ask.draw, *here), _NONE)
    seat = seat_of(draw, *here)
    left = await core.vault.state(ReplyKept, _name(ask.draw, *(seat or here), "leave"), _NONE)
    answered = "" if said.version == NEW else "left" if left.version != NEW else said.value.state
    until = window_end(stands)
    stage = "open" if here in waiting_slots(draw) and core.clock() < until and not answered else "over"
    if await _not_needed(core, ask.draw, draw, here):
        stage = "cancelled"
    leave_until = _leave_until(stands) if answered == "accepted" and seat else 0
    return LinkState(answered, draw.commit.evaluation_at if draw.commit else 0, leave_until, stage, until)


async def _not_needed(core: Core, draw_id: str, draw: Draw, only: tuple[int, int] | None = None) -> list[tuple[int, int, bytes]]:
    """Link and tag of those who were called and need not come: their draw was abandoned, or they were taken out of it after they accepted. `only`: where
    that is the one whose link it is.
    """
    states = ("pending", "accepted") if draw.phase is Phase.ABANDONED else ("left",)
    places = [(n, slot) for n, slot in enumerate(draw.slots) if slot.notified and slot.tags and slot.state in states]
    links = [link_of(draw, n) for n, _ in places]
    chosen = [(link, n, slot) for link, (n, slot) in zip(links, places, strict=True) if only in (None, link)]
    said = await _replies_of(core, draw_id, [link for link, _, _ in chosen])
    left = await _replies_of(core, draw_id, [(n, len(slot.tags)) for _, n, slot in chosen], "leave")
    found = []
    for (link, _, slot), word, leave in zip(chosen, said, left, strict=True):
        gone = leave.version != NEW or (word.version != NEW and word.value.state == "left")
        if not gone and (draw.phase is Phase.ABANDONED or word.version != NEW):
            found.append((*link, slot.tags[-1]))
    return found


async def replies(core: Core, ask: AskReplies) -> Replies:
    """Counters; never who."""
    now = await standing(core, ask.draw)
    waiting = waiting_slots(now.own)
    answered = sum(each.version != NEW for each in await _replies_of(core, ask.draw, waiting))
    return Replies(answered, len(waiting), window_end(now))


# What is sent -----------------------------------------------------------------------------------------------------------------------------------


async def notices(core: Core, ask: DrawNotices) -> Notices:
    """Only what is due: people who are named in the log as notified, while their window is open and they have not answered; and those who need not
    come any more.
    """
    now = await standing(core, ask.draw)
    draw, until = now.own, window_end(now)
    if not core.settings.courier_box:
        raise Refused("no_courier_key", "courier")
    calls = waiting_slots(draw) if core.clock() < until else []
    calls = [each for each in calls if ask.slot in (None, each[0])]
    said = await _replies_of(core, ask.draw, calls)
    silent = [each for each, word in zip(calls, said, strict=True) if word.version == NEW]
    due = [("call", slot, occupant, draw.slots[slot].tags[-1]) for slot, occupant in silent]
    due += [("cancel", *each) for each in await _not_needed(core, ask.draw, draw) if ask.slot in (None, each[0])]
    if not due or draw.commit is None:
        return Notices(())
    tags = [tag.hex() for _, _, _, tag in due]
    people = (await core.drawer.run("who", **await task_of(core, now), tags=tags))["people"]
    items = []
    for (kind, slot, occupant, _), person in zip(due, people, strict=True):
        record = json.loads(person["record"])
        token = await token_of(core, ask.draw, slot, occupant)
        content = {
            "area": record["area"],
            "email": record.get("email", ""),
            "evaluation_at": draw.commit.evaluation_at,
            "phone": record["phone"],
            "token": token,
            "until": until,
        }
        key = core.vault.chance(32)
        sealed = b"".join(seal([dumps(content, text=True)], {_COURIER: core.settings.courier_box}, key))
        items.append(NoticeOut(kind, occupant, sealed, slot, sha256(token.encode()).digest()))
    return Notices(tuple(items))


# Names ------------------------------------------------------------------------------------------------------------------------------------------


async def unsealed_for(core: Core, ask: DrawNames | DrawRecord, roles: frozenset[str]) -> tuple[Standing, str]:
    """The draw, where its names are open to the person whose pass this is, and the person. Raises Refused: not_entitled, not_yet, not_approved."""
    kept = (await draw_kept(core, ask.draw)).value
    person = await person_of_pass(core, ask.token, ask.login)
    if not (await grants_of(core.vault, person)).value.holds(roles, kept.centre):
        raise Refused("not_entitled", "person")
    stands = await standing(core, ask.draw)
    draw = stands.own
    if draw.commit is None or not draw.unsealed:
        raise Refused("not_yet", "draw", until=draw.commit.unsealing.not_before if draw.commit else 0)
    await approved(core, ask.approved, "unseal", stands.object, kept.centre, draw.commit.unsealing.threshold)
    return stands, person


async def write_down(core: Core, ask: DrawNames | DrawRecord, person: str, event: str) -> None:
    """Who reads what and why: in the log before anything is shown."""
    now = core.clock()
    access = core.vault.put_state(f"access/{now:012d}/{core.vault.chance(8).hex()}", Accessed(now, ask.draw, person, ask.reason), NEW)
    told = leaf(event, now, draw=ask.draw, person=person, record=sha256(access.value or b"").hexdigest())
    await core.vault.write([access, told])  # if we crash before this returns, nothing was shown


async def names(core: Core, ask: DrawNames) -> Names:
    """The people of the slots that the log says were opened, for those entitled, under the approval of `unseal`. The reading is in the log first."""
    stands, person = await unsealed_for(core, ask, OBJECTS["draw"].roles | {"site_host"})
    shown = [(n, slot) for n, slot in enumerate(stands.own.slots) if slot.unsealed and slot.tag]
    got = await core.drawer.run("who", **await task_of(core, stands), tags=[slot.tag.hex() for _, slot in shown])
    await write_down(core, ask, person, "read_names")
    people = []
    for (number, slot), found in zip(shown, got["people"], strict=True):
        record = loads(found["record"].encode(), place="record", text=True)
        people.append(
            Named(
                employer=record["employer"]["name"],
                expert=found["expert"],
                name=record["name"],
                phone=record["phone"],
                reserve=slot.reserve,
                seat=slot.seat,
                slot=number,
                state=slot.state,
                title=record["title"],
            )
        )
    return Names(tuple(people))
