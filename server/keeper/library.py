"""The expert library inside the keeper: staged, put in, found by name or profession, shown masked, and read whole for a draw.

A centre's library has a sum of its own, in the keeper's state: HMACs of all sealed records, added up. A record that was put back, removed or
added by hand, in a database that the keeper's rows elsewhere do not reveal, is noticed when a draw reads the library.

Sealing takes no pass: whoever may put something in knows it already. Whatever leaves, masked or whole, asks for a person with a role.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from drawing.canonical import TH
from drawing.errors import Refused
from drawing.model import digest, shape_of, text, whole
from server.keeper import keys
from server.keeper.core import Core
from server.keeper.keys import DataKey, Place, Secret, object_key_id
from server.keeper.library_work import STAGED, TABLE, expert_object, index_key, list_object, ring_to_json
from server.keeper.people import grants_of, person_of_pass
from server.keeper.rules import OBJECTS
from server.keeper.store import NEW, Change, Row
from server.keeper.vault import FOREVER, Kept
from server.keeper.verbs import (
    Card,
    Cards,
    Done,
    ExpertIndex,
    FindExperts,
    ForgetStaging,
    FoundExperts,
    KeepExperts,
    ReadCards,
    RetireExperts,
    Staged,
    StageExperts,
)

_WHOLE_PAGE = 1_000  # records of a page: 3 MB on their way to the child
_PAGE = 500  # rows handed to the child at once: a frame of a megabyte, some milliseconds of our own time
MOST = 600_000
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Shelf:
    """The state `library/CENTRE`: how many records there are, the sum of their HMACs modulo 2**256, and the import that is half in it."""

    count: Annotated[int, whole(0, 1 << 20)]
    half: Annotated[str, text(32)]
    sum: Annotated[bytes, digest]


EMPTY = Shelf(0, "", bytes(32))


# Putting in -------------------------------------------------------------------------------------------------------------------------------


async def stage_experts(core: Core, ask: StageExperts) -> Staged:
    """Seals a batch and says its indexes. The same batch again replaces the one before."""
    vault = core.vault
    shelf = await vault.make_data_key(list_object(ask.centre), FOREVER)
    got = await core.child.run("experts_index", key=shelf.key, data=ask.data)
    staging = await vault.make_data_key(_staging(ask.centre, ask.staging), FOREVER)
    place = _staged(ask.staging, ask.batch)
    envelope = keys.seal(vault.ring.suite, staging.key, staging.id, place, ask.data.encode(), vault.chance)
    await vault.write([Change("annex", (place.table, place.row, place.column), envelope)])
    return Staged(
        tuple(
            ExpertIndex(bytes.fromhex(number), bytes.fromhex(phone), bytes.fromhex(record), status, bytes.fromhex(unit))
            for number, phone, unit, record, status in got["rows"]
        )
    )


async def keep_experts(core: Core, ask: KeepExperts) -> Done:
    """A staged batch as records of these experts. If we crash before the write returns, nothing of it is there, and it is asked again."""
    vault = core.vault
    staging = await vault.data_key(object_key_id(_staging(ask.centre, ask.staging)))
    place = _staged(ask.staging, ask.batch)
    (staged,) = await vault.store.read("annex", [(place.table, place.row, place.column)])
    if staged is None:
        raise Refused("bad_batch", "experts")
    wanted = [each for each in ask.rows if each]
    if len(set(wanted)) != len(wanted):
        raise Refused("bad_batch", "experts")
    for _ in range(_TRIES):
        try:
            await _keep(core, ask, staging, place, staged, wanted)
            return Done()
        except Refused as lost:
            if lost.code != "stale":  # the same batch asked twice: a caller that was killed and the one that goes on
                raise
    raise Refused("keeper_busy", "experts")


async def _keep(core: Core, ask: KeepExperts, staging: DataKey, place: Place, staged: Row, wanted: Sequence[str]) -> None:
    wrapped = {each: row for each, row in zip(wanted, await _keys(core, ask.centre, wanted), strict=True) if row is not None}
    got = await core.child.run(
        "experts_seal",
        **await _common(core, ask.centre),
        staging_key=staging.key,
        staging_place=[place.table, place.row, place.column],
        staged=staged.value.hex(),
        ids=list(ask.rows),
        wrapped=[wrapped[each].value.hex() if each in wrapped else "" for each in ask.rows],
    )
    await _put(core, ask.centre, got["rows"], ask.staging if ask.more else "")


async def retire_experts(core: Core, ask: RetireExperts) -> Done:
    """Records of these, with the status that keeps them out of draws. Raises Refused where one is not of this centre."""
    wrapped, envelopes = await _there(core, ask.centre, ask.rows)
    got = await core.child.run(
        "experts_retire",
        **await _common(core, ask.centre),
        ids=list(ask.rows),
        wrapped=[each.value.hex() for each in wrapped],
        envelopes=[each.value.hex() for each in envelopes],
    )
    await _put(core, ask.centre, got["rows"], ask.staging)
    return Done()


async def forget_staging(core: Core, ask: ForgetStaging) -> Done:
    """Destroys the key of an import; the library that it was half in is whole from now on."""
    vault, key_id = core.vault, object_key_id(_staging(ask.centre, ask.staging))
    async with core.shelving:
        changes = []
        if await vault.row("key", (key_id.hex(),)) is not None:
            vault.forget(key_id)
            changes.append(Change("key", (key_id.hex(),), None))
        kept = await _shelf(core, ask.centre)
        if kept.value.half == ask.staging:
            changes.append(vault.put_state(f"library/{ask.centre}", replace(kept.value, half=""), kept.version))
        if changes:
            await vault.write(changes)
    return Done()


async def _common(core: Core, centre: str) -> dict[str, Any]:
    shelf = await core.vault.make_data_key(list_object(centre), FOREVER)
    return {"centre": centre, "list_key": shelf.key, "list_key_id": shelf.id.hex(), "ring": ring_to_json(core.vault.ring)}


async def _put(core: Core, centre: str, rows: Sequence[Sequence[str]], half: str) -> None:
    """Sealed rows and the library's new sum, in one write."""
    async with core.shelving:
        await _put_alone(core, centre, rows, half)


async def _put_alone(core: Core, centre: str, rows: Sequence[Sequence[str]], half: str) -> None:
    vault = core.vault
    shelf = await vault.data_key(object_key_id(list_object(centre)))
    places = [(TABLE, each[0], "record") for each in rows]
    for _ in range(_TRIES):
        kept = await vault.state(Shelf, f"library/{centre}", EMPTY)
        before = await vault.store.read("annex", places)
        total, count = int.from_bytes(kept.value.sum, "big"), kept.value.count
        changes: list[Change] = []
        for (expert, wrapped, record, card), place, old in zip(rows, places, before, strict=True):
            envelope = bytes.fromhex(record)
            total += _mark(shelf, expert, envelope) - (0 if old is None else _mark(shelf, expert, old.value))
            count += old is None
            if wrapped:
                changes.append(Change("key", (object_key_id(expert_object(centre, expert)).hex(),), bytes.fromhex(wrapped), NEW))
            changes.append(Change("annex", place, envelope, NEW if old is None else old.version))
            changes.append(Change("annex", (list_object(centre), expert, "card"), bytes.fromhex(card)))
        value = Shelf(count, half or kept.value.half, (total % (1 << 256)).to_bytes(32, "big"))
        try:
            await vault.write([*changes, vault.put_state(f"library/{centre}", value, kept.version)])
            return
        except Refused as lost:
            if lost.code != "stale":
                raise
            if any(each.kind == "key" for each in changes):  # another call put the same people in meanwhile, under keys of its own
                raise
    raise Refused("keeper_busy", "experts")


def _mark(shelf: DataKey, expert: str, envelope: bytes) -> int:
    return _marked(index_key(shelf.key), expert, envelope)


def _marked(key: Secret, expert: str, envelope: bytes) -> int:
    return int.from_bytes(hmac.digest(key.raw, TH("lotroom/v1/shelf", expert.encode(), envelope), "sha256"), "big")


async def _keys(core: Core, centre: str, experts: Sequence[str]) -> list[Row | None]:
    return await core.vault.rows("key", [(object_key_id(expert_object(centre, each)).hex(),) for each in experts])


async def _there(core: Core, centre: str, experts: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Wrapped keys and sealed records of experts of this centre. Raises Refused("library_altered") where one is missing."""
    wrapped = await _keys(core, centre, experts)
    records = await core.vault.store.read("annex", [(TABLE, each, "record") for each in experts])
    held, found = [each for each in wrapped if each], [each for each in records if each]
    if len(held) != len(experts) or len(found) != len(experts):
        raise Refused("library_altered", centre)
    return held, found


def _staging(centre: str, staging: str) -> str:
    return f"staging:{centre}:{staging}"


def _staged(staging: str, batch: int) -> Place:
    return Place(STAGED, f"{staging}.{batch}", "rows")


# Finding and showing ------------------------------------------------------------------------------------------------------------------------


async def read_cards(core: Core, ask: ReadCards) -> Cards:
    """Of experts of one centre."""
    await _entitled(core, ask.centre, ask.token, ask.login)
    rows = await core.vault.store.read("annex", [(list_object(ask.centre), each, "card") for each in ask.rows])
    there = [each for each in rows if each is not None]
    if not there:
        return Cards(())
    got = await core.child.run("experts_read", today=ask.today, **await _cards(core, ask.centre, there))
    return Cards(tuple(shape_of(Card).read(each, "card") for each in got["cards"]))


async def find_experts(core: Core, ask: FindExperts) -> FoundExperts:
    """The whole list is read by the child, page by page; nothing of it stays."""
    await _entitled(core, ask.centre, ask.token, ask.login)
    found: list[str] = []
    async for rows in _list(core, ask.centre):
        got = await core.child.run(
            "experts_find",
            area=ask.area,
            profession=ask.profession,
            query=ask.query,
            state=ask.state,
            today=ask.today,
            **await _cards(core, ask.centre, rows),
        )
        found += got["rows"]
    return FoundExperts(tuple(found[: ask.limit]), len(found))


async def _entitled(core: Core, centre: str, token: str, login: bytes) -> None:
    person = await person_of_pass(core, token, login)
    if not (await grants_of(core.vault, person)).value.holds(OBJECTS["names"].roles, centre):
        raise Refused("not_entitled", "person")


async def _list(core: Core, centre: str) -> AsyncIterator[list[Row]]:
    after: tuple[str, ...] = ()
    for _ in range(MOST // _PAGE + 1):
        rows = await core.vault.store.scan("annex", (list_object(centre),), after, _PAGE)
        if rows:
            yield rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].key


async def _cards(core: Core, centre: str, rows: Sequence[Row]) -> dict[str, Any]:
    key = await core.vault.make_data_key(list_object(centre), FOREVER)
    return {"key": key.key, "places": [list(row.key) for row in rows], "envelopes": [row.value.hex() for row in rows]}


# For a draw ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A centre's whole library at one moment: (expert, record) in the order of ids. `sum` names this state of it."""

    records: tuple[tuple[str, bytes], ...]
    sum: bytes


async def read_library(core: Core, centre: str) -> Snapshot:
    """All records of a centre, as canonical JSON for `drawing.pool.Entry`. Raises Refused("library_altered") where the rows are not those that
    the keeper put there, Refused("library_busy") while an import is half in it, Refused("keeper_busy") where the library changes all the while.
    """
    for _ in range(3):
        before = await _shelf(core, centre)
        if before.value.half:
            raise Refused("library_busy", centre)
        records, total = await _read_all(core, centre)
        after = await _shelf(core, centre)
        if before != after:
            continue
        if (len(records), total.to_bytes(32, "big")) != (after.value.count, after.value.sum):
            raise Refused("library_altered", centre)
        return Snapshot(tuple(records), after.value.sum)
    raise Refused("keeper_busy", "experts")


async def _shelf(core: Core, centre: str) -> Kept[Shelf]:
    return await core.vault.state(Shelf, f"library/{centre}", EMPTY)


async def _read_all(core: Core, centre: str) -> tuple[list[tuple[str, bytes]], int]:
    """The child opens one page while the next is fetched. Records of other centres lie between; their keys have other names."""
    records: list[tuple[str, bytes]] = []
    total = 0
    key = await core.vault.row("key", (object_key_id(list_object(centre)).hex(),))
    if key is None:
        return records, total
    mark = index_key((await core.vault.data_key(object_key_id(list_object(centre)))).key)
    ring = ring_to_json(core.vault.ring)
    pages: deque[tuple[list[str], asyncio.Task[dict[str, Any]]]] = deque()
    after: tuple[str, ...] = ()

    async def opened() -> None:
        experts, opening = pages.popleft()
        records.extend((expert, each.encode()) for expert, each in zip(experts, (await opening)["records"], strict=True))

    try:
        while True:
            rows = await core.vault.store.scan("annex", (TABLE,), after, _WHOLE_PAGE)
            there = [row for row in rows if row.key[2] == "record"]
            wrapped = await _keys(core, centre, [row.key[1] for row in there])
            ours = [(row, held) for row, held in zip(there, wrapped, strict=True) if held is not None]
            if pages:
                await opened()
            if ours:
                experts = [row.key[1] for row, _ in ours]
                task = {
                    "ids": experts,
                    "wrapped": [each.value.hex() for _, each in ours],
                    "envelopes": [row.value.hex() for row, _ in ours],
                }
                pages.append((experts, asyncio.create_task(core.child.run("experts_open", centre=centre, ring=ring, **task))))
                total += sum(_marked(mark, row.key[1], row.value) for row, _ in ours)
            if len(rows) < _WHOLE_PAGE:
                break
            after = rows[-1].key
        if pages:
            await opened()
    finally:
        for _, opening in pages:
            opening.cancel()
    return records, total % (1 << 256)
