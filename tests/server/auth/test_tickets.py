"""Recovery codes, tickets and service tokens: opaque, for one thing, once where once is meant."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.errors import Refused
from server.auth import recovery, service_tokens, tickets
from server.auth.model import EVERYWHERE, AccountId, CentreId, Level, PersonId, Role, Thing
from server.auth.permissions import TABLE, require
from server.auth.tickets import KINDS, Purpose, check, guest, make, redeem
from tests.conftest import counts
from tests.server.auth.house import Codes, TicketsInMemory

HERE = CentreId("1" * 32)
ME, OTHER = AccountId("a" * 32), AccountId("b" * 32)
NOW = 1_000_000


def refused(code: str, work, *args, **kwargs) -> None:
    with pytest.raises(Refused) as caught:
        work(*args, **kwargs)
    assert caught.value.code == code


# Recovery codes.


@given(st.binary(min_size=100, max_size=100))
def test_ten_codes_are_read_back_in_any_spelling(chance):
    codes, digests = recovery.make(ME, [Role.EXPERT], chance)
    assert len(codes) == 10
    for code in codes:
        for typed in (
            code,
            code.lower(),
            code.replace("-", ""),
            code.replace("-", " "),
            code.replace("0", "o").replace("1", "l"),
            f" {code}\n",
        ):
            assert recovery.digest(ME, typed) in digests
        assert recovery.digest(OTHER, code) not in digests


def test_full_width_codes_are_the_same_code_and_other_text_is_none():
    codes, digests = recovery.make(ME, [], bytes(range(100)))
    wide = "".join(chr(ord(each) + 0xFEE0) for each in codes[0])
    assert recovery.digest(ME, wide) in digests
    for bad in ("", codes[0][:-1], codes[0] + "0", "U" * 16, "x" * 65, "é" * 16, "ﷺ"):
        assert recovery.digest(ME, bad) not in digests


@pytest.mark.parametrize("role", ["supervisor", "approver", "key_custodian", "system_admin", "security_admin", "audit_admin"])
def test_whoever_must_come_with_a_passkey_gets_no_codes(role):
    refused("recovery_not_for_role", recovery.make, ME, [Role.EXPERT, Role(role)], bytes(100))


def test_a_hundred_bytes_of_chance_are_needed():
    with pytest.raises(ValueError, match="80 bits"):
        recovery.make(ME, [], bytes(99))


async def test_a_recovery_code_is_used_once_in_any_number_of_tries():
    for race in range(counts("races for one recovery code", 200, 2_000)):
        store = Codes()
        codes, digests = recovery.make(ME, [], bytes([race % 256]) + bytes(range(99)))
        await store.replace(ME, digests)
        digest = recovery.digest(ME, codes[race % 10])
        got = await asyncio.gather(*(store.take(ME, digest) for _ in range(50)))
        assert sum(got) == 1
        assert await store.left(ME) == 9


# Tickets.


def ticket(purpose: Purpose = Purpose.JOIN_ROOM, **more):
    return make(purpose, "session 7 room 1", HERE, bytes(range(32)), NOW, **more)


GOOD = ticket(holder=ME, bound=b"fingerprint")[1]
SHOWN = {"purpose": Purpose.JOIN_ROOM, "object": "session 7 room 1", "now": NOW + 59, "holder": ME, "bound": b"fingerprint"}


def test_a_ticket_opens_what_it_was_made_for():
    assert check(GOOD, **SHOWN) is GOOD
    assert (GOOD.expires, GOOD.one_use) == (NOW + 60, True)


def test_a_ticket_without_a_holder_is_anybody_s():
    made = ticket()[1]
    for holder in (None, ME):
        assert check(made, Purpose.JOIN_ROOM, "session 7 room 1", NOW, holder) is made


NEGATIVE = [
    *(({"purpose": each}, "ticket_not_valid") for each in Purpose if each is not Purpose.JOIN_ROOM),
    ({"object": "session 7 room 2"}, "ticket_not_valid"),
    ({"object": "session 8 room 1"}, "ticket_not_valid"),
    ({"object": ""}, "ticket_not_valid"),
    ({"holder": OTHER}, "ticket_not_valid"),
    ({"holder": None}, "ticket_not_valid"),
    ({"bound": b""}, "ticket_not_valid"),
    ({"bound": b"other fingerprint"}, "ticket_not_valid"),
    ({"now": NOW + 60}, "ticket_expired"),
    ({"now": NOW - 1}, "ticket_too_early"),
]


@pytest.mark.parametrize(("change", "code"), NEGATIVE)
def test_a_ticket_opens_nothing_else(change, code):
    refused(code, check, GOOD, **{**SHOWN, **change})
    refused("ticket_not_valid", check, None, **{**SHOWN, **change})


def test_no_two_purposes_open_one_another():
    for one, other in itertools.permutations(Purpose, 2):
        refused("ticket_not_valid", check, replace(GOOD, purpose=one), **{**SHOWN, "purpose": other})


@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "A" * 44, "é" * 43])
async def test_a_made_up_secret_opens_nothing(secret):
    store = TicketsInMemory()
    await store.add(GOOD)
    with pytest.raises(Refused, match="ticket_not_valid"):
        await redeem(store, secret, **SHOWN)
    assert store.rows


async def test_a_one_use_ticket_is_redeemed_once_and_a_refused_try_leaves_it():
    store = TicketsInMemory()
    secret, made = ticket(holder=ME, bound=b"fingerprint")
    await store.add(made)
    for change, code in NEGATIVE:
        with pytest.raises(Refused, match=code):
            await redeem(store, secret, **{**SHOWN, **change})
    got = await asyncio.gather(*(redeem(store, secret, **SHOWN) for _ in range(50)), return_exceptions=True)
    assert sum(each == made for each in got) == 1
    assert {each.code for each in got if isinstance(each, Refused)} == {"ticket_not_valid"}


async def test_a_guest_link_serves_until_its_date_or_until_it_is_revoked():
    store = TicketsInMemory()
    secret, made = ticket(Purpose.GUEST, seconds=5 * 86_400)
    await store.add(made)
    shown = {"purpose": Purpose.GUEST, "object": "session 7 room 1"}
    for day in range(5):
        found = await redeem(store, secret, now=NOW + day * 86_400, **shown)
        who = guest(found, NOW + day * 86_400)
        assert (who.level, {each.role for each in who.grants}) == (Level.PASSWORD, {Role.BIDDER_GUEST})
        allowed = {name for name, row in TABLE.items() if row.level is not Level.NONE and _may(name, who)}
        assert allowed == set()  # until a later part gives guests something of their own
    with pytest.raises(Refused, match="ticket_expired"):
        await redeem(store, secret, now=NOW + 5 * 86_400, **shown)
    refused("ticket_expired", guest, made, NOW + 5 * 86_400)
    refused("ticket_not_valid", guest, GOOD, NOW)
    assert await store.revoke(Purpose.GUEST, "session 7 room 1") == 1
    with pytest.raises(Refused, match="ticket_not_valid"):
        await redeem(store, secret, now=NOW, **shown)


def _may(name, who) -> bool:
    try:
        require(name, who, Thing(HERE, None), NOW)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("purpose", Purpose)
def test_no_ticket_lives_longer_than_its_purpose(purpose):
    longest = KINDS[purpose].longest
    assert ticket(purpose)[1].expires == NOW + longest
    for seconds in (-1, longest + 1):
        refused("ticket_life", ticket, purpose, seconds=seconds)
    refused("ticket_life", make, purpose, "", HERE, bytes(32), NOW)


def test_a_ticket_that_waits_lives_from_when_it_may_be_used():
    made = ticket(Purpose.RESET, not_before=NOW + 86_400, seconds=60)[1]
    assert (made.not_before, made.expires) == (NOW + 86_400, NOW + 86_460)


def test_the_hash_is_all_that_is_kept():
    secret, made = ticket()
    assert secret not in repr(made)
    assert len(secret) == 43
    assert len(made.hash) == 32


# Service tokens.

BY = PersonId("c" * 32)


def token(scopes=("audit.read",), role=Role.AUDIT_ADMIN, life=86_400, name="supervision platform"):
    text, made = service_tokens.make(service_tokens.TokenId("t"), name, role, EVERYWHERE, scopes, BY, bytes(range(32)), NOW, life)
    assert not made.approved
    return text, replace(made, approved=True)


def test_a_token_reads_what_its_scopes_say_and_nothing_else():
    text, made = token()
    assert text.startswith("lotroom_")
    assert made.shown == text[:12]
    assert service_tokens.hash_of(text) == made.hash
    who = service_tokens.actor(made, NOW)
    require("audit.read", who, Thing(EVERYWHERE), NOW)
    allowed = [name for name, row in TABLE.items() if row.level is not Level.NONE and _may(name, who)]
    assert allowed == ["audit.read"]


def test_a_token_with_all_scopes_approves_nothing_and_steps_up_to_nothing():
    who = service_tokens.actor(replace(token()[1], scopes=frozenset(TABLE), role=Role.SECURITY_ADMIN), NOW)
    for name, row in TABLE.items():
        if row.level is Level.STEPPED_UP or row.approvals or row.passkey:
            assert not _may(name, who)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"scopes": ()}, "token_scope"),
        ({"scopes": ("audit.read", "people.grant_role")}, "token_scope"),
        ({"scopes": ("audit.read", "no.such")}, "token_scope"),
        ({"scopes": ("account.read",)}, "token_scope"),
        ({"role": Role.TECHNICIAN}, "token_scope"),
        ({"life": 0}, "token_life"),
        ({"life": 367 * 86_400}, "token_life"),
        ({"name": " "}, "token_name"),
        ({"name": "x" * 81}, "token_name"),
        ({"name": "a\u202eb"}, "token_name"),
    ],
)
def test_a_token_that_may_not_be_made(more, code):
    refused(code, token, **more)


def test_unknown_waiting_revoked_and_expired_tokens_are_one():
    text, made = token()
    for found, now in [(None, NOW), (replace(made, approved=False), NOW), (replace(made, revoked_at=1), NOW), (made, made.expires)]:
        refused("token_not_valid", service_tokens.actor, found, now)
    for bad in ("", text[1:], text[8:], text[:-1], text.upper(), "Bearer " + text, "lotroom_" + "é" * 43):
        assert service_tokens.hash_of(bad) is None


def test_every_purpose_says_how_long_and_how_often():
    assert set(KINDS) == set(Purpose)
    assert {each for each in Purpose if not KINDS[each].one_use} == {Purpose.GUEST}
    assert tickets.KINDS[Purpose.JOIN_ROOM].longest == 60
