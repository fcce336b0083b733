"""Wrong types, encodings, names and characters: always a 4xx with what to do, never a 5xx, and nothing runs half."""

from __future__ import annotations

import json
import random

import pytest

from server.handlers import forms
from server.handlers.gallery import SampleForm
from server.handlers.problems import Stop
from tests.conftest import counts
from tests.server.web.live import GOOD_FORM

SERVICE = {"Authorization": "Bearer service", "Content-Type": "application/json"}
GOOD = {"first": 1, "name": "一标段"}


def post(live, body: bytes):
    return live.ask("POST", "/api/t/add", body, SERVICE)


def test_the_good_ones_are_good(live):
    assert json.loads(post(live, json.dumps(GOOD).encode()).body) == {"total": 1}
    assert json.loads(post(live, b'{"first": 14.0, "name": "a", "many": [1, 2]}').body) == {
        "total": 16
    }  # JSON Schema calls 14.0 an integer
    assert live.browser().post("/t/form", GOOD_FORM).status == 303


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"first":1,"first":2,"name":"a"}', 400, "duplicate_key"),
        (b'{"first":1,"name":"a","x":{"a":1,"a":2}}', 400, "duplicate_key"),
        (b'{"first":1,"name":"\xff"}', 400, "not_utf8"),
        ('{"first":1,"name":"招"}'.encode("gb18030"), 400, "not_utf8"),
        ('{"first":1,"name":"a"}'.encode("utf-16"), 400, "not_utf8"),
        (b"\xef\xbb\xbf{}", 400, "not_json"),
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"NaN", 400, "not_json"),
        (b'{"first":NaN,"name":"a"}', 400, "not_json"),
        (b'{"first":1e999,"name":"a"}', 400, "not_json"),
        (b'{"first":' + b"9" * 3_000 + b"}", 400, "not_json"),
        (b"[" * 3_000, 400, "not_json"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, 400, "not_json"),
        (b"[]", 422, "unprocessable"),
        (b"null", 422, "unprocessable"),
        (b'"first"', 422, "unprocessable"),
        (b"{}", 422, "unprocessable"),
        (b'{"first":"1","name":"a"}', 422, "unprocessable"),
        (b'{"first":true,"name":"a"}', 422, "unprocessable"),
        (b'{"first":1.5,"name":"a"}', 422, "unprocessable"),
        (b'{"first":1,"name":5}', 422, "unprocessable"),
        (b'{"first":1,"name":null}', 422, "unprocessable"),
        (b'{"first":1001,"name":"a"}', 422, "unprocessable"),
        (b'{"first":1,"name":"a","extra":1}', 422, "unprocessable"),
        (b'{"first":1,"name":"a","kind":"other"}', 422, "unprocessable"),
        (b'{"first":1,"name":"a","many":[1,2,3,4,5,6]}', 422, "unprocessable"),
        (b'{"first":1,"name":"a","many":{"0":1}}', 422, "unprocessable"),
        (b'{"first":1,"name":"a\\u202eb"}', 422, "unprocessable"),
        (b'{"first":1,"name":"a\\u0000b"}', 422, "unprocessable"),
        (b'{"first":1,"name":"\\ud800"}', 422, "unprocessable"),
        (b'{"first":1,"name":"' + b"a" * 2_001 + b'"}', 422, "unprocessable"),
    ],
)
def test_a_wrong_body_is_named(live, body, status, code):
    answer = post(live, body)
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["type"] == f"urn:lotroom:problem:{code}"
    assert problem["request"] == answer.headers["X-Request-Id"]
    if code == "unprocessable":
        assert problem["faults"]
        assert all(fault["code"] in forms.FAULTS for fault in problem["faults"])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"name=%ff&places=5&site=east", 400),
        (b"name=%e6%8a&places=5&site=east", 400),
        (b"name=%c0%af&places=5&site=east", 400),
        (b"name=%ed%a0%80&places=5&site=east", 400),
        (b"name=%zz&places=5&site=east", 400),
        (b"name=%4&places=5&site=east", 400),
        (b"name=\xe6\x8a\xbd&places=5&site=east", 400),
        (b"name=a\x00&places=5&site=east", 400),
        (b"name=a&places=5&site=east&unknown=1", 400),
        (b"name=a&places=5&site=east&", 400),
        (b"name=a&places=5&site=east;x=1", 422),
        (b"&".join(b"a=1" for _ in range(301)), 400),
        (b"name=a&name=b&places=5&site=east", 422),
        (b"places=5&site=east", 422),
        (b"name=&places=5&site=east", 422),
        (b"name=a&places=five&site=east", 422),
        (b"name=a&places=%EF%BC%95&site=east", 422),
        (b"name=a&places=5.5&site=east", 422),
        (b"name=a&places=99999999999999999999999&site=east", 422),
        (b"name=a&places=5&site=north", 422),
        (b"name=a%e2%80%ae&places=5&site=east", 422),
        (b"name=a%00&places=5&site=east", 422),
        (b"name=a%0ab&places=5&site=east", 422),
        (b"name=" + b"a" * 21 + b"&places=5&site=east", 422),
    ],
)
def test_a_wrong_form_is_named(live, raw, status):
    browser = live.browser()
    answer = browser.post("/t/form", raw=b"csrf=" + browser.token.encode() + b"&" + raw)
    assert answer.status == status, answer.text[:200]


def test_text_is_kept_in_one_spelling():
    def name_of(text: str) -> str:
        made = forms.checked((("name", text), ("places", "5"), ("site", "east"), ("reason", "a\r\nb\rc")), SampleForm, CHINESE)
        assert made.value is not None
        assert made.value.reason == "a\nb\nc"
        return made.value.name

    assert name_of("  e\u0301 ") == "\u00e9"
    assert name_of("喆堃㛃") == "喆堃㛃"


class _Chinese:
    @staticmethod
    def say(text: str, **params: object) -> str:
        return text


CHINESE = _Chinese()  # type: ignore[var-annotated]


@pytest.mark.parametrize(
    "path",
    [
        "/api/t/window?limit=0",
        "/api/t/window?limit=101",
        "/api/t/window?limit=a",
        "/api/t/window?limit=1&limit=2",
        "/api/t/window?after=zz",
        "/api/t/window?limit=",
    ],
)
def test_a_wrong_query_is_422(live, path):
    assert live.ask("GET", path).status == 422


@pytest.mark.parametrize("path", ["/api/t/window?x=1", "/api/t/window?limit=%ff", "/api/t/window?%zz", "/api/t/window?limit=%E0%A4%A"])
def test_an_unknown_or_unreadable_query_is_400(live, path):
    assert live.ask("GET", path).status == 400


@pytest.mark.parametrize("name", ["0" * 31, "0" * 33, "G" * 32, "A" * 32, "%31" * 32, "１" * 4, "1" * 32 + "/", "..", "1" * 32 + "%00"])
def test_only_ids_are_ids(live, name):
    from urllib.parse import quote

    answer = live.ask("GET", "/api/t/things/" + quote(name, safe="%/."), headers={"Authorization": "Bearer service"})
    assert answer.status == (200 if name == "%31" * 32 else 404)
    assert answer.headers["Content-Type"] in ("application/problem+json", "application/json")


def test_a_foreign_id_and_one_that_is_not_there_look_alike(live):
    first, second = (live.ask("GET", f"/api/t/things/{each * 32}", headers={"Authorization": "Bearer service"}) for each in "23")
    assert first.status == second.status == 404
    assert len(first.body) == len(second.body)


def test_random_bytes_are_never_our_mistake(live):
    chance = random.Random(4)
    good = [json.dumps(GOOD, ensure_ascii=False).encode(), b"name=%E4%B8%80&places=5&site=east&reason=a"]
    browser = live.browser()
    for turn in range(counts("mutated bodies", 300, 5_000)):
        body = bytearray(good[turn % 2])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            body[at : at + chance.randint(0, 2)] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 3)))
        answer = (
            post(live, bytes(body))
            if turn % 2 == 0
            else browser.post("/t/form", raw=b"csrf=" + browser.token.encode() + b"&" + bytes(body))
        )
        assert answer.status in (200, 303) or 400 <= answer.status < 500, (turn, bytes(body))


def test_cookies_and_headers_of_any_kind_are_survived(live):
    chance = random.Random(5)
    for turn in range(counts("strange headers", 150, 3_000)):
        junk = "".join(chr(chance.choice([*range(0x21, 0x7F), 0x20, *range(0x80, 0x100)])) for _ in range(chance.randint(0, 60)))
        name = chance.choice(
            [
                "Cookie",
                "Accept-Language",
                "Authorization",
                "Origin",
                "Referer",
                "User-Agent",
                "If-None-Match",
                "Last-Event-ID",
                "Range",
                "X-Forwarded-Host",
                "X-CSRF-Token",
            ]
        )
        value = f"lotroom-demo-{chance.choice(['language', 'theme', 'visit', 'login', 'flash'])}={junk}" if name == "Cookie" else junk
        answer = live.ask("GET", chance.choice(["/", "/status", "/api/status"]), None, {name: value})
        assert answer.status in (200, 400, 401), (turn, name, value)


def test_pairs_and_their_writer_agree():
    from urllib.parse import urlencode

    chance = random.Random(6)
    for _ in range(500):
        given = [
            ("k" + str(n), "".join(chr(chance.choice([0x20, 0x26, 0x2B, 0x3D, 0x25, 0x41, 0xE9, 0x4E2D, 0x1F600])) for _ in range(5)))
            for n in range(3)
        ]
        assert list(forms.pairs(urlencode(given).encode(), plus=True)) == given
    with pytest.raises(Stop):
        forms.pairs(b"a=\x80", plus=True)
