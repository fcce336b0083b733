"""The two languages of the interface. Msgids are the English sentences; web/locale holds both catalogues, compiled ones committed (`make locale`)."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.workdays import local

DOMAIN = "lotroom"


def N_(text: str) -> str:
    """Marks a text that is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its name, its tag in HTML, its texts."""

    name: str
    tag: str
    texts: gettext.NullTranslations

    def say(self, text: str, **params: object) -> str:
        """A marked text in this language, filled in."""
        said = self.texts.gettext(text) if text else ""
        return said % params if params else said


def languages(folder: Path) -> Mapping[str, Language]:
    """Both, Chinese first. A missing catalogue stops the start."""
    found = {}
    for name, tag in (("zh_CN", "zh-CN"), ("en", "en")):
        with (folder / name / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
            found[name] = Language(name, tag, gettext.GNUTranslations(file))
    return found


def choose(accept: str, cookie: str, default: str) -> str:
    """What the person chose, else the first of the browser's languages that we have (RFC 9110 12.5.4), else the default."""
    if cookie in ("zh_CN", "en"):
        return cookie
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept[:400].split(",")):
        tag, _, weight = part.strip().partition(";")
        quality = weight.strip().removeprefix("q=")
        try:
            strength = float(quality) if weight else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        if primary in ("zh", "en") and 0 < strength <= 1:
            wanted.append((-strength, place, "zh_CN" if primary == "zh" else "en"))
    return min(wanted)[2] if wanted else default


def china_time(seconds: int) -> str:
    """`2026-11-25 22:30:00`, the clock of everybody who reads it."""
    return local(seconds).strftime("%Y-%m-%d %H:%M:%S")


def machine_time(seconds: int) -> str:
    """RFC 3339, for programs."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
