"""One sum over all of the keeper's own rows, so that no row goes back to what it was: not alone, not while nobody looks.

Sealing shows that a row was written by the keeper and for this place; it does not show that it is the latest. So every row of states,
credentials and wrapped keys adds HMAC-SHA256(anchor key, kind, key, value) to a sum modulo 2**256 (a multiset hash with a secret key:
Clarke et al., MSet-Add-Hash, Asiacrypt 2003). The sum is a row of its own, sealed, changed in the transaction of every other change. Unsealing
reads all rows and compares; from then on the keeper remembers each row's HMAC and compares whenever it reads one. Records of openings are left
out: they only grow, nothing is decided by them, and the log holds their digests.

Whoever puts the whole database back, sum and all, is met by the log: its witnesses saw a larger tree.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from drawing.canonical import TH
from drawing.model import digest, whole
from server.keeper.keys import Secret
from server.keeper.store import Change, Key, Row

NAME: Final = "anchor"
KINDS: Final = ("key", "state", "credential")
_UNCOUNTED: Final = ("access/",)
_MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class Sum:
    """The row: how many changes there were, and the sum."""

    number: Annotated[int, whole(0, (1 << 53) - 1)]
    sum: Annotated[bytes, digest]


EMPTY: Final = Sum(0, bytes(32))


def counted(kind: str, key: Key) -> bool:
    """Whether a row is part of the sum."""
    return kind in KINDS and key != (NAME,) and not (kind == "state" and key[0].startswith(_UNCOUNTED))


class Anchor:
    """What the keeper remembers of its rows. Not safe for two writers: the vault lets one in."""

    __slots__ = ("_key", "_rows", "number", "total")

    def __init__(self, key: Secret) -> None:
        self._key = key
        self._rows: dict[bytes, int] = {}
        self.number = 0
        self.total = 0

    def __repr__(self) -> str:
        return f"Anchor(rows={len(self._rows)}, number={self.number})"

    def add(self, kind: str, rows: Iterable[Row]) -> None:
        """Rows as they are found at the beginning."""
        for row in rows:
            if counted(kind, row.key):
                self._put(kind, row.key, row.value)

    def fits(self, kind: str, key: Key, row: Row | None) -> bool:
        """Whether a row (or its absence) is what the keeper last wrote."""
        if not counted(kind, key):
            return True
        there = self._rows.get(_name(kind, key))
        return there is None if row is None else there == self._of(kind, key, row.value)

    def after(self, changes: Sequence[Change]) -> Sum:
        """The sum once these are written."""
        total = self.total
        for each in changes:
            if counted(each.kind, each.key):
                total -= self._rows.get(_name(each.kind, each.key), 0)
                total += 0 if each.value is None else self._of(each.kind, each.key, each.value)
        return Sum(self.number + 1, (total % _MODULUS).to_bytes(32, "big"))

    def written(self, changes: Sequence[Change]) -> None:
        """They are."""
        self.number += 1
        for each in changes:
            if counted(each.kind, each.key):
                self._put(each.kind, each.key, each.value)

    def _put(self, kind: str, key: Key, value: bytes | None) -> None:
        name = _name(kind, key)
        self.total -= self._rows.pop(name, 0)
        if value is not None:
            self._rows[name] = self._of(kind, key, value)
            self.total += self._rows[name]
        self.total %= _MODULUS

    def _of(self, kind: str, key: Key, value: bytes) -> int:
        return int.from_bytes(hmac.digest(self._key.raw, _name(kind, key) + value, "sha256"), "big")


def _name(kind: str, key: Key) -> bytes:
    return TH("lotroom/v1/anchor", kind.encode(), *(each.encode() for each in key))[:16]
