"""What an import changes: who joins, whose record differs, who has a new employer, who leaves. Blind indexes in, numbers out; no names.

An ID number makes somebody the same person. Above a hundredth of the library another person approves (`needs_approval`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drawing.canonical import TH

LEFT = "left"
SHARE = 100  # one in so many may change without approval


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody in the library."""

    id: str
    unit: bytes
    record: bytes
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class Line:
    """A staged record: its batch and place there, its row in the sheet, its indexes."""

    batch: int
    place: int
    row: int
    number: bytes
    phone: bytes
    unit: bytes
    record: bytes
    status: str
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """`moves` are changes too: of the employer. `leaves` are ids."""

    joins: tuple[Line, ...]
    changes: tuple[Line, ...]
    moves: int
    same: int
    leaves: tuple[str, ...]
    before: int

    @property
    def size(self) -> int:
        return len(self.joins) + len(self.changes) + len(self.leaves)

    @property
    def needs_approval(self) -> bool:
        return self.size * SHARE > self.before


def difference(known: Mapping[bytes, Known], lines: Iterable[Line], *, whole: bool) -> Difference:
    """`whole`: the file is the whole library, and whoever is not in it leaves."""
    joins: list[Line] = []
    changes: list[Line] = []
    moves = same = 0
    seen: set[bytes] = set()
    for line in lines:
        if line.skipped:
            continue
        seen.add(line.number)
        there = known.get(line.number)
        if there is None:
            joins.append(line)
        elif there.record != line.record or there.status == LEFT:
            changes.append(line)
            moves += there.unit != line.unit
        else:
            same += 1
    inside = {number: each for number, each in known.items() if each.status != LEFT}
    leaves = tuple(sorted(each.id for number, each in inside.items() if number not in seen)) if whole else ()
    return Difference(tuple(joins), tuple(changes), moves, same, leaves, len(inside))


def expert_id(staging: str, number: bytes) -> str:
    """The id of somebody who joins with an import: the same whenever it is asked, so that a batch put in twice is put in once."""
    return TH("lotroom/v1/expert-id", staging.encode(), number)[:16].hex()
