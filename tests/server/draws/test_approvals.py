"""What people approve of a draw: drafts, in the inbox, with passkeys; the keeper counts the same approval."""

from __future__ import annotations

from itertools import product

import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from server.auth.model import AccountId, Actor, Grant, Level, PersonId, Role
from server.auth.permissions import TABLE
from server.auth.sign_in import Request
from server.keeper import rules
from server.services import draw_approvals, draws
from server.services.desk import Caller
from server.services.draw_approvals import WAITING
from tests.server.desk.site import CENTRE, id_of
from tests.server.draws.site import APPROVER, CLERK, OTHER, PEOPLE, SUPERVISOR


def caller(site, name):
    """Somebody who confirmed just now."""
    grants = frozenset({Grant(PEOPLE[name], CENTRE)})
    actor = Actor(PersonId(id_of(name)), AccountId(id_of("a" + name)), grants, Level.STEPPED_UP, passkey=True)
    return Caller(actor, None, Request(site.clock.now(), "127.0.0.1"))


def begun(site):
    """A draw whose commit waits for approval and signature."""
    hall = site.hall
    text = site.request()
    draw = site.run(draws.begin(site.desk, CENTRE, text.encode(), caller(site, CLERK)))
    site.run(hall.follow(draw))
    site.run(hall.ready())
    site.run(hall.attest())
    assert site.run(hall.advance()).draft == "committed"
    return draw


def signed(site, draw, kind, key):
    event = site.run(site.hall.draft(kind))
    signature = key.sign(event.payload)
    return site.run(draws.sign(site.desk, draw, kind, key.name, signature, None, caller(site, SUPERVISOR)))


def test_whoever_may_approve_on_the_page_is_enough_for_the_keeper():
    for each in WAITING.values():
        row = TABLE[each.permission]
        assert len(row.approvals) == 2
        for roles in product(*row.approvals):
            by = {str(n): rules.Grants((rules.Grant("c", role.value),)) for n, role in enumerate(roles)}
            assert rules.enough(each.keeper, "c", by), (each, roles)


def test_an_approved_commit_goes_in_with_the_supervisors_signature(site):
    draw = begun(site)
    asked = site.run(draw_approvals.propose(site.desk, draw, "committed", "按计划", caller(site, CLERK)))
    with pytest.raises(Refused, match="draft_asked"):
        site.run(draw_approvals.propose(site.desk, draw, "committed", "再次", caller(site, CLERK)))
    page = site.run(draws.show(site.desk, draw, caller(site, CLERK)))
    assert page.drafts[0].asked.proposal == asked and page.drafts[0].asked.state == "open"
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name).status == 303
    page = site.run(draws.show(site.desk, draw, caller(site, CLERK)))
    assert page.drafts[0].asked.state == "given" and set(page.drafts[0].asked.by) == {APPROVER, SUPERVISOR}
    assert signed(site, draw, "committed", site.hall.supervisors[0]).waiting == "contribution"


def test_a_signature_that_comes_first_waits_for_the_last_vote(site):
    draw = begun(site)
    assert signed(site, draw, "committed", site.hall.supervisors[0]).draft == "committed"
    site.run(draw_approvals.propose(site.desk, draw, "committed", "按计划", caller(site, CLERK)))
    for name in (APPROVER, SUPERVISOR):
        assert site.run(draws.show(site.desk, draw, caller(site, CLERK))).draw.phase is Phase.ATTESTED
        assert site.voter(name).vote(name).status == 303
    assert site.run(draws.show(site.desk, draw, caller(site, CLERK))).draw.phase is Phase.COMMITTED


def test_a_draft_that_changed_voids_its_approval(site):
    draw = begun(site)
    site.run(draw_approvals.ask_to_cancel(site.desk, draw, "incomplete", "资料不全", caller(site, CLERK)))
    first = site.run(site.hall.draft("abandoned"))
    for name in (APPROVER, SUPERVISOR):
        assert site.voter(name).vote(name).status == 303

    async def replaced(tx):
        await tx.remove("draft", draw=draw, type="abandoned")

    site.run(site.store.write(replaced, site.clock.now()))
    site.run(draw_approvals.ask_to_cancel(site.desk, draw, "cancelled", "另一理由", caller(site, CLERK)))
    second = site.run(site.hall.draft("abandoned"))
    assert first.body != second.body
    assert signed(site, draw, "abandoned", site.hall.supervisors[1]).draft == "abandoned"  # nobody approved this one
    for name in (APPROVER, OTHER):
        assert site.voter(name).vote(name).status == 303
    page = site.run(draws.show(site.desk, draw, caller(site, CLERK)))
    assert page.draw.phase is Phase.ABANDONED


def test_nobody_of_another_centre_and_no_approver_asks(site):
    draw = begun(site)
    with pytest.raises(Refused, match="not_your_role"):
        site.run(draw_approvals.propose(site.desk, draw, "committed", "x", caller(site, APPROVER)))
    with pytest.raises(Refused, match="no_such_draft"):
        site.run(draw_approvals.propose(site.desk, draw, "extended", "x", caller(site, CLERK)))
    stranger = Actor(PersonId("f" * 32), AccountId("e" * 32), frozenset({Grant(Role.DRAW_CLERK, "d" * 32)}), Level.STEPPED_UP, passkey=True)
    with pytest.raises(Refused, match="not_found"):
        site.run(draw_approvals.propose(site.desk, draw, "committed", "x", Caller(stranger, None, Request(site.clock.now(), "127.0.0.1"))))
