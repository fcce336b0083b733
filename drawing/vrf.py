"""ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381) on libsodium, and the sharing of a secret key among supervisors (Feldman 1987).

A proof's output `beta` is unique: whoever holds the key can give it or withhold it, nothing else. Points are checked more strictly than RFC
8032 decoding asks: canonical y, no "x = 0 with sign", and the prime-order subgroup for keys and Gamma (libsodium's scalar
multiplication insists on it), so that no second proof of one output can be made by adding a point of small order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha512

from nacl import bindings as sodium

from drawing.canonical import TH
from drawing.errors import Refused

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
PROOF_BYTES = 80
_SUITE = b"\x03"
_ZERO_X = frozenset((1).to_bytes(32, "little")[:31] + bytes([top]) for top in (0, 128)) | frozenset(
    (PRIME - 1).to_bytes(32, "little")[:31] + bytes([(PRIME - 1).to_bytes(32, "little")[31] | top]) for top in (0, 128)
)


# Points and scalars ---------------------------------------------------------------------------------------------------------------------


def _canonical_point(point: bytes) -> bool:
    """Y below the prime, and not the y of a point with x = 0 (those are of small order; with the sign bit they decode twice)."""
    y = int.from_bytes(point, "little") & ((1 << 255) - 1)
    return y < PRIME and point not in _ZERO_X


def _times_cofactor(point: bytes) -> bytes:
    """8 * point by three additions: cheaper than a multiplication. RuntimeError where the bytes are no point."""
    for _ in range(3):
        point = sodium.crypto_core_ed25519_add(point, point)
    return point


def _scalar(number: int) -> bytes:
    return number.to_bytes(32, "little")


def _reduce(wide: bytes) -> bytes:
    return sodium.crypto_core_ed25519_scalar_reduce(wide.ljust(64, b"\0"))


def _secret_scalar(secret: bytes) -> tuple[bytes, bytes]:
    """(scalar mod q, second half of the hashed key) of a 32-byte secret key (RFC 8032 5.1.5)."""
    if len(secret) != 32:
        raise Refused("bad_vrf_secret", "")
    hashed = bytearray(sha512(secret).digest())
    hashed[0] &= 248
    hashed[31] = hashed[31] & 127 | 64
    return _reduce(bytes(hashed[:32])), bytes(hashed[32:])


def public_key(secret: bytes) -> bytes:
    """The public key of a 32-byte secret key."""
    return sodium.crypto_scalarmult_ed25519_base_noclamp(_secret_scalar(secret)[0])


# The proof ------------------------------------------------------------------------------------------------------------------------------


def _encode_to_curve(public: bytes, alpha: bytes) -> bytes:
    """Try and increment (RFC 9381 5.4.1.1)."""
    for counter in range(256):
        point = sha512(_SUITE + b"\x01" + public + alpha + bytes([counter]) + b"\x00").digest()[:32]
        if not _canonical_point(point):
            continue
        try:
            cleared = _times_cofactor(point)
        except RuntimeError:
            continue  # not on the curve
        if cleared not in _ZERO_X:
            return cleared
    raise Refused("no_point_found", "")  # probability 2^-256


def _challenge(*points: bytes) -> bytes:
    return sha512(_SUITE + b"\x02" + b"".join(points) + b"\x00").digest()[:16]


def prove(secret: bytes, alpha: bytes) -> bytes:
    """The 80-byte proof of `alpha` (RFC 9381 5.1). Raises Refused for a key that is not 32 bytes."""
    scalar, prefix = _secret_scalar(secret)
    public = sodium.crypto_scalarmult_ed25519_base_noclamp(scalar)
    point = _encode_to_curve(public, alpha)
    return _prove(scalar, public, point, _reduce(sha512(prefix + point).digest()))


def prove_with_scalar(scalar: bytes, alpha: bytes) -> bytes:
    """A proof from the scalar alone, as joined shares give it. Its beta is that of `prove`; c and s may differ (another nonce)."""
    public = sodium.crypto_scalarmult_ed25519_base_noclamp(scalar)
    point = _encode_to_curve(public, alpha)
    nonce = TH("draw/v1/escrow-nonce", scalar, point) + TH("draw/v1/escrow-nonce-2", scalar, point)
    return _prove(scalar, public, point, _reduce(nonce))


def _prove(scalar: bytes, public: bytes, point: bytes, nonce: bytes) -> bytes:
    gamma = sodium.crypto_scalarmult_ed25519_noclamp(scalar, point)
    challenge = _challenge(
        public, point, gamma, sodium.crypto_scalarmult_ed25519_base_noclamp(nonce), sodium.crypto_scalarmult_ed25519_noclamp(nonce, point)
    )
    product = sodium.crypto_core_ed25519_scalar_mul(challenge.ljust(32, b"\0"), scalar)
    return gamma + challenge + sodium.crypto_core_ed25519_scalar_add(nonce, product)


def proof_to_hash(pi: bytes) -> bytes:
    """Beta, 64 bytes, of a proof that is not yet known to be valid (RFC 9381 5.2). Raises Refused where Gamma is no point or s >= q."""
    if len(pi) != PROOF_BYTES:
        raise Refused("bad_vrf_proof", "")
    if int.from_bytes(pi[48:], "little") >= ORDER:
        raise Refused("bad_vrf_scalar", "")
    gamma = pi[:32]
    if not _canonical_point(gamma):
        raise Refused("bad_vrf_point", "")
    try:
        cleared = _times_cofactor(gamma)
    except RuntimeError:
        raise Refused("bad_vrf_point", "") from None
    return sha512(_SUITE + b"\x03" + cleared + b"\x00").digest()


def verify(public: bytes, alpha: bytes, pi: bytes) -> bytes:
    """Beta of a valid proof (RFC 9381 5.3). Raises Refused for a bad key, point, scalar or proof."""
    if len(public) != 32 or not _canonical_point(public):
        raise Refused("bad_vrf_key", "")
    beta = proof_to_hash(pi)
    gamma, challenge, response = pi[:32], pi[32:48].ljust(32, b"\0"), pi[48:]
    point = _encode_to_curve(public, alpha)
    try:
        u = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_base_noclamp(response), sodium.crypto_scalarmult_ed25519_noclamp(challenge, public)
        )
        v = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_noclamp(response, point), sodium.crypto_scalarmult_ed25519_noclamp(challenge, gamma)
        )
    except RuntimeError:
        raise Refused("bad_vrf_proof", "") from None  # a point off the curve, of small order or outside the prime-order subgroup
    if _challenge(public, point, gamma, u, v) != pi[32:48]:
        raise Refused("bad_vrf_proof", "")
    return beta


# Sharing a secret key ---------------------------------------------------------------------------------------------------------------------


def split(secret: bytes, threshold: int, count: int, randomness: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Share a secret key so that any `threshold` of `count` holders can use it: (points, shares), shares of holders 1, 2, …

    `randomness`: threshold - 1 strings of 64 random bytes. points[0] is the public key; whoever has a share checks it against the points
    without any other share. Raises Refused for impossible numbers.
    """
    if not 1 <= threshold <= count <= 255 or len(randomness) != threshold - 1 or any(len(each) != 64 for each in randomness):
        raise Refused("bad_threshold", "", threshold=threshold, count=count)
    coefficients = [_secret_scalar(secret)[0], *(_reduce(each) for each in randomness)]
    numbers = [int.from_bytes(each, "little") for each in coefficients]
    shares = [_scalar(sum(a * pow(n, power, ORDER) for power, a in enumerate(numbers)) % ORDER) for n in range(1, count + 1)]
    return [sodium.crypto_scalarmult_ed25519_base_noclamp(each) for each in coefficients], shares


def check_share(points: Sequence[bytes], number: int, share: bytes) -> None:
    """Raises Refused unless `share` is the one of holder `number` under these points."""
    try:
        expected = points[-1]
        for point in reversed(points[:-1]):
            if number > 1:
                expected = sodium.crypto_scalarmult_ed25519_noclamp(_scalar(number), expected)
            expected = sodium.crypto_core_ed25519_add(expected, point)
        good = sodium.crypto_scalarmult_ed25519_base_noclamp(share) == expected
    except (RuntimeError, ValueError, TypeError):
        good = False
    if not good:
        raise Refused("bad_share", "", number=number)


def join(shares: Mapping[int, bytes]) -> bytes:
    """The secret scalar from enough shares, by interpolation at 0. Too few shares give a wrong scalar: compare the public key."""
    total = 0
    for number, share in shares.items():
        factor = int.from_bytes(share, "little")
        for other in shares:
            if other != number:
                factor = factor * other % ORDER * pow(other - number, -1, ORDER) % ORDER
        total += factor
    return _scalar(total % ORDER)
