"""The commands as a user types them: files in, files and exit codes out."""

from __future__ import annotations

import base64
import csv
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from drawing.__main__ import main as drawing_main
from drawing.proof import parse_proof
from drawing.verify import Files, verify
from server.__main__ import cli
from server.keyfiles import make_key, write_key
from server.library.demo import DEMO_COMPANIES, make_library
from server.library.read_sheet import read_library

ROOT = Path(__file__).parents[2]
WORKS = ROOT / "docs/examples/works.toml"
PROCUREMENT = ROOT / "docs/examples/procurement.toml"


def lotroom(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, [str(word) for word in words])


def verified(folder: Path, *more: object) -> int:
    return drawing_main(["verify", str(folder / "proof.json"), "--keys", str(folder / "keys.json"), *[str(word) for word in more]])


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.csv"
    make_library(400, 5, path)
    return path


@pytest.fixture(scope="module")
def drawn(library, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    answers = folder / "answers.csv"
    answers.write_text("席位,答复,理由\n0,不参加,出差\n4,left,ill\n", "utf-8")
    done = lotroom("draw", "run", library, WORKS, "--out", folder / "draw", "--answers", answers)
    assert done.exit_code == 0, done.output
    return folder / "draw"


def empty(folder: Path) -> Path:
    path = folder / "none.csv"
    path.write_text("", "utf-8")
    return path


def test_the_examples_can_be_drawn_from_small_demo_libraries(tmp_path):
    for seed in range(4):
        path = tmp_path / f"{seed}.csv"
        make_library(400, seed, path)
        for number, request in enumerate((WORKS, PROCUREMENT)):
            done = lotroom("draw", "run", path, request, "--out", tmp_path / f"d{seed}{number}", "--answers", empty(tmp_path))
            assert done.exit_code == 0, done.output


def test_a_draw_is_verified_at_each_level_with_the_exit_codes_of_the_readme(drawn, capsys):
    assert verified(drawn) == 3
    assert verified(drawn, "--roll", drawn / "roll.bin") == 3
    for key in sorted((drawn / "keys").glob("supervisor-*.key")):  # after the end both may
        assert verified(drawn, "--roll", drawn / "roll.bin", "--openings", drawn / "openings.sealed", "--key", key, "--json") == 3
    report = json.loads(capsys.readouterr().out.rpartition("\n{")[2].join(("{", "")))
    assert report["failed"] == []
    assert set(report["skipped"]) == {"A1", "A2", "C3", "T5", "E1", "E2", "E3", "E4"}
    assert len(report["names"]) == 5
    assert verified(drawn, "--roll", drawn / "nothing") == 2
    assert drawing_main(["verify", str(drawn / "proof.json"), "--keys", str(drawn / "commit.json")]) == 1


def test_the_first_lines_say_what_is_not_shown(drawn, capsys):  # spec: draw-8.2
    verified(drawn, "--lang", "en")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("all keys were held by the operator")
    assert lines[1].startswith("private log: earlier attempts cannot be counted")


def test_explain_tells_every_event_in_both_languages(drawn, capsys):
    events = parse_proof((drawn / "proof.json").read_bytes()).events
    for lang in ("zh", "en"):
        assert drawing_main(["explain", str(drawn / "proof.json"), "--lang", lang]) == 0
        told = capsys.readouterr().out
        assert sum(line.partition(".")[0].isdigit() for line in told.splitlines()) == len(events)
        assert "{" not in told


def test_an_expert_s_receipt_verifies_and_another_s_number_is_refused(drawn, library, tmp_path):
    key = next((drawn / "keys").glob("supervisor-*.key"))
    with library.open(encoding="utf-8-sig") as stream:
        numbers = [row["证件号码"] for row in csv.DictReader(stream)]
    for n, number in enumerate(numbers[:6]):
        out = tmp_path / f"{n}.json"
        assert lotroom("draw", "receipt", drawn, "--id-number", number, "--key", key, "--out", out).exit_code == 0
        report = verify(Files((drawn / "proof.json").read_bytes(), (drawn / "keys.json").read_bytes(), receipt=out.read_bytes()))
        assert report.failed == ()
        assert not {"E1", "E2", "E3", "E4"} & set(report.skipped)
    assert lotroom("draw", "receipt", drawn, "--id-number", "nobody", "--key", key, "--out", tmp_path / "x.json").exit_code == 1


def spellings(text: str) -> list[bytes]:
    """The usual encodings in which a leaked value would stand somewhere."""
    raw = text.encode()
    return [
        raw, text.encode("gbk"), text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(), base64.b64encode(raw)[:-4],
        json.dumps(text)[1:-1].encode(), text.encode("gbk").hex().encode(),
    ]  # fmt: skip


def test_no_name_number_phone_or_employer_is_in_proof_log_or_messages(drawn, library, tmp_path):
    done = lotroom("draw", "run", library, WORKS, "--out", tmp_path / "again", "--answers", empty(tmp_path))
    public = b"\n".join(
        [path.read_bytes() for folder in (drawn, tmp_path / "again") for path in folder.rglob("*") if (path.is_file() and "log" in path.parts) or path.name in ("proof.json", "keys.json", "commit.json")]
    )  # fmt: skip
    public += done.output.encode() + lotroom("library", "check", library).output.encode()
    with library.open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    secrets = {row[column] for row in rows for column in ("证件号码", "手机", "工作单位", "统一社会信用代码")} | {
        row["姓名"] for row in rows if len(row["姓名"]) > 2
    }
    secrets |= {name for name, _ in DEMO_COMPANIES}
    assert len(secrets) > 1_000
    for secret in secrets:
        for spelling in spellings(secret):
            assert len(spelling) < 6 or spelling not in public, secret


def test_two_draws_of_one_project_share_a_log_and_the_second_proof_holds_both(library, tmp_path):
    log = tmp_path / "log"
    for n in (1, 2):
        assert (
            lotroom("draw", "run", library, WORKS, "--out", tmp_path / f"d{n}", "--log", log, "--answers", empty(tmp_path)).exit_code == 0
        )
    second = parse_proof((tmp_path / "d2" / "proof.json").read_bytes())
    assert {logged.event.head.attempt for logged in second.events} == {1, 2}
    files = Files(
        (tmp_path / "d2" / "proof.json").read_bytes(),
        (tmp_path / "d2" / "keys.json").read_bytes(),
        (tmp_path / "d2" / "roll.bin").read_bytes(),
    )
    assert verify(files).failed == ()
    assert verify(files).facts["attempts"] == 2
    from dataclasses import replace

    from drawing.proof import proof_bytes

    hidden = replace(second, events=tuple(each for each in second.events if each.event.head.attempt == 2))
    assert "C3" in verify(replace(files, proof=proof_bytes(hidden))).failed


def test_contributors_elsewhere_send_files_and_the_draw_waits_for_them(library, tmp_path):
    out, away = tmp_path / "draw", tmp_path / "away"
    away.mkdir()
    (out / "keys").mkdir(parents=True)
    for n in (1, 2):
        write_key(make_key("contributor", f"notary.example/c{n}", "公证处"), away / f"c{n}.key")
        shutil.copy(away / f"c{n}.key.pub", out / "keys" / f"c{n}.key.pub")
    answers = tmp_path / "answers.csv"
    answers.write_text("0,left,x\n1,left,x\n2,left,x\n", "utf-8")

    def run():  # type: ignore[no-untyped-def]
        return lotroom("draw", "run", library, WORKS, "--out", out, "--answers", answers)

    first = run()
    assert first.exit_code == 3, first.output
    assert "notary.example/c1" in first.output
    (out / "contributions").mkdir()
    rounds = 0
    while run().exit_code == 3:
        rounds += 1
        assert rounds < 10
        for n in (1, 2):
            done = lotroom("contribute", out / "commit.json", "--key", away / f"c{n}.key", "--keys", out / "keys.json")
            assert done.exit_code == 0, done.output
        for path in out.glob("*contribution-*.json"):
            path.rename(out / "contributions" / path.name)
        for path in out.glob("round-*.json"):
            path.rename(out / "contributions" / path.name)
    files = Files((out / "proof.json").read_bytes(), (out / "keys.json").read_bytes(), (out / "roll.bin").read_bytes())
    report = verify(files)
    assert report.failed == ()
    assert "all_keys_held_by_operator" not in report.headlines
    assert report.facts["replacement_rounds"] >= 1


def test_a_contributor_counts_the_commits_of_a_project_and_repeats_itself_for_one(library, tmp_path):
    key = tmp_path / "c.key"
    write_key(make_key("contributor"), key)
    nths = []
    for n in range(3):
        out = tmp_path / f"d{n}"
        (out / "keys").mkdir(parents=True)
        shutil.copy(f"{key}.pub", out / "keys" / "c.key.pub")
        lotroom("draw", "run", library, WORKS, "--out", out, "--answers", empty(tmp_path))
        for _ in range(2):
            done = lotroom("contribute", out / "commit.json", "--key", key, "--keys", out / "keys.json", "--out", tmp_path / f"{n}.json")
            assert done.exit_code == 0, done.output
        nths.append(json.loads((tmp_path / f"{n}.json").read_text())["contribution"]["nth"])
    assert nths == [1, 2, 3]


def test_keys_given_by_file_are_used_whatever_they_are_called(library, tmp_path):
    keys = tmp_path / "draw" / "keys"
    keys.mkdir(parents=True)
    for role in ("supervisor", "operator"):
        assert (
            lotroom(
                "key",
                "make",
                "--role",
                role,
                "--name",
                f"given.example/{role}",
                "--body",
                f"单位 {role}",
                "--out",
                keys / f"my {role}.json",
            ).exit_code
            == 0
        )
    assert lotroom("key", "make", "--role", "staff", "--name", "张三", "--out", tmp_path / "x").exit_code == 1
    assert lotroom("draw", "run", library, WORKS, "--out", tmp_path / "draw", "--answers", empty(tmp_path)).exit_code == 0
    signers = {sig.key for each in parse_proof((tmp_path / "draw" / "proof.json").read_bytes()).events for sig in each.event.sigs}
    assert {"given.example/supervisor", "given.example/operator"} <= signers
    assert verified(tmp_path / "draw") == 3


def test_a_dry_run_is_marked_in_every_event_and_cannot_become_a_draw(library, tmp_path):
    out = tmp_path / "draw"
    assert lotroom("draw", "run", library, WORKS, "--out", out, "--answers", empty(tmp_path), "--dry-run").exit_code == 0
    proof = parse_proof((out / "proof.json").read_bytes())
    assert all(each.event.head.dry_run for each in proof.events)
    report = verify(Files((out / "proof.json").read_bytes(), (out / "keys.json").read_bytes(), (out / "roll.bin").read_bytes()))
    assert report.headlines[0] == "dry_run"
    assert report.exit_code == 3
    assert lotroom("draw", "run", library, WORKS, "--out", out, "--answers", empty(tmp_path)).exit_code == 1


def test_names_stay_sealed_until_their_time(library, tmp_path):  # spec: draw-7.4
    request = tmp_path / "later.toml"
    request.write_text(WORKS.read_text("utf-8").replace('"+40m"', '"+30 workdays 09:00"'), "utf-8")
    done = lotroom("draw", "run", library, request, "--out", tmp_path / "draw", "--answers", empty(tmp_path))
    if "no_holiday_table" in done.output:
        request.write_text(WORKS.read_text("utf-8").replace('"+40m"', '"+9999m"'), "utf-8")
        done = lotroom("draw", "run", library, request, "--out", tmp_path / "draw", "--answers", empty(tmp_path))
    assert done.exit_code == 3, done.output
    record = json.loads((tmp_path / "draw" / "record.json").read_text("utf-8"))
    assert record["phase"] == "seated"
    assert not any("name" in slot for slot in record["slots"])
    with_openings, with_roll = sorted((tmp_path / "draw" / "keys").glob("supervisor-*.key"))
    assert verified(tmp_path / "draw", "--openings", tmp_path / "draw" / "openings.sealed", "--key", with_openings) == 3
    # openings and roll together name the drawn: who attested with the roll cannot open them before the end
    assert verified(tmp_path / "draw", "--openings", tmp_path / "draw" / "openings.sealed", "--key", with_roll) == 1


def test_the_order_of_the_library_file_is_irrelevant(tmp_path):
    """Two orders of one library give the same snapshot, decisions and roll under one secret."""
    from drawing.events import Plan
    from server.material import Secret, make_material, read_plan
    from server.request import read_request

    path = tmp_path / "a.csv"
    make_library(300, 9, path)
    records = read_library(path).records
    request = read_request(WORKS, 1_790_000_000)
    plan: Plan = read_plan(request.plan())
    one = make_material(request, records, Secret(bytes(32)), "snap", plan, request.evaluation_at)
    shuffled = records[:]
    random.Random(1).shuffle(shuffled)
    two = make_material(request, shuffled, Secret(bytes(32)), "snap", plan, request.evaluation_at)
    assert one.first_terms() == two.first_terms()
    assert one.roll == two.roll


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["draw", "run", "{lib}", "{tmp}/none.toml", "--out", "{tmp}/o"], 2),
        (["draw", "run", "{tmp}/none.csv", "{req}", "--out", "{tmp}/o"], 2),
        (["draw", "run", "{req}", "{req}", "--out", "{tmp}/o"], 1),
        (["draw", "run", "{lib}", "{lib}", "--out", "{tmp}/o"], 1),
        (["draw", "run", "{lib}", "{req}", "--out", "{full}"], 1),
        (["draw", "run", "{lib}", "{req}"], 2),
        (["draw", "run", "{lib}", "{req}", "--out", "{lib}/x"], 1),
        (["library", "check", "{req}"], 1),
        (["library", "make", "--count", "0", "--out", "{tmp}/x.csv"], 2),
        (["library", "make", "--count", "5", "--out", "{lib}"], 2),
        (["library", "make", "--count", "5", "--out", "{tmp}/x.txt"], 1),
        (["key", "make", "--role", "king", "--out", "{tmp}/k"], 2),
        (["contribute", "{lib}", "--key", "{lib}"], 2),
        (["contribute", "{lib}", "--key", "{lib}", "--keys", "{lib}"], 1),
        (["verify", "{lib}", "--keys", "{lib}"], 1),
        (["verify", "{tmp}/none", "--keys", "{lib}"], 2),
        (["explain", "{lib}"], 1),
        (["nonsense"], 2),
    ],
)
def test_bad_use_ends_in_one_clear_message(words, code, library, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("mine", "utf-8")
    places = {"lib": library, "req": WORKS, "tmp": tmp_path, "full": tmp_path / "full"}
    done = subprocess.run(
        [sys.executable, "-m", "server", *[word.format(**places) for word in words]], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "full" / "something").read_text("utf-8") == "mine"


def test_every_command_has_help():
    for words in (
        [],
        ["library", "make"],
        ["library", "check"],
        ["library", "template"],
        ["key", "make"],
        ["draw", "run"],
        ["draw", "receipt"],
        ["contribute"],
        ["demo"],
    ):
        assert lotroom(*words, "--help").exit_code == 0
    for words in (["verify"], ["explain"]):
        with pytest.raises(SystemExit) as done:
            drawing_main([*words, "--help"])
        assert done.value.code == 0


def test_malformed_proofs_rolls_keys_and_receipts_never_raise_and_end_soon(drawn):
    chance = random.Random(4)
    proof, keys, roll = ((drawn / name).read_bytes() for name in ("proof.json", "keys.json", "roll.bin"))
    garbage = [
        b"",
        b"\x00" * 1000,
        b"[" * 100_000,
        b'{"a":' * 1_000_000,
        b"\xff\xfe" * 5000,
        b'{"v":"lotroom-proof/1"}',
        chance.randbytes(100_000),
        b"9" * 1_000_000,
    ]
    garbage += [proof[:5000], roll[:5000], keys[:-3], proof + b" ", b'{"lists":[],"v":"lotroom-keys/1"}', b"\xed\xa0\x80"]
    begin = time.monotonic()
    for bad in garbage:
        assert verify(Files(bad, keys)).failed
        assert verify(Files(proof, bad)).failed
        assert verify(Files(proof, keys, bad)).failed
        assert verify(Files(proof, keys, None, bad)).failed
        assert verify(Files(proof, keys, None, None, receipt=bad)).failed
    assert time.monotonic() - begin < 120  # a guard against explosion, not a measurement


def test_the_verifier_archive_runs_with_pynacl_alone(drawn, tmp_path):
    sys.path.insert(0, str(ROOT))
    from tools.build_verifier import build

    archive = build(tmp_path / "lotroom-verify.pyz")
    env = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    site = next((env / "lib").glob("python3*/site-packages"))
    here = Path(__import__("nacl").__file__).parent.parent
    for name in ("nacl", "cffi", "pycparser"):
        (site / name).symlink_to(here / name)
    for path in here.glob("_cffi_backend*"):
        (site / path.name).symlink_to(path)
    words = [
        str(env / "bin/python"),
        "-I",
        str(archive),
        "verify",
        str(drawn / "proof.json"),
        "--keys",
        str(drawn / "keys.json"),
        "--roll",
        str(drawn / "roll.bin"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    missing = subprocess.run([str(env / "bin/python"), "-c", "import click"], capture_output=True, check=False)
    assert missing.returncode != 0


def test_answers_are_asked_at_the_terminal_and_remembered(library, tmp_path):
    words = ["draw", "run", str(library), str(WORKS), "--out", str(tmp_path / "d")]
    done = CliRunner().invoke(cli, words, input="n 出差\n" + "y\n" * 40)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "d" / "answers.json").read_text("utf-8"))["0_1"] == ["left", "出差"]


def test_supervisors_can_join_their_shares_of_the_draw_key(drawn):
    from drawing import vrf
    from drawing.events import Committed
    from drawing.sealed import unseal
    from server.keyfiles import read_folder

    shares = {}
    points: list[str] = []
    for key in read_folder(drawn / "keys"):
        if key.role == "supervisor":
            short = key.name.rpartition("/")[2]
            value = json.loads(unseal((drawn / f"escrow-{short}.sealed").read_bytes(), key.box_secret))
            shares[value["number"]], points = bytes.fromhex(value["share"]), value["points"]
            vrf.check_share([bytes.fromhex(point) for point in points], value["number"], bytes.fromhex(value["share"]))
    scalar = vrf.join(shares)
    commit = next(e.event.body for e in parse_proof((drawn / "proof.json").read_bytes()).events if isinstance(e.event.body, Committed))
    assert commit.beacon.draw_key.hex() == points[0]
    assert vrf.verify(commit.beacon.draw_key, b"alpha", vrf.prove_with_scalar(scalar, b"alpha"))


def test_why_names_rule_article_and_evidence(library, tmp_path):
    with library.open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    tenderer = next(row for row in rows if row["统一社会信用代码"] == DEMO_COMPANIES[0][1])
    done = lotroom("draw", "why", library, WORKS, "--id-number", tenderer["证件号码"], "--json")
    answer = json.loads(done.output)
    assert not answer["eligible"]
    rule = next(each for each in answer["rules"] if each["code"] == "A10")
    assert "四十七" in rule["article"]
    assert DEMO_COMPANIES[0][0] in rule["evidence"]
    assert lotroom("draw", "why", library, WORKS, "--id-number", "x").exit_code == 1


def test_an_abandoned_draw_stays_in_every_later_proof_and_a_cancelled_one_ends_the_project(library, tmp_path):
    log = tmp_path / "log"
    later = tmp_path / "later.toml"
    later.write_text(WORKS.read_text("utf-8").replace('"+40m"', '"+9000m"'), "utf-8")

    def run(folder: str, request: Path):  # type: ignore[no-untyped-def]
        return lotroom("draw", "run", library, request, "--out", tmp_path / folder, "--log", log, "--answers", empty(tmp_path))

    def abandon(folder: str, reason: str):  # type: ignore[no-untyped-def]
        return lotroom("draw", "abandon", library, later, "--out", tmp_path / folder, "--log", log, "--reason", reason, "--paper", "文号一")

    assert run("d1", later).exit_code == 3
    assert run("d2", WORKS).exit_code == 1  # the first attempt still runs
    assert abandon("d1", "incomplete").exit_code == 1  # too late for that reason
    assert abandon("d1", "cancelled").exit_code == 0
    assert verified(tmp_path / "d1") == 3
    again = run("d2", WORKS)
    assert again.exit_code == 1
    assert "cancelled_notice" in again.output
