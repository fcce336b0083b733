"""`Idempotency-Key`: a request of the API that changes something and carries one is done once; the same again gets the same answer.

A refusal frees the key, for nothing was done; a failure of ours keeps it taken, for nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256

from aiohttp import web as aioweb

from server.handlers.ask import Ask
from server.handlers.problems import Stop, problem_of
from server.storage import repeats

HEADER = "Idempotency-Key"
KEY = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)  # 128 bits in base64, a UUID, hex


async def once(ask: Ask, handler: Callable[[Ask], Awaitable[aioweb.StreamResponse]]) -> aioweb.StreamResponse:
    """The answer of the handler, or the one that it gave before. Raises Stop, and what the handler raises."""
    keys = ask.request.headers.getall(HEADER, [])
    if not keys:
        return await handler(ask)
    if len(keys) != 1 or not KEY.fullmatch(keys[0]):
        raise Stop("bad_request")
    store, who, key = ask.desk.store, ask.viewer.person, keys[0]
    digest = sha256(f"{ask.request.method} {ask.request.raw_path}\n".encode() + ask.body).digest()
    before = await store.write(lambda tx: repeats.begin(tx, who, key, digest), ask.now)
    if before is not None:
        return aioweb.Response(body=before, headers={"Content-Type": "application/json"})
    try:
        made = await handler(ask)
    except Exception as raised:
        if problem_of(raised, ask.language, ask.id).status < 500:
            await store.write(lambda tx: repeats.free(tx, who, key), ask.now)
        raise
    assert isinstance(made, aioweb.Response)
    body = bytes(made.body) if isinstance(made.body, bytes | bytearray) else b""
    await store.write(lambda tx: repeats.end(tx, who, key, body), ask.now)
    return made
