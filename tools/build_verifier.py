"""Build dist/lotroom-verify.pyz: the library alone, for whoever checks a draw. It needs Python 3.11 and pynacl; with
py_arkworks_bls12381 it also judges the values of beacons, with cryptography (50 or newer) the ML-DSA-44 cosignatures of a second quorum.
"""

from __future__ import annotations

import shutil
import tempfile
import zipapp
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def build(target: Path) -> Path:
    """Write the archive and return its path."""
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "drawing", Path(folder) / "drawing", ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "__main__.py").write_text("import sys\nfrom drawing.__main__ import main\nsys.exit(main())\n", "utf-8")
        zipapp.create_archive(folder, target, interpreter="/usr/bin/env python3", compressed=True)
    return target


if __name__ == "__main__":
    print(build(HERE / "dist" / "lotroom-verify.pyz"))
