"""The compact range of a growing tree: the roots of the perfect subtrees that n leaves fall into, largest first, one per bit of n.

Appending a leaf costs O(log n) hashes and needs nothing else of the tree; nor does the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drawing.merkle import EMPTY, node_hash

TILE_HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Node:
    """The hash of the whole subtree of 256^level leaves at a position: one hash of a tile of that level (C2SP tlog-tiles)."""

    level: int
    position: int
    node_hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves, by its perfect subtrees."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf_hashes: Sequence[bytes]) -> tuple[Frontier, list[Node]]:
        """The tree with these leaves after it, and the nodes of level 1 and above that are now complete."""
        stack = list(self.hashes)
        done: list[Node] = []
        for size, leaf in enumerate(leaf_hashes, self.size):
            hashed, height, rest = leaf, 0, size
            while rest & 1:
                hashed = node_hash(stack.pop(), hashed)
                height, rest = height + 1, rest >> 1
                if height % TILE_HEIGHT == 0:
                    done.append(Node(height // TILE_HEIGHT, rest, hashed))
            stack.append(hashed)
        return Frontier(self.size + len(leaf_hashes), tuple(stack)), done

    @property
    def root(self) -> bytes:
        """The root of RFC 6962."""
        if not self.hashes:
            return EMPTY
        *rest, hashed = self.hashes
        for left in reversed(rest):
            hashed = node_hash(left, hashed)
        return hashed

    @property
    def data(self) -> bytes:
        return b"".join(self.hashes)

    @classmethod
    def of(cls, size: int, data: bytes) -> Frontier:
        """From `size` and `data`. Raises ValueError where they do not belong together."""
        if size < 0 or len(data) != 32 * size.bit_count():
            raise ValueError(size)
        return cls(size, tuple(data[n : n + 32] for n in range(0, len(data), 32)))
