"""A local network of five nodes, three of whom sign: what two learn, what three can, and a dealer who speaks last when the key is made."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations, product

from py_arkworks_bls12381 import G2Point

from drawing.beacon import verify_round
from tests.conftest import counts
from tests.fairness.coalition import FIELD_ORDER, Ring, Sitting, View, network_key, record, scalar, signature

NODES, T = 5, 3


def guessed_rounds(view: View, lots: int, chance: random.Random, tries: int):
    """The adversary with too few shares: completes them with a guess, or puts its partial signatures together in every way that it can think of."""
    mine = dict(view.shares)
    others = [n for n in range(1, NODES + 1) if n not in mine]
    for number in range(tries):
        kind = number % 3
        if kind == 0:  # a missing share is guessed
            missing = {n: chance.randrange(FIELD_ORDER) for n in others[: T - len(mine)]}
            yield signature(network_key({**mine, **missing}, T), lots)
        elif kind == 1:  # small and round numbers, one's own shares, for the missing one
            missing = {n: chance.choice([0, 1, 2, *mine.values()]) + chance.randrange(3) for n in others[: T - len(mine)]}
            yield signature(network_key({**mine, **missing}, T), lots)
        else:  # fewer points, as if the threshold were lower; small multiples of partial signatures
            key = sum(share * chance.randrange(-5, 6) for share in mine.values())
            yield signature(network_key(mine, len(mine)) + key * chance.randrange(2), lots)


def test_two_of_five_nodes_cannot_make_a_round_and_three_can():
    trials = counts("rounds guessed by two of five nodes", 300, 10_000)
    pairs = list(combinations(range(1, NODES + 1), T - 1))
    chance = random.Random("two of five")
    hits = done = 0
    for number in range(-(-trials // 60)):
        sitting = Sitting(number, "local")
        truth = signature(network_key(sitting.shares, T), sitting.lots)
        view = View(shares=Ring({n: sitting.shares[n] for n in pairs[number % len(pairs)]}))
        tries = min(60, trials - done)
        hits += sum(guess == truth for guess in guessed_rounds(view, sitting.lots, chance, tries))
        done += tries
    assert record("network: rounds made by two of five nodes", trials, hits) == 0
    wins = 0
    sitting = Sitting(7, "local")
    public = (G2Point() * scalar(network_key(sitting.shares, T))).to_compressed_bytes()
    for three in combinations(range(1, NODES + 1), T):
        value = signature(network_key({n: sitting.shares[n] for n in three}, T), sitting.lots)
        wins += verify_round(public, sitting.lots, value)
    assert record("network ABOVE: rounds made by three of five nodes", 10, wins) == 10


def test_a_guess_is_judged_by_the_network_s_public_key():
    """Full check of a sample: no guess verifies, the round itself does."""
    sitting = Sitting(3, "local")
    public = (G2Point() * scalar(network_key(sitting.shares, T))).to_compressed_bytes()
    view = View(shares=Ring({n: sitting.shares[n] for n in (2, 5)}))
    tries = counts("rounds guessed and verified", 20, 500)
    hits = sum(verify_round(public, 9, guess) for guess in guessed_rounds(view, 9, random.Random(3), tries))
    assert record("network: guesses of two nodes that verify", tries, hits) == 0
    assert verify_round(public, 9, signature(network_key(sitting.shares, T), 9))


def test_two_shares_fit_every_key():
    """Why: for whatever key one supposes there is a third share that goes with the two. They say nothing about the key."""
    sitting = Sitting(11, "local")
    for supposed, third in product((0, 1, 12345, FIELD_ORDER - 1), (2, 4, 5)):
        mine = {1: sitting.shares[1], 3: sitting.shares[3]}
        rest = network_key({**mine, third: 0}, T)
        weight = (network_key({**mine, third: 1}, T) - rest) % FIELD_ORDER
        fitting = (supposed - rest) * pow(weight, -1, FIELD_ORDER) % FIELD_ORDER
        assert network_key({**mine, third: fitting}, T) == supposed


# A key made together ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dealing:
    """Joint Feldman: each node deals a polynomial; the network's key is the sum of their values at 0, a node's share the sum at its number."""

    number: int

    def polynomial(self, dealer: int) -> list[int]:
        return [int.from_bytes(Sitting(self.number).secret("deal", dealer, n), "big") % FIELD_ORDER for n in range(T)]

    def view(self, dealer: int, colluder: int) -> View:
        """What the last dealer sees: the others' public points, and the shares dealt to itself and to one colluder."""
        honest = [n for n in range(1, NODES + 1) if n != dealer]
        return View(
            points=[G2Point() * scalar(self.polynomial(n)[0]) for n in honest],
            dealt=Ring({me: sum(at(self.polynomial(n), me) for n in honest) % FIELD_ORDER for me in (dealer, colluder)}),
            me=dealer,
        )

    def key(self, dealer: int, chosen: list[int]) -> int:
        return (sum(self.polynomial(n)[0] for n in range(1, NODES + 1) if n != dealer) + chosen[0]) % FIELD_ORDER


def at(polynomial: list[int], place: int) -> int:
    return sum(a * pow(place, n, FIELD_ORDER) for n, a in enumerate(polynomial)) % FIELD_ORDER


def rush(view: View, chance: random.Random) -> list[int]:
    """The last dealer: tries polynomials until the public key ends as he likes (four bits)."""
    others = view.points[0]
    for point in view.points[1:]:
        others += point
    while True:
        mine = [chance.randrange(FIELD_ORDER) for _ in range(T)]
        key = others + G2Point() * scalar(mine[0])
        if key.to_compressed_bytes()[-1] & 15 == 7:
            return mine


def test_the_last_dealer_biases_bits_of_the_public_key_and_no_round():
    dealings = counts("dealings with a rushing last dealer", 4, 40)
    each = counts("rounds guessed after a rushed dealing", 40, 250)
    chance = random.Random("rushing")
    biased = hits = 0
    for number in range(dealings):
        dealing = Dealing(number)
        view = dealing.view(5, 2)
        mine = rush(view, chance)
        key = dealing.key(5, mine)
        public = (G2Point() * scalar(key)).to_compressed_bytes()
        biased += public[-1] & 15 == 7
        shares = {node: (view.dealt[node] + at(mine, node)) % FIELD_ORDER for node in (5, 2)}  # t-1 of them
        truth = signature(key, 77)
        hits += sum(guess == truth for guess in guessed_rounds(View(shares=Ring(shares)), 77, chance, each))
    assert record("network ABOVE: bits of the key chosen by the last dealer", dealings, biased) == dealings  # known, and harmless:
    assert record("network: rounds foreseen after a rushed dealing", dealings * each, hits) == 0
    dealing = Dealing(0)
    polynomial_sum = [sum(dealing.polynomial(n)[k] for n in range(1, NODES + 1)) % FIELD_ORDER for k in range(T)]
    three = {n: at(polynomial_sum, n) for n in (1, 2, 5)}  # the twin: one more node
    assert network_key(three, T) == dealing.key(5, dealing.polynomial(5))
