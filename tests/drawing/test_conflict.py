"""Why an expert is kept out: one case per rule, with what must and must not count."""

from __future__ import annotations

import json
import random

import pytest

from drawing.canonical import dumps
from drawing.conflict import RULES, Case, normal_name, screen
from drawing.errors import Refused
from tests.scenario import person

BIDDER, OWNER, AGENCY = "91110108MA0000004N", "91110108MA0000000A", "91110108MA0000001D"
SET = dumps({"conflict": [{"code": code, "parameters": {"years": 3} if rule.looks_back else {}} for code, rule in RULES.items()]})


def declared(**changes: object) -> bytes:
    value: dict[str, object] = {
        "bidders": [{"code": BIDDER, "name": "演示甲有限公司", "persons": [{"id_number": "P1", "name": "某", "role": "legal_representative"}]}],
        "declared": [], "evaluation_from": "2026-12-01", "evaluation_to": "2026-12-03", "groups": [], "groups_checked": False,
        "parties": [
            {"code": OWNER, "name": "演示招标人", "role": "tenderer"}, {"code": AGENCY, "name": "演示代理", "role": "agency"},
            {"code": "", "name": "演示住建委", "role": "supervision"},
        ],
        "regime": "ZTB",
    }  # fmt: skip
    value.update(changes)
    return dumps(value, text=True)


def found(record: dict[str, object], **changes: object) -> set[str]:
    value = json.loads(person(1, random.Random(1), draws=[]))
    value.update(record)
    return {finding.code for finding in screen(value, Case.parse(SET, declared(**changes)))}


def unit(code: str = "", name: str = "x", **more: object) -> dict[str, object]:
    return {"code": code, "name": name, **more}


@pytest.mark.parametrize(
    ("record", "codes"),
    [
        ({}, set()),
        ({"id_number": "P1"}, {"A1", "A6"}),
        (
            {"relatives": [{"code": BIDDER, "employer": "", "name": "y", "relation": "spouse", "role": "legal_representative"}]},
            {"A1", "A8", "A3"},
        ),
        ({"relatives": [{"code": BIDDER, "employer": "", "name": "y", "relation": "in_law", "role": "person_in_charge"}]}, {"A8"}),
        ({"relatives": [{"code": BIDDER, "employer": "", "name": "y", "relation": "collateral", "role": "staff"}]}, set()),
        ({"employer": unit("", "演示住建委")}, {"A2"}),
        ({"supervisor_of": ["演示 招标人"]}, {"A2"}),
        ({"shareholdings": [unit(BIDDER, controlling=False, percent_hundredths=1, **{"from": "2020-01-01", "to": ""})]}, {"A3"}),
        ({"shareholdings": [unit(BIDDER, controlling=True, percent_hundredths=1, **{"from": "2020-01-01", "to": "2023-12-01"})]}, {"A7"}),
        ({"shareholdings": [unit(BIDDER, controlling=True, percent_hundredths=1, **{"from": "2020-01-01", "to": "2023-11-30"})]}, set()),
        ({"punished": [{"date": "1999-01-01", "reason": ""}]}, {"A4"}),
        ({"employer": unit(BIDDER)}, {"A3", "A5"}),
        ({"work": [unit(BIDDER, **{"from": "2010-01-01", "to": "2023-12-01"})]}, {"A5"}),
        ({"work": [unit(BIDDER, **{"from": "2010-01-01", "to": "2023-11-30"})]}, set()),
        ({"directorships": [unit(BIDDER, role="supervisor", **{"from": "2010-01-01", "to": "2024-01-01"})]}, {"A6"}),
        ({"directorships": [unit(BIDDER, role="supervisor", **{"from": "2010-01-01", "to": ""})]}, {"A3", "A6"}),
        ({"employer": unit(OWNER)}, {"A10"}),
        ({"employer": unit(AGENCY)}, {"C9"}),
        ({"avoid": [unit(BIDDER)]}, {"H1"}),
        ({"avoid": [unit("", "演示甲有限责任公司")]}, {"H1"}),
        ({"avoid": [unit("", "演示甲股份有限公司")]}, set()),
        ({"suspensions": [{"from": "2026-01-01", "reason": "", "to": ""}]}, {"H2"}),
        ({"suspensions": [{"from": "2026-01-01", "reason": "", "to": "2026-11-30"}]}, set()),
        ({"leave": [{"from": "2026-12-03", "to": "2026-12-09"}]}, {"H3"}),
        ({"leave": [{"from": "2026-12-04", "to": "2026-12-09"}]}, set()),
        ({"engagements": [{"from": "2026-12-02", "to": "2026-12-02"}]}, {"H4"}),
        ({"status": "inactive"}, {"H5"}),
    ],
)
def test_a_rule_keeps_out_exactly_whom_it_says(record, codes):
    assert found(record) == codes


def test_a_group_company_of_a_bidder_counts_as_the_bidder():
    sister = "91110108MA0000006W"
    assert found({"employer": unit(sister)}) == set()
    assert found({"employer": unit(sister)}, groups=[[BIDDER, sister]], groups_checked=True) == {"A3", "A5"}


@pytest.mark.parametrize(
    ("kind", "code"), [("other_relation", "A9"), ("supplier_application", "A11"), ("void_committee", "A12"), ("chat_group", "A13")]
)
def test_what_was_declared_before_the_draw_counts(kind, code):
    assert found({"id_number": "E9"}, declared=[{"id_number": "E9", "kind": kind, "reason": "r"}]) == {code}


def test_a_name_decides_only_where_a_code_is_missing():
    assert found({"employer": unit("91110108MA0000006W", "演示甲有限公司")}) == set()
    assert found({"employer": unit("", "演示甲（有限公司）")}) == {"A3", "A5"}
    assert normal_name("演示（北京）科技 有限责任公司") == normal_name("演示(北京)科技有限公司")


def test_a_later_bidder_list_is_screened_by_the_same_rules():
    value = json.loads(person(1, random.Random(1), draws=[], employer=unit("91110108MA0000007Z", "乙")))
    case = Case.parse(SET, declared())
    assert screen(value, case) == ()
    wider = case.with_bidders([{"code": "91110108MA0000007Z", "name": "乙", "persons": []}])
    assert {finding.code for finding in screen(value, wider)} == {"A3", "A5"}
    assert all(finding.evidence for finding in screen(value, wider))


@pytest.mark.parametrize(
    "changes",
    [
        {"regime": "X"},
        {"bidders": "x"},
        {"evaluation_from": "soon"},
        {"groups": [1]},
        {"parties": [{"code": "", "name": "", "role": "king"}]},
        {"more": 1},
    ],
)
def test_malformed_declarations_are_refused_with_their_place(changes):
    with pytest.raises(Refused) as refused:
        Case.parse(SET, declared(**changes))
    assert refused.value.place
