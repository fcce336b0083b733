"""Templates: nothing that people typed becomes markup, no text is left untranslated, catalogues are those of the sources."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes

from server.app import build
from server.config import Settings
from server.handlers.gallery import PROBLEM, SAMPLES
from server.handlers.problems import PROBLEMS
from server.handlers.render import environment
from tests.server.web.live import Live
from tools.make_locale import LOCALE, texts, updated

TEMPLATES = Path(__file__).parents[3] / "web" / "templates"
HAN = re.compile("[\u3400-\u9fff]")
SEEN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "value", "data-copied", "data-changed", "data-failed", "data-toast")


def payloads() -> list[str]:
    """500 ways to become a script, a tag, an attribute, a template or a style."""
    heads = ["", '"', "'", "`", "-->", "]]>", "</title>", "</textarea>", "</script>", "</style>", '">', "'>", " ", "\u2028"]
    cores = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><script href=data:,alert(1) />",
        "javascript:alert(1)",
        "<a href=javascript:alert(1)>x</a>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<details open ontoggle=alert(1)>",
        "<input autofocus onfocus=alert(1)>",
        "<body onload=alert(1)>",
        "<link rel=stylesheet href=//evil.cn>",
        "<meta http-equiv=refresh content=0>",
        "<base href=//evil.cn/>",
        "<form action=//evil.cn><button>",
        "{{ 7 * 7 }}",
        "{% for x in [1] %}49{% endfor %}",
        "{{ config }}",
        "%(x)s %s %% %n",
        "${7*7}",
        "#{7*7}",
        "onmouseover=alert(1) x=",
        " style=position:fixed;inset:0 ",
        "<style>*{background:url(//evil.cn)}</style>",
        "<template><script>alert(1)</script></template>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&#60;script&#62;",
        "＜script＞alert(1)＜/script＞",
        "<scr\u0000ipt>alert(1)</scr\u0000ipt>",
        "<ScRiPt>alert(1)</sCrIpT>",
        "<!--<img src=x onerror=alert(1)>",
        "<x onclick=alert(1)>",
        "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
        "<object data=data:text/html,x>",
        "<embed src=//evil.cn>",
        "=cmd|' /C calc'!A0",
    ]
    return [head + core for head in heads for core in cores][:500]


PAYLOADS = payloads()


class Reader(HTMLParser):
    """The tags, their attributes and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text: list[str] = []
        self.raw = 0

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))
        self.raw += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.raw -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.raw:
            self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def poisoned(value: object, payload: str, place: str = "") -> object:
    """The same view with the payload in every text that is data."""
    if isinstance(value, Enum) or value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return (
            value if place in ("state", "id", "tone", "value", "next", "earlier", "later") else payload
        )  # the last three are addresses that handlers make
    if isinstance(value, tuple):
        return tuple(poisoned(each, payload, place) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value,
            **{
                each.name: poisoned(getattr(value, each.name), payload, each.name)
                for each in fields(value)
                if each.name not in ("digest", "root")
            },
        )
    if isinstance(value, dict):
        return {key: poisoned(each, payload, key) for key, each in value.items()}
    return value


@dataclass
class _Asked:
    """Enough of a request for sample pages."""

    site: object
    settings: object
    language: object
    now: int = 1_800_000_000


@pytest.fixture(scope="module")
def site():
    made = Live()
    yield made.site
    made.stop()


@pytest.mark.parametrize("name", SAMPLES)
def test_500_payloads_in_every_text_of_a_page_stay_text(site, name):
    asked = _Asked(site, site.settings, site.languages["en"])
    template, view = SAMPLES[name](asked)
    renderer = site.renderer
    frame = frame_of("visitor")
    clean = shape(renderer._text(asked.language, template, frame, poisoned(view, "harmless")))
    for payload in PAYLOADS:
        made = renderer._text(asked.language, template, frame_of(payload), poisoned(view, payload))
        assert shape(made) == clean, payload
        assert "<script>alert" not in made


def frame_of(payload: str):
    from server.handlers.render import Frame, NavItem

    return Frame(payload, True, (NavItem(payload, "/x", True, 3),), payload, 1_800_000_000, "dark", "token", "/", "0" * 32, payload)


def shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Tags and attribute names, and the values of attributes that do something."""
    found = []
    for tag, attributes in read(text).tags:
        kept = [
            name if name not in ("href", "src", "action") or (value or "").startswith(("/", "#", "?")) else "harmless"
            for name, value in attributes
        ]
        found.append((tag, tuple(sorted(kept))))
    return found


def test_payloads_in_addresses_and_headers_stay_text(live):
    from urllib.parse import quote

    browser = live.browser()
    for payload in PAYLOADS[::5]:
        quoted = quote(payload, safe="")
        for answer in (browser.get("/" + quoted), browser.get("/status?x=" + quoted), browser.get("/gallery/" + quoted)):
            assert answer.status in (200, 400, 404, 431)
            assert "<script>alert" not in answer.text
            assert "onerror=alert(1)>" not in answer.text


def test_no_text_of_a_template_is_left_untranslated(site):
    """Literal text between tags, and in attributes that people see or hear, comes from the catalogues alone."""
    env = environment(TEMPLATES, site.languages["en"], site.statics)
    allowed = re.compile(r"UTC\+8|SHA-256|KB|CSV|JSON|JXF-2026-0(113|098)|English|中文|Esc|[?/GN19…·–():,\s\d]|\bUTC\b")
    found = []
    for path in sorted(TEMPLATES.glob("*.html")):
        tree = env.parse(path.read_text("utf-8"))
        reader = read(
            "".join(
                data.data if isinstance(data, nodes.TemplateData) else "\x00"
                for output in tree.find_all(nodes.Output)
                for data in output.nodes
            )
        )
        for text in reader.text:
            rest = allowed.sub("", text.replace("\x00", ""))
            if re.search(r"[A-Za-z\u3400-\u9fff]", rest) and not text.strip().startswith('id="'):  # attributes that a macro gives
                found.append((path.name, text.strip()))
        for tag, attributes in reader.tags:
            for name, value in attributes:
                if (
                    name in SEEN_ATTRIBUTES
                    and value
                    and re.search(r"[A-Za-z\u3400-\u9fff]", allowed.sub("", value.replace("\x00", "")))
                    and not re.fullmatch(r"[a-z_.-]+|JXF.*", value)
                ):
                    found.append((path.name, tag, name, value))
    assert found == []


ENGLISH_IN_CHINESE = re.compile(
    r"https?://\S+|[a-z0-9.-]+\.example(/log)?|YubiKey 5|Windows Hello|Chrome 142 · Windows 11|Firefox 145 · UOS 20|JavaScript|Cookie|Expect|UTC\+8|TOTP|SHA-256|KB|UTF-8|JSON|Content-Length|English|Esc|JXF-\d+-\d+|application/[a-z-]+|/(health|api)/[a-z]+|zhx|\bG\b|\bN\b"
)


def words(reader: Reader) -> list[str]:
    seen = [value or "" for tag, attributes in reader.tags for name, value in attributes if name in SEEN_ATTRIBUTES and name != "value"]
    return [each.strip() for each in (*reader.text, *seen) if each.strip()]


def pages() -> list[str]:
    return [
        "/",
        "/verify",
        "/status",
        "/gallery",
        "/nothing",
        *(f"/gallery/{name}" for name in SAMPLES),
        *(f"/gallery/{PROBLEM}{code.replace('_', '-')}" for code in PROBLEMS),
    ]


@pytest.mark.parametrize("path", pages())
def test_every_page_speaks_one_language_at_a_time(live, path):
    text = re.sub(r"<code.*?</code>", "", live.browser().get(path).text, flags=re.DOTALL)
    for each in words(read(text)):
        assert not re.search(r"[A-Za-z]{2,}", ENGLISH_IN_CHINESE.sub("", each)), each
    answer = live.ask("GET", path, headers={"Accept-Language": "en"})
    assert 'lang="en"' in answer.text
    names = set("何晓雯郑国栋欧阳静怡陈立群王喆阿依努尔买提林堃赵敏中文")
    for each in words(read(answer.text)):
        assert not (set(HAN.findall(each)) - names), each


@pytest.mark.parametrize("name", ["zh_CN", "en"])
def test_catalogues_are_complete_and_those_of_the_sources(name):
    catalog = updated(name)
    for message in catalog:
        if message.id:
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(strings), message.id
            wanted = set(re.findall(r"%\(\w+\)s", message.id if isinstance(message.id, str) else message.id[-1]))
            assert all(set(re.findall(r"%\(\w+\)s", each)) == wanted for each in strings), message.id
            assert not message.fuzzy
    for suffix, data in zip((".po", ".mo"), texts(catalog), strict=True):
        assert (LOCALE / name / "LC_MESSAGES" / f"lotroom{suffix}").read_bytes() == data, "run make locale"


def test_templates_have_no_inline_script_or_style():
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|Markup|autoescape|<script(?![^>]* src=)", text), path.name
    for path in (TEMPLATES.parent / "static" / "js" / "site").glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\.style\b", path.read_text("utf-8")
        ), path.name


def test_the_names_of_classes_in_templates_are_in_the_style_sheet():
    css = (TEMPLATES.parent / "static" / "css" / "app.css").read_text("utf-8")
    known = set(re.findall(r"\.([a-z][a-z-]*)", css))
    for path in TEMPLATES.glob("*.html"):
        for value in re.findall(r'class="([^"{}]*)"', path.read_text("utf-8")):
            assert set(value.split()) <= known | {"now", "later", "problem-code", "flash", "list"}, (path.name, value)


def test_compiled_templates_are_taken_from_their_folder_and_a_damaged_or_missing_one_is_made_again(tmp_path):
    def compiled():
        build(Settings(insecure_demo=True), compiled=tmp_path)
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    first = compiled()
    assert len(first) == len(list(TEMPLATES.glob("*.html")))  # once for both languages
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert compiled() == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    for n, path in enumerate(sorted(tmp_path.iterdir())):
        data = path.read_bytes()
        path.write_bytes((b"", data[:40], data[: len(data) // 2], b"\0" * 60, os.urandom(90))[n % 5])
    assert compiled() == first
    build(Settings(insecure_demo=True), compiled=tmp_path / "none")  # as where a disk is full: pages are there all the same
