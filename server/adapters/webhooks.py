"""The way out for webhooks: one POST, signed as Standard Webhooks has it, without redirects, cookies or proxies, to addresses that may be reached.

webhook-id, webhook-timestamp (Unix seconds), webhook-signature: v1,base64(HMAC-SHA256(secret, id "." timestamp "." body))
"""

from __future__ import annotations

import base64
import hmac
import socket
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from drawing.errors import Refused
from server.webhook_address import Reach, allowed, check_address

PREFIX = "whsec_"
SECONDS = 8.0
MOST_ANSWER = 1_024


def signature_of(secret: str, id: str, at: int, body: bytes) -> str:  # noqa: A002 (the header's name)
    """The header's value. `secret`: as it was shown, with its prefix."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode()


class Guarded(AbstractResolver):
    """Names as the system finds them, where all of their addresses may be reached."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._inner = reach, ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Raises OSError for a name that leads elsewhere."""
        found = await self._inner.resolve(host, port, family)
        if not allowed([each["host"] for each in found], self._reach):
            raise OSError("private")
        return found

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True, slots=True)
class HookSender:
    """Made once, with what may be reached."""

    reach: Reach

    async def send(self, address: str, secret: str, id: str, at: int, body: bytes) -> str:  # noqa: A002
        """Nothing where it was taken, else a code: a status, `redirected`, `not_reached`, `silent`, `address`."""
        try:
            check_address(address, self.reach)  # the settings may have changed since
        except Refused:
            return "address"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature_of(secret, id, at, body),
        }
        connector = aiohttp.TCPConnector(resolver=Guarded(self.reach), use_dns_cache=False, force_close=True)
        timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=3)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
                ) as session,
                session.post(address, data=body, headers=headers, allow_redirects=False) as got,
            ):
                await got.content.read(MOST_ANSWER)
                return "" if 200 <= got.status < 300 else "redirected" if 300 <= got.status < 400 else f"status_{got.status}"
        except aiohttp.ClientConnectorError:
            return "not_reached"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return "silent"
