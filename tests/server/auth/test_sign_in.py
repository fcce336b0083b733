"""Signing in as people do and as strangers try: the order of the steps is the security."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from drawing.errors import Refused
from server.auth import logins, passwords, recovery, sign_in
from server.auth.logins import Event, Kind, State
from server.auth.model import Level, Role, Thing
from server.auth.passwords import Cost, needs_rehash
from server.auth.people import AccountState, Change, Reset, change, sign_out_everywhere
from server.auth.permissions import require
from server.auth.throttle import account_key
from server.auth.tickets import Purpose, make
from tests.conftest import counts
from tests.server.auth.house import HERE, PASSWORD, at, house, key, settle

E = Event


@pytest.fixture
def home():
    made = house()
    yield made
    made.hasher.close()


async def refused(code: str, awaitable) -> Refused:
    with pytest.raises(Refused) as caught:
        await awaitable
    assert caught.value.code == code
    return caught.value


async def signed_in(home, name="zhang.wei", code="000001", now=1_000, **more):
    secret, login = await sign_in.with_password(home, name, PASSWORD, at(now, **more))
    login, *_ = await sign_in.authenticate(home, secret, at(now, **more))
    return await sign_in.with_second(home, login, E.TOTP_RIGHT, code, at(now, **more))


async def test_password_and_code_sign_in_and_each_step_has_its_own_token(home):
    account = settle(home, "zhang.wei", Role.DRAW_CLERK)
    first, _ = await sign_in.with_password(home, " ZHANG.Ｗei", PASSWORD, at(1_000))
    login, actor, _ = await sign_in.authenticate(home, first, at(1_001))
    assert (actor.level, actor.person) == (Level.PASSWORD, account.person)
    with pytest.raises(Refused, match="second_factor_first"):
        require("account.read", actor, Thing(HERE, actor.person), 1_001)
    second, login = await sign_in.with_second(home, login, E.TOTP_RIGHT, "000007", at(1_002))
    await refused("sign_in", sign_in.authenticate(home, first, at(1_003)))
    login, actor, _ = await sign_in.authenticate(home, second, at(1_003))
    assert (actor.level, actor.passkey) == (Level.FULL, False)
    require("account.read", actor, Thing(HERE, actor.person), 1_003)
    third, login = await sign_in.with_second(home, login, E.TOTP_RIGHT, "000008", at(1_004))
    await refused("sign_in", sign_in.authenticate(home, second, at(1_005)))
    assert (await sign_in.authenticate(home, third, at(1_005)))[1].level is Level.STEPPED_UP
    assert (await sign_in.authenticate(home, third, at(1_304)))[1].level is Level.FULL


async def test_a_passkey_signs_in_at_once_and_only_with_user_verification(home):
    account = settle(home, "sun.li", Role.SUPERVISOR, passkeys=1)
    secret, login = await sign_in.with_passkey(home, key(account), at(1_000))
    assert (await sign_in.authenticate(home, secret, at(1_001)))[1].passkey
    await refused("login_step", sign_in.with_passkey(home, key(account, verified="no"), at(1_000)))
    await refused("second_factor_wrong", sign_in.with_second(home, login, E.PASSKEY_RIGHT, key(account, login, "no"), at(1_002)))
    login, *_ = await sign_in.authenticate(home, secret, at(1_003))
    await refused("second_factor_wrong", sign_in.with_second(home, login, E.PASSKEY_RIGHT, key(account), at(1_004)))  # of another purpose
    other = settle(home, "other")
    login, *_ = await sign_in.authenticate(home, secret, at(1_005))
    await refused("second_factor_wrong", sign_in.with_second(home, login, E.PASSKEY_RIGHT, key(other, login), at(1_006)))
    login, *_ = await sign_in.authenticate(home, secret, at(1_007))
    _, login = await sign_in.with_second(home, login, E.PASSKEY_RIGHT, key(account, login), at(1_008))
    assert (login.level, login.passkey) == (Level.STEPPED_UP, True)


@pytest.mark.parametrize("case", ["unknown", "wrong", "suspended", "closed", "invited", "no password"])
async def test_every_failure_says_the_same_after_the_same_work(home, monkeypatch, case):
    more = {
        "suspended": {"state": AccountState.SUSPENDED},
        "closed": {"state": AccountState.CLOSED},
        "invited": {"state": AccountState.INVITED},
        "no password": {"password": None},
    }.get(case, {})
    settle(home, "zhang.wei", **more)
    work = []
    real = passwords._argon2id
    monkeypatch.setattr(passwords, "_argon2id", lambda *args: work.append(args[2]) or real(*args))
    password = "something else 1 X" if case == "wrong" else PASSWORD
    why = await refused("sign_in_wrong", sign_in.with_password(home, "nobody" if case == "unknown" else "zhang.wei", password, at(1_000)))
    assert (why.place, why.params) == ("login", {})
    assert work == [home.hasher.cost]
    assert not home.logins.rows


async def test_exactly_five_of_200_parallel_guesses_reach_the_password(home, monkeypatch):
    settle(home, "zhang.wei")
    work = []
    monkeypatch.setattr(passwords, "_argon2id", lambda *args: work.append(1) or bytes(32))
    guesses = [
        sign_in.with_password(home, f"zhang.wei{' ' * n}", f"guess number {n}", at(1_000 + n // 40, address=f"10.0.0.{n}"))
        for n in range(150)
    ]
    guesses += [sign_in.with_password(home, "ZHANG.WEI", "x", at(1_010 + n // 40, address=f"10.0.1.{n}")) for n in range(50)]
    got = await asyncio.gather(*guesses, return_exceptions=True)
    codes = [each.code for each in got]
    assert (codes.count("sign_in_wrong"), codes.count("too_many"), len(work)) == (5, 195, 5)
    assert all(each.params["retry_after"] > 0 for each in got if each.code == "too_many")


async def test_a_busy_house_counts_no_guess(home):
    settle(home, "zhang.wei")
    home.hasher.most = 0
    await refused("busy", sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_000)))
    assert home.throttle.rows == {}


async def test_who_knows_the_password_has_five_guesses_in_all_not_five_codes_each_time(home):
    settle(home, "zhang.wei")
    wrong = 0
    for n in range(40):
        request = at(1_000 + n, address=f"10.0.0.{n}")
        try:
            _, login = await sign_in.with_password(home, "zhang.wei", PASSWORD, request)
            for guess in range(10):
                try:
                    await sign_in.with_second(home, login, E.TOTP_RIGHT, f"9{n:02}{guess:03}", request)
                except Refused as why:
                    if why.code == "too_many":
                        break
                    wrong += 1
                    login = (await home.logins.of(login.account))[-1]
        except Refused as why:
            assert why.code == "too_many"
    assert (wrong, home.factors.asked) == (4, 4)  # the password was the fifth


async def test_a_code_is_right_once_in_any_number_of_tries(home):
    races = counts("races for one code, one winner each", 300, 10_000)
    account = settle(home, "zhang.wei")
    for race in range(races):
        home.throttle.rows.clear()
        home.factors.codes[account.id] = {"123456"}
        made = [await sign_in.with_password(home, "zhang.wei", PASSWORD, at(race, address=f"10.{n}.0.1")) for n in range(2)]
        home.throttle.rows.clear()
        tries = [sign_in.with_second(home, login, E.TOTP_RIGHT, "123456", at(race, address="10.0.9.9")) for _, login in made * 2]
        got = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(each, tuple) for each in got) == 1
        home.logins.rows.clear()


async def test_only_a_full_login_clears_and_only_its_own_counter(home):
    settle(home, "zhang.wei")
    for _ in range(2):
        await refused("sign_in_wrong", sign_in.with_password(home, "zhang.wei", "wrong", at(1_000)))
    await signed_in(home)
    assert account_key("zhang.wei") not in home.throttle.rows
    assert len(home.throttle.rows) == 2  # address and all


@pytest.mark.parametrize("factor", [E.PASSKEY_RIGHT, E.TOTP_RIGHT])
async def test_signing_in_often_locks_nobody_whichever_factor_comes_second(home, factor):
    account = settle(home, "zhang.wei", Role.DRAW_CLERK, passkeys=1)
    for n in range(12):
        now = 1_000 + 61 * n
        secret, login = await sign_in.with_password(home, "zhang.wei", PASSWORD, at(now))
        for again in range(7):  # the second factor, and step-ups
            home.factors.codes[account.id] = {"123456"}
            login, *_ = await sign_in.authenticate(home, secret, at(now + again))
            shown = key(account, login) if factor is E.PASSKEY_RIGHT else "123456"
            secret, login = await sign_in.with_second(home, login, factor, shown, at(now + again))
        assert login.level is Level.STEPPED_UP


async def test_the_owner_comes_in_while_strangers_guess(home):
    account = settle(home, "zhang.wei")
    await signed_in(home, device=b"own device", now=100)
    for n in range(60):
        with pytest.raises(Refused):
            await sign_in.with_password(home, "zhang.wei", "guess", at(1_000 + n, address=f"10.0.0.{n}", device=b"stranger's"))
    await refused("too_many", sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_100)))
    _, login = await signed_in(home, now=1_100, device=b"own device", code="000002")
    assert login.level is Level.FULL
    assert (await sign_in.with_passkey(home, key(account), at(1_101)))[1].level is Level.FULL


async def test_a_recovery_code_is_a_second_factor_once(home):
    account = settle(home, "zhang.wei", Role.DRAW_CLERK)
    codes, digests = recovery.make(account.id, [Role.DRAW_CLERK], bytes(range(100)))
    await home.codes.replace(account.id, digests)
    _, login = await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_000))
    _, login = await sign_in.with_second(home, login, E.RECOVERY_USED, codes[3].lower().replace("-", " "), at(1_001))
    assert (login.level, await home.codes.left(account.id)) == (Level.FULL, 9)
    _, again = await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_002))
    await refused("second_factor_wrong", sign_in.with_second(home, again, E.RECOVERY_USED, codes[3], at(1_003)))


async def test_a_stand_in_is_for_its_expert_its_session_its_day_and_once(home):
    expert, other = (settle(home, name, Role.EXPERT, kind=Kind.EXPERT) for name in ("expert", "other"))
    secret, ticket = make(Purpose.STAND_IN, "session 7", HERE, bytes(32), 1_000, seconds=500, holder=expert.id)
    await home.tickets.add(ticket)

    async def tries(name, session, now):
        _, login = await sign_in.with_password(home, name, PASSWORD, at(now))
        return await sign_in.with_second(home, login, E.STAND_IN_USED, secret, at(now), session)

    await refused("ticket_not_valid", tries("other", "session 7", 1_001))
    await refused("ticket_not_valid", tries("expert", "session 8", 1_001))
    await refused("ticket_expired", tries("expert", "session 7", 1_500))
    token, login = await tries("expert", "session 7", 1_002)
    assert login.not_after == 1_500
    assert (await sign_in.authenticate(home, token, at(1_499)))[1].level is Level.FULL
    await refused("sign_in", sign_in.authenticate(home, token, at(1_500)))
    await refused("ticket_not_valid", tries("expert", "session 7", 1_003))
    assert other.id != expert.id


async def test_signing_in_undoes_a_waiting_reset_unless_it_was_by_a_code_on_paper(home):
    account = settle(home, "zhang.wei")
    codes, digests = recovery.make(account.id, [], bytes(range(100)))
    await home.codes.replace(account.id, digests)
    await home.resets.add(Reset(account.id, account.person, (), 900, 900 + 86_400, 900 + 300_000, b""))
    _, login = await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_000))
    assert await home.resets.of(account.id) is not None
    await sign_in.with_second(home, login, E.RECOVERY_USED, codes[0], at(1_001))
    assert await home.resets.of(account.id) is not None
    await signed_in(home, now=1_002)
    assert await home.resets.of(account.id) is None


async def test_the_provider_s_word_is_no_more_than_a_password(home):
    account = settle(home, "zhang.wei")
    _, login = await sign_in.with_provider(home, account, at(1_000))
    assert login.level is Level.PASSWORD
    await refused("sign_in_wrong", sign_in.with_provider(home, None, at(1_000)))
    await refused("sign_in_wrong", sign_in.with_provider(home, replace(account, state=AccountState.SUSPENDED), at(1_000)))


async def test_whatever_ends_a_login_ends_it_at_the_next_request(home):
    account = settle(home, "zhang.wei", Role.DRAW_CLERK)
    first, login = await signed_in(home, code="000001")
    second, other = await signed_in(home, code="000002", now=1_001)
    await sign_in.end(home, login, 1_002)
    await refused("sign_in", sign_in.authenticate(home, first, at(1_003)))
    await sign_in.revoke(home, account.id, other.id, 1_004)
    await refused("sign_in", sign_in.authenticate(home, second, at(1_005)))
    await refused("not_found", sign_in.revoke(home, account.id, other.id, 1_006))
    third, _ = await signed_in(home, code="000003", now=1_007)
    home.accounts.rows[account.id] = sign_out_everywhere(home.accounts.rows[account.id])
    await refused("sign_in", sign_in.authenticate(home, third, at(1_008)))
    fourth, _ = await signed_in(home, code="000004", now=1_009)
    home.accounts.rows[account.id] = change(home.accounts.rows[account.id], Change.SUSPENDED)
    await refused("sign_in", sign_in.authenticate(home, fourth, at(1_010)))
    await refused("sign_in", sign_in.authenticate(home, "no token", at(1_011)))
    assert not home.logins.rows or all(each.state is not State.ENDED for each in home.logins.rows.values())


async def test_a_revoked_role_is_gone_at_the_next_request_and_the_login_gets_a_new_token(home):
    account = settle(home, "zhang.wei", Role.DRAW_CLERK)
    secret, _ = await signed_in(home)
    home.accounts.held[account.person] = frozenset()
    await sign_in.roles_changed(home, [account.id], 1_001)
    login, actor, _ = await sign_in.authenticate(home, secret, at(1_002))
    assert (login.renew_token, actor.grants) == (True, frozenset())
    fresh, login = await sign_in.renew(home, login)
    await refused("sign_in", sign_in.authenticate(home, secret, at(1_003)))
    assert (await sign_in.authenticate(home, fresh, at(1_003)))[0].renew_token is False
    await refused("login_stale", sign_in.renew(home, replace(login, version=1)))


async def test_two_requests_at_once_are_both_answered(home):
    settle(home, "zhang.wei")
    secret, _ = await signed_in(home)
    got = await asyncio.gather(*(sign_in.authenticate(home, secret, at(1_100 + n)) for n in range(20)))
    assert all(actor.level is Level.FULL for _, actor, _ in got)


async def test_an_old_hash_is_renewed_when_its_owner_signs_in(home):
    account = settle(home, "zhang.wei")
    home.hasher.cost = Cost(16 << 10, 2)
    assert needs_rehash(account.password, home.hasher.cost)
    await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_000))
    assert not needs_rehash(home.accounts.rows[account.id].password, home.hasher.cost)
    await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_001))


@pytest.mark.parametrize(
    ("event", "shown"), [(E.TOTP_RIGHT, b"1"), (E.PASSKEY_RIGHT, "1"), (E.PASSWORD_RIGHT, "1"), (E.PROVIDER_VOUCHED, "1"), (E.MOVED, "1")]
)
async def test_nothing_else_is_a_second_factor(home, event, shown):
    settle(home, "zhang.wei")
    _, login = await sign_in.with_password(home, "zhang.wei", PASSWORD, at(1_000))
    await refused("login_step", sign_in.with_second(home, login, event, shown, at(1_001)))
    assert logins.at(login, 1_001, 0).level is Level.PASSWORD
