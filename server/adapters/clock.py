"""The only place of the service that reads a clock or asks for chance."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    """The machine's own."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())

    def steady_ms(self) -> int:
        """Milliseconds that never go back."""
        return time.monotonic_ns() // 1_000_000


class SystemChance:
    """The kernel's."""

    def token(self, size: int) -> bytes:
        """So many bytes."""
        return secrets.token_bytes(size)
