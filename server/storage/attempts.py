"""The map of attempts (drawing.map) kept up to date: one update costs the depth of one key, where a root anew costs all keys.

For replaying a long log, which says the map's root after every event.
"""

from __future__ import annotations

from dataclasses import dataclass

from drawing import map as sparse


@dataclass(frozen=True, slots=True)
class _Leaf:
    key: bytes
    hashed: bytes


@dataclass(frozen=True, slots=True)
class _Node:
    left: _Leaf | _Node | None
    right: _Leaf | _Node | None
    hashed: bytes


def _hash(below: _Leaf | _Node | None) -> bytes:
    return below.hashed if below is not None else sparse.EMPTY


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def _node(left: _Leaf | _Node | None, right: _Leaf | _Node | None) -> _Node:
    return _Node(left, right, sparse.node(_hash(left), _hash(right)))


def _put(below: _Leaf | _Node | None, new: _Leaf, depth: int) -> _Leaf | _Node:
    match below:
        case None:
            return new
        case _Leaf(key=key):
            if key == new.key:
                return new
            there = below if _bit(key, depth) == 0 else None
            split = _node(there, below if there is None else None)
            return _put(split, new, depth)
        case _Node(left=left, right=right):
            if _bit(new.key, depth):
                return _node(left, _put(right, new, depth + 1))
            return _node(_put(left, new, depth + 1), right)


class AttemptMap:
    """A growing map. Keys are 32 bytes."""

    def __init__(self) -> None:
        self._top: _Leaf | _Node | None = None

    def put(self, key: bytes, value: bytes) -> None:
        self._top = _put(self._top, _Leaf(key, sparse.leaf(key, value)), 0)

    @property
    def root(self) -> bytes:
        """The same as drawing.map.root of all that was put."""
        return _hash(self._top)
