"""Counts: `make test` runs a seeded part, `make test-long` (LONG=1) all of it; both print what they ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.service import database, keeper_store, store, templates

__all__ = ["database", "keeper_store", "store", "templates"]  # fixtures

ROOT = Path(__file__).parents[1]
LONG = os.environ.get("LONG") == "1"
_counted: dict[str, int] = {}

settings.register_profile("short", max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("long", max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("long" if LONG else "short")


def counts(name: str, short: int, long: int) -> int:
    """How many of something to run; printed at the end."""
    _counted[name] = long if LONG else short
    return _counted[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, number in sorted(_counted.items()):
        terminalreporter.write_line(f"counts: {name} {number}")
