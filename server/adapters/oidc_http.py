"""The way to an identity provider: aiohttp's client without redirects, cookies or long answers."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from server.auth.oidc import MOST_ANSWER, Answer

DEADLINE = aiohttp.ClientTimeout(total=8, connect=3)


class ClientHttp:
    """`server.auth.oidc.Http` over a session of the caller's, who closes it; the session has a DummyCookieJar."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> Answer:
        return await self._ask("GET", url)

    async def post(self, url: str, form: Mapping[str, str], authorization: str) -> Answer:
        return await self._ask("POST", url, form, authorization)

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None, authorization: str = "") -> Answer:
        headers = {"Accept": "application/json", **({"Authorization": authorization} if authorization else {})}
        try:
            async with self._session.request(
                method, url, data=form, headers=headers, timeout=DEADLINE, allow_redirects=False, max_line_size=8190
            ) as got:
                body = bytearray()
                async for piece in got.content.iter_chunked(16_384):
                    body += piece
                    if len(body) > MOST_ANSWER:  # enough to know that it is too much
                        break
                return Answer(got.status, bytes(body))
        except aiohttp.ClientError as why:
            raise OSError(type(why).__name__) from None
