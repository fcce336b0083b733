"""A software authenticator: makes passkeys and answers challenges as a browser would hand them over, with every part of it to be spoilt.

CBOR (RFC 8949) and COSE keys (RFC 9053) are written here by hand, so that what the keeper reads was not written by what it reads with.
"""

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.keeper.passkeys import to_base64url

RP, ORIGIN = "lotroom.test", "https://lotroom.test"
ES256, EDDSA = -7, -8
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def cbor(value):
    """Integers, byte and text strings, maps."""

    def head(major, number):
        for size, code in ((24, None), (1 << 8, 24), (1 << 16, 25), (1 << 32, 26)):
            if number < size:
                if code is None:
                    return bytes([major << 5 | number])
                return bytes([major << 5 | code]) + number.to_bytes(1 << code - 24, "big")
        raise AssertionError

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    assert isinstance(value, dict)
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def client_data(kind, challenge, origin, **more):
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False, **more}).encode()


@dataclass
class Authenticator:
    alg: int = ES256
    rp: str = RP
    origin: str = ORIGIN
    counts: bool = True
    flags: int = UP | UV
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    user: bytes = b""

    def __post_init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1()) if self.alg == ES256 else Ed25519PrivateKey.generate()

    def cose(self):
        if self.alg == ES256:
            numbers = self.key.public_key().public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return {1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()}

    def sign(self, data):
        return self.key.sign(data, ec.ECDSA(hashes.SHA256())) if self.alg == ES256 else self.key.sign(data)

    def create(self, options, *, spoil=None):
        """The answer to creation options (JSON text). `spoil(parts)` may change any part before it is put together."""
        asked = json.loads(options)
        self.user = asked["user"]["id"]
        parts = {
            "type": "webauthn.create",
            "challenge": asked["challenge"],
            "origin": self.origin,
            "rp": self.rp,
            "flags": self.flags | AT,
            "count": self.count,
            "id": self.id,
            "cose": cbor(self.cose()),
            "fmt": "none",
            "statement": {},
            "more": {},
            "client": None,
            "attestation": None,
            "answer": {},
            "response": {},
        }
        if spoil:
            spoil(parts)
        client = parts["client"] or client_data(parts["type"], parts["challenge"], parts["origin"], **parts["more"])
        data = sha256(parts["rp"].encode()).digest() + bytes([parts["flags"]]) + parts["count"].to_bytes(4, "big")
        data += bytes(16) + len(parts["id"]).to_bytes(2, "big") + parts["id"] + parts["cose"]
        attestation = parts["attestation"] or cbor({"fmt": parts["fmt"], "attStmt": parts["statement"], "authData": data})
        response = {"clientDataJSON": to_base64url(client), "attestationObject": to_base64url(attestation), **parts["response"]}
        name = to_base64url(parts["id"])
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response, **parts["answer"]})

    def get(self, options, *, spoil=None, sign=None):
        """The answer to request options (JSON text)."""
        asked = json.loads(options)
        if self.counts:
            self.count += 1
        parts = {
            "type": "webauthn.get",
            "challenge": asked["challenge"],
            "origin": self.origin,
            "rp": self.rp,
            "flags": self.flags,
            "count": self.count,
            "tail": b"",
            "id": to_base64url(self.id),
            "more": {},
            "client": None,
            "data": None,
            "signature": None,
            "answer": {},
            "response": {},
        }
        if spoil:
            spoil(parts)
        client = parts["client"] or client_data(parts["type"], parts["challenge"], parts["origin"], **parts["more"])
        data = sha256(parts["rp"].encode()).digest() + bytes([parts["flags"]]) + parts["count"].to_bytes(4, "big") + parts["tail"]
        data = data if parts["data"] is None else parts["data"](data)
        signature = (sign or self.sign)(data + sha256(client).digest())
        signature = signature if parts["signature"] is None else parts["signature"](signature)
        response = {"clientDataJSON": to_base64url(client), "authenticatorData": to_base64url(data), "signature": to_base64url(signature)}
        response["userHandle"] = self.user
        response.update(parts["response"])
        return json.dumps({"id": parts["id"], "rawId": parts["id"], "type": "public-key", "response": response, **parts["answer"]})
