"""What anybody may have without a login: the log as C2SP tlog-tiles under /log/, and proofs of finished draws."""

from __future__ import annotations

from aiohttp import web as aioweb

from server.handlers.ask import Ask

FOR_EVER = "public, max-age=31536000, immutable"


async def checkpoint(ask: Ask) -> aioweb.StreamResponse:
    """The newest signed checkpoint."""
    data = await ask.site.published.log_file("checkpoint")
    return aioweb.Response(body=data, headers={"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"})


async def tile(ask: Ask) -> aioweb.StreamResponse:
    """A tile, whole or partial: what it says never changes."""
    data = await ask.site.published.log_file("tile/" + ask.path["rest"])
    return aioweb.Response(body=data, headers={"Content-Type": "application/octet-stream", "Cache-Control": FOR_EVER})


async def proof(ask: Ask) -> aioweb.StreamResponse:
    """A proof or a key list, as a file."""
    name = ask.path["name"]
    headers = {"Content-Type": "application/json", "Content-Disposition": f'attachment; filename="{name}.json"'}
    return aioweb.Response(body=await ask.site.published.proof(name), headers=headers)
