"""What the service needs from outside itself, as protocols. Implemented in `server.adapters`, chosen in `server.app`, replaced by fakes in tests."""

from __future__ import annotations

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
