"""The columns of an expert library file: title, alias, how a cell is read. The template, the reject file and docs/library.md come from here.

A cell with several entries separates them with `;`, and the parts of an entry with `|`. An open end ("until now") is left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drawing.errors import Refused
from server.library.codes import is_profession, is_region, is_uscc, read_day

MAX_CELL = 4_000
MAX_PARTS = 60


@dataclass(frozen=True, slots=True)
class Column:
    """One column: Chinese title, English alias, reader of the normalised text, example, whether it must be filled, secrecy in messages."""

    title: str
    alias: str
    read: Callable[[str], Any]
    example: str
    required: bool = False
    secret: bool = False


def _plain(most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > most:
            raise Refused("cell_too_long", "", most=most)
        return text

    return read


def _word(words: Mapping[str, Any], default: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text:
            return default
        if text.lower() not in words:
            raise Refused("unknown_word", "", known="、".join(str(word) for word in words))
        return words[text.lower()]

    return read


def _day(text: str) -> str:
    day = read_day(text) if text else ""
    if text and not day:
        raise Refused("not_a_date", "")
    return day


def _number(most: int, *, least: int = 0) -> Callable[[str], int]:
    """A whole number; an empty cell is the least."""

    def read(text: str) -> int:
        if not text:
            return least
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:12]) <= most:
            raise Refused("not_a_number", "", least=least, most=most)
        return int(text)

    return read


def _uscc(text: str) -> str:
    code = text.upper()
    if code and not is_uscc(code):
        raise Refused("bad_credit_code", "")
    return code


def _region(text: str) -> str:
    if text and not is_region(text):
        raise Refused("bad_region_code", "", value=text[:10])
    return text


def _phone(text: str) -> str:
    digits = text.replace("-", "").replace(" ", "").removeprefix("+86")
    mobile = len(digits) == 11 and digits[0] == "1" and digits[1] in "3456789"
    landline = 10 <= len(digits) <= 12 and digits[0] == "0"
    if not (digits.isascii() and digits.isdigit()) or not (mobile or landline):
        raise Refused("bad_phone", "")
    return digits


def _items(text: str, read: Callable[[str], Any]) -> list[Any]:
    parts = [part.strip() for part in text.split(";")] if text else []
    parts = [part for part in parts if part]
    if len(parts) > MAX_PARTS:
        raise Refused("too_many_entries", "", most=MAX_PARTS)
    return [read(part) for part in parts]


def _professions(text: str) -> list[str]:
    def one(part: str) -> str:
        code = part.upper()
        if not is_profession(code):
            raise Refused("bad_profession_code", "", value=code[:10])
        return code

    codes = list(dict.fromkeys(_items(text, one)))
    if not codes:
        raise Refused("missing_cell", "")
    return codes


def _entries(names: tuple[str, ...], readers: tuple[Callable[[str], Any], ...]) -> Callable[[str], list[dict[str, Any]]]:
    def one(part: str) -> dict[str, Any]:
        cells = [cell.strip() for cell in part.split("|")]
        if len(cells) > len(names):
            raise Refused("too_many_parts", "", form="|".join(names))
        cells += [""] * (len(names) - len(cells))
        entry = {name: reader(cell) for name, reader, cell in zip(names, readers, cells, strict=True)}
        if "from" in entry and entry.get("to") and entry["to"] < entry["from"]:
            raise Refused("ends_before_it_begins", "")
        return entry

    return lambda text: _items(text, one)


def _percent(text: str) -> int:
    number, _, rest = text.removesuffix("%").partition(".")
    if not text:
        return 0
    if not (number.isascii() and number.isdigit()) or not (rest + "00")[:2].isdigit() or len(rest) > 2 or int(number) > 100:
        raise Refused("bad_percentage", "")
    return int(number) * 100 + int((rest + "00")[:2])


_YES = {"是": True, "否": False, "y": True, "n": False, "yes": True, "no": False, "1": True, "0": False}
_name = _plain(100)
_ROLE = {"董事": "director", "监事": "supervisor", "法定代表人": "legal_representative", "高管": "executive", "director": "director"}
_ROLE |= {"supervisor": "supervisor", "legal_representative": "legal_representative", "executive": "executive"}
_RELATION = {"配偶": "spouse", "直系血亲": "lineal", "旁系血亲": "collateral", "近姻亲": "in_law"}
_RELATION |= {word: word for word in ("spouse", "lineal", "collateral", "in_law")}
_POST = {"职员": "staff", "法定代表人": "legal_representative", "负责人": "person_in_charge", "董事": "director", "股东": "shareholder"}
_POST |= {word: word for word in ("staff", "legal_representative", "person_in_charge", "director", "shareholder")}

COLUMNS: tuple[Column, ...] = (
    Column("姓名", "name", _plain(60), "张三", required=True, secret=True),
    Column("证件类型", "id_type", _word({str(n): str(n) for n in range(1, 10)} | {"居民身份证": "1"}, "1"), "1"),
    Column("证件号码", "id_number", _plain(40), "11010119700101001X", required=True, secret=True),
    Column("性别", "gender", _word({"男": 1, "女": 2, "1": 1, "2": 2, "0": 0, "9": 9}, 0), "男"),
    Column("出生日期", "birthday", _day, "1970-01-01", secret=True),
    Column("学历", "education", _plain(40), "大学本科"),
    Column("职称", "title", _plain(60), "高级工程师"),
    Column(
        "职称级别",
        "title_level",
        _word({"高级": "senior", "中级": "middle", "初级": "junior", "senior": "senior", "middle": "middle", "junior": "junior"}, "senior"),
        "高级",
    ),
    Column("职务", "duty", _plain(60), ""),
    Column("是否在职", "on_work", _word(_YES, True), "是"),
    Column("工作单位", "employer_name", _plain(120), "某某设计研究院有限公司"),
    Column("统一社会信用代码", "employer_code", _uscc, ""),
    Column("手机", "phone", _phone, "13800000000", required=True, secret=True),
    Column("邮箱", "email", _plain(120), "", secret=True),
    Column("所属行业", "industry", _plain(60), ""),
    Column("所在地区", "area", _region, "110108", required=True),
    Column("工作年限", "work_years", _number(80), "20"),
    Column("入库时间", "entered", _day, "2018-05-01"),
    Column("专家库", "library", _plain(100), "北京市评标专家库"),
    Column("状态", "status", _word({"可用": "active", "停用": "inactive", "active": "active", "inactive": "inactive"}, "active"), "可用"),
    Column("评审专业", "professions", _professions, "A080104;A0401", required=True),
    Column("服务地区", "regions", lambda text: _items(text, _region), "110000"),
    Column("工作经历", "work", _entries(("name", "code", "from", "to"), (_name, _uscc, _day, _day)), "某某公司||2001-07-01|2015-03-31"),
    Column(
        "任职", "directorships", _entries(("name", "code", "role", "from", "to"), (_name, _uscc, _word(_ROLE, "director"), _day, _day)), ""
    ),
    Column(
        "持股",
        "shareholdings",
        _entries(
            ("name", "code", "percent_hundredths", "controlling", "from", "to"), (_name, _uscc, _percent, _word(_YES, False), _day, _day)
        ),
        "",
    ),
    Column(
        "亲属任职",
        "relatives",
        _entries(
            ("name", "relation", "employer", "code", "role"), (_name, _word(_RELATION, "lineal"), _name, _uscc, _word(_POST, "staff"))
        ),
        "",
        secret=True,
    ),
    Column("回避单位", "avoid", _entries(("name", "code"), (_name, _uscc)), ""),
    Column("请假", "leave", _entries(("from", "to"), (_day, _day)), ""),
    Column("暂停资格", "suspensions", _entries(("from", "to", "reason"), (_day, _day, _name)), ""),
    Column("处罚记录", "punished", _entries(("date", "reason"), (_day, _name)), ""),
    Column("抽取权重", "weight", _number(100, least=1), "1"),
    Column("抽取记录", "draws", lambda text: sorted(_items(text, _day)), ""),
    Column("已约评审", "engagements", _entries(("from", "to"), (_day, _day)), ""),
    Column("监督单位", "supervisor_of", lambda text: _items(text, _name), ""),
    Column("虚构", "fictional", _word(_YES, False), "否"),
)
BY_TITLE: Mapping[str, int] = {title: n for n, column in enumerate(COLUMNS) for title in (column.title, column.alias)}
REJECT_COLUMNS = ("错误原因", "修改建议")  # at the end of a reject file; ignored when it is imported again
