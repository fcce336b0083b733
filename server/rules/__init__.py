"""Rule sets as versioned data: which rules a request is checked by and which keep an expert out, each with its article and validity.

A draw commits to the digest of the canonical JSON of the rules in force on its day; the file is for people. docs/rules.md lists them. A new
version is a new file beside the old one: draws of the past are checked with the rules that they committed to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from drawing.canonical import dumps
from drawing.errors import Refused

FOLDER = Path(__file__).parent
REGIMES = ("ZTB", "ZFCG")
PARTS = ("request", "conflict", "elsewhere")
_HEAD = {"id", "regime", "valid_from", "version"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True)
class RuleText:
    """What people read about a rule: text in both languages, article, how sure the source is (S, K, D), and the days it is in force."""

    code: str
    zh: str
    en: str
    article: str
    mark: str
    valid_from: str
    valid_to: str = ""  # "" where no end is known
    parameters: Mapping[str, int] = field(default_factory=dict)

    def in_force(self, day: str) -> bool:
        """Whether the rule is in force on an ISO day."""
        return self.valid_from <= day and (not self.valid_to or day <= self.valid_to)


@dataclass(frozen=True)
class RuleSet:
    """One version of one regime's rules, as in force on a day. `elsewhere` holds rules that bind at another step and are only cited."""

    id: str
    version: str
    regime: str
    valid_from: str
    request: Mapping[str, RuleText]
    conflict: Mapping[str, RuleText]
    elsewhere: Mapping[str, RuleText]
    data: bytes

    def text(self, code: str) -> RuleText | None:
        return self.request.get(code) or self.conflict.get(code) or self.elsewhere.get(code)


@cache
def rules_of(regime: str, day: str = "9999-12-31") -> RuleSet:
    """The rules in force for a regime on an ISO day, by default the newest. Raises Refused for an unknown regime or a day before all."""
    if regime not in REGIMES:
        raise Refused("unknown_regime", "request.regime", known=", ".join(REGIMES))
    begun = [value for path in sorted(FOLDER.glob("*.toml")) if (value := _read(path))["regime"] == regime and value["valid_from"] <= day]
    if not begun:
        raise Refused("no_rule_set", "request.regime", regime=regime, day=day)
    newest = max(begun, key=lambda value: (value["valid_from"], value["version"]))
    on = day if day < "9999" else ""  # the newest set as it is written: whatever has ended in it still belongs to the page
    for part in PARTS:
        newest[part] = [each for each in newest[part] if not on or RuleText(**each).in_force(on)]
    head: dict[str, Any] = {key: newest[key] for key in _HEAD}
    parts: dict[str, Any] = {part: {each["code"]: RuleText(**each) for each in newest[part]} for part in PARTS}
    return RuleSet(**head, **parts, data=dumps(newest, text=True))


def _read(path: Path) -> dict[str, Any]:
    """A rule file. Raises Refused `bad_rule_set` naming the file and the rule."""
    try:
        value = tomllib.loads(path.read_text("utf-8"))
    except ValueError:
        raise Refused("bad_rule_set", path.name) from None
    if (
        value.keys() != _HEAD | set(PARTS)
        or not all(isinstance(value[key], str) for key in _HEAD)
        or not _DAY.fullmatch(value["valid_from"])
    ):
        raise Refused("bad_rule_set", path.name)
    codes: set[str] = set()
    for each in (each for part in PARTS for each in value[part]):
        try:
            rule = RuleText(**each)
            good = all(isinstance(each[key], str) and each[key] for key in ("code", "zh", "en", "article"))
            good = good and rule.mark in ("S", "K", "D") and rule.code not in codes
            good = good and bool(_DAY.fullmatch(rule.valid_from)) and bool(not rule.valid_to or _DAY.fullmatch(rule.valid_to))
            good = good and all(type(number) is int for number in rule.parameters.values())
        except (TypeError, AttributeError):
            good = False
        if not good:
            raise Refused("bad_rule_set", f"{path.name} {each.get('code', '') if isinstance(each, dict) else ''}".strip())
        codes.add(each["code"])
    return value
