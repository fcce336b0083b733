"""Legal days from Unix seconds, without a clock: days are those of Asia/Shanghai, UTC+8 all year since 1991 (GB/T 7408 dates)."""

from __future__ import annotations

SHANGHAI = 8 * 3600
DAY = 86_400


def date_of(unix: int, days_before: int = 0) -> str:
    """The date `YYYY-MM-DD` in Asia/Shanghai of a moment (Unix seconds), some whole days earlier."""
    # Civil-from-days of the proleptic Gregorian calendar, in eras of 400 years that start on 1 March.
    days = (unix + SHANGHAI) // DAY - days_before + 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}"
