"""The root keys at rest: one file, opened by k of n custodians together (SLIP-39 word shares), or in a demonstration by itself.

A random unsealing key encrypts the roots; it is shared among the custodians and forgotten. The shares are shown once. Of each share the
file keeps a salted digest bound to its custodian's name, so that a share is judged by itself: misspelt, another custodian's, of an older
ceremony, or right. A share has 256 random bits: its digest helps nobody to find it. k - 1 shares leave every unsealing key possible but for
the 32-bit check that SLIP-39 puts into the secret polynomial: 2^224 candidates, each as likely as the other.

    {"box": hex, "custodians": [{"check": hex, "name": text}], "demo": hex, "needed": k, "salt": hex, "suite": 1, "v": "lotroom-sealed-root/1"}

`demo` is empty but in a demonstration, where it is the unsealing key itself: such a file opens only with `--insecure-demo`. Everything but
the box is authenticated with it. While the keeper is unsealed it keeps the unsealing key, to write new roots for the same custodians.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share
from shamir_mnemonic.wordlist import WORDLIST

from drawing.canonical import TH, dumps, loads
from drawing.errors import Refused
from drawing.model import digest, hexes, many, nested, shape_of, text, time, unicode_text, whole
from server.files import read_bounded, write_new, write_whole
from server.keeper.keys import KEY, Chance, Place, Secret, open_envelope, seal, suite_of
from server.keeper.rules import ID

FORMAT = "lotroom-sealed-root/1"
MAX_CUSTODIANS = 16  # SLIP-39's own bound
BOOTSTRAP_SECONDS = 15 * 60  # security.md 3, "First start"
_KEY_ID = b"unsealing key".ljust(ID, b"\0")
_WORDS = frozenset(WORDLIST)


@dataclass(frozen=True, slots=True)
class Custodian:
    """Who holds a share, and the digest that tells whether a share is theirs."""

    check: Annotated[bytes, digest]
    name: Annotated[str, unicode_text(64)]


@dataclass(frozen=True, slots=True)
class SealedRoot:
    """The file."""

    box: Annotated[bytes, hexes(0, *range(64, 4096))]
    custodians: Annotated[tuple[Custodian, ...], many(nested(Custodian), 0, MAX_CUSTODIANS)]
    demo: Annotated[bytes, hexes(0, KEY)] = field(repr=False)
    needed: Annotated[int, whole(1, MAX_CUSTODIANS)]
    salt: Annotated[bytes, digest]
    suite: Annotated[int, whole(1, 255)]
    v: Annotated[str, text(32, FORMAT)]

    def to_bytes(self) -> bytes:
        return dumps(shape_of(SealedRoot).write(self), text=True) + b"\n"

    @property
    def place(self) -> Place:
        """Where the box opens: in this file with these custodians only."""
        return Place("sealed_root", TH("lotroom/v1/sealed-root", replace(self, box=b"").to_bytes()).hex(), "roots")

    def check_of(self, name: str, words: str) -> bytes:
        return TH("lotroom/v1/share", self.salt, name.encode(), words.encode())


@dataclass(frozen=True, slots=True)
class _Root:
    generation: Annotated[int, whole(1, (1 << 31) - 1)]
    key: Annotated[bytes, digest] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Content:
    """What the box holds. The console's one-time secret is here by its digest, so that no row of a database can bring it back."""

    bootstrap: Annotated[bytes, digest]
    bootstrap_until: Annotated[int, time]
    roots: Annotated[tuple[_Root, ...], many(nested(_Root), 1, 2)]


@dataclass(frozen=True, slots=True)
class Opened:
    """An unsealed file."""

    file: SealedRoot
    unsealing: Secret
    roots: Mapping[int, Secret]
    bootstrap: bytes  # digest of the console's secret, or zeros
    bootstrap_until: int


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What making a sealed root shows once and keeps nowhere: words per custodian, and the console's secret."""

    file: SealedRoot
    shares: Mapping[str, str]
    console: str

    def __repr__(self) -> str:
        return f"Ceremony(custodians={list(self.shares)})"


def bootstrap_digest(console: str) -> bytes:
    return TH("lotroom/v1/bootstrap", console.encode())


def make_root(custodians: Sequence[str], needed: int, suite: int, now: int, chance: Chance, *, demo: bool = False) -> Ceremony:
    """A fresh root for these custodians. Raises Refused for fewer than two needed, more than there are, or a name twice.

    With `demo` there are no custodians: the file opens by itself.
    """
    names = tuple(custodians)
    if demo != (not names) or (names and not 2 <= needed <= len(names) <= MAX_CUSTODIANS) or len(set(names)) != len(names):
        raise Refused("bad_custodians", "", most=MAX_CUSTODIANS)
    unsealing, salt, console = Secret(chance(KEY)), chance(32), chance(16).hex()
    words: tuple[str, ...] = ()
    if names:
        (shares,) = generate_mnemonics(1, [(needed, len(names))], unsealing.raw, iteration_exponent=0)
        words = tuple(shares)
    empty = SealedRoot(b"", (), b"", needed if names else 1, salt, suite_of(suite).id, FORMAT)
    people = tuple(Custodian(empty.check_of(name, each), name) for name, each in zip(names, words, strict=True))
    file = replace(empty, custodians=people, demo=unsealing.raw if demo else b"")
    opened = Opened(file, unsealing, {1: Secret(chance(KEY))}, bootstrap_digest(console), now + BOOTSTRAP_SECONDS)
    return Ceremony(reseal(opened, opened.roots, chance).file, dict(zip(names, words, strict=True)), console)


def reseal(opened: Opened, roots: Mapping[int, Secret], chance: Chance) -> Opened:
    """The same custodians and shares, other roots."""
    kept = tuple(_Root(number, key.raw) for number, key in sorted(roots.items()))
    content = Secret(dumps(shape_of(_Content).write(_Content(opened.bootstrap, opened.bootstrap_until, kept))))
    box = seal(suite_of(opened.file.suite), opened.unsealing, _KEY_ID, opened.file.place, content, chance)
    return replace(opened, file=replace(opened.file, box=box), roots=dict(roots))


def open_root(file: SealedRoot, unsealing: Secret) -> Opened:
    """Raises Refused where the key or a byte of the file is another."""
    try:
        content = shape_of(_Content).read(loads(open_envelope(unsealing, file.place, file.box), place="sealed root"), "sealed root")
    except Refused:
        raise Refused("sealed_root_altered", "sealed root") from None
    roots = {each.generation: Secret(each.key) for each in content.roots}
    return Opened(file, unsealing, roots, content.bootstrap, content.bootstrap_until)


def open_demo(file: SealedRoot) -> Opened:
    """A demonstration's file, which holds its own key. The caller has been told `--insecure-demo`."""
    if len(file.demo) != KEY:
        raise Refused("service_sealed", "sealed root")
    return open_root(file, Secret(file.demo))


def read_sealed(path: Path) -> SealedRoot:
    """The file. Raises Refused."""
    value = loads(read_bounded(path, 65_535).removesuffix(b"\n"), place=path.name, text=True)
    return shape_of(SealedRoot).read(value, path.name)


def write_sealed(file: SealedRoot, path: Path, *, new: bool) -> None:
    """Whole or not at all: after a crash there is the old file or the new one."""
    (write_new if new else write_whole)(path, file.to_bytes(), mode=0o600)


# Shares ---------------------------------------------------------------------------------------------------------------------------------


def plain_words(words: str) -> str:
    """A share as its digest covers it: lower case, one space. Raises Refused("share_misspelt") with the number of the first wrong word, or 0."""
    got = re.findall(r"[a-z]+", words.lower(), re.ASCII) if len(words) <= 4096 else []
    for number, each in enumerate(got, 1):
        if each not in _WORDS:
            raise Refused("share_misspelt", "share", word=number)
    try:
        Share.from_mnemonic(" ".join(got))
    except (MnemonicError, ValueError, IndexError):
        raise Refused("share_misspelt", "share", word=0) from None
    return " ".join(got)


def judge_share(file: SealedRoot, custodian: str, words: str) -> str:
    """The share in its plain form, if it is this custodian's. Raises Refused that says what is wrong with it and whose it is."""
    owner = next((each for each in file.custodians if each.name == custodian), None)
    if owner is None:
        raise Refused("unknown_custodian", "custodian", names=", ".join(each.name for each in file.custodians))
    plain = plain_words(words)
    if hmac.compare_digest(file.check_of(custodian, plain), owner.check):
        return plain
    for other in file.custodians:
        if hmac.compare_digest(file.check_of(other.name, plain), other.check):
            raise Refused("share_of_another", "share", custodian=custodian, other=other.name)
    raise Refused("share_wrong", "share", custodian=custodian)


class Shares:
    """Shares given so far, in memory only. The last one needed opens the root and forgets them all."""

    __slots__ = ("_given", "file")

    def __init__(self, file: SealedRoot) -> None:
        self.file = file
        self._given: dict[str, Secret] = {}

    def __repr__(self) -> str:
        return f"Shares({self.given})"

    @property
    def given(self) -> list[str]:
        return sorted(self._given)

    def add(self, custodian: str, words: str) -> Opened | None:
        """None while more are needed. Raises Refused for a share that is wrong; a custodian's second giving counts once."""
        self._given[custodian] = Secret(judge_share(self.file, custodian, words).encode())
        if len(self._given) < self.file.needed:
            return None
        try:
            unsealing = Secret(combine_mnemonics([each.raw.decode() for each in list(self._given.values())[: self.file.needed]]))
        except (MnemonicError, ValueError):
            raise Refused("sealed_root_altered", "sealed root") from None  # each share is right: the file is not theirs
        self._given.clear()
        return open_root(self.file, unsealing)
