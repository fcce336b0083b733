"""The keeper as its callers see it: a real process, its socket, its rules."""

import asyncio
import dataclasses
import json
import re
import resource
import secrets
import sqlite3
import subprocess
import sys
import time
from contextlib import nullcontext as nothing
from pathlib import Path

import pytest

from drawing import merkle
from drawing.errors import Refused
from drawing.note import Policy, VKey
from drawing.texts import TEXT
from server.keeper.client import Keeper
from server.keeper.verbs import VERBS, At
from server.refusals import REFUSED, text_of
from tests.server.keeper.house import LOGIN, NAMES, House, field, run


def refused(code, **params):
    return pytest.raises(Refused, match=f"^{code}\\b" + "".join(f".*{key}={value}" for key, value in params.items()))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A demonstration keeper with the three administrators, a clerk and two supervisors."""
    made = House(tmp_path_factory.mktemp("keeper"), demo=True)
    with made.running():

        async def people():
            async with made.client() as keeper:
                await made.administrators(keeper)
                await made.member(keeper, "clerk", "draw_clerk")
                for person in ("supervisor-a", "supervisor-b"):
                    await made.member(keeper, person, "supervisor")

        run(people())
        yield made


def test_every_code_that_the_keeper_refuses_with_has_its_texts():
    found = set()
    for path in (*Path("server/keeper").glob("*.py"), *Path("server/drawer").glob("*.py")):
        found |= set(re.findall(r'Refused\(\s*"([a-z_]+)"', path.read_text("utf-8")))
    assert len(found) > 50
    assert not {each for each in found if each not in REFUSED and each not in TEXT}
    assert not set(REFUSED) & set(TEXT)
    for code, (zh, en) in REFUSED.items():
        assert re.search("[\u4e00-\u9fff]", zh) and en.isascii(), code
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), code
    assert text_of("too_often", {"seconds": 3}, "en") == "too many requests; try again in 3 s"


def test_the_service_is_sealed_until_enough_custodians_came(tmp_path):
    house = House(tmp_path)

    async def walk():
        async with house.client() as keeper:
            status = await keeper.status()
            assert status.sealed and not status.demo and status.needed == 3 and status.custodians == NAMES and status.shielded
            for verb, table in VERBS.items():
                if not table.sealed:
                    with pytest.raises(Refused) as wrong:
                        await keeper.call(verb, {})
                    assert wrong.value.code in ("missing_field", "service_sealed"), verb
            with refused("service_sealed"):
                await keeper.key_status()
            shares = house.ceremony.shares
            assert (await keeper.unseal_share(NAMES[0], shares[NAMES[0]].upper())).given == (NAMES[0],)
            with refused("share_of_another", other=NAMES[2]):
                await keeper.unseal_share(NAMES[1], shares[NAMES[2]])
            with refused("share_misspelt", word=3):
                await keeper.unseal_share(NAMES[1], re.sub(r"^(\w+ \w+) \w+", r"\1 lotroom", shares[NAMES[1]]))
            with refused("share_misspelt", word=0):
                first, second, third, *rest = shares[NAMES[1]].split()
                await keeper.unseal_share(NAMES[1], " ".join([first, second, "academic" if third != "academic" else "acid", *rest]))
            with refused("unknown_custodian"):
                await keeper.unseal_share("stranger", shares[NAMES[1]])
            assert (await keeper.unseal_share(NAMES[0], shares[NAMES[0]])).given == (NAMES[0],)  # twice counts once
            assert (await keeper.unseal_share(NAMES[4], shares[NAMES[4]])).sealed
            assert not (await keeper.unseal_share(NAMES[3], shares[NAMES[3]])).sealed
            await keeper.key_status()
            await keeper.unseal_share(NAMES[1], shares[NAMES[1]])  # a drill: a share may be tried while unsealed
            assert (await keeper.seal()).sealed
            with refused("service_sealed"):
                await keeper.key_status()

    with house.running():
        run(walk())


def test_a_demonstration_s_root_needs_to_be_told_so(tmp_path):
    house = House(tmp_path, demo=True)
    with pytest.raises(AssertionError, match="demo_root"), house.running(demo=False):
        pass
    house.process.wait()
    house.process.stdout.close()


def test_the_console_s_secret_is_made_anew_until_an_administrator_is_enrolled(tmp_path):
    house = House(tmp_path, demo=True)

    async def renewed():
        async with house.client() as keeper:
            house.move_clock(20 * 60)  # too late for the first
            made = await keeper.renew_bootstrap()
            assert made.until == pytest.approx(house.now() + 15 * 60, abs=5)
            with refused("bootstrap_refused"):
                await keeper.bootstrap(house.ceremony.console)
            lost = (await keeper.bootstrap(made.secret)).grant
            last = await keeper.renew_bootstrap()  # whoever had the grant has gone
            with refused("bootstrap_refused"):
                await keeper.enrol_passkey_options("p", "p", bootstrap=lost, role="security_admin")
            with refused("bootstrap_refused"):
                await keeper.bootstrap(made.secret)
            return last.secret

    async def used(secret):
        async with house.client() as keeper:
            grant = (await keeper.bootstrap(secret)).grant
            assert (await house.passkey(keeper, "p", bootstrap=grant, role="security_admin")).status == "active"
            with refused("bootstrap_over"):
                await keeper.renew_bootstrap()
            assert (await house.passkey(keeper, "q", bootstrap=grant, role="audit_admin")).status == "active"

    with house.running():
        secret = run(renewed())
    with house.running():  # it is in the sealed file, by its digest
        run(used(secret))
    assert secret.encode() not in (tmp_path / "sealed").read_bytes()


def test_no_administrator_without_the_console_and_only_once(tmp_path):
    house = House(tmp_path, demo=True)

    async def walk():
        async with house.client() as keeper:
            with refused("bootstrap_refused"):
                await keeper.bootstrap("0" * 32)
            with refused("bootstrap_refused"):
                await keeper.enrol_passkey_options("p", "p", bootstrap=bytes(16), role="security_admin")
            grant = (await keeper.bootstrap(house.ceremony.console)).grant
            with refused("bootstrap_refused"):
                await keeper.bootstrap(house.ceremony.console)
            with refused("bootstrap_refused"):
                await keeper.enrol_passkey_options("p", "p", bootstrap=grant, role="supervisor")
            assert (await house.passkey(keeper, "p", bootstrap=grant, role="security_admin")).status == "active"
            with refused("bootstrap_refused"):  # the same person
                await house.passkey(keeper, "p", bootstrap=grant, role="audit_admin")
            with refused("bootstrap_refused"):  # the same role
                await house.passkey(keeper, "q", bootstrap=grant, role="security_admin")
            await house.passkey(keeper, "q", bootstrap=grant, role="audit_admin")
            house.move_clock(31 * 60)
            with refused("bootstrap_refused"):
                await house.passkey(keeper, "r", bootstrap=grant, role="system_admin")

    with house.running():
        run(walk())
    late = House((tmp_path / "late"), demo=True) if (tmp_path / "late").mkdir() is None else None

    async def too_late():
        async with late.client() as keeper:
            late.move_clock(16 * 60)
            with refused("bootstrap_refused"):
                await keeper.bootstrap(late.ceremony.console)

    with late.running():
        run(too_late())


def test_an_approval_counts_for_its_subject_its_people_and_its_time_alone(house):
    async def walk():
        async with house.client() as keeper:
            subject = house.subject("unseal", "draw:c1:d0", bytes(32))
            with refused("approver_role"):
                await keeper.approval_challenge("clerk", subject)
            with refused("approver_role"):  # another centre
                await keeper.approval_challenge("supervisor-a", house.subject("unseal", "draw:c2:d0", bytes(32), centre="c2"))
            with refused("approval_expired"):
                await keeper.approval_challenge("supervisor-a", house.subject("unseal", "draw:c1:d0", bytes(32), seconds=-1))
            one = await house.approve(keeper, subject, "supervisor-a")
            assert one.by == ("supervisor-a",) and not one.enough
            with refused("approved_already"):
                await house.approve(keeper, subject, "supervisor-a")
            assert not (await keeper.approvals_of(subject.id)).enough
            other = house.subject("unseal", "draw:c1:d0", b"\1" * 32)
            assert not (await house.approve(keeper, other, "supervisor-b")).enough  # another digest
            both = await house.approve(keeper, subject, "supervisor-b")
            assert both.enough and both.by == ("supervisor-a", "supervisor-b") and not both.used
            assert not (await keeper.approvals_of(bytes(32))).by
            asked = await keeper.approval_challenge("supervisor-a", other)
            with refused("challenge_unknown"):
                await keeper.approve(bytes(32), house.people["supervisor-a"].get(asked.options))
            answer = house.people["supervisor-b"].get(asked.options)
            with refused("passkey_refused", why="credential"):
                await keeper.approve(asked.challenge, answer)
            with refused("challenge_unknown"):  # a challenge has one answer
                await keeper.approve(asked.challenge, house.people["supervisor-a"].get(asked.options))

    run(walk())


def test_nobody_enrols_or_raises_themselves_and_administrators_stay_apart(house):
    async def walk():
        async with house.client() as keeper:
            mine = await house.passkey(keeper, "security")  # a second passkey of the security administrator
            with refused("approver_is_affected"):
                await house.approve(keeper, house.subject("enrol", mine.credential, mine.digest, "all"), "security")
            waiting = await house.passkey(keeper, "newcomer")
            assert waiting.status == "waiting"
            with refused("passkey_refused", why="status"):
                await house.login(keeper, "newcomer")
            with refused("subject_differs"):
                await house.approve(keeper, house.subject("enrol", waiting.credential, bytes(32)), "security")
            with refused("approver_role"):
                await house.approve(keeper, house.subject("enrol", waiting.credential, waiting.digest), "audit")
            from server.keeper.rules import Grant, Grants, grant_digest

            both = Grants((Grant("all", "security_admin"), Grant("c1", "supervisor")))
            with refused("roles_exclude_each_other"):
                await house.approve(keeper, house.subject("grant", "newcomer", grant_digest("newcomer", both)), "audit", grants=both)
            some = Grants((Grant("c1", "supervisor"),))
            with refused("subject_differs"):  # the digest is of another person's grant
                await house.approve(keeper, house.subject("grant", "newcomer", grant_digest("clerk", some)), "audit", grants=some)
            with refused("approver_is_affected"):
                await house.approve(keeper, house.subject("grant", "audit", grant_digest("audit", some)), "audit", grants=some)
            alone = house.subject("grant", "newcomer", grant_digest("newcomer", some))
            house.people["security"] = first  # its active passkey again
            assert not (await house.approve(keeper, alone, "security", grants=some)).enough
            assert not (await keeper.person_status("newcomer")).grants.grants
            assert (await house.approve(keeper, alone, "audit", grants=some)).used
            with refused("approval_used|approved_already"):
                await house.approve(keeper, alone, "security", grants=some)
            status = await keeper.person_status("newcomer")
            assert [each.role for each in status.grants.grants] == ["supervisor"] and status.passkeys[0].status == "waiting"

    first = house.people["security"]
    try:
        run(walk())
    finally:
        house.people["security"] = first


def test_two_approvals_at_once_are_both_seen(house):
    async def walk():
        async with house.client() as keeper:
            from server.keeper.rules import Grant, Grants, grant_digest

            for n in range(10):
                grants = Grants((Grant("c1", "agency"),))
                subject = house.subject("grant", f"agent-{n}", grant_digest(f"agent-{n}", grants))
                asked = [await keeper.approval_challenge(each, subject, grants) for each in ("security", "audit")]
                answers = [house.people[each].get(one.options) for each, one in zip(("security", "audit"), asked, strict=True)]
                got = await asyncio.gather(*(keeper.approve(one.challenge, a) for one, a in zip(asked, answers, strict=True)))
                assert sorted(each.enough for each in got) == [False, True]
                assert (await keeper.person_status(f"agent-{n}")).grants == grants

    run(walk())


def test_fields_open_for_those_entitled_with_a_pass_of_their_login(house):
    async def walk():
        async with house.client() as keeper:
            await keeper.seal_fields("person:c1:e1", [field("e1", "name", "欧阳娜娜"), field("e1", "phone", "13800001111")])
            await keeper.seal_fields("person:c2:e2", [field("e2", "name", "单雄信")])
            clerk = await house.login(keeper, "clerk")
            both = [At("name", "e1", "person"), At("phone", "e1", "person"), At("nothing", "e1", "person")]
            assert await keeper.open_fields(clerk, LOGIN, "通知", both) == ["欧阳娜娜".encode(), b"13800001111", None]
            with refused("not_entitled"):
                await keeper.open_fields(clerk, LOGIN, "通知", [At("name", "e1", "person"), At("name", "e2", "person")])
            with refused("pass_refused"):
                await keeper.open_fields(clerk, bytes(32), "通知", both)  # another login
            for spoilt in ("", clerk[:-1], clerk.replace("clerk", "audit"), clerk.replace("|passkey|", "|totp|"), clerk + "0"):
                with refused("pass_refused"):
                    await keeper.open_fields(spoilt, LOGIN, "通知", both)
            secret = await keeper.enrol_totp("e1")
            own = await keeper.check_totp("e1", house.code(secret), LOGIN)
            with refused("not_entitled"):  # whoever holds the web process enrols a code for anybody who has nothing yet
                await keeper.open_fields(own, LOGIN, "本人查看", both[:1])
            await house.grant(keeper, "e1", "expert")
            assert await keeper.open_fields(own, LOGIN, "本人查看", both[:1]) == ["欧阳娜娜".encode()]
            with refused("not_entitled"):
                await keeper.open_fields(own, LOGIN, "别人", [At("name", "e2", "person")])
            await keeper.end_passes("e1")
            with refused("pass_refused"):
                await keeper.open_fields(own, LOGIN, "本人查看", both[:1])
            with refused("unknown_object"):
                await keeper.seal_fields("sign:c1:log", [field("a", "b", "c")])
            with refused("unknown_object"):
                await keeper.seal_fields("names:c1:person.name", [field("a", "b", "c")])

    run(walk())


def test_drawn_names_stay_shut_before_their_time_and_without_two_supervisors(house):
    async def walk():
        async with house.client() as keeper:
            until = house.now() + 3600
            await keeper.seal_fields("draw:c1:d1", [field("d1", "seat-1", "司马相如", table="draw")], not_before=until)
            await keeper.seal_fields("draw:c1:d1", [field("d1", "seat-2", "卓文君", table="draw")], not_before=0)  # too late to say so
            at = [At("seat-1", "d1", "draw"), At("seat-2", "d1", "draw")]
            token = await house.login(keeper, "supervisor-a")
            with refused("not_yet"):
                await keeper.open_fields(token, LOGIN, "启封", at)
            house.move_clock(3601)
            token = await house.login(keeper, "supervisor-a")
            with refused("not_approved"):
                await keeper.open_fields(token, LOGIN, "启封", at)
            subject = house.subject("unseal", "draw:c1:d1", b"\7" * 32)
            await house.approve(keeper, subject, "supervisor-a")
            with refused("not_approved"):
                await keeper.open_fields(token, LOGIN, "启封", at, subject.id)
            await house.approve(keeper, subject, "supervisor-b")
            other = house.subject("unseal", "draw:c1:d2", b"\7" * 32)
            await house.approve(keeper, other, "supervisor-a", "supervisor-b")
            with refused("not_approved"):
                await keeper.open_fields(token, LOGIN, "启封", at, other.id)
            for person in ("else-a", "else-b"):
                await house.member(keeper, person, "supervisor", centre="c2")
            of_others = house.subject("unseal", "draw:c1:d1", b"\7" * 32, "c2")
            await house.approve(keeper, of_others, "else-a", "else-b")
            with refused("not_approved"):
                await keeper.open_fields(token, LOGIN, "启封", at, of_others.id)
            assert await keeper.open_fields(token, LOGIN, "启封", at, subject.id) == ["司马相如".encode(), "卓文君".encode()]

    run(walk())


def test_a_draw_with_a_threshold_of_three_opens_with_three(house):
    async def walk():
        async with house.client() as keeper:
            await keeper.seal_fields("draw:c1:d3", [field("d3", "seat-1", "王粲", table="draw")], least=3)
            await keeper.seal_fields("draw:c1:d3", [field("d3", "seat-2", "陈琳", table="draw")], least=0)  # too late to say so
            await house.member(keeper, "supervisor-c", "supervisor")
            at = [At("seat-1", "d3", "draw"), At("seat-2", "d3", "draw")]
            subject = house.subject("unseal", "draw:c1:d3", b"\3" * 32)
            token = await house.login(keeper, "clerk")
            for person in ("supervisor-a", "supervisor-b", "supervisor-c"):
                with refused("not_approved"):
                    await keeper.open_fields(token, LOGIN, "启封", at, subject.id)
                await house.approve(keeper, subject, person)
            assert await keeper.open_fields(token, LOGIN, "启封", at, subject.id) == ["王粲".encode(), "陈琳".encode()]
            await house.grant(keeper, "supervisor-c", "technician")  # a role that is taken away takes its approval along
            with refused("not_approved"):
                await keeper.open_fields(token, LOGIN, "启封", at, subject.id)
            await house.grant(keeper, "supervisor-c", "supervisor")
            assert len(await keeper.open_fields(token, LOGIN, "启封", at, subject.id)) == 2
            house.move_clock(3601)
            token = await house.login(keeper, "clerk")
            with refused("not_approved"):  # an approval ends
                await keeper.open_fields(token, LOGIN, "启封", at, subject.id)

    run(walk())


def test_names_are_found_by_part_pinyin_and_initials_and_values_by_their_whole(house):
    async def walk():
        async with house.client() as keeper:
            people = {"s1": "单雄信", "s2": "欧阳修", "s3": "吕不韦", "s4": "John Smith", "s5": "王喆", "s6": "欧阳询"}
            for row, name in people.items():
                await keeper.seal_fields(
                    f"person:c1:{row}",
                    [field(row, "name", name, table="staff", index="name"), field(row, "id", "x" + row, table="staff", index="equal")],
                )
            token = await house.login(keeper, "clerk")

            async def found(query, **more):
                return await keeper.search_names(token, LOGIN, "c1", query, table="staff", **more)

            assert await found("欧阳") == ["s2", "s6"] and await found("欧阳", limit=1) == ["s2"]
            assert await found("oyx") == ["s2", "s6"] and await found("ouyangxiu") == ["s2"] and await found("xiu") == ["s2"]
            assert await found("shanxx") == [] and await found("shanxiong") == ["s1"] and await found("danx") == ["s1"]
            assert await found("lvbuwei") == ["s3"] and await found("smith") == ["s4"] and await found("ＷＺ") == ["s5"]
            assert await found("不存在") == [] and await found("·") == []
            with refused("not_entitled"):
                await keeper.search_names(token, LOGIN, "c2", "欧阳", table="staff")
            assert await keeper.blind_index("staff", "id", b"xs2") == ["s2"] and await keeper.blind_index("staff", "id", b"xs9") == []
            await keeper.seal_fields("person:c1:s2", [field("s2", "id", "new", table="staff", index="equal")])
            assert await keeper.blind_index("staff", "id", b"xs2") == [] and await keeper.blind_index("staff", "id", b"new") == ["s2"]

    run(walk())


def test_a_code_from_the_wrong_alphabet_an_old_one_and_too_many_wrong_ones(house):
    async def walk():
        async with house.client() as keeper:
            secret = await keeper.enrol_totp("t1")
            good = house.code(secret)
            for spoilt in (
                "",
                good[:5],
                good + "0",
                " " + good,
                good.translate({48 + n: 0xFF10 + n for n in range(10)}),
                "１２３４５６",
                "٠١٢٣٤٥",
                "-12345",
                "1e5555",
            ):
                with refused("totp_wrong"):
                    await keeper.check_totp("t1", spoilt, LOGIN)
            with refused("totp_not_enrolled"):
                await keeper.check_totp("nobody", good, LOGIN)
            for step in (-2, 2):
                with refused("totp_wrong"):
                    await keeper.check_totp("t1", house.code(secret, step), LOGIN)
            assert await keeper.check_totp("t1", house.code(secret, 1), LOGIN)  # one step ahead
            for step in (1, 0, -1):
                with refused("totp_used"):
                    await keeper.check_totp("t1", house.code(secret, step), LOGIN)
            with refused("totp_enrolled"):
                await keeper.enrol_totp("t1")
            for _ in range(5):
                with refused("totp_wrong"):
                    await keeper.check_totp("t1", "000000" if good != "000000" else "000001", LOGIN)
            house.move_clock(60)
            house.move_clock(-60)
            with refused("totp_wait"):
                await keeper.check_totp("t1", "111111", LOGIN)
            house.move_clock(90)
            assert await keeper.check_totp("t1", house.code(secret), LOGIN)
            with refused("pass_refused"):  # a person with a passkey must show it
                await keeper.enrol_totp("clerk")
            token = await house.login(keeper, "supervisor-b")
            secret = await keeper.enrol_totp("supervisor-b", token, LOGIN)
            assert await keeper.check_totp("supervisor-b", house.code(secret), LOGIN) == ""  # a code gives a supervisor no pass

    run(walk())


def test_a_lost_second_factor_is_reset_by_two_and_the_old_one_is_dead(house):
    async def walk():
        async with house.client() as keeper:
            from server.keeper.rules import reset_digest

            secret = await keeper.enrol_totp("e9")
            assert await keeper.check_totp("e9", house.code(secret), LOGIN)
            await house.member(keeper, "host", "site_host")
            subject = house.subject("reset_totp_expert", "e9", reset_digest("e9"))
            await house.approve(keeper, subject, "host")
            with refused("totp_enrolled"):
                await keeper.enrol_totp("e9")
            assert (await house.approve(keeper, subject, "supervisor-a")).used
            house.move_clock(60)
            with refused("totp_wrong"):
                await keeper.check_totp("e9", house.code(secret), LOGIN)
            fresh = await keeper.enrol_totp("e9")
            assert await keeper.check_totp("e9", house.code(fresh), LOGIN)
            staff = house.subject("reset_totp_expert", "supervisor-b", reset_digest("supervisor-b"))
            await house.approve(keeper, staff, "host")
            with refused("approver_role"):  # staff need the administrators
                await house.approve(keeper, staff, "supervisor-a")

    run(walk())


def test_a_revoked_passkey_proves_nothing(house):
    async def walk():
        async with house.client() as keeper:
            enrolled = await house.enrol(keeper, "leaver")
            assert await house.login(keeper, "leaver")
            assert (await house.approve(keeper, house.subject("revoke", enrolled.credential, enrolled.digest), "security")).used
            with refused("passkey_refused", why="status"):
                await house.login(keeper, "leaver")

    run(walk())


# Checkpoints ----------------------------------------------------------------------------------------------------------------------------


def leaves_of(house):
    with sqlite3.connect(house.folder / "keeper.db") as db:
        found = [leaf for (leaf,) in db.execute("SELECT leaf FROM log_leaf ORDER BY id")]
    db.close()
    return found


def edit(house, sql, *values):
    with sqlite3.connect(house.folder / "keeper.db", timeout=10) as db:
        db.execute(sql, values)
    db.close()


def tree_of(house):
    leaves = [merkle.leaf_hash(each) for each in leaves_of(house)]
    return len(leaves), merkle.root(leaves)


def test_checkpoints_extend_the_last_one_or_are_not_signed(tmp_path):
    house = House(tmp_path, demo=True)

    async def walk():
        async with house.client() as keeper:
            edit(house, "INSERT INTO log_leaf (leaf) VALUES (?)", b"first")
            policy = Policy(VKey.parse((await keeper.key_status()).log), {})
            signed = []
            for n in range(70):
                edit(house, "INSERT INTO log_leaf (leaf) VALUES (?)", b"leaf %d" % n)
                if n % 7 == 0 or n > 60:
                    size, root = tree_of(house)
                    checked = policy.check(await keeper.sign_checkpoint(size, root), "checkpoint").checkpoint
                    assert (checked.size, checked.root, checked.origin) == (size, root, "lotroom.test/log")
                    signed.append(size)
            size, root = tree_of(house)
            assert (await keeper.sign_checkpoint(size, root)) and (await keeper.key_status()).size == size
            with refused("checkpoint_shrinks"):
                await keeper.sign_checkpoint(size - 1, merkle.root([merkle.leaf_hash(each) for each in leaves_of(house)[:-1]]))
            with refused("checkpoint_does_not_extend"):
                await keeper.sign_checkpoint(size, bytes(32))
            with refused("log_too_short"):
                await keeper.sign_checkpoint(size + 1, root)
            edit(house, "UPDATE log_leaf SET leaf = ? WHERE id = 5", b"forged")
            edit(house, "INSERT INTO log_leaf (leaf) VALUES (?)", b"after")
            with refused("checkpoint_does_not_extend"):
                await keeper.sign_checkpoint(*tree_of(house))
            return signed

    with house.running():
        signed = run(walk())

    async def after_a_restart(code):
        async with house.client() as keeper:
            with refused(code):
                await keeper.sign_checkpoint(*tree_of(house))

    with house.running():  # the forged leaf is also found by the leaves alone
        run(after_a_restart("log_altered"))
    edit(house, "DELETE FROM log_leaf WHERE id > ?", signed[-1] - 3)
    with house.running():
        run(after_a_restart("checkpoint_shrinks"))


def test_a_row_put_back_is_noticed_by_the_running_keeper_and_by_the_next(tmp_path):
    """Each kind of row as it once was: a role that was taken away, a used code, a passkey's count, the last signed tree, a key."""
    house = House(tmp_path, demo=True)

    def rows(sql, *values):
        with sqlite3.connect(house.folder / "keeper.db", timeout=10) as db:
            found = db.execute(sql, values).fetchall()
        db.close()
        return found

    async def walk():
        async with house.client() as keeper:
            await house.administrators(keeper)
            await house.member(keeper, "clerk", "draw_clerk")
            secret = await keeper.enrol_totp("t")
            edit(house, "INSERT INTO log_leaf (leaf) VALUES (?)", b"one")
            await keeper.sign_checkpoint(*tree_of(house))
            before = {
                (table, key): value
                for table in ("keeper_state", "keeper_credential")
                for key, value in rows(f"SELECT {'name' if table == 'keeper_state' else 'id'}, value FROM {table}")
            }
            await keeper.check_totp("t", house.code(secret), LOGIN)
            await house.login(keeper, "clerk")
            await house.grant(keeper, "clerk", "agency")
            edit(house, "INSERT INTO log_leaf (leaf) VALUES (?)", b"two")
            await keeper.sign_checkpoint(*tree_of(house))
            credential = (await keeper.person_status("clerk")).passkeys[0].credential
            return before, credential, house.code(secret)

    async def asked(table, key, code):
        async with house.client() as keeper:
            match table, key:
                case _, "grants/clerk":
                    await keeper.person_status("clerk")
                case _, "totp/t":
                    await keeper.check_totp("t", code, LOGIN)
                case _, "log":
                    await keeper.key_status()
                case _:
                    await house.login(keeper, "clerk")

    with house.running():
        before, credential, code = run(walk())
        tried = [("keeper_state", "grants/clerk"), ("keeper_state", "totp/t"), ("keeper_state", "log"), ("keeper_credential", credential)]
        for table, key in tried:
            column = "name" if table == "keeper_state" else "id"
            ((now,),) = rows(f"SELECT value FROM {table} WHERE {column} = ?", key)
            assert now != before[table, key]
            for value in (before[table, key], None):  # put back; removed
                if value is None:
                    edit(house, f"DELETE FROM {table} WHERE {column} = ?", key)
                else:
                    edit(house, f"UPDATE {table} SET value = ? WHERE {column} = ?", value, key)
                with refused("keeper_rows_altered"):
                    run(asked(table, key, code))
            edit(house, f"INSERT INTO {table} VALUES (?, ?, 7)", key, now)
            with pytest.raises(Refused, match="totp_used") if key == "totp/t" else nothing():
                run(asked(table, key, code))
    for table, key in tried:
        column = "name" if table == "keeper_state" else "id"
        ((now,),) = rows(f"SELECT value FROM {table} WHERE {column} = ?", key)
        edit(house, f"UPDATE {table} SET value = ? WHERE {column} = ?", before[table, key], key)
        with pytest.raises(AssertionError, match="keeper_rows_altered"):
            house.start()
        house.process.wait()
        house.process.stdout.close()
        edit(house, f"UPDATE {table} SET value = ? WHERE {column} = ?", now, key)
    ((old,),) = rows("SELECT value FROM keeper_state WHERE name = 'anchor'")
    edit(house, "DELETE FROM keeper_state WHERE name = 'grants/clerk'")
    edit(house, "DELETE FROM keeper_state WHERE name = 'anchor'")
    with pytest.raises(AssertionError, match="keeper_rows_altered"):
        house.start()
    house.process.wait()
    house.process.stdout.close()
    assert old


# Processes ------------------------------------------------------------------------------------------------------------------------------


def test_a_killed_keeper_keeps_what_it_acknowledged_and_its_child_ends(tmp_path):
    house = House(tmp_path)
    kept = {}

    async def act(n):
        async with house.client() as keeper:
            await house.unseal(keeper)
            if n == 0:
                await house.administrators(keeper)
                await house.member(keeper, "clerk", "draw_clerk")
            token = await house.login(keeper, "clerk")
            for row, value in kept.items():
                assert await keeper.open_fields(token, LOGIN, "查", [At("name", row, "person")]) == [value]
            used = await keeper.enrol_totp(f"t{n}")
            code = house.code(used)
            await keeper.check_totp(f"t{n}", code, LOGIN)
            kept_codes.append((f"t{n}", code))
            await keeper.sign_checkpoint(*tree_of(house))

            async def write(k):
                row = f"r{n}-{k}"
                try:
                    await keeper.seal_fields(f"person:c1:{row}", [field(row, "name", f"张三{row}", index="name")])
                except Refused as lost:
                    assert lost.code == "keeper_missing"
                else:
                    kept[row] = f"张三{row}".encode()

            await write("first")  # the child is there

            async def kill():
                await asyncio.sleep(0.1 + 0.1 * n)
                house.process.kill()

            await asyncio.gather(kill(), *(write(k) for k in range(200)))
            for person, code in kept_codes:
                with pytest.raises(Refused):
                    await keeper.check_totp(person, code, LOGIN)

    kept_codes = []
    for n in range(4):
        house.start()
        run(act(n))
        house.kill()
    assert len(kept) > 20
    print(f"acknowledged over 4 kills: {len(kept)} fields, {len(kept_codes)} codes, 0 lost")
    house.start()

    async def last():
        async with house.client() as keeper:
            await house.unseal(keeper)
            token = await house.login(keeper, "clerk")
            for row, value in kept.items():
                assert await keeper.open_fields(token, LOGIN, "查", [At("name", row, "person")]) == [value]
            for person, code in kept_codes:
                with refused("totp_used|totp_wrong"):
                    await keeper.check_totp(person, code, LOGIN)

    run(last())
    assert house.stop() == 0
    for _ in range(50):  # a child sees the end of its input as soon as it is given the processor
        if not orphans():
            break
        time.sleep(0.1)
    assert not orphans()


def orphans():
    return [
        each
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if b"server.keeper.work" in _read(each) and _parent(each.with_name("stat")) == 1
    ]


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(path):
    text = _read(path).decode("utf-8", "replace")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def test_a_client_finds_a_keeper_that_came_back_and_says_when_none_is_there(tmp_path):
    house = House(tmp_path, demo=True)

    async def walk():
        async with Keeper(house.socket) as keeper:
            with refused("keeper_missing"):
                await keeper.status()
            house.start()
            assert not (await keeper.status()).sealed
            house.kill()
            with refused("keeper_missing"):
                await keeper.status()
            house.start()
            assert not (await keeper.status()).sealed
            many = await asyncio.gather(*(keeper.status() for _ in range(300)))
            assert len(many) == 300

    run(walk())
    assert house.stop() == 0 and not house.socket.exists()


def test_a_full_disk_is_a_refusal_and_ends_when_there_is_room_again(tmp_path):
    house = House(tmp_path, demo=True)

    async def walk():
        async with house.client() as keeper:
            await house.administrators(keeper)
            await house.member(keeper, "clerk", "draw_clerk")
            kept = []
            for n in range(5_000):
                try:
                    await keeper.seal_fields("person:c1:f", [field(f"f{n}", "name", f"{n}" * 50)])
                except Refused as full:
                    assert full.code == "store_unavailable"
                    break
                kept.append(n)
            else:
                raise AssertionError
            for _ in range(3):
                with refused("store_unavailable"):
                    await keeper.enrol_totp("t")
            assert not (await keeper.status()).sealed
            resource.prlimit(house.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await keeper.enrol_totp("t")
            token = await house.login(keeper, "clerk")
            for at in range(0, len(kept), 150):
                some = kept[at : at + 150]
                got = await keeper.open_fields(token, LOGIN, "查", [At("name", f"f{n}", "person") for n in some])
                assert got == [(f"{n}" * 50).encode() for n in some]
            print(f"disk full after {len(kept)} writes: refused, none of them lost, recovered without a restart")

    with house.running(most_file=700_000):
        run(walk())
    with house.running():
        pass


def test_the_command_starts_and_stops_a_keeper(tmp_path):
    house = House(tmp_path, demo=True)
    command = [sys.executable, "-m", "server.keeper.process", "--socket", str(house.socket), "--store", str(tmp_path / "keeper.db")]
    command += [
        "--sealed",
        str(tmp_path / "sealed"),
        "--rp-id",
        "lotroom.test",
        "--origin",
        "https://lotroom.test",
        "--log-origin",
        "lotroom.test/log",
    ]
    refused_to = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused_to.returncode == 1 and "demo_root" in refused_to.stderr and not house.socket.exists()
    house.process = subprocess.Popen([*command, "--insecure-demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert house.process.stdout.readline() == b"ready\n"

    async def walk():
        async with house.client() as keeper:
            status = await keeper.status()
            assert status.demo and not status.sealed
            await house.administrators(keeper)

    run(walk())
    began = time.monotonic()
    house.process.stderr.close()
    assert house.stop() == 0 and time.monotonic() - began < 5


def test_a_stop_in_the_middle_of_long_work_is_quick_and_loses_nothing(tmp_path):
    house = House(tmp_path, demo=True)
    done = []

    async def walk():
        async with house.client() as keeper:
            await house.administrators(keeper)

            async def write(n):
                try:
                    await keeper.seal_fields(f"person:c1:{n}", [field(f"{n}-{k}", "name", f"欧阳{n}{k}", index="name") for k in range(100)])
                    done.append(n)
                except Refused as lost:
                    assert lost.code == "keeper_missing"

            async def stop():
                await asyncio.sleep(0.5)
                house.process.terminate()

            await asyncio.gather(stop(), *(write(n) for n in range(60)))

    house.start()
    run(walk())
    began = time.monotonic()
    assert house.process.wait(10) == 0
    took = time.monotonic() - began
    house.process.stdout.close()
    with sqlite3.connect(tmp_path / "keeper.db") as db:
        (rows,) = db.execute("SELECT count(*) FROM annex WHERE table_name = 'person'").fetchone()
    db.close()
    assert rows >= 100 * len(done) and took < 6
    print(f"stopped {took:.1f} s after the last answer; {len(done)} batches acknowledged, {rows} rows there")


def test_a_child_that_dies_is_a_refusal_and_the_next_task_has_another():
    from server.keeper.child import Child

    async def walk():
        child = Child()
        names = ["欧阳锋".encode().hex()] * 20_000
        working = asyncio.create_task(child.run("index_entries", values=names))
        await asyncio.sleep(0.3)
        child._process.kill()
        with refused("keeper_failed"):
            await working
        assert len((await child.run("index_entries", values=names[:3]))["values"]) == 3
        with refused("keeper_failed"):
            await child.run("unknown")
        with refused("keeper_failed"):
            await child.run("index_entries")
        with pytest.raises(TypeError):
            await child.run("index_entries", values=[b"bytes"])
        cut = asyncio.create_task(child.run("index_entries", values=names))
        await asyncio.sleep(0.3)
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        assert len((await child.run("index_entries", values=names[:2]))["values"]) == 2
        await child.close()

    run(walk())


def test_the_page_about_the_keeper_has_its_tables_as_they_are():
    from server.keeper.rules import APPROVALS, OBJECTS, STAFF_SIGNS

    page = Path("docs/keeper.md").read_text("utf-8")
    rows = {
        (cells[0].strip("` "), len(cells)): [each.strip() for each in cells[1:]]
        for cells in (line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| `"))
    }
    for verb, table in VERBS.items():
        takes, gives, rate, who = rows.pop((verb, 5))
        assert takes == ", ".join(f"`{each.name}`" for each in dataclasses.fields(table.params)) or (
            takes,
            len(dataclasses.fields(table.params)),
        ) == ("-", 0), verb
        assert gives == (", ".join(f"`{each.name}`" for each in dataclasses.fields(table.result)) or "-"), verb
        assert rate == f"{table.rate.each:g}/s, {table.rate.burst}", verb
        assert who == ", ".join(sorted(table.who)) + ("; while sealed" if table.sealed else ""), verb
    for action, needed in APPROVALS.items():
        assert rows.pop((action, 2)) == ["; ".join(" or ".join(sorted(roles)) for roles in needed)], action
    for kind, table in OBJECTS.items():
        assert rows.pop((kind, 4)) == [", ".join(sorted(table.roles)), "yes" if table.own else "no", table.action or "-"], kind
    assert not rows
    assert all(f"`{each}`" in page for each in STAFF_SIGNS)


def test_a_long_answer_comes_in_pieces(house):
    async def walk():
        async with house.client() as keeper:
            values = [secrets.token_bytes(1500) for _ in range(150)]
            for at in range(0, 150, 15):
                await keeper.seal_fields("person:c1:big", [field("big", f"f{at + n}", v) for n, v in enumerate(values[at : at + 15])])
            token = await house.login(keeper, "clerk")
            wanted = [At(f"f{n}", "big", "person") for n in range(150)]
            got = await asyncio.gather(*(keeper.open_fields(token, LOGIN, "看", wanted) for _ in range(3)), keeper.status())
            assert got[0] == got[1] == got[2] == values
            with refused("too_long"):
                await keeper.seal_fields("person:c1:big", [field("big", f"f{n}", v) for n, v in enumerate(values)])

    run(walk())


def test_parameters_are_refused_by_name(house):
    async def walk():
        async with house.client() as keeper:
            good = {"code": "123456", "login": "00" * 32, "person": "t1"}
            for spoilt, code in (
                ({**good, "more": 1}, "unknown_field"),
                ({"code": "1"}, "missing_field"),
                ({**good, "login": "00"}, "not_hex"),
                ({**good, "login": 5}, "not_text"),
                ({**good, "person": ""}, "bad_text"),
                ({**good, "person": ["t1"]}, "not_text"),
                ({**good, "code": {}}, "not_text"),
            ):
                with refused(code):
                    await keeper.call("check_totp", spoilt)
            with refused("unknown_verb"):
                await keeper.call("open_everything", {})

    run(walk())


def test_the_rates_are_kept(tmp_path):
    house = House(tmp_path, demo=True)

    async def walk():
        async with house.client() as keeper:

            async def once():
                try:
                    await keeper.check_totp("x", "123456", LOGIN)
                except Refused as told:
                    return told.code
                return ""

            got = await asyncio.gather(*(once() for _ in range(400)))
            rate = VERBS["check_totp"].rate
            assert rate.burst <= got.count("totp_not_enrolled") <= rate.burst + 100 and got.count("too_often") >= 100
            assert not (await keeper.status()).sealed  # another verb has its own bucket

    with house.running(rates=True):
        run(walk())


def test_json_for_the_browser_is_what_web_authentication_reads(house):
    async def walk():
        async with house.client() as keeper:
            options = json.loads((await keeper.enrol_passkey_options("clerk", "办事员")).options)
            assert options["authenticatorSelection"]["userVerification"] == "required" and options["attestation"] == "none"
            assert [each["alg"] for each in options["pubKeyCredParams"]] == [-8, -7] and options["excludeCredentials"]
            asked = json.loads((await keeper.login_challenge("clerk")).options)
            assert asked["rpId"] == "lotroom.test" and asked["userVerification"] == "required" and len(asked["allowCredentials"]) == 1
            nobody = json.loads((await keeper.login_challenge("unknown-person")).options)
            assert nobody.keys() == asked.keys() and nobody["allowCredentials"] == []

    run(walk())
