"""What the service needs from outside itself, as protocols. Implemented in `server.adapters`, chosen in `server.app`, replaced by fakes in tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Clock(Protocol):
    """Two clocks: the one on the wall and the one that never goes back."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        ...

    def steady_ms(self) -> int:
        """Milliseconds since some moment; for measuring only."""
        ...


class Chance(Protocol):
    """Unpredictable bytes, for tokens and ids; no draw takes its randomness here."""

    def token(self, size: int) -> bytes:
        """So many bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told on one channel. `id` says nothing about draw or person; the same id is the same message, however often it is sent."""

    id: str
    channel: str  # sms, voice, mail
    kind: str  # call, cancel
    to: str = field(repr=False)
    text: Mapping[str, str] = field(repr=False)  # language -> words
    token: str = field(repr=False)
    until: int  # when an answer is too late; 0 where none is asked for


class Outcome(Enum):
    """What became of a message, as far as whoever sent it can know."""

    SENT = "sent"  # the gateway has it
    REFUSED = "refused"  # it was not sent, and will not be
    LATER = "later"  # it was not sent: try again
    UNKNOWN = "unknown"  # it may have been sent


@dataclass(frozen=True, slots=True)
class Sent:
    """`fault` is a code; `seconds`: when trying again is worth it."""

    outcome: Outcome
    fault: str = ""
    seconds: int = 5


class Gateway(Protocol):
    """The way out for one channel."""

    @property
    def channel(self) -> str:
        """sms, voice or mail."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the other side sends a message of the same id once, however often it is asked."""
        ...

    async def send(self, message: Message) -> Sent:
        """Raises nothing."""
        ...
