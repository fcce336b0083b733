"""A request for a draw: one TOML file (docs/request.md), read strictly, checked against the law with all failures at once.

Reading refuses what is malformed; `check` lists what is unlawful, each failure with its rule and article. What the request says becomes the
public plan and the private declarations; a relative time ("+40m", "+3 workdays 09:00") is resolved once, against the moment of reading.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from drawing.canonical import dumps
from drawing.conflict import DECLARED_KINDS, PARTY_ROLES
from drawing.errors import Refused
from drawing.events import FAIR, MAX_SLOTS, METHODS
from server.files import read_bounded
from server.library.codes import is_id_number, is_profession, is_region, is_uscc
from server.rules import RuleSet, RuleText, rules_of
from server.workdays import SHANGHAI, local, workdays_after, workdays_before

MAX_FILE = 256 << 10
MAX_GROUPS = 1 << 20  # some fifty thousand companies
MAX_LINE = 4_000  # a key of many dotted parts costs tomllib the square of its length; lines of people are far shorter
PROCEDURES = {"ZTB": ("open", "invited", "prequalification"), "ZFCG": ("open", "invited", "negotiation", "inquiry", "consultation")}
_REQUIRED = object()

# What a request may hold: section -> key -> (kind, default). A list of sections is marked with [].
_SHAPE: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "": {"regime": ("text", _REQUIRED), "state_secret": ("flag", False)},
    "project": {
        "number": ("text", _REQUIRED),
        "name": ("text", _REQUIRED),
        "section": ("text", "1"),
        "procedure": ("text", "open"),
        "kind": ("text", "works"),
        "sector": ("text", ""),
        "budget_yuan": ("whole", _REQUIRED),
        "complex": ("flag", False),
        "social_impact": ("flag", False),
        "responsible": ("text", _REQUIRED),
    },
    "pool": {"source": ("text", _REQUIRED), "legal_ground": ("text", _REQUIRED)},
    "evaluation": {"starts": ("time", _REQUIRED), "days": ("whole", 1), "remote": ("flag", False)},
    "unsealing": {"minutes_before": ("whole", 60), "supervisors": ("whole", 2)},
    "replies": {"window_minutes": ("whole", 15), "leave_hours": ("whole", 24)},
    "lot": {"method": ("text", FAIR), "beacon": ("text", ""), "beacon_minutes": ("whole", 10)},
    "committee": {"representatives": ("whole", 0), "chair": ("text", "elected")},
    "limits": {
        "recent_days": ("whole", 90),
        "recent_max": ("whole", 40),
        "regions": ("texts", ()),
        "region_reason": ("text", ""),
    },
    "groups": {"file": ("text", "")},
    "parties[]": {"role": ("text", _REQUIRED), "name": ("text", _REQUIRED), "code": ("text", "")},
    "bidders[]": {"name": ("text", _REQUIRED), "code": ("text", ""), "persons": ("persons", ())},
    "declared[]": {"id_number": ("text", _REQUIRED), "kind": ("text", _REQUIRED), "reason": ("text", _REQUIRED)},
    "sites[]": {"id": ("text", _REQUIRED), "areas": ("texts", _REQUIRED), "required": ("flag", True)},
    "seats[]": {
        "professions": ("texts", _REQUIRED),
        "count": ("whole", _REQUIRED),
        "reserves": ("whole", 0),
        "site": ("text", ""),
        "main_only": ("flag", False),
    },
    "widen[]": {
        "seat": ("whole", -1),
        "professions": ("texts", ()),
        "any_site": ("flag", False),
        "any_region": ("flag", False),
        "recent_max": ("whole", -1),
        "reason": ("text", _REQUIRED),
    },
}
_MOST_IN_LIST = {"sites": 8, "seats": 40, "widen": 20, "parties": 50, "bidders": 500, "declared": 5000}
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", re.ASCII)
_ABSOLUTE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+08:00)?", re.ASCII)
_RELATIVE = re.compile(r"\+(\d{1,4})(m|h)|\+(\d{1,3}) workdays (\d\d):(\d\d)", re.ASCII)


def is_identifier(text: str) -> bool:
    """What a section or a site may be called."""
    return _IDENTIFIER.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that the request breaks: the rule with its article, and what was found."""

    rule: RuleText
    found: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A request that could be read. `values` holds the sections with all defaults filled in."""

    values: Mapping[str, Any]
    rules: RuleSet  # in force on the day of reading
    evaluation_at: int
    groups: tuple[tuple[str, ...], ...] | None
    digest: bytes = field(default=b"")

    # What the draw takes from it ---------------------------------------------------------------------------------------------------

    @property
    def regime(self) -> str:
        return str(self.values[""]["regime"])

    @property
    def number(self) -> str:
        return str(self.values["project"]["number"])

    @property
    def section(self) -> str:
        return str(self.values["project"]["section"])

    @property
    def method(self) -> str:
        return str(self.values["lot"]["method"])

    @property
    def beacon(self) -> str:
        """The kind of beacon that is asked for; "" leaves it to the key list."""
        return str(self.values["lot"]["beacon"])

    @property
    def beacon_seconds(self) -> int:
        """How long after everything is fixed the beacon's round lies."""
        return 60 * int(self.values["lot"]["beacon_minutes"])

    @property
    def reply_window(self) -> int:
        return 60 * int(self.values["replies"]["window_minutes"])

    @property
    def leave_hours(self) -> int:
        """Until so many hours before the evaluation somebody who accepted may say that they cannot come after all."""
        return int(self.values["replies"]["leave_hours"])

    @property
    def unseal_threshold(self) -> int:
        return int(self.values["unsealing"]["supervisors"])

    @property
    def unseal_not_before(self) -> int:
        return self.evaluation_at - 60 * int(self.values["unsealing"]["minutes_before"])

    @property
    def ladder_steps(self) -> int:
        return len(self.values["widen"])

    def rule_set(self) -> tuple[str, str, bytes]:
        """(id, version, canonical bytes) of the rules that screen."""
        return self.rules.id, self.rules.version, self.rules.data

    def plan(self) -> dict[str, Any]:
        """The public plan, as `drawing.events.Plan` reads it."""
        limits = self.values["limits"]
        seats = [{**seat, "professions": list(seat["professions"])} for seat in self.values["seats"]]
        sites = [{**site, "areas": list(site["areas"])} for site in self.values["sites"]]
        return {
            "recent_days": limits["recent_days"],
            "recent_max": min(limits["recent_max"], 40),
            "regions": list(limits["regions"]),
            "representatives": self.values["committee"]["representatives"],
            "seats": seats,
            "sites": sites,
        }

    def widened_plan(self, step: int) -> dict[str, Any]:
        """The plan after the first `step + 1` steps of the widening ladder."""
        plan = self.plan()
        for rung in self.values["widen"][: step + 1]:
            if rung["any_region"]:
                plan["regions"] = []
            if rung["recent_max"] >= 0:
                plan["recent_max"] = max(plan["recent_max"], rung["recent_max"])
            for number, seat in enumerate(plan["seats"]):
                if rung["seat"] in (-1, number):
                    if rung["professions"] and rung["seat"] == number:
                        seat["professions"] = sorted({*seat["professions"], *rung["professions"]})
                    if rung["any_site"]:
                        seat["site"] = ""
        return plan

    def ladder_reason(self, step: int) -> str:
        """Why the plan may be widened so far."""
        return str(self.values["widen"][step]["reason"])

    def declarations(self) -> bytes:
        """The private declarations, as `drawing.conflict.Case` reads them."""
        first = local(self.evaluation_at).date()
        last = first + timedelta(days=self.values["evaluation"]["days"] - 1)
        return dumps(
            {
                "bidders": [{**each, "persons": [dict(person) for person in each["persons"]]} for each in self.values["bidders"]],
                "declared": [dict(each) for each in self.values["declared"]],
                "evaluation_from": first.isoformat(),
                "evaluation_to": last.isoformat(),
                "groups": [list(group) for group in self.groups or ()],
                "groups_checked": self.groups is not None,
                "parties": [dict(each) for each in self.values["parties"]],
                "regime": self.regime,
            },
            text=True,
        )

    # What the law says about it ----------------------------------------------------------------------------------------------------

    def check(self, now: int) -> list[Failure]:
        """Every rule that the request breaks at this moment (Unix seconds), in the order of the rule set."""
        rules = self.rules.request
        found = [(code, details) for code, details in _failures(self, rules, now) if code in rules]
        order = list(rules)
        return [Failure(rules[code], details) for code, details in sorted(found, key=lambda each: order.index(each[0]))]


def _failures(request: Request, rules: Mapping[str, RuleText], now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    values = request.values
    project, committee = values["project"], values["committee"]
    experts = sum(seat["count"] for seat in values["seats"])
    members = experts + committee["representatives"]
    size = {"members": members, "experts": experts}
    for code, least in _least_members(request, rules):
        if members < least or members % 2 == 0 or 3 * experts < 2 * members:
            yield code, {**size, "least": least, "least_experts": -(-2 * members // 3)}
    legal = any(code.startswith("C06") for seat in values["seats"] for code in seat["professions"])
    if "C6" in rules and project["procedure"] in ("negotiation", "consultation") and project["complex"] and not legal:
        yield "C6", {"missing": "C06"}
    if "C8" in rules and committee["chair"] != "elected":
        yield "C8", {"chair": committee["chair"]}
    roles = {party["role"] for party in values["parties"]}
    if "C11" in rules and not roles & {"supervision", "competent_department"}:
        yield "C11", {"missing": "parties.role = supervision"}
    if not roles & {"tenderer", "purchaser"}:
        yield "D1", {"missing": "parties.role = tenderer / purchaser"}
    if values["limits"]["regions"] and not values["limits"]["region_reason"]:
        yield "D9", {"missing": "limits.region_reason"}
    if "D5" in rules and project["procedure"] not in ("negotiation", "consultation") and not values["evaluation"]["remote"]:
        first = workdays_before(local(request.evaluation_at).date(), rules["D5"].parameters["workdays"])
        if local(now).date() < first:
            yield "D5", {"earliest": first.isoformat()}
    if request.evaluation_at <= now:
        yield "D6" if "D6" in rules else "H6", {"evaluation": local(request.evaluation_at).isoformat()}


def _least_members(request: Request, rules: Mapping[str, RuleText]) -> Iterator[tuple[str, int]]:
    """The rules on size that apply, with the smallest lawful committee."""
    project = request.values["project"]
    if request.regime == "ZTB":
        yield "C13" if project["procedure"] == "prequalification" else "C1", rules["C1"].parameters["least"]
        if project["sector"] == "water":
            yield "C2", rules["C2"].parameters["least"]
        return
    parameters = {code: rules[code].parameters for code in ("C3", "C4", "C5", "C6")}
    if project["procedure"] in ("open", "invited"):
        large = project["budget_yuan"] >= parameters["C3"]["large_yuan"] or project["complex"] or project["social_impact"]
        yield "C3", parameters["C3"]["least_large" if large else "least"]
    elif project["procedure"] == "consultation":
        yield "C6", parameters["C6"]["least"]
    else:
        yield "C4", parameters["C4"]["least"]
        threshold = parameters["C5"]["threshold_works_yuan" if project["kind"] == "works" else "threshold_yuan"]
        if project["budget_yuan"] >= threshold:
            yield "C5", parameters["C5"]["least"]


# Reading --------------------------------------------------------------------------------------------------------------------------------


def read_request(path: Path, now: int) -> Request:
    """A request file. `now` (Unix seconds) resolves relative times. Raises Refused with the place and the remedy."""
    return parse_request(read_bounded(path, MAX_FILE), path.name, now, path)


def parse_request(data: bytes, place: str, now: int, path: Path | None = None) -> Request:
    """The same from its bytes; a file of groups is looked for beside `path`, and refused without one."""
    try:
        text = data.decode("utf-8")
        longest = max(range(len(lines := text.split("\n"))), key=lambda n: len(lines[n]))
        if len(lines[longest]) > MAX_LINE:
            raise Refused("line_too_long", f"{place} line {longest + 1}", most=MAX_LINE)
        raw = tomllib.loads(text)
    except UnicodeDecodeError as wrong:
        raise Refused("not_utf8", place, position=wrong.start) from None
    except (ValueError, RecursionError) as wrong:  # ValueError: TOMLDecodeError, and integers beyond any use
        raise Refused("not_toml", place, why=str(wrong)[:200]) from None
    return request_of(raw, sha256(data), now, path)


def request_of(raw: dict[str, Any], hashed: Any, now: int, path: Path | None = None) -> Request:
    """A request from its sections, however they were written down; `hashed` is the hash that its digest goes on from."""
    values = _read_sections(raw)
    if values[""]["state_secret"]:
        raise Refused("state_secret", "request.state_secret")
    _check_values(values)
    if values["groups"]["file"] and path is None:
        raise Refused("groups_not_here", "request.groups.file")
    groups = _read_groups(path, values["groups"]["file"]) if path is not None else None
    if groups is not None:
        hashed.update(dumps([list(group) for group in groups], text=True))
    rules = rules_of(values[""]["regime"], local(now).date().isoformat())
    return Request(values, rules, _moment(values["evaluation"]["starts"], now), groups, hashed.digest())


def _read_sections(raw: dict[str, Any]) -> dict[str, Any]:
    names = {name.removesuffix("[]"): name for name in _SHAPE if name}
    for key in raw:
        if key not in names and key not in _SHAPE[""]:
            raise Refused("unknown_key", f"request.{key}", near=_near(key, [*names, *_SHAPE[""]]))
    values: dict[str, Any] = {"": _read_keys({k: v for k, v in raw.items() if k in _SHAPE[""]}, _SHAPE[""], "request")}
    for plain, name in names.items():
        got = raw.get(plain, [] if name.endswith("[]") else {})
        if name.endswith("[]"):
            if not isinstance(got, list) or len(got) > _MOST_IN_LIST[plain]:
                raise Refused("not_a_list", f"request.{plain}")
            values[plain] = [_read_keys(each, _SHAPE[name], f"request.{plain}[{n}]") for n, each in enumerate(got)]
        else:
            values[plain] = _read_keys(got, _SHAPE[name], f"request.{plain}")
    return values


def _near(key: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(key, known, 1)), ", ".join(known))


def _read_keys(got: Any, shape: Mapping[str, tuple[str, Any]], place: str) -> dict[str, Any]:
    if not isinstance(got, dict):
        raise Refused("not_an_object", place)
    for key in got:
        if key not in shape:
            raise Refused("unknown_key", f"{place}.{key}", near=_near(key, list(shape)))
    out = {}
    for key, (kind, default) in shape.items():
        if key not in got:
            if default is _REQUIRED:
                raise Refused("missing_key", f"{place}.{key}")
            out[key] = default
        else:
            out[key] = _KINDS[kind](got[key], f"{place}.{key}")
            if default is _REQUIRED and out[key] in ("", ()):
                raise Refused("missing_key", f"{place}.{key}")
    return out


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise Refused("not_text", place)
    clean = unicodedata.normalize("NFKC", value).strip()
    if len(clean) > 300 or any(unicodedata.category(c).startswith("C") for c in clean):
        raise Refused("bad_characters", place)
    return clean


def _time(value: Any, place: str) -> str:
    """A text, or TOML's own date-time; `_moment` says what it means."""
    return value.isoformat() if isinstance(value, datetime) else _text(value, place)


def _flag(value: Any, place: str) -> bool:
    if type(value) is not bool:
        raise Refused("not_a_boolean", place)
    return value


def _whole(value: Any, place: str) -> int:
    if type(value) is not int:
        raise Refused("not_an_integer", place)
    if not -1 <= value <= 10**13:
        raise Refused("out_of_range", place, least=0, most=10**13)
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 40:
        raise Refused("not_a_list", place)
    return tuple(_text(each, f"{place}[{n}]") for n, each in enumerate(value))


def _persons(value: Any, place: str) -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or len(value) > 200:
        raise Refused("not_a_list", place)
    shape = {"name": ("text", _REQUIRED), "role": ("text", "person_in_charge"), "id_number": ("text", "")}
    return tuple(_read_keys(each, shape, f"{place}[{n}]") for n, each in enumerate(value))


_KINDS: Mapping[str, Any] = {"text": _text, "time": _time, "flag": _flag, "whole": _whole, "texts": _texts, "persons": _persons}


def _check_values(values: dict[str, Any]) -> None:
    """What no rule of law decides: known words and codes, ranges, names that refer to each other."""
    regime = values[""]["regime"]
    rules_of(regime)
    _one_of(values["project"]["procedure"], PROCEDURES[regime], "request.project.procedure")
    _one_of(values["project"]["kind"], ("works", "goods", "services"), "request.project.kind")
    _one_of(values["project"]["sector"], ("", "water"), "request.project.sector")
    _one_of(values["lot"]["method"], METHODS, "request.lot.method")
    _one_of(values["lot"]["beacon"], ("", "none", "local", "drand"), "request.lot.beacon")
    _one_of(values["committee"]["chair"], ("elected", "named", "representative"), "request.committee.chair")
    if not is_identifier(values["project"]["section"]):
        raise Refused("not_an_identifier", "request.project.section")
    for place, least, most in (
        ("evaluation.days", 1, 60),
        ("unsealing.minutes_before", 0, 1440),
        ("unsealing.supervisors", 1, 20),
        ("replies.window_minutes", 1, 1440),
        ("replies.leave_hours", 0, 720),
        ("lot.beacon_minutes", 4, 10_080),
        ("committee.representatives", 0, 20),
        ("limits.recent_days", 0, 3650),
        ("limits.recent_max", 0, 40),
        ("project.budget_yuan", 0, 10**13),
    ):
        section, key = place.split(".")
        _within(values[section][key], least, most, f"request.{place}")
    if not values["seats"]:
        raise Refused("missing_key", "request.seats")
    for number, party in enumerate(values["parties"]):
        _one_of(party["role"], PARTY_ROLES, f"request.parties[{number}].role")
    for kind in ("parties", "bidders"):
        for number, unit in enumerate(values[kind]):
            if unit["code"] and not is_uscc(unit["code"]):
                raise Refused("bad_credit_code", f"request.{kind}[{number}].code")
            for each in unit.get("persons", ()):
                each["id_number"] = _id_number(each["id_number"], f"request.{kind}[{number}].persons")
    for number, each in enumerate(values["declared"]):
        each["id_number"] = _id_number(each["id_number"], f"request.declared[{number}].id_number")
        _one_of(each["kind"], tuple(DECLARED_KINDS), f"request.declared[{number}].kind")
    site_ids = [site["id"] for site in values["sites"]]
    for number, site in enumerate(values["sites"]):
        if not _IDENTIFIER.fullmatch(site["id"]) or site_ids.count(site["id"]) > 1:
            raise Refused("not_an_identifier", f"request.sites[{number}].id")
        for code in site["areas"]:
            if not re.fullmatch(r"[0-9]{2}([0-9]{2}){0,2}", code, re.ASCII):
                raise Refused("bad_region_code", f"request.sites[{number}].areas", value=code)
    for number, seat in enumerate(values["seats"]):
        place = f"request.seats[{number}]"
        _within(seat["count"], 1, 40, f"{place}.count")
        _within(seat["reserves"], 0, 40, f"{place}.reserves")
        if seat["site"] and seat["site"] not in site_ids:
            raise Refused("unknown_site", f"{place}.site", site=seat["site"])
        _professions(seat["professions"], f"{place}.professions")
        seat["professions"] = tuple(sorted(set(seat["professions"])))
    _within(sum(seat["count"] + seat["reserves"] for seat in values["seats"]), 1, MAX_SLOTS, "request.seats")
    for code in values["limits"]["regions"]:
        if not is_region(code):
            raise Refused("bad_region_code", "request.limits.regions", value=code)
    for number, rung in enumerate(values["widen"]):
        _within(rung["seat"], -1, len(values["seats"]) - 1, f"request.widen[{number}].seat")
        _professions(rung["professions"], f"request.widen[{number}].professions")
        if rung["professions"] and rung["seat"] < 0:
            raise Refused("missing_key", f"request.widen[{number}].seat")
        if not (rung["professions"] or rung["any_site"] or rung["any_region"] or rung["recent_max"] > values["limits"]["recent_max"]):
            raise Refused("widens_nothing", f"request.widen[{number}]")


def _id_number(text: str, place: str) -> str:
    """As the library writes it. A mistyped resident's number would silently keep nobody out, so it is refused."""
    number = text.upper()
    if len(number) == 18 and number[:17].isdigit() and not is_id_number(number):
        raise Refused("bad_id_number", place)
    return number


def _one_of(value: str, known: tuple[str, ...], place: str) -> None:
    if value not in known:
        raise Refused("not_a_choice", place, choices=", ".join(each for each in known if each))


def _within(value: int, least: int, most: int, place: str) -> None:
    if not least <= value <= most:
        raise Refused("out_of_range", place, least=least, most=most)


def _professions(codes: tuple[str, ...], place: str) -> None:
    for code in codes:
        if not is_profession(code):
            raise Refused("bad_profession_code", place, value=code)


def _moment(text: str, now: int) -> int:
    """Unix seconds of an ISO local time of Asia/Shanghai or of a relative one."""
    match = _RELATIVE.fullmatch(text)
    if match and match[2]:
        return now + int(match[1]) * (60 if match[2] == "m" else 3600)
    try:
        if match:
            day: date = workdays_after(local(now).date(), int(match[3]))
            moment = datetime(day.year, day.month, day.day, int(match[4]), int(match[5]), tzinfo=SHANGHAI)
        else:
            if not _ABSOLUTE.fullmatch(text):
                raise ValueError
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refused("not_a_time", "request.evaluation.starts", value=text[:40]) from None
    if not 2000 <= moment.year <= 2200:
        raise Refused("not_a_time", "request.evaluation.starts", value=text[:40])
    return int(moment.timestamp())


def _read_groups(request_path: Path, name: str) -> tuple[tuple[str, ...], ...] | None:
    """Groups of companies from a csv in the request's own folder: one group a line, credit codes separated by commas."""
    if not name:
        return None
    if Path(name).name != name or name.startswith("."):
        raise Refused("not_a_plain_file_name", "request.groups.file")
    data = read_bounded(request_path.parent / name, MAX_GROUPS)
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error):
        raise Refused("not_utf8", name, position=0) from None
    groups = []
    for number, row in enumerate(rows, 1):
        codes = tuple(cell.strip() for cell in row if cell.strip())
        for code in codes:
            if not is_uscc(code):
                raise Refused("bad_credit_code", f"{name} line {number}")
        if codes:
            groups.append(codes)
    return tuple(groups)
