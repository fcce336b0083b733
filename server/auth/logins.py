"""A login: from nobody to fully signed in, and out again. `NEXT` is the machine; a missing entry is a refusal.

A login begins with a right password (or an identity provider's word, which counts as no more) and is full only when a second factor was
right too; a passkey with user verification is both at once. Whatever raises a login gives it a new token, so that a token seen or planted
before is worth nothing afterwards. The browser holds 256 random bits, the database their SHA-256 only.

Time ends logins: 15 minutes idle and 12 hours at most for staff, 1 hour and 24 hours for experts, 5 minutes for one that waits for its second
factor. "Sign out everywhere" is one number of the account: logins of an earlier generation are over without being looked for.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import NewType, Protocol

from drawing.errors import Refused
from server.auth.model import AccountId, Level

LoginId = NewType("LoginId", str)


class State(StrEnum):
    NONE = "none"  # there is no login
    PASSWORD_OK = "password_ok"  # noqa: S105 (a state, not a password)
    FULL = "full"
    STEPPED_UP = "stepped_up"
    ENDED = "ended"


class Event(StrEnum):
    PASSWORD_RIGHT = "password_right"  # noqa: S105
    PASSWORD_WRONG = "password_wrong"  # noqa: S105
    PROVIDER_VOUCHED = "provider_vouched"  # OIDC: in place of the password, never of the second factor
    TOTP_RIGHT = "totp_right"
    TOTP_WRONG = "totp_wrong"
    RECOVERY_USED = "recovery_used"
    STAND_IN_USED = "stand_in_used"  # host and supervisor vouched for this person today (people.py)
    PASSKEY_RIGHT = "passkey_right"  # with user verification
    PASSKEY_UNVERIFIED = "passkey_unverified"  # right, but nobody knows who touched it: has no entry
    PASSKEY_WRONG = "passkey_wrong"
    STEP_UP_OVER = "step_up_over"
    MOVED = "moved"  # another network or browser than before
    ROLES_CHANGED = "roles_changed"
    IDLE = "idle"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SIGNED_OUT = "signed_out"


S, E = State, Event
_END = dict.fromkeys((E.IDLE, E.EXPIRED, E.REVOKED, E.SIGNED_OUT), S.ENDED)
_WRONG = (E.TOTP_WRONG, E.PASSKEY_WRONG)
_SECOND = (E.TOTP_RIGHT, E.RECOVERY_USED, E.STAND_IN_USED, E.PASSKEY_RIGHT)

NEXT: Mapping[State, Mapping[Event, State]] = {
    S.NONE: {
        E.PASSWORD_RIGHT: S.PASSWORD_OK,
        E.PROVIDER_VOUCHED: S.PASSWORD_OK,
        E.PASSKEY_RIGHT: S.FULL,
        E.PASSWORD_WRONG: S.NONE,
        E.PASSKEY_WRONG: S.NONE,
    },
    S.PASSWORD_OK: {
        **dict.fromkeys(_SECOND, S.FULL),
        **dict.fromkeys(_WRONG, S.PASSWORD_OK),
        E.MOVED: S.ENDED,
        E.ROLES_CHANGED: S.ENDED,
        **_END,
    },
    S.FULL: {
        **dict.fromkeys(_SECOND, S.STEPPED_UP),
        **dict.fromkeys(_WRONG, S.FULL),
        E.MOVED: S.FULL,
        E.ROLES_CHANGED: S.FULL,
        **_END,
    },
    S.STEPPED_UP: {
        **dict.fromkeys(_SECOND, S.STEPPED_UP),
        **dict.fromkeys(_WRONG, S.FULL),
        E.STEP_UP_OVER: S.FULL,
        E.MOVED: S.FULL,
        E.ROLES_CHANGED: S.FULL,
        **_END,
    },
    S.ENDED: {},
}
RAISES = frozenset({E.PASSWORD_RIGHT, E.PROVIDER_VOUCHED, *_SECOND})  # these come with a new token
BEGINS = frozenset({E.PASSWORD_RIGHT, E.PROVIDER_VOUCHED, E.PASSKEY_RIGHT})

STEP_UP_SECONDS = 300
WAITING_SECONDS = 300  # for the second factor


class Kind(StrEnum):
    STAFF = "staff"
    EXPERT = "expert"


@dataclass(frozen=True, slots=True)
class Life:
    idle: int
    most: int


LIVES: Mapping[Kind, Life] = {Kind.STAFF: Life(15 * 60, 12 * 3600), Kind.EXPERT: Life(3600, 24 * 3600)}  # NIST SP 800-63B-4


@dataclass(frozen=True, slots=True)
class Login:
    """One row. `version` is for compare-and-set; `shown` are the events that raised it, in order; `place` is a digest of network and browser."""

    id: LoginId
    account: AccountId
    kind: Kind
    token_hash: bytes
    generation: int
    began: int
    seen: int
    state: State
    shown: tuple[Event, ...]
    place: bytes = b""
    label: str = ""  # what the owner sees in the list: browser and system, never an address
    stepped_up_at: int = 0
    stepped_up_by: Event | None = None
    not_after: int = 0  # 0, or an end earlier than the kind's: the day of a stand-in
    renew_token: bool = False  # the next request of its owner is to get a new token
    version: int = 1

    @property
    def level(self) -> Level:
        match self.state:
            case State.PASSWORD_OK:
                return Level.PASSWORD
            case State.FULL:
                return Level.FULL
            case State.STEPPED_UP:
                return Level.STEPPED_UP
            case State.NONE | State.ENDED:
                return Level.NONE

    @property
    def passkey(self) -> bool:
        """Whether a passkey stands behind its present level."""
        if self.state is State.STEPPED_UP:
            return self.stepped_up_by is Event.PASSKEY_RIGHT
        return self.state is State.FULL and Event.PASSKEY_RIGHT in self.shown

    @property
    def ends_at(self) -> int:
        """When it is over if nothing happens any more."""
        idle, most = (WAITING_SECONDS, WAITING_SECONDS) if self.state is State.PASSWORD_OK else _life(self)
        end = min(self.seen + idle, self.began + most)
        return min(end, self.not_after) if self.not_after else end


def _life(login: Login) -> tuple[int, int]:
    life = LIVES[login.kind]
    return life.idle, life.most


def token(chance: bytes) -> tuple[str, bytes]:
    """What the cookie holds and what the database holds, from 32 random bytes."""
    if len(chance) != 32:
        raise ValueError("a token has 256 bits")
    return base64.urlsafe_b64encode(chance).decode().rstrip("="), sha256(chance).digest()


def token_hash(text: str) -> bytes | None:
    """What to look up; None for anything that `token` did not write (one spelling)."""
    if len(text) != 43 or not text.isascii():
        return None
    try:
        chance = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return sha256(chance).digest() if token(chance)[0] == text else None


def begin(
    event: Event,
    *,
    id: LoginId,  # noqa: A002 (the field's name)
    account: AccountId,
    kind: Kind,
    generation: int,
    fresh_hash: bytes,
    now: int,
    place: bytes = b"",
    label: str = "",
) -> Login:
    """A login from nothing. Raises Refused where the event does not begin one."""
    state = NEXT[State.NONE].get(event)
    if state is None or state is State.NONE:
        raise Refused("login_step", "login", state=State.NONE.value, event=event.value)
    return Login(id, account, kind, fresh_hash, generation, now, now, state, (event,), place, label)


def apply(login: Login, event: Event, now: int, fresh_hash: bytes = b"", not_after: int = 0) -> Login:
    """The login after an event. `login` is as of now: `at` comes first. `fresh_hash` goes with events in RAISES; with a stand-in its end does.

    Raises Refused where NEXT has no entry.
    """
    state = NEXT[login.state].get(event)
    if state is None:
        raise Refused("login_step", "login", state=login.state.value, event=event.value)
    made = replace(login, state=state, version=login.version + 1)
    if state is not State.STEPPED_UP:
        made = replace(made, stepped_up_at=0, stepped_up_by=None)
    if event in RAISES:
        # Keycloak CVE-2026-7507: a token that was there before the factor must not be the one after it.
        if len(fresh_hash) != 32 or fresh_hash == login.token_hash:
            raise ValueError("a raised login has a new token")
        made = replace(made, token_hash=fresh_hash, shown=(*login.shown, event)[-16:], renew_token=False, seen=now)
        if state is State.STEPPED_UP:
            made = replace(made, stepped_up_at=now, stepped_up_by=event)
        if event is Event.STAND_IN_USED:
            if not not_after:
                raise ValueError("a stand-in is for one day")
            made = replace(made, not_after=min(not_after, login.not_after or not_after))
    if event is Event.ROLES_CHANGED:
        made = replace(made, renew_token=True)
    return made


def at(login: Login, now: int, generation: int) -> Login:
    """The login as of now: what time and the account's generation have done to it since."""
    if login.state in (State.NONE, State.ENDED):
        return login
    if login.generation != generation:
        return apply(login, Event.REVOKED, now)
    if now >= login.ends_at:
        absolute = now >= login.began + (_life(login)[1] if login.state is not State.PASSWORD_OK else WAITING_SECONDS)
        return apply(login, Event.EXPIRED if absolute or (login.not_after and now >= login.not_after) else Event.IDLE, now)
    if login.state is State.STEPPED_UP and now >= login.stepped_up_at + STEP_UP_SECONDS:
        return apply(login, Event.STEP_UP_OVER, now)
    return login


def seen(login: Login, now: int, place: bytes, every: int = 30) -> Login:
    """The login after a request from `place`. Unchanged (nothing to write) while it moved nowhere and was seen less than `every` seconds ago."""
    if place != login.place:
        login = replace(apply(login, Event.MOVED, now), place=place, seen=now)
    elif now - login.seen >= every:
        login = replace(login, seen=now, version=login.version + 1)
    return login


def renewed(login: Login, fresh_hash: bytes) -> Login:
    """The same login under a new token, where `renew_token` asks for one."""
    if len(fresh_hash) != 32 or fresh_hash == login.token_hash:
        raise ValueError("a renewed login has a new token")
    return replace(login, token_hash=fresh_hash, renew_token=False, version=login.version + 1)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the owner sees of one of the own logins."""

    id: LoginId
    label: str
    began: int
    seen: int
    ends_at: int
    this_one: bool


def listed(logins: Iterable[Login], this: LoginId, generation: int, now: int) -> tuple[Listed, ...]:
    """One's own logins that live, the latest first."""
    live = [each for each in (at(login, now, generation) for login in logins) if each.state is not State.ENDED]
    live.sort(key=lambda each: (-each.seen, each.id))
    return tuple(Listed(each.id, each.label, each.began, each.seen, each.ends_at, each.id == this) for each in live)


def revoke(login: Login, by: AccountId, now: int) -> Login:
    """End one of one's own logins. Raises Refused for anybody else's: its id says nothing about whether it exists."""
    if login.account != by:
        raise Refused("not_found", "login")
    return apply(login, Event.REVOKED, now)


class Logins(Protocol):
    """The port. A login is transient (not in the log); what people did with it is."""

    async def by_token(self, token_hash: bytes) -> Login | None: ...

    async def of(self, account: AccountId) -> Sequence[Login]: ...

    async def add(self, login: Login) -> None:
        """A new row. Two with one token hash: refused by a unique index."""
        ...

    async def swap(self, login: Login) -> bool:
        """Write over the row of the same id whose version is one less; False where somebody else was first. ENDED rows are deleted."""
        ...
