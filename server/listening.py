"""A small HTTP server for a process of its own (beacon node, witness, tiles): bounded connections, each for a bounded time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web as aioweb

from drawing.errors import Refused

MAX_CONNECTIONS = 256
CONNECTION_SECONDS = 30.0  # no question takes so long: whoever sends slowly is not waited for


@asynccontextmanager
async def listening(
    app: aioweb.Application, host: str, port: int, *, most: int = MAX_CONNECTIONS, seconds: float = CONNECTION_SECONDS
) -> AsyncIterator[int]:
    """The application at an address, until the block ends; gives the port. At most so many connections, each for at most so many seconds."""
    runner = aioweb.AppRunner(app, access_log=None, keepalive_timeout=15, shutdown_timeout=5)
    await runner.setup()
    loop = asyncio.get_running_loop()
    server = runner.server
    if server is None:  # only before `setup`
        raise Refused("no_share_yet", "node", status="down")

    def accept() -> asyncio.Protocol:
        handler = server()
        full = len(server.connections) >= most
        loop.call_later(0.05 if full else seconds, handler.force_close)  # not at once: its transport comes after this call
        return handler

    try:
        socket = await loop.create_server(accept, host or None, port, reuse_address=True)
        try:
            yield int(socket.sockets[0].getsockname()[1])
        finally:
            socket.close()
    finally:
        await runner.cleanup()


async def until_told() -> None:
    """Returns when the process is asked to end."""
    ended = asyncio.Event()
    with suppress(NotImplementedError):
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
    await ended.wait()
