"""`python -m tests.mutants [--part N] [module …]`: each small fault in a forked process, the tests over it; survivors are compared with `explained.json`.

With `--part` only so many of each module's faults are tried, always the same, and none of those that are explained.
Exit code 1 where a fault survives that no line explains, or a line explains a fault that is gone or is noticed.
"""

from __future__ import annotations
import __future__ as future

import argparse
import ast
import importlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

from tests.mutants.faults import Fault, faults_of
from tests.mutants.judges import JUDGES

EXPLAINED = Path(__file__).with_name("explained.json")
BATCH = 20  # so many judges are made before it is asked whether there is anything left to notice
SLOWER = 10  # a fault that makes a judge so many times slower, and 0.3 s more, is noticed: its loop may be endless


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
    space = dict(vars(module))
    exec(compile(fault.tree, str(module.__file__), "exec", future.annotations.compiler_flag, dont_inherit=True), space)
    faulty = functions(space, module.__name__)
    for name, function in functions(vars(module), module.__name__).items():
        if name in faulty:
            function.__code__ = faulty[name].__code__
            function.__defaults__ = faulty[name].__defaults__


@dataclass
class Watched:
    """A judge, which lines of the module it runs, and how long that takes."""

    judge: Callable[[], object]
    lines: frozenset[int]
    seconds: float

    @classmethod
    def over(cls, file: str, judge: Callable[[], object]) -> Watched:
        lines: set[int] = set()

        def line(frame: FrameType, event: str, _: object) -> Any:
            lines.add(frame.f_lineno)
            return line

        begin = time.process_time()
        sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename == file else None)
        try:
            judge()
        finally:
            sys.settrace(None)
        return cls(judge, frozenset(lines), time.process_time() - begin)

    def may_notice(self, fault: Fault) -> bool:
        return not fault.lines or not self.lines.isdisjoint(fault.lines)


def noticed_by(fault: Fault, module: ModuleType, judges: Sequence[Watched]) -> Watched | None:
    """The first judge that is not content with the faulty module; None where all are."""
    able = [each for each in judges if each.may_notice(fault)]
    if not able:
        return None
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        try:
            put(fault, module)
            for place, each in enumerate(able):
                os.write(tell, place.to_bytes(2, "big"))
                signal.setitimer(signal.ITIMER_PROF, 0.3 + SLOWER * each.seconds)
                each.judge()
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(tell)
    with open(told, "rb") as reading:
        begun = reading.read()
    _, status = os.waitpid(child, 0)
    return able[int.from_bytes(begun[-2:], "big")] if status else None


@dataclass(frozen=True)
class Outcome:
    """Of one module: how many faults were tried, how many survive as explained, which do without, which explanations are of no use."""

    tried: int
    explained: int
    fresh: tuple[str, ...]
    stale: tuple[str, ...]


def tried(name: str, part: int = 0) -> Outcome:
    """All faults of a module of `drawing`, or a part of those that nobody explained, before its judges."""
    module = importlib.import_module(f"drawing.{name}")
    known: dict[str, str] = json.loads(EXPLAINED.read_text("utf-8")).get(name, {})
    faults = list(faults_of(Path(str(module.__file__)).read_text("utf-8")))
    if part:
        faults = random.Random(name).sample([each for each in faults if each.name not in known], part)
    left = [each.name for each in _survivors(module, faults, iter(JUDGES[name]()))]
    stale = () if part else tuple(each for each in known if each not in left)
    fresh = tuple(each for each in left if each not in known)
    return Outcome(len(faults), len(left) - len(fresh), fresh, stale)


def _survivors(module: ModuleType, faults: list[Fault], judges: Iterator[Callable[[], object]]) -> list[Fault]:
    """The faults with which all judges are content. Judges are made a batch at a time, as long as there are faults left to judge."""
    file = str(module.__file__)
    unchanged = Fault("none", ast.parse(Path(file).read_text("utf-8")), range(0))
    while faults and (batch := [Watched.over(file, judge) for judge in islice(judges, BATCH)]):
        batch.sort(key=lambda each: each.seconds)
        assert noticed_by(unchanged, module, batch) is None
        left = []
        for fault in faults:
            judge = noticed_by(fault, module, batch)
            if judge is None:
                left.append(fault)
            else:  # the next fault is near this one: whoever noticed this is asked first
                batch.remove(judge)
                batch.insert(0, judge)
        faults = left
    return faults


def main(words: list[str]) -> int:
    """Print every survivor that is not explained, and every explanation that is out of date."""
    parser = argparse.ArgumentParser(prog="tests.mutants")
    parser.add_argument("modules", nargs="*", metavar="module")
    parser.add_argument("--part", type=int, default=0, metavar="N")
    asked = parser.parse_args(words)
    wrong = 0
    for name in asked.modules or list(JUDGES):
        begin = time.monotonic()
        found = tried(name, asked.part)
        noticed = found.tried - found.explained - len(found.fresh)
        print(
            f"{name}: {found.tried} faults, {noticed} noticed, {found.explained} explained, {len(found.fresh)} not "
            f"({time.monotonic() - begin:.0f} s)"
        )
        print(
            "".join([f"  survives: {each}\n" for each in found.fresh] + [f"  stale: {each}\n" for each in found.stale]), end="", flush=True
        )
        wrong += len(found.fresh) + len(found.stale)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
