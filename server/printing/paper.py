"""A printed paper as values: a title and blocks, in the reader's language already. The template shows it; `typeset` makes the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import segno


@dataclass(frozen=True, slots=True)
class Paper:
    """`at`: the moment that the file says it was made (Unix seconds): the last event's, so that the same draw is the same file."""

    title: str
    lang: str  # zh | en
    at: int
    foot: str
    author: str
    blocks: tuple[dict[str, Any], ...]
    watermark: str = ""
    wide: bool = field(default=False)

    def value(self) -> dict[str, Any]:
        """What the template reads."""
        return {
            "author": self.author,
            "blocks": list(self.blocks),
            "foot": self.foot,
            "lang": self.lang,
            "region": "CN" if self.lang == "zh" else "GB",
            "title": self.title,
            "watermark": self.watermark,
            "wide": self.wide,
        }


def heading(text: str) -> dict[str, Any]:
    """A heading."""
    return {"kind": "heading", "text": text}


def words(text: str) -> dict[str, Any]:
    """A paragraph."""
    return {"kind": "text", "text": text}


def listed(items: Sequence[str]) -> dict[str, Any]:
    """A numbered list."""
    return {"kind": "list", "items": list(items)}


def pairs(*given: tuple[str, str] | tuple[str, str, str]) -> dict[str, Any]:
    """Names and values, two pairs in a row; with a third part: `wide` takes the row, `mono` is a digest and takes it too.

    A pair before a wide one that would stand alone takes the row as well.
    """
    made: list[dict[str, Any]] = []
    half = False
    for each in given:
        how = each[2] if len(each) > 2 else ""
        if how and half:
            made[-1]["wide"], half = True, False
        made.append({"name": each[0], "value": each[1] or "—", "wide": bool(how), "mono": how == "mono"})
        half = not half if not how else False
    if half:
        made[-1]["wide"] = True
    return {"kind": "pairs", "pairs": made}


def table(head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], room: int = 4) -> dict[str, Any]:
    """A table; a width is a share of what is left, 0 as wide as its words. `room`: points above and below, more to write into."""
    return {"kind": "table", "head": list(head), "rows": [list(each) for each in rows], "widths": list(widths), "room": room}


def digests(rows: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Digests in groups of 8, as people compare them."""
    return {"kind": "digests", "rows": [{"name": name, "value": grouped(value)} for name, value in rows]}


def qr(address: str, says: str) -> dict[str, Any]:
    """An address as a picture, with what is found there."""
    out = BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", scale=4, border=2, xmldecl=False, nl=False)
    return {"kind": "qr", "svg": out.getvalue().decode(), "address": address, "says": says}


def grouped(digest: str) -> str:
    """Hex in groups of 8."""
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
