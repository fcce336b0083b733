"""What all verbs share: settings, store, clock, chance, the child process, open challenges, and the vault while it is unsealed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from drawing.canonical import dumps
from drawing.errors import Refused
from drawing.model import text
from server.keeper.child import Child, Drawer
from server.keeper.keys import Chance
from server.keeper.passkeys import Site
from server.keeper.sealed import Opened, SealedRoot, Shares
from server.keeper.store import Change, KeeperStore
from server.keeper.vault import Kept, Vault
from server.keeper.verbs import VERBS, Rate

Clock = Callable[[], int]  # Unix seconds
CHALLENGE_SECONDS = 300
MOST_CHALLENGES, MOST_OF_ONE = 20_000, 8
MAX_LEAF = 65_535


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation says about its keeper. `peers`: user id -> what a process of that user may be."""

    sealed_root: Path
    site: Site
    log_origin: str
    peers: Mapping[int, frozenset[str]]
    insecure_demo: bool = False
    courier_box: bytes = b""  # the courier's public key (X25519): what it may read is sealed to it
    out: Path | None = None  # where files for supervisors lie until they are fetched; beside the sealed root without it
    rates: Mapping[str, Rate] = field(default_factory=lambda: {each: verb.rate for each, verb in VERBS.items()})


@dataclass(frozen=True, slots=True)
class Open:
    """A challenge that was given and not answered."""

    kind: str
    person: str
    until: int
    about: Any


class Challenges:
    """Open challenges, in memory: one answer each, bounded for each person and together. After a restart people ask again."""

    def __init__(self) -> None:
        self._open: dict[bytes, Open] = {}

    def add(self, challenge: bytes, kind: str, person: str, now: int, about: Any = None) -> None:
        """A person's ninth pushes out their first: nobody fills the table for somebody else."""
        mine = [key for key, each in self._open.items() if each.person == person] if len(self._open) < MOST_CHALLENGES else []
        for key in mine[: max(0, len(mine) + 1 - MOST_OF_ONE)]:
            del self._open[key]
        if len(self._open) >= MOST_CHALLENGES:
            self._open = {key: each for key, each in self._open.items() if each.until > now}
        if len(self._open) >= MOST_CHALLENGES:
            raise Refused("keeper_busy", kind)
        self._open[challenge] = Open(kind, person, now + CHALLENGE_SECONDS, about)

    def take(self, challenge: bytes, kind: str, now: int) -> Open:
        """Once. Raises Refused("challenge_unknown")."""
        found = self._open.get(challenge)
        if found is None or found.kind != kind or found.until <= now:
            raise Refused("challenge_unknown", kind)
        del self._open[challenge]
        return found


@dataclass(slots=True)
class Tallying:
    """Draws that are being counted, and how many are done."""

    draws: tuple[str, ...]
    counted: int = 0
    task: asyncio.Task[dict[str, Any]] = field(init=False)


@dataclass(slots=True)
class Reading:
    """One reading of a centre's library, for all draws that asked before it begins. `failed`: why it came to nothing."""

    draws: list[str] = field(default_factory=list[str])
    over: bool = False
    failed: Refused | None = None


@dataclass(slots=True)
class Core:
    """One keeper. `opened` and `kept_vault` are there while it is unsealed, and only then."""

    settings: Settings
    store: KeeperStore
    clock: Clock
    chance: Chance
    child: Child
    drawer: Drawer
    file: SealedRoot
    shares: Shares
    shielded: bool
    challenges: Challenges = field(default_factory=Challenges)
    opened: Opened | None = field(default=None, repr=False)
    kept_vault: Vault | None = field(default=None, repr=False)
    last_signed: int = 0
    preparing: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)  # records read so far of a draw that is being prepared
    terms: dict[str, bytes] = field(default_factory=dict)  # of draws that are ready, those asked for last
    tallies: dict[tuple[str, ...], Tallying] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)  # centre -> the next one
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)  # one library is in memory at a time
    signing: asyncio.Lock = field(default_factory=asyncio.Lock)
    shelving: asyncio.Lock = field(default_factory=asyncio.Lock)  # one change of a library's sum at a time

    @property
    def vault(self) -> Vault:
        """Raises Refused("service_sealed")."""
        if self.kept_vault is None:
            raise Refused("service_sealed", "keeper")
        return self.kept_vault

    @property
    def root(self) -> Opened:
        """Raises Refused("service_sealed")."""
        if self.opened is None:
            raise Refused("service_sealed", "keeper")
        return self.opened


@dataclass(frozen=True, slots=True)
class LogName:
    """The name under which checkpoints are signed, once it is another than the settings': after a new epoch."""

    origin: Annotated[str, text(200)]


async def log_name(core: Core) -> Kept[LogName]:
    """The log's present name. The key keeps the name of the settings, so that old checkpoints stay checkable with it."""
    return await core.vault.state(LogName, "log_name", LogName(core.settings.log_origin))


def leaf(event: str, now: int, **values: Any) -> Change:
    """A leaf of the log for what the keeper does: ids and digests, never names."""
    return Change("leaf", (), dumps({"at": now, "event": event, "v": "keeper/v1", **values}))
