"""Software passkeys for a demonstration's people: what an authenticator does (Web Authentication Level 3, 6), with the key in a file.

A passkey that anybody may use protects nothing: it is here so that a reader without an authenticator can see what supervisors and administrators
do. Keys are Ed25519 and have no counter, as those that are synchronised between devices. The few CBOR values (RFC 8949) have fixed forms and are
written as bytes.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from nacl.signing import SigningKey

from drawing.errors import Refused

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40
MODEL = bytes(16)  # no model
_COSE = bytes.fromhex("a4010103272006215820")  # {1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: 32 bytes}


@dataclass(frozen=True, slots=True)
class SoftwarePasskey:
    """One key. `user` is the handle that the site gave its owner, as base64url."""

    id: bytes
    user: str
    seed: bytes = field(repr=False)

    def answer(self, options: str, origin: str) -> str:
        """The browser's JSON for request options (JSON). Raises Refused("passkey_refused") for what are none."""
        asked = _read(options)
        client = _client_data("webauthn.get", asked, origin)
        data = _authenticator_data(_text(asked, "rpId"), PRESENT | VERIFIED)
        signature = SigningKey(self.seed).sign(data + sha256(client).digest()).signature
        response = {"authenticatorData": _base64url(data), "clientDataJSON": _base64url(client), "signature": _base64url(signature)}
        return _credential(self.id, {**response, "userHandle": self.user})


def make_passkey(options: str, origin: str, chance: bytes) -> tuple[SoftwarePasskey, str]:
    """A new key for creation options (JSON), and the browser's JSON that registers it. `chance`: 64 bytes. Raises Refused."""
    asked = _read(options)
    site, user = _text(asked.get("rp"), "id"), _text(asked.get("user"), "id")
    made = SoftwarePasskey(chance[:32], user, chance[32:64])
    client = _client_data("webauthn.create", asked, origin)
    public = bytes(SigningKey(made.seed).verify_key)
    key = MODEL + len(made.id).to_bytes(2, "big") + made.id + _COSE + public
    data = _authenticator_data(site, PRESENT | VERIFIED | WITH_KEY) + key
    # {"fmt": "none", "attStmt": {}, "authData": so many bytes}
    attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(data)]) + data
    return made, _credential(made.id, {"attestationObject": _base64url(attestation), "clientDataJSON": _base64url(client)})


def makes_one(options: str) -> bool:
    """Whether options are for a new key."""
    return "rp" in _read(options)


def allowed(options: str) -> frozenset[bytes]:
    """Ids of the keys that request options name; none where they leave it to the browser."""
    found = _read(options).get("allowCredentials") or []
    try:
        return frozenset(_bytes(each["id"]) for each in found)
    except (TypeError, KeyError, ValueError):
        raise Refused("passkey_refused", "passkey", why="options") from None


def _authenticator_data(site: str, flags: int) -> bytes:
    return sha256(site.encode()).digest() + bytes([flags]) + bytes(4)


def _client_data(kind: str, asked: dict[str, Any], origin: str) -> bytes:
    return json.dumps({"type": kind, "challenge": _text(asked, "challenge"), "origin": origin, "crossOrigin": False}).encode()


def _credential(name: bytes, response: dict[str, str]) -> str:
    shown = _base64url(name)
    return json.dumps({"id": shown, "rawId": shown, "type": "public-key", "response": response})


def _read(options: str) -> dict[str, Any]:
    try:
        value = json.loads(options)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused("passkey_refused", "passkey", why="options")
    return value


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.isascii():
        raise Refused("passkey_refused", "passkey", why="options")
    return found


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
