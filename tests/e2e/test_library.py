"""The expert library as a clerk works with it in Chromium: a sheet of thousands with broken rows, mended in the page, put in while a bar moves."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from server.library.columns import COLUMNS
from server.library.demo import people
from tests.conftest import counts
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.server.desk.site import Desk
from tests.server.desk.test_library import approve_waiting, fill, sheet, staff

AT = {each.alias: n for n, each in enumerate(COLUMNS)}
WORDS = {
    "zh": ("检查文件", "改正行", "保存此行", "提交审批", "入库", "以此行代替"),
    "en": ("Check the file", "Correct rows", "Save the row", "Propose for approval", "Put into the library", "Take this row instead"),
}


@pytest.fixture
def site(templates, tmp_path) -> Iterator[Desk]:
    shutil.copy(templates["sqlite"], tmp_path / "lotroom.db")
    made = Desk(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'lotroom.db'}")
    staff(made)
    yield made
    made.stop()


def broken(rows: list[list[str]], most: int) -> list[str]:
    """Spoil some cells, another kind each time; what was right, in the order of the rows."""
    kinds = ("phone", "area", "id_number", "professions", "birthday", "leave")
    spoil = {
        "phone": "12",
        "area": "海淀",
        "id_number": "110",
        "professions": "Z99",
        "birthday": "1980-13-40",
        "leave": "2026-05-09|2026-05-01",
    }
    right = []
    for n in range(most):
        alias, at = kinds[n % len(kinds)], 7 + n * (len(rows) // (most + 2))
        right.append(rows[at][AT[alias]])
        rows[at][AT[alias]] = spoil[alias]
    return right


def enter(window: Window, site: Desk, name: str) -> Page:
    """The login of somebody, confirmed just now, in the browser."""
    visitor, agent = (
        site.visitor(),
        window.page.evaluate("navigator.userAgent"),
    )  # a login that moves to another browser has to be confirmed again
    cookies = visitor.cookie_header
    visitor.cookie_header = lambda: {**cookies(), "User-Agent": agent}  # type: ignore[method-assign]
    visitor.as_(name)
    window.context.add_cookies([{"name": n, "value": v, "url": site.origin} for n, v in visitor.cookies.items()])
    return window.page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_clerk_brings_a_sheet_mends_forty_rows_in_the_page_and_puts_it_in(browser, site, axe, language, tmp_path):
    many, wrong = counts("rows of a sheet in the browser", 1_000, 5_000), counts("rows mended in the page", 12, 40)
    rows = [list(each) for each in people(many, 21)]
    right = broken(rows, wrong)
    file = tmp_path / "library.csv"
    file.write_bytes(sheet(rows))
    window = Window(browser, site, "light", language)
    page = enter(window, site, "lin.clerk")
    check, correct, save, propose, put_in, _ = WORDS[language]
    window.open("/library/imports")
    assert judged(page, axe) == []
    page.locator("input[type=file]").set_input_files(str(file))
    page.get_by_role("button", name=check).click()
    expect(page.get_by_role("link", name=correct)).to_be_visible(timeout=60_000)  # the page came to its next state by itself
    assert judged(page, axe) == []
    page.get_by_role("link", name=correct).click()
    assert judged(page, axe) == []
    for value in right:
        expect(page.locator("form[action$='/rows'] .field.wrong input").first).to_be_visible()
        form = page.locator("form[action$='/rows']").first
        form.locator(".field.wrong input").first.fill("?")
        form.get_by_role("button", name=save).click()
        expect(page.locator(".summary")).to_be_visible()
        form = page.locator("form[action$='/rows']").first
        form.locator(".field.wrong input").first.fill(value)
        form.get_by_role("button", name=save).click()
        expect(page.locator(".flash")).to_be_visible()
    expect(page.locator("main .empty")).to_be_visible()
    page.locator("main .empty a").click()
    page.locator("#reason").fill("年度更新")
    page.get_by_role("button", name=propose).click()
    expect(page.locator(".flash")).to_be_visible()
    path = page.url.removeprefix(site.origin)
    approve_waiting(site)
    window.context.clear_cookies()
    enter(window, site, "lin.clerk")
    page.context.add_cookies([{"name": "lotroom-demo-language", "value": {"zh": "zh_CN", "en": "en"}[language], "url": site.origin}])
    window.open(path)
    assert judged(page, axe) == []
    page.get_by_role("button", name=put_in).click()
    expect(page.locator("main .notice.good a[href='/library']")).to_be_visible(timeout=60_000)
    page.locator("main .notice.good a[href='/library']").click()
    expect(page.locator("caption")).to_contain_text(f"{many:,}")
    assert judged(page, axe) == []
    window.close()


def test_pages_of_the_library_have_no_violation_in_any_look_and_fit_a_phone(browser, site, axe):
    rows = [list(each) for each in people(120, 4)]
    fill(site, sheet(rows))
    clerk = site.visitor().as_("lin.clerk")
    clerk.open("/library/imports")
    rows[3][AT["phone"]] = "1"
    rows[5][AT["area"]] = "x"
    made = clerk.upload("/library/imports", {"mode": "whole"}, ("file", "x.csv", sheet(rows[:-2]))).headers["Location"]
    for _ in range(200):
        if "data-live" not in clerk.open(made).text:
            break
        time.sleep(0.05)
    expert = re.search(r"/library/experts/[0-9a-f]{32}", clerk.open("/library").text)[0]
    for look in LOOKED:
        for language in LANGUAGES:
            window = Window(browser, site, look, language)
            window.context.add_cookies(
                [{"name": n, "value": v, "url": site.origin} for n, v in clerk.cookies.items() if "language" not in n]
            )
            for path in ("/library", "/library?q=zzz", "/library/imports", made, made + "/rows", expert, "/library/add"):
                assert window.page.goto(site.origin + path).status == 200
                assert judged(window.page, axe) == [], (path, look, language)
                assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
                assert window.page.evaluate("window.forbidden") == [], path
            window.page.goto(site.origin + expert)
            window.page.locator("#reason").fill("核对")
            window.page.locator("form[action$='/open'] button").click()
            expect(window.page.locator("#id_number")).to_be_visible()
            assert judged(window.page, axe) == [], look
            window.close()
