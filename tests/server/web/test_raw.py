"""Requests that two programs in a row may read differently: answered 400 (or not at all) and the connection ends; a second request never runs."""

from __future__ import annotations

import re
import socket

import pytest

from tests.conftest import counts
from tests.server.web.live import Live

SMUGGLED = b"GET /t/fail/boom HTTP/1.1\r\nHost: HOST\r\n\r\n"


def corpus() -> dict[str, bytes]:
    """Name -> bytes; HOST stands for the service's own."""
    head = b"POST /t/form HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    made = {}
    lengths = [
        b"+5",
        b"-1",
        b"5, 5",
        b"5,6",
        b"0x5",
        b"5 5",
        b"\xd9\xa5",
        b"5\x0b",
        b"",
        b"1e1",
        b"99999999999999999999999",
        b"5;",
        b"5\x00",
    ]
    for value in lengths:
        made[f"content-length {value!r}"] = head + b"Content-Length: " + value + b"\r\n\r\nhello" + SMUGGLED
    for first, second in ((b"5", b"6"), (b"5", b"5"), (b"0", b"44")):
        made[f"two lengths {first!r} {second!r}"] = (
            head + b"Content-Length: " + first + b"\r\nContent-Length: " + second + b"\r\n\r\nhello" + SMUGGLED
        )
    codings = [
        b"chunked",
        b"Chunked",
        b"chunked, chunked",
        b"identity, chunked",
        b"chunked, identity",
        b"xchunked",
        b"chunked\x0b",
        b"\x0bchunked",
        b"gzip, chunked",
        b"chunked;q=1",
        b'"chunked"',
        b"",
    ]
    for value in codings:
        made[f"both, {value!r}"] = head + b"Content-Length: 4\r\nTransfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SMUGGLED
        made[f"both reversed, {value!r}"] = head + b"Transfer-Encoding: " + value + b"\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED
    for value in codings[2:]:
        made[f"coding {value!r}"] = head + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" + SMUGGLED
    made["two codings"] = head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED
    made["coding in 1.0"] = head.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    sizes = [
        b"+5",
        b"-5",
        b"0x5",
        b" 5",
        b"5 ",
        b"5_0",
        b"g",
        b"",
        b"\xd9\xa5",
        b"fffffffffffffffff",
        b"5\n",
        b"5\r",
        b"5;a\nb",
        b"00000000000000000005g",
    ]
    for value in sizes:
        made[f"chunk size {value!r}"] = chunked + value + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED
    made["chunk without its end"] = chunked + b"5\r\nhello0\r\n\r\n" + SMUGGLED
    made["chunk ends in LF"] = chunked + b"5\r\nhello\n0\r\n\r\n" + SMUGGLED
    made["chunk size ends in LF"] = chunked + b"5\nhello\r\n0\r\n\r\n" + SMUGGLED
    made["chunk extension without end"] = chunked + b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED
    made["trailer with length"] = chunked + b"0\r\nContent-Length: 5\r\nBad Trailer\r\n\r\n" + SMUGGLED
    names = [
        b"Content-Length ",
        b" Content-Length",
        b"\tContent-Length",
        b"Content\x00Length",
        b"Content-Length\x0b",
        b"Conten\xc5\xa5-Length",
        b"Content Length",
        b"Content-Length\r",
        b"(x)",
        b"",
    ]
    for name in names:
        made[f"name {name!r}"] = head + name + b": 5\r\n\r\nhello" + SMUGGLED
    for fold in (b"\r\n 5", b"\r\n\t5", b"\n 5", b"\r 5"):
        made[f"fold {fold!r}"] = head + b"Content-Length:" + fold + b"\r\n\r\nhello" + SMUGGLED
    for end in (b"\n", b"\r", b"\n\r", b"\r\r\n"):
        made[f"line end {end!r}"] = b"POST /t/form HTTP/1.1" + end + b"Host: HOST" + end + b"Content-Length: 0" + end + end + SMUGGLED
    for value in (b"a\x00b", b"a\nb: c", b"a\rb", b"\x01", b"\x7f"):
        made[f"value {value!r}"] = head + b"X-A: " + value + b"\r\nContent-Length: 0\r\n\r\n" + SMUGGLED
    for line in (b"GET / HTTP/1.1 x", b"GET /", b"GET / http/1.1", b"GET / HTTP/1.10", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"G\x00T / HTTP/1.1", b"GE T / HTTP/1.1",
                 b"GET /\x00 HTTP/1.1", b"GET\t/\tHTTP/1.1", b"/ HTTP/1.1", b"GET  HTTP/1.1", b"PRI * HTTP/2.0", b"GET / ICE/1.0", b"GET /a b HTTP/1.1", b"\xe6\x8a\xbd / HTTP/1.1"):  # fmt: skip
        made[f"line {line!r}"] = line + b"\r\nHost: HOST\r\n\r\n" + SMUGGLED
    for target in (
        b"*",
        b"http://evil.example/",
        b"http://HOST/t/fail/boom",
        b"//evil.example/",
        b"evil.example:80",
        b"http://user@HOST/",
        b"http://[::1/",
        b"http://HOST:99999/",
        b"/%",
        b"/%zz",
        b"/%ff",
        b"/%00",
        b"/..%2f..%2fetc",
        b"/\xff\xfe",
        b"/?%ff=%zz",
        b"/?\xff",
    ):
        made[f"target {target!r}"] = b"GET " + target + b" HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
    made["no host"] = b"GET / HTTP/1.1\r\n\r\n"
    made["two hosts"] = b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    made["connect"] = b"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    made["upgrade with a body"] = head + upgrade + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED
    made["upgrade of a page"] = b"GET / HTTP/1.1\r\nHost: HOST\r\n" + upgrade + b"\r\n" + SMUGGLED
    made["upgrade to h2c"] = (
        b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        + SMUGGLED
    )
    for hop in (b"Content-Length", b"Transfer-Encoding", b"Host", b"Cookie"):
        made[f"hop {hop!r}"] = b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close, " + hop + b"\r\n\r\n"
    small = {b"Content-Length": b"content-length", b"Transfer-Encoding": b"tRANSFER-eNCODING"}
    for name, data in list(made.items()):  # the same with names as nobody writes them
        first, second, rest = data.partition(SMUGGLED)
        for usual, other in small.items():
            changed = first.replace(usual, other)
            if changed != first and not name.startswith("hop"):
                made[f"{name}, {other.decode()}"] = changed + second + rest
    return made


CORPUS = corpus()
SILENT: tuple[str, ...] = ()  # the rest of the request is waited for, until the connection's time is over


def said(live: Live, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as raw:
        raw.sendall(data.replace(b"HOST", live.host.encode()))
        raw.settimeout(0.6)
        found = b""
        try:
            while more := raw.recv(65_536):
                found += more
        except (ConnectionError, TimeoutError):  # it stays open for a next request, or waits for the rest of this one
            pass
        return found


@pytest.mark.parametrize("name", CORPUS)
def test_an_unclear_request_never_carries_a_second_one(live, name):
    found = said(live, CORPUS[name])
    statuses = [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d{3}) ", found)]
    print(name, statuses)
    assert b"internal" not in found, "the smuggled request ran"
    assert len(statuses) <= 1
    if name.startswith(("hop", "upgrade", "target b'/?")):  # clear enough to be answered, once, before the connection ends
        assert statuses in ([200], [400])
    else:
        assert all(400 <= status < 500 for status in statuses)
        assert statuses or name in SILENT, "no answer"


def test_every_cut_of_a_request_is_survived(live):
    whole = f"POST /t/form HTTP/1.1\r\nHost: {live.host}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n".encode()
    step = max(1, len(whole) // counts("cuts of a request", 30, 160))
    for at in range(0, len(whole), step):
        assert b" 500 " not in said(live, whole[:at])
        assert b" 500 " not in said(live, whole[:at] + b"\x00" + whole[at:])
    assert live.ask("GET", "/health/live").status == 200
