"""One encoding per value: the JCS subset, tagged hashes, strict hex (docs/spec/canonical.md).

JSON as RFC 8785 writes it, without null and floats: two writers give the same bytes, and a reader writes what it read again and refuses a
difference, so that nothing has two spellings and no hash two preimages by accident.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any, NoReturn

from drawing.errors import Refused

EVENT_TYPE = "application/vnd.lotroom.event.v1+json"
MAX_EVENT = 65_535
MAX_DEPTH = 16
MAX_ELEMENTS = 400_000  # a proof of 8 MB is mostly hex: a third of this
MAX_INTEGER = (1 << 53) - 1

_KEY = re.compile(r"[a-z0-9_]+", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]*", re.ASCII)
_TEXT = re.compile("[^\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]*")
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False).encode


def dumps(value: Any, *, text: bool = False, place: str = "value") -> bytes:
    """The canonical bytes of a value. `text` allows any Unicode text and line feeds in strings (private records, key lists).

    Raises Refused for anything that `loads` would refuse: null, floats, other types, large integers, bad keys, deep nesting.
    """
    _check(value, _TEXT if text else _PRINTABLE, place, MAX_DEPTH)
    return _write(value).encode()


def _check(value: Any, strings: re.Pattern[str], place: str, depth: int) -> None:
    kind = type(value)
    if kind is str:
        if not strings.fullmatch(value):
            raise Refused("bad_characters", place)
    elif kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise Refused("integer_too_large", place)
    elif kind is dict:
        if depth == 0:
            raise Refused("too_deep", place, most=MAX_DEPTH)
        for key, each in value.items():
            if type(key) is not str or not _KEY.fullmatch(key):
                raise Refused("bad_key", place)
            _check(each, strings, f"{place}.{key}", depth - 1)
    elif kind is list:
        if depth == 0:
            raise Refused("too_deep", place, most=MAX_DEPTH)
        for number, each in enumerate(value):
            _check(each, strings, f"{place}[{number}]", depth - 1)
    elif kind is not bool:
        raise Refused("not_allowed_in_json", place, type=kind.__name__)


class _Bad(Exception):
    """A construct that the subset does not have, found while parsing."""


def _no_float(_: str) -> NoReturn:
    raise _Bad("float_in_json")


def _integer(digits: str) -> int:
    if len(digits) > 17:
        raise _Bad("integer_too_large")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Bad("duplicate_key")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_no_float, parse_int=_integer, parse_constant=_no_float)


def loads(data: bytes, *, place: str = "", max_bytes: int = MAX_EVENT, max_depth: int = MAX_DEPTH, text: bool = False) -> Any:
    """The value of canonical bytes. Raises Refused for everything that `dumps` would not have written, within bounded time and depth."""
    if len(data) > max_bytes:
        raise Refused("too_long", place, most=max_bytes)
    depth = 0
    bare = _STRING.sub(b"", data)
    if bare.count(b",") > MAX_ELEMENTS:
        raise Refused("too_many_elements", place, most=MAX_ELEMENTS)
    for bracket in re.findall(rb"[\[\]{}]", bare):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise Refused("too_deep", place, most=max_depth)
    try:
        value = _decoder.decode(data.decode())
    except _Bad as bad:
        raise Refused(str(bad), place) from None
    except UnicodeDecodeError as bad:
        raise Refused("not_utf8", place, position=bad.start) from None
    except json.JSONDecodeError as bad:
        raise Refused("not_json", place, position=bad.pos) from None
    except (RecursionError, ValueError):
        raise Refused("not_json", place, position=0) from None
    if dumps(value, text=text, place=place or "value") != data:
        raise Refused("not_canonical", place)
    return value


def unhex(value: str, length: int, place: str) -> bytes:
    """Exactly `length` bytes from lower-case hex. Raises Refused."""
    if len(value) != 2 * length or not _HEX.fullmatch(value):
        raise Refused("not_hex", place, bytes=length)
    return bytes.fromhex(value)


def TH(tag: str, *parts: bytes) -> bytes:
    """Tagged hash: SHA-256 over `u8 length of tag || tag || (u64be length || bytes) per part`."""
    pieces = [_tags.get(tag) or _tag_bytes(tag)]
    for part in parts:
        pieces += (len(part).to_bytes(8, "big"), part)
    return sha256(b"".join(pieces)).digest()


_tags: dict[str, bytes] = {}  # the few tags there are, encoded once: a large pool hashes millions of times


def _tag_bytes(tag: str) -> bytes:
    name = tag.encode("ascii")
    _tags[tag] = bytes([len(name)]) + name
    return _tags[tag]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The DSSE v1 pre-authentication encoding: what a signature over a payload of a type covers."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
