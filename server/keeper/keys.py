"""Keys and envelopes: purpose keys from the root, one data key per object, and what binds a ciphertext to its place.

A root key has a generation. From it come purpose keys by HKDF: `kek` wraps data keys, `state` seals the keeper's own rows, `index` makes
blind indexes, `pass` signs the passes of people who proved themselves. An object (a draw, a session, a room, an expert) has a random data
key, kept wrapped; rotation re-wraps and never touches what the data keys seal.

    envelope  = version u8 (1) || suite u8 || key id 16 bytes || nonce || ciphertext and tag
    AAD       = TH("lotroom/v1/place", version and suite, key id, table, row, column)

A key id is random for data keys and `"root" || generation u32be || first 8 bytes of SHA-256 of the purpose` for purpose keys, so that an
envelope says which generation opens it. Suites: 1 is XChaCha20-Poly1305 with HKDF-SHA256, 2 is SM4-GCM with HKDF-SM3 (GB/T 32907, 32905).
Chance comes as an argument. Secrets live in `Secret`, which shows nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from drawing.canonical import TH
from drawing.errors import Refused
from server.keeper.rules import ID

Chance = Callable[[int], bytes]  # a number of bytes -> that many random ones
VERSION = 1
KEY = 32
PURPOSES = ("index", "kek", "pass", "state")
_HEAD = 2 + ID
_MAX = 1 << 20  # bytes of one sealed value


class Secret:
    """Bytes that no repr, format, pickle or traceback of locals shows. `raw` is read where a primitive takes it, never kept in a name."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.raw, other.raw)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives; a ciphertext opens there only."""

    table: str
    row: str
    column: str


@dataclass(frozen=True, slots=True)
class Suite:
    """One set of algorithms. `seal(key, nonce, aad, plain)`, `open(key, nonce, aad, cipher)`; `open` raises CryptoError or InvalidTag."""

    id: int
    name: str
    nonce: int
    seal: Callable[[Secret, bytes, bytes, Secret], bytes]
    open: Callable[[Secret, bytes, bytes, bytes], bytes]
    digest: Callable[[], hashes.HashAlgorithm]


def _chacha_seal(key: Secret, nonce: bytes, aad: bytes, plain: Secret) -> bytes:
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain.raw, aad, nonce, key.raw)


def _chacha_open(key: Secret, nonce: bytes, aad: bytes, cipher: bytes) -> bytes:
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(cipher, aad, nonce, key.raw)


def _sm4(key: Secret) -> SM4:
    return SM4(HKDF(hashes.SM3(), 16, None, b"lotroom/v1/sm4").derive(key.raw))


def _sm4_seal(key: Secret, nonce: bytes, aad: bytes, plain: Secret) -> bytes:
    work = Cipher(_sm4(key), modes.GCM(nonce)).encryptor()
    work.authenticate_additional_data(aad)
    return work.update(plain.raw) + work.finalize() + work.tag


def _sm4_open(key: Secret, nonce: bytes, aad: bytes, cipher: bytes) -> bytes:
    work = Cipher(_sm4(key), modes.GCM(nonce, cipher[-16:])).decryptor()
    work.authenticate_additional_data(aad)
    return work.update(cipher[:-16]) + work.finalize()


INTERNATIONAL = Suite(1, "XChaCha20-Poly1305, HKDF-SHA256", 24, _chacha_seal, _chacha_open, hashes.SHA256)
GUOMI = Suite(2, "SM4-GCM, HKDF-SM3", 12, _sm4_seal, _sm4_open, hashes.SM3)
SUITES: Mapping[int, Suite] = {each.id: each for each in (INTERNATIONAL, GUOMI)}


def suite_of(number: int) -> Suite:
    """Raises Refused("unknown_suite")."""
    if number not in SUITES:
        raise Refused("unknown_suite", "", suite=number)
    return SUITES[number]


# Envelopes ------------------------------------------------------------------------------------------------------------------------------


def key_id_of(envelope: bytes, place: str = "envelope") -> bytes:
    """The id of the key that opens an envelope. Raises Refused where it is none."""
    if len(envelope) < _HEAD + 12 + 16 or envelope[0] != VERSION or envelope[1] not in SUITES:
        raise Refused("not_an_envelope", place)
    return envelope[2:_HEAD]


def _aad(head: bytes, place: Place) -> bytes:
    return TH("lotroom/v1/place", head[:2], head[2:], place.table.encode(), place.row.encode(), place.column.encode())


def seal(suite: Suite, key: Secret, key_id: bytes, place: Place, plain: bytes | Secret, chance: Chance) -> bytes:
    """An envelope that opens with this key at this place only. Raises Refused for more than a mebibyte. A key to be wrapped comes as a Secret."""
    held = plain if isinstance(plain, Secret) else Secret(plain)
    if len(held.raw) > _MAX:
        raise Refused("too_long", place.column, most=_MAX)
    head = bytes([VERSION, suite.id]) + key_id
    nonce = chance(suite.nonce)
    return head + nonce + suite.seal(key, nonce, _aad(head, place), held)


def open_envelope(key: Secret, place: Place, envelope: bytes) -> bytes:
    """The content. Raises Refused("sealed_value_altered") where a bit differs, or the place, or the key."""
    key_id_of(envelope, place.column)
    suite = SUITES[envelope[1]]
    nonce, cipher = envelope[_HEAD : _HEAD + suite.nonce], envelope[_HEAD + suite.nonce :]
    try:
        return suite.open(key, nonce, _aad(envelope[:_HEAD], place), cipher)
    except (CryptoError, InvalidTag, ValueError):
        raise Refused("sealed_value_altered", f"{place.table}/{place.row}/{place.column}") from None


# Keys from the root ---------------------------------------------------------------------------------------------------------------------


def purpose_key_id(purpose: str, generation: int) -> bytes:
    """The id that envelopes carry for a purpose key."""
    return b"root" + generation.to_bytes(4, "big") + sha256(purpose.encode()).digest()[:8]


def generation_of(key_id: bytes) -> int:
    """The generation of a purpose key's id. Raises Refused for a data key's."""
    if key_id[:4] != b"root":
        raise Refused("not_an_envelope", "key id")
    return int.from_bytes(key_id[4:8], "big")


class Keyring:
    """The root keys in use, newest last, and the purpose keys that come from them. During a rotation there are two."""

    __slots__ = ("_made", "_roots", "suite")

    def __init__(self, roots: Mapping[int, Secret], suite: Suite) -> None:
        self._roots = dict(sorted(roots.items()))
        self._made: dict[tuple[str, int], Secret] = {}
        self.suite = suite

    def __repr__(self) -> str:
        return f"Keyring(generations={list(self._roots)}, suite={self.suite.id})"

    @property
    def newest(self) -> int:
        return max(self._roots)

    @property
    def generations(self) -> tuple[int, ...]:
        """Newest first: where a look-up tries each, the likely one comes first."""
        return tuple(reversed(self._roots))

    def roots(self) -> dict[int, Secret]:
        return dict(self._roots)

    def purpose(self, purpose: str, generation: int | None = None) -> Secret:
        """A purpose key. Raises Refused("key_generation_gone") where that root is no longer there."""
        number = self.newest if generation is None else generation
        if number not in self._roots:
            raise Refused("key_generation_gone", "", generation=number)
        if (purpose, number) not in self._made:
            info = b"lotroom/v1/purpose/" + purpose.encode() + b"/%d" % number
            self._made[purpose, number] = Secret(HKDF(self.suite.digest(), KEY, None, info).derive(self._roots[number].raw))
        return self._made[purpose, number]

    def seal(self, purpose: str, place: Place, plain: bytes | Secret, chance: Chance) -> bytes:
        """An envelope under the newest purpose key."""
        return seal(self.suite, self.purpose(purpose), purpose_key_id(purpose, self.newest), place, plain, chance)

    def open(self, purpose: str, place: Place, envelope: bytes) -> bytes:
        """The content of an envelope under a purpose key of any generation in use. Raises Refused."""
        key_id = key_id_of(envelope, place.column)
        generation = generation_of(key_id)
        if key_id != purpose_key_id(purpose, generation):
            raise Refused("sealed_value_altered", f"{place.table}/{place.row}/{place.column}")
        return open_envelope(self.purpose(purpose, generation), place, envelope)


# Data keys ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one object. `not_before`: until then nothing of it opens for anybody; `least`: so many people must have approved it, or more."""

    id: bytes
    key: Secret
    object: str
    not_before: int
    least: int


def object_key_id(name: str) -> bytes:
    """The id of an object's data key: says nothing about the object to who does not know it."""
    return TH("lotroom/v1/object", name.encode())[:ID]


def wrap(ring: Keyring, key: DataKey, chance: Chance) -> bytes:
    """A data key as its row holds it."""
    plain = Secret(key.key.raw + key.not_before.to_bytes(8, "big") + key.least.to_bytes(1, "big") + key.object.encode())
    return ring.seal("kek", Place("wrapped_key", key.id.hex(), "value"), plain, chance)


def unwrap(ring: Keyring, key_id: bytes, envelope: bytes) -> DataKey:
    """The data key of a row. Raises Refused where the row is not this key's."""
    plain = Secret(ring.open("kek", Place("wrapped_key", key_id.hex(), "value"), envelope))
    name = plain.raw[KEY + 9 :].decode()
    if object_key_id(name) != key_id:
        raise Refused("sealed_value_altered", f"wrapped_key/{key_id.hex()}")
    not_before, least = int.from_bytes(plain.raw[KEY : KEY + 8], "big"), plain.raw[KEY + 8]
    return DataKey(key_id, Secret(plain.raw[:KEY]), name, not_before, least)


def blind(key: Secret, generation: int, table: str, column: str, value: bytes) -> bytes:
    """The blind index of a value: equal values of one column have equal ones; without the key nobody can try values.

    `generation u32be || HMAC-SHA256 (or HMAC of the suite's choice: SHA-256 in both, for it protects no content)`.
    """
    return generation.to_bytes(4, "big") + hmac.digest(key.raw, TH("lotroom/v1/blind", table.encode(), column.encode(), value), "sha256")
