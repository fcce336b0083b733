"""Recovery codes: ten look-up secrets on paper, each in place of a second factor once (NIST SP 800-63B-4, 3.1.2).

80 random bits each, so that a hash is enough in the database; what people type is forgiven its case, spaces and look-alikes.
Whoever holds a role that must come with a passkey gets none: such a person's loss is put right by two administrators.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Protocol

from drawing.canonical import TH
from drawing.errors import Refused
from server.auth.model import PASSKEY_ROLES, AccountId, Role

COUNT, CODE_BYTES = 10, 10
CHANCE_BYTES = COUNT * CODE_BYTES
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_ALIKE = str.maketrans("OIL", "011")


def make(account: AccountId, roles: Iterable[Role], chance: bytes) -> tuple[tuple[str, ...], frozenset[bytes]]:
    """The codes, shown once, and what is stored in place of all earlier ones. `chance`: 100 random bytes. Raises Refused."""
    if len(chance) != CHANCE_BYTES:
        raise ValueError("ten codes of 80 bits")
    if frozenset(roles) & PASSKEY_ROLES:
        raise Refused("recovery_not_for_role", "account")
    codes = tuple(_write(chance[at : at + CODE_BYTES]) for at in range(0, CHANCE_BYTES, CODE_BYTES))
    return codes, frozenset(_digest(account, code) for code in codes)


def digest(account: AccountId, typed: str) -> bytes | None:
    """What to take from the store for what somebody typed; None where it is no code."""
    if len(typed) > 64:
        return None
    plain = "".join(each for each in unicodedata.normalize("NFKC", typed).upper() if not each.isspace() and each not in "-_.·–—")
    plain = plain.translate(_ALIKE)
    if len(plain) != 16 or set(plain) - set(_LETTERS):
        return None
    return _digest(account, plain)


def _digest(account: AccountId, code: str) -> bytes:
    return TH("lotroom/v1/recovery", account.encode(), code.replace("-", "").encode())


def _write(chance: bytes) -> str:
    number = int.from_bytes(chance, "big")
    plain = "".join(_LETTERS[number >> shift & 31] for shift in range(75, -1, -5))
    return "-".join(plain[at : at + 4] for at in range(0, 16, 4))


class RecoveryCodes(Protocol):
    """The port. The log says how many are left, never which."""

    async def replace(self, account: AccountId, digests: frozenset[bytes]) -> None: ...

    async def take(self, account: AccountId, digest: bytes) -> bool:
        """Delete this one; True for exactly one caller of any number at once."""
        ...

    async def left(self, account: AccountId) -> int: ...
