"""The courier's own key: what the keeper gives out for sending is sealed to it, so that neither web process nor database ever holds it in clear.

`courier.key` is of the courier's user alone (0600), `courier.pub` is what the keeper seals to. Both are made with the installation, and anew where
they are missing: nothing that was sealed to an old one is ever opened again.
"""

from __future__ import annotations

from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey

from drawing.canonical import unhex
from drawing.errors import Refused
from server.files import read_bounded, write_whole
from server.places import Places

SIZE = 32


def make_box(places: Places) -> bytes:
    """The public part; the key is made where there is none. A crash in between leaves a key whose public part is written at the next start."""
    if not places.courier_key.exists():
        write_whole(places.courier_key, bytes(PrivateKey.generate()).hex().encode(), mode=0o600)
    public = bytes(_key(places.courier_key).public_key)
    if _public(places.courier_box) != public:
        write_whole(places.courier_box, public.hex().encode() + b"\n", mode=0o600)
    return public


def box_secret(places: Places) -> bytes:
    """Raises Refused where the key is missing or is none."""
    return bytes(_key(places.courier_key))


def box_public(places: Places, given: str) -> bytes:
    """What the keeper seals to: `given` in the settings where the courier is another user, else the file. b"" where there is neither."""
    return unhex(given, SIZE, "courier_box") if given else _public(places.courier_box)


def _key(path: Path) -> PrivateKey:
    try:
        return PrivateKey(unhex(read_bounded(path, 100).decode().strip(), SIZE, "courier.key"))
    except (UnicodeDecodeError, CryptoError, ValueError):
        raise Refused("bad_courier_key", str(path)) from None


def _public(path: Path) -> bytes:
    try:
        return unhex(read_bounded(path, 100).decode().strip(), SIZE, "courier.pub")
    except (Refused, UnicodeDecodeError):
        return b""
