"""A draw as staff run it in Chromium: request, preparation, approval, contributions, result; the page goes on by itself in every tab."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, expect

from server.services import draws
from tests.e2e.test_library import enter
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.npm import npm_file
from tests.server.draws.site import APPROVER, CLERK, SUPERVISOR, Site
from tests.server.draws.test_approvals import begun, caller
from tests.server.draws.test_request_form import LIMITS, PARTIES, PROJECT, SEATS, TIME, WIDEN

WORDS = {
    "zh": ("下一步", "提交抽取申请", "人数够不够？", "继续", "提请批准", "终止"),
    "en": ("Next", "Ask for the draw", "Are there enough people?", "Go on", "Ask for approval", "Give up"),
}
WAIT = 30_000


@pytest.fixture(scope="module")
def axe() -> str:
    return npm_file("axe-core/axe.min.js").read_text("utf-8")


@pytest.fixture
def site(templates, tmp_path) -> Iterator[Site]:
    shutil.copy(templates["sqlite"], tmp_path / "lotroom.db")
    url = f"sqlite+aiosqlite:///{tmp_path / 'lotroom.db'}"
    made = Site(tmp_path, url, url)
    yield made
    made.stop()


def quiet(page: Page, axe: str) -> list[str]:
    """What axe finds on a page that may load itself again under its hands."""
    for _ in range(5):
        try:
            return judged(page, axe)
        except Error:
            page.wait_for_load_state()
    return ["never quiet"]


def fill(page: Page, fields) -> None:
    """What a step asks for, as somebody types it; a list's next row is asked for where it is not there yet."""
    seen: dict[str, int] = {}
    for name, value in fields:
        n = seen.get(name, -1) + 1
        seen[name] = n
        here = page.locator(f"[name={name}]").nth(n)
        if here.evaluate("each => each.tagName") == "SELECT":
            here.select_option(value)
        else:
            here.fill(value)


def rows_of(fields, prefix):
    """The fields of each row of a list."""
    found: list[list[tuple[str, str]]] = []
    for name, value in fields:
        if name.startswith(prefix):
            if not found or any(name == known for known, _ in found[-1]):
                found.append([])
            found[-1].append((name, value))
    return found


def requested(page: Page, site: Site, axe: str, language: str) -> str:
    following, ask, enough, *_ = WORDS[language]
    page.goto(site.origin + "/draws/new")
    for fields, prefix in ((PROJECT, ""), (TIME, ""), (SEATS, "seat_"), (LIMITS, ""), (PARTIES, "party_"), (WIDEN, "widen_")):
        fill(page, [each for each in fields if not prefix or not each[0].startswith(prefix)])
        if prefix:
            for n, row in enumerate(rows_of(fields, prefix)):
                if n:
                    page.locator("button[value=more]").click()
                for name, value in row:
                    cell = page.locator(f"[name={name}]").nth(n)
                    if cell.evaluate("each => each.tagName") == "SELECT":
                        cell.select_option(value)
                    else:
                        cell.fill(value)
        assert judged(page, axe) == []
        page.get_by_role("button", name=following, exact=True).last.click()
    expect(page.get_by_role("button", name=enough)).to_be_visible(timeout=WAIT)
    page.reload()  # sends the same again
    page.get_by_role("button", name=enough).click()
    expect(page.locator("main .notice.good")).to_have_count(2, timeout=WAIT)
    assert judged(page, axe) == []
    page.get_by_role("button", name=ask, exact=True).click()
    page.wait_for_url(re.compile(r"/draws/[0-9a-f]{32}$"))
    return page.url.rpartition("/")[2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draw_from_the_request_to_its_result_in_the_browser(browser, site, axe, language):
    *_, go_on, approval, give_up = WORDS[language]
    hall = site.hall
    window = Window(browser, site, "light", language)
    page = enter(window, site, CLERK)
    page.context.add_cookies([{"name": "lotroom-demo-language", "value": {"zh": "zh_CN", "en": "en"}[language], "url": site.origin}])
    draw = requested(page, site, axe, language)
    site.run(hall.follow(draw))
    tab = window.context.new_page()
    tab.goto(f"{site.origin}/draws/{draw}/screen")
    expect(page.get_by_role("button", name=go_on, exact=True)).to_be_visible(timeout=WAIT)  # the library was read; nobody loaded the page
    assert quiet(page, axe) == []
    page.get_by_role("button", name=go_on, exact=True).click()
    site.run(hall.attest())
    expect(page.locator("main tbody").last.locator("tr")).to_have_count(3, timeout=WAIT)
    page.get_by_role("button", name=go_on, exact=True).click()
    page.locator("#reason").fill("按计划进行")
    page.get_by_role("button", name=approval, exact=True).first.click()
    expect(page.locator(".flash")).to_be_visible()
    window.context.set_offline(True)
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name).status == 303
    window.context.set_offline(False)
    expect(page.locator("main")).to_contain_text(APPROVER, timeout=WAIT)  # what happened meanwhile
    key, event = hall.supervisors[0], site.run(hall.draft("committed"))
    site.run(draws.sign(site.desk, draw, "committed", key.name, key.sign(event.payload), None, caller(site, SUPERVISOR)))
    expect(page.locator("main")).to_contain_text("notary/c", timeout=WAIT)
    assert page.get_by_role("button", name=re.compile(give_up)).count() == 1
    assert site.run(hall.contribute()).waiting == "answers"
    expect(page.locator("[data-until]")).to_have_text(re.compile(r"\d+:\d\d"), timeout=WAIT)
    expect(tab.locator("[data-until]")).to_have_text(re.compile(r"\d+:\d\d"), timeout=WAIT)
    for each in (page, tab):
        assert quiet(each, axe) == []
    window.mistakes[:] = [each for each in window.mistakes if "ERR_INTERNET_DISCONNECTED" not in each]
    window.close()


def test_pages_of_draws_have_no_violation_in_any_look_and_fit_a_phone(browser, site, axe):
    draw = begun(site)
    clerk = site.voter(CLERK)
    for look in LOOKED:
        for language in LANGUAGES:
            window = Window(browser, site, look, language)
            cookies = [{"name": n, "value": v, "url": site.origin} for n, v in clerk.cookies.items() if "language" not in n]
            window.context.add_cookies(cookies)
            for path in (
                "/draws",
                "/draws?search=zzz",
                "/draws/new",
                f"/draws/{draw}",
                f"/draws/{draw}/screen",
                f"/draws/{draw}/publication",
            ):
                assert window.page.goto(site.origin + path).status == 200
                assert judged(window.page, axe) == [], (path, look, language)
                assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
                assert window.page.evaluate("window.forbidden") == [], path
            window.page.goto(f"{site.origin}/draws/{draw}")
            window.page.locator("[data-opens=give-up]").click()
            assert judged(window.page, axe) == [], look
            window.close()
