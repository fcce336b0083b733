"""What pages stand on in the service, over the real database, keeper and files: the log and its newest checkpoint, proofs, probes of the parts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from drawing.errors import Refused
from drawing.keys import keys_bytes
from drawing.note import Note, VKey
from drawing.proof import proof_bytes
from server.config import Settings
from server.errors import NotFound, NotReady
from server.files import read_bounded
from server.handlers.ask import CheckpointView, Health, PartState, ProofView
from server.keeper.client import Keeper
from server.ports import Clock
from server.services import drawing, proofs
from server.storage.store import Store

KEYS_NAME = "draw-keys"  # the key list, beside the proofs
MOST_PROOF = 64 << 20
MOST_SHOWN = 50
LATE_SECONDS = 10  # leaves without a signature for so long: somebody should look
COURIER_SECONDS = 10.0
SKEW_SECONDS = 2
LEAST_FREE = 1 << 30
LEAST_FREE_PART = 20  # a twentieth of the disk
FULL = 1 << 18  # less than a transaction may need
UNWITNESSED_SECONDS = 60  # that a new checkpoint may wait for its witnesses
LOOK_SECONDS = 0.8
NEVER = 10**9
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)


@dataclass(slots=True)
class LogOf:
    """The newest checkpoint, with the witnesses that cosigned it; while the database is away, the newest that was seen."""

    store: Store
    seen: CheckpointView | None = None

    async def latest(self) -> CheckpointView | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):  # pages that only show it do not wait for a database that restarts
                self.seen = await self._newest()
        except (NotReady, TimeoutError):
            pass  # the page says elsewhere that the database is away
        return self.seen

    async def _newest(self) -> CheckpointView | None:
        async with self.store.reading() as tx:
            origin = (await tx.head()).origin
            found = await tx.all("checkpoint", origin=origin, order=["-size"], limit=1)
            if not found:
                return None
            row = found[0]
            at = await tx.one("checkpoint_time", origin=origin, size=row["size"])
            names = [each["witness"] for each in await tx.all("witness_note", origin=origin, size=row["size"], order=["witness"])]
        note = Note.parse(row["note"], "checkpoint")
        signed_at = at["at"] if at else 0
        return CheckpointView(origin, row["size"], row["root"].hex(), signed_at, tuple(names), note.text)


@dataclass(frozen=True, slots=True)
class ProofFiles:
    """Proofs out of the folder `public`."""

    folder: Path

    async def shown(self) -> tuple[ProofView, ...]:
        return await asyncio.to_thread(self._proofs)

    def _proofs(self) -> tuple[ProofView, ...]:
        if not self.folder.is_dir():
            return ()
        named = sorted(each for each in self.folder.glob("*.json") if NAME.fullmatch(each.stem))
        return tuple(ProofView(each.stem, max(1, each.stat().st_size // 1024)) for each in named[-MOST_SHOWN:])

    async def file(self, name: str) -> bytes:
        if not NAME.fullmatch(name):
            raise NotFound
        try:
            return await asyncio.to_thread(read_bounded, self.folder / f"{name}.json", MOST_PROOF)
        except Refused:
            raise NotFound from None


@dataclass(slots=True)
class ClosedProofs:
    """The same, and in front of it the proofs of draws that are closed, out of the log, with the key list. Each is made once: a public page shows them."""

    store: Store
    files: ProofFiles
    made: dict[tuple[str, int], bytes] = field(default_factory=dict[tuple[str, int], bytes])
    keys: bytes = b""

    async def shown(self) -> tuple[ProofView, ...]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look()
        except (NotReady, TimeoutError):
            pass  # what was seen before is shown; a proof that is not made yet comes with a later look
        found = [ProofView(name, max(1, len(data) // 1024)) for (name, _), data in self.made.items()]
        if found:
            found.append(ProofView(KEYS_NAME, max(1, len(self.keys) // 1024)))
        return (*found, *await self.files.shown())

    async def file(self, name: str) -> bytes:
        await self.shown()
        if name == KEYS_NAME and self.keys and self.made:
            return self.keys
        data = next((data for (known, _), data in self.made.items() if known == name), b"")
        return data or await self.files.file(name)

    async def _look(self) -> None:
        async with self.store.reading() as tx:
            closed = await proofs.closed(tx)
            wanted = [(name, at) for name, at, _ in closed]
            for name, at, tag in closed:
                if (name, at) not in self.made:
                    with contextlib.suppress(Refused):  # not in a checkpoint yet
                        self.made[name, at] = proof_bytes(await proofs.build(tx, tag))
            if self.made:
                self.keys = keys_bytes((await drawing.key_chain(tx)).lists)
        self.made = {each: self.made[each] for each in wanted if each in self.made}


class LogGuard:
    """What the pages say about the log: whether it takes entries. It decides nothing; the store refuses (storage.frozen)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read_only = False

    async def watch(self) -> None:
        """Looks each second, until it is cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS), self._store.reading() as tx:
                    self.read_only = (await tx.head()).frozen is not None
            except (NotReady, TimeoutError):
                pass  # the database is away, and told of elsewhere
            await asyncio.sleep(1)


# Probes ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatabaseProbe:
    """Reads one row."""

    store: Store
    name: str = "database"
    needed: bool = True

    async def look(self, now: int) -> PartState:
        try:
            async with asyncio.timeout(LOOK_SECONDS), self.store.reading() as tx:
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


@dataclass(frozen=True, slots=True)
class ClockProbe:
    """Whether the clock has gone back: it then says less than what was signed already."""

    store: Store
    name: str = "clock"
    needed: bool = False

    async def look(self, now: int) -> PartState:
        async with self.store.reading() as tx:
            newest = await tx.all("checkpoint_time", order=["-at"], limit=1)
        back = bool(newest) and newest[0]["at"] > now + SKEW_SECONDS
        return PartState(self.name, Health.DEGRADED, "skewed") if back else PartState(self.name, Health.GOOD)


@dataclass(frozen=True, slots=True)
class DiskProbe:
    """Whether there is room where the data is."""

    folder: Path
    name: str = "disk"
    needed: bool = False

    async def look(self, now: int) -> PartState:
        free, scarce = await asyncio.to_thread(room, self.folder)
        if free < FULL:
            return PartState(self.name, Health.DOWN, "full")
        return PartState(self.name, Health.DEGRADED, "nearly_full") if scarce else PartState(self.name, Health.GOOD)


def room(folder: Path) -> tuple[int, bool]:
    """Bytes free where the folder is, and whether that is so few that somebody has to act."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.free < LEAST_FREE or usage.free * LEAST_FREE_PART < usage.total


async def unsigned_leaves(store: Store, now: int) -> tuple[int, int]:
    """How many leaves no checkpoint covers yet, and the age of the newest checkpoint in seconds (0 without one)."""
    async with store.reading() as tx:
        head = await tx.head()
        newest = await tx.all("checkpoint_time", origin=head.origin, order=["-size"], limit=1)
    if not newest:
        return head.size, LATE_SECONDS + 1 if head.size else 0
    return head.size - newest[0]["size"], max(0, now - newest[0]["at"])


@dataclass(frozen=True, slots=True)
class WitnessProbe:
    """Whether the witnesses of the settings follow the log, and whether one has seen more than it. Without witnesses there is nothing to follow."""

    store: Store
    settings: Settings
    name: str = "witness"
    needed: bool = False

    async def look(self, now: int) -> PartState:
        async with self.store.reading() as tx:
            frozen = (await tx.head()).frozen
        if frozen is not None:
            return PartState(self.name, Health.DEGRADED, "read_only")
        if not self.settings.log_witnesses:
            return PartState(self.name, Health.GOOD)
        found = await witnessed(self.store, self.settings, now)
        if found.leaves and found.age > UNWITNESSED_SECONDS + self.settings.log_witness_seconds:
            return PartState(self.name, Health.DEGRADED, "unwitnessed")
        return PartState(self.name, Health.DEGRADED, "one_missing") if found.missing else PartState(self.name, Health.GOOD)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """`leaves`: behind what the quorum has cosigned; `age`: seconds since the quorum last cosigned; `missing`: witnesses that refused or were silent."""

    leaves: int
    age: int
    missing: int


async def witnessed(store: Store, settings: Settings, now: int) -> Witnessed:
    """How far the quorum of the settings is, from what each witness said last."""
    names = [VKey.parse(each.vkey).name for each in settings.log_witnesses]
    async with store.reading() as tx:
        head = await tx.head()
        rows = await tx.all("witness_state", {"witness in": names})
    missing = len(names) - len(rows) + sum(bool(row["code"]) for row in rows)
    sizes = sorted((row["size"] for row in rows if row["origin"] == head.origin), reverse=True)
    times = sorted((row["good_at"] for row in rows if row["origin"] == head.origin), reverse=True)
    enough = 0 < settings.quorum <= len(sizes)
    size, at = (sizes[settings.quorum - 1], times[settings.quorum - 1]) if enough else (0, 0)
    return Witnessed(head.size - size, max(0, now - at) if at else NEVER, missing)
