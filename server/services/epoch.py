"""A new epoch of the log: asked for by a system administrator while a witness has seen more than the database holds, and the only thing that can be
asked then. The other administrators approve it (services.approvals); the keeper begins it in the transaction of the last approval.
"""

from __future__ import annotations

from dataclasses import dataclass

from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import EVERYWHERE, Thing
from server.services.approvals import NEW_EPOCH
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.frozen import Frozen, epoch_digest, next_epoch
from server.storage.tx import Tx


@dataclass(frozen=True, slots=True)
class Behind:
    """The log as it stands, what a witness saw, and whether a new epoch waits for approval already."""

    origin: str
    frozen: Frozen
    asked: bool

    @property
    def next(self) -> str:
        """The name under which it would go on."""
        return next_epoch(self.origin)


async def behind(desk: Desk, now: int) -> Behind | None:
    """None where the log may grow."""
    async with desk.store.reading() as tx:
        return await _behind(tx, now)


async def propose(desk: Desk, why: str, caller: Caller) -> str:
    """A proposal that the two other administrators vote on. Raises Refused `log_not_behind`, `epoch_asked`."""
    now = caller.request.now

    async def work(tx: Tx) -> str:
        found = await _behind(tx, now)
        if found is None:
            raise Refused("log_not_behind", "log")
        if found.asked:
            raise Refused("epoch_asked", "log")
        frozen = found.frozen
        thing = Thing(EVERYWHERE, None, epoch_digest(found.origin, frozen))
        made = approvals.propose(ProposalId(tx.new_id()), NEW_EPOCH, caller.actor, thing, now)
        facts = {"next": found.next, "origin": found.origin, "place": frozen.place, "seen": frozen.seen, "size": frozen.size}
        await stored.add(tx, made, f"log/{found.next}", why, facts)
        return made.id

    return await desk.store.write(work, now, for_epoch=True)


async def _behind(tx: Tx, now: int) -> Behind | None:
    head = await tx.head()
    if head.frozen is None:
        return None
    digest = epoch_digest(head.origin, head.frozen)
    asked = await tx.count("approval", {"expires_at >": now}, state="open", action=NEW_EPOCH, digest=digest)
    return Behind(head.origin, head.frozen, asked > 0)
