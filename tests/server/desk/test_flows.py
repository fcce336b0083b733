"""People sign in, confirm, change what is theirs, invite, ask, approve and look into the log: over HTTP, with a real keeper and database."""

import json
import re

import pytest

from server.auth.model import Role
from server.handlers.proxies import networks
from tests.server.desk.site import ADMINS, CENTRE, PASSWORD, id_of, problem
from tests.server.keeper.authenticator import Authenticator

NEW = "Ferry lantern quietly orbits 77"


pytestmark = pytest.mark.usefixtures("later")


def test_password_and_code_make_a_login_and_leaving_ends_it(site):
    site.settle("he.xiaowen", Role.DRAW_CLERK)
    visitor = site.visitor()
    assert visitor.get("/account").status == 401
    for name, password in (("he.xiaowen", "wrong"), ("nobody", PASSWORD)):
        answer = visitor.enter(name, password)
        assert (answer.status, problem(answer)) == (422, "账号或密码不正确")
    assert visitor.enter("  HE.Xiaowen ").status == 303
    assert problem(visitor.get("/account")) == "second_factor"
    before = dict(visitor.cookies)
    visitor.open("/sign-in/second")
    assert visitor.post("/sign-in/second", (("code", "000000"),)).status == 422
    code = site.code("he.xiaowen")
    answer = visitor.post("/sign-in/second", (("code", code),))
    assert (answer.status, answer.headers["Location"]) == (303, "/account")
    assert visitor.cookies["lotroom-demo-login"] != before["lotroom-demo-login"]
    text = visitor.open("/account").text
    assert "he.xiaowen" in text
    assert "抽取经办人" in text
    for path in ("/people", "/audit"):
        assert (visitor.get(path).status, problem(visitor.get(path))) == (403, "forbidden")
    other = site.visitor()
    other.cookies = before
    assert problem(other.get("/account")) == "sign_in"  # the token from before the second factor is worth nothing
    again = site.visitor()
    assert again.enter("he.xiaowen").status == 303
    again.open("/sign-in/second")
    assert again.post("/sign-in/second", (("code", code),)).status == 422  # a code works once
    assert visitor.post("/sign-out").status == 303
    assert problem(visitor.get("/account")) == "sign_in"


def test_a_passkey_signs_in_at_once_and_says_nothing_of_who_is_there(site):
    visitor = site.visitor()
    visitor.open("/sign-in")
    known, unknown = (visitor.options("/sign-in/passkey/options", ("account", each)) for each in ("an.quan", "nobody"))
    assert known.keys() == unknown.keys()
    assert known["allowCredentials"] == unknown["allowCredentials"] == []
    assert visitor.with_passkey("an.quan").status == 303
    assert visitor.open("/people").text.count('<tr role="row">') > 3
    key = site.keys["shen.ji"]
    thief = site.visitor()
    thief.open("/sign-in")
    asked = thief.options("/sign-in/passkey/options", ("account", "an.quan"))
    for answer in (key.get(json.dumps(asked)), "{}", key.get(json.dumps({**asked, "challenge": "AAAA"})), "[" * 9000):
        said = thief.post("/sign-in/passkey", (("account", "an.quan"), ("assertion", answer)))
        assert (said.status, problem(said)) == (422, "账号或密码不正确")


def test_what_is_critical_asks_again_and_comes_back(site):
    site.settle("zhou.kai", Role.ARCHIVIST)
    visitor = site.visitor()
    assert visitor.with_code("zhou.kai").status == 303
    answer = visitor.post("/account/recovery", Referer=site.origin + "/account")
    assert (answer.status, problem(answer)) == (403, "step_up")
    assert "/step-up?back=%2Faccount" in answer.text or "/step-up?back=/account" in answer.text
    visitor.open("/step-up?back=/account")
    assert visitor.post("/step-up?back=/account", (("code", site.code("zhou.kai")),)).headers["Location"] == "/account"
    assert visitor.open("/account").text.count("请在五分钟内") == 1
    shown = re.findall(r"<li><code>([0-9A-Z-]{19})</code></li>", visitor.post("/account/recovery").text)
    assert len(shown) == 10
    paper = site.visitor()
    assert paper.enter("zhou.kai").status == 303
    paper.open("/sign-in/second")
    assert paper.post("/sign-in/second", (("recovery", shown[3].lower()),)).status == 303
    assert "9" in paper.open("/account").text
    site.house.move_clock(301)
    assert problem(visitor.post("/account/recovery")) == "step_up"
    assert visitor.open("/account").status == 200


def test_another_password_ends_the_other_logins(site):
    site.settle("lin.kun")
    first, second = site.visitor(), site.visitor()
    assert first.with_code("lin.kun").status == second.with_code("lin.kun").status == 303
    second.confirm("lin.kun")
    assert second.post("/account/password", (("old", "wrong"), ("new", NEW))).status == 422
    assert second.post("/account/password", (("old", PASSWORD), ("new", "password1234"))).status == 422
    answer = second.post("/account/password", (("old", PASSWORD), ("new", NEW)))
    assert answer.status == 303, problem(answer)
    assert problem(first.get("/account")) == "sign_in"
    assert second.open("/account").status == 200
    assert site.visitor().enter("lin.kun").status == 422
    assert site.visitor().enter("lin.kun", NEW).status == 303


def test_one_sees_and_ends_ones_own_logins_and_no_others(site):
    site.settle("wu.min")
    site.settle("qin.li")
    here, there, stranger = site.visitor(), site.visitor(), site.visitor()
    for each, name in ((here, "wu.min"), (there, "wu.min"), (stranger, "qin.li")):
        assert each.with_code(name).status == 303
    (other,) = re.findall(r"/account/logins/([0-9a-f]{32})/end", here.open("/account").text)
    assert problem(stranger.post(f"/account/logins/{other}/end")) == "not_found"
    assert here.post(f"/account/logins/{other}/end").status == 303
    assert problem(there.get("/account")) == "sign_in"
    assert there.with_code("wu.min").status == 303
    assert there.post("/account/sign-out-everywhere").status == 303
    assert problem(here.get("/account")) == "sign_in"
    assert stranger.open("/account").status == 200


def test_somebody_is_invited_enrols_is_given_a_role_by_two_and_then_approves(site):
    system, security, auditor = (site.visitor().as_(name) for name in ADMINS)
    system.open("/people")
    assert system.post("/people", (("name", ""), ("new_account", "ouyang"), ("centre", CENTRE))).status == 422
    assert system.post("/people", (("name", "某人"), ("new_account", "an.quan"), ("centre", CENTRE))).status == 422
    answer = system.post("/people", (("name", "欧阳静怡"), ("new_account", "ouyang.jingyi"), ("centre", CENTRE)))
    assert answer.status == 200, problem(answer)
    link = re.search(r"/invitation/[A-Za-z0-9_-]{43}", answer.text)[0]
    guest = site.visitor()
    guest.open(link)
    assert guest.post(link, (("new", "short"),)).status == 422
    page = guest.post(link, (("new", NEW),))
    assert '<svg class="qr"' in page.text
    site.secrets["ouyang.jingyi"] = re.search(r'id="secret">([A-Z2-7]{32})<', page.text)[1]
    assert guest.post(link + "/confirm", (("code", "000000"),)).status == 422
    assert guest.post(link, (("new", NEW),)).status == 200  # the secret again, anew
    site.secrets["ouyang.jingyi"] = re.search(r'id="secret">([A-Z2-7]{32})<', guest.post(link, (("new", NEW),)).text)[1]
    assert guest.post(link + "/confirm", (("code", site.code("ouyang.jingyi")),)).headers["Location"] == "/sign-in"
    assert guest.get(link).status == 422
    assert guest.enter("ouyang.jingyi", NEW).status == 303
    guest.open("/sign-in/second")
    assert guest.post("/sign-in/second", (("code", site.code("ouyang.jingyi")),)).status == 303

    site.house.move_clock(61)
    person = re.search(r'href="/people/([0-9a-f]{32})"[^>]*ouyang', system.open("/people?q=ouyang").text)[1]
    page = f"/people/{person}"
    assert "欧阳" not in system.open(page).text
    assert system.post(page + "/roles", (("role", "supervisor"), ("reason", ""))).status == 422
    wish = system.post(page + "/roles", (("role", "supervisor"), ("reason", "监督局派驻")))
    assert wish.status == 303, problem(wish)
    assert "监督人" in system.open("/approvals").text
    assert "data-passkey" not in system.open("/approvals").text  # who asks does not approve
    assert problem(security.post(page + "/roles", (("role", "expert"), ("reason", "x")))) == "forbidden"

    def approve(visitor, name):
        found = re.search(r"/approvals/([0-9a-f]{32})/approve", visitor.open("/approvals").text)[1]
        asked = visitor.options(f"/approvals/{found}/options")
        given = visitor.post(f"/approvals/{found}/approve", (("assertion", site.keys[name].get(json.dumps(asked))),))
        assert given.status == 303, problem(given)
        return found

    first = approve(security, "an.quan")
    assert "data-passkey" not in security.open("/approvals").text
    assert "监督人" not in system.open(page).text.partition("<form")[0].partition("<h2")[2].partition("</dl>")[0]
    assert approve(auditor, "shen.ji") == first
    assert "监督人" in system.open(page).text.partition("</dl>")[0]
    assert "监督局派驻" in system.open("/approvals").text or "已批准" in system.open("/approvals").text

    # The role asks for a passkey; the login lost its step-up and has a new token.
    before = guest.cookies["lotroom-demo-login"]
    assert "您的角色需要通行密钥" in guest.open("/account").text
    assert guest.cookies["lotroom-demo-login"] != before
    assert problem(guest.get("/approvals")) == "enrol_passkey"
    guest.confirm("ouyang.jingyi")
    key = Authenticator(rp="localhost", origin=site.origin)
    asked = guest.options("/account/passkeys/options")
    made = guest.post("/account/passkeys", (("attestation", key.create(json.dumps(asked))),))
    assert made.status == 303, problem(made)
    assert "待批准" in guest.open("/account").text
    security.confirm("an.quan")
    assert approve(security, "an.quan")
    site.keys["ouyang.jingyi"] = key
    assert problem(guest.get("/approvals")) == "passkey_first"
    assert site.visitor().with_passkey("ouyang.jingyi").status == 303
    rows = auditor.open(f"/audit?object={person}").text
    assert rows.count('<tr role="row">') > 5
    assert "ouyang.jingyi" in rows
    assert "欧阳" not in rows
    assert auditor.post("/audit/verify").status == 200


def test_one_refusal_ends_a_proposal_and_a_changed_subject_voids_it(site):
    site.settle("tan.jie")
    system, security, auditor = (site.visitor().as_(name) for name in ADMINS)
    page = f"/people/{id_of('tan.jie')}"
    system.open(page)
    for role in ("archivist", "technician"):
        assert system.post(page + "/roles", (("role", role), ("reason", "r"))).status == 303
    ids = dict(zip(("technician", "archivist"), re.findall(r"/approvals/([0-9a-f]{32})/approve", auditor.open("/approvals").text)))
    assert len(ids) == 2
    assert problem(auditor.post(f"/approvals/{ids['technician']}/refuse", (("reason", ""),))) == "unprocessable"
    found = next(each for each in ids.values())
    assert auditor.post(f"/approvals/{found}/refuse", (("reason", "不需要"),)).status == 303
    answer = security.post(f"/approvals/{found}/options")
    assert answer.status in (404, 422)
    other = next(each for each in ids.values() if each != found)
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        asked = visitor.options(f"/approvals/{other}/options")
        stolen = site.keys["sun.xitong"].get(json.dumps(asked))
        assert visitor.post(f"/approvals/{other}/approve", (("assertion", stolen),)).status == 422
        asked = visitor.options(f"/approvals/{other}/options")
        answer = visitor.post(f"/approvals/{other}/approve", (("assertion", site.keys[name].get(json.dumps(asked))),))
        assert answer.status == 303, problem(answer)
    assert problem(security.post(f"/approvals/{'0' * 32}/options")) == "not_found"


def test_five_guesses_pass_and_the_right_one_waits_too(site):
    site.settle("gu.essed")
    visitor = site.visitor()
    visitor.open("/sign-in")
    said = [visitor.post("/sign-in", (("account", name), ("password", "no"))).status for name in ("gu.essed", "GU.ESSED", "ｇｕ.essed") * 2]
    assert said == [422] * 5 + [429]
    answer = visitor.post("/sign-in", (("account", "gu.essed"), ("password", PASSWORD)))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 800


def test_without_the_keeper_pages_say_so_and_passwords_still_begin(site):
    site.settle("yu.an")
    visitor = site.visitor()
    assert visitor.enter("yu.an").status == 303
    visitor.open("/sign-in/second")
    site.house.stop()
    try:
        answer = visitor.post("/sign-in/second", (("code", "123456"),))
        assert (answer.status, problem(answer)) == (503, "keeper_missing")
    finally:
        site.house.start()
    assert visitor.post("/sign-in/second", (("code", site.code("yu.an")),)).status == 303


def test_guesses_through_our_proxy_count_under_the_clients_own_address(site):
    site.settle("pro.xied")
    visitor = site.visitor()
    visitor.open("/sign-in")
    site.site.proxies = networks(("127.0.0.1",))
    try:

        def guess(address):
            sent = {"X-Forwarded-For": f"192.0.2.7, {address}"}
            return visitor.post("/sign-in", (("account", f"nobody.{address}"), ("password", "no")), **sent).status

        assert [guess("198.51.100.1") for _ in range(6)] == [422] * 5 + [429]
        assert (
            sum(
                visitor.post("/sign-in", (("account", f"n.{n}"), ("password", "no")), **{"X-Forwarded-For": "198.51.100.9"}).status == 422
                for n in range(25)
            )
            == 20
        )
        assert guess("198.51.100.2") == 422
    finally:
        site.site.proxies = ()
