"""Accounts end and come back, roles are taken away, names are shown for a reason, passkeys are given up, an expert is let in for a day."""

import json
import re

import pytest

from server.auth.logins import Kind
from server.auth.model import Role
from server.services.desk import pass_of
from tests.server.desk.site import ADMINS, CENTRE, PASSWORD, id_of, problem
from tests.server.keeper.authenticator import Authenticator

pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture
def admins(site):
    return [site.visitor().as_(name) for name in ADMINS]


def open_page(visitor, name):
    page = f"/people/{id_of(name)}"
    visitor.open(page)
    return page


def test_a_suspended_account_is_out_at_once_and_comes_back_by_two_others(site, admins):
    system, security, auditor = admins
    site.settle("jia.ning", Role.ARCHIVIST)
    worker = site.visitor()
    assert worker.with_code("jia.ning").status == 303
    page = open_page(security, "jia.ning")
    assert problem(auditor.post(page + "/suspend")) == "forbidden"
    assert security.post(page + "/suspend").status == 303
    assert problem(worker.get("/account")) == "sign_in"
    assert worker.enter("jia.ning").status == 422
    assert security.post(page + "/suspend").status == 422  # it is suspended already
    assert problem(security.post(page + "/resume", (("reason", "r"),))) == "forbidden"
    assert system.post(open_page(system, "jia.ning") + "/resume", (("reason", "查清了"),)).status == 303
    assert security.vote("an.quan", "jia.ning").status == 303
    assert worker.enter("jia.ning").status == 422
    assert auditor.vote("shen.ji", "jia.ning").status == 303
    assert worker.with_code("jia.ning").status == 303


def test_nobody_suspends_themselves_and_a_closed_account_never_comes_back(site, admins):
    system, security, _ = admins
    site.settle("tao.yi")
    assert security.post(open_page(security, "an.quan") + "/suspend").status == 422
    page = open_page(system, "tao.yi")
    assert problem(security.post(page + "/close")) == "forbidden"
    assert system.post(page + "/close").status == 303
    assert site.visitor().enter("tao.yi").status == 422
    assert system.post(page + "/resume", (("reason", "r"),)).status == 422
    assert system.post(page + "/roles", (("role", "expert"), ("reason", "r"))).status == 422


def test_a_security_administrator_signs_somebody_out_everywhere(site, admins):
    _, security, _ = admins
    site.settle("ma.ke")
    here, there = site.visitor(), site.visitor()
    for each in (here, there):
        assert each.with_code("ma.ke").status == 303
    assert security.post(open_page(security, "ma.ke") + "/logins/end").status == 303
    assert [problem(each.get("/account")) for each in (here, there)] == ["sign_in", "sign_in"]
    assert here.with_code("ma.ke").status == 303


def test_a_role_is_taken_away_by_two_others_and_the_keeper_forgets_it_too(site, admins):
    system, security, auditor = admins
    site.settle("fan.li", Role.SUPERVISOR, passkey=True)
    watcher = site.visitor()
    assert watcher.with_passkey("fan.li").status == 303
    assert watcher.open("/approvals")
    page = open_page(system, "fan.li")
    assert problem(system.post(page + "/roles/end", (("role", "expert"), ("reason", "r")))) == "not_found"
    assert system.post(page + "/roles/end", (("role", "supervisor"), ("reason", "调离"))).status == 303
    for visitor, name in ((security, "an.quan"), (auditor, "shen.ji")):
        assert watcher.open("/approvals")
        assert visitor.vote(name, "fan.li").status == 303
    assert problem(watcher.get("/approvals")) == "not_found"
    assert site.run(site.keeper.person_status(id_of("fan.li"))).grants.grants == ()


def test_a_name_is_shown_to_whom_the_keeper_opens_it_for_a_reason_that_is_written_down(site, admins):
    system, security, auditor = admins
    system.open("/people")
    answer = system.post("/people", (("name", "慕容雪晴"), ("new_account", "murong"), ("centre", CENTRE)))
    assert answer.status == 200, problem(answer)
    person = re.search(r'href="/people/([0-9a-f]{32})"[^>]*murong', system.open("/people?q=murong").text)[1]
    page = f"/people/{person}"
    for visitor in admins:
        assert "慕容" not in visitor.open(page).text
    for visitor in (system, auditor):
        assert problem(visitor.post(page + "/name", (("reason", "r"),))) == "forbidden"
    assert security.post(page + "/name", (("reason", ""),)).status == 422
    shown = security.post(page + "/name", (("reason", "核对身份"),))
    assert '<span id="name">慕容雪晴</span>' in shown.text
    assert "慕容" not in security.open(page).text


def test_a_proposal_is_taken_back_by_whoever_asked_and_nobody_else(site, admins):
    system, security, _ = admins
    site.settle("bao.xin")
    assert system.post(open_page(system, "bao.xin") + "/roles", (("role", "archivist"), ("reason", "r"))).status == 303
    found = re.search(r'<h2 id="a-([0-9a-f]{32})">[^<]*bao\.xin', system.open("/approvals").text)[1]
    assert problem(security.post(f"/approvals/{found}/withdraw")) == "not_found"
    assert system.post(f"/approvals/{found}/withdraw").status == 303
    assert security.post(f"/approvals/{found}/options").status == 422
    assert found not in re.findall(r'<h2 id="a-([0-9a-f]{32})">', system.open("/approvals").text)
    assert problem(system.post(f"/approvals/{'0' * 32}/withdraw")) == "not_found"


def test_a_passkey_is_given_up_but_not_the_last_one_of_a_role_that_needs_it(site, admins):
    system, security, _ = admins
    site.settle("lu.yao", Role.APPROVER, passkey=True)
    site.settle("kong.ye", passkey=True)

    def rows(visitor):
        return re.findall(r"/account/passkeys/([0-9a-f]{32})/remove", visitor.open("/account").text)

    async def kept(name, account):
        key = site.keys[name]
        made = (await site.keeper.person_status(id_of(name))).passkeys[0]
        row = {"account": account, "person": id_of(name), "credential": bytes.fromhex(made.credential), "public_key": made.digest}
        row |= {"created_at": site.clock.now(), "approval": (await approval())}
        await site.store.write(lambda tx: tx.insert("passkey", row, "test"), site.clock.now())
        return key

    async def approval():
        async with site.store.reading() as tx:
            return (await tx.all("approval", limit=1))[0]["id"]

    assert system.post(open_page(system, "kong.ye") + "/roles", (("role", "technician"), ("reason", "r"))).status == 303
    for name in ("lu.yao", "kong.ye"):
        site.run(kept(name, id_of("a" + name)))
    approver, plain = site.visitor().as_("lu.yao"), site.visitor().as_("kong.ye")
    (only,) = rows(approver)
    answer = approver.post(f"/account/passkeys/{only}/remove")
    assert (answer.status, "最后一个" in problem(answer)) == (422, True)
    assert problem(plain.post(f"/account/passkeys/{only}/remove")) == "not_found"
    # Past the web process, the keeper says the same.
    given, bound = pass_of(approver.cookies["lotroom-demo-pass"])
    made = site.run(site.keeper.person_status(id_of("lu.yao"))).passkeys[0].credential
    with pytest.raises(Exception, match="last_passkey"):
        site.run(site.keeper.revoke_passkey(made, given, bound))
    second = Authenticator(rp="localhost", origin=site.origin)
    asked = approver.options("/account/passkeys/options")
    assert approver.post("/account/passkeys", (("attestation", second.create(json.dumps(asked))),)).status == 303
    assert security.vote("an.quan", "lu.yao").status == 303
    approver = site.visitor().as_("lu.yao")
    assert approver.post(f"/account/passkeys/{only}/remove").status == 303
    assert len(rows(approver)) == 1
    site.house.move_clock(61)
    assert problem(site.visitor().with_passkey("lu.yao"))  # the first one is worth nothing now
    site.keys["lu.yao"] = second
    assert site.visitor().with_passkey("lu.yao").status == 303
    (mine,) = rows(plain)
    assert plain.post(f"/account/passkeys/{mine}/remove").status == 303
    assert site.visitor().with_code("kong.ye").status == 303


def test_a_security_administrators_second_passkey_is_let_in_by_the_two_others(site, admins):
    system, security, auditor = admins
    second = Authenticator(rp="localhost", origin=site.origin)
    asked = security.options("/account/passkeys/options")
    assert security.post("/account/passkeys", (("attestation", second.create(json.dumps(asked))),)).status == 303
    assert system.vote("sun.xitong", "an.quan").status == 303
    first, site.keys["an.quan"] = site.keys["an.quan"], second
    try:
        assert site.visitor().with_passkey("an.quan").status == 422
        assert auditor.vote("shen.ji", "an.quan").status == 303
        assert site.visitor().with_passkey("an.quan").status == 303
    finally:
        site.keys["an.quan"] = first


def test_an_expert_without_a_factor_is_let_in_once_by_host_and_supervisor(site):
    site.settle("lei.ming", Role.EXPERT, kind=Kind.EXPERT)
    site.settle("guo.qing", Role.SITE_HOST)
    site.settle("bei.lan", Role.SITE_HOST)
    site.settle("ji.wei", Role.SUPERVISOR, passkey=True)
    host, other = site.visitor().as_("guo.qing"), site.visitor().as_("bei.lan")
    watcher = site.visitor().as_("ji.wei")
    host.open("/stand-in")
    for wrong in ("guo.qing", "nobody.here"):
        assert host.post("/stand-in", (("account", wrong), ("reason", "r"))).status == 422
    assert problem(watcher.post("/stand-in", (("account", "lei.ming"), ("reason", "r")))) == "forbidden"
    assert host.post("/stand-in", (("account", "lei.ming"), ("reason", "手机丢失"))).status == 303
    found = re.search(r'<h2 id="a-([0-9a-f]{32})">[^<]*lei\.ming', host.open("/approvals").text)[1]
    assert f"/approvals/{found}/collect" not in host.open("/approvals").text
    assert host.post(f"/approvals/{found}/collect").status == 422  # nobody has approved it
    assert watcher.vote("ji.wei", "lei.ming").status == 303
    assert problem(other.post(f"/approvals/{found}/collect")) == "not_found"
    assert f"/approvals/{found}/collect" in host.open("/approvals").text
    code = re.search(r'id="code">([^<]+)<', host.post(f"/approvals/{found}/collect").text)[1]
    assert host.post(f"/approvals/{found}/collect").status == 422  # once
    expert, thief = site.visitor(), site.visitor()
    for each, name in ((thief, "bei.lan"), (expert, "lei.ming")):
        assert each.enter(name, PASSWORD).status == 303
        each.open("/sign-in/second")
    assert thief.post("/sign-in/second", (("stand_in", code),)).status == 422  # for one person
    assert expert.post("/sign-in/second", (("stand_in", code + "x"),)).status == 422
    assert expert.post("/sign-in/second", (("stand_in", code),)).status == 303
    assert "lei.ming" in expert.open("/account").text
    again = site.visitor()
    assert again.enter("lei.ming", PASSWORD).status == 303
    again.open("/sign-in/second")
    assert again.post("/sign-in/second", (("stand_in", code),)).status == 422  # once
    site.house.move_clock(86_400)
    assert problem(expert.get("/account")) == "sign_in"
