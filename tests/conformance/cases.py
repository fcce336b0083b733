"""What a case of the conformance suite is, and how a folder of cases is written and read.

A case is a set of files and what a verifier must say about them. A family plans its cases without making them, so that a part of the suite
costs a part of the time; each case draws its chance from its own id, so that the part holds the same bytes as the whole.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from drawing.verify import Files, verify

MANIFEST = "cases.jsonl"
VERSION = "lotroom-conformance/1"
KINDS = ("proof", "keys", "roll", "receipt", "openings")
ENDING = {"proof": "json", "keys": "json", "roll": "bin", "receipt": "json", "openings": "bin"}
VERDICT = {0: "good", 1: "failed", 3: "incomplete"}


@dataclass(frozen=True, slots=True)
class Case:
    """Files with what is expected of them. `failed` is what the maker knows by construction; None where only verifiers can say."""

    files: Files
    failed: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()  # `curve`: a verifier without curve arithmetic cannot see it


@dataclass(frozen=True, slots=True)
class Planned:
    """A case that can be made: its id, its class, and how. Made twice it is the same bytes."""

    id: str
    kind: str
    make: Callable[[random.Random], Case]

    def made(self, seed: int) -> Case:
        return self.make(random.Random(f"{seed} {self.id}"))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the manifest."""

    id: str
    kind: str
    files: dict[str, str]  # kind of file -> name in the folder
    level: str
    needs: tuple[str, ...]
    exit_code: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    expected_by: str  # construction | agreement

    def to_json(self) -> dict[str, Any]:
        return {
            "expected_by": self.expected_by,
            "exit_code": self.exit_code,
            "failed": list(self.failed),
            "files": self.files,
            "id": self.id,
            "kind": self.kind,
            "level": self.level,
            "needs": list(self.needs),
            "skipped": list(self.skipped),
            "verdict": VERDICT[self.exit_code],
        }


def level_of(files: Files) -> str:
    """The highest level whose files are there."""
    for name, given in (("supervisor", files.openings), ("expert", files.receipt), ("roll", files.roll)):
        if given is not None:
            return name
    return "public"


def chosen(planned: list[Planned], count: int, seed: int) -> list[Planned]:
    """So many of them, from every class about as many as it has, at least one."""
    if not count or count >= len(planned):
        return planned
    chance = random.Random(f"{seed} chosen")
    by_kind: dict[str, list[Planned]] = {}
    for each in planned:
        by_kind.setdefault(each.kind, []).append(each)
    kept = {
        each.id for kind in sorted(by_kind) for each in chance.sample(by_kind[kind], max(1, len(by_kind[kind]) * count // len(planned)))
    }
    return [each for each in planned if each.id in kept]


def write_cases(folder: Path, planned: Iterable[Planned], seed: int) -> Iterator[Line]:
    """Make cases and write them: each file once, by the hash of what it holds; one line per case in the manifest."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="\n") as manifest:
        for each in planned:
            case = each.made(seed)
            names = {}
            for kind in KINDS:
                data = getattr(case.files, kind)
                if data is not None:
                    names[kind] = f"files/{sha256(data).hexdigest()[:20]}.{kind}.{ENDING[kind]}"
                    if not (folder / names[kind]).exists():
                        (folder / names[kind]).write_bytes(data)
            report = verify(case.files)
            failed = tuple(sorted(report.failed if case.failed is None else case.failed))
            right = report.exit_code if failed == tuple(sorted(report.failed)) else (1 if failed else 3)
            line = Line(
                each.id, each.kind, names, level_of(case.files), case.needs, right, failed, tuple(sorted(report.skipped)),
                "agreement" if case.failed is None else "construction",
            )  # fmt: skip
            manifest.write(json.dumps(line.to_json(), sort_keys=True, ensure_ascii=False) + "\n")
            yield line


def read_cases(folder: Path) -> list[Line]:
    """The lines of a manifest."""
    lines = []
    for text in (folder / MANIFEST).read_text("utf-8").splitlines():
        value = json.loads(text)
        lines.append(
            Line(
                value["id"],
                value["kind"],
                value["files"],
                value["level"],
                tuple(value["needs"]),
                value["exit_code"],
                tuple(value["failed"]),
                tuple(value["skipped"]),
                value["expected_by"],
            )
        )
    return lines
