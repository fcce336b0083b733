"""One row of a library file: from cells to the record that a draw commits to, or to errors that say column, value (masked) and remedy."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from drawing.errors import Refused
from server.library.codes import is_id_number, read_day
from server.library.columns import COLUMNS, MAX_CELL

_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode  # equals canonical.dumps here: a test says so
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_NEUTRALISED = ("'=", "'+", "'-", "'@")
_OTHER_ID = re.compile(r"[0-9A-Z()\-]{5,30}", re.ASCII)


_REQUIRED = tuple(place for place, column in enumerate(COLUMNS) if column.required)
_EMPTY = {column.alias: None if column.required else column.read("") for column in COLUMNS}  # written out at once, so sharing is safe


# Most cells of a library repeat (titles, regions, professions, employers): what a plain cell reads as is kept, never a person's own data.
_known: dict[tuple[int, Any], tuple[Any]] = {}
MAX_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one cell. `row` counts as the sheet does (the header is row 1); `value` is masked where the column is secret."""

    row: int
    column: str
    code: str
    value: str = ""
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class Row:
    """The outcome of one row."""

    record: bytes = b""
    identity: str = ""
    errors: list[RowError] = field(default_factory=list)
    notices: list[RowError] = field(default_factory=list)


def mask(text: str) -> str:
    """Enough of a secret value to find it again, never all of it."""
    return text[:1] + "*" * min(len(text) - 1, 12) if len(text) < 8 else text[:2] + "*" * min(len(text) - 4, 14) + text[-2:]


def cell_text(value: Any) -> str:
    """The text of a cell of a sheet. Raises Refused where digits were lost: long numbers that a sheet stored as a number."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        if abs(value) >= 1e15:
            raise Refused("digits_lost", "")
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        if abs(value) >= 10**15:
            raise Refused("digits_lost", "")
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    return str(value)


def check_row(cells: Sequence[Any], places: Sequence[int], row: int) -> Row:
    """Check one row. `places[n]` is the column number in COLUMNS of cell n, or -1 for a column that is not read."""
    out = Row()
    read = dict(_EMPTY)
    missing = set(_REQUIRED)
    for cell, place in zip(cells, places, strict=False):
        if place < 0 or cell is None or cell == "":
            continue
        known = _known.get((place, cell))
        if known is not None:
            missing.discard(place)
            read[COLUMNS[place].alias] = known[0]
            continue
        column, text = COLUMNS[place], ""
        try:
            text = _normal(cell if type(cell) is str else cell_text(cell), place, row, out)
            if text:
                missing.discard(place)
                read[column.alias] = column.read(text)
                if text is cell and not column.secret and len(_known) < MAX_KNOWN:
                    _known[place, cell] = (read[column.alias],)
        except Refused as wrong:
            missing.discard(place)
            out.errors.append(_error(row, place, wrong, text or ("" if isinstance(cell, str) else "…")))
    out.errors.extend(RowError(row, COLUMNS[place].title, "missing_cell") for place in sorted(missing))
    if not out.errors:
        out.errors.extend(_whole_row(read, row))
    if not out.errors:
        employer = {"code": read.pop("employer_code"), "name": read.pop("employer_name")}
        read.update(employer=employer)
        out.identity = f"{read['id_type']}\0{read['id_number']}"
        out.record = _write(read).encode()
    return out


def _normal(text: str, place: int, row: int, out: Row) -> str:
    """Trimmed, full-width forms and `；` folded (with a notice), nothing invisible in it."""
    if text.startswith(_NEUTRALISED):
        text = text[1:]  # as `write_sheet.harmless` wrote it
    if text.isascii() and text.isprintable():
        clean = text.strip()
    else:
        folded = unicodedata.normalize("NFKC", text)
        clean = folded.strip()
        if folded != text:
            out.notices.append(RowError(row, COLUMNS[place].title, "full_width_folded"))
        if _FORBIDDEN.search(clean):
            raise Refused("bad_characters", "")
    if len(clean) > MAX_CELL:
        raise Refused("cell_too_long", "", most=MAX_CELL)
    return clean


def _error(row: int, place: int, wrong: Refused, text: str) -> RowError:
    column = COLUMNS[place]
    shown = mask(text) if column.secret else text[:40]
    return RowError(row, column.title, wrong.code, shown, tuple(wrong.params.items()))


def _whole_row(read: dict[str, Any], row: int) -> Iterator[RowError]:
    """What only several cells together can say: the ID number against birthday and sex, suspensions with a beginning."""
    number = read["id_number"] = read["id_number"].upper()
    if read["id_type"] == "1":
        if not is_id_number(number):
            yield RowError(row, "证件号码", "bad_id_number", mask(number))
            return
        born = read_day(number[6:14])
        if not born:
            yield RowError(row, "证件号码", "bad_id_number", mask(number))
        elif read["birthday"] and read["birthday"] != born:
            yield RowError(row, "出生日期", "birthday_differs", mask(read["birthday"]))
        read["birthday"] = born
        sex = 1 if int(number[16]) % 2 else 2
        if read["gender"] in (1, 2) and read["gender"] != sex:
            yield RowError(row, "性别", "sex_differs")
        read["gender"] = sex
    elif not _OTHER_ID.fullmatch(number):
        yield RowError(row, "证件号码", "bad_document_number", mask(number))
    if not read["employer_name"] and read["employer_code"]:
        yield RowError(row, "工作单位", "missing_cell")
