"""`python -m tests.mutants [module …]`: each small fault in a forked process, the tests over it; survivors are compared with `explained.json`.

Exit code 1 where a fault survives that no line explains, or a line explains a fault that is gone or is noticed.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutants.faults import Fault, faults_of
from tests.mutants.judges import JUDGES

EXPLAINED = Path(__file__).with_name("explained.json")
SECONDS = 60  # a fault that makes a loop endless is noticed by this


def functions(space: dict[str, object], module: str) -> dict[str, FunctionType]:
    """All functions and methods that a module defines, by their qualified names."""
    out: dict[str, FunctionType] = {}
    for value in space.values():
        if isinstance(value, FunctionType) and value.__module__ == module:
            out[value.__qualname__] = value
        elif isinstance(value, type) and value.__module__ == module:
            for each in vars(value).values():
                bare = each.fget if isinstance(each, property) else getattr(each, "func", each)
                bare = getattr(bare, "__func__", bare)
                if isinstance(bare, FunctionType) and bare.__module__ == module:
                    out[bare.__qualname__] = bare
    return out


def put(fault: Fault, module: ModuleType) -> None:
    """The module's own functions get the faulty code, so that everybody who imported them has it."""
    code: CodeType = compile(fault.tree, str(module.__file__), "exec")
    space: dict[str, object] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(code, space)
    faulty = functions(space, module.__name__)
    for name, function in functions(vars(module), module.__name__).items():
        if name in faulty:
            function.__code__ = faulty[name].__code__
            function.__defaults__ = faulty[name].__defaults__


def survives(fault: Fault, module: ModuleType, judges: Sequence[Callable[[], object]]) -> bool:
    """Whether all judges are content with the faulty module."""
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        try:
            put(fault, module)
            for judge in judges:
                judge()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return status == 0


def survivors(name: str) -> tuple[int, list[str]]:
    """(faults tried, names of those that survive) of a module of `drawing`."""
    module = importlib.import_module(f"drawing.{name}")
    judges = JUDGES[name]()
    for judge in judges:
        judge()
    faults = list(faults_of(Path(str(module.__file__)).read_text("utf-8")))
    return len(faults), [fault.name for fault in faults if survives(fault, module, judges)]


def explained() -> dict[str, dict[str, str]]:
    """Module -> surviving fault -> why nothing can notice it."""
    known: dict[str, dict[str, str]] = json.loads(EXPLAINED.read_text("utf-8"))
    return known


def main(words: list[str]) -> int:
    """Print every survivor that is not explained, and every explanation that is out of date."""
    wrong = 0
    known = explained()
    for name in words or list(JUDGES):
        begin = time.monotonic()
        tried, left = survivors(name)
        fresh = [each for each in left if each not in known.get(name, {})]
        stale = [each for each in known.get(name, {}) if each not in left]
        print(
            f"{name}: {tried} faults, {tried - len(left)} noticed, {len(left) - len(fresh)} explained, {len(fresh)} not ({time.monotonic() - begin:.0f} s)"
        )
        print("".join(f"  survives: {each}\n" for each in fresh) + "".join(f"  stale: {each}\n" for each in stale), end="", flush=True)
        wrong += len(fresh) + len(stale)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
