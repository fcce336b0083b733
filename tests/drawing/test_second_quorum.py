"""The second quorum (A6): ML-DSA-44 keys and signatures against known answers, key lists with and without it, and what it leaves alone."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from drawing import note
from drawing.errors import Refused
from drawing.keys import KeyList, keys_bytes, parse_keys
from drawing.mldsa import verify_mldsa
from drawing.proof import parse_proof
from drawing.verify import Files, verify
from tests import lies
from tests.scenario import SecondKey, World

ROOT = Path(__file__).parents[2]
VECTOR = json.loads((ROOT / "tests/vectors/mldsa44.json").read_text("utf-8"))
PUBLIC = bytes.fromhex(VECTOR["public"])


@pytest.fixture(scope="module")
def world() -> World:
    return World(second_quorum=True).whole(left=(0,))


@pytest.fixture(scope="module")
def files(world) -> Files:  # type: ignore[no-untyped-def]
    return world.files()


def refused(code: str):  # type: ignore[no-untyped-def]
    return pytest.raises(Refused, match=f"^{code}( |$)")


# Signatures and keys ------------------------------------------------------------------------------------------------------------------


def test_the_known_answer_of_fips_204():
    """The library makes this key of this seed and takes this signature, with its context and with no other."""
    answer = {name: bytes.fromhex(value) for name, value in VECTOR["kat"].items()}
    assert MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(VECTOR["seed"])).public_key().public_bytes_raw() == PUBLIC
    MLDSA44PublicKey.from_public_bytes(PUBLIC).verify(answer["signature"], answer["message"], answer["context"])
    with refused("bad_signature"):  # a cosignature has an empty context
        verify_mldsa(PUBLIC, answer["message"], answer["signature"])


def test_a_cosignature_that_two_other_implementations_made():  # spec: log-12
    own = VECTOR["own"]
    message, signature = bytes.fromhex(own["message"]), bytes.fromhex(own["signature"])
    assert note.subtree_message(own["cosigner"], own["time"], note.Checkpoint.parse(own["checkpoint"], "")) == message
    verify_mldsa(PUBLIC, message, signature)
    chance = random.Random(1)
    for _ in range(40):
        at = chance.randrange(len(signature))
        with refused("bad_signature"):
            verify_mldsa(PUBLIC, message, signature[:at] + bytes([signature[at] ^ 1 << chance.randrange(8)]) + signature[at + 1 :])
    for public, said, signed in (
        (PUBLIC[:-1], message, signature),
        (PUBLIC, message, signature[:-1]),
        (PUBLIC, message, signature + b"\0"),
        (PUBLIC, message + b"\0", signature),
        (bytes(1312), message, signature),
        (b"", message, b""),
    ):
        with refused("bad_signature"):
            verify_mldsa(public, said, signed)


def test_the_example_of_the_log_page_is_what_a_witness_signs():
    page = (ROOT / "docs/spec/log.md").read_text("utf-8")
    checkpoint = note.Checkpoint.parse(re.search(r"```\n(centre/log\n.*?\n)\n", page, re.DOTALL)[1], "")
    assert note.subtree_message("w0.example/w", 1_790_000_010, checkpoint).hex() in page.replace("\n", "")


@pytest.mark.parametrize(("name", "origin"), [("", "log"), ("w" * 256, "log"), ("w", ""), ("w", "l" * 256)])
def test_a_name_that_has_no_room_is_not_signed(name, origin):
    with refused("bad_checkpoint"):
        note.subtree_message(name, 1, note.Checkpoint(origin, 1, bytes(32)))


def test_vkeys_of_type_6_are_read_and_written():
    key = note.VKey("w.example/w", note.MLDSA_COSIGNATURE, PUBLIC)
    assert note.VKey.parse(str(key)) == key
    head = str(key).rpartition("+")[0]
    for data in (
        b"\x06" + PUBLIC[:-1],
        b"\x06" + PUBLIC + b"\0",
        b"\x04" + PUBLIC,
        b"\x01" + PUBLIC,
        b"\x06" + PUBLIC[:32],
        b"\x05" + PUBLIC,
        b"",
    ):
        with refused("bad_vkey"):
            note.VKey.parse(f"{head}+{base64.b64encode(data).decode()}")


# Policies and key lists ---------------------------------------------------------------------------------------------------------------


def test_nobody_is_a_member_twice():  # spec: log-15
    log = note.VKey("l", note.ED25519, bytes(32))
    keys = [note.VKey(f"w{n}", note.COSIGNATURE, bytes([n + 1]) * 32) for n in range(3)]
    lines = f"log {log}\n" + "".join(f"witness {key.name} {key}\n" for key in keys)
    with refused("bad_policy"):
        note.Policy.parse(lines + "group a any w0 w1\ngroup b any w0 w2\ngroup c all a b\nquorum c\n")
    note.Policy.parse(lines + "group a any w0 w1\ngroup c all a w2\nquorum c\n")


def test_lists_without_a_second_policy_keep_their_bytes():
    """A list that a release without A6 wrote is read, has the digest that its draws committed to, and is written as it was."""
    folders = sorted((ROOT / "tests/vectors/golden").glob("0.1.0-*"))
    assert folders
    for folder in folders:
        data = (folder / "keys.json").read_bytes()
        chain = parse_keys(data)
        assert keys_bytes(chain.lists) == data
        assert b"second_policy" not in data
        assert chain.newest.second is None
    example = re.search(r'^\{"lists".*\}$', (ROOT / "docs/spec/keylist.md").read_text("utf-8"), re.MULTILINE)[0].encode()
    assert keys_bytes(parse_keys(example).lists) == example
    assert f"`{parse_keys(example).newest.digest.hex()}`" in (ROOT / "docs/spec/keylist.md").read_text("utf-8")


@pytest.mark.parametrize("value", ['""', "null", "[]", "7"])
def test_a_second_policy_is_there_or_not(value):
    data = World().keys().replace(b'"sigs":[],"version"', f'"second_policy":{value},"sigs":[],"version"'.encode())
    with pytest.raises(Refused):
        parse_keys(data)


def test_a_second_policy_is_part_of_the_list(world):
    chain = parse_keys(world.keys())
    assert chain.newest.second == note.Policy.parse(world.key_list.second_policy, witness=note.MLDSA_COSIGNATURE)
    assert b'"second_policy":"log ' in chain.newest.payload
    assert chain.newest.digest != replace(chain.newest, second_policy=None).digest


def second(world: World, *, log: note.VKey | None = None, keys: dict[str, note.VKey] | None = None, quorum: str = "any") -> KeyList:
    given = {f"w{n}": key.vkey for n, key in enumerate(world.second_keys)} if keys is None else keys
    text = note.Policy(log or world.log_key.vkey, given, {"any": (1, tuple(given))} if given else {}, quorum).text()
    return replace(world.key_list, second_policy=text)


def test_a_second_policy_that_is_not_exactly_right_is_refused(world):  # spec: keys-7
    parse_keys(keys_bytes([second(world)]))
    other = World(seed=2).log_key.vkey
    twice = SecondKey(world.second_keys[0].name, b"another")
    many = {f"w{n}": SecondKey(f"w{n}.example/w", b"many").vkey for n in range(17)}
    parse_keys(keys_bytes([second(world, keys=dict(list(many.items())[:16]))]))
    for wrong in (
        second(world, log=other),
        second(world, quorum="none"),
        second(world, keys={"w0": world.second_keys[0].vkey, "w1": twice.vkey}),
        second(world, keys=many),
    ):
        with refused("bad_second_policy"):
            parse_keys(keys_bytes([wrong]))
    same = world.second_keys[0].vkey
    for keys in ({"w0": world.witness_keys[0].vkey}, {"w0": same, "w1": replace(same, name="w1.example/w")}):
        with refused("bad_policy"):
            parse_keys(keys_bytes([second(world, keys=keys)]))
    with refused("bad_policy"):  # and no such key in the first
        parse_keys(keys_bytes([replace(world.key_list, policy=world.key_list.second_policy)]))


def test_sixteen_second_lines_fit_a_note_beside_46_of_the_first_policy():
    def name(n: int) -> str:
        return f"w{n:02}/".ljust(128, "x")

    signature = bytes(72)
    text = note.Checkpoint("l" * 128, 10**15, bytes(32)).text()
    data = note.sign_note(text, note.VKey(name(99), note.ED25519, bytes(32)), lambda _: bytes(64))
    for n in range(46):
        data += note.signature_line(note.VKey(name(n), note.COSIGNATURE, bytes(32)), signature).encode()
    for n in range(16):
        data += note.signature_line(note.VKey(name(n), note.MLDSA_COSIGNATURE, PUBLIC), bytes(2428)).encode()
    assert note.MAX_NOTE - 250 < len(data) <= note.MAX_NOTE
    assert len(note.Note.parse(data, "").lines) == 63


# The check ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beacon", ["none", "local"])
def test_an_honest_draw_with_two_quorums_passes(beacon):
    report = World(second_quorum=True, beacon=beacon).whole(left=(0,)).verify()
    assert report.failed == ()
    assert report.outcome("A6").status == "passed"


def test_without_a_second_policy_or_a_key_list_a6_is_not_green(world, files):  # spec: draw-8.3
    outcome = World().whole().verify().outcome("A6")
    assert (outcome.status, outcome.reason) == ("not_applicable", "no_second_quorum")
    outcome = verify(replace(files, keys=b"{}")).outcome("A6")
    assert (outcome.status, outcome.reason) == ("skipped", "no_key_list")


def test_a_first_witness_that_nobody_knows_begins_the_second_part(files):
    change = lies.with_proof(files, lambda p: replace(p, checkpoints=(p.checkpoints[0].replace("— w0", "— v0", 1), *p.checkpoints[1:])))
    report = verify(change)
    assert report.failed == ("A1", "A6")
    assert [fault.code for check in ("A1", "A6") for fault in report.outcome(check).faults] == ["no_quorum", "line_of_unknown_key"]


def test_a_second_part_where_the_list_has_no_second_policy_breaks_the_note(world):
    world = World(second_quorum=True)
    world.key_list = replace(world.key_list, second_policy=None)
    report = world.whole().verify()
    assert report.failed == ("A1",)
    assert [fault.code for fault in report.outcome("A1").faults] == ["line_of_unknown_key"]
    assert report.outcome("A6").reason == "no_second_quorum"


def test_a_broken_first_part_leaves_nothing_to_judge(files):
    def change(proof):  # type: ignore[no-untyped-def]
        lines = proof.checkpoints[0].split("\n")
        lines[4], lines[5] = lines[5], lines[4]
        return replace(proof, checkpoints=("\n".join(lines), *proof.checkpoints[1:]))

    report = verify(lies.with_proof(files, change))
    assert "A1" in report.failed
    assert (report.outcome("A6").status, report.outcome("A6").reason) == ("skipped", "no_checkpoint")


CODES = {
    lies.a_checkpoint_without_the_second_quorum: "no_quorum",
    lies.no_second_line_at_all: "no_quorum",
    lies.a_second_line_by_a_foreign_key: "line_of_unknown_key",
    lies.a_second_line_that_does_not_verify: "bad_signature",
    lies.a_witness_that_counts_twice: "lines_disordered",
    lies.a_cosignature_under_the_name_of_another_witness: "bad_signature",
    lies.a_second_line_without_a_time: "bad_cosignature",
    lies.a_second_line_that_is_too_short: "bad_cosignature",
    lies.second_lines_in_another_order: "lines_disordered",
    lies.a_line_of_the_first_policy_among_the_second_s: "line_of_unknown_key",
    lies.a_second_quorum_that_did_not_see_the_time_pass: "unsealing_time_not_witnessed",
    lies.a_second_quorum_years_after_the_round: "not_witnessed_before_round",
}


def test_every_lie_about_the_second_quorum_is_here():
    assert set(CODES) == {make for name, make in lies.LIES.items() if name.partition("_")[0] == "A6"}


@pytest.mark.parametrize("make", CODES, ids=lambda make: make.__name__)
def test_a_fault_of_the_second_part_is_named_and_touches_nothing_else(make):  # spec: log-14
    report = verify(make())
    assert {fault.code for fault in report.outcome("A6").faults} == {CODES[make]}
    others = {each.check: (each.status, each.reason) for each in report.outcomes if each.check != "A6"}
    beacon = "drand" if make is lies.a_second_quorum_years_after_the_round else "none"
    honest = World(second_quorum=True, beacon=beacon).whole().verify()
    assert others == {each.check: (each.status, each.reason) for each in honest.outcomes if each.check != "A6"}


def test_every_byte_of_the_second_part_counts(world, files):  # spec: log-11, log-13
    text = parse_proof(files.proof).checkpoints[0].encode()
    keys, start = world.key_list, [at for at, c in enumerate(text) if c == 10][7] + 1
    judged = keys.log_policy.check(text, "", second=True)
    assert len(judged.rest) == 3
    assert keys.second.check_rest(judged, "").quorum
    chance = random.Random(3)
    for at in [*range(start, start + 40), *chance.sample(range(start, len(text)), 150), len(text) - 1]:
        for wrong in (text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :], text[:at] + text[at + 1 :]):
            with pytest.raises(Refused):
                keys.second.check_rest(keys.log_policy.check(wrong, "", second=True), "")


NO_LIBRARY = """if True:
    import sys
    class No:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "cryptography":
                raise ImportError(name)
    if sys.argv[1] == "without":
        sys.meta_path.insert(0, No())
    from drawing.__main__ import main
    code = main(["verify", sys.argv[2], "--keys", sys.argv[3], "--json"])
    print("cryptography" in sys.modules, file=sys.stderr)
    sys.exit(code)
"""


def run(folder: Path, files: Files, library: str) -> tuple[int, dict[str, tuple[str, str]], bool]:
    (folder / "proof.json").write_bytes(files.proof)
    (folder / "keys.json").write_bytes(files.keys)
    script = f"import sys; sys.path[:] = {sys.path!r}\n{NO_LIBRARY}"
    command = [sys.executable, "-S", "-c", script, library, str(folder / "proof.json"), str(folder / "keys.json")]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    report = json.loads(done.stdout)
    return done.returncode, {each["check"]: (each["status"], each["reason"]) for each in report["checks"]}, "True" in done.stderr


def test_verifying_needs_the_library_for_nothing_else(tmp_path, files):  # spec: draw-8.3
    """Without it A6 is skipped for its reason and nothing else changes; nobody imports it for a draw without a second quorum."""
    code, with_it, imported = run(tmp_path, files, "with")
    assert (code, with_it["A6"], imported) == (3, ("passed", ""), True)
    code, without, imported = run(tmp_path, files, "without")
    assert (code, without.pop("A6"), imported) == (3, ("skipped", "no_mldsa_library"), False)
    assert without == {check: each for check, each in with_it.items() if check != "A6"}
    code, _, imported = run(tmp_path, World().whole().files(), "with")
    assert (code, imported) == (3, False)
    code, without, _ = run(tmp_path, lies.second_lines_in_another_order(), "without")
    assert (code, without["A6"]) == (1, ("failed", ""))
