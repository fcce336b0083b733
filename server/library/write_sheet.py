"""Writing library files: the template, reject files of the same form, and whole libraries (xlsx with text columns, or csv with a mark)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drawing.errors import Refused
from server.files import write_whole
from server.library.columns import COLUMNS, REJECT_COLUMNS

if TYPE_CHECKING:
    import openpyxl
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
TITLES = tuple(column.title for column in COLUMNS)


def harmless(value: Any) -> str:
    """A cell that a spreadsheet program will not take for a formula."""
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def write_table(path: Path, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table as xlsx or csv by the path's ending, written whole or not at all."""
    kind = path.suffix.lower()
    if kind == ".csv":
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(titles)
        writer.writerows([harmless(cell) for cell in row] for row in rows)
        write_whole(path, b"\xef\xbb\xbf" + text.getvalue().encode())
    elif kind == ".xlsx":
        import openpyxl  # takes a tenth of a second, which a command that writes no xlsx need not spend

        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("专家库")
        sheet.append([_text_cell(sheet, title) for title in titles])
        for row in rows:
            sheet.append([_text_cell(sheet, cell) for cell in row])
        _save(book, path)
    else:
        raise Refused("unknown_file_kind", path.name)


def _text_cell(sheet: WriteOnlyWorksheet, value: Any) -> Any:
    """A cell of type text: an 18-digit number must not become a floating point number."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, harmless(value))
    cell.number_format = "@"
    return cell


def _save(book: openpyxl.Workbook, path: Path) -> None:
    data = io.BytesIO()
    book.save(data)
    write_whole(path, data.getvalue())


def write_rejects(path: Path, rejects: Iterable[tuple[int, Sequence[Any]]], reasons: Mapping[int, tuple[str, str]]) -> None:
    """Bad rows in the template's form, with reason and remedy behind: mended, the file can be imported as it is."""
    write_table(path, (*TITLES, *REJECT_COLUMNS), ([*cells, *reasons.get(row, ("", ""))] for row, cells in rejects))


def write_template(path: Path) -> None:
    """An empty library file with one example row."""
    write_table(path, TITLES, [[column.example for column in COLUMNS]])
