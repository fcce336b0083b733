"""A sheet of bidders that is not sealed yet, read in a process of its own as `upload` reads libraries.

python -m server.library.bidder_sheet csv|xlsx < file      a JSON object on standard output, then it ends
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

from drawing.errors import Refused
from server import bidders
from server.library.upload import alone, answer_of, apart, rows_of

MOST_BYTES = 1 << 20
MOST_ROWS = 5_000


def read(kind: str, data: bytes) -> dict[str, Any]:
    """The plain list as text. Raises Refused."""
    rows = [row for _, row in islice(rows_of(kind, data), MOST_ROWS + 1)]
    if len(rows) > MOST_ROWS:
        raise Refused("bidders_too_large", "bidders", most=bidders.MOST_PLAIN)
    return {"plain": bidders.plain_of(rows).decode()}


async def plain(kind: str, data: bytes) -> bytes:
    """`read` in a process of its own. Raises Refused: bidders_too_large, unknown_file_kind, and what the reader refused."""
    if len(data) > MOST_BYTES:
        raise Refused("bidders_too_large", "file", most=bidders.MOST_PLAIN)
    value = await asyncio.to_thread(answer_of, await apart("server.library.bidder_sheet", kind, data))
    return str(value["plain"]).encode()


if __name__ == "__main__":
    alone(read)
