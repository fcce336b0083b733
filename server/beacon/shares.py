"""Shares of a signing key: polynomials modulo r, Feldman commitments on G2, partial signatures and their sum. No chance, no files.

Node number x (from 1) has f(x) of a polynomial of degree t - 1 that nobody knows; f(0) would be the key. t partial signatures give the
one signature that f(0) would make, whichever t nodes they are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from drawing.beacon import DST, message, verify_round
from drawing.errors import Refused

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001  # r, of both subgroups


def scalar(random: bytes) -> int:
    """A number modulo r from 48 random bytes: 128 bits more than r has, so that no residue is favoured noticeably."""
    if len(random) != 48:
        raise Refused("wrong_length", "random", least=48, most=48)
    return int.from_bytes(random, "big") % ORDER


def evaluate(coefficients: Sequence[int], x: int) -> int:
    """f(x) modulo r."""
    value = 0
    for each in reversed(coefficients):
        value = (value * x + each) % ORDER
    return value


def commitments(coefficients: Sequence[int]) -> tuple[bytes, ...]:
    """One point of G2 (96 bytes) per coefficient."""
    return tuple(bytes((G2Point() * Scalar(each)).to_compressed_bytes()) for each in coefficients)


def read_point(data: bytes) -> G2Point | None:
    """A point of G2 in its one spelling, not the point at infinity, or None."""
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError:
        return None
    return None if point.to_compressed_bytes() != data or point == G2Point.identity() else point


def in_the_exponent(points: Sequence[bytes], x: int) -> G2Point:
    """f(x) times the generator, from commitments that `read_point` accepts."""
    value = G2Point.identity()
    for each in reversed(points):
        value = value * Scalar(x) + G2Point.from_compressed_bytes(each)
    return value


def share_fits(points: Sequence[bytes], x: int, share: int) -> bool:
    """Whether f(x) is the share that the commitments promise."""
    return 0 <= share < ORDER and in_the_exponent(points, x) == G2Point() * Scalar(share)


def public_share(dealt: Iterable[Sequence[bytes]], x: int) -> bytes:
    """The key under which node x's partial signatures verify: the sum over all dealers. x = 0 gives the network's public key."""
    total = G2Point.identity()
    for points in dealt:
        total = total + in_the_exponent(points, x)
    return bytes(total.to_compressed_bytes())


def sign_partial(share: int, number: int) -> bytes:
    """A node's partial signature over a round, 48 bytes. It is unique: asked again, it is the same."""
    return bytes((G1Point.hash_to_curve(message(number), DST) * Scalar(share)).to_compressed_bytes())


def combine(partials: Mapping[int, bytes]) -> bytes:
    """The signature from partial ones that were verified, by Lagrange interpolation at 0: exactly as many as the threshold says."""
    total = G1Point.identity()
    for x, signature in partials.items():
        above = below = 1
        for other in partials:
            if other != x:
                above = above * other % ORDER
                below = below * (other - x) % ORDER
        total = total + G1Point.from_compressed_bytes(signature) * Scalar(above * pow(below, -1, ORDER) % ORDER)
    return bytes(total.to_compressed_bytes())


def partial_fits(public: bytes, number: int, signature: bytes) -> bool:
    """Whether a partial signature is the one of the node with this public share."""
    return verify_round(public, number, signature)
