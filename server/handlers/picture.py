"""Pictures that phones read, drawn as one path."""

from __future__ import annotations

from dataclasses import dataclass

import segno


@dataclass(frozen=True, slots=True)
class Picture:
    """A QR code of `size` modules a side."""

    path: str
    size: int


def picture(text: str) -> Picture:
    """With a quiet border; error correction M."""
    rows = tuple(segno.make(text, error="m", micro=False).matrix_iter(border=4))
    return Picture("".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark), len(rows))
