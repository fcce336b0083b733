"""Every answer carries the headers of security.md 2.2: pages, errors, 304, answers to what cannot be parsed."""

from __future__ import annotations

import re
import socket

import pytest

from drawing.errors import Refused
from server.app import build
from server.config import Settings
from server.handlers.ask import Kind, Route
from server.handlers.headers import FIXED
from server.handlers.public import home
from server.handlers.routes import TABLE
from tests.server.web.live import EXTRA, FAILURES, Live

PATHS = {
    "static": "/static/{digest}/css/app.css",
    "gallery_page": "/gallery/sign-in",
    "t_fail": "/t/fail/boom",
    "t_api_fail": "/api/t/fail/boom",
    "t_thing": "/api/t/things/" + "1" * 32,
}
ROUTES = [route for route in (*TABLE, *EXTRA) if not route.stream]


def secured(answer, encrypted: bool) -> None:
    for name, value in FIXED.items():
        found = answer.headers.get_all(name, [])
        if name in ("Cache-Control", "Content-Security-Policy"):
            assert len(found) == 1
        else:
            assert found == [value], name
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for needed in ("frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types "):
        assert needed in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert ("Strict-Transport-Security" in answer.headers) is encrypted
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert "aiohttp" not in str(answer.headers)


def path_of(live: Live, route: Route) -> str:
    return PATHS.get(route.name, route.path).replace("{digest}", live.site.statics.digest)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
@pytest.mark.parametrize("signed", [False, True])
def test_every_route_answers_with_all_headers(live, route, signed):
    browser = live.browser()
    if signed:
        browser.sign_in()
    path = path_of(live, route)
    answers = [browser.get(path)] if route.method == "GET" else [browser.post(path, raw=b"x=1"), browser.post(path)]
    answers += [live.ask("DELETE", path), live.ask("HEAD", path), live.ask("BREW", path)]
    for answer in answers:
        secured(answer, encrypted=False)
        assert answer.status < 500 or route.name in ("t_fail", "t_broken"), (route.name, answer.status)


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.demo_only], ids=lambda route: route.name)
def test_behind_tls_it_is_the_same_with_hsts(tls, route):
    secured(tls.ask("GET", path_of(tls, route)), encrypted=True)


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_a_page_with_its_number_and_says_nothing_of_the_exception(live, kind):
    answer = live.browser().get(f"/t/fail/{kind}")
    secured(answer, encrypted=False)
    expected = {"sealed": 503, "keeper": 503, "stale": 409, "wait": 429, "unfilled": 429, "refused": 422, "http": 403}
    assert answer.status == expected.get(kind, 500)
    assert answer.headers["X-Request-Id"] in answer.text
    for secret in ("secret", "hunter2", "何晓雯", "RuntimeError", "Traceback"):
        assert secret not in answer.text
    assert answer.headers.get("Retry-After") == {"sealed": "60", "keeper": "60", "wait": "7"}.get(kind)


def test_a_template_with_an_unknown_name_is_a_failure_and_not_a_gap(live):
    assert live.browser().get("/t/broken").status == 500


def test_an_unchanged_file_is_304_with_all_headers(live):
    path = path_of(live, next(route for route in TABLE if route.name == "static"))
    first = live.ask("GET", path)
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["Content-Type"] == "text/css; charset=utf-8"
    again = live.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    secured(again, encrypted=False)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "css",
        "css/",
        "../pyproject.toml",
        "css/../css/app.css",
        "%2e%2e/%2e%2e/pyproject.toml",
        "css//app.css",
        "/etc/passwd",
        "css/app.css%00",
        "js",
    ],
)
def test_only_names_of_the_table_are_files(live, name):
    assert live.ask("GET", f"/static/{live.site.statics.digest}/{name}").status == 404


def test_another_digest_is_no_address(live):
    assert live.ask("GET", "/static/0123456789abcdef/css/app.css").status == 404


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n"],
)
@pytest.mark.parametrize("which", ["live", "tls"])
def test_what_cannot_be_parsed_is_answered_with_all_headers_and_the_end(request, which, request_line):
    live = request.getfixturevalue(which)
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as raw:
        raw.sendall(request_line)
        said = b""
        while more := raw.recv(65_536):
            said += more
    assert re.match(rb"HTTP/1\.[01] 400 ", said), said[:80]
    for name in FIXED:
        assert f"\r\n{name}:".lower().encode() in said.lower()
    assert (b"Strict-Transport-Security" in said) is (which == "tls")
    assert b"Lotroom" in said
    assert b"Bad Header" not in said


def test_a_header_that_is_too_large_is_named(live):
    answer = live.ask("GET", "/", headers={"X-A": "a" * 9_000})
    assert answer.status in (400, 431)
    answer = live.ask("GET", "/" + "a" * 5_000)
    assert answer.status in (400, 414, 431)
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: 1\r\n" % n for n in range(200)) + b"\r\n")
        assert re.match(rb"HTTP/1\.[01] 4", raw.recv(100))


@pytest.mark.parametrize("host", ["evil.example", "localhost", "LOCALHOST:1", "127.0.0.1:1", "", "a b", "localhost:1@evil.example"])
def test_another_host_is_refused(live, host):
    answer = live.ask("GET", "/", host=host or "x")
    assert answer.status == 400
    secured(answer, encrypted=False)


def test_405_names_what_is_allowed(live):
    answer = live.ask("DELETE", "/status")
    assert answer.status == 405
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}
    answer = live.ask("PUT", "/api/t/add", b"{}")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_cookies_are_host_only_secure_and_strict(tls, live):
    for line in tls.ask("GET", "/").headers.get_all("Set-Cookie"):
        assert line.startswith("__Host-lotroom-")
        assert {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"} <= set(line.split("; "))
        assert "Domain" not in line
    for line in live.ask("GET", "/").headers.get_all("Set-Cookie"):
        assert line.startswith("lotroom-demo-")
        assert "Secure" not in line


def test_a_route_without_a_permission_stops_the_start():
    settings = Settings(origin="https://draw.example.cn")
    for permission in ("", "draws.read"):
        with pytest.raises(Refused, match="route_without_permission"):
            build(settings, table=(*TABLE, Route("GET", "/x", "x", home, permission, Kind.PAGE)))
    with pytest.raises(Refused, match="route_twice"):
        build(settings, table=(*TABLE, Route("GET", "/x", "home", home, "public", Kind.PAGE)))


def test_demonstration_pages_are_not_there_in_earnest(tls):
    for path in ("/gallery", "/gallery/people"):
        assert tls.ask("GET", path).status == 404


def test_another_package_called_web_is_noticed(monkeypatch, tmp_path):
    import web

    (tmp_path / "__init__.py").write_text("", "utf-8")
    monkeypatch.setattr(web, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(Refused, match="foreign_web"):
        build(Settings(origin="https://draw.example.cn"))


def test_the_parser_in_python_is_refused(monkeypatch):
    from aiohttp import http_parser

    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(Refused, match="python_http_parser"):
        build(Settings(origin="https://draw.example.cn"))
