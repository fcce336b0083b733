"""An uploaded sheet, read and checked in a process of its own: a hostile file meets no keys and no logins, and the pages wait for nothing.

    python -m server.library.upload csv|xlsx < file      a JSON object on standard output, then it ends

`batches` are what the keeper stages: base64 of deflated lines, one canonical record each, at most BATCH of them and CHARS characters.
Nothing is written to a disk.
"""

from __future__ import annotations

import asyncio
import base64
import codecs
import contextlib
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from drawing.errors import Refused
from server.library.check_row import RowError, check_row
from server.library.read_sheet import csv_table, header_of, ordered, workbook_rows

MOST_BYTES = 32 << 20  # of a file: 20,000 rows have 7 MB
MOST_ROWS = 200_000
MOST_BAD = 2_000  # rows that a page can mend; more are mended in a spreadsheet
MOST_RECORD = 8_000  # bytes; the keeper takes no longer one
BATCH, CHARS = 200, 60_000
SECONDS = 120
KINDS = {"csv": "csv", "xlsx": "xlsx"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one cell of a row; no value."""

    column: str
    code: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row as it was given, its cells in the order of `columns.COLUMNS`."""

    row: int
    cells: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`batches`: the numbers of rows in the sheet, and the data."""

    digest: bytes
    rows: int
    batches: tuple[tuple[tuple[int, ...], str], ...]
    bad: tuple[BadRow, ...]
    more_bad: int


def pack(lines: Sequence[bytes]) -> str:
    return base64.b64encode(zlib.compress(b"\n".join(lines), 6)).decode()


def packed(rows: Sequence[tuple[int, bytes]]) -> list[tuple[list[int], str]]:
    """Batches that fit a frame of the keeper."""
    if not rows:
        return []
    data = pack([line for _, line in rows])
    if len(data) > CHARS:
        half = len(rows) // 2
        return packed(rows[:half]) + packed(rows[half:])
    return [([number for number, _ in rows], data)]


def check_cells(cells: Sequence[Any], places: Sequence[int], number: int) -> tuple[bytes, str, tuple[Fault, ...]]:
    """One row: its record and whose it is, or what is wrong with it."""
    row = check_row(cells, places, number)
    errors = row.errors
    if not errors and len(row.record) > MOST_RECORD:
        errors = [RowError(number, "工作经历", "cell_too_long", "", (("most", MOST_RECORD),))]
    return row.record, row.identity, tuple(Fault(each.column, each.code, dict(each.params)) for each in errors)


def read(kind: str, data: bytes) -> dict[str, Any]:
    """The whole sheet. Raises Refused where the file as a whole cannot be read."""
    numbered = iter(rows_of(kind, data))
    _, places = header_of(numbered, "upload")
    seen: dict[str, int] = {}
    good: list[tuple[int, bytes]] = []
    batches: list[tuple[list[int], str]] = []
    bad: list[dict[str, Any]] = []
    rows = more = 0
    for number, cells in numbered:
        if not any(cell not in ("", None) for cell in cells):
            continue
        rows += 1
        if rows > MOST_ROWS:
            raise Refused("library_too_large", "upload", most=MOST_ROWS)
        record, identity, faults = check_cells(cells, places, number)
        if not faults and identity in seen:
            faults = (Fault("证件号码", "person_twice", {"first": seen[identity]}),)
        if not faults:
            seen[identity] = number
            good.append((number, record))
            if len(good) == BATCH:
                batches += packed(good)
                good = []
        elif len(bad) < MOST_BAD:
            told = [{"column": each.column, "code": each.code, "params": each.params} for each in faults]
            bad.append({"row": number, "cells": [_text(each) for each in ordered(cells, places)], "faults": told})
        else:
            more += 1
    batches += packed(good)
    return {"digest": sha256(data).hexdigest(), "rows": rows, "batches": batches, "bad": bad, "more_bad": more}


def rows_of(kind: str, data: bytes) -> Iterable[tuple[int, Sequence[Any]]]:
    """Numbered rows of a csv file or of a workbook's first sheet. Raises Refused."""
    if kind == "xlsx":
        return workbook_rows(io.BytesIO(data), "upload", len(data))
    if kind != "csv":
        raise Refused("unknown_file_kind", "upload")
    if b"\0" in data[:65_536]:
        raise Refused("not_a_table", "upload")
    for name in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return csv_table(io.StringIO(codecs.decode(data, name), newline=""), "upload")
    raise Refused("unknown_encoding", "upload")


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)[:4_000]


# From the service ---------------------------------------------------------------------------------------------------------------------------


async def checked(kind: str, data: bytes) -> Sheet:
    """`read` in a process of its own. Raises Refused: what the reader refused, or `not_a_table` where it did not survive the file."""
    return await asyncio.to_thread(_sheet, await apart("server.library.upload", kind, data))


async def apart(module: str, kind: str, data: bytes) -> bytes:
    """What a module's `alone` says of a file. Raises Refused("not_a_table") where it takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, kind, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(SECONDS):
            told, _ = await process.communicate(data)
    except TimeoutError:
        raise Refused("not_a_table", "upload") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return told


def answer_of(told: bytes) -> Any:
    """What the process gave. Raises Refused: what it refused, or `not_a_table` where it did not survive the file."""
    try:
        value = json.loads(told)
    except ValueError:
        raise Refused("not_a_table", "upload") from None
    if "refused" in value:
        code, params = value["refused"]
        raise Refused(code, "file", **params)
    return value


def _sheet(told: bytes) -> Sheet:
    value = answer_of(told)
    return Sheet(
        bytes.fromhex(value["digest"]),
        value["rows"],
        tuple((tuple(numbers), data) for numbers, data in value["batches"]),
        tuple(BadRow(each["row"], tuple(each["cells"]), tuple(Fault(**fault) for fault in each["faults"])) for each in value["bad"]),
        value["more_bad"],
    )


def alone(read: Callable[[str, bytes], dict[str, Any]]) -> None:
    """The process of a reader: bounded in memory, gone with the one that asked."""
    import ctypes
    import resource
    import signal

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody would read what it makes
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.argv[1], sys.stdin.buffer.read(MOST_BYTES + 1))
    except Refused as refused:
        answer = {"refused": [refused.code, {key: str(each) for key, each in refused.params.items()}]}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    alone(read)
