"""Messages and answers of a draw: everybody is told once, the draw goes on by itself, and whatever a gateway does wrong, the log stays right."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import Abandoned, Event, Head, Signature
from drawing.verify import Files, verify
from server.adapters import gateways
from server.demo import gateway as demo
from server.handlers.replies import SIZE
from server.keeper.draw_verbs import DrawSign
from server.ports import Outcome, Sent
from server.services import drawing, notice_page, notices, replies
from server.signed import SIGNATURE, TIMESTAMP, signature_of
from tests.server.draws.hall import CENTRE, REQUEST, Hall
from tests.server.draws.post import OUT, Post
from tests.server.draws.test_draw import to_the_end, to_the_lots

LEAVING = REQUEST.replace("[lot]", "[replies]\nleave_hours = 0\n[lot]")


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


@pytest.fixture
async def post(hall):
    async with Post(hall) as made:
        yield made


async def told(hall, post, **more):
    await to_the_lots(hall, **more)
    await post.work()
    assert len(post.messages()) == 6
    await settled(post)


async def settled(post):
    """Receipts have come."""
    for _ in range(100):
        if not post.gateway._running:
            return
        await asyncio.sleep(0.02)


async def test_everybody_is_told_once_and_the_draw_goes_on_when_all_have_answered(hall, post):
    await told(hall, post)
    assert await post.states() == ["delivered"] * 6
    for _ in range(50):  # the word of where it stands comes with the job that goes on with it, a second later
        if (await post.stand())["waiting"] == "answers":
            break
        await asyncio.sleep(0.1)
        await post.work()
    assert (await post.stand())["waiting"] == "answers"
    for number, each in enumerate(post.messages()):
        if number % 2:
            assert await post.gateway.tell_answer(each.id, "1") == 200
        else:
            status, text = await post.press(each.token, state="accepted")
            assert (status, "You take part" in text) == (200, True)
    await post.work()
    draw = (await hall.project()).draw
    assert [slot.state for slot in draw.slots] == ["accepted"] * 6
    assert (await post.stand())["waiting"] == "check"
    evidence = {each.evidence for event in await hall.events() if event.type == "answers" for each in event.body.answers}
    assert evidence == {"gateway", "link"}
    assert len(post.messages()) == 6
    await to_the_end(hall)
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    report = verify(Files(await hall.proof(), hall.keys_file, None))
    assert not report.failed


async def test_a_message_says_time_city_and_kind_and_never_the_project_or_a_party(hall, post):
    await told(hall, post)
    for each in post.messages():
        for words in each.text.values():
            assert not re.search(r"DEMO-2026|道路改造|新中造价|住房和城乡|市政", words)
            assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", words)
            assert f"{post.origin}/r/{each.token}" in words
        assert "评标" in each.text["zh"]
        assert re.search(r"北京市|天津市|石家庄市|[^ ]+市", each.text["zh"])


async def test_who_does_not_answer_is_taken_out_when_the_window_ends_and_others_are_drawn_without_anybody_looking(hall, post):
    await told(hall, post)
    first = post.messages()
    for each in first[:3]:
        await post.press(each.token, state="accepted")
    await post.later(15 * 60 + 1)
    states = [slot.state for slot in (await hall.project()).draw.slots]
    assert states.count("accepted") == 3
    status, text = await post.open(first[4].token)
    assert (status, "The time to answer is over" in text) == (200, True)
    status, text = await post.press(first[4].token, state="accepted")
    assert (status, "The time to answer is over" in text) == (422, True)
    if (await post.stand())["waiting"] == "contribution":
        await hall.contribute_to_round()
    await post.work()
    draw = (await hall.project()).draw
    waiting = sum(slot.state == "pending" for slot in draw.slots)
    assert len(post.messages()) == 6 + waiting
    assert waiting


async def test_the_first_answer_stays_however_often_the_gateway_tells_it(hall, post):
    await told(hall, post)
    one = post.messages()[0]
    post.gateway.mode = "twice"
    assert await post.gateway.tell_answer(one.id, "2") == 200
    assert post.gateway.taken[one.id].said == "left"
    assert await post.gateway.tell_answer(one.id, "1") == 200
    assert post.gateway.taken[one.id].said == "left"
    _, text = await post.press(one.token, state="accepted")
    assert "You cannot come" in text
    assert (await hall.replies()).answered == 1


async def test_a_gateway_that_is_down_gets_the_messages_when_it_is_back(hall, post):
    await to_the_lots(hall)
    post.gateway.mode = "down"
    await post.work()
    assert not post.messages()
    assert set(await post.states()) <= {"due", "sending"}
    post.gateway.mode = "well"
    await post.later(31)
    await settled(post)
    assert len(post.messages()) == 6
    assert await post.states() == ["delivered"] * 6


@pytest.mark.parametrize("receipts", [True, False])
async def test_an_answer_of_the_gateway_that_comes_too_late_sends_nothing_twice(hall, post, monkeypatch, receipts):
    if not receipts:
        monkeypatch.setattr(post.gateway, "tell_receipt", lambda *_: asyncio.sleep(0))
    monkeypatch.setattr(gateways, "SECONDS", 0.5)
    monkeypatch.setattr(demo, "SLOW_SECONDS", 1.0)
    await to_the_lots(hall)
    post.gateway.mode = "slow"
    await post.work()
    assert set(await post.states()) <= {"sending", "delivered"}
    post.gateway.mode = "well"
    await post.later(31)
    await settled(post)
    assert len(post.messages()) == 6
    assert {each.asked for each in post.messages()} == {1 if receipts else 2}  # a receipt says all that an answer would
    assert await post.states() == ["delivered" if receipts else "sent"] * 6


async def test_lost_receipts_leave_sent_and_a_refused_number_is_failed_until_a_person_says_what_becomes_of_it(hall, post):
    await to_the_lots(hall)
    post.gateway.mode = "wrong"
    await post.work()
    assert await post.states() == ["failed"] * 6
    row = (await post.rows())[0]
    post.gateway.mode = "deaf"
    caller = clerk(hall)
    await notice_page.resolve(post.desk, hall.draw, row["slot"], "sms", "due", caller)
    await post.work()
    assert (await post.states()).count("sent") == 1
    await notice_page.resolve(post.desk, hall.draw, 1, "sms", "settled", caller)
    with pytest.raises(Refused, match="nothing_to_resolve"):
        await notice_page.resolve(post.desk, hall.draw, 1, "sms", "settled", caller)
    shown = await notice_page.show(post.desk, hall.draw, caller)
    assert shown.counts == {"sent": 1, "settled": 1, "failed": 4}
    assert (shown.notified, shown.answered) == (6, 0)


def clerk(hall):
    from server.auth.model import AccountId, Actor, CentreId, Grant, Level, PersonId, Role
    from server.auth.sign_in import Request
    from server.services.desk import Caller

    grants = frozenset({Grant(Role.DRAW_CLERK, CentreId(CENTRE))})
    return Caller(Actor(PersonId("a" * 32), AccountId("b" * 32), grants, Level.STEPPED_UP, True), None, Request(hall.now(), "127.0.0.1"))


async def say(post, path, value, secret=OUT, at=0, **headers):
    body = json.dumps(value).encode()
    moment = post.clock.now() + at
    sent = {"Content-Type": "application/json", TIMESTAMP: str(moment), SIGNATURE: signature_of(secret, moment, body), **headers}
    async with post.http.post(f"{post.origin}/api/gateway/{path}", data=body, headers=sent) as got:
        return got.status, json.loads(await got.read())


async def test_a_forged_an_old_and_a_foreign_callback_change_nothing(hall, post):
    post.gateway.mode = "deaf"
    await told(hall, post)
    token = post.messages()[0].token
    receipt = {"token": token, "channel": "sms", "state": "delivered"}
    answer = {"token": token, "channel": "sms", "answer": "left"}
    for path, value in (("receipts", receipt), ("answers", answer)):
        for bad in ({"secret": "x" * 40}, {"at": -301}, {"at": 301}, {SIGNATURE: "v1="}, {TIMESTAMP: "now"}):
            status, said = await say(post, path, value, **bad)
            assert (status, said["code"]) == (401, "bad_signature"), bad
        status, said = await say(post, path, {**value, "token": "A" * 24})
        assert (status, said["code"]) == (404, "not_found")
        status, _ = await say(post, path, {**value, "channel": "fax"})
        assert status == 422
    assert await post.states() == ["sent"] * 6
    assert (await hall.replies()).answered == 0
    assert (await say(post, "receipts", {**receipt, "state": "failed"}))[1] == {"first": True, "state": "failed"}
    assert (await say(post, "receipts", receipt))[1] == {"first": True, "state": "delivered"}
    assert (await say(post, "receipts", {**receipt, "state": "failed"}))[1] == {"first": False, "state": "delivered"}  # late


class DeadEnd:
    """A way out that dies after it sent, and does not know what it sent before."""

    channel, repeatable = "voice", False

    def __init__(self):
        self.sent = []
        self.dies = True

    async def send(self, message):
        self.sent.append(message.id)
        if self.dies:
            raise KeyboardInterrupt
        return Sent(Outcome.SENT)


async def test_what_a_courier_that_died_sent_where_no_id_is_known_is_uncertain_and_not_sent_again_by_itself(hall):
    mail = DeadEnd()
    async with Post(hall, mail) as post:
        post.errands.gateways.pop("sms")
        await to_the_lots(hall)
        await hall.store.write(lambda tx: tx.set("outbox", {"due_at": 1 << 40}, {"kind": drawing.ADVANCE}), hall.now())
        job = (await _claim(post, drawing.NOTICES))[0]
        work = await post.errands.tell(job)
        await hall.store.write(work, hall.now())
        sends = await _claim(post, notices.SEND)
        with pytest.raises(KeyboardInterrupt):
            await post.errands.send(sends[0])
        assert "sending" in await post.states()
        again = await post.errands.send(sends[0])  # whoever takes it up
        await hall.store.write(again, hall.now())
        assert len(mail.sent) == 1
        row = next(each for each in await post.rows() if each["state"] == "uncertain")
        assert row["fault"] == "interrupted"
        mail.dies = False
        await notice_page.resolve(post.desk, hall.draw, row["slot"], "voice", "due", clerk(hall))
        (once,) = [each for each in await _claim(post, notices.SEND) if json.loads(each.payload)["hash"] == bytes(row["token_hash"]).hex()]
        await hall.store.write(await post.errands.send(once), hall.now())
        assert len(set(mail.sent)) == 2


async def _claim(post, kind):
    from server.storage import outbox

    return await outbox.claim(post.hall.store, post.clock.now(), "test", (kind,), 20)


async def test_whoever_accepted_may_leave_until_the_hours_that_the_request_says(hall, post):
    await told(hall, post, request=LEAVING)
    await accept_all(post)
    one = post.messages()[0]
    before = len(await hall.events())
    _, text = await post.open(one.token)
    assert "I cannot come after all" in text
    status, _ = await post.press(one.token, state="left")  # without a reason
    assert status == 422
    _, text = await post.press(one.token, state="left", reason="ill")
    assert "You cannot come" in text
    await post.work()
    events = (await hall.events())[before:]
    assert events[0].type == "answers"
    assert [each.state for each in events[0].body.answers] == ["left"]
    await hall.refill()
    await to_the_end(hall)
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    assert not verify(Files(await hall.proof(), hall.keys_file, None)).failed


async def test_nobody_leaves_by_their_link_within_the_hours_that_the_request_says(hall, post):
    await told(hall, post)  # the evaluation is in forty minutes, and the request says 24 hours
    await accept_all(post)
    one = post.messages()[0]
    _, text = await post.open(one.token)
    assert "call the centre" in text
    assert "after all</summary>" not in text
    status, text = await post.press(one.token, state="left", reason="ill")
    assert (status, "too near" in text) == (422, True)
    assert [slot.state for slot in (await hall.project()).draw.slots] == ["accepted"] * 6


async def accept_all(post):
    for each in post.messages():
        await post.press(each.token, state="accepted")
    await post.work()


async def test_those_who_were_told_hear_that_the_draw_was_abandoned(hall, post):
    await told(hall, post)
    gone, *others = post.messages()
    await post.press(gone.token, state="left", reason="away")
    await post.press(others[0].token, state="accepted")
    await abandon(hall)
    await post.work()
    assert {each.to for each in post.messages("cancel")} == {each.to for each in others}
    for each in post.messages("cancel"):
        assert "不必参加" in each.text["zh"]
    _, text = await post.open(others[0].token)
    assert "You need not come" in text
    status, _ = await post.press(others[1].token, state="accepted")
    assert status == 422
    await post.later(3600)
    assert len(post.messages("cancel")) == 5


async def test_a_link_of_an_attempt_that_was_given_up_is_none_of_the_next_one(hall, post):
    await told(hall, post)
    before = post.messages()
    await abandon(hall, "order")
    await post.work()
    hall.house.move_clock(5)
    await to_the_lots(hall, again=True)
    await post.work()
    called = [each for each in post.messages() if each not in before]
    assert len(called) == 6 and (await hall.project()).draw.attempt == 2
    for each in before:
        assert "You need not come" in (await post.open(each.token))[1]
        assert (await post.press(each.token, state="accepted"))[0] == 422
    for each in called:
        assert (await post.press(each.token, state="accepted"))[0] == 200
    await post.work()
    assert [slot.state for slot in (await hall.project()).draw.slots] == ["accepted"] * 6
    assert len(post.messages("cancel")) == 6  # of the first alone


async def abandon(hall, reason="cancelled"):
    project = await hall.project()
    draw = project.draw
    head = Head(max(hall.now(), draw.last_at), draw.attempt, draw.dry_run, project.head, hall.tag, project.events)
    bare = Event(head, Abandoned(bytes(32), reason), ())
    from server.keeper.approved import body_digest, draw_object

    subject = hall.house.subject("abandon", draw_object(hall.tag, draw.attempt), body_digest(bare), CENTRE)
    await hall.house.approve(hall.keeper, subject, "boss", "sup1")
    staff = await hall.keeper.ask(DrawSign(subject.id, hall.draw, bare.leaf))
    keys = [hall.supervisors[0], *([hall.authority] if reason == "order" else [])]
    given = (Signature(staff.key, staff.signature), *(Signature(key.name, key.sign(bare.payload)) for key in keys))
    sigs = sorted(given, key=lambda each: each.key)
    await drawing.append(hall.store, hall.keeper, hall.draw, replace(bare, sigs=tuple(sigs)), hall.now())
    assert (await hall.project()).draw.phase is Phase.ABANDONED


async def test_an_answer_by_hand_needs_the_code_a_reason_and_two_approvals(hall, post):
    await told(hall, post)
    row = (await post.rows())[2]
    code = notices.code_of(bytes(row["token_hash"]))
    assert any(code in each.text["zh"] for each in post.messages())
    caller = clerk(hall)
    person = {"id": "a" * 32, "kind": "staff", "administers": "", "created_at": hall.now()}
    await hall.store.write(lambda tx: tx.insert("person", person, "test"), hall.now())
    for bad, words in ((("ZZZZZZ", "left", "来电"), "unknown_code"), ((code, "left", " "), "reason_missing"), ((code, "x", "y"), "choice")):
        with pytest.raises(Refused, match=words):
            await replies.ask_for_answer(post.desk, hall.draw, *bad, caller)
    made = await replies.ask_for_answer(post.desk, hall.draw, code.lower(), "left", "来电说明生病", caller)
    about = replies.answer_object(hall.draw, row["slot"], row["occupant"])
    subject = hall.house.subject("answer", about, replies.answer_subject("left", "来电说明生病"), CENTRE)
    facts = {"draw": hall.draw, "occupant": row["occupant"], "slot": row["slot"], "state": "left", "why": "来电说明生病"}
    await hall.house.approve(hall.keeper, subject, "boss")
    await hall.store.write(lambda tx: replies.enter(tx, made, subject.id, facts), hall.now())
    await post.work()
    assert (await hall.replies()).answered == 0  # one is not enough
    await hall.house.approve(hall.keeper, subject, "sup1")
    await post.later(31)
    assert (await hall.replies()).answered == 1


async def test_a_clock_that_is_set_back_takes_no_answer_away_and_the_log_s_time_goes_on(hall, post):
    await told(hall, post)
    before = (await hall.project()).draw.last_at
    hall.house.move_clock(-3600)
    for each in post.messages():
        status, text = await post.press(each.token, state="accepted")
        assert (status, "You take part" in text) == (200, True)
    await post.later(61)
    times = [event.head.at for event in await hall.events()]
    assert times == sorted(times)
    assert times[-1] >= before
    await post.later(3600)
    draw = (await hall.project()).draw
    assert [slot.state for slot in draw.slots] == ["accepted"] * 6
    assert len(post.messages()) == 6


async def test_where_nothing_can_follow_it_stands_still_and_says_why(hall, post):
    await told(hall, post)
    now = hall.now()
    stand = drawing.Stand("", 0)
    await hall.store.write(lambda tx: drawing.note_stand(tx, hall.draw, stand, "dead_end"), now)
    shown = await notice_page.show(post.desk, hall.draw, clerk(hall))
    assert shown.stand["fault"] == "dead_end"

    async def nothing_left(*_):
        raise Refused("dead_end", "draw", open=1)

    job = (await _claim(post, drawing.ADVANCE) or [None])[0]
    if job is None:
        await hall.store.write(lambda tx: tx.outbox(drawing.ADVANCE, "again", now, hall.draw.encode()), now)
        (job,) = await _claim(post, drawing.ADVANCE)
    kept, drawing.advance = drawing.advance, nothing_left
    try:
        work = await post.errands.advance(job)
    finally:
        drawing.advance = kept
    await hall.store.write(work, now)
    assert (await post.stand())["fault"] == "dead_end"


async def test_every_state_of_the_page_behind_a_link_has_one_length(hall, post):
    await told(hall, post)
    one, two, *_ = post.messages()
    sizes = set()
    for token in (one.token, "A" * 24):
        sizes.add(len((await post.open(token))[1].encode()))
    sizes.add(len((await post.press(one.token, state="accepted"))[1].encode()))
    sizes.add(len((await post.press(two.token, state="left"))[1].encode()))
    sizes.add(len((await post.press(two.token, state="left", reason="busy"))[1].encode()))
    assert sizes == {SIZE}
    assert (await post.open("A" * 24))[0] == 404


async def test_neither_database_nor_jobs_nor_logs_hold_a_telephone_number_a_name_or_a_link(hall, post, capfd, database):
    await told(hall, post)
    for each in post.messages():
        await post.press(each.token, state="accepted")
    await post.work()
    names = (await people(hall))["names"]
    secrets = [each.encode() for each in names]
    for each in post.messages():
        secrets += [each.to.encode(), each.to.removeprefix("+86").encode(), each.token.encode()]
    captured = capfd.readouterr()
    kept = [captured.out.encode(), captured.err.encode(), (hall.folder / "log").read_bytes()]
    if database.engine == "sqlite":
        kept += files(database)
    else:
        kept.append(await dump(database))
    for secret in secrets:
        assert len(secret) > 5
        assert not any(secret in each for each in kept), secret


def files(database):
    """The database's file and what lies beside it."""
    return [each.read_bytes() for each in Path(database.plain).parent.glob("lotroom.db*")]


async def people(hall):
    from server.library.read_sheet import read_library

    records = [json.loads(each) for each in read_library(hall.folder / "library.csv").records]
    return {"names": {each["name"] for each in records if len(each["name"].encode()) > 6}}


async def dump(database):
    """Every row of every table, as its owner reads them."""
    import asyncpg

    connection = await asyncpg.connect(database.plain, timeout=10)
    try:
        names = [row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = []
        for name in names:
            rows = await connection.fetch(f'SELECT * FROM "{name}"')
            found += [each if isinstance(each, bytes) else str(each).encode() for row in rows for each in row.values()]
        return b"\n".join(found)
    finally:
        await connection.close()
