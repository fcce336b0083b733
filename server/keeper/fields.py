"""Personal data: sealed where the keeper keeps it, opened for those entitled, found without being read.

An object is `kind:centre:id`; its kind says who opens it and what must be approved first (`rules.OBJECTS`). A value lies in the annex under
its object's key. `equal` keeps a blind index beside it; `name` an entry of the centre's name index: sealed, padded, read only in the child.
Opening writes who, what and why, sealed, and a leaf with its digest, before the first value leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from drawing.model import many, nested, shape_of, time, unicode_text, word
from server.keeper import keys
from server.keeper.approvals import approved
from server.keeper.core import Core, leaf
from server.keeper.keys import DataKey, Place, object_key_id
from server.keeper.own import owned
from server.keeper.people import grants_of, person_of_pass, vouched_for
from server.keeper.rules import OBJECTS, Kind
from server.keeper.store import Change, Row
from server.keeper.vault import FOREVER
from server.keeper.verbs import At, BlindIndex, Done, Field, Found, Opened, OpenFields, SealFields, SearchNames, Value

_INLINE = 65_536  # bytes sealed or opened without the child: 200 values of a few hundred bytes take 5 ms
_PAGE = 1_000
_INDEX = "name"  # the column of an index row
MOST_INDEXED = 200_000


@dataclass(frozen=True, slots=True)
class Access:
    """One opening, for the audit: read with the keys only."""

    at: Annotated[int, time]
    fields: Annotated[tuple[At, ...], many(nested(At), 1, 200)]
    person: Annotated[str, word]
    reason: Annotated[str, unicode_text(400)]


def kind_of(name: str) -> tuple[Kind, str, str]:
    """An object's kind, centre and id. Raises Refused("unknown_object")."""
    kind, _, rest = name.partition(":")
    centre, _, own = rest.partition(":")
    if kind not in OBJECTS or not centre or not own:
        raise Refused("unknown_object", "object", kinds=", ".join(OBJECTS))
    return OBJECTS[kind], centre, own


def index_object(centre: str, table: str, column: str) -> str:
    return f"names:{centre}:{table}.{column}"


async def seal_fields(core: Core, ask: SealFields) -> Done:
    """All fields of the call or none, with their indexes."""
    kind, centre, _ = kind_of(ask.object)
    places = [Place(each.table, each.row, each.column) for each in ask.fields]
    if kind is OBJECTS["names"] or len(set(places)) != len(places):
        raise Refused("unknown_object", "object", kinds=", ".join(OBJECTS))
    key = await core.vault.make_data_key(ask.object, ask.not_before, ask.least)
    envelopes = await _seal(core, key, places, [each.value for each in ask.fields])
    changes = [Change("annex", (each.table, each.row, each.column), value) for each, value in zip(places, envelopes, strict=True)]
    changes += _blind_changes(core, ask.fields)
    changes += await _name_changes(core, centre, [each for each in ask.fields if each.index == "name"])
    await core.vault.write(changes)
    return Done()


def _blind_changes(core: Core, fields: tuple[Field, ...]) -> list[Change]:
    ring = core.vault.ring
    return [
        Change(
            "blind",
            (each.table, each.row, each.column),
            keys.blind(ring.purpose("index"), ring.newest, each.table, each.column, each.value) if each.index == "equal" else None,
        )
        for each in fields
    ]


async def _name_changes(core: Core, centre: str, fields: list[Field]) -> list[Change]:
    changes = []
    for table, column in sorted({(each.table, each.column) for each in fields}):
        mine = [each for each in fields if (each.table, each.column) == (table, column)]
        name = index_object(centre, table, column)
        entries = (await core.child.run("index_entries", values=[each.value.hex() for each in mine]))["values"]
        key = await core.vault.make_data_key(name, FOREVER)
        places = [Place(name, each.row, _INDEX) for each in mine]
        envelopes = await _seal(core, key, places, [bytes.fromhex(each) for each in entries])
        changes += [Change("annex", (name, each.row, _INDEX), value) for each, value in zip(mine, envelopes, strict=True)]
    return changes


async def _seal(core: Core, key: DataKey, places: list[Place], values: list[bytes]) -> list[bytes]:
    vault = core.vault
    if sum(map(len, values)) <= _INLINE:
        return [
            keys.seal(vault.ring.suite, key.key, key.id, place, value, vault.chance) for place, value in zip(places, values, strict=True)
        ]
    got = await core.child.run(
        "seal_many",
        suite=vault.ring.suite.id,
        key=key.key,
        key_id=key.id.hex(),
        places=[_json(each) for each in places],
        values=[each.hex() for each in values],
    )
    return [bytes.fromhex(each) for each in got["envelopes"]]


# Opening --------------------------------------------------------------------------------------------------------------------------------


async def open_fields(core: Core, ask: OpenFields) -> Opened:
    """The values, for a person with a right to each. Raises Refused where one field is not for them: then none leaves."""
    vault = core.vault
    person = await person_of_pass(core, ask.token, ask.login)
    rows = await vault.store.read("annex", [(each.table, each.row, each.column) for each in ask.fields])
    there = [row for row in rows if row is not None]
    held = {key_id: await vault.data_key(key_id) for key_id in {keys.key_id_of(row.value) for row in there}}
    for each in held.values():
        await _may_open(core, each, person, ask.approved)
    values = iter(await _open(core, there, held))
    result = Opened(tuple(Value(False, b"") if row is None else Value(True, next(values)) for row in rows))
    now = core.clock()
    access = Access(now, ask.fields, person, ask.reason)
    record = vault.put_state(f"access/{now:012d}/{vault.chance(8).hex()}", access, 0)
    places = TH("keeper/v1/places", dumps([shape_of(At).write(each) for each in ask.fields]))
    told = leaf("opened_fields", now, person=person, places=places.hex(), record=sha256(record.value or b"").hexdigest())
    await vault.write([record, told])  # if we crash before this returns, nothing was shown; the record may then say more than happened
    return result


async def _may_open(core: Core, key: DataKey, person: str, subject: bytes | None) -> None:
    kind, centre, own = kind_of(key.object)
    if key.not_before > core.clock():
        raise Refused("not_yet", "object", until=key.not_before)
    # Anybody on the socket enrols a code for a person who has nothing yet: such a code opens nothing, not even what is that person's own.
    theirs = kind.own and (own == person or own == (await owned(core.vault, person)).expert)
    mine = theirs and await vouched_for(core.vault, person)
    if not mine and not (await grants_of(core.vault, person)).value.holds(kind.roles, centre):
        raise Refused("not_entitled", "person")
    if kind.action:
        if subject is None:
            raise Refused("not_approved", "approved", action=kind.action)
        await approved(core, subject, kind.action, key.object, centre, key.least)


async def _open(core: Core, rows: list[Row], held: dict[bytes, DataKey]) -> list[bytes]:
    if sum(len(row.value) for row in rows) <= _INLINE:
        return [keys.open_envelope(held[keys.key_id_of(row.value)].key, _place(row), row.value) for row in rows]
    got = await core.child.run(
        "open_many",
        keys={key_id.hex(): each.key for key_id, each in held.items()},
        places=[list(row.key) for row in rows],
        envelopes=[row.value.hex() for row in rows],
    )
    return [bytes.fromhex(each) for each in got["values"]]


# Finding --------------------------------------------------------------------------------------------------------------------------------


async def search_names(core: Core, ask: SearchNames) -> Found:
    """Row ids of the names of one centre that fit: part of the name, pinyin from a syllable on, or initials."""
    vault = core.vault
    person = await person_of_pass(core, ask.token, ask.login)
    if not (await grants_of(vault, person)).value.holds(OBJECTS["names"].roles, ask.centre):
        raise Refused("not_entitled", "person")
    name = index_object(ask.centre, ask.table, ask.column)
    try:
        key = await vault.data_key(object_key_id(name))
    except Refused as missing:
        if missing.code == "no_such_key":
            return Found(())
        raise
    found: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(MOST_INDEXED // _PAGE):
        rows = await vault.store.scan("annex", (name,), after, _PAGE)
        if rows:
            got = await core.child.run(
                "search",
                key=key.key,
                query=ask.query,
                limit=ask.limit - len(found),
                places=[list(row.key) for row in rows],
                envelopes=[row.value.hex() for row in rows],
            )
            found += got["rows"]
        if len(rows) < _PAGE or len(found) >= ask.limit:
            break
        after = rows[-1].key
    return Found(tuple(found))


async def blind_index(core: Core, ask: BlindIndex) -> Found:
    """During a rotation rows are found under the old and the new index key alike."""
    ring = core.vault.ring
    wanted = [keys.blind(ring.purpose("index", each), each, ask.table, ask.column, ask.value) for each in ring.generations]
    return Found(tuple(await core.vault.store.find(ask.table, ask.column, wanted)))


def _place(row: Row) -> Place:
    table, key, column = row.key
    return Place(table, key, column)


def _json(place: Place) -> list[str]:
    return [place.table, place.row, place.column]
