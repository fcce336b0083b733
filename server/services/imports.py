"""A sheet on its way into the library: checked apart, staged with the keeper, looked at, mended, approved where it changes much, put in.

    staging   the file is checked and sealed, batch by batch              killed here: nothing is in the library; the file is brought again
    ready     counts are known; wrong rows wait to be mended or left out
    waiting   another person approves exactly this                        changed meanwhile: the approval is void
    approved  -
    applying  batch by batch, each the same when it is done again         killed here: `go_on` goes on where it was
    done      what was staged is forgotten; no library is drawn from while an import of its centre applies

The web process holds the file's bytes while they are checked and hands them on; names are in no table, no leaf and no log line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, Thing
from server.keeper.verbs import At, ExpertIndex, Field
from server.library import upload
from server.library.columns import COLUMNS
from server.library.difference import Difference, Line, difference, expert_id
from server.library.upload import BadRow, Fault
from server.services.desk import Caller, Desk, pass_of
from server.storage import experts
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

WHOLE, PART = "whole", "part"
PAGE = 20  # rows that a page mends
STALE_SECONDS = 10  # without a step: nobody works on it any more
OPEN = ("staging", "ready", "waiting", "approved", "applying")
CELLS = 40_000  # bytes of cells sealed in one call
RETIRED = 100
AHEAD = 3  # batches that the keeper works on at once


@dataclass(frozen=True, slots=True)
class Found:
    """An import as its page shows it. `stalled`: it should be running and is not; `failed`: the code that ended it."""

    row: Row
    state: str
    done: int
    total: int
    stalled: bool
    failed: str
    params: Mapping[str, Any]
    open_rows: int
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """One row that is not right: its cells by column alias."""

    row: int
    cells: Mapping[str, str]
    faults: tuple[Fault, ...]


# Bringing a file ----------------------------------------------------------------------------------------------------------------------------


async def bring(desk: Desk, centre: CentreId, kind: str, data: bytes, mode: str, caller: Caller) -> str:
    """A new import; it is read while the page shows how far. Raises Refused."""
    desk.require("library.import", caller, Thing(centre))
    now, by = caller.request.now, caller.person
    staging = await desk.store.write(lambda tx: _new(tx, centre, mode, by), now)
    desk.tasks.start(f"import/{staging}", stage(desk, staging, centre, kind, data, by))
    return staging


async def _new(tx: Tx, centre: str, mode: str, by: str | None) -> str:
    if await tx.count("library_import", {"centre": centre, "state in": [*OPEN]}):
        raise Refused("library_busy", "import")
    counts = dict.fromkeys(("rows", "bad", "joins", "changes", "moves", "leaves"), 0)
    row = {"centre": centre, "person": by, "state": "staging", "mode": mode, "created_at": tx.now, **counts}
    return await tx.insert("library_import", row, by or "console", "import")


async def stage(desk: Desk, staging: str, centre: str, kind: str, data: bytes, by: str | None) -> None:
    """Check and seal a file, and count what it would change. A failure is kept where the page finds it."""
    now = desk.now()
    word = by or "console"
    await desk.store.write(lambda tx: experts.told(tx, staging, "checking", 0, 0), now)
    try:
        sheet = await upload.checked(kind, data)
        if sheet.more_bad:
            raise Refused("too_many_bad_rows", "file", count=sheet.more_bad + len(sheet.bad), most=upload.MOST_BAD)
        done = 0
        for start in range(0, len(sheet.batches), AHEAD):
            some = list(enumerate(sheet.batches))[start : start + AHEAD]
            found = await asyncio.gather(*(_staged(desk, staging, centre, number, rows, packed) for number, (rows, packed) in some))
            done += sum(map(len, found))
            await desk.store.write(lambda tx, found=found, done=done: _batches(tx, staging, found, done, sheet.rows), now)  # type: ignore[misc]
        for chunk in _fitting(sheet.bad):
            await _keep_cells(desk, staging, centre, chunk)
            await desk.store.write(lambda tx, chunk=chunk: _bad(tx, staging, chunk), now)  # type: ignore[misc]
    except Refused as wrong:
        params = {key: str(each) for key, each in wrong.params.items()}
        code = wrong.code

        async def ends(tx: Tx) -> None:
            await experts.told(tx, staging, "failed", 0, 0, {"code": code, "params": params})
            await experts.go_on(tx, staging, "failed", word, finished_at=tx.now)

        await desk.store.write(ends, desk.now())
        return

    async def ready(tx: Tx) -> None:
        _in(await tx.get("library_import", staging), "staging")  # it may have been dropped meanwhile
        await experts.told(tx, staging, "ready", sheet.rows, sheet.rows)
        await _count(tx, staging, "ready", word, rows=sheet.rows, digest=sheet.digest)

    await desk.store.write(ready, desk.now())


async def _staged(desk: Desk, staging: str, centre: str, number: int, rows: Sequence[int], packed: str) -> list[Line]:
    found = await desk.keeper.stage_experts(centre, staging, number, packed)
    return [line_of(each, number, place, row) for place, (each, row) in enumerate(zip(found, rows, strict=True))]


def line_of(each: ExpertIndex, batch: int, place: int, row: int) -> Line:
    return Line(batch, place, row, each.number, each.phone, each.unit, each.record, each.status)


async def _batches(tx: Tx, staging: str, found: Sequence[Sequence[Line]], done: int, total: int) -> None:
    rows = [experts.batch_row(staging, lines, sha256(b"".join(each.record for each in lines)).digest()) for lines in found]
    await tx.put_all("import_batch", rows)
    await experts.told(tx, staging, "staging", done, total)


async def _bad(tx: Tx, staging: str, rows: Sequence[BadRow]) -> None:
    await tx.put_all(
        "import_row", [{"import_id": staging, "row": each.row, "state": "open", "faults": _faults(each.faults)} for each in rows]
    )


def _faults(faults: Sequence[Fault]) -> str:
    told = [
        [each.column, each.code, {key: value if isinstance(value, int) else str(value) for key, value in each.params.items()}]
        for each in faults
    ]
    return dumps(told, text=True).decode()


def _fitting(rows: Sequence[BadRow]) -> list[list[BadRow]]:
    """Chunks whose cells go into one call of the keeper."""
    out: list[list[BadRow]] = []
    room = 0
    for each in rows:
        size = 2 * len(_cells(each.cells)) + 300
        if size > room or len(out[-1]) == 100:
            out.append([])
            room = CELLS
        out[-1].append(each)
        room -= size
    return out


def _cells(cells: Sequence[str]) -> bytes:
    """Cut where somebody put a book into a row: a value of the keeper is bounded."""
    most = upload.MOST_RECORD
    data = dumps(list(cells), text=True)
    while len(data) > upload.MOST_RECORD:
        most //= 2
        data = dumps([each[:most] for each in cells], text=True)
    return data


async def _keep_cells(desk: Desk, staging: str, centre: str, rows: Sequence[BadRow]) -> None:
    fields = [Field("cells", "none", f"{staging}.{each.row}", "library_import", _cells(each.cells)) for each in rows]
    await desk.keeper.seal_fields(f"staging:{centre}:{staging}", fields)


async def _count(tx: Tx, staging: str, state: str, by: str, **values: Any) -> Difference:
    """What it would change now, into its row."""
    row = await tx.get("library_import", staging)
    made = difference(await experts.known(tx, row["centre"]), await experts.staged(tx, staging), whole=row["mode"] == WHOLE)
    bad = await tx.count("import_row", import_id=staging, state="open")
    counts = {"bad": bad, "joins": len(made.joins), "changes": len(made.changes), "moves": made.moves, "leaves": len(made.leaves)}
    await experts.go_on(tx, staging, state, by, **counts, **values)
    return made


# Looking at it ------------------------------------------------------------------------------------------------------------------------------


async def one(desk: Desk, staging: str, caller: Caller) -> Found:
    """Raises Refused("not_found")."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, staging, caller, "library.read")
        progress = await tx.one("progress", id=staging)
        open_rows = await tx.count("import_row", import_id=staging, state="open")
        before = await tx.count("expert", {"centre": row["centre"], "status !=": "left"})
    now = caller.request.now
    seen = progress["updated_at"] if progress else row["created_at"]
    running = row["state"] in ("staging", "applying")
    stalled = running and not desk.tasks.runs(f"import/{staging}") and now - seen > STALE_SECONDS
    data = loads(progress["data"].encode(), place="progress", text=True) if progress and progress["data"] else {}
    size = row["joins"] + row["changes"] + row["leaves"]
    return Found(
        row,
        row["state"],
        progress["done"] if progress else 0,
        progress["total"] if progress else 0,
        stalled,
        data.get("code", ""),
        data.get("params", {}),
        open_rows,
        size * 100 > before,
    )


async def recent(desk: Desk, centre: CentreId, caller: Caller) -> tuple[Row, ...]:
    """The latest of a centre."""
    desk.require("library.read", caller, Thing(centre))
    async with desk.store.reading() as tx:
        return tuple(await tx.all("library_import", centre=centre, order=["-created_at", "id"], limit=10))


async def progress(desk: Desk, staging: str, caller: Caller) -> tuple[str, int, int]:
    """State and how far it is."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, staging, caller, "library.read")
        found = await tx.one("progress", id=staging)
    return row["state"], found["done"] if found else 0, found["total"] if found else 0


async def wrong_rows(desk: Desk, staging: str, page: int, caller: Caller, most: int = PAGE) -> tuple[Wrong, ...]:
    """Open rows with their cells; the keeper writes who read them."""
    async with desk.store.reading() as tx:
        await _row(desk, tx, staging, caller, "library.import")
        rows = await tx.all("import_row", import_id=staging, state="open", order=["row"], limit=most, skip=(page - 1) * most)
    out: list[Wrong] = []
    for start in range(0, len(rows), 100):
        out += await _opened(desk, staging, rows[start : start + 100], caller)
    return tuple(out)


async def _opened(desk: Desk, staging: str, rows: Sequence[Row], caller: Caller) -> list[Wrong]:
    token, login = pass_of(caller.shown)
    at = [At("cells", f"{staging}.{each['row']}", "library_import") for each in rows]
    values = await desk.keeper.open_fields(token, login, "import", at) if at else []
    out = []
    for row, value in zip(rows, values, strict=True):
        cells = loads(value or b"[]", place="cells", max_bytes=1 << 16, text=True)
        faults = tuple(Fault(*each) for each in loads(row["faults"].encode(), place="faults", text=True))
        out.append(Wrong(row["row"], dict(zip((each.alias for each in COLUMNS), cells, strict=False)), faults))
    return out


async def _row(desk: Desk, tx: Tx, staging: str, caller: Caller, permission: str) -> Row:
    row = await tx.one("library_import", id=staging)
    if row is None:
        raise Refused("not_found", "import")
    desk.require(permission, caller, Thing(CentreId(row["centre"])))
    return row


def _in(row: Row, *states: str) -> None:
    if row["state"] not in states:
        raise Refused("import_state", "import", state=row["state"])


# Mending ------------------------------------------------------------------------------------------------------------------------------------


async def mend(desk: Desk, staging: str, number: int, typed: Mapping[str, str], caller: Caller, *, instead: bool = False) -> Wrong | None:
    """Other cells for one row: None where it is right now, else what is still wrong. `instead`: it replaces the row of the same person.

    Raises Refused.
    """
    now, by = caller.request.now, caller.person
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, staging, caller, "library.import")
        _in(row, "ready")
        bad = await tx.one("import_row", import_id=staging, row=number, state="open")
        lines = await experts.staged(tx, staging)
    if bad is None:
        raise Refused("not_found", "row")
    (before,) = await _opened(desk, staging, [bad], caller)
    cells = {**before.cells, **typed}
    record, _, faults = upload.check_cells([cells.get(each.alias, "") for each in COLUMNS], range(len(COLUMNS)), number)
    found: list[Line] = []
    if not faults:
        batch = max((each.batch for each in lines), default=-1) + 1
        found = await _staged(desk, staging, row["centre"], batch, [number], upload.pack([record]))
        same = [each for each in lines if each.number == found[0].number and not each.skipped]
        if same and not instead:
            faults = (Fault("证件号码", "person_twice", {"first": same[0].row}),)
    if faults:
        await _keep_cells(desk, staging, row["centre"], [BadRow(number, tuple(cells.get(each.alias, "") for each in COLUMNS), faults)])
        values = {"faults": _faults(faults)}
        await desk.store.write(lambda tx: tx.set("import_row", values, import_id=staging, row=number, state="open"), now)
        return Wrong(number, cells, faults)
    made = found[0]

    async def work(tx: Tx) -> None:
        _in(await tx.get("library_import", staging), "ready")
        if not await tx.set("import_row", {"state": "mended"}, import_id=staging, row=number, state="open"):
            raise Refused("not_found", "row")
        for each in await experts.staged(tx, staging):
            if each.number == made.number and not each.skipped:
                await _skip(tx, staging, each)
        await tx.put("import_batch", experts.batch_row(staging, [made], sha256(made.record).digest()))
        await _count(tx, staging, "ready", by)

    await desk.store.write(work, now)
    return None


async def _skip(tx: Tx, staging: str, line: Line) -> None:
    row = await tx.one("import_batch", import_id=staging, number=line.batch)
    assert row is not None
    lines = [replace(each, skipped=each.skipped or each.place == line.place) for each in experts.lines_of(row)]
    await tx.set("import_batch", {"data": experts.batch_data(lines)}, import_id=staging, number=line.batch)


async def leave_out(desk: Desk, staging: str, rows: Sequence[int], caller: Caller) -> None:
    """These rows take no part; all that are open where none is named."""
    by = caller.person

    async def work(tx: Tx) -> None:
        _in(await _row(desk, tx, staging, caller, "library.import"), "ready")
        where = {"row in": list(rows)} if rows else {}
        await tx.set("import_row", {"state": "left_out"}, {**where, "import_id": staging, "state": "open"})
        await _count(tx, staging, "ready", by)

    await desk.store.write(work, caller.request.now)


# Putting in ---------------------------------------------------------------------------------------------------------------------------------


async def finish(desk: Desk, staging: str, why: str, caller: Caller) -> str:
    """Put it in, or ask for approval where it changes more than a hundredth. The state that it is in now. Raises Refused."""
    by, now = caller.person, caller.request.now

    async def work(tx: Tx) -> str:
        row = await _row(desk, tx, staging, caller, "library.import")
        _in(row, "ready", "approved")
        bad = await tx.count("import_row", import_id=staging, state="open")
        if bad:
            raise Refused("import_unfinished", "import", count=bad)
        if row["state"] == "approved":
            if await subject(tx, staging) != bytes(row["digest"]):
                raise Refused("approval_void", "pool.edit")
            await experts.go_on(tx, staging, "applying", by)
            return "applying"
        made = await _count(tx, staging, "ready", by)
        if not made.size:
            raise Refused("import_empty", "import")
        if not made.needs_approval:
            await experts.go_on(tx, staging, "applying", by)
            return "applying"
        digest = await subject(tx, staging)
        await experts.go_on(tx, staging, "waiting", by, digest=digest)
        thing = Thing(CentreId(row["centre"]), None, digest)
        proposal = approvals.propose(ProposalId(tx.new_id()), "pool.edit", caller.actor, thing, now)
        facts = {"changes": len(made.changes), "joins": len(made.joins), "leaves": len(made.leaves), "moves": made.moves}
        await stored.add(tx, proposal, f"import/{staging}", why, facts)
        return "waiting"

    state = await desk.store.write(work, now)
    if state == "applying":
        desk.tasks.start(f"import/{staging}", apply(desk, staging))
    return state


async def subject(tx: Tx, staging: str) -> bytes:
    """What an approval covers: every staged record by its keyed index, who is left out, and whether the rest leaves."""
    row = await tx.get("library_import", staging)
    batches = await tx.all("import_batch", import_id=staging, order=["number"])
    told = TH("lotroom/v1/import-batches", *(bytes(each["digest"]) + each["data"].encode() for each in batches))
    return TH("lotroom/v1/import", dumps({"batches": told.hex(), "centre": row["centre"], "id": staging, "mode": row["mode"]}))


async def waiting_subject(tx: Tx, staging: str) -> bytes | None:
    """What is to be approved as it is now; None where nothing is."""
    row = await tx.one("library_import", id=staging)
    return await subject(tx, staging) if row is not None and row["state"] == "waiting" else None


async def approved(tx: Tx, staging: str, by: str) -> None:
    """In the transaction of the last approval."""
    await experts.go_on(tx, staging, "approved", by)


async def go_on(desk: Desk, staging: str, caller: Caller) -> None:
    """Begin again where an import stopped. Raises Refused where it did not."""
    async with desk.store.reading() as tx:
        row = await _row(desk, tx, staging, caller, "library.import")
        _in(row, "applying")
    if desk.tasks.runs(f"import/{staging}"):
        raise Refused("library_busy", "import")
    desk.tasks.start(f"import/{staging}", apply(desk, staging))


async def drop(desk: Desk, staging: str, caller: Caller) -> None:
    """Not this file. What was staged is forgotten. Raises Refused where it is in the library already."""
    by = caller.person

    async def work(tx: Tx) -> str:
        row = await _row(desk, tx, staging, caller, "library.import")
        _in(row, "staging", "ready", "waiting", "approved")
        await experts.go_on(tx, staging, "dropped", by, finished_at=tx.now)
        await _forget(tx, staging)
        return str(row["centre"])

    centre = await desk.store.write(work, caller.request.now)
    await desk.keeper.forget_staging(centre, staging)


async def _forget(tx: Tx, staging: str) -> None:
    await tx.remove("import_batch", import_id=staging)
    await tx.remove("import_row", import_id=staging)


async def apply(desk: Desk, staging: str) -> None:
    """From the first batch that is not in to the end. Every step may be done twice; what a kill cuts off is done again."""
    async with desk.store.reading() as tx:
        row = await tx.get("library_import", staging)
        centre, by = row["centre"], row["person"] or "console"
        known = await experts.known(tx, centre)
        rows = await tx.all("import_batch", import_id=staging, order=["number"])
    staged = {each["number"]: experts.lines_of(each) for each in rows}
    batches = [each["number"] for each in rows if each["applied_at"] is None]
    made = difference(known, (line for lines in staged.values() for line in lines), whole=row["mode"] == WHOLE)
    wanted = {
        line.number: known[line.number].id if line.number in known else expert_id(staging, line.number)
        for line in (*made.joins, *made.changes)
    }
    total = sum(map(len, staged.values())) + len(made.leaves)
    done = sum(len(lines) for number, lines in staged.items() if number not in batches)
    keeping: deque[asyncio.Task[None]] = deque()

    async def keep(number: int) -> None:
        ids = [wanted.get(each.number, "") if not each.skipped else "" for each in staged[number]]
        if any(ids):
            await desk.keeper.keep_experts(centre, staging, number, ids, more=True)

    try:
        for place, number in enumerate(batches):
            # The keeper seals the next batches while this one's rows are written. If we crash here, records are sealed that no row names yet.
            while len(keeping) < AHEAD and place + len(keeping) < len(batches):
                keeping.append(asyncio.create_task(keep(batches[place + len(keeping)])))
            await keeping.popleft()
            lines = staged[number]
            done += len(lines)
            named = [(wanted[each.number], each) for each in lines if each.number in wanted and not each.skipped]

            async def work(tx: Tx, named: list[tuple[str, Line]] = named, number: int = number, done: int = done) -> None:
                await experts.put_in(tx, centre, staging, named, by)
                await tx.set("import_batch", {"applied_at": tx.now}, import_id=staging, number=number)
                await experts.told(tx, staging, "applying", done, total)

            await desk.store.write(work, desk.now())
    finally:
        for each in keeping:
            each.cancel()
    for start in range(0, len(made.leaves), RETIRED):
        some = made.leaves[start : start + RETIRED]
        await desk.keeper.retire_experts(centre, some, staging)
        done += len(some)

        async def leave(tx: Tx, some: Sequence[str] = some, done: int = done) -> None:
            await experts.take_out(tx, some, by)
            await experts.told(tx, staging, "applying", done, total)

        await desk.store.write(leave, desk.now())
    await desk.keeper.forget_staging(centre, staging)

    async def end(tx: Tx) -> None:
        await experts.go_on(tx, staging, "done", by, finished_at=tx.now)
        await _forget(tx, staging)
        await experts.told(tx, staging, "done", total, total)

    await desk.store.write(end, desk.now())


async def fill(desk: Desk, centre: str, kind: str, data: bytes, by: str | None = None) -> int:
    """A whole library at once, by a command and without approval: the first day, demonstrations, measurements. How many are in it now.

    Raises Refused where the file is not right to the last row, or the centre has a library already.
    """

    async def begin(tx: Tx) -> str:
        if await tx.count("expert", centre=centre):
            raise Refused("library_busy", "import")
        return await _new(tx, centre, PART, by)

    staging = await desk.store.write(begin, desk.now())
    await stage(desk, staging, centre, kind, data, by)
    async with desk.store.reading() as tx:
        row = await tx.get("library_import", staging)
        told = await tx.one("progress", id=staging)
    if row["state"] != "ready" or row["bad"]:
        data_of = loads(told["data"].encode(), place="progress", text=True) if told and told["data"] else {}
        raise Refused(data_of.get("code", "import_unfinished"), "file", **{"count": row["bad"], **data_of.get("params", {})})
    await desk.store.write(lambda tx: experts.go_on(tx, staging, "applying", by or "console"), desk.now())
    await apply(desk, staging)
    return int(row["joins"])
