"""Data sets of the exchange between trading, supervision and expert systems, as JSON and as XML: which there are, read strictly and written the same way.

    JSON   {"SET": [{"FIELD": "text", …}, …], …}          XML   <EXCHANGE><SET><FIELD>text</FIELD>…</SET>…</EXCHANGE>

One table, SETS, says which fields a set has and what each may hold; a set or field that it does not know is refused. XML is UTF-8 without a document
type, entities of its own, attributes or instructions, and bounded in size, depth and number: nothing is fetched and nothing grows. The names are those that
running systems use for 《公共资源交易平台系统数据规范》; where the specification that a centre has differs, this table is the one place to change.
No files, clock or network.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from xml.parsers import expat

from drawing.errors import Refused
from server.library.codes import is_region, is_uscc, professions
from server.request import is_identifier
from server.rules import REGIMES

MOST_BYTES = 256 * 1024
MOST_ROWS, MOST_TEXT = 2_000, 300
MOST_SECTIONS, MOST_PARTIES = 40, 40  # of a project: what the form of a request shows
MOST_VERSION = 999_999
MOST_BUDGET = 10**13
ROOT = "EXCHANGE"
Row = Mapping[str, str]
Sets = Mapping[str, Sequence[Row]]
KINDS = {"A": "works", "B": "goods", "C": "services"}  # the first letter of the classification of professions (发改法规〔2018〕316号)
PARTIES = {  # of a request; "5" is a bidder, who comes sealed
    "1": "tenderer",
    "2": "agency",
    "3": "designer",
    "4": "supervision",
    "6": "purchaser",
    "7": "supervisor_of_works",
    "8": "competent_department",
    "9": "other",
}
CONTACT = ("RESPONSIBLE_PERSON", "ADDRESS")  # of a project: personal, and sealed where the service keeps it
BIDDER = "5"
RANDOM = "1"  # 名单确定方式: drawn at random


@dataclass(frozen=True, slots=True)
class Field:
    """What a field is called in Chinese, whether it is needed, and what it may hold."""

    title: str
    needed: bool = False
    good: Callable[[str], bool] = lambda _: True


def _one_of(*values: str) -> Callable[[str], bool]:
    return frozenset(values).__contains__


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15


def _version(text: str) -> bool:
    return _whole(text) and 1 <= int(text) <= MOST_VERSION and not text.startswith("0")


_PROJECT = Field("招标项目编号", needed=True)
_SECTION = Field("标段编号", needed=True, good=is_identifier)
SETS: Mapping[str, Mapping[str, Field]] = {
    "TENDER_PROJECT": {
        "TENDER_PROJECT_CODE": _PROJECT,
        "TENDER_PROJECT_NAME": Field("招标项目名称", needed=True),
        "TENDER_PROJECT_TYPE": Field("招标项目类型", good=_one_of(*KINDS)),
        "UNIFIED_DEAL_CODE": Field("统一交易标识码"),
        "REGION_CODE": Field("行政区划代码", good=is_region),
        "BUDGET": Field("预算金额（元）", good=lambda text: _whole(text) and int(text) <= MOST_BUDGET),
        "REGIME": Field("适用法律", good=_one_of(*REGIMES)),
        "RESPONSIBLE_PERSON": Field("项目负责人"),
        "ADDRESS": Field("联系地址"),
        "VERSION": Field("版本号", good=_version),
    },
    "BID_SECTION": {"TENDER_PROJECT_CODE": _PROJECT, "BID_SECTION_CODE": _SECTION, "BID_SECTION_NAME": Field("标段名称")},
    "AVOID_ENTERPRISE_LIST": {
        "ENTERPRISE_NAME": Field("回避企业名称", needed=True),
        "ENTERPRISE_CODE": Field("统一社会信用代码", good=is_uscc),
        "ENTERPRISE_ROLE": Field("角色", needed=True, good=_one_of(*PARTIES, BIDDER)),
    },
    "EVALUATION_BUILD_APPLY": {
        "TENDER_PROJECT_CODE": _PROJECT,
        "BID_SECTION_CODE": _SECTION,
        "EXTRACT_RULE": Field("抽取规则", needed=True),
        "APPLY_TIME": Field("申请时间", needed=True),
        "EXTRACT_TIME": Field("抽取时间"),
        "DECIDE_MODE": Field("名单确定方式", needed=True, good=_one_of(RANDOM)),
    },
    "T_EXPERT_EXTRACTION": {
        "TENDER_PROJECT_CODE": _PROJECT,
        "BID_SECTION_CODE": _SECTION,
        "EXTRACT_MODE": Field("抽取方式", needed=True, good=_one_of(RANDOM)),
        "EXPERT_NUMBER": Field("人数", needed=True, good=_whole),
        "ACCEPTED_NUMBER": Field("已接受人数", needed=True, good=_whole),
        "RESULT": Field("结果", needed=True),
        "LOG_DIGEST": Field("日志摘要"),
    },
    "EXPERT_MAJOR": {
        "SEAT": Field("席位", needed=True, good=_whole),
        "MAJOR_CODE": Field("参评专业编号", needed=True, good=lambda text: text in professions()),
        "EXPERT_NUMBER": Field("人数", needed=True, good=_whole),
    },
}
INCOMING = frozenset({"TENDER_PROJECT", "BID_SECTION", "AVOID_ENTERPRISE_LIST"})


def read(text: str, form: str, known: frozenset[str] = INCOMING) -> dict[str, list[dict[str, str]]]:
    """The sets of a file; `form` is json or xml. Raises Refused: exchange_too_large, exchange_unreadable, exchange_unsafe, and of a set's place
    exchange_unknown, exchange_missing, exchange_value.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MOST_BYTES:
        raise Refused("exchange_too_large", "text", most=MOST_BYTES)
    found = _of_xml(data) if form == "xml" else _of_json(data)
    if sum(map(len, found.values())) > MOST_ROWS:
        raise Refused("exchange_too_large", "text", most=MOST_ROWS)
    for fault in faults(found, known):
        raise fault
    return plain(found)


def faults(sets: Mapping[str, Sequence[Any]], known: frozenset[str] = INCOMING) -> Iterator[Refused]:
    """Everything that is wrong with single fields of sets, in their order."""
    for name, rows in sets.items():
        for n, each in enumerate(rows):
            yield from _row_faults(name, each, f"{name}[{n}]", known)


def plain(sets: Sets) -> dict[str, list[dict[str, str]]]:
    """Sets without faults in their one form: the table's order, nothing empty, NFKC without spaces at the ends, as requests are read."""
    return {
        name: [{field: _plain(row[field]) for field in fields if _plain(row.get(field, ""))} for row in sets[name]]
        for name, fields in SETS.items()
        if sets.get(name)
    }


def write(sets: Sets, form: str) -> str:
    """The inverse of `read`, for sets of the table."""
    if form == "json":
        return json.dumps(sets, ensure_ascii=False, indent=1)
    out = ['<?xml version="1.0" encoding="UTF-8"?>', f"<{ROOT}>"]
    for name, rows in sets.items():
        for row in rows:
            fields = "".join(f"<{field}>{escape(value, quote=False)}</{field}>" for field, value in row.items())
            out.append(f"<{name}>{fields}</{name}>")
    return "\n".join([*out, f"</{ROOT}>"])


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _row_faults(name: str, value: Any, place: str, known: frozenset[str]) -> Iterator[Refused]:
    fields = SETS.get(name) if name in known else None
    if fields is None or not isinstance(value, dict) or not value.keys() <= fields.keys():
        yield Refused("exchange_unknown", place)
        return
    for field, rule in fields.items():
        found = value.get(field, "")
        where = f"{place}.{field}"
        text = _plain(found) if isinstance(found, str) else "\0"
        if len(text) > MOST_TEXT or not text.isprintable():
            yield Refused("exchange_value", where, title=rule.title)
        elif rule.needed and not text:
            yield Refused("exchange_missing", where, title=rule.title)
        elif text and not rule.good(text):
            yield Refused("exchange_value", where, title=rule.title)


def _of_json(data: bytes) -> dict[str, list[Any]]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused("exchange_unreadable", "text") from None
    if not isinstance(value, dict) or not all(isinstance(rows, list) for rows in value.values()):
        raise Refused("exchange_unreadable", "text")
    return value


# XML --------------------------------------------------------------------------------------------------------------------------------------------


class _Reader:
    """Three levels: the root, a row, a field. Whatever else XML can say stops it."""

    def __init__(self) -> None:
        self.found: dict[str, list[dict[str, str]]] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._row: dict[str, str] = {}
        self._rows = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if attributes or len(self._path) > 3 or self._path[0] != ROOT:
            raise Refused("exchange_unreadable", "text")
        if len(self._path) == 2:
            self._row = {}
            self._rows += 1
            if self._rows > MOST_ROWS:
                raise Refused("exchange_too_large", "text", most=MOST_ROWS)
        self._text = []

    def end(self, name: str) -> None:
        if len(self._path) == 3:
            if name in self._row:
                raise Refused("exchange_unreadable", "text")
            self._row[name] = "".join(self._text)
        elif len(self._path) == 2:
            self.found.setdefault(name, []).append(self._row)
        self._path.pop()
        self._text = []

    def text(self, data: str) -> None:
        if len(self._path) == 3:
            self._text.append(data)
        elif data.strip():
            raise Refused("exchange_unreadable", "text")


def _never(*_: Any) -> int:
    raise Refused("exchange_unsafe", "text")


def _of_xml(data: bytes) -> dict[str, list[dict[str, str]]]:
    reader, parser = _Reader(), expat.ParserCreate("UTF-8")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = reader.start, reader.end, reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = (
        _never  # before anything could grow or be fetched
    )
    parser.ProcessingInstructionHandler = parser.UnparsedEntityDeclHandler = parser.NotationDeclHandler = _never
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise Refused("exchange_unreadable", "text") from None
    return reader.found


# What they mean ---------------------------------------------------------------------------------------------------------------------------------


def bidders_of(sets: Sets) -> list[dict[str, Any]]:
    """The bidders of AVOID_ENTERPRISE_LIST, as a sealed list has them."""
    rows = [row for row in sets.get("AVOID_ENTERPRISE_LIST", ()) if row["ENTERPRISE_ROLE"] == BIDDER]
    return [{"code": row.get("ENTERPRISE_CODE", ""), "name": row["ENTERPRISE_NAME"], "persons": []} for row in rows]


def request_sections(sets: Sets) -> list[dict[str, Any]]:
    """A request begun for each section: what the sets say of it, in the sections of docs/request.md; people fill in the rest.

    Raises Refused: exchange_missing without a project, exchange_bidders where bidders are named, for they come sealed; exchange_value where a section is
    another project's or is there twice, exchange_too_large for more sections or parties than a request has room for.
    """
    projects, enterprises = sets.get("TENDER_PROJECT", ()), sets.get("AVOID_ENTERPRISE_LIST", ())
    if len(projects) != 1:
        raise Refused("exchange_missing", "TENDER_PROJECT", title="招标项目")
    if bidders_of(sets):
        raise Refused("exchange_bidders", "AVOID_ENTERPRISE_LIST")
    for name, most in (("BID_SECTION", MOST_SECTIONS), ("AVOID_ENTERPRISE_LIST", MOST_PARTIES)):
        if len(sets.get(name, ())) > most:
            raise Refused("exchange_too_large", name, most=most)
    project = projects[0]
    made: dict[str, Any] = {"number": project["TENDER_PROJECT_CODE"], "name": project["TENDER_PROJECT_NAME"]}
    if "TENDER_PROJECT_TYPE" in project:
        made["kind"] = KINDS[project["TENDER_PROJECT_TYPE"]]
    if "BUDGET" in project:
        made["budget_yuan"] = int(project["BUDGET"])
    if "RESPONSIBLE_PERSON" in project:
        made["responsible"] = project["RESPONSIBLE_PERSON"]
    parties = [
        {"role": PARTIES[row["ENTERPRISE_ROLE"]], "name": row["ENTERPRISE_NAME"], "code": row.get("ENTERPRISE_CODE", "")}
        for row in enterprises
    ]
    sections = sets.get("BID_SECTION", ())
    if any(row["TENDER_PROJECT_CODE"] != made["number"] for row in sections):
        raise Refused("exchange_value", "BID_SECTION", title=_PROJECT.title)
    numbers = [row["BID_SECTION_CODE"] for row in sections] or ["1"]
    for n, each in enumerate(numbers):
        if each in numbers[:n]:
            raise Refused("exchange_value", f"BID_SECTION[{n}].BID_SECTION_CODE", title=_SECTION.title)
    law = {"regime": project["REGIME"]} if "REGIME" in project else {}
    return [{**law, "project": {**made, "section": each}, **({"parties": parties} if parties else {})} for each in numbers]
