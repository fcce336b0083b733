"""Demo libraries: fictional but plausible people, the same for a seed on every machine.

Check digits are right, employers and professions are skewed as in real libraries, some people have histories, shares, relatives and leave
that collide with the companies of the example requests. Every row says that it is fictional.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

from server.library.codes import id_check, professions, uscc_check
from server.library.columns import COLUMNS
from server.library.write_sheet import TITLES, write_table

_TODAY = date(2026, 6, 30)
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程苏魏吕丁任卢姚钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱江尹薛闫段雷侯龙黎史陶贺顾毛郝龚邵万钱严覃武戴莫孔向常"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华玉兰建国志文斌宇浩凯秀慧巧美雅翠娟珍莉凤洁梅琳素云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珠贞喆堃晨轩博睿思源子涵一诺"
_WORDS = "中北华东方城建工信达恒远宏正瑞和同济联安泰新科创盛兴隆晟鼎博"
_KINDS = (
    "设计研究院",
    "工程咨询",
    "建设集团",
    "造价咨询",
    "监理",
    "信息技术",
    "规划研究院",
    "勘察设计",
    "检测",
    "会计师事务所",
    "律师事务所",
    "医疗器械",
)
_AREAS = ("110101", "110102", "110105", "110106", "110107", "110108", "110112", "110114", "110115", "120101", "120103", "130102", "130602")
_AREA_WEIGHTS = (6, 8, 14, 9, 4, 18, 6, 5, 6, 8, 5, 6, 5)
_PROFESSIONS = (
    ("A080104", 14), ("A080105", 8), ("A080106", 6), ("A0801", 10), ("A040103", 8), ("A0401", 9), ("A060101", 9), ("A060201", 6), ("A0601", 7),
    ("A050101", 6), ("A070103", 4), ("A0802", 5), ("A0403", 3), ("A083002", 2), ("B013202", 6), ("B013303", 6), ("B0132", 6), ("B0133", 4),
    ("B014807", 3), ("B0148", 4), ("B090101", 3), ("C0304", 5), ("C0402", 6), ("C0602", 6), ("C0604", 4), ("C0705", 4), ("C020114", 4),
)  # fmt: skip


def company(number: int) -> tuple[str, str]:
    """(name, credit code) of the fictional company number `number`; the first ones play parts in the example requests."""
    chance = random.Random(f"company {number}")
    name = "演示" + "".join(chance.sample(_WORDS, 2)) + chance.choice(_KINDS) + ("有限公司" if number % 7 else "股份有限公司")
    first = "91110108" + "MA" + f"{number:07d}"
    return name + (f"第{number}分院" if number > 400 else ""), first + uscc_check(first)


DEMO_COMPANIES: tuple[tuple[str, str], ...] = tuple(company(number) for number in range(12))
TENDERER, AGENCY, DESIGNER, SUPERVISION = 0, 1, 2, 3  # indexes into DEMO_COMPANIES; 4 to 11 are bidders


def make_library(count: int, seed: int, path: Path) -> None:
    """Write a library of `count` fictional experts."""
    write_table(path, TITLES, people(count, seed))


def people(count: int, seed: int) -> Iterator[list[str]]:
    """The rows of a library, in the order of COLUMNS."""
    chance = random.Random(f"library {seed}")
    employers = [company(number) for number in range(max(24, count // 15))]
    weights = list(accumulate(1 / (n + 6) ** 0.8 for n in range(len(employers))))
    codes, code_weights = zip(*_PROFESSIONS, strict=True)
    known = professions()
    assert all(code in known or code[:3] in known for code in codes)
    taken: set[str] = set()
    for _ in range(count):
        yield _person(chance, taken, employers, weights, codes, list(accumulate(code_weights)))


def _person(
    chance: random.Random,
    taken: set[str],
    employers: Sequence[tuple[str, str]],
    weights: list[float],
    codes: Sequence[str],
    code_weights: list[int],
) -> list[str]:
    born = date(1958, 1, 1) + timedelta(days=chance.randrange(30 * 365))
    male = chance.random() < 0.68
    first = chance.choice(("110101", "110108", "120101", "130102", "320102", "420106")) + born.strftime("%Y%m%d")
    order = next(n for n in range(male, 1000, 2) if first + f"{n:03d}" not in taken)
    first += f"{order:03d}"
    taken.add(first)
    employer = chance.choices(employers, cum_weights=weights)[0]
    cells = {
        "name": chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=chance.choice((1, 2, 2)))),
        "id_type": "1",
        "id_number": first + id_check(first),
        "gender": "男" if male else "女",
        "birthday": born.isoformat(),
        "education": chance.choice(("大学本科", "硕士研究生", "博士研究生")),
        "title": chance.choice(("高级工程师", "正高级工程师", "高级经济师", "研究员")),
        "title_level": "高级",
        "on_work": "是",
        "employer_name": employer[0],
        "employer_code": employer[1],
        "phone": f"13{chance.randrange(10)}{chance.randrange(10**8):08d}",
        "area": chance.choices(_AREAS, _AREA_WEIGHTS)[0],
        "work_years": str(2026 - born.year - 23),
        "entered": (date(2012, 1, 1) + timedelta(days=chance.randrange(5000))).isoformat(),
        "library": "演示评标专家库",
        "status": "停用" if chance.random() < 0.02 else "可用",
        "professions": ";".join(dict.fromkeys(chance.choices(codes, cum_weights=code_weights, k=chance.choice((1, 2, 2, 3))))),
        "regions": chance.choice(("110000", "110000", "110000;120000;130000", "110000;130000")),
        "fictional": "是",
    }
    _history(chance, cells, employers, weights)
    return [cells.get(column.alias, "") for column in COLUMNS]


def _history(chance: random.Random, cells: dict[str, str], employers: Sequence[tuple[str, str]], weights: list[float]) -> None:
    """Former employers, interests and absences; a few of them with the companies of the example requests."""
    left = _TODAY - timedelta(days=chance.randrange(10, 6000))
    if chance.random() < 0.5:
        name, code = chance.choices(employers, cum_weights=weights)[0] if chance.random() < 0.9 else chance.choice(DEMO_COMPANIES)
        cells["work"] = f"{name}|{code}|{(left - timedelta(days=1500)).isoformat()}|{left.isoformat()}"
    bidder = chance.choice(DEMO_COMPANIES[4:])
    since = (left - timedelta(days=700)).isoformat()
    roll = chance.random()
    if roll < 0.01:
        cells["shareholdings"] = f"{bidder[0]}|{bidder[1]}|{chance.choice(('5', '12.5', '60'))}|{chance.choice(('是', '否'))}|{since}|"
    elif roll < 0.02:
        cells["directorships"] = f"{bidder[0]}|{bidder[1]}|{chance.choice(('董事', '监事'))}|{since}|{left.isoformat()}"
    elif roll < 0.03:
        post = chance.choice(("法定代表人", "负责人", "职员"))
        cells["relatives"] = f"{chance.choice(_SURNAMES)}某|{chance.choice(('配偶', '直系血亲'))}|{bidder[0]}|{bidder[1]}|{post}"
    elif roll < 0.05:
        cells["avoid"] = f"{bidder[0]}|{bidder[1]}"
    elif roll < 0.07:
        start = _TODAY + timedelta(days=chance.randrange(0, 300))
        cells["leave"] = f"{start.isoformat()}|{(start + timedelta(days=chance.randrange(3, 60))).isoformat()}"
    elif roll < 0.075:
        cells["suspensions"] = f"2026-01-01|{chance.choice(('', '2026-12-31', '2027-06-30'))}|演示"
    elif roll < 0.078:
        cells["punished"] = "2019-05-20|演示"
    if chance.random() < 0.12:
        cells["draws"] = (_TODAY + timedelta(days=chance.randrange(0, 150))).isoformat()
    if chance.random() < 0.02:
        day = _TODAY + timedelta(days=chance.randrange(60, 200))
        cells["engagements"] = f"{day.isoformat()}|{day.isoformat()}"
