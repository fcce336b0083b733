"""The roll: nameless rows, all that counting and drawing need, and the file that holds them (docs/spec/draw.md 2, 7.2).

Under `fair/1` the roll has a table (drawing/certificate.py): weights, and the prices that show what chances could be at best.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from drawing import merkle
from drawing.canonical import TH, dumps, loads, unhex
from drawing.certificate import MAX_TABLE, Table, read_table, table_digest
from drawing.errors import Refused
from drawing.events import MAX_TREE, Plan, RollDigest
from drawing.fair import Field, Type
from drawing.model import flag, many, read_object, whole
from drawing.pool import ROW, cut, histogram_bytes, type_key

ROLL_MAGIC = b"lotroom-roll/1\n"
MAX_ROLL = 32 << 20
MAX_HEAD = 1 << 20
PLAIN, TABLED = "lotroom-roll/1", "lotroom-roll/2"  # without and with a table


@dataclass(frozen=True)
class Roll:
    """The nameless rows of one commit (or extension): `head` is canonical JSON {rows, salt, types, v}, `rows` are ROW bytes each.

    With a table the head has its digest in `table`.
    """

    head: bytes
    salt: bytes
    types: tuple[Type, ...]
    rows: bytes
    table_bytes: bytes = b""

    @property
    def size(self) -> int:
        return len(self.rows) // ROW

    @cached_property
    def tags(self) -> Sequence[bytes]:
        return [self.rows[n : n + 16] for n in range(0, len(self.rows), ROW)]

    @cached_property
    def place_of(self) -> dict[bytes, int]:
        return {tag: n for n, tag in enumerate(self.tags)}

    @cached_property
    def type_numbers(self) -> array[int]:
        rows = self.rows
        return array("H", [(rows[n] << 8) | rows[n + 1] for n in range(16, len(rows), ROW)])

    @cached_property
    def employers(self) -> Sequence[bytes]:
        return [self.rows[n : n + 8] for n in range(18, len(self.rows), ROW)]

    @cached_property
    def field(self) -> Field:
        """The people, with the table's weights. Raises Refused where the table is not one of these people."""
        return self._people.weighed(self.table.weights) if self.table else self._people

    @cached_property
    def _people(self) -> Field:
        return Field(self.types, self.type_numbers, self.employers)

    @cached_property
    def table(self) -> Table | None:
        """Weights and prices under `fair/1`. Raises Refused where it cannot be read."""
        if not self.table_bytes:
            return None
        return read_table(self.table_bytes, self._people, "roll.table")

    @cached_property
    def digest(self) -> RollDigest:
        return RollDigest(head=sha256(self.head).digest(), root=merkle.root(self.row_leaves))

    @cached_property
    def row_leaves(self) -> Sequence[bytes]:
        return [merkle.leaf_hash(self.rows[n : n + ROW]) for n in range(0, len(self.rows), ROW)]

    def histogram(self) -> bytes:
        return histogram_bytes(zip(self.employers, self.type_numbers, strict=True))

    def faults(self) -> Iterator[tuple[str, int]]:
        """What is wrong with the rows themselves: (code, row)."""
        last = b""
        for number, tag in enumerate(self.tags):
            if tag <= last:
                yield "roll_not_sorted", number
            last = tag
        for number, kind in enumerate(self.type_numbers):
            if kind >= len(self.types):
                yield "unknown_type", number
                return
        try:
            _ = self.table
        except Refused as wrong:
            yield wrong.code, -1


def make_roll(types: tuple[Type, ...], salt: bytes, rows: bytes, table: bytes = b"") -> Roll:
    """The roll of a pool, under `fair/1` with its table."""
    listed = [{"recent": t.recent, "seats": list(t.seats), "site": t.site, "weight": t.weight} for t in types]
    head: dict[str, Any] = {"rows": len(rows) // ROW, "salt": salt.hex(), "types": listed, "v": TABLED if table else PLAIN}
    if table:
        head["table"] = table_digest(table).hex()
    return Roll(dumps(head), salt, types, rows, table)


def read_roll_head(head: bytes, place: str) -> tuple[int, bytes, tuple[Type, ...], bytes]:
    """(rows, salt, types, digest of the table or nothing) of a head. Raises Refused."""
    value = loads(head, place=place, max_bytes=MAX_HEAD)
    tabled = isinstance(value, dict) and value.get("v") == TABLED
    value = read_object(value, place, {"rows", "salt", "types", "v"} | ({"table"} if tabled else set()))
    if value["v"] not in (PLAIN, TABLED):
        raise Refused("unknown_version", place, known=PLAIN)
    table = unhex(value["table"], 32, f"{place}.table") if tabled and isinstance(value["table"], str) else b""
    if tabled and not table:
        raise Refused("not_text", f"{place}.table")
    size = whole(0, MAX_TREE).read(value["rows"], f"{place}.rows")
    salt = unhex(value["salt"], 32, f"{place}.salt") if isinstance(value["salt"], str) else b""
    if not salt:
        raise Refused("not_text", f"{place}.salt")
    if not isinstance(value["types"], list) or len(value["types"]) > 4096:
        raise Refused("not_a_list", f"{place}.types")
    types = tuple(_read_type(each, f"{place}.types[{n}]") for n, each in enumerate(value["types"]))
    if list(types) != sorted(set(types), key=type_key):
        raise Refused("not_sorted", f"{place}.types")
    return size, salt, types, table


def _read_type(value: Any, place: str) -> Type:
    got = read_object(value, place, {"recent", "seats", "site", "weight"})
    seats = many(whole(0, 39), 1, 40).read(got["seats"], f"{place}.seats")
    if list(seats) != sorted(set(seats)):
        raise Refused("not_sorted", f"{place}.seats")
    return Type(
        seats,
        whole(-1, 7).read(got["site"], f"{place}.site"),
        flag.read(got["recent"], f"{place}.recent"),
        whole(1, 1 << 32).read(got["weight"], f"{place}.weight"),
    )


@dataclass(frozen=True, slots=True)
class Removed:
    """The rows that a sealed bidder list removed: their tags, sorted, under a salted digest."""

    salt: bytes
    tags: tuple[bytes, ...]

    @property
    def digest(self) -> bytes:
        return TH("draw/v1/removed", self.salt, b"".join(self.tags))


def roll_file(sections: Iterable[Roll | Removed]) -> bytes:
    """The bytes of a roll file: the commit's roll, then in event order each extension's roll and each removed list."""
    out = [ROLL_MAGIC]
    for each in sections:
        if isinstance(each, Roll):
            parts = [each.head, each.rows, *([each.table_bytes] if each.table_bytes else [])]
            kind = 3 if each.table_bytes else 1
        else:
            kind = 2
            parts = [dumps({"rows": len(each.tags), "salt": each.salt.hex(), "v": "lotroom-removed/1"}), b"".join(each.tags)]
        out += [bytes([kind]), *(piece for part in parts for piece in (len(part).to_bytes(4, "big"), part))]
    return b"".join(out)


def parse_roll_file(data: bytes) -> tuple[Roll | Removed, ...]:
    """A roll file. Raises Refused with the section's place."""
    if len(data) > MAX_ROLL:
        raise Refused("too_long", "roll", most=MAX_ROLL)
    if not data.startswith(ROLL_MAGIC):
        raise Refused("not_a_roll", "roll")
    sections: list[Roll | Removed] = []
    at = len(ROLL_MAGIC)
    while at < len(data):
        place = f"roll.section[{len(sections)}]"
        kind = data[at]
        head, at = _counted(data, at + 1, place)
        body, at = _counted(data, at, place)
        if kind in (1, 3):
            size, salt, types, digest = read_roll_head(head, place)
            if len(body) != size * ROW:
                raise Refused("wrong_length", place, least=size, most=size)
            table = b""
            if kind == 3:
                table, at = _counted(data, at, place)
            if len(table) > MAX_TABLE or digest != (table_digest(table) if table else b""):
                raise Refused("other_table", place)
            sections.append(Roll(head, salt, types, body, table))
        elif kind == 2:
            value = read_object(loads(head, place=place), place, {"rows", "salt", "v"})
            if (
                value["v"] != "lotroom-removed/1"
                or not isinstance(value["salt"], str)
                or len(body) != 16 * whole(0, MAX_TREE).read(value["rows"], place)
            ):
                raise Refused("bad_removed_list", place)
            tags = tuple(cut(body, 16))
            if list(tags) != sorted(set(tags)):
                raise Refused("not_sorted", place)
            sections.append(Removed(unhex(value["salt"], 32, place), tags))
        else:
            raise Refused("unknown_section", place)
    if not sections or not isinstance(sections[0], Roll):
        raise Refused("not_a_roll", "roll")
    return tuple(sections)


def _counted(data: bytes, at: int, place: str) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    if at + 4 > len(data) or end > len(data):
        raise Refused("truncated", place)
    return data[at + 4 : end], end


def chance_leaf(tag: bytes, numerator: int) -> bytes:
    """The leaf hash of one row in the chances tree."""
    return merkle.leaf_hash(tag + str(numerator).encode())


def small_pool(roll: Roll, plan: Plan) -> bool:
    """Whether fewer than three people are eligible for each place of some seat, or of all seats together."""
    able: Counter[int] = Counter()
    for kind, number in Counter(roll.type_numbers).items():
        if kind < len(roll.types):
            for seat in roll.types[kind].seats:
                able[seat] += number
    need = sum(seat.count for seat in plan.seats)
    return roll.size < 3 * need or any(able[n] < 3 * seat.count for n, seat in enumerate(plan.seats))
