"""Beacons: vectors of the public network, chain hashes, rounds and times, what a key list may pin, and histories that rest on one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from drawing import beacon as beacons
from drawing.beacon import QUICKNET, Local, chain_hash, verify_round
from drawing.errors import Refused
from drawing.events import Answers, Appointed, Committed, parse_event
from drawing.explain import explain, report_text
from drawing.keys import KeyList, keys_bytes, parse_keys
from drawing.verify import verify
from tests.conftest import counts
from tests.drawing.test_histories import dry, good, small_pool_world
from tests.drawing.test_never_raises import mutated
from tests.lies import witnessed_late
from tests.scenario import PLAN, START, ToyNetwork, World, swap

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "tests/vectors/drand_quicknet.json").read_text("utf-8"))
NO_RESERVES = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
LOCAL = ToyNetwork("local").network
assert isinstance(LOCAL, Local)


@pytest.mark.parametrize("vector", VECTORS["rounds"], ids=lambda each: str(each["round"]))
def test_rounds_of_quicknet_are_judged_right(vector):  # spec: draw-5.6
    assert verify_round(QUICKNET.public_key, vector["round"], bytes.fromhex(vector["signature"])) is vector["valid"]


def test_a_signature_has_one_spelling_and_is_no_point_at_infinity():
    good_one = bytes.fromhex(VECTORS["rounds"][0]["signature"])
    infinity = b"\xc0" + bytes(47)
    off_subgroup = bytes([0x80]) + bytes(46) + b"\x04"
    for bad in (b"", good_one[:47], good_one + b"\0", bytes([good_one[0] ^ 0x20]) + good_one[1:], infinity, off_subgroup, bytes(48)):
        assert not verify_round(QUICKNET.public_key, 123, bad)
    assert not verify_round(b"\xc0" + bytes(95), 123, infinity)
    assert not verify_round(bytes(96), 123, good_one)


def test_the_chain_hash_is_drand_s():  # spec: draw-5.5
    chain = VECTORS["chain"]
    assert chain_hash(QUICKNET).hex() == chain["chain_hash"]
    assert (QUICKNET.period, QUICKNET.genesis_time, QUICKNET.name) == (chain["period"], chain["genesis_time"], chain["beacon_id"])
    for change in ({"period": 4}, {"genesis_time": 1}, {"name": "other"}, {"genesis_seed": bytes(32)}, {"public_key": bytes(96)}):
        assert chain_hash(replace(QUICKNET, **change)) != chain_hash(QUICKNET)


def test_rounds_and_times_belong_to_each_other():
    for vector in VECTORS["rounds"][:3]:
        assert QUICKNET.time_of(vector["round"]) == vector["time"]
        assert QUICKNET.first_from(vector["time"]) == vector["round"]
        assert QUICKNET.first_from(vector["time"] - 2) == vector["round"]
        assert QUICKNET.first_from(vector["time"] + 1) == vector["round"] + 1
    assert QUICKNET.first_from(0) == 1


def pinned(*networks: beacons.Network) -> bytes:
    return keys_bytes([replace(World().key_list, networks=networks)])


def test_a_key_list_pins_networks_that_are_whole_in_themselves():  # spec: keys-6
    assert set(parse_keys(pinned(QUICKNET, LOCAL)).newest.by_chain) == {chain_hash(QUICKNET), chain_hash(LOCAL)}
    one, two, three = LOCAL.nodes
    seed_of = beacons.group_seed
    for code, bad in (
        ("other_group", replace(LOCAL, period=4)),
        ("other_group", replace(LOCAL, genesis_seed=bytes(32))),
        ("other_group", replace(LOCAL, nodes=(replace(one, body="another"), two, three))),
        ("nodes_of_one_body", replace(LOCAL, nodes=(replace(one, body=two.body), two, three))),
        ("not_sorted", replace(LOCAL, nodes=(two, one, three))),
        ("wrong_node_count", replace(LOCAL, threshold=3)),
    ):
        with pytest.raises(Refused) as refused:
            parse_keys(pinned(bad))
        assert refused.value.code == code
    again = replace(one, held="operator")  # who held a node is said beside, it is not what the nodes agreed on
    assert parse_keys(pinned(replace(LOCAL, nodes=(again, two, three)))).newest.networks[0].genesis_seed == LOCAL.genesis_seed
    taken = World().holders["centre/staff"].public
    nodes = tuple(sorted((replace(one, key=taken), two, three), key=lambda node: node.key))
    seed = seed_of(LOCAL.genesis_time, LOCAL.name, tuple((node.body, node.key) for node in nodes), LOCAL.period, 2)
    for bad_list in ((LOCAL, QUICKNET), (LOCAL, LOCAL), (replace(LOCAL, nodes=nodes, genesis_seed=seed),)):
        with pytest.raises(Refused):
            parse_keys(pinned(*bad_list))


def test_a_key_list_without_networks_reads_as_it_always_did():
    data = (ROOT / "tests/vectors/golden/0.1.0-plain/keys.json").read_bytes()
    assert keys_bytes(parse_keys(data).lists) == data


# Histories ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["local", "drand"])
def test_a_draw_on_a_beacon_verifies_and_says_on_which(kind):
    world = World(beacon=kind).whole()
    good(world)
    report = world.verify()
    facts = report.facts["beacon"]
    assert (facts["kind"], facts["name"]) == (kind, f"toy-{kind}")
    assert facts["rounds"] == [{"round": world.project.draw.stages[0].lots, "time": world.toy.network.time_of(facts["rounds"][0]["round"])}]
    assert "rounds_by_draw_key_alone" not in report.headlines
    for check in ("T1", "T2", "R1", "R2"):
        assert report.outcome(check).status == "passed"
    told = "\n".join(explain(world.files().proof, "en", parse_keys(world.keys())))
    assert f"round {facts['rounds'][0]['round']} (2026-09-21" in told
    assert f"toy-{kind}" in report_text(report, "zh")


def test_with_none_the_beacon_checks_do_not_apply():
    report = World().whole().verify()
    assert [(report.outcome(check).status, report.outcome(check).reason) for check in ("T1", "T2", "R1")] == [
        ("not_applicable", "beacon_none")
    ] * 3
    assert report.facts["beacon"] == {"kind": "none"}


def test_lots_fall_again_on_the_round_that_was_named_when_somebody_left():  # spec: draw-5.8
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result()
    for _ in range(3):
        world.answer(left=(1,))
        named = world.project.draw.named
        assert named is not None
        assert world.toy.network.time_of(named.lots) >= world.clock + 90
        world.replace()
        assert world.project.draw.named is None
    world.finish()
    good(world)
    assert len(world.verify().facts["beacon"]["rounds"]) == 4


def test_a_reserve_steps_in_and_the_named_round_is_not_used():
    world = World(beacon="local").whole(left=(0,))
    assert "replaced" not in [event.type for event in world.events]
    good(world)


def test_a_reserve_steps_in_and_the_rest_is_drawn_with_the_states_of_the_answers():
    world = World(beacon="local", seed=3)
    world.open(), world.commit(), world.contribute(), world.result()
    world.answer(left=(0, 1))
    fixed = world.project.draw.named
    assert fixed is not None
    world.replace()
    types = [event.type for event in world.events]
    assert types[-2:] == ["stepped_in", "replaced"]
    assert world.project.draw.stages[-1].states == fixed.states
    world.finish()
    good(world)


def test_a_bidder_list_after_the_result_names_a_round():
    world = World(beacon="local", seed=3, plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    for code in "cdefghijklmnop":
        if world.project.draw.open_slots:
            break
        world.screen((f"UNIT-{code}",))
    assert world.project.draw.named is not None
    world.replace(), world.finish()
    good(world)


def test_a_bidder_list_before_the_contributions_names_none():
    world = World(beacon="drand")
    world.open(), world.commit()
    world.screen(("UNIT-c", "UNIT-d"))
    world.contribute(), world.result(), world.finish()
    good(world)


def test_an_extension_has_contributions_and_a_round_of_its_own():
    world = small_pool_world(2)
    world.beacon = "local"
    world.__post_init__()
    dry(world)
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    world.answer(left=(2,))
    world.replace()
    world.finish()
    good(world)
    assert [stage.kind for stage in world.project.draw.stages] == ["panel", "round", "extension", "round"]


def test_a_direct_choice_that_leaves_a_slot_open_names_a_new_round():
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0, 2))
    first = world.project.draw.named
    world.clock += 30
    world.appoint("direct_choice", 2)
    again = world.project.draw.named
    assert first is not None
    assert again is not None
    assert (world.faults, again.lots > first.lots) == ((), True)
    world.replace(), world.finish()
    assert world.verify().failed == ("F4",)  # people could have been drawn: the direct choice itself is what is wrong


def test_a_stopped_draw_keeps_its_round():
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.stop_and_resume(), world.contribute(), world.stop_and_resume(), world.result()
    world.answer(left=(0,)), world.stop_and_resume(), world.replace(), world.finish()
    good(world)


def test_an_abandoned_attempt_on_a_beacon_is_judged_beside_the_next():
    world = World(beacon="local")
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("order")
    world.whole()
    good(world)


def test_without_witnesses_the_margin_is_not_shown():
    world = World(beacon="local", witnesses=0, monitored=False).whole()
    report = world.verify()
    assert report.failed == ()
    assert report.outcome("T2").reason == "no_witnesses"
    assert report.outcome("T1").status == "passed"


def test_enough_nodes_at_the_operator_are_said_first():
    world = World(beacon="local")
    network = world.toy.network
    assert isinstance(network, Local)
    one, two, three = network.nodes
    held = replace(network, nodes=(replace(one, held="operator"), replace(two, held="operator"), three))
    world.key_list = replace(world.key_list, networks=(held,))
    report = world.whole().verify()
    assert report.failed == ()
    assert "beacon_held_by_operator" in report.headlines


def test_before_the_result_nothing_of_the_beacon_is_green_but_what_is_there():
    world = World(beacon="local")
    world.open(), world.commit(), world.contribute()
    report = world.verify()
    assert report.failed == ()
    assert (report.outcome("R2").reason, report.outcome("T2").reason) == ("no_result_yet", "no_result_yet")
    assert (report.outcome("R1").status, report.outcome("T1").status) == ("passed", "passed")
    world = World()
    world.open()
    assert {world.verify().outcome(check).reason for check in ("T1", "T2", "R1")} == {"nothing_committed"}


def test_without_a_key_list_nothing_of_the_beacon_is_green():
    report = verify(replace(World(beacon="local").whole().files(), keys=b"{}"))
    assert {report.outcome(check).reason for check in ("T1", "T2", "R1", "R2")} == {"no_key_list"}


def test_verifying_needs_the_curve_library_for_nothing_else(tmp_path):  # spec: draw-5.11
    """Without it R2 is skipped for its reason, nothing else changes, and no module imports it beforehand."""
    files = World(beacon="local").whole().files(roll=False, openings=False)
    (tmp_path / "proof.json").write_bytes(files.proof)
    (tmp_path / "keys.json").write_bytes(files.keys)
    code = """if True:
        import sys
        class No:
            def find_spec(self, name, path=None, target=None):
                if name == "py_arkworks_bls12381":
                    raise ImportError(name)
        sys.meta_path.insert(0, No())
        import drawing.verify
        loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
        print(*sorted(name for name in loaded if not name.startswith("_")), file=sys.stderr)
        from drawing.__main__ import main
        sys.exit(main(["verify", sys.argv[1], "--keys", sys.argv[2], "--json"]))
    """
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path[:] = {sys.path!r}\n{code}",
            str(tmp_path / "proof.json"),
            str(tmp_path / "keys.json"),
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    report = json.loads(done.stdout)
    status = {each["check"]: (each["status"], each["reason"]) for each in report["checks"]}
    assert done.returncode == 3
    assert status["R2"] == ("skipped", "no_curve_library")
    assert {status[check][0] for check in ("R1", "T1", "T2", "R4")} == {"passed"}
    assert report["failed"] == []
    assert set(done.stderr.split()) <= {"cffi", "drawing", "nacl", "google", "mpl_toolkits"}


def test_a_minute_before_the_round_is_just_in_time():  # spec: draw-5.9
    world = World(beacon="drand").whole()
    stage = world.project.draw.stages[0]
    due = world.toy.network.time_of(stage.lots)
    assert verify(witnessed_late(world, stage.given[-1][3], 60, due)).failed == ()
    assert verify(witnessed_late(world, stage.given[-1][3], 59, due)).failed == ("T2",)


# Rules of single events -----------------------------------------------------------------------------------------------------------------


def codes(world: World) -> list[str]:
    return [fault.code for fault in world.faults]


def test_a_round_is_named_exactly_where_a_slot_is_left_open():  # spec: draw-5.8
    world = World(beacon="local", tamper=swap(Answers, lambda body: replace(body, lots=10**6)))
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    assert codes(world) == ["round_named_without_need"]
    world = World(beacon="local", tamper=swap(Answers, lambda body: replace(body, lots=None)))
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
    assert codes(world) == ["round_not_named"]
    world = World(beacon="local", tamper=swap(Appointed, lambda body: replace(body, lots=5)))
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.appoint("representative", 0)
    assert codes(world) == ["round_named_without_need"]


def test_a_round_that_is_past_when_it_is_named_fails_t1():
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result()
    world.lots_in = lambda seconds: world.toy.network.first_from(world.clock)  # type: ignore[method-assign]
    world.answer(left=(0,)), world.replace(), world.finish()
    report = world.verify()
    assert "round_not_in_future" in [fault.code for fault in report.outcome("T1").faults]


def test_events_of_draws_without_beacon_keep_their_bytes():
    for event in World(plan=NO_RESERVES).whole(left=(0,)).events:
        assert b'"lots"' not in event.leaf
        assert parse_event(event.leaf) == event


def test_a_beacon_of_an_unknown_kind_or_shape_is_refused():  # spec: draw-3.1
    leaf = next(event for event in World(beacon="local").whole().events if isinstance(event.body, Committed)).leaf
    value = json.loads(leaf)
    for change in (
        {"kind": "other"},
        {"round": 0},
        {"round": 2**36 + 1},
        {"network": "00"},
        {"draw_key": "00" * 32},
        {"kind": None},
        {"kind": "none"},
    ):
        bad = {**value, "beacon": {**value["beacon"], **change}}
        with pytest.raises(Refused):
            parse_event(json.dumps(bad, sort_keys=True, separators=(",", ":")).encode())


def test_whatever_is_put_into_a_proof_on_a_beacon_or_its_key_list_is_reported():
    world = World(beacon="local", plan=NO_RESERVES).whole(left=(0,))
    files = world.files(roll=False, openings=False)
    chance = random.Random(8)
    for _ in range(counts("beacon files with anything in them", 60, 3_000)):
        which = chance.choice(("proof", "keys"))
        data = getattr(files, which)
        try:
            bad = replace(files, **{which: mutated(data, chance, text=True)})
        except Refused:
            continue
        report = verify(bad)
        harmless = which == "proof" and "C3" in report.skipped and report.exit_code == 3  # a proof without its monitor says less
        assert report.failed or getattr(bad, which) == data or harmless
        assert report_text(report, chance.choice(("zh", "en")))
        try:
            explain(bad.proof, "en", parse_keys(bad.keys))
        except Refused as refused:
            assert refused.code


# The page -------------------------------------------------------------------------------------------------------------------------------


def test_the_beacon_example_of_the_draw_page():
    page = (ROOT / "docs/spec/draw.md").read_text("utf-8")
    world = World(beacon="local", plan=NO_RESERVES).whole(left=(0,))
    draw = world.project.draw
    stage, again = draw.stages
    assert draw.beacon is not None
    shown = [
        draw.beacon.network.hex(), LOCAL.genesis_seed.hex(), LOCAL.public_key.hex(), str(stage.lots), str(again.lots), draw.commits[0].leaf_hash.hex(),
        stage.outcome.body.value.hex(), stage.outcome.body.seed.hex(), again.states.hex(), again.outcome.body.value.hex(),  # type: ignore[union-attr]
        again.outcome.body.seed.hex(),  # type: ignore[union-attr]
    ]  # fmt: skip
    assert [each for each in shown if each not in page.replace(" ", "").replace("\n", "")] == []
    assert LOCAL.genesis_time == START - 30_000
    assert isinstance(world.key_list, KeyList)
