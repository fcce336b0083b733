"""Keys, envelopes and shares as values: what opens where, what tells nothing, what is never shown."""

import copy
import pickle
import random
import secrets
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.canonical import loads
from drawing.errors import Refused
from server.keeper import keys, sealed
from server.keeper.keys import GUOMI, INTERNATIONAL, SUITES, Keyring, Place, Secret
from tests.conftest import counts
from tests.server.keeper.house import forms

KEY = Secret(bytes(range(32)))
ID = b"\5" * 16
PLACE = Place("person", "r1", "name")


def make(suite, place=PLACE, plain=b"value", key=KEY, key_id=ID):
    return keys.seal(suite, key, key_id, place, plain, secrets.token_bytes)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda each: each.name)
@given(plain=st.binary(max_size=300), row=st.text(max_size=20))
def test_an_envelope_opens_where_it_was_sealed(suite, plain, row):
    place = Place("person", row, "name")
    envelope = make(suite, place, plain)
    assert keys.open_envelope(KEY, place, envelope) == plain and keys.key_id_of(envelope) == ID
    assert envelope != make(suite, place, plain)  # a fresh nonce


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda each: each.name)
def test_every_swap_between_rows_columns_tables_and_keys_is_detected(suite):
    places = [Place(t, r, c) for t in ("person", "draw", "perso") for r in ("r1", "r2", "nr1", "1") for c in ("name", "phone", "n")]
    places += [Place("a", "bc", "d"), Place("ab", "c", "d"), Place("a", "b", "cd"), Place("", "abc", "d")]
    held = {bytes([n]) * 16: Secret(secrets.token_bytes(32)) for n in range(3)}
    rows = [(place, key_id, make(suite, place, f"{n}".encode(), held[key_id], key_id)) for n, place in enumerate(places) for key_id in held]
    tried = 0
    for (place, key_id, _), (other, other_id, envelope) in permutations(rows, 2):
        if other_id == key_id and other == place:
            continue
        with pytest.raises(Refused, match="sealed_value_altered"):
            keys.open_envelope(held[key_id], place, envelope)
        tried += 1
        renamed = envelope[:2] + key_id + envelope[18:]  # with the other key's id written over it
        if other_id != key_id:
            with pytest.raises(Refused, match="sealed_value_altered"):
                keys.open_envelope(held[other_id], other, renamed)
            tried += 1
    print(f"suite {suite.id}: {tried} swaps, all detected")


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda each: each.name)
def test_every_changed_bit_and_every_cut_is_detected(suite):
    envelope = make(suite, plain=b"0123456789" * 4)
    tried = 0
    for at in range(8 * len(envelope)):
        changed = bytearray(envelope)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(Refused, match=r"sealed_value_altered|not_an_envelope"):
            keys.open_envelope(KEY, PLACE, bytes(changed))
        tried += 1
    for at in range(len(envelope)):
        with pytest.raises(Refused, match=r"sealed_value_altered|not_an_envelope"):
            keys.open_envelope(KEY, PLACE, envelope[:at])
        tried += 1
    with pytest.raises(Refused, match="sealed_value_altered"):
        keys.open_envelope(KEY, PLACE, envelope + b"\0")
    print(f"suite {suite.id}: {tried} changes, all detected")


def test_an_envelope_of_one_suite_is_none_of_the_other():
    for one, other in permutations(SUITES.values(), 2):
        envelope = make(one)
        with pytest.raises(Refused, match="sealed_value_altered"):
            keys.open_envelope(KEY, PLACE, bytes([1, other.id]) + envelope[2:])
    with pytest.raises(Refused, match="not_an_envelope"):
        keys.open_envelope(KEY, PLACE, bytes([1, 3]) + make(INTERNATIONAL)[2:])
    with pytest.raises(Refused, match="unknown_suite"):
        keys.suite_of(3)


def test_the_second_suite_is_sm4_gcm_and_hkdf_sm3_of_the_standards():
    """RFC 8998 A.1 for SM4-GCM; HKDF by hand over HMAC-SM3."""
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key, iv = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("00001234567800000000ABCD")
    aad = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    plain = bytes.fromhex("AA" * 8 + "BB" * 8 + "CC" * 8 + "DD" * 8 + "EE" * 8 + "FF" * 8 + "EE" * 8 + "AA" * 8)
    machine = Cipher(SM4(key), modes.GCM(iv)).encryptor()
    machine.authenticate_additional_data(aad)
    assert (machine.update(plain) + machine.finalize()).hex().upper().startswith("17F399F08C67D5EE19D0DC9969C4BB7D")
    assert machine.tag.hex().upper() == "83DE3541E4C2B58177E065A9BF7B62EC"

    def mac(secret, data):
        made = hmac.HMAC(secret, hashes.SM3())
        made.update(data)
        return made.finalize()

    extracted = mac(bytes(32), KEY.raw)
    assert HKDF(hashes.SM3(), 32, None, b"info").derive(KEY.raw) == mac(extracted, b"info\x01")


def test_purpose_keys_differ_by_purpose_generation_root_and_suite():
    roots = {1: Secret(bytes(32)), 2: Secret(b"\1" * 32)}
    made = [
        Keyring(roots, suite).purpose(purpose, number).raw
        for suite in (INTERNATIONAL, GUOMI)
        for purpose in keys.PURPOSES
        for number in roots
    ]
    assert len(set(made)) == 16
    ring = Keyring(roots, INTERNATIONAL)
    old = Keyring({1: roots[1]}, INTERNATIONAL).seal("state", PLACE, b"x", secrets.token_bytes)
    assert (
        ring.open("state", PLACE, old) == b"x"
        and keys.generation_of(keys.key_id_of(ring.seal("state", PLACE, b"x", secrets.token_bytes))) == 2
    )
    with pytest.raises(Refused, match="sealed_value_altered"):
        ring.open("kek", PLACE, old)
    with pytest.raises(Refused, match="key_generation_gone"):
        Keyring({2: roots[2]}, INTERNATIONAL).open("state", PLACE, old)


def test_blind_indexes_are_equal_for_equal_values_of_one_column_alone():
    made = [
        keys.blind(key, number, *at)
        for key in (KEY, Secret(bytes(32)))
        for number in (1, 2)
        for at in (("t", "c", b"v"), ("t", "c", b"w"), ("t", "d", b"v"), ("u", "c", b"v"), ("tc", "", b"v"))
    ]
    assert len(set(made)) == 20 and keys.blind(KEY, 1, "t", "c", b"v") == made[0]


# Shares ---------------------------------------------------------------------------------------------------------------------------------

NAMES = tuple("甲乙丙丁戊")


def test_any_k_shares_open_and_fewer_tell_nothing():
    ceremony = sealed.make_root(NAMES, 3, 1, 0, secrets.token_bytes)
    opened = []
    for some in combinations(NAMES, 3):
        shares = sealed.Shares(ceremony.file)
        for name in some[:-1]:
            assert shares.add(name, ceremony.shares[name]) is None
        opened.append(shares.add(some[-1], ceremony.shares[some[-1]]))
    assert len(opened) == 10 and all(each.roots[1] == opened[0].roots[1] for each in opened)


def test_with_k_minus_1_shares_every_secret_stays_possible():
    """Over GF(256): for two shares of three and any byte as the secret there is exactly one third share, so they exclude nothing."""
    from shamir_mnemonic.shamir import SECRET_INDEX, RawShare, _interpolate

    tried = 0
    for _ in range(counts("pairs of shares completed to every secret", 3, 40)):
        ceremony = sealed.make_root(NAMES, 3, 1, 0, secrets.token_bytes)
        shares = [sealed.Share.from_mnemonic(ceremony.shares[name]) for name in NAMES]
        for one, two in combinations(shares, 2):
            known = [RawShare(one.index, one.value[:1]), RawShare(two.index, two.value[:1])]
            (free,) = [each.index for each in shares if each.index not in (one.index, two.index)][:1]
            thirds = set()
            for secret in range(256):
                third = _interpolate([*known, RawShare(SECRET_INDEX, bytes([secret]))], free)
                assert _interpolate([*known, RawShare(free, third)], SECRET_INDEX) == bytes([secret])
                thirds.add(third)
            assert len(thirds) == 256
            tried += 256
    print(f"{tried} secrets, each possible with k - 1 shares")


def test_shares_of_two_secrets_look_alike():
    """Two fixed roots, many ceremonies: any k - 1 shares have evenly spread bytes either way (chi-square over 256 values)."""
    from shamir_mnemonic.shamir import _split_secret

    for secret in (bytes(32), b"\xff" * 32):
        seen = [0] * 256
        rounds = counts("ceremonies for the spread of shares", 400, 5_000)
        for _ in range(rounds):
            for share in _split_secret(3, 5, secret)[3:]:
                for each in share.data:
                    seen[each] += 1
        expected = rounds * 64 / 256
        assert sum((each - expected) ** 2 / expected for each in seen) < 400  # 255 degrees of freedom: 1 in 10^8 above 380


def test_the_file_is_bound_to_its_custodians_and_every_byte_of_it():
    ceremony = sealed.make_root(NAMES, 2, 2, 0, secrets.token_bytes)
    file = ceremony.file
    names = ", ".join(NAMES)

    def open_with(changed):
        shares = sealed.Shares(changed)
        shares.add(NAMES[0], ceremony.shares[NAMES[0]])
        return shares.add(NAMES[1], ceremony.shares[NAMES[1]])

    assert open_with(file)
    for changed in (
        replace(file, custodians=file.custodians[:4]),
        replace(file, custodians=file.custodians[:2]),
        replace(file, box=file.box[:-1] + bytes([file.box[-1] ^ 1])),
        replace(file, suite=1),
    ):
        with pytest.raises(Refused, match="sealed_root_altered"):
            open_with(changed)
    with pytest.raises(Refused, match="share_wrong"):
        open_with(replace(file, salt=bytes(32)))
    first, second, *rest = file.custodians
    swapped = replace(file, custodians=(replace(first, name=second.name), replace(second, name=first.name), *rest))
    with pytest.raises(Refused, match="share_wrong"):  # a digest is of a share in one person's hands
        sealed.judge_share(swapped, second.name, ceremony.shares[first.name])
    with pytest.raises(Refused, match=f"unknown_custodian.*{names}"):
        sealed.judge_share(file, "己", ceremony.shares[NAMES[0]])
    older = sealed.make_root(NAMES, 2, 2, 0, secrets.token_bytes)
    with pytest.raises(Refused, match=f"share_wrong.*custodian={NAMES[0]}"):
        sealed.judge_share(file, NAMES[0], older.shares[NAMES[0]])
    for bad in ((NAMES, 1), (NAMES, 6), (("甲", "甲"), 2), ((), 1), (("甲",), 1), (tuple(map(str, range(17))), 3)):
        with pytest.raises(Refused, match="bad_custodians"):
            sealed.make_root(*bad, 1, 0, secrets.token_bytes)
    demo = sealed.make_root((), 1, 1, 0, secrets.token_bytes, demo=True)
    assert sealed.open_demo(demo.file).roots
    with pytest.raises(Refused, match="service_sealed"):
        sealed.open_demo(file)


@given(st.text(max_size=200))
def test_words_that_are_no_share_are_refused(text):
    ceremony = _CEREMONY
    with pytest.raises(Refused, match="share_misspelt"):
        sealed.judge_share(ceremony.file, NAMES[0], text)


def test_every_single_wrong_word_of_a_share_is_found():
    words = _CEREMONY.shares[NAMES[0]].split()
    chance = random.Random(5)
    for at in range(len(words)):
        for _ in range(counts("wrong words a place", 3, 50)):
            other = chance.choice([each for each in sealed.WORDLIST if each != words[at]])
            with pytest.raises(Refused, match="share_misspelt"):
                sealed.judge_share(_CEREMONY.file, NAMES[0], " ".join([*words[:at], other, *words[at + 1 :]]))


_CEREMONY = sealed.make_root(NAMES, 3, 1, 0, secrets.token_bytes)


def test_a_new_root_for_the_same_custodians_opens_with_their_old_shares():
    shares = sealed.Shares(_CEREMONY.file)
    opened = [shares.add(name, _CEREMONY.shares[name]) for name in NAMES[:3]][-1]
    again = sealed.reseal(opened, {2: Secret(b"\2" * 32)}, secrets.token_bytes)
    shares = sealed.Shares(again.file)
    assert [shares.add(name, _CEREMONY.shares[name]) for name in NAMES[2:]][-1].roots == {2: Secret(b"\2" * 32)}


# What is never shown --------------------------------------------------------------------------------------------------------------------


def test_no_secret_is_in_a_repr_a_pickle_or_a_copy():
    from server.keeper.signing import SeedSigner
    from server.keeper.vault import DataKey, Vault

    shares = sealed.Shares(_CEREMONY.file)
    opened = [shares.add(name, _CEREMONY.shares[name]) for name in NAMES[:3]][-1]
    ring = Keyring(opened.roots, INTERNATIONAL)
    ring.purpose("kek")
    raws = [opened.unsealing.raw, opened.roots[1].raw, ring.purpose("kek").raw, KEY.raw]
    partly = sealed.Shares(_CEREMONY.file)
    partly.add(NAMES[0], _CEREMONY.shares[NAMES[0]])
    shown = [
        opened,
        ring,
        ring.purpose("kek"),
        DataKey(ID, KEY, "person:c1:x", 0, 0),
        SeedSigner("x", KEY),
        Vault(ring, None, None),
        partly,
        _CEREMONY,
        shares,
    ]
    text = "".join(f"{each!r} {each!s} {each}" for each in shown)
    assert not any(form in text for raw in raws for form in forms(raw))
    assert not any(words.split()[5] in text and words.split()[9] in text for words in _CEREMONY.shares.values())
    assert _CEREMONY.console not in text
    for each in (KEY, ring, opened):
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(each)
    with pytest.raises(TypeError):
        copy.deepcopy(KEY)
    with pytest.raises(TypeError):
        hash(KEY)


def test_the_sealed_file_is_read_strictly():
    data = _CEREMONY.file.to_bytes()
    value = loads(data.removesuffix(b"\n"), text=True)
    assert set(value) == {"box", "custodians", "demo", "needed", "salt", "suite", "v"} and value["demo"] == ""
    assert not any(words.split()[0] in data.decode() for words in _CEREMONY.shares.values())
