"""Where a seed comes from: contributions, the beacon or the draw key, the states of the slots (docs/spec/draw.md 5).

Every value here is unique: an ECVRF output or a BLS signature cannot be chosen, only given or withheld. Betas are sorted by the contributor's key, so the
order of arrival has no influence; reasons, evidence and times are no input, so no clerk can try values until a friend comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from drawing.canonical import TH
from drawing.vrf import proof_to_hash

Betas = tuple[tuple[bytes, bytes], ...]  # (public key, beta) sorted by public key


def betas(contributions: Iterable[tuple[bytes, bytes]]) -> Betas:
    """Pairs (pk, beta) from pairs (pk, pi), sorted by pk. Raises Refused where a proof cannot be decoded."""
    return tuple(sorted((pk, proof_to_hash(pi)) for pk, pi in contributions))


def _flat(pairs: Betas) -> list[bytes]:
    return [part for pair in pairs for part in pair]


def contribution_alpha(leaf: bytes) -> bytes:
    """What a contributor proves over: the leaf hash of the commit (or of the extension)."""
    return b"draw/v1/contrib\0" + leaf


def last_alpha(leaf: bytes, pairs: Betas) -> bytes:
    """What the draw key proves over, when all contributions are in."""
    return b"draw/v1/last\0" + TH("draw/v1/all", leaf, *_flat(pairs))


def seed(leaf: bytes, draw_key: bytes, draw_beta: bytes, pairs: Betas) -> bytes:
    """The seed of a panel or of an extension with beacon `none`."""
    return TH("draw/v1/seed", leaf, sha256(draw_key).digest(), bytes(8), draw_beta, *_flat(pairs))


def beacon_seed(leaf: bytes, network: bytes, number: int, signature: bytes, pairs: Betas) -> bytes:
    """The seed of a panel or of an extension with a beacon: the network's chain hash, its round and the signature on it."""
    return TH("draw/v1/seed", leaf, network, number.to_bytes(8, "big"), signature, *_flat(pairs))


def beacon_round_seed(base: bytes, number: int, states: bytes, network: bytes, lots: int, signature: bytes) -> bytes:
    """The seed of replacement round `number` with a beacon, whose round `lots` was named when the states were fixed."""
    rho = TH("draw/v1/rho", network, lots.to_bytes(8, "big"), signature)
    return TH("draw/v1/round", base, number.to_bytes(4, "big"), states, rho)


def round_alpha(leaf: bytes, number: int, states: bytes) -> bytes:
    """What a round contributor proves over."""
    return b"draw/v1/round-contrib\0" + TH("draw/v1/round-input", leaf, number.to_bytes(4, "big"), states)


def round_last_alpha(leaf: bytes, number: int, states: bytes, pairs: Betas) -> bytes:
    """What the draw key proves over in a round, when all round contributions are in."""
    return b"draw/v1/round-last\0" + TH("draw/v1/round-all", leaf, number.to_bytes(4, "big"), states, *_flat(pairs))


def round_seed(base: bytes, number: int, states: bytes, draw_key: bytes, draw_beta: bytes, pairs: Betas) -> bytes:
    """The seed of replacement round `number`; `base` is the seed of the panel or of the latest extension."""
    rho = TH("draw/v1/rho", *_flat(pairs), draw_key, draw_beta)
    return TH("draw/v1/round", base, number.to_bytes(4, "big"), states, rho)
