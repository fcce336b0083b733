"""The organisation's own sign-in, end to end against a real provider: bound by two people, then still a second factor; nobody else comes in."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp
import pytest

from server.app import provided
from server.auth.model import Role
from server.config import Settings
from tests.server.auth.test_oidc import FOLDER
from tests.server.desk.site import ADMINS, id_of, problem

pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture(scope="module")
def sso(site):
    """The site with a real provider beside it."""
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, text=True, timeout=180, check=False
        )
        if done.returncode:
            pytest.skip("oidc-provider cannot be fetched here: " + done.stderr[-200:])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["node", str(FOLDER / "provider.mjs"), str(port), site.origin + "/sign-in/sso/back"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    settings = Settings(
        origin=site.origin, insecure_demo=True, sso_issuer=f"http://127.0.0.1:{port}", sso_name="省平台", sso_client_id="lotroom",
        sso_client_secret="a secret: of/the test+ client",
    )  # fmt: skip
    stack = AsyncExitStack()
    before, old = site.site.desk, site.site.settings
    site.site.desk = replace(before, provider=site.run(stack.enter_async_context(provided(settings))))
    site.site.settings = settings
    yield site
    site.site.desk, site.site.settings = before, old
    site.run(stack.aclose())
    process.terminate()
    process.wait(10)
    process.stdout.close()


async def _at_provider(url, who, back):
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        form = None
        for _ in range(12):
            async with session.request("GET" if form is None else "POST", url, data=form, allow_redirects=False) as got:
                if got.status in (302, 303):
                    url, form = urljoin(url, got.headers["Location"]), None
                    if url.startswith(back):
                        return url
                    continue
                page = await got.text()
                url = urljoin(url, re.search(r'action="([^"]+)"', page)[1])
                form = {"prompt": re.search(r'name="prompt" value="(\w+)"', page)[1], "login": who, "password": "any"}
    raise AssertionError("the provider goes round in circles")


def vouched(site, visitor, who):
    """To the provider, sign in there, and back. Returns the page."""
    assert "省平台" in visitor.open("/sign-in").text
    answer = visitor.get("/sign-in/sso")
    assert answer.status == 303, problem(answer)
    url = asyncio.run(_at_provider(answer.headers["Location"], who, site.origin))
    cookies = visitor.cookies
    # Another site sends the browser here: of our cookies only the one that is Lax comes along.
    visitor.cookies = {name: value for name, value in cookies.items() if name.endswith("-sso")}
    answer = visitor.get(url.removeprefix(site.origin))
    visitor.cookies = {**cookies, **visitor.cookies}
    return answer, url.removeprefix(site.origin)


def test_the_providers_word_is_a_first_factor_for_whom_two_people_have_bound(sso):
    site = sso
    site.settle("tong.an", Role.ARCHIVIST)
    worker = site.visitor()
    answer, _ = vouched(site, worker, "subject-77")
    assert answer.status == 403
    assert '<code id="subject">subject-77</code>' in answer.text
    assert problem(worker.get("/account")) == "sign_in"
    system, security, auditor = (site.visitor().as_(name) for name in ADMINS)
    page = f"/people/{id_of('tong.an')}"
    system.open(page)
    assert system.post(page + "/identity", (("subject", "名字"), ("reason", "r"))).status == 422
    assert problem(security.post(page + "/identity", (("subject", "subject-77"), ("reason", "r")))) == "forbidden"
    assert system.post(page + "/identity", (("subject", "subject-77"), ("reason", "人事系统核对"))).status == 303
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        assert vouched(site, site.visitor(), "subject-77")[0].status == 403
        assert visitor.vote(name, "tong.an").status == 303
    site.house.move_clock(61)
    answer, address = vouched(site, worker, "subject-77")
    assert (answer.status, answer.headers["Refresh"]) == (200, "0; url=/sign-in/second")
    assert problem(worker.get("/account")) == "second_factor"  # its word is no second factor
    worker.open("/sign-in/second")
    assert worker.post("/sign-in/second", (("code", site.code("tong.an")),)).status == 303
    assert "tong.an" in worker.open("/account").text
    assert worker.get(address).status == 422  # an answer is looked at once
    assert system.post(page + "/identity", (("subject", "subject-77"), ("reason", "r"))).status == 422  # it is somebody's
    for other in ("tong.an", "subject-7", "SUBJECT-77"):
        assert vouched(site, site.visitor(), other)[0].status == 403


def test_an_answer_in_another_browser_or_of_another_sign_in_is_refused(sso):
    site = sso
    begun, thief = site.visitor(), site.visitor()
    answer = begun.get("/sign-in/sso")
    url = asyncio.run(_at_provider(answer.headers["Location"], "subject-1", site.origin)).removeprefix(site.origin)
    assert thief.get(url).status == 422
    assert begun.get(url).status == 422  # it was looked at
    assert begun.get("/sign-in/sso/back").status == 422
    cookie = next(line for line in answer.headers.get_all("Set-Cookie") if "-sso=" in line)
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie
    assert dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code_challenge_method"] == "S256"


def test_without_a_provider_there_is_no_button_and_nothing_behind_it(site):
    if site.site.desk.provider is None:
        assert "/sign-in/sso" not in site.visitor().open("/sign-in").text
        assert site.visitor().get("/sign-in/sso").status == 404
