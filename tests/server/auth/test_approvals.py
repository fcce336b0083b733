"""Approvals: two different persons of the right roles, about exactly this version, once; a machine plays against a plain ledger of votes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drawing.errors import Refused
from server.auth.approvals import (
    CRITICAL,
    LONGEST_LIFE,
    Outcome,
    Proposal,
    ProposalId,
    decide,
    propose,
    roles_for,
    to_sign,
    use,
    void,
    vote,
)
from server.auth.model import EVERYWHERE, AccountId, Actor, CentreId, Grant, Level, PersonId, Role, Thing
from server.auth.permissions import TABLE, require
from tests.conftest import counts

HERE, THERE = CentreId("1" * 32), CentreId("2" * 32)
SUBJECT, CHANGED = sha256(b"one").digest(), sha256(b"two").digest()
EVIDENCE = bytes(32)
NOW = 1_000


def actor(name: str, *roles: Role, centre: CentreId = HERE, account: str = "", until: int = 0, passkey: bool = True) -> Actor:
    grants = frozenset(Grant(role, centre, 0, until) for role in roles)
    return Actor(PersonId(name), AccountId(account or name), grants, Level.STEPPED_UP, passkey)


CLERK = actor("clerk", Role.DRAW_CLERK)
APPROVER = actor("approver", Role.APPROVER)
SUPERVISOR = actor("supervisor", Role.SUPERVISOR)
BOTH = actor("both", Role.APPROVER, Role.SUPERVISOR, Role.DRAW_CLERK)
SYSTEM = actor("system", Role.SYSTEM_ADMIN, centre=EVERYWHERE)
SECURITY = actor("security", Role.SECURITY_ADMIN, centre=EVERYWHERE)
AUDIT = actor("audit", Role.AUDIT_ADMIN, centre=EVERYWHERE)
EVERYONE = (CLERK, APPROVER, SUPERVISOR, BOTH, SYSTEM, SECURITY, AUDIT)
THING = Thing(HERE, None, SUBJECT)


def asked(action: str = "draw.start", by: Actor = CLERK, **more) -> Proposal:
    return propose(ProposalId("p" * 32), action, by, THING, NOW, **more)


def yes(proposal: Proposal, by: Actor, now: int = NOW + 1, subject: bytes = SUBJECT) -> Proposal:
    return vote(proposal, by, True, subject, now, EVIDENCE)


def held(proposal: Proposal, now: int = NOW + 2, *, people=EVERYONE) -> dict[PersonId, frozenset[Role]]:
    return {each.person: roles_for(proposal, each.grants, now) for each in people}


def outcome(proposal: Proposal, now: int = NOW + 2, subject: bytes = SUBJECT, **more) -> Outcome:
    return decide(proposal, subject, now, held(proposal, now, **more))


def refused(code: str, work, *args, **kwargs) -> None:
    with pytest.raises(Refused) as caught:
        work(*args, **kwargs)
    assert caught.value.code == code


def test_the_twelve_critical_actions_each_need_two_people_of_two_roles():
    assert len(CRITICAL) == 12
    for action in CRITICAL.values():
        needed = TABLE[action].approvals
        assert len(needed) >= 2
        assert len({role for one in needed for role in one}) >= 2


def test_two_of_the_roles_grant_and_the_action_may_be_done_once():
    proposal = asked()
    refused("approval_first", require, "draw.start", CLERK, THING, NOW, None)
    assert outcome(proposal) is Outcome.OPEN
    proposal = yes(proposal, APPROVER)
    assert outcome(proposal) is Outcome.OPEN
    proposal = yes(proposal, SUPERVISOR)
    assert outcome(proposal) is Outcome.GRANTED
    done, granted = use(proposal, SUBJECT, NOW + 3, held(proposal))
    require("draw.start", CLERK, THING, NOW + 3, granted)
    assert outcome(done) is Outcome.USED
    refused("approval_used", use, done, SUBJECT, NOW + 4, held(done))
    refused("approval_used", yes, done, BOTH)
    refused("approval_used", void, done, NOW + 5)
    refused("approval_void", require, "draw.start", CLERK, replace(THING, digest=CHANGED), NOW + 3, granted)
    refused("approval_expired", require, "draw.start", CLERK, THING, proposal.expires, granted)


def test_nobody_approves_what_they_asked_for_or_what_concerns_them():
    for proposal, person in [
        (asked(by=BOTH), BOTH),
        (asked(by=BOTH), replace(BOTH, account=AccountId("second account of the same person"))),
        (asked(concerns=[SUPERVISOR.person]), SUPERVISOR),
    ]:
        refused("own_approval", yes, proposal, person)
        forced = replace(yes(yes(proposal, APPROVER), actor("other", Role.SUPERVISOR)))
        sneaked = replace(forced, votes=(forced.votes[0], replace(forced.votes[1], person=person.person)))
        assert outcome(sneaked) is Outcome.OPEN  # even where such a vote got into the table
    refused("own_approval", yes, asked("people.grant_role", SYSTEM, concerns=[AUDIT.person]), AUDIT)


def test_the_same_person_under_two_accounts_is_one():
    proposal = yes(asked(), BOTH)
    refused("voted_already", yes, proposal, replace(BOTH, account=AccountId("two")))
    assert outcome(proposal) is Outcome.OPEN
    twice = replace(proposal, votes=(proposal.votes[0], replace(proposal.votes[0], account=AccountId("two"))))
    assert outcome(twice) is Outcome.OPEN


def test_one_person_with_both_roles_fills_one_place_and_the_order_does_not_matter():
    for first, second in [(BOTH, SUPERVISOR), (SUPERVISOR, BOTH), (APPROVER, BOTH), (BOTH, APPROVER)]:
        assert outcome(yes(yes(asked(), first), second)) is Outcome.GRANTED


def test_two_of_one_role_are_not_two_roles():
    proposal = yes(yes(asked(), APPROVER), actor("approver2", Role.APPROVER))
    assert outcome(proposal, people=(*EVERYONE, actor("approver2", Role.APPROVER))) is Outcome.OPEN
    admins = yes(yes(asked("people.grant_role", SYSTEM), SECURITY), actor("security2", Role.SECURITY_ADMIN, centre=EVERYWHERE))
    everyone = (*EVERYONE, actor("security2", Role.SECURITY_ADMIN, centre=EVERYWHERE))
    assert outcome(admins, people=everyone) is Outcome.OPEN
    assert outcome(yes(admins, AUDIT), people=everyone) is Outcome.GRANTED


def test_a_change_of_the_thing_voids_for_votes_and_for_use():
    proposal = yes(yes(asked(), APPROVER), SUPERVISOR)
    assert outcome(proposal, subject=CHANGED) is Outcome.VOID
    refused("approval_void", use, proposal, CHANGED, NOW + 2, held(proposal))
    refused("approval_void", yes, asked(), APPROVER, NOW, CHANGED)
    assert outcome(void(proposal, NOW + 2)) is Outcome.VOID
    refused("approval_void", yes, void(asked(), NOW + 2), APPROVER)


def test_it_expires_before_and_after_the_votes():
    proposal = yes(yes(asked(life=60), APPROVER), SUPERVISOR)
    assert outcome(proposal, NOW + 59) is Outcome.GRANTED
    assert outcome(proposal, NOW + 60) is Outcome.EXPIRED
    refused("approval_expired", use, proposal, SUBJECT, NOW + 60, held(proposal))
    refused("approval_expired", yes, asked(life=60), APPROVER, NOW + 60)
    for life in (0, -1, LONGEST_LIFE + 1):
        refused("approval_life", asked, life=life)


def test_one_who_disagrees_ends_it_and_says_why():
    proposal = yes(asked(), APPROVER)
    refused("reason_missing", vote, proposal, SUPERVISOR, False, SUBJECT, NOW + 1, EVIDENCE, "  ")
    refused("reason_missing", vote, proposal, SUPERVISOR, False, SUBJECT, NOW + 1, EVIDENCE, "x" * 501)
    proposal = vote(proposal, SUPERVISOR, False, SUBJECT, NOW + 1, EVIDENCE, "the pool is too small")
    assert outcome(proposal) is Outcome.REFUSED
    refused("approval_refused", yes, proposal, BOTH)
    refused("approval_refused", use, proposal, SUBJECT, NOW + 2, held(proposal))


def test_a_delegation_that_ended_takes_its_vote_with_it():
    deputy = actor("deputy", Role.SUPERVISOR, until=NOW + 10)
    proposal = yes(yes(asked(), APPROVER), deputy)
    people = (APPROVER, deputy)
    assert outcome(proposal, NOW + 9, people=people) is Outcome.GRANTED
    assert outcome(proposal, NOW + 10, people=people) is Outcome.OPEN
    assert outcome(proposal, NOW + 9, people=(APPROVER,)) is Outcome.OPEN  # the account was suspended
    refused("not_found", yes, asked(), deputy, NOW + 10)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (actor("x", Role.SUPERVISOR, centre=THERE), "not_found"),
        (CLERK, "not_your_role"),
        (actor("x", Role.KEY_CUSTODIAN), "not_your_role"),
        (actor("x", Role.SUPERVISOR, passkey=False), "passkey_first"),
        (replace(SUPERVISOR, level=Level.FULL), "step_up"),
        (replace(SUPERVISOR, level=Level.PASSWORD), "second_factor_first"),
        (replace(SUPERVISOR, active=False), "account_not_active"),
        (replace(SUPERVISOR, person=None), "sign_in"),
        (replace(SUPERVISOR, duty="change_password"), "change_password"),
        (replace(SUPERVISOR, scopes=frozenset({"approvals.vote"})), "token_scope"),
    ],
)
def test_who_may_not_vote(who, code):
    refused(code, yes, asked(by=actor("other clerk", Role.DRAW_CLERK)), who)


def test_a_vote_needs_the_keeper_s_evidence():
    for bad in (b"", bytes(31)):
        refused("step_up_passkey", vote, asked(), APPROVER, True, SUBJECT, NOW, bad)


def test_only_who_may_act_may_ask():
    refused("not_your_role", asked, by=APPROVER)
    refused("step_up", asked, by=replace(CLERK, level=Level.FULL))
    refused("approval_not_needed", propose, ProposalId("p"), "people.invite", SYSTEM, THING, NOW)
    refused("approval_of_nothing", propose, ProposalId("p"), "draw.start", CLERK, Thing(HERE), NOW)
    refused("no_such_permission", propose, ProposalId("p"), "draw.strat", CLERK, THING, NOW)


def test_what_a_passkey_signs_differs_in_every_field():
    proposal = asked(concerns=[AUDIT.person])
    others = [
        replace(proposal, id=ProposalId("q")),
        replace(proposal, action="draw.cancel"),
        replace(proposal, subject=CHANGED),
        replace(proposal, centre=THERE),
        replace(proposal, asked_by=PersonId("x")),
        replace(proposal, concerns=frozenset()),
        replace(proposal, needed=proposal.needed[:1]),
        replace(proposal, asked_at=1),
        replace(proposal, expires=1),
    ]
    signed = {to_sign(each, SUPERVISOR.person, True) for each in (proposal, *others)}
    signed |= {to_sign(proposal, SUPERVISOR.person, False), to_sign(proposal, APPROVER.person, True)}
    assert len(signed) == len(others) + 3
    assert to_sign(yes(proposal, APPROVER), SUPERVISOR.person, True) == to_sign(proposal, SUPERVISOR.person, True)


def test_a_proposal_that_needs_nobody_is_never_granted():
    assert outcome(replace(asked(), needed=())) is Outcome.OPEN


def test_a_role_held_elsewhere_gives_no_vote_here():
    guest = Actor(
        PersonId("guest"),
        AccountId("guest"),
        frozenset({Grant(Role.SITE_HOST, HERE), Grant(Role.SUPERVISOR, THERE)}),
        Level.STEPPED_UP,
        True,
    )
    refused("not_your_role", yes, asked(), guest)
    proposal = yes(yes(asked(), APPROVER), SUPERVISOR)
    elsewhere = replace(SUPERVISOR, grants=frozenset({Grant(Role.SUPERVISOR, THERE)}))  # moved to another centre after voting
    assert outcome(proposal, people=(APPROVER, elsewhere)) is Outcome.OPEN


def test_who_is_nobody_neither_asks_nor_votes():
    refused("approval_of_nothing", asked, by=replace(CLERK, person=None))
    refused("sign_in", yes, asked(), replace(APPROVER, account=None))


def test_what_has_no_centre_belongs_to_the_installation():
    proposal = propose(ProposalId("p"), "people.grant_role", SYSTEM, Thing(None, None, SUBJECT), NOW)
    assert proposal.centre == EVERYWHERE
    done = yes(yes(proposal, SECURITY), AUDIT)
    _, granted = use(done, SUBJECT, NOW + 2, held(done))
    require("people.grant_role", SYSTEM, Thing(None, None, SUBJECT), NOW + 2, granted)


def test_votes_and_reasons_have_a_bound():
    proposal = asked()
    for number in range(16):
        assert outcome(proposal) is Outcome.OPEN
        proposal = vote(proposal, actor(f"approver {number}", Role.APPROVER), True, SUBJECT, NOW, EVIDENCE, "x" * 500)
    refused("approval_refused", yes, proposal, SUPERVISOR)


def test_of_two_ends_the_first_stands():
    refusal = vote(asked(life=60), SUPERVISOR, False, SUBJECT, NOW, EVIDENCE, "no")
    refused("approval_expired", yes, refusal, APPROVER, NOW + 60)
    assert void(void(asked(), NOW + 1), NOW + 2).void_at == NOW + 1


class Row:
    """The port, for one proposal: compare-and-set."""

    def __init__(self, proposal: Proposal) -> None:
        self.proposal = proposal

    async def swap(self, new: Proposal) -> bool:
        await asyncio.sleep(0)
        if new.version != self.proposal.version + 1:
            return False
        self.proposal = new
        return True


async def test_of_all_races_between_page_and_api_none_is_approved_by_its_asker_or_used_twice():
    used = 0
    for race in range(counts("races of one approval", 1_000, 20_000)):
        row = Row(asked(by=BOTH))
        uses = []

        async def act(by: Actor) -> None:
            for _ in range(6):
                try:
                    await asyncio.sleep(0)
                    if await row.swap(yes(row.proposal, by)):
                        return
                except Refused:
                    return

        async def finish() -> None:
            for _ in range(12):
                await asyncio.sleep(0)
                try:
                    new, granted = use(row.proposal, SUBJECT, NOW + 2, held(row.proposal))
                except Refused:
                    continue
                if await row.swap(new):
                    uses.append(granted)

        twin = replace(BOTH, account=AccountId("api"))
        order = [
            act(BOTH),
            act(twin),
            act(APPROVER),
            act(SUPERVISOR),
            act(replace(SUPERVISOR, account=AccountId("api"))),
            finish(),
            finish(),
        ]
        await asyncio.gather(*(order[race % 7 :] + order[: race % 7]))
        persons = [each.person for each in row.proposal.votes]
        assert len(set(persons)) == len(persons)
        assert BOTH.person not in persons
        assert len(uses) <= 1
        used += len(uses)
    assert used > 500  # of the first thousand at least: both ends happen


class Ledger(RuleBasedStateMachine):
    """People vote on stale and fresh copies while roles go, things change and time passes. Beside it a list of who said what, judged plainly."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.subject, self.row = NOW, SUBJECT, asked(by=BOTH, life=100, concerns=[AUDIT.person])
        self.ever_changed = False
        self.copies: list[Proposal] = [self.row]
        self.grants = {each.person: each.grants for each in EVERYONE}
        self.said: list[tuple[str, bool]] = []  # person, agrees: those that were written
        self.used = 0

    @rule(
        who=st.sampled_from([*EVERYONE, replace(BOTH, account=AccountId("second"))]),
        agrees=st.booleans() | st.just(True),
        fresh=st.booleans(),
    )
    def votes(self, who, agrees, fresh):
        who = replace(who, grants=self.grants[who.person])
        copy = self.row if fresh else self.copies[-2 if len(self.copies) > 1 else -1]
        try:
            new = vote(copy, who, agrees, self.subject, self.now, EVIDENCE, "" if agrees else "because")
        except Refused:
            return
        if new.version == self.row.version + 1:  # compare-and-set
            assert copy == self.row
            self.row = new
            self.copies.append(new)
            self.said.append((who.person, agrees))

    @rule(who=st.sampled_from(EVERYONE))
    def loses_the_role(self, who):
        self.grants[who.person] = frozenset()

    @rule(who=st.sampled_from(EVERYONE))
    def gets_it_back(self, who):
        self.grants[who.person] = who.grants

    @precondition(lambda self: not self.used)
    @rule(back=st.booleans())
    def the_thing_changes(self, back):
        self.subject = SUBJECT if back else sha256(self.subject).digest()

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds):
        self.now += seconds

    def plainly(self) -> Outcome:
        if self.used:
            return Outcome.USED
        if self.subject != SUBJECT:
            return Outcome.VOID
        if self.now >= NOW + 100:
            return Outcome.EXPIRED
        if any(not agrees for _, agrees in self.said):
            return Outcome.REFUSED
        could = {person: {each.role.value for each in self.grants[PersonId(person)]} for person, _ in self.said}
        approvers = {person for person, roles in could.items() if "approver" in roles}
        supervisors = {person for person, roles in could.items() if "supervisor" in roles}
        two = any(a != b for a in approvers for b in supervisors)
        return Outcome.GRANTED if two else Outcome.OPEN

    @rule(fresh=st.booleans())
    def is_used(self, fresh):
        copy = self.row if fresh else self.copies[0]
        roles = {person: roles_for(copy, grants, self.now) for person, grants in self.grants.items()}
        try:
            new, granted = use(copy, self.subject, self.now, roles)
        except Refused:
            assert not fresh or self.plainly() is not Outcome.GRANTED
            return
        assert granted.subject == self.subject
        assert len({*granted.approved_by, granted.asked_by}) == 3
        if new.version == self.row.version + 1:
            assert self.plainly() is Outcome.GRANTED
            self.row = new
            self.copies.append(new)
            self.used += 1

    @invariant()
    def it_has_come_to_what_the_ledger_says(self):
        roles = {person: roles_for(self.row, grants, self.now) for person, grants in self.grants.items()}
        assert decide(self.row, self.subject, self.now, roles) is self.plainly()
        assert self.used <= 1
        persons = [person for person, _ in self.said]
        assert len(set(persons)) == len(persons)
        assert not {"both", "audit", "clerk", "system", "security"} & set(persons)


TestLedger = Ledger.TestCase
