"""The supervisor's desk, complaints and statistics in Chromium: both languages, light, dark and phone; a complaint without JavaScript."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_library import enter
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.server.desk.site import id_of
from tests.server.draws.site import APPROVER, OTHER, SUPERVISOR, Site
from tests.server.draws.test_oversight import WORDS, given_up, requested

SHOTS = os.environ.get("SCREENSHOTS")  # a folder, for whoever looks at them


@pytest.fixture
def site(templates, tmp_path) -> Iterator[Site]:
    shutil.copy(templates["sqlite"], tmp_path / "lotroom.db")
    url = f"sqlite+aiosqlite:///{tmp_path / 'lotroom.db'}"
    made = Site(tmp_path, url, url)
    yield made
    made.stop()


def furnish(site):
    """A project tried twice, a draw that is closed, one that waits for approval. Returns the first."""
    text = site.request()
    first = requested(site, text)
    given_up(site, first, "资料不全，重新抽取")
    site.house.move_clock(5)
    requested(site, text)
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    site.run(hall.contribute())
    site.run(hall.answer(0, "left", "出差"))
    for slot in range(1, 6):
        site.run(hall.answer(slot))
    site.run(hall.refill())
    site.run(hall.to_the_end(approvers=(id_of(SUPERVISOR), id_of(OTHER))))
    requested(site, site.request())
    return first


def test_the_desk_a_complaint_and_the_figures(browser, site, axe):
    draw = furnish(site)
    first = Window(browser, site)
    site.house.move_clock(61)
    enter(first, site, SUPERVISOR)
    cookies = first.context.cookies()
    first.close()
    plain = browser.new_context(java_script_enabled=False, locale="zh-CN")
    plain.add_cookies(cookies)
    page = plain.new_page()
    page.goto(f"{site.origin}/draws/{draw}/complaints")
    page.fill("#reason", "  ")
    page.get_by_role("button", name="登记并冻结证据").click()
    page.locator(".summary").wait_for()
    page.fill("#reason", WORDS)
    page.get_by_role("button", name="登记并冻结证据").click()
    page.locator(".flash").wait_for()
    assert WORDS in page.inner_text("main")
    plain.close()
    paths = ("/supervision", "/supervision/statistics", f"/draws/{draw}/complaints", f"/draws/{draw}")
    for look in LOOKED:
        for language in LANGUAGES:
            window = Window(browser, site, look, language)
            window.context.add_cookies([each for each in cookies if "language" not in each["name"]])
            for path in paths:
                assert window.page.goto(site.origin + path).status == 200
                assert judged(window.page, axe) == [], (path, look, language)
                assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
                assert window.page.evaluate("window.forbidden") == [], path
                if SHOTS:
                    name = path.strip("/").replace(draw, "draw").replace("/", "-")
                    window.page.screenshot(path=Path(SHOTS) / f"{name}-{look}-{language}.png", full_page=True)
            window.close()
