"""Witnesses of the service's log: what the courier asks and keeps, and how the log is frozen where a witness has seen more than the database holds.

A witness that does not answer is left alone for a while, twice as long each time, and does not keep the others waiting. What it said last is a
row that the status page and the measurements read (table witness_state); its cosignatures are rows for ever (witness_note).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.note import Checkpoint, Note, Policy, VKey
from server.config import LogWitness, Settings
from server.courier import Handler, Later
from server.fetch import ask, open_session, read_answer
from server.ports import Clock
from server.storage.frozen import BEHIND, DIFFERS, Frozen
from server.storage.log import Log
from server.storage.outbox import Job
from server.storage.store import Store
from server.storage.tx import Tx
from server.witness.client import AHEAD, OTHER, Gathered, Reply, Witnesses

FIRST_PAUSE, LONGEST_PAUSE = 2, 60
_AGAIN = 3  # while we ask, a newer checkpoint of ours may have been shown to the same witness
_DISTRUSTS = "witness_distrusts_key"


@dataclass
class Cosigner:
    """The service's log and its witnesses. `names`: address -> the name of its key."""

    store: Store
    witnesses: Witnesses
    names: Mapping[str, str] = field(default_factory=dict)
    _pauses: dict[str, tuple[int, int]] = field(default_factory=dict)  # address -> (times in a row, not before)

    async def cosign_newest(self, now: int, *, everybody: bool = False) -> Gathered | None:
        """Ask for cosignatures of the newest checkpoint and keep them. None in a log without one.

        Witnesses that have not answered lately are not asked unless `everybody` is. Raises Refused `log_behind_witness` or
        `log_differs_from_witness` where a witness has seen a longer log or another: the log is frozen then, until that witness cosigns it
        after all or is no longer asked.
        """
        gathered = await self._gather(now, everybody)
        for _ in range(_AGAIN):
            if (
                gathered is None
                or not any(each.code == AHEAD for each in gathered.replies)
                or await self._size() == _checkpoint(gathered).size
            ):
                break
            gathered = await self._gather(now, everybody)
        if gathered is None:
            return None
        await self._keep(gathered, now)
        frozen = await self._judge(gathered, now)
        if frozen is not None:
            raise frozen.refusal
        return gathered

    async def reached(self, gathered: Gathered) -> bool:
        """Whether the quorum has cosigned this checkpoint, now or before."""
        checkpoint = _checkpoint(gathered)
        async with self.store.reading() as tx:
            rows = await tx.all("witness_note", origin=checkpoint.origin, size=checkpoint.size)
        return self.witnesses.policy.reached({row["witness"] for row in rows})

    def wait_seconds(self, now: int) -> int:
        """Until the next witness that was left alone may be asked again."""
        return max(1, min((at for _, at in self._pauses.values()), default=now + FIRST_PAUSE) - now)

    async def _gather(self, now: int, everybody: bool) -> Gathered | None:
        async with self.store.reading() as tx:
            head = await tx.head()
            published = await Log(tx).checkpoint()
        if published is None:
            return None

        async def consistency(old: int, new: int) -> Sequence[bytes]:
            async with self.store.reading() as tx:
                return await Log(tx).consistency(old, new)

        all_of_them = everybody or head.frozen is not None
        due = [each for each in self.witnesses.addresses if all_of_them or self._pauses.get(each, (0, 0))[1] <= now]
        gathered = await replace(self.witnesses, addresses=due).gather(published[1], consistency)
        replies = await asyncio.gather(*(self._explained(each, head.origin) for each in gathered.replies))
        return replace(gathered, replies=tuple(replies))

    async def _explained(self, reply: Reply, origin: str) -> Reply:
        """A witness that has seen a log of our name under another key: ours was made anew. One that has seen nothing was told a wrong key."""
        if reply.code != _DISTRUSTS:
            return reply
        url = f"{reply.address.rstrip('/')}/"
        try:
            async with open_session(self.witnesses.seconds) as session:
                status, body = await ask(session, url, 1 << 20)
            logs = read_answer(url, body)["logs"] if status == 200 else []
            size = max((int(each["size"]) for each in logs if each["origin"] == origin), default=0)
        except (Refused, LookupError, TypeError, ValueError):  # not every witness tells
            return reply
        return replace(reply, code=OTHER, size=size) if size > 0 else reply

    async def _size(self) -> int:
        async with self.store.reading() as tx:
            published = await Log(tx).checkpoint()
        return published[0] if published else 0

    async def _keep(self, gathered: Gathered, now: int) -> None:
        checkpoint = _checkpoint(gathered)
        names = key_names(self.witnesses)

        async def keep(tx: Tx) -> None:
            for key, line in gathered.lines.items():
                await tx.witnessed(checkpoint.origin, checkpoint.size, names[key], line)
            for reply in gathered.replies:
                name = self.names.get(reply.address)
                if name is None:
                    continue
                said: dict[str, object] = {"asked_at": now, "code": reply.code}
                mine = next((each for key, each in reply.lines.items() if names[key] == name), None)
                if mine is not None:
                    said |= {"origin": checkpoint.origin, "size": checkpoint.size, "good_at": now, "line": mine}
                if not await tx.set("witness_state", said, witness=name):
                    empty = {"witness": name, "origin": "", "size": 0, "good_at": 0, "line": None}
                    await tx.put("witness_state", {**empty, **said})
            tx.wake("witness_state")

        if gathered.replies:
            await self.store.write(keep, now)
        for reply in gathered.replies:
            times = self._pauses.get(reply.address, (0, 0))[0]
            if reply.code not in ("", AHEAD, OTHER):
                self._pauses[reply.address] = (times + 1, now + min(FIRST_PAUSE << min(times, 10), LONGEST_PAUSE))
            else:
                self._pauses.pop(reply.address, None)

    async def _judge(self, gathered: Gathered, now: int) -> Frozen | None:
        """Freezes the log or lets it go on; what it is then."""
        checkpoint = _checkpoint(gathered)
        said = next((each for each in gathered.replies if each.code in (AHEAD, OTHER)), None)

        async def judge(tx: Tx) -> Frozen | None:
            head = await tx.head()
            before = head.frozen
            if head.origin != checkpoint.origin:  # a new epoch began while we asked
                return before
            if said is not None:
                made = Frozen(BEHIND if said.code == AHEAD else DIFFERS, said.address, checkpoint.size, said.size or 0, now)
                if before is not None and replace(made, at=before.at) == before:
                    return before  # the very text is what approvals are about
                await tx.freeze(made)
                return made
            if before is not None and (
                before.place not in self.witnesses.addresses
                or any(each.address == before.place and not each.code for each in gathered.replies)
            ):
                await tx.freeze(None)
                return None
            return before

        async with self.store.reading() as tx:
            calm = said is None and (await tx.head()).frozen is None
        return None if calm else await self.store.write(judge, now)


def _checkpoint(gathered: Gathered) -> Checkpoint:
    return Checkpoint.parse(Note.parse(gathered.note, "note").text, "note")


def key_names(witnesses: Witnesses) -> dict[VKey, str]:
    """How the database names each key: one row a key, so that nobody counts twice."""
    names = {key: name for name, key in witnesses.policy.witnesses.items()}
    second = witnesses.second.witnesses if witnesses.second is not None else {}
    return names | {key: f"{name}-mldsa" for name, key in second.items()}


# Out of the settings ------------------------------------------------------------------------------------------------------------------------


def cosigner_of(store: Store, settings: Settings, key: VKey) -> Cosigner:
    """The witnesses of the settings over a log with this key."""
    of = settings.log_witnesses
    first = {_name(each): VKey.parse(each.vkey) for each in of}
    second = {_name(each): VKey.parse(each.second) for each in of if each.second}
    asked = Witnesses(
        Policy(key, first, {"quorum": (settings.quorum, tuple(first))}, "quorum"),
        [each.address for each in of],
        Policy(key, second, {"quorum": (1 + 2 * len(second) // 3, tuple(second))}, "quorum") if second else None,
    )
    return Cosigner(store, asked, {each.address: _name(each) for each in of})


def _name(of: LogWitness) -> str:
    return VKey.parse(of.vkey).name


async def known_key(store: Store) -> VKey | None:
    """The log's key as the database has it (setting log_vkey); `lotroom check` reads the same row."""
    async with store.reading() as tx:
        row = await tx.one("setting", scope="service", name="log_vkey")
    return VKey.parse(str(loads(row["value"].encode(), text=True)), "log_vkey") if row else None


async def introduce(cosigner: Cosigner, now: int) -> None:
    """Put the log's key and the witnesses' into the log, once, so that anybody who checks the database knows whose lines they are.

    A frozen log takes them later. Raises Refused `witness_key_changed` where a witness of the settings has the name of another key: a new key has a new name.
    """
    store = cosigner.store
    keys = {name: key for key, name in key_names(cosigner.witnesses).items()}
    places = {name: address for address, name in cosigner.names.items()}

    async def work(tx: Tx) -> None:
        if await tx.one("setting", scope="service", name="log_vkey") is None:
            value = dumps(str(cosigner.witnesses.policy.log), text=True).decode()
            await tx.insert("setting", {"scope": "service", "name": "log_vkey", "value": value, "changed_at": now}, "courier")
        known = {row["name"]: row["vkey"] for row in await tx.all("witness")}
        for name, key in keys.items():
            if name not in known:
                address = places.get(name.removesuffix("-mldsa"))
                await tx.insert("witness", {"name": name, "vkey": str(key), "address": address, "added_at": now}, "courier")
            elif known[name] != str(key):
                raise Refused("witness_key_changed", name)

    async with store.reading() as tx:
        known = {row["name"]: row["vkey"] for row in await tx.all("witness")}
        whole = await tx.count("setting", scope="service", name="log_vkey") == 1
        if (await tx.head()).frozen is not None:
            return
    if not whole or any(known.get(name) != str(key) for name, key in keys.items()):
        await store.write(work, now)


def handler_of(cosigner: Cosigner, clock: Clock) -> Handler:
    """The courier's work with the newest checkpoint: cosigned by the quorum, or put off until somebody may be asked again."""

    async def handle(_: Job) -> None:
        now = clock.now()
        await introduce(cosigner, now)
        gathered = await cosigner.cosign_newest(now)
        if gathered is not None and not await cosigner.reached(gathered):
            code = next((each.code for each in gathered.refused), "witness_silent")
            raise Later(code, cosigner.wait_seconds(now))

    return handle
