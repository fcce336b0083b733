"""Destruction as a page: what is due, what a complaint freezes, two approvals, and what stays in the log; the keeper counts years and complaints itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest

from drawing.errors import Refused
from server.auth.model import Grant, Role
from server.keeper.approved import destroy_digest
from server.keeper.draw_verbs import AskDrawState, DrawDestroy
from server.retention import kept_until
from server.services import approvals, complaints, draws, matters, retention
from server.workdays import SHANGHAI
from tests.server.desk.site import CENTRE, id_of, problem
from tests.server.draws.site import APPROVER, ARCHIVIST, CLERK, OTHER, SUPERVISOR
from tests.server.draws.test_approvals import caller
from tests.server.draws.test_oversight import complained, files, given_up, leaves, requested

YEARS = 15


def exercise(site):
    """A dry run that is over."""
    draw = requested(site, site.request(), dry_run=True)
    given_up(site, draw, "演练结束")
    return draw


def kept(site, name=ARCHIVIST):
    return site.run(retention.show(site.desk, YEARS, caller(site, name)))


def ids(items):
    return [each.draw for each in items]


def asked(site, draw, name=ARCHIVIST, why="保存期满"):
    visitor = site.voter(name)
    visitor.open("/retention")
    return visitor.post(f"/draws/{draw}/destruction", (("reason", why),))


def test_fifteen_years_are_whole_days_in_shanghai_and_an_exercise_may_go_at_once():
    ended = int(datetime(2026, 3, 2, 10, tzinfo=SHANGHAI).timestamp())
    assert kept_until(ended, dry_run=False) == int(datetime(2041, 3, 3, tzinfo=SHANGHAI).timestamp())
    leap = int(datetime(2028, 2, 29, 23, tzinfo=SHANGHAI).timestamp())
    assert kept_until(leap, dry_run=False) == int(datetime(2043, 3, 2, tzinfo=SHANGHAI).timestamp())
    assert kept_until(leap, dry_run=False, years=20) == int(datetime(2048, 3, 2, tzinfo=SHANGHAI).timestamp())
    assert kept_until(ended, dry_run=True) == ended


def test_an_exercise_is_destroyed_with_two_approvals_and_the_log_and_the_page_say_so(site):
    draw = requested(site, site.request(), dry_run=True)
    assert draw not in ids(kept(site).due)  # it runs
    answer = asked(site, draw)
    assert answer.status == 422 and "尚未结束" in problem(answer)
    given_up(site, draw, "演练结束")
    assert draw in ids(kept(site).due)
    empty = asked(site, draw, why=" ")
    assert empty.status == 422 and 'href="#reason"' in empty.text and empty.text.count('aria-invalid="true"') == 1
    assert asked(site, draw).status == 303
    again = asked(site, draw)
    assert again.status == 422 and "批准" in problem(again)
    (item,) = [each for each in kept(site).due if each.draw == draw]
    assert item.asked and files(site, draw)
    assert site.voter(APPROVER).vote(APPROVER, "销毁").status == 303
    assert files(site, draw)
    (mine,) = [
        each for each in site.run(approvals.inbox(site.desk, caller(site, ARCHIVIST)))[0] if each.proposal.action == retention.DESTROY
    ]
    assert mine.mine and mine.why_not == "own_approval"  # whoever asked does not vote
    assert site.voter(SUPERVISOR).vote(SUPERVISOR, "销毁").status == 303
    assert not files(site, draw)
    with pytest.raises(Refused, match="files_destroyed"):
        site.run(site.keeper.ask(AskDrawState(draw)))
    found = kept(site)
    (item,) = [each for each in found.destroyed if each.draw == draw]
    assert draw not in ids(found.due) and set(item.by) == {APPROVER, SUPERVISOR}
    told = leaves(site)
    leaf = json.loads(told[item.leaf])
    assert (leaf["event"], leaf["draw"], leaf["at"]) == ("destruction_recorded", draw, item.destroyed_at)
    assert [
        json.loads(each)["event"]
        for each in told
        if draw.encode() in each and b"destr" in each and b'"event":"row' not in each and b'"table"' not in each
    ] == [
        "draw_files_destroyed",
        "destruction_recorded",
    ]
    text = site.voter(ARCHIVIST).open("/retention").text
    assert APPROVER in text and f"{item.leaf:,}" in text
    assert "密封文件已销毁" in site.voter(CLERK).open(f"/draws/{draw}").text
    with pytest.raises(Refused, match="files_destroyed"):
        site.run(retention.ask(site.desk, draw, "x", YEARS, caller(site, ARCHIVIST)))


def test_a_draw_that_counts_is_kept_for_fifteen_years_and_the_keeper_itself_refuses_before(site):
    draw = requested(site, site.request())
    given_up(site, draw, "资料不全")
    found = kept(site)
    assert draw not in ids((*found.due, *found.later, *found.frozen)) and found.young >= 1
    with pytest.raises(Refused, match="retention_runs"):
        site.run(retention.ask(site.desk, draw, "保存期满", YEARS, caller(site, ARCHIVIST)))
    subject = site.house.subject("retention", f"files:{draw}", destroy_digest(draw), CENTRE)
    for name in (ARCHIVIST, SUPERVISOR):
        site.run(site.house.approve(site.keeper, subject, id_of(name)))
    with pytest.raises(Refused, match="retention_runs"):
        site.run(site.keeper.ask(DrawDestroy(subject.id, draw)))
    assert files(site, draw)


def test_a_complaint_freezes_what_is_due_and_voids_an_approval_that_was_begun(site):
    draw = exercise(site)
    assert asked(site, draw).status == 303
    assert site.voter(APPROVER).vote(APPROVER, "销毁").status == 303
    row = complained(site, draw)
    found = kept(site)
    (item,) = [each for each in found.frozen if each.draw == draw]
    assert [each.id for each in item.held] == [row["id"]] and draw not in ids(found.due)
    text = site.voter(ARCHIVIST).open("/retention").text
    assert f"/draws/{draw}/complaints#c-{row['id']}" in text and f'action="/draws/{draw}/destruction"' not in text
    answer = asked(site, draw)
    assert answer.status == 422 and "冻结" in problem(answer)
    assert "已失效" in site.voter(SUPERVISOR).open("/approvals").text
    assert_no_card(site, "销毁")
    assert files(site, draw)
    site.run(complaints.ask_to_lift(site.desk, draw, row["id"], "处理完毕", caller(site, ARCHIVIST)))
    for name in (APPROVER, OTHER):
        assert site.voter(name).vote(name, "冻结").status == 303
    assert draw in ids(kept(site).due)
    assert_no_card(site, "销毁")  # what was approved before the complaint does not come to life again
    assert asked(site, draw).status == 303
    for name in (APPROVER, SUPERVISOR):
        assert files(site, draw)
        assert site.voter(name).vote(name, "销毁").status == 303
    assert not files(site, draw)


def assert_no_card(site, words):
    """No card that can be voted on has these words."""
    with pytest.raises(StopIteration):
        site.voter(SUPERVISOR).vote(SUPERVISOR, words)


def test_where_the_keeper_was_faster_than_the_row_the_last_vote_is_given_again(site):
    draw = exercise(site)
    asker = caller(site, APPROVER)  # an approver asks as well
    site.run(retention.ask(site.desk, draw, "保存期满", YEARS, asker))
    assert site.voter(ARCHIVIST).vote(ARCHIVIST, "销毁").status == 303
    real = retention.destroyed

    async def crash(*_):
        raise RuntimeError("killed")

    matters.retention.destroyed = crash
    try:
        assert site.voter("shen.ji").vote("shen.ji", "销毁").status == 500  # the audit administrator is the second
    finally:
        matters.retention.destroyed = real
    assert not files(site, draw) and draw in ids(kept(site).due)
    assert site.voter("shen.ji").vote("shen.ji", "销毁").status == 303
    (item,) = [each for each in kept(site).destroyed if each.draw == draw]
    assert set(item.by) == {ARCHIVIST, "shen.ji"}


def test_only_those_of_the_centre_see_it_and_a_clerk_or_supervisor_does_not_ask(site):
    draw = exercise(site)
    assert site.voter(CLERK).get("/retention").status == 403
    supervisor = site.voter(SUPERVISOR)
    assert f'action="/draws/{draw}/destruction"' not in supervisor.open("/retention").text
    assert supervisor.post(f"/draws/{draw}/destruction", (("reason", "x"),)).status == 403
    with pytest.raises(Refused, match="not_your_role"):
        site.run(retention.ask(site.desk, draw, "x", YEARS, caller(site, SUPERVISOR)))
    me = caller(site, ARCHIVIST)
    there = replace(me, actor=replace(me.actor, grants=frozenset({Grant(Role.ARCHIVIST, "d" * 32)})))
    found = site.run(retention.show(site.desk, YEARS, there))
    assert (found.due, found.frozen, found.later, found.destroyed, found.young) == ((), (), (), (), 0)
    with pytest.raises(Refused, match="not_found"):
        site.run(retention.ask(site.desk, draw, "x", YEARS, there))


def test_fifteen_years_later_it_is_due_and_goes(site):  # the last one here: the clock stays there
    draw = requested(site, site.request())
    given_up(site, draw, "资料不全")
    site.house.move_clock(YEARS * 366 * 86_400)
    assert draw in ids(kept(site).due)
    longer = site.run(retention.show(site.desk, YEARS + 5, caller(site, ARCHIVIST)))
    assert draw not in ids(longer.due)  # where the centre keeps them longer
    with pytest.raises(Refused, match="retention_runs"):
        site.run(retention.ask(site.desk, draw, "保存期满", YEARS + 5, caller(site, ARCHIVIST)))
    assert asked(site, draw).status == 303
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name, "销毁").status == 303
    assert not files(site, draw) and draw in ids(kept(site).destroyed)
    assert site.run(draws.proof(site.desk, draw, caller(site, CLERK)))[1]  # the proof is still there
