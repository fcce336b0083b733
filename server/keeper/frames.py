"""The wire between the keeper and its callers: `u32be length || canonical JSON`, at most 64 KiB a frame.

    request   {"id": 7, "params": {...}, "verb": "status"}
    answer    {"id": 7, "ok": {...}}
    refusal   {"id": 7, "refused": {"code": "...", "params": {...}, "place": "..."}}
    piece     {"id": 7, "piece": "<base64 of a part of an answer's bytes>", "rest": 3}     when the answer is longer than a frame

JSON is the subset of `drawing.canonical` with any text: one spelling per value, so a frame that is not what its writer would have written
is refused. Pieces of one answer come in order; `rest` counts down to 0. Nothing here knows verbs or keys.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.model import read_object
from drawing.note import unbase64

MAX_FRAME = 65_536
MAX_ANSWER = 16 << 20  # what a client puts together from pieces: 20,000 people with names and phones are 4 MB
_PIECE = 45_000  # base64 of it and the rest of the frame stay below MAX_FRAME


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `id` is the caller's, unique among its open calls."""

    id: int
    verb: str
    params: dict[str, Any]


def encode(value: dict[str, Any]) -> bytes:
    """One frame. Raises Refused("too_long") where it does not fit."""
    data = dumps(value, text=True, place="frame")
    if len(data) > MAX_FRAME:
        raise Refused("too_long", "frame", most=MAX_FRAME)
    return len(data).to_bytes(4, "big") + data


def decode(data: bytes) -> dict[str, Any]:
    """The object of a frame's body. Raises Refused."""
    value = loads(data, place="frame", max_bytes=MAX_FRAME, text=True)
    if not isinstance(value, dict):
        raise Refused("not_an_object", "frame")
    return value


async def read_frame(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next frame; None where the other side closed between two frames. Raises Refused for anything that is no frame."""
    try:
        head = await stream.readexactly(4)
    except asyncio.IncompleteReadError as cut:
        if cut.partial:
            raise Refused("frame_cut", "frame") from None
        return None
    length = int.from_bytes(head, "big")
    if not 0 < length <= MAX_FRAME:
        raise Refused("too_long", "frame", most=MAX_FRAME)
    try:
        return decode(await stream.readexactly(length))
    except asyncio.IncompleteReadError:
        raise Refused("frame_cut", "frame") from None


def request_of(value: dict[str, Any]) -> Request:
    """A request from a frame. Raises Refused."""
    got = read_object(value, "frame", {"id", "params", "verb"})
    if type(got["id"]) is not int or got["id"] < 0 or not isinstance(got["verb"], str) or not isinstance(got["params"], dict):
        raise Refused("bad_frame", "frame")
    return Request(got["id"], got["verb"], got["params"])


def answer_frames(number: int, ok: dict[str, Any]) -> Iterator[bytes]:
    """The frames of an answer: one, or pieces."""
    data = dumps({"id": number, "ok": ok}, text=True, place="answer")
    if len(data) <= MAX_FRAME:
        yield len(data).to_bytes(4, "big") + data
        return
    if len(data) > MAX_ANSWER:
        raise Refused("too_long", "answer", most=MAX_ANSWER)
    for at in range(0, len(data), _PIECE):
        rest = (len(data) - at - 1) // _PIECE
        yield encode({"id": number, "piece": base64.b64encode(data[at : at + _PIECE]).decode(), "rest": rest})


def refusal_frame(number: int, refused: Refused) -> bytes:
    """The frame of a refusal; values that JSON does not have are written as text, and cut: they are for people."""
    params = {key: each if type(each) in (int, bool) else _plain(str(each)) for key, each in refused.params.items() if key.isidentifier()}
    try:
        return encode({"id": number, "refused": {"code": refused.code, "params": params, "place": _plain(refused.place)}})
    except Refused:
        return encode({"id": number, "refused": {"code": refused.code, "params": {}, "place": ""}})


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:200])


@dataclass(slots=True)
class Joiner:
    """Puts the pieces of one answer together."""

    data: bytearray
    rest: int = -1

    def add(self, value: dict[str, Any]) -> dict[str, Any] | None:
        """The whole answer with its last piece, None before. Raises Refused for a piece out of order."""
        got = read_object(value, "frame", {"id", "piece", "rest"})
        if type(got["rest"]) is not int or not isinstance(got["piece"], str) or (self.rest not in (-1, got["rest"] + 1)):
            raise Refused("bad_frame", "frame")
        self.rest = got["rest"]
        self.data += unbase64(got["piece"], "frame")
        if len(self.data) > MAX_ANSWER:
            raise Refused("too_long", "answer", most=MAX_ANSWER)
        if self.rest:
            return None
        whole = loads(bytes(self.data), place="answer", max_bytes=MAX_ANSWER, text=True)
        if not isinstance(whole, dict):
            raise Refused("not_an_object", "answer")
        return whole
