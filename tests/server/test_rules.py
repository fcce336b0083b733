"""Rule sets: strict data, in force by day, every rule with its texts and a place on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import server.rules
from drawing.conflict import RULES, Case
from drawing.errors import Refused
from server.rules import REGIMES, rules_of

ROOT = Path(__file__).parents[2]
DECLARATIONS = b'{"bidders":[],"declared":[],"evaluation_from":"2026-12-01","evaluation_to":"2026-12-01","groups":[],"groups_checked":false,"parties":[],"regime":"ZTB"}'


@pytest.mark.parametrize("regime", REGIMES)
def test_every_rule_has_texts_article_and_mark_and_the_page_lists_it(regime):
    page = (ROOT / "docs/rules.md").read_text("utf-8")
    rules = rules_of(regime)
    for rule in (*rules.request.values(), *rules.conflict.values(), *rules.elsewhere.values()):
        assert f"| {rule.code} | {rule.zh} | {rule.en} | {rule.article} | {rule.mark} | from {rule.valid_from} |" in page
        assert rules.text(rule.code) == rule


@pytest.mark.parametrize("regime", REGIMES)
def test_the_committed_bytes_are_what_the_screen_reads(regime):
    rules = rules_of(regime, "2026-12-01")
    case = Case.parse(rules.data, DECLARATIONS)
    assert [code for code in rules.conflict if code in case.since] == list(case.since)
    assert set(case.since) == set(rules.conflict) <= set(RULES)


def test_procurement_looks_back_three_years_and_tendering_has_no_such_rule():
    assert {code: dict(rule.parameters) for code, rule in rules_of("ZFCG").conflict.items() if rule.parameters} == {
        "A5": {"years": 3}, "A6": {"years": 3}, "A7": {"years": 3},
    }  # fmt: skip
    assert not {"A5", "A6", "A7", "A8"} & set(rules_of("ZTB").conflict)
    assert "A1" in rules_of("ZTB").conflict


def test_before_the_first_rule_set_and_for_another_regime_nothing_is_in_force():
    for regime, day, code in (("ZTB", "2025-12-31", "no_rule_set"), ("XYZ", "2026-12-01", "unknown_regime")):
        with pytest.raises(Refused) as refused:
            rules_of(regime, day)
        assert refused.value.code == code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the rule sets that a test may change."""
    for path in server.rules.FOLDER.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(server.rules, "FOLDER", tmp_path)
    rules_of.cache_clear()
    yield tmp_path
    rules_of.cache_clear()


def test_a_new_version_rules_from_its_day_and_the_old_one_before(folder):
    old = (folder / "ztb-2026.1.toml").read_text("utf-8")
    new = old.replace('"2026.1"', '"2027.1"').replace('valid_from = "2026-01-01"\nversion', 'valid_from = "2027-01-01"\nversion')
    (folder / "ztb-2027.1.toml").write_text(new, "utf-8")
    assert [rules_of("ZTB", day).version for day in ("2026-12-31", "2027-01-01")] == ["2026.1", "2027.1"]
    assert rules_of("ZTB").version == "2027.1"


def test_a_rule_binds_on_the_days_it_is_in_force(folder):
    path = folder / "ztb-2026.1.toml"
    first = path.read_text("utf-8").index('valid_from = "2001-07-05"')
    text = path.read_text("utf-8")
    assert 'code = "D6"' in text[first - 400 : first]
    path.write_text(text[:first] + 'valid_to = "2026-06-30"\n' + text[first:], "utf-8")
    before, after = rules_of("ZTB", "2026-06-30"), rules_of("ZTB", "2026-07-01")
    assert "D6" in before.request
    assert "D6" not in after.request
    assert before.data != after.data
    assert "D6" not in {each["code"] for each in json.loads(after.data)["request"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('mark = "S"', 'mark = "X"'),
        ('mark = "S"', 'mork = "S"'),
        ('code = "C2"', 'code = "C1"'),
        ('code = "C2"', "code = 2"),
        ('valid_from = "2002-01-01"', 'valid_from = "long ago"'),
        ("least = 7", "least = 7.0"),
        ('id = "ztb"', "id = 1"),
        ('version = "2026.1"', ""),
        ('[[request]]\ncode = "C1"', '[[requests]]\ncode = "C1"'),
        ('[[request]]\ncode = "C1"', '[request\ncode = "C1"'),
        ('article = "招标投标法第三十七条；12号令第九条"', 'article = ""'),
    ],
)
def test_a_rule_file_that_is_not_one_is_refused_by_name(folder, old, new):
    path = folder / "ztb-2026.1.toml"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(Refused) as refused:
        rules_of("ZTB")
    assert refused.value.code == "bad_rule_set"
    assert path.name in refused.value.place
