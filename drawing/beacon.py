"""Public randomness: networks, rounds and their times, and the one equation that judges a value (docs/spec/draw.md 5.3).

A network signs the number of every round with one key that nobody holds alone. Its signature over a round is unique: it can be given or kept
back, never chosen. `drand` is a network of others (quicknet), `local` one whose nodes belong to different bodies here; both are judged by the
same code. A network is known by its chain hash, recomputed from its parameters: what the key list pins is the parameters.

No sockets and no clock. The curve library is imported where a signature is judged and nowhere else: whoever lacks it can still verify all the
rest, and is told that this was skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from drawing.model import Shape, choice, digest, hexes, many, nested, shape_of, tagged, time, unicode_text, whole, word

SCHEME = "bls-unchained-g1-rfc9380"
DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
MARGIN = 60  # seconds between a quorum's cosignatures and the round
MAX_ROUND = 1 << 36  # with MAX_PERIOD every time stays below 2**53
MAX_PERIOD = 3600
MAX_NODES = 19

round_number = whole(1, MAX_ROUND)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a local network: the body that runs it and its Ed25519 key. `held` as for every key: `operator` protects nobody."""

    body: Annotated[str, unicode_text(200)]
    held: Annotated[str, choice("operator", "body")]
    key: Annotated[bytes, hexes(32)]


class _Clock:
    """Rounds and times of a network: round 1 is at the genesis."""

    __slots__ = ()
    genesis_time: int
    period: int

    def time_of(self, number: int) -> int:
        """When a round is due, Unix seconds."""
        return self.genesis_time + (number - 1) * self.period

    def first_from(self, moment: int) -> int:
        """The first round that is due at a moment or later."""
        return max(1, -(-(moment - self.genesis_time) // self.period) + 1)


@dataclass(frozen=True, slots=True)
class Drand(_Clock):
    """A network of others. The five parameters give the chain hash; `name` is drand's beacon id."""

    genesis_seed: Annotated[bytes, digest]
    genesis_time: Annotated[int, time]
    kind: Annotated[str, choice("drand")]
    name: Annotated[str, word]
    period: Annotated[int, whole(1, MAX_PERIOD)]
    public_key: Annotated[bytes, hexes(96)]
    scheme: Annotated[str, choice(SCHEME)]


@dataclass(frozen=True, slots=True)
class Local(_Clock):
    """A network of one's own: any `threshold` of the nodes sign, fewer can do nothing. `genesis_seed` is the digest of the group."""

    genesis_seed: Annotated[bytes, digest]
    genesis_time: Annotated[int, time]
    kind: Annotated[str, choice("local")]
    name: Annotated[str, word]
    nodes: Annotated[tuple[Node, ...], many(nested(Node), 3, MAX_NODES)]
    period: Annotated[int, whole(1, MAX_PERIOD)]
    public_key: Annotated[bytes, hexes(96)]
    scheme: Annotated[str, choice(SCHEME)]
    threshold: Annotated[int, whole(2, MAX_NODES)]

    @property
    def operator_can_sign(self) -> bool:
        """Whether enough nodes ran on the operator's machine to sign any round at any time."""
        return sum(node.held == "operator" for node in self.nodes) >= self.threshold

    @property
    def operator_can_stop(self) -> bool:
        """Whether so many nodes ran there that the others cannot sign without them."""
        return sum(node.held == "operator" for node in self.nodes) > len(self.nodes) - self.threshold


Network = Drand | Local
network_shape: Shape[Network] = tagged("kind", {"drand": Drand, "local": Local})


def chain_hash(network: Network) -> bytes:
    """What a network is known by, as drand computes it: SHA-256 over period, genesis time, public key, genesis seed and, unless it is
    `default`, the name.
    """
    name = b"" if network.name == "default" else network.name.encode()
    head = network.period.to_bytes(4, "big") + network.genesis_time.to_bytes(8, "big", signed=True)
    return sha256(head + network.public_key + network.genesis_seed + name).digest()


def group_seed(genesis_time: int, name: str, nodes: tuple[tuple[str, bytes], ...], period: int, threshold: int) -> bytes:
    """The genesis seed of a local network: the digest of everything its nodes agreed on before they had a key. `nodes` are (body, key)."""
    value = {
        "genesis_time": genesis_time,
        "name": name,
        "nodes": [{"body": body, "key": key.hex()} for body, key in nodes],
        "period": period,
        "scheme": SCHEME,
        "threshold": threshold,
    }
    return TH("lotroom/v1/beacon-group", dumps(value, text=True))


def check_group(threshold: int, nodes: tuple[tuple[str, bytes], ...], place: str) -> None:
    """Raises Refused unless the nodes are those of 2t - 1 different bodies, at least three, with different keys, sorted by key."""
    keys = [key for _, key in nodes]
    if len({body for body, _ in nodes}) != len(nodes):
        raise Refused("nodes_of_one_body", place)
    if keys != sorted(set(keys)):
        raise Refused("not_sorted", place)
    if len(nodes) != 2 * threshold - 1 or len(nodes) < 3:
        raise Refused("wrong_node_count", place, nodes=len(nodes), threshold=threshold)


def check_network(network: Network, place: str) -> None:
    """Raises Refused where a network's parts do not fit each other."""
    if isinstance(network, Local):
        nodes = tuple((node.body, node.key) for node in network.nodes)
        check_group(network.threshold, nodes, f"{place}.nodes")
        if network.genesis_seed != group_seed(network.genesis_time, network.name, nodes, network.period, network.threshold):
            raise Refused("other_group", place)


def message(number: int) -> bytes:
    """What a network signs for a round."""
    return sha256(number.to_bytes(8, "big")).digest()


def verify_round(public_key: bytes, number: int, signature: bytes) -> bool:
    """Whether `signature` (48 bytes, G1) is the network's for the round: e(signature, G2) = e(H(message), key), no point at infinity.

    Raises Refused `no_curve_library` where py_arkworks_bls12381 is missing: then nothing is known either way.
    """
    try:
        from py_arkworks_bls12381 import GT, G1Point, G2Point
    except ImportError:
        raise Refused("no_curve_library", "") from None
    try:  # both readers refuse points off the curve or outside the subgroup of order r
        point, key = G1Point.from_compressed_bytes(signature), G2Point.from_compressed_bytes(public_key)
    except ValueError:
        return False
    if point.to_compressed_bytes() != signature or key.to_compressed_bytes() != public_key:
        return False
    if point == G1Point.identity() or key == G2Point.identity():
        return False
    return GT.pairing_check([point, -G1Point.hash_to_curve(message(number), DST)], [G2Point(), key])


def network_json(network: Network) -> Mapping[str, Any]:
    """A network as it stands in a key list."""
    value: Mapping[str, Any] = shape_of(type(network)).write(network)
    return value


# The one public network that a key list of this release is expected to pin. Source: drand-client `lib/defaults.ts`.
QUICKNET = Drand(
    genesis_seed=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
    genesis_time=1_692_803_367,
    kind="drand",
    name="quicknet",
    period=3,
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    scheme=SCHEME,
)
