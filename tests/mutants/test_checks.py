"""No single check of use cases, middleware or keeper can be taken away unnoticed: a seeded part with `make test`, all with `make test-long`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import LONG, counts
from tests.mutants.checks import EXPLAINED, PLACES, checks


def test_checks_are_found_where_they_stand():
    found = list(checks())
    names = [each.name for each in found]
    assert len(names) == len(set(names))
    assert set(EXPLAINED) <= set(names)
    assert {each.file for each in found} == set(PLACES)
    counts("checks found in use cases, middleware and keeper", len(found), len(found))


def test_no_check_can_be_taken_away_unnoticed():
    part = counts("checks taken away (0: all)", 2, 0)
    words = [sys.executable, "-m", "tests.mutants.checks", "--part", str(part)]
    done = subprocess.run(words, check=False, cwd=Path(__file__).parents[2], env={**os.environ, "LONG": ""}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    taken, noticed = map(int, re.findall(r"(\d+) (?:checks taken away|noticed)", done.stdout))
    assert taken == noticed
    if LONG:
        counts("checks taken away", 0, taken)
