"""Counts: `make test` runs a seeded part, `make test-long` (LONG=1) all of it; both print what they ran."""

from __future__ import annotations

import os
import re
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

from tests.service import ENGINES, database, keeper_store, store, templates

__all__ = ["database", "keeper_store", "store", "templates"]  # fixtures

ROOT = Path(__file__).parents[1]
LONG = os.environ.get("LONG") == "1"
ENGINE = re.compile(r"\b(sqlite|postgresql)\b")
_counted: dict[str, int] = {}

settings.register_profile("short", max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("long", max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("long" if LONG else "short")


def counts(name: str, short: int, long: int) -> int:
    """How many of something to run; printed at the end."""
    _counted[name] = long if LONG else short
    return _counted[name]


# Their tests start whole services; what is particular to an engine is in tests/server/storage and tests/server/keeper, which always run on both.
ONE_ENGINE = ("tests/server/service/", "tests/server/draws/", "tests/server/desk/", "tests/server/services/")


# Files that take long come first where several processes share them: at the end none waits for another's last one.
LONGEST = (
    "tests/server/service/", "tests/server/demo/", "tests/e2e/", "tests/server/desk/", "tests/server/draws/", "tests/faults/",
    "tests/server/storage/", "tests/server/keeper/",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first, then those that are left of two engines."""
    items.sort(key=lambda item: next((n for n, folder in enumerate(LONGEST) if item.nodeid.startswith(folder)), len(LONGEST)))
    _one_engine(config, items)


def _one_engine(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`make test` runs the tests of a file on one of the two engines, by the file's name, so that either has half of them; `make test-long` on both."""
    pairs = [item for item in items if item.nodeid.startswith(ONE_ENGINE) and ENGINE.search(item.nodeid)]
    if LONG or len(ENGINES) < 2 or not pairs:
        return
    whole = {item.nodeid for item in pairs}
    left = [item for item in pairs if _other(item.nodeid) in whole and not _chosen(item.nodeid)]
    counts("tests of two engines run on one of them", len(left), len(left))
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def _other(name: str) -> str:
    return ENGINE.sub(lambda found: ENGINES[1 - ENGINES.index(found[0])], name)


def _chosen(name: str) -> bool:
    first, second = sorted((name, _other(name)))
    return name == (first, second)[crc32(name.partition("::")[0].encode()) % 2]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes that share the files of tests (`-n`): its counts go to the one that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["counts"] = dict(_counted)


class _Gathering:
    """Where tests run in several processes: their counts come together here."""

    def pytest_testnodedown(self, node: object) -> None:
        _counted.update(getattr(node, "workeroutput", {}).get("counts", {}))


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("xdist") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Gathering())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, number in sorted(_counted.items()):
        terminalreporter.write_line(f"counts: {name} {number}")
