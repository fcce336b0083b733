"""The leaves that the service itself writes, and how a leaf says which stream it is of.

    changed    a state row: {"after", "at", "before", "by", "event": "changed", "row", "table", "version", "why"}
    event      of a draw: its stream is draw:<project tag>; of anything else: what its "stream" says
    others     map roots (drawing.proof), notices ("event": name); of no stream

The log is public: a leaf holds ids, codes and digests, never a value of a row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from drawing.canonical import dumps, unhex
from drawing.errors import Refused

_WORD = re.compile(r"[a-z0-9_.:/-]{1,96}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Changed:
    """One version of one state row became another. No `before`: it is new; no `after`: it is gone."""

    EVENT: ClassVar[str] = "changed"

    table: str
    row: str
    version: int
    before: bytes | None
    after: bytes | None
    by: str
    why: str
    at: int

    @property
    def leaf(self) -> bytes:
        assert _WORD.fullmatch(self.by), self.by
        assert not self.why or _WORD.fullmatch(self.why), self.why
        value = {"at": self.at, "by": self.by, "event": self.EVENT, "row": self.row, "table": self.table, "version": self.version}
        digests = {"before": self.before, "after": self.after}
        words = {"why": self.why} if self.why else {}
        return dumps({**value, **words, **{name: digest.hex() for name, digest in digests.items() if digest is not None}})

    @classmethod
    def read(cls, value: dict[str, Any], place: str) -> Changed:
        """From a leaf's value. Raises Refused where it is not of this form."""
        texts = {name: value.get(name, "" if name == "why" else None) for name in ("table", "row", "by", "why")}
        whole = {name: value.get(name) for name in ("version", "at")}
        known = {"event", "before", "after", *texts, *whole}
        if (
            any(type(each) is not str for each in texts.values())
            or any(type(each) is not int for each in whole.values())
            or set(value) - known
        ):
            raise Refused("bad_change_leaf", place)
        before, after = (unhex(value[name], 32, place) if name in value else None for name in ("before", "after"))
        return cls(**texts, **whole, before=before, after=after)  # type: ignore[arg-type]  # checked above


def stream_of(value: Any) -> str | None:
    """The stream that a leaf's value names, if it is an event of one."""
    match value:
        case {"v": "draw/v1", "type": str(kind), "project": str(project)} if kind != "mapped":
            return f"draw:{project}"
        case {"stream": str(stream)} if stream and not stream.startswith("draw:"):
            return stream
        case _:
            return None
