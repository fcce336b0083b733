"""What the adversaries did, printed at the end: trials and successes of each."""

from __future__ import annotations

import pytest

from tests.fairness.coalition import RECORD


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, (trials, successes) in sorted(RECORD.items()):
        terminalreporter.write_line(f"adversary: {name}: {successes} of {trials}")
