"""The child's part of the expert library: records indexed, sealed, masked, found and opened. Values in, values out; tasks of `work.TASKS`.

Of a record (canonical JSON, see server/library) the keeper reads what it needs to find and mask somebody. Three sealed values come of it:

    record   under the expert's own key           all of it, opened for a draw, for a reader with a reason, for a change
    card     under the key of the centre's list   name with its readings, number, phone, professions, region, status: what lists and searches read
    staged   under the import's key               deflated lines, before they are put in

and five blind indexes of 16 bytes, keyed with the centre's list: they survive a rotation, and differ from centre to centre.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from server.keeper import keys
from server.keeper.keys import KEY, DataKey, Keyring, Place, Secret, object_key_id, suite_of
from server.keeper.names import matches, plain_name, readings_of

TABLE = "expert"
STAGED = "library_import"
MOST_RECORD = 8_000  # bytes; an ordinary one has 1,200
MOST_BATCH = 2 << 20  # bytes of a batch, inflated
_PAD = 128
Json = dict[str, Any]


def ring_to_json(ring: Keyring) -> Json:
    return {"roots": {str(number): key for number, key in ring.roots().items()}, "suite": ring.suite.id}


def ring_of(value: Json) -> Keyring:
    return Keyring({int(number): Secret(bytes.fromhex(key)) for number, key in value["roots"].items()}, suite_of(value["suite"]))


def expert_object(centre: str, expert: str) -> str:
    return f"expert:{centre}:{expert}"


def list_object(centre: str) -> str:
    """What the cards of a centre are sealed under, and their table in the annex."""
    return f"names:{centre}:{TABLE}"


def records_of(data: str) -> list[bytes]:
    """The lines of a staged batch. Raises Refused("bad_batch")."""
    try:
        work = zlib.decompressobj()
        plain = work.decompress(base64.b64decode(data, validate=True), MOST_BATCH)
        lines = plain.split(b"\n")
        if not work.eof or work.unused_data or not all(0 < len(each) <= MOST_RECORD for each in lines):
            raise ValueError
        for each in lines:
            if json.loads(each)["status"] not in ("active", "inactive"):
                raise ValueError
    except (ValueError, KeyError, TypeError, zlib.error):
        raise Refused("bad_batch", "experts") from None
    return lines


# Indexes and cards ------------------------------------------------------------------------------------------------------------------------


def indexes_of(key: Secret, line: bytes) -> list[str]:
    """number, phone, unit, record, as hex; and the status."""
    record = json.loads(line)
    employer = record["employer"]
    values = {
        "number": f"{record['id_type']}\0{record['id_number']}".encode(),
        "phone": record["phone"].encode(),
        "unit": f"{employer['code']}\0{employer['name']}".encode(),
        "record": line,
    }
    return [
        *(hmac.digest(key.raw, TH("lotroom/v1/expert", name.encode(), value), "sha256")[:16].hex() for name, value in values.items()),
        record["status"],
    ]


def index(task: Json) -> Json:
    """A batch -> the indexes of each of its records."""
    key = index_key(Secret(bytes.fromhex(task["key"])))
    return {"rows": [indexes_of(key, line) for line in records_of(task["data"])]}


def index_key(key: Secret) -> Secret:
    """For indexes and for the sum of a library, apart from what the list's key seals."""
    return Secret(hmac.digest(key.raw, b"lotroom/v1/expert-index", "sha256"))


def card_of(line: bytes) -> bytes:
    """Padded, so that the length of a name says nothing."""
    record = json.loads(line)
    card = {
        "area": record["area"],
        "leave": [[each["from"], each["to"]] for each in record["leave"]],
        "level": record["title_level"],
        "name": record["name"],
        "number": record["id_number"],
        "phone": record["phone"],
        "professions": record["professions"],
        "readings": "\n".join([plain_name(record["name"]), *readings_of(record["name"])[:16]]),
        "shut": [[each["from"], each["to"]] for each in record["suspensions"]],
        "status": record["status"],
        "title": record["title"],
    }
    text = json.dumps(card, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % _PAD)


def state_of(card: Mapping[str, Any], today: str) -> str:
    """What somebody is on a day: `active` alone can be drawn."""
    if card["status"] != "active":
        return "inactive"
    for name, state in (("shut", "suspended"), ("leave", "leave")):
        if any(begin <= today and (not end or today <= end) for begin, end in card[name]):
            return state
    return "active"


def masked(row: str, card: Mapping[str, Any], today: str) -> Json:
    name, number, phone = card["name"], card["number"], card["phone"]
    return {
        "area": card["area"],
        "level": card["level"],
        "name": name[:1] + "*" * max(1, min(len(name) - 1, 8)),
        "number": number[:3] + "*" * max(1, len(number) - 5) + number[-2:] if len(number) > 8 else "*" * len(number),
        "phone": phone[:3] + "****" + phone[-2:],
        "professions": card["professions"],
        "row": row,
        "state": state_of(card, today),
        "title": card["title"],
    }


def _cards(task: Json) -> Iterator[tuple[str, Json]]:
    key = Secret(bytes.fromhex(task["key"]))
    for place, envelope in zip(task["places"], task["envelopes"], strict=True):
        yield place[1], json.loads(keys.open_envelope(key, Place(*place), bytes.fromhex(envelope)))


def read(task: Json) -> Json:
    """Cards -> what lists show of them."""
    return {"cards": [masked(row, card, task["today"]) for row, card in _cards(task)]}


def find(task: Json) -> Json:
    """Cards and what is looked for -> the ids that fit."""
    query, wanted = plain_name(task["query"]), task["state"]
    found = []
    for row, card in _cards(task):
        if (
            card["area"].startswith(task["area"])
            and any(each.startswith(task["profession"]) for each in card["professions"])
            and (not wanted or state_of(card, task["today"]) == wanted)
            and (not query or matches(card["readings"], query))
        ):
            found.append(row)
    return {"rows": found}


# Records ----------------------------------------------------------------------------------------------------------------------------------


def seal_staged(task: Json) -> Json:
    """A staged batch, and for each record the expert's id ("": left out) and wrapped key ("": to be made) -> sealed rows."""
    key = Secret(bytes.fromhex(task["staging_key"]))
    data = keys.open_envelope(key, Place(*task["staging_place"]), bytes.fromhex(task["staged"])).decode()
    lines = records_of(data)
    if len(lines) != len(task["ids"]):
        raise Refused("bad_batch", "experts")
    return _seal(
        task, [(expert, wrapped, line) for expert, wrapped, line in zip(task["ids"], task["wrapped"], lines, strict=True) if expert]
    )


def retire(task: Json) -> Json:
    """Sealed records -> the same, of people who are not drawn any more."""
    rows = []
    for expert, wrapped, line in zip(task["ids"], task["wrapped"], _records(task), strict=True):
        rows.append((expert, wrapped, dumps({**json.loads(line), "status": "inactive"}, text=True)))
    return _seal(task, rows)


def open_records(task: Json) -> Json:
    """Sealed records with their wrapped keys -> the records, as text."""
    return {"records": [line.decode() for line in _records(task)]}


def _records(task: Json) -> Iterator[bytes]:
    ring = ring_of(task["ring"])
    for expert, wrapped, envelope in zip(task["ids"], task["wrapped"], task["envelopes"], strict=True):
        held = keys.unwrap(ring, object_key_id(expert_object(task["centre"], expert)), bytes.fromhex(wrapped))
        yield keys.open_envelope(held.key, Place(TABLE, expert, "record"), bytes.fromhex(envelope))


def _seal(task: Json, rows: list[tuple[str, str, bytes]]) -> Json:
    """Of each: the wrapped key where it is new, the record, the card, and the index of the record."""
    ring, chance = ring_of(task["ring"]), secrets.token_bytes
    suite, name = ring.suite, list_object(task["centre"])
    list_key, list_id = Secret(bytes.fromhex(task["list_key"])), bytes.fromhex(task["list_key_id"])
    out = []
    for expert, wrapped, line in rows:
        about = expert_object(task["centre"], expert)
        key_id = object_key_id(about)
        held = keys.unwrap(ring, key_id, bytes.fromhex(wrapped)) if wrapped else DataKey(key_id, Secret(chance(KEY)), about, 0, 0)
        out.append(
            [
                expert,
                "" if wrapped else keys.wrap(ring, held, chance).hex(),
                keys.seal(suite, held.key, key_id, Place(TABLE, expert, "record"), line, chance).hex(),
                keys.seal(suite, list_key, list_id, Place(name, expert, "card"), card_of(line), chance).hex(),
            ]
        )
    return {"rows": out}
