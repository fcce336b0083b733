"""What one expert gets after `closed`: the own leaf, decision, row, chance and answers, with the paths that tie them to the commit.

The record is the expert's own; nobody else's data is in it. The roll's head is (types and number of rows), so that the row's path has a
size. See docs/spec/draw.md 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused
from drawing.events import MAX_SLOTS, MAX_TREE
from drawing.model import Shape, big, digest, hexes, many, nested, shape_of, whole
from drawing.pool import ROW

VERSION = "lotroom-receipt/1"
MAX_FILE = 8 << 20

_path = many(digest, 0, 64)
_index = whole(0, MAX_TREE)


def _hex_of_any(most: int) -> Shape[bytes]:
    def read(value: Any, place: str) -> bytes:
        if not isinstance(value, str) or len(value) > 2 * most:
            raise Refused("not_text", place)
        return unhex(value, len(value) // 2, place)

    return Shape(read, bytes.hex)


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """The private text of one answer of this expert, and its salt."""

    content: Annotated[bytes, _hex_of_any(65_535)]
    salt: Annotated[bytes, digest]
    seq: Annotated[int, whole(0, 1_000_000)]
    slot: Annotated[int, whole(0, MAX_SLOTS - 1)]


@dataclass(frozen=True, slots=True)
class OwnRow:
    """The own row of the roll with its chance (numerator over the committed total); absent where the expert was not eligible."""

    chance: Annotated[int, big]
    chance_path: Annotated[tuple[bytes, ...], _path]
    head: Annotated[bytes, _hex_of_any(1 << 20)]
    index: Annotated[int, _index]
    path: Annotated[tuple[bytes, ...], _path]
    row: Annotated[bytes, hexes(ROW)]


@dataclass(frozen=True, slots=True)
class Receipt:
    answers: Annotated[tuple[OwnAnswer, ...], many(nested(OwnAnswer), 0, 100)]
    attempt: Annotated[int, whole(1, 10_000)]
    decision: Annotated[bytes, _hex_of_any(65_535)]
    decision_path: Annotated[tuple[bytes, ...], _path]
    index: Annotated[int, _index]
    key: Annotated[bytes, digest]
    project: Annotated[bytes, digest]
    record: Annotated[bytes, _hex_of_any(65_535)]
    row: Annotated[tuple[OwnRow, ...], many(nested(OwnRow), 0, 1)]
    snapshot_path: Annotated[tuple[bytes, ...], _path]


def receipt_bytes(receipt: Receipt) -> bytes:
    return dumps({**shape_of(Receipt).write(receipt), "v": VERSION})


def parse_receipt(data: bytes) -> Receipt:
    """A receipt file. Raises Refused with the place."""
    value = loads(data, place="receipt", max_bytes=MAX_FILE)
    if not isinstance(value, dict) or value.pop("v", None) != VERSION:
        raise Refused("unknown_version", "receipt.v", known=VERSION)
    return shape_of(Receipt).read(value, "receipt")
