"""Lies: for each check at least one history or file that fails exactly there, everything else rightly signed and logged.

The name of a lie begins with the check. `tests/drawing/test_lies.py` judges them, the conformance suite gives them to other verifiers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from drawing import merkle, vrf
from drawing.canonical import dumps
from drawing.certificate import Level, Table
from drawing.events import (
    FAIR,
    Answers,
    Appointed,
    Attested,
    Beacon,
    Body,
    Checked,
    Committed,
    Contributed,
    Event,
    Move,
    Opened,
    Plan,
    Replaced,
    Result,
    RoundContributed,
    Screened,
    Signature,
    SteppedIn,
)
from drawing.keys import keys_bytes
from drawing.lots import candidates, may_step_in
from drawing.note import Checkpoint, cosign, sign_note, signature_line, subtree_message
from drawing.openings import parse_openings, write_openings
from drawing.pool import employer_tag
from drawing.proof import Mapped, Monitored, Proof, parse_proof, proof_bytes
from drawing.receipt import receipt_bytes
from drawing.roll import Removed, roll_file
from drawing.verify import Files
from server.receipts import make_receipt
from tests.scenario import PLAN, SecondKey, World, person, swap

NO_RESERVES = replace(PLAN, seats=tuple(replace(seat, reserves=0) for seat in PLAN.seats))
LIES: dict[str, Callable[[], Files]] = {}


def lie(check: str) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    def keep(make: Callable[[], Files]) -> Callable[[], Files]:
        LIES[check + (f"_{sum(name.startswith(check) for name in LIES)}" if check in LIES else "")] = make
        return make

    return keep


def honest() -> Files:
    return World().whole(left=(0,)).files()


def with_proof(files: Files, change: Callable[[Proof], Proof]) -> Files:
    return replace(files, proof=proof_bytes(change(parse_proof(files.proof))))


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def weigh(person: int, times: int) -> Callable[[Table], Table]:
    """Somebody's weights so many hundred-thousandths of what is fair, where nobody else is of the same class and type."""

    def change(table: Table) -> Table:
        raised = {kind: tuple(max(1, each * times // 100_000) for each in seats) for kind, seats in table.weights[person].items()}
        return replace(table, weights=(*table.weights[:person], raised, *table.weights[person + 1 :]))

    return change


def with_prices(change: Callable[[Level], Level]) -> Callable[[Table], Table]:
    """Other prices at the last level."""
    return lambda table: replace(table, levels=(*table.levels[:-1], change(table.levels[-1])))


@lie("F2")
def prices_that_show_nothing() -> Files:
    return World(method=FAIR, retable=with_prices(lambda level: replace(level, seats=(0,)))).whole().files()


@lie("F3")
def a_friend_weighs_more() -> Files:
    return World(method=FAIR, people=200, retable=weigh(0, 105_000)).whole().files()


@lie("F3")
def a_price_on_what_is_not_scarce() -> Files:
    return World(method=FAIR, retable=with_prices(lambda level: replace(level, recent=1))).whole().files()


@lie("I6")
def white_space() -> Files:
    files = honest()
    return replace(files, proof=files.proof.replace(b'":', b'": ', 1))


@lie("A4")
def another_key_list() -> Files:
    world = World().whole()
    entries = (replace(world.key_list.entries[0], body="somebody else"), *world.key_list.entries[1:])
    return replace(world.files(), keys=keys_bytes([replace(world.key_list, entries=entries)]))


@lie("I5")
def a_removed_list_that_no_event_calls_for() -> Files:  # spec: draw-7.2
    world = World().whole()
    return replace(world.files(), roll=roll_file([*world.sections, Removed(bytes(32), ())]))


@lie("I1")
def a_path_to_another_tree() -> Files:
    def change(proof: Proof) -> Proof:
        first = proof.events[0]
        return replace(proof, events=(replace(first, path=(flipped(first.path[0]), *first.path[1:])), *proof.events[1:]))

    return with_proof(honest(), change)


@lie("I2")
def checkpoints_that_do_not_extend() -> Files:
    return with_proof(
        honest(), lambda p: replace(p, consistency=((flipped(p.consistency[0][0]), *p.consistency[0][1:]), *p.consistency[1:]))
    )


def bare(text: str) -> str:
    """A checkpoint without its cosignatures."""
    head, _, lines = text.partition("\n\n")
    return head + "\n\n" + lines.split("\n")[0] + "\n"


@lie("A1")
def a_first_checkpoint_without_witnesses() -> Files:
    return with_proof(honest(), lambda p: replace(p, checkpoints=(bare(p.checkpoints[0]), *p.checkpoints[1:])))


@lie("A1")
def a_commit_that_was_not_fixed_before_the_contributions() -> Files:
    world = World().whole()
    return without_checkpoint(world, lambda size: size == world.index_of[3] + 2)


@lie("A2")
def a_last_checkpoint_without_witnesses() -> Files:
    return with_proof(honest(), lambda p: replace(p, checkpoints=(*p.checkpoints[:-1], bare(p.checkpoints[-1]))))


@lie("A3")
def an_opening_that_the_operator_signed() -> Files:  # spec: draw-3.3
    world = World()
    world.log(Opened(world.log_name, sha256(b"n").digest(), "1"), "centre/operator")
    world.current_plan = world.plan
    world.commit(), world.contribute(), world.result(), world.finish()
    return world.files()


@lie("A3")
def a_check_by_a_supervisor_without_the_roll() -> Files:
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.log(Checked(), "bureau/one")
    world.unseal(), world.close()
    return world.files()


@lie("A5")
def everybody_of_one_body() -> Files:
    world = World()
    for name in ("notary/c", "other/c"):
        world.holders[name].body = "centre"
    relisted(world)
    return world.whole().files()


@lie("C1")
def a_representative_too_many() -> Files:
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.appoint("representative", 7)
    world.finish()
    return world.files()


@lie("C1")
def a_screening_when_the_result_could_be_computed() -> Files:  # spec: draw-4.3
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c",))
    world.screen(("UNIT-c",))
    world.contribute(("other/c",)), world.result(), world.finish()
    return world.files()


@lie("C2")
def an_event_left_out() -> Files:  # spec: draw-3.2
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.appoint("representative", 0)
    world.finish()
    return with_proof(world.files(), lambda p: replace(p, events=tuple(e for e in p.events if not isinstance(e.event.body, Appointed))))


@lie("C3")
def a_map_that_knows_more_attempts() -> Files:
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(), world.check(), world.unseal()
    log_map = world.log_map

    def more() -> None:
        attempts, head = world.heads[world.tag]
        world.heads[world.tag] = (attempts + 1, head)
        log_map()

    world.log_map = more  # type: ignore[method-assign]
    world.close()
    return world.files()


@lie("C3")
def a_monitor_that_saw_another_root() -> Files:
    world = World().whole()

    def change(proof: Proof) -> Proof:
        holder = world.holders["bureau/monitor"]
        seen = replace(proof.monitors[0], root=bytes(32))
        return replace(proof, monitors=(replace(seen, sigs=(Signature(holder.name, holder.sign(seen.payload)),)),))

    return with_proof(world.files(), change)


@lie("C4")
def a_clock_that_goes_back() -> Files:  # spec: draw-4.4
    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    world.clock -= 15
    world.answer()
    world.clock += 15
    world.finish()
    return world.files()


@lie("C4")
def names_opened_too_early() -> Files:
    world = World(unsealing_delay=1_000)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(), world.check()
    later = world.clock + 1_000
    world.note(time=later)
    seen = max(world.notes)
    world.unsealing_delay = 0
    world.unseal()
    world.close()
    world.quiet = seen  # witnesses with a fast clock: the events' own times still tell
    return world.files()


@lie("C5")
def a_contribution_to_a_commit_that_is_not_shown() -> Files:  # spec: draw-5.4
    world = World()
    world.open(), world.commit()

    def change(body: Contributed) -> Contributed:
        holder = world.holders[body.key]
        more = replace(body, nth=2)
        return replace(more, sig=holder.sign(more.statement(world.project.draw.stages[-1].leaf)))

    world.tamper = swap(Contributed, change)  # type: ignore[arg-type]
    world.contribute(), world.result(), world.finish()
    return world.files()


def without_checkpoint(world: World, dropped: Callable[[int], bool]) -> Files:
    from drawing import merkle

    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves]

    def change(proof: Proof) -> Proof:
        kept = [text for text in proof.checkpoints if not dropped(int(text.split("\n")[1]))]
        sizes = [int(text.split("\n")[1]) for text in kept]
        paths = tuple(tuple(merkle.consistency_proof(hashes[:new], old)) for old, new in zip(sizes, sizes[1:]))
        return replace(proof, checkpoints=tuple(kept), consistency=paths)

    return with_proof(world.files(), change)


@lie("T3")
def a_contribution_outside_the_checkpoint() -> Files:
    world = World()
    world.open(), world.commit(), world.contribute(("notary/c",))
    early = max(world.notes)
    world.contribute(("other/c",))
    late = max(world.notes)
    world.result(), world.finish()
    from drawing import merkle

    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves]

    def change(proof: Proof) -> Proof:
        sizes = sorted({int(t.split("\n")[1]) for t in proof.checkpoints} - {late} | {early})
        paths = tuple(tuple(merkle.consistency_proof(hashes[:new], old)) for old, new in zip(sizes, sizes[1:]))
        return replace(proof, checkpoints=tuple(world.notes[size].decode() for size in sizes), consistency=paths)

    return with_proof(world.files(), change)


@lie("T4")
def a_result_that_waited_for_no_checkpoint() -> Files:
    world = World()
    world.open(), world.commit(), world.contribute()
    late = max(world.notes)
    world.result(), world.finish()
    return without_checkpoint(world, lambda size: size == late)


@lie("T5")
def no_witness_saw_the_time_pass() -> Files:
    world = World().whole()
    return without_checkpoint(world, lambda size: size == world.quiet)


@lie("R2")
def a_value_of_another_draw_key() -> Files:  # spec: draw-5.2
    def change(body: Result) -> Result:
        return replace(body, value=vrf.prove(bytes(32), b"anything"))

    return World(tamper=swap(Result, change)).whole().files()  # type: ignore[arg-type]


@lie("R2")
def an_escrow_of_another_key() -> Files:
    def change(body: Committed) -> Committed:
        points = (vrf.public_key(bytes(32)), *body.beacon.escrow.points[1:])
        return replace(body, beacon=replace(body.beacon, escrow=replace(body.beacon.escrow, points=points)))

    world = World()
    world.tamper = lambda body: change(body) if isinstance(body, Committed) else body
    return world.whole().files()


def beacon_commit(change: Callable[[Beacon], Beacon], kind: str = "local") -> World:
    world = World(beacon=kind)
    world.tamper = lambda body: replace(body, beacon=change(body.beacon)) if isinstance(body, Committed) else body
    return world


@lie("R1")
def a_network_that_no_key_list_pins() -> Files:  # spec: draw-5.5
    return beacon_commit(lambda beacon: replace(beacon, network=bytes(32))).whole().files()


@lie("R1")
def a_local_network_that_is_called_public() -> Files:
    return beacon_commit(lambda beacon: replace(beacon, kind="drand")).whole().files()


@lie("R2")
def a_beacon_value_of_another_round() -> Files:  # spec: draw-5.6
    world = World(beacon="drand")
    world.sign_round = lambda number: world.toy.sign(number + 1)  # type: ignore[method-assign]
    return world.whole().files()


@lie("R2")
def a_beacon_value_of_another_round_in_a_replacement() -> Files:
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
    world.sign_round = lambda number: world.toy.sign(number - 1)  # type: ignore[method-assign]
    world.replace(), world.finish()
    return world.files()


@lie("R2")
def a_draw_key_s_value_where_a_beacon_is_named() -> Files:
    return World(beacon="drand", tamper=swap(Result, lambda body: replace(body, value=bytes(80)))).whole().files()  # type: ignore[type-var, arg-type]


@lie("T1")
def a_round_after_the_result_is_due() -> Files:  # spec: draw-5.7
    return beacon_commit(lambda beacon: replace(beacon, round=beacon.round + 7_000)).whole().files()


@lie("T1")
def a_round_before_the_contributions_are_due() -> Files:
    world = World(beacon="local")

    def change(body: Committed) -> Committed:
        return replace(body, deadlines=replace(body.deadlines, contributions=body.deadlines.contributions + 1_000))

    world.tamper = lambda body: change(body) if isinstance(body, Committed) else body
    return world.whole().files()


@lie("T1")
def a_replacement_round_that_nobody_named() -> Files:  # spec: draw-5.8
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result()
    unnamed = world.next_lots
    world.next_lots = lambda opened: None  # type: ignore[method-assign]
    world.answer(left=(0,))
    world.next_lots = unnamed  # type: ignore[method-assign]
    world.beacon_lots = lambda draw: (world.sign_round(100), bytes(32))  # type: ignore[method-assign]
    world.replace(), world.finish()
    return world.files()


def witnessed_late(world: World, event: int, seconds: int, due: int) -> Files:
    """The checkpoint over an event was cosigned only so many seconds before the round; earlier ones do not hold it."""
    first = world.index_of[event] + 2
    kept = world.clock
    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves[:first]]
    text = Checkpoint(world.log_name, first, merkle.root(hashes)).text()
    note = sign_note(text, world.log_key.vkey, world.log_key.sign)
    for key in world.witness_keys:
        note = cosign(note, key.vkey, due - seconds, key.sign)
    world.notes[first] = note
    assert world.clock == kept
    return world.files()


@lie("T2")
def contributions_that_were_witnessed_late() -> Files:  # spec: draw-5.9
    world = World(beacon="drand").whole()
    stage = world.project.draw.stages[0]
    return witnessed_late(world, stage.given[-1][3], 59, world.toy.network.time_of(stage.lots))


@lie("T2")
def a_leaver_that_was_witnessed_late() -> Files:
    world = World(beacon="local", plan=NO_RESERVES).whole(left=(0,))
    stage = world.project.draw.stages[1]
    return witnessed_late(world, stage.seq, 59, world.toy.network.time_of(stage.lots))


@lie("T4")
def a_value_that_was_known_before_its_round() -> Files:  # spec: draw-5.10
    world = World(beacon="local")
    world.wait_for = lambda number: None  # type: ignore[method-assign]
    return world.whole().files()


@lie("T4")
def a_replacement_that_waited_for_no_checkpoint() -> Files:
    world = World(beacon="local", plan=NO_RESERVES).whole(left=(0,))
    seq = world.project.draw.stages[1].seq
    world.proof_sizes = lambda sizes: sizes - {world.index_of[seq] + 2} | {world.index_of[seq + 1] + 2}  # type: ignore[method-assign]
    late = world.index_of[seq + 1] + 2
    due = world.toy.network.time_of(world.project.draw.stages[1].lots)
    return witnessed_late(world, seq + 1, 61, due) if late else world.files()


@lie("C1")
def a_bidder_list_when_the_next_round_is_named() -> Files:  # spec: draw-4.10
    world = World(beacon="local", plan=NO_RESERVES)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
    world.screen(("UNIT-q",))
    world.lots_again(), world.finish()
    return world.files()


@lie("C1")
def contributors_of_a_round_beside_a_beacon() -> Files:
    world = World(beacon="local")
    world.tamper = lambda body: replace(body, round_contributors=body.contributors) if isinstance(body, Committed) else body
    return world.whole().files()


@lie("C1")
def a_round_named_where_there_is_no_beacon() -> Files:
    world = World(tamper=swap(Answers, lambda body: replace(body, lots=5)))  # type: ignore[type-var, arg-type]
    return world.whole().files()


@lie("R4")
def a_seed_of_choice_beside_a_beacon() -> Files:
    return World(beacon="drand", tamper=swap(Result, lambda body: replace(body, seed=bytes(32)))).whole().files(roll=False)  # type: ignore[type-var, arg-type]


@lie("R3")
def a_contribution_that_does_not_prove() -> Files:  # spec: draw-5.1
    world = World()
    world.open(), world.commit()

    def change(body: Contributed) -> Contributed:
        wrong = replace(body, pi=body.pi[:48] + flipped(body.pi[48:]))
        return replace(wrong, sig=world.holders[body.key].sign(wrong.statement(world.project.draw.stages[-1].leaf)))

    world.tamper = swap(Contributed, change)  # type: ignore[arg-type]
    world.contribute(), world.result(), world.finish()
    return world.files()


@lie("R4")
def a_seed_of_choice() -> Files:  # spec: draw-5.3
    world = World()
    world.open(), world.commit(), world.contribute()
    lots = world.lots
    world.lots = lambda: (lots()[0], bytes(32))  # type: ignore[method-assign]
    world.result()
    world.lots = lots  # type: ignore[method-assign]
    world.finish()
    return world.files()


@lie("V1")
def a_draft_that_nobody_attested() -> Files:  # spec: draw-4.2
    def change(body: Attested) -> Attested:
        return replace(body, draft=bytes(32))

    return World(tamper=swap(Attested, change)).whole().files()  # type: ignore[arg-type]


@lie("V1")
def names_opened_unchecked() -> Files:  # spec: draw-4.5
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(), world.unseal(), world.close()
    return world.files()


@lie("D4")
def two_people_of_a_seat_in_each_others_slot() -> Files:  # spec: draw-6.1
    def change(body: Result) -> Result:
        one, two = body.placed[0], body.placed[1]
        return replace(body, placed=(replace(one, tag=two.tag), replace(two, tag=one.tag), *body.placed[2:]))

    return World(tamper=swap(Result, change)).whole().files(roll=False, openings=False)  # type: ignore[arg-type]


@lie("D5")
def a_leaver_without_successor() -> Files:  # spec: draw-6.2
    def change(body: Replaced) -> Replaced:
        return replace(body, placed=body.placed[:1])

    world = World(plan=NO_RESERVES, tamper=swap(Replaced, change))  # type: ignore[arg-type]
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0, 2)), world.replace()
    world.round(), world.finish()
    return world.files(roll=False, openings=False)


@lie("D1")
def another_roll() -> Files:
    world = World().whole()
    rows = world.roll.rows
    other = replace(world.roll, rows=rows[:26] + flipped(rows[26:]))
    return replace(world.files(openings=False), roll=roll_file([other]))


@lie("D2")
def a_sampler_that_went_another_way() -> Files:
    return World(tamper=swap(Result, lambda body: replace(body, trace=bytes(32)))).whole().files()  # type: ignore[type-var, arg-type]


@lie("D2")
def friends_instead_of_the_drawn() -> Files:  # spec: draw-6.3
    world = World()
    world.open(), world.commit(), world.contribute()

    def change(body: Result) -> Result:
        taken = {each.tag for each in body.placed}
        last = body.placed[2]
        mine = world.roll.types[world.roll.type_numbers[world.roll.place_of[last.tag]]]
        employers = {world.roll.employers[world.roll.place_of[tag]] for tag in taken}
        friend = next(
            tag
            for row, tag in enumerate(world.roll.tags)
            if tag not in taken and world.roll.types[world.roll.type_numbers[row]] == mine and world.roll.employers[row] not in employers
        )
        return replace(body, placed=(*body.placed[:2], replace(last, tag=friend), *body.placed[3:]))

    world.tamper = swap(Result, change)  # type: ignore[arg-type]
    world.result(), world.finish()
    return world.files()


def drawn_by_another_version(said: int, done: int, plan: Plan = PLAN) -> Files:
    world = World(sampler_version=said, plan=plan)
    world.open(), world.commit(), world.contribute()
    if plan == PLAN:
        world.sampler_version = done
    world.result()
    if plan != PLAN:
        world.sampler_version = done
        world.answer(left=(0,)), world.replace()
    world.finish()
    return world.files()


@lie("D2")
def a_seed_without_the_roll() -> Files:  # spec: sel-7
    return drawn_by_another_version(2, 1)


@lie("D2")
def a_seed_with_the_roll_in_a_draw_of_before() -> Files:
    return drawn_by_another_version(1, 2)


@lie("D2")
def a_round_s_seed_without_the_roll() -> Files:
    return drawn_by_another_version(2, 1, NO_RESERVES)


@lie("C1")
def an_extension_that_goes_back_to_the_seed_alone() -> Files:  # spec: draw-4.6
    from tests.drawing.test_histories import dry, small_pool_world

    world = dry(small_pool_world())
    world.sampler_version = 1
    world.extend(replace(world.plan, seats=(world.plan.seats[0], replace(world.plan.seats[1], professions=("A06",)))))
    world.finish()
    return world.files()


@lie("D3")
def a_reserve_of_an_employer_that_already_sits() -> Files:  # spec: draw-6.4
    for seed in range(400):
        chance = random.Random(seed)
        records = [person(n, chance, employer={"code": f"UNIT-{chance.choice('cdefg')}", "name": "x"}, draws=[]) for n in range(50)]
        plan = replace(PLAN, seats=(replace(PLAN.seats[0], count=1), replace(PLAN.seats[1], reserves=0)), sites=())
        world = World(seed=seed, records=records, plan=plan)
        world.open(), world.commit(), world.contribute(), world.result()
        world.answer(left=(1,))
        world.replace()
        world.answer(left=(0,))
        draw = world.project.draw
        reserves = candidates(draw.slots, 0)
        if reserves and not may_step_in(world.roll, plan, draw.slots, draw.gone, 0, reserves[0]):
            world.log(SteppedIn((Move(reserves[0], 0),), draw.round), "centre/operator")
            world.finish()
            return world.files()
    raise AssertionError("no such world")


@lie("D6")
def lots_although_a_reserve_was_there() -> Files:  # spec: draw-6.5
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
    world.round()
    world.finish()
    return world.files()


@lie("D6")
def a_reserve_who_steps_in_for_another_slot() -> Files:  # spec: draw-6.5
    """Two slots of a seat are open and there is one reserve: which of them is drawn again is not the operator's to say."""
    world = World(seed=3)
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0, 1))
    world.log(SteppedIn((Move(3, 1),), world.project.draw.round), "centre/operator")
    world.round(), world.finish()
    return world.files()


@lie("D6")
def a_bidder_list_that_unseats_somebody_who_is_not_on_it() -> Files:
    world = World(tamper=swap(Screened, lambda body: replace(body, slots=tuple(sorted({*body.slots, 0})))))  # type: ignore[type-var, arg-type]
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    world.screen(("UNIT-zz",))
    world.replace(), world.finish()
    return world.files()


@lie("D6")
def a_bidder_list_that_spares_somebody_who_is_on_it() -> Files:
    """A reserve stays in its slot although its row is removed; nobody notices later, for it never steps in."""
    world = World(tamper=swap(Screened, lambda body: replace(body, slots=())))  # type: ignore[type-var, arg-type]
    world.open(), world.commit(), world.contribute(), world.result(), world.answer()
    reserve = world.project.draw.slots[3].tag
    employer = world.roll.employers[world.roll.place_of[reserve]]
    world.screen(next((f"UNIT-{e}",) for e in "cdefghijklmnop" if employer_tag(world.secret("draw"), f"UNIT-{e}") == employer))
    world.finish()
    return world.files()


@lie("F1")
def a_total_of_choice() -> Files:
    world = World()
    world.tamper = lambda body: (
        replace(body, terms=replace(body.terms, total=body.terms.total + 1)) if isinstance(body, Committed) else body
    )
    return world.whole().files()


@lie("F1")
def chances_of_choice() -> Files:
    world = World()

    def change(body: Committed) -> Committed:
        return replace(body, terms=replace(body.terms, chances=replace(body.terms.chances, smallest=0)))

    world.tamper = lambda body: change(body) if isinstance(body, Committed) else body
    return world.whole().files()


@lie("F4")
def a_direct_choice_although_others_could_be_drawn() -> Files:  # spec: draw-6.6
    world = World()
    world.open(), world.commit(), world.contribute(), world.result(), world.answer(left=(0,))
    world.appoint("direct_choice", 0)
    world.finish()
    return world.files()


def with_openings(world: World, **changes: object) -> Files:
    opened = parse_openings(b"".join(write_openings(world.openings())))
    return replace(world.files(), openings=b"".join(write_openings(replace(opened, **changes))))  # type: ignore[arg-type]


@lie("S0")
def openings_of_another_attempt() -> Files:  # spec: draw-2.1
    return with_openings(World().whole(), attempt=2)


@lie("S1")
def a_record_that_is_none() -> Files:
    chance = random.Random(7)
    return World(records=[*(person(n, chance) for n in range(50)), dumps({"name": "nobody"})]).whole().files()


@lie("S2")
def one_person_in_two_rows() -> Files:
    chance = random.Random(7)
    return World(records=[*(person(n, chance) for n in range(50)), person(3, chance)]).whole().files()


@lie("S3")
def a_bidder_that_was_not_looked_at() -> Files:  # spec: draw-2.3
    from tests.scenario import declarations

    world = World()
    real = world.decl
    build = world.build

    def blind_eye(plan):  # type: ignore[no-untyped-def]
        world.decl = declarations(())
        try:
            return build(plan)
        finally:
            world.decl = real

    world.build = blind_eye  # type: ignore[method-assign]
    return world.whole().files()


@lie("S4")
def a_difference_that_hides_a_joiner() -> Files:
    world = World(previous=True).whole()
    return with_openings(world, changes=replace(world.changes, joined=()))


@lie("S5")
def a_draw_secret_before_the_end() -> Files:  # spec: draw-7.3
    world = World()
    world.open(), world.commit(), world.contribute(), world.result()
    return replace(world.files(), openings=b"".join(write_openings(world.openings(secret=True))))


def receipt(change: Callable[..., object]) -> Files:
    world = World().whole(left=(0,))
    files = world.files()
    assert files.roll is not None
    drawn = world.verify().names[0][1]
    number = f"ID{int(drawn[2:-1]):010d}"
    made = make_receipt(world.proof(), world.openings(), files.roll, number)
    return replace(files, receipt=receipt_bytes(change(made)))  # type: ignore[arg-type]


@lie("E1")
def a_leaf_of_another() -> Files:
    return receipt(lambda r: replace(r, record=r.record.replace(b"UNIT", b"UNUT")))


@lie("E2")
def another_decision() -> Files:
    return receipt(lambda r: replace(r, decision=r.decision.replace(b"type", b"tipe"), row=r.row))


@lie("E3")
def a_larger_chance() -> Files:
    return receipt(lambda r: replace(r, row=(replace(r.row[0], chance=r.row[0].chance + 1),)))


@lie("E4")
def another_answer() -> Files:
    return receipt(lambda r: replace(r, answers=(replace(r.answers[0], content=r.answers[0].content.replace(b"accepted", b"left")),)))


Lines = list[str]


def second_lines(change: Callable[[World, Checkpoint, Lines], Lines], world: World | None = None, at: int = 0) -> Files:
    """Other lines behind those of the first policy, in one checkpoint of a draw with two quorums."""
    world = world or World(second_quorum=True).whole(left=(0,))

    def rewrite(proof: Proof) -> Proof:
        number = at % len(proof.checkpoints)
        head, _, signatures = proof.checkpoints[number].partition("\n\n")
        lines = signatures.splitlines(keepends=True)
        text = head + "\n\n" + "".join(lines[:4] + change(world, Checkpoint.parse(head + "\n", ""), lines[4:]))
        return replace(proof, checkpoints=(*proof.checkpoints[:number], text, *proof.checkpoints[number + 1 :]))

    return with_proof(world.files(), rewrite)


def second_line(key: SecondKey, checkpoint: Checkpoint, time: int, *, name: str = "") -> str:
    """A cosignature by a key; `name` makes it over another witness's message."""
    signature = key.sign(subtree_message(name or key.name, time, checkpoint))
    return signature_line(key.vkey, time.to_bytes(8, "big") + signature)


@lie("A6")
def a_checkpoint_without_the_second_quorum() -> Files:  # spec: log-14
    return second_lines(lambda world, checkpoint, lines: lines[:1], at=-1)


@lie("A6")
def no_second_line_at_all() -> Files:
    return second_lines(lambda world, checkpoint, lines: [])


@lie("A6")
def a_second_line_by_a_foreign_key() -> Files:  # spec: log-11
    return second_lines(
        lambda world, checkpoint, lines: [*lines[:2], second_line(SecondKey("w2.example/w", b"?"), checkpoint, world.clock)]
    )


@lie("A6")
def a_second_line_that_does_not_verify() -> Files:  # spec: log-12
    def change(world: World, checkpoint: Checkpoint, lines: Lines) -> Lines:
        other = replace(checkpoint, size=checkpoint.size + 1)
        return [*lines[:2], second_line(world.second_keys[2], other, world.clock)]  # although two of three are enough

    return second_lines(change)


@lie("A6")
def a_witness_that_counts_twice() -> Files:
    def change(world: World, checkpoint: Checkpoint, lines: Lines) -> Lines:
        return [second_line(world.second_keys[0], checkpoint, world.clock + n) for n in range(2)]

    return second_lines(change)


@lie("A6")
def a_cosignature_under_the_name_of_another_witness() -> Files:
    return second_lines(
        lambda world, checkpoint, lines: [lines[0], second_line(world.second_keys[1], checkpoint, world.clock, name="w0.example/w")]
    )


@lie("A6")
def a_second_line_without_a_time() -> Files:  # spec: log-13
    return second_lines(lambda world, checkpoint, lines: [*lines[:2], second_line(world.second_keys[2], checkpoint, 0)])


@lie("A6")
def a_second_line_that_is_too_short() -> Files:
    def change(world: World, checkpoint: Checkpoint, lines: Lines) -> Lines:
        return [*lines[:2], signature_line(world.second_keys[2].vkey, world.clock.to_bytes(8, "big") + bytes(64))]

    return second_lines(change)


@lie("A6")
def second_lines_in_another_order() -> Files:
    return second_lines(lambda world, checkpoint, lines: lines[::-1])


@lie("A6")
def a_line_of_the_first_policy_among_the_second_s() -> Files:
    def change(world: World, checkpoint: Checkpoint, lines: Lines) -> Lines:
        key, text = world.witness_keys[2], checkpoint.text()
        again = cosign(sign_note(text, world.log_key.vkey, world.log_key.sign), key.vkey, world.clock, key.sign).decode()
        return [*lines, again.splitlines(keepends=True)[-1]]

    return second_lines(change)


def second_time(world: World, moment: Callable[[], int]) -> World:
    """The second quorum's clocks are others than the first's."""
    note = world.note

    def noted(time: int | None = None) -> None:
        note(time)
        size = max(world.notes)
        head, _, signatures = world.notes[size].decode().partition("\n\n")
        checkpoint = Checkpoint.parse(head + "\n", "")
        lines = [second_line(key, checkpoint, moment()) for key in world.second_keys]
        world.notes[size] = "".join([head, "\n\n", *signatures.splitlines(keepends=True)[:4], *lines]).encode()

    world.note = noted  # type: ignore[method-assign]
    return world


@lie("A6")
def a_second_quorum_that_did_not_see_the_time_pass() -> Files:  # spec: draw-8.4
    world = World(second_quorum=True)

    def moment() -> int:
        commit = world.project.draw.commit
        return world.clock if commit is None else min(world.clock, commit.unsealing.not_before - 1)

    return second_time(world, moment).whole().files()


@lie("A6")
def a_second_quorum_years_after_the_round() -> Files:
    world = World(second_quorum=True, beacon="drand")
    return second_time(world, lambda: world.clock + 500_000_000).whole().files()


# Each fault of a check alone, so that no other fault of the same check covers for it ------------------------------------------------------


def signed(kind: type[Body], change: Callable[[World, Event], tuple[Signature, ...]]) -> World:
    """A world whose events of a kind bear other signatures than they should."""
    world = World()
    world.retell = lambda event: replace(event, sigs=change(world, event)) if isinstance(event.body, kind) else event
    return world


def relisted(world: World) -> None:
    """The key list as the holders are now."""
    entries = tuple(sorted((holder.entry for holder in world.holders.values()), key=lambda entry: entry.vkey.partition("+")[0]))
    world.key_list = replace(world.key_list, entries=entries)


def signature(world: World, name: str, payload: bytes) -> Signature:
    return Signature(name, world.holders[name].sign(payload))


def with_one_more(name: str, wrong: bool = False) -> Callable[[World, Event], tuple[Signature, ...]]:
    """Everybody who should signed, and somebody else as well."""

    def change(world: World, event: Event) -> tuple[Signature, ...]:
        more = signature(world, name, b"another" if wrong else event.payload)
        return tuple(sorted((*event.sigs, more), key=lambda each: each.key))

    return change


@lie("A3")
def signatures_in_another_order() -> Files:
    return signed(Committed, lambda world, event: event.sigs[::-1]).whole().files()


@lie("A3")
def a_signature_that_comes_twice() -> Files:
    return signed(Committed, lambda world, event: (*event.sigs, event.sigs[-1])).whole().files()


@lie("A3")
def one_signature_too_many_that_is_none() -> Files:
    return signed(Committed, with_one_more("bureau/two", wrong=True)).whole().files()


@lie("A3")
def one_signature_too_many_by_a_stranger() -> Files:
    world = signed(Committed, with_one_more("stranger/key"))
    world.holders["stranger/key"] = replace(world.holders["bureau/two"], name="stranger/key")
    return world.whole().files()


@lie("A3")
def one_signature_too_many_by_a_role_that_has_no_say() -> Files:
    return signed(Result, with_one_more("centre/staff")).whole().files()


@lie("A3")
def two_who_attest_in_one_event() -> Files:
    world = World()
    world.holders["bureau/zero"] = replace(world.holders["bureau/one"], name="bureau/zero")
    relisted(world)
    world.retell = lambda event: (
        replace(event, sigs=with_one_more("bureau/zero")(world, event))
        if isinstance(event.body, Attested) and event.body.scope == "openings"
        else event
    )
    return world.whole().files()


@lie("A3")
def an_attempt_given_up_by_one_body() -> Files:
    world = World()
    world.holders["bureau/one"].body = "centre"
    relisted(world)
    world.open(), world.abandon()
    return world.files()


def contribution(change: Callable[[World, Contributed], Contributed]) -> Files:
    """The first contribution is another; the operator signs for it."""
    world = World()
    world.tamper = swap(Contributed, lambda body: change(world, body))  # type: ignore[arg-type]
    return world.whole().files()


@lie("A3")
def a_contribution_with_the_proof_of_another() -> Files:
    def change(world: World, body: Contributed) -> Contributed:
        secret = bytes(range(32))
        other = replace(body, pk=vrf.public_key(secret), pi=vrf.prove(secret, world.project.draw.stages[-1].alpha()))
        return replace(other, sig=world.holders[body.key].sign(other.statement(world.project.draw.stages[-1].leaf)))

    return contribution(change)


@lie("A3")
def a_contribution_that_its_contributor_did_not_sign() -> Files:
    return contribution(lambda world, body: replace(body, sig=world.holders["other/c"].sign(b"something else")))


@lie("A3")
def a_round_contribution_that_its_contributor_did_not_sign() -> Files:
    world = World(plan=NO_RESERVES)
    world.tamper = swap(RoundContributed, lambda body: replace(body, sig=bytes(64)))  # type: ignore[type-var, arg-type]
    return world.whole(left=(0,)).files()


def remapped(change: Callable[[Mapped], Mapped], *signers: str, wrong: bool = False) -> Files:
    """The last leaf, that of the map, is another, and signed by others."""
    world = World().whole()
    assert world.mapped is not None
    at, mapped = world.mapped
    bare = change(replace(mapped, sigs=()))
    sigs = tuple(signature(world, name, b"another" if wrong else bare.payload) for name in signers or ("centre/operator",))
    world.mapped = (at, replace(bare, sigs=sigs))
    world.leaves[at] = world.mapped[1].leaf
    world.note()
    return world.files()


@lie("A3")
def a_map_that_nobody_signed_for_the_operator() -> Files:
    return remapped(lambda mapped: mapped, "centre/staff")


@lie("A3")
def a_map_that_two_signed() -> Files:
    return remapped(lambda mapped: mapped, "centre/operator", "centre/staff")


@lie("A3")
def a_map_whose_signature_is_of_something_else() -> Files:
    return remapped(lambda mapped: mapped, wrong=True)


@lie("C3")
def a_map_that_tells_another_place_of_its_own() -> Files:
    return remapped(lambda mapped: replace(mapped, size=mapped.size - 1))


@lie("C3")
def a_map_of_a_log_of_another_name() -> Files:
    return remapped(lambda mapped: replace(mapped, origin="another/log"))


def restated(change: Callable[[World, Monitored], tuple[Monitored, ...]]) -> Files:
    """Other statements of monitors."""
    world = World().whole()
    return with_proof(world.files(), lambda proof: replace(proof, monitors=change(world, proof.monitors[0])))


@lie("C3")
def a_monitor_that_speaks_twice() -> Files:
    return restated(lambda world, seen: (seen, seen))


@lie("C3")
def a_monitor_that_is_none() -> Files:
    return restated(lambda world, seen: (replace(seen, sigs=(signature(world, "bureau/one", seen.payload),)),))


@lie("C3")
def a_monitor_whose_statement_is_not_its_own() -> Files:
    return restated(lambda world, seen: (replace(seen, sigs=(signature(world, "bureau/monitor", b"another"),)),))


@lie("C3")
def a_monitor_of_another_log() -> Files:
    def change(world: World, seen: Monitored) -> tuple[Monitored, ...]:
        other = replace(seen, origin="another/log")
        return (replace(other, sigs=(signature(world, "bureau/monitor", other.payload),)),)

    return restated(change)


@lie("A4")
def a_key_list_that_cannot_be_read() -> Files:
    return replace(World().whole().files(roll=False, openings=False), keys=b"{}")


@lie("A5")
def supervisors_of_the_operator_s_body() -> Files:
    world = World()
    world.holders["bureau/one"].body, world.holders["centre/staff"].body = "centre", "elsewhere"
    relisted(world)
    return world.whole().files()


def another_checkpoint(at: int, change: Callable[[World, Checkpoint], str]) -> Files:
    world = World().whole()

    def rewrite(proof: Proof) -> Proof:
        texts = list(proof.checkpoints)
        texts[at] = change(world, Checkpoint.parse(texts[at].partition("\n\n")[0] + "\n", ""))
        return replace(proof, checkpoints=tuple(texts))

    return with_proof(world.files(), rewrite)


def of_another_log(world: World, checkpoint: Checkpoint) -> str:
    note = sign_note(replace(checkpoint, origin="another/log").text(), world.log_key.vkey, world.log_key.sign)
    for key in world.witness_keys:
        note = cosign(note, key.vkey, world.clock, key.sign)
    return note.decode()


def that_the_log_did_not_sign(world: World, checkpoint: Checkpoint) -> str:
    return sign_note(checkpoint.text(), world.log_key.vkey, lambda message: bytes(64)).decode()


@lie("A1")
def a_first_checkpoint_of_another_log() -> Files:
    return another_checkpoint(0, of_another_log)


@lie("A1")
def a_first_checkpoint_that_the_log_did_not_sign() -> Files:
    return another_checkpoint(0, that_the_log_did_not_sign)


@lie("A2")
def a_last_checkpoint_of_another_log() -> Files:
    return another_checkpoint(-1, of_another_log)


@lie("A2")
def a_last_checkpoint_that_the_log_did_not_sign() -> Files:
    return another_checkpoint(-1, that_the_log_did_not_sign)


@lie("I1")
def a_draw_that_was_opened_in_another_log() -> Files:
    return World(tamper=swap(Opened, lambda body: replace(body, origin="another/log"))).whole().files()  # type: ignore[type-var, arg-type]


@lie("I1")
def a_map_that_is_not_in_the_log() -> Files:
    return with_proof(honest(), lambda p: replace(p, map=replace(p.map, path=(flipped(p.map.path[0]), *p.map.path[1:]))))


@lie("I5")
def a_consistency_path_too_many() -> Files:
    return with_proof(honest(), lambda p: replace(p, consistency=(*p.consistency, ())))


@lie("I5")
def a_checkpoint_that_comes_twice() -> Files:
    return with_proof(honest(), lambda p: replace(p, checkpoints=(p.checkpoints[0], *p.checkpoints), consistency=((), *p.consistency)))


@lie("I5")
def events_that_the_log_holds_in_another_order() -> Files:
    world = World()
    world.open()
    body = world.commit_body()
    world.attest(body)
    one, two = world.index_of[1], world.index_of[2]
    world.leaves[one], world.leaves[two] = world.leaves[two], world.leaves[one]
    world.index_of.update({1: two, 2: one})
    world.log(body, "centre/staff", "bureau/one")
    world.contribute(), world.result(), world.finish()
    return world.files()


@lie("T4")
def successors_that_waited_for_no_checkpoint_in_a_log_without_witnesses() -> Files:
    """With a quorum T2 asks for more than that; here nobody else does."""
    world = World(beacon="local", plan=NO_RESERVES, witnesses=0, monitored=False).whole(left=(0,))
    fixed = world.index_of[world.project.draw.stages[1].seq]
    hashes = [merkle.leaf_hash(leaf) for leaf in world.leaves[:fixed]]
    text = Checkpoint(world.log_name, fixed, merkle.root(hashes)).text()
    world.notes[fixed] = sign_note(text, world.log_key.vkey, world.log_key.sign)
    world.proof_sizes = lambda sizes: sizes - {fixed + 2} | {fixed}  # type: ignore[method-assign]
    return world.files()
