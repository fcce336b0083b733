"""What is kept of draws that are over, what of it is due to be destroyed, what a complaint freezes, and how people have it destroyed.

An archivist or approver asks, two others approve, and the keeper destroys the keys of the draw's sealed files; it counts the approvals, the complaints and
the years itself (server/keeper/holds.py). Log and proof stay. If we crash behind the keeper, the vote is given again and the row says so then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drawing.canonical import dumps
from drawing.draw import ENDED
from drawing.draw import Project as Replayed
from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import EVERYWHERE, CentreId, PersonId, Thing
from server.keeper.approved import destroy_digest, files_object
from server.keeper.draw_verbs import DrawDestroy
from server.retention import YEARS, kept_until
from server.services import drawing, draws
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.tx import Row, Tx
from server.workdays import local

DESTROY = "retention.destroy"
MOST = 200  # rows of each list
SHORTEST_YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Held:
    """A complaint that freezes the files. `decide_by`: 0 where the calendar does not say."""

    id: str
    filed_at: int
    decide_by: int


@dataclass(frozen=True, slots=True)
class Item:
    """A draw: `ended_at` is 0 while its project has one that runs, `due_at` as well; `asked`: an approval waits; `by`: the accounts that approved."""

    draw: str
    number: str
    section: str
    dry_run: bool
    ended_at: int = 0
    due_at: int = 0
    held: tuple[Held, ...] = ()
    asked: bool = False
    destroyed_at: int = 0
    leaf: int = 0
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The page: due now, frozen, due later (of those that could be looked at), destroyed, and how many more are kept whose years cannot be over."""

    due: tuple[Item, ...]
    frozen: tuple[Item, ...]
    later: tuple[Item, ...]
    destroyed: tuple[Item, ...]
    young: int


async def show(desk: Desk, years: int, caller: Caller) -> Kept:
    """Of the centres that the caller's roles reach."""
    desk.require("retention.read", caller)
    now = caller.request.now
    centres = sorted({str(each.centre) for each in caller.actor.grants if each.holds(now)})
    where: dict[str, Any] = {} if EVERYWHERE in centres else {"centre in": centres}
    before = now - years * SHORTEST_YEAR  # nothing that was asked for later is due, so nothing of it is replayed
    async with desk.store.reading() as tx:
        complaints = await tx.all("complaint", where, lifted_at=None, order=["filed_at", "id"])
        frozen = await tx.all(
            "draw", {"id in": sorted({each["draw"] for each in complaints})}, destroyed_at=None, order=["created_at", "id"]
        )
        exercises = await tx.all("draw", where, dry_run=1, destroyed_at=None, order=["created_at", "id"], limit=MOST)
        old = await tx.all("draw", {**where, "created_at <=": before}, dry_run=0, destroyed_at=None, order=["created_at", "id"], limit=MOST)
        young = await tx.count("draw", {**where, "created_at >": before}, dry_run=0, destroyed_at=None)
        gone = await tx.all("draw", {**where, "destroyed_at >": 0}, order=["-destroyed_at", "id"], limit=MOST)
        look = _Look(tx, now, years, {})
        stopped = {row["id"] for row in frozen}
        looked = [await look.item(row, ()) for row in (*old, *exercises) if row["id"] not in stopped]
        held = [await look.item(row, [each for each in complaints if each["draw"] == row["id"]]) for row in frozen]
        destroyed = [await _gone(tx, row) for row in gone]
    over = [each for each in looked if each.ended_at]
    due = tuple(each for each in over if each.due_at <= now)
    return Kept(due, tuple(held), tuple(each for each in over if each.due_at > now), tuple(destroyed), young)


@dataclass(slots=True)
class _Look:
    """One reading; a project that several draws are of is replayed once."""

    tx: Tx
    now: int
    years: int
    seen: dict[str, tuple[Row, Replayed]]

    async def item(self, row: Row, complaints: Sequence[Row]) -> Item:
        if row["project"] not in self.seen:
            project = await self.tx.get("project", row["project"])
            self.seen[row["project"]] = project, await drawing.project_of(self.tx, bytes(project["tag"]))
        project, replayed = self.seen[row["project"]]
        ended = replayed.draw.last_at if replayed.draw.phase in ENDED else 0
        due = kept_until(ended, dry_run=bool(row["dry_run"]), years=self.years) if ended else 0
        held = tuple(Held(each["id"], each["filed_at"], each["decide_by"] or 0) for each in complaints)
        asked = await _asked(self.tx, row["id"], self.now)
        return Item(row["id"], str(project["title"]), row["section"], bool(row["dry_run"]), ended, due, held, asked)


async def _gone(tx: Tx, row: Row) -> Item:
    project = await tx.get("project", row["project"])
    votes = await tx.all("approval_vote", approval=row["destruction"], word="agrees", order=["at", "id"])
    names = {each["id"]: str(each["name"]) for each in await tx.all("account", {"id in": [vote["account"] for vote in votes]})}
    by = tuple(names.get(vote["account"], "") for vote in votes)
    at, leaf = row["destroyed_at"], row["destroyed_leaf"]
    return Item(row["id"], str(project["title"]), row["section"], bool(row["dry_run"]), destroyed_at=at, leaf=leaf, by=by)


# Having them destroyed --------------------------------------------------------------------------------------------------------------------------


async def ask(desk: Desk, draw: str, why: str, years: int, caller: Caller) -> str:
    """Propose that the keeper destroys the draw's sealed files.

    Raises Refused: not_found, files_destroyed, draw_on_hold, draw_not_over, retention_runs, draft_asked.
    """
    thing = await draws.centre_of(desk, draw)
    desk.require_to_ask(DESTROY, caller, thing)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        row = await tx.get("draw", draw)
        await _check(tx, row, now, years)
        if await _asked(tx, draw, now):
            raise Refused("draft_asked", "draw")
        about = Thing(CentreId(row["centre"]), None, destroy_digest(draw))
        made = approvals.propose(ProposalId(tx.new_id()), DESTROY, caller.actor, about, now)
        project = await tx.get("project", row["project"])
        facts = {"draw": draw, "dry_run": row["dry_run"], "number": str(project["title"]), "section": row["section"]}
        await stored.add(tx, made, f"files/{files_object(draw)}", why, facts)
        return made.id

    return await desk.store.write(work, now)


async def _asked(tx: Tx, draw: str, now: int) -> bool:
    rows = await tx.all("approval", {"expires_at >": now}, action=DESTROY, digest=destroy_digest(draw), state="open")
    return any([not await _complained(tx, draw, row["asked_at"]) for row in rows])


async def _complained(tx: Tx, draw: str, since: int) -> bool:
    """Whether a complaint came since then, lifted or not: whoever approved before did not know of it."""
    return await tx.count("complaint", {"filed_at >=": since}, draw=draw) > 0


async def _check(tx: Tx, row: Row, now: int, years: int = YEARS) -> None:
    """As the keeper does once more. Raises Refused."""
    if row["destroyed_at"]:
        raise Refused("files_destroyed", "draw")
    held = await tx.count("complaint", draw=row["id"], lifted_at=None)
    if held:
        raise Refused("draw_on_hold", "draw", count=held)
    state = (await drawing.project_of(tx, await drawing.tag_of(tx, row["id"]))).draw
    if state.phase not in ENDED:
        raise Refused("draw_not_over", "draw")
    until = kept_until(state.last_at, dry_run=bool(row["dry_run"]), years=years)
    if now < until:
        raise Refused("retention_runs", "draw", until=local(until).date().isoformat())


# Destroying, as the inbox carries it out (services.matters) --------------------------------------------------------------------------------------


async def destroy_subject(tx: Tx, thing: str, about: Mapping[str, Any]) -> bytes | None:
    """What an approval covers; None where a complaint came since, another draw of the project runs, or nothing is left to destroy."""
    draw = thing.partition(":")[2]
    row = await tx.get("draw", draw)
    try:
        await _check(tx, row, about["now"])
    except Refused:
        return None
    return None if await _complained(tx, draw, about["asked_at"]) else destroy_digest(draw)


async def destroy(desk: Desk, thing: str, subject: bytes) -> None:
    """The keeper does it; where it did already nothing is left to do, nor of a draw that it never began."""
    try:
        await desk.keeper.ask(DrawDestroy(subject, thing.partition(":")[2]))
    except Refused as refused:
        if refused.code != "no_such_draw":
            raise


async def destroyed(tx: Tx, thing: str, proposal: str, by: PersonId) -> None:
    """The log and the row say so."""
    draw = thing.partition(":")[2]
    row = await tx.get("draw", draw)
    index = await tx.leaf(dumps({"approval": proposal, "at": tx.now, "draw": draw, "event": "destruction_recorded"}))
    values = {"destruction": proposal, "destroyed_at": tx.now, "destroyed_leaf": index}
    await tx.change("draw", draw, values, by, row["version"], "destroyed")
    tx.wake(f"draw-{draw}")
