"""Why an expert is kept out of a draw: every rule with its text, article and private evidence. For those who may see a person's record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from drawing.conflict import Case, screen
from drawing.days import date_of
from drawing.errors import Refused
from drawing.fair import Type
from drawing.pool import NO_REGION, NO_SEAT, Question
from server.material import read_plan
from server.request import Request
from server.rules import rules_of

OF_THE_PLAN = {
    NO_SEAT: ("所持专业或所在会场不符合任何席位", "holds no profession that a seat asks for, or is at no site that has one"),
    NO_REGION: ("服务地区不符合", "serves none of the regions"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that keeps the expert out."""

    code: str
    zh: str
    en: str
    article: str
    evidence: str


def why(records: Sequence[bytes], request: Request, id_number: str) -> list[Reason]:
    """All reasons; empty for an eligible expert. Raises Refused where nobody has the number."""
    record = next((value for value in map(json.loads, records) if value["id_number"] == id_number), None)
    if record is None:
        raise Refused("no_such_expert", "library")
    rules = rules_of(request.regime)
    reasons = []
    for finding in screen(record, Case.parse(rules.data, request.declarations())):
        text = rules.conflict[finding.code]
        reasons.append(Reason(finding.code, text.zh, text.en, text.article, finding.evidence))
    plan = read_plan(request.plan())
    asked = Question(plan, date_of(request.evaluation_at), date_of(request.evaluation_at, plan.recent_days), weighted=False)
    kind = asked.type_of(record)
    if not isinstance(kind, Type):
        reasons += [Reason(code, *OF_THE_PLAN[code], "申请 / request", "") for code in kind]
    return reasons
