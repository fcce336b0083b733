"""The expert library as people work with it: lists and searches masked, one person opened with a reason, changes one at a time.

Filters and searches are the keeper's, so is the mask; the database knows that somebody is there and since when. A change of a record is staged and
kept as an import of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from drawing.errors import Refused
from server.auth.model import EVERYWHERE, CentreId, Thing
from server.auth.permissions import TABLE
from server.errors import Stale
from server.keeper.verbs import At, Card
from server.library import upload
from server.library.cells import cells_of
from server.library.columns import COLUMNS
from server.library.difference import LEFT
from server.library.upload import Fault
from server.services.desk import Caller, Desk, pass_of
from server.services.imports import line_of
from server.storage import experts, journal
from server.storage.journal import Entry
from server.storage.tx import Row, Tx

PAGE = 50
MOST_FOUND = 1_000
CHINA = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is of. `state`: one of the keeper's, or `left`."""

    query: str = ""
    profession: str = ""
    area: str = ""
    state: str = ""
    page: int = 1

    @property
    def searches(self) -> bool:
        return bool(self.query or self.profession or self.area or self.state not in ("", LEFT))


@dataclass(frozen=True, slots=True)
class Listed:
    """One line: masked, with what the database says."""

    card: Card
    left: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody's whole record, as cells."""

    id: str
    version: int
    left: bool
    cells: Mapping[str, str]


async def centre_of(desk: Desk, caller: Caller, permission: str) -> CentreId:
    """The centre where somebody works with its library: of several the first. Raises Refused("not_found") where there is none."""
    held = {each.centre for each in caller.actor.grants if each.holds(caller.request.now) and each.role in TABLE[permission].roles}
    async with desk.store.reading() as tx:
        rows = await tx.all("centre", closed_at=None, order=["code"])
    found = [CentreId(row["id"]) for row in rows if row["id"] in held or EVERYWHERE in held]
    if not found:
        raise Refused("not_found", "centre")
    return found[0]


def today(now: int) -> str:
    """The day in Asia/Shanghai."""
    return (datetime.fromtimestamp(now, UTC) + CHINA).date().isoformat()


async def browse(desk: Desk, centre: CentreId, wanted: Wanted, caller: Caller) -> tuple[tuple[Listed, ...], int]:
    """A page of the list, and how many fit in all. A search gives its first thousand."""
    desk.require("library.read", caller, Thing(centre))
    token, login = pass_of(caller.shown)
    day, first = today(caller.request.now), (wanted.page - 1) * PAGE
    if wanted.searches:
        found = await desk.keeper.find_experts(
            token,
            login,
            centre,
            day,
            query=wanted.query,
            profession=wanted.profession,
            area=wanted.area.rstrip("0") if wanted.area.endswith("00") else wanted.area,
            state=wanted.state,
        )
        ids, total = list(found.rows[first : first + PAGE]), found.total
    else:
        where: dict[str, Any] = {"centre": centre, **({"status": LEFT} if wanted.state == LEFT else {"status !=": LEFT})}
        async with desk.store.reading() as tx:
            rows = await tx.all("expert", where, order=["added_at", "id"], limit=PAGE, skip=first)
            total = await tx.count("expert", where)
        ids = [row["id"] for row in rows]
    if not ids:
        return (), total
    cards = await desk.keeper.read_cards(token, login, centre, day, ids)
    async with desk.store.reading() as tx:
        left = {row["id"] for row in await tx.all("expert", {"id in": ids, "status": LEFT})}
    return tuple(Listed(each, each.row in left) for each in cards), total


async def one(desk: Desk, expert: str, caller: Caller) -> tuple[Row, Card, tuple[Entry, ...], Mapping[str, str]]:
    """Somebody masked, with the log's entries about them and the accounts named there. Raises Refused("not_found")."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, expert, caller, "library.read")
        history = (await journal.read(tx, expert)).entries
        people = {each.by for each in history}
        names = {each["person"]: each["name"] for each in await tx.all("account", {"person in": sorted(people)})}
    token, login = pass_of(caller.shown)
    cards = await desk.keeper.read_cards(token, login, row["centre"], today(caller.request.now), [expert])
    if not cards:
        raise Refused("library_altered", "expert")
    return row, cards[0], tuple(each for each in history if each.table == "expert"), names


async def _row(desk: Desk, tx: Tx, expert: str, caller: Caller, permission: str) -> Row:
    row = await tx.one("expert", id=expert)
    if row is None:
        raise Refused("not_found", "expert")
    desk.require(permission, caller, Thing(CentreId(row["centre"])))
    return row


async def unmask(desk: Desk, expert: str, reason: str, caller: Caller) -> Opened:
    """The whole record; the keeper writes who read it and why before it says anything. Raises Refused."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, expert, caller, "library.unmask")
    record = await opened(desk, expert, reason, caller)
    return Opened(expert, row["version"], row["status"] == LEFT, cells_of(record))


async def opened(desk: Desk, expert: str, reason: str, caller: Caller) -> dict[str, Any]:
    """The whole record, for whom the keeper opens it: staff of its centre, and whose own it is. The reading is in the log. Raises Refused."""
    token, login = pass_of(caller.shown)
    (value,) = await desk.keeper.open_fields(token, login, reason, [At("record", expert, "expert")])
    if value is None:
        raise Refused("library_altered", "expert")
    record: dict[str, Any] = json.loads(value)
    return record


async def add(desk: Desk, centre: CentreId, cells: Mapping[str, str], caller: Caller) -> tuple[str, tuple[Fault, ...]]:
    """Somebody new: their id, or what is wrong with the cells."""
    desk.require("library.edit", caller, Thing(centre))
    return await _save(desk, centre, None, cells, caller, "add")


async def change(desk: Desk, expert: str, version: int, cells: Mapping[str, str], caller: Caller) -> tuple[Fault, ...]:
    """Other cells for somebody. Raises Refused, Stale."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, expert, caller, "library.edit")
    if row["version"] != version:
        raise Stale(place="expert", version=row["version"])
    return (await _save(desk, CentreId(row["centre"]), row, cells, caller, "change"))[1]


async def shut(desk: Desk, expert: str, kind: str, begin: str, end: str, reason: str, caller: Caller) -> tuple[Fault, ...]:
    """A leave (`leave`) or a suspension (`suspensions`) more. `end`: "" for one without an end."""
    if end and end < begin:
        raise Refused("leave_ends_first", "until")
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, expert, caller, "library.edit")
    record = await opened(desk, expert, reason or kind, caller)
    entry = {"from": begin, "to": end} if kind == "leave" else {"from": begin, "to": end, "reason": reason}
    cells = cells_of({**record, kind: [*record[kind], entry]})
    return (await _save(desk, CentreId(row["centre"]), row, cells, caller, "leave" if kind == "leave" else "suspend"))[1]


async def save(desk: Desk, row: Row, cells: Mapping[str, str], caller: Caller, why: str) -> tuple[Fault, ...]:
    """Other cells for a row that the caller may change: what is wrong with them. Raises Refused, Stale."""
    return (await _save(desk, CentreId(row["centre"]), row, cells, caller, why))[1]


async def _save(
    desk: Desk, centre: CentreId, row: Row | None, cells: Mapping[str, str], caller: Caller, why: str
) -> tuple[str, tuple[Fault, ...]]:
    record, _, faults = upload.check_cells([cells.get(each.alias, "") for each in COLUMNS], range(len(COLUMNS)), 1)
    expert = row["id"] if row else desk.chance(16).hex()
    if faults:
        return expert, faults
    by, now, staging = caller.person, caller.request.now, desk.chance(16).hex()
    (found,) = await desk.keeper.stage_experts(centre, staging, 0, upload.pack([record]))
    line = line_of(found, 0, 0, 1)
    values = {**experts.values_of(line, staging), "import_id": row["import_id"] if row else None}

    async def work(tx: Tx) -> None:
        if await tx.count("library_import", centre=centre, state="applying"):
            raise Refused("library_busy", "expert")
        same = await tx.one("expert", centre=centre, number_index=line.number)
        if same is not None and same["id"] != expert:
            raise Refused("number_known", "id_number")
        if row is None:
            await tx.insert("expert", {"id": expert, "centre": centre, "added_at": tx.now, **values}, by, why)
        else:
            await tx.change("expert", expert, values, by, row["version"], why)

    # The row first: it knows whether somebody else was faster. If we crash before the keeper has the record, it is saved again.
    await desk.store.write(work, now)
    await desk.keeper.keep_experts(centre, staging, 0, [expert])
    await desk.keeper.forget_staging(centre, staging)
    return expert, ()
