"""An expert's own page and the result notice in Chromium: both languages, each look; what a phone shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from server.services import publication
from tests.conftest import LONG
from tests.e2e.test_site import LANGUAGES, LOOKED, Window, judged
from tests.server.draws.site import CLERK, Site
from tests.server.draws.test_approvals import caller
from tests.server.draws.test_own_record import DRAWN, KEPT_OUT, OTHER, connect, world
from tests.server.draws.test_publication import NOTICE, evaluated

__all__ = ["world"]  # a fixture
SHOTS = os.environ.get("SCREENSHOTS")  # a folder, for whoever looks at them


@pytest.fixture(scope="module")
def site(templates, tmp_path_factory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(templates["sqlite"], folder / "lotroom.db")
    url = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    made = Site(folder, url, url)
    yield made
    made.stop()


def looked_at(browser, site, axe, visitor, name, *paths):
    for look, language in product(LOOKED, LANGUAGES) if LONG else zip(LOOKED, LANGUAGES, strict=True):
        window = Window(browser, site, look, language)
        cookies = [{"name": key, "value": value, "url": site.origin} for key, value in visitor.cookies.items() if "language" not in key]
        window.context.add_cookies(cookies)
        for n, path in enumerate(paths):
            assert window.page.goto(site.origin + path).status == 200, path
            assert judged(window.page, axe) == [], (path, look, language)
            assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, look)
            assert window.page.evaluate("window.forbidden") == [], path
            if SHOTS:
                window.page.screenshot(path=Path(SHOTS) / f"{name}-{n}-{look}-{language}.png".replace(" ", "-"), full_page=True)
        window.close()


def test_pages_have_no_violation_in_any_look_and_fit_a_phone(browser, site, axe, world):
    draw, chosen, _, _ = world
    looked_at(browser, site, axe, site.voter(DRAWN), "unconnected", "/me")
    for name in (DRAWN, KEPT_OUT):
        connect(site, chosen[name], name)
    evaluated(site, draw)
    clerk = site.voter(CLERK)
    looked_at(browser, site, axe, clerk, "clerk", f"/draws/{draw}/publication", f"/library/experts/{chosen[OTHER]}")
    site.run(publication.record(site.desk, draw, NOTICE, caller(site, CLERK)))
    looked_at(browser, site, axe, clerk, "published", f"/draws/{draw}/publication")
    visitor = site.voter(DRAWN)
    visitor.open("/me")
    assert visitor.post("/me/avoid", (("name", "某某建设集团有限公司"), ("code", ""))).status == 303
    looked_at(browser, site, axe, visitor, "drawn", "/me", f"/me/draws/{draw}")
    looked_at(browser, site, axe, site.voter(KEPT_OUT), "kept-out", f"/me/draws/{draw}")
