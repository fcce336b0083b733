"""In every process that a judge of tests.mutants.checks starts: the one module that WITHOUT_CHECK names is read without its check."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path

TOLD = os.environ.get("WITHOUT_CHECK", "")


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles the module without one statement; no file of byte code is read or written."""

    def get_code(self, fullname: str) -> object:
        from tests.mutants.checks import without

        source = Path(self.path).read_text("utf-8")
        return compile(without(source, int(TOLD.rpartition(":")[2])), self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds that one module."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        file = TOLD.rpartition(":")[0]
        if fullname != file.removesuffix(".py").replace("/", "."):
            return None
        place = Path(__file__).resolve().parents[3] / file
        return importlib.machinery.ModuleSpec(fullname, Loader(fullname, str(place)), origin=str(place))


if TOLD:
    sys.meta_path.insert(0, Finder())
