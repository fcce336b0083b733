"""What a printed paper of a draw is made of: the public events, the request and, where they may be known, the people. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drawing.draw import Draw
from drawing.events import Event
from server.request import Request


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a slot, the `occupant`-th of it; the names are "" where the slot is sealed. `said`: how it went and, of those who do not come, why."""

    slot: int
    occupant: int
    seat: int
    reserve: bool
    said: str  # accepted | left | pending | used | appointed
    reason: str = ""
    known: bool = False
    name: str = field(default="", repr=False)
    id_number: str = field(default="", repr=False)
    employer: str = field(default="", repr=False)
    title: str = field(default="", repr=False)
    duty: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    professions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """One attempt. `events` with their places in the log; `request` None where only what is public may be printed."""

    draw: Draw
    events: tuple[tuple[int, Event], ...]
    number: str
    section: str
    regime: str
    centre: str
    place: str
    applied_at: int
    evaluation_at: int
    operator: str
    bodies: Mapping[str, str]  # key name -> body, of the key list
    roles: Mapping[str, str]  # key name -> role
    address: str  # where the proof is
    people: tuple[Person, ...]
    request: Request | None = None

    @property
    def began_at(self) -> int:
        return self.events[0][1].head.at

    @property
    def ended_at(self) -> int:
        return self.events[-1][1].head.at

    @property
    def parties(self) -> tuple[Mapping[str, str], ...]:
        return tuple(self.request.values["parties"]) if self.request is not None else ()

    def section_of(self, name: str) -> Mapping[str, Any]:
        """A section of the request; empty where it is not to be printed."""
        found: Mapping[str, Any] = self.request.values[name] if self.request is not None else {}
        return found


def anonymous(draw: Draw) -> tuple[Person, ...]:
    """Everybody who was ever drawn into a slot, without names."""
    made = []
    for number, slot in enumerate(draw.slots):
        for occupant in range(1, max(1, len(slot.tags)) + 1):
            last = occupant >= len(slot.tags)
            made.append(Person(number, occupant, slot.seat, slot.reserve, slot.state if last else "left"))
    return tuple(made)
