"""The developers' packages of package-lock.json, fetched once where a test needs them; their integrity is in the lock."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def npm_file(path: str) -> Path:
    """A file of node_modules. Skips the test where it cannot be fetched."""
    found = ROOT / "node_modules" / path
    if not found.exists():
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip("packages cannot be fetched here: " + done.stderr[-200:])
    return found
