"""Legal days: the tables as shipped, and counting over them."""

from __future__ import annotations

import json
from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

import server.workdays
from drawing.errors import Refused
from server.workdays import HOLIDAYS, is_workday, local, workdays_after, workdays_before
from tools.make_holidays import table

YEARS = sorted(int(path.stem) for path in HOLIDAYS.glob("*.json"))
days = st.dates(date(YEARS[0], 3, 1), date(YEARS[-1], 10, 31))


@pytest.mark.parametrize("year", YEARS)
def test_a_shipped_table_says_what_the_calendar_package_says(year):
    shipped = json.loads((HOLIDAYS / f"{year}.json").read_text("utf-8"))
    assert {**table(year), "source": ""} == {**shipped, "source": ""}
    day = date(year, 1, 1)
    while day.year == year:
        assert is_workday(day) == chinese_calendar.is_workday(day)
        day += timedelta(days=1)


def test_working_days_know_holidays_and_exchanged_weekends():
    assert not is_workday(date(2026, 10, 1))  # a Thursday, National Day
    assert is_workday(date(2026, 10, 10))  # a Saturday, exchanged
    assert workdays_before(date(2026, 10, 9), 2) == date(2026, 9, 30)
    assert workdays_after(date(2026, 9, 30), 1) == date(2026, 10, 8)


def test_a_year_without_a_table_is_refused_by_name():
    with pytest.raises(Refused) as refused:
        is_workday(date(2099, 1, 1))
    assert (refused.value.code, refused.value.params) == ("no_holiday_table", {"year": 2099})


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"off":["2031-01-04"],"on":[],"year":2031}', '{"off":[],"on":["2031-01-06"],"year":2031}', '{"off":[1],"on":[],"year":2031}',
             '{"off":[],"on":[],"year":2030}', '{"off":["2030-01-01"],"on":[],"year":2031}'],
)  # fmt: skip
def test_a_table_that_is_none_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setattr(server.workdays, "HOLIDAYS", tmp_path)
    server.workdays._table.cache_clear()
    (tmp_path / "2031.json").write_text(text, "utf-8")
    with pytest.raises(Refused) as refused:
        is_workday(date(2031, 1, 6))
    assert refused.value.code == "bad_holiday_table"
    server.workdays._table.cache_clear()


@given(days, st.integers(1, 10))
def test_counting_back_and_forth_over_working_days_agrees(day, count):
    back = workdays_before(day, count)
    assert is_workday(back)
    between = [back + timedelta(days=n) for n in range((day - back).days)]
    assert sum(map(is_workday, between)) == count
    forth = workdays_after(day, count)
    assert is_workday(forth)
    assert sum(is_workday(day + timedelta(days=n + 1)) for n in range((forth - day).days)) == count


def test_local_time_is_that_of_shanghai():
    assert local(0).isoformat() == "1970-01-01T08:00:00+08:00"
