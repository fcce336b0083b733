"""Live updates: heartbeat, what was missed, a bound on readers who sleep, an end at shutdown within five seconds."""

from __future__ import annotations

import socket
import time

import pytest

from server.handlers.sse import KEPT, QUEUE, Topic
from tests.server.web.live import Live

opened: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed():
    yield
    while opened:
        opened.pop().close()


class Stream:
    """A reader of a stream."""

    def __init__(self, live: Live, last: str = "") -> None:
        self.raw = socket.create_connection(("127.0.0.1", live.port), timeout=5)
        opened.append(self.raw)
        last = f"Last-Event-ID: {last}\r\n" if last else ""
        self.raw.sendall(f"GET /status/updates HTTP/1.1\r\nHost: {live.host}\r\n{last}\r\n".encode())
        self.said = b""
        self.until(b"\r\n\r\n")

    def until(self, what: bytes) -> bytes:
        while what not in self.said:
            more = self.raw.recv(65_536)
            if not more:
                raise EOFError(self.said)
            self.said += more
        return self.said

    def ended(self) -> bool:
        try:
            while self.raw.recv(65_536):
                pass
        except ConnectionError:
            pass
        return True


@pytest.fixture
def quick():
    made = Live(stream_heartbeat_seconds=1, stream_most=5)
    yield made
    made.stop()


def test_a_stream_begins_lives_and_brings_events(quick):
    stream = Stream(quick)
    head = stream.until(b"retry: ").decode()
    assert "text/event-stream" in head
    assert "no-store" in head
    assert "require-trusted-types-for" in head
    stream.until(b": still here\n\n")
    quick.do(lambda: quick.site.streams.status.publish("changed", {"part": "keeper"}))
    assert b'id: 1\nevent: changed\ndata: {"part": "keeper"}\n\n' in stream.until(b"event: changed")
    stream.raw.close()


def test_what_was_missed_comes_first(quick):
    for number in range(5):
        quick.do(lambda number=number: quick.site.streams.status.publish("changed", {"n": number}))
    stream = Stream(quick, "3")
    said = stream.until(b"id: 5")
    assert b"id: 3\n" not in said
    assert said.count(b"event: changed") == 2
    assert Stream(quick, "999").until(b"id: 5").count(b"event:") == 5  # an id of another process: all that is kept
    for odd in ("-1", "x", "１", "9" * 40):
        if odd.isascii():
            Stream(quick, odd).raw.close()
    stream.raw.close()


def test_no_more_than_so_many_streams(quick):
    open_ones = [Stream(quick) for _ in range(5)]
    answer = quick.ask("GET", "/status/updates")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    for each in open_ones:
        each.raw.close()
    until = time.monotonic() + 5
    while quick.site.streams.count and time.monotonic() < until:  # gone readers are noticed at the next heartbeat
        time.sleep(0.1)
    assert quick.site.streams.count == 0
    assert Stream(quick).until(b"retry")


def test_a_reader_who_sleeps_is_cut_and_the_topic_is_bounded():
    import asyncio

    topic = Topic()
    queue: asyncio.Queue = asyncio.Queue(QUEUE)
    topic._queues.add(queue)
    for number in range(1_000):
        topic.publish("changed", {"n": number})
    assert queue.qsize() == 1
    assert queue.get_nowait() is None
    assert not topic._queues
    assert len(topic.since("0")) == KEPT


def test_the_service_stops_within_five_seconds_with_open_streams():
    live = Live()
    streams = [Stream(live) for _ in range(50)]
    idle = socket.create_connection(("127.0.0.1", live.port))
    time.sleep(0.2)  # it is accepted, not on its way
    began = time.monotonic()
    live.stop()
    took = time.monotonic() - began
    print(f"stopped after {took:.2f} s")
    assert took <= 5
    assert all(stream.ended() for stream in streams)
    for each in streams:
        each.raw.close()
    idle.close()


def test_the_service_stops_in_time_while_a_body_is_awaited():
    live = Live()
    browser = live.browser()
    headers = "".join(f"{name}: {value}\r\n" for name, value in browser.headers().items())
    slow = socket.create_connection(("127.0.0.1", live.port))
    slow.sendall(f"POST /t/form HTTP/1.1\r\nHost: {live.host}\r\n{headers}Content-Length: 2000\r\n\r\n".encode())
    time.sleep(0.2)
    began = time.monotonic()
    live.stop()
    assert time.monotonic() - began <= 5
    slow.close()
