"""Run a verifier over a folder of cases and compare what it says with what is expected.

In batch mode the command gets `--batch`, one JSON line per case on its standard input, and answers one JSON line per case. Singly it is started
once per case with the file names as arguments. README.md has the contract.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.cases import Line

SINGLE_OPTIONS = {"roll": "--roll", "receipt": "--receipt", "openings": "--openings-plain"}
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A case about which the verifier says something else."""

    line: Line
    exit_code: object
    failed: tuple[str, ...]
    skipped: tuple[str, ...] | None

    def __str__(self) -> str:
        def said(code: object, failed: Sequence[str], skipped: Sequence[str] | None) -> str:
            return f"{code} [{' '.join(failed)}]" + (f" skipped [{' '.join(skipped)}]" if skipped is not None and self.only_skipped else "")

        return (
            f"{self.line.id}  ({self.line.expected_by})  expected {said(self.line.exit_code, self.line.failed, self.line.skipped)}"
            f"  got {said(self.exit_code, self.failed, self.skipped)}"
        )

    @property
    def only_skipped(self) -> bool:
        return (self.exit_code, self.failed) == (self.line.exit_code, self.line.failed)


def asked(lines: Iterable[Line], without: Iterable[str] = ()) -> list[Line]:
    """The cases that a verifier without `openings`, `receipt` or `curve` can judge."""
    lacking = set(without)
    levels = {"openings": "supervisor", "receipt": "expert", "roll": "roll"}
    unseen = {levels[each] for each in lacking if each in levels}
    return [line for line in lines if line.level not in unseen and not lacking & set(line.needs)]


def compared(line: Line, answer: Answer, *, skipped: bool) -> Disagreement | None:
    """Verdict and failing checks must be equal; what was skipped too where it is looked at and the verifier tells."""
    failed = tuple(sorted(answer.get("failed", ["?"])))
    passed_over = tuple(sorted(answer["skipped"])) if "skipped" in answer else None
    if (answer.get("exit_code"), failed) == (line.exit_code, line.failed) and not (
        skipped and passed_over is not None and passed_over != line.skipped
    ):
        return None
    return Disagreement(line, answer.get("exit_code", answer.get("error")), failed, passed_over)


def batch(command: Sequence[str], folder: Path, lines: Sequence[Line]) -> Iterator[tuple[Line, Answer]]:
    """One process for all cases. A line that does not come is an answer, too."""
    process = subprocess.Popen([*command, "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdin is not None
    assert process.stdout is not None
    questions = [json.dumps({"id": line.id, **{kind: str(folder / name) for kind, name in line.files.items()}}) + "\n" for line in lines]
    writer = threading.Thread(target=_write, args=(process, questions), daemon=True)
    writer.start()
    for line in lines:
        text = process.stdout.readline()
        try:
            answer = json.loads(text) if text else {"error": "no answer"}
        except ValueError:
            answer = {"error": f"not JSON: {text[:200]}"}
        if answer.get("id", line.id) != line.id:
            answer = {"error": f"answered {answer['id']}"}
        yield line, answer
    process.stdout.close()
    process.wait(timeout=60)


def _write(process: subprocess.Popen[str], questions: Sequence[str]) -> None:
    assert process.stdin is not None
    try:
        for each in questions:
            process.stdin.write(each)
            process.stdin.flush()
        process.stdin.close()
    except (BrokenPipeError, ValueError):
        return  # the verifier ended; the missing answers say so


def singly(command: Sequence[str], folder: Path, lines: Sequence[Line]) -> Iterator[tuple[Line, Answer]]:
    """One process per case, as a person would call it."""
    for line in lines:
        words = [*command, str(folder / line.files["proof"]), "--keys", str(folder / line.files["keys"])]
        for kind, option in SINGLE_OPTIONS.items():
            if kind in line.files:
                words += [option, str(folder / line.files[kind])]
        done = subprocess.run([*words, "--json"], capture_output=True, text=True, encoding="utf-8", check=False)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = {"error": done.stderr[-300:]}
        else:
            answer["exit_code"] = done.returncode
        yield line, answer


def run(
    command: Sequence[str],
    folder: Path,
    lines: Sequence[Line],
    *,
    one_by_one: bool = False,
    skipped: bool = False,
    progress: Callable[[int], None] = lambda n: None,
) -> list[Disagreement]:
    """All disagreements of a verifier."""
    found = []
    for number, (line, answer) in enumerate((singly if one_by_one else batch)(command, folder, lines), 1):
        wrong = compared(line, answer, skipped=skipped)
        if wrong is not None:
            found.append(wrong)
        progress(number)
    return found
