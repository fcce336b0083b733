"""An expert's own page: whose record it is two people decide and the keeper keeps; what it says of draws before and after their notices."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256

import pytest

from drawing.errors import Refused
from server.auth.model import Role
from server.keeper.approved import own_digest, own_object
from server.keeper.draw_verbs import DrawNames, DrawOwn
from server.keeper.rules import Subject
from server.keeper.verbs import At, ConnectExpert
from server.library.read_sheet import read_library
from server.request import parse_request
from server.services import publication
from server.why import why
from tests.server.desk.site import CENTRE, id_of, problem
from tests.server.draws.site import APPROVER, CLERK, SUPERVISOR
from tests.server.draws.test_approvals import caller
from tests.server.draws.test_oversight import requested
from tests.server.draws.test_publication import NOTICE, closed, evaluated

DRAWN, KEPT_OUT, OTHER = "zhang.drawn", "li.kept", "wang.other"
LOGIN = bytes(range(32))


@pytest.fixture(scope="module")
def world(site):
    """A closed draw of a known library; three experts with accounts: one drawn, one kept out, one neither. Nobody's record is connected yet."""
    text = site.request()
    draw = closed(site, requested(site, text))
    records = {sha256(each).hexdigest()[:32]: each for each in read_library(site.hall.folder / "library.csv").records}
    request = parse_request(text.encode(), "request", site.hall.now())
    drawn = {each.expert for each in site.run(names(site, draw))}
    kept_out = {each: found for each, record in records.items() if (found := reasons(record, request))}
    others = [each for each in records if each not in drawn and each not in kept_out]
    chosen = dict(zip((DRAWN, KEPT_OUT, OTHER), (min(drawn), min(kept_out), min(others)), strict=True))
    for name in chosen:
        site.settle(name, Role.EXPERT, passkey=True)
        site.house.people[id_of(name)] = site.keys[name]
    site.run(site.store.write(lambda tx: rows(tx, records), site.clock.now()))
    return draw, chosen, {name: json.loads(records[each]) for name, each in chosen.items()}, request


def reasons(record, request):
    return why([record], request, json.loads(record)["id_number"])


async def names(site, draw):
    token = await site.house.login(site.keeper, id_of(SUPERVISOR), LOGIN)
    return (await site.keeper.ask(DrawNames(site.hall.approved["unsealed"], draw, LOGIN, "核对", token))).people


async def rows(tx, records):
    for each in records:
        values = {"number_index": os.urandom(32), "record_digest": os.urandom(32), "status": "active", "added_at": tx.now}
        await tx.insert("expert", {"id": each, "centre": CENTRE, **values}, "test")


def connect(site, expert, name):
    """As the clerk asks for it and two approve."""
    clerk = site.voter(CLERK)
    assert 'name="account"' in clerk.open(f"/library/experts/{expert}").text
    answer = clerk.post(f"/library/experts/{expert}/connect", (("account", name),))
    assert answer.status == 303, problem(answer)
    for each in (APPROVER, SUPERVISOR):
        assert site.voter(each).vote(each, name).status == 303


@pytest.fixture(scope="module")
def connected(site, world):
    for name, expert in world[1].items():
        connect(site, expert, name)
    return world


def test_without_a_connection_the_page_says_how_to_get_one_and_a_forged_row_opens_nothing(site, world):
    _, chosen, records, _ = world
    visitor = site.voter(DRAWN)
    text = visitor.open("/me").text
    assert records[DRAWN]["name"] not in text and 'name="code"' not in text
    assert visitor.post("/me/avoid", (("name", "某某公司"),)).status == 404
    assert "record" not in json.loads(visitor.get("/me/data.json").body)

    async def forge(tx, person=id_of(DRAWN)):
        row = await tx.get("expert", chosen[DRAWN])
        await tx.change("expert", row["id"], {"person": person}, "test", row["version"])

    site.run(site.store.write(forge, site.clock.now()))
    text = visitor.open("/me").text
    assert records[DRAWN]["name"] not in text and 'name="code"' not in text
    site.run(site.store.write(lambda tx: forge(tx, None), site.clock.now()))


def test_only_an_expert_of_the_centre_is_connected_and_the_keeper_wants_both_approvals_of_exactly_this(site, world):
    _, chosen, _, _ = world
    clerk, path = site.voter(CLERK), f"/library/experts/{chosen[DRAWN]}/connect"
    clerk.open("/library")
    for wrong in ("", "nobody.here", APPROVER):
        answer = clerk.post(path, (("account", wrong),))
        assert answer.status == 422, wrong
    assert clerk.post(f"/library/experts/{'0' * 32}/connect", (("account", DRAWN),)).status == 404
    subject = Subject(
        "connect", CENTRE, own_digest(CENTRE, chosen[DRAWN], id_of(DRAWN)), site.clock.now() + 900, own_object(chosen[DRAWN], id_of(DRAWN))
    )
    site.run(site.house.approve(site.keeper, subject, id_of(APPROVER)))
    ask = ConnectExpert(subject.id, CENTRE, chosen[DRAWN], id_of(DRAWN))
    with pytest.raises(Refused, match="not_approved"):
        site.run(site.keeper.ask(ask))
    site.run(site.house.approve(site.keeper, subject, id_of(SUPERVISOR)))
    for other in (replace(ask, person=id_of(OTHER)), replace(ask, expert=chosen[OTHER])):
        with pytest.raises(Refused, match=r"subject_differs|not_approved"):
            site.run(site.keeper.ask(other))
    with pytest.raises(Refused, match="not_found"):
        site.run(site.keeper.ask(replace(ask, expert="0" * 32)))


def test_before_the_notice_all_pages_are_alike_and_after_it_each_says_what_is_true(site, connected):
    draw, _, records, request = connected
    visitors = {name: site.voter(name) for name in connected[1]}
    for name, visitor in visitors.items():
        text = visitor.open("/me").text
        assert records[name]["name"] in text and records[name]["phone"] in text
        assert draw not in text
    pages = [re.search("<main.*</main>", visitor.get(f"/me/draws/{draw}").text, re.DOTALL)[0] for visitor in visitors.values()]
    assert len({re.sub("[0-9a-f]{8,}", "", each) for each in pages}) == 1  # the number of the request differs
    assert {visitor.get(f"/me/draws/{draw}").status for visitor in visitors.values()} == {404}
    evaluated(site, draw)
    site.run(publication.record(site.desk, draw, NOTICE, caller(site, CLERK)))
    visitors = {name: site.voter(name) for name in connected[1]}
    texts = {}
    for name, visitor in visitors.items():
        assert f"/me/draws/{draw}" in visitor.open("/me").text
        texts[name] = visitor.open(f"/me/draws/{draw}").text
    assert "你被抽中并参加" in texts[DRAWN] and "未被抽中" in texts[OTHER]
    for each in why([json.dumps(records[KEPT_OUT]).encode()], request, records[KEPT_OUT]["id_number"]):
        assert each.zh in texts[KEPT_OUT] or each.code.startswith("P"), each
    chances = site.run(site.hall.project()).draw.commit.terms
    for name in (DRAWN, OTHER):
        exact = Fraction(re.search(r"<code>(\d+/\d+)</code>", texts[name])[1])
        assert Fraction(chances.chances.smallest, chances.total) <= exact <= Fraction(chances.chances.largest, chances.total)
    data = json.loads(visitors[KEPT_OUT].get("/me/data.json").body)
    assert data["record"]["id_number"] == records[KEPT_OUT]["id_number"]
    assert (data["account"]["name"], data["roles"]) == (KEPT_OUT, [{"centre": CENTRE, "role": "expert"}])
    (told,) = data["draws"]
    assert told["chance"].startswith("0/") and told["excluded"] and told["notice"] == NOTICE


def test_nobody_reads_another_ones_record_or_outcome(site, connected):
    draw, chosen, _, _ = connected

    async def asks(name, work):
        token = await site.house.login(site.keeper, id_of(name), LOGIN)
        return await work(token)

    async def read(token):
        return await site.keeper.open_fields(token, LOGIN, "own", [At("record", chosen[OTHER], "expert")])

    assert site.run(asks(OTHER, read))
    with pytest.raises(Refused, match="not_entitled"):
        site.run(asks(DRAWN, read))
    running = requested(site, site.request())

    def outcome(of):
        return lambda token: site.keeper.ask(DrawOwn(of, LOGIN, token))

    with pytest.raises(Refused, match="not_yet"):
        site.run(asks(DRAWN, outcome(running)))
    for name in (CLERK, SUPERVISOR):
        with pytest.raises(Refused, match="not_entitled"):
            site.run(asks(name, outcome(draw)))
        assert site.voter(name).get("/me").status == 403


def test_employers_and_leave_are_changed_by_oneself_and_the_next_draw_sees_them(site, connected):
    _, _, records, request = connected
    visitor, rival = site.voter(OTHER), request.values["parties"][0]["name"]
    visitor.open("/me")
    for field, wrong in (("name", ""), ("name", "a|b公司"), ("code", "123")):
        fields = {"name": rival, "code": "", field: wrong}
        assert visitor.post("/me/avoid", tuple(fields.items())).status == 422, (field, wrong)
    assert visitor.post("/me/avoid", (("name", rival), ("code", ""))).status == 303
    again = visitor.post("/me/avoid", (("name", rival), ("code", "")))
    assert again.status == 422 and "已有相同内容" in problem(again)
    for since, until in (("2020-01-01", ""), ("2031-02-03", "2031-02-01"), ("2031-02-30", "")):
        assert visitor.post("/me/leave", (("since", since), ("until", until))).status == 422, since
    assert visitor.post("/me/leave", (("since", "2031-02-03"), ("until", "2031-02-07"))).status == 303
    record = json.loads(visitor.get("/me/data.json").body)["record"]
    assert record["leave"][-1] == {"from": "2031-02-03", "to": "2031-02-07"}
    assert {**record, "avoid": [], "leave": []} == {**records[OTHER], "avoid": [], "leave": []}
    assert "H1" in {each.code for each in why([json.dumps(record).encode()], request, record["id_number"])}
    number = str(len(record["avoid"]) - 1)
    assert visitor.post("/me/remove", (("kind", "avoid"), ("number", number), ("entry", "other"))).status == 422
    assert visitor.post("/me/remove", (("kind", "avoid"), ("number", number), ("entry", f"{rival}|"))).status == 303
    assert json.loads(visitor.get("/me/data.json").body)["record"]["avoid"] == record["avoid"][:-1]
