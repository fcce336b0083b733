"""The page of the unsealing over HTTP: too early, then the names with a reason for those entitled, papers and the evidence."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

import pytest
from pypdf import PdfReader

from drawing.canonical import TH
from drawing.errors import Refused
from server.auth.model import Role
from server.keeper.draw_verbs import DrawReply
from server.services import papers, unsealing
from tests.server.draws.hall import CENTRE
from tests.server.draws.served import Browser, Served, signed_in
from tests.server.draws.test_draw import to_the_end, to_the_lots


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Served(tmp_path, store, database.keeper) as made:
        yield made


async def test_names_are_read_with_a_reason_after_the_unsealing_and_not_before(hall, monkeypatch):
    async def approved(tx, event, now):
        return hall.approved.get("unsealed")

    for module in (unsealing, papers):
        monkeypatch.setattr(module, "approval_over", approved)
    await to_the_lots(hall)
    supervisor = Browser(hall, await signed_in(hall, "jian.du", Role.SUPERVISOR, "sup1"))
    path = f"/draws/{hall.draw}/names"
    status, _, body = await supervisor.ask("GET", path)
    assert status == 200
    assert "现在没有可启封的内容" in body.decode()
    assert b'name="reason"' not in body
    status, _, body = await supervisor.ask("POST", path, [("reason", "先看看")])
    assert status == 422
    for slot in range(6):
        await hall.answer(slot)
    await to_the_end(hall)
    status, _, body = await supervisor.ask("GET", path)
    assert status == 200
    assert b'name="reason"' in body
    people = await unsealing.read_names(hall.desk, hall.draw, "核对", *await keeper_pass(hall, "sup1"), hall.now())
    assert all(each.name.encode() not in body for each in people)
    status, _, body = await supervisor.ask("POST", path, [("reason", "")])
    assert status == 422
    status, headers, body = await supervisor.ask("POST", path, [("reason", "核对到场人员")])
    assert status == 200, body.decode()[:3000]
    assert headers["Cache-Control"] == "no-store"
    assert len(people) == 5
    for each in people:
        assert each.name in body.decode()
        assert each.phone in body.decode()
    for kind in ("record", "sign_in", "pledge", "result"):
        fields = [("kind", kind), ("lang", "zh"), ("reason", "存档")]
        status, headers, body = await supervisor.ask("POST", f"/draws/{hall.draw}/papers", fields)
        assert (status, headers["Content-Type"]) == (200, "application/pdf")
        assert body.startswith(b"%PDF")
    fields = [("kind", "record"), ("lang", "zh"), ("reason", "送监督人"), ("code", "Kestrel-7-harbour")]
    _, _, body = await supervisor.ask("POST", f"/draws/{hall.draw}/papers", fields)
    letter = PdfReader(BytesIO(body))
    assert letter.is_encrypted
    for wrong in ("", "Kestrel-7-harboux", "kestrel-7-harbour"):
        assert not letter.decrypt(wrong)
    assert letter.decrypt("Kestrel-7-harbour")
    assert len(letter.pages) >= 2
    status, _, _ = await supervisor.ask("POST", f"/draws/{hall.draw}/papers", [*fields[:3], ("code", "short")])
    assert status == 422
    outsider = Browser(hall, await signed_in(hall, "wai.ren", Role.TECHNICIAN, "audit"))
    assert (await outsider.ask("GET", path))[0] == 403
    # The web process thinks that this is a supervisor; the keeper knows better.
    await outsider.ask("GET", "/account")
    taken = Browser(hall, await signed_in(hall, "mao.chong", Role.SUPERVISOR, "audit"))
    await taken.ask("GET", path)
    status, _, body = await taken.ask("POST", path, [("reason", "看看")])
    assert status in (403, 422)
    assert all(each.name not in body.decode() for each in people)

    async def told(tx):
        leaves = [bytes(row["leaf"]) for row in await tx.all("log_leaf")]
        return sum(b"read_names" in each for each in leaves), sum(b"read_record" in each for each in leaves)

    async with hall.store.reading() as tx:
        assert await told(tx) == (2, 5)
    status, headers, body = await supervisor.ask("GET", f"/draws/{hall.draw}/evidence.zip")
    assert (status, headers["Content-Type"]) == (200, "application/zip")
    with ZipFile(BytesIO(body)) as opened:
        assert "roll.bin" not in opened.namelist()
        assert all(each.name.encode() not in opened.read(name) for each in people for name in opened.namelist())
    visitor = Browser(hall)
    assert (await visitor.ask("GET", f"/proofs/{hall.draw}/proof.json"))[0] == 404
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    status, _, body = await visitor.ask("GET", f"/proofs/{hall.draw}/proof.json")
    assert status == 200
    assert body == await hall.proof()
    _, _, body = await supervisor.ask("GET", f"/draws/{hall.draw}/evidence.zip")
    with ZipFile(BytesIO(body)) as opened:
        assert "roll.bin" in opened.namelist()


async def keeper_pass(hall, person):
    login = bytes(range(32))
    return await hall.house.login(hall.keeper, person, login), login


async def test_whoever_does_not_come_to_the_check_in_is_replaced_and_only_the_successor_is_opened_anew(hall):
    await to_the_lots(hall)
    for slot in range(6):
        await hall.answer(slot)
    await to_the_end(hall)
    before = {slot.tag for slot in (await hall.project()).draw.slots if slot.tag and not slot.reserve}
    said = ("left", "未到场")
    digest = TH("lotroom/v1/answer", *(each.encode() for each in said))
    subject = hall.house.subject("answer", f"reply:{hall.draw}:0:1", digest, CENTRE)
    by_hand = DrawReply(subject.id, hall.draw, 1, said[1], 0, said[0], "link", "")
    await hall.house.approve(hall.keeper, subject, "boss")
    with pytest.raises(Refused, match="not_approved"):
        await hall.keeper.ask(by_hand)
    await hall.house.approve(hall.keeper, subject, "sup1")
    assert (await hall.keeper.ask(by_hand)).state == "left"
    assert (await hall.advance()).draft == "answers"  # two people answer for it, in the log as well
    await hall.sign_draft("answers", "answer", *hall.supervisors)
    await hall.refill()
    await hall.check()
    draw = (await hall.project()).draw
    assert draw.slots[0].tag not in before
    assert [number for number, slot in enumerate(draw.slots) if slot.tag and not slot.reserve and not slot.unsealed] == [0]
    assert (await hall.advance()).draft == "unsealed"
    assert (await hall.draft("unsealed")).body.slots == (0,)
    stand = await hall.sign_draft("unsealed", "unseal", *hall.supervisors, approvers=("sup1", "sup2"))
    assert stand.draft == "closed"
    given = await keeper_pass(hall, "sup1")
    people = await unsealing.read_names(hall.desk, hall.draw, "核对", *given, hall.now(), hall.approved["unsealed"])
    assert len(people) == 5
    assert len({each.expert for each in people}) == 5
