"""The result notice: who records it and when, once and for good; whose names the notice has."""

from __future__ import annotations

import json

import pytest

from drawing.errors import Refused
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.sign_in import Request
from server.printing import documents
from server.printing.facts import Person, anonymous
from server.services import papers, publication
from server.services.desk import Caller
from tests.server.desk.site import id_of, problem
from tests.server.desk.test_api import call
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import begun, caller
from tests.server.draws.test_oversight import requested

NOTICE = "GX-2026-118"


def closed(site, draw):
    """From its commit, which waits, to the end."""
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    site.run(hall.contribute())
    for slot in range(6):
        site.run(hall.answer(slot))
    assert site.run(hall.advance()).waiting == "check"
    site.run(hall.to_the_end(approvers=(id_of(SUPERVISOR), id_of(OTHER))))
    return draw


def evaluated(site, draw):
    """The evaluation has begun."""

    async def at():
        async with site.store.reading() as tx:
            return (await tx.get("draw", draw))["evaluation_at"]

    site.house.move_clock(max(0, site.run(at()) - site.hall.now()))


def test_a_clerk_records_it_once_after_the_evaluation_began(site):
    draw = closed(site, requested(site, site.request()))
    path, clerk = f"/draws/{draw}/publication", site.voter(CLERK)
    assert path in clerk.open(f"/draws/{draw}").text
    text = clerk.open(path).text
    assert "招标投标法 第三十七条" in text and 'name="notice"' not in text
    early = clerk.post(path, (("notice", NOTICE),))
    assert early.status == 422 and "公告发布后登记" in problem(early), problem(early)
    evaluated(site, draw)
    clerk = site.voter(CLERK)
    assert 'name="notice"' in clerk.open(path).text
    for wrong in ("", "  ", "x" * 201):
        assert clerk.post(path, (("notice", wrong),)).status == 422
    assert clerk.post(path, (("notice", NOTICE),)).status == 303
    text = clerk.open(path).text
    assert NOTICE in text and 'name="notice"' not in text
    assert clerk.post(path, (("notice", NOTICE),)).status == 303  # sent twice
    other = clerk.post(path, (("notice", "another"),))
    assert other.status == 422 and NOTICE in problem(other), problem(other)
    supervisor = site.voter(SUPERVISOR)
    assert NOTICE in supervisor.open(path).text
    assert supervisor.post(path, (("notice", NOTICE),)).status == 403
    found = site.run(publication.of_draw(site.desk, draw, caller(site, ARCHIVIST)))
    assert (found.notice, found.rule.names, found.published_at > 0) == (NOTICE, False, True)


def test_a_trading_system_records_it_with_its_token_and_only_in_its_centre(site):
    draw = closed(site, requested(site, site.request()))
    evaluated(site, draw)
    path = f"/api/draws/{draw}/publication"
    other = {"id": "d" * 32, "code": "other", "name": "他", "created_at": site.clock.now()}
    site.run(site.store.write(lambda tx: tx.insert("centre", other, "test"), site.clock.now()))
    stranger = site.run(site.hall.service_token("draw.published", role=Role.DRAW_CLERK, centre="d" * 32))
    assert call(site, "POST", path, stranger, {"notice": NOTICE})[0] == 404
    reader = site.run(site.hall.service_token("draw.read", role=Role.DRAW_CLERK))
    assert call(site, "POST", path, reader, {"notice": NOTICE})[0] == 403
    secret = site.run(site.hall.service_token("draw.published", role=Role.DRAW_CLERK))
    assert call(site, "POST", path, secret, {"notice": ""})[0] == 422
    status, first = call(site, "POST", path, secret, {"notice": NOTICE})
    assert status == 200, first
    assert first["notice"] == NOTICE
    site.house.move_clock(60)
    assert call(site, "POST", path, secret, {"notice": NOTICE}) == (200, first)
    status, told = call(site, "POST", path, secret, {"notice": "another"})
    assert status == 422 and NOTICE in json.dumps(told), told


def test_neither_a_draw_that_runs_nor_an_exercise_has_one(site):
    draw = begun(site)
    with pytest.raises(Refused, match="result_too_early"):
        site.run(publication.record(site.desk, draw, NOTICE, caller(site, CLERK)))

    async def exercise(tx):
        row = await tx.get("draw", draw)
        await tx.change("draw", draw, {"dry_run": 1}, "test", row["version"])

    site.run(site.store.write(exercise, site.clock.now()))
    with pytest.raises(Refused, match="exercise_without_notice"):
        site.run(publication.record(site.desk, draw, NOTICE, caller(site, CLERK)))
    actor = Actor(PersonId("f" * 32), AccountId("e" * 32), frozenset({Grant(Role.DRAW_CLERK, "d" * 32)}), Level.FULL, passkey=True)
    with pytest.raises(Refused, match="not_found"):
        site.run(publication.record(site.desk, draw, NOTICE, Caller(actor, None, Request(site.clock.now(), "127.0.0.1"))))


def test_the_list_for_the_notice_is_printed_where_the_law_wants_names_and_marks_who_was_chosen(site):
    draw = closed(site, requested(site, site.request()))
    facts = site.run(papers.facts(site.desk, draw, site.origin))
    with pytest.raises(Refused, match="names_stay_secret"):
        site.run(papers.named_paper(site.desk, draw, "publication", "zh", site.origin, "公告", caller(site, SUPERVISOR)))
    publication.check_list("ZFCG", facts.evaluation_at, facts.evaluation_at)
    with pytest.raises(Refused, match="not_yet"):
        publication.check_list("ZFCG", facts.evaluation_at, facts.evaluation_at - 1)
    fields = {name: getattr(facts, name) for name in type(facts).__dataclass_fields__}
    people = [Person(0, 0, 0, False, "accepted", "", known=True, name="甲某某", phone="13900000001")]
    people += [
        Person(1, 0, 0, False, "appointed", "", known=True, name="乙某某"),
        Person(2, 0, 0, False, "left", "", known=True, name="丙某某"),
    ]
    said = repr(documents.made("publication", type(facts)(**{**fields, "regime": "ZFCG", "people": tuple(people)}), "zh").value())
    assert "甲某某" in said and "乙某某" in said and said.count("自行选定") == 1
    assert "丙某某" not in said and "13900000001" not in said
    sealed = repr(documents.made("publication", type(facts)(**{**fields, "people": anonymous(facts.draw)}), "zh").value())
    assert "某" not in sealed
