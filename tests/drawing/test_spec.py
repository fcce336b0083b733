"""The examples and the remaining rules of docs/spec, each against the code."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from drawing import map as sparse
from drawing import randomness, vrf
from drawing.canonical import TH, dumps, loads
from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import CONTRIBUTION_TYPE, Attested, Committed, Extended, body_json, parse_event, project_tag
from drawing.fair import Field, Need, Type, count, numerators, sampler_for
from drawing.keys import KeyList, keys_bytes, parse_keys
from drawing.lots import dice_key
from drawing.note import Policy
from drawing.openings import parse_openings, write_openings
from drawing.pool import Entry, decision_leaf
from drawing.receipt import parse_receipt
from drawing.roll import make_roll, parse_roll_file, roll_file
from drawing.sealed import seal, unseal
from drawing.seed import below
from drawing.select import draw
from drawing.texts import CHECK_TITLES, HEADLINES, REASONS, STORY, TEXT
from drawing.verify import verify
from server.refusals import REFUSED
from tests.drawing.test_histories import dry, small_pool_world
from tests.scenario import PLAN, World, swap

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs/spec" / f"{name}.md").read_text("utf-8")


def test_the_examples_of_the_encodings():
    assert loads(b'{"a":"x","b":[1,true]}') == {"b": [1, True], "a": "x"}
    assert TH("draw/v1/example", b"ab", b"c").hex() in page("canonical")


def test_the_first_event_of_the_draw_page_is_one():
    leaf = re.search(r'^\{"at".*\}$', page("draw"), re.MULTILINE)[0]
    event = parse_event(leaf.encode())
    assert event.leaf_hash.hex() in page("draw")
    assert event == World().whole(left=(0,)).events[0]
    assert project_tag("gc-2026 0001") == project_tag("ＧＣ20260001")


def test_the_draws_of_the_draw_page_are_those_that_it_tells():
    """Every number of sections 1.1, 3.3 and 5.3 that follows from the events."""
    text, world = page("draw"), World().whole(left=(0,))
    for event in world.events:
        assert f"| {world.index_of[event.head.seq]} | {len(event.leaf)} | `{event.leaf_hash.hex()[:16]}` |" in text
    commit, result = (next(event for event in world.events if event.type == kind) for kind in ("committed", "result"))
    assert dumps(body_json(commit.body)["terms"]).decode() in text
    stage, seed = world.project.draw.stages[0], result.body.seed
    pairs = randomness.betas((pk, pi) for _, pk, pi, _ in stage.given)
    for word, value in (
        ("L", commit.leaf_hash), ("alpha", stage.alpha()), ("last", randomness.last_alpha(commit.leaf_hash, pairs)), ("value", result.body.value),
        ("beta", vrf.proof_to_hash(result.body.value)), ("seed", seed), ("key", dice_key(world.roll, seed, 2)),
        *((f"pk_{n}", pk) for n, (pk, _) in enumerate(pairs, 1)), *((f"beta_{n}", beta) for n, (_, beta) in enumerate(pairs, 1)),
    ):  # fmt: skip
        assert f"\n{word:9}{value.hex()}\n" in text
    for placed in result.body.placed:
        assert f"`{placed.tag.hex()[:8]}…`" in text
    notary = next(event.body for event in world.events if event.type == "contributed" and event.body.key == "notary/c")
    assert f"DSSEv1 44 {CONTRIBUTION_TYPE} 340 " + notary.statement(commit.leaf_hash).partition(b" 340 ")[2].decode() in text
    bare = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
    world = World(beacon="local", plan=bare).whole(left=(0,))
    stage = world.project.draw.stages[0]
    values = [("L", stage.leaf), *((f"beta_{n}", b) for n, (_, b) in enumerate(randomness.betas((k, p) for _, k, p, _ in stage.given), 1))]
    for word, kind in (("seed", "result"), ("seed_1", "replaced")):
        body = next(event.body for event in world.events if event.type == kind)
        values += [(word, body.seed), ("value", body.value)]
    for word, value in values:
        assert f"\n{word:9}{value.hex()}\n" in text


def test_the_checkpoint_of_the_log_page_verifies():
    text = re.search(r"```\n(centre/log\n.*?)```", page("log"), re.DOTALL)[1]
    world = World()
    checked = world.key_list.log_policy.check(text.encode(), "")
    assert checked.checkpoint.size == 2
    assert list(checked.cosigned) == ["w0"]
    one, two = bytes(32), b"\x80" + bytes(31)
    assert sparse.root({one: b"x"}).hex() in page("log")
    assert sparse.root({one: b"x", two: b"y"}).hex() in page("log")


def test_the_examples_of_the_selection_page():  # spec: sel-4
    field = Field((Type((0,), -1, False, 1),), [0, 0, 0, 0], [b"A" * 8, b"A" * 8, b"B" * 8, b"C" * 8])
    need = Need((2,), 2)
    assert (count(field, need), numerators(field, need), sampler_for(field, need)) == (5, [2, 2, 3, 3], "cells-reject/2")
    drawn = draw(field, need, bytes(32), 0)
    assert (drawn.seats, drawn.attempts) == (((2, 3),), 0)
    assert [below(bytes(32), bytes(5) + n.to_bytes(4, "big"), 1000) for n in range(3)] == [69, 366, 652]


@pytest.mark.parametrize("field", ["at", "project", "section", "notice", "v", "type", "sigs", "dry_run"])
def test_an_event_with_a_missing_unknown_or_ill_typed_field_is_refused(field):  # spec: draw-3.1, canon-5
    world = World()
    world.open()
    value = json.loads(world.events[0].leaf)
    for change in (
        {field: None},
        {field: 1.5},
        {field: [[]]},
        {field: "ÄÖ"},
        {"more": 1},
        {"notice": value["notice"].upper()},
        {"at": -1},
        {"at": True},
    ):
        with pytest.raises(Refused) as refused:
            parse_event(json.dumps({**value, **change}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        assert refused.value.place
    del value[field]
    with pytest.raises(Refused):
        parse_event(dumps(value))


def test_rows_must_increase():  # spec: draw-2.2
    world = World().whole()
    rows = world.roll.rows
    other = make_roll(world.roll.types, world.roll.salt, rows[58:116] + rows[:58] + rows[116:])
    assert [code for code, _ in other.faults()] == ["roll_not_sorted"]


def lie_in_commit(**changes: object) -> World:
    world = World()
    world.tamper = lambda body: replace(body, terms=replace(body.terms, **changes)) if isinstance(body, Committed) else body
    return world.whole()


def test_a_wrong_small_pool_flag_fails_d1():  # spec: draw-2.5
    assert lie_in_commit(small_pool=True).verify().failed == ("D1",)


def test_another_histogram_than_the_roll_s_fails():  # spec: draw-2.4
    world = World()
    world.tamper = lambda body: replace(body, histogram=bytes(32)) if isinstance(body, Attested) else body
    assert world.whole().verify().failed == ("D1", "S3")
    world = World(tamper=swap(Attested, lambda body: replace(body, histogram=bytes(32))))
    assert "V1" in world.whole().verify().failed


def test_an_extension_that_narrows_is_refused():  # spec: draw-4.6
    for change in (
        {"seats": (replace(PLAN.seats[0], count=1), PLAN.seats[1])},
        {"recent_max": 0},
        {"recent_days": 1},
        {"regions": ("110000",)},
        {"seats": (replace(PLAN.seats[0], professions=("A080104",)), PLAN.seats[1])},
    ):
        world = dry(small_pool_world())
        wider = replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",))))

        def narrow(body, change=change):  # type: ignore[no-untyped-def]
            if isinstance(body, Extended):
                return replace(body, terms=replace(body.terms, plan=replace(body.terms.plan, **change)))
            return body

        world.tamper = narrow
        world.extend(wider)
        world.finish()
        assert "C1" in world.verify(roll=False, openings=False).failed


def test_how_an_attempt_may_be_abandoned():  # spec: draw-4.7
    world = World()
    world.open(), world.commit(), world.contribute(), world.abandon("incomplete")
    assert [fault.code for fault in world.faults][:1] == ["not_next"]
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("incomplete")
    assert [fault.code for fault in world.faults] == ["abandoned_after_contributions"]
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("cancelled")
    assert world.faults == ()
    assert world.project.draw.phase is Phase.ABANDONED
    world.open()
    assert [fault.code for fault in world.faults] == ["cancelled_notice"]
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.abandon("order")
    world.whole()
    assert world.verify().failed == ()


def test_a_draw_closes_only_when_everybody_accepted_and_is_named():  # spec: draw-4.8
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.check(), world.close()
    assert {fault.code for fault in world.faults} == {"slot_not_accepted", "closed_before_unsealing"}


def test_dry_and_real_events_do_not_mix():  # spec: draw-4.9
    world = World()
    world.open()
    world.dry_run = True
    world.commit()
    assert "dry_run_mixed" in [fault.code for fault in world.faults]


# Key lists ------------------------------------------------------------------------------------------------------------------------------


def successor(world: World, before: KeyList, signers: tuple[str, ...], **changes: object) -> KeyList:
    from drawing.events import Signature

    after = replace(before, version=before.version + 1, previous=before.digest, sigs=(), **changes)  # type: ignore[arg-type]
    sigs = tuple(Signature(name, world.holders[name].sign(after.payload)) for name in sorted(signers))
    return replace(after, sigs=sigs)


def test_a_successor_is_signed_by_a_majority_of_the_supervisors_before():  # spec: keys-3
    world = World()
    first = world.key_list
    good = successor(world, first, ("bureau/one", "bureau/two"))
    assert parse_keys(keys_bytes([first, good])).newest == good
    assert parse_keys(keys_bytes([first, good, successor(world, good, ("bureau/one", "bureau/two"))])).newest.version == 3
    for bad in (
        successor(world, first, ("bureau/one",)),
        successor(world, first, ("bureau/one", "centre/staff")),
        replace(good, previous=bytes(32)),
        replace(good, version=5),
        replace(good, sigs=(good.sigs[0], replace(good.sigs[1], sig=good.sigs[0].sig))),
        replace(good, sigs=(good.sigs[0], good.sigs[0])),
        replace(good, policy=good.policy + "# x\n"),
    ):
        with pytest.raises(Refused):
            parse_keys(keys_bytes([first, bad]))


def test_the_first_version_stands_alone():  # spec: keys-4
    world = World()
    second = successor(world, world.key_list, ("bureau/one", "bureau/two"))
    with pytest.raises(Refused):
        parse_keys(keys_bytes([second]))
    with pytest.raises(Refused):
        parse_keys(b'{"lists":[],"v":"lotroom-keys/1"}')


def test_one_key_has_one_place_and_contributors_alone_have_vrf_keys():  # spec: keys-1, keys-2
    world = World()
    entries = world.key_list.entries
    log = Policy.parse(world.key_list.policy).log
    contributor = next(entry for entry in entries if entry.vrf)
    for bad in (
        (*entries, entries[-1]),
        entries[::-1],
        tuple(replace(e, vrf=b"") if e.role == "contributor" else e for e in entries),
        tuple(replace(e, vrf=contributor.vrf) if e.role == "staff" else e for e in entries),
        tuple(replace(e, vrf=world.holders["other/c"].public) if e.vkey.startswith("other/c+") else e for e in entries),
        tuple(replace(e, vkey=str(log)) if e.role == "staff" else e for e in entries),
    ):
        with pytest.raises(Refused):
            parse_keys(keys_bytes([replace(world.key_list, entries=bad)]))


def test_the_named_version_rules_even_when_there_are_successors():  # spec: keys-5
    world = World().whole()
    files = world.files()
    later = successor(world, world.key_list, ("bureau/one", "bureau/two"))
    report = verify(replace(files, keys=keys_bytes([world.key_list, later])))
    assert report.failed == ()
    assert "key_list_has_successors" in report.headlines


# Files and texts ----------------------------------------------------------------------------------------------------------------------


def test_sealed_files_open_for_their_readers_alone_and_show_every_change():
    from nacl.public import PrivateKey

    readers = {f"r{n}": PrivateKey.generate() for n in range(2)}
    content = [random.Random(1).randbytes(1_500_000), b"", b"tail"]
    data = b"".join(seal(content, {name: bytes(key.public_key) for name, key in readers.items()}, bytes(32)))
    for key in readers.values():
        assert unseal(data, bytes(key)) == b"".join(content)
    with pytest.raises(Refused):
        unseal(data, bytes(PrivateKey.generate()))
    for bad in (
        data[:-1],
        data[:-100_000],
        data + b"x",
        data[:200] + bytes([data[200] ^ 1]) + data[201:],
        data[:-5] + b"xxxxx",
        b"",
        data[:20],
    ):
        with pytest.raises(Refused):
            unseal(bad, bytes(readers["r0"]))


def test_openings_and_rolls_read_back_as_written():
    world = World(previous=True)
    world.open(), world.commit()
    world.screen(("UNIT-c",))
    opened = world.openings()
    assert parse_openings(b"".join(write_openings(opened))) == opened
    assert parse_roll_file(roll_file(world.sections)) == tuple(world.sections)
    data = b"".join(write_openings(opened))
    for bad in (data[:-1], data + b"x", data[:100], b"", data.replace(b"lotroom-openings/1", b"lotroom-openings/2")):
        with pytest.raises(Refused):
            parse_openings(bad)
    for bad in (b"", b"{}", b'{"v":"lotroom-receipt/1"}', b"[" * 100):
        with pytest.raises(Refused):
            parse_receipt(bad)


def test_people_who_were_erased_are_named_as_such_and_fail_nothing():
    world = World().whole()
    opened = parse_openings(b"".join(write_openings(world.openings())))
    from drawing.pool import commitment_of, decision_json, label_of, opening_of

    drawn = {name for _, name in world.verify().names}
    at, entry = next(
        (n, e)
        for n, e in enumerate(opened.entries)
        if e.record and json.loads(e.record)["name"] not in drawn and world.pool.fates[n].__class__ is tuple
    )
    label, opening = label_of(entry.key, world.snapshot_id), opening_of(entry.key, world.snapshot_id)
    decision = decision_leaf(opening, decision_json(None, world.pool.fates[at]))  # type: ignore[arg-type]
    gone = Entry(erased=label + commitment_of(opening, entry.record) + decision)
    entries = [*opened.entries[:at], gone, *opened.entries[at + 1 :]]
    data = b"".join(write_openings(replace(opened, entries=entries)))
    assert parse_openings(data).entries[at] == gone
    report = verify(replace(world.files(), openings=data))
    assert [flag.code for flag in report.outcome("S3").flags] == ["erased"]
    assert report.failed == ()
    changed = [*entries[:at], Entry(erased=gone.erased[:64] + bytes(32)), *entries[at + 1 :]]
    assert verify(replace(world.files(), openings=b"".join(write_openings(replace(opened, entries=changed))))).failed == ("S3",)


def test_every_code_has_a_text_in_both_languages_and_no_text_is_left_over():
    sources = "\n".join(
        path.read_text("utf-8")
        for folder in ("drawing", "server")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in ("texts.py", "refusals.py")
    )
    used = (
        set(re.findall(r'"([a-z][a-z0-9]*(?:_[a-z0-9]+)+)"', sources))
        | {f"abandoned_{word}" for word in ("incomplete", "cancelled", "order")}
        | {"truncated", "erased"}
    )
    direct = set(re.findall(r'(?:Refused|_Bad)\(\s*"([a-z0-9_]+)"', sources)) | set(
        re.findall(r'(?:fault|fail|tell|Fault)\(\s*"[A-Z]\d", "([a-z0-9_]+)"', sources)
    )
    assert direct - set(TEXT) - set(REFUSED) == set()
    assert set(TEXT) - used == set()
    for table in (TEXT, CHECK_TITLES, HEADLINES, REASONS, STORY):
        assert all(zh and en for zh, en in table.values())


def test_golden_proofs_of_every_release_are_accepted():
    folder = ROOT / "tests" / "vectors" / "golden"
    names = sorted(path.name for path in folder.iterdir())
    assert names
    for name in names:
        parts = {path.name: path.read_bytes() for path in (folder / name).iterdir()}
        from drawing.verify import Files

        files = Files(
            parts["proof.json"], parts["keys.json"], parts.get("roll.bin"), parts.get("openings.bin"), receipt=parts.get("receipt.json")
        )
        report = verify(files)
        assert report.failed == (), name
        for level in ({"openings": None}, {"openings": None, "receipt": None}, {"openings": None, "receipt": None, "roll": None}):
            assert verify(replace(files, **level)).failed == (), (name, sorted(level))
        known = json.loads(parts["facts.json"])  # a later release may know more, never otherwise
        assert {key: report.facts.get(key) for key in known} == known, name
