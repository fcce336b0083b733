"""The log as auditors read it: the latest leaves first, those about one object, some pages back at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from drawing.canonical import loads
from drawing.errors import Refused
from drawing.merkle import leaf_hash
from server.storage.log import Log
from server.storage.tx import Tx

PAGE, LOOKED_AT = 50, 20_000  # rows shown, and leaves looked at for them
LOOKED_AT_FOR_ONE = 400_000  # where one thing is asked about: most leaves are passed over by their bytes alone


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf: `what` it says happened, about which `thing` (an id), by whom. `form`: of whose words `what` is, such as draw/v1. `digest` is of the leaf."""

    index: int
    at: int
    form: str
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
    wanted = thing.encode()
    least = max(0, end - (LOOKED_AT_FOR_ONE if wanted else LOOKED_AT))
    while end > least and len(found) < PAGE:
        start = max(least, end - (5_000 if wanted else 500))
        leaves = await log.entries(start, end)
        for index in range(end - 1, start - 1, -1):
            if wanted not in leaves[index - start]:
                continue
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
        str(get("v") or ""),
        str(get("why") or get("event") or get("type") or ""),
        str(get("table") or ("draw" if get("project") else "")),
        str(thing),
        str(get("by") or ""),
        leaf_hash(leaf).hex(),
    )


@dataclass(frozen=True, slots=True)
class Epoch:
    """A new name of the log, begun because a witness had seen more than the log held: `index` of its leaf, the name and size before, how many entries
    the witness had `seen`, and the people who approved it. Nobody approved where the log has no leaf that says so.
    """

    origin: str
    at: int
    index: int
    before: str
    size: int
    seen: int
    why: str
    approved: tuple[str, ...]


async def epochs(tx: Tx) -> tuple[Epoch, ...]:
    """All but the first, the newest first. From what was signed and from the leaves before the first checkpoint of each name."""
    signed = await _signed(tx)
    head = await tx.head()
    if head.origin not in {each.origin for each in signed}:  # begun, and nothing is signed under it yet
        signed.append(_Signed(head.origin, head.size, head.size))
    found = [await _epoch(tx, before, after) for before, after in pairwise(signed)]
    return tuple(reversed(found))


@dataclass(frozen=True, slots=True)
class _Signed:
    """A name of the log with the sizes of its first and its last checkpoint."""

    origin: str
    first: int
    last: int


async def _signed(tx: Tx) -> list[_Signed]:
    """The names, the oldest first: a step over the table's key for each, however many checkpoints there are."""
    found, name = [], ""
    while rows := await tx.all("checkpoint", {"origin >": name}, order=["origin", "size"], limit=1):
        name = str(rows[0]["origin"])
        (last,) = await tx.all("checkpoint", origin=name, order=["-size"], limit=1)
        found.append((int(rows[0]["number"]), _Signed(name, int(rows[0]["size"]), int(last["size"]))))
    return [each for _, each in sorted(found, key=lambda each: each[0])]


async def _epoch(tx: Tx, before: _Signed, after: _Signed) -> Epoch:
    """From the leaf with which the keeper begins one (server.keeper.approvals)."""
    for index, leaf in enumerate(await Log(tx).entries(before.last, after.first), before.last):
        if b'"epoch_begun"' not in leaf:
            continue
        value: Any = loads(leaf, place="log", text=True)
        if value.get("event") == "epoch_begun" and value.get("origin") == before.origin:
            seen = max((int(each["size"]) for each in value["seen"]), default=0)
            people = tuple(map(str, value["approved"]))
            return Epoch(after.origin, value["at"], index, before.origin, value["size"], seen, str(value["why"]), people)
    return Epoch(after.origin, 0, before.last, before.origin, before.last, 0, "", ())


async def verified(tx: Tx) -> tuple[int, bool] | None:
    """The size of the newest checkpoint, and whether the leaves have its root; None where there is no checkpoint yet."""
    log = Log(tx)
    newest = await log.newest()
    if newest is None:
        return None
    return newest["size"], await log.root(newest["size"]) == bytes(newest["root"])
