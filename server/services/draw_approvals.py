"""What people approve of a draw: the draft of an event, as it waits. One row of WAITING per kind of event that needs it.

An approval covers the draft's body (`approved.body_digest`) and names the attempt (`approved.draw_object`), which is what the keeper checks again before
its staff's key signs. A draft that changed has another digest: its proposal is void, and the approval that was given for it finds nothing to sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drawing.canonical import TH
from drawing.draw import NEXT
from drawing.errors import Refused
from drawing.events import Abandoned, Event
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, Thing
from server.errors import Stale
from server.keeper import rules
from server.keeper.approved import body_digest, draw_object
from server.services import drawing
from server.services.desk import Caller, Desk, keeper_centre
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

NOTHING = bytes(32)
START, WIDEN, RELEASE, CANCEL = "draw.start", "draw.widen", "draw.release", "draw.cancel"


@dataclass(frozen=True, slots=True)
class Waits:
    """The permission that asks, and the keeper's word for the action."""

    permission: str
    keeper: str


WAITING: Mapping[str, Waits] = {
    "committed": Waits(START, "commit"),
    "extended": Waits(WIDEN, "widen"),
    "unsealed": Waits(RELEASE, "unseal"),
    "abandoned": Waits(CANCEL, "abandon"),
}
TYPES: Mapping[str, str] = {each.permission: kind for kind, each in WAITING.items()}
REASONS = ("incomplete", "cancelled")  # `order` is an authority's


@dataclass(frozen=True, slots=True)
class Asked:
    """How far the approval of a draft is. `state`: none, open or given; `given` of `needed` votes; `by`: the accounts' names."""

    state: str
    given: int = 0
    needed: int = 2
    by: tuple[str, ...] = ()
    proposal: str = ""


async def propose(desk: Desk, draw: str, kind: str, why: str, caller: Caller) -> str:
    """Ask others to approve the draft that waits. Raises Refused: no_such_draft, draft_asked."""
    about = WAITING.get(kind)
    if about is None:
        raise Refused("no_such_draft", "draft")
    thing = await drawing.thing_of(desk.store, draw)
    desk.require_to_ask(about.permission, caller, thing)

    async def work(tx: Tx) -> str:
        event = await drawing.draft_of(tx, draw, kind)
        if event is None:
            raise Refused("no_such_draft", "draft")
        return await _add(tx, draw, event, thing.centre, why, caller)

    return await desk.store.write(work, caller.request.now)


async def ask_to_cancel(desk: Desk, draw: str, reason: str, why: str, caller: Caller) -> str:
    """A draft that ends the attempt, and its proposal. What is given up stays in the log. Raises Refused where it cannot be ended any more."""
    thing = await drawing.thing_of(desk.store, draw)
    desk.require_to_ask(CANCEL, caller, thing)
    if reason not in REASONS:
        raise Refused("not_a_choice", "reason", choices=", ".join(REASONS))
    now, salt = caller.request.now, desk.chance(32)
    async with desk.store.reading() as tx:
        tag = await drawing.tag_of(tx, draw)
        project = await drawing.project_of(tx, tag)
    if "abandoned" not in NEXT[project.draw.phase]:
        raise Refused("cannot_cancel", "draw")
    event = Event(drawing.next_head(project, tag, now), Abandoned(paper_digest(salt, why), reason), ())
    await drawing.keep_draft(desk.store, draw, event, now)

    async def work(tx: Tx) -> str:
        kept = await drawing.draft_of(tx, draw, "abandoned")
        if kept is None:
            raise Stale(place="draft", length=0)
        return await _add(tx, draw, kept, thing.centre, why, caller, {"salt": salt.hex()})

    return await desk.store.write(work, now)


def paper_digest(salt: bytes, why: str) -> bytes:
    """What the log says of the reason: who has the approval's record computes it again."""
    return TH("draw/v1/private", salt, why.encode())


async def _add(
    tx: Tx, draw: str, event: Event, centre: CentreId | None, why: str, caller: Caller, more: Mapping[str, Any] | None = None
) -> str:
    permission = WAITING[event.type].permission
    thing = Thing(centre, None, body_digest(event))
    now = caller.request.now
    for each in await tx.all("approval", {"expires_at >": now}, action=permission, digest=thing.digest):
        if each["state"] in ("open", "used"):
            raise Refused("draft_asked", "draft")
    made = approvals.propose(ProposalId(tx.new_id()), permission, caller.actor, thing, now)
    project = await tx.get("project", (await tx.get("draw", draw))["project"])
    facts = {
        "attempt": event.head.attempt,
        "draw": draw,
        "dry_run": int(event.head.dry_run),
        "number": str(project["title"]),
        **(more or {}),
    }
    await stored.add(tx, made, object_of(event), why, facts)
    return made.id


def object_of(event: Event) -> str:
    """The object as an approval's record names it."""
    return f"draw/{draw_object(event.head.project, event.head.attempt)}"


def digest_of(event: Event) -> bytes:
    """What an approval of it covers."""
    return body_digest(event)


async def subject_now(tx: Tx, permission: str, thing: str, draw: str) -> bytes:
    """The digest of the draft that waits now, NOTHING where none of this attempt does."""
    event = await drawing.draft_of(tx, draw, TYPES[permission])
    if event is None or object_of(event) != f"draw/{thing}":
        return NOTHING
    return body_digest(event)


async def approval_of(tx: Tx, event: Event) -> bytes | None:
    """The keeper's subject under which people approved exactly this event; None where they did not (yet)."""
    row = await _newest(tx, event, "used")
    if row is None:
        return None
    about = WAITING[event.type]
    centre = keeper_centre(CentreId(row["centre"]))
    return rules.Subject(about.keeper, centre, bytes(row["digest"]), row["expires_at"], object_of(event).partition("/")[2]).id


async def asked(tx: Tx, event: Event, now: int) -> Asked:
    """How far it is."""
    for state in ("used", "open"):
        row = await _newest(tx, event, state)
        if row is not None and (state == "used" or row["expires_at"] > now):
            votes = await tx.all("approval_vote", approval=row["id"], word="agrees", order=["at", "id"])
            accounts = {each["id"]: str(each["name"]) for each in await tx.all("account", {"id in": [vote["account"] for vote in votes]})}
            names = tuple(accounts.get(vote["account"], "") for vote in votes)
            return Asked("given" if state == "used" else "open", len(votes), 2, names, row["id"])
    return Asked("none")


async def _newest(tx: Tx, event: Event, state: str) -> Row | None:
    about = WAITING.get(event.type)
    if about is None:
        return None
    where: dict[str, Any] = {"action": about.permission, "digest": body_digest(event), "state": state, "subject": object_of(event)}
    found = await tx.all("approval", where, order=["-asked_at", "id"], limit=1)
    return found[0] if found else None


async def go_on(desk: Desk, draw: str, permission: str, now: int) -> None:
    """With the last vote: where supervisors have signed already, the staff's key signs and the event goes in."""
    await drawing.complete(desk.store, desk.keeper, draw, TYPES[permission], now, approval_of)
