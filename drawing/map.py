"""A sparse Merkle map from 32-byte keys to values: which projects have how many attempts (docs/spec/log.md 5).

The bits of a key, highest first, lead from the root down. An empty subtree is 32 zero bytes; a subtree with exactly one key is
TH("draw/v1/map-leaf", key, value) wherever it hangs, which keeps paths as short as the log of the number of projects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drawing.canonical import TH
from drawing.errors import Refused

EMPTY = bytes(32)


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def leaf(key: bytes, value: bytes) -> bytes:
    return TH("draw/v1/map-leaf", key, value)


def node(left: bytes, right: bytes) -> bytes:
    return TH("draw/v1/map-node", left, right)


def _hash(items: Sequence[tuple[bytes, bytes]], depth: int) -> bytes:
    """The hash of a subtree from its sorted items."""
    if not items:
        return EMPTY
    if len(items) == 1:
        return leaf(*items[0])
    left, right = _split(items, depth)
    return node(_hash(left, depth + 1), _hash(right, depth + 1))


def _split(items: Sequence[tuple[bytes, bytes]], depth: int) -> tuple[Sequence[tuple[bytes, bytes]], Sequence[tuple[bytes, bytes]]]:
    cut = next((n for n, (key, _) in enumerate(items) if _bit(key, depth)), len(items))
    return items[:cut], items[cut:]


def root(items: Mapping[bytes, bytes]) -> bytes:
    """The root of a map."""
    return _hash(sorted(items.items()), 0)


def prove(items: Mapping[bytes, bytes], key: bytes) -> list[bytes]:
    """The siblings from the root down to where `key` is alone or absent. Raises Refused where the key is absent."""
    if key not in items:
        raise Refused("not_in_the_map", "")
    return _siblings(sorted(items.items()), key)


def _siblings(below: Sequence[tuple[bytes, bytes]], key: bytes) -> list[bytes]:
    path = []
    depth = 0
    while len(below) > 1:
        left, right = _split(below, depth)
        path.append(_hash(left, depth + 1) if _bit(key, depth) else _hash(right, depth + 1))
        below = right if _bit(key, depth) else left
        depth += 1
    return path


def _climb(hashed: bytes, key: bytes, siblings: Sequence[bytes]) -> bytes:
    for depth in range(len(siblings) - 1, -1, -1):
        sibling = siblings[depth]
        hashed = node(sibling, hashed) if _bit(key, depth) else node(hashed, sibling)
    return hashed


def check_presence(expected_root: bytes, key: bytes, value: bytes, siblings: Sequence[bytes]) -> None:
    """Raises Refused unless the map with this root holds exactly this value for the key."""
    if len(siblings) > 256 or _climb(leaf(key, value), key, siblings) != expected_root:
        raise Refused("not_in_the_map", "")


def prove_absence(items: Mapping[bytes, bytes], key: bytes) -> tuple[list[bytes], tuple[bytes, bytes] | None]:
    """The siblings down to the subtree where `key` would be, and the other key's item that hangs there, if any."""
    if key in items:
        raise Refused("in_the_map", "")
    below = sorted(items.items())
    path = _siblings(below, key)
    left = [item for item in below if all(_bit(item[0], depth) == _bit(key, depth) for depth in range(len(path)))]
    return path, left[0] if left else None


def check_absence(expected_root: bytes, key: bytes, siblings: Sequence[bytes], other: tuple[bytes, bytes] | None) -> None:
    """Raises Refused unless the map with this root does not hold the key: its place is empty or another key's alone."""
    if len(siblings) > 256:
        raise Refused("in_the_map", "")
    if other is not None and (other[0] == key or any(_bit(other[0], depth) != _bit(key, depth) for depth in range(len(siblings)))):
        raise Refused("in_the_map", "")
    if _climb(leaf(*other) if other else EMPTY, key, siblings) != expected_root:
        raise Refused("in_the_map", "")
