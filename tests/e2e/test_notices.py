"""Messages and answers in a browser: the page behind a link, the page of whoever runs the draw, the telephones of the demonstration."""

from __future__ import annotations

import asyncio
import shutil
import threading
from dataclasses import dataclass, replace

import pytest
from playwright.sync_api import expect

from server.auth.model import AccountId, Actor, CentreId, Grant, Level, PersonId, Role
from server.handlers.ask import NOBODY, Viewer
from server.storage.store import Store
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.npm import npm_file
from tests.server.draws.hall import CENTRE, Hall
from tests.server.draws.post import Post
from tests.server.draws.test_draw import to_the_lots

TOUCH = 44
CLERK = Actor(PersonId("a" * 32), AccountId("b" * 32), frozenset({Grant(Role.DRAW_CLERK, CentreId(CENTRE))}), Level.STEPPED_UP, True)
WORDS = {
    "zh": {"take": "参加", "cannot": "不能参加", "send": "提交：不能参加", "taken": "您参加评标", "gone": "您不能参加", "deaf": "回执全部丢失"},
    "en": {
        "take": "I take part", "cannot": "I cannot come", "send": "Send: I cannot come", "taken": "You take part", "gone": "You cannot come",
        "deaf": "loses all receipts",
    },
}  # fmt: skip


class ClerkOnly:
    """A browser with the cookie `clerk` is the draw clerk's."""

    async def by_cookie(self, token, now, caller):
        if token != "clerk":
            return NOBODY
        return Viewer(CLERK.person, "王办", CENTRE, "login", actor=CLERK, caller=replace(caller, actor=CLERK))

    async def by_bearer(self, token, now, caller):
        return NOBODY


@dataclass
class Where:
    origin: str


class Day:
    """A draw whose experts have been told, in a loop of its own."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.ended = None
        self.run(self._begin())

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)

    async def _begin(self):
        self.store = await Store.open(self.url)
        self.hall = await Hall(self.folder, self.store, self.url).__aenter__()
        self.post = await Post(self.hall, viewers=ClerkOnly()).__aenter__()
        await to_the_lots(self.hall)
        self.post.gateway.mode = "wrong"
        await self.post.work()
        rows = await self.post.rows()
        self.post.gateway.mode = "well"

        async def again(tx):
            from server.services import notices

            for row in rows[1:]:  # the first one stays failed
                await tx.set("notice", {"state": "due", "turn": 1, "fault": None}, token_hash=row["token_hash"])
                await notices.queue(tx, {**row, "turn": 1})

        await self.store.write(again, self.hall.now())
        await self.post.work()

    def stop(self):
        async def end():
            await self.post.__aexit__()
            await self.hall.__aexit__()
            await self.store.close()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    @property
    def origin(self):
        return self.post.origin

    @property
    def phones(self):
        return Where(f"http://localhost:{self.post.port}")


@pytest.fixture(scope="module")
def day(templates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    made = Day(folder, f"sqlite+aiosqlite:///{folder / 'lotroom.db'}")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def axe():
    return npm_file("axe-core/axe.min.js").read_text("utf-8")


def small_targets(page):
    """What a thumb would miss in the page's own part."""
    return page.evaluate(
        """(least) => [...document.querySelectorAll('main button, main summary, main label.choice, main a')].filter((each) => each.checkVisibility())
           .filter((each) => { const box = each.getBoundingClientRect(); return box.height < least || box.width < least; })
           .map((each) => each.outerHTML.slice(0, 80))""",
        TOUCH,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_expert_answers_on_a_telephone_with_one_tap_or_three(browser, day, axe, language):
    words = WORDS[language]
    messages = day.post.messages()
    comes, cannot = messages[0 if language == "zh" else 2], messages[1 if language == "zh" else 3]
    window = Window(browser, day, "phone", language)
    page = window.open(f"/r/{comes.token}")
    assert judged(page, axe) == []
    assert small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("[data-until]").text_content() > "00:00"
    page.get_by_role("button", name=words["take"], exact=True).click()
    expect(page.locator(".notice.good")).to_contain_text(words["taken"])
    assert judged(page, axe) == []
    page = window.open(f"/r/{cannot.token}")
    page.locator("summary", has_text=words["cannot"]).click()
    page.locator(".choice").nth(1).click()
    assert judged(page, axe) == []
    assert small_targets(page) == []
    page.get_by_role("button", name=words["send"]).click()
    expect(page.locator(".notice.good")).to_contain_text(words["gone"])
    page.go_back()
    page.reload()
    expect(page.locator(".notice.good")).to_contain_text(words["gone"])
    window.close()


def test_pages_of_messages_have_no_accessibility_violation_in_any_look(browser, day, axe):
    name = "lotroom-demo-login"
    for language in LANGUAGES:
        for look in LOOKED:
            window = Window(browser, day, look, language)
            window.context.add_cookies([{"name": name, "value": "clerk", "url": day.origin}])
            for path in (f"/r/{day.post.messages()[4].token}", f"/r/{'A' * 24}", f"/draws/{day.hall.draw}/notices"):
                page = window.open(path)
                if path.endswith("notices"):
                    page.locator("details.card summary").click()
                assert judged(page, axe) == [], (path, look, language)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
            window.close()
            phones = Window(browser, day.phones, look, language)
            assert judged(phones.open("/"), axe) == [], (look, language)
            assert phones.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), look
            phones.close()


def test_the_page_of_a_draw_s_messages_tells_of_a_change_and_one_message_is_settled(browser, day):
    window = Window(browser, day, "light", "zh")
    window.context.add_cookies([{"name": "lotroom-demo-login", "value": "clerk", "url": day.origin}])
    page = window.open(f"/draws/{day.hall.draw}/notices")
    for each in day.post.messages():
        assert each.to not in page.content()
        assert each.token not in page.content()
    page.wait_for_timeout(1_500)
    (one,) = [each for each in day.post.messages() if each.id == day.post.messages()[-1].id]
    day.run(day.post.gateway.tell_answer(one.id, "1"))
    expect(page.locator(".toast")).to_be_visible()
    page.get_by_role("button", name="已另行处理").click()
    expect(page.locator(".badge", has_text="已人工处理")).to_be_visible()
    window.close()


def test_somebody_answers_on_a_telephone_of_the_demonstration(browser, day):
    window = Window(browser, day.phones, "light", "en")
    page = window.open("/")
    card = page.locator("main section.card", has_text=day.post.messages()[-1].to)
    card.get_by_role("button", name="takes part").click()
    expect(page.locator("main section.card", has_text=day.post.messages()[-1].to)).to_contain_text("The service says: accepted")
    page.get_by_text(WORDS["en"]["deaf"]).click()
    page.get_by_role("button", name="Behave so").click()
    expect(page.get_by_label(WORDS["en"]["deaf"])).to_be_checked()
    assert day.post.gateway.mode == "deaf"
    day.post.gateway.mode = "well"
    window.close()
