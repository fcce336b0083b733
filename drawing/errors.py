"""The one kind of refusal: a stable code, a place, and values for the text. Texts live in `drawing.texts`, translated at the edge."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Input that breaks a rule. `code` is stable and documented, `place` says where, `params` fill the translated text."""

    def __init__(self, code: str, place: str = "", **params: Any) -> None:
        self.code = code
        self.place = place
        self.params = params
        values = ", ".join(f"{key}={value}" for key, value in params.items())
        super().__init__(code + (f" at {place}" if place else "") + (f" ({values})" if values else ""))
