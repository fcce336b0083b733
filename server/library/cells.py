"""From a record back to the cells of a sheet, so that a page shows what a file would hold; `check_row` reads them to the same record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.library.columns import COLUMNS

_PARTS: Mapping[str, tuple[str, ...]] = {
    "work": ("name", "code", "from", "to"),
    "directorships": ("name", "code", "role", "from", "to"),
    "shareholdings": ("name", "code", "percent_hundredths", "controlling", "from", "to"),
    "relatives": ("name", "relation", "employer", "code", "role"),
    "avoid": ("name", "code"),
    "leave": ("from", "to"),
    "suspensions": ("from", "to", "reason"),
    "punished": ("date", "reason"),
    "engagements": ("from", "to"),
}


def cells_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Alias -> text, of all columns in their order."""
    flat = {**record, "employer_name": record["employer"]["name"], "employer_code": record["employer"]["code"]}
    return {column.alias: _text(column.alias, flat[column.alias]) for column in COLUMNS}


def _text(alias: str, value: Any) -> str:
    if isinstance(value, list):
        if alias not in _PARTS:
            return ";".join(value)
        return ";".join("|".join(_part(name, each[name]) for name in _PARTS[alias]).rstrip("|") for each in value)
    return _part(alias, value)


def _part(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if name == "percent_hundredths":
        return f"{value // 100}.{value % 100:02d}"
    return str(value)
