"""One bounded question over HTTP: no redirects, no cookies, a time-out, at most so many bytes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from drawing.errors import Refused


def open_session(seconds: float, *, proxies: bool = False) -> aiohttp.ClientSession:
    """A session whose every question ends after so many seconds. `proxies`: the environment's proxy may be used (the public internet)."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds), cookie_jar=aiohttp.DummyCookieJar(), trust_env=proxies, auto_decompress=False
    )


async def ask(session: aiohttp.ClientSession, url: str, most: int) -> tuple[int, bytes]:
    """(status, body). Raises Refused `no_answer` with what went wrong."""
    try:
        async with session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response:
            body = b""
            async for part in response.content.iter_chunked(65_536):
                body += part
                if len(body) > most:
                    raise Refused("no_answer", url, why=f"> {most} bytes")
            return response.status, body
    except TimeoutError:
        raise Refused("no_answer", url, why="timeout") from None
    except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as wrong:
        raise Refused("no_answer", url, why=(str(wrong) or type(wrong).__name__)[:100]) from None


def read_answer(url: str, body: bytes) -> dict[str, Any]:
    """The JSON object of an answer. Raises Refused."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("no_answer", url, why="not JSON") from None
    if not isinstance(value, dict):
        raise Refused("no_answer", url, why="not JSON")
    return value


def read_signature(url: str, value: dict[str, Any], number: int) -> bytes:
    """The signature of an answer that is about this very round. Raises Refused."""
    signature = value.get("signature")
    if type(value.get("round")) is not int or value["round"] != number:
        raise Refused("no_answer", url, why="another round")
    if not isinstance(signature, str) or len(signature) != 96:
        raise Refused("no_answer", url, why="no signature")
    try:
        return bytes.fromhex(signature)
    except ValueError:
        raise Refused("no_answer", url, why="no signature") from None
