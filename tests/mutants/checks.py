"""Every single check of the service taken away, one at a time, and the tests that must notice: `python -m tests.mutants.checks [--part N]`.

The checks are found in the source, not listed: in use cases each statement that only asks the permission table; in middleware each `raise Stop`;
in the keeper each `raise Refused` on the way of a caller, a pass, an approval or a field. A check is taken away as the module is imported, in
whatever process imports it (`hook/sitecustomize.py`), so that the keeper of a test is without it too.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "server" / "services"
VARIABLE = "WITHOUT_CHECK"
ASKS = (
    "desk.require",
    "desk.require_to_ask",
    "parts.require",
    "require",
    "require_to_ask",
    "permissions.require",
    "permissions.require_to_ask",
)
# module -> (what stands for a check: a call that asks, or a raise; functions that hold checks, all where none is named; the tests that judge)
USE_CASES = (
    "tests/server/desk/test_services.py", "tests/server/desk/test_foreign.py", "tests/server/desk/test_people.py",
)  # fmt: skip
WEB = (
    "tests/server/web/test_csrf.py", "tests/server/web/test_bodies.py", "tests/server/web/test_inputs.py", "tests/server/web/test_raw.py",
    "tests/server/desk/test_tokens.py",
)  # fmt: skip
KEEPER = (
    "tests/server/keeper/test_checks.py",
    "tests/server/keeper/test_keeper.py",
    "tests/server/keeper/test_passkeys.py",
    "tests/server/keeper/test_hostile.py",
    "tests/server/desk/test_people.py",
)
PLACES: dict[str, tuple[str, tuple[str, ...], Sequence[str]]] = {
    **{
        f"server/services/{path.name}": ("ask", (), USE_CASES)
        for path in sorted(SERVICES.glob("[a-z]*.py"))
        if "require" in path.read_text("utf-8")
    },
    "server/handlers/middleware.py": ("Stop", ("answer", "admit", "identify", "read_body"), WEB),
    "server/keeper/keeper.py": ("Refused", ("answer",), KEEPER),
    "server/keeper/fields.py": ("Refused", ("_may_open", "search_names"), KEEPER),
    "server/keeper/people.py": (
        "Refused",
        ("person_of_pass", "asserted", "revoke_passkey", "enrol_totp", "_beginning", "_first_of_all"),
        KEEPER,
    ),
    "server/keeper/own.py": (
        "Refused",
        ("connect", "in_draw"),
        ("tests/server/keeper/test_checks.py", "tests/server/draws/test_own_record.py"),
    ),
    "server/keeper/approvals.py": (
        "Refused",
        ("challenge_for", "_approve_once", "approved", "use", "_may_approve", "_affected", "_reset"),
        KEEPER,
    ),
}
# Without these nothing more is allowed, only refused elsewhere or by another word: why.
EXPLAINED: dict[str, str] = {
    "server/services/sign_in.py with_password: desk.require('login.begin', caller)": "public: the table lets everybody",
    "server/services/sign_in.py passkey_options: desk.require('login.begin', caller)": "public",
    "server/services/sign_in.py with_passkey: desk.require('login.begin', caller)": "public",
    "server/handlers/middleware.py read_body: raise Stop('too_large', most=route.most_bytes) (2)": (
        "a body without a length is refused unread (411), one with a length ends with it"
    ),
    "server/keeper/keeper.py answer: raise Refused('keeper_failed', request.verb) from None": (
        "the result is missing then, and the process around it answers keeper_failed"
    ),
    "server/services/account.py invited: desk.require('ticket.redeem', caller)": "public: the ticket is the right",
    "server/services/single_sign_on.py begin: desk.require('login.begin', caller)": "public",
    "server/services/single_sign_on.py finish: desk.require('login.begin', caller)": "public",
    "server/services/account.py begin_invited: desk.require('ticket.redeem', caller)": "public",
    "server/services/account.py end_invited: desk.require('ticket.redeem', caller)": "public",
}


@dataclass(frozen=True)
class Check:
    """One statement: its file, its place in the walk of the file, its name."""

    file: str
    at: int
    name: str


def is_check(node: ast.AST, what: str) -> bool:
    """Whether a statement is a check of this kind."""
    if what == "ask":
        call = node.value if isinstance(node, ast.Expr) else None
        return isinstance(call, ast.Call) and ast.unparse(call.func) in ASKS
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    return isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == what


def checks() -> Iterator[Check]:
    """All of them."""
    for file, (what, functions, _) in PLACES.items():
        seen: dict[str, int] = {}
        for at, (function, node) in enumerate(walk(ast.parse((ROOT / file).read_text("utf-8")))):
            if is_check(node, what) and (not functions or function.split(".")[-1] in functions):
                name = f"{file} {function}: {ast.unparse(node)}"
                seen[name] = seen.get(name, 0) + 1
                yield Check(file, at, name if seen[name] == 1 else f"{name} ({seen[name]})")


def walk(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.AST]]:
    """(outermost function or method, node) of all nodes, in one order."""
    for child in ast.iter_child_nodes(tree):
        inner = function or (child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else "")
        yield inner, child
        yield from walk(child, inner)


def without(source: str, at: int) -> ast.Module:
    """The module without its check number `at`."""
    tree = ast.parse(source)
    node = next(each for number, (_, each) in enumerate(walk(tree)) if number == at)
    node.__class__ = ast.Pass  # type: ignore[assignment]
    return ast.fix_missing_locations(tree)


def noticed(check: Check | None, judges: Sequence[str]) -> bool:
    """Whether the judges, in a process of their own, fail without this check."""
    told = "" if check is None else f"{check.file}:{check.at}"
    hook = str(ROOT / "tests" / "mutants" / "hook")
    env = {**os.environ, VARIABLE: told, "PYTHONPATH": f"{hook}{os.pathsep}{ROOT}", "LONG": "", "LOTROOM_TEST_ENGINES": "sqlite"}
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *judges]
    try:
        done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (0, 1):  # no answer: the tests could not be run
        raise RuntimeError(done.stdout[-2_000:] + done.stderr[-2_000:])
    return done.returncode == 1


def tried(part: int = 0) -> tuple[int, list[str], list[str]]:
    """How many were taken away, which nobody noticed without an explanation, and which explanations are of no use."""
    found = list(checks())
    names = {each.name for each in found}
    stale = [name for name in EXPLAINED if name not in names]
    asked = [each for each in found if each.name not in EXPLAINED]
    if part:
        asked = random.Random(7).sample(asked, min(part, len(asked)))
    missed = []
    for each in asked:
        begun = time.monotonic()
        good = noticed(each, PLACES[each.file][2])
        print(f"{'noticed' if good else 'SURVIVES'} ({time.monotonic() - begun:.0f} s): {each.name}", flush=True)
        if not good:
            missed.append(each.name)
    return len(asked), missed, stale


def main(words: list[str]) -> int:
    """Print every check whose absence nobody noticed."""
    parser = argparse.ArgumentParser(prog="tests.mutants.checks")
    parser.add_argument("--part", type=int, default=0, metavar="N")
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args(words)
    if given.list:
        print("\n".join(each.name for each in checks()))
        return 0
    number, missed, stale = tried(given.part)
    print(f"{number} checks taken away, {number - len(missed)} noticed, {len(EXPLAINED)} explained, {len(stale)} explanations out of date")
    return 1 if missed or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
