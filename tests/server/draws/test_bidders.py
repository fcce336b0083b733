"""Sealed bidder lists: who is hit leaves, nobody is named, and the result verifies with the roll and the openings."""

from __future__ import annotations

import io
import json
import subprocess
from base64 import b64encode
from pathlib import Path

import openpyxl
import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.sealed import unseal
from drawing.verify import Files, verify
from server import bidders
from server.auth.model import Role
from server.keeper.draw_verbs import DrawBidders, DrawBox, DrawFile
from server.library.read_sheet import read_library
from tests.server.desk.site import problem
from tests.server.desk.test_api import call
from tests.server.draws.hall import Hall
from tests.server.draws.site import CLERK
from tests.server.draws.test_approvals import begun

ROOT = Path(__file__).parents[3]
COMPANY = {"name": "演示大江建设集团有限公司", "code": "91110108MA0000000X"}


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Hall(tmp_path, store, database.keeper) as made:
        yield made


def people_of(hall):
    """The library by phone."""
    records = (json.loads(each) for each in read_library(hall.folder / "library.csv").records)
    return {each["phone"]: each for each in records}


async def hand_in(hall, *companies, number=1):
    """What a sender does: ask for the box, seal, send."""
    box = await hall.keeper.ask(DrawBox(hall.draw))
    sealed = bidders.seal(json.dumps(companies).encode(), box.key, hall.draw)
    return await hall.keeper.ask(DrawBidders(hall.draw, number, sealed))


async def screened(hall):
    """The supervisor's signature puts the draft into the log."""
    assert (await hall.advance()).draft == "screened"
    await hall.sign_draft("screened", "commit", hall.supervisors[0])
    return [each for each in await hall.events() if each.type == "screened"][-1]


async def verified(hall):
    """Closed, and judged with everything that a supervisor has after the end."""
    for slot in await hall.messages():
        await hall.answer(slot)
    await hall.refill()
    await hall.to_the_end()
    proof = await hall.proof()
    files = Files(proof, hall.keys_file, await closed_file(hall, "roll"), await closed_file(hall, "openings"))
    return verify(files)


async def closed_file(hall, what):
    got = await hall.keeper.ask(DrawFile(hall.draw, what))
    return unseal((hall.out / got.name).read_bytes(), hall.supervisors[0].box_secret)


async def test_whoever_a_list_hits_leaves_before_anybody_is_told_why_and_the_draw_verifies(hall):
    await hall.begin()
    first = await hand_in(hall, COMPANY)
    await hall.attest()
    assert (await hall.advance()).draft == "committed"
    await hall.sign_draft("committed", "commit", hall.supervisors[0], approvers=("boss", "sup1"))
    event = await screened(hall)
    assert (event.body.bidders, event.body.slots, event.body.lots) == (first.digest, (), None)
    assert (await hall.contribute()).waiting == "answers"
    drawn = people_of(hall)
    slot, (_, content) = next(iter((await hall.messages()).items()))
    employer = drawn[content["phone"]]["employer"]
    second = await hand_in(hall, {"name": employer["name"], "code": employer["code"]}, number=2)
    event = await screened(hall)
    assert event.body.bidders == second.digest
    assert slot in event.body.slots
    leaves = b"".join(each.leaf for each in await hall.events())
    for word in (employer["name"], employer["code"], COMPANY["code"], COMPANY["name"]):
        assert word.encode() not in leaves
    await hall.advance()
    report = await verified(hall)
    assert [(check, report.outcome(check).faults[0]) for check in report.failed] == []
    assert not {"S3", "D6", "D2"} & set(report.skipped)
    assert (await hall.project()).draw.phase is Phase.CLOSED


async def test_the_same_list_again_is_the_same_and_another_one_under_its_number_is_refused(hall):
    await hall.begin()
    one = await hand_in(hall, COMPANY)
    two = await hand_in(hall, COMPANY)
    assert (one.new, two.new, one.digest) == (True, False, two.digest)
    with pytest.raises(Refused, match="other_bidder_list_there"):
        await hand_in(hall, {"name": "另一家公司"})
    with pytest.raises(Refused, match="bidder_list_missing"):
        await hand_in(hall, {"name": "另一家公司"}, number=3)
    assert (await hall.keeper.ask(DrawBox(hall.draw))).lists == 1


async def test_what_was_sealed_for_another_draw_or_is_no_list_is_refused(hall):
    await hall.begin()
    other, other_box = hall.draw, (await hall.keeper.ask(DrawBox(hall.draw))).key
    await hall.begin()
    box = (await hall.keeper.ask(DrawBox(hall.draw))).key
    assert box != other_box
    plain = json.dumps([COMPANY]).encode()
    for key, draw in ((other_box, hall.draw), (box, other), (other_box, other)):
        with pytest.raises(Refused, match="bidders_not_for_this_box"):
            await hall.keeper.ask(DrawBidders(hall.draw, 1, bidders.seal(plain, key, draw)))
    for wrong, code in (
        (b"[]", "not_a_bidder_list"),
        (b"{", "not_a_bidder_list"),
        (b'[{"name":""}]', "bidder_without_name"),
        (b'[{"nom":"x"}]', "not_a_bidder_list"),
    ):
        with pytest.raises(Refused, match=code):
            await hall.keeper.ask(DrawBidders(hall.draw, 1, bidders.seal(wrong, box, hall.draw)))
    with pytest.raises(Refused, match="bidders_too_large"):
        bidders.seal(b" " * (bidders.MOST_PLAIN + 1), box, hall.draw)
    assert (await hall.keeper.ask(DrawBox(hall.draw))).lists == 0


async def test_a_list_that_comes_when_nobody_can_be_replaced_is_too_late(hall):
    await hall.begin()
    await hall.to_the_lots()
    hall.house.move_clock(3600)
    assert (await hall.keeper.ask(DrawBox(hall.draw))).late
    with pytest.raises(Refused, match="bidders_too_late"):
        await hand_in(hall, COMPANY)


def test_a_sheet_is_read_as_people_keep_it():
    text = '投标人名称,统一社会信用代码,姓名,证件号码,职务\n甲公司，91X，张三，110，法定代表人\n甲公司,91X,李四,111,\n"乙,公司",,,,\n'
    value = json.loads(bidders.plain_of(bidders.rows_of_text(text)))
    assert [(each["name"], each["code"], len(each["persons"])) for each in value] == [("甲公司", "91X", 2), ("乙,公司", "", 0)]
    for wrong, code in (
        ("", "bidders_empty"),
        (",,王五", "bidder_without_name"),
        ("a,b,c,d,e,f", "too_many_columns"),
        ('"a', "not_a_table"),
    ):
        with pytest.raises(Refused, match=code):
            bidders.plain_of(bidders.rows_of_text(wrong))


# In the browser, and by an agency ---------------------------------------------------------------------------------------------------------------

NODE = """
import { seal, infoOf } from "./web/static/js/bidders/seal.js";
import { biddersOf, rowsOf } from "./web/static/js/bidders/sheet.js";
import { hex, fromHex, utf8 } from "./web/static/js/verify/bytes.js";
const [box, draw, text] = process.argv.slice(1);
const plain = JSON.stringify(biddersOf(rowsOf(text)));
process.stdout.write(hex(await seal(utf8(plain), fromHex(box), infoOf(draw), crypto.getRandomValues(new Uint8Array(32)))));
"""


def in_node(box, draw, text):
    done = subprocess.run(
        ["node", "--input-type=module", "-e", NODE, box.hex(), draw, text], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return bytes.fromhex(done.stdout)


def test_the_browsers_seal_opens_here_and_its_reader_reads_the_same():
    secret, draw = bytes(range(32)), "a" * 32
    for text in ("甲公司,91X,张三,110,法人\n甲公司,91X,李四,,\n", '名称\t代码\n"乙,""公司"""\t91Y\r\n', "\ufeff丙公司，91Z"):
        opened = bidders.unseal(in_node(bidders.box_public(secret), draw, text), secret, draw)
        assert bidders.content_of(opened) == bidders.content_of(bidders.plain_of(bidders.rows_of_text(text)))
    with pytest.raises(Refused, match="bidders_not_for_this_box"):
        bidders.unseal(in_node(bidders.box_public(secret), draw, "甲"), secret, "b" * 32)


AGENT, STRANGER = "qiao.yiran", "bie.ren"


@pytest.fixture(scope="module")
def agency(site):
    site.settle(AGENT, Role.AGENCY)
    site.settle(STRANGER, Role.AGENCY)
    return site


def test_an_agency_hands_in_for_its_own_projects_and_the_clerk_sees_only_that_a_list_came(agency, caplog):
    site = agency
    draw = begun(site)
    clerk = site.visitor().as_(CLERK)
    clerk.open(f"/draws/{draw}/bidders")
    assert "no_such_agency" not in clerk.get(f"/draws/{draw}/bidders").text
    answer = clerk.post(f"/draws/{draw}/bidders", (("account", CLERK),))
    assert (answer.status, "没有具有代理机构角色" in problem(answer)) == (422, True)
    assert clerk.post(f"/draws/{draw}/bidders", (("account", AGENT),)).status == 303
    stranger, agent = site.visitor(), site.visitor()
    stranger.with_code(STRANGER)
    agent.with_code(AGENT)
    assert stranger.get(f"/bidders/{draw}").status == 404
    assert draw not in stranger.open("/bidders").text
    assert draw in agent.open("/bidders").text
    agent.open(f"/bidders/{draw}")
    sheet = f"投标人名称,代码\n{COMPANY['name']},{COMPANY['code']}\n".encode()
    answer = agent.upload(f"/bidders/{draw}/file", {"number": "1", "list": ""}, ("file", "list.csv", sheet))
    assert (answer.status, "尚未密封" in problem(answer)) == (422, True)
    assert agent.upload(f"/bidders/{draw}/file", {"number": "1", "list": "", "plain": "yes"}, ("file", "list.csv", sheet)).status == 303
    box = site.run(site.keeper.ask(DrawBox(draw)))
    sealed = bidders.seal(json.dumps([{"name": "另一家"}]).encode(), box.key, draw)
    answer = agent.post(f"/bidders/{draw}", (("number", "1"), ("sealed", b64encode(sealed).decode())))
    assert (answer.status, "内容不同" in problem(answer)) == (422, True), problem(answer)
    assert agent.post(f"/bidders/{draw}", (("number", "2"), ("sealed", b64encode(sealed).decode()))).status == 303
    book = workbook([["名称", "代码"], ["第三家", ""]])
    assert agent.upload(f"/bidders/{draw}/file", {"number": "3", "list": "", "plain": "yes"}, ("file", "list.xlsx", book)).status == 303
    seen = clerk.open(f"/draws/{draw}/bidders").text + clerk.open(f"/draws/{draw}").text + agent.open(f"/bidders/{draw}").text
    assert seen.count(AGENT) >= 4
    assert box.lists == 1
    assert all(word not in seen and word not in caplog.text for word in (COMPANY["name"], COMPANY["code"], "另一家", "第三家"))


def workbook(rows):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def test_a_trading_system_seals_by_the_api_and_is_told_clearly_what_is_wrong(agency):
    site = agency
    draw = begun(site)
    secret = site.run(site.hall.service_token("bidders.send", role=Role.AGENCY))
    path = f"/api/draws/{draw}/bidders"
    status, box = call(site, "GET", path, secret)
    assert (status, box["next"], box["late"], box["lists"]) == (200, 1, False, [])
    sealed = b64encode(bidders.seal(json.dumps([COMPANY]).encode(), bytes.fromhex(box["key"]), draw)).decode()
    status, got = call(site, "POST", path, secret, {"number": 1, "sealed": sealed})
    assert (status, got["number"], got["new"]) == (200, 1, True)
    assert call(site, "POST", path, secret, {"number": 1, "sealed": sealed})[1] == {**got, "new": False}
    other = b64encode(bidders.seal(b'[{"name":"x"}]', bidders.box_public(bytes(32)), draw)).decode()
    for number, body, code in ((2, other, "bidders_not_for_this_box"), (9, sealed, "bidder_list_missing")):
        status, wrong = call(site, "POST", path, secret, {"number": number, "sealed": body})
        assert (status, wrong["faults"][0]["code"]) == (422, code)
    assert call(site, "GET", path, secret)[1]["lists"][0]["digest"] == got["digest"]
    reader = site.run(site.hall.service_token("draw.read"))
    assert call(site, "GET", path, reader)[0] == 403
