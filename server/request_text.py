"""A request written down: its sections as the TOML that `server.request` reads. Only what requests hold: texts, whole numbers, flags, lists of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def request_text(sections: Mapping[str, Any]) -> str:
    """Keys first, then sections, then lists of sections, each in the order that it came in."""
    plain = [f"{key} = {_value(value)}" for key, value in sections.items() if not _is_section(value)]
    out = ["\n".join(plain)] if plain else []
    for name, section in sections.items():
        if isinstance(section, dict):
            out.append(_section(f"[{name}]", section))
    for name, section in sections.items():
        if _is_section(section) and isinstance(section, list):
            out += [_section(f"[[{name}]]", each) for each in section]
    return "\n\n".join(out) + "\n"


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _section(head: str, values: Mapping[str, Any]) -> str:
    return "\n".join([head, *(f"{key} = {_value(value)}" for key, value in values.items())])


def _value(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    return '"' + "".join(_ESCAPES.get(char, char if char.isprintable() else f"\\u{ord(char):04x}") for char in str(value)) + '"'
