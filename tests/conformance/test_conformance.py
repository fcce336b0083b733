"""The suite against the verifiers of this repository: a seeded part with `make test`, all of it with `make test-long`. And against a wrong one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from drawing.report import CHECKS, LEVEL_OF
from tests.conformance import bounds, tables
from tests.conformance.cases import MANIFEST, Line, chosen, read_cases, write_cases
from tests.conformance.runner import asked, run
from tests.conformance.suite import planned
from tests.conftest import LONG, counts

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = [sys.executable, "-m", "tests.conformance.python_verifier"]
SCRIPT = ROOT / "web" / "static" / "js" / "verify" / "verify.js"
SEED = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("conformance")
    wanted = counts("conformance cases (0: all)", 100, 0)
    with tables.without_solver():
        made = list(write_cases(place, chosen(planned(), wanted, SEED), SEED))
    if LONG:
        counts("conformance cases", 0, len(made))
    return place


def told(disagreements: list) -> str:
    return "\n".join(str(each) for each in disagreements)


def test_the_suite_is_large_enough_and_every_check_has_a_case_that_fails_only_there():
    found = planned()
    valid = [each for each in found if each.kind == "valid"]
    assert len(valid) >= 200
    assert sum(not each.kind.startswith("valid") for each in found) >= 2_000
    lies = {each.id.split("/")[1].split("-")[0] for each in found if each.kind in ("lie", "lie-openings")}
    assert lies == {check for check, _ in CHECKS}


def test_the_python_verifier_says_what_is_expected(folder):
    lines = read_cases(folder)
    assert told(run(PYTHON, folder, lines, skipped=True)) == ""
    known = [line for line in lines if line.expected_by == "construction"]
    assert len(known) > len(lines) // 3
    if LONG:
        alone = Counter(line.failed[0] for line in known if len(line.failed) == 1)
        assert set(alone) == {check for check, _ in CHECKS}
        for check, number in sorted(alone.items()):
            counts(f"conformance cases that fail {check} alone", 0, number)


def test_the_javascript_verifier_says_the_same(folder):
    node = shutil.which("node")
    if node is None or not SCRIPT.exists():
        pytest.skip("no node, or no verifier for it")
    lines = asked(read_cases(folder), ["openings"])
    assert told(run([node, str(HERE / "js_verifier.mjs")], folder, lines, skipped=True)) == ""


def test_a_verifier_that_skips_a_check_is_found_out(folder):
    """The suite can fail: whoever never fails D2 disagrees exactly where D2 fails."""
    lines = [line for line in read_cases(folder) if line.kind in ("lie", "valid", "curve", "pair", "body-lie")]
    for blind in ("D2", "A3", "C1"):
        wrong = {each.line.id for each in run([*PYTHON, "--blind", blind], folder, lines)}
        assert wrong == {line.id for line in lines if blind in line.failed}
        assert wrong


def test_a_verifier_that_crashes_or_answers_nonsense_is_found_out(folder):
    lines = read_cases(folder)[:3]
    for program in ("", "print('what?')", "print('{}')", 'input(); print(\'{"exit_code": 3, "failed": []}\')'):
        assert run([sys.executable, "-c", program], folder, [line for line in lines if line.exit_code != 3] or lines)


def test_cases_are_the_same_bytes_every_time_and_need_no_solver(tmp_path):
    found = []
    for number, hashes in enumerate(("0", "77")):
        place = tmp_path / str(number)
        code = (
            "import sys\nsys.modules['highspy'] = sys.modules['numpy'] = None\n"
            f"from tests.conformance.__main__ import main\nmain(['generate', {str(place)!r}, '--count', '60', '--seed', '5'])"
        )
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hashes}, capture_output=True
        )
        found.append({str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()})
    assert MANIFEST in found[0]
    assert found[0] == found[1]


def test_a_part_holds_the_cases_of_the_whole():
    whole = planned()
    part = chosen(whole, 150, SEED)
    assert {each.kind for each in part} == {each.kind for each in whole}
    assert [each.id for each in part] == [each.id for each in whole if each.id in {one.id for one in part}]


def test_what_lies_inside_a_bound_is_read(folder):
    assert [line.id for line in read_cases(folder) if line.kind == "bound-taken" and "I6" in line.failed] == []
    assert all(lawful or new is not None for _, _, new, lawful in bounds.bounds())


def test_a_level_says_which_files_are_there(folder):
    by_level: dict[str, list[Line]] = {}
    for line in read_cases(folder):
        by_level.setdefault(line.level, []).append(line)
        unseen = {check for check in line.failed if LEVEL_OF[check] == "supervisor"}
        assert not unseen or line.level == "supervisor", line.id
    assert {"roll", "expert", "supervisor"} <= set(by_level)
