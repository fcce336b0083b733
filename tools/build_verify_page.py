"""Build dist/lotroom-verify.html: the verification page as one file for a disk (see server/verifier_page.py)."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

from server.verifier_page import NotLinkable, verifier_page

HERE = Path(__file__).resolve().parent.parent


def page() -> str:
    """The whole file, of this version."""
    return verifier_page(tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def build(target: Path) -> Path:
    """Write the page and return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), "utf-8")
    return target


if __name__ == "__main__":
    try:
        written = build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dist" / "lotroom-verify.html")
    except NotLinkable as fault:
        raise SystemExit(str(fault)) from fault
    print(written, hashlib.sha256(written.read_bytes()).hexdigest())
