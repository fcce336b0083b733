"""Coalitions: what they hold, what they see, and the small ceremony they attack.

`Power` is the whole of what a coalition has. A `View` made from it is all that an adversary's code ever gets: what the coalition was not given
raises NotKnown. `Sitting` is one ceremony with all its secrets and drawing's own functions; adversaries never see it, only the views it gives.
Every adversary is written once. Below its bound it must not win; its twin, the same code with one more power, must.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import comb, sqrt
from typing import Any

from py_arkworks_bls12381 import G1Point, Scalar

from drawing import randomness, vrf
from drawing.beacon import DST, message
from drawing.events import Plan, Seat
from drawing.fair import Type
from drawing.lots import first
from drawing.roll import Roll, make_roll

FIELD_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001  # of the curve's groups
CONTRIBUTORS = ("bureau", "notary", "other centre")
SIZES = {"none": (0, 0), "local": (5, 3), "drand": (7, 4)}  # nodes of a network, and how many sign
RECORD: dict[str, tuple[int, int]] = {}  # name of an adversary -> (trials, successes)


def record(name: str, trials: int, successes: int) -> int:
    """Keeps what an adversary reached, for the summary; returns the successes."""
    RECORD[name] = (trials, successes)
    return successes


def far_from(chance: float, trials: int, hits: int) -> float:
    """How many standard deviations a number of hits lies from what chance alone gives."""
    return abs(hits - trials * chance) / sqrt(trials * chance * (1 - chance))


class NotKnown(Exception):
    """A coalition asked for what it does not have."""


class Ring(Mapping[Any, Any]):
    """Keys or shares by holder; another holder's raises NotKnown."""

    def __init__(self, held: Mapping[Any, Any]) -> None:
        self._held = dict(held)

    def __getitem__(self, name: Any) -> Any:
        if name not in self._held:
            raise NotKnown(name)
        return self._held[name]

    def __iter__(self):
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class View:
    """What a coalition may read."""

    def __init__(self, **held: Any) -> None:
        self.__dict__["_held"] = held

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__["_held"]:
            raise NotKnown(name)
        return self.__dict__["_held"][name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotKnown(name)


@dataclass(frozen=True, slots=True)
class Power:
    """Everything a coalition in a ceremony has beside what is public."""

    draw_key: bool = False  # the keeper has it, or k supervisors join their shares
    escrow: frozenset[int] = frozenset()  # numbers of the supervisors in it, each with a share of the draw key
    contributors: frozenset[str] = frozenset()
    nodes: frozenset[int] = frozenset()
    seen: frozenset[str] = frozenset()  # others whose contribution lies in the log already


def flat_roll(name: str, people: int, seats: tuple[int, ...] = (5, 3)) -> tuple[Roll, Plan]:
    """People of one type per seat, each an employer alone: every set of the right size is a lawful panel."""
    chance = random.Random(name)
    types = tuple(Type((seat,), -1, False, 1) for seat in range(len(seats)))
    share = people // len(seats)
    rows = sorted(
        chance.randbytes(16) + min(n // share, len(seats) - 1).to_bytes(2, "big") + n.to_bytes(8, "big") + chance.randbytes(32)
        for n in range(people)
    )
    plan = Plan(0, 0, (), 0, tuple(Seat(count, False, ("A",), 0, "") for count in seats), ())
    return make_roll(types, bytes(32), b"".join(rows)), plan


ROLL, PLAN = flat_roll("the pool of all sittings", 48)
FRIEND = ROLL.tags[next(n for n, kind in enumerate(ROLL.type_numbers) if kind == 0)]
FRIENDS_CHANCE = 5 / 24
PANELS = comb(24, 5) * comb(24, 3)  # 86 million: nobody hits one by luck in ten thousand trials
Panel = frozenset[bytes]


def panel_of(seed: bytes, roll: Roll = ROLL, plan: Plan = PLAN) -> Panel:
    """Who sits on the panel that a seed gives."""
    return frozenset(each.tag for each in first(roll, plan, (), seed).placed)


@dataclass(frozen=True)
class Sitting:
    """One ceremony: number, beacon, and with `secret` everything that anybody holds."""

    number: int
    beacon: str = "none"
    contributors: tuple[str, ...] = CONTRIBUTORS

    def secret(self, *what: object) -> bytes:
        return sha256(repr((self.number, self.beacon, what)).encode()).digest()

    # Who has what -------------------------------------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> Mapping[str, bytes]:
        return {name: self.secret("contributor", name) for name in self.contributors}

    @cached_property
    def public(self) -> Mapping[str, bytes]:
        return {name: vrf.public_key(key) for name, key in self.keys.items()}

    @cached_property
    def draw_key(self) -> bytes:
        return self.secret("draw key")

    @cached_property
    def escrowed(self) -> tuple[list[bytes], list[bytes]]:
        """(points, shares) of the draw key among three supervisors, of whom two can join it."""
        return vrf.split(self.draw_key, 2, 3, [self.secret("a") + self.secret("b")])

    @property
    def network(self) -> bytes:
        return self.secret("chain hash")

    @cached_property
    def shares(self) -> Mapping[int, int]:
        """The shares of the network's key: points of a polynomial whose value at 0 is the key."""
        nodes, threshold = SIZES[self.beacon]
        numbers = [int.from_bytes(self.secret("coefficient", n), "big") % FIELD_ORDER for n in range(threshold)]
        return {n: sum(a * pow(n, k, FIELD_ORDER) for k, a in enumerate(numbers)) % FIELD_ORDER for n in range(1, nodes + 1)}

    @property
    def lots(self) -> int:
        return 1000 + self.number

    def view(self, power: Power, leaf: bytes = b"") -> View:
        """What this coalition sees. `leaf`: the commit, where it is fixed and others have contributed to it."""
        held: dict[str, Any] = {
            "contributors": self.contributors, "public": self.public, "network": self.network, "lots": self.lots, "beacon": self.beacon,
            "draw_public": vrf.public_key(self.draw_key), "keys": Ring({name: self.keys[name] for name in power.contributors}),
            "shares": Ring({n: self.shares[n] for n in power.nodes} if self.beacon != "none" else {}), "guess": self.secret("guesses"),
            "seen": Ring({name: vrf.prove(self.keys[name], randomness.contribution_alpha(leaf)) for name in power.seen}),
            "escrow": Ring({n: self.escrowed[1][n - 1] for n in power.escrow}),
        }  # fmt: skip
        if power.draw_key:
            held["draw_key"] = self.draw_key
        return View(**held)

    # What happens -------------------------------------------------------------------------------------------------------------------

    def commit(self, variant: int) -> bytes:
        """The leaf hash of a commit; whoever writes it can choose its salts and times, so there are many of them."""
        return self.secret("commit", variant)

    def seed(self, leaf: bytes) -> bytes:
        """The seed as honest parties make it."""
        return foresee(self.view(Power(True, frozenset(), frozenset(self.contributors), frozenset(self.shares))), leaf)


# What anybody can compute from a view -------------------------------------------------------------------------------------------------------


def network_key(shares: Mapping[int, int], threshold: int) -> int:
    """The network's key from `threshold` shares, by interpolation at 0. Raises NotKnown with fewer."""
    if len(shares) < threshold:
        raise NotKnown("threshold")
    numbers = list(shares)[:threshold]
    total = 0
    for n in numbers:
        factor = shares[n]
        for other in numbers:
            if other != n:
                factor = factor * other * pow(other - n, -1, FIELD_ORDER) % FIELD_ORDER
        total += factor
    return total % FIELD_ORDER


def signature(key: int, lots: int) -> bytes:
    """A round's value under a network's key."""
    return bytes((G1Point.hash_to_curve(message(lots), DST) * scalar(key)).to_compressed_bytes())


def scalar(number: int) -> Scalar:
    return Scalar.from_le_bytes((number % FIELD_ORDER).to_bytes(32, "little"))


def beta_of(view: View, name: str, leaf: bytes, chance: random.Random) -> bytes:
    """A contributor's value for a commit: known with the key or from the log, else a guess."""
    try:
        return vrf.proof_to_hash(vrf.prove(view.keys[name], randomness.contribution_alpha(leaf)))
    except NotKnown:
        pass
    try:
        return vrf.proof_to_hash(view.seen[name])
    except NotKnown:
        return chance.randbytes(64)


def draw_scalar_proof(view: View, alpha: bytes) -> bytes:
    """The draw key's proof, by whoever has the key or two supervisors' shares of it. Raises NotKnown else."""
    try:
        return vrf.prove(view.draw_key, alpha)
    except NotKnown:
        if len(view.escrow) < 2:
            raise
        return vrf.prove_with_scalar(vrf.join(dict(view.escrow)), alpha)


def foresee(view: View, leaf: bytes, chance: random.Random | None = None) -> bytes:
    """The seed that a commit leads to, as far as a coalition can tell; what it does not know it guesses."""
    chance = chance or random.Random(view.guess + leaf)
    pairs = tuple(sorted((view.public[name], beta_of(view, name, leaf, chance)) for name in view.contributors))
    if view.beacon == "none":
        try:
            beta = vrf.proof_to_hash(draw_scalar_proof(view, randomness.last_alpha(leaf, pairs)))
        except NotKnown:
            beta = chance.randbytes(64)
        return randomness.seed(leaf, view.draw_public, beta, pairs)
    try:
        value = signature(network_key(view.shares, SIZES[view.beacon][1]), view.lots)
    except NotKnown:
        value = chance.randbytes(48)
    return randomness.beacon_seed(leaf, view.network, view.lots, value, pairs)
