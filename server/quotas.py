"""Respondents and quotas from two csv files, as assemblies by lot keep them: one row a person, one row a value of a feature.

Header styles that are read: `category,feature,min,max`, `feature,value,min,max,…`, `category,name,…,min,max`; other columns are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing.errors import Refused
from drawing.lottery import MAX_PEOPLE, Kind, Quota, Task
from server.files import digest_of
from server.library.read_sheet import csv_rows

Rows = Iterable[tuple[int, Sequence[Any]]]
MAX_FEATURES = 100
MAX_QUOTAS = 10_000


@dataclass(frozen=True)
class Assembly:
    """The task, for each type the places of its people among the respondents (from 0), and the digests of both files."""

    task: Task
    rows: tuple[tuple[int, ...], ...]
    respondents: bytes
    categories: bytes


def read_assembly(respondents: Path, categories: Path, panel: int) -> Assembly:
    """The task of two files. Raises Refused with the file, the row and the remedy."""
    features, quotas = read_quotas(categories)
    rows = _read_respondents(respondents, features, quotas)
    values = sorted(rows)
    task = Task(panel, features, quotas, tuple(Kind(len(rows[each]), each) for each in values))
    return Assembly(task, tuple(tuple(rows[each]) for each in values), digest_of(respondents), digest_of(categories))


def read_quotas(path: Path) -> tuple[tuple[str, ...], tuple[Quota, ...]]:
    """The features in order and the quotas in file order."""
    rows = iter(csv_rows(path))
    titles = [title.casefold() for title in _titles(rows, path.name)]
    feature = "category" if "category" in titles else "feature"
    value = next((title for title in ("value", "name") if title in titles), "feature" if feature == "category" else "value")
    wanted = (feature, value, "min", "max")
    missing = [title for title in wanted if title not in titles]
    if missing:
        raise Refused("quota_columns_missing", path.name, columns=", ".join(missing))
    places = [titles.index(title) for title in wanted]
    features: list[str] = []
    quotas: list[Quota] = []
    seen: set[tuple[str, str]] = set()
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{path.name} {number}"
        of, named, least, most = (cells[at].strip() if at < len(cells) else "" for at in places)
        if not of or not named:
            raise Refused("missing_cell", place)
        if (of, named) in seen:
            raise Refused("quota_twice", place, name=f"{of}={named}")
        seen.add((of, named))
        if of not in features:
            features.append(of)
        if len(features) > MAX_FEATURES or len(quotas) >= MAX_QUOTAS:
            raise Refused("too_many_elements", place, most=MAX_QUOTAS)
        low, high = _whole(least, f"{place} min"), _whole(most, f"{place} max")
        if low > high:
            raise Refused("least_above_most", place, name=f"{of}={named}", least=low, most=high)
        quotas.append(Quota(features.index(of), low, high, named))
    if not quotas:
        raise Refused("empty_file", path.name)
    return tuple(features), tuple(quotas)


def _read_respondents(path: Path, features: Sequence[str], quotas: Sequence[Quota]) -> dict[tuple[int, ...], list[int]]:
    rows = iter(csv_rows(path))
    titles = _titles(rows, path.name)
    missing = [feature for feature in features if feature not in titles]
    if missing:
        raise Refused("feature_column_missing", path.name, columns=", ".join(missing))
    places = [titles.index(feature) for feature in features]
    known = [{quota.value: n for n, quota in enumerate(quotas) if quota.feature == number} for number in range(len(features))]
    found: dict[tuple[int, ...], list[int]] = {}
    person = 0
    for number, cells in rows:
        if not any(cells):
            continue
        try:
            kind = tuple(values[cells[at]] for values, at in zip(known, places, strict=True))
        except (KeyError, IndexError):  # the slow way says which, and forgives spaces
            kind = tuple(_value(cells, at, n, features, known, f"{path.name} {number}") for n, at in enumerate(places))
        found.setdefault(kind, []).append(person)
        person += 1
    if not found:
        raise Refused("empty_file", path.name)
    return found


def _value(cells: Sequence[str], at: int, number: int, features: Sequence[str], known: Sequence[dict[str, int]], place: str) -> int:
    value = cells[at].strip() if at < len(cells) else ""
    if value not in known[number]:
        raise Refused("unknown_value", place, column=features[number], value=value[:60], known=", ".join(known[number])[:300])
    return known[number][value]


def _titles(rows: Iterable[tuple[int, Sequence[Any]]], name: str) -> list[str]:
    for _, cells in rows:
        titles = [cell.strip() for cell in cells]
        if any(titles):
            twice = [title for title, times in Counter(title for title in titles if title).items() if times > 1]
            if twice:
                raise Refused("column_twice", name, column=twice[0][:40])
            return titles
    raise Refused("empty_file", name)


def _whole(text: str, place: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise Refused("not_an_integer", place)
    if int(text) > MAX_PEOPLE:
        raise Refused("out_of_range", place, least=0, most=MAX_PEOPLE)
    return int(text)
