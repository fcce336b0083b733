"""A web process that was taken, and outsiders who cheat: what they cannot have signed, filed or read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from drawing.events import Event, Head, Placed, Result, Signature
from drawing.model import shape_of
from server.keeper.approved import body_digest, draw_object
from server.keeper.draw_verbs import DrawContributed, DrawFile, DrawNames, DrawNext, DrawRecord, DrawReply, DrawSign
from server.services import drawing
from tests.server.draws.hall import CENTRE, Hall
from tests.server.draws.test_draw import to_the_end, to_the_lots
from tests.server.keeper.house import LOGIN


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


async def forced(hall, event):
    """Into the log past every rule of the service, as somebody who has the database writes it."""

    async def work(tx):
        await tx.append(drawing.stream(hall.tag), await tx.length(drawing.stream(hall.tag)), [event.leaf])

    await hall.store.write(work, hall.now())


async def test_a_result_that_was_written_into_the_log_by_hand_stops_the_draw(hall):
    await hall.begin()
    await hall.attest()
    await hall.advance()
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    project = await hall.project()
    draw = project.draw
    body = Result(tuple(Placed(n, bytes([n]) * 16) for n in range(6)), bytes(32), bytes(32), bytes(80))
    head = Head(hall.now(), draw.attempt, False, project.head, hall.tag, project.events)
    await forced(hall, Event(head, body, (Signature("lotroom.test/log/operator", bytes(64)),)))
    for ask in (DrawNext(0, hall.draw, ()), DrawFile(hall.draw, "roll")):
        with pytest.raises(Refused, match=r"not_next|bad_signature"):
            await hall.keeper.ask(ask)


async def test_staff_sign_only_what_was_approved_over_that_very_body(hall):
    await hall.begin()
    await hall.attest()
    await hall.advance()
    event = await hall.draft("committed")
    for approved in (None, bytes(32)):
        with pytest.raises(Refused, match="not_approved"):
            await hall.keeper.ask(DrawSign(approved, hall.draw, event.leaf))
    await hall.sign_draft("committed", "commit", approvers=("boss", "sup1"))
    subject = hall.approved["committed"]
    other = replace(event, body=replace(event.body, reply_window=60))
    with pytest.raises(Refused, match=r"subject_differs|other_draft_attested"):
        await hall.keeper.ask(DrawSign(subject, hall.draw, other.leaf))
    elsewhere = replace(event, head=replace(event.head, prev=bytes(32)))
    with pytest.raises(Refused, match="event_not_signed_here"):
        await hall.keeper.ask(DrawSign(subject, hall.draw, elsewhere.leaf))
    assert (await hall.keeper.ask(DrawSign(subject, hall.draw, event.leaf))).key.endswith("/staff")


async def other_centre(hall):
    """Two people with every role that approves, in a centre that is not the draw's."""
    for person in ("else1", "else2"):
        await hall.house.member(hall.keeper, person, "approver", "draw_clerk", "supervisor", centre="d" * 32)


async def of_others(hall, action, about, digest):
    """Approved by those people; whom the keeper asks only about their own centre."""
    with pytest.raises(Refused, match="approver_role"):
        await hall.house.approve(hall.keeper, hall.house.subject(action, about, digest, CENTRE), "else1")
    subject = hall.house.subject(action, about, digest, "d" * 32)
    assert await hall.house.approve(hall.keeper, subject, "else1", "else2")
    return subject.id


async def test_people_of_another_centre_approve_no_event_answer_or_reading_of_a_draw(hall):
    await hall.begin()
    await hall.attest()
    await hall.advance()
    await other_centre(hall)
    event = await hall.draft("committed")
    about = draw_object(hall.tag, event.head.attempt)
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawSign(await of_others(hall, "commit", about, body_digest(event)), hall.draw, event.leaf))
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    await hall.contribute()
    told = TH("lotroom/v1/answer", b"accepted", b"")
    subject = await of_others(hall, "answer", f"reply:{hall.draw}:0:1", told)
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawReply(subject, hall.draw, 1, "", 0, "accepted", "link", ""))
    for slot in range(6):
        await hall.answer(slot)
    await to_the_end(hall)
    subject = await of_others(hall, "unseal", about, bytes(32))
    token = await hall.house.login(hall.keeper, "sup1")
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawNames(subject, hall.draw, LOGIN, "看看", token))
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawRecord(subject, hall.draw, LOGIN, "看看", token))


async def test_a_contribution_of_somebody_else_is_not_filed(hall):
    await hall.begin()
    await hall.attest()
    await hall.advance()
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    good = await hall.contribution(hall.contributors[0])
    stranger = hall.contributors[1]
    for bad in (
        replace(good, sig=bytes(64)),
        replace(good, key=stranger.name),
        replace(good, nth=2),
        replace(good, pi=(await hall.contribution(stranger)).pi),
    ):
        value = {"type": "contributed", **shape_of(type(bad)).write(bad)}
        with pytest.raises(Refused, match=r"contribution_of_another|bad_signature|hidden_contribution|bad_contribution"):
            await hall.keeper.ask(DrawContributed(dumps(value), hall.draw))
    assert len(await hall.events()) == 4


async def test_nobody_answers_with_another_s_link(hall):
    await to_the_lots(hall)
    messages = await hall.messages()
    tokens = {slot: content["token"] for slot, (_, content) in messages.items()}
    for slot, token in ((0, tokens[1]), (1, tokens[0]), (0, "x" * 24), (0, tokens[0][:-1])):
        with pytest.raises(Refused, match="reply_refused"):
            await hall.keeper.ask(DrawReply(None, hall.draw, 1, "", slot, "left", "link", token))
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(DrawReply(None, hall.draw, 1, "", 0, "left", "link", ""))
    assert (await hall.replies()).answered == 0
    assert (await hall.answer(0)).first
    again = await hall.keeper.ask(DrawReply(None, hall.draw, 1, "doch nicht", 0, "left", "link", tokens[0]))
    assert (again.first, again.state) == (False, "accepted")


async def test_before_the_unsealing_no_name_leaves_for_anybody(hall):
    await to_the_lots(hall)
    token = await hall.house.login(hall.keeper, "sup1")
    with pytest.raises(Refused, match="not_yet"):
        await hall.keeper.ask(DrawNames(bytes(32), hall.draw, LOGIN, "先看看", token))
    for slot in range(6):
        await hall.answer(slot)
    await to_the_end(hall)
    clerk = await hall.house.login(hall.keeper, "sup2")
    with pytest.raises(Refused, match="pass_refused"):
        await hall.keeper.ask(DrawNames(hall.approved["unsealed"], hall.draw, bytes(32), "看看", clerk))
    outsider = await hall.house.login(hall.keeper, "audit")
    with pytest.raises(Refused, match="not_entitled"):
        await hall.keeper.ask(DrawNames(hall.approved["unsealed"], hall.draw, LOGIN, "看看", outsider))


async def test_the_openings_go_to_one_supervisor_and_the_roll_to_another(hall):
    await hall.begin()
    await hall.advance()
    openings, roll = [await hall.keeper.ask(DrawFile(hall.draw, what)) for what in ("openings", "roll")]
    assert (openings.readers, roll.readers) == (("bureau/one",), ("discipline/two",))


async def test_a_log_that_lost_what_the_operator_signed_gets_no_second_event_of_that_place(hall):
    await to_the_lots(hall)
    for slot in range(6):
        await hall.answer(slot)
    await hall.advance()
    if hall.store.dialect == "sqlite":  # whoever has the file; on PostgreSQL it takes the tables' owner
        async with hall.store._engines.writer.begin() as connection:
            names = (await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='event'")).scalars()
            for name in list(names):
                await connection.exec_driver_sql(f"DROP TRIGGER {name}")
            await connection.exec_driver_sql("DELETE FROM event WHERE seq >= 7")
        with pytest.raises(Refused, match="log_too_short"):
            await hall.keeper.ask(DrawNext(0, hall.draw, ()))
