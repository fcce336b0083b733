"""What an authenticator's answer may not be: every vector has one fault, and is refused for it."""

import base64
import json
from dataclasses import replace
from hashlib import sha256

import pytest

from drawing.errors import Refused
from server.keeper import passkeys
from server.keeper.passkeys import ACTIVE, Site, to_base64url, user_handle
from tests.conftest import counts
from tests.server.keeper.authenticator import AT, BE, BS, ED, EDDSA, ES256, UP, UV, Authenticator, cbor, client_data
from tests.server.keeper.house import house_of_people, run

SITE = Site("lotroom.test", ("https://lotroom.test", "https://centre.lotroom.test:8443"))
CHALLENGE = bytes(range(32))
B64 = to_base64url(CHALLENGE)


def put(**values):
    return lambda parts: parts.update(values)


def client(**values):
    """Client data that says something else."""

    def spoil(parts):
        parts["client"] = json.dumps({"type": parts["type"], "challenge": parts["challenge"], "origin": parts["origin"], **values}).encode()

    return spoil


def raw_client(text):
    return lambda parts: parts.update(client=text.encode() if isinstance(text, str) else text)


def longer_challenge(parts):
    parts["challenge"] += "AA"


COMMON = {
    "another site's page": (put(origin="https://lotroom.test.evil.example"), "origin"),
    "a sub-domain": (put(origin="https://evil.lotroom.test"), "origin"),
    "plain http": (put(origin="http://lotroom.test"), "origin"),
    "another port": (put(origin="https://lotroom.test:444"), "origin"),
    "an origin with a slash": (put(origin="https://lotroom.test/"), "origin"),
    "an origin in capitals": (put(origin="HTTPS://LOTROOM.TEST"), "origin"),
    "the null origin": (put(origin="null"), "origin"),
    "an origin that is a list": (client(origin=["https://lotroom.test"]), "origin"),
    "no origin": (raw_client('{"type":"%(type)s","challenge":"' + B64 + '"}'), "origin"),
    "another challenge": (put(challenge=to_base64url(bytes(32))), "challenge"),
    "a shorter challenge": (put(challenge=to_base64url(CHALLENGE[:31])), "challenge"),
    "a longer challenge": (longer_challenge, "challenge"),
    "an empty challenge": (put(challenge=""), "challenge"),
    "a challenge in another base64": (client(challenge=base64.b64encode(CHALLENGE).decode()), "challenge"),
    "a challenge with loose bits": (client(challenge=B64[:-1] + "9"), "challenge"),
    "a challenge that is a number": (client(challenge=7), "challenge"),
    "a frame of another site": (put(more={"crossOrigin": True}), "cross_origin"),
    "a frame, said as text": (put(more={"crossOrigin": "false"}), "cross_origin"),
    "a page above": (put(more={"topOrigin": "https://evil.example"}), "cross_origin"),
    "a bound token": (put(more={"tokenBinding": {"status": "present", "id": "x"}}), "token_binding"),
    "two origins": (
        raw_client('{"type":"%(type)s","challenge":"' + B64 + '","origin":"https://evil.example","origin":"https://lotroom.test"}'),
        "client_data",
    ),
    "client data that is a list": (raw_client("[]"), "client_data"),
    "client data that is no JSON": (raw_client("{"), "client_data"),
    "client data in UTF-16": (
        raw_client(client_data("webauthn.get", B64, "https://lotroom.test").decode().encode("utf-16")),
        "client_data",
    ),
    "client data nested without end": (raw_client("[" * 5000), "client_data"),
    "client data with base64 padding": (put(response={"clientDataJSON": "e30="}), "client_data"),
    "an answer of another type": (put(answer={"type": "password"}), "id"),
    "an answer with two ids": (put(answer={"rawId": "AAAA"}), "id"),
    "an answer without an id": (put(answer={"id": None, "rawId": None}), "answer"),
    "an answer with more in it": (put(response={"extra": "x"}), "answer"),
    "an answer whose response is a list": (put(answer={"response": []}), "answer"),
}


def tail(data):
    return lambda parts: parts.update(tail=data)


def cut(length):
    return lambda parts: parts.update(data=lambda data: data[:length])


ASSERTIONS = {
    **COMMON,
    "a registration": (put(type="webauthn.create"), "type"),
    "no type": (put(type=""), "type"),
    "another relying party": (put(rp="evil.example"), "rp_id"),
    "the relying party in capitals": (put(rp="LOTROOM.TEST"), "rp_id"),
    "a relying party above": (put(rp="test"), "rp_id"),
    "nobody present": (put(flags=UV), "user_presence"),
    "nobody verified": (put(flags=UP), "user_verification"),
    "no flags": (put(flags=0), "user_presence"),
    "attested data that should not be": (put(flags=UP | UV | AT), "authenticator_data"),
    "a passkey that became a synced one": (put(flags=UP | UV | BE), "backup_state"),
    "a backup of what cannot be backed up": (put(flags=UP | UV | BS), "backup_state"),
    "extensions that are not there": (put(flags=UP | UV | ED), "signature"),
    "extensions that are no CBOR": (lambda parts: parts.update(flags=UP | UV | ED, tail=b"\xff\xff"), "signature"),
    "cut extensions": (lambda parts: parts.update(flags=UP | UV | ED, tail=b"\xa1\x61"), "signature"),
    "bytes behind the end": (tail(b"\0"), "signature"),
    "cut authenticator data": (cut(36), "authenticator_data"),
    "empty authenticator data": (cut(0), "authenticator_data"),
    "the same count": (put(count=5), "counter"),
    "a smaller count": (put(count=4), "counter"),
    "a count of zero": (put(count=0), "counter"),
    "a signature with a bit changed": (put(signature=lambda each: each[:-1] + bytes([each[-1] ^ 1])), "signature"),
    "a cut signature": (put(signature=lambda each: each[:-1]), "signature"),
    "an empty signature": (put(signature=lambda _: b""), "signature"),
    "a longer signature": (put(signature=lambda each: each + b"\0"), "signature"),
    "a signature of zeros": (put(signature=lambda each: bytes(len(each))), "signature"),
    "somebody else's user handle": (put(response={"userHandle": to_base64url(user_handle("q"))}), "user_handle"),
    "an empty user handle": (put(response={"userHandle": ""}), "user_handle"),
    "a user handle that is a number": (put(response={"userHandle": 1}), "user_handle"),
    "another credential's id": (put(id=to_base64url(bytes(32))), "id"),
    "an id with padding": (put(id=to_base64url(bytes(32)) + "="), "id"),
    "no signature": (put(response={"signature": None}), "answer"),
}


def own_key(cose):
    return lambda parts: parts.update(cose=cose)


EC = Authenticator().cose()
ED_KEY = Authenticator(alg=EDDSA).cose()
REGISTRATIONS = {
    **COMMON,
    "an assertion": (put(type="webauthn.get"), "type"),
    "another relying party": (put(rp="evil.example"), "registration"),
    "nobody present": (put(flags=UV | AT), "registration"),
    "nobody verified": (put(flags=UP | AT), "registration"),
    "no attested data": (put(flags=UP | UV), "registration"),
    "a backup of what cannot be backed up": (put(flags=UP | UV | AT | BS), "registration"),
    "RS256": (own_key(cbor({1: 3, 3: -257, -1: b"\1" * 256, -2: b"\1\0\1"})), "registration"),
    "ES384": (own_key(cbor({**EC, 3: -35})), "registration"),
    "EdDSA said as ES256": (own_key(cbor({**ED_KEY, 3: -7})), "key"),
    "ES256 said as EdDSA": (own_key(cbor({**EC, 3: -8})), "key"),
    "no algorithm": (own_key(cbor({1: 2, -1: 1, -2: bytes(32), -3: bytes(32)})), "registration"),
    "algorithm none": (own_key(cbor({**EC, 3: 0})), "registration"),
    "a point off the curve": (own_key(cbor({**EC, -2: bytes(32), -3: bytes(31) + b"\1"})), "key"),
    "a short key": (own_key(cbor({**ED_KEY, -2: bytes(31)})), "key"),
    "a key on another curve": (own_key(cbor({**EC, -1: 2})), "key"),
    "truncated CBOR": (own_key(cbor(EC)[:-1]), "registration"),
    "a key that is no map": (own_key(cbor(b"key")), "registration"),
    "a key with a name twice": (own_key(b"\xa6" + cbor(EC)[1:] + b"\x03\x26"), "registration"),
    "bytes behind the key": (own_key(cbor(EC) + b"\0"), "registration"),
    "attestation nobody asked for": (put(fmt="android-key"), "registration"),
    "an unknown attestation": (put(fmt="own"), "registration"),
    "none with a statement": (put(statement={"sig": b"x"}), "registration"),
    "packed without a signature": (put(fmt="packed"), "registration"),
    "packed with a foreign signature": (put(fmt="packed", statement={"alg": -7, "sig": bytes(70)}), "registration"),
    "an attestation that is no CBOR": (put(attestation=b"\xff"), "registration"),
    "a cut attestation": (put(attestation=cbor({"fmt": "none", "attStmt": {}, "authData": bytes(36)})), "registration"),
    "an attestation that claims gigabytes": (put(attestation=b"\xa1\x5b" + b"\x7f" * 8), "registration"),
    "an empty credential id": (put(id=b""), "registration"),
    "an id in the answer that is not the key's": (put(answer={"id": "AAAA", "rawId": "AAAA"}), "id"),
}


def registered(alg=ES256, **more):
    made = Authenticator(alg=alg, count=5, **more)
    options = json.dumps(passkeys.creation_options(SITE, "p", "某人", CHALLENGE, ()))
    return made, replace(passkeys.register(made.create(options), CHALLENGE, SITE, "p", 1), status=ACTIVE)


REQUEST = json.dumps(passkeys.request_options(SITE, CHALLENGE, ()))
CREATION = json.dumps(passkeys.creation_options(SITE, "p", "某人", CHALLENGE, ()))


def fill(spoil, kind):
    """The vectors with raw client data name the ceremony's own type."""

    def filled(parts):
        spoil(parts)
        if parts["client"] is not None:
            parts["client"] = parts["client"].replace(b"%(type)s", kind.encode())

    return filled


@pytest.mark.parametrize("alg", [ES256, EDDSA])
def test_a_right_answer_is_accepted_wherever_the_site_is(alg):
    made, kept = registered(alg)
    assert kept.person == "p" and kept.count == 5 and not kept.backup
    assert passkeys.assert_by(made.get(REQUEST), CHALLENGE, SITE, kept) == 6
    made.origin = SITE.origins[1]
    assert passkeys.assert_by(made.get(REQUEST), CHALLENGE, SITE, kept) == 7
    assert passkeys.assert_by(made.get(REQUEST, spoil=put(response={"userHandle": None})), CHALLENGE, SITE, kept) == 8
    still, kept = registered(alg, counts=False)
    assert passkeys.assert_by(still.get(REQUEST, spoil=put(count=0)), CHALLENGE, SITE, replace(kept, count=0)) == 0  # one that never counts
    synced, kept = registered(alg, flags=UP | UV | BE | BS)
    assert kept.backup and passkeys.assert_by(synced.get(REQUEST), CHALLENGE, SITE, kept) == 6


@pytest.mark.parametrize("alg", [ES256, EDDSA])
@pytest.mark.parametrize("name", ASSERTIONS)
def test_an_assertion_with_one_fault_is_refused_for_it(name, alg):
    spoil, why = ASSERTIONS[name]
    made, kept = registered(alg)
    with pytest.raises(Refused) as wrong:
        passkeys.assert_by(made.get(REQUEST, spoil=fill(spoil, "webauthn.get")), CHALLENGE, SITE, kept)
    assert (wrong.value.code, wrong.value.params["why"]) == ("passkey_refused", why)


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_registration_with_one_fault_is_refused_for_it(name):
    spoil, why = REGISTRATIONS[name]
    with pytest.raises(Refused) as wrong:
        passkeys.register(Authenticator().create(CREATION, spoil=fill(spoil, "webauthn.create")), CHALLENGE, SITE, "p", 1)
    assert (wrong.value.code, wrong.value.params["why"]) == ("passkey_refused", why)


def test_there_are_more_than_forty_vectors_of_each():
    print(f"negative vectors: {2 * len(ASSERTIONS)} assertions (two algorithms), {len(REGISTRATIONS)} registrations")
    assert len(ASSERTIONS) >= 40 and len(REGISTRATIONS) >= 40


def test_another_key_another_person_s_credential_and_another_algorithm_s_signature_are_refused():
    made, kept = registered()
    _, other = registered()
    _, eddsa = registered(EDDSA)
    answer = made.get(REQUEST)
    for wrong in (
        other,
        eddsa,
        replace(kept, public=other.public),
        replace(kept, public=eddsa.public),
        replace(kept, public=kept.public[:-1]),
    ):
        with pytest.raises(Refused, match="passkey_refused"):
            passkeys.assert_by(answer, CHALLENGE, SITE, wrong)
    with pytest.raises(Refused, match="why=user_handle"):
        passkeys.assert_by(answer, CHALLENGE, SITE, replace(kept, person="q"))
    for site, why in (
        (replace(SITE, rp_id="centre.test"), "rp_id"),
        (replace(SITE, origins=("https://centre.test",)), "origin"),
        (replace(SITE, origins=()), "origin"),
    ):
        with pytest.raises(Refused, match=f"why={why}"):
            passkeys.assert_by(answer, CHALLENGE, site, kept)


def test_no_changed_byte_of_an_answer_is_accepted():
    """Every byte of the decoded parts once, and answers cut at every place: only Refused, and never accepted."""
    made, kept = registered()
    answer = made.get(REQUEST)
    value = json.loads(answer)
    tried = 0
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        data = base64.urlsafe_b64decode(value["response"][part] + "==")
        for at in range(len(data)):
            changed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
            spoilt = {**value, "response": {**value["response"], part: to_base64url(changed)}}
            with pytest.raises(Refused, match="passkey_refused"):
                passkeys.assert_by(json.dumps(spoilt), CHALLENGE, SITE, kept)
            tried += 1
    for at in range(0, len(answer), counts("passkey answers cut, step", 7, 1)):
        with pytest.raises(Refused, match="passkey_refused"):
            passkeys.assert_by(answer[:at], CHALLENGE, SITE, kept)
        tried += 1
    print(f"{tried} changed or cut answers refused")
    assert passkeys.assert_by(answer, CHALLENGE, SITE, kept) == 6


def test_over_the_socket_an_answer_is_good_once_for_its_person_and_purpose(tmp_path):
    async def walk(house, keeper):
        for n in range(3):  # the same answer many times at once: one of them
            asked = await keeper.login_challenge("security")
            answer = house.people["security"].get(asked.options)
            assert await once_of(keeper, asked.challenge, answer, 8) == 1, n
        asked = await keeper.login_challenge("security")
        with pytest.raises(Refused, match="challenge_unknown"):  # a login is no approval
            await keeper.approve(asked.challenge, house.people["security"].get(asked.options))
        with pytest.raises(Refused, match="why=credential"):  # somebody else's passkey
            await keeper.check_passkey(asked.challenge, house.people["audit"].get(asked.options), bytes(32))
        asked = await keeper.login_challenge("security")
        house.move_clock(301)
        with pytest.raises(Refused, match="challenge_unknown"):
            await keeper.check_passkey(asked.challenge, house.people["security"].get(asked.options), bytes(32))
        house.people["security"].count -= 1  # a copied authenticator
        asked = await keeper.login_challenge("security")
        with pytest.raises(Refused, match="why=counter"):
            await keeper.check_passkey(asked.challenge, house.people["security"].get(asked.options, spoil=put(count=1)), bytes(32))
        asked = await keeper.enrol_passkey_options("someone", "某人")
        taken = Authenticator(id=house.people["audit"].id)
        with pytest.raises(Refused, match="passkey_known"):  # a credential id that is somebody's
            await keeper.enrol_passkey(asked.challenge, taken.create(asked.options))

    run(house_of_people(tmp_path, walk))


async def once_of(keeper, challenge, answer, many):
    import asyncio

    async def one():
        try:
            return bool(await keeper.check_passkey(challenge, answer, bytes(32)))
        except Refused:
            return False

    return sum(await asyncio.gather(*(one() for _ in range(many))))


def test_a_challenge_is_what_anybody_computes_from_what_is_approved():
    from server.keeper.rules import Subject, approval_challenge

    subject = Subject("commit", "c1", bytes(32), 100, "attempt:x")
    challenge = approval_challenge(subject, "p", bytes(16))
    others = [
        approval_challenge(replace(subject, **{name: value}), "p", bytes(16))
        for name, value in (("action", "abandon"), ("centre", "c2"), ("digest", b"\1" * 32), ("expires", 101), ("object", "attempt:y"))
    ]
    others += [approval_challenge(subject, "q", bytes(16)), approval_challenge(subject, "p", b"\1" * 16)]
    assert len({challenge, *others}) == 8
    assert sha256(challenge).digest() != challenge and len(challenge) == 32
