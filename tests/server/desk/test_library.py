"""The expert library over HTTP: a sheet brought, mended, approved and put in; lists and searches; records opened and changed."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time

import pytest

from drawing.errors import Refused
from server.auth.model import Role
from server.library.columns import COLUMNS
from server.library.demo import people
from server.services import imports
from server.services.library import today
from tests.server.desk.site import CENTRE, Desk, problem

TITLES = [each.title for each in COLUMNS]


@pytest.fixture(params=("sqlite",))
def site(templates, tmp_path):
    shutil.copy(templates["sqlite"], tmp_path / "lotroom.db")
    made = Desk(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'lotroom.db'}")
    staff(made)
    yield made
    made.stop()


def staff(site):
    for name, role in (("lin.clerk", Role.DRAW_CLERK), ("pan.approver", Role.APPROVER), ("jian.supervisor", Role.SUPERVISOR)):
        site.settle(name, role, passkey=True)


def sheet(rows):
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(TITLES)
    writer.writerows(rows)
    return text.getvalue().encode()


def bring(visitor, data, mode="part", name="库.csv"):
    visitor.open("/library/imports")
    answer = visitor.upload("/library/imports", {"mode": mode}, ("file", name, data))
    assert answer.status == 303, problem(answer)
    return answer.headers["Location"]


def wait(visitor, path):
    """Until the import is in one of these states."""
    for _ in range(600):
        text = visitor.open(path).text
        if "data-live" not in text:
            return text
        time.sleep(0.05)
    raise AssertionError("never over")


def approve_waiting(site):
    """Both approvers, each with a passkey."""
    for name in ("pan.approver", "jian.supervisor"):
        other = site.visitor().as_(name)
        found = re.search(r"/approvals/([0-9a-f]{32})/approve", other.open("/approvals").text)[1]
        asked = other.options(f"/approvals/{found}/options")
        given = other.post(f"/approvals/{found}/approve", (("assertion", site.keys[name].get(json.dumps(asked))),))
        assert given.status == 303, problem(given)


def finish(site, visitor, path, why="首次入库"):
    """Propose, have it approved by two, put it in."""
    assert visitor.post(path + "/finish", (("reason", why),)).status == 303
    approve_waiting(site)
    visitor.confirm("lin.clerk")
    visitor.open(path)
    answer = visitor.post(path + "/finish")
    assert answer.status == 303, problem(answer)
    return wait(visitor, path)


def total(text):
    found = re.search(r"<caption>([\d,]+)", text)
    return int(found[1].replace(",", "")) if found else 0


def test_a_sheet_is_mended_cell_by_cell_approved_by_two_and_put_in(site):
    rows = [list(each) for each in people(60, 3)]
    name, number, phone, area = (TITLES.index(each) for each in ("姓名", "证件号码", "手机", "所在地区"))
    right = [list(each) for each in rows]
    rows[4][phone] = "123"
    rows[7][area] = "北京"
    rows[9][number] = rows[9][number][:17] + ("0" if rows[9][number][17] != "0" else "1")
    rows.append(list(right[2]))
    clerk = site.visitor().as_("lin.clerk")
    path = bring(clerk, sheet(rows))
    text = wait(clerk, path)
    assert "4 行" in text or "还有 4" in text
    page = clerk.open(path + "/rows").text
    assert page.count('name="row" value="') == 8  # each in its form and in the form that leaves it out
    assert right[4][name] in page
    answer = clerk.post(path + "/rows", (("row", "6"), ("page", "1"), ("phone", "12")))
    assert answer.status == 422
    assert "r6-phone" in answer.text
    for row, alias, value in ((6, "phone", right[4][phone]), (9, "area", right[7][area]), (11, "id_number", right[9][number])):
        answer = clerk.post(path + "/rows", (("row", str(row)), ("page", "1"), (alias, value)))
        assert answer.status == 303, problem(answer)
    twice = clerk.open(path + "/rows").text
    assert 'name="instead"' in twice
    rejects = clerk.get(path + "/rejects.csv")
    assert right[2][name] in rejects.body.decode("utf-8-sig")
    assert problem(clerk.post(path + "/finish", (("reason", "x"),))) != ""  # one row is still wrong
    assert clerk.post(path + "/rows", (("row", "62"), ("page", "1"), ("instead", "yes"))).status == 303
    clerk.confirm("lin.clerk")
    clerk.open(path)
    text = finish(site, clerk, path)
    assert "已入库" in text
    listed = clerk.open("/library").text
    assert total(listed) == 60
    assert right[0][name] not in listed
    assert right[0][number] not in listed
    database = b"".join(each.read_bytes() for each in site.house.folder.glob("lotroom.db*"))
    for each in right:
        assert each[name].encode() not in database
        assert each[number].encode() not in database

    async def staged():
        async with site.store.reading() as tx:
            return await tx.count("import_batch"), await tx.count("import_row")

    assert site.run(staged()) == (0, 0)


def fill(site, data):
    return site.run(imports.fill(site.desk, CENTRE, "csv", data))


def test_lists_are_searched_by_name_pinyin_initials_profession_region_and_state(site):
    rows = [list(each) for each in people(80, 5)]
    rows[0][0] = "欧阳靖怡"
    assert fill(site, sheet(rows)) == 80
    clerk = site.visitor().as_("lin.clerk")
    for query in ("欧阳", "ouyang", "oyjy", "jingyi"):
        text = clerk.open(f"/library?q={query}".replace("欧阳", "%E6%AC%A7%E9%98%B3")).text
        assert total(text) == 1, query
        assert "欧***" in text
    area, professions = TITLES.index("所在地区"), TITLES.index("评审专业")
    here = sum(row[area] == "110108" for row in rows)
    assert total(clerk.open("/library?area=110108").text) == here
    assert total(clerk.open("/library?area=110000").text) == sum(row[area].startswith("11") for row in rows)
    branch = sum(any(code.startswith("A08") for code in row[professions].split(";")) for row in rows)
    assert total(clerk.open("/library?profession=A08").text) == branch
    assert clerk.get("/library?profession=x").status == 422
    first = re.search(r"/library/experts/([0-9a-f]{32})", clerk.open("/library?q=oyjy").text)[0]
    assert "欧阳" not in clerk.open(first).text
    assert clerk.post(first + "/open", (("reason", ""),)).status == 422
    opened = clerk.post(first + "/open", (("reason", "核对证件"),))
    assert "欧阳靖怡" in opened.text
    assert rows[0][2] in opened.text
    values = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', opened.text))
    cells = [(each.alias, values[each.alias]) for each in COLUMNS]
    bad = [(name, "12" if name == "phone" else value) for name, value in cells]
    assert clerk.post(first, (("version", values["version"]), *bad)).status == 422
    good = [(name, "13812345678" if name == "phone" else value) for name, value in cells]
    answer = clerk.post(first, (("version", values["version"]), *good))
    assert answer.status == 303, problem(answer)
    assert problem(clerk.post(first, (("version", values["version"]), *good))) == "stale"
    assert "138****78" in clerk.open(first).text
    answer = clerk.post(first + "/shut", (("kind", "suspensions"), ("since", "2026-01-01"), ("until", ""), ("why", "调查")))
    assert answer.status == 303, problem(answer)
    assert total(clerk.open("/library?q=oyjy&state=suspended").text) == 1
    assert "暂停" in clerk.open(first).text
    # somebody new, and not twice
    again = [(name, value) for name, value in good if name != "version"]
    assert "该证件号码已在专家库中" in clerk.post("/library/add", again).text
    supervisor = site.visitor().as_("jian.supervisor")
    assert total(supervisor.open("/library").text) == 80
    assert problem(supervisor.get("/library/add")) == "forbidden"


def test_a_sheet_of_the_whole_library_is_a_difference_by_id_number(site):
    rows = [list(each) for each in people(300, 8)]
    fill(site, sheet(rows))
    employer = TITLES.index("工作单位")
    clerk = site.visitor().as_("lin.clerk")
    after = [list(each) for each in rows[1:]]
    after[3][employer] = "另一家设计研究院"
    path = bring(clerk, sheet(after), "whole")
    text = wait(clerk, path)
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd class=\"number\">(\d+)", text))
    assert (facts["入库"], facts["信息变更"], facts["出库"]) == ("0", "1", "1")
    assert clerk.post(path + "/finish", (("reason", ""),)).status == 303  # two of 300 need nobody else
    assert "已入库" in wait(clerk, path)
    assert total(clerk.open("/library").text) == 299
    assert total(clerk.open("/library?state=left").text) == 1
    again = bring(clerk, sheet(after), "whole")
    text = wait(clerk, again)
    assert "没有可导入的变动" in clerk.post(again + "/finish", (("reason", ""),)).text
    assert clerk.post(again + "/drop", ()).status == 303
    # everybody else: more than one in a hundred
    path = bring(clerk, sheet([list(each) for each in people(10, 99)]))
    assert "超过百分之一" in wait(clerk, path)


def test_an_upload_that_is_no_sheet_is_refused_with_what_to_do(site):
    clerk = site.visitor().as_("lin.clerk")
    clerk.open("/library/imports")
    assert clerk.upload("/library/imports", {"mode": "part"}, ("file", "x.pdf", b"%PDF")).status == 422
    assert clerk.upload("/library/imports", {"mode": "other"}, ("file", "x.csv", b"a,b\n")).status == 422
    path = bring(clerk, b"PK\x03\x04" + bytes(100), name="x.xlsx")
    assert "无法读取" in wait(clerk, path)
    path = bring(clerk, b"\xff\xfe\x00\x00", name="x.csv")
    assert "无法读取" in wait(clerk, path)
    assert clerk.get("/library/template.csv").headers["Content-Type"].startswith("text/csv")
    raw = clerk.raw_upload("/library/imports", b"--x\r\nnonsense\r\n--x--\r\n", "x")
    assert problem(raw) in ("bad_request", "csrf")
    wrong = clerk.post("/library/imports", (("mode", "part"),))
    assert problem(wrong) == "media_type"


def test_a_taken_web_process_reads_no_name_without_a_persons_pass(site):
    fill(site, sheet([list(each) for each in people(5, 1)]))

    async def ids():
        async with site.store.reading() as tx:
            return [row["id"] for row in await tx.all("expert")]

    found = site.run(ids())
    with pytest.raises(Refused) as refused:
        site.run(site.keeper.read_cards("nobody|totp|00|1|2|3|4", bytes(32), CENTRE, today(site.clock.now()), found))
    assert refused.value.code == "pass_refused"
