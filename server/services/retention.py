"""What becomes of a draw's sealed files once it is over: they are kept for years, then destroyed, keys first, where two people approve and nobody complains.

Log and proof stay for good; what goes is who everybody was. The keeper counts the approvals itself and refuses while a complaint holds the files. A dry run
has nothing that must be kept, and its files are of real people: they may go at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from drawing.draw import ENDED
from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, PersonId, Thing
from server.keeper.approved import destroy_digest, files_object
from server.keeper.draw_verbs import DrawDestroy
from server.services import draws
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.tx import Row, Tx
from server.workdays import SHANGHAI

DESTROY = "retention.destroy"
KEPT_YEARS = 15  # 政府采购法 42 asks it of procurement files from the end of the procurement on; the default for both regimes


@dataclass(frozen=True, slots=True)
class Kept:
    """The sealed files of a draw. `until`: they may go from then on, 0 while the draw runs; `due`: that time is there; `holds`: complaints that freeze them."""

    until: int
    due: bool
    holds: int
    asked: bool
    destroyed_at: int


async def of_draw(desk: Desk, draw: str, now: int) -> Kept:
    """Raises Refused("not_found")."""
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        until = await _until(tx, row)
        return Kept(until, 0 < until <= now, await _holds(tx, draw), await _asked(tx, draw, now), row["destroyed_at"] or 0)


async def _until(tx: Tx, row: Row) -> int:
    state = await draws.state_of(tx, row)
    if state.phase not in ENDED:
        return 0
    if state.dry_run:
        return state.last_at
    ended = datetime.fromtimestamp(state.last_at, SHANGHAI)
    if (ended.month, ended.day) == (2, 29):
        ended += timedelta(days=1)
    return int(ended.replace(year=ended.year + KEPT_YEARS).timestamp())


async def _holds(tx: Tx, draw: str) -> int:
    return await tx.count("complaint", draw=draw, lifted_at=None)


async def _asked(tx: Tx, draw: str, now: int) -> bool:
    return await tx.count("approval", {"expires_at >": now}, action=DESTROY, digest=destroy_digest(draw), state="open") > 0


async def ask_to_destroy(desk: Desk, draw: str, why: str, caller: Caller) -> str:
    """Propose it. Raises Refused: draw_not_over, files_kept, draw_on_hold, files_destroyed, draft_asked."""
    centre = (await draws.centre_of(desk, draw)).centre
    desk.require_to_ask(DESTROY, caller, Thing(centre))
    now = caller.request.now

    async def work(tx: Tx) -> str:
        row = await tx.get("draw", draw)
        until, holds = await _until(tx, row), await _holds(tx, draw)
        if row["destroyed_at"]:
            raise Refused("files_destroyed", "draw")
        if not until:
            raise Refused("draw_not_over", "draw")
        if now < until:
            raise Refused("files_kept", "draw", until=until)
        if holds:
            raise Refused("draw_on_hold", "draw", count=holds)
        if await _asked(tx, draw, now):
            raise Refused("draft_asked", "draw")
        project = await tx.get("project", row["project"])
        made = approvals.propose(
            ProposalId(tx.new_id()), DESTROY, caller.actor, Thing(CentreId(row["centre"]), None, destroy_digest(draw)), now
        )
        facts = {"draw": draw, "number": str(project["title"]), "dry_run": row["dry_run"]}
        await stored.add(tx, made, f"files/{files_object(draw)}", why, facts)
        return made.id

    return await desk.store.write(work, now)


# As the inbox carries it out (services.matters) ---------------------------------------------------------------------------------------------------


async def destroy_subject(tx: Tx, thing: str) -> bytes | None:
    """What is destroyed; None where it is gone already or a complaint came meanwhile."""
    draw = thing.partition(":")[2]
    row = await tx.one("draw", id=draw)
    if row is None or row["destroyed_at"] or await _holds(tx, draw):
        return None
    return destroy_digest(draw)


async def destroy(desk: Desk, thing: str, subject: bytes) -> None:
    """The keeper destroys them, once its own count of approvals is enough; of what it destroyed already nothing is left to do."""
    try:
        await desk.keeper.ask(DrawDestroy(subject, thing.partition(":")[2]))
    except Refused as refused:
        if refused.code != "files_destroyed":
            raise


async def destroyed(tx: Tx, thing: str, by: PersonId) -> None:
    """The row says so."""
    row = await tx.get("draw", thing.partition(":")[2])
    await tx.change("draw", row["id"], {"destroyed_at": tx.now}, by, row["version"], "destroyed")
    tx.wake(f"draw-{row['id']}")
