"""Accounts: states, duties, names, and the two ways out of a lost factor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drawing.errors import Refused
from server.auth.logins import Kind
from server.auth.model import EVERYWHERE, AccountId, CentreId, Grant, Level, PersonId, Role
from server.auth.people import (
    NEXT,
    Account,
    AccountState,
    Change,
    actor,
    begin_reset,
    change,
    check_display,
    duty,
    end_of_day,
    password_days_left,
    reset,
    stand_in,
    undoes,
)
from server.auth.permissions import Granted
from server.auth.tickets import Purpose, check

HERE = CentreId("1" * 32)
NOW = 1_800_000_000  # 2027-01-15 08:00 UTC, 16:00 in Shanghai
DIGEST = bytes(32)
STAFF = Account(AccountId("a" * 32), PersonId("p"), HERE, "zhang.wei", Kind.STAFF, AccountState.ACTIVE, "hash", NOW, totp=True)
EXPERT = replace(STAFF, kind=Kind.EXPERT)
A, C = AccountState, Change


def refused(code: str, work, *args, **kwargs) -> None:
    with pytest.raises(Refused) as caught:
        work(*args, **kwargs)
    assert caught.value.code == code


def granted(action: str = "people.reset_factor", **more) -> Granted:
    return replace(Granted(action, DIGEST, HERE, PersonId("host"), (PersonId("x"), PersonId("y")), NOW + 60), **more)


@pytest.mark.parametrize("state", A)
@pytest.mark.parametrize("what", C)
def test_accounts_change_as_the_table_says(state, what):
    account = replace(STAFF, state=state)
    if what not in NEXT[state]:
        refused("account_step", change, account, what)
        return
    after = change(account, what)
    assert after.state is NEXT[state][what]
    assert after.version == 2
    assert after.generation == (after.state in (A.SUSPENDED, A.CLOSED))  # and so its logins are over


@pytest.mark.parametrize(
    ("more", "good"),
    [
        ({"password": None, "totp": False}, False),
        ({"totp": False}, False),
        ({"password": None}, False),
        ({}, True),
        ({"password": None, "totp": False, "passkeys": 1}, True),
    ],
)
def test_nobody_works_with_one_factor(more, good):
    account = replace(STAFF, state=A.INVITED, **more)
    if good:
        assert change(account, C.ENROLLED).state is A.ACTIVE
    else:
        refused("factors_missing", change, account, C.ENROLLED)


def test_an_invitation_that_nobody_took_up_is_closed():
    assert change(replace(STAFF, state=A.INVITED, password=None, totp=False), C.CLOSED).state is A.CLOSED


def test_passwords_of_staff_without_a_passkey_last_ninety_days():
    for days, left, due in [(0, 90, ""), (76, 14, ""), (89, 1, ""), (90, 0, "change_password"), (400, -310, "change_password")]:
        now = NOW + days * 86_400
        assert password_days_left(STAFF, now) == left
        assert duty(STAFF, [Role.DRAW_CLERK], now) == due
    for account in (EXPERT, replace(STAFF, passkeys=1), replace(STAFF, password=None)):
        assert password_days_left(account, NOW + 400 * 86_400) is None
        assert duty(account, [Role.EXPERT], NOW + 400 * 86_400) == ""


@pytest.mark.parametrize("role", ["supervisor", "approver", "key_custodian", "system_admin", "security_admin", "audit_admin"])
def test_who_watches_or_decides_must_enrol_a_passkey(role):
    assert duty(STAFF, [Role.EXPERT, Role(role)], NOW) == "enrol_passkey"
    assert duty(replace(STAFF, passkeys=1), [Role(role)], NOW) == ""
    later = [Grant(Role(role), EVERYWHERE, NOW + 1)]
    assert actor(STAFF, later, Level.FULL, False, NOW).duty == ""
    assert actor(STAFF, later, Level.FULL, False, NOW + 1).duty == "enrol_passkey"


def test_an_actor_is_the_person_behind_the_account():
    made = actor(replace(STAFF, state=A.SUSPENDED), [Grant(Role.DRAW_CLERK, HERE)], Level.FULL, True, NOW)
    assert (made.person, made.account, made.active, made.level, made.passkey) == (STAFF.person, STAFF.id, False, Level.FULL, True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("张伟", "张伟"), ("  Zhāng   Wěi ", "Zhāng Wěi"), ("Zha\u0304ng", "Zhāng"), ("喆堃㛃", "喆堃㛃"), ("买买提·吐尔逊", "买买提·吐尔逊")],
)
def test_a_name_is_kept_as_it_is_shown(name, shown):
    assert check_display(name) == shown
    assert check_display(shown) == shown


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "display_name"),
        (" \u3000 ", "display_name"),
        ("x" * 65, "display_name"),
        ("x" * 5000, "display_name"),
        ("--", "display_name"),
        ("a\u202eb", "display_characters"),
        ("a\u200bb", "display_characters"),
        ("a\x00b", "display_characters"),
        ("a\ud800b", "display_characters"),
        ("a\ue000b", "display_characters"),
        ("a\u2066b", "display_characters"),
    ],
)
def test_a_name_that_deceives_the_eye_is_refused(name, code):
    refused(code, check_display, name)


# A lost factor of staff.


def test_a_reset_takes_two_administrators_a_day_and_its_one_time_code():
    code, ticket, made = begin_reset(STAFF, granted(), DIGEST, bytes(range(32)), NOW)
    assert len(code) == 43
    assert (made.usable_from, made.expires) == (NOW + 86_400, NOW + 86_400 + 72 * 3600)
    assert made.ticket == ticket.hash
    refused("ticket_too_early", check, ticket, Purpose.RESET, STAFF.id, NOW + 86_399, STAFF.id)
    assert check(ticket, Purpose.RESET, STAFF.id, NOW + 86_400, STAFF.id)
    refused("ticket_not_valid", check, ticket, Purpose.RESET, STAFF.id, NOW + 86_400, AccountId("other"))
    refused("ticket_expired", check, ticket, Purpose.RESET, STAFF.id, made.expires, STAFF.id)
    after = reset(STAFF)
    assert (after.state, after.password, after.totp, after.passkeys, after.generation) == (A.INVITED, None, False, 0, 1)


@pytest.mark.parametrize(
    ("more", "account", "code"),
    [
        ({"action": "people.grant_role"}, STAFF, "approval_first"),
        ({"subject": bytes([1]) * 32}, STAFF, "approval_void"),
        ({"until": NOW}, STAFF, "approval_expired"),
        ({"approved_by": (PersonId("x"),)}, STAFF, "own_approval"),
        ({"approved_by": (PersonId("x"), PersonId("x"))}, STAFF, "own_approval"),
        ({"approved_by": (PersonId("x"), PersonId("p"))}, STAFF, "own_approval"),
        ({}, replace(STAFF, state=A.SUSPENDED), "account_not_active"),
        ({}, replace(STAFF, state=A.CLOSED), "account_not_active"),
    ],
)
def test_no_reset_without_all_of_it(more, account, code):
    refused(code, begin_reset, account, granted(**more), DIGEST, bytes(32), NOW)


def test_a_full_login_shows_that_nothing_is_lost():
    _, _, made = begin_reset(STAFF, granted(), DIGEST, bytes(32), NOW)
    assert undoes(made, Level.FULL, NOW)
    assert undoes(made, Level.STEPPED_UP, made.expires - 1)
    assert not undoes(made, Level.PASSWORD, NOW + 1)
    assert not undoes(made, Level.FULL, NOW - 1)
    assert not undoes(made, Level.FULL, made.expires)
    refused("account_not_active", reset, replace(STAFF, state=A.SUSPENDED))


# An expert's, on the morning of an evaluation.

MORNING = granted("people.stand_in", approved_by=(PersonId("supervisor"),))


def test_a_stand_in_is_for_the_day_in_shanghai():
    assert end_of_day(NOW) == NOW + 8 * 3600
    assert end_of_day(NOW + 8 * 3600 - 1) == NOW + 8 * 3600
    assert end_of_day(NOW + 8 * 3600) == NOW + 32 * 3600
    _, ticket = stand_in(EXPERT, "session 7", MORNING, DIGEST, bytes(32), NOW)
    assert (ticket.expires, ticket.one_use, ticket.holder) == (NOW + 8 * 3600, True, EXPERT.id)
    refused("ticket_not_valid", check, ticket, Purpose.STAND_IN, "session 8", NOW, EXPERT.id)


@pytest.mark.parametrize(
    ("more", "account", "code"),
    [
        ({"action": "people.reset_factor"}, EXPERT, "approval_first"),
        ({"subject": bytes([1]) * 32}, EXPERT, "approval_void"),
        ({"until": NOW}, EXPERT, "approval_expired"),
        ({"approved_by": ()}, EXPERT, "approval_first"),
        ({"approved_by": (PersonId("host"),)}, EXPERT, "approval_first"),
        ({"approved_by": (PersonId("p"),)}, EXPERT, "own_approval"),
        ({"asked_by": PersonId("p")}, EXPERT, "own_approval"),
        ({}, STAFF, "stand_in_for_experts"),
        ({}, replace(EXPERT, state=A.INVITED), "account_not_active"),
    ],
)
def test_no_stand_in_without_host_and_supervisor(more, account, code):
    refused(code, stand_in, account, "session 7", replace(MORNING, **more), DIGEST, bytes(32), NOW)
