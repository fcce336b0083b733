"""Whoever owns the web process and the database's web role gets no sealed name, no signature over a forged log, and unseals nothing.

The service is real, on PostgreSQL, with custodians; names are sealed and people have signed in and approved other things before. The attacker
knows all that went through the web process until then, speaks to the keeper as `web`, and reads and writes whatever the web role may.
"""

import asyncio
import copy
import json
import random
from collections import Counter
from dataclasses import fields as fields_of

import asyncpg
import pytest

from drawing.errors import Refused
from drawing.merkle import leaf_hash
from drawing.merkle import root as merkle_root
from drawing.note import Checkpoint, Note
from server.auth.model import Role
from server.keeper.client import Keeper
from server.keeper.people import code_at
from server.keeper.rules import EVERYWHERE, Grant, Grants, Subject, grant_digest, reset_digest
from server.keeper.verbs import VERBS, At, Field
from server.places import places_of
from server.storage import tables
from tests.conftest import counts
from tests.server.desk.site import CENTRE, id_of
from tests.server.keeper.authenticator import Authenticator
from tests.server.service.canaries import CANARIES, hits
from tests.server.service.machine import Service
from tests.server.service.people import People

DRAWN, OTHER, NAMED, LOGIN = f"draw:{CENTRE}:d1", f"draw:{CENTRE}:d0", f"person:{CENTRE}:e1", bytes(range(32))
SEATS = [At(f"seat-{n}", "d1", "draw") for n in range(3)]
OWN = [At("name", "e1", "person"), At("phone", "e1", "person")]


class Tape:
    """The keeper's client of the web process, as its owner has it: everything that goes over it is kept."""

    def __init__(self, keeper):
        self.keeper, self.asked, self.heard = keeper, [], []
        self._call, keeper.call = keeper.call, self.call

    async def call(self, verb, params):
        self.asked.append((verb, params))
        answer = await self._call(verb, params)
        self.heard.append((verb, answer))
        return answer

    def values(self, name):
        """Everything that was ever called so."""
        found = []

        def walk(value):
            if isinstance(value, dict):
                for key, each in value.items():
                    if key == name and each not in found:
                        found.append(each)
                    walk(each)
            elif isinstance(value, list):
                for each in value:
                    walk(each)

        walk([params for _, params in self.asked])
        walk([answer for _, answer in self.heard])
        return found


@pytest.fixture
def owned(tmp_path, base):
    if base is None:
        pytest.skip("SQLite has no roles: whoever has the file has all of it (tests/server/keeper/test_hostile.py)")
    service = Service(tmp_path / "d", base)
    ceremony = service.set_up(("甲", "乙", "丙"), 2)
    service.start()
    for name in ("甲", "丙"):
        service.keeper(lambda keeper, name=name: keeper.unseal_share(name, ceremony.shares[name]))
    service.log_key = service.keeper(lambda keeper: keeper.key_status()).log
    try:
        with People(service, ceremony.console) as people:
            yield service, people, base, ceremony
    finally:
        service.end()


def a_day(people):
    """What went on before: people with roles sign in, approve another draw, open nothing of ours."""
    for name, role in (("du.yi", Role.SUPERVISOR), ("du.er", Role.SUPERVISOR), ("he.xiaowen", Role.DRAW_CLERK)):
        people.settle(name, role, passkey=True)
    tape = Tape(people.keeper)

    async def day():
        keeper = people.keeper
        names = zip(SEATS, CANARIES, strict=False)
        await keeper.seal_fields(DRAWN, [Field(at.column, "none", at.row, at.table, text.encode()) for at, text in names], least=2)
        tape.asked.clear()  # the attacker came after the names did
        for name in people.keys:
            asked = await keeper.login_challenge(id_of(name))
            await keeper.check_passkey(asked.challenge, people.keys[name].get(asked.options), LOGIN)
        other = people.house.subject("unseal", OTHER, b"\7" * 32, CENTRE)
        await keeper.seal_fields(OTHER, [Field("seat-0", "none", "d0", "draw", b"somebody else")], least=2)
        for name in ("du.yi", "du.er"):
            asked = await keeper.approval_challenge(id_of(name), other)
            await keeper.approve(asked.challenge, people.keys[name].get(asked.options))
        asked = await keeper.login_challenge(id_of("du.yi"))  # what is approved opens: the attacks fail for what they are
        token = await keeper.check_passkey(asked.challenge, people.keys["du.yi"].get(asked.options), LOGIN)
        assert await keeper.open_fields(token, LOGIN, "启封", [At("seat-0", "d0", "draw")], other.id) == [b"somebody else"]
        stale = people.house.subject("unseal", DRAWN, b"\1" * 32, CENTRE)
        asked = await keeper.approval_challenge(id_of("du.yi"), stale)
        await keeper.approve(asked.challenge, people.keys["du.yi"].get(asked.options))  # one of two, and the other never came
        await keeper.enrol_totp("guest")
        for name in people.keys:
            await keeper.end_passes(id_of(name))
        return stale

    async def seal_own():
        await people.keeper.seal_fields(
            NAMED,
            [Field("name", "name", "e1", "person", CANARIES[3].encode()), Field("phone", "equal", "e1", "person", CANARIES[2].encode())],
        )

    people.run(seal_own())
    stale = people.run(day())
    people.keeper.call = tape._call
    return tape, stale


def made_up(kind, name, tape, chance, verb):
    """A value for a parameter: what was recorded, what is in the database, or made up."""
    recorded = tape.values(name)
    if (
        name in ("token", "login", "answer", "challenge", "approved", "subject", "digest", "root", "credential")
        and recorded
        and chance.random() < 0.7
    ):
        return chance.choice(recorded)
    pools = {
        "object": [DRAWN, NAMED, OTHER, f"person:{CENTRE}:guest", f"names:{CENTRE}:person.name", "sign:log", DRAWN + ":x"],
        "person": [*map(id_of, ("du.yi", "du.er", "he.xiaowen", "an.quan", "shen.ji", "sun.xitong")), "e1", "guest", "nobody"],
        "fields": [[{"column": a.column, "row": a.row, "table": a.table} for a in pool] for pool in (SEATS, OWN, SEATS[:1])],
        "table": ["person", "draw", f"names:{CENTRE}:person.name"], "column": ["name", "phone", "seat-0"], "row": ["d1", "e1"],
        "centre": ["c1", CENTRE, EVERYWHERE], "query": ["慕容", "m", "尉迟"], "reason": ["看"], "limit": [1000], "code": [f"{chance.randrange(10**6):06d}"],
        "label": ["x"], "role": ["system_admin", "supervisor", None], "bootstrap": ["00" * 32, None], "secret": ["0" * 32, chance.randbytes(16).hex()],
        "size": [0, 1, 10, 10**6], "least": [0, 1], "not_before": [0], "custodian": ["甲", "乙", "丙"], "words": ["academic acid " * 10],
        "event": ['{"type":"result"}'], "grants": [None, {"grants": [{"centre": EVERYWHERE, "role": "supervisor"}]}],
        "value": [chance.randbytes(8).hex()], "token": ["", "x", "du.yi|passkey|" + "0" * 64], "approved": [None, chance.randbytes(32).hex()],
        "answer": ["{}", json.dumps({"id": "x", "rawId": "x", "type": "public-key", "response": {}})],
        "subject": [chance.randbytes(32).hex(), {"action": "unseal", "centre": CENTRE, "digest": "01" * 32, "expires": 2_000_000_000, "object": DRAWN}],
    }  # fmt: skip
    if verb == "seal_fields" and name == "fields":
        return [{"column": "c", "index": "none", "row": "r", "table": "t", "value": "00"}]
    return chance.choice(pools.get(name, [chance.randbytes(32).hex(), "", 0, None]))


def told_a_name(answer):
    """Whether an answer holds a name, in any form; values travel as hex."""
    data = json.dumps(answer, ensure_ascii=False).encode()
    return hits(data)


def note_is_true(note, entries):
    """A signed checkpoint speaks of the leaves that are there."""
    found = Checkpoint.parse(Note.parse(note, "note").text, "note")
    return found.size <= len(entries) and merkle_root([leaf_hash(each) for each in entries[: found.size]]) == found.root


def test_a_taken_web_process_with_the_web_role_gets_no_name_no_checkpoint_and_no_unsealing(owned, tmp_path):
    service, people, base, ceremony = owned
    tape, stale = a_day(people)
    attacker = Authenticator(rp="localhost", origin=people.origin)
    told = asyncio.run(attack(service, people, base, tape, stale, attacker, ceremony))
    print(told)


async def attack(service, people, base, tape, stale, attacker, ceremony):
    chance, refusals, answers = random.Random(8), Counter(), Counter()
    web = await asyncpg.connect(base.plain, user="lotroom_web")
    admin = await asyncpg.connect(base.plain)
    keeper = Keeper(places_of(service.settings).socket)
    notes = []

    async def refused(work, *codes):
        with pytest.raises(Refused) as why:
            await work
        assert why.value.code in codes, why.value.code
        refusals[why.value.code] += 1

    # 1. Read everything: no name lies there in any form
    read = 0
    for table in tables.metadata.tables:
        try:
            rows = await web.fetch(f"SELECT * FROM {table}")
        except asyncpg.InsufficientPrivilegeError:
            continue
        for row in rows:
            data = b"\n".join(each if isinstance(each, bytes) else str(each).encode() for each in row.values())
            assert not hits(data), (table, hits(data))
            read += 1

    # 2. Rows that say what the attacker likes: roles, approvals, logins, passkeys
    me, yi, er = id_of("attacker"), id_of("du.yi"), id_of("du.er")
    subject = Subject("unseal", CENTRE, b"\2" * 32, stale.expires, DRAWN)
    forged = 0

    async def forge(table, **values):
        nonlocal forged
        given = values if table == "login" else {"id": chance.randbytes(16).hex(), "version": 1, "salt": bytes(32), **values}
        names = ", ".join(given)
        await web.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f'${n + 1}' for n in range(len(given)))})", *given.values())
        forged += 1

    await forge("person", id=me, kind="staff", administers="", created_at=1, centre=CENTRE)
    await forge("account", id=me, person=me, kind="staff", name="attacker", generation=0, created_at=1, data="{}")
    for person in (me, yi, er):
        for role in ("supervisor", "approver", "draw_clerk"):
            if not await web.fetchval("SELECT 1 FROM role_grant WHERE person = $1 AND role = $2", person, role):
                await forge(
                    "role_grant", person=person, administers="", role=role, centre=CENTRE, granted_by="x", granted_at=1, since=1, until=0
                )
    for name, action, digest in (("u", "unseal", subject.digest), ("g", "people.grant_role", grant_digest(me, Grants(())))):
        await forge(
            "approval", id=name * 32, action=action, subject=DRAWN, digest=digest, needs="[]", state="approved", asked_at=1,
            expires_at=stale.expires, decided_at=2, asked_by=yi,
        )  # fmt: skip
        for person in (yi, er):
            await forge("approval_vote", approval=name * 32, person=person, role="supervisor", word="approve", assertion=bytes(32), at=2)
    account = await web.fetchval("SELECT id FROM account WHERE person = $1", yi)
    await forge("passkey", account=account, person=yi, credential=attacker.id, public_key=bytes(77), created_at=1)
    await forge("totp", account=account, person=yi, created_at=1)
    await forge(
        "login", id=me, version=1, account=account, kind="staff", token_hash=bytes(32), generation=0, began=1, seen=1, state="full", shown="passkey",
        place=bytes(32), label="x", stepped_up_at=10**10, stepped_up_by="passkey", not_after=10**10, renew_token=0,
    )  # fmt: skip
    for person in (me, yi, er, "e1", "guest"):
        await refused(keeper.open_fields("", LOGIN, "看", SEATS, subject.id), "pass_refused")
        await refused(keeper.open_fields(f"{person}|passkey|99|{'0' * 64}", LOGIN, "看", SEATS, subject.id), "pass_refused")
    assert not (await keeper.approvals_of(subject.id)).by

    # 3. Whom nobody vouches for: the attacker enrols codes for them, and they open nothing
    for person in ("e1", me, "guest"):
        secret = await keeper.enrol_totp(person)
        token = await keeper.check_totp(person, now_code(people, secret), LOGIN)
        for what, approved in ((SEATS, subject.id), (SEATS, None), (OWN, None)):
            await refused(keeper.open_fields(token, LOGIN, "看", what, approved), "not_entitled", "not_approved")
        await refused(keeper.search_names(token, LOGIN, CENTRE, "慕容"), "not_entitled")
    for person in (yi, er, id_of("he.xiaowen")):  # who has a passkey has no new code without it
        await refused(keeper.enrol_totp(person), "pass_refused", "totp_enrolled")

    # 4. A passkey of the attacker's own under another's name: it waits, and approves nothing, itself least of all
    asked = await keeper.enrol_passkey_options(yi, "x")
    enrolled = await keeper.enrol_passkey(asked.challenge, attacker.create(asked.options))
    assert enrolled.status == "waiting"
    asked = await keeper.login_challenge(yi)
    await refused(keeper.check_passkey(asked.challenge, attacker.get(asked.options), LOGIN), "passkey_refused")
    enrol = Subject("enrol", EVERYWHERE, enrolled.digest, stale.expires, enrolled.credential)
    roles = Grants((Grant(EVERYWHERE, "supervisor"),))
    grant = Subject("grant", EVERYWHERE, grant_digest(me, roles), stale.expires, me)
    reset = Subject("reset_totp", EVERYWHERE, reset_digest(id_of("he.xiaowen")), stale.expires, id_of("he.xiaowen"))
    for about, person, grants in (
        (enrol, "an.quan", None), (grant, "an.quan", roles), (grant, "shen.ji", roles), (reset, "an.quan", None), (subject, "du.yi", None), (subject, "du.er", None),
    ):  # fmt: skip
        asked = await keeper.approval_challenge(id_of(person), about, grants)
        await refused(keeper.approve(asked.challenge, attacker.get(asked.options)), "passkey_refused")

    # 5. Recorded answers: for another purpose, another digest, another challenge, an older count
    recorded = tape.values("answer")
    assert len(recorded) > 5
    replayed = 0
    for answer in recorded:
        for person in ("du.yi", "du.er", "an.quan"):
            for about in (subject, stale):
                asked = await patient(keeper.approval_challenge, id_of(person), about) if person != "an.quan" else None
                if asked:
                    await refused(patient(keeper.approve, asked.challenge, answer), "passkey_refused")
                    replayed += 1
            asked = await patient(keeper.login_challenge, id_of(person))
            await refused(patient(keeper.check_passkey, asked.challenge, answer, LOGIN), "passkey_refused")
            replayed += 1
    for challenge in tape.values("challenge"):
        for answer in recorded[:3]:
            await refused(patient(keeper.check_passkey, bytes.fromhex(challenge), answer, LOGIN), "challenge_unknown")
            await refused(patient(keeper.approve, bytes.fromhex(challenge), answer), "challenge_unknown")
            replayed += 2
    # an answer made for a login does not approve, though the key and the person are right
    asked = await keeper.login_challenge(yi)
    answer = people.keys["du.yi"].get(asked.options)
    other = await keeper.approval_challenge(yi, subject)
    await refused(keeper.approve(other.challenge, answer), "passkey_refused")
    # a copy of the authenticator that is behind its own count
    behind = copy.copy(people.keys["du.yi"])
    behind.count = 0
    asked = await keeper.login_challenge(yi)
    await refused(keeper.check_passkey(asked.challenge, behind.get(asked.options), LOGIN), "passkey_refused")
    for token in tape.values("token"):
        if token:
            await refused(keeper.open_fields(token, LOGIN, "看", SEATS, stale.id), "pass_refused")

    # 6. Every verb, with whatever comes to mind
    calls = counts("calls to the keeper with made-up arguments", 3_000, 60_000)
    verbs = [each for each in VERBS if each not in ("seal", "unseal_share")]
    for _ in range(calls):
        verb = chance.choice(verbs)
        params = {each.name: made_up(each.type, each.name, tape, chance, verb) for each in fields_of(VERBS[verb].params)}
        try:
            answer = await keeper.call(verb, params)
        except Refused as why:
            refusals[why.code] += 1
            if why.code == "too_often":
                await asyncio.sleep(0.01)
            assert why.code not in ("keeper_failed", "keeper_missing"), (verb, params)
            continue
        answers[verb] += 1
        assert not told_a_name(answer), (verb, params)
        if verb == "open_fields":
            assert not any(each["found"] for each in answer["values"]), params
        if verb == "approve":
            raise AssertionError(params)
        if verb == "sign_checkpoint":
            notes.append(answer["note"])
        assert verb not in ("sign_event", "rotate", "check_passkey", "bootstrap"), (verb, params)

    # 7. A log that is not the log: no signature
    size = await web.fetchval("SELECT size FROM log_head")
    for claimed, root in ((size, bytes(32)), (size + 1, bytes(32)), (size - 1, bytes(32)), (1 << 40, bytes(32))):
        await refused(patient(keeper.sign_checkpoint, claimed, root), "checkpoint_does_not_extend", "log_too_short", "checkpoint_shrinks")
    for statement in (
        "INSERT INTO checkpoint VALUES ('localhost/log', 99999, 0, '', '')", "UPDATE checkpoint SET root = note", "DELETE FROM log_leaf",
        "UPDATE log_leaf SET leaf = leaf_hash", "DELETE FROM checkpoint",
    ):  # fmt: skip
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
            await web.execute(statement)
    await web.execute("UPDATE log_head SET size = size + 3, frontier = $1", bytes(32) * (size + 3).bit_count())
    await asyncio.sleep(2.5)  # the keeper looks each second
    entries = [row["leaf"] for row in await admin.fetch("SELECT leaf FROM log_leaf ORDER BY leaf_index")]
    notes += [row["note"].decode() for row in await admin.fetch("SELECT note FROM checkpoint")]
    assert notes and all(note_is_true(note.encode(), entries) for note in notes)

    # 8. All that the web role can write, written over; the names stay shut
    written = Counter()
    for table in tables.metadata.tables.values():
        for statement in (
            *(
                f"UPDATE {table.name} SET {column.name} = (SELECT {column.name} FROM {table.name} ORDER BY random() LIMIT 1)"
                for column in table.columns
            ),
            f"DELETE FROM {table.name}",
        ):
            try:
                written[table.name] += int((await web.execute(statement)).split()[-1])
            except asyncpg.PostgresError:
                continue
    for token in ("", *filter(None, tape.values("token"))):
        await refused(patient(keeper.open_fields, token, LOGIN, "看", SEATS, subject.id), "pass_refused")
    assert not (await keeper.approvals_of(subject.id)).by

    # 9. Sealed: one share that a custodian gave away, and shares made of it, open nothing
    assert (await keeper.seal()).sealed
    share = ceremony.shares["乙"]
    words = share.split()
    state = await keeper.unseal_share("乙", share)
    assert state.sealed
    for n in range(8):
        spoilt = words.copy()
        spoilt[chance.randrange(len(spoilt))] = chance.choice(words)
        with pytest.raises(Refused) as why:
            assert (await keeper.unseal_share(("甲", "丙")[n % 2], share if n == 0 else " ".join(spoilt))).sealed
            raise Refused("sealed_still", "x")
        refusals[why.value.code] += 1
        await asyncio.sleep(1)
    assert (await keeper.status()).sealed
    await refused(keeper.open_fields("", LOGIN, "看", SEATS), "service_sealed")
    await web.close()
    await admin.close()
    await keeper.close()
    return (
        f"{read} rows read, {forged} forged, {sum(written.values())} written over; {replayed} answers replayed; {calls} calls with made-up arguments:"
        f" {sum(answers.values())} answered ({dict(answers)}); refused: {dict(refusals)}; 0 names, {len(notes)} checkpoints all of the true log, sealed stays sealed"
    )


async def patient(call, *given):
    """As soon as the keeper's rate lets us."""
    for _ in range(200):
        try:
            return await call(*given)
        except Refused as why:
            if why.code != "too_often":
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("too often for too long")


def now_code(people, secret):
    import base64

    return code_at(base64.b32decode(secret), people.clock.now() // 30)
