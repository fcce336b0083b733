"""The service as a supervisor's machine reaches it: a few bounded questions over HTTPS with a service token. No redirects, no cookies, no files."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from drawing.errors import Refused
from drawing.openings import MAX_FILE as MAX_OPENINGS
from drawing.roll import MAX_ROLL
from server.fetch import read_answer
from server.supervise.checking import Shown

SECONDS = 60.0  # a question; a large file takes as long as its bytes come
MOST_ANSWER = 1 << 30  # a project's events: 5,000 of 64 KiB, in hex
MOST_SEALED = {"openings": MAX_OPENINGS + (64 << 20), "roll": MAX_ROLL + (1 << 20)}
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Service:
    """One service. `token` is its service token; `ca`: a file of certificates to trust, where the service has one of its own."""

    address: str
    token: str = field(repr=False)
    lang: str = "zh"
    ca: Path | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise Refused("bad_address", self.address[:100])
        if parts.scheme == "http" and parts.hostname not in LOCAL:
            raise Refused("plain_address", self.address[:100])

    async def waiting(self, session: aiohttp.ClientSession) -> tuple[Mapping[str, Any], ...]:
        """Draws that wait for supervisors."""
        return tuple((await self._object(session, "GET", "/api/supervision"))["draws"])

    async def shown(self, session: aiohttp.ClientSession, draw: str) -> Shown:
        """One draw, not believed. Raises Refused."""
        value = await self._object(session, "GET", f"/api/draws/{draw}/supervision")
        try:
            leaves, drafts = (tuple(map(bytes.fromhex, value[name])) for name in ("events", "drafts"))
            return Shown(draw, str(value["project"]), leaves, str(value["waiting"]), str(value["asked"]).encode(), drafts)
        except (KeyError, TypeError, ValueError):
            raise Refused("no_answer", self.address, why="not a draw") from None

    async def sealed(self, session: aiohttp.ClientSession, draw: str, what: str) -> bytes:
        """A sealed file; it stays in memory."""
        return await self._ask(session, "GET", f"/api/draws/{draw}/files/{what}", None, MOST_SEALED[what])

    async def file_event(self, session: aiohttp.ClientSession, draw: str, leaf: bytes) -> Mapping[str, Any]:
        """A signed event, filed; where the draw stands then."""
        return await self._object(session, "POST", f"/api/draws/{draw}/events", {"leaf": leaf.hex()})

    async def sign(self, session: aiohttp.ClientSession, draw: str, value: Mapping[str, str]) -> Mapping[str, Any]:
        """A draft's signature; where the draw stands then."""
        return await self._object(session, "POST", f"/api/draws/{draw}/signatures", value)

    def session(self) -> aiohttp.ClientSession:
        """For some questions; to be closed."""
        trust = ssl.create_default_context(cafile=str(self.ca)) if self.ca else True
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=20, sock_read=SECONDS),
            connector=aiohttp.TCPConnector(ssl=trust, force_close=True),  # between two questions a library may be screened
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def _object(
        self, session: aiohttp.ClientSession, method: str, path: str, value: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return read_answer(path, await self._ask(session, method, path, value, MOST_ANSWER))

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, value: Mapping[str, str] | None, most: int) -> bytes:
        """Raises Refused: `no_answer`, or `service_refused` with what the service said."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "identity", "Accept-Language": self.lang}
        data = None if value is None else json.dumps(value).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        url = self.address.rstrip("/") + path
        try:
            async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
                body = bytearray()
                async for part in response.content.iter_chunked(1 << 18):
                    body += part
                    if len(body) > most:
                        raise Refused("no_answer", path, why=f"> {most} bytes")
                if response.status != 200:
                    raise _said(path, response.status, bytes(body))
                return bytes(body)
        except TimeoutError:
            raise Refused("no_answer", path, why="timeout") from None
        except (aiohttp.ClientError, OSError, ValueError) as wrong:
            raise Refused("no_answer", path, why=(str(wrong) or type(wrong).__name__)[:200]) from None


def _said(path: str, status: int, body: bytes) -> Refused:
    """A problem of the service (RFC 9457) as a refusal here: a field's code says more than the problem's."""
    try:
        value: Any = json.loads(body)
        faults = value.get("faults") or [{"code": value["code"], "text": value["detail"]}]
        return Refused("service_refused", path, said=str(faults[0]["code"])[:64], why=str(faults[0]["text"])[:400])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return Refused("no_answer", path, why=f"status {status}")
