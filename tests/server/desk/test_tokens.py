"""Service tokens: made by one, let in by two others, shown once, stored as a hash, and ended at once."""

import json
import re
from hashlib import sha256

import pytest

from server.auth.logins import token_hash
from tests.server.desk.site import ADMINS, problem

pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture
def admins(site):
    return [site.visitor().as_(name) for name in ADMINS]


def wish(name, *scopes, role="audit_admin", days="30"):
    return (("name", name), ("role", role), ("centre", "*"), ("days", days), ("reason", "监管平台"), *(("scopes", each) for each in scopes))


def ask(site, path, token, method="GET", **more):
    return site.ask(method, path, None, {"Authorization": f"Bearer {token}", **more})


def test_a_token_opens_what_it_names_once_two_others_have_let_it_in(site, admins):
    system, security, auditor = admins
    system.open("/tokens")
    for wrong in (
        wish("读取", "audit.read", role="technician"), wish("读取"), wish("读取", "people.invite"), wish("读取", "audit.read", days="400"),
        wish("", "audit.read"),
    ):  # fmt: skip
        assert system.post("/tokens", wrong).status == 422
    assert problem(security.post("/tokens", wish("读取", "audit.read"))) == "forbidden"
    made = system.post("/tokens", wish("监管平台", "audit.read", "people.list"))
    secret = re.search(r'id="token">(lotroom_[A-Za-z0-9_-]{43})<', made.text)[1]
    assert secret not in system.open("/tokens").text
    assert ask(site, "/api/audit", secret).status == 401
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        assert ask(site, "/api/audit", secret).status == 401
        assert visitor.vote(name, "监管平台").status == 303
    answer = ask(site, "/api/audit", secret)
    assert answer.status == 200, answer.text
    assert json.loads(answer.body)["entries"]
    assert ask(site, "/api/people", secret).status == 200
    assert ask(site, "/api/approvals", secret).status == 403  # not among its scopes
    assert ask(site, "/audit", secret).status == 400  # pages are for people
    row = re.search(r'<tr role="row">(?:(?!</tr>).)*?监管平台.*?</tr>', system.open("/tokens").text, re.DOTALL)[0]
    assert "从未" not in row

    async def stored():
        async with site.store.reading() as tx:
            return await tx.all("service_token", name="监管平台")

    (kept,) = site.run(stored())
    assert bytes(kept["token_hash"]) == token_hash(secret.removeprefix("lotroom_"))
    assert secret not in repr(kept)
    assert sha256(b"").digest() != kept["token_hash"]
    page = f"/tokens/{kept['id']}/end"
    assert problem(auditor.post(page)) == "forbidden"
    assert security.post(page).status == 200
    assert ask(site, "/api/audit", secret).status == 401
    assert problem(security.post(page)) == "not_found"


def test_an_expired_token_and_what_is_none_are_answered_alike(site, admins):
    system, security, auditor = admins
    system.open("/tokens")
    made = system.post("/tokens", wish("一天", "audit.read", days="1"))
    secret = re.search(r'id="token">(lotroom_[A-Za-z0-9_-]{43})<', made.text)[1]
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        assert visitor.vote(name, "一天").status == 303
    assert ask(site, "/api/audit", secret).status == 200
    site.house.move_clock(86_401)
    said = [ask(site, "/api/audit", each) for each in (secret, "lotroom_" + "A" * 43, "nothing", "")]
    assert {each.status for each in said} == {401}
    assert len({json.loads(each.body)["detail"] for each in said}) == 1
    two = site.ask("GET", "/api/audit", None, {"Authorization": f"Basic {secret}"})
    assert two.status == 400
