"""docs/threat-model.md names tests: they exist, and every file of adversaries has its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/threat-model.md").read_text("utf-8")


def test_every_test_that_the_threat_model_names_exists():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 25
    for file, name in named:
        functions = {node.name for node in ast.walk(ast.parse((HERE / file).read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{file}::{name}"


def test_every_file_of_adversaries_has_a_row():
    files = {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}
    assert files == {file for file, _ in re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)}
