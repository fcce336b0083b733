"""Keys in people's own browsers, in Chromium over a running service: made, listed, used to sign and to contribute, and every way in which that goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from drawing.draw import Phase
from drawing.events import Contributed, Signature
from drawing.keys import keys_bytes
from server.auth.model import Role
from server.keeper.approved import body_digest, draw_object
from server.refusals import text_of
from server.services import drawing, key_list
from tests.e2e.test_site import LOOKED, Window, judged
from tests.server.desk.site import CENTRE, id_of
from tests.server.draws.hall import outsider
from tests.server.draws.site import APPROVER, OTHER, SUPERVISOR, Site
from tests.server.draws.test_approvals import caller

ADMIN, SECURITY = "sun.xitong", "an.quan"
PASSWORD = "kelp-rosin-tulip-43"
PARTS = {"notary": "notary.wang", "office": "office.qian"}  # body -> account of the contributor


@pytest.fixture(scope="module")
def site(templates, tmp_path_factory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browserkeys")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    url = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    made = Site(folder, url, url, settled=False)
    made.run(made.hall.fill_library())
    for name in PARTS.values():
        made.settle(name, Role.CONTRIBUTOR)
    yield made
    made.stop()


def authenticator(page: Page, *, prf: bool = True) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable", {"enableUI": False})
    options = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "hasPrf": prf, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )


def signed_in(window: Window, site: Site, name: str) -> None:
    """The window of somebody who has signed in elsewhere: how is `test_accounts`'."""
    site.house.move_clock(61)
    visitor = site.visitor().as_(name)
    window.context.add_cookies([{"name": n, "value": v, "url": site.origin} for n, v in visitor.cookies.items()])


def make(page: Page, body: str, *, password: str = "") -> str:
    """A key made on the page. Returns its name."""
    page.locator("#body").fill(body)
    if password:
        page.locator("input[name=by][value=password]").check()
        page.locator("#new-password").fill(password)
        page.locator("#again").fill(password)
    page.locator("#make-key button.first").click()
    expect(page.locator("#said .notice.good")).to_be_visible(timeout=60_000)
    return page.locator("#kept article code").first.inner_text()


def said(page: Page, code: str) -> None:
    expect(page.locator("#said .notice.bad")).to_contain_text(f"[{code}]", timeout=60_000)


def shot(page: Page, name: str) -> None:
    """A picture to look at, where somebody asks for them."""
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{name}.png", full_page=True)


class People:
    """Windows of the three whose keys are in their browsers: a supervisor, and two contributors."""

    def __init__(self, browser, site: Site) -> None:
        self.site = site
        self.windows = {name: Window(browser, site, "light", "en") for name in (SUPERVISOR, *PARTS.values())}
        self.names: dict[str, str] = {}

    def page(self, name: str) -> Page:
        return self.windows[name].page

    def open(self, name: str, path: str) -> Page:
        return self.windows[name].open(path)

    def enter(self, name: str) -> None:
        signed_in(self.windows[name], self.site, name)


@pytest.fixture(scope="module")
def people(browser, site) -> Iterator[People]:
    made = People(browser, site)
    yield made
    for window in made.windows.values():
        window.mistakes = [each for each in window.mistakes if "pubKeyCredParams" not in each]
        window.close()


def test_keys_are_made_under_a_password_and_under_a_passkey_and_handed_in(people, site, axe):
    for name, body, password in ((SUPERVISOR, "zbureau", PASSWORD), ("notary.wang", "notary", PASSWORD), ("office.qian", "office", "")):
        people.enter(name)
        page = people.open(name, "/my-key")
        assert judged(page, axe) == []
        if not password:
            authenticator(page)
        people.names[name] = make(page, body, password=password)
        assert judged(page, axe) == []
        page.locator("#kept button.first").click()
        expect(page.locator(".flash")).to_be_visible()
        assert people.names[name] in page.locator("main").inner_text()


def test_what_leaves_the_browser_is_the_public_half(people, site):
    async def files():
        async with site.store.reading() as tx:
            return [row["file"] for row in await tx.all("holder_key")]

    kept = site.run(files())
    assert len(kept) == 3
    assert all('"v":"lotroom-public-key/1"' in each for each in kept)
    stored = people.page(SUPERVISOR).evaluate(
        "new Promise((done) => { const r = indexedDB.open('lotroom-keys', 1); r.onsuccess = () => {"
        " const q = r.result.transaction('keys').objectStore('keys').getAll(); q.onsuccess = () => done(q.result); }; })"
    )
    assert len(stored) == 1
    assert '"sealed"' in stored[0]
    assert '"lotroom-key/1"' not in stored[0]


def test_a_key_of_another_role_is_not_taken(people, site):
    page = people.open(SUPERVISOR, "/my-key")
    public = page.evaluate(
        "import('" + re.search(r"/static/[0-9a-f]{16}/", page.content())[0] + "js/keys/keyfile.js').then((m) => new TextDecoder().decode("
        "m.publicBytes(m.makeKey('contributor', 'x', 'localhost', (n) => crypto.getRandomValues(new Uint8Array(n))))))"
    )
    visitor = site.voter(SUPERVISOR)
    visitor.open("/my-key")
    answer = visitor.post("/my-key", (("public", public),))
    assert answer.status == 422
    assert "角色" in answer.text or "role" in answer.text


def test_the_list_is_made_approved_and_published(people, site, axe):
    hall = site.hall
    security, admin = site.voter(SECURITY), site.voter(ADMIN)
    for each in hall.supervisors:
        public = replace(each, sign_secret=b"", vrf_secret=b"", box_secret=b"").public_bytes().decode()
        security.open("/key-list/next")
        assert security.post("/key-list/next/keys", (("public", public),)).status == 303
    admin.open("/key-list/next")
    chosen = [*people.names.values(), *(each.name for each in hall.supervisors)]
    assert admin.post("/key-list/next", tuple(("names", each) for each in chosen)).status == 303
    approve(site, "first list")
    page = people.open(SUPERVISOR, "/key-list")
    assert judged(page, axe) == []
    for name in people.names.values():
        assert name in page.locator("main").inner_text()


def approve(site: Site, why: str) -> None:
    """Asked by the system administrator, approved by the security administrator and a supervisor."""
    admin = site.voter(ADMIN)
    admin.open("/key-list/next")
    answer = admin.post("/key-list/next/propose", (("reason", why), ("centre", CENTRE)))
    assert answer.status == 303, answer.text

    async def waiting():
        async with site.store.reading() as tx:
            return [row["id"] for row in await tx.all("approval", state="open", action=key_list.ACTION)]

    (proposal,) = site.run(waiting())
    for name in (SECURITY, SUPERVISOR):
        voter = site.voter(name)
        voter.open("/approvals")
        asked = voter.options(f"/approvals/{proposal}/options")
        answer = voter.post(f"/approvals/{proposal}/approve", (("assertion", site.keys[name].get(json.dumps(asked))),))
        assert answer.status == 303, answer.text
    assert site.run(key_list.published(site.desk)) is not None


@pytest.fixture(scope="module")
def draw(site, people) -> str:
    """A draw that waits for its commit to be signed; the contributors are those of the browsers."""
    hall = site.hall
    site.run(hall.begin())
    site.run(hall.attest())
    assert site.run(hall.advance()).draft == "committed"
    return hall.draw


def test_a_supervisor_reads_the_commit_and_signs_it(people, site, axe, draw):
    people.enter(SUPERVISOR)
    page = people.open(SUPERVISOR, f"/draws/{draw}/sign/committed")
    expect(page.locator("#sign")).to_be_visible()
    text = page.locator("#what").inner_text()
    for said_there in ("uniform/1", "A0801", *(people.names[name] for name in PARTS.values())):
        assert said_there in text
    assert judged(page, axe) == []
    shot(page, "sign")
    page.locator("#key-password").fill("not the password")
    page.locator("#sign button.first").click()
    said(page, "wrong_password")
    page.locator("#key-password").fill(PASSWORD)
    page.locator("#sign button.first").click()
    expect(page.locator(".flash")).to_be_visible(timeout=60_000)
    assert people.names[SUPERVISOR] in page.locator("main").inner_text()

    hall = site.hall
    event = site.run(hall.draft("committed"))
    (signature,) = event.sigs
    subject = hall.house.subject("commit", draw_object(hall.tag, event.head.attempt), body_digest(event), CENTRE)
    site.run(approved(hall, subject))
    site.run(drawing.add_signature(hall.store, hall.keeper, draw, "committed", signature, subject.id, hall.now()))
    assert site.run(hall.project()).draw.phase is Phase.COMMITTED


async def approved(hall, subject):
    for name in (APPROVER, SUPERVISOR):
        await hall.house.approve(hall.keeper, subject, id_of(name))


def test_a_supervisor_stops_the_draw_and_lets_it_go_on(people, site, draw, tmp_path):
    paper = tmp_path / "order.pdf"
    paper.write_bytes(b"stop")
    for phase in (Phase.STOPPED, Phase.COMMITTED):
        page = people.open(SUPERVISOR, f"/draws/{draw}/stop")
        expect(page.locator("#sign")).to_be_visible()
        page.locator("#key-password").fill(PASSWORD)
        page.locator("#sign button").click()
        said(page, "no_paper")
        page.locator("#paper").set_input_files(paper)
        page.locator("#sign button").click()
        expect(page.locator(".flash")).to_be_visible(timeout=60_000)
        state = site.run(site.hall.project()).draw
        assert state.phase is phase
    (last, *_) = reversed(site.run(site.hall.events()))
    assert last.body.paper == sha256(b"stop").digest()


def test_a_key_of_another_role_contributes_nothing(people, site, draw):
    page = people.open(SUPERVISOR, f"/draws/{draw}/contribute")
    expect(page.locator("#give")).to_be_visible()
    page.locator("#key-password").fill(PASSWORD)
    page.locator("#give button.first").click()
    said(page, "not_a_contributors_key")


def test_a_key_that_the_commit_does_not_name_contributes_nothing(browser, site, draw):
    window = Window(browser, site, "light", "en")
    page = window.open(f"/draws/{draw}/contribute")
    page.locator("#give button.first").click()
    said(page, "no_key_chosen")
    make(window.open("/my-key"), "a stranger", password=PASSWORD)
    page = window.open(f"/draws/{draw}/contribute")
    page.locator("#key-password").fill(PASSWORD)
    page.locator("#give button.first").click()
    said(page, "not_a_contributor")
    shot(page, "not-a-contributor")
    window.close()


def test_a_browser_with_another_list_answers_nothing(browser, site, draw):
    window = Window(browser, site, "light", "en")
    (first,) = site.run(key_list.published(site.desk)).lists
    forged = replace(first, entries=tuple(replace(each, held="operator") for each in first.entries))
    window.page.route("**/keys.json", lambda route: route.fulfill(body=keys_bytes([forged]), content_type="application/json"))
    page = window.open(f"/draws/{draw}/contribute")
    said(page, "other_key_list")
    expect(page.locator("#give")).to_be_hidden()
    window.close()


def test_contributors_give_their_parts_from_their_browsers(people, site, axe, draw):
    for name, password in (("notary.wang", PASSWORD), ("office.qian", "")):
        page = people.open(name, f"/draws/{draw}/contribute")
        expect(page.locator("#give")).to_be_visible()
        expect(page.locator("#countdown")).to_contain_text("Time left")
        expect(page.locator("svg.qr")).to_be_visible()
        expect(page.locator("main")).to_contain_text("awaited")
        shot(page, f"contribute-{name}")
        assert judged(page, axe) == []
        if password:
            page.locator("#key-password").fill(password)
        page.locator("#give button.first").click()
        expect(page.locator(".flash")).to_be_visible(timeout=60_000)
        expect(page.locator("main")).to_contain_text("in the log at")
        assert judged(page, axe) == []
        if password:  # another is awaited still, so the form is there: a second part is refused
            page.locator("#key-password").fill(password)
            page.locator("#give button.first").click()
            expect(page.locator(".summary")).to_contain_text(
                text_of("contributed_twice", {"key": people.names[name]}, "en"), timeout=60_000
            )
            assert judged(page, axe) == []
    events = site.run(site.hall.events())
    given = [event.body for event in events if isinstance(event.body, Contributed)]
    assert sorted(each.key for each in given) == sorted(people.names[name] for name in PARTS.values())
    assert all(each.nth == 1 for each in given)
    assert any(event.type == "result" for event in events)


def test_afterwards_nothing_is_asked_for(people, site, draw):
    page = people.open("notary.wang", f"/draws/{draw}/contribute")
    expect(page.locator("main")).to_contain_text("Nothing is to be contributed now")


def test_the_names_are_opened_and_the_draw_is_closed_with_the_key_in_the_browser(people, site, draw):
    hall = site.hall
    for slot in site.run(hall.messages()):
        site.run(hall.answer(slot))
    assert site.run(hall.advance()).waiting == "check"
    site.run(hall.check())
    state = site.run(hall.project()).draw
    hall.house.move_clock(max(0, state.commit.unsealing.not_before - hall.now()))
    assert site.run(hall.advance()).draft == "unsealed"
    people.enter(SUPERVISOR)
    for kind, others in (("unsealed", hall.supervisors[:1]), ("closed", ())):
        page = people.open(SUPERVISOR, f"/draws/{draw}/sign/{kind}")
        expect(page.locator("#sign")).to_be_visible()
        page.locator("#key-password").fill(PASSWORD)
        page.locator("#sign button.first").click()
        expect(page.locator(".flash")).to_be_visible(timeout=60_000)
        for each in others:
            event = site.run(hall.draft(kind))
            signature = Signature(each.name, each.sign(event.payload))
            site.run(drawing.add_signature(hall.store, hall.keeper, draw, kind, signature, None, hall.now()))
    assert site.run(hall.project()).draw.phase is Phase.CLOSED


def test_a_successor_is_signed_in_the_browser_and_followed(people, site, axe):
    newcomer = outsider("contributor", "third/c", "third")
    security, admin = site.voter(SECURITY), site.voter(ADMIN)
    security.open("/key-list/next")
    public = replace(newcomer, sign_secret=b"", vrf_secret=b"").public_bytes().decode()
    assert security.post("/key-list/next/keys", (("public", public),)).status == 303
    admin.open("/key-list/next")
    chosen = [*people.names.values(), *(each.name for each in site.hall.supervisors), newcomer.name]
    assert admin.post("/key-list/next", tuple(("names", each) for each in chosen)).status == 303
    admin.open("/key-list/next")
    assert admin.post("/key-list/next/propose", (("reason", "too early"), ("centre", CENTRE))).status == 422

    people.enter(SUPERVISOR)
    page = people.open(SUPERVISOR, "/key-list/next")
    expect(page.locator("#sign")).to_be_visible()
    assert judged(page, axe) == []
    assert f"third/c {newcomer.public.hex()}" in page.locator("#decoded").inner_text()
    shot(page, "next-list")
    page.locator("#key-password").fill(PASSWORD)
    page.locator("#sign button.first").click()
    expect(page.locator(".flash")).to_be_visible(timeout=60_000)

    async def the_other():
        found = await key_list.overview(site.desk, caller(site, OTHER))
        one = site.hall.supervisors[0]
        signed = await key_list.sign(
            site.desk, key_list.contents(found.next.list), one.name, one.sign(found.next.list.payload), caller(site, OTHER)
        )
        assert signed.complete

    site.run(the_other())
    approve(site, "a third contributor")
    chain = site.run(key_list.published(site.desk))
    assert [each.version for each in chain.lists] == [1, 2]
    page = people.open(SUPERVISOR, "/key-list")
    expect(page.locator("main")).to_contain_text("third/c")


def test_a_list_that_does_not_go_on_from_the_pinned_one_stops_the_page(people, site):
    forged = replace(
        site.run(key_list.published(site.desk)).lists[0], entries=site.run(key_list.published(site.desk)).lists[0].entries[:-1]
    )
    page = people.open(SUPERVISOR, "/key-list")
    page.route("**/keys.json", lambda route: route.fulfill(body=keys_bytes([forged]), content_type="application/json"))
    address = re.search(r"/static/[0-9a-f]{16}/", page.content())[0] + "js/keys/trusted.js"
    code = page.evaluate(f"import('{address}').then((m) => m.trustedList('/keys.json')).then(() => 'taken', (wrong) => wrong.code)")
    assert code == "list_not_a_successor"
    page.unroute("**/keys.json")
    assert page.evaluate(f"import('{address}').then((m) => m.trustedList('/keys.json')).then((found) => found.how)") == "further"


def test_a_key_goes_to_another_device_with_what_it_has_answered(browser, people, site, tmp_path):
    page = people.open("notary.wang", "/my-key")
    page.get_by_role("button", name="Export").first.click()
    page.locator("#export-password").fill(PASSWORD)
    with page.expect_download(timeout=60_000) as coming:
        page.locator("#export-key button.first").click()
    file = tmp_path / "notary.key"
    coming.value.save_as(file)
    assert len(json.loads(file.read_text())["counts"]) == 1

    other = Window(browser, site, "light", "en")
    page = other.open("/my-key")
    page.locator("#key-file").set_input_files(file)
    page.locator("#file-password").fill("wrong password, this")
    page.locator("#import-key button").click()
    said(page, "wrong_password")
    assert page.locator("#kept article").count() == 0
    page.locator("#file-password").fill(PASSWORD)
    page.locator("#import-key button").click()
    expect(page.locator("#said .notice.good")).to_be_visible(timeout=60_000)
    assert page.locator("#kept article code").inner_text() == people.names["notary.wang"]
    page.locator("#file-password").fill(PASSWORD)
    page.locator("#import-key button").click()
    said(page, "key_here_already")
    address = re.search(r"/static/[0-9a-f]{16}/", page.content())[0] + "js/keys/store.js"
    counts = page.evaluate(f"import('{address}').then((m) => m.countsOf('{people.names['notary.wang']}'))")
    assert counts == json.loads(file.read_text())["counts"]
    other.close()


def test_what_cannot_protect_a_key_is_said(browser, site):
    window = Window(browser, site, "light", "en")
    page = window.open("/my-key")
    authenticator(page, prf=False)
    page.locator("#body").fill("office")
    page.locator("#make-key button.first").click()
    said(page, "passkey_without_prf")
    page.locator("input[name=by][value=password]").check()
    page.locator("#new-password").fill("short")
    page.locator("#again").fill("short")
    page.locator("#make-key button.first").click()
    said(page, "password_short")
    page.locator("#again").fill("shorter")
    page.locator("#make-key button.first").click()
    said(page, "passwords_differ")
    assert page.locator("#kept article").count() == 0
    window.mistakes = [each for each in window.mistakes if "pubKeyCredParams" not in each]
    window.close()


def test_every_page_has_no_accessibility_violation_in_any_look(browser, people, site, axe, draw, tmp_path_factory):
    site.house.move_clock(61)
    visitor, security = site.visitor().as_(SUPERVISOR), site.voter(SECURITY)
    shots = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("keys"))
    for look in LOOKED:
        for who, paths in (
            (visitor, ("/my-key", "/key-list", f"/draws/{draw}/contribute", f"/draws/{draw}/stop")),
            (security, ("/key-list/next",)),
        ):
            window = Window(browser, site, look)
            window.context.add_cookies([{"name": n, "value": v, "url": site.origin} for n, v in who.cookies.items()])
            for path in paths:
                assert window.page.goto(site.origin + path).status == 200
                assert judged(window.page, axe) == [], (path, look)
                assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
                window.page.screenshot(path=str(shots / f"{path.strip('/').replace('/', '-')}-{look}.png"), full_page=True)
            window.close()
