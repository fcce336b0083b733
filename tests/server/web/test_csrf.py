"""A form is taken from our own page alone: origin to the byte, the browser's word on the site, the browser's secret, the token of this login."""

from __future__ import annotations

import pytest

from tests.server.web.live import GOOD_FORM, ran


def variants(host: str) -> dict[str, str | None]:
    """What an attacker's page may send as its origin."""
    name = host.partition(":")[0]
    return {
        "null": "null",
        "sub-domain": f"https://evil.{host}",
        "suffix": f"https://evil-{host}",
        "longer": f"https://{host}.evil.cn",
        "port": f"https://{name}:8443",
        "http": f"http://{host}",
        "missing": None,
        "mixed case": f"https://{host.title()}",
        "path": f"https://{host}/",
        "empty": "",
        "two": f"https://{host}, https://evil.cn",
    }


@pytest.mark.parametrize("variant", list(variants("draw.example.cn")))
@pytest.mark.parametrize("path", ["/t/form", "/t/private", "/preferences"])
def test_another_origin_is_refused_and_nothing_runs(tls, variant, path):
    browser = tls.browser().sign_in()
    before = len(ran)
    headers = browser.headers()
    origin = variants(tls.host)[variant]
    del headers["Origin"]
    if origin is not None:
        headers["Origin"] = origin
    answer = tls.ask("POST", path, f"csrf={browser.token}&name=a&places=5&site=east".encode(), headers)
    assert answer.status == 403
    assert len(ran) == before


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "SAME-ORIGIN", ""])
def test_what_the_browser_calls_another_site_is_refused(tls, site):
    assert tls.browser().post("/t/form", GOOD_FORM, **{"Sec-Fetch-Site": site}).status == 403


def test_the_right_form_goes_through_also_from_browsers_without_fetch_metadata(tls, live):
    for service in (tls, live):
        browser = service.browser()
        answer = browser.post("/t/form", GOOD_FORM)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        headers = browser.headers()
        del headers["Sec-Fetch-Site"]
        assert service.ask("POST", "/t/form", f"csrf={browser.token}&name=a&places=5&site=east".encode(), headers).status == 303
        assert "已保存" in browser.get("/").text
        assert "已保存" not in browser.get("/").text


def test_a_token_is_needed_once_and_right(tls):
    browser = tls.browser()
    good, stranger = browser.token, tls.browser().token
    for given in (
        "",
        "csrf=&",
        "csrf=x&",
        f"csrf={stranger}&",
        f"csrf={good[:-1]}&",
        f"csrf={good}&csrf={good}&",
        f"CSRF={good}&",
        f"csrf={good}%00&",
    ):
        assert browser.post("/t/form", raw=f"{given}name=a&places=5&site=east".encode()).status == 403, given
    assert browser.post("/t/form", raw=b"name=a&places=5&site=east", **{"X-CSRF-Token": good}).status == 303


def test_a_token_belongs_to_one_login(tls):
    browser = tls.browser()
    anonymous = browser.token
    browser.sign_in()
    assert browser.token != anonymous
    assert browser.post("/t/form", raw=f"csrf={anonymous}&name=a&places=5&site=east".encode()).status == 403
    signed = browser.token
    browser.sign_in("other")
    assert browser.post("/t/form", raw=f"csrf={signed}&name=a&places=5&site=east".encode()).status == 403


def test_without_the_browsers_secret_no_token_counts(tls):
    browser = tls.browser()
    headers = browser.headers()
    del headers["Cookie"]
    body = f"csrf={browser.token}&name=a&places=5&site=east".encode()
    assert tls.ask("POST", "/t/form", body, headers).status == 403
    doubled = {**headers, "Cookie": browser.cookie_header()["Cookie"] + "; __Host-lotroom-visit=" + "A" * 43}
    assert tls.ask("POST", "/t/form", body, doubled).status == 403  # somebody else wrote one of the two


def test_a_service_token_needs_no_csrf_and_looks_at_no_cookie(tls):
    body = b'{"first":1,"name":"a"}'
    headers = {
        "Authorization": "Bearer service",
        "Content-Type": "application/json",
        "Origin": "https://evil.cn",
        "Cookie": "__Host-lotroom-login=good",
    }
    assert tls.ask("POST", "/api/t/add", body, headers).status == 200
    assert tls.ask("POST", "/api/t/add", body, {**headers, "Authorization": "Bearer wrong"}).status == 401
    assert tls.ask("POST", "/api/t/add", body, {**headers, "Authorization": "Basic service"}).status == 400
    assert tls.ask("GET", "/", None, {"Authorization": "Bearer service"}).status == 400


def test_a_cookie_alone_does_not_open_the_api(tls):
    browser = tls.browser().sign_in()
    body = b'{"first":1,"name":"a"}'
    assert browser.post("/api/t/add", raw=body, **{"Content-Type": "application/json"}).status == 403
    assert browser.post("/api/t/add", raw=body, **{"Content-Type": "application/json", "X-CSRF-Token": browser.token}).status == 200


def test_permission_comes_before_everything_of_the_form(tls):
    assert tls.browser().post("/t/private", raw=b"nonsense").status == 401
    assert tls.browser().get("/t/read").status == 401
    assert tls.browser().sign_in().get("/t/read").status == 403


@pytest.mark.parametrize(
    "back", ["//evil.cn", "https://evil.cn/", "/\\evil.cn", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1", "", "/%0d%0a", "/a b"]
)
def test_nobody_is_sent_elsewhere_after_choosing_a_language(tls, back):
    answer = tls.browser().post("/preferences", (("language", "en"), ("back", back)))
    assert answer.status in (400, 303)
    assert answer.status == 400 or answer.headers["Location"] == back == "/%0d%0a"
    assert "x" not in [line.partition("=")[0] for line in answer.headers.get_all("Set-Cookie", [])]


def test_language_and_colours_are_remembered(tls):
    browser = tls.browser()
    assert 'lang="zh-CN"' in browser.get("/").text
    assert browser.post("/preferences", (("language", "en"), ("back", "/status?x=1"))).headers["Location"] == "/status?x=1"
    assert 'lang="en"' in browser.get("/").text
    browser.post("/preferences", (("theme", "dark"), ("back", "/")))
    assert 'data-theme="dark"' in browser.get("/").text
    browser.post("/preferences", (("theme", "system"), ("back", "/")))
    assert "data-theme" not in browser.get("/").text


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        ("", "zh-CN"),
        ("en", "en"),
        ("fr, de", "zh-CN"),
        ("fr, en;q=0.3, zh;q=0.2", "en"),
        ("en;q=0", "zh-CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-GB,en;q=0.9", "en"),
        ("en;q=x, \x7f", "zh-CN"),
        ("*" * 3_000, "zh-CN"),
    ],
)
def test_the_browsers_language_counts_where_nobody_chose(tls, accept, lang):
    assert f'lang="{lang}"' in tls.ask("GET", "/", headers={"Accept-Language": accept}).text
