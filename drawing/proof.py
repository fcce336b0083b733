"""The proof of a draw as one file, and the two statements beside the events: the log's map root and a monitor's signature on it.

A proof holds all events of a project in order, the checkpoints that fix them in time, what links these, and the map's word on how many
attempts there are. It holds nothing that a check does not use, so that every byte of it counts (docs/spec/draw.md 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from drawing.canonical import EVENT_TYPE, dumps, loads, pae
from drawing.errors import Refused
from drawing.events import VERSION, Event, Signature, read_event
from drawing.merkle import leaf_hash
from drawing.model import Shape, choice, digest, many, name, nested, read_object, shape_of, time, whole

PROOF_VERSION = "lotroom-proof/1"
MAX_PROOF = 8 << 20
MAX_LEAF = 65_535
MONITOR_TYPE = "application/vnd.lotroom.monitor.v1+json"

_path = many(digest, 0, 64)
_index = whole(0, (1 << 53) - 1)


def _note_text(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > 65_535:
        raise Refused("not_text", place)
    return value


_note: Shape[str] = Shape(_note_text, lambda value: value)


@dataclass(frozen=True)
class Mapped:
    """A leaf of the log: the map's root after the events of the first `size` leaves. `size` is this leaf's own index."""

    at: Annotated[int, time]
    origin: Annotated[str, name]
    root: Annotated[bytes, digest]
    sigs: Annotated[tuple[Signature, ...], many(nested(Signature), 0, 10)]
    size: Annotated[int, _index]
    type: Annotated[str, choice("mapped")]
    v: Annotated[str, choice(VERSION)]

    @cached_property
    def leaf(self) -> bytes:
        return dumps(shape_of(Mapped).write(self))

    @property
    def payload(self) -> bytes:
        value = shape_of(Mapped).write(self)
        del value["sigs"]
        return pae(EVENT_TYPE, dumps(value))


@dataclass(frozen=True)
class Monitored:
    """A monitor replayed the first `size` leaves of the log and found this map root."""

    at: Annotated[int, time]
    origin: Annotated[str, name]
    root: Annotated[bytes, digest]
    sigs: Annotated[tuple[Signature, ...], many(nested(Signature), 1, 1)]
    size: Annotated[int, _index]

    @property
    def payload(self) -> bytes:
        value = shape_of(Monitored).write(self)
        del value["sigs"]
        return pae(MONITOR_TYPE, dumps(value))


@dataclass(frozen=True, slots=True)
class Logged:
    """An event in the log, with its inclusion path to the last checkpoint."""

    event: Event
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class MapProof:
    """The map's word on the project: the leaf with its root, that leaf's inclusion path, and the siblings from the root down."""

    index: Annotated[int, _index]
    leaf: Annotated[Mapped, nested(Mapped)]
    path: Annotated[tuple[bytes, ...], _path]
    siblings: Annotated[tuple[bytes, ...], many(digest, 0, 256)]


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything public about a project's draws, up to the last checkpoint. `checkpoints` are note texts in order of size."""

    origin: str
    events: tuple[Logged, ...]
    checkpoints: tuple[str, ...]
    consistency: tuple[tuple[bytes, ...], ...]
    map: MapProof
    monitors: tuple[Monitored, ...]


def _read_logged(value: Any, place: str) -> Logged:
    got = read_object(value, place, {"event", "index", "path"})
    event = read_event(got["event"], f"{place}.event")
    if len(event.leaf) > MAX_LEAF:
        raise Refused("too_long", f"{place}.event", most=MAX_LEAF)
    return Logged(event, _index.read(got["index"], f"{place}.index"), _path.read(got["path"], f"{place}.path"))


def _write_logged(logged: Logged) -> dict[str, Any]:
    return {"event": logged.event.to_json(), "index": logged.index, "path": _path.write(logged.path)}


_FIELDS: Mapping[str, Shape[Any]] = {
    "checkpoints": many(_note, 1, 1000),
    "consistency": many(_path, 0, 999),
    "events": many(Shape(_read_logged, _write_logged), 1, 5000),
    "map": nested(MapProof),
    "monitors": many(nested(Monitored), 0, 20),
    "origin": name,
}


def proof_bytes(proof: Proof) -> bytes:
    """The file. Its inverse is `parse_proof`."""
    value = {key: shape.write(getattr(proof, key)) for key, shape in _FIELDS.items()}
    return dumps({**value, "v": PROOF_VERSION}, text=True)


def parse_proof(data: bytes) -> Proof:
    """A proof file. Raises Refused for anything but the one canonical form, with the place."""
    value = loads(data, place="proof", max_bytes=MAX_PROOF, text=True)
    got = read_object(value, "proof", {*_FIELDS, "v"})
    if got["v"] != PROOF_VERSION:
        raise Refused("unknown_version", "proof.v", known=PROOF_VERSION)
    return Proof(**{key: shape.read(got[key], f"proof.{key}") for key, shape in _FIELDS.items()})


def mapped_hash(mapped: Mapped) -> bytes:
    """The leaf hash of a map-root leaf."""
    return leaf_hash(mapped.leaf)


def map_value(attempts: int, head: bytes) -> bytes:
    """What the map holds for a project: how many attempts there are and the leaf hash of its last event."""
    return attempts.to_bytes(4, "big") + head
