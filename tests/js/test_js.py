"""The JavaScript verifier beside the Python one: on golden proofs, on mutants of them, on every lie the same checks fail; and its own tests."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drawing.verify import Files, verify
from server.verifier_page import Linker, NotLinkable
from tests.conftest import LONG, counts
from tests.js.pools import small_world
from tests.lies import LIES
from tests.npm import npm_file
from tests.scenario import World
from tools.build_verify_page import page
from tools.make_texts import TARGET, texts_module

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "vectors" / "golden").iterdir())
VENDOR = ROOT / "web" / "static" / "vendor"


class Verifier:
    """One node process that answers line by line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(ROOT / "tests" / "js" / "serve.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, files: Files) -> dict[str, object]:
        given = {"proof": files.proof, "keys": files.keys, "roll": files.roll, "receipt": files.receipt}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({key: b64encode(data).decode() for key, data in given.items() if data is not None}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, object] = json.loads(self.process.stdout.readline())
        assert "threw" not in answer, answer["threw"]
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)


@pytest.fixture(scope="module")
def javascript() -> Iterator[Verifier]:
    verifier = Verifier()
    yield verifier
    verifier.close()


def agree(javascript: Verifier, files: Files, what: object) -> tuple[str, ...]:
    """Both say the same; which checks fail."""
    files = replace(files, openings=None)
    ours, theirs = verify(files), javascript(files)
    assert theirs["failed"] == list(ours.failed), what  # type: ignore[attr-defined]
    assert theirs["exit_code"] == ours.exit_code, what
    assert [each["code"] for each in theirs["headlines"]] == list(ours.headlines), what  # type: ignore[attr-defined]
    return ours.failed


def golden(folder: Path) -> Files:
    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).exists() else None

    return Files(
        (folder / "proof.json").read_bytes(), (folder / "keys.json").read_bytes(), read("roll.bin"), None, receipt=read("receipt.json")
    )


def test_node_s_own_tests_pass():
    done = subprocess.run(
        ["node", "--test", *map(str, sorted((ROOT / "tests" / "js").glob("*.test.js")))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_both_find_the_same_in_golden_proofs(javascript, folder):
    files = golden(folder)
    assert agree(javascript, files, folder.name) == ()
    facts = {key: value for key, value in verify(files).facts.items() if key != "fairness"}  # a figure of the Python report alone
    assert javascript(files)["facts"] == facts
    agree(javascript, replace(files, roll=None, receipt=None), folder.name)


SHORT_LIES = (
    "A1",
    "A2",
    "A3",
    "A4",
    "A5",
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "D2",
    "D2_2",
    "D2_4",
    "D3",
    "D6",
    "D6_2",
    "D6_3",
    "E4",
    "F2",
    "F4",
    "I1",
    "I5",
    "R1",
    "R2_3",
    "T1_2",
    "T2_1",
    "T4_1",
)


@pytest.mark.parametrize("name", sorted(LIES) if LONG else SHORT_LIES)
def test_a_lie_fails_at_the_same_check_in_both(javascript, name):
    agree(javascript, LIES[name](), name)


@pytest.mark.parametrize("seed", range(counts("small pools judged by both verifiers", 12, 500)))
def test_small_pools_of_few_employers_are_drawn_alike(javascript, seed):
    world = small_world(seed)
    if world is not None:
        agree(javascript, world.files(openings=False), seed)


A6_LIES = sorted(name for name in LIES if name.partition("_")[0] == "A6")


@pytest.mark.parametrize("name", A6_LIES)
def test_a_lie_about_the_second_quorum_is_told_alike(javascript, name):
    files = LIES[name]()
    agree(javascript, files, name)
    ours, theirs = verify(files).outcome("A6"), next(each for each in javascript(files)["checks"] if each["check"] == "A6")  # type: ignore[attr-defined]
    assert [each["code"] for each in theirs["faults"]] == [each.code for each in ours.faults]


@pytest.fixture(scope="module")
def two_quorums() -> Files:
    return World(seed=17, beacon="local", second_quorum=True).whole(left=(0,)).files(openings=False)


def test_both_judge_the_second_quorum(javascript, two_quorums):
    def a6(files: Files) -> tuple[str, str]:
        ours, theirs = verify(files).outcome("A6"), next(each for each in javascript(files)["checks"] if each["check"] == "A6")  # type: ignore[attr-defined]
        assert (theirs["status"], theirs["reason"]) == (ours.status.value, ours.reason)
        return ours.status.value, ours.reason

    assert a6(two_quorums) == ("passed", "")
    assert a6(golden(GOLDEN[0])) == ("not_applicable", "no_second_quorum")
    assert a6(replace(two_quorums, keys=b"{}")) == ("skipped", "no_key_list")
    agree(javascript, two_quorums, "two quorums")


@pytest.mark.parametrize("seed", range(counts("mutants of notes and lists with two quorums", 40, 2_000)))
def test_a_mutant_with_two_quorums_fails_at_the_same_checks_in_both(javascript, two_quorums, seed):
    chance = random.Random(seed)
    name = chance.choice(("proof", "proof", "keys"))
    whole = json.loads(getattr(two_quorums, name))
    holder, key = (
        (whole["lists"][0], "second_policy") if name == "keys" else (whole["checkpoints"], chance.randrange(len(whole["checkpoints"])))
    )
    lines = holder[key].split("\n")
    at, kind = chance.randrange(len(lines)), chance.randrange(5)
    if kind < 2 and lines[at]:
        there = chance.randrange(min(len(lines[at]), chance.choice((40, 10_000))))
        lines[at] = lines[at][:there] + chance.choice("Aw0+ /") + lines[at][there + 1 :]
    elif kind == 2:
        del lines[at]
    elif kind == 3:
        lines.insert(chance.randrange(len(lines)), lines[at])
    else:
        there = chance.randrange(len(lines))
        lines[at], lines[there] = lines[there], lines[at]
    holder[key] = "\n".join(lines)
    changed = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    agree(javascript, replace(two_quorums, **{name: changed}), (seed, name, at, kind))


def mutated(value: object, chance: random.Random) -> object:
    """Another value of JSON, often of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice((value + 1, value - 1, 0, -1, 2**53, str(value)))
    if isinstance(value, str):
        at = chance.randrange(len(value)) if value else 0
        return chance.choice(
            (value[:at] + chance.choice("0123456789abcdef") + value[at + 1 :], value[:-1], value + "0", "", 0, value + "é")
        )
    if isinstance(value, list):
        at = chance.randrange(len(value)) if value else 0
        return chance.choice((value[:at] + value[at + 1 :], value + value[at : at + 1], value[::-1], []))
    assert isinstance(value, dict)
    gone = chance.choice(sorted(value))
    return chance.choice(({key: each for key, each in value.items() if key != gone}, {**value, "zz": 1}))


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where something can be changed."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from places(each, (*path, key))


def mutant(seed: int) -> tuple[str, Files]:
    chance = random.Random(seed)
    folder = chance.choice(GOLDEN)
    files = golden(folder)
    name = chance.choice(("proof", "proof", "proof", "keys", "roll", "receipt"))
    data = getattr(files, name) or files.proof
    name = name if getattr(files, name) else "proof"
    if name == "roll" or chance.random() < 0.2:
        at = chance.randrange(len(data))
        changed = chance.choice(
            (data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :], data[:at], data[:at] + data[at + 1 :])
        )
        return f"{seed} {folder.name} {name} byte {at}", replace(files, **{name: changed})
    whole = json.loads(data)
    path = chance.choice([each for each in places(whole) if each])
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = mutated(holder[path[-1]], chance)
    changed = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{seed} {folder.name} {name} {path}", replace(files, **{name: changed})


@pytest.mark.parametrize("seed", range(counts("mutants judged by both verifiers", 60, 3_000)))
def test_a_mutant_fails_at_the_same_checks_in_both(javascript, seed):
    what, files = mutant(seed)
    agree(javascript, files, what)


def test_the_types_of_the_modules_hold():
    tsc = npm_file("typescript/bin/tsc")
    done = subprocess.run(["node", str(tsc), "-p", str(ROOT)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_the_texts_of_the_page_are_those_of_the_command():
    assert TARGET.read_text("utf-8") == texts_module(), "run tools/make_texts.py"


def test_every_check_and_every_code_of_the_verifier_has_its_texts():
    report = verify(golden(GOLDEN[0]))
    source = (ROOT / "web" / "static" / "js" / "verify" / "explain.js").read_text("utf-8")
    assert {outcome.check for outcome in report.outcomes} == set(re.findall(r"^  ([A-Z]\d): \[", source, re.MULTILINE))
    known = texts_module()
    for path in sorted((ROOT / "web" / "static" / "js" / "verify").glob("*.js")):
        for code in re.findall(r'(?:Refused\(|[fF]ault\((?:check|"[A-Z]\d"), )"([a-z_0-9]+)"', path.read_text("utf-8")):
            assert f'"{code}": [' in known, (path.name, code)


def test_vendored_files_are_those_that_were_pinned():
    facts = json.loads((VENDOR / "VENDOR.json").read_text("utf-8"))
    for each in facts["files"]:
        assert hashlib.sha256((VENDOR / each["file"]).read_bytes()).hexdigest() == each["sha256"]
    assert all((VENDOR / each["licence_file"]).exists() for each in facts["packages"])


def test_the_page_is_made_the_same_way_twice_and_names_no_address():
    made = page()
    assert made == page()
    rest = re.sub(
        r"http://www\.w3\.org/2000/svg|https?://(?:www\.)?(?:paulmillr|eprint|datatracker|github|en\.wikipedia)[^\s)\"]*", "", made
    )
    assert not re.search(r'(?:src|href)="', rest.split("<script id", 1)[0])
    assert "default-src 'none'" in made


@pytest.mark.parametrize(
    "source",
    [
        'import x from "./a.js";\n',
        'import * as x from "./a.js";\n',
        "export default 1;\n",
        'export { a } from "./a.js";\n',
        "export let a = 1;\n",
        'const a = await import("./a.js");\n',
        "const a = import.meta.url;\n",
    ],
)
def test_the_linker_refuses_other_styles(tmp_path, source):
    (tmp_path / "a.js").write_text("export const a = 1;\n", "utf-8")
    (tmp_path / "b.js").write_text(source, "utf-8")
    with pytest.raises(NotLinkable):
        Linker().add(tmp_path / "b.js")


def test_the_linker_refuses_circles(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nexport const a = b;\n', "utf-8")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = a;\n', "utf-8")
    with pytest.raises(NotLinkable, match="circle"):
        Linker().add(tmp_path / "a.js")
