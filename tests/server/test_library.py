"""Expert libraries from strangers: each row checked, good rows usable, bad rows back in a file that can be mended and imported."""

from __future__ import annotations

import csv
import json
import random
import zipfile
from pathlib import Path

import openpyxl
import pytest
from stdnum.cn import ric, uscc

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from server.library.check_row import mask
from server.library.codes import id_check, is_id_number, is_uscc, uscc_check
from server.library.columns import COLUMNS
from server.library.demo import make_library, people
from server.library.read_sheet import read_library
from server.library.write_sheet import TITLES, write_rejects, write_table, write_template
from tests.conftest import counts


def row(**cells: str) -> list[str]:
    good = next(people(1, 1))
    values = {column.alias: cell for column, cell in zip(COLUMNS, good)}
    values.update(cells)
    return [values[column.alias] for column in COLUMNS]


def read(tmp_path: Path, *rows: list[str]):  # type: ignore[no-untyped-def]
    path = tmp_path / "library.csv"
    write_table(path, TITLES, rows)
    return read_library(path)


def test_check_digits_agree_with_python_stdnum():
    chance = random.Random(1)
    for _ in range(counts("codes against stdnum", 500, 20_000)):
        first = (
            f"110101{chance.randrange(1950, 2000)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}{chance.randrange(1000):03d}"
        )
        number = first + id_check(first)
        assert is_id_number(number) == ric.is_valid(number) is True
        wrong = number[:16] + str((int(number[16]) + 1) % 10) + number[17]
        assert not is_id_number(wrong)
        code = "91110108MA" + "".join(chance.choices("0123456789ABCDEFGHJKLMNPQRTUWXY", k=7))
        code += uscc_check(code)
        assert is_uscc(code) == uscc.is_valid(code) is True


def test_a_record_is_canonical_and_has_every_field(tmp_path):
    library = read(tmp_path, row())
    record = loads(library.records[0], text=True)
    assert dumps(record, text=True) == library.records[0]
    assert {column.alias for column in COLUMNS} - {"employer_code", "employer_name"} | {"employer"} == set(record)


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"id_number": "110101199001011234"}, "证件号码", "bad_id_number"),
        ({"id_number": ""}, "证件号码", "missing_cell"),
        ({"birthday": "1999-01-01"}, "出生日期", "birthday_differs"),
        ({"birthday": "1999-13-01"}, "出生日期", "not_a_date"),
        ({"gender": "外星"}, "性别", "unknown_word"),
        ({"employer_code": "91110108MA0000000B"}, "统一社会信用代码", "bad_credit_code"),
        ({"phone": "12345"}, "手机", "bad_phone"),
        ({"area": "990101"}, "所在地区", "bad_region_code"),
        ({"professions": "Z99"}, "评审专业", "bad_profession_code"),
        ({"professions": " ; "}, "评审专业", "missing_cell"),
        ({"work": "甲||2020-01-01|2019-01-01"}, "工作经历", "ends_before_it_begins"),
        ({"work": "甲|||||||"}, "工作经历", "too_many_parts"),
        ({"leave": "soon|"}, "请假", "not_a_date"),
        ({"shareholdings": "甲||120%|是||"}, "持股", "bad_percentage"),
        ({"name": "张\u202e三"}, "姓名", "bad_characters"),
        ({"duty": "x" * 5000}, "职务", "cell_too_long"),
        ({"work_years": "-3"}, "工作年限", "not_a_number"),
        ({"avoid": ";".join(["甲"] * 70)}, "回避单位", "too_many_entries"),
    ],
)
def test_a_bad_cell_names_row_column_and_reason_and_keeps_the_other_rows(tmp_path, cells, column, code):
    library = read(tmp_path, row(**cells), row())
    assert [(error.row, error.column, error.code) for error in library.errors] == [(2, column, code)]
    assert len(library.records) == 1
    assert library.rejects[0][0] == 2


def test_secrets_are_masked_in_errors(tmp_path):
    library = read(tmp_path, row(id_number="110101199001011234", phone="1380000"))
    for error in library.errors:
        assert "19900101" not in error.value
        assert error.value != "1380000"
    assert mask("110101199001011234") == "11**************34"


def test_the_same_person_twice_is_one_person_and_one_error(tmp_path):
    library = read(tmp_path, row(), row(name="李四"))
    assert len(library.records) == 1
    assert [(e.row, e.code, dict(e.params)) for e in library.errors] == [(3, "person_twice", {"first": 2})]


def test_a_weight_that_a_regulation_demands_is_read_and_one_where_nothing_is_said(tmp_path):
    assert [json.loads(read(tmp_path, row(weight=cell)).records[0])["weight"] for cell in ("3", "", "100")] == [3, 1, 100]
    assert [error.code for error in read(tmp_path, row(weight="0")).errors] == ["not_a_number"]
    assert [error.code for error in read(tmp_path, row(weight="101")).errors] == ["not_a_number"]


def test_full_width_forms_are_folded_with_a_notice(tmp_path):
    plain = read(tmp_path, row())
    wide = read(tmp_path, row(phone="".join(chr(ord(c) + 0xFEE0) for c in row()[[c.alias for c in COLUMNS].index("phone")])))
    assert wide.records == plain.records
    assert [notice.code for notice in wide.notices] == ["full_width_folded"]


def test_an_id_number_that_a_sheet_stored_as_a_number_lost_digits(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(list(TITLES))
    cells: list[object] = list(row())
    cells[2] = 110101199001011234
    book.active.append(cells)
    book.save(tmp_path / "a.xlsx")
    library = read_library(tmp_path / "a.xlsx")
    assert [(error.column, error.code) for error in library.errors] == [("证件号码", "digits_lost")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_comes_in_the_usual_encodings(tmp_path, encoding):
    path = tmp_path / "a.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows([TITLES, row(name="喆堃㛃")])
    assert json.loads(read_library(path).records[0])["name"] == "喆堃㛃"


def test_xlsx_and_csv_of_one_library_give_the_same_records(tmp_path):
    make_library(200, 4, tmp_path / "a.xlsx")
    make_library(200, 4, tmp_path / "a.csv")
    one, two = read_library(tmp_path / "a.xlsx"), read_library(tmp_path / "a.csv")
    assert one.records == two.records
    assert len(one.records) == 200
    assert one.errors == []


def test_many_rows_are_checked_by_several_processes_with_the_same_outcome(tmp_path, monkeypatch):
    from server.library import read_sheet

    path = tmp_path / "a.csv"
    write_table(path, TITLES, [*people(900, 2), *([row(phone="1")] * 3), *people(5, 2)])
    alone = read_library(path)
    monkeypatch.setattr(read_sheet, "SPREAD_FROM", 100)
    monkeypatch.setattr(read_sheet, "CHUNK", 37)
    spread = read_library(path)
    assert (spread.records, spread.errors, spread.rejects) == (alone.records, alone.errors, alone.rejects)
    assert len(alone.errors) == 8


@pytest.mark.parametrize("kind", [".csv", ".xlsx"])
def test_a_reject_file_that_was_mended_is_imported_as_it_is(tmp_path, kind):
    library = read(tmp_path, row(phone="=cmd|' /C calc'!A0", duty="=1+1"), row())
    path = tmp_path / f"rejects{kind}"
    write_rejects(path, library.rejects, {2: ("手机 [bad_phone]", "…")})
    again = read_library(path)
    assert [(e.column, e.code) for e in again.errors] == [("手机", "bad_phone")]
    rejected = library.rejects[0][1]
    rejected[[c.alias for c in COLUMNS].index("phone")] = "13900000000"
    write_rejects(tmp_path / f"mended{kind}", [(2, rejected)], {})
    mended = read_library(tmp_path / f"mended{kind}")
    assert json.loads(mended.records[0])["duty"] == "=1+1"
    if kind == ".csv":
        assert ",'=" in path.read_text("utf-8-sig")


def test_the_template_can_be_imported_but_for_its_example(tmp_path):
    for name in ("t.csv", "t.xlsx"):
        write_template(tmp_path / name)
        assert read_library(tmp_path / name).rows_read == 1


def test_a_demo_library_is_the_same_for_a_seed_and_marked_fictional(tmp_path):
    assert list(people(50, 3)) == list(people(50, 3)) != list(people(50, 4))
    library = read(tmp_path, *people(300, 3))
    assert library.errors == []
    assert all(json.loads(record)["fictional"] for record in library.records)


def hostile(folder: Path) -> dict[str, Path]:
    """Files that are not what they say, or more than they say."""
    made = {}

    def put(name: str, data: bytes) -> None:
        made[name] = folder / name
        made[name].write_bytes(data)

    put("empty.csv", b"")
    put("binary.csv", bytes(range(256)) * 100)
    put("noheader.csv", b"a,b,c\n1,2,3\n")
    put("quotes.csv", ",".join(TITLES).encode() + b'\n"' + b"x" * 100_000)
    put("wide.csv", b"," * 100_000)
    put("text.xlsx", b"this is no workbook")
    put("zip.xlsx", b"PK\x03\x04" + bytes(1000))
    put("twice.csv", ("姓名,姓名," + ",".join(TITLES[1:])).encode())
    put("alien.csv", (",".join(TITLES) + ",DROP TABLE").encode())
    put("notes.txt", b"x")
    bomb = folder / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(300 << 20))
    made["bomb.xlsx"] = bomb
    hollow = folder / "hollow.xlsx"
    with zipfile.ZipFile(hollow, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<workbook><sheets></sheets></workbook>")
    made["hollow.xlsx"] = hollow
    good = folder / "good.xlsx"
    make_library(5, 1, good)
    put("cut.xlsx", good.read_bytes()[:-200])
    return made


def test_hostile_files_end_in_one_refusal(tmp_path):
    for name, path in hostile(tmp_path).items():
        with pytest.raises(Refused) as refused:
            library = read_library(path)
            assert library.records, name
        assert refused.value.code != "", name
    with pytest.raises(Refused):
        read_library(tmp_path)
    with pytest.raises(Refused):
        read_library(tmp_path / "nothing.csv")


@pytest.mark.parametrize(("header", "expected"), [(b"x,y\n", "columns_missing"), (b"", "not_a_table")])
def test_a_large_file_that_is_no_table_is_refused_without_reading_it_into_memory(tmp_path, header, expected):
    import subprocess
    import sys

    path = tmp_path / "large.csv"
    with path.open("wb") as stream:
        stream.write(header)
        for _ in range(150):
            stream.write(b"z" * (1 << 20))
    script = (
        "import sys; from pathlib import Path; from drawing.errors import Refused; from server.library.read_sheet import read_library\n"
        "try: read_library(Path(sys.argv[1])); print('read')\n"
        "except Refused as refused: print(refused.code)\n"
        "status = Path('/proc/self/status').read_text(); print(int(status.partition('VmHWM:')[2].split()[0]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    code, peak = done.stdout.split()
    assert code == expected
    assert int(peak) < 200


def test_every_kind_of_event_has_a_name_for_people():
    from drawing.events import BODIES
    from server.texts import EVENT_NAMES, event_name

    assert set(EVENT_NAMES) == set(BODIES)
    assert event_name("stepped_in", "en") == "stepped in"
