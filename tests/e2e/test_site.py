"""The site in a browser: no accessibility violation in any state, nothing that the policy forbids, keys, phone, print, and the verifier as it is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from server.handlers.gallery import PROBLEM, SAMPLES
from server.handlers.problems import PROBLEMS
from tests.conftest import LONG, counts
from tests.server.web.live import Live

GOLDEN = Path(__file__).parents[1] / "vectors" / "golden" / "0.1.0-plain"
OWN = ("/", "/verify", "/status", "/gallery", "/nothing-here")
PAGES = (*OWN, *(f"/gallery/{name}" for name in SAMPLES))
ERRORS = tuple(f"/gallery/{PROBLEM}{code.replace('_', '-')}" for code in PROBLEMS)
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 390), "dark phone": ("dark", 390)}
LOOKED = tuple(LOOKS) if LONG else ("light", "dark phone")  # each scheme and each width once
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
WATCH = "window.forbidden = []; addEventListener('securitypolicyviolation', (e) => window.forbidden.push(e.violatedDirective + ' ' + e.blockedURI));"


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    made = Live()
    yield made
    made.stop()


class Window:
    """A browser window that remembers everything that should not happen."""

    def __init__(self, browser: Browser, live: Live, look: str = "light", language: str = "zh", **options: object) -> None:
        scheme, width = LOOKS[look]
        phone = width < 500
        self.context: BrowserContext = browser.new_context(
            locale=LANGUAGES[language],
            color_scheme=scheme,
            viewport={"width": width, "height": 860},
            is_mobile=phone,
            has_touch=phone,
            **options,
        )  # type: ignore[arg-type]
        self.context.set_default_timeout(20_000)
        self.context.add_init_script(WATCH)
        self.page: Page = self.context.new_page()
        self.base = live.origin
        self.mistakes: list[str] = []
        self.page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.mistakes.append(said.text)
                if said.type in ("error", "warning") and "Failed to load resource" not in said.text
                else None
            ),
        )
        self.page.on("request", lambda asked: self.mistakes.append(asked.url) if not asked.url.startswith((self.base, "blob:")) else None)

    def open(self, path: str) -> Page:
        try:
            self.page.goto(self.base + path)
        except Error as error:  # the page that was open loaded itself again in the same moment
            if "interrupted by another navigation" not in error.message:
                raise
            self.page.wait_for_load_state()
            self.page.goto(self.base + path)
        return self.page

    def close(self) -> None:
        self.context.close()
        assert self.mistakes == []


@pytest.fixture
def window(browser, live):
    made = []

    def open_one(look: str = "light", language: str = "zh", **options: object) -> Window:
        made.append(Window(browser, live, look, language, **options))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def judged(page: Page, axe: str) -> list[str]:
    """What axe finds: rule, element, why."""
    page.evaluate(f"{axe}; undefined")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
    return [f"{each['id']}: {node['target']} {node['failureSummary'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("look", LOOKED)
def test_no_page_has_an_accessibility_violation(window, axe, look, language):
    shown = window(look, language)
    paths = (*PAGES, *(ERRORS if LONG or (look, language) == ("light", "zh") else ERRORS[::8]))
    counts(f"pages judged by axe ({look}, {language})", len(paths), len(paths))
    bad = []
    for path in paths:
        page = shown.open(path)
        found = judged(page, axe)
        bad += [(path, *found)] if found else []
        assert page.evaluate("window.forbidden") == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"
        if path == "/gallery":
            for dialog in ("g-sample", "keys"):
                page.evaluate(f"document.getElementById('{dialog}').showModal()")
                assert judged(page, axe) == [], dialog
                page.keyboard.press("Escape")
    assert bad == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_targets_on_a_phone_are_44_pixels(window, language):
    small = """[...document.querySelectorAll('a, button, input, select, textarea, summary, label.choice')].filter((e) => e.checkVisibility() && !e.closest('.skip'))
      .filter((e) => !(e.matches('.choice input') || e.matches('p a, dd a, td a, li p a') && getComputedStyle(e).display === 'inline'))
      .map((e) => [e.outerHTML.slice(0, 90), e.getBoundingClientRect()]).filter(([, r]) => r.height < 43.5 || r.width < 43.5).map(([t, r]) => `${t} ${r.width}x${r.height}`)"""
    shown, bad = window("phone", language), []
    for path in PAGES:
        page = shown.open(path)
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        found = page.evaluate(small)
        bad += [(path, *found)] if found else []
    assert bad == []


def test_a_page_can_be_walked_by_keyboard_alone(window):
    page = window().open("/gallery/people")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="邀请人员")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    expect(page.locator("#grant")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#grant")).to_be_hidden()
    expect(page.get_by_role("button", name="邀请人员")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML"))
    missing = page.evaluate(
        "[...document.querySelectorAll('main a, main button, main input:not([type=hidden]), main select')].filter((e) => e.checkVisibility()).map((e) => e.outerHTML)"
    )
    assert set(missing) <= reached | {page.evaluate("document.querySelector('[data-opens=grant]').outerHTML")}


def test_keys(window):
    page = window().open("/gallery/audit")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("g2/?")
    expect(page.locator("[data-search]")).to_have_value("g2/?")
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("2")
    page.wait_for_url("**/gallery/people")
    page.goto(page.url.replace("people", "approvals"))
    page.keyboard.press("n")
    expect(page.locator("[data-next]").first).to_be_focused()
    page.keyboard.press("?")
    page.get_by_label("不使用单键快捷方式").check()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.reload()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()


def test_language_and_colours_are_switched_by_forms_also_without_scripts(window):
    for scripts in (True, False):
        page = window("light", "zh", java_script_enabled=scripts).open("/status?from=here")
        page.get_by_role("button", name="English").click()
        expect(page.locator("h1")).to_have_text("System status")
        assert page.url.endswith("/status?from=here")
        page.get_by_role("button", name="Light colours").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.get_by_role("button", name="Dark colours").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.get_by_role("button", name="中文").click()
        expect(page.locator("h1")).to_have_text("系统状态")


def test_faults_of_a_form_are_listed_focused_and_linked(window):
    page = window().open("/gallery")
    page.locator("#name").fill("")
    page.locator("#places").fill("12")
    page.locator("#reason").fill("")
    page.get_by_role("button", name="提交").click()
    summary = page.locator(".summary")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(2)
    summary.get_by_role("link", name="不得大于 11。").click()
    expect(page.locator("#places")).to_be_focused()
    expect(page.locator("#places")).to_have_value("12")
    expect(page.locator("#places")).to_have_attribute("aria-describedby", "places-hint places-fault")
    page.locator("#name").fill("一标段")
    page.locator("#places").fill("5")
    page.get_by_role("button", name="提交").click()
    page.wait_for_url(re.compile("/gallery$"))


def test_small_things_work(window, live):
    shown = window()
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = shown.open("/gallery")
    before = page.locator("[data-clock]").text_content()
    page.wait_for_timeout(1_300)
    assert page.locator("[data-clock]").text_content() > before
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", page.locator("[data-clock]").text_content())
    page.locator("#g-digest ~ .stack [data-copy]").first.click()
    expect(page.locator("#toasts")).to_have_text("已复制")
    assert re.fullmatch("[0-9a-f]{64}", page.evaluate("navigator.clipboard.readText()"))
    page.locator("#f-password").fill("geheim")
    page.locator("[data-reveals='f-password']").click()
    expect(page.locator("#f-password")).to_have_attribute("type", "text")
    page = shown.open("/status")
    page.wait_for_timeout(300)
    live.do(lambda: live.site.streams.status.publish("changed", {"part": "keeper"}))
    expect(page.locator("#toasts")).to_contain_text("状态已变化")


def test_a_phone_has_a_menu_and_a_table_becomes_cards(window):
    page = window("phone").open("/gallery/people")
    expect(page.locator(".side")).to_be_hidden()
    page.get_by_text("菜单").first.click()
    expect(page.locator(".menu nav").get_by_role("link", name="审计日志")).to_be_visible()
    expect(page.locator("thead")).not_to_be_in_viewport()
    assert page.locator("tbody tr").first.evaluate("(row) => getComputedStyle(row).display") == "grid"
    expect(page.get_by_role("row").nth(1)).to_be_visible()  # it is a table still, for who hears it


def test_print_has_no_buttons_and_no_menu(window):
    page = window().open("/gallery/approvals")
    page.emulate_media(media="print")
    for hidden in (".tools", ".side", ".foot", ".button"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    assert len(page.pdf()) > 10_000


def test_the_served_verifier_works_under_the_strict_policy(window):
    shown = window()
    page = shown.open("/verify")
    page.get_by_role("link", name="打开核验页面").click()
    page.wait_for_url("**/verify/page")
    page.set_input_files("#choose", [str(GOLDEN / name) for name in ("proof.json", "keys.json", "roll.bin")])
    expect(page.locator(".verdict .big")).to_have_text("所做的检查均通过")
    assert len(page.workers) == 1
    assert page.evaluate("window.forbidden") == []


def test_the_policy_holds_against_a_page_that_tries(window):
    shown = window()
    page = shown.open("/")
    tried = page.evaluate(
        """() => { const tried = {};
          const attempt = (name, act) => { try { act(); tried[name] = 'done'; } catch (error) { tried[name] = error.name; } };
          attempt('html', () => { document.body.innerHTML = '<b>x</b>'; });
          attempt('script', () => { document.createElement('script').src = 'https://evil.example/x.js'; });
          attempt('policy', () => { trustedTypes.createPolicy('x', {createHTML: (t) => t}); });
          return tried; }"""
    )
    assert tried == {"html": "TypeError", "script": "TypeError", "policy": "TypeError"}
    page.evaluate(
        "() => { const made = document.createElement('img'); made.src = 'https://evil.example/x.png'; document.body.append(made); }"
    )
    page.wait_for_timeout(200)
    assert json.loads(page.evaluate("JSON.stringify(window.forbidden)"))[-1].startswith("img-src")
    shown.mistakes.clear()  # the browser told of each
