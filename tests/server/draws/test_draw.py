"""A draw in the service, from the request to the closed file."""

from __future__ import annotations

import asyncio
import random
from fractions import Fraction
from types import SimpleNamespace

import pytest

from drawing.canonical import dumps, loads
from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import Contributed
from drawing.fair import count, numerators
from drawing.lots import first_need
from drawing.model import shape_of
from drawing.roll import parse_roll_file
from drawing.sealed import unseal
from drawing.verify import Files, verify
from server.control import count_limits
from server.keeper.draw_verbs import DrawContributed, DrawFile, DrawNames, DrawNext, DrawTally, Tallied
from server.services import drawing, draws
from tests.server.draws.hall import CENTRE, Hall
from tests.server.keeper.house import LOGIN

WITHOUT_WITNESSES = {"A1", "A2", "A6", "C3", "T5"}


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


async def to_the_lots(hall, **more):
    await hall.begin(**more)
    await hall.attest()
    assert (await hall.advance()).draft == "committed"
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    assert (await hall.advance()).waiting == "contribution"
    stand = await hall.contribute()
    assert stand.waiting == "answers", stand


async def to_the_end(hall):
    """Everybody who sits has accepted: the selection is checked, the names are opened, the file is closed."""
    assert (await hall.advance()).waiting == "check"
    await hall.check()
    draw = (await hall.project()).draw
    hall.house.move_clock(max(0, draw.commit.unsealing.not_before - hall.now()))
    assert (await hall.advance()).draft == "unsealed"
    stand = await hall.sign_draft("unsealed", "unseal", *hall.supervisors, approvers=("sup1", "sup2"))
    assert stand.draft == "closed", stand
    return stand


def failures(report):
    return [(check, report.outcome(check).faults[0]) for check in report.failed]


async def test_a_draw_goes_from_the_request_to_the_closed_file(hall):
    await to_the_lots(hall)
    draw = (await hall.project()).draw
    assert draw.phase is Phase.SEATED
    assert (await hall.replies()).notified == 6
    for slot in (0, 1, 3, 4, 5):
        assert (await hall.answer(slot)).first
    assert (await hall.advance()).waiting == "answers"  # one of them may still answer
    assert (await hall.answer(2, "left", "出差")).state == "left"
    await hall.refill()  # the reserve steps in where the rules let it, else others are drawn
    await to_the_end(hall)
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    draw = (await hall.project()).draw
    assert draw.phase is Phase.CLOSED
    report = verify(Files(await hall.proof(), hall.keys_file, None))
    assert not report.failed, failures(report)


async def test_whoever_does_not_answer_in_time_has_left_and_others_are_drawn(hall):
    await to_the_lots(hall)
    for slot in (0, 1):
        await hall.answer(slot)
    late = (await hall.messages())[2]
    hall.house.move_clock(15 * 60)
    with pytest.raises(Refused, match="reply_too_late"):
        await hall.answer(2, message=late)
    stand = await hall.advance()
    assert stand.waiting == "contribution", stand
    await hall.contribute_to_round()
    draw = (await hall.project()).draw
    assert [slot.state for slot in draw.slots].count("pending") == 3  # the reserve did not answer either
    assert (await hall.replies()).notified == 3


async def test_names_are_read_after_the_unsealing_by_those_entitled_and_the_log_says_so(hall):
    await to_the_lots(hall)
    for slot in range(6):
        await hall.answer(slot)
    await to_the_end(hall)
    token = await hall.house.login(hall.keeper, "sup1")
    subject = hall.house.subject("unseal", "x", bytes(32), CENTRE)
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawNames(subject.id, hall.draw, LOGIN, "核对名单", token))
    names = await hall.keeper.ask(DrawNames(hall.approved["unsealed"], hall.draw, LOGIN, "核对名单", token))
    assert len(names.people) == 5
    assert all(each.name and each.phone for each in names.people)


async def test_the_keeper_gives_the_same_event_again_and_no_second_one(hall):
    await to_the_lots(hall)
    for slot in range(6):
        await hall.answer(slot)
    one = await hall.keeper.ask(DrawNext(0, hall.draw, ()))
    hall.house.move_clock(5)
    two = await hall.keeper.ask(DrawNext(0, hall.draw, ()))
    assert one == two
    assert one.event


async def test_draws_that_are_prepared_at_the_same_time_each_have_the_library(hall):
    asked = []
    for _ in range(4):
        await hall.ask_for()
        asked.append((hall.draw, hall.tag))
    for hall.draw, hall.tag in asked:
        state = await hall.prepared()
        assert loads(state.terms, place="terms")["snapshot"]["size"] == 512  # 300 people and decoys
        assert (await hall.advance()).waiting == "attestation"


async def test_of_many_who_ask_at_once_for_one_place_all_get_the_same_event(hall):
    """A contribution, others, and the step that follows by itself: one of them is signed for the place, whoever came second never sees a conflict."""
    await hall.begin()
    await hall.attest()
    await hall.advance()
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    assert (await hall.advance()).waiting == "contribution"
    values = [
        dumps({"type": "contributed", **shape_of(Contributed).write(await hall.contribution(key))})
        for key in (*hall.contributors, hall.contributors[0])
    ]
    asks = [DrawContributed(value, hall.draw) for value in values for _ in range(4)] + [DrawNext(0, hall.draw, ())] * 4
    random.Random(3).shuffle(asks)
    found = await asyncio.gather(*(hall.keeper.ask(each) for each in asks), return_exceptions=True)
    refused = {each.code for each in found if isinstance(each, Refused)}
    assert refused == {"event_signed_otherwise"}
    signed = {each.event for each in found if not isinstance(each, BaseException) and each.event}
    assert len(signed) == 1


async def test_contributors_who_press_at_the_same_moment_are_both_taken(hall):
    await hall.begin()
    await hall.attest()
    await hall.advance()
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    assert (await hall.advance()).waiting == "contribution"
    values = [dumps({"type": "contributed", **shape_of(Contributed).write(await hall.contribution(key))}) for key in hall.contributors]
    desk = SimpleNamespace(store=hall.store, keeper=hall.keeper)
    work = [draws.contribute(desk, hall.draw, value, hall.now()) for value in values]
    others = [drawing.go_on(hall.store, hall.keeper, hall.draw, hall.now()) for _ in range(3)]
    await asyncio.gather(*work, *others)
    given = [each.body.key for each in await hall.events() if isinstance(each.body, Contributed)]
    assert sorted(given) == sorted(key.name for key in hall.contributors)


async def test_how_often_people_were_drawn_is_told_beside_their_chances_to_supervisors_once_it_is_closed(hall):
    async def asked(person="sup1"):
        return await hall.keeper.ask(DrawTally((hall.draw,), LOGIN, await hall.house.login(hall.keeper, person)))

    await to_the_lots(hall)
    for slot in range(6):
        await hall.answer(slot)
    assert await asked() == Tallied(0, 0, 0, 0, ())  # before the end nothing is told
    await hall.refill()
    await to_the_end(hall)
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    with pytest.raises(Refused, match="not_entitled"):
        await asked("clerk")
    for _ in range(600):
        found = await asked()
        if found.counted == found.draws:
            break
        await asyncio.sleep(0.05)
    sealed = await hall.keeper.ask(DrawFile(hall.draw, "roll"))
    roll = parse_roll_file(unseal((hall.out / sealed.name).read_bytes(), hall.supervisors[0].box_secret))[-1]
    need = first_need(roll, (await hall.project()).draw.commit.terms.plan)
    chances = sorted(Fraction(part, count(roll.field, need)) for part in numerators(roll.field, need) if part)
    assert (found.people, found.drawn) == (len(chances), 5)
    assert [each.drawn for each in found.rows] == [1] * 5 + [0] * 15
    assert {each.expected for each in found.rows} <= {round(each * 10**6) for each in chances}
    for each in found.rows:
        assert (each.low, each.high) == count_limits(each.expected / 10**6, 0.01 / 2 / len(chances))
    async with hall.store.reading() as tx:
        rows = await tx.all("log_leaf", order=["leaf_index"], limit=1_000)
    (told,) = [loads(each["leaf"], place="leaf") for each in rows if b"read_tally" in each["leaf"]]
    assert (told["draws"], told["person"]) == (1, "sup1")
