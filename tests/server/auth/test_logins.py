"""The login machine: every path up to length 8 judged by plain rules beside it, and every wrong entry of the table noticed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from drawing.errors import Refused
from server.auth import logins
from server.auth.logins import (
    NEXT,
    RAISES,
    Event,
    Kind,
    Login,
    LoginId,
    State,
    apply,
    at,
    begin,
    listed,
    renewed,
    revoke,
    seen,
    token,
    token_hash,
)
from server.auth.model import AccountId, Level
from tests.conftest import LONG, counts

E, S = Event, State
ME, OTHER = AccountId("a" * 32), AccountId("b" * 32)
HOME, AWAY = b"home", b"away"


class Memory:
    """The port in memory, for other tests."""

    def __init__(self) -> None:
        self.rows: dict[LoginId, Login] = {}

    async def by_token(self, token_hash: bytes) -> Login | None:
        return next((each for each in self.rows.values() if each.token_hash == token_hash), None)

    async def of(self, account: AccountId) -> Sequence[Login]:
        return [each for each in self.rows.values() if each.account == account]

    async def add(self, login: Login) -> None:
        assert login.id not in self.rows
        assert await self.by_token(login.token_hash) is None
        self.rows[login.id] = login

    async def swap(self, login: Login) -> bool:
        held = self.rows.get(login.id)
        if held is None or held.version != login.version - 1:
            return False
        if login.state is State.ENDED:
            del self.rows[login.id]
        else:
            self.rows[login.id] = login
        return True


fresh = (sha256(n.to_bytes(8, "big")).digest() for n in itertools.count())


def start(event: Event = E.PASSWORD_RIGHT, now: int = 0, kind: Kind = Kind.STAFF, account: AccountId = ME) -> Login:
    return begin(event, id=LoginId("1" * 32), account=account, kind=kind, generation=0, fresh_hash=next(fresh), now=now, place=HOME)


def step(login: Login, event: Event, now: int = 1) -> Login:
    return apply(login, event, now, next(fresh) if event in RAISES else b"", now + 600 if event is E.STAND_IN_USED else 0)


def full(now: int = 0, kind: Kind = Kind.STAFF, second: Event = E.TOTP_RIGHT) -> Login:
    return step(start(now=now, kind=kind), second, now)


# The judge: what was shown since this login began, in words of its own. It does not look at NEXT.


@dataclass(frozen=True)
class Shown:
    first: bool = False  # a password, or the provider's word
    second: bool = False  # a second factor after it
    passkey: bool = False  # with user verification
    again_ago: int | None = None  # seconds since a factor was shown by somebody who was fully signed in
    began_ago: int = 0
    seen_ago: int = 0


SECONDS = {E.TOTP_RIGHT, E.RECOVERY_USED, E.STAND_IN_USED}


def judged(shown: Shown, event: Event) -> Shown:
    signed_in = shown.passkey or (shown.first and shown.second)
    match event:
        case E.PASSWORD_RIGHT | E.PROVIDER_VOUCHED:
            return replace(shown, first=True, seen_ago=0)
        case E.TOTP_RIGHT | E.RECOVERY_USED | E.STAND_IN_USED:
            shown = replace(shown, second=shown.second or shown.first, seen_ago=0)
        case E.PASSKEY_RIGHT:
            shown = replace(shown, passkey=True, seen_ago=0)
        case E.TOTP_WRONG | E.PASSKEY_WRONG | E.MOVED | E.ROLES_CHANGED:
            return replace(shown, again_ago=None)
        case _:
            return shown
    return replace(shown, again_ago=0) if signed_in else shown


def later(shown: Shown, seconds: int) -> Shown:
    return replace(
        shown,
        again_ago=None if shown.again_ago is None else shown.again_ago + seconds,
        began_ago=shown.began_ago + seconds,
        seen_ago=shown.seen_ago + seconds,
    )


def fault(login: Login | None, shown: Shown) -> str:
    level = login.level if login else Level.NONE
    if level >= Level.FULL:
        if not (shown.passkey or (shown.first and shown.second)):
            return "full without both factors"
        if shown.began_ago >= 12 * 3600 or shown.seen_ago >= 15 * 60:
            return "full after its time"
    if level is Level.STEPPED_UP and (shown.again_ago is None or shown.again_ago >= 300):
        return "stepped up without a factor within five minutes"
    if login and login.passkey and not shown.passkey:
        return "a passkey that nobody showed"
    return ""


GAPS = (0, 299, 300, 901, 43_201) if LONG else (0, 300, 43_201)


def relative(login: Login | None, now: int) -> object:
    """All of a login that later steps can depend on, times as seen from now."""
    if login is None:
        return None
    return (
        login.state,
        frozenset(login.shown),
        now - login.began,
        now - login.seen,
        now - login.stepped_up_at,
        login.stepped_up_by,
        login.not_after and login.not_after - now,
    )


def walk(length: int, gaps: Sequence[int] = GAPS) -> tuple[int, str]:
    """All sequences of (wait, event) up to a length, those with the same login and the same judge walked once. How many, and the first fault."""
    front: dict[object, tuple[Login | None, Shown, int, int]] = {(None, Shown()): (None, Shown(), 0, 1)}
    paths = 0
    for _ in range(length):
        after: dict[object, tuple[Login | None, Shown, int, int]] = {}
        for login, shown, now, ways in front.values():
            for gap, event in itertools.product(gaps, Event):
                paths += ways
                then = now + gap
                new, judge = (at(login, then, 0), later(shown, gap)) if login else (None, Shown())
                if new is not None and new.state is S.ENDED:
                    new, judge = None, Shown()
                if wrong := fault(new, judge):
                    return paths, wrong
                try:
                    if new is None:
                        new, judge = start(event, then), judged(Shown(), event)
                    else:
                        new, judge = step(new, event, then), judged(judge, event)
                except Refused:
                    pass
                if new is not None and new.state is S.ENDED:
                    new, judge = None, Shown()
                if wrong := fault(new, judge):
                    return paths, wrong
                key = (relative(new, then), judge)
                held = after.get(key)
                after[key] = (new, judge, then, ways + (held[3] if held else 0))
        front = after
    return paths, ""


def test_no_path_up_to_length_8_is_full_without_both_factors():
    length = 8
    paths, wrong = walk(length)
    assert wrong == ""
    assert paths == sum((len(GAPS) * len(Event)) ** n for n in range(1, length + 1))
    counts("paths of the login machine up to length 8, all", paths, paths)


ENTRIES = [(state, event, to) for state in State for event in Event for to in (S.FULL, S.STEPPED_UP) if NEXT[state].get(event) != to]


def harmless(state: State, event: Event, to: State) -> bool:
    """Wrong entries by which nobody gets further than what was shown."""
    nothing_shown = {E.PASSWORD_RIGHT, E.PASSWORD_WRONG, E.PROVIDER_VOUCHED, E.PASSKEY_UNVERIFIED}
    return (
        state is S.ENDED  # nobody applies anything to it: the row is gone
        or (to is S.FULL and state in (S.FULL, S.STEPPED_UP) and event not in logins._END)
        or (to is S.STEPPED_UP and state is S.STEPPED_UP and event in nothing_shown)
    )


@pytest.mark.parametrize(("state", "event", "to"), [each for each in ENTRIES if not harmless(*each)], ids=lambda each: each.value)
def test_a_wrong_entry_that_leads_in_is_noticed(monkeypatch, state, event, to):
    monkeypatch.setattr(logins, "NEXT", {**NEXT, state: {**NEXT[state], event: to}})
    if event in logins._END and state is not S.NONE:
        # It would keep alive what should be over. Those that time decides are seen by the walk; the owner's wish is checked here.
        login = full() if state is S.FULL else step(full(), E.TOTP_RIGHT) if state is S.STEPPED_UP else start()
        assert apply(login, event, 1).state is not S.ENDED
        return
    assert walk(4, (0, 300))[1] != ""


def test_every_end_ends_every_login():
    for login in (start(), full(), step(full(), E.PASSKEY_RIGHT)):
        for event in (E.IDLE, E.EXPIRED, E.REVOKED, E.SIGNED_OUT):
            ended = apply(login, event, 2)
            assert (ended.state, ended.level, ended.passkey) == (S.ENDED, Level.NONE, False)
            for after in Event:
                with pytest.raises(Refused, match="login_step"):
                    step(ended, after)


def test_every_state_has_its_row_and_none_leads_to_nothing():
    assert set(NEXT) == set(State)
    assert all(to is not S.NONE for state in State if state is not S.NONE for to in NEXT[state].values())
    assert all(E.PASSKEY_UNVERIFIED not in row for row in NEXT.values())


def test_whatever_raises_a_login_gives_it_a_new_token():
    for login, event in [
        (start(), E.TOTP_RIGHT),
        (start(), E.PASSKEY_RIGHT),
        (full(), E.TOTP_RIGHT),
        (step(full(), E.TOTP_RIGHT), E.PASSKEY_RIGHT),
    ]:
        for bad in (b"", login.token_hash, b"short"):
            with pytest.raises(ValueError, match="new token"):
                apply(login, event, 1, bad)
        assert step(login, event).token_hash != login.token_hash


def test_a_change_of_roles_ends_the_step_up_and_asks_for_a_new_token():
    login = step(step(full(), E.PASSKEY_RIGHT), E.ROLES_CHANGED)
    assert (login.level, login.renew_token, login.passkey) == (Level.FULL, True, True)
    again = renewed(login, next(fresh))
    assert (again.renew_token, again.token_hash != login.token_hash, again.version) == (False, True, login.version + 1)
    with pytest.raises(ValueError, match="new token"):
        renewed(login, login.token_hash)


@pytest.mark.parametrize(
    ("login", "alive", "over"),
    [
        (start(), 299, 300),
        (full(), 899, 900),
        (full(kind=Kind.EXPERT), 3_599, 3_600),
    ],
)
def test_an_idle_login_is_over(login, alive, over):
    assert at(login, alive, 0).state is login.state
    assert at(login, over, 0).state is S.ENDED


@pytest.mark.parametrize(("kind", "most"), [(Kind.STAFF, 12 * 3600), (Kind.EXPERT, 24 * 3600)])
def test_no_login_outlives_its_day_however_busy(kind, most):
    login = full(kind=kind)
    for now in range(0, most, 600):
        login = seen(at(login, now, 0), now, HOME)
        assert login.level is Level.FULL
    assert at(seen(login, most - 1, HOME), most, 0).state is S.ENDED


def test_a_step_up_lasts_five_minutes():
    login = step(full(), E.TOTP_RIGHT, 100)
    assert at(login, 399, 0).level is Level.STEPPED_UP
    assert at(login, 400, 0).level is Level.FULL


def test_only_a_passkey_s_step_up_is_one_of_a_passkey():
    login = step(start(E.PASSKEY_RIGHT), E.TOTP_RIGHT)
    assert not login.passkey
    assert step(login, E.PASSKEY_RIGHT, 2).passkey
    assert step(start(), E.PASSKEY_RIGHT).passkey
    assert not start().passkey
    assert not full().passkey


def test_another_network_or_browser_ends_the_step_up_and_a_waiting_login():
    login = seen(step(full(), E.PASSKEY_RIGHT), 5, AWAY)
    assert (login.level, login.place) == (Level.FULL, AWAY)
    assert seen(start(), 5, AWAY).state is S.ENDED


def test_being_seen_writes_twice_a_minute_at_most():
    login = full()
    assert seen(login, 29, HOME) is login
    assert seen(login, 30, HOME).seen == 30


def test_a_stand_in_ends_with_its_day():
    login = apply(start(), E.STAND_IN_USED, 10, next(fresh), not_after=700)
    assert at(login, 699, 0).level is Level.FULL
    assert at(seen(login, 699, HOME), 700, 0).state is S.ENDED
    with pytest.raises(ValueError, match="one day"):
        apply(start(), E.STAND_IN_USED, 10, next(fresh))


def test_signing_out_everywhere_is_one_number():
    mine = [replace(full(), id=LoginId(f"{n:032x}"), token_hash=next(fresh)) for n in range(20)]
    assert len(listed(mine, mine[3].id, 0, 1)) == 20
    assert listed(mine, mine[3].id, 1, 1) == ()
    assert all(at(each, 1, 1).state is S.ENDED for each in mine)
    assert at(replace(mine[0], generation=2), 1, 1).state is S.ENDED  # nor one that claims a later number


def test_one_lists_and_revokes_one_s_own_logins_only():
    mine = [replace(full(), id=LoginId(f"{n:032x}"), seen=n, label=f"browser {n}") for n in range(3)]
    shown = listed(mine, mine[1].id, 0, 10)
    assert [(each.label, each.this_one) for each in shown] == [("browser 2", False), ("browser 1", True), ("browser 0", False)]
    assert revoke(mine[0], ME, 5).state is S.ENDED
    with pytest.raises(Refused, match="not_found"):
        revoke(mine[0], OTHER, 5)


async def test_of_two_writers_one_is_first():
    port, login = Memory(), full()
    await port.add(login)
    assert await port.swap(step(login, E.TOTP_RIGHT))
    assert not await port.swap(step(login, E.SIGNED_OUT))


def test_a_token_has_one_spelling_and_the_store_its_hash_only():
    chance = bytes(range(200, 232))
    text, held = token(chance)
    assert (len(text), held, token_hash(text)) == (43, sha256(chance).digest(), held)
    assert token_hash(token(bytes(32))[0]) == sha256(bytes(32)).digest()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [text[:-1] + each for each in last if each != text[-1]]
    assert sum(token_hash(each) is not None for each in others) == 15  # 43 characters hold 258 bits: the other 48 spell nothing
    for bad in ("", text[:-1], text + "A", text + "=", " " + text[1:], text.replace(text[5], "+", 1), "é" * 43, "\ud800" * 43, "Ａ" * 43):
        assert token_hash(bad) is None
    with pytest.raises(ValueError, match="256 bits"):
        token(bytes(31))


@pytest.mark.parametrize("event", [event for event in Event if event not in logins.BEGINS])
def test_nothing_else_begins_a_login(event):
    with pytest.raises(Refused, match="login_step"):
        start(event)
