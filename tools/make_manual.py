"""The manual's pictures: a demonstration, somebody of each role, both languages. `make manual`.

Needs Chromium, as the tests do. Pictures are of what a reader sees first, small enough for a repository.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.e2e.conftest import chromium
from tests.server.demo.site import Demo
from tests.server.demo.test_demo import fresh_code, with_demo_passkey

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "manual" / "pictures"
LANGUAGES = {"zh": "zh_CN", "en": "en"}
SIZE = {"width": 1100, "height": 760}
DRAW = "the first draw"  # its page; a path after it is below that page
PAUSE = 6  # seconds between logins: an address has so many a minute
SHOTS = (  # picture, account ("" for nobody), whether by passkey, path
    ("home", "", False, "/"),
    ("library", "he.xiaowen", True, "/library"),
    ("request", "he.xiaowen", True, "/draws/new"),
    ("draw", "he.xiaowen", True, DRAW),
    ("approvals", "zheng.guodong", True, "/approvals"),
    ("bidders", "qiao.yiran", False, "/bidders"),
    ("supervision", "ouyang.jing", True, "/supervision"),
    ("my-key", "lu.wenbo", False, "/my-key"),
    ("own", "chen.liqun", False, "/me"),
    ("unsealing", "wang.zhe", True, DRAW + "/names"),
    ("custodian", "gu.changfeng", True, "/approvals"),
    ("audit", "shen.jiahe", True, "/audit"),
    ("people", "sun.qiming", True, "/people"),
)


def entered(demo: Demo, account: str, *, passkey: bool) -> dict[str, str]:
    """The cookies of a login."""
    visitor = demo.visitor()
    if not account:
        return {}
    time.sleep(PAUSE)
    if passkey:
        with_demo_passkey(visitor, account)
    else:
        answer = visitor.code(account, demo.password, fresh_code(demo, account))
        assert answer.status == 303, (account, answer.status)
    return dict(visitor.cookies)


def first_draw(demo: Demo) -> str:
    """The page of the newest draw in the list of a clerk."""
    found = re.search(r"/draws/[0-9a-f]{32}", with_demo_passkey(demo.visitor(), "he.xiaowen").open("/draws").text)
    assert found is not None
    return found[0]


def taken(page: Page, demo: Demo, path: str, out: Path) -> None:
    """One picture."""
    answer = page.goto(demo.origin + path)
    assert answer is not None, path
    assert answer.status == 200, (path, answer.status)
    page.wait_for_timeout(400)
    out.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=out, type="jpeg", quality=62)


def main() -> None:
    """All of them."""
    logins: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="lr-") as folder:
        demo = Demo(Path(folder) / "d")
        try:
            draw = first_draw(demo)
            with chromium() as browser:
                for name, account, passkey, path in SHOTS:
                    if account not in logins:
                        logins[account] = entered(demo, account, passkey=passkey)
                    cookies = logins[account]
                    for language, locale in LANGUAGES.items():
                        context = browser.new_context(viewport=SIZE, locale=locale.replace("_", "-"), color_scheme="light")
                        kept = {key: value for key, value in cookies.items() if "language" not in key} | {"lotroom-demo-language": locale}
                        context.add_cookies([{"name": key, "value": value, "url": demo.origin} for key, value in kept.items()])
                        taken(context.new_page(), demo, path.replace(DRAW, draw), PICTURES / language / f"{name}.jpg")
                        context.close()
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
