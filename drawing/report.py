"""The report of a verification: every check of docs/spec/draw.md 8 with its outcome, all faults with their place, and what is not shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drawing.draw import Fault

# In the order of the report. The letter names the category, the level is the one whose files a check needs.
CHECKS: tuple[tuple[str, str], ...] = (
    ("I6", "public"), ("A4", "public"), ("I5", "public"), ("I1", "public"), ("I2", "public"), ("A1", "public"), ("A2", "public"),
    ("A3", "public"), ("A5", "public"), ("A6", "public"), ("C1", "public"), ("C2", "public"), ("C3", "public"), ("C4", "public"),
    ("C5", "public"), ("T1", "public"), ("T2", "public"), ("T3", "public"), ("T4", "public"), ("T5", "public"), ("R1", "public"),
    ("R2", "public"), ("R3", "public"), ("R4", "public"), ("V1", "public"), ("D4", "public"), ("D5", "public"), ("D1", "roll"),
    ("D2", "roll"), ("D3", "roll"), ("D6", "roll"), ("F1", "roll"), ("F2", "roll"), ("F3", "roll"), ("F4", "roll"), ("S0", "supervisor"),
    ("S1", "supervisor"), ("S2", "supervisor"), ("S3", "supervisor"), ("S4", "supervisor"), ("S5", "supervisor"), ("E1", "expert"),
    ("E2", "expert"), ("E3", "expert"), ("E4", "expert"),
)  # fmt: skip
LEVEL_OF = dict(CHECKS)


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # what it needs was not given, or this level cannot see it
    NOT_APPLICABLE = "not_applicable"  # decided by the committed event alone


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check: its status, every fault (failed), the reason (skipped, not applicable) and remarks that are no failure."""

    check: str
    status: Status
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    flags: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Report:
    """All outcomes in the order of CHECKS, and what a reader must know first."""

    outcomes: tuple[Outcome, ...]
    headlines: tuple[str, ...] = ()  # codes of drawing.texts: what is not shown, dry run, open, abandoned
    facts: dict[str, Any] = field(default_factory=dict)
    names: tuple[tuple[int, str], ...] = ()  # (slot, name), only at supervisor level after `closed`

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(each.check for each in self.outcomes if each.status is Status.FAILED)

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(each.check for each in self.outcomes if each.status is Status.SKIPPED)

    @property
    def exit_code(self) -> int:
        """0 good; 1 a check failed; 3 nothing failed, something skipped (or a dry run, which is no draw)."""
        if self.failed:
            return 1
        return 3 if self.skipped or self.facts.get("dry_run") else 0

    def outcome(self, check: str) -> Outcome:
        return next(each for each in self.outcomes if each.check == check)


@dataclass
class Tally:
    """Collects faults and exceptions from the rule while the checks run; what is in none of the lists has passed."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    reasons: dict[str, tuple[Status, str]] = field(default_factory=dict)
    flags: dict[str, list[Fault]] = field(default_factory=dict)

    def fail(self, check: str, code: str, place: str = "", **params: Any) -> None:
        self.add(Fault(check, code, place, tuple(params.items())))

    def add(self, fault: Fault) -> None:
        self.faults.setdefault(fault.check, []).append(fault)

    def flag(self, fault: Fault) -> None:
        self.flags.setdefault(fault.check, []).append(fault)

    def skip(self, reason: str, *checks: str) -> None:
        for check in checks:
            self.reasons.setdefault(check, (Status.SKIPPED, reason))

    def not_applicable(self, reason: str, *checks: str) -> None:
        for check in checks:
            self.reasons[check] = (Status.NOT_APPLICABLE, reason)

    def outcomes(self) -> tuple[Outcome, ...]:
        out = []
        for check, _ in CHECKS:
            faults = tuple(self.faults.get(check, ()))
            flags = tuple(self.flags.get(check, ()))
            status, reason = (Status.FAILED, "") if faults else self.reasons.get(check, (Status.PASSED, ""))
            out.append(Outcome(check, status, faults, reason, flags))
        return tuple(out)
