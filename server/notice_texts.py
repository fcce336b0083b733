"""What messages to experts say: time, city, that it is an evaluation, the link and until when. Never a project, a party, or a name.

Words in, words out. Both languages always; the gateway takes the one that it speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from server.workdays import SHANGHAI

_MUNICIPAL = ("11", "12", "31", "50")
_CALL = {
    "zh": "{centre}：您被抽为评标专家。时间 {time}，地点 {city}，事由 评标。请于 {until} 前打开 {link} 答复；短信回复 1 参加、2 不能参加。识别码 {code}",
    "en": "{centre}: you were drawn for an evaluation (评标) on {time}, {city}. Answer by {until}: {link} or reply 1 yes, 2 no. Code {code}",
}
_SPOKEN = {
    "zh": "{centre}通知：您被抽为评标专家。时间 {time}，地点 {city}。参加请按 1，不能参加请按 2。请于 {until} 前答复。",
    "en": "{centre}: you were drawn for an evaluation on {time}, {city}. Press 1 to come, 2 if you cannot. Please answer by {until}.",
}
_CANCEL = {
    "zh": "{centre}：原定 {time} 在 {city} 的评标，您不必参加了。此前的通知作废，无需答复。",
    "en": "{centre}: you need not come to the evaluation on {time}, {city}. Please disregard the earlier message; no answer is needed.",
}


@cache
def city_of(area: str) -> str:
    """The city of a region code (GB/T 2260); its province where the table does not know the city, "" where it knows neither."""
    from stdnum import numdb

    wanted = area[:2] + "0000" if area[:2] in _MUNICIPAL or len(area) < 4 else area[:4] + "00"
    found = numdb.get("cn/loc").info(wanted)
    names = {**dict(found[0][1]), **(dict(found[1][1]) if len(found) > 1 else {})}
    city = str(names.get("county") or names.get("province") or "")
    return city.rpartition("]")[2]


def moment(seconds: int) -> str:
    """As people in China write it; no seconds."""
    return datetime.fromtimestamp(seconds, SHANGHAI).strftime("%Y-%m-%d %H:%M")


def texts_of(kind: str, channel: str, content: Mapping[str, Any], centres: Mapping[str, str], link: str, code: str) -> dict[str, str]:
    """Language -> words. `content` is what the keeper sealed for the courier."""
    shapes = _CANCEL if kind == "cancel" else _SPOKEN if channel == "voice" else _CALL
    values = {
        "city": city_of(str(content["area"])),
        "code": code,
        "link": link,
        "time": moment(content["evaluation_at"]),
        "until": moment(content["until"]),
    }
    return {lang: shape.format(centre=centres[lang], **values) for lang, shape in shapes.items()}
