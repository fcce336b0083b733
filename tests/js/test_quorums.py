"""Both verifiers say where a quorum is below 1 + floor(2W/3), also one made of groups (keys-8)."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest

from drawing.errors import Refused
from drawing.keys import parse_keys
from drawing.note import COSIGNATURE, ED25519, Policy, VKey
from drawing.verify import verify
from server.ceremony import Ceremony
from server.folder import Keys
from tests.js.test_js import agree, javascript
from tests.scenario import World

__all__ = ["javascript"]  # a fixture
SAYS = "quorum_below_bound"

STATE = SimpleNamespace(secret=bytes(32), request=b"")
BOOK = SimpleNamespace(tag=b"", log=SimpleNamespace(origin=""))


def policy(groups: dict[str, tuple[int, tuple[str, ...]]], quorum: str, witnesses: int) -> Policy:
    keys = {f"w{n}": VKey(f"w{n}.example/w", COSIGNATURE, bytes([n + 1]) * 32) for n in range(witnesses)}
    return Policy.parse(Policy(VKey("log", ED25519, bytes(32)), keys, groups, quorum).text())


@pytest.mark.parametrize(("witnesses", "least"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)])
def test_the_bound_is_one_more_than_two_thirds(witnesses, least):  # spec: keys-8
    names = tuple(f"w{n}" for n in range(witnesses))
    for quorum in range(1, witnesses + 1):
        assert policy({"g": (quorum, names)}, "g", witnesses).below_bound == (quorum < least)


def test_the_fewest_of_any_policy_are_found_as_by_trying_all():
    chance = random.Random(1)
    for _ in range(200):
        number = chance.randrange(1, 7)
        free, groups = [f"w{n}" for n in range(number)], {}
        for count in range(chance.randrange(1, 4)):
            members = tuple(chance.sample(free, chance.randrange(1, len(free) + 1)))
            groups[f"g{count}"] = (chance.randrange(1, len(members) + 1), members)
            free = [name for name in free if name not in members] + [f"g{count}"]
        made = policy(groups, chance.choice(free), number)

        def below(name: str, made: Policy = made) -> set[str]:
            return {name} if name in made.witnesses else set().union(*(below(each) for each in made.groups[name][1]))

        counted = sorted(below(made.quorum))
        fewest = next(n for n in range(len(counted) + 1) if any(made.reached(set(some)) for some in combinations(counted, n)))
        assert made.below_bound == (fewest < 1 + 2 * len(counted) // 3)


def test_without_a_quorum_there_is_no_bound():
    assert not policy({}, "none", 3).below_bound


@pytest.mark.parametrize(("group", "says"), [
    ("group most 2 w0 w1 w2\nquorum most", True), ("group most 3 w0 w1 w2\nquorum most", False), ("quorum w1", False),
    ("group most any w0 w1\nquorum most", True), ("group two 2 w0 w1\ngroup most any two w2\nquorum most", True),
    ("group two 2 w0 w1\ngroup most all two w2\nquorum most", False),
])  # fmt: skip
def test_the_report_of_a_draw_says_so_and_fails_nothing(javascript, group, says):  # spec: keys-8
    world = World()
    log_and_witnesses = world.key_list.policy.partition("group")[0]
    world.key_list = replace(world.key_list, policy=f"{log_and_witnesses}{group}\n")
    files = world.whole().files()
    report = verify(files)
    assert report.failed == ()
    assert (SAYS in report.headlines) == says
    agree(javascript, files, group)


def test_a_second_quorum_below_the_bound_is_said_too(javascript):
    world = World(second_quorum=True)
    assert world.key_list.second_policy is not None
    world.key_list = replace(world.key_list, second_policy=world.key_list.second_policy.replace("most 3", "most 2"))
    files = world.whole().files()
    assert SAYS in verify(files).headlines
    agree(javascript, files, "second quorum")


def test_no_new_draw_begins_under_such_a_list():  # spec: keys-8
    world = World(quorum=2)
    ceremony = Ceremony.of(None, STATE, None, None, Keys(Path(), None, ()), parse_keys(world.keys()), BOOK, *[None] * 3)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        ceremony.next_event(world.project.draw, 0)
    assert refused.value.code == "new_list_below_bound"
