"""A log that must not grow: a witness has seen a longer one under its name, or another.

The head of the log says so in one column that every process reads in the transaction in which it would append. So web, keeper and courier stop
at the same moment, and a restart forgets nothing. What goes on: reading, logins and counters (they are not in the log), and the entries
that a new epoch needs. Values only; who writes the column is `server.witness.courier`, and `Tx.begin_log` empties it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused

BEHIND, DIFFERS = "log_behind_witness", "log_differs_from_witness"
_EPOCH = re.compile(r"(.+)/epoch-([1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Why nothing is appended: a code with a text, the witness's address, our size then and the one that it had seen."""

    code: str
    place: str
    size: int
    seen: int
    at: int

    @property
    def refusal(self) -> Refused:
        """What whoever wants to write is told."""
        return Refused(self.code, self.place, size=self.size, seen=self.seen)

    @property
    def text(self) -> str:
        """As the column has it."""
        value = {"at": self.at, "code": self.code, "place": self.place, "seen": self.seen, "size": self.size}
        return dumps(value, text=True).decode()

    @classmethod
    def read(cls, text: str | None) -> Frozen | None:
        """From the column."""
        return None if text is None else cls(**loads(text.encode(), place="log_head", text=True))


def next_epoch(origin: str) -> str:
    """`name/epoch-2` after `name`, `name/epoch-3` after that."""
    found = _EPOCH.fullmatch(origin)
    return f"{found[1]}/epoch-{int(found[2]) + 1}" if found else f"{origin}/epoch-2"


def first_name(origin: str) -> str:
    """The name that the log was set up with."""
    found = _EPOCH.fullmatch(origin)
    return found[1] if found else origin


def epoch_digest(origin: str, frozen: Frozen) -> bytes:
    """What the approvals of a new epoch cover: which log goes on under which name, and what a witness had seen."""
    return TH("lotroom/v1/new-epoch", origin.encode(), next_epoch(origin).encode(), frozen.text.encode())
