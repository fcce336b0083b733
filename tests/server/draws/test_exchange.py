"""Exchange data sets: what is read is what was written, what is hostile is stopped, and nobody's name goes out."""

from __future__ import annotations

import json
import random
import re
import time
import tomllib

import pytest

from drawing.errors import Refused
from server import bidders, exchange
from server.auth.model import Role
from server.library.demo import DEMO_COMPANIES
from server.request import parse_request
from tests.server.desk.test_api import call
from tests.server.draws.hall import CENTRE, people_names
from tests.server.draws.site import APPROVER, CLERK, SUPERVISOR
from tests.server.draws.test_approvals import begun

NAME, CODE = DEMO_COMPANIES[0]
PROJECT = {
    "TENDER_PROJECT": [
        {"TENDER_PROJECT_CODE": "EX-2026-1", "TENDER_PROJECT_NAME": "道路 <改造> & 绿化", "TENDER_PROJECT_TYPE": "A", "BUDGET": "48000000"}
    ],
    "BID_SECTION": [{"TENDER_PROJECT_CODE": "EX-2026-1", "BID_SECTION_CODE": each} for each in ("1", "2")],
    "AVOID_ENTERPRISE_LIST": [{"ENTERPRISE_NAME": NAME, "ENTERPRISE_CODE": CODE, "ENTERPRISE_ROLE": "1"}],
}
LAUGHS = (
    "<!DOCTYPE EXCHANGE [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {c} '{f'&{b};' * 10}'>" for b, c in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_what_is_written_is_read_again(form):
    assert exchange.read(exchange.write(PROJECT, form), form) == PROJECT
    chance = random.Random(7)
    for _ in range(200):
        rows = [
            {"ENTERPRISE_NAME": "".join(chance.choices("甲乙<>&\"' ]x", k=9)) + "司", "ENTERPRISE_ROLE": chance.choice("12345")}
            for _ in range(3)
        ]
        sets = {"AVOID_ENTERPRISE_LIST": [{**each, "ENTERPRISE_NAME": each["ENTERPRISE_NAME"].strip()} for each in rows]}
        assert exchange.read(exchange.write(sets, form), form) == sets


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LAUGHS + "<EXCHANGE>&i;</EXCHANGE>", "exchange_unsafe"),
        ('<!DOCTYPE E SYSTEM "file:///etc/passwd"><EXCHANGE/>', "exchange_unsafe"),
        ('<!DOCTYPE E [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]><EXCHANGE/>', "exchange_unsafe"),
        ("<?php x?><EXCHANGE/>", "exchange_unsafe"),
        ("<EXCHANGE>&a;</EXCHANGE>", "exchange_unreadable"),
        ("<EXCHANGE><BID_SECTION a='1'/></EXCHANGE>", "exchange_unreadable"),
        ("<EXCHANGE>" + "<a>" * 50_000, "exchange_unreadable"),
        ("<EXCHANGE>words</EXCHANGE>", "exchange_unreadable"),
        ("<OTHER/>", "exchange_unreadable"),
        ("<EXCHANGE><BID_SECTION><BID_SECTION_CODE>1</BID_SECTION_CODE><BID_SECTION_CODE>2</BID_SECTION_CODE></BID_SECTION></EXCHANGE>", "exchange_unreadable"),
        ("<EXCHANGE>" + "<BID_SECTION/>" * (exchange.MOST_ROWS + 1) + "</EXCHANGE>", "exchange_too_large"),
        (" " * (exchange.MOST_BYTES + 1), "exchange_too_large"),
        ("<EXCHANGE><EXPERT/></EXCHANGE>", "exchange_unknown"),
        ("<EXCHANGE><T_EXPERT_EXTRACTION/></EXCHANGE>", "exchange_unknown"),
        ("<EXCHANGE><BID_SECTION/></EXCHANGE>", "exchange_missing"),
    ],
)  # fmt: skip
def test_hostile_xml_is_stopped_at_once(text, code):
    began = time.perf_counter()
    with pytest.raises(Refused, match=code):
        exchange.read(text, "xml")
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ('{"TENDER_PROJECT": [], "TENDER_PROJECT": []}', "exchange_unreadable"),
        ('{"TENDER_PROJECT": {}}', "exchange_unreadable"),
        ("[" * 5_000, "exchange_unreadable"),
        ('{"BID_SECTION": [{"NOM": "x"}]}', "exchange_unknown"),
        ('{"AVOID_ENTERPRISE_LIST": [{"ENTERPRISE_NAME": "x", "ENTERPRISE_ROLE": "1", "ENTERPRISE_CODE": "911101080000000001"}]}', "exchange_value"),
        ('{"AVOID_ENTERPRISE_LIST": [{"ENTERPRISE_NAME": "x", "ENTERPRISE_ROLE": "9"}]}', "exchange_value"),
        ('{"TENDER_PROJECT": [{"TENDER_PROJECT_CODE": "1", "TENDER_PROJECT_NAME": "x", "REGION_CODE": "000000"}]}', "exchange_value"),
    ],
)  # fmt: skip
def test_wrong_json_says_the_place(changed, code):
    with pytest.raises(Refused, match=code):
        exchange.read(changed, "json")


@pytest.mark.parametrize("form", ["json", "xml"])
def test_bidders_come_sealed_in_the_same_set_and_never_with_the_project(form):
    sets = {"AVOID_ENTERPRISE_LIST": [{"ENTERPRISE_NAME": "甲公司", "ENTERPRISE_ROLE": "5"}]}
    content = bidders.content_of(exchange.write(sets, form).encode())
    assert json.loads(content) == [{"code": "", "name": "甲公司", "persons": []}]
    with pytest.raises(Refused, match="exchange_bidders"):
        exchange.request_sections({**PROJECT, **sets})


def test_a_project_comes_in_and_becomes_a_request_begun_for_each_section(site):
    secret = site.run(site.hall.service_token("exchange.send", role=Role.AGENCY))
    body = {"centre": CENTRE, "form": "xml", "text": exchange.write(PROJECT, "xml")}
    status, got = call(site, "POST", "/api/exchange/projects", secret, body)
    assert (status, got["number"], got["new"], len(got["requests"])) == (200, "EX-2026-1", True, 2)
    assert call(site, "POST", "/api/exchange/projects", secret, body)[1]["new"] is False
    begun_request = tomllib.loads(got["requests"][1])
    assert begun_request["project"] == {
        "number": "EX-2026-1",
        "name": "道路 <改造> & 绿化",
        "kind": "works",
        "budget_yuan": 48000000,
        "section": "2",
    }
    assert begun_request["parties"] == [{"role": "tenderer", "name": NAME, "code": CODE}]
    clerk = site.voter(CLERK)
    for attempt in range(2):
        text = clerk.open("/draws").text
        links = sorted(set(re.findall(r"/draws/new\?section=([0-9a-f]{32})", text)))
        assert len(links) == 2 and "EX-2026-1" in text and "道路 &lt;改造&gt; &amp; 绿化" in text
        for name in (APPROVER, SUPERVISOR):
            assert "EX-2026-1" not in site.voter(name).open("/draws").text
            assert site.voter(name).get(f"/draws/new?section={links[0]}").status == 403
        if not attempt:  # sent again with another budget: the same two, with what was sent last
            text = json.dumps({**PROJECT, "TENDER_PROJECT": [{**PROJECT["TENDER_PROJECT"][0], "BUDGET": "51000000"}]})
            assert call(site, "POST", "/api/exchange/projects", secret, {**body, "form": "json", "text": text})[0] == 200
    pages = [clerk.open(f"/draws/new?section={each}").text for each in links]
    assert all('value="51000000"' in each and 'value="EX-2026-1"' in each for each in pages)
    assert {re.search(r'id="section" name="section" value="([^"]*)"', each)[1] for each in pages} == {"1", "2"}
    assert clerk.get(f"/draws/new?section={'e' * 32}").status == 404
    assert clerk.get("/draws/new?section=x").status in (200, 400, 422)
    with pytest.raises(Refused):  # people fill in the rest
        parse_request(got["requests"][1].encode(), "request", 1_795_600_000)
    for wrong, code in (("<EXCHANGE/>", "exchange_missing"), (LAUGHS + "<EXCHANGE/>", "exchange_unsafe")):
        status, told = call(site, "POST", "/api/exchange/projects", secret, {**body, "text": wrong})
        assert (status, told["faults"][0]["code"]) == (422, code)
    status, _ = call(site, "POST", "/api/exchange/projects", secret, {**body, "centre": "d" * 32})
    assert status == 404


def test_a_draw_goes_out_as_sets_without_a_name(site):
    draw = begun(site)
    secret = site.run(site.hall.service_token("draw.read"))
    everything = exchange.SETS.keys()
    for form in ("json", "xml"):
        status, got = call(site, "GET", f"/api/draws/{draw}/exchange?form={form}", secret)
        assert (status, got["form"]) == (200, form)
        sets = exchange.read(got["text"], form, frozenset(everything))
        assert sets["EVALUATION_BUILD_APPLY"][0]["EXTRACT_RULE"] == "uniform/1"
        assert sets["T_EXPERT_EXTRACTION"][0]["EXPERT_NUMBER"] == "0"
        assert [(row["SEAT"], row["MAJOR_CODE"], row["EXPERT_NUMBER"]) for row in sets["EXPERT_MAJOR"]] == [
            ("1", "A0801", "3"),
            ("2", "A0601", "2"),
        ]
        assert not [name for name in people_names(site.hall) if name in got["text"]]


def test_a_section_of_another_centre_is_nobody_elses_and_one_with_a_draw_waits_no_more(site):
    draw = begun(site)

    async def rows(tx):
        first = await tx.get("draw", draw)
        same = ("centre", "project", "section", "regime", "dry_run", "request_digest", "evaluation_at", "created_by", "created_at")
        await tx.insert("draw", {name: first[name] for name in same}, "test")  # given up once, and asked for again
        there = await tx.get("project", first["project"])
        values = {"section": "1", "request": '[project]\nname = "城南"\n', "received_at": tx.now}
        drawn = await tx.insert("project_section", {"project": there["id"], **values}, "test")
        other = {"id": "f" * 32, "code": "fremd", "name": "他", "created_at": tx.now}
        await tx.insert("centre", other, "test")
        project = await tx.insert("project", {"centre": "f" * 32, "tag": b"t" * 32, "title": "FREMD-1", "created_at": tx.now}, "test")
        return drawn, await tx.insert("project_section", {"project": project, **values}, "test")

    drawn, foreign = site.run(site.store.write(rows, site.clock.now()))
    clerk = site.voter(CLERK)
    text = clerk.open("/draws").text
    assert drawn not in text and foreign not in text and "FREMD-1" not in text
    assert clerk.get(f"/draws/new?section={foreign}").status in (403, 404)
    assert clerk.open(f"/draws/new?section={drawn}").status == 200
