"""The server below the application: what cannot be parsed is answered with our headers too, and the limits of a connection are set here.

aiohttp answers a broken request itself, before any middleware; the only way to dress that answer is to be its protocol. The private names used
here are few and a test fails if a new version moves them.
"""

from __future__ import annotations

from typing import Any

from aiohttp import http_exceptions, http_parser
from aiohttp import web as aioweb
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from drawing.errors import Refused
from server.handlers.ask import SITE, Site
from server.handlers.headers import secure
from server.logs import LOG, places

MOST_LINE = 4_096  # an address: a search with every field filled
MOST_FIELD = 8_190
MOST_HEADERS = 64


class Connection(RequestHandler):
    """One connection; `site` is set by the doorway that makes it."""

    __slots__ = ("site",)
    site: Site

    def handle_error(
        self, request: aioweb.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> aioweb.StreamResponse:
        """A request that could not be parsed (400), or a mistake below the middleware (500): a page, and the connection ends."""
        number = self.site.chance.token(16).hex()
        code = code_of(status, exc)
        if code == "internal" and exc is not None:
            LOG.error("failed", request=number, error=type(exc).__name__, places=places(exc))
        response = self.site.renderer.early(code, number)
        secure(response.headers, self.site.settings)
        response.headers["X-Request-Id"] = number
        response.force_close()
        LOG.info("refused", request=number, code=code, status=response.status)
        self.force_close_soon()
        return response

    def force_close_soon(self) -> None:
        """No further request on this connection."""
        self._close = True


def code_of(status: int, exc: BaseException | None) -> str:
    """The row of the table for a failure of the parser."""
    if isinstance(exc, http_exceptions.LineTooLong):
        return "header_too_large"
    return "bad_request" if status < 500 else "internal"


class Doorway(Server):
    """Makes our connections."""

    site: Site

    def __call__(self) -> RequestHandler:
        """For one socket."""
        made = Connection(self, loop=self._loop, **self._kwargs)
        made.site = self.site
        return made


class Runner(aioweb.AppRunner):
    """Runs the application behind the doorway, with the limits that belong to a connection."""

    def __init__(self, app: aioweb.Application, **more: Any) -> None:
        """`more` goes to aiohttp."""
        settings = app[SITE].settings
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,  # no body is unpacked: no bomb
            keepalive_timeout=settings.idle_seconds,  # also ends connections whose headers do not come
            lingering_time=0,  # an answer to an unread body ends the connection at once
            max_line_size=MOST_LINE,
            max_field_size=MOST_FIELD,
            max_headers=MOST_HEADERS,
            shutdown_timeout=settings.shutdown_seconds / 2,  # aiohttp waits this long twice
            **more,
        )

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        doorway = Doorway(made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs)
        doorway.site = self._app[SITE]
        return doorway


def require_c_parser() -> None:
    """The parser in Python has had its own faults; refuse to serve with it. Raises Refused."""
    if http_parser.HttpRequestParser is not getattr(http_parser, "HttpRequestParserC", None):
        raise Refused("python_http_parser")
