"""The monitor finds a forged map, a left-out attempt, a shrunken or rewritten log, and signs only what has no differences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.events import Signature
from drawing.keys import keys_bytes, parse_keys
from drawing.model import shape_of
from drawing.note import Checkpoint, sign_note
from drawing.proof import Mapped, Monitored
from server.__main__ import cli
from server.keyfiles import make_key, make_key_list, write_key
from server.records import read_monitors
from server.tilelog import TileLog
from server.witness.monitor import Difference, replay, statement
from server.witness.tiles import read_log
from tests.scenario import World


@pytest.fixture(scope="module")
def world() -> World:
    return World(people=16, witnesses=0, monitored=False).whole()


def entries_of(world: World) -> list[bytes]:
    return list(world.leaves)


def published(world: World, entries: list[bytes], folder: Path) -> Path:
    """A log of these leaves, rightly signed whatever they say: the operator lies, not the files."""
    with TileLog.create(folder, world.log_name, world.log_key.vkey, world.log_key.sign) as log:
        log.append(entries)
    return folder


def found_in(world: World, entries: list[bytes]) -> list[tuple[int, str]]:
    keys = parse_keys(world.keys()).newest
    checkpoint = Checkpoint(world.log_name, len(entries), bytes(32))
    return [(each.index, each.what) for each in replay(checkpoint, entries, keys).differences]


def mapped_at(entries: list[bytes]) -> list[int]:
    return [n for n, leaf in enumerate(entries) if json.loads(leaf).get("type") == "mapped"]


def resigned(world: World, mapped: Mapped) -> bytes:
    """Another map leaf with the operator's own signature."""
    operator = world.holders["centre/operator"]
    unsigned = replace(mapped, sigs=())
    return replace(mapped, sigs=(Signature(operator.name, operator.sign(unsigned.payload)),)).leaf


def read_mapped(leaf: bytes) -> Mapped:
    return shape_of(Mapped).read(loads(leaf, place=""), "")


def test_an_honest_log_has_no_differences(world):
    assert found_in(world, entries_of(world)) == []


def test_a_forged_map_root_is_named(world):
    entries = entries_of(world)
    at = mapped_at(entries)[-2]
    entries[at] = resigned(world, replace(read_mapped(entries[at]), root=bytes(32)))
    assert found_in(world, entries) == [(at, "wrong_map_root")]


def test_an_attempt_that_the_map_leaves_out_is_named(world):
    entries = entries_of(world)
    places = mapped_at(entries)
    entries[places[3]] = resigned(world, replace(read_mapped(entries[places[2]]), size=places[3]))  # the root from before the event
    assert found_in(world, entries) == [(places[3], "wrong_map_root")]


def test_a_root_that_is_not_said_is_named(world):
    entries = entries_of(world)
    at = mapped_at(entries)[-1]
    assert (at - 1, "map_root_missing") in found_in(world, entries[:at])


def test_other_lies_of_the_operator_are_named(world):
    entries = entries_of(world)
    at = mapped_at(entries)[1]
    mapped = read_mapped(entries[at])

    def with_leaf(index: int, leaf: bytes) -> list[tuple[int, str]]:
        return found_in(world, [*entries[:index], leaf, *entries[index + 1 :]])

    assert with_leaf(at, resigned(world, replace(mapped, size=at + 1))) == [(at, "map_of_other_size")]
    assert with_leaf(at, resigned(world, replace(mapped, origin="other.example/log"))) == [(at, "map_of_other_log")]
    assert with_leaf(at, replace(mapped, sigs=(Signature(mapped.sigs[0].key, bytes(64)),)).leaf) == [(at, "map_signature")]
    assert (at, "not_a_leaf") in with_leaf(at, b"[]")
    assert (at, "not_a_leaf") in with_leaf(at, b'{"b":1,"a":2}')
    kinds = {what for _, what in with_leaf(at - 1, entries[at - 1].replace(b'"attempt":1', b'"attempt":3'))}
    assert "does_not_follow" in kinds
    assert found_in(world, [*entries[:at], b'{"event":"notice"}', *entries[at + 1 :]])[0] == (at - 1, "map_root_missing")


def test_it_remembers_what_it_replayed(world):
    entries = entries_of(world)
    checkpoint = Checkpoint(world.log_name, len(entries), bytes(32))
    whole = replay(checkpoint, entries, None)
    before = {"size": len(entries), "tree": "00" * 32}
    assert Difference(len(entries), "log_rewritten") in replay(checkpoint, entries, None, before).differences
    assert "log_shrank" in {each.what for each in replay(checkpoint, entries[:-2], None, before).differences}
    assert whole.differences == ()


def test_nothing_is_signed_while_anything_differs(world):
    entries = entries_of(world)
    checkpoint = Checkpoint(world.log_name, len(entries), bytes(32))
    key = make_key("monitor")
    found = replay(checkpoint, entries, None)
    assert statement(found, key, 5).size == len(entries)
    with pytest.raises(Refused, match="not_a_monitor_key"):
        statement(found, make_key("staff"), 5)
    with pytest.raises(Refused, match="log_differs"):
        statement(replace(found, differences=(Difference(3, "wrong_map_root"),)), key, 5)


def test_the_command_names_differences_and_signs_without(world, tmp_path):
    key = make_key("monitor")
    write_key(key, tmp_path / "monitor.key")
    (tmp_path / "keys.json").write_bytes(world.keys())

    def monitor(folder: Path, *more: str):  # type: ignore[no-untyped-def]
        words = [
            "witness",
            "monitor",
            str(folder),
            "--origin",
            world.log_name,
            "--keys",
            str(tmp_path / "keys.json"),
            "--lang",
            "en",
            *more,
        ]
        return CliRunner().invoke(cli, words, catch_exceptions=False)

    entries = entries_of(world)
    good = published(world, entries, tmp_path / "log")
    out, state = tmp_path / "said" / "m.json", tmp_path / "state.json"
    out.parent.mkdir()
    done = monitor(good, "--key", str(tmp_path / "monitor.key"), "--out", str(out), "--state", str(state))
    assert (done.exit_code, "Replayed" in done.output) == (0, True), done.output
    said = read_monitors(out.parent)[0]
    assert isinstance(said, Monitored)
    assert (said.size, said.origin, said.sigs[0].key) == (len(entries), world.log_name, key.name)
    assert out.read_bytes() == dumps(shape_of(Monitored).write(said)) + b"\n"

    at = mapped_at(entries)[-1]
    entries[at] = resigned(world, replace(read_mapped(entries[at]), root=bytes(32)))
    forged = monitor(published(world, entries, tmp_path / "forged"), "--json", "--state", str(state))
    assert forged.exit_code == 1
    assert {each["what"] for each in json.loads(forged.output)["differences"]} == {"log_rewritten", "wrong_map_root"}
    (good / "tile/entries/000.p").rename(good / "tile/entries/away")
    assert monitor(good).exit_code == 2


async def test_files_that_do_not_fit_the_checkpoint_are_refused(world, tmp_path):
    folder = published(world, entries_of(world), tmp_path / "log")
    key = world.log_key.vkey
    assert (await read_log(str(folder), world.log_name, key))[0].size == len(entries_of(world))
    with pytest.raises(Refused, match="other_origin"):
        await read_log(str(folder), "other/log", key)
    with pytest.raises(Refused, match="bad_signature"):
        await read_log(str(folder), world.log_name, make_key("log").vkey)
    (folder / "checkpoint").write_bytes(
        sign_note(Checkpoint(world.log_name, len(entries_of(world)), bytes(32)).text(), key, world.log_key.sign)
    )
    with pytest.raises(Refused, match="log_altered"):
        await read_log(str(folder), world.log_name, key)
    tile = next((folder / "tile/0/000.p").iterdir())
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(Refused, match="log_altered"):
        await read_log(str(folder), world.log_name, key)


def test_a_key_list_has_the_quorum_that_one_third_of_liars_cannot_make():
    for count, need in ((1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (7, 5)):
        witnesses = [make_key("witness") for _ in range(count)]
        keys = [make_key(role, body=role) for role in ("operator", "staff", "supervisor", "contributor")]
        made = parse_keys(keys_bytes([make_key_list(keys, make_key("log").vkey, (), witnesses)])).newest
        assert made.log_policy.groups["most"][0] == need
        assert not made.below_bound
