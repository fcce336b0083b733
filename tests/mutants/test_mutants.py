"""Small faults in the code that decides are noticed: a part with `make test`, all of them with `make test-long`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONG, counts
from tests.mutants.judges import JUDGES


@pytest.mark.parametrize("name", list(JUDGES))
def test_no_fault_survives_that_is_not_explained(name):
    """In a process of its own: a fork of one with threads may hang."""
    part = counts(f"faults put into {name}.py (0: all)", 6, 0)
    words = [sys.executable, "-m", "tests.mutants", name, "--part", str(part)]
    quick = {**os.environ, "LONG": ""}  # the judges' own counts are those of `make test`
    done = subprocess.run(words, check=False, cwd=Path(__file__).parents[2], env=quick, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    tried, noticed, explained = map(int, re.findall(r"(\d+) (?:faults|noticed|explained)", done.stdout))
    assert tried == noticed + explained
    if LONG:
        counts(f"faults put into {name}.py", 0, tried)
        counts(f"faults put into {name}.py that are explained", 0, explained)
