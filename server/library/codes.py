"""Code systems of the library: ID numbers (GB 11643), credit codes (GB 32100), regions (GB/T 2260), professions (发改法规〔2018〕316号)."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache, lru_cache
from pathlib import Path

_ID = re.compile(r"[1-9][0-9]{16}[0-9X]", re.ASCII)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_USCC_SET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC = re.compile(f"[{_USCC_SET}]{{18}}", re.ASCII)
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_USCC_VALUE = {char: number for number, char in enumerate(_USCC_SET)}
_REGION = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_PROVINCES = frozenset("11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82".split())
_PROFESSION = re.compile(r"[A-C](?:[0-9]{2}){0,3}", re.ASCII)
_DAY = re.compile(r"([0-9]{4})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})日?", re.ASCII)


# What a list of regions offers; any code of GB/T 2260 is taken.
REGIONS = {
    "110000": "北京市", "110101": "东城区", "110102": "西城区", "110105": "朝阳区", "110106": "丰台区", "110107": "石景山区", "110108": "海淀区",
    "110109": "门头沟区", "110111": "房山区", "110112": "通州区", "110113": "顺义区", "110114": "昌平区", "110115": "大兴区", "110116": "怀柔区",
    "110117": "平谷区", "110118": "密云区", "110119": "延庆区", "120000": "天津市", "130000": "河北省", "130600": "保定市", "131000": "廊坊市",
}  # fmt: skip


def id_check(first: str) -> str:
    """The check character of the first 17 digits of an ID number."""
    return _ID_CHECK[sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, first, strict=True)) % 11]


def is_id_number(text: str) -> bool:
    """Whether this is an 18-character ID number with the right check character."""
    return bool(_ID.fullmatch(text)) and id_check(text[:17]) == text[17]


def uscc_check(first: str) -> str:
    """The check character of the first 17 characters of a credit code."""
    total = sum(weight * _USCC_VALUE[char] for weight, char in zip(_USCC_WEIGHTS, first, strict=True))
    return _USCC_SET[(31 - total % 31) % 31]


@lru_cache(maxsize=65_536)
def is_uscc(text: str) -> bool:
    """Whether this is an 18-character unified social credit code with the right check character."""
    return bool(_USCC.fullmatch(text)) and uscc_check(text[:17]) == text[17]


def is_region(text: str) -> bool:
    """Whether this is a six-digit region code of a province that exists."""
    return bool(_REGION.fullmatch(text)) and text[:2] in _PROVINCES


@cache
def professions() -> dict[str, str]:
    """Code -> name, all levels. A part of the national classification: production loads the official annex."""
    data = json.loads((Path(__file__).parent / "data" / "profession-codes.json").read_text("utf-8"))
    return {code: name for level in ("level1", "level2", "level3", "level4_samples") for code, name in data.get(level, {}).items()}


@lru_cache(maxsize=65_536)
def is_profession(text: str) -> bool:
    """Whether this is a known code, or one of the right form below a known branch (level 2) of the classification."""
    known = professions()
    return text in known or (bool(_PROFESSION.fullmatch(text)) and len(text) > 3 and text[:3] in known)


@lru_cache(maxsize=65_536)
def read_day(text: str) -> str:
    """An ISO date from the usual spellings of a day; "" where it is none."""
    match = _DAY.fullmatch(text)
    if not match:
        return ""
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        return ""
