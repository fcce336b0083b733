"""Legal days: working days in Asia/Shanghai by the tables in `server/rules/holidays`. A year without a table is refused by name.

Monday to Friday are worked but for the days `off`, weekends are free but for the days `on` (exchanged by the State Council's yearly notice,
which comes out in November: the next year's table is one file more, written by `tools/make_holidays.py` or by hand).
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from drawing.errors import Refused

HOLIDAYS = Path(__file__).parent / "rules" / "holidays"
SHANGHAI = timezone(timedelta(hours=8), "UTC+8")  # no summer time since 1991


def local(unix: int) -> datetime:
    """The moment as a local time of Asia/Shanghai."""
    return datetime.fromtimestamp(unix, SHANGHAI)


@cache
def _table(year: int) -> tuple[frozenset[date], frozenset[date]]:
    """(free weekdays, worked weekend days) of a year. Raises Refused where there is no table, or none that can be read."""
    path = HOLIDAYS / f"{year}.json"
    if not path.is_file():
        raise Refused("no_holiday_table", "calendar", year=year)
    try:
        value = json.loads(path.read_text("utf-8"))
        off, on = (frozenset(date.fromisoformat(day) for day in value[kind]) for kind in ("off", "on"))
    except (ValueError, KeyError, TypeError):
        raise Refused("bad_holiday_table", path.name) from None
    if value["year"] != year or any(day.year != year or day.weekday() >= 5 for day in off) or any(day.weekday() < 5 for day in on):
        raise Refused("bad_holiday_table", path.name)
    return off, on


def is_workday(day: date) -> bool:
    """Whether offices work: weekends and holidays are off, exchanged weekends are not. Raises Refused for a year without a table."""
    off, on = _table(day.year)
    return day in on if day.weekday() >= 5 else day not in off


def workdays_before(day: date, count: int) -> date:
    """The day that lies `count` working days before a day; the day itself is not counted (87号令 Art. 85)."""
    while count:
        day -= timedelta(days=1)
        count -= is_workday(day)
    return day


def workdays_after(day: date, count: int) -> date:
    """The day that lies `count` working days after a day; the day itself is not counted."""
    while count:
        day += timedelta(days=1)
        count -= is_workday(day)
    return day
