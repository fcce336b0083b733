"""Logs carry ids and codes; a name, a token or an exception's words cannot get in."""

from __future__ import annotations

import json

import pytest
import structlog

from server import logs
from tests.server.web.live import Live


@pytest.fixture
def lines(capsys):
    logs.configure("info")
    live = Live()
    yield live, lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    live.stop()
    structlog.reset_defaults()


def test_a_request_is_one_line_of_ids_and_codes(lines):
    live, read = lines
    browser = live.browser().sign_in()
    read()
    browser.get("/gallery/何晓雯?token=SECRET".replace("何晓雯", "%E4%BD%95"), **{"User-Agent": "SECRET", "Referer": "SECRET"})
    (line,) = read()
    assert set(line) == {"event", "level", "timestamp", "request", "method", "route", "status", "code", "person", "ms"}
    assert (line["route"], line["status"], line["code"], line["person"]) == ("unknown", 404, "not_found", "1" * 32)


def test_a_failure_says_where_and_not_what(lines):
    live, read = lines
    live.browser().get("/t/fail/boom")
    found = read()
    failed = next(line for line in found if line["event"] == "failed")
    assert failed["error"] == "RuntimeError"
    assert any(place.startswith("tests/server/web/live.py:") for place in failed["places"])
    assert "hunter2" not in json.dumps(found)
    assert "何晓雯" not in json.dumps(found, ensure_ascii=False)


def test_what_is_not_listed_or_not_harmless_does_not_get_in(capsys):
    logs.configure("debug")
    try:
        logs.LOG.warning(
            "x", name="何晓雯", person="何晓雯", code="a b", request="1" * 32, places=["何晓雯", "a/b.py:1"], ms=1.5, status={"a": 1}
        )
        line = json.loads(capsys.readouterr().err)
        assert "name" not in line
        assert line["person"] == line["code"] == line["status"] == line["ms"] == "[redacted]"
        assert line["places"] == ["[redacted]", "a/b.py:1"]
        assert line["request"] == "1" * 32
    finally:
        structlog.reset_defaults()


def test_what_cannot_be_parsed_is_one_line_too(lines):
    import socket

    live, read = lines
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as raw:
        raw.sendall(b"GET /SECRET SECRET\r\n\r\n")
        raw.recv(100)
    (line,) = [each for each in read() if each["event"] == "refused"]
    assert line["code"] == "bad_request"
    assert "SECRET" not in json.dumps(line)
