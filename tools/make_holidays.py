"""Write server/rules/holidays/YEAR.json from the chinesecalendar package, which compiles the State Council's yearly notices.

Run after an upgrade of that package, normally in December: `.venv/bin/python tools/make_holidays.py 2027`. Without a year, every year from 2020
that the package knows. The tables are data of this repository, so that a draw counts days the same wherever it is checked.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import chinese_calendar
from chinese_calendar.constants import holidays, workdays

FOLDER = Path(__file__).resolve().parent.parent / "server" / "rules" / "holidays"
FIRST = 2020


def table(year: int) -> dict[str, object]:
    """Only what differs from Monday to Friday: `off` are free weekdays, `on` are worked weekends."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366) if (date(year, 1, 1) + timedelta(days=n)).year == year]
    return {
        "off": [day.isoformat() for day in days if day.weekday() < 5 and not chinese_calendar.is_workday(day)],
        "on": [day.isoformat() for day in days if day.weekday() >= 5 and chinese_calendar.is_workday(day)],
        "source": f"chinesecalendar {version('chinesecalendar')}, from the State Council's notices",
        "year": year,
    }


def main(years: list[int]) -> None:
    """Write the tables of these years, or of all that are known."""
    known = sorted({day.year for day in (*holidays, *workdays)})
    for year in years or [each for each in known if each >= FIRST]:
        if year not in known:
            sys.exit(f"chinesecalendar {version('chinesecalendar')} has no table for {year}")
        (FOLDER / f"{year}.json").write_text(json.dumps(table(year), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]])
