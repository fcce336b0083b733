"""Passkeys: what an authenticator says, checked in the order of Web Authentication Level 3, 7.1 and 7.2, strictly. No storage, no clock.

The keeper's own checks come first and name what is wrong; py-webauthn then parses all of it again and verifies the signature. What it lets
pass and we do not: an answer of a foreign frame (crossOrigin), two spellings of base64url or of a JSON key, a user handle of somebody else,
algorithms other than ES256 and EdDSA, a key of another curve or off it, a backup-eligibility bit that changed, attestation formats nobody
asked for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, NoReturn

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey, DecodedOKPPublicKey
from webauthn.helpers.structs import AttestationFormat

from drawing.canonical import TH
from drawing.errors import Refused
from drawing.model import choice, flag, hexes, text, time, whole, word
from server.keeper.rules import MAX_ANSWER, STATUSES

ALGORITHMS = (COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256)
WAITING, ACTIVE, REVOKED = STATUSES
_UP, _UV, _BE, _BS, _AT = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass(frozen=True, slots=True)
class Site:
    """The relying party: its id and the origins its pages have."""

    rp_id: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey as the keeper keeps it. It counts for nothing until `status` is active."""

    at: Annotated[int, time]
    backup: Annotated[bool, flag]
    count: Annotated[int, whole(0, (1 << 32) - 1)]
    id: Annotated[bytes, hexes(16, *range(1, 1024))]
    model: Annotated[str, text(36, r"[0-9a-f-]{36}")]
    person: Annotated[str, word]
    public: Annotated[bytes, hexes(77, *range(32, 512))]
    status: Annotated[str, choice(*STATUSES)]

    @property
    def key(self) -> str:
        """The name of its row."""
        return credential_key(self.id)

    @property
    def digest(self) -> bytes:
        """What an approval of its enrolment covers: whose it is and which key."""
        return TH("lotroom/v1/enrolment", self.person.encode(), self.id, self.public)


def credential_key(credential_id: bytes) -> str:
    return TH("lotroom/v1/credential", credential_id).hex()


def user_handle(person: str) -> bytes:
    """What an authenticator keeps as the user's id: opaque, the same for all passkeys of a person."""
    return TH("lotroom/v1/user-handle", person.encode())


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def creation_options(site: Site, person: str, label: str, challenge: bytes, known: tuple[bytes, ...]) -> dict[str, Any]:
    """The JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`."""
    return {
        "attestation": "none",
        "authenticatorSelection": {"requireResidentKey": False, "residentKey": "preferred", "userVerification": "required"},
        "challenge": to_base64url(challenge),
        "excludeCredentials": [{"id": to_base64url(each), "type": "public-key"} for each in known],
        "pubKeyCredParams": [{"alg": int(each), "type": "public-key"} for each in ALGORITHMS],
        "rp": {"id": site.rp_id, "name": "Lotroom"},
        "timeout": 300_000,
        "user": {"displayName": label, "id": to_base64url(user_handle(person)), "name": label},
    }


def request_options(site: Site, challenge: bytes, known: tuple[bytes, ...]) -> dict[str, Any]:
    """The JSON for `PublicKeyCredential.parseRequestOptionsFromJSON`."""
    return {
        "allowCredentials": [{"id": to_base64url(each), "type": "public-key"} for each in known],
        "challenge": to_base64url(challenge),
        "rpId": site.rp_id,
        "timeout": 300_000,
        "userVerification": "required",
    }


def register(answer: str, challenge: bytes, site: Site, person: str, now: int) -> Credential:
    """A new credential, waiting for approval. Raises Refused("passkey_refused") with what is wrong."""
    value, response = _answer(
        answer, {"clientDataJSON", "attestationObject"}, {"transports", "publicKeyAlgorithm", "publicKey", "authenticatorData"}
    )
    _client_data(_unbase64url(response["clientDataJSON"], "client_data"), "webauthn.create", challenge, site)
    try:
        found = verify_registration_response(
            credential=_for_library(value, response, "attestationObject"),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
    except Exception as wrong:  # the library lets parsers' own exceptions through; whichever it is, nothing was registered
        _refuse("registration", wrong)
    if found.fmt not in (AttestationFormat.NONE, AttestationFormat.PACKED):
        _refuse("attestation")
    if found.credential_id != _unbase64url(value["id"], "id") or not 1 <= len(found.credential_id) <= 1023:
        _refuse("id")
    _usable(found.credential_public_key)
    backup = found.credential_device_type.value == "multi_device"
    return Credential(now, backup, found.sign_count, found.credential_id, found.aaguid, person, found.credential_public_key, WAITING)


def claimed_id(answer: str) -> bytes:
    """Which credential an answer says it is of; nothing about it is believed. Raises Refused."""
    value, _ = _answer(answer, {"clientDataJSON", "authenticatorData", "signature"}, {"userHandle"})
    return _unbase64url(value["id"], "id")


def assert_by(answer: str, challenge: bytes, site: Site, kept: Credential) -> int:
    """The authenticator's new count. Raises Refused("passkey_refused") unless this very credential answered this challenge, here, verified."""
    value, response = _answer(answer, {"clientDataJSON", "authenticatorData", "signature"}, {"userHandle"})
    if _unbase64url(value["id"], "id") != kept.id:
        _refuse("id")
    handle = response.get("userHandle")
    if handle is not None and _unbase64url(handle, "user_handle") != user_handle(kept.person):
        _refuse("user_handle")
    _client_data(_unbase64url(response["clientDataJSON"], "client_data"), "webauthn.get", challenge, site)
    data = _unbase64url(response["authenticatorData"], "authenticator_data")
    if len(data) < 37:
        _refuse("authenticator_data")
    if not hmac.compare_digest(data[:32], sha256(site.rp_id.encode()).digest()):
        _refuse("rp_id")
    flags, count = data[32], int.from_bytes(data[33:37], "big")
    if not flags & _UP:
        _refuse("user_presence")
    if not flags & _UV:
        _refuse("user_verification")
    if flags & _AT:
        _refuse("authenticator_data")
    if bool(flags & _BE) != kept.backup or (flags & _BS and not flags & _BE):
        _refuse("backup_state")
    if (count or kept.count) and count <= kept.count:
        _refuse("counter")
    try:
        found = verify_authentication_response(
            credential=_for_library(value, response, "authenticatorData", "signature"),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            credential_public_key=kept.public,
            credential_current_sign_count=kept.count,
            require_user_verification=True,
        )
    except Exception as wrong:  # as above: whichever exception it is, nobody was recognised
        _refuse("signature", wrong)
    if found.new_sign_count != count or not found.user_verified:
        _refuse("authenticator_data")
    return count


def _usable(public: bytes) -> None:
    """Raises Refused unless it is a key of one of our algorithms, on its own curve: with attestation `none` nobody has used it yet."""
    try:
        key = decode_credential_public_key(public)
        match key:
            case DecodedEC2PublicKey(alg=COSEAlgorithmIdentifier.ECDSA_SHA_256, crv=COSECRV.P256):
                sizes = (len(key.x), len(key.y))
            case DecodedOKPPublicKey(alg=COSEAlgorithmIdentifier.EDDSA, crv=COSECRV.ED25519):
                sizes = (len(key.x), 32)
            case _:
                _refuse("key")
        if sizes != (32, 32):
            _refuse("key")
        decoded_public_key_to_cryptography(key)  # raises where the point is not on the curve
    except Refused:
        raise
    except Exception as wrong:
        _refuse("key", wrong)


def _refuse(why: str, _: Exception | None = None) -> NoReturn:
    raise Refused("passkey_refused", "passkey", why=why) from None


def _answer(answer: str, needed: set[str], allowed: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of `PublicKeyCredential.toJSON()` and its `response`, with every string that matters there."""
    value = _json(answer.encode(), "answer")
    response = value.get("response")
    if not isinstance(response, dict) or not needed <= response.keys() or response.keys() - needed - allowed:
        _refuse("answer")
    if not all(isinstance(response[each], str) for each in needed) or not isinstance(value.get("id"), str):
        _refuse("answer")
    if value.get("rawId") != value["id"] or value.get("type") != "public-key":
        _refuse("id")
    if response.get("userHandle") is not None and not isinstance(response["userHandle"], str):
        _refuse("user_handle")
    return value, response


def _json(data: bytes, what: str) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            _refuse(what)
        return made

    if len(data) > MAX_ANSWER:
        _refuse(what)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        _refuse(what)
    if not isinstance(value, dict):
        _refuse(what)
    return value


def _unbase64url(value: Any, what: str) -> bytes:
    if not isinstance(value, str):
        _refuse(what)
    try:
        data = base64.b64decode(value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        _refuse(what)
    if to_base64url(data) != value:
        _refuse(what)
    return data


def _client_data(data: bytes, kind: str, challenge: bytes, site: Site) -> None:
    value = _json(data, "client_data")
    if value.get("type") != kind:
        _refuse("type")
    if not hmac.compare_digest(_unbase64url(value.get("challenge"), "challenge"), challenge):
        _refuse("challenge")
    if value.get("origin") not in site.origins:
        _refuse("origin")
    if value.get("crossOrigin", False) is not False or "topOrigin" in value:
        _refuse("cross_origin")
    if value.get("tokenBinding") not in (None, {"status": "supported"}):
        _refuse("token_binding")


def _for_library(value: dict[str, Any], response: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Only what was checked goes on."""
    kept = {each: response[each] for each in ("clientDataJSON", *fields)}
    return {"id": value["id"], "rawId": value["id"], "response": kept, "type": "public-key"}
