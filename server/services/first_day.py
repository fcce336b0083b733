"""The first day: whoever has the console's secret makes the three administrators, one after the other, and nobody else; then this is over.

The keeper decides: it takes the secret once, gives a grant for half an hour, and lets in one passkey for each of the three roles, of three people.
Here are the accounts that belong to them. A person's id follows from the grant and the role, so that a page that was left between the keeper's
word and ours is taken up again by the next one: what the keeper has let in gets its role here, whoever looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from drawing.canonical import unhex
from drawing.errors import Refused
from server.auth import passwords, people, sign_in
from server.auth.logins import Kind
from server.auth.model import EVERYWHERE, AccountId, Grant, PersonId, Role
from server.auth.passwords import SALT_BYTES
from server.auth.people import Account, AccountState, Change
from server.auth.throttle import Key, account_name, ip_key
from server.keeper.verbs import Field, KeyOf
from server.services.desk import Caller, Desk, answered, challenge_of, hand_out, keeper_centre
from server.storage import accounts
from server.storage.tx import Tx

ORDER = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
GRANT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one of the three enters."""

    role: Role
    name: str
    account: str
    password: str


async def missing(desk: Desk) -> tuple[Role, ...]:
    """The roles that nobody has yet. Raises Refused("not_found") when there is none: the first day is over."""
    async with desk.store.reading() as tx:
        held = {row["role"] for row in await tx.all("role_grant", {"role in": [each.value for each in ORDER]})}
    left = tuple(role for role in ORDER if role.value not in held)
    if not left:
        raise Refused("not_found", "first_day")
    return left


async def begin(desk: Desk, secret: str, caller: Caller) -> str:
    """The console's secret is used up; the grant for this browser. Raises Refused."""
    await missing(desk)
    await sign_in.take(desk.house, (Key("all"), ip_key(caller.request.address)), caller.request.now)
    if len(secret) != 2 * GRANT_BYTES or set(secret) - set("0123456789abcdef"):
        raise Refused("bootstrap_refused", "secret")
    return (await desk.keeper.bootstrap(secret)).grant.hex()


async def progress(desk: Desk, grant: str, caller: Caller) -> tuple[Role, ...]:
    """As `missing`, after what the keeper has let in meanwhile got its role here."""
    left = await missing(desk)
    for role in left:
        await _settle(desk, _account(grant, role), role, caller.request.now)
    return await missing(desk)


async def options(desk: Desk, grant: str, wanted: Wanted, caller: Caller) -> str:
    """What the browser needs to make this administrator's passkey. Raises Refused where something else that was entered is not good."""
    wanted = await _checked(desk, wanted)
    about = _account(grant, wanted.role)
    right = unhex(grant, GRANT_BYTES, "grant")
    challenge = await desk.keeper.enrol_passkey_options(about.person, wanted.account, bootstrap=right, role=wanted.role.value)
    return await hand_out(desk, challenge, f"first-day:{wanted.role.value}", about.id, caller.request.now)


async def enrol(desk: Desk, grant: str, wanted: Wanted, answer: str, caller: Caller) -> None:
    """One administrator: account, password and passkey together. Raises Refused; then nobody has got a role."""
    wanted = await _checked(desk, wanted)
    now = caller.request.now
    about = _account(grant, wanted.role)
    challenge = challenge_of(answer.encode())
    await answered(desk.house, challenge, f"first-day:{wanted.role.value}", now, about.id)
    hashed = await desk.house.hasher.hash(wanted.password, desk.chance(SALT_BYTES))

    async def work(tx: Tx) -> None:
        made = replace(about, name=wanted.account, password=hashed, password_at=now)
        before = await accounts.account(tx, about.id)
        if before is None:
            await accounts.add_person(tx, made, "staff", about.person)
        elif before.state is AccountState.INVITED:  # entered before, and left without a passkey
            await accounts.write_account(tx, replace(made, version=before.version + 1), about.person, "invited")

    try:
        await desk.store.write(work, now)
    except Refused as wrong:  # a name that is somebody's
        raise Refused(wrong.code, "account" if wrong.code == "row_conflicts" else wrong.place, **wrong.params) from None
    await desk.keeper.enrol_passkey(challenge, answer)
    # If we crash here the keeper has the administrator and we have not: the next page of the first day settles it.
    await _settle(desk, about, wanted.role, now)
    field = Field("name", "name", about.person, "person", wanted.name.encode())
    await desk.keeper.seal_fields(f"person:{keeper_centre(EVERYWHERE)}:{about.person}", [field])


async def _checked(desk: Desk, wanted: Wanted) -> Wanted:
    """As it is kept: name and account in their one spelling. Raises Refused."""
    if wanted.role not in await missing(desk):
        raise Refused("bootstrap_refused", "role")
    name, account = people.check_display(wanted.name), account_name(wanted.account)
    passwords.check_password(wanted.password, [account, name])
    return replace(wanted, name=name, account=account)


async def _settle(desk: Desk, about: Account, role: Role, now: int) -> None:
    """The account whose passkey the keeper has let in is at work, with its role."""
    status = await desk.keeper.person_status(about.person)
    active = [each for each in status.passkeys if each.status == "active"]
    if not active or role.value not in {each.role for each in status.grants.grants}:
        return
    await desk.store.write(lambda tx: _at_work(tx, about, role, active), now)


async def _at_work(tx: Tx, about: Account, role: Role, keys: Sequence[KeyOf]) -> None:
    before = await accounts.account(tx, about.id)
    if before is None or before.state is not AccountState.INVITED:
        return
    for key in keys:
        row = {"account": before.id, "person": before.person, "credential": bytes.fromhex(key.credential), "public_key": key.digest}
        await tx.insert("passkey", {**row, "name": None, "created_at": tx.now}, before.person)
    made = people.change(replace(before, passkeys=len(keys)), Change.ENROLLED)
    await accounts.write_account(tx, made, before.person, "enrolled")
    await accounts.give_role(tx, before.person, Grant(role, EVERYWHERE), None, before.person)


def _account(grant: str, role: Role) -> Account:
    """Who this role's administrator is under this grant, before anything is entered."""
    person, account = (sha256(f"lotroom/first-day/{what}/{role.value}/{grant}".encode()).hexdigest()[:32] for what in ("person", "account"))
    return Account(AccountId(account), PersonId(person), EVERYWHERE, "", Kind.STAFF)
