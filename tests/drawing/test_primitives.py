"""Encodings, trees, notes and proofs of randomness against public vectors, and against input from strangers."""

from __future__ import annotations

import base64
import datetime
import json
import random
import time
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings as sodium
from nacl.signing import SigningKey

from drawing import map as sparse
from drawing import merkle, note, vrf
from drawing.canonical import TH, dumps, loads, pae
from drawing.days import date_of
from drawing.errors import Refused
from drawing.seed import below
from tests.conftest import counts

VECTORS = Path(__file__).parents[1] / "vectors"


def vector(name: str):  # type: ignore[no-untyped-def]
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


# Canonical JSON -----------------------------------------------------------------------------------------------------------------------

words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
values = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back_and_is_what_rfc_8785_says(value):
    data = dumps(value)
    assert loads(data) == value
    assert data == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"b":1,"a":1}', "not_canonical"),
        (b'{"a": 1}', "not_canonical"),
        (b'{"a":1.0}', "float_in_json"),
        (b'{"a":1e3}', "float_in_json"),
        (b'{"a":NaN}', "float_in_json"),
        (b'{"a":null}', "not_allowed_in_json"),
        (b'{"a":9007199254740992}', "integer_too_large"),
        (b'{"a":' + b"9" * 5000 + b"}", "integer_too_large"),
        (b'{"A":1}', "bad_key"),
        (b'{"a":"\\u0041"}', "not_canonical"),
        (b'{"a":"\xc3\xa9"}', "bad_characters"),
        (b'{"a":"\\ud800"}', "bad_characters"),
        (b'{"a":"\xff"}', "not_utf8"),
        (b"[" * 17 + b"]" * 17, "too_deep"),
        (b"[" * 60_000, "too_deep"),
        (b'{"a":-0}', "not_canonical"),
        (b"", "not_json"),
        (b'{"a":1}\n', "not_canonical"),
        (b'"' + b"x" * 70_000 + b'"', "too_long"),
    ],
)
def test_a_second_spelling_is_refused(data, code):  # spec: canon-1, canon-2, canon-3
    with pytest.raises(Refused) as refused:
        loads(data)
    assert refused.value.code == code


def test_deep_and_huge_input_ends_soon():  # spec: canon-4
    begin = time.monotonic()
    for data in (b'{"a":' * 1_600_000, b'["' + b"\\u0041" * 1_300_000 + b'"]', b"[" + b"1," * 3_999_990 + b"1]"):
        with pytest.raises(Refused):
            loads(data, max_bytes=8 << 20)
    assert time.monotonic() - begin < 20  # a guard against explosion, not a measurement


def test_tagged_hashes_separate_tag_and_parts():
    assert TH("a", b"b") != TH("ab")
    assert TH("t", b"ab", b"c") != TH("t", b"a", b"bc")
    assert pae("t", b"x") == b"DSSEv1 1 t 1 x"


# Trees --------------------------------------------------------------------------------------------------------------------------------


def unbase(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def test_roots_of_rfc_6962():
    data = vector("rfc6962_tree")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in data["leaves_hex"]]
    assert [merkle.root(leaves[:n]).hex() for n in range(9)] == data["roots_by_size"]


def test_all_196_proof_vectors():  # spec: log-1, log-2
    data = vector("rfc6962_merkle_proofs")
    judged = 0
    for case in data["inclusion"]:
        try:
            path = [unbase(each) for each in case["proof"] or []]
            merkle.check_inclusion(unbase(case["leafHash"]), case["leafIdx"], case["treeSize"], path, unbase(case["root"]))
            good = True
        except Refused:
            good = False
        assert good != case["wantErr"], case
        judged += 1
    for case in data["consistency"]:
        try:
            path = [unbase(each) for each in case["proof"] or []]
            merkle.check_consistency(case["size1"], case["size2"], path, unbase(case["root1"]), unbase(case["root2"]))
            good = True
        except Refused:
            good = False
        assert good != case["wantErr"], case
        judged += 1
    assert judged == 196


@given(st.integers(1, 70), st.data())
def test_every_leaf_and_every_earlier_size_proves(size, data):
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    root = merkle.root(leaves)
    tree = merkle.Tree(leaves)
    assert tree.root == root
    index = data.draw(st.integers(0, size - 1))
    path = tree.inclusion(index)
    merkle.check_inclusion(leaves[index], index, size, path, root)
    old = data.draw(st.integers(1, size))
    steps = merkle.consistency_proof(leaves, old)
    merkle.check_consistency(old, size, steps, merkle.root(leaves[:old]), root)
    if path:
        with pytest.raises(Refused):
            merkle.check_inclusion(leaves[index], index, size, path[:-1], root)


@given(
    st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=40), min_size=1, max_size=20),
    st.binary(min_size=32, max_size=32),
)
def test_the_map_proves_presence_and_absence(items, other):  # spec: log-10
    root = sparse.root(items)
    for key, value in items.items():
        path = sparse.prove(items, key)
        sparse.check_presence(root, key, value, path)
        with pytest.raises(Refused):
            sparse.check_presence(root, key, value + b"x", path)
    if other not in items:
        sparse.check_absence(root, other, *sparse.prove_absence(items, other))
        with pytest.raises(Refused):
            key = next(iter(items))
            sparse.check_absence(root, key, sparse.prove(items, key), None)


# Notes --------------------------------------------------------------------------------------------------------------------------------


def test_the_c2sp_example_note_verifies():
    data = vector("c2sp_notes")["signed_note"]
    key = note.VKey.parse(data["vkey"])
    parsed = note.Note.parse(data["note"].encode(), "")
    assert (parsed.lines[0][0], parsed.lines[0][1]) == (key.name, key.key_hash)
    note.verify_ed25519(key.public, parsed.text.encode(), parsed.lines[0][2])
    assert str(key) == data["vkey"]


def policy_of(data) -> note.Policy:  # type: ignore[no-untyped-def]
    return note.Policy.parse(f"log {data['log_vkey']}\nwitness w1 {data['witness_vkey']}\nquorum w1\n")


def test_checkpoint_cosignature_and_log_proof_of_the_vectors():
    data = vector("c2sp_notes")
    policy = policy_of(data["checkpoint"])
    checked = policy.check(data["checkpoint"]["text"].encode(), "")
    assert checked.quorum
    assert dict(checked.cosigned) == {"w1": data["checkpoint"]["cosigned_time"]}
    assert checked.quorum_since(data["checkpoint"]["cosigned_time"])
    assert not checked.quorum_since(data["checkpoint"]["cosigned_time"] + 1)
    leaves = [merkle.leaf_hash(leaf.encode()) for leaf in data["checkpoint"]["leaves"]]
    assert merkle.root(leaves) == checked.checkpoint.root
    proof = note.LogProof.parse(data["tlog_proof"]["text"])
    assert proof.text() == data["tlog_proof"]["text"]
    root = policy.check(proof.checkpoint, "").checkpoint.root
    merkle.check_inclusion(merkle.leaf_hash(data["tlog_proof"]["leaf"].encode()), proof.index, 13, proof.path, root)
    steps = data["consistency"]
    assert [base64.b64encode(each).decode() for each in merkle.consistency_proof(leaves, steps["old_size"])] == steps["proof_b64"]
    assert note.cosigned_message("a\n", 5) == b"cosignature/v1\ntime 5\na\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n13\n", "\n013\n"),
        lambda t: t.replace("13", "14", 1),
        lambda t: t + t.split("\n")[-2] + "\n",  # a line twice
        lambda t: t.replace("— witness.example", "— nobody.example"),
        lambda t: "\n".join([*t.split("\n")[:4], *reversed(t.split("\n")[4:6]), ""]),  # witness before log
        lambda t: t[:-1],
        lambda t: t.replace("=\n", "\n", 1),
        lambda t: t.replace("\n\n", "\nmore\n\n"),
        lambda t: t.replace("— draw", "- draw"),
    ],
)
def test_a_note_that_is_not_exactly_right_is_refused(change):  # spec: log-3, log-4, log-5, log-6
    data = vector("c2sp_notes")["checkpoint"]
    with pytest.raises(Refused):
        policy_of(data).check(change(data["text"]).encode(), "")


@pytest.mark.parametrize(
    "text",
    ["", "log x\nquorum none", "quorum none", "log {log}\nlog {log}\nquorum none", "log {log}\nquorum w9", "log {log}\nwitness none {w}\nquorum none",
     "log {log}\nwitness a {w}\ngroup g 2 a\nquorum g", "log {w}\nquorum none", "log {log}\nwitness a {w}\nwitness a {w}\nquorum a",
     "log {log}\nwitness a {w}\nwitness b {w}\nquorum a", "log {log}\nwitness a {w}\ngroup g 1 g\nquorum g", "log {log}\nquorum none\nquorum none"],
)  # fmt: skip
def test_a_policy_that_is_not_exactly_right_is_refused(text):
    data = vector("c2sp_notes")["checkpoint"]
    with pytest.raises(Refused):
        note.Policy.parse(text.format(log=data["log_vkey"], w=data["witness_vkey"]))


def test_groups_count_their_members_and_none_is_never_reached():
    keys = [note.VKey(f"w{n}.example/w", note.COSIGNATURE, bytes([n]) * 32) for n in range(4)]
    log = note.VKey("log.example/l", note.ED25519, bytes([9]) * 32)
    lines = "\n".join(f"witness w{n} {key}" for n, key in enumerate(keys))
    policy = note.Policy.parse(f"log {log}\n{lines}\ngroup a any w0 w1\ngroup b all w2 w3\ngroup g 2 a b\nquorum g\n")
    assert policy.reached({"w0", "w2", "w3"})
    assert not policy.reached({"w0", "w1", "w2"})
    assert note.Policy.parse(policy.text()) == policy
    assert not note.Policy.parse(f"log {log}\nquorum none\n").reached({"w0"})


def test_ed25519_is_verified_strictly():  # spec: canon-6
    key = SigningKey(bytes(32))
    signature = bytes(key.sign(b"m").signature)
    public = bytes(key.verify_key)
    note.verify_ed25519(public, b"m", signature)
    larger = (int.from_bytes(signature[32:], "little") + vrf.ORDER).to_bytes(32, "little")
    for wrong in (signature[:32] + larger, signature[:-1] + b"\x00", b"\xff" * 64):
        with pytest.raises(Refused):
            note.verify_ed25519(public, b"m", wrong)
    small_order = (1).to_bytes(32, "little")
    with pytest.raises(Refused):  # a key of small order makes R = -h A trivial
        note.verify_ed25519(small_order, b"m", small_order + bytes(32))


# Randomness ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [v for v in vector("rfc9381_ecvrf_edwards25519")["vectors"] if "TAI" in v["suite"]], ids=lambda v: str(v["example"])
)
def test_ecvrf_vectors_of_rfc_9381(case):  # spec: canon-7
    secret, public, alpha = bytes.fromhex(case["sk"]), bytes.fromhex(case["pk"]), bytes.fromhex(case["alpha"])
    assert vrf.public_key(secret) == public
    assert vrf.prove(secret, alpha).hex() == case["pi"]
    assert vrf.verify(public, alpha, bytes.fromhex(case["pi"])).hex() == case["beta"]


def test_the_worked_example_s_contributions_and_integers():
    data = vector("worked_example")
    for each in data["contributions"]:
        beta = vrf.verify(bytes.fromhex(each["pk"]), b"draw/v1/contrib\0" + bytes.fromhex(data["commit_leaf"]), bytes.fromhex(each["pi"]))
        assert beta.hex() == each["beta"]
    for each in data["uniform"]:  # spec: sel-1
        assert below(bytes.fromhex(data["seed"]), bytes.fromhex(each["label"]), each["n"]) == each["value"]
    assert merkle.root([bytes.fromhex(leaf) for leaf in data["leaf_hashes"]]).hex() == data["pool_root"]


SMALL_ORDER = [
    bytes(32), (1).to_bytes(32, "little"), (vrf.PRIME - 1).to_bytes(32, "little"), (1 | 1 << 255).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]  # fmt: skip
NOT_CANONICAL = [
    vrf.PRIME.to_bytes(32, "little"),
    (vrf.PRIME + 3).to_bytes(32, "little"),
    (2**255 - 1).to_bytes(32, "little"),
    b"\xff" * 32,
]


def test_bad_keys_points_and_scalars_are_refused():  # spec: canon-8
    secret = bytes(range(32))
    public, pi = vrf.public_key(secret), vrf.prove(secret, b"x")
    for bad in [*SMALL_ORDER, *NOT_CANONICAL, b"", bytes(31)]:
        with pytest.raises(Refused):
            vrf.verify(bad, b"x", pi)
        with pytest.raises(Refused):
            vrf.verify(public, b"x", bad + pi[32:])
    with pytest.raises(Refused):
        vrf.verify(public, b"x", pi[:48] + (int.from_bytes(pi[48:], "little") + vrf.ORDER).to_bytes(32, "little"))
    mixed = sodium.crypto_core_ed25519_add(public, SMALL_ORDER[4])  # right key plus a point of order 8: not in the prime-order subgroup
    with pytest.raises(Refused):
        vrf.verify(mixed, b"x", pi)
    for n in range(80):
        with pytest.raises(Refused):
            vrf.verify(public, b"x", pi[:n] + bytes([pi[n] ^ 1]) + pi[n + 1 :])
    with pytest.raises(Refused):
        vrf.prove(b"short", b"x")


@given(st.binary(min_size=80, max_size=80), st.binary(min_size=32, max_size=32))
def test_random_bytes_never_verify_and_only_refuse(pi, public):
    with pytest.raises(Refused):
        vrf.verify(public, b"x", pi)


def test_any_threshold_of_shares_gives_the_same_beta_and_fewer_do_not():
    chance = random.Random(1)
    for _ in range(counts("shared draw keys", 10, 200)):
        threshold = chance.randrange(1, 5)
        count = chance.randrange(threshold, 7)
        secret = chance.randbytes(32)
        points, shares = vrf.split(secret, threshold, count, [chance.randbytes(64) for _ in range(threshold - 1)])
        assert points[0] == vrf.public_key(secret)
        for number, share in enumerate(shares, 1):
            vrf.check_share(points, number, share)
            if threshold > 1:
                with pytest.raises(Refused):
                    vrf.check_share(points, number % count + 1, share) if count > 1 else vrf.check_share(points, 9, share)
        chosen = chance.sample(range(1, count + 1), threshold)
        scalar = vrf.join({n: shares[n - 1] for n in chosen})
        proof = vrf.prove_with_scalar(scalar, b"x")
        assert vrf.verify(points[0], b"x", proof) == vrf.proof_to_hash(vrf.prove(secret, b"x"))
        if threshold > 1:
            wrong = vrf.join({n: shares[n - 1] for n in chosen[:-1]})
            assert sodium.crypto_scalarmult_ed25519_base_noclamp(wrong) != points[0]
    for bad in (bytes(32), b"", b"\xff" * 32):
        with pytest.raises(Refused):
            vrf.check_share(points, 1, bad)


def test_days_are_those_of_shanghai():
    zone = datetime.timezone(datetime.timedelta(hours=8))
    chance = random.Random(2)
    for _ in range(2_000):
        moment = chance.randrange(0, 1 << 33)
        assert date_of(moment) == datetime.datetime.fromtimestamp(moment, zone).date().isoformat()
        back = chance.randrange(4_000)
        assert date_of(moment, back) == (datetime.datetime.fromtimestamp(moment, zone).date() - datetime.timedelta(days=back)).isoformat()
