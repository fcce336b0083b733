"""Requests: read strictly, checked against the law with all failures at once."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.conflict import Case
from drawing.errors import Refused
from server.library.codes import id_check
from server.material import read_plan
from server.request import read_request
from server.rules import REGIMES, rules_of
from server.workdays import local, workdays_after

ROOT = Path(__file__).parents[2]
WORKS = (ROOT / "docs/examples/works.toml").read_text("utf-8")
PROCUREMENT = (ROOT / "docs/examples/procurement.toml").read_text("utf-8")
FIVE = WORKS.replace("representatives = 2", "representatives = 0")  # experts alone
THREE = """
regime = "ZFCG"
project = { number = "N1", name = "询价", procedure = "inquiry", kind = "goods", budget_yuan = 1, responsible = "某" }
pool = { source = "库", legal_ground = "条例第三十九条" }
evaluation = { starts = "+40m" }
committee = { representatives = 1 }
parties = [{ role = "purchaser", name = "采购人" }, { role = "supervision", name = "财政局" }]
seats = [{ professions = ["B0132"], count = 2 }]
"""
RUNGS = (
    "recent_max = 3",
    "recent_max = 9",
    "any_region = true",
    "any_site = true",
    "seat = 1\nprofessions = ['C07']",
    "seat = 0\nprofessions = ['B01', 'B02']",
)
NOW = 1_795_000_000  # Wednesday 2026-11-18, 19:06:40 in Shanghai


def request(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "request.toml"
    path.write_text(text, "utf-8")
    return read_request(path, NOW)


@pytest.mark.parametrize("text", [WORKS, PROCUREMENT])
def test_the_examples_are_lawful_and_lead_to_a_plan_and_a_case(tmp_path, text):
    read = request(tmp_path, text)
    assert read.check(NOW) == []
    assert read_plan(read.plan()).seats
    case = Case.parse(read.rule_set()[2], read.declarations())
    assert case.regime == read.regime
    assert not case.groups_checked


def codes(tmp_path: Path, text: str) -> list[str]:
    return [failure.rule.code for failure in request(tmp_path, text).check(NOW)]


LAW = [
    (WORKS, "representatives = 2", "representatives = 3", ["C1"]),  # even, and under two thirds
    (WORKS, "representatives = 2", "representatives = 0", []),
    (WORKS, "count = 3", "count = 1", ["C1"]),  # 3 experts of 5 are under two thirds
    (WORKS, 'kind = "works"', 'kind = "works"\nsector = "water"', []),  # seven members are enough for water works
    (WORKS, "count = 3", 'count = 1\nsite = "home"', ["C1"]),
    (WORKS, 'procedure = "open"', 'procedure = "prequalification"', []),
    (WORKS, 'role = "supervision"', 'role = "other"', ["C11"]),
    (WORKS, 'role = "tenderer"', 'role = "other"', ["D1"]),
    (WORKS, '"+40m"', '"2026-11-01T09:00"', ["D6"]),
    (PROCUREMENT, "budget_yuan = 8600000", "budget_yuan = 10000000", ["C3"]),
    (PROCUREMENT, "budget_yuan = 8600000", "budget_yuan = 9999999", []),
    (PROCUREMENT, "budget_yuan = 8600000", "budget_yuan = 1\ncomplex = true", ["C3"]),
    (PROCUREMENT, 'procedure = "open"', 'procedure = "consultation"\ncomplex = true', ["C6"]),
    (PROCUREMENT, 'procedure = "open"', 'procedure = "negotiation"', []),
    (PROCUREMENT, "remote = true", "", []),
    (PROCUREMENT, 'starts = "+40m"\ndays = 1\nremote = true', 'starts = "+5 workdays 09:00"', ["D5"]),
    (PROCUREMENT, 'starts = "+40m"', 'starts = "+5 workdays 09:00"', []),  # remote evaluation is excepted
    (PROCUREMENT, "region_reason", "#", ["D9"]),
    (PROCUREMENT, "representatives = 1", 'representatives = 1\nchair = "representative"', ["C8"]),
    (PROCUREMENT, "representatives = 1", 'representatives = 2\nchair = "representative"', ["C3", "C8"]),
    (PROCUREMENT, "representatives = 1", 'representatives = 1\nchair = "named"', ["C8"]),  # elected, in procurement
    (WORKS, 'chair = "elected"', 'chair = "representative"', []),  # the tenderer may name one of its people
    (PROCUREMENT, "budget_yuan = 8600000", "budget_yuan = 1\nsocial_impact = true", ["C3"]),
    (PROCUREMENT, 'starts = "+40m"', 'starts = "2026-11-18T09:00"', ["H6"]),
    (FIVE, 'kind = "works"', 'kind = "works"\nsector = "water"', ["C2"]),
    (FIVE, 'procedure = "open"', 'procedure = "prequalification"', []),
    (FIVE, "representatives = 0", "representatives = 1", ["C1"]),
    (FIVE, 'procedure = "open"\nkind = "works"', 'procedure = "prequalification"\nkind = "works"\nsector = "water"', ["C2"]),
    (WORKS.replace("representatives = 2", "representatives = 3"), 'procedure = "open"', 'procedure = "prequalification"', ["C13"]),
    (THREE, "", "", []),
    (THREE, "representatives = 1", "representatives = 2", ["C4"]),
    (THREE, "budget_yuan = 1", "budget_yuan = 3999999", []),
    (THREE, "budget_yuan = 1", "budget_yuan = 4000000", ["C5"]),
    (THREE, 'kind = "goods", budget_yuan = 1', 'kind = "works", budget_yuan = 4000000', ["C5"]),
    (THREE, 'procedure = "inquiry"', 'procedure = "consultation"', []),
    (THREE, 'procedure = "inquiry"', 'procedure = "negotiation", complex = true', ["C6"]),
    (THREE, 'procedure = "inquiry"', 'procedure = "inquiry", complex = true', []),
    (THREE, "representatives = 1", "representatives = 4", ["C4"]),
]


@pytest.mark.parametrize(("text", "old", "new", "expected"), LAW)
def test_the_law_s_numbers(tmp_path, text, old, new, expected):
    assert old in text
    assert codes(tmp_path, text.replace(old, new)) == expected


def test_every_rule_about_requests_is_broken_by_some_case_above():
    broken = {code for *_, expected in LAW for code in expected}
    assert broken == {code for regime in REGIMES for code in rules_of(regime).request}


def test_all_failures_come_at_once_each_with_its_article(tmp_path):
    wrong = (
        WORKS.replace("representatives = 2", "representatives = 3")
        .replace('role = "supervision"', 'role = "other"')
        .replace('"+40m"', '"2020-01-01T09:00"')
    )
    failures = request(tmp_path, wrong).check(NOW)
    assert [failure.rule.code for failure in failures] == ["C1", "C11", "D6"]
    assert all(failure.rule.article and failure.rule.zh and failure.rule.en for failure in failures)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('regime = "ZTB"', 'regime = "XYZ"', "unknown_regime"),
        ('regime = "ZTB"', 'regime = "ZTB"\nstate_secret = true', "state_secret"),
        ("representatives = 2", "representatives = 2.0", "not_an_integer"),
        ("representatives = 2", "representatives = true", "not_an_integer"),
        ("representatives", "representative", "unknown_key"),
        ("[committee]", "[comittee]", "unknown_key"),
        ("count = 3", "count = 0", "out_of_range"),
        ("count = 3", "count = 99999999999999999999", "out_of_range"),
        ('"A0801"', '"A9901"', "bad_profession_code"),
        ('["A0801"]', "[]", "missing_key"),
        ('code = "91110108MA0000000A"', 'code = "91110108MA0000000B"', "bad_credit_code"),
        ('"+40m"', '"tomorrow"', "not_a_time"),
        ('"+40m"', '"2026-13-41T09:00"', "not_a_time"),
        ('"+40m"', '"9999-01-01T09:00"', "not_a_time"),
        ('id = "home"', 'id = "../home"', "not_an_identifier"),
        ('areas = ["11"]', 'areas = ["1"]', "bad_region_code"),
        ('responsible = "演示负责人"', "", "missing_key"),
        ('responsible = "演示负责人"', 'responsible = "a\\u202eb"', "bad_characters"),
        ("[committee]", '[groups]\nfile = "../../etc/passwd"\n[committee]', "not_a_plain_file_name"),
        ("[committee]", '[groups]\nfile = "none.csv"\n[committee]', "no_such_file"),
        ("[committee]", "[[committee]]", "not_an_object"),
        ("[committee]", '[groups]\nfile = ".hidden.csv"\n[committee]', "not_a_plain_file_name"),
        ('"+40m"', '"2026-12-01"', "not_a_time"),
        ('"+40m"', '"2026-12-01T09:00-05:00"', "not_a_time"),
        ('"+40m"', "2026-12-01T09:00:00.5", "not_a_time"),
        ('number = "DEMO-2026-GC-0001"', 'number = " "', "missing_key"),
        ("count = 3", "count = 40\n" + "[[seats]]\nprofessions = ['A0801']\ncount = 40\n" * 10, "out_of_range"),
        ("[[widen]]\nrecent_max = 5", "[[widen]]\nrecent_max = 2", "widens_nothing"),
        ("[[widen]]", "[[declared]]\nid_number = '11010119700101001x'\nkind = 'chat_group'\nreason = 'r'\n[[widen]]", "bad_id_number"),
        ("[[widen]]", "[[declared]]\nid_number = '1'\nkind = 'gossip'\nreason = 'r'\n[[widen]]", "not_a_choice"),
        ("budget_yuan = 48000000", "budget_yuan = " + "9" * 3_900, "out_of_range"),
        ("[limits]", "[limits", "not_toml"),
        ('section = "1"', 'section = "一"', "not_an_identifier"),
    ],
)
def test_a_malformed_request_is_refused_with_its_place(tmp_path, old, new, code):
    assert old in WORKS
    with pytest.raises(Refused) as refused:
        request(tmp_path, WORKS.replace(old, new, 1))
    assert refused.value.code == code
    assert refused.value.place


def test_deep_huge_or_binary_requests_end_soon(tmp_path):
    path = tmp_path / "r.toml"
    deep = [b"a = " + b"[" * 100_000, b"a = " + b"[\n" * 100_000, b"a = " + b"{a=" * 80_000, b".".join([b"a"] * 130_000) + b" = 1"]
    long = [b"x" * 300_000, b"a = '" + b"x" * 200_000, b"a = " + b"9" * 200_000, b"a = 0x" + b"f" * 3_000, b"[[a]]\n" * 40_000]
    dotted = b"".join(b"[" + b".".join([b"%d" % n] * 1_500) + b"]\n" for n in range(30))
    for data in (*deep, *long, dotted, b"\xff\xfe\x00", b"a = 2026-13-41", b"\x00", b"a = '\x01'", b""):
        path.write_bytes(data)
        with pytest.raises(Refused):
            read_request(path, NOW)


def test_groups_come_from_a_file_beside_the_request(tmp_path):
    (tmp_path / "groups.csv").write_text("91110108MA0000004N,91110108MA0000006W\n", "utf-8")
    read = request(tmp_path, WORKS.replace("[committee]", '[groups]\nfile = "groups.csv"\n\n[committee]'))
    assert read.groups == (("91110108MA0000004N", "91110108MA0000006W"),)
    assert Case.parse(read.rule_set()[2], read.declarations()).groups_checked
    plain = request(tmp_path, WORKS)
    assert plain.digest != read.digest


def test_the_ladder_only_widens(tmp_path):
    read = request(tmp_path, WORKS)
    assert read.ladder_steps == 2
    assert read.widened_plan(0)["seats"][0]["professions"] == ["A08", "A0801"]
    assert read.widened_plan(1)["recent_max"] == 5


def test_a_group_file_that_is_huge_binary_or_wrong_is_refused(tmp_path):
    text = WORKS.replace("[committee]", '[groups]\nfile = "groups.csv"\n\n[committee]')
    for data, code in (
        (b"x" * 2_000_000, "too_long"),
        (b"\xff\x00", "not_utf8"),
        (b"1,2\n", "bad_credit_code"),
        (b'"' + b"x" * 200_000, "not_utf8"),
    ):
        (tmp_path / "groups.csv").write_bytes(data)
        with pytest.raises(Refused) as refused:
            request(tmp_path, text)
        assert refused.value.code == code
        assert "groups.csv" in refused.value.place
    (tmp_path / "groups.csv").unlink()
    (tmp_path / "groups.csv").mkdir()
    with pytest.raises(Refused):
        request(tmp_path, text)


def test_a_number_declared_in_small_letters_is_the_library_s(tmp_path):
    number = "11010119700101001"
    number += id_check(number)
    read = request(tmp_path, WORKS + f"\n[[declared]]\nid_number = '{number.lower()}'\nkind = 'chat_group'\nreason = 'r'\n")
    assert Case.parse(read.rule_set()[2], read.declarations()).declared == {number: ("A13",)}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+40m", "2026-11-18T19:46:40+08:00"),
        ("+6h", "2026-11-19T01:06:40+08:00"),
        ("+3 workdays 09:00", "2026-11-23T09:00:00+08:00"),
        ("2026-12-01T09:00", "2026-12-01T09:00:00+08:00"),
        ("2026-12-01 09:00:30+08:00", "2026-12-01T09:00:30+08:00"),
    ],
)
def test_a_time_is_one_of_shanghai_or_counts_from_the_first_run(tmp_path, text, moment):
    assert local(request(tmp_path, WORKS.replace("+40m", text)).evaluation_at).isoformat() == moment


def test_toml_s_own_date_time_is_a_time_of_shanghai(tmp_path):
    read = request(tmp_path, WORKS.replace('"+40m"', "2026-12-01T09:00:00"))
    assert local(read.evaluation_at).isoformat() == "2026-12-01T09:00:00+08:00"


@given(st.integers(0, 2**31), st.sampled_from([0, 1, 2, 3]))
def test_procurement_draws_begin_at_most_two_working_days_before(tmp_path_factory, seconds, days):
    moment = (NOW + seconds % (25 * 86_400)) // 60 * 60
    evaluation = workdays_after(local(moment).date(), days) if days else local(moment).date()
    path = tmp_path_factory.mktemp("d5") / "r.toml"
    path.write_text(THREE.replace('"+40m"', f'"{evaluation.isoformat()}T23:59:59"'), "utf-8")
    found = [failure.rule.code for failure in read_request(path, moment).check(moment)]
    assert found == (["D5"] if days > 2 else [])


@given(st.lists(st.sampled_from(RUNGS), min_size=1, max_size=5))
def test_a_step_of_the_ladder_keeps_whoever_could_be_drawn_before(tmp_path_factory, rungs):
    path = tmp_path_factory.mktemp("ladder") / "r.toml"
    base = PROCUREMENT[: PROCUREMENT.index("[[widen]]")]
    path.write_text(base + "".join(f"[[widen]]\nreason = 'r'\n{rung}\n" for rung in rungs), "utf-8")
    read = read_request(path, NOW)
    plans = [read_plan(read.plan())] + [read_plan(read.widened_plan(step)) for step in range(read.ladder_steps)]
    for narrow, wide in itertools.pairwise(plans):
        assert wide.recent_max >= narrow.recent_max
        assert not wide.regions or set(narrow.regions) <= set(wide.regions) != set()
        for before, after in zip(narrow.seats, wide.seats, strict=True):
            assert (after.count, after.reserves, after.main_only) == (before.count, before.reserves, before.main_only)
            assert after.site in ("", before.site)
            assert all(code.startswith(after.professions) for code in before.professions)
