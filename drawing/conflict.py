"""Conflict of interest: which rule keeps an expert out, and on which evidence (docs/spec/conflict.md; the law in docs/rules.md).

A rule is a code and a function over one record. Which rules apply and how far they look back comes from the committed rule set, parties and
bidders from the committed declarations; both are indexed once, so that half a million records are a matter of dictionary look-ups. Evidence
is private text: a public event holds codes and counts only.

Declarations (canonical JSON, private): {"bidders":[{"code","name","persons":[{"id_number","name","role"}]}], "declared":[{"id_number",
"kind","reason"}], "evaluation_from":"YYYY-MM-DD", "evaluation_to", "groups":[[credit code, …]], "groups_checked":bool,
"parties":[{"code","name","role"}], "regime":"ZTB"|"ZFCG"}. Roles and kinds: PARTY_ROLES, DECLARED_KINDS. A code or number that is not
known is "". A person of a bidder is one whose main person or natural person he is; the group list is symmetric and not transitive.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drawing.canonical import loads
from drawing.errors import Refused
from drawing.model import choice, flag, read_object, whole

MAX_FILE = 8 << 20
DECLARED_KINDS = {"other_relation": "A9", "supplier_application": "A11", "void_committee": "A12", "chat_group": "A13"}
OWN = ("tenderer", "purchaser")
AUTHORITIES = ("competent_department", "supervision")
HELPERS = ("agency", "designer", "supervisor_of_works", "other")
PARTY_ROLES = (*OWN, *HELPERS, *AUTHORITIES)
_DROPPED = re.compile(r"[\s　()（）\[\]【】〔〕·.,，。、\-—_\"'“”‘’]+")


def normal_name(name: str) -> str:
    """A unit's name for comparison: NFKC, upper case, without brackets, spaces and punctuation.

    Legal forms stay: 甲有限公司 and 甲股份有限公司 may be two units. Only 有限责任公司 is written 有限公司, which is the same form.
    """
    return _DROPPED.sub("", unicodedata.normalize("NFKC", name)).upper().replace("有限责任公司", "有限公司")


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that keeps an expert out, and the private evidence."""

    code: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A party or bidder as the record's units are compared with it."""

    code: str
    name: str
    role: str


Find = Callable[[dict[str, Any], "Case"], Iterable[str]]  # yields evidence; nothing means no conflict


@dataclass(frozen=True, slots=True)
class Rule:
    """How a conflict is found in a record. Where the field `needs` is empty there is nothing to find; "" asks always."""

    find: Find
    needs: str = ""
    looks_back: bool = False


@dataclass(frozen=True)
class Index:
    """Units by credit code and by normalised name. A name decides only where a code is missing on one side."""

    by_code: Mapping[str, Unit] = field(default_factory=dict)
    by_name: Mapping[str, Unit] = field(default_factory=dict)
    without_code: Mapping[str, Unit] = field(default_factory=dict)  # by normalised name

    def find(self, code: str, name: str) -> Unit | None:
        if code:
            found = self.by_code.get(code)
            return found if found is not None or not self.without_code else self.without_code.get(normal_name(name))
        return self.by_name.get(normal_name(name)) if name and self.by_name else None


Groups = Mapping[str, list[tuple[str, ...]]]  # credit code -> the groups it is in


def _index(units: Iterable[Unit], groups: Groups) -> Index:
    """Units findable by their own code, then by the codes of their groups: a unit's own code never leads to its sister."""
    known = list(units)
    by_code: dict[str, Unit] = {}
    by_name: dict[str, Unit] = {}
    without_code: dict[str, Unit] = {}
    for unit in known:
        name = normal_name(unit.name)
        if name:
            by_name.setdefault(name, unit)
            if not unit.code:
                without_code.setdefault(name, unit)
        if unit.code:
            by_code.setdefault(unit.code, unit)
    seen: set[int] = set()  # a group is entered once, under its first unit: five hundred bidders of one huge group cost no more than one
    for unit in known:
        for group in groups.get(unit.code, ()) if unit.code else ():
            if id(group) not in seen:
                seen.add(id(group))
                for code in group:
                    by_code.setdefault(code, unit)
    return Index(by_code, by_name, without_code)


@dataclass(frozen=True)
class Case:
    """What experts are compared with: declarations and rule set, indexed once."""

    regime: str
    steps: tuple[tuple[str, Find, str], ...]  # (code, rule, the record's field without which it finds nothing) in the rule set's order
    since: Mapping[str, str]  # code -> the first day that it looks back to
    evaluation_from: str
    evaluation_to: str
    parties: tuple[Unit, ...]
    bidders: tuple[Unit, ...]
    persons: Mapping[str, str]  # ID number of a bidder's person -> role
    declared: Mapping[str, tuple[str, ...]]  # ID number -> rule codes
    groups: Groups
    groups_checked: bool
    bidder_index: Index
    own_index: Index
    authority_index: Index
    helper_index: Index

    @classmethod
    def parse(cls, rule_set: bytes, declarations: bytes) -> Case:
        """From the canonical bytes of both. Raises Refused with the place."""
        rules = _read_rules(loads(rule_set, place="rule_set", max_bytes=MAX_FILE, text=True))
        value = read_object(
            loads(declarations, place="declarations", max_bytes=MAX_FILE, text=True),
            "declarations",
            {"bidders", "declared", "evaluation_from", "evaluation_to", "groups", "groups_checked", "parties", "regime"},
        )
        groups: dict[str, list[tuple[str, ...]]] = {}
        for number, group in enumerate(_list(value["groups"], "declarations.groups")):
            codes = tuple(_text(code, f"declarations.groups[{number}]") for code in _list(group, f"declarations.groups[{number}]"))
            for code in dict.fromkeys(codes):
                groups.setdefault(code, []).append(codes)
        parties = tuple(
            _party(each, f"declarations.parties[{n}]") for n, each in enumerate(_list(value["parties"], "declarations.parties"))
        )
        declared: dict[str, tuple[str, ...]] = {}
        for number, each in enumerate(_list(value["declared"], "declarations.declared")):
            place = f"declarations.declared[{number}]"
            got = read_object(each, place, {"id_number", "kind", "reason"})
            kind = choice(*DECLARED_KINDS).read(got["kind"], place)
            person = _text(got["id_number"], place)
            declared[person] = (*declared.get(person, ()), DECLARED_KINDS[kind])
        first = _day(value["evaluation_from"], "declarations.evaluation_from")
        last = _day(value["evaluation_to"], "declarations.evaluation_to")
        if last < first:
            raise Refused("days_disordered", "declarations.evaluation_to")
        silent = () if declared else tuple(DECLARED_KINDS.values())
        case = cls(
            regime=choice("ZTB", "ZFCG").read(value["regime"], "declarations.regime"),
            steps=tuple((code, RULES[code].find, RULES[code].needs) for code in rules if code not in silent),
            since={code: f"{int(first[:4]) - years:04d}{first[4:]}" for code, years in rules.items()},
            evaluation_from=first,
            evaluation_to=last,
            parties=parties,
            bidders=(),
            persons={},
            declared=declared,
            groups=groups,
            groups_checked=flag.read(value["groups_checked"], "declarations.groups_checked"),
            bidder_index=Index(),
            own_index=_index((unit for unit in parties if unit.role in OWN), groups),
            authority_index=_index((unit for unit in parties if unit.role in AUTHORITIES), groups),
            helper_index=_index((unit for unit in parties if unit.role in HELPERS), groups),
        )
        return case.with_bidders(value["bidders"])

    def with_bidders(self, bidders: Any) -> Case:
        """The same case with (more) bidders, from their JSON list. Raises Refused."""
        units, persons = list(self.bidders), dict(self.persons)
        for number, each in enumerate(_list(bidders, "bidders")):
            place = f"bidders[{number}]"
            got = read_object(each, place, {"code", "name", "persons"})
            units.append(Unit(_text(got["code"], place), _text(got["name"], place), "bidder"))
            for person in _list(got["persons"], place):
                its = read_object(person, place, {"id_number", "name", "role"})
                if its["id_number"]:
                    persons[_text(its["id_number"], place)] = _text(its["role"], place)
        return replace(self, bidders=tuple(units), persons=persons, bidder_index=_index(units, self.groups))


def _read_rules(value: Any) -> dict[str, int]:
    """The conflict rules of a rule set in its order: code -> years of look-back. Other keys are for people and for the request's check."""
    if not isinstance(value, dict) or not isinstance(value.get("conflict"), list):
        raise Refused("bad_rule_set", "rule_set")
    rules: dict[str, int] = {}
    for number, each in enumerate(value["conflict"]):
        place = f"rule_set.conflict[{number}]"
        code = each.get("code") if isinstance(each, dict) else None
        if not isinstance(code, str) or code not in RULES or code in rules:
            raise Refused("bad_rule_set", place)
        parameters = read_object(each.get("parameters"), f"{place}.parameters", {"years"} if RULES[code].looks_back else set())
        # Compared as text, so 29 February needs no care: three years before it lies between the 28th and the 1st.
        rules[code] = whole(0, 100).read(parameters.get("years", 0), f"{place}.parameters.years")
    return rules


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > 100_000:
        raise Refused("not_a_list", place)
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > 500:
        raise Refused("not_text", place)
    return value


def _day(value: Any, place: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", value, re.ASCII):
        raise Refused("not_a_date", place)
    return value


def _party(value: Any, place: str) -> Unit:
    got = read_object(value, place, {"code", "name", "role"})
    return Unit(_text(got["code"], place), _text(got["name"], place), choice(*PARTY_ROLES).read(got["role"], place))


# The rules ------------------------------------------------------------------------------------------------------------------------------


def screen(record: dict[str, Any], case: Case) -> tuple[Finding, ...]:
    """Every rule of the case that keeps this expert out, with evidence, in the order of the rule set."""
    return tuple(
        Finding(code, evidence) for code, find, needs in case.steps if not needs or record[needs] for evidence in find(record, case)
    )


def _employments(record: dict[str, Any], since: str) -> Iterator[tuple[str, str, str]]:
    """(code, name, until) of the present employer and of every former one left on or after a day."""
    employer = record["employer"]
    yield employer["code"], employer["name"], ""
    for job in record["work"]:
        if not job["to"] or job["to"] >= since:
            yield job["code"], job["name"], job["to"]


def _units_since(entries: Iterable[dict[str, Any]], since: str) -> Iterator[dict[str, Any]]:
    return (each for each in entries if not each["to"] or each["to"] >= since)


def _a1(record: dict[str, Any], case: Case) -> Iterator[str]:
    """12号令 Art. 12(1): the expert is a bidder, or a near relative of a bidder or of its main person."""
    if record["id_number"] in case.persons:
        yield f"person of a bidder: {case.persons[record['id_number']]}"
    yield from _relatives(record, case, {"spouse", "lineal", "collateral"})


def _a8(record: dict[str, Any], case: Case) -> Iterator[str]:
    """政府采购法实施条例 Art. 9(4): spouse, lineal, collateral within three generations, near in-laws of a supplier's main person."""
    yield from _relatives(record, case, {"spouse", "lineal", "collateral", "in_law"})


def _relatives(record: dict[str, Any], case: Case, relations: set[str]) -> Iterator[str]:
    for each in record["relatives"]:
        if each["relation"] in relations and each["role"] in ("legal_representative", "person_in_charge"):
            unit = case.bidder_index.find(each["code"], each["employer"])
            if unit is not None:
                yield f"relative ({each['relation']}) is {each['role']} of {unit.name}"


def _a2(record: dict[str, Any], case: Case) -> Iterator[str]:
    """12号令 Art. 12(2), 实施条例 Art. 46: staff of the competent department or of the supervision body."""
    employer = record["employer"]
    unit = case.authority_index.find(employer["code"], employer["name"])
    if unit is not None:
        yield f"works at {unit.name} ({unit.role})"
    for name in record["supervisor_of"]:
        unit = case.authority_index.find("", name) or case.own_index.find("", name) or case.helper_index.find("", name)
        if unit is not None:
            yield f"supervises {unit.name}"


def _a3(record: dict[str, Any], case: Case) -> Iterator[str]:
    """12号令 Art. 12(3): an economic interest with a bidder: any share held, employment now, directorship now, a relative on its staff."""
    for each in record["shareholdings"]:
        unit = case.bidder_index.find(each["code"], each["name"])
        if unit is not None and not each["to"]:
            yield f"holds shares of {unit.name}"
    for each in record["directorships"]:
        unit = case.bidder_index.find(each["code"], each["name"])
        if unit is not None and not each["to"]:
            yield f"{each['role']} of {unit.name}"
    employer = record["employer"]
    unit = case.bidder_index.find(employer["code"], employer["name"])
    if unit is not None:
        yield f"works at {unit.name}"
    for each in record["relatives"]:
        if each["relation"] in ("spouse", "lineal"):
            unit = case.bidder_index.find(each["code"], each["employer"])
            if unit is not None:
                yield f"relative ({each['relation']}) at {unit.name}"


def _a4(record: dict[str, Any], case: Case) -> Iterator[str]:
    """12号令 Art. 12(4): punished for misconduct in tendering; the law states no time limit."""
    for each in record["punished"]:
        yield f"punished {each['date']}"


def _a5(record: dict[str, Any], case: Case) -> Iterator[str]:
    """政府采购法实施条例 Art. 9(1): employed by a supplier within the years before the procurement."""
    for code, name, until in _employments(record, case.since["A5"]):
        unit = case.bidder_index.find(code, name)
        if unit is not None:
            yield f"employed by {unit.name} until {until or 'now'}"


def _a6(record: dict[str, Any], case: Case) -> Iterator[str]:
    """政府采购法实施条例 Art. 9(2): director or supervisor of a supplier within the years before, or named as a main person of one."""
    if record["id_number"] in case.persons:
        yield f"person of a bidder: {case.persons[record['id_number']]}"
    for each in _units_since(record["directorships"], case.since["A6"]):
        unit = case.bidder_index.find(each["code"], each["name"])
        if unit is not None:
            yield f"{each['role']} of {unit.name} until {each['to'] or 'now'}"


def _a7(record: dict[str, Any], case: Case) -> Iterator[str]:
    """政府采购法实施条例 Art. 9(3): controlling shareholder or actual controller of a supplier within the years before."""
    for each in _units_since(record["shareholdings"], case.since["A7"]):
        unit = case.bidder_index.find(each["code"], each["name"])
        if unit is not None and each["controlling"]:
            yield f"controls {unit.name} until {each['to'] or 'now'}"


def _declared(code: str) -> Find:
    def rule(record: dict[str, Any], case: Case) -> Iterator[str]:
        if code in case.declared.get(record["id_number"], ()):
            yield "declared before the draw"

    rule.__doc__ = f"Declared for this person before the draw ({code}); see DECLARED_KINDS."
    return rule


def _a10(record: dict[str, Any], case: Case) -> Iterator[str]:
    """87号令 Art. 47: nobody evaluates as an expert for a project of the own unit."""
    employer = record["employer"]
    unit = case.own_index.find(employer["code"], employer["name"])
    if unit is not None:
        yield f"works at {unit.name} ({unit.role})"


def _c9(record: dict[str, Any], case: Case) -> Iterator[str]:
    """87号令 Art. 47: staff of the agency do not sit in a project that it runs; nor do those of designer and site supervisor."""
    employer = record["employer"]
    unit = case.helper_index.find(employer["code"], employer["name"])
    if unit is not None:
        yield f"works at {unit.name} ({unit.role})"


def _h1(record: dict[str, Any], case: Case) -> Iterator[str]:
    """The expert's own avoidance units."""
    for each in record["avoid"]:
        for index in (case.bidder_index, case.own_index, case.authority_index, case.helper_index):
            unit = index.find(each["code"], each["name"])
            if unit is not None:
                yield f"avoids {unit.name}"


def _overlapping(entries: Iterable[dict[str, Any]], case: Case) -> Iterator[str]:
    for each in entries:
        if each["from"] <= case.evaluation_to and (not each["to"] or each["to"] >= case.evaluation_from):
            yield f"{each['from']} to {each['to'] or 'open'}"


def _h2(record: dict[str, Any], case: Case) -> Iterator[str]:
    """Suspended on the days of the evaluation."""
    return _overlapping(record["suspensions"], case)


def _h3(record: dict[str, Any], case: Case) -> Iterator[str]:
    """On leave on the days of the evaluation."""
    return _overlapping(record["leave"], case)


def _h4(record: dict[str, Any], case: Case) -> Iterator[str]:
    """Already engaged for another evaluation on these days."""
    return _overlapping(record["engagements"], case)


def _h5(record: dict[str, Any], case: Case) -> Iterator[str]:
    """Not an active member of the library."""
    if record["status"] != "active":
        yield f"status {record['status']}"


RULES: Mapping[str, Rule] = {
    "A1": Rule(_a1),
    "A2": Rule(_a2),
    "A3": Rule(_a3),
    "A4": Rule(_a4, "punished"),
    "A5": Rule(_a5, looks_back=True),
    "A6": Rule(_a6, looks_back=True),
    "A7": Rule(_a7, "shareholdings", looks_back=True),
    "A8": Rule(_a8, "relatives"),
    "A9": Rule(_declared("A9")),
    "A10": Rule(_a10),
    "A11": Rule(_declared("A11")),
    "A12": Rule(_declared("A12")),
    "A13": Rule(_declared("A13")),
    "C9": Rule(_c9),
    "H1": Rule(_h1, "avoid"),
    "H2": Rule(_h2, "suspensions"),
    "H3": Rule(_h3, "leave"),
    "H4": Rule(_h4, "engagements"),
    "H5": Rule(_h5),
}
