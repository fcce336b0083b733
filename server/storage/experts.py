"""Experts and imports as rows: blind indexes, states, counts. What somebody is called is the keeper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drawing.canonical import dumps, loads
from server.library.difference import LEFT, Known, Line
from server.storage.tx import Row, Tx

MOST = 600_000


async def known(tx: Tx, centre: str) -> dict[bytes, Known]:
    """Everybody of a centre by the index of the ID number, also those who left."""
    rows = await tx.all("expert", centre=centre, limit=MOST)
    return {bytes(row["number_index"]): known_of(row) for row in rows}


def known_of(row: Row) -> Known:
    return Known(row["id"], bytes(row["unit_index"] or b""), bytes(row["record_digest"]), row["status"], row["version"])


def values_of(line: Line, staging: str) -> dict[str, Any]:
    """The columns that a staged record decides."""
    return {
        "number_index": line.number,
        "phone_index": line.phone,
        "unit_index": line.unit,
        "record_digest": line.record,
        "status": line.status,
        "import_id": staging,
        "removed_at": None,
    }


async def put_in(tx: Tx, centre: str, staging: str, lines: Sequence[tuple[str, Line]], by: str) -> None:
    """Rows of these experts as the records say; what is so already stays, so that the same again is the same."""
    there = {row["id"]: row for row in await tx.all("expert", {"id in": [each for each, _ in lines]})}
    new = [
        {"id": expert, "centre": centre, "added_at": tx.now, **values_of(line, staging)} for expert, line in lines if expert not in there
    ]
    await tx.insert_all("expert", new, by, "import")
    for expert, line in lines:
        row = there.get(expert)
        if row is not None and (bytes(row["record_digest"]) != line.record or row["status"] == LEFT):
            await tx.change("expert", expert, values_of(line, staging), by, row["version"], "import")


async def take_out(tx: Tx, experts: Sequence[str], by: str, why: str = "import") -> None:
    """They left."""
    for row in await tx.all("expert", {"id in": list(experts), "status !=": LEFT}):
        await tx.change("expert", row["id"], {"status": LEFT, "removed_at": tx.now}, by, row["version"], why)


# Batches ----------------------------------------------------------------------------------------------------------------------------------


def batch_row(staging: str, lines: Sequence[Line], digest: bytes) -> dict[str, Any]:
    return {"import_id": staging, "number": lines[0].batch, "digest": digest, "data": batch_data(lines), "applied_at": None}


def batch_data(lines: Sequence[Line]) -> str:
    told = [
        [each.row, each.number.hex(), each.phone.hex(), each.unit.hex(), each.record.hex(), each.status, int(each.skipped)]
        for each in lines
    ]
    return dumps(told).decode()


def lines_of(row: Row) -> list[Line]:
    return [
        Line(row["number"], place, *_line(each))
        for place, each in enumerate(loads(row["data"].encode(), place="import_batch", max_bytes=1 << 20))
    ]


def _line(each: Sequence[Any]) -> tuple[int, bytes, bytes, bytes, bytes, str, bool]:
    row, number, phone, unit, record, status, skipped = each
    return row, bytes.fromhex(number), bytes.fromhex(phone), bytes.fromhex(unit), bytes.fromhex(record), status, bool(skipped)


async def staged(tx: Tx, staging: str) -> list[Line]:
    """All staged records of an import, in their order."""
    rows = await tx.all("import_batch", import_id=staging, order=["number"])
    return [line for row in rows for line in lines_of(row)]


# Imports ----------------------------------------------------------------------------------------------------------------------------------


async def go_on(tx: Tx, staging: str, state: str, by: str, **values: Any) -> None:
    """An import in its next state."""
    row = await tx.get("library_import", staging)
    await tx.change("library_import", staging, {"state": state, **values}, by, row["version"], "import")


async def told(tx: Tx, staging: str, state: str, done: int, total: int, data: Mapping[str, Any] | None = None) -> None:
    """How far it is, for who watches."""
    values = {"state": state, "done": done, "total": total, "updated_at": tx.now, "data": dumps(data, text=True).decode() if data else None}
    if not await tx.set("progress", values, id=staging):
        await tx.put("progress", {"id": staging, "kind": "import", "created_at": tx.now, **values})
