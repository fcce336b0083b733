"""The log as auditors read it: the latest leaves first, those about one object, some pages back at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drawing.canonical import loads
from drawing.errors import Refused
from drawing.merkle import leaf_hash
from server.storage.log import Log
from server.storage.tx import Tx

PAGE, LOOKED_AT = 50, 20_000  # rows shown, and leaves looked at for them


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf: `what` it says happened, about which `thing` (an id), by whom. `digest` is of the leaf."""

    index: int
    at: int
    what: str
    table: str
    thing: str
    by: str
    digest: str


@dataclass(frozen=True, slots=True)
class Page:
    """`earlier`: the index below which the next page begins, 0 where there is none."""

    entries: tuple[Entry, ...]
    size: int
    earlier: int


async def read(tx: Tx, thing: str = "", table: str = "", since: int = 0, until: int = 0, before: int | None = None) -> Page:
    """Entries below index `before` (None: the newest) about `thing` or by it, from `since` to before `until` (0: no end)."""
    log = Log(tx)
    size = await log.size()
    end = size if before is None else min(before, size)
    found: list[Entry] = []
    least = max(0, end - LOOKED_AT)
    while end > least and len(found) < PAGE:
        start = max(least, end - 500)
        leaves = await log.entries(start, end)
        for index in range(end - 1, start - 1, -1):
            entry = _entry(index, leaves[index - start])
            if _fits(entry, thing, table, since, until):
                found.append(entry)
                if len(found) == PAGE:
                    return Page(tuple(found), size, index)
        end = start
    return Page(tuple(found), size, end)


def _fits(entry: Entry, thing: str, table: str, since: int, until: int) -> bool:
    return (
        (not thing or thing in (entry.thing, entry.by))
        and (not table or entry.table == table)
        and since <= entry.at
        and (not until or entry.at < until)
    )


def _entry(index: int, leaf: bytes) -> Entry:
    value: Any = {}
    try:
        value = loads(leaf, place="log", text=True)
    except Refused:  # somebody else's leaf: it is shown by its digest
        value = {}
    get = value.get if isinstance(value, dict) else {}.get
    at = get("at", 0)
    thing = get("row") or get("stream") or get("project") or get("person") or get("origin") or ""
    return Entry(
        index,
        at if isinstance(at, int) else 0,
        str(get("why") or get("event") or get("type") or ""),
        str(get("table") or ("draw" if get("project") else "")),
        str(thing),
        str(get("by") or ""),
        leaf_hash(leaf).hex(),
    )


async def verified(tx: Tx) -> tuple[int, bool] | None:
    """The size of the newest checkpoint, and whether the leaves have its root; None where there is no checkpoint yet."""
    log = Log(tx)
    newest = await log.newest()
    if newest is None:
        return None
    return newest["size"], await log.root(newest["size"]) == bytes(newest["root"])
