"""Failures that a page or a caller of the API can act on: a stable code and values for its text. What a rule refuses is `drawing.errors.Refused`."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """Something that could not be done. `code` names a row of `handlers.problems.PROBLEMS`; `params` fill its text and hold ids and numbers only."""

    code = "internal"

    def __init__(self, **params: Any) -> None:
        self.params = params
        super().__init__(self.code)


class NotFound(Failure):
    """No such thing, or none that this person may know of: the two are never told apart."""

    code = "not_found"


class Stale(Failure):
    """Somebody else changed it meanwhile."""

    code = "stale"


class NotReady(Failure):
    """A part of the service is away, a restarting database for instance."""

    code = "not_ready"
