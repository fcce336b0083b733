"""Papers and evidence of a draw: what they say, that the same draw is the same file, and that a changed byte is told."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from drawing.draw import Phase
from drawing.errors import Refused
from server.evidence import read_evidence
from server.printing import documents
from server.printing.facts import anonymous
from server.printing.paper import grouped, pairs
from server.printing.typeset import pdf
from server.services import papers
from tests.server.draws.served import Served
from tests.server.draws.test_draw import to_the_end, to_the_lots
from tests.server.keeper.house import LOGIN

PAGE = "<!doctype html><title>verify</title>"
ORIGIN = "https://draw.example.cn"


@pytest.fixture
async def hall(tmp_path, store, database):
    async with Served(tmp_path, store, database.keeper) as made:
        yield made


async def closed(hall):
    await to_the_lots(hall)
    for slot in (0, 1, 3, 4, 5):
        await hall.answer(slot)
    await hall.answer(2, "left", "出差在外")
    await hall.refill()
    await to_the_end(hall)


async def named(hall, token, approved=None):
    found = await papers.facts(hall.desk, hall.draw, ORIGIN)
    approved = approved or hall.approved["unsealed"]
    return await papers._with_names(hall.desk, hall.draw, found, token, LOGIN, "打印抽取记录", hall.now(), approved)


def values(paper):
    return repr(paper.value())


async def lotroom(*words, **more):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "LOTROOM_LANG": "en", "PYTHONPATH": os.pathsep.join(sys.path)}, **more,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_records_name_people_for_those_entitled_and_after_the_unsealing_alone(hall):
    await to_the_lots(hall)
    token = await hall.house.login(hall.keeper, "sup1")
    with pytest.raises(Refused, match="not_yet"):
        await named(hall, token, bytes(32))
    public = values(documents.made("record", await papers.facts(hall.desk, hall.draw, ORIGIN), "zh"))
    assert "未启封" in public
    for slot in (0, 1, 3, 4, 5):
        await hall.answer(slot)
    await hall.answer(2, "left", "出差在外")
    await hall.refill()
    await to_the_end(hall)
    outsider = await hall.house.login(hall.keeper, "audit")
    with pytest.raises(Refused, match="not_entitled"):
        await named(hall, outsider)
    with pytest.raises(Refused, match="not_approved"):
        await named(hall, token, bytes(32))
    found = await named(hall, token)
    assert all(each.known for each in found.people if each.said == "accepted")
    assert not any(each.known for each in found.people if each.said == "left")  # until the end
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    found = await named(hall, token)
    left = [each for each in found.people if each.said == "left"]
    assert left
    assert all(each.known for each in left)
    assert left[0].reason == "出差在外"
    record = values(documents.made("record", found, "zh"))
    for said in ("城市道路改造工程施工", "48000000", "演示负责人", "招标投标法实施条例第四十六条", "出差在外", "bureau/one"):
        assert said in record, said
    for each in found.people:
        assert not each.known or (each.name in record and each.id_number in record and each.phone in record)
    one, again = [await pdf(documents.made("record", found, "zh")) for _ in range(2)]
    assert one == again
    assert b"pdfaid:part" in one
    for kind in ("result", "sign_in", "pledge"):
        for lang in ("zh", "en"):
            made = await pdf(documents.made(kind, found, lang))
            assert made.startswith(b"%PDF")
    if os.environ.get("LOTROOM_TEST_PAPERS"):  # to be looked at
        await look(found, Path(os.environ["LOTROOM_TEST_PAPERS"]))


async def look(found, folder):
    for kind, lang in ((kind, lang) for kind in documents.KINDS for lang in ("zh", "en")):
        data = await pdf(documents.made(kind, found, lang))
        await asyncio.to_thread((folder / f"{kind}-{lang}.pdf").write_bytes, data)


async def test_the_evidence_of_a_draw_verifies_and_a_changed_byte_is_told(hall, tmp_path):
    await closed(hall)
    one = await papers.archive_of(hall.desk, hall.draw, PAGE, ORIGIN, hall.data / "out")
    assert "roll.bin" not in read_evidence(one)
    with pytest.raises(Refused, match="not_closed"):
        from server.keeper.draw_verbs import DrawFile

        await hall.keeper.ask(DrawFile(hall.draw, "roll_closed"))
    await hall.sign_draft("closed", "commit", hall.supervisors[0])
    assert (await hall.project()).draw.phase is Phase.CLOSED
    made = await papers.archive_of(hall.desk, hall.draw, PAGE, ORIGIN, hall.data / "out")
    assert made == await papers.archive_of(hall.desk, hall.draw, PAGE, ORIGIN, hall.data / "out")
    content = read_evidence(made)
    assert set(content) == {
        "MANIFEST.json", "README.txt", "keys.json", "proof.json", "record-en.pdf", "record-zh.pdf", "roll.bin", "verify.html",
    }  # fmt: skip
    (tmp_path / "e.zip").write_bytes(made)
    (tmp_path / "keys.json").write_bytes(hall.keys_file)
    code, out, err = await lotroom("verify", "e.zip", "--keys", "keys.json", "--lang", "en", cwd=tmp_path)
    assert code == 3, (out, err)  # nobody witnesses here: nothing fails, and what needs witnesses is skipped
    code, out, err = await lotroom("verify", "e.zip", "--lang", "en", cwd=tmp_path)
    assert code == 3
    assert "own key list" in err
    for at in (*range(0, len(made), len(made) // 60), len(made) - 1):
        bad = made[:at] + bytes([made[at] ^ 1]) + made[at + 1 :]
        with pytest.raises(Refused, match=r"evidence_altered|not_evidence|not_canonical|not_json|unknown_version"):
            read_evidence(bad)
    proof_at = made.index(b'"events"')
    (tmp_path / "bad.zip").write_bytes(made[:proof_at] + b'"evenTs"' + made[proof_at + 8 :])
    code, _, err = await lotroom("verify", "bad.zip", "--keys", "keys.json", cwd=tmp_path)
    assert code == 1
    assert "[evidence_altered]" in err
    with zipfile.ZipFile(BytesIO(made)) as opened:
        assert opened.testzip() is None


async def test_a_name_that_the_font_lacks_is_printed_by_its_code_point():
    from server.printing.paper import Paper, words
    from server.printing.typeset import printable

    assert printable("王\U00020bb7玉") == "王〓[U+20BB7]玉"
    made = await pdf(Paper("表", "zh", 1_790_000_000, "脚", "中心", (words("王\U00020bb7玉 \u0e01"),)))
    assert made.startswith(b"%PDF")


def test_digests_are_printed_in_groups_of_eight():
    assert grouped("ab" * 32) == " ".join(["abababab"] * 8)


def test_a_pair_that_would_stand_alone_takes_the_row():
    made = pairs(("a", "1"), ("b", "2", "wide"), ("c", "3"), ("d", ""), ("e", "5"))["pairs"]
    assert [each["wide"] for each in made] == [True, True, False, False, True]
    assert made[3]["value"] == "—"


def test_everybody_who_was_ever_drawn_has_a_row_without_a_name():
    from drawing.draw import Draw, Slot

    draw = Draw(slots=(Slot(0, False, (b"a", b"b"), "accepted"), Slot(0, True, (b"c",), "used"), Slot(1, False, (), "appointed")))
    assert [(each.slot, each.occupant, each.said, each.known) for each in anonymous(draw)] == [
        (0, 1, "left", False), (0, 2, "accepted", False), (1, 1, "used", False), (2, 1, "appointed", False),
    ]  # fmt: skip
