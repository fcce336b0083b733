"""The transparency log for everybody, as C2SP tlog-tiles: the newest checkpoint with its cosignatures, and tiles that never change."""

from __future__ import annotations

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.handlers.ask import Ask
from server.handlers.problems import Stop
from server.tilelog import headers_of


async def checkpoint(ask: Ask) -> aioweb.StreamResponse:
    """The newest checkpoint; whoever keeps it asks again each time."""
    return await _file(ask, "checkpoint")


async def tile(ask: Ask) -> aioweb.StreamResponse:
    """A tile of hashes or entries; what a checkpoint spoke of stays as it is."""
    return await _file(ask, f"tile/{ask.path['rest']}")


async def _file(ask: Ask, path: str) -> aioweb.StreamResponse:
    try:
        body = await ask.site.tiles.file(path)
    except Refused as wrong:
        if wrong.code != "no_such_tile":
            raise
        raise Stop("not_found") from None
    return aioweb.Response(body=body, headers={**headers_of(path), "Cross-Origin-Resource-Policy": "cross-origin"})
