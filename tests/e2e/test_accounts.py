"""Signing in as people do: in Chromium, with password and code, with a passkey of a virtual authenticator, and once more for what is critical."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from server.auth.model import Role
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.npm import npm_file
from tests.server.desk.site import PASSWORD, Desk, id_of

WORDS = {
    "zh": ("账号", "密码", "六位数字", "登录", "重新生成", "添加通行密钥"),
    "en": ("Account", "Password", "Six digits", "Sign in", "Make new codes", "Add a passkey"),
}


@pytest.fixture(scope="module")
def site(templates, tmp_path_factory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("browser")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    made = Desk(folder, f"sqlite+aiosqlite:///{folder / 'lotroom.db'}")
    yield made
    made.stop()


def authenticator(page: Page) -> None:
    """A key in the machine, whose owner always touches it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable", {"enableUI": False})
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}})


@pytest.mark.parametrize("language", LANGUAGES)
def test_somebody_signs_in_confirms_makes_a_passkey_and_signs_in_with_it(browser, site, language):
    name = f"chen.{language}"
    site.settle(name, Role.ARCHIVIST)
    axe = npm_file("axe-core/axe.min.js").read_text("utf-8")
    window = Window(browser, site, "light", language)
    _, _, digits, sign_in, codes, add = WORDS[language]
    page = window.open("/account")
    page.locator("main a", has_text=sign_in).click()
    assert judged(page, axe) == []
    page.locator("#account").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")
    expect(page.get_by_label(digits)).to_be_visible()
    assert judged(page, axe) == []
    page.get_by_label(digits).fill(site.code(name))
    page.get_by_label(digits).press("Enter")
    page.wait_for_url(site.origin + "/account")
    assert judged(page, axe) == []

    page.get_by_role("button", name=codes).click()  # critical: not without a confirmation
    page.locator("main a[href*='/step-up']").click()
    page.get_by_label(digits).fill(site.code(name))
    page.get_by_label(digits).press("Enter")
    page.wait_for_url(site.origin + "/account")
    page.get_by_role("button", name=codes).click()
    expect(page.locator("main ol code")).to_have_count(10)
    assert judged(page, axe) == []

    authenticator(page)
    page = window.open("/account")
    page.get_by_role("button", name=add).click()
    expect(page.locator("main .badge.warn")).to_be_visible()

    async def let_in() -> None:
        status = await site.keeper.person_status(id_of(name))
        (waiting,) = status.passkeys
        await site._approved("enrol", waiting.credential, waiting.digest, ("an.quan",))

    site.run(let_in())
    page.locator("header form[action='/sign-out'] button").click()
    page.wait_for_url(site.origin + "/")
    window.open("/sign-in?back=/account")
    page.locator("#passkey-account").fill(name)
    page.locator("form[data-passkey] button").click()
    page.wait_for_url(site.origin + "/account")
    expect(page.locator("main h1")).to_be_visible()
    page.goto(site.origin + "/step-up?back=/account")
    assert judged(page, axe) == []
    page.locator("form[data-passkey] button").click()
    page.wait_for_url(site.origin + "/account")
    expect(page.locator(".flash")).to_be_visible()
    window.mistakes = [each for each in window.mistakes if "pubKeyCredParams" not in each]  # that we take no RSA is meant
    window.close()


def test_pages_of_administrators_have_no_accessibility_violation(browser, site):
    axe = npm_file("axe-core/axe.min.js").read_text("utf-8")
    visitor = site.visitor().as_("sun.xitong")
    someone = site.settle("new.comer")
    auditor = site.visitor().as_("shen.ji")
    for person, paths in ((visitor, ("/people", f"/people/{someone.person}", "/approvals")), (auditor, ("/audit", "/approvals"))):
        for look in LOOKED:
            window = Window(browser, site, look)
            window.context.add_cookies([{"name": n, "value": v, "url": site.origin} for n, v in person.cookies.items()])
            for path in paths:
                assert window.page.goto(site.origin + path).status == 200
                assert judged(window.page, axe) == [], (path, look)
                assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
            window.close()
