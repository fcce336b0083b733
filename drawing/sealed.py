"""A file for named readers only: content under one fresh key (libsodium secretstream), the key sealed to each reader's box key.

The stream is cut into blocks of one mebibyte, so that openings of half a million experts never lie in memory twice. Every block is
authenticated, the last one is marked as last, and the list of readers is authenticated with the first: nothing can be changed, cut or swapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nacl import bindings as sodium
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from drawing.canonical import dumps, loads, unhex
from drawing.errors import Refused

MAGIC = b"lotroom-sealed/1\n"
BLOCK = 1 << 20
_OVERHEAD = sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_MESSAGE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL


def seal(parts: Iterable[bytes], readers: Mapping[str, bytes], content_key: bytes) -> Iterator[bytes]:
    """The sealed file in pieces. `readers`: key name -> X25519 public key; `content_key`: 32 fresh random bytes."""
    boxes = [{"box": SealedBox(PublicKey(public)).encrypt(content_key).hex(), "key": name} for name, public in sorted(readers.items())]
    head = dumps({"readers": boxes})
    yield MAGIC + len(head).to_bytes(4, "big") + head
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    yield sodium.crypto_secretstream_xchacha20poly1305_init_push(state, content_key)
    additional: bytes | None = head
    pending = bytearray()
    for part in parts:
        pending += part
        while len(pending) > BLOCK:
            yield sodium.crypto_secretstream_xchacha20poly1305_push(state, bytes(pending[:BLOCK]), additional, _MESSAGE)
            additional = None
            del pending[:BLOCK]
    yield sodium.crypto_secretstream_xchacha20poly1305_push(state, bytes(pending), additional, _FINAL)


def unseal(data: bytes, box_secret: bytes) -> bytes:
    """The content of a sealed file, for the holder of an X25519 secret key. Raises Refused where it is altered or not for this reader."""
    if not data.startswith(MAGIC):
        raise Refused("not_a_sealed_file", "openings")
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[len(MAGIC) : start], "big")
    value = loads(data[start:end], place="openings", max_bytes=65_535)
    key = _content_key(value, box_secret)
    at = end + _HEADER
    if at > len(data):
        raise Refused("truncated", "openings")
    state = sodium.crypto_secretstream_xchacha20poly1305_state()
    out = bytearray()
    additional: bytes | None = data[start:end]
    try:
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, data[end:at], key)
        while True:
            block = data[at : at + BLOCK + _OVERHEAD]
            content, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, block, additional)
            additional = None
            out += content
            at += len(block)
            if tag == _FINAL:
                break
    except (CryptoError, ValueError, RuntimeError):
        raise Refused("sealed_file_altered", "openings") from None
    if at != len(data):
        raise Refused("sealed_file_altered", "openings")
    return bytes(out)


def _content_key(value: object, box_secret: bytes) -> bytes:
    readers = value.get("readers") if isinstance(value, dict) else None
    for each in readers if isinstance(readers, list) else []:
        box = each.get("box") if isinstance(each, dict) else None
        if isinstance(box, str):
            try:
                return SealedBox(PrivateKey(box_secret)).decrypt(unhex(box, 80, "openings.readers"))
            except CryptoError:
                continue
    raise Refused("not_a_reader", "openings")
