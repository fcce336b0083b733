"""What a command that cannot go on yet says: nothing is wrong, something must come from elsewhere first."""

from __future__ import annotations


class Waiting(Exception):
    """Raised with a code of server.texts (`waiting_<code>`) and its values; `until` is a moment in Unix seconds."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
