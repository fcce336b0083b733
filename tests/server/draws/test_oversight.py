"""The supervisor's desk: what waits, what was tried more than once, what the log lost; only of the centres that they supervise."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.proof import parse_proof
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.sign_in import Request
from server.evidence import read_evidence
from server.keeper import rules
from server.keeper.approved import destroy_digest
from server.keeper.draw_verbs import AskDrawState, DrawDestroy, DrawHold, DrawLift, DrawPrepare, DrawSaid
from server.services import complaints, draw_approvals, draws, oversight
from server.services.desk import Caller
from server.storage.frozen import Frozen
from server.workdays import SHANGHAI
from tests.server.desk.site import CENTRE, id_of, problem
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import caller, signed


def requested(site, text, *, dry_run=False):
    """A draw of this request, until its commit waits."""
    draw = site.run(draws.begin(site.desk, CENTRE, text.encode(), caller(site, CLERK), dry_run=dry_run))
    site.run(site.hall.follow(draw))
    site.run(site.hall.ready())
    site.run(site.hall.attest())
    assert site.run(site.hall.advance()).draft == "committed"
    return draw


def given_up(site, draw, why):
    """By a clerk, with two approvals and a supervisor's signature."""
    site.run(draw_approvals.ask_to_cancel(site.desk, draw, "incomplete", why, caller(site, CLERK)))
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name).status == 303
    signed(site, draw, "abandoned", site.hall.supervisors[0])


def desk(site, name=SUPERVISOR):
    return site.run(oversight.desk(site.desk, caller(site, name)))


def test_a_clerk_who_gives_up_and_begins_again_is_seen_on_the_desk_and_in_the_next_proof(site):
    text = site.request()
    first = requested(site, text)
    given_up(site, first, "资料不全，重新抽取")
    site.house.move_clock(5)
    second = requested(site, text)
    page = site.run(draws.show(site.desk, second, caller(site, SUPERVISOR)))
    (history,) = [each for each in desk(site).histories if each.number == page.number]
    assert [(each.number, each.draw, each.phase) for each in history.attempts] == [(1, first, Phase.ABANDONED), (2, second, Phase.ATTESTED)]
    assert (history.attempts[0].reason, history.attempts[0].why, history.attempts[0].by) == ("incomplete", "资料不全，重新抽取", CLERK)
    assert history.attempts[1].reason == ""
    proof = parse_proof(site.run(site.hall.proof()))
    assert {each.event.head.attempt for each in proof.events} == {1, 2}
    text = site.voter(SUPERVISOR).open("/supervision").text
    assert "资料不全，重新抽取" in text and page.number in text
    shown = json.loads(site.voter(SUPERVISOR).open("/api/supervision/desk").body)
    (found,) = [each for each in shown["histories"] if each["project"] == page.number]
    assert [(each["attempt"], each["phase"], each["reason"]) for each in found["attempts"]] == [
        (1, "abandoned", "incomplete"),
        (2, "attested", ""),
    ]
    assert second in [each["draw"] for each in shown["live"]]


def test_a_reason_that_is_not_the_one_whose_digest_the_log_has_is_not_shown(site):
    draw = requested(site, site.request())
    given_up(site, draw, "真实理由")

    async def rewritten(tx):
        row = (await tx.all("approval", action="draw.cancel", order=["-asked_at"], limit=1))[0]
        await tx.change("approval", row["id"], {"why": "别的理由"}, "test", row["version"])

    site.run(site.store.write(rewritten, site.clock.now()))
    (attempt,) = [one for each in desk(site).histories for one in each.attempts if one.draw == draw]
    assert (attempt.reason, attempt.why) == ("incomplete", "")


def test_what_waits_for_a_supervisor_waits_on_their_desk_until_they_have_voted(site):
    draw = requested(site, site.request())
    asked = site.run(draw_approvals.propose(site.desk, draw, "committed", "按计划", caller(site, CLERK)))

    def waits(name):
        return asked in [each.proposal.id for each in desk(site, name).waiting]

    assert waits(SUPERVISOR) and waits(OTHER)
    assert site.voter(SUPERVISOR).vote(SUPERVISOR).status == 303
    assert not waits(SUPERVISOR)
    (live,) = [each for each in desk(site).live if each.draw == draw]
    assert (live.due.code, live.due.who, live.stoppable) == ("approve", "approver", False)
    assert site.voter(APPROVER).vote(APPROVER).status == 303
    signed(site, draw, "committed", site.hall.supervisors[0])
    (live,) = [each for each in desk(site).live if each.draw == draw]
    assert (live.due.code, live.phase, live.stoppable) == ("contribute", Phase.COMMITTED, True)
    assert f"/draws/{draw}/stop" in site.voter(SUPERVISOR).open("/supervision").text


def test_a_supervisor_of_another_centre_sees_none_of_it_and_nobody_else_has_a_desk(site):
    grants = frozenset({Grant(Role.SUPERVISOR, "d" * 32), Grant(Role.DRAW_CLERK, CENTRE)})
    actor = Actor(PersonId("f" * 32), AccountId("e" * 32), grants, Level.STEPPED_UP, passkey=True)
    found = site.run(oversight.desk(site.desk, Caller(actor, None, Request(site.clock.now(), "127.0.0.1"))))
    assert (found.waiting, found.live, found.histories, found.closed) == ((), (), (), ())
    with pytest.raises(Refused, match="not_your_role"):
        desk(site, CLERK)
    assert site.voter(CLERK).get("/supervision").status == 403


def test_a_closed_draw_is_there_with_its_proof_evidence_and_record(site):
    draw = requested(site, site.request())
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    site.run(hall.contribute())
    for slot in range(6):
        site.run(hall.answer(slot))
    assert site.run(hall.advance()).waiting == "check"
    site.run(hall.to_the_end(approvers=(id_of(SUPERVISOR), id_of(OTHER))))
    (closed,) = [each for each in desk(site).closed if each.draw == draw]
    assert closed.attempts == 1
    text = site.voter(SUPERVISOR).open("/supervision").text
    for part in ("proof.json", "evidence.zip", "record.pdf"):
        assert f"/draws/{draw}/{part}" in text


def test_a_new_epoch_after_an_older_copy_is_on_the_desk_with_its_approvers_and_in_the_next_proof(site):
    draw = requested(site, site.request())
    size = site.run(head(site)).size
    frozen = Frozen("log_behind_witness", "notary.example/witness", size, size + 30, site.clock.now())
    site.run(site.store.write(lambda tx: tx.freeze(frozen), site.clock.now()))
    assert desk(site).epochs == ()
    asker = site.voter("sun.xitong")
    asker.open("/approvals")
    assert asker.post("/approvals/epoch", (("reason", "主机损毁"),)).status == 303
    for name in ("an.quan", "shen.ji"):
        assert site.voter(name).vote(name, "epoch-2").status == 303
    (epoch,) = desk(site).epochs
    assert (epoch.origin, epoch.before) == ("lotroom.test/log/epoch-2", "lotroom.test/log")
    assert (epoch.size, epoch.seen, epoch.why) == (size, size + 30, "log_behind_witness")
    assert set(epoch.approved) == {id_of("an.quan"), id_of("shen.ji")}
    text = site.voter(SUPERVISOR).open("/supervision").text
    assert all(word in text for word in ("epoch-2", "an.quan", "shen.ji"))
    site.run(site.hall.follow(draw))
    site.run(site.hall.sign_draft("committed", "commit", site.hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    assert b"lotroom.test/log/epoch-2" in site.run(site.hall.proof())
    assert json.loads(site.voter(SUPERVISOR).open("/api/supervision/desk").body)["epochs"][0]["approved"] == ["an.quan", "shen.ji"]


async def head(site):
    async with site.store.reading() as tx:
        return await tx.head()


# Complaints -------------------------------------------------------------------------------------------------------------------------------------

WORDS = "投标人某某反映抽取过程有异常"


def complained(site, draw, name=SUPERVISOR):
    """Filed on the page; its row."""
    visitor = site.voter(name)
    visitor.open(f"/draws/{draw}/complaints")
    answer = visitor.post(f"/draws/{draw}/complaints", (("reason", WORDS),))
    assert answer.status == 303, problem(answer)

    async def read():
        async with site.store.reading() as tx:
            return (await tx.all("complaint", draw=draw, order=["-filed_at"]))[0]

    return site.run(read())


def destruction(site, draw, archivist=ARCHIVIST, centre=CENTRE):
    """Approved by an archivist and the audit administrator, as the keeper asks."""
    subject = site.house.subject("retention", f"files:{draw}", destroy_digest(draw), centre)
    for name in (archivist, "shen.ji"):
        site.run(site.house.approve(site.keeper, subject, id_of(name)))
    return site.keeper.ask(DrawDestroy(subject.id, draw))


def stranger(site):
    """An archivist of another centre."""
    name = "bie.chu"
    site.settle(name, passkey=True)
    site.house.people[id_of(name)] = site.keys[name]
    grants = rules.Grants((rules.Grant("d" * 32, "archivist"),))
    site.run(site._approved("grant", id_of(name), rules.grant_digest(id_of(name), grants), ("an.quan", "shen.ji"), grants))
    return name


def files(site, draw):
    return list((site.house.folder / "draws" / draw).glob("*"))


def test_a_complaint_freezes_the_files_until_two_people_lift_it_and_the_keeper_itself_refuses_before(site):
    draw = requested(site, site.request(), dry_run=True)  # an exercise: nothing but the complaint keeps its files
    with pytest.raises(Refused, match="draw_not_over"):
        site.run(destruction(site, draw))
    given_up(site, draw, "资料不全")
    row = complained(site, draw)
    assert files(site, draw)
    with pytest.raises(Refused, match="draw_on_hold"):
        site.run(destruction(site, draw))
    with pytest.raises(Refused, match="not_approved"):
        site.run(site.keeper.ask(DrawLift(bytes(32), row["id"], draw)))
    archivist = site.voter(ARCHIVIST)
    archivist.open(f"/draws/{draw}/complaints")
    assert archivist.post(f"/draws/{draw}/complaints/lift", (("complaint", row["id"]), ("why", ""))).status == 422
    assert archivist.post(f"/draws/{draw}/complaints/lift", (("complaint", row["id"]), ("why", "处理完毕"))).status == 303
    again = archivist.post(f"/draws/{draw}/complaints/lift", (("complaint", row["id"]), ("why", "处理完毕")))
    assert again.status == 422 and "批准" in problem(again)
    assert site.voter(APPROVER).vote(APPROVER).status == 303
    with pytest.raises(Refused, match="draw_on_hold"):
        site.run(destruction(site, draw))
    assert site.voter(OTHER).vote(OTHER).status == 303
    assert "已解除" in site.voter(SUPERVISOR).open(f"/draws/{draw}/complaints").text
    assert draw not in [each.draw for each in desk(site).complaints]
    with pytest.raises(Refused, match="not_approved"):  # by people of another centre
        site.run(destruction(site, draw, stranger(site), "d" * 32))
    site.run(destruction(site, draw))
    assert not files(site, draw)
    for asked in (AskDrawState(draw), DrawPrepare(draw)):
        with pytest.raises(Refused, match="files_destroyed"):
            site.run(site.keeper.ask(asked))
    told = [json.loads(each)["event"] for each in leaves(site) if draw.encode() in each and b'"event":"draw_' in each]
    assert told == ["draw_held", "draw_hold_lifted", "draw_files_destroyed"]
    assert site.voter(CLERK).open(f"/draws/{draw}").status == 200


def leaves(site):
    async def read():
        async with site.store.reading() as tx:
            return [bytes(each["leaf"]) for each in await tx.all("log_leaf", order=["leaf_index"], limit=100_000)]

    return site.run(read())


def test_a_complaint_is_in_the_log_without_its_words_on_the_desk_and_in_the_evidence(site):
    draw = requested(site, site.request())
    row = complained(site, draw)
    leaf = leaves(site)[row["leaf_index"]]
    digest = complaints.paper_digest(bytes(row["paper_salt"]), WORDS)
    assert json.loads(leaf) == {
        "at": row["filed_at"],
        "complaint": row["id"],
        "digest": digest.hex(),
        "draw": draw,
        "event": "complaint_filed",
    }
    assert not [each for each in leaves(site) if WORDS.encode() in each]
    supervisor, clerk = site.voter(SUPERVISOR), site.voter(CLERK)
    assert f"/draws/{draw}/complaints" in supervisor.open(f"/draws/{draw}").text
    assert draw in [each.draw for each in desk(site).complaints]
    assert f"/draws/{draw}/complaints" not in clerk.open(f"/draws/{draw}").text
    assert clerk.get(f"/draws/{draw}/complaints").status == 403
    clerk.open(f"/draws/{draw}")
    assert clerk.post(f"/draws/{draw}/complaints", (("reason", "x"),)).status == 403
    assert supervisor.post(f"/draws/{draw}/complaints", (("reason", " "),)).status == 422
    found = read_evidence(clerk.open(f"/draws/{draw}/evidence.zip").body)
    (told,) = json.loads(found["complaints.json"])["complaints"]
    assert (told["digest"], told["leaf_index"], told["lifted_at"]) == (digest.hex(), row["leaf_index"], 0)
    assert WORDS.encode() not in found["complaints.json"]


def test_nobody_but_a_supervisor_of_the_centre_holds_and_the_same_complaint_says_one_thing(site):
    draw = requested(site, site.request())
    made = "ab" * 16

    async def hold(name, digest):
        login = bytes(range(32))
        given = await site.house.login(site.keeper, id_of(name), login)
        await site.keeper.ask(DrawHold(made, digest, draw, login, given))

    with pytest.raises(Refused, match="not_entitled"):
        site.run(hold(APPROVER, bytes(32)))
    for _ in range(2):
        site.run(hold(SUPERVISOR, bytes(32)))
    with pytest.raises(Refused, match="complaint_differs"):
        site.run(hold(SUPERVISOR, bytes([1]) * 32))
    assert sum(made.encode() in each and b"draw_held" in each for each in leaves(site)) == 1


def test_the_deadline_is_the_thirtieth_working_day_and_a_calendar_that_is_missing_stops_nothing():
    filed = int(datetime(2026, 3, 2, 10, tzinfo=SHANGHAI).timestamp())
    assert complaints.decide_by(filed) == int(datetime(2026, 4, 15, tzinfo=SHANGHAI).timestamp())  # Qingming, 6 April, is off
    assert complaints.decide_by(int(datetime(2026, 12, 20, tzinfo=SHANGHAI).timestamp())) is None


# Figures ----------------------------------------------------------------------------------------------------------------------------------------


def counted(site):
    """What the programs' page says: (answer, group, name) -> (count, asked)."""
    found = json.loads(site.voter(SUPERVISOR).open("/api/supervision/figures").body)
    return {(box["answer"], box["group"], one["name"]): (one["count"], one["asked"]) for box in found["charts"] for one in box["figures"]}


def test_declines_and_silence_are_counted_apart_by_clerk_and_profession_once_a_draw_is_over(site):
    before = counted(site)
    requested(site, site.request())
    hall = site.hall
    site.run(hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=(id_of(APPROVER), id_of(SUPERVISOR))))
    site.run(hall.contribute())
    site.run(hall.answer(0, "left", "出差"))
    for slot in (1, 3, 4, 5):
        site.run(hall.answer(slot))
    site.house.move_clock(3600)  # the one in slot 2 says nothing
    site.run(hall.advance())
    assert counted(site) == before
    site.run(hall.refill())
    site.run(hall.to_the_end(approvers=(id_of(SUPERVISOR), id_of(OTHER))))
    after = counted(site)

    def more(*key):
        return tuple(new - old for new, old in zip(after[key], before.get(key, (0, 0)), strict=True))

    asked = more("left", "clerk", CLERK)[1]
    assert asked == 7  # six at first; one gap is the reserve's, one is drawn anew
    assert more("left", "clerk", CLERK) == more("no_answer", "clerk", CLERK) == (1, asked)
    assert more("left", "profession", "A0801") == more("no_answer", "profession", "A0801") == (1, asked - 2)
    assert more("left", "profession", "A0601") == (0, 2)
    told = [each for each in leaves(site) if b'"event":"read_figures"' in each]
    assert told and id_of(SUPERVISOR).encode() in told[-1]
    table = site.voter(SUPERVISOR).open("/supervision/statistics.csv").text
    assert f"left,clerk,{CLERK},{after['left', 'clerk', CLERK][0]},{after['left', 'clerk', CLERK][1]}," in table
    assert "A0801" in site.voter(SUPERVISOR).open("/supervision/statistics").text


def test_figures_are_for_supervisors_and_the_keeper_asks_whose_pass_it_is(site):
    assert site.voter(CLERK).get("/supervision/statistics").status == 403
    login = bytes(range(32))
    given = site.run(site.house.login(site.keeper, id_of(APPROVER), login))
    with pytest.raises(Refused, match="not_entitled"):
        site.run(site.keeper.ask(DrawSaid((site.hall.draw,), login, given)))
