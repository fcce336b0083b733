"""The demonstration and the first day in Chromium: signing in by password and code and by the demo's software passkey, approving, enrolling the three."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.server.demo.site import Demo, Serving
from tests.server.demo.test_demo import fresh_code, with_demo_passkey

WORDS = {
    "zh": ("使用演示用的软件通行密钥", "六位数字", "授予 lin.kun“档案管理员”角色", "已批准"),
    "en": ("Use the demo's software passkey", "Six digits", "Archivist", "approved"),
}
THREE = {"system_admin": ("孙系", "sun.xi"), "security_admin": ("安全一", "an.yi"), "audit_admin": ("沈计", "shen.ji")}
OWN_KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PASSWORD = "Rosin-tulip-43-kelp"


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[Demo]:
    made = Demo(tmp_path_factory.mktemp("demo") / "d")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def auditor(demo):
    """One login for all looks: an address may sign in twenty times a minute."""
    return with_demo_passkey(demo.visitor(), "shen.jiahe")


@pytest.fixture
def service(tmp_path) -> Iterator[Serving]:
    made = Serving(tmp_path)
    made.start()
    yield made
    made.stop()


def test_password_and_code_sign_in(browser, demo):
    window = Window(browser, demo, language="zh")
    page = window.open("/sign-in?back=/account")
    page.locator("#account").fill("zhou.mengqi")
    page.locator("#password").fill(demo.password)
    page.locator("#password").press("Enter")
    page.get_by_label(WORDS["zh"][1]).fill(fresh_code(demo, "zhou.mengqi"))
    page.get_by_label(WORDS["zh"][1]).press("Enter")
    page.wait_for_url(demo.origin + "/account")
    expect(page.locator("main .page-head")).to_contain_text("档案")
    window.close()


def test_the_demo_passkey_signs_in_and_approves_what_waits(browser, demo):
    """One signature is there already; the security administrator's is the second, and the role is given."""
    window = Window(browser, demo, language="zh")
    button, _, title, approved = WORDS["zh"]
    page = window.open("/sign-in?back=/approvals")
    page.locator("#passkey-account").fill("an.ruolan")
    page.get_by_role("button", name=button).click()
    page.wait_for_url(demo.origin + "/approvals")
    card = page.locator("article", has_text="授予 lin.kun")
    expect(card.locator(".badge")).to_contain_text("1 / 2")
    card.get_by_role("button", name=button).click()  # critical: the login has to be confirmed first
    expect(page.locator("#toasts")).not_to_be_empty()
    page.goto(demo.origin + "/step-up?back=/approvals")
    page.get_by_role("button", name=button).click()
    page.wait_for_url(demo.origin + "/approvals")
    page.locator("article", has_text="授予 lin.kun").get_by_role("button", name=button).click()
    expect(page.locator("article")).to_have_count(1)
    row = page.locator("tr", has_text=title).first
    expect(row.locator(".badge")).to_contain_text(approved)
    page.goto(demo.origin + "/people?q=lin.kun")
    expect(page.locator("tbody tr")).to_contain_text("档案管理员")
    assert page.evaluate("window.forbidden") == []
    window.close()


def test_somebody_makes_a_further_software_passkey(browser, demo):
    window = Window(browser, demo, language="en")
    page = window.open("/sign-in?back=/step-up%3Fback%3D/account")
    page.locator("#passkey-account").fill("he.xiaowen")
    page.get_by_role("button", name=WORDS["en"][0]).click()
    page.wait_for_url(demo.origin + "/step-up?back=/account")
    page.get_by_role("button", name=WORDS["en"][0]).click()
    page.wait_for_url(demo.origin + "/account")
    page.get_by_role("button", name=WORDS["en"][0]).click()
    expect(page.locator("main .badge.warn")).to_be_visible()
    window.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("look", LOOKED)
def test_pages_of_the_demonstration_have_no_accessibility_violation(browser, demo, auditor, axe, look, language):
    window = Window(browser, demo, look, language)
    for path in ("/demo", "/sign-in", "/", demo.invitation):
        page = window.open(path)
        assert judged(page, axe) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate("window.forbidden") == [], path
    window.context.add_cookies([{"name": name, "value": value, "url": demo.origin} for name, value in auditor.cookies.items()])
    for path in ("/approvals", "/account", "/step-up", "/people"):
        page = window.open(path)
        assert judged(page, axe) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    window.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_day_from_the_secret_to_three_administrators(browser, service, axe, language, tmp_path):
    window = Window(browser, service, "light", language)
    page = window.open("/first-day")
    keys = page.context.new_cdp_session(page)
    keys.send("WebAuthn.enable", {"enableUI": False})
    assert_fine(page, axe)
    page.locator("#secret").fill("0" * 32)
    page.locator("main button.first").click()
    expect(page.locator(".summary")).to_be_focused()
    assert_fine(page, axe)
    page.locator("#secret").fill(service.secret.upper())
    page.locator("main button.first").click()
    for role, (name, account) in THREE.items():
        expect(page.locator("input[name=role]")).to_have_value(role)
        assert_fine(page, axe)
        held = keys.send("WebAuthn.addVirtualAuthenticator", {"options": OWN_KEY})["authenticatorId"]  # each person's own
        page.locator("#name").fill(name)
        page.locator("#account").fill(account)
        page.locator("#password").fill("short")
        page.locator("#passkey").click()
        expect(page.locator("#password-fault")).to_be_visible()  # before a key is made
        assert_fine(page, axe)
        page.locator("#password").fill(PASSWORD)
        page.locator("#passkey").click()
        page.wait_for_load_state()
        expect(page.locator(".flash")).to_be_visible()
        if role != "audit_admin":
            keys.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": held})
    page.wait_for_url(service.origin + "/sign-in")
    assert page.request.get(service.origin + "/first-day").status == 404
    window.open("/sign-in?back=/people")
    page.locator("#passkey-account").fill("shen.ji")
    page.locator("form[data-passkey] button").click()
    page.wait_for_url(service.origin + "/people")
    expect(page.locator("tbody tr")).to_have_count(3)
    window.mistakes = [each for each in window.mistakes if "pubKeyCredParams" not in each]  # that we take no RSA is meant
    window.close()


def assert_fine(page, axe):
    """In each colour and width."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 860})
            assert judged(page, axe) == [], (scheme, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})
