"""Checks of the keeper that others stand before or behind: each alone, so that `tests.mutants.checks` finds whoever takes one away."""

from __future__ import annotations

import base64
import zlib

import pytest

from drawing.errors import Refused
from server.keeper.approved import own_digest, own_object
from server.keeper.rules import EVERYWHERE, Grant, Grants, grant_digest, reset_digest
from server.keeper.verbs import ConnectExpert
from server.library.demo import make_library
from server.library.read_sheet import read_library
from tests.server.keeper.house import LOGIN, House, run

CENTRE = "c1"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A demonstration keeper with its administrators, an approver, a supervisor and two others."""
    made = House(tmp_path_factory.mktemp("keeper"), demo=True)
    with made.running():

        async def people():
            async with made.client() as keeper:
                await made.administrators(keeper)
                for person, role in (("boss", "approver"), ("supervisor", "supervisor"), ("ann", "draw_clerk"), ("bob", "draw_clerk")):
                    await made.member(keeper, person, role)

        run(people())
        yield made


def asked(house, work):
    async def walk():
        async with house.client() as keeper:
            return await work(keeper)

    return run(walk())


def refused(code):
    return pytest.raises(Refused, match=f"^{code}\\b")


def test_nobody_makes_a_code_for_another_or_ends_another_ones_passkey(house):
    async def work(keeper):
        token = await house.login(keeper, "bob")
        with refused("pass_refused"):
            await keeper.enrol_totp("ann", token, LOGIN)
        (theirs,) = (await keeper.person_status("ann")).passkeys
        with refused("passkey_refused"):
            await keeper.revoke_passkey(theirs.credential, token, LOGIN)
        assert (await keeper.person_status("ann")).passkeys == (theirs,)

    asked(house, work)


def test_a_challenge_is_of_a_subject_that_can_be_carried_out(house):
    grants = Grants((Grant(CENTRE, "supervisor"),))

    async def work(keeper):
        with refused("grants_only_for_grant"):
            await keeper.approval_challenge("audit", house.subject("grant", "ann", grant_digest("ann", grants), EVERYWHERE))
        with refused("grants_only_for_grant"):
            await keeper.approval_challenge("supervisor", house.subject("commit", "attempt:x", grant_digest("attempt:x", grants)), grants)
        with refused("subject_differs"):
            await keeper.approval_challenge("audit", house.subject("reset_totp", "ann", bytes(32), EVERYWHERE))
        waiting = await house.passkey(keeper, "newcomer")
        with refused("approver_role"):  # two administrators let in a security administrator's alone
            await keeper.approval_challenge("audit", house.subject("enrol_security", waiting.credential, waiting.digest, EVERYWHERE))

    asked(house, work)


def test_an_approval_comes_before_its_subject_expires_and_before_it_was_carried_out(house):
    async def work(keeper):
        short = house.subject("commit", "attempt:short", bytes(32), seconds=60)
        given = await keeper.approval_challenge("supervisor", short)
        house.move_clock(61)
        with refused("approval_expired"):
            await keeper.approve(given.challenge, house.people["supervisor"].get(given.options))
        grants = Grants((Grant(CENTRE, "draw_clerk"),))
        subject = house.subject("grant", "ann", grant_digest("ann", grants), EVERYWHERE)
        late = await keeper.approval_challenge("system", subject, grants)
        assert (await house.approve(keeper, subject, "security", "audit", grants=grants)).used
        with refused("approval_used"):
            await keeper.approve(late.challenge, house.people["system"].get(late.options))

    asked(house, work)


def test_a_code_that_was_never_set_up_is_not_reset(house):
    async def work(keeper):
        subject = house.subject("reset_totp", "bob", reset_digest("bob"), EVERYWHERE)
        await house.approve(keeper, subject, "security")
        with refused("totp_not_enrolled"):
            await house.approve(keeper, subject, "audit")
        assert not (await keeper.approvals_of(subject.id)).used

    asked(house, work)


def test_one_approval_connects_one_record_once(house, tmp_path):
    make_library(2, 3, tmp_path / "library.csv")
    lines = read_library(tmp_path / "library.csv").records
    first, second = "1" * 32, "2" * 32

    async def work(keeper):
        await keeper.stage_experts(CENTRE, "5" * 32, 0, base64.b64encode(zlib.compress(b"\n".join(lines))).decode())
        await keeper.keep_experts(CENTRE, "5" * 32, 0, [first, second])

        async def connect(expert):
            subject = house.subject("connect", own_object(expert, "ann"), own_digest(CENTRE, expert, "ann"))
            await house.approve(keeper, subject, "boss", "supervisor")
            await keeper.ask(ConnectExpert(subject.id, CENTRE, expert, "ann"))
            return subject

        used = await connect(first)
        await keeper.ask(ConnectExpert(used.id, CENTRE, first, "ann"))  # the same again
        await connect(second)
        with refused("approval_used"):
            await keeper.ask(ConnectExpert(used.id, CENTRE, first, "ann"))
        other = house.subject("connect", own_object(first, "ann"), own_digest("c2", first, "ann"))
        await house.approve(keeper, other, "boss", "supervisor")
        with refused("subject_differs"):
            await keeper.ask(ConnectExpert(other.id, CENTRE, first, "ann"))

    asked(house, work)
