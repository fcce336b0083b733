"""Who people are to the keeper: one-time codes, passkeys, passes, and the first three administrators.

A code (RFC 6238, SHA-1, 6 digits, 30 seconds, one step either way) is accepted once: the last accepted step is changed by compare-and-set
before anybody hears of it. Wrong codes in a row make the person wait, longer each time; nobody is locked out for ever. A passkey counts from
its approval on. A pass says that the keeper itself saw the proof; people with roles that ask for a passkey get none by a code.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import dataclass, field, replace
from typing import Annotated

from drawing.canonical import TH
from drawing.errors import Refused
from drawing.model import choice, digest, flag, hexes, many, text, time, whole
from server.keeper import passkeys, sealed
from server.keeper.core import Core, Open, leaf
from server.keeper.passkeys import ACTIVE, REVOKED, Credential
from server.keeper.rules import ADMINS, EVERYWHERE, ID, PASSKEY_ROLES, Grant, Grants
from server.keeper.sealed import BOOTSTRAP_SECONDS as SECRET_SECONDS
from server.keeper.sealed import bootstrap_digest
from server.keeper.store import NEW, Change
from server.keeper.vault import Kept, Vault
from server.keeper.verbs import (
    Bootstrap,
    BootstrapGrant,
    Challenge,
    CheckPasskey,
    CheckTotp,
    ConsoleSecret,
    Done,
    EndPasses,
    Enrolled,
    EnrolPasskey,
    EnrolPasskeyOptions,
    EnrolTotp,
    KeyOf,
    LoginChallenge,
    Passed,
    PersonKeys,
    PersonStatus,
    RenewBootstrap,
    RevokePasskey,
    TotpSecret,
)

STEP, SECRET_BYTES = 30, 20
FREE_FAILS, FIRST_WAIT, LONGEST_WAIT = 5, 15, 3600
BOOTSTRAP_SECONDS = 30 * 60  # three people enrol, one after the other
MOST_PASSKEYS = 16
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_NOBODY = bytes(32)


@dataclass(frozen=True, slots=True)
class Totp:
    """A person's second factor. `last` is the step of the last accepted code."""

    confirmed: Annotated[bool, flag]
    fail_at: Annotated[int, time]
    fails: Annotated[int, whole(0, 1 << 30)]
    last: Annotated[int, whole(0, 1 << 40)]
    secret: Annotated[bytes, hexes(SECRET_BYTES)] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """A person's passkeys, by the names of their rows."""

    credentials: Annotated[tuple[str, ...], many(text(64, r"[0-9a-f]{64}"), 0, MOST_PASSKEYS)]


@dataclass(frozen=True, slots=True)
class Given:
    """How many passkeys a person has given up."""

    count: Annotated[int, whole(0, 1 << 30)]


@dataclass(frozen=True, slots=True)
class Since:
    """Passes given at or before this time are worth nothing."""

    at: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The one use of the console's secret."""

    done: Annotated[tuple[str, ...], many(choice(*ADMINS), 0, 3)]
    grant: Annotated[bytes, digest]
    until: Annotated[int, time]


NO_TOTP = Totp(False, 0, 0, 0, bytes(SECRET_BYTES))
NO_GRANTS = Grants(())
NOT_BEGUN = Beginning((), _NOBODY, 0)


def code_at(secret: bytes, step: int) -> str:
    """RFC 4226 5.3 over the step's number."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


async def grants_of(vault: Vault, person: str) -> Kept[Grants]:
    return await vault.state(Grants, f"grants/{person}", NO_GRANTS)


async def passkeys_of(vault: Vault, person: str) -> list[Credential]:
    names = (await vault.state(Keys, f"passkeys/{person}", Keys(()))).value.credentials
    found = [await vault.credential(each) for each in names]
    return [each.value for each in found if each is not None and each.value.person == person]


async def vouched_for(vault: Vault, person: str) -> bool:
    """Whether anybody but the web process says that there is such a person: an approved passkey, or a role that two people gave."""
    held = (await grants_of(vault, person)).value.grants
    return bool(held) or any(each.status == ACTIVE for each in await passkeys_of(vault, person))


# One-time codes -------------------------------------------------------------------------------------------------------------------------


async def enrol_totp(core: Core, ask: EnrolTotp) -> TotpSecret:
    """A fresh secret, shown once. One that was used already is replaced only after an approved reset."""
    vault, name = core.vault, f"totp/{ask.person}"
    kept = await vault.state(Totp, name, NO_TOTP)
    if kept.value.confirmed:
        raise Refused("totp_enrolled", "person")
    if await vouched_for(vault, ask.person):
        shown = await person_of_pass(core, ask.token, ask.login)
        if shown != ask.person:
            raise Refused("pass_refused", "pass")
    made = replace(NO_TOTP, secret=vault.chance(SECRET_BYTES))
    await vault.write([vault.put_state(name, made, kept.version)])
    return TotpSecret(base64.b32encode(made.secret).decode())


async def check_totp(core: Core, ask: CheckTotp) -> Passed:
    """Raises Refused: totp_not_enrolled, totp_wait, totp_wrong, totp_used."""
    if not _CODE.fullmatch(ask.code):
        raise Refused("totp_wrong", "code")
    vault, name = core.vault, f"totp/{ask.person}"
    for _ in range(20):
        now = core.clock()
        kept = await vault.state(Totp, name, NO_TOTP)
        if kept.version == NEW:
            raise Refused("totp_not_enrolled", "person")
        here = now // STEP
        fitting = [step for step in (here - 1, here, here + 1) if hmac.compare_digest(code_at(kept.value.secret, step), ask.code)]
        if fitting and max(fitting) <= kept.value.last:
            raise Refused("totp_used", "code")  # costs nothing: it was right once, and it needs no write under a flood of repeats
        wait = kept.value.fail_at + _wait(kept.value.fails) - now
        if wait > 0:
            raise Refused("totp_wait", "code", seconds=wait)
        if fitting:
            value = replace(kept.value, confirmed=True, fails=0, last=max(fitting))
        else:
            value = replace(kept.value, fails=kept.value.fails + 1, fail_at=now)
        try:
            # If we crash before this returns, the code was not accepted; after it, it never is again.
            await vault.write([vault.put_state(name, value, kept.version)])
        except Refused as lost:
            if lost.code != "stale":
                raise
            continue
        if not fitting:
            raise Refused("totp_wrong", "code")
        grants = (await grants_of(vault, ask.person)).value
        return Passed("" if grants.somewhere(PASSKEY_ROLES) else vault.make_pass(ask.person, "totp", ask.login, now))
    raise Refused("keeper_busy", "code")


def _wait(fails: int) -> int:
    return 0 if fails < FREE_FAILS else min(LONGEST_WAIT, FIRST_WAIT << min(fails - FREE_FAILS, 10))


# Passes ---------------------------------------------------------------------------------------------------------------------------------


async def person_of_pass(core: Core, token: str, login: bytes) -> str:
    """Whom a pass is of. Raises Refused("pass_refused")."""
    vault = core.vault
    found = vault.read_pass(token, login, core.clock())
    since = await vault.state(Since, f"passes/{found.person}", Since(0))
    if since.version != NEW and found.at <= since.value.at:
        raise Refused("pass_refused", "pass")
    return found.person


async def end_passes(core: Core, ask: EndPasses) -> Done:
    """From now on, and for the second that runs: a pass of the same second ends too."""
    vault, name = core.vault, f"passes/{ask.person}"
    await vault.write([vault.put_state(name, Since(core.clock()), None)])
    return Done()


# Passkeys -------------------------------------------------------------------------------------------------------------------------------


async def enrol_passkey_options(core: Core, ask: EnrolPasskeyOptions) -> Challenge:
    """What the browser needs to make a passkey. With a bootstrap grant the role must be one that is still to be filled, by somebody new."""
    vault = core.vault
    now = core.clock()
    if (ask.bootstrap is None) != (ask.role is None):
        raise Refused("bootstrap_refused", "bootstrap")
    if ask.bootstrap is not None and ask.role is not None:
        await _beginning(core, ask.bootstrap, ask.role)
    challenge = vault.chance(32)
    known = tuple(each.id for each in await passkeys_of(vault, ask.person))
    core.challenges.add(challenge, "enrol", ask.person, now, (ask.bootstrap, ask.role))
    options = passkeys.creation_options(core.settings.site, ask.person, ask.label, challenge, known)
    return Challenge(challenge, json.dumps(options, ensure_ascii=False))


async def enrol_passkey(core: Core, ask: EnrolPasskey) -> Enrolled:
    """Keeps the passkey: waiting for a security administrator, or active at once for one of the first three administrators."""
    vault = core.vault
    now = core.clock()
    asked = core.challenges.take(ask.challenge, "enrol", now)
    made = passkeys.register(ask.answer, ask.challenge, core.settings.site, asked.person, now)
    name = f"passkeys/{asked.person}"
    mine = await vault.state(Keys, name, Keys(()))
    if len(mine.value.credentials) >= MOST_PASSKEYS:
        raise Refused("too_many_passkeys", "person", most=MOST_PASSKEYS)
    first = await _first_of_all(core, asked) if asked.about[0] is not None else []
    if first:
        made = replace(made, status=ACTIVE)
    changes = [
        vault.put_credential(made, NEW),  # a credential id that is here already is somebody's: refused
        vault.put_state(name, Keys((*mine.value.credentials, made.key)), mine.version),
        *first,
        leaf("enrolled", now, credential=made.key, digest=made.digest.hex(), person=made.person, status=made.status),
    ]
    try:
        await vault.write(changes)
    except Refused as lost:
        raise Refused("passkey_known", "passkey") if lost.code == "stale" else lost from None
    return Enrolled(made.key, made.digest, made.status)


async def login_challenge(core: Core, ask: LoginChallenge) -> Challenge:
    """For a person nobody knows the answer looks the same, with nothing to choose from."""
    challenge = core.vault.chance(32)
    known = tuple(each.id for each in await passkeys_of(core.vault, ask.person) if each.status == ACTIVE)
    core.challenges.add(challenge, "login", ask.person, core.clock())
    return Challenge(challenge, json.dumps(passkeys.request_options(core.settings.site, challenge, known)))


async def check_passkey(core: Core, ask: CheckPasskey) -> Passed:
    """A pass for who proved to be the person that the challenge was for."""
    now = core.clock()
    asked = core.challenges.take(ask.challenge, "login", now)
    _, count = await asserted(core, ask.answer, ask.challenge, asked.person)
    await core.vault.write([count])
    return Passed(core.vault.make_pass(asked.person, "passkey", ask.login, now))


async def revoke_passkey(core: Core, ask: RevokePasskey) -> Done:
    """A person gives up a passkey of their own. The last one of somebody whose roles ask for a passkey stays."""
    vault, now = core.vault, core.clock()
    person = await person_of_pass(core, ask.token, ask.login)
    kept = await vault.credential(ask.credential)
    if kept is None or kept.value.person != person or kept.value.status == REVOKED:
        raise Refused("passkey_refused", "passkey", why="credential")
    tally = await vault.state(Given, f"revoked/{person}", Given(0))
    left = [each for each in await passkeys_of(vault, person) if each.status == ACTIVE and each.key != ask.credential]
    if not left and (await grants_of(vault, person)).value.somewhere(PASSKEY_ROLES):
        raise Refused("last_passkey", "passkey")
    # Two at once, each the other's last: the second to write loses this row.
    await vault.write([
        vault.put_credential(replace(kept.value, status=REVOKED), kept.version),
        vault.put_state(f"revoked/{person}", Given(tally.value.count + 1), tally.version),
        leaf("revoked", now, credential=kept.value.key, person=person),
    ])  # fmt: skip
    return Done()


async def asserted(core: Core, answer: str, challenge: bytes, person: str) -> tuple[Credential, Change]:
    """The person's active passkey that answered, and the change of its count, to be written with what was proved. Raises Refused."""
    kept = await core.vault.credential(passkeys.credential_key(passkeys.claimed_id(answer)))
    if kept is None or kept.value.person != person:
        raise Refused("passkey_refused", "passkey", why="credential")
    if kept.value.status != ACTIVE:
        raise Refused("passkey_refused", "passkey", why="status")
    count = passkeys.assert_by(answer, challenge, core.settings.site, kept.value)
    return kept.value, core.vault.put_credential(replace(kept.value, count=count), kept.version)


async def person_status(core: Core, ask: PersonStatus) -> PersonKeys:
    """What an approver must see before giving a role: the authenticators that the person has."""
    keys = await passkeys_of(core.vault, ask.person)
    totp = await core.vault.state(Totp, f"totp/{ask.person}", NO_TOTP)
    grants = (await grants_of(core.vault, ask.person)).value
    return PersonKeys(grants, tuple(KeyOf(each.at, each.key, each.digest, each.status) for each in keys), totp.value.confirmed)


# The first day --------------------------------------------------------------------------------------------------------------------------


async def bootstrap(core: Core, ask: Bootstrap) -> BootstrapGrant:
    """The console's secret, once, within its time: a grant to enrol the three administrators and nobody else."""
    vault, now, root = core.vault, core.clock(), core.root
    if not hmac.compare_digest(bootstrap_digest(ask.secret), root.bootstrap) or now >= root.bootstrap_until:
        raise Refused("bootstrap_refused", "bootstrap")
    kept = await vault.state(Beginning, "bootstrap", NOT_BEGUN)
    if kept.value != NOT_BEGUN:
        raise Refused("bootstrap_refused", "bootstrap")
    grant = vault.chance(ID)
    value = Beginning((), TH("lotroom/v1/bootstrap-grant", grant), now + BOOTSTRAP_SECONDS)
    try:
        await vault.write([vault.put_state("bootstrap", value, kept.version), leaf("bootstrap", now)])
    except Refused as lost:
        raise Refused("bootstrap_refused", "bootstrap") if lost.code == "stale" else lost from None
    return BootstrapGrant(grant, ADMINS, value.until)


async def renew_bootstrap(core: Core, _: RenewBootstrap) -> ConsoleSecret:
    """The console's secret anew, for whoever was too late with it. Raises Refused("bootstrap_over") once an administrator is enrolled."""
    vault, now = core.vault, core.clock()
    kept = await vault.state(Beginning, "bootstrap", NOT_BEGUN)
    if kept.value.done:
        raise Refused("bootstrap_over", "bootstrap")
    console = vault.chance(16).hex()
    # First the row: if we crash before the file is written, the secret before is still the one, and may be used after all.
    await vault.write([vault.put_state("bootstrap", NOT_BEGUN, kept.version), leaf("bootstrap_renewed", now)])
    until = now + SECRET_SECONDS
    opened = sealed.reseal(replace(core.root, bootstrap=bootstrap_digest(console), bootstrap_until=until), core.root.roots, vault.chance)
    sealed.write_sealed(opened.file, core.settings.sealed_root, new=False)
    core.opened, core.file = opened, opened.file
    return ConsoleSecret(console, until)


async def _beginning(core: Core, grant: bytes, role: str) -> Kept[Beginning]:
    kept = await core.vault.state(Beginning, "bootstrap", NOT_BEGUN)
    right = hmac.compare_digest(TH("lotroom/v1/bootstrap-grant", grant), kept.value.grant) and core.clock() < kept.value.until
    if not right or role not in ADMINS or role in kept.value.done:
        raise Refused("bootstrap_refused", "bootstrap")
    return kept


async def _first_of_all(core: Core, asked: Open) -> list[Change]:
    grant, role = asked.about
    kept = await _beginning(core, grant, role)
    has = await grants_of(core.vault, asked.person)
    if has.value.grants:  # three different people, and nobody who is anything already
        raise Refused("bootstrap_refused", "bootstrap")
    done = replace(kept.value, done=(*kept.value.done, role))
    return [
        core.vault.put_state("bootstrap", done, kept.version),
        core.vault.put_state(f"grants/{asked.person}", Grants((Grant(EVERYWHERE, role),)), has.version),
    ]
