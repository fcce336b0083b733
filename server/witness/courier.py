"""Witnesses of the service's log: what the courier asks and keeps, and the way out when a witness has seen more than the database holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.note import Checkpoint, Note
from server.storage.log import Log
from server.storage.store import Store
from server.storage.tx import Tx
from server.witness.client import Gathered, Witnesses, check_not_behind

_EPOCH = re.compile(r"(.+)/epoch-([1-9][0-9]{0,5})", re.ASCII)
BEHIND = "log_behind_witness"


@dataclass(frozen=True)
class Cosigner:
    """The service's log and its witnesses."""

    store: Store
    witnesses: Witnesses

    async def cosign_newest(self, now: int) -> Gathered | None:
        """Ask for cosignatures of the newest checkpoint and keep them (table witness_note). None in a log without one.

        Raises Refused where a witness has seen a longer log, or another: the service must not write from then on.
        """
        gathered = await self._gather()
        if gathered is None:
            return None
        check_not_behind(gathered)
        checkpoint = Checkpoint.parse(Note.parse(gathered.note, "note").text, "note")
        names = {key: name for name, key in self.witnesses.policy.witnesses.items()}
        second = self.witnesses.second.witnesses if self.witnesses.second is not None else {}
        names |= {key: f"{name}-mldsa" for name, key in second.items()}  # one row a key: nobody counts twice

        async def keep(tx: Tx) -> None:
            for key, line in gathered.lines.items():
                await tx.witnessed(checkpoint.origin, checkpoint.size, names[key], line)

        if gathered.lines:
            await self.store.write(keep, now)
        return gathered

    async def check_not_behind(self) -> Gathered | None:
        """At the start, before anything is written. Raises Refused `log_behind_witness` or `log_differs_from_witness`."""
        gathered = await self._gather()
        if gathered is not None:
            check_not_behind(gathered)
        return gathered

    async def _gather(self) -> Gathered | None:
        async with self.store.reading() as tx:
            published = await Log(tx).checkpoint()
        if published is None:
            return None

        async def consistency(old: int, new: int) -> Sequence[bytes]:
            async with self.store.reading() as tx:
                return await Log(tx).consistency(old, new)

        return await self.witnesses.gather(published[1], consistency)


# The way out --------------------------------------------------------------------------------------------------------------------------------


def next_epoch(origin: str) -> str:
    """`name/epoch-2` after `name`, `name/epoch-3` after that."""
    found = _EPOCH.fullmatch(origin)
    return f"{found[1]}/epoch-{int(found[2]) + 1}" if found else f"{origin}/epoch-2"


@dataclass(frozen=True, slots=True)
class Epoch:
    """A new epoch: who asked, which two people approved (their ids; whoever calls has verified it), and what the witnesses had seen."""

    by: str
    approved: tuple[str, ...]
    seen: tuple[tuple[str, int], ...]  # (address, size)


async def begin_epoch(store: Store, epoch: Epoch, now: int) -> str:
    """Go on under a new name of the log, and say so in two leaves: a notice with the old head and what witnesses saw beyond it, and `log_begun`.

    The old name never gets a checkpoint again; a witness has to trust the new one first, and whoever runs it will ask what became of the entries
    that are lost. Raises Refused unless two different people approved, neither of whom asked.
    """
    people = set(epoch.approved) - {epoch.by}
    if len(people) < 2:
        raise Refused("epoch_needs_two", "epoch", got=len(people))

    async def begin(tx: Tx) -> str:
        head = await tx.head()
        if not head.origin:
            raise Refused("log_not_begun", "log")
        leaf = {
            "approved": sorted(people),
            "at": tx.now,
            "by": epoch.by,
            "event": "epoch_begun",
            "origin": head.origin,
            "root": head.root.hex(),
            "seen": [{"address": address, "size": size} for address, size in epoch.seen],
            "size": head.size,
        }
        await tx.leaf(dumps(leaf, text=True))
        origin = next_epoch(head.origin)
        await tx.begin_log(origin, epoch.by, BEHIND)
        return origin

    return await store.write(begin, now)
