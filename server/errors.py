"""Refusals that only a service has. They are `Refused` with codes of their own; a caller that can act on one catches its class."""

from __future__ import annotations

from typing import Any

from drawing.errors import Refused


class Stale(Refused):
    """Somebody was quicker: the row or stream is no longer what the caller saw. Nothing was written; load it again and decide again."""

    def __init__(self, place: str, **params: Any) -> None:
        super().__init__("changed_meanwhile", place, **params)


class Unavailable(Refused):
    """The database cannot do it now: it is away, busy, full. Nothing was written; the same request may be sent again."""
