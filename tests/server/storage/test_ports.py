"""The ports of signing in over real databases: what a rule decides is written once, whoever else decides at the same moment."""

import asyncio
from collections import Counter as Tally
from dataclasses import replace

import pytest

from drawing.errors import Refused
from server.auth import approvals, logins, people, tickets
from server.auth.logins import Event, LoginId, State
from server.auth.logins import Kind as LoginKind
from server.auth.model import EVERYWHERE, AccountId, Actor, Grant, Level, PersonId, Role, Thing
from server.auth.people import Account, AccountState
from server.auth.throttle import Counter, Key, keys_of_guess
from server.auth.tickets import Purpose
from server.errors import Stale
from server.storage import accounts, journal
from server.storage import proposals as stored
from server.storage.accounts import StoredAccounts, StoredCodes, StoredDevices, StoredResets
from server.storage.logins import StoredLogins, StoredThrottle, StoredTickets

NOW = 1_800_000_000
PERSON, ACCOUNT = PersonId("a" * 32), AccountId("b" * 32)


def clock():
    return NOW


async def settled(store, name="zhang.wei", person=PERSON, account=ACCOUNT):
    made = Account(account, person, EVERYWHERE, name, LoginKind.STAFF, AccountState.ACTIVE, "$argon2id$", NOW, totp=True)
    await store.write(lambda tx: accounts.add_person(tx, made, "staff", "test"), NOW)
    return made


async def test_exactly_five_of_two_hundred_guesses_at_once_pass(store):
    throttle = StoredThrottle(store, clock)
    keys = keys_of_guess("zhang.wei", "192.0.2.1")
    said = await asyncio.gather(*(throttle.take(keys, NOW) for _ in range(200)))
    assert Tally(each.passes for each in said) == {True: 5, False: 195}
    await throttle.clear(keys[:1])
    assert (await throttle.take(keys, NOW)).passes
    async with store.reading() as tx:
        row = await tx.one("throttle", name=str(keys[0]))
    assert Counter.load(row["value"]).tries == 1
    assert not (await throttle.take([Key("account", "x"), *[keys[0]] * 1], NOW + 1)).wait_until


async def test_an_account_is_what_was_written_and_two_writers_are_one(store):
    made = await settled(store)
    held = StoredAccounts(store, clock)
    assert await held.by_name("zhang.wei") == await held.get(ACCOUNT) == made
    assert await held.by_name("nobody") is await held.get(AccountId("0" * 32)) is None
    changed = replace(made, password="new", passkeys=2, version=2)
    assert Tally(await asyncio.gather(*(held.swap(changed) for _ in range(8)))) == {True: 1, False: 7}
    assert await held.get(ACCOUNT) == changed
    with pytest.raises(Refused) as refused:
        await settled(store, person=PersonId("c" * 32), account=AccountId("d" * 32))
    assert refused.value.code == "row_conflicts"


async def test_the_database_lets_an_administrator_be_nothing_else(store):
    await settled(store)

    def give(role):
        return store.write(lambda tx: accounts.give_role(tx, PERSON, Grant(role, EVERYWHERE), None, "test"), NOW)

    await give(Role.SECURITY_ADMIN)
    for other in (Role.AUDIT_ADMIN, Role.APPROVER, Role.SECURITY_ADMIN):
        with pytest.raises(Refused):
            await give(other)
    assert await StoredAccounts(store, clock).grants(PERSON) == {Grant(Role.SECURITY_ADMIN, EVERYWHERE)}


async def test_a_recovery_code_and_a_ticket_are_used_by_one_of_many(store):
    await settled(store)
    codes, held = StoredCodes(store, clock), StoredTickets(store, clock)
    await codes.replace(ACCOUNT, frozenset(bytes([n]) * 32 for n in range(10)))
    assert Tally(await asyncio.gather(*(codes.take(ACCOUNT, bytes(32)) for _ in range(20)))) == {True: 1, False: 19}
    assert await codes.left(ACCOUNT) == 9
    await codes.replace(ACCOUNT, frozenset({b"x" * 32}))
    assert await codes.left(ACCOUNT) == 1
    secret, ticket = tickets.make(Purpose.INVITE, ACCOUNT, EVERYWHERE, bytes(32), NOW, holder=ACCOUNT, bound=b"b")
    await held.add(ticket)
    assert await held.get(ticket.hash) == ticket

    async def redeem():
        try:
            return await tickets.redeem(held, secret, Purpose.INVITE, ACCOUNT, NOW, holder=ACCOUNT, bound=b"b")
        except Refused as refused:
            return refused.code

    said = await asyncio.gather(*(redeem() for _ in range(20)))
    assert said.count(ticket) == 1
    assert said.count("ticket_not_valid") == 19
    await held.add(ticket)
    assert await held.revoke(Purpose.INVITE, ACCOUNT) == 1
    assert await held.get(ticket.hash) is None


async def test_of_two_answers_to_one_login_one_raises_it(store):
    await settled(store)
    held = StoredLogins(store, clock)
    begun = logins.begin(
        Event.PASSWORD_RIGHT,
        id=LoginId("e" * 32),
        account=ACCOUNT,
        kind=LoginKind.STAFF,
        generation=0,
        fresh_hash=b"1" * 32,
        now=NOW,
        place=b"home",
        label="Chromium",
    )
    await held.add(begun)
    assert await held.by_token(b"1" * 32) == begun
    raised = [logins.apply(begun, Event.TOTP_RIGHT, NOW, bytes([n]) * 32) for n in range(2, 10)]
    assert sum(await asyncio.gather(*(held.swap(each) for each in raised))) == 1
    assert await held.by_token(b"1" * 32) is None
    (found,) = await held.of(ACCOUNT)
    assert found.state is State.FULL
    stepped = logins.apply(found, Event.PASSKEY_RIGHT, NOW, b"2" * 32)
    assert await held.swap(stepped)
    assert await held.of(ACCOUNT) == (stepped,)
    assert await held.swap(logins.apply(stepped, Event.SIGNED_OUT, NOW))
    assert await held.of(ACCOUNT) == ()


async def test_a_known_browser_is_known_for_its_account_and_half_a_year(store):
    await settled(store)
    known = StoredDevices(store, clock)
    await known.add(ACCOUNT, b"device", NOW)
    await known.add(ACCOUNT, b"device", NOW + 1)
    assert await known.knows("zhang.wei", b"device")
    assert not await known.knows("zhang.wei", b"other")
    assert not await known.knows("nobody", b"device")
    assert not await StoredDevices(store, lambda: NOW + accounts.DEVICE_SECONDS + 2).knows("zhang.wei", b"device")
    await store.write(lambda tx: accounts.forget_devices(tx, ACCOUNT), NOW)
    assert not await known.knows("zhang.wei", b"device")


async def test_a_waiting_reset_goes_with_its_ticket(store):
    await settled(store)
    held, waiting = StoredTickets(store, clock), StoredResets(store, clock)
    assert await waiting.of(ACCOUNT) is None
    _, ticket = tickets.make(Purpose.RESET, ACCOUNT, EVERYWHERE, bytes(32), NOW, not_before=NOW + 86_400, holder=ACCOUNT)
    made = people.Reset(ACCOUNT, PERSON, (PersonId("1" * 32), PersonId("2" * 32)), NOW, ticket.not_before, ticket.expires, ticket.hash)
    await held.add(ticket)
    await waiting.add(made)
    assert await waiting.of(ACCOUNT) == made
    assert await waiting.withdraw(ACCOUNT)
    assert not await waiting.withdraw(ACCOUNT)
    assert await held.get(ticket.hash) is None


async def test_a_proposal_keeps_its_votes_and_is_used_once(store):
    ids = [PersonId(str(n) * 32) for n in range(1, 4)]
    for n, person in enumerate(ids):
        await settled(store, f"admin-{n}", person, AccountId(f"{n}b" * 16))
    roles = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
    actors = [
        Actor(person, AccountId(f"{n}b" * 16), frozenset({Grant(role, EVERYWHERE)}), Level.STEPPED_UP, passkey=True)
        for n, (person, role) in enumerate(zip(ids, roles))
    ]
    await settled(store)
    made = approvals.propose(approvals.ProposalId("f" * 32), "people.grant_role", actors[0], Thing(digest=b"d" * 32), NOW, [PERSON])
    await store.write(lambda tx: stored.add(tx, made, f"person/{PERSON}", "新来的", {"role": "approver"}), NOW)

    async def get():
        async with store.reading() as tx:
            return await stored.proposal(tx, made.id)

    async def swap(proposal):
        by = proposal.votes[-1].person
        try:
            await store.write(lambda tx: stored.write(tx, proposal, by), clock())
        except Stale:
            return False
        return True

    async def waiting():
        async with store.reading() as tx:
            return await stored.recent(tx, is_open=True)

    assert await get() == made
    assert await waiting() == [made]
    votes = [approvals.vote(made, each, True, b"d" * 32, NOW, b"e" * 32) for each in actors[1:]]
    assert sorted(await asyncio.gather(*(swap(each) for each in votes))) == [False, True]
    now = await get()
    late = next(each for each in actors[1:] if each.person != now.votes[0].person)
    both = approvals.vote(now, late, True, b"d" * 32, NOW + 1, b"e" * 32)
    assert await swap(both)
    assert await get() == both
    able = {each.person: approvals.roles_for(both, each.grants, NOW) for each in actors}
    used, _ = approvals.use(both, b"d" * 32, NOW, able)
    assert sorted(await asyncio.gather(*(swap(used) for _ in range(6)))) == [False] * 5 + [True]
    assert await waiting() == []
    async with store.reading() as tx:
        assert await stored.about(tx, made.id) == {"role": "approver", "object": f"person/{PERSON}", "why": "新来的"}
        shown = await journal.read(tx, thing=made.id)
        assert [each.table for each in shown.entries] == ["approval"] * 4
        assert await journal.read(tx, before=shown.entries[-1].index, thing=made.id) == replace(shown, entries=(), earlier=0)
        assert len((await journal.read(tx, table="approval_vote")).entries) == 2
        assert await journal.verified(tx) is None
