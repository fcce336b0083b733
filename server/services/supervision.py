"""What a supervisor's own machine asks of the service: which draws wait for supervisors, and all of one draw that its client checks before it signs.

Nothing here is believed over there: the client replays the events with the key list that it was given elsewhere, and what it signs it makes itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from drawing.draw import ENDED, Draw
from drawing.errors import Refused
from drawing.events import Event
from drawing.merkle import leaf_hash
from server.keeper.approved import body_digest
from server.keeper.draw_verbs import NextEvent
from server.services import drawing, draws
from server.services.desk import Caller, Desk
from server.services.drawing import Stand
from server.services.matters import MATTERS, matter
from server.storage.tx import Tx

FOR_SUPERVISORS = frozenset({"attestation", "check"})
MOST_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Waits:
    """A draw that may need a supervisor: `waiting` is attestation, check or "", `drafts` are the types of the events to be signed."""

    draw: str
    number: str  # of the project
    section: str
    state: Draw
    waiting: str
    drafts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One draw as its log has it: the leaves of the project's events, what is to be attested, and the drafts with their signatures so far."""

    draw: str
    number: str
    leaves: tuple[bytes, ...]
    waiting: str
    asked: bytes
    drafts: tuple[bytes, ...]


async def waiting(desk: Desk, caller: Caller) -> tuple[Waits, ...]:
    """Draws of the caller's centres that are not over and wait for a supervisor."""
    found = []
    for each in await draws.listed(desk, caller, MOST_DRAWS):
        row = each.row
        if each.phase in ENDED:
            continue
        async with desk.store.reading() as tx:
            state = (await drawing.project_of(tx, await drawing.tag_of(tx, row["id"]))).draw
            drafts = tuple(one.type for one in await drawing.drafts_of(tx, row["id"]))
        now = await _next(desk, str(row["id"]))
        if now.waiting in FOR_SUPERVISORS or drafts:
            found.append(Waits(str(row["id"]), each.number, str(row["section"]), state, now.waiting, drafts))
    return tuple(found)


async def case(desk: Desk, draw: str, caller: Caller) -> Case:
    """Raises Refused("not_found")."""
    desk.require("draw.read", caller, await draws.centre_of(desk, draw))
    now = await _next(desk, draw)
    async with desk.store.reading() as tx:
        project = await tx.get("project", (await tx.get("draw", draw))["project"])
        leaves = tuple(await tx.events(drawing.stream(bytes(project["tag"]))))
        drafts = tuple(each.leaf for each in await drawing.drafts_of(tx, draw))
    asked = now.event if now.waiting == "attestation" else b""
    return Case(draw, str(project["title"]), leaves, now.waiting, asked, drafts)


async def _next(desk: Desk, draw: str) -> NextEvent:
    """What the keeper says; a draw that cannot go on waits for nobody. Raises Refused where the keeper is sealed, NotReady where it is away."""
    try:
        return await drawing.waits_for(desk.store, desk.keeper, draw)
    except Refused as refused:
        if refused.code in ("service_sealed", "too_often", "keeper_busy", "store_unavailable"):
            raise
        return NextEvent(b"", (), 0, "")


async def sign(desk: Desk, draw: str, type_: str, leaf: bytes, key: str, signature: bytes, caller: Caller) -> Stand:
    """A supervisor's signature of the draft whose bare leaf has this hash. Where the staff's key must sign too and people have not approved yet,
    the signature waits with the draft: then `waiting` is approval. Raises Refused.
    """
    desk.require("draw.sign", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        event = await drawing.draft_of(tx, draw, type_)
        if event is None or leaf_hash(Event(event.head, event.body, ()).leaf) != leaf:
            raise Refused("no_such_draft", "draft")
        approved = await approval_over(tx, event, caller.request.now)
    try:
        return await draws.sign(desk, draw, type_, key, signature, approved, caller)
    except Refused as refused:
        if refused.code != "not_approved":
            raise
        return Stand("approval", 0, type_)


async def approval_over(tx: Tx, event: Event, now: int) -> bytes | None:
    """The keeper's subject of the newest approval over this very body, where people have been asked."""
    for row in await tx.all("approval", {"state in": ["open", "used"]}, digest=body_digest(event), order=["-asked_at"], limit=1):
        if row["action"] in MATTERS:
            return (await matter(tx, row["id"], now)).subject.id
    return None
