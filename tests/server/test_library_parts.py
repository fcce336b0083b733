"""Parts of an import that need no service: the difference, cells and records, uploads read in a process of their own, bodies with a file."""

from __future__ import annotations

import base64
import json
import random
import zlib

import pytest

from drawing.errors import Refused
from server.handlers import multipart
from server.handlers.problems import Stop
from server.keeper.library_work import MOST_BATCH, card_of, masked, records_of, state_of
from server.library import upload
from server.library.cells import cells_of
from server.library.check_row import check_row
from server.library.columns import COLUMNS
from server.library.demo import make_library, people
from server.library.difference import LEFT, Known, Line, difference, expert_id
from tests.conftest import counts
from tests.server.desk.test_library import sheet

PLACES = range(len(COLUMNS))


def test_the_cells_of_a_record_are_read_back_to_the_same_record():
    for row in people(counts("records read back from their cells", 400, 5_000), 13):
        record = check_row(list(row), PLACES, 1).record
        cells = cells_of(json.loads(record))
        assert check_row([cells[each.alias] for each in COLUMNS], PLACES, 1).record == record


def test_a_difference_says_who_joins_changes_and_leaves_and_when_others_approve():
    known = {bytes([n]): Known(f"id{n}", b"unit", b"record", "active", 1) for n in range(200)}
    known[b"\xff"] = Known("gone", b"unit", b"record", LEFT, 2)

    def line(number, record=b"record", unit=b"unit", **more):
        return Line(0, 0, 2, number, b"", unit, record, "active", **more)

    same = [line(bytes([n])) for n in range(200)]
    assert difference(known, same, whole=True).size == 0
    made = difference(known, [line(b"\0", b"other"), line(b"\1", b"other", b"elsewhere"), *same[2:]], whole=True)
    assert (len(made.changes), made.moves, made.same, made.leaves) == (2, 1, 198, ())
    assert not made.needs_approval  # two of two hundred
    assert difference(known, [*same, line(b"new"), line(b"\xff"), line(b"\0", b"x")], whole=False).needs_approval
    assert difference(known, same[:-1], whole=True).leaves == ("id199",)
    assert difference(known, same[:-1], whole=False).leaves == ()
    assert difference(known, [line(b"new", skipped=True)], whole=False).size == 0
    assert difference({}, [line(b"first")], whole=False).needs_approval
    assert expert_id("a", b"n") == expert_id("a", b"n") != expert_id("b", b"n")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_an_upload_is_checked_in_a_process_of_its_own(tmp_path, kind):
    make_library(450, 2, tmp_path / f"x.{kind}")
    found = await upload.checked(kind, (tmp_path / f"x.{kind}").read_bytes())
    assert (found.rows, len(found.bad), [len(numbers) for numbers, _ in found.batches]) == (450, 0, [200, 200, 50])
    expected = [check_row(list(row), PLACES, 1).record for row in people(450, 2)]
    assert [line for _, data in found.batches for line in records_of(data)] == expected


async def test_a_hostile_upload_ends_as_a_refusal(tmp_path):
    deep = b"PK\x05\x06" + bytes(18)
    for kind, data in (("xlsx", deep), ("xlsx", b"x" * 1000), ("csv", b"\0\1"), ("csv", b""), ("pdf", b"x")):
        with pytest.raises(Refused):
            found = await upload.checked(kind, data)
            assert found.rows == 0
            raise Refused("nothing_in_it", "")
    chance = random.Random(5)
    whole = bytearray(sheet([list(each) for each in people(3, 1)]))
    for _ in range(counts("spoilt sheets", 8, 100)):
        spoilt = bytes(whole[: chance.randrange(len(whole))]) + chance.randbytes(30)
        try:
            found = await upload.checked("csv", spoilt)
            assert found.rows <= 4
        except Refused as refused:
            assert refused.code


def test_a_batch_is_bounded_and_whole():
    record = check_row(list(next(iter(people(1, 1)))), PLACES, 1).record
    assert records_of(upload.pack([record, record])) == [record, record]
    for data in ("", "?", base64.b64encode(b"x").decode(), base64.b64encode(zlib.compress(b"{}")).decode(), upload.pack([record])[:-8]):
        with pytest.raises(Refused, match="bad_batch"):
            records_of(data)
    with pytest.raises(Refused, match="bad_batch"):
        records_of(base64.b64encode(zlib.compress(bytes(MOST_BATCH * 20))).decode())


def test_a_card_is_padded_and_masked_and_knows_the_day():
    record = json.loads(check_row(list(next(iter(people(1, 1)))), PLACES, 1).record)
    record.update(leave=[{"from": "2026-05-01", "to": "2026-05-07"}], suspensions=[{"from": "2026-06-01", "to": "", "reason": "x"}])
    data = card_of(json.dumps(record, ensure_ascii=False).encode())
    assert len(data) % 128 == 0
    card = json.loads(data)
    days = ("2026-04-30", "2026-05-01", "2026-05-07", "2026-05-08", "2026-06-01", "2030-01-01")
    assert [state_of(card, day) for day in days] == ["active", "leave", "leave", "active", "suspended", "suspended"]
    shown = json.dumps(masked("0" * 32, card, days[0]), ensure_ascii=False)
    for secret in (record["name"], record["id_number"], record["phone"], record["employer"]["name"], record["id_number"][6:14]):
        assert secret not in shown


BODY = b'--m\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--m\r\nContent-Disposition: form-data; name="f"; filename="x.csv"\r\nContent-Type: text/csv\r\n\r\na\r\n--x\r\n\r\n--m--\r\n'


def test_a_body_with_a_file_is_read_strictly():
    found = multipart.read(BODY, b"m")
    assert (found["a"].data, found["f"].file) == (b"1", "x.csv")
    wrong = (
        BODY[:-6],
        BODY.replace(b'name="f"', b'name="a"'),
        BODY.replace(b"Content-Disposition: form-data; name=", b"X: "),
        b"x" + BODY,
        BODY.replace(b'name="a"', b'name="A"'),
        b"--m\r\n" * 50 + b"--m--\r\n",
    )
    for body in wrong:
        with pytest.raises(Stop):
            multipart.read(body, b"m")
    chance = random.Random(3)
    for _ in range(counts("bodies with a byte changed", 2_000, 50_000)):
        body = bytearray(BODY)
        body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            multipart.read(bytes(body), b"m")
        except Stop as stop:
            assert stop.code == "bad_request"
