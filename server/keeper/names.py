"""Names as they are looked for: one normal form, all readings in pinyin, initials. Words in, answers out; nothing here knows keys."""

from __future__ import annotations

import unicodedata
from itertools import islice, product

_MOST_READINGS = 64


def plain_name(text: str) -> str:
    """A name as it is compared: NFKC, no case, no spaces and dots."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if not c.isspace() and c not in "·.•・'-")


def readings_of(name: str) -> list[str]:
    """All readings of a name as syllables with spaces between: several where a character has several (单: dan, chan, shan)."""
    from pypinyin import Style, pinyin  # its tables are 25 MB: in this process only

    runs = pinyin(plain_name(name), style=Style.NORMAL, heteronym=True)
    syllables = [[each.replace("ü", "v") for each in run] for run in runs]
    return [" ".join(each) for each in islice(product(*syllables), _MOST_READINGS)]


def matches(entry: str, query: str) -> bool:
    """Whether a query is a part of the name, the beginning of its pinyin at a syllable, or of its initials."""
    name, *readings = entry.split("\n")
    if query in name:
        return True
    for reading in readings:
        syllables = reading.split(" ")
        initials = "".join(each[:1] for each in syllables)
        if query in initials or any("".join(syllables[n:]).startswith(query) for n in range(len(syllables))):
            return True
    return False
