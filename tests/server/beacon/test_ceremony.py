"""`draw run` on a beacon: waits, goes on, replaces, refuses what comes too late."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from drawing.beacon import QUICKNET, chain_hash
from drawing.proof import parse_proof
from drawing.verify import Files, verify
from server.__main__ import cli
from server.commands import shared
from server.keyfiles import make_key, write_key
from server.library.demo import make_library
from server.networks import network_bytes, read_network
from tests.scenario import ToyNetwork
from tests.server.beacon.relay import Clock, relay

ROOT = Path(__file__).parents[3]
WORKS = ROOT / "docs/examples/works.toml"


def lotroom(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.csv"
    make_library(400, 5, path)
    return path


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock(int(datetime.now(UTC).timestamp()))
    monkeypatch.setattr(shared, "clock", found.now)
    monkeypatch.setattr(shared, "sleep", found.sleep)
    return found


@pytest.fixture
def toy(clock) -> ToyNetwork:
    return ToyNetwork("local", genesis=clock.now() - 30_000)


def pinned(folder: Path, toy: ToyNetwork) -> Path:
    """A draw's folder whose keys pin the network."""
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / "toy.network").write_bytes(network_bytes(toy.network))
    return folder


def answers(folder: Path, text: str = "") -> Path:
    path = folder / "answers.csv"
    path.write_text(text, "utf-8")
    return path


def request(folder: Path, lot: str) -> Path:
    path = folder / "request.toml"
    path.write_text(WORKS.read_text("utf-8").replace("[evaluation]", f'[lot]\nmethod = "uniform/1"\n{lot}\n[evaluation]'), "utf-8")
    return path


def report_of(out: Path):  # type: ignore[no-untyped-def]
    return verify(Files((out / "proof.json").read_bytes(), (out / "keys.json").read_bytes(), (out / "roll.bin").read_bytes()))


def test_a_pinned_local_network_is_what_a_draw_rests_on(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "draw", toy)
    left = "".join(f"{slot},left,away\n{slot},left,away\n" for slot in (0, 1, 2))
    with relay(toy) as (address, asked):
        done = lotroom(
            "draw", "run", library, WORKS, "--out", out, "--answers", answers(tmp_path, left), "--relay", address, "--wait", "--lang", "en"
        )
    assert done.exit_code == 0, (done.output, done.exc_info)
    report = report_of(out)
    assert report.failed == ()
    for check in ("T1", "R1", "R2", "R4", "D2"):
        assert report.outcome(check).status == "passed"
    assert report.outcome("T2").reason == "no_witnesses"
    facts = report.facts["beacon"]
    assert (facts["kind"], facts["network"]) == ("local", chain_hash(toy.network).hex())
    events = [logged.event for logged in parse_proof((out / "proof.json").read_bytes()).events]
    commit = next(event for event in events if event.type == "committed")
    assert toy.network.time_of(commit.body.beacon.round) - commit.head.at >= 590
    assert "replaced" in [event.type for event in events]
    assert "round_contributed" not in [event.type for event in events]
    assert len(asked) == len(facts["rounds"]) >= 2
    assert not list(out.glob("escrow-*"))
    told = lotroom("explain", out / "proof.json", "--keys", out / "keys.json", "--lang", "en").output
    assert told.count("toy-local") == 1
    assert "If lots fall again they use beacon round" in told


def test_off_a_terminal_it_says_when_and_goes_on_later(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "draw", toy)
    words = ("draw", "run", library, WORKS, "--out", out, "--answers", answers(tmp_path), "--json")
    with relay(toy) as (address, asked):
        first = lotroom(*words, "--relay", address)
        assert first.exit_code == 3, first.output
        assert json.loads(first.output)["waiting"] == "beacon"
        assert asked == []
        again = lotroom(*words, "--relay", address)
        assert json.loads(again.output)["waiting"] == "beacon"
        clock.at += 3_000
        done = lotroom(*words, "--relay", address)
        assert done.exit_code == 0, (done.output, done.exc_info)
    assert report_of(out).failed == ()


def test_nobody_answering_is_said_and_no_other_round_is_taken(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "draw", toy)
    words = ("draw", "run", library, WORKS, "--out", out, "--answers", answers(tmp_path), "--lang", "en")
    with relay(toy, "answers 500") as (address, asked):
        waiting = lotroom(*words, "--relay", address, "--wait")
        assert waiting.exit_code == 3
        assert "nobody gave its value" in waiting.output
        assert len({path.rpartition("/")[2] for path in asked}) == 1
    with relay(toy, "lies") as (liar, _), relay(toy) as (good, again):
        done = lotroom(*words, "--relay", liar, "--relay", good, "--wait")
        assert done.exit_code == 0, (done.output, done.exc_info)
        assert set(again) <= set(asked)
    assert report_of(out).failed == ()


def test_what_the_request_asks_for_decides(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "one", toy)
    done = lotroom("draw", "run", library, request(tmp_path, 'beacon = "none"'), "--out", out, "--answers", answers(tmp_path))
    assert done.exit_code == 0, (done.output, done.exc_info)
    assert report_of(out).facts["beacon"] == {"kind": "none"}
    out = pinned(tmp_path / "two", toy)
    refused = lotroom(
        "draw", "run", library, request(tmp_path, 'beacon = "drand"'), "--out", out, "--answers", answers(tmp_path), "--lang", "en"
    )
    assert (refused.exit_code, (out / "proof.json").exists()) == (1, False)
    out = pinned(tmp_path / "three", toy)
    refused = lotroom("draw", "run", library, request(tmp_path, 'beacon = "local"'), "--out", out, "--answers", answers(tmp_path))
    assert (refused.exit_code, (out / "proof.json").exists()) == (1, False)  # nobody to ask
    for lot in ('beacon = "dice"', "beacon_minutes = 3"):
        assert (
            lotroom("draw", "run", library, request(tmp_path, lot), "--out", tmp_path / "four", "--answers", answers(tmp_path)).exit_code
            == 1
        )


def test_a_drand_network_is_asked_for_by_name(library, tmp_path, clock):
    toy = ToyNetwork("drand", genesis=clock.now() - 30_000)
    out = pinned(tmp_path / "draw", toy)
    with relay(toy) as (address, _):
        words = ("--out", out, "--answers", answers(tmp_path), "--relay", address, "--wait")
        done = lotroom("draw", "run", library, request(tmp_path, 'beacon = "drand"\nbeacon_minutes = 5'), *words)
    assert done.exit_code == 0, (done.output, done.exc_info)
    assert report_of(out).facts["beacon"]["kind"] == "drand"


def test_contributions_that_miss_the_round_get_no_other(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "draw", toy)
    for number in range(2):
        key = make_key("contributor", body=f"elsewhere {number}")
        write_key(key, tmp_path / f"c{number}.key")
        (out / "keys" / f"c{number}.key.pub").write_bytes(key.public_bytes())
    words = ("draw", "run", library, WORKS, "--out", out, "--answers", answers(tmp_path), "--relay", "http://127.0.0.1:9", "--no-wait")
    first = lotroom(*words, "--json")
    assert json.loads(first.output)["waiting"] == "contribution", first.output
    clock.at += 600
    late = lotroom(*words)
    assert late.exit_code == 1
    assert "too late" in lotroom(*words, "--lang", "en").stderr or "赶不上" in late.stderr
    gone = lotroom("draw", "abandon", library, WORKS, "--out", out, "--reason", "incomplete", "--paper", "x")
    assert gone.exit_code == 0, gone.output
    assert report_of(out).failed == ()


def test_a_round_is_chosen_again_only_while_nobody_attested(library, tmp_path, clock, toy):
    out = pinned(tmp_path / "draw", toy)
    for number in range(2):
        (out / "keys" / f"c{number}.key.pub").write_bytes(make_key("contributor", body=f"elsewhere {number}").public_bytes())
    words = (
        "draw",
        "run",
        library,
        WORKS,
        "--out",
        out,
        "--answers",
        answers(tmp_path),
        "--relay",
        "http://127.0.0.1:9",
        "--no-wait",
        "--json",
    )
    lotroom(*words)
    chosen = json.loads((out / "lots-1-0.json").read_bytes())["round"]
    clock.at += 60
    lotroom(*words)
    assert json.loads((out / "lots-1-0.json").read_bytes())["round"] == chosen


# Networks for key lists ------------------------------------------------------------------------------------------------------------------


def test_pin_puts_a_network_beside_the_keys(tmp_path, toy):
    source = tmp_path / "network.json"
    source.write_bytes(network_bytes(toy.network))
    assert lotroom("beacon", "pin", source, "--keys", tmp_path / "keys", "--held", "node body 1").exit_code == 0
    made = read_network(tmp_path / "keys" / "toy-local.network")
    assert sorted(node.held for node in made.nodes) == ["body", "body", "operator"]  # type: ignore[union-attr]
    assert lotroom("beacon", "pin", "--quicknet", "--keys", tmp_path / "keys").exit_code == 0
    assert read_network(tmp_path / "keys" / "quicknet.network") == QUICKNET
    assert lotroom("beacon", "pin", "--quicknet", "--keys", tmp_path / "keys").exit_code == 2
    assert lotroom("beacon", "pin", source, "--keys", tmp_path / "other", "--held", "nobody").exit_code == 1
    assert lotroom("beacon", "pin", "--keys", tmp_path / "other").exit_code == 2


def test_fetch_gives_one_value_by_hand(tmp_path, toy, clock):
    from drawing.keys import keys_bytes
    from tests.scenario import World

    world = World(beacon="local")
    (tmp_path / "keys.json").write_bytes(keys_bytes([world.key_list]))
    with relay(world.toy) as (address, _):
        done = lotroom("beacon", "fetch", tmp_path / "keys.json", "--network", "toy-local", "--round", 9, "--relay", address)
        assert (done.exit_code, done.output.strip()) == (0, world.toy.sign(9).hex())
    assert (
        lotroom("beacon", "fetch", tmp_path / "keys.json", "--network", "other", "--round", 9, "--relay", "http://127.0.0.1:9").exit_code
        == 1
    )
