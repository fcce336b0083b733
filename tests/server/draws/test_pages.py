"""The pages of draws over a real service: what staff see and press, and what nobody sees before the unsealing."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time

import pytest

from drawing.errors import Refused
from drawing.verify import Files, verify
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.sign_in import Request
from server.library.read_sheet import read_library
from server.live import ClosedProofs, ProofFiles
from server.refusals import text_of
from server.services import drawing, draws
from server.services.desk import Caller
from server.services.drawing import Stand
from server.services.proofs import public_name
from tests.server.desk.site import CENTRE, id_of, problem
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import begun, caller


def test_the_page_leads_from_the_request_to_the_result(site):
    hall = site.hall
    clerk = site.voter(CLERK)
    assert "draws" in clerk.open("/draws").text
    draw = site.run(draws.begin(site.desk, CENTRE, site.request().encode(), caller(site, CLERK)))
    site.run(hall.follow(draw))
    site.run(hall.ready())
    page = f"/draws/{draw}"
    assert "准备完毕" in clerk.open(page).text
    assert clerk.post(page + "/go-on").status == 303
    site.run(hall.attest())
    clerk.open(page)
    assert clerk.post(page + "/go-on").status == 303
    text = clerk.open(page).text
    assert f"{page}/start" in text
    assert clerk.post(page + "/start", (("reason", ""),)).status == 422
    assert clerk.post(page + "/start", (("reason", "按计划进行"),)).status == 303
    again = clerk.post(page + "/start", (("reason", "按计划进行"),))
    assert again.status == 422 and "批准" in problem(again), problem(again)
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name).status == 303
    key = hall.supervisors[0]
    event = site.run(hall.draft("committed"))
    stand = site.run(draws.sign(site.desk, draw, "committed", key.name, key.sign(event.payload), None, caller(site, SUPERVISOR)))
    assert stand.waiting == "contribution"
    text = clerk.open(page).text
    assert "notary/c" in text and f"{page}/contribute" in text and f"{page}/stop" not in text
    assert f"{page}/stop" in site.voter(SUPERVISOR).open(page).text
    assert site.run(hall.contribute()).waiting == "answers"
    text = clerk.open(page).text
    assert 'data-until="' in text and "0" in text
    assert clerk.open(page + "/screen").status == 200
    proof = clerk.open(page + "/proof.json").text
    assert json.loads(clerk.open(f"/api/draws/{draw}/proof").body)["proof"] == proof


def test_what_keeps_a_draw_from_going_on_is_said_on_its_page(site):
    draw = begun(site)
    clerk = site.voter(CLERK)
    said = text_of("no_lawful_panel", {"place": "draw"}, "zh")
    assert said not in clerk.open(f"/draws/{draw}").text
    site.run(site.store.write(lambda tx: drawing.note_stand(tx, draw, Stand("", 0), "no_lawful_panel"), site.clock.now()))
    assert said in clerk.open(f"/draws/{draw}").text


def canaries(site):
    """Every name, phone, employer and ID number of the library."""
    found = set()
    for line in read_library(site.hall.folder / "library.csv").records:
        found |= set(re.findall(r'"(?:name|phone|employer_name|id_number)":"([^"]{3,})"', line.decode()))
    assert len(found) > 300, len(found)
    return found


def drawn(site):
    """A draw whose people are drawn and told."""
    draw = begun(site)
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    assert site.run(hall.contribute()).waiting == "answers"
    return draw


def test_no_name_phone_or_employer_is_in_any_answer_before_the_unsealing(site):
    draw, secret = drawn(site), canaries(site)
    site.run(site.hall.answer(0))
    tags = {slot.tags[-1].hex() for slot in site.run(site.hall.project()).draw.slots if slot.tags}
    assert len(tags) == 6
    for name in (CLERK, APPROVER, SUPERVISOR, ARCHIVIST):
        visitor = site.voter(name)
        pages = ("/draws", f"/draws/{draw}", f"/draws/{draw}/screen", "/approvals", "/", "/api/draws", f"/api/draws/{draw}")
        for path in pages:
            text = visitor.open(path).text
            assert not [each for each in secret | tags if each in text], path
        proof = visitor.open(f"/draws/{draw}/proof.json").text  # tags are public in the proof, people are not
        assert not [each for each in secret if each in proof]


def test_a_closed_draw_is_on_the_public_page_and_its_proof_holds(site, tmp_path):
    drawn(site)
    hall = site.hall
    for slot in range(6):
        site.run(hall.answer(slot))
    assert site.run(hall.advance()).waiting == "check"
    site.run(hall.to_the_end(approvers=(id_of(SUPERVISOR), id_of(OTHER))))
    shown = ClosedProofs(site.store, ProofFiles(tmp_path))
    found = [each.name for each in site.run(shown.shown())]
    assert public_name(hall.tag) in found and "draw-keys" in found
    report = verify(Files(site.run(shown.file(public_name(hall.tag))), site.run(shown.file("draw-keys")), None))
    assert not report.failed
    text = site.voter(CLERK).open("/draws?state=closed").text
    assert hall.draw in text


def test_a_preparation_that_failed_says_why_and_begins_again(site):
    empty = "e" * 32
    row = {"id": empty, "code": "leer", "name": "空", "created_at": site.clock.now()}
    site.run(site.store.write(lambda tx: tx.insert("centre", row, "test"), site.clock.now()))
    actor = Actor(PersonId(id_of(CLERK)), AccountId(id_of("a" + CLERK)), frozenset({Grant(Role.DRAW_CLERK, empty)}), Level.STEPPED_UP, True)
    there = Caller(actor, None, Request(site.clock.now(), "127.0.0.1"))
    draw = site.run(draws.begin(site.desk, empty, site.request().encode(), there))
    for _ in range(100):
        page = site.run(draws.show(site.desk, draw, there))
        if page.due.code == "failed":
            break
        time.sleep(0.05)
    assert (page.due.code, page.due.who, page.keeper.fault) == ("failed", "draw_clerk", "library_empty")
    assert site.run(draws.proceed(site.desk, draw, there)).waiting == "preparing"
    assert site.voter(CLERK).get(f"/draws/{draw}").status == 404  # another centre's


def test_of_two_who_press_at_once_nobody_makes_a_second_event(site):
    text = site.request().encode()
    draw = site.run(draws.begin(site.desk, CENTRE, text, caller(site, CLERK)))
    site.run(site.hall.follow(draw))
    site.run(site.hall.ready())

    async def both():
        who = caller(site, CLERK)
        return await asyncio.gather(*(draws.proceed(site.desk, draw, who) for _ in range(4)))

    assert {each.waiting for each in site.run(both())} == {"attestation"}
    assert [each.type for each in site.run(site.hall.events())] == ["opened"]


def test_a_stream_says_the_page_s_mark_and_again_when_it_changes(site):
    draw = begun(site)
    clerk = site.voter(CLERK)
    shown = re.search(r'data-mark="([0-9a-f]{16})"', clerk.open(f"/draws/{draw}").text)[1]
    cookies = "; ".join(f"{name}={value}" for name, value in clerk.cookies.items())
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as raw:
        raw.sendall(f"GET /draws/{draw}/updates HTTP/1.1\r\nHost: {site.host}\r\nCookie: {cookies}\r\n\r\n".encode())
        said = b""
        while shown.encode() not in said:
            said += raw.recv(65_536)
        assert clerk.post(f"/draws/{draw}/start", (("reason", "按计划"),)).status == 303
        while said.count(b"event: mark") < 2:
            said += raw.recv(65_536)
    assert len(set(re.findall(rb'"mark": "([0-9a-f]{16})"', said))) == 2


def test_a_second_draw_of_a_project_is_refused_while_the_first_runs(site):
    text = site.request().encode()
    first = site.run(draws.begin(site.desk, CENTRE, text, caller(site, CLERK)))
    with pytest.raises(Refused, match="draw_runs"):
        site.run(draws.begin(site.desk, CENTRE, text, caller(site, CLERK)))
    site.run(site.hall.follow(first))
    site.run(site.hall.ready())
    with pytest.raises(Refused, match="draw_runs"):
        site.run(draws.begin(site.desk, CENTRE, text, caller(site, CLERK)))


def test_a_draw_that_is_not_there_is_not_found(site):
    clerk = site.voter(CLERK)
    for path in (f"/draws/{'0' * 32}", f"/draws/{'0' * 32}/screen", f"/draws/{'0' * 32}/proof.json"):
        assert clerk.get(path).status == 404


def test_a_trading_system_hands_in_a_request_and_reads_where_the_draw_stands(site):
    clerk = site.voter(CLERK)
    headers = {"Content-Type": "application/json", "X-CSRF-Token": clerk.token}

    def ask(text, **more):
        return clerk.post("/api/draws", raw=json.dumps({"centre": CENTRE, "request": text, **more}).encode(), **headers)

    unlawful = json.loads(ask(site.request(instead={"representatives = 2": "representatives = 1"})).body)
    assert "C1" in json.dumps(unlawful), unlawful
    text = site.request()
    answer = ask(text, dry_run=True)
    assert answer.status == 200, answer.text
    made = json.loads(answer.body)["id"]
    assert "draw_runs" in ask(text).text
    site.run(site.hall.follow(made))
    site.run(site.hall.ready())
    found = json.loads(clerk.get(f"/api/draws/{made}").body)
    assert (found["phase"], found["waiting"], found["who"], found["dry_run"]) == ("new", "to_open", "draw_clerk", True)
    assert made in [each["id"] for each in json.loads(clerk.get("/api/draws").body)["draws"]]
    page = clerk.open(f"/draws/{made}").text
    assert "watermark" in page and "watermark" in clerk.open(f"/draws/{made}/screen").text
