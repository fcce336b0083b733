"""An expert library from a file: xlsx (calamine) or csv (UTF-8 with or without mark, GB 18030). Good rows are usable, bad ones are listed.

A file from a stranger: its size, what a zip would unpack to, rows, columns and cells are all bounded before they are read.
"""

from __future__ import annotations

import codecs
import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from drawing.errors import Refused
from drawing.events import MAX_TREE
from server.files import digest_of
from server.library.check_row import Row, RowError, check_row
from server.library.columns import BY_TITLE, COLUMNS, REJECT_COLUMNS
from server.spread import chunks, spread

MAX_FILE = 1 << 30
MAX_UNPACKED = 1 << 30
MAX_RATIO = 40
MAX_LINE = 1 << 20
MAX_MEMBERS = 1_000
MAX_COLUMNS = 200
SPREAD_FROM = 10_000
CHUNK = 2_000
csv.field_size_limit(65_536)


@dataclass
class Library:
    """What could be read. `records` are canonical bytes; `rejects` the cells of bad rows as they were given, with their row number."""

    digest: bytes
    records: list[bytes] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    notices: list[RowError] = field(default_factory=list)
    rejects: list[tuple[int, list[Any]]] = field(default_factory=list)
    rows_read: int = 0


def read_library(path: Path, progress: Callable[[int], None] | None = None) -> Library:
    """Read and check a library file. Raises Refused where the file as a whole cannot be read; bad rows are in `errors`."""
    rows = _xlsx_rows(path) if path.suffix.lower() == ".xlsx" else csv_rows(path) if path.suffix.lower() == ".csv" else None
    if rows is None:
        raise Refused("unknown_file_kind", path.name)
    numbered = iter(rows)
    _, places = header_of(numbered, path.name)
    library = Library(digest_of(path))
    seen: dict[str, int] = {}
    for number, cells, row in _checked(numbered, places):
        library.rows_read += 1
        if library.rows_read > MAX_TREE:
            raise Refused("library_too_large", path.name, most=MAX_TREE)
        if not row.errors and row.identity in seen:
            row.errors.append(RowError(number, "证件号码", "person_twice", "", (("first", seen[row.identity]),)))
        if row.errors:
            library.errors.extend(row.errors)
            library.rejects.append((number, ordered(cells, places)))
        else:
            seen[row.identity] = number
            library.records.append(row.record)
        if len(library.notices) < 10_000:
            library.notices.extend(row.notices)
        if progress is not None and library.rows_read % 5_000 == 0:
            progress(library.rows_read)
    return library


Numbered = tuple[int, Sequence[Any]]


def _checked(rows: Iterator[Numbered], places: list[int]) -> Iterator[tuple[int, Sequence[Any], Row]]:
    """Each row that is not empty with its outcome; beyond the first thousands the work is spread over processes."""
    filled = ((number, cells) for number, cells in rows if any(cell not in ("", None) for cell in cells))
    for number, cells in islice(filled, SPREAD_FROM):
        yield number, cells, check_row(cells, places, number)
    for chunk, outcomes in spread(partial(_check_chunk, places), chunks(filled, CHUNK)):
        for (number, cells), row in zip(chunk, outcomes, strict=True):
            yield number, cells, row


def _check_chunk(places: list[int], rows: list[Numbered]) -> list[Row]:
    return [check_row(cells, places, number) for number, cells in rows]


def ordered(cells: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """The cells in the order of COLUMNS, ready for a reject file."""
    out: list[Any] = [""] * len(COLUMNS)
    for cell, place in zip(cells, places, strict=False):
        if place >= 0:
            out[place] = cell
    return out


def header_of(rows: Iterator[tuple[int, Sequence[Any]]], name: str) -> tuple[int, list[int]]:
    for number, cells in rows:
        titles = [str(cell).strip() for cell in cells]
        if not any(titles):
            continue
        if len(titles) > MAX_COLUMNS:
            raise Refused("too_many_columns", name, most=MAX_COLUMNS)
        places = [BY_TITLE.get(title, -1) for title in titles]
        known = [place for place in places if place >= 0]
        if len(set(known)) != len(known):
            raise Refused("column_twice", name, column=COLUMNS[max(known, key=known.count)].title)
        missing = [column.title for n, column in enumerate(COLUMNS) if column.required and n not in known]
        if missing:
            raise Refused("columns_missing", name, columns="、".join(missing))
        unknown = [title for title, place in zip(titles, places, strict=True) if place < 0 and title and title not in REJECT_COLUMNS]
        if unknown:
            raise Refused("unknown_column", name, column=unknown[0][:40])
        return number, places
    raise Refused("empty_file", name)


def _xlsx_rows(path: Path) -> Iterable[tuple[int, Sequence[Any]]]:
    if not path.is_file():
        raise Refused("no_such_file", str(path))
    if path.stat().st_size > MAX_FILE:
        raise Refused("too_long", path.name, most=MAX_FILE)
    with path.open("rb") as stream:
        return workbook_rows(stream, path.name, path.stat().st_size)


def workbook_rows(stream: BinaryIO, name: str, size: int) -> Iterable[tuple[int, Sequence[Any]]]:
    """The rows of the first sheet, numbered from 1. Raises Refused where this is no workbook, or unpacks to more than it may."""
    import python_calamine  # where a workbook comes: every process that knows what a library is would carry it

    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * max(size, 10_000):
                raise Refused("zip_too_large", name, most=MAX_UNPACKED)
            if "xl/workbook.xml" not in archive.namelist():
                raise Refused("not_a_workbook", name)
        stream.seek(0)
        sheet = python_calamine.CalamineWorkbook.from_filelike(stream).get_sheet_by_index(0)
        if sheet.width > MAX_COLUMNS:
            raise Refused("too_many_columns", name, most=MAX_COLUMNS)
        first = (sheet.start or (0, 0))[0]
        rows = sheet.iter_rows()
    except (zipfile.BadZipFile, NotImplementedError, EOFError):
        raise Refused("not_a_workbook", name) from None
    except Refused:
        raise
    except Exception as wrong:  # calamine raises its own kinds for each broken part, and panics as BaseException are not caught here
        raise Refused("not_a_workbook", name, why=type(wrong).__name__) from None
    return ((first + number, row) for number, row in enumerate(rows, 1))


def csv_rows(path: Path) -> Iterable[tuple[int, Sequence[Any]]]:
    if not path.is_file():
        raise Refused("no_such_file", str(path))
    if path.stat().st_size > MAX_FILE:
        raise Refused("too_long", path.name, most=MAX_FILE)
    with path.open("rb") as stream:
        if b"\0" in stream.read(65_536):
            raise Refused("not_a_table", path.name)
    return _csv_lines(path, _encoding(path))


def _encoding(path: Path) -> str:
    """The first of the usual encodings in which the whole file is valid; read in blocks, however large it is."""
    for name in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    raise Refused("unknown_encoding", path.name)


def _csv_lines(path: Path, encoding: str) -> Iterator[tuple[int, Sequence[str]]]:
    with path.open(encoding=encoding, newline="") as stream:
        yield from csv_table(stream, path.name)


def _lines(stream: TextIO, name: str) -> Iterator[str]:
    """Lines of at most MAX_LINE characters: a file without line ends must not become one string."""
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise Refused("not_a_table", name)
        yield line


def csv_table(stream: TextIO, name: str) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(_lines(stream, name), strict=True)
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise Refused("too_many_columns", name, most=MAX_COLUMNS)
            yield reader.line_num, cells
    except csv.Error as wrong:
        raise Refused("not_a_table", name, line=reader.line_num, why=str(wrong)[:80]) from None
