"""How long the sealed files of a draw are kept before people may have them destroyed. The keeper refuses sooner; pages show the same day.

政府采购法 第四十二条: procurement documents are kept for at least fifteen years from the end of the procurement. The other regime names no number
(招标投标法 leaves it to the rules of archives), so the same holds for both. An exercise is no procurement: it may go once it is over.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from server.workdays import SHANGHAI, local

YEARS = 15
LAW = "政府采购法 第四十二条"


def kept_until(ended_at: int, *, dry_run: bool, years: int = YEARS) -> int:
    """The end of the same day so many years later, in Shanghai; the end itself for an exercise."""
    if dry_run:
        return ended_at
    day = local(ended_at).date()
    leap = (day.month, day.day) == (2, 29)  # then the last day is 1 March
    last = day.replace(year=day.year + years, month=3 if leap else day.month, day=1 if leap else day.day)
    return int(datetime.combine(last + timedelta(days=1), time(), SHANGHAI).timestamp())
