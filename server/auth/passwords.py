"""Passwords: how they are compared, what may be one, and the bounded place where argon2id runs.

Stored as the usual text `$argon2id$v=19$m=65536,t=3,p=1$salt$hash`. One hash takes 64 MiB and about 120 ms of a core, so `Hasher` runs at
most one less than there are cores, in threads beside the event loop, and keeps a short queue: who comes when it is full is asked to come
again, because a waiting line without end is how a flood of wrong passwords stops a room. Somebody unknown costs the same as somebody known.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from nacl import bindings as sodium

from drawing.errors import Refused

T = TypeVar("T")

SALT_BYTES, HASH_BYTES = 16, 32
LONGEST = 128  # characters, before and after normalisation; longer ones are nobody's password
MOST_MEMORY, MOST_PASSES = 256 << 20, 8  # of a stored hash: a row cannot order more work than this
_STORED = re.compile(r"\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]{0,2}),p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a guess costs. libsodium knows one lane only (p=1)."""

    memory: int = 64 << 20
    passes: int = 3


COST = Cost()


@lru_cache(4)
def _nobody(cost: Cost) -> str:
    """What a password of nobody is compared with: made before it is needed, so that nobody takes no longer than somebody."""
    return f"$argon2id$v=19$m={cost.memory >> 10},t={cost.passes},p=1${'A' * 22}${'A' * 43}"


def normalise(password: str) -> bytes | None:
    """The bytes that are hashed: NFKC, so that a full-width keyboard gives the same password. None where nobody can have it."""
    if not 0 < len(password) <= LONGEST:
        return None
    plain = unicodedata.normalize("NFKC", password)
    try:
        return plain.encode() if len(plain) <= LONGEST else None
    except UnicodeEncodeError:  # a lone surrogate
        return None


def hash_password(password: str, salt: bytes, cost: Cost = COST) -> str:
    """The text to store. `salt`: 16 fresh random bytes. Raises Refused for what `check_password` refuses by its length."""
    plain = normalise(password)
    if plain is None:
        raise Refused("password_length", "password", least=Policy().least, most=LONGEST)
    made = _argon2id(plain, salt, cost)
    return f"$argon2id$v=19$m={cost.memory >> 10},t={cost.passes},p=1${_base64(salt)}${_base64(made)}"


def verify_password(password: str, stored: str | None, cost: Cost = COST) -> bool:
    """Whether this is the password. `stored` None (nobody, or no password): the same work at the present cost, then False."""
    nobody = _nobody(cost)
    known = _STORED.fullmatch(nobody if stored is None else stored)
    if known is None:  # a row that was tampered with is nobody's
        known, stored = _STORED.fullmatch(nobody), None
    assert known is not None
    memory, passes = int(known[1]) << 10, int(known[2])
    if memory > MOST_MEMORY or passes > MOST_PASSES:
        return False
    plain = normalise(password)
    expected = base64.b64decode(known[4] + "=")
    made = _argon2id(plain if plain is not None else b"\0", base64.b64decode(known[3] + "=="), Cost(memory, passes))
    return hmac.compare_digest(made, expected) and stored is not None and plain is not None


def needs_rehash(stored: str, cost: Cost = COST) -> bool:
    """Whether a password that was just right should be stored again, at the present cost."""
    return not stored.startswith(f"$argon2id$v=19$m={cost.memory >> 10},t={cost.passes},p=1$")


def _argon2id(plain: bytes, salt: bytes, cost: Cost) -> bytes:
    return sodium.crypto_pwhash_alg(HASH_BYTES, plain, salt, cost.passes, cost.memory, sodium.crypto_pwhash_ALG_ARGON2ID13)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


class Hasher:
    """Where the work runs: `workers` threads (cores - 1), at most `queue` waiting. Closed by whoever made it."""

    def __init__(self, cores: int, queue: int = 32, cost: Cost = COST) -> None:
        self.workers = max(1, cores - 1)
        self.most = self.workers + queue
        self.cost = cost
        self._pool = ThreadPoolExecutor(self.workers, "argon2id")
        self._held = 0
        self._lock = threading.Lock()  # held for an addition; workers give places back from their own threads

    def check_room(self) -> None:
        """Raises Refused "busy" where the next one would be: asked before a guess is counted, so that a flood uses up nobody's guesses."""
        if self._held >= self.most:
            raise Refused("busy", retry_after=1 + self.most // (4 * self.workers))

    async def hash(self, password: str, salt: bytes) -> str:
        """As `hash_password`, off the loop. Raises Refused "busy"."""
        return await self._run(lambda: hash_password(password, salt, self.cost))

    async def verify(self, password: str, stored: str | None) -> bool:
        """As `verify_password`, off the loop. Raises Refused "busy"."""
        return await self._run(lambda: verify_password(password, stored, self.cost))

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            self.check_room()
            self._held += 1
        try:
            running = self._pool.submit(work)
        except RuntimeError:  # closed
            self._gave_back()
            raise
        # A request that goes away gives its place back when the thread is done with it, never before.
        running.add_done_callback(self._gave_back)
        return await asyncio.wrap_future(running)

    def _gave_back(self, _: Future[T] | None = None) -> None:
        with self._lock:
            self._held -= 1

    def close(self) -> None:
        """Forget what waits, wait for what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be a password. GB/T 22239 8.1.4.1 wants complexity; long passphrases need none (NIST SP 800-63B-4)."""

    least: int = 12
    classes: int = 3  # of: lower case, upper case, digits, everything else
    passphrase: int = 20  # from this length on no classes are asked for
    different: int = 6  # characters


# What people put first and fill up with digits. Compared after letters and digits that stand for each other are folded.
COMMON = frozenset(
    "password passwort passw0rd qwerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx qwer asdf admin administrator root manager letmein welcome "
    "iloveyou monkey dragon master secret changeme default guest test testing login user abc abcd abcdef abcdefg woaini woaini1314 mima "
    "nihao zhongguo china beijing shanghai huawei taobao wechat weixin lotroom expert choujiang chouqian pingbiao zhaobiao toubiao".split()
)
_FOLD = str.maketrans("0134578@$!", "oieastbasi")
_ROWS = ("1234567890", "0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm")


def check_password(password: str, names: Iterable[str] = (), policy: Policy = Policy()) -> None:
    """Raises Refused with what is wrong. `names`: of the centre, the person (pinyin as well), the account; none may be part of it."""
    plain_bytes = normalise(password)
    plain = plain_bytes.decode() if plain_bytes is not None else ""
    if len(plain) < policy.least:
        raise Refused("password_length", "password", least=policy.least, most=LONGEST)
    if any(unicodedata.category(each) in ("Cc", "Cn", "Co", "Cs", "Zl", "Zp") for each in plain):
        raise Refused("password_characters", "password")
    low = plain.casefold()
    if len(set(low)) < policy.different or _is_run(low):
        raise Refused("password_simple", "password")
    if len(plain) < policy.passphrase and len({_class(each) for each in plain}) < policy.classes:
        raise Refused("password_classes", "password", classes=policy.classes, length=policy.passphrase)
    for word in _words(names):
        if word in low or word in low.translate(_FOLD):
            raise Refused("password_has_name", "password")
    rest = "".join(each for each in low if not each.isdigit() and each.isalnum())
    kernel = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", low)
    folded = {"".join(each for each in part.translate(_FOLD) if each.isalpha()) for part in (low, kernel)}
    if (folded | {rest}) & COMMON or len(rest) < 3:
        raise Refused("password_common", "password")


def _class(each: str) -> str:
    if each.isdigit():
        return "digit"
    return "lower" if each.islower() else "upper" if each.isupper() else "other"


def _is_run(low: str) -> bool:
    """A piece repeated, or three quarters of it steps along a row of the keyboard or the alphabet."""
    size = len(low)
    if any(low == (low[:part] * size)[:size] for part in range(1, size // 2 + 1)):
        return True
    pairs = {row[at : at + 2] for row in _ROWS for at in range(len(row) - 1)}
    pairs |= {pair[::-1] for pair in pairs}
    steps = sum(low[at : at + 2] in pairs or low[at] == low[at + 1] for at in range(size - 1))
    return 4 * steps >= 3 * (size - 1)


def _words(names: Iterable[str]) -> set[str]:
    """The parts of names that must not be in a password: four letters or more, two or more of a Chinese name."""
    out = set()
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        for word in (*re.split(r"[\W_]+", folded), re.sub(r"[\W_]+", "", folded)):
            if len(word) >= (4 if word.isascii() else 2):
                out.add(word)
    return out
