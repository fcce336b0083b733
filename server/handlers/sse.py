"""Live updates of a page (server-sent events, WHATWG HTML 9.2): a heartbeat, what was missed since Last-Event-ID, an end when the service stops.

A `Topic` keeps its last events; each open stream has a queue with a bound. Whoever reads too slowly is cut and comes back with its last id,
so that a sleeping laptop never holds memory. At shutdown every queue gets the sentinel None: without it an open stream holds the stop for as
long as the server's timeout is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web as aioweb

from drawing.errors import Refused
from server.errors import NotReady
from server.handlers.ask import Ask
from server.handlers.problems import Stop

KEPT = 256
QUEUE = 64
RETRY_MS = 3_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is JSON and holds ids and codes, the page fetches what it may see."""

    number: int
    name: str
    data: str

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        return f"id: {self.number}\nevent: {self.name}\ndata: {self.data}\n\n".encode()


class Topic:
    """Something that pages watch."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._number = 0

    def publish(self, name: str, values: Mapping[str, str | int]) -> None:
        """Tell everybody who watches."""
        self._number += 1
        event = Event(self._number, name, json.dumps(values, ensure_ascii=True))
        self._kept.append(event)
        for queue in tuple(self._queues):
            if queue.full():  # too slow: it ends, and begins again after its last id
                self._queues.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def since(self, last: str) -> tuple[Event, ...]:
        """What came after an id. An id that is not ours, of an earlier process perhaps, gives what is kept."""
        seen = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
        if seen is None:
            return ()
        return tuple(event for event in self._kept if event.number > seen or seen > self._number)


class Streams:
    """All open streams of this process."""

    def __init__(self, most: int, heartbeat_seconds: int) -> None:
        self._most = most
        self._heartbeat = heartbeat_seconds
        self._open: set[asyncio.Queue[Event | None]] = set()
        self._stopping = False
        self.status = Topic()  # changes of parts of the service

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def stop(self) -> None:
        """End all of them now and refuse new ones."""
        self._stopping = True
        for queue in self._open:
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    async def watched(self, ask: Ask, look: Callable[[Topic], Awaitable[None]], seconds: float) -> aioweb.StreamResponse:
        """A stream of the reader's own, over what any process may change: `look` is asked each so many seconds and publishes what is new.

        A part of the service that is away for a while is told of elsewhere; the next look tells. The watching ends with the stream.
        """
        topic = Topic()

        async def watch() -> None:
            while True:
                with contextlib.suppress(Refused, NotReady):
                    await look(topic)
                await asyncio.sleep(seconds)

        task = asyncio.create_task(watch())
        try:
            return await self.serve(ask, topic)
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def serve(self, ask: Ask, topic: Topic) -> aioweb.StreamResponse:
        """Answer with the topic's events until the reader goes or the service stops."""
        if self._stopping or len(self._open) >= self._most:
            raise Stop("too_many_streams", headers={"Retry-After": "30"})
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE)
        response = aioweb.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"})
        self._open.add(queue)
        topic._queues.add(queue)
        try:
            missed = topic.since(ask.request.headers.get("Last-Event-ID", ""))
            ask.streaming = True
            await response.prepare(ask.request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode() + b"".join(event.encoded() for event in missed))
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        event = await queue.get()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                if event is None:
                    break
                await response.write(event.encoded())
        except ConnectionError:
            pass  # the reader is gone
        finally:
            self._open.discard(queue)
            topic._queues.discard(queue)
        return response
