"""The openings of a draw: what a checking supervisor reads, and nobody else (docs/spec/draw.md 7).

Rules, declarations and, in snapshot order, each leaf's key and record. The draw's secret (k_d) is in it only after `closed`: before, one
supervisor who held roll and openings together could name the drawn alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drawing.canonical import TH, dumps, loads, unhex
from drawing.errors import Refused
from drawing.events import MAX_TREE
from drawing.model import read_object, whole
from drawing.pool import Entry

MAGIC = b"lotroom-openings/1\n"
VERSION = "lotroom-openings/1"
MAX_FILE = 3 << 30
MAX_RECORD = 65_535
_ERASED = (96, 96 + 58)


@dataclass(frozen=True, slots=True)
class Bidders:
    """One sealed bidder list that came after the commit: its salt and its canonical JSON."""

    salt: bytes
    content: bytes

    @property
    def digest(self) -> bytes:
        return TH("draw/v1/bidders", self.salt, self.content)


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference to the snapshot before: digests of people, see `drawing.pool`."""

    salt: bytes
    previous_people: int
    joined: tuple[bytes, ...]
    left: tuple[bytes, ...]
    changed: tuple[bytes, ...]

    @property
    def digest(self) -> bytes:
        return TH("draw/v1/changes", self.salt, dumps(_changes_json(self)))


@dataclass(frozen=True, slots=True)
class Private:
    """A private text behind a salted digest of an event: an answer with its reason, or an order."""

    seq: int
    slot: int
    salt: bytes
    content: bytes

    @property
    def digest(self) -> bytes:
        return TH("draw/v1/private", self.salt, self.content)


@dataclass(frozen=True)
class Openings:
    """A whole openings file. `entries` are in snapshot order."""

    project: bytes
    attempt: int
    snapshot_id: str
    rule_set: bytes
    declarations: bytes
    declarations_salt: bytes
    histogram_salt: bytes
    entries: Sequence[Entry]
    draw_secret: bytes = b""
    bidders: tuple[Bidders, ...] = ()
    changes: Changes | None = None
    private: tuple[Private, ...] = field(default=())

    @property
    def declarations_digest(self) -> bytes:
        return TH("draw/v1/declarations", self.declarations_salt, self.declarations)


def write_openings(opened: Openings) -> Iterator[bytes]:
    """The file in pieces, ready for `drawing.sealed.seal`."""
    head = dumps(
        {
            "attempt": opened.attempt,
            "bidders": [{"content": each.content.hex(), "salt": each.salt.hex()} for each in opened.bidders],
            "changes": [] if opened.changes is None else [{**_changes_json(opened.changes), "salt": opened.changes.salt.hex()}],
            "declarations_salt": opened.declarations_salt.hex(),
            "draw_secret": opened.draw_secret.hex(),
            "histogram_salt": opened.histogram_salt.hex(),
            "private": [
                {"content": each.content.hex(), "salt": each.salt.hex(), "seq": each.seq, "slot": each.slot} for each in opened.private
            ],
            "project": opened.project.hex(),
            "snapshot": opened.snapshot_id,
            "v": VERSION,
        }
    )
    yield MAGIC
    for part in (head, opened.rule_set, opened.declarations):
        yield len(part).to_bytes(4, "big") + part
    yield len(opened.entries).to_bytes(4, "big")
    for entry in opened.entries:
        if entry.erased:
            yield b"\x03" + bytes([len(entry.erased) > _ERASED[0]]) + entry.erased
        elif entry.record:
            yield b"\x01" + entry.key + len(entry.record).to_bytes(4, "big") + entry.record
        else:
            yield b"\x02" + entry.key


def parse_openings(data: bytes) -> Openings:
    """An openings file. Raises Refused with the place of the first fault."""
    if not data.startswith(MAGIC):
        raise Refused("not_openings", "openings")
    at = len(MAGIC)
    parts = []
    for _ in range(3):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            raise Refused("truncated", "openings")
        parts.append(data[at + 4 : end])
        at = end
    head = read_object(
        loads(parts[0], place="openings.head", max_bytes=8 << 20),
        "openings.head",
        {
            "attempt",
            "bidders",
            "changes",
            "declarations_salt",
            "draw_secret",
            "histogram_salt",
            "private",
            "project",
            "snapshot",
            "v",
        },
    )
    if head["v"] != VERSION:
        raise Refused("unknown_version", "openings.head.v", known=VERSION)
    size = int.from_bytes(data[at : at + 4], "big")
    if not 0 < size <= MAX_TREE:
        raise Refused("out_of_range", "openings.entries", least=1, most=MAX_TREE)
    return Openings(
        project=_bytes(head["project"], 32, "openings.project"),
        attempt=whole(1, 10_000).read(head["attempt"], "openings.attempt"),
        snapshot_id=_text(head["snapshot"], "openings.snapshot"),
        rule_set=parts[1],
        declarations=parts[2],
        declarations_salt=_bytes(head["declarations_salt"], 32, "openings.declarations_salt"),
        histogram_salt=_bytes(head["histogram_salt"], 32, "openings.histogram_salt"),
        entries=_entries(data, at + 4, size),
        draw_secret=b"" if head["draw_secret"] == "" else _bytes(head["draw_secret"], 32, "openings.draw_secret"),
        bidders=tuple(_bidders(each, f"openings.bidders[{n}]") for n, each in enumerate(_list(head["bidders"], "openings.bidders"))),
        changes=next((_changes(each) for each in _list(head["changes"], "openings.changes")), None),
        private=tuple(_private(each, f"openings.private[{n}]") for n, each in enumerate(_list(head["private"], "openings.private"))),
    )


def _entries(data: bytes, at: int, size: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(size):
        kind = data[at] if at < len(data) else 0
        if kind == 1:
            length = int.from_bytes(data[at + 33 : at + 37], "big")
            end = at + 37 + length
            entries.append(Entry(data[at + 1 : at + 33], data[at + 37 : end]))
            if not 0 < length <= MAX_RECORD:
                raise Refused("wrong_length", f"openings.entries[{number}]", least=1, most=MAX_RECORD)
        elif kind == 2:
            end = at + 33
            entries.append(Entry(data[at + 1 : end]))
        elif kind == 3:
            end = at + 2 + _ERASED[data[at + 1 : at + 2] == b"\x01"]
            entries.append(Entry(erased=data[at + 2 : end]))
        else:
            raise Refused("truncated", f"openings.entries[{number}]")
        if end > len(data):
            raise Refused("truncated", f"openings.entries[{number}]")
        at = end
    if at != len(data):
        raise Refused("something_after_the_end", "openings")
    return entries


def _bytes(value: Any, length: int, place: str) -> bytes:
    return unhex(_text(value, place), length, place)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise Refused("not_text", place)
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("not_a_list", place)
    return value


def _any_bytes(value: Any, place: str) -> bytes:
    return unhex(_text(value, place), len(value) // 2, place)


def _bidders(value: Any, place: str) -> Bidders:
    got = read_object(value, place, {"content", "salt"})
    return Bidders(_bytes(got["salt"], 32, place), _any_bytes(got["content"], place))


def _private(value: Any, place: str) -> Private:
    got = read_object(value, place, {"content", "salt", "seq", "slot"})
    number = whole(0, 1_000_000)
    return Private(
        number.read(got["seq"], place), number.read(got["slot"], place), _bytes(got["salt"], 32, place), _any_bytes(got["content"], place)
    )


def _changes(value: Any) -> Changes:
    place = "openings.changes"
    got = read_object(value, place, {"changed", "joined", "left", "previous_people", "salt"})
    people = {name: tuple(_bytes(each, 16, place) for each in _list(got[name], place)) for name in ("joined", "left", "changed")}
    return Changes(_bytes(got["salt"], 32, place), whole(0, MAX_TREE).read(got["previous_people"], place), **people)


def _changes_json(changes: Changes) -> dict[str, Any]:
    return {
        "changed": _hexes(changes.changed),
        "joined": _hexes(changes.joined),
        "left": _hexes(changes.left),
        "previous_people": changes.previous_people,
    }


def _hexes(items: Iterable[bytes]) -> list[str]:
    return sorted(each.hex() for each in items)
