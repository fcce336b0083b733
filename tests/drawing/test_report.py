"""What a report says besides the checks that fail: why a check was not made, headlines, figures, remarks and where a fault is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

import pytest

from drawing import note
from drawing import verify as verifier
from drawing.beacon import chain_hash
from drawing.certificate import percent
from drawing.draw import Fault
from drawing.errors import Refused
from drawing.events import FAIR, Abandoned, Committed, Result, Stopped
from drawing.proof import Proof
from drawing.report import CHECKS, Report, Status, Tally
from drawing.verify import Files, verify
from drawing.verify_roll import check_roll
from tests import lies
from tests.conformance.histories import Setting, extension_and_round, listed, public, successor, to_the_result
from tests.lies import LIES, NO_RESERVES, relisted, signed, with_one_more, with_proof
from tests.scenario import World

ROLL = "D1 D2 D3 D6 F1 F4"
OPENINGS = "S0 S1 S2 S3 S5"
RECEIPT = "E1 E2 E3 E4"
# An honest draw without beacon, of which there is the proof alone.
PLAIN = {
    "no_second_quorum": "A6", "beacon_none": "T1 T2 R1", "no_roll": ROLL, "method_uniform": "F2 F3", "no_openings": OPENINGS,
    "no_predecessor": "S4", "no_receipt": RECEIPT,
}  # fmt: skip
NO_RESULT = "T3 T4 R2 R4 D4 D5"
NOTHING_COMMITTED = f"A5 C5 T1 T2 T3 T4 R1 R2 R3 R4 V1 D4 D5 {ROLL} S0 S1 S2 S3 S4 S5 {RECEIPT}"


@dataclass(frozen=True)
class Case:
    """Files, and what the report says: per reason the checks in order, and the headlines."""

    make: Callable[[], Files]
    reasons: dict[str, str]
    headlines: tuple[str, ...]


CASES: dict[str, Case] = {}


def case(*headlines: str, **reasons: str) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    """A case that differs from PLAIN in these reasons ("": none is skipped for that)."""

    def keep(make: Callable[[], Files]) -> Callable[[], Files]:
        CASES[make.__name__] = Case(make, {key: each for key, each in {**PLAIN, **reasons}.items() if each}, headlines)
        return make

    return keep


def told(report: Report) -> dict[str, str]:
    """Reason -> checks that did not pass for it; `failed` for those that failed."""
    found: dict[str, list[str]] = {}
    for each in report.outcomes:
        if each.status is not Status.PASSED:
            found.setdefault("failed" if each.status is Status.FAILED else each.reason, []).append(each.check)
    return {reason: " ".join(checks) for reason, checks in found.items()}


def only(world: World) -> Files:
    return public(world.files())


# How far a draw came ------------------------------------------------------------------------------------------------------------------------


@case()
def a_whole_draw() -> Files:
    return only(World().whole(left=(0,)))


@case(beacon_none="")
def a_whole_draw_with_a_beacon() -> Files:
    return only(World(beacon="drand", plan=NO_RESERVES).whole(left=(0,)))


@case(no_roll="", no_openings="")
def a_whole_draw_with_roll_and_openings() -> Files:
    return World().whole().files()


@case(no_predecessor="", no_openings=f"{OPENINGS[:-2]}S4 S5")
def a_snapshot_with_a_predecessor() -> Files:
    return only(World(previous=True).whole())


@case(method_uniform="", no_roll="D1 D2 D3 D6 F1 F2 F3 F4")
def a_fair_draw() -> Files:
    return only(World(method=FAIR).whole())


NOTHING = {**dict.fromkeys(PLAIN, ""), "no_second_quorum": "A6", "method_uniform": "F2 F3", "nothing_committed": NOTHING_COMMITTED}


@case("open", **NOTHING, not_unsealed="T5")
def opened_and_no_more() -> Files:
    world = World()
    world.open()
    return only(world)


@case("abandoned", **NOTHING, not_unsealed="T5")
def given_up_before_the_commit() -> Files:
    world = World(beacon="local")
    world.open(), world.abandon()
    return only(world)


@case("abandoned", **NOTHING, not_unsealed="T5")
def given_up_by_a_supervisor_of_the_staff_s_body_and_one_of_another() -> Files:
    world = signed(Abandoned, with_one_more("bureau/two"))
    world.holders["bureau/one"].body = "centre"
    relisted(world)
    world.open(), world.abandon()
    return only(world)


@case("open", no_result_yet=NO_RESULT, not_unsealed="T5")
def committed_and_no_more() -> Files:
    world = World()
    world.open(), world.commit()
    return only(world)


@case("open", no_result_yet=f"T2 {NO_RESULT}", not_unsealed="T5", beacon_none="")
def contributed_and_no_more_with_a_beacon() -> Files:
    world = World(beacon="drand")
    world.open(), world.commit(), world.contribute()
    return only(world)


@case("open", not_unsealed="T5")
def drawn_and_no_more() -> Files:
    return only(to_the_result(World()))


@case("open", not_unsealed="T5", no_second_quorum="", beacon_none="")
def drawn_and_no_more_with_a_beacon_and_two_quorums() -> Files:
    return only(to_the_result(World(second_quorum=True, beacon="local")))


@case("open", no_result_yet=f"T2 {NO_RESULT}", not_unsealed="T5", no_second_quorum="", beacon_none="")
def committed_and_no_more_with_a_beacon_and_two_quorums() -> Files:
    world = World(second_quorum=True, beacon="local")
    world.open(), world.commit()
    return only(world)


@case(beacon_none="", no_second_quorum="")
def a_whole_draw_with_a_beacon_and_two_quorums() -> Files:
    return only(World(second_quorum=True, beacon="local", plan=NO_RESERVES).whole(left=(0,)))


@case("dry_run")
def a_dry_run() -> Files:
    return only(World(dry_run=True).whole())


@case("small_pool")
def a_dead_end_and_wider_terms() -> Files:
    return only(extension_and_round(Setting(116)))


@case("rounds_by_draw_key_alone")
def rounds_by_the_draw_key() -> Files:
    return only(World(rounds_by_draw_key=True).whole())


@case("groups_not_checked")
def groups_that_nobody_looked_into() -> Files:
    def change(body: Committed) -> Committed:
        return replace(body, terms=replace(body.terms, groups_checked=False))

    world = World()
    world.tamper = lambda body: change(body) if isinstance(body, Committed) else body
    return only(world.whole())


# Attempts -----------------------------------------------------------------------------------------------------------------------------------


@case()
def names_opened_in_two_attempts() -> Files:
    """T5 is about the last attempt: the first one's opening of names was witnessed long before the second one's could be."""
    world = to_the_result(World())
    world.answer(), world.check(), world.unseal(), world.abandon("order")
    return only(world.whole())


def attempts(world: World, first: str, second: str) -> World:
    """An attempt with one beacon that an order ended, then one with another."""
    world.beacon = first
    to_the_result(world).abandon("order")
    world.beacon = second
    return world


def of_the_next_round(world: World) -> World:
    world.sign_round = lambda number: world.toy.sign(number + 1)  # type: ignore[method-assign]
    return world


@case(beacon_none="")
def a_network_that_the_first_attempt_s_list_alone_pins() -> Files:
    world = attempts(World(beacon="local"), "local", "none")
    lists = (world.key_list, successor(world, networks=()))
    world.key_list = lists[1]
    return only(listed(world, *lists).whole())


@case(failed="R2", beacon_none="")
def a_bad_value_after_an_attempt_without_beacon() -> Files:
    return only(of_the_next_round(attempts(World(beacon="local"), "none", "local")).whole())


@case(failed="R1 R2", network_not_pinned="T1 T2", beacon_none="")
def a_bad_value_after_an_attempt_whose_network_nobody_pins() -> Files:
    world = World(beacon="local")

    def change(body: Committed) -> Committed:
        return replace(body, beacon=replace(body.beacon, network=bytes(32))) if world.project.draw.attempt == 1 else body  # type: ignore[type-var]

    world.tamper = lambda body: change(body) if isinstance(body, Committed) else body
    return only(of_the_next_round(attempts(world, "local", "local")).whole())


def under_an_unknown_list(world: World) -> World:
    """A first attempt under a key list that the verifier does not have."""
    known = world.key_list
    world.key_list = replace(known, entries=(replace(known.entries[0], body="somebody else"), *known.entries[1:]))
    attempts(world, world.beacon, world.beacon)
    world.key_list = known
    return world


@case(failed="A4 R2", no_key_list="T1 T2 R1", beacon_none="")
def a_bad_value_after_an_attempt_whose_key_list_is_not_known() -> Files:
    return only(of_the_next_round(under_an_unknown_list(World(beacon="local"))).whole())


@case(failed="A4 A3")
def a_bad_signature_after_an_attempt_whose_key_list_is_not_known() -> Files:
    world = under_an_unknown_list(World())
    world.retell = lambda event: (
        replace(event, sigs=with_one_more("centre/staff")(world, event)) if isinstance(event.body, Result) else event
    )
    return only(world.whole())


@case(failed="A6", no_second_quorum="", beacon_none="")
def a_late_second_quorum_after_an_attempt_without_beacon() -> Files:
    world = attempts(World(beacon="local", second_quorum=True), "none", "local")
    return only(lies.second_time(world, lambda: world.clock + 500_000_000).whole())


# Key lists ----------------------------------------------------------------------------------------------------------------------------------

NO_LIST = "A1 A2 A3 A5 A6 C3 T5"


@case("no_key_list", failed="A4", no_key_list=NO_LIST, no_checkpoint="I1 I2 T3 T4", no_second_quorum="")
def a_key_list_that_cannot_be_read() -> Files:
    return public(LIES["A4_1"]())


@case(
    "no_key_list",
    failed="A4",
    no_key_list="A1 A2 A3 A5 A6 C3 T1 T2 T5 R1 R2",
    no_checkpoint="I1 I2 T3 T4",
    no_second_quorum="",
    beacon_none="",
)
def a_key_list_that_cannot_be_read_and_a_beacon() -> Files:
    return replace(only(World(beacon="local").whole()), keys=b"")


@case("no_key_list", failed="A4", no_key_list=NO_LIST, no_second_quorum="")
def a_key_list_that_is_not_the_one_named() -> Files:
    """The newest list still judges the lines of checkpoints."""
    return public(LIES["A4"]())


@case("key_list_has_successors")
def a_key_list_with_a_successor() -> Files:
    world = World()
    return only(listed(world, world.key_list, successor(world)).whole())


@case("all_keys_held_by_operator")
def keys_that_the_operator_holds() -> Files:
    world = World()
    world.key_list = replace(world.key_list, entries=tuple(replace(each, held="operator") for each in world.key_list.entries))
    return only(world.whole())


@case("beacon_held_by_operator", beacon_none="")
def nodes_that_the_operator_holds() -> Files:
    world = World(beacon="local")
    (network,) = world.key_list.networks
    nodes = tuple(replace(each, held="operator") for each in network.nodes)  # type: ignore[union-attr]
    world.key_list = replace(world.key_list, networks=(replace(network, nodes=nodes),))  # type: ignore[call-arg]
    return only(world.whole())


NOBODY = ("nobody/c", "notary/c")


@case("open", no_result_yet=NO_RESULT, not_unsealed="T5")
def a_contributor_whom_no_list_knows() -> Files:
    world = World()
    world.tamper = lambda body: replace(body, contributors=NOBODY, round_contributors=NOBODY) if isinstance(body, Committed) else body
    world.open(), world.commit()
    return only(world)


# Witnesses and monitors ---------------------------------------------------------------------------------------------------------------------


@case("private_log", no_witnesses="A1 A2 C3 T5")
def no_witnesses() -> Files:
    return only(World(witnesses=0, monitored=False).whole(left=(0,)))


@case("private_log", no_witnesses="A1 A2 C3 T2 T5", beacon_none="")
def no_witnesses_and_a_beacon() -> Files:
    return only(World(witnesses=0, beacon="local").whole())


@case("not_shown_to_be_the_only_draw", no_monitor="C3")
def no_monitor() -> Files:
    return only(World(monitored=False).whole())


@case("not_shown_to_be_the_only_draw", failed="C3")
def a_monitor_that_saw_another_root() -> Files:
    return public(LIES["C3_1"]())


@case(failed="A1", no_checkpoint="I1 I2 A2 A6 T2 T3 T4 T5", no_second_quorum="", beacon_none="")
def a_checkpoint_that_is_no_note() -> Files:
    files = only(World(beacon="local", second_quorum=True, plan=NO_RESERVES).whole(left=(0,)))
    return with_proof(files, lambda proof: replace(proof, checkpoints=("", *proof.checkpoints[1:])))


@case(failed="A1 T2 T4 T5", beacon_none="")
def a_last_checkpoint_and_no_other() -> Files:
    world = World(beacon="local")
    world.proof_sizes = lambda sizes: {max(sizes)}  # type: ignore[method-assign]
    return only(world.whole())


@case(failed="I5 I2")
def a_consistency_path_too_few() -> Files:
    return with_proof(only(World().whole()), lambda proof: replace(proof, consistency=proof.consistency[:-1]))


@case(failed="I5 I2")
def checkpoints_that_do_not_extend_behind_one_that_comes_twice() -> Files:
    return with_proof(
        public(LIES["I2"]()), lambda p: replace(p, checkpoints=(p.checkpoints[0], *p.checkpoints), consistency=((), *p.consistency))
    )


# Files that cannot be read ------------------------------------------------------------------------------------------------------------------

UNREADABLE = " ".join(check for check, _ in CHECKS if check not in ("I6", "A4"))
NONE = dict.fromkeys(PLAIN, "")


@case("proof_unreadable", **{**NONE, "failed": "I6", "proof_unreadable": UNREADABLE})
def a_proof_that_cannot_be_read() -> Files:
    return replace(only(World().whole()), proof=b"{}")


@case("proof_unreadable", **{**NONE, "failed": "I6 A4", "proof_unreadable": UNREADABLE})
def nothing_that_can_be_read() -> Files:
    return Files(b"{}", b"{}")


@case(failed="S1", no_openings="S0 S2 S3 S5")
def openings_that_could_not_be_unsealed() -> Files:
    return replace(only(World().whole()), openings_fault=Refused("not_a_reader", "openings"))


@pytest.mark.parametrize("name", list(CASES))
def test_a_report_says_why_a_check_was_not_made(name):
    judge(CASES[name], CASES[name].make())


def judge(each: Case, files: Files) -> None:
    """What the report over a case's files must say."""
    report = verify(files)
    assert told(report) == each.reasons
    assert report.headlines == each.headlines


# Faults, remarks and figures ----------------------------------------------------------------------------------------------------------------


def faults(files: Files, check: str) -> list[Fault]:
    return list(verify(files).outcome(check).faults)


def test_a_fault_says_where_it_is():
    assert faults(LIES["I2"](), "I2")[0].place == "checkpoint 0 to 1"
    missing = Fault("A3", "signature_missing", "map", (("roles", "operator"), ("least", 1), ("got", 0)))
    assert faults(lies.a_map_that_nobody_signed_for_the_operator(), "A3") == [missing]
    assert [each.code for each in faults(lies.one_signature_too_many_that_is_none(), "A3")] == ["bad_signature"]
    assert [each.code for each in faults(lies.one_signature_too_many_by_a_stranger(), "A3")] == ["unknown_key"]
    assert faults(lies.openings_of_another_attempt(), "S0")
    refused = Refused("not_a_reader", "openings", key="k")
    assert faults(Files(*_plain(), openings_fault=refused), "S1") == [Fault("S1", "not_a_reader", "openings", (("key", "k"),))]


def _plain() -> tuple[bytes, bytes]:
    files = only(to_the_result(World()))
    return files.proof, files.keys


def test_every_checkpoint_without_the_second_quorum_is_named():
    files = only(World(second_quorum=True).whole())

    def found(change: Callable[[list[str]], list[str]]) -> list[tuple[str, str]]:
        """(code, place) where the second lines of the first two checkpoints are others."""

        def changed(proof: Proof) -> Proof:
            lines = [text.splitlines(keepends=True) for text in proof.checkpoints[:2]]
            texts = ["".join([*each[:-3], *change(each[-3:])]) for each in lines]
            return replace(proof, checkpoints=(*texts, *proof.checkpoints[2:]))

        return [(each.code, each.place) for each in faults(with_proof(files, changed), "A6")]

    assert found(lambda lines: []) == [("no_quorum", "checkpoint 0"), ("no_quorum", "checkpoint 1")]
    assert found(lambda lines: lines[::-1]) == [("lines_disordered", "checkpoint 0"), ("lines_disordered", "checkpoint 1")]


def test_an_attempt_that_was_never_opened_has_not_ended():
    world = World()
    world.retell = lambda event: replace(event, head=replace(event.head, attempt=1)) if isinstance(event.body, Stopped) else event
    world.log(Stopped(bytes(32)), "bureau/two")
    world.whole()
    assert [each.code for each in faults(only(world), "C1")] == ["not_next", "attempt_not_ended"]
    assert not faults(only(attempts(World(), "none", "none").whole()), "C1")


def test_remarks_are_printed_and_fail_nothing():
    report = verify(only(attempts(World(), "none", "none").whole()))
    assert [each.code for each in report.outcome("C1").flags] == ["abandoned_order"]
    assert not report.failed


def test_without_a_library_for_curves_or_for_lattices_nothing_is_shown():
    files = only(World(beacon="local").whole())
    with mock.patch.object(verifier, "verify_round", side_effect=Refused("no_curve_library", "")):
        assert told(verify(files)) == {**CASES["a_whole_draw_with_a_beacon"].reasons, "no_curve_library": "R2"}
    files = only(World(second_quorum=True).whole())
    with mock.patch.object(note, "verify_mldsa", side_effect=Refused("no_mldsa_library", "")):
        assert told(verify(files)) == {**{key: each for key, each in PLAIN.items() if key != "no_second_quorum"}, "no_mldsa_library": "A6"}


def percents(part: int, whole: int) -> str:
    """Four decimals, cut."""
    return "{}.{:04} %".format(*divmod(part * 1_000_000 // whole, 10_000))


def test_the_figures_of_a_report_are_those_of_the_draw():
    world = attempts(World(beacon="local", plan=NO_RESERVES), "local", "local").whole(left=(0, 2))
    facts = verify(only(world)).facts
    commit = world.project.draw.commit
    assert commit is not None
    network, stages = world.toy.network, world.project.draw.stages
    assert [stage.kind for stage in stages] == ["panel", "round"]
    assert facts == {
        "attempts": 2,
        "beacon": {
            "kind": "local", "name": "toy-local", "network": chain_hash(network).hex(),
            "rounds": [{"round": each.lots, "time": network.time_of(each.lots)} for each in stages],
        },
        "chances": {
            "largest": percents(commit.terms.chances.largest, commit.terms.total),
            "smallest": percents(commit.terms.chances.smallest, commit.terms.total),
        },
        "dry_run": False, "events": len(world.events), "fairness": {}, "key_list_digest": world.key_list.digest.hex(),
        "key_list_version": 1, "log_origin": "centre/log", "method": "uniform/1", "phase": "closed", "project_tag": world.tag.hex(),
        "replacement_rounds": 1, "replacements": "rounds/1", "seats": 3, "total": str(commit.terms.total),
    }  # fmt: skip


def test_the_figures_where_there_is_little_to_tell():
    assert verify(only(World().whole())).facts["replacements"] == "reserve/1"
    assert verify(only(World(dry_run=True).whole())).facts["dry_run"] is True
    world = World()
    world.open()
    facts = verify(only(world)).facts
    assert (facts["beacon"], facts["chances"], facts["method"], facts["seats"], facts["total"]) == ({}, {}, "", 0, "")
    assert (facts["replacements"], facts["replacement_rounds"]) == ("rounds/1", 0)
    facts = verify(CASES["a_key_list_that_cannot_be_read_and_a_beacon"].make()).facts
    assert (facts["key_list_digest"], facts["key_list_version"]) == ("", 0)
    assert (facts["beacon"]["name"], facts["beacon"]["rounds"][0]["time"]) == ("", 0)
    assert verify(only(World().whole())).facts["beacon"] == {"kind": "none"}
    nobody = World()
    nobody.tamper = lambda body: replace(body, terms=replace(body.terms, total=0)) if isinstance(body, Committed) else body
    assert verify(only(nobody.whole())).facts["chances"] == {}


def test_the_figures_of_a_round_that_was_not_named_and_of_one_that_is_not_drawn_yet():
    facts = verify(public(lies.a_replacement_round_that_nobody_named())).facts
    assert len(facts["beacon"]["rounds"]) == 1
    world = World(plan=NO_RESERVES)
    to_the_result(world).answer(left=(0,))
    world.lots_again = lambda: None  # type: ignore[method-assign]
    world.round()
    assert verify(only(world)).facts["replacement_rounds"] == 0


def test_fairness_is_told_from_the_certificate():
    world = World(method=FAIR).whole()
    files = world.files()
    rolls = check_roll(files.roll, world.project.draw, Tally())
    assert rolls is not None
    assert rolls.fairness is not None
    bound, smallest = rolls.fairness.bound, rolls.fairness.smallest
    assert 0 < smallest <= bound
    told = {"bound": percents(bound.numerator, bound.denominator), "reached": percent(smallest, bound)}
    assert verify(files).facts["fairness"] == told
    assert verify(only(world)).facts["fairness"] == {}
