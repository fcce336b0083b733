"""What pages stand on in the service, over the real database, keeper and files: the log and its newest checkpoint, proofs, probes of the parts."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from drawing.errors import Refused
from drawing.note import Note
from server.errors import NotFound, NotReady
from server.files import read_bounded
from server.handlers.ask import CheckpointView, Health, PartState, ProofView
from server.keeper.client import Keeper
from server.ports import Clock
from server.storage.log import Log
from server.storage.store import Store

MOST_PROOF = 64 << 20
MOST_SHOWN = 50
LATE_SECONDS = 10  # leaves without a signature for so long: somebody should look
COURIER_SECONDS = 10.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogOf:
    """The newest checkpoint, with the witnesses that cosigned it."""

    store: Store

    async def latest(self) -> CheckpointView | None:
        try:
            async with self.store.reading() as tx:
                origin = (await tx.head()).origin
                found = await tx.all("checkpoint", origin=origin, order=["-size"], limit=1)
                if not found:
                    return None
                row = found[0]
                at = await tx.one("checkpoint_time", origin=origin, size=row["size"])
                names = [each["witness"] for each in await tx.all("witness_note", origin=origin, size=row["size"], order=["witness"])]
        except NotReady:
            return None  # the page says elsewhere that the database is away
        note = Note.parse(row["note"], "checkpoint")
        signed_at = at["at"] if at else 0
        return CheckpointView(origin, row["size"], row["root"].hex(), signed_at, tuple(names), note.text)


@dataclass(frozen=True, slots=True)
class PublicFiles:
    """The log's files out of the database; proofs out of the folder `public`."""

    store: Store
    folder: Path

    async def log_file(self, path: str) -> bytes:
        async with self.store.reading() as tx:
            log = Log(tx)
            try:
                if path == "checkpoint" and (newest := await log.checkpoint()) is not None:
                    origin = (await tx.head()).origin
                    named = [each["witness"] for each in await tx.all("witness_note", origin=origin, size=newest[0], order=["witness"])]
                    return await log.cosigned(newest[0], named)
                return await log.file(path)
            except Refused:
                raise NotFound from None

    async def proofs(self) -> tuple[ProofView, ...]:
        return await asyncio.to_thread(self._proofs)

    def _proofs(self) -> tuple[ProofView, ...]:
        if not self.folder.is_dir():
            return ()
        named = sorted(each for each in self.folder.glob("*.json") if NAME.fullmatch(each.stem))
        return tuple(ProofView(each.stem, max(1, each.stat().st_size // 1024)) for each in named[-MOST_SHOWN:])

    async def proof(self, name: str) -> bytes:
        if not NAME.fullmatch(name):
            raise NotFound
        try:
            return await asyncio.to_thread(read_bounded, self.folder / f"{name}.json", MOST_PROOF)
        except Refused:
            raise NotFound from None


# Probes ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatabaseProbe:
    """Reads one row."""

    store: Store
    name: str = "database"
    needed: bool = True

    async def look(self, now: int) -> PartState:
        try:
            async with asyncio.timeout(0.8), self.store.reading() as tx:
                await tx.head()
        except (NotReady, TimeoutError):
            return PartState(self.name, Health.DOWN, "silent_database")
        return PartState(self.name, Health.GOOD)


@dataclass(frozen=True, slots=True)
class KeeperProbe:
    """Asks how the keeper is. A sealed one is there, but nothing that needs keys works."""

    keeper: Keeper
    name: str = "keeper"
    needed: bool = True

    async def look(self, now: int) -> PartState:
        try:
            status = await self.keeper.status()
        except Refused:
            return PartState(self.name, Health.DOWN, "silent")
        return PartState(self.name, Health.DOWN, "sealed") if status.sealed else PartState(self.name, Health.GOOD)


@dataclass(frozen=True, slots=True)
class CourierProbe:
    """Looks when the courier last said that its loop runs."""

    path: Path
    clock: Clock
    name: str = "courier"
    needed: bool = False

    async def look(self, now: int) -> PartState:
        try:
            age = now - self.path.stat().st_mtime
        except OSError:
            return PartState(self.name, Health.DOWN, "silent")
        return PartState(self.name, Health.GOOD) if age < COURIER_SECONDS else PartState(self.name, Health.DOWN, "silent")


@dataclass(frozen=True, slots=True)
class CheckpointProbe:
    """Whether the newest leaves are signed."""

    store: Store
    name: str = "log"
    needed: bool = False

    async def look(self, now: int) -> PartState:
        unsigned, age = await unsigned_leaves(self.store, now)
        late = unsigned and age > LATE_SECONDS
        return PartState(self.name, Health.DEGRADED, "unsigned") if late else PartState(self.name, Health.GOOD)


async def unsigned_leaves(store: Store, now: int) -> tuple[int, int]:
    """How many leaves no checkpoint covers yet, and the age of the newest checkpoint in seconds (0 without one)."""
    async with store.reading() as tx:
        head = await tx.head()
        newest = await tx.all("checkpoint_time", origin=head.origin, order=["-size"], limit=1)
    if not newest:
        return head.size, LATE_SECONDS + 1 if head.size else 0
    return head.size - newest[0]["size"], max(0, now - newest[0]["at"])
