"""Projects as the service keeps them: versions, what is sealed, states by their draws, the clerk's pages and form, and the request that begins with one."""

from __future__ import annotations

import asyncio
import html
import json
import re
import tomllib
from dataclasses import replace

import pytest

from drawing.errors import Refused
from server import exchange
from server.auth.model import CentreId, Grant, Role
from server.keeper.draw_verbs import AskDrawState
from server.library.demo import DEMO_COMPANIES
from server.services import draws, projects
from server.services.projects import State
from server.storage.tables import metadata, owner_of
from tests.server.desk.site import CENTRE, problem
from tests.server.desk.test_api import call
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import caller
from tests.server.draws.test_oversight import given_up, requested
from tests.server.draws.test_request_form import at, carried

NAME, CODE = DEMO_COMPANIES[0]
PERSON, ADDRESS = "负责人金丝雀", "金丝雀路七号"


def sets(number, *, version="", person=PERSON, name="道路改造", sections=("1", "2")):
    project = {
        "TENDER_PROJECT_CODE": number,
        "TENDER_PROJECT_NAME": name,
        "TENDER_PROJECT_TYPE": "A",
        "BUDGET": "48000000",
        "REGIME": "ZTB",
    }
    contact = {"RESPONSIBLE_PERSON": person, "ADDRESS": ADDRESS} if person else {}
    return {
        "TENDER_PROJECT": [{**project, **contact, **({"VERSION": version} if version else {})}],
        "BID_SECTION": [{"TENDER_PROJECT_CODE": number, "BID_SECTION_CODE": each} for each in sections],
        "AVOID_ENTERPRISE_LIST": [{"ENTERPRISE_NAME": NAME, "ENTERPRISE_CODE": CODE, "ENTERPRISE_ROLE": "1"}],
    }


def received(site, found, source="form", by=CLERK):
    return site.run(projects.receive(site.desk, CENTRE, found, source, caller(site, by)))


def shown(site, project, by=CLERK):
    return site.run(projects.show(site.desk, project, caller(site, by)))


def state(site, project):
    found = shown(site, project)
    return found.state, {each.code: each.state for each in found.sections}


def everything(site):
    """All rows of all tables that the web process may read, as text; on SQLite that is all."""

    async def read(name):
        try:
            async with site.store.reading() as tx:
                rows = await tx.all(name, limit=100_000)
        except Refused as refused:
            assert refused.code == "database_needs_the_owner" and owner_of(metadata.tables[name]) == "keeper"
            return ""
        return "\n".join(" ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row.values()) for row in rows)

    return {name: site.run(read(name)) for name in metadata.tables}


def test_the_same_again_is_the_same_and_another_content_is_the_next_version(site):
    first = received(site, sets("PV-1"))
    assert (first.version, first.new) == (1, True)
    assert received(site, sets("PV-1")) == replace(first, new=False)
    second = received(site, sets("PV-1", name="道路改造二期"))
    assert (second.id, second.version, second.new) == (first.id, 2, False)
    assert received(site, sets("PV-1", person="另一人", name="道路改造二期")).version == 3  # the sealed part counts as well
    found = shown(site, first.id)
    assert [each.number for each in found.versions] == [3, 2, 1]
    assert found.sets["TENDER_PROJECT"][0]["TENDER_PROJECT_NAME"] == "道路改造二期"


def test_a_different_content_with_the_same_version_is_refused_and_so_is_an_older_one(site):
    received(site, sets("PV-2", version="3"))
    assert received(site, sets("PV-2", version="3")).version == 3
    for changed in ({"name": "别的"}, {"person": "另一人"}, {"person": ""}, {"sections": ("1",)}):
        with pytest.raises(Refused, match="project_version_differs"):
            received(site, sets("PV-2", version="3", **changed))
    with pytest.raises(Refused, match="project_version_old"):
        received(site, sets("PV-2", version="2"))
    assert received(site, sets("PV-2", version="5", name="别的")).version == 5
    assert received(site, sets("PV-2", version="3")).version == 3  # what came once is still the same


def test_two_who_send_at_once_make_one_version_each_or_one_together(site):
    async def both(*found):
        return await asyncio.gather(
            *(projects.receive(site.desk, CENTRE, each, "form", caller(site, CLERK)) for each in found), return_exceptions=True
        )

    same = site.run(both(*[sets("PV-3", version="1")] * 4))
    assert [each.version for each in same] == [1] * 4 and sum(each.new for each in same) == 1
    different = site.run(both(*(sets("PV-4", version="1", name=f"名称{n}") for n in range(4))))
    assert sum(isinstance(each, projects.Kept) for each in different) == 1
    assert {each.code for each in different if isinstance(each, Refused)} == {"project_version_differs"}
    without = site.run(both(*(sets("PV-5", name=f"名称{n}") for n in range(4))))
    assert sorted(each.version for each in without) == [1, 2, 3, 4]


def test_a_bidder_is_never_kept_whatever_way_it_comes(site):
    bidder = {"ENTERPRISE_NAME": "投标金丝雀公司", "ENTERPRISE_ROLE": "5"}
    found = sets("PV-6")
    found["AVOID_ENTERPRISE_LIST"].append(bidder)
    with pytest.raises(Refused, match="exchange_bidders"):
        received(site, found)
    clerk = site.voter(CLERK)
    clerk.open("/projects/new")
    answer = clerk.post("/projects/new", (*FORM, ("party_role", "5"), ("party_name", "投标金丝雀公司"), ("party_code", "")))
    assert answer.status == 422
    secret = site.run(site.hall.service_token("exchange.send", role=Role.AGENCY))
    body = {"centre": CENTRE, "form": "json", "text": exchange.write(found, "json")}
    status, told = call(site, "POST", "/api/exchange/projects", secret, body)
    assert (status, told["faults"][0]["code"]) == (422, "exchange_bidders") and "金丝雀" not in json.dumps(told, ensure_ascii=False)
    assert not [name for name, text in everything(site).items() if "投标金丝雀" in text]


def test_the_responsible_person_is_sealed_and_opens_for_a_clerk_with_a_trace(site):
    made = received(site, sets("PV-7"))
    assert not [name for name, text in everything(site).items() if PERSON in text or ADDRESS in text]
    clerk = site.voter(CLERK)
    text = clerk.open(f"/projects/{made.id}").text
    assert PERSON not in text and NAME in text
    assert clerk.post(f"/projects/{made.id}/contact", (("reason", ""),)).status == 422
    answer = clerk.post(f"/projects/{made.id}/contact", (("reason", "联系负责人"),))
    assert answer.status == 200 and PERSON in answer.text and ADDRESS in answer.text
    assert "opened_fields" in everything(site)["log_leaf"]
    approver = site.voter(APPROVER)
    assert PERSON not in approver.open(f"/projects/{made.id}").text
    assert approver.post(f"/projects/{made.id}/contact", (("reason", "联系负责人"),)).status == 403


def test_another_version_by_hand_keeps_what_is_left_empty_of_the_sealed_part(site):
    made = received(site, sets("PV-8"))
    clerk = site.voter(CLERK)
    text = clerk.open(f"/projects/{made.id}/change").text
    assert PERSON not in text and NAME in text
    fields = (
        ("version", "2"),
        ("name", "新名称"),
        ("regime", "ZTB"),
        ("kind", "A"),
        ("address", "新地址"),
        ("section_code", "1"),
        ("section_name", ""),
    )
    assert clerk.post(f"/projects/{made.id}/change", (*fields, ("go", "save"))).status == 303
    again = clerk.post(f"/projects/{made.id}/change", (*((n, "别的" if n == "name" else v) for n, v in fields), ("go", "save")))
    assert again.status == 422 and "第 2 版" in problem(again) and "第 3 版" in problem(again)
    answer = clerk.post(f"/projects/{made.id}/contact", (("reason", "联系负责人"),))
    assert PERSON in answer.text and "新地址" in answer.text and ADDRESS not in answer.text
    assert [each.code for each in shown(site, made.id).sections] == ["1"]


FORM = (
    ("number", "PV-FORM"), ("name", "手工登记项目"), ("regime", "ZFCG"), ("kind", "B"), ("budget", "2000000"), ("deal", ""), ("region", "110105"),
    ("responsible", PERSON), ("address", ADDRESS), ("section_code", "A"), ("section_name", "一标段"), ("section_code", "B"), ("section_name", ""),
    ("party_role", "6"), ("party_name", NAME), ("party_code", CODE), ("version", "1"), ("go", "save"),
)  # fmt: skip


def test_a_clerk_registers_a_project_in_the_form_and_every_fault_is_at_its_field(site):
    clerk = site.voter(CLERK)
    clerk.open("/projects/new")
    wrong = {"name": "", "budget": "viel", "region": "999999", "section_code": "标段", "party_code": "1"}
    answer = clerk.post("/projects/new", tuple((name, wrong.get(name, value)) for name, value in FORM))
    assert answer.status == 422
    faulty = set(re.findall(r'<a href="#([\w-]+)">', answer.text))
    assert {"name", "budget", "region", "section_code-0", "party_code-0"} <= faulty
    assert "PV-FORM" in answer.text and PERSON in answer.text  # what was typed is there
    more = clerk.post("/projects/new", tuple((name, "more" if name == "go" else value) for name, value in FORM))
    assert more.status == 200 and more.text.count('name="section_code"') == 3
    twice = clerk.post("/projects/new", tuple((name, "A" if name == "section_code" else value) for name, value in FORM))
    assert twice.status == 422 and "#section_code-1" in twice.text
    done = clerk.post("/projects/new", FORM)
    assert done.status == 303
    text = clerk.open(done.headers["Location"]).text
    assert all(each in text for each in ("手工登记项目", "一标段", "2,000,000", NAME, "采购人")) and PERSON not in text
    listed = clerk.open("/projects?search=pv-form").text
    assert "手工登记项目" in listed and "PV-1<" not in listed
    assert "手工登记项目" not in clerk.open("/projects?search=pv-form&state=closed").text


def test_a_request_begins_with_what_the_project_says_of_the_section(site):
    made = received(site, sets("PV-9"))
    clerk = site.voter(CLERK)
    page = clerk.open(f"/projects/{made.id}").text
    assert page.count(f'action="/projects/{made.id}/begin"') == 2
    answer = clerk.post(f"/projects/{made.id}/begin", (("section", "2"),))
    assert answer.status == 200 and at(answer.text) == "project"
    begun = tomllib.loads(carried(answer.text))
    assert begun["regime"] == "ZTB"
    assert begun["project"] == {
        "section": "2", "procedure": "open", "kind": "works", "number": "PV-9", "name": "道路改造", "budget_yuan": 48000000, "responsible": PERSON,
    }  # fmt: skip
    assert begun["parties"] == [{"role": "tenderer", "name": NAME, "code": CODE}]
    assert begun["replies"] == {"window_minutes": 15}
    assert f'value="{PERSON}"' in html.unescape(answer.text)
    assert clerk.post(f"/projects/{made.id}/begin", (("section", "9"),)).status == 404
    assert site.voter(ARCHIVIST).open(f"/projects/{made.id}").text.count("/begin") == 0


def test_states_follow_the_draws_and_a_running_draw_does_not_change_with_the_project(site):
    text = site.request()
    number = re.search(r'number = "([^"]*)"', text)[1]
    made = received(site, sets(number))
    assert state(site, made.id) == (State.RECEIVED, {"1": State.RECEIVED, "2": State.RECEIVED})
    draw = requested(site, text)
    assert state(site, made.id) == (State.RECEIVED, {"1": State.BEGUN, "2": State.RECEIVED})
    page = site.voter(CLERK).open(f"/projects/{made.id}").text
    assert f"/draws/{draw}" in page and "/begin" not in page  # one draw of a project at a time
    before = site.run(draws.show(site.desk, draw, caller(site, CLERK)))
    site.house.move_clock(5)
    received(site, sets(number, name="改名", sections=("1",)))
    after = site.run(draws.show(site.desk, draw, caller(site, CLERK)))
    assert (after.row, after.events, draws.terms_of(after)) == (before.row, before.events, draws.terms_of(before))
    assert site.run(site.keeper.ask(AskDrawState(draw))).terms == before.keeper.terms
    found = shown(site, made.id)
    assert [each.older for each in found.sections[0].draws] == [True]
    assert "先于最新版本" in site.voter(CLERK).open(f"/projects/{made.id}").text
    hall = site.hall
    site.run(
        hall.sign_draft(
            "committed", "commit", hall.supervisors[0], approvers=(caller(site, APPROVER).person, caller(site, SUPERVISOR).person)
        )
    )
    assert state(site, made.id)[0] is State.BEGUN
    site.run(hall.contribute())
    assert state(site, made.id)[0] is State.DRAWN
    for slot in range(6):
        site.run(hall.answer(slot))
    site.run(hall.advance())
    site.run(hall.to_the_end(approvers=(caller(site, SUPERVISOR).person, caller(site, OTHER).person)))
    assert state(site, made.id) == (State.CLOSED, {"1": State.CLOSED})
    assert number in site.voter(CLERK).open("/projects?state=closed").text


def test_a_section_whose_draw_was_given_up_waits_for_a_request_again_and_a_dry_run_counts_for_nothing(site):
    text = site.request()
    made = received(site, sets(re.search(r'number = "([^"]*)"', text)[1], sections=()))
    dry = site.run(draws.begin(site.desk, CENTRE, text.encode(), caller(site, CLERK), dry_run=True))
    assert state(site, made.id) == (State.RECEIVED, {"1": State.RECEIVED})
    assert shown(site, made.id).sections[0].draws[0].dry_run and shown(site, made.id).running
    site.run(site.hall.follow(dry))
    site.run(site.hall.ready())
    site.run(site.hall.attest())
    site.run(site.hall.advance())
    given_up(site, dry, "演练结束")
    site.house.move_clock(5)
    draw = requested(site, text)
    assert state(site, made.id)[0] is State.BEGUN
    given_up(site, draw, "资料不全")
    found = shown(site, made.id)
    assert found.state is State.RECEIVED and not found.running and len(found.sections[0].draws) == 2


@pytest.mark.parametrize("form", ["json", "xml"])
def test_programs_list_and_read_projects_as_data_sets_that_can_be_read_again(site, form):
    number = f"PV-API-{form}"
    sender = site.run(site.hall.service_token("exchange.send", role=Role.AGENCY))
    body = {"centre": CENTRE, "form": form, "text": exchange.write(sets(number, version="2"), form)}
    status, got = call(site, "POST", "/api/exchange/projects", sender, body)
    assert (status, got["version"], got["new"]) == (200, 2, True)
    reader = site.run(site.hall.service_token("projects.read"))
    status, one = call(site, "GET", f"/api/exchange/projects/{got['id']}?form={form}", reader)
    assert (status, one["project"]["number"], one["project"]["state"]) == (200, number, "received")
    read = exchange.read(one["text"], form)
    assert read == sets(number, version="2", person="")
    status, many = call(site, "GET", f"/api/exchange/projects?form={form}&search={number}", reader)
    assert (status, [each["id"] for each in many["projects"]]) == (200, [got["id"]])
    assert exchange.read(many["text"], form)["BID_SECTION"] == sets(number)["BID_SECTION"]
    assert PERSON not in json.dumps((one, many), ensure_ascii=False)
    status, told = call(
        site, "POST", "/api/exchange/projects", sender, {**body, "text": exchange.write(sets(number, version="2", name="x"), form)}
    )
    assert (status, told["faults"][0]["code"]) == (422, "project_version_differs")
    assert call(site, "GET", f"/api/exchange/projects/{got['id']}", sender)[0] == 403
    assert call(site, "GET", f"/api/exchange/projects/{'0' * 32}", reader)[0] == 404


def test_nobody_of_another_centre_or_agency_has_any_of_it(site):
    made = received(site, sets("PV-10"))
    clerk = caller(site, CLERK)
    there = replace(clerk, actor=replace(clerk.actor, grants=frozenset({Grant(Role.DRAW_CLERK, CentreId("d" * 32))})))
    for work in (
        projects.show(site.desk, made.id, there),
        projects.contact(site.desk, made.id, "r", there),
        projects.begun(site.desk, made.id, "1", there),
        projects.change(site.desk, made.id, sets("PV-10"), there),
        projects.receive(site.desk, CentreId("d" * 32), sets("PV-10"), "form", there),
    ):
        with pytest.raises(Refused, match="not_found"):
            site.run(work)
    assert site.run(projects.listed(site.desk, there)) == ((), 0)
    agency = replace(caller(site, OTHER), actor=replace(caller(site, OTHER).actor, grants=frozenset({Grant(Role.AGENCY, CENTRE)})))
    with pytest.raises(Refused, match="not_found"):
        site.run(projects.receive(site.desk, CENTRE, sets("PV-10", name="x"), "api", agency))
    mine = site.run(projects.receive(site.desk, CENTRE, sets("PV-11"), "api", agency))
    assert site.run(projects.receive(site.desk, CENTRE, sets("PV-11", name="x"), "api", agency)).version == 2
    with pytest.raises(Refused, match="not_your_role"):
        site.run(projects.show(site.desk, mine.id, agency))
    assert site.visitor().get("/projects").status in (303, 401)
