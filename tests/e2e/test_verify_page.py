"""The built page in a browser, from the disk and without a network: a clerk drops files and reads what they show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from drawing.texts import CHECK_TITLES
from tools.build_verify_page import build

GOLDEN = Path(__file__).parents[1] / "vectors" / "golden"
PLAIN = GOLDEN / "0.1.0-plain"
ROUND = GOLDEN / "0.1.0-round"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist") / "lotroom-verify.html")


@pytest.fixture
def open_page(browser: Browser, built: Path):
    contexts = []

    def open_in(locale: str = "zh-CN", width: int = 1280, **options: object) -> Page:
        context = browser.new_context(locale=locale, viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
        context.set_offline(True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.mistakes = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.mistakes.append(str(error)))  # type: ignore[attr-defined]
        page.on("console", lambda said: page.mistakes.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
        page.on("request", lambda asked: page.mistakes.append(asked.url) if not re.match("file:|blob:", asked.url) else None)  # type: ignore[attr-defined]
        page.goto(built.as_uri())
        return page

    yield open_in
    for context in contexts:
        for page in context.pages:
            assert page.mistakes == []  # type: ignore[attr-defined]
        context.close()


def give(page: Page, *files: Path) -> None:
    page.set_input_files("#choose", [str(each) for each in files])


def tampered(folder: Path, target: Path) -> Path:
    """The seed of the panel is another: only what depends on it may fail."""
    proof = json.loads((folder / "proof.json").read_text("utf-8"))
    result = next(each["event"] for each in proof["events"] if each["event"]["type"] == "result")
    result["seed"] = "00" * 32
    target.write_text(json.dumps(proof, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "utf-8")
    return target


def test_a_clerk_sees_at_once_that_everything_that_could_be_checked_passed(open_page):
    page = open_page()
    expect(page.locator("h1")).to_have_text("抽取核验")
    expect(page.locator(".missing")).to_contain_text("请先放入")
    give(page, PLAIN / "proof.json", PLAIN / "keys.json", PLAIN / "roll.bin")
    expect(page.locator(".verdict .big")).to_have_text("所做的检查均通过")
    expect(page.locator("#live")).to_have_attribute("aria-live", "polite")
    assert len(page.workers) == 1
    expect(page.locator(".check.failed")).to_have_count(0)
    expect(page.locator(".check")).to_have_count(len(CHECK_TITLES))
    expect(page.locator("#check-D2 .word")).to_have_text("通过")
    expect(page.locator("#check-E1 .word")).to_have_text("未检查")
    expect(page.locator(".missing")).to_contain_text("专家回执")
    expect(page.locator(".flow")).to_contain_text("51")
    expect(page.locator(".slot")).to_have_count(5)


def test_files_come_in_any_order_and_are_known_by_what_is_in_them(open_page, tmp_path):
    page = open_page("en-GB")
    for name in ("roll.bin", "receipt.json", "keys.json"):
        (tmp_path / f"{name}.txt").write_bytes((PLAIN / name).read_bytes())
        give(page, tmp_path / f"{name}.txt")
    expect(page.locator(".missing")).to_have_text("Still missing: the proof.")
    expect(page.locator(".verdict")).to_have_count(0)
    (tmp_path / "letter").write_text("hello", "utf-8")
    give(page, PLAIN / "proof.json", tmp_path / "letter")
    expect(page.locator(".verdict .big")).to_have_text("All checks that could be made passed")
    expect(page.locator(".note")).to_contain_text("not recognised")
    expect(page.locator("#check-E3 .word")).to_have_text("passed")
    give(page, PLAIN / "openings.bin")
    expect(page.locator(".note")).to_contain_text("for supervisors")
    page.get_by_role("button", name="Remove Key list").click()
    expect(page.locator(".missing")).to_contain_text("Still missing: the key list")
    expect(page.locator(".headlines")).to_contain_text("no trusted key list")


def test_a_verdict_is_never_that_of_files_that_are_gone(open_page, tmp_path):
    """Files change faster than the worker answers: what stands in the end is about the files that are there in the end."""
    page = open_page("en-GB")
    bad = tampered(ROUND, tmp_path / "proof.json")
    give(page, ROUND / "proof.json", ROUND / "keys.json", ROUND / "roll.bin")
    expect(page.locator(".verdict .big")).to_have_text("All checks that could be made passed")
    for _ in range(10):
        page.evaluate("document.querySelector('[aria-label=\"Remove Key list\"]').click()")
        give(page, ROUND / "keys.json")
        give(page, bad)
        give(page, ROUND / "proof.json")
        page.evaluate("document.querySelector('[aria-label=\"Remove Key list\"]').click()")
        expect(page.locator(".headlines")).to_contain_text("no trusted key list")
        give(page, ROUND / "keys.json", bad)
        expect(page.locator(".verdict .big")).to_have_text("Not valid")
        give(page, ROUND / "proof.json")
        expect(page.locator(".verdict .big")).to_have_text("All checks that could be made passed")


def test_a_tampered_proof_is_red_at_the_right_check_and_says_why(open_page, tmp_path):
    page = open_page()
    give(page, tampered(ROUND, tmp_path / "proof.json"), ROUND / "keys.json", ROUND / "roll.bin")
    expect(page.locator(".verdict .big")).to_have_text("不通过")
    for check in ("I1", "A3", "C2", "R4", "D2"):
        expect(page.locator(f"#check-{check}")).to_have_class(re.compile("failed"))
        expect(page.locator(f"#check-{check}")).to_have_attribute("open", "")
    expect(page.locator("#check-R4 .fault")).to_contain_text("种子与随机来源不符")
    expect(page.locator(".picture .caution")).to_be_visible()
    expect(page.locator("#check-R3 .word")).to_have_text("通过")
    page.locator(".failures a").first.click()
    expect(page.locator("#check-I1")).to_be_in_viewport()


def test_the_language_changes_and_the_report_stays(open_page):
    page = open_page()
    give(page, PLAIN / "proof.json", PLAIN / "keys.json")
    expect(page.locator(".verdict .big")).to_have_text("所做的检查均通过")
    page.locator("#language").click()
    expect(page.locator(".verdict .big")).to_have_text("All checks that could be made passed")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#check-C3 .title")).to_have_text("no hidden draw")
    expect(page.locator("#language")).to_be_focused()


def test_the_keyboard_is_enough(open_page):
    page = open_page("en-GB")
    give(page, PLAIN / "proof.json", PLAIN / "keys.json")
    expect(page.locator(".verdict")).to_be_visible()
    seen = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert seen[:3] == ["language", "theme", "choose"]
    assert "SUMMARY" in seen
    page.locator("#check-I6 summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#check-I6 .inside")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(open_page, tmp_path, scheme):
    page = open_page(width=360, color_scheme=scheme)
    give(page, tampered(ROUND, tmp_path / "proof.json"), ROUND / "keys.json", ROUND / "roll.bin")
    expect(page.locator(".verdict")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_light_and_dark_are_switched_by_hand(open_page):
    page = open_page(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    assert page.evaluate(paper) != light
    page.locator("#theme").click()
    assert page.evaluate(paper) == light


def test_without_workers_the_page_verifies_by_itself(browser, built):
    context = browser.new_context(locale="en-GB", offline=True)
    page = context.new_page()
    page.add_init_script("delete window.Worker")
    page.goto(built.as_uri())
    give(page, PLAIN / "proof.json", PLAIN / "keys.json", PLAIN / "roll.bin")
    expect(page.locator(".verdict .big")).to_have_text("All checks that could be made passed")
    context.close()


def test_the_footer_names_version_and_digest_of_the_program(open_page, built):
    page = open_page()
    program = re.search(r'<script id="program">(.*)</script>', built.read_text("utf-8"), re.DOTALL)
    assert program is not None
    from hashlib import sha256

    said = page.locator("#program-digest").inner_text().replace(" ", "")
    assert said == sha256(program[1].encode()).hexdigest()
    expect(page.locator("footer")).to_contain_text("0.2.0")
