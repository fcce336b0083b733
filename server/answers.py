"""Answers for a ceremony: from a csv of slot answers, or asked at the terminal. Both are kept, so that a repeated run says the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from server.files import read_bounded, write_whole

_WORDS = {"accepted": "accepted", "left": "left", "y": "accepted", "n": "left", "yes": "accepted", "no": "left"}
_WORDS |= {"参加": "accepted", "接受": "accepted", "不参加": "left", "退出": "left", "": "accepted"}


def read_answers(path: Path) -> dict[int, list[tuple[str, str]]]:
    """Slot -> the answers of its first, second, … occupant: (accepted | left, reason). Whoever is not listed accepts. Raises Refused."""
    data = read_bounded(path, 1 << 20)
    try:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise Refused("bad_answers", path.name, line=1) from None
    answers: dict[int, list[tuple[str, str]]] = {}
    for line, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row] + ["", ""]
        if not any(cells) or (line == 1 and not cells[0].isdigit()):
            continue
        if not (cells[0].isascii() and cells[0].isdigit()) or len(cells[0]) > 4 or cells[1].lower() not in _WORDS or len(cells[2]) > 200:
            raise Refused("bad_answers", path.name, line=line)
        answers.setdefault(int(cells[0]), []).append((_WORDS[cells[1].lower()], cells[2]))
    return answers


@dataclass
class Memory:
    """Answers that were given, in one private file: (slot, occupant) -> (state, reason)."""

    path: Path
    source: Callable[[int, int], tuple[str, str]]

    def __call__(self, slot: int, occupant: int) -> tuple[str, str]:
        known = loads(read_bounded(self.path, 1 << 20), place=self.path.name, max_bytes=1 << 20, text=True) if self.path.exists() else {}
        key = f"{slot}_{occupant}"
        if key not in known:
            state, reason = self.source(slot, occupant)
            known[key] = [state, reason]
            write_whole(self.path, dumps(known, text=True), mode=0o600)
        state, reason = known[key]
        return state, reason


def from_list(answers: dict[int, list[tuple[str, str]]]) -> Callable[[int, int], tuple[str, str]]:
    """Answers of a csv; everybody beyond it accepts."""

    def source(slot: int, occupant: int) -> tuple[str, str]:
        given = answers.get(slot, [])
        return given[occupant - 1] if occupant <= len(given) else ("accepted", "")

    return source
