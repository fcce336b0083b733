"""A day of a draw as those concerned live it, in Chromium: the library with its broken rows, the keys, the request, the approval, three contributors in
three browsers, telephones that decline or stay silent, the unsealing by two supervisors, the record, and the proof read in four ways.

Two supervisors attest with `lotroom supervise` on machines of their own; two others sign with keys that their browsers hold.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Error, Page, expect
from pypdf import PdfReader

from drawing.draw import Phase
from server.auth.model import Role
from server.demo.draws import PEOPLE as DEMO_PEOPLE
from server.demo.draws import SEED as DEMO_SEED
from server.library.demo import people as demo_rows
from server.services import draws, key_list
from tests.conftest import LONG, counts
from tests.e2e.conftest import chromium
from tests.e2e.test_draws import fill, rows_of
from tests.e2e.test_keys import PASSWORD, authenticator, make
from tests.e2e.test_library import broken
from tests.e2e.test_site import LANGUAGES, Window, judged
from tests.server.desk.site import CENTRE
from tests.server.desk.site import PASSWORD as LOGIN_PASSWORD
from tests.server.desk.test_library import sheet
from tests.server.draws.post import OUT, Post
from tests.server.draws.site import APPROVER, CLERK, OTHER, SUPERVISOR, Site
from tests.server.draws.test_request_form import LIMITS, PARTIES, PROJECT, TIME, WIDEN
from tests.service import ENGINES, _admin, _as

ADMIN, SECURITY = "sun.xitong", "an.quan"
CONTRIBUTORS = {"notary.wang": "znotary", "office.qian": "zoffice", "neighbour.he": "zneighbour"}  # account -> body
SEATS = (
    ("representatives", "2"), ("seat_professions", "A0801"), ("seat_count", "4"), ("seat_reserves", "1"), ("seat_site", ""), ("seat_main_only", "no"),
    ("seat_professions", "A0601"), ("seat_count", "3"), ("seat_reserves", "0"), ("seat_site", ""), ("seat_main_only", "no"),
)  # fmt: skip
STEPS = (
    (PROJECT, ""), (tuple((name, "+6h" if name == "starts" else value) for name, value in TIME), ""), (SEATS, "seat_"), (LIMITS, ""),
    (PARTIES, "party_"), (WIDEN, "widen_"),
)  # fmt: skip
DECLINE, SILENT = 5, 2
WAIT = 60_000
UNWITNESSED = ("A1", "A2", "C3", "T5")
OF_SUPERVISORS = ("S0", "S1", "S2", "S3", "S5")
OF_EXPERTS = ("E1", "E2", "E3", "E4")
WORDS = {
    "zh": {
        "check": "检查文件", "correct": "改正行", "save": "保存此行", "propose": "提交审批", "put_in": "入库",
        "next": "下一步", "enough": "人数够不够？", "ask": "提交抽取申请", "approval": "提请批准",
        "comes": "参加", "cannot": "不能参加", "verdict": "所做的检查均通过",
    },
    "en": {
        "check": "Check the file", "correct": "Correct rows", "save": "Save the row", "propose": "Propose for approval", "put_in": "Put into the library",
        "next": "Next", "enough": "Are there enough people?", "ask": "Ask for the draw", "approval": "Ask for approval",
        "comes": "takes part", "cannot": "cannot come", "verdict": "All checks that could be made passed",
    },
}  # fmt: skip


class DayPost(Post):
    """The gateway with its telephones and a courier that never rests, beside a service that runs already."""

    def __init__(self, site):
        super().__init__(site.hall)
        self.site = site

    async def _serve(self):
        self.origin = self.site.origin

    async def __aenter__(self):
        await super().__aenter__()
        self.working = asyncio.create_task(self._work_on())
        return self

    async def __aexit__(self, *given):
        self.working.cancel()
        with suppress(asyncio.CancelledError):
            await self.working
        await super().__aexit__(*given)

    async def _work_on(self):
        while True:
            if not await self.courier.once():
                await asyncio.sleep(0.1)


class Someone:
    """A person at a browser of their own, which holds the passkey that they registered, if they have one."""

    def __init__(self, day, name, *, look="light"):
        self.day, self.name = day, name
        self.window = Window(day.browser, day.site, look, day.language)
        self.page = self.window.page
        key = day.site.keys.get(name)
        if key is not None:
            devtools = self.page.context.new_cdp_session(self.page)
            devtools.send("WebAuthn.enable", {"enableUI": False})
            options = {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
            made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})
            secret = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            texts = {"credentialId": key.id, "privateKey": secret, "userHandle": base64.urlsafe_b64decode(key.user + "==")}
            credential = {name: base64.b64encode(value).decode() for name, value in texts.items()}
            given = {"isResidentCredential": True, "rpId": "localhost", "signCount": key.count, **credential}
            devtools.send("WebAuthn.addCredential", {"authenticatorId": made["authenticatorId"], "credential": given})

    def enter(self):
        """Signed in, and confirmed for what is critical: with the passkey, or with password and code."""
        self.day.site.house.move_clock(61)  # one address may try twenty times a minute, and all these people sit at one
        self.window.context.clear_cookies()
        page = self.window.open("/sign-in?back=/account")
        if self.name in self.day.site.keys:
            page.locator("#passkey-account").fill(self.name)
            page.locator("form[action^='/sign-in/passkey'] button:not([data-demo-passkey])").click()
            page.wait_for_url(self.day.site.origin + "/account")
            page = self.window.open("/step-up?back=/account")
            page.locator("form[data-passkey] button:not([data-demo-passkey])").click()
        else:
            page.locator("#account").fill(self.name)
            page.locator("#password").fill(LOGIN_PASSWORD)
            page.locator("#password").press("Enter")
            page.locator("#code").fill(self.day.site.code(self.name))
            page.locator("#code").press("Enter")
        page.wait_for_url(self.day.site.origin + "/account")
        return self.page

    def open(self, path):
        return self.window.open(path)

    def looked_at(self, name):
        """The page as it stands: nothing that a reader could not use, and a picture for whoever asked for pictures."""
        for _ in range(5):
            try:
                assert judged(self.page, self.day.axe) == [], name
                break
            except Error:  # it loaded itself again meanwhile
                self.page.wait_for_load_state()
        self.day.shot(self.page, name)


class Day:
    """All that is there on the day."""

    def __init__(self, browser, site, axe, language, folder):
        self.browser, self.site, self.axe, self.language, self.folder = browser, site, axe, language, folder
        self.words = WORDS[language]
        self.post = DayPost(site)
        self.stack = AsyncExitStack()
        self.people = {}
        self.keys = {}  # account -> the name of the key in their browser
        self.shots = 0

    def someone(self, name):
        if name not in self.people:
            self.people[name] = Someone(self, name)
        return self.people[name]

    def shot(self, page: Page, name):
        self.shots += 1
        if os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{self.language}-{self.shots:02d}-{name}.png", full_page=True)

    def stand(self):
        return self.site.run(self.post.stand())

    def until(self, wanted, seconds=60):
        """Wait for the service, which goes on by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            row = self.stand()
            if row is not None and wanted(row):
                return row
            time.sleep(0.1)
        raise AssertionError((dict(row) if row else None, self.site.run(self.post.states())))

    def mistakes(self):
        """What no window should have seen; that we take no RSA is meant."""
        return [said for each in self.people.values() for said in each.window.mistakes if "pubKeyCredParams" not in said]


def alone(work):
    """`work` in a loop and a thread of its own: Playwright's runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(work())).result()


@pytest.fixture
def browser():
    """For the day alone: a dozen windows with open streams and waiting passkeys end with their browser."""
    with chromium() as started:
        yield started


@pytest.fixture
def site(request, templates, tmp_path):
    engine = request.getfixturevalue("engine")
    if engine == "sqlite":
        shutil.copy(templates["sqlite"], tmp_path / "lotroom.db")
        url = keeper = f"sqlite+aiosqlite:///{tmp_path / 'lotroom.db'}"
    else:
        name = f"{templates['postgresql']}_day"
        alone(lambda: _admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}"))
        url, keeper = _as("lotroom_web", name), _as("lotroom_keeper", name)
    made = Site(tmp_path, url, keeper, settled=False, settings={"callback_secret": OUT})
    for each in CONTRIBUTORS:
        made.settle(each, Role.CONTRIBUTOR)
    yield made
    made.stop()
    if engine == "postgresql":
        alone(lambda: _admin(f"DROP DATABASE {name} WITH (FORCE)"))


CASES = [(engine, library) for engine in ENGINES for library in ("new", "demo") if LONG or (engine, library) == ("sqlite", "new")]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("engine", "library"), CASES)
def test_a_day_from_the_sheet_to_the_proof(browser, site, axe, engine, library, tmp_path):
    language = tuple(LANGUAGES)[ENGINES.index(engine)]
    day = Day(browser, site, axe, language, tmp_path)
    site.run(day.stack.enter_async_context(day.post))
    try:
        if library == "new":
            bring_library(day, counts("people of the day's library", 1_000, 5_000), 21, counts("rows mended on the day", 8, 40))
        else:
            bring_library(day, DEMO_PEOPLE, DEMO_SEED, 0)
        make_keys(day)
        draw = request_draw(day)
        commit(day, draw)
        contribute(day, draw, 0)
        answer(day, draw)
        unseal(day, draw)
        names = read_names(day, draw)
        verify(day, draw, names)
        assert day.mistakes() == []
    finally:
        site.run(day.stack.aclose())


def bring_library(day, many, seed, wrong):
    """The clerk brings the sheet, mends what is wrong with it in the page; two approve; it is put in."""
    rows = [list(each) for each in demo_rows(many, seed)]
    right = broken(rows, wrong)
    file = day.folder / "library.csv"
    file.write_bytes(sheet(rows))
    clerk, words = day.someone(CLERK), day.words
    page = clerk.enter()
    clerk.open("/library/imports")
    clerk.looked_at("imports")
    page.locator("input[type=file]").set_input_files(str(file))
    page.get_by_role("button", name=words["check"]).click()
    if right:
        expect(page.get_by_role("link", name=words["correct"])).to_be_visible(timeout=WAIT)
        clerk.looked_at("import-with-faults")
        page.get_by_role("link", name=words["correct"]).click()
        clerk.looked_at("import-rows")
    for value in right:
        form = page.locator("form[action$='/rows']").first
        form.locator(".field.wrong input").first.fill(value)
        form.get_by_role("button", name=words["save"]).click()
        expect(page.locator(".flash")).to_be_visible()
    if right:
        page.locator("main .empty a").click()
    page.locator("#reason").fill("年度更新")
    page.get_by_role("button", name=words["propose"]).click()
    expect(page.locator(".flash")).to_be_visible()
    path = page.url.removeprefix(day.site.origin)
    for name in (APPROVER, SUPERVISOR):
        approve(day, name)
    clerk.enter()
    clerk.open(path)
    page.get_by_role("button", name=words["put_in"]).click()
    page.locator("main .notice.good a[href='/library']").click(timeout=WAIT)
    expect(page.locator("caption")).to_contain_text(f"{many:,}")
    clerk.looked_at("library")


def approve(day, name):
    """The newest that waits, with the passkey, after reading it."""
    someone = day.someone(name)
    page = someone.enter()
    someone.open("/approvals")
    someone.looked_at("approvals")
    before = page.locator("main article").count()
    page.locator("form[action$='/approve'] button[data-next]").first.click()
    expect(page.locator("form[action$='/approve']")).to_have_count(before - 1, timeout=WAIT)


def make_keys(day):
    """Supervisors and contributors make keys in their browsers; the list of them is made, approved and in force."""
    site, hall = day.site, day.site.hall
    bodies = {SUPERVISOR: "zbureau", OTHER: "zdiscipline", **CONTRIBUTORS}
    for name, body in bodies.items():
        someone = day.someone(name)
        page = someone.enter()
        someone.open("/my-key")
        by_passkey = name == "neighbour.he"
        if by_passkey:
            authenticator(page)
        day.keys[name] = make(page, body, password="" if by_passkey else PASSWORD)
        page.locator("#kept button.first").click()
        expect(page.locator(".flash")).to_be_visible()
        someone.looked_at("my-key")
    security, admin = site.voter(SECURITY), site.voter(ADMIN)
    for each in hall.supervisors:  # who bring theirs as a file
        security.open("/key-list/next")
        public = replace(each, sign_secret=b"", vrf_secret=b"", box_secret=b"").public_bytes().decode()
        assert security.post("/key-list/next/keys", (("public", public),)).status == 303
    admin.open("/key-list/next")
    chosen = [*day.keys.values(), *(each.name for each in hall.supervisors)]
    assert admin.post("/key-list/next", tuple(("names", each) for each in chosen)).status == 303
    admin.open("/key-list/next")
    assert admin.post("/key-list/next/propose", (("reason", "第一版"), ("centre", CENTRE))).status == 303
    assert site.voter(SECURITY).vote(SECURITY).status == 303
    approve(day, SUPERVISOR)
    assert site.run(key_list.published(site.desk)) is not None
    hall.keys_file = site.run(draws.key_file(site.desk))
    site.run(hall.equip())


def request_draw(day):
    """The request, step by step; whether there are enough people; asked for, and the library read."""
    clerk, words = day.someone(CLERK), day.words
    page = clerk.enter()
    clerk.open("/draws/new")
    for fields, prefix in STEPS:
        fill(page, [each for each in fields if not prefix or not each[0].startswith(prefix)])
        for n, row in enumerate(rows_of(fields, prefix) if prefix else ()):
            if n:
                page.locator("button[value=more]").click()
            for name, value in row:
                cell = page.locator(f"[name={name}]").nth(n)
                if cell.evaluate("each => each.tagName") == "SELECT":
                    cell.select_option(value)
                else:
                    cell.fill(value)
        clerk.looked_at("request")
        page.get_by_role("button", name=words["next"], exact=True).last.click()
    page.get_by_role("button", name=words["enough"]).click()
    expect(page.locator("main .notice.good")).to_have_count(2, timeout=WAIT)
    clerk.looked_at("request-enough")
    page.get_by_role("button", name=words["ask"], exact=True).click()
    page.wait_for_url(re.compile(r"/draws/[0-9a-f]{32}$"))
    draw = page.url.rpartition("/")[2]
    day.site.run(day.site.hall.follow(draw))
    day.until(lambda row: row["waiting"] == "attestation")  # the library was read meanwhile, and the courier went on
    clerk.open(f"/draws/{draw}")
    clerk.looked_at("draw-opened")
    return draw


def supervise(day, n, *words):
    """The client of one of the supervisors who have machines of their own."""
    said, _ = day.site.run(day.site.hall.supervise(day.site.hall.machines[n], *words))
    return [(each["event"], each.get("what", "")) for each in said]


def sign(day, name, draw, kind):
    """A draft, read and signed with the key in the browser."""
    someone = day.someone(name)
    page = someone.enter()
    someone.open(f"/draws/{draw}/sign/{kind}")
    expect(page.locator("#sign")).to_be_visible()
    someone.looked_at(f"sign-{kind}")
    page.locator("#key-password").fill(PASSWORD)
    page.locator("#sign button.first").click()
    expect(page.locator(".flash")).to_be_visible(timeout=WAIT)


def ask_approval(day, draw, kind):
    """The clerk asks for it on the draw's page, which two others then give."""
    clerk = day.someone(CLERK)
    page = clerk.enter()
    clerk.open(f"/draws/{draw}")
    clerk.looked_at(f"draw-{kind}")
    page.locator("#reason").fill("按计划进行")
    page.get_by_role("button", name=day.words["approval"], exact=True).first.click()
    expect(page.locator(".flash")).to_be_visible()


def commit(day, draw):
    """Attested by the two machines, approved by two people, signed."""
    assert ("attest", "openings") in supervise(day, 0)
    assert ("attest", "roll") in supervise(day, 1)
    day.until(lambda row: row["draft"] == "committed")
    ask_approval(day, draw, "committed")
    for name in (APPROVER, SUPERVISOR):
        approve(day, name)
    sign(day, SUPERVISOR, draw, "committed")
    day.until(lambda row: row["waiting"] == "contribution")
    clerk = day.someone(CLERK)
    clerk.open(f"/draws/{draw}/screen")
    clerk.looked_at("screen")


def contribute(day, draw, before):
    """Each of the three from a browser of their own. `before`: how many parts of this kind there were."""
    for n, name in enumerate(CONTRIBUTORS):
        someone = day.someone(name)
        page = someone.open(f"/draws/{draw}/contribute")
        expect(page.locator("#give")).to_be_visible(timeout=WAIT)
        if not before:
            someone.looked_at(f"contribute-{n}")
        if name != "neighbour.he":
            page.locator("#key-password").fill(PASSWORD)
        page.locator("#give button.first").click()
        expect(page.locator(".flash")).to_be_visible(timeout=WAIT)


def answer(day, draw):
    """Telephones ring: five decline, two say nothing, the others come; each empty seat is filled again until nobody is missing."""
    site, post = day.site, day.post
    phones = Window(day.browser, _At(f"http://localhost:{post.port}"), "phone", day.language)
    seen, left, silent, rounds = set(), 0, 0, 0
    for _ in range(30):
        row = day.until(lambda row: row["waiting"] in ("answers", "contribution", "check"), 90)
        if row["waiting"] == "check":
            break
        if row["waiting"] == "contribution":
            rounds += 1
            contribute(day, draw, rounds)
            day.until(lambda row: row["waiting"] != "contribution")
            continue
        end = time.monotonic() + 60
        while not (fresh := [each for each in post.messages() if each.id not in seen]) and time.monotonic() < end:
            time.sleep(0.1)
        while set(site.run(post.states())) & {"due", "sending"}:
            time.sleep(0.1)
        fresh = [each for each in post.messages() if each.id not in seen]
        assert fresh, (dict(row), site.run(post.states()))
        waits = False
        for each in fresh:
            seen.add(each.id)
            if left < (3 if not silent else DECLINE):
                left += 1
                _press(phones, each.to, day.words["cannot"])
            elif silent < SILENT:
                silent += 1
                waits = True
            else:
                _press(phones, each.to, day.words["comes"])
        if not rounds:
            _shown(day, phones)
        if waits:
            clerk = day.someone(CLERK)
            clerk.open(f"/draws/{draw}/notices")
            clerk.looked_at("notices")
            site.house.move_clock(15 * 60 + 5)
        day.until(lambda row, fresh=fresh: row["waiting"] != "answers" or len(post.messages()) > len(seen))
    phones.close()
    events = site.run(site.hall.events())
    said = [each.state for event in events if event.type == "answers" for each in event.body.answers]
    called = sum(len(event.body.notices) for event in events if event.type == "notified")
    assert (left, silent) == (DECLINE, SILENT)
    assert said.count("left") == DECLINE + SILENT  # who says nothing until the time is over has left too
    assert len(said) == called
    assert rounds


class _At:
    def __init__(self, origin):
        self.origin = origin


def _press(phones, number, word):
    page = phones.open("/")
    card = page.locator("main section.card", has_text=number)
    card.get_by_role("button", name=word).first.click()
    expect(page.locator("main section.card", has_text=number)).to_contain_text(re.compile("accepted|left"))


def _shown(day, phones):
    assert judged(phones.open("/"), day.axe) == []
    day.shot(phones.page, "phones")


def unseal(day, draw):
    """The selection is checked by a machine; at the time two supervisors open the names, and one closes the draw."""
    site = day.site
    draw_state = site.run(site.hall.project()).draw
    assert len([each for each in draw_state.slots if each.tag and not each.reserve]) == 7
    assert ("check", "roll") in supervise(day, 1)
    site.house.move_clock(max(0, draw_state.commit.unsealing.not_before - site.hall.now()) + 1)
    day.until(lambda row: row["draft"] == "unsealed")
    ask_approval(day, draw, "unsealed")
    for name in (SUPERVISOR, OTHER):
        approve(day, name)
    for name in (SUPERVISOR, OTHER):
        sign(day, name, draw, "unsealed")
    day.until(lambda row: row["draft"] == "closed")
    sign(day, SUPERVISOR, draw, "closed")
    assert site.run(site.hall.project()).draw.phase is Phase.CLOSED


def read_names(day, draw):
    """Names with a reason; the record as it is printed."""
    supervisor = day.someone(OTHER)
    page = supervisor.enter()
    supervisor.open(f"/draws/{draw}/names")
    supervisor.looked_at("names-closed")
    page.locator("#reason").fill("核对到场人员")
    page.locator("form[action$='/names'] button.first").click()
    rows = page.locator("section[aria-labelledby=people] tbody tr")
    expect(rows).to_have_count(7)
    supervisor.looked_at("names")
    names = page.locator("section[aria-labelledby=people] tbody th").all_inner_texts()
    page.locator("#reason").fill("存档")
    with page.expect_download() as coming:
        page.locator("form[action$='/papers'] button.first").click()
    record = day.folder / "record.pdf"
    coming.value.save_as(record)
    said = "".join(each.extract_text() for each in PdfReader(record).pages)
    assert all(name in said.replace("\n", "") for name in names)
    if os.environ.get("SCREENSHOTS"):
        shutil.copy(record, Path(os.environ["SCREENSHOTS"]) / f"{day.language}-record.pdf")
    return names


def verify(day, draw, names):
    """By the command, by the page of the site, by the static file that the evidence holds, and by that on a telephone."""
    supervisor, words = day.someone(OTHER), day.words
    page = supervisor.open(f"/draws/{draw}/names")
    with page.expect_download() as coming:
        page.locator("a[href$='/evidence.zip']").click()
    evidence, keys = day.folder / "evidence.zip", day.folder / "pinned.json"
    coming.value.save_as(evidence)
    keys.write_bytes(day.site.hall.keys_file)
    with ZipFile(BytesIO(evidence.read_bytes())) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    for name in names:
        assert all(name.encode() not in data for data in files.values())
    command = [sys.executable, "-m", "server", "verify", str(evidence), "--keys", str(keys), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 3, done.stdout + done.stderr  # what needs witnesses or somebody's own file is skipped, and said
    assert report["failed"] == []
    assert set(report["skipped"]) == {*UNWITNESSED, *OF_SUPERVISORS, *OF_EXPERTS}
    given = [str(keys)]
    for name in ("proof.json", "roll.bin"):
        (day.folder / name).write_bytes(files[name])
        given.append(str(day.folder / name))
    page = supervisor.open("/verify")
    page.locator("main .button.first").click()
    page.set_input_files("#choose", given)
    expect(page.locator(".verdict .big")).to_have_text(words["verdict"], timeout=WAIT)
    supervisor.looked_at("verify-on-the-site")
    (static,) = [name for name in files if name.endswith(".html")]
    (day.folder / "verify.html").write_bytes(files[static])
    for width in (1280, 390):
        context = day.browser.new_context(locale=LANGUAGES[day.language], viewport={"width": width, "height": 860}, offline=True)
        page = context.new_page()
        page.goto((day.folder / "verify.html").as_uri())
        page.set_input_files("#choose", given)
        expect(page.locator(".verdict .big")).to_have_text(words["verdict"], timeout=WAIT)
        expect(page.locator(".check.failed")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        day.shot(page, f"verify-{width}")
        context.close()
