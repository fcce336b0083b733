"""How many guesses pass. A pure rule over counters; storage makes one transaction of reading, deciding and writing them.

A guess is counted *before* the password is looked at, under several keys at once, and passes only where all of them let it: a refused guess
counts nowhere, so whoever floods one address cannot fill somebody else's account. Second factors count under the same account key as
passwords, and only a full login clears it: who knows a password does not get five codes for each time of typing it.

Nobody is locked for ever. After five guesses the next one waits, and the wait grows up to an hour. Somebody who is being locked out by
strangers still comes in from a device that has signed in before (it has a key of its own), or with a passkey (nothing to guess).
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from drawing.errors import Refused

LONGEST_NAME = 200  # characters of what somebody types as an account


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` guesses in any `seconds`. With `waits`, tries since the last success count on, and after `most` each waits for longer."""

    most: int
    seconds: int
    waits: tuple[int, ...] = ()
    forgets: int = 0  # seconds without a guess after which the counting of tries begins anew


# security.md 2.3
LIMITS: Mapping[str, Limit] = {
    "account": Limit(5, 900, waits=(900, 1800, 3600), forgets=86_400),
    "device": Limit(5, 900, waits=(900, 1800, 3600), forgets=86_400),
    "ip": Limit(20, 60),
    "all": Limit(50, 1),
}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What guesses are counted under: `kind` is a key of LIMITS, `id` at most 64 ASCII characters without anything of a name in clear."""

    kind: str
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Counter:
    """The moments of the last guesses that passed, oldest first, and how many passed since the last success."""

    moments: tuple[int, ...] = ()
    tries: int = 0

    def dump(self) -> str:
        """One column of text."""
        return f"{self.tries};" + ",".join(map(str, self.moments))

    @staticmethod
    def load(text: str) -> Counter:
        tries, _, moments = text.partition(";")
        return Counter(tuple(int(each) for each in moments.split(",") if each), int(tries))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`counters` to write where the guess passes; otherwise none and the second from which it may be tried again."""

    counters: Mapping[Key, Counter]
    wait_until: int = 0
    refused_by: str = ""  # the kind of key; "account" must be said to nobody who is not signed in

    @property
    def passes(self) -> bool:
        return not self.wait_until


def decide(counters: Mapping[Key, Counter], now: int) -> Verdict:
    """Whether a guess under all these keys passes now. Every key of the guess must be there, with Counter() where nothing is stored."""
    written, wait_until, refused_by = {}, 0, ""
    for key in sorted(counters):
        counted, wait = _one(LIMITS[key.kind], counters[key], now)
        written[key] = counted
        if wait > wait_until:
            wait_until, refused_by = wait, key.kind
    if not counters:
        raise Refused("nothing_counted", "throttle")  # the empty set refuses
    return Verdict({}, wait_until, refused_by) if wait_until else Verdict(written)


def _one(limit: Limit, counter: Counter, now: int) -> tuple[Counter, int]:
    """The counter with this guess in it, and 0 or when to come again."""
    # A clock that was ahead and is set back must not lock anybody until it gets there again.
    moments = tuple(min(each, now) for each in counter.moments)
    tries = 0 if not moments or (limit.forgets and now - moments[-1] >= limit.forgets) else counter.tries
    wait = 0
    if len(moments) >= limit.most and now - moments[-limit.most] < limit.seconds:
        wait = moments[-limit.most] + limit.seconds
    if limit.waits and tries >= limit.most:
        due = moments[-1] + limit.waits[min(tries - limit.most, len(limit.waits) - 1)]
        wait = max(wait, due if due > now else 0)
    return Counter((*moments, now)[-limit.most :], tries + 1), wait


class Throttle(Protocol):
    """The port. Both calls are atomic over all processes."""

    async def take(self, keys: Sequence[Key], now: int) -> Verdict:
        """Lock the rows of `keys` in their order (a row that is not there yet too), `decide`, write what it says. One transaction."""
        ...

    async def clear(self, keys: Sequence[Key]) -> None:
        """Forget these counters: somebody signed in fully. Only account and device keys are ever passed."""
        ...


def account_name(typed: str) -> str:
    """The one spelling of an account's name: stored, looked up and counted so. Width, case, spaces and invisible characters do not matter.

    Raises Refused where it is empty or too long.
    """
    name = typed
    if len(name) <= LONGEST_NAME:
        for _ in range(4):  # NFKC of a folded name may fold again; 2 rounds settle all of Unicode 15
            before = name
            name = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
            name = "".join(each for each in name if not each.isspace() and unicodedata.category(each) not in _INVISIBLE)
            if name == before:
                break
    if not 0 < len(name) <= LONGEST_NAME:
        raise Refused("account_name", "account", most=LONGEST_NAME)
    return name


_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})


def account_key(typed: str) -> Key:
    """Of what somebody typed, whether there is such an account or not."""
    return Key("account", sha256(account_name(typed).encode()).hexdigest())


def device_key(typed: str, device: bytes) -> Key:
    """Of a device that has signed in to this account before and proves it by a cookie; in place of the account's key."""
    return Key("device", sha256(sha256(account_name(typed).encode()).digest() + sha256(device).digest()).hexdigest())


def ip_key(address: str) -> Key:
    """Of a network address: one IPv4 address, or a /64 of IPv6, which is what one subscriber has. Raises Refused."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        raise Refused("network_address", "address") from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if isinstance(ip, ipaddress.IPv6Address):
        return Key("ip", str(ipaddress.ip_network((int(ip) >> 64 << 64, 64))).partition("/")[0])
    return Key("ip", str(ip))


def keys_of_guess(typed: str, address: str, device: bytes | None = None) -> tuple[Key, ...]:
    """Under what a guess counts. `device`: only where the caller has checked that it belongs to this account."""
    return (device_key(typed, device) if device else account_key(typed), Key("all"), ip_key(address))
