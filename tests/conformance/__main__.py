"""`python -m tests.conformance generate|run|tables`: see README.md beside this file."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.conformance import tables
from tests.conformance.cases import chosen, read_cases, write_cases
from tests.conformance.runner import asked, run
from tests.conformance.suite import planned


def generate(arguments: argparse.Namespace) -> int:
    """Make cases and count them."""
    kinds: Counter[str] = Counter()
    with tables.without_solver(fitting=arguments.command == "tables"):
        for line in write_cases(arguments.folder, chosen(planned(), arguments.count, arguments.seed), arguments.seed):
            kinds[line.kind] += 1
    for kind, number in sorted(kinds.items()):
        print(f"{number:6} {kind}")
    print(f"{sum(kinds.values()):6} cases")
    return 0


def judge(arguments: argparse.Namespace) -> int:
    """Run a verifier and print what it says otherwise."""
    lines = asked(read_cases(arguments.folder), arguments.without.split(",") if arguments.without else ())
    begun = time.perf_counter()
    wrong = run(arguments.verifier, arguments.folder, lines, one_by_one=arguments.single, skipped=arguments.skipped)
    bad = Counter(each.line.kind for each in wrong)
    for kind, number in sorted(Counter(line.kind for line in lines).items()):
        print(f"{number - bad[kind]:6} agreed {bad[kind]:6} disagreed  {kind}")
    for each in wrong:
        print(each)
    print(f"{len(lines) - len(wrong)} agreed, {len(wrong)} disagreed, {time.perf_counter() - begun:.1f} s")
    return 1 if wrong else 0


def main(words: list[str] | None = None) -> int:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m tests.conformance")
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("generate", "tables"):
        make = commands.add_parser(name)
        make.add_argument("folder", type=Path)
        make.add_argument("--seed", type=int, default=1)
        make.add_argument("--count", type=int, default=0, help="about so many, from every class; 0: all")
    check = commands.add_parser("run")
    check.add_argument("folder", type=Path)
    check.add_argument("--without", default="", help="what the verifier cannot do, of openings,receipt,roll,curve,mldsa, with commas")
    check.add_argument("--single", action="store_true", help="start the verifier once per case")
    check.add_argument("--skipped", action="store_true", help="compare also which checks were skipped")
    check.add_argument("verifier", nargs="*", metavar="-- COMMAND")
    given = list(sys.argv[1:] if words is None else words)
    own, _, verifier = (given, "", []) if "--" not in given else (given[: given.index("--")], "--", given[given.index("--") + 1 :])
    arguments = top.parse_args(own)
    if arguments.command == "run":
        arguments.verifier = verifier
        return judge(arguments)
    code = generate(arguments)
    if arguments.command == "tables":
        tables.save(tables.used)
    return code


if __name__ == "__main__":
    sys.exit(main())
