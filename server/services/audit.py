"""The audit log as auditors read it, and the check of it against the newest checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from server.auth.model import Thing
from server.services.desk import Caller, Desk
from server.storage import journal
from server.storage.journal import Page


async def read(
    desk: Desk, caller: Caller, *, thing: str = "", table: str = "", since: int = 0, until: int = 0, before: int | None = None
) -> tuple[Page, Mapping[str, str]]:
    """Entries, the newest first, and the account names of the people in them."""
    desk.require("audit.read", caller, Thing())
    async with desk.store.reading() as tx:
        found = await journal.read(tx, thing, table, since, until, before)
        people = {each.by for each in found.entries} | {each.thing for each in found.entries}
        return found, {row["person"]: row["name"] for row in await tx.all("account", {"person in": sorted(people)})}


async def verify(desk: Desk, caller: Caller) -> tuple[int, bool] | None:
    """The size of the newest checkpoint and whether the leaves have its root; None where nothing was signed yet."""
    desk.require("audit.read", caller, Thing())
    async with desk.store.reading() as tx:
        return await journal.verified(tx)
