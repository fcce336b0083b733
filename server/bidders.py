"""A list of bidders on its way to the keeper: what stands in it, how it is sealed to a draw's box, and how it opens there.

    plain    the set AVOID_ENTERPRISE_LIST of server/exchange.py, as JSON or XML, or a JSON list of {"name", "code" = "", "persons" = []}; a person is {"name", "id_number", "role"}. At most MOST_PLAIN bytes
    sealed   HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message: enc 32 bytes || ciphertext.
             info = "lotroom/v1/bidders/" || id of the draw; no additional data

The box has one key for each draw, so a list that was sealed for another draw does not open. web/static/js/bidders/seal.js writes the same bytes.
No keys, files or clock are kept here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from drawing.canonical import dumps
from drawing.errors import Refused
from server import exchange

MOST_PLAIN = 30_000  # bytes: a sealed list comes to the keeper in one frame; a longer one comes as two lists
MOST_SEALED = MOST_PLAIN + 48  # enc and tag
MOST_BIDDERS, MOST_PERSONS, MOST_TEXT = 500, 50, 200
MOST_LISTS = 20  # of one draw
TITLES = ("投标人名称", "投标人", "名称", "name", "bidder")  # a first row that begins so is a header
SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM"
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def box_public(secret: bytes) -> bytes:
    """The public key of a box whose private key these 32 bytes are."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def seal(plain: bytes, box: bytes, draw: str) -> bytes:
    """What a sender does. `box`: the draw's public key. Raises Refused("bidders_too_large")."""
    if len(plain) > MOST_PLAIN:
        raise Refused("bidders_too_large", "bidders", most=MOST_PLAIN)
    return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(box), info_of(draw))


def unseal(sealed: bytes, secret: bytes, draw: str) -> bytes:
    """What was sealed to this draw's box. Raises Refused: bidders_too_large, bidders_not_for_this_box."""
    if len(sealed) > MOST_SEALED:
        raise Refused("bidders_too_large", "bidders", most=MOST_PLAIN)
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(secret), info_of(draw))
    except (InvalidTag, ValueError):
        raise Refused("bidders_not_for_this_box", "bidders") from None


def info_of(draw: str) -> bytes:
    """What binds a sealed list to its draw."""
    return b"lotroom/v1/bidders/" + draw.encode()


def content_of(plain: bytes) -> bytes:
    """The list in canonical form, as the draw compares it (draw.md 7.3 `bidders`). Raises Refused with the place in the list."""
    try:
        text = plain.decode("utf-8")
        value = exchange.bidders_of(exchange.read(text, "xml")) if text.startswith("<") else json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("not_a_bidder_list", "bidders") from None
    if isinstance(value, dict):
        value = exchange.bidders_of(exchange.read(text, "json"))
    if not isinstance(value, list) or not 0 < len(value) <= MOST_BIDDERS:
        raise Refused("not_a_bidder_list", "bidders")
    return dumps([_bidder(each, f"bidders[{number}]") for number, each in enumerate(value)], text=True)


def _bidder(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() - {"code", "name", "persons"}:
        raise Refused("not_a_bidder_list", place)
    persons = value.get("persons", [])
    if not isinstance(persons, list) or len(persons) > MOST_PERSONS:
        raise Refused("not_a_bidder_list", place)
    name, code = _text(value, "name", place), _text(value, "code", place)
    if not name and not code:
        raise Refused("bidder_without_name", place)
    return {"code": code, "name": name, "persons": [_person(each, place) for each in persons]}


def _person(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or value.keys() - {"id_number", "name", "role"}:
        raise Refused("not_a_bidder_list", place)
    return {key: _text(value, key, place) for key in ("id_number", "name", "role")}


def _text(value: dict[str, Any], key: str, place: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str) or len(found) > MOST_TEXT or not found.replace("\t", " ").isprintable():
        raise Refused("not_a_bidder_list", place)
    return found.strip()


# Sheets -----------------------------------------------------------------------------------------------------------------------------------------


def plain_of(rows: Sequence[Sequence[Any]]) -> bytes:
    """The list from rows of name, code, person, the person's ID number, role; a bidder whose row comes again has one person more.

    Raises Refused: bidders_empty, bidder_without_name, too_many_columns.
    """
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for number, row in enumerate(rows):
        cells = ["" if cell is None else str(cell).strip() for cell in row]
        if not any(cells) or (number == 0 and cells[0].lower() in TITLES):
            continue
        if any(cells[5:]):
            raise Refused("too_many_columns", "bidders", most=5)
        name, code, person, id_number, role = (cells + [""] * 5)[:5]
        if not name and not code:
            raise Refused("bidder_without_name", f"bidders[{number}]")
        persons = found.setdefault((name, code), [])
        if person or id_number:
            persons.append({"id_number": id_number, "name": person, "role": role})
    if not found:
        raise Refused("bidders_empty", "bidders")
    value = [{"code": code, "name": name, "persons": persons} for (name, code), persons in found.items()]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def rows_of_text(text: str) -> list[list[str]]:
    """Rows of pasted text or of a csv file: commas (also full-width ones) or tabs. Raises Refused("not_a_table")."""
    lines = text.lstrip("\ufeff").replace("，", ",")
    mark = "\t" if "\t" in lines else ","
    try:
        return list(csv.reader(io.StringIO(lines, newline=""), delimiter=mark, strict=True))
    except csv.Error:
        raise Refused("not_a_table", "bidders") from None
