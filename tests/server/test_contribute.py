"""A contributor answers only what the quorum of the contributor's own key list has seen (draw-protocol 3.3)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from drawing import merkle
from drawing.errors import Refused
from drawing.events import Committed, Contributed, Extended
from drawing.keys import keys_bytes, parse_keys
from drawing.note import Checkpoint, LogProof, cosign, sign_note
from server.contribute import Order, contribute
from server.keyfiles import from_secrets, read_key, write_key
from tests.conformance.histories import Setting, dried, successor, widened
from tests.scenario import World

NAME = "notary/c"
ROOT = Path(__file__).parents[2]


def committed(**more: object) -> World:
    world = World(**more)  # type: ignore[arg-type]
    world.open(), world.commit()
    return world


def quorum(world: World) -> int:
    """How many of the world's witnesses make its quorum."""
    return world.key_list.log_policy.groups["most"][0]


def order_of(world: World, cosigners: int, second: int = 0) -> Order:
    """The order over the world's last commit or extension (else its last event), its checkpoint cosigned by so many witnesses."""
    asked = [event for event in world.events if isinstance(event.body, Committed | Extended)] or world.events
    index = world.index_of[asked[-1].head.seq]
    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves]
    note = sign_note(Checkpoint(world.log_name, len(hashes), merkle.root(hashes)).text(), world.log_key.vkey, world.log_key.sign)
    for key in (*world.witness_keys[:cosigners], *world.second_keys[:second]):
        note = cosign(note, key.vkey, world.clock, key.sign)
    return Order(
        asked[-1].leaf,
        world.log_key.vkey,
        LogProof(index, tuple(merkle.Tree(hashes).inclusion(index)), note),
        None,
    )


def key_in(folder: Path, world: World) -> Path:
    holder = world.holders[NAME]
    path = folder / "c.key"
    if not path.exists():
        write_key(from_secrets(NAME, "contributor", holder.body, holder.secret("sign"), holder.secret("vrf"), b""), path)
    return path


def answer(folder: Path, world: World, order: Order, keys: bytes = b"") -> Contributed:
    path = key_in(folder, world)
    body = contribute(Order.parse(order.to_bytes()), read_key(path), path, parse_keys(keys or world.keys()))
    assert isinstance(body, Contributed)
    return body


def refused(folder: Path, world: World, order: Order, code: str, keys: bytes = b"") -> None:
    with pytest.raises(Refused) as wrong:
        answer(folder, world, order, keys)
    assert wrong.value.code == code
    assert not (folder / "c.key.count").exists()  # nothing was counted, so nothing was given


def test_a_commit_that_the_quorum_cosigned_is_answered(tmp_path):  # spec: draw-5.12
    world = committed()
    body = answer(tmp_path, world, order_of(world, quorum(world)))
    assert (body.key, body.nth) == (NAME, 1)
    assert (tmp_path / "c.key.count").exists()


@pytest.mark.parametrize("cosigners", [0, 1])
def test_below_the_quorum_nothing_is_given_and_nothing_counted(tmp_path, cosigners):  # spec: draw-5.12
    world = committed()
    refused(tmp_path, world, order_of(world, quorum(world) - 1 if cosigners else 0), "commit_without_quorum")


def test_witnesses_of_another_key_list_are_none(tmp_path):
    world, other = committed(), committed(seed=2)
    world.witness_keys = other.witness_keys
    refused(tmp_path, world, order_of(world, 3), "line_of_unknown_key")


def test_the_key_list_is_the_one_that_the_commit_names(tmp_path):
    world = committed()
    other = keys_bytes([replace(world.key_list, entries=tuple(replace(each, held="operator") for each in world.key_list.entries))])
    refused(tmp_path, world, order_of(world, 3), "other_key_list", other)
    both = keys_bytes([world.key_list, successor(world)])
    assert answer(tmp_path, world, order_of(world, 3), both).nth == 1


def test_a_leaf_that_is_not_in_the_log_is_not_answered(tmp_path):
    world = committed()
    order = order_of(world, 3)
    path = order.proof.path
    refused(tmp_path, world, replace(order, proof=replace(order.proof, path=(bytes(32), *path[1:]))), "not_in_the_tree")


def test_another_event_than_a_commit_is_not_answered(tmp_path):
    world = World()
    world.open()
    refused(tmp_path, world, order_of(world, 3), "not_a_commit")


def test_where_there_is_a_second_quorum_it_is_asked_for_too(tmp_path):
    world = committed(second_quorum=True)
    refused(tmp_path, world, order_of(world, 3), "commit_without_quorum")
    refused(tmp_path, world, order_of(world, 3, 1), "commit_without_quorum")
    assert answer(tmp_path, world, order_of(world, 3, 3)).nth == 1


def test_an_extension_is_answered_under_the_newest_list(tmp_path):
    world = widened(dried(Setting(116)))
    assert any(isinstance(event.body, Extended) for event in world.events)
    refused(tmp_path, world, order_of(world, 1), "commit_without_quorum")
    assert answer(tmp_path, world, order_of(world, quorum(world))).key == NAME


def test_without_witnesses_the_log_s_own_word_is_all_there_is(tmp_path):
    world = committed(witnesses=0)
    assert answer(tmp_path, world, order_of(world, 0)).nth == 1


@pytest.mark.parametrize(("cosigners", "language", "says"), [
    (0, "zh", "法定数"), (0, "en", "lacks the quorum"), (3, "zh", "贡献已写入"),
])  # fmt: skip
def test_the_command_says_so_and_writes_nothing(tmp_path, cosigners, language, says):
    world = committed()
    key = key_in(tmp_path, world)
    (tmp_path / "commit.json").write_bytes(order_of(world, cosigners).to_bytes())
    (tmp_path / "keys.json").write_bytes(world.keys())
    words = ["contribute", tmp_path / "commit.json", "--key", key, "--keys", tmp_path / "keys.json", "--lang", language]
    done = subprocess.run([sys.executable, "-m", "server", *map(str, words)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert says in done.stdout + done.stderr
    assert done.returncode == (0 if cosigners else 1)
    assert len(list(tmp_path.glob("contribution-*.json"))) == (1 if cosigners else 0)
    assert (tmp_path / "c.key.count").exists() == bool(cosigners)
