"""Proofs of finished draws, for anybody."""

from __future__ import annotations

from aiohttp import web as aioweb

from server.handlers.ask import Ask


async def proof(ask: Ask) -> aioweb.StreamResponse:
    """A proof or a key list, as a file."""
    name = ask.path["name"]
    headers = {"Content-Type": "application/json", "Content-Disposition": f'attachment; filename="{name}.json"'}
    return aioweb.Response(body=await ask.site.proofs.file(name), headers=headers)
