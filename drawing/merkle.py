"""Merkle trees of RFC 6962 (2.1): roots, inclusion, consistency. Trees are given by their leaf hashes, in order.

A tree of n leaves splits at the largest power of two below n. Paths are lists from the leaf upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from drawing.errors import Refused

EMPTY = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def levels(leaf_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """All levels from the leaves to the root; an odd last node moves up unchanged (the same tree as RFC 6962's recursive one)."""
    level = list(leaf_hashes)
    out = [level]
    while len(level) > 1:
        above = [sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        out.append(above)
        level = above
    return out


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root hash; of no leaves SHA-256 of nothing."""
    if not leaf_hashes:
        return EMPTY
    level: Sequence[bytes] = leaf_hashes
    while len(level) > 1:
        above = [sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


class Tree:
    """All levels of a tree, so that many paths are cheap."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.levels = levels(leaf_hashes)

    @property
    def root(self) -> bytes:
        return self.levels[-1][0] if self.levels[0] else EMPTY

    def inclusion(self, index: int) -> list[bytes]:
        """The inclusion path of a leaf. Raises Refused for an index outside."""
        if not 0 <= index < len(self.levels[0]):
            raise Refused("index_outside_tree", "", index=index)
        path = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return path


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion path of one leaf (RFC 6962 2.1.1). Raises Refused for an index outside."""
    return Tree(leaf_hashes).inclusion(index)


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """The consistency path from the tree of the first `old_size` leaves (RFC 6962 2.1.2); empty for size 0 and for the whole tree."""
    if not 0 <= old_size <= len(leaf_hashes):
        raise Refused("index_outside_tree", "", index=old_size)
    if old_size in (0, len(leaf_hashes)):
        return []
    return _subproof(old_size, leaf_hashes, True)


def _subproof(old: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    size = len(leaves)
    if old == size:
        return [] if whole else [root(leaves)]
    split = 1 << (size - 1).bit_length() - 1
    if old <= split:
        return [*_subproof(old, leaves[:split], whole), root(leaves[split:])]
    return [*_subproof(old - split, leaves[split:], False), root(leaves[:split])]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162 2.1.3.2). Raises Refused where the path cannot belong to the index and size."""
    if not 0 <= index < size or len(leaf) != 32:
        raise Refused("index_outside_tree", "", index=index)
    node, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Refused("path_of_wrong_length", "")
        if node & 1 or node == last:
            hashed = node_hash(sibling, hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise Refused("path_of_wrong_length", "")
    return hashed


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> None:
    """Raises Refused unless the leaf is at this index of the tree with this size and root."""
    if root_from_inclusion(leaf, index, size, path) != expected_root:
        raise Refused("not_in_the_tree", "")


def check_consistency(old_size: int, new_size: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raises Refused unless the new tree extends the old one (RFC 9162 2.1.4.2). An empty old tree proves nothing and is refused."""
    if not 0 < old_size <= new_size:
        raise Refused("sizes_disordered", "")
    if old_size == new_size:
        if path or old_root != new_root:
            raise Refused("not_consistent", "")
        return
    hashes = list(path)
    if any(len(each) != 32 for each in hashes):
        raise Refused("path_of_wrong_length", "")
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise Refused("path_of_wrong_length", "")
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_hash = new_hash = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            raise Refused("path_of_wrong_length", "")
        if node & 1 or node == last:
            old_hash, new_hash = node_hash(each, old_hash), node_hash(each, new_hash)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_hash = node_hash(new_hash, each)
        node, last = node >> 1, last >> 1
    if last:
        raise Refused("path_of_wrong_length", "")
    if old_hash != old_root or new_hash != new_root:
        raise Refused("not_consistent", "")
