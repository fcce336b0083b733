"""One's own account: what it has, password, authenticator, passkeys, recovery codes, logins; and the invitation that begins it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from drawing.errors import Refused
from server.auth import approvals, passwords, people, recovery, sign_in, tickets
from server.auth.approvals import ProposalId
from server.auth.logins import Listed, listed, token_hash
from server.auth.model import EVERYWHERE, PASSKEY_ROLES, Grant, Role, Thing
from server.auth.passwords import SALT_BYTES
from server.auth.people import Account, AccountState, Change
from server.auth.throttle import keys_of_guess
from server.auth.tickets import Purpose
from server.keeper.verbs import PersonKeys
from server.services.desk import Caller, Desk, answered, challenge_of, hand_out, pass_of
from server.storage import accounts
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

ENROL = "enrol"  # the purpose of a challenge that makes a passkey


@dataclass(frozen=True, slots=True)
class Own:
    """What the account page shows. `keys` are the rows of passkeys, `status` the keeper's word on them; None while it is away."""

    account: Account
    grants: frozenset[Grant]
    keys: tuple[Row, ...]
    status: PersonKeys | None
    codes_left: int
    logins: tuple[Listed, ...]
    needs_passkey: bool


async def own(desk: Desk, caller: Caller) -> Own:
    """All of it. Raises Refused."""
    desk.require("account.read", caller)
    found = await _account(desk, caller)
    async with desk.store.reading() as tx:
        keys = tuple(await tx.all("passkey", account=found.id, revoked_at=None, order=["created_at"]))
    grants = await desk.house.accounts.grants(found.person)
    logins = await desk.house.logins.of(found.id)
    try:
        status = await desk.keeper.person_status(found.person)
    except Refused as refused:
        if refused.code not in ("keeper_missing", "service_sealed"):
            raise
        status = None
    now = caller.request.now
    needs = people.duty(found, (each.role for each in grants if each.holds(now)), now) == "enrol_passkey"
    shown = listed(logins, caller.held.id, found.generation, now)
    return Own(found, grants, keys, status, await desk.house.codes.left(found.id), shown, needs)


async def change_password(desk: Desk, old: str, new: str, caller: Caller) -> None:
    """Another password; every other login of the account ends. Raises Refused."""
    desk.require("account.change_password", caller)
    found = await _account(desk, caller)
    keys = keys_of_guess(found.name, caller.request.address)
    await sign_in.take(desk.house, keys, caller.request.now, "old")
    if not await desk.house.hasher.verify(old, found.password):
        raise Refused("sign_in_wrong", "old")
    passwords.check_password(new, [found.name])
    hashed = await desk.house.hasher.hash(new, desk.chance(SALT_BYTES))
    await desk.house.throttle.clear(keys[:1])

    async def work(tx: Tx) -> None:
        before = await _again(tx, found)
        made = replace(before, password=hashed, password_at=tx.now, version=before.version + 1)
        await accounts.write_account(tx, made, found.person, "password")
        await tx.remove("login", {"id !=": caller.held.id, "account": found.id})

    await desk.store.write(work, caller.request.now)


async def enrol_totp(desk: Desk, caller: Caller) -> str:
    """A fresh secret in base32, to be shown once; it counts when a code of it was right. Raises Refused."""
    desk.require("account.enrol_factor", caller)
    found = await _account(desk, caller)
    given, bound = pass_of(caller.shown)
    return await desk.keeper.enrol_totp(found.person, given, bound)


async def confirm_totp(desk: Desk, code: str, caller: Caller) -> None:
    """A code of the new secret was right. Raises Refused."""
    desk.require("account.enrol_factor", caller)
    found = await _account(desk, caller)
    await desk.keeper.check_totp(found.person, code, desk.chance(32))
    await _change(desk, found, lambda before: replace(before, totp=True), "totp", caller.request.now)


async def passkey_options(desk: Desk, caller: Caller) -> str:
    """What the browser needs to make a passkey."""
    desk.require("account.enrol_factor", caller)
    found = await _account(desk, caller)
    challenge = await desk.keeper.enrol_passkey_options(found.person, found.name)
    return await hand_out(desk, challenge, ENROL, found.id, caller.request.now)


async def enrol_passkey(desk: Desk, answer: str, label: str, caller: Caller) -> str:
    """A passkey that waits for a security administrator. Returns its credential. Raises Refused."""
    desk.require("account.enrol_factor", caller)
    found = await _account(desk, caller)
    now = caller.request.now
    challenge = challenge_of(answer.encode())
    await answered(desk.house, challenge, ENROL, now, found.id)
    made = await desk.keeper.enrol_passkey(challenge, answer)
    # If we crash here the keeper has a passkey that waits for ever and counts for nothing; the person makes another.
    thing = Thing(EVERYWHERE, found.person, made.digest)
    of_security = any(each.role is Role.SECURITY_ADMIN and each.holds(now) for each in caller.actor.grants)
    action = "account.enrol_passkey_of_security" if of_security else "account.enrol_passkey"
    proposal = approvals.propose(ProposalId(desk.chance(16).hex()), action, caller.actor, thing, now, [found.person])

    async def work(tx: Tx) -> None:
        row = {
            "account": found.id,
            "person": found.person,
            "credential": bytes.fromhex(made.credential),
            "public_key": made.digest,
            "name": label or None,
            "created_at": now,
        }
        await tx.insert("passkey", row, found.person)
        await stored.add(tx, proposal, f"passkey/{made.credential}", "", {"account": found.name, "label": label})

    await desk.store.write(work, now)
    return made.credential


async def remove_passkey(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002 (the field's name)
    """One of one's own passkeys is worth nothing any more, here and with the keeper. Raises Refused: the last one of some roles stays."""
    desk.require("account.remove_factor", caller)
    found = await _account(desk, caller)
    async with desk.store.reading() as tx:
        row = await tx.one("passkey", id=id, account=found.id, revoked_at=None)
        grants = await accounts.grants_of(tx, found.person)
    if row is None:
        raise Refused("not_found", "passkey")
    counts = row["approval"] is not None
    if counts and found.passkeys <= 1 and {each.role for each in grants} & PASSKEY_ROLES:
        raise Refused("last_passkey", "passkey")
    given, bound = pass_of(caller.shown)
    await desk.keeper.revoke_passkey(bytes(row["credential"]).hex(), given, bound)

    # If we crash here the row stays and shows as waiting; the keeper takes that passkey from nobody.
    async def work(tx: Tx) -> None:
        again = await tx.get("passkey", row["id"])
        before = await _again(tx, found)
        await tx.change("passkey", row["id"], {"revoked_at": tx.now}, found.person, again["version"], "removed")
        if again["approval"] is not None:
            made = replace(before, passkeys=max(0, before.passkeys - 1), version=before.version + 1)
            await accounts.write_account(tx, made, found.person, "passkey")

    await desk.store.write(work, caller.request.now)


async def new_codes(desk: Desk, caller: Caller) -> tuple[str, ...]:
    """Ten recovery codes, shown once; earlier ones are worth nothing from now on. Raises Refused."""
    desk.require("account.recovery_codes", caller)
    found = await _account(desk, caller)
    roles = [each.role for each in await desk.house.accounts.grants(found.person)]
    codes, digests = recovery.make(found.id, roles, desk.chance(recovery.CHANCE_BYTES))
    await desk.house.codes.replace(found.id, digests)
    return codes


async def end_login(desk: Desk, login: str, caller: Caller) -> None:
    """End another of one's own logins. Raises Refused."""
    desk.require("account.revoke_login", caller)
    await sign_in.revoke(desk.house, caller.account, login, caller.request.now)  # type: ignore[arg-type]  # an id as it was typed


async def sign_out_everywhere(desk: Desk, caller: Caller) -> None:
    """All logins of the account are over, this one too; so are the passes, and no browser is known any more."""
    desk.require("account.revoke_login", caller)
    found = await _account(desk, caller)

    async def work(tx: Tx) -> None:
        before = await _again(tx, found)
        await accounts.write_account(tx, people.sign_out_everywhere(before), found.person, "signed_out")
        await tx.remove("login", account=found.id)
        await accounts.forget_devices(tx, found.id)

    await desk.store.write(work, caller.request.now)
    await desk.keeper.end_passes(found.person)


# An invitation: the ticket is the right, nobody is signed in yet ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an invitation is for, and the secret of the authenticator where it was just made."""

    account: Account
    secret: str = ""


async def invited(desk: Desk, code: str, caller: Caller) -> Invited:
    """Whom this invitation is for. Raises Refused."""
    desk.require("ticket.redeem", caller)
    return Invited(await _invited(desk, code, caller.request.now))


async def begin_invited(desk: Desk, code: str, password: str, caller: Caller) -> Invited:
    """The password is set, and an authenticator's secret shown; a code of it ends the invitation. Raises Refused."""
    desk.require("ticket.redeem", caller)
    found = await _invited(desk, code, caller.request.now)
    passwords.check_password(password, [found.name])
    hashed = await desk.house.hasher.hash(password, desk.chance(SALT_BYTES))
    now = caller.request.now
    made = await _change(desk, found, lambda before: replace(before, password=hashed, password_at=now), "invitation", now)
    return Invited(made, await desk.keeper.enrol_totp(found.person))


async def end_invited(desk: Desk, code: str, totp: str, caller: Caller) -> None:
    """The account is at work: the code was right, the invitation is used up. Raises Refused."""
    desk.require("ticket.redeem", caller)
    found = await _invited(desk, code, caller.request.now)
    if found.password is None:
        raise Refused("factors_missing", "account")
    await desk.keeper.check_totp(found.person, totp, desk.chance(32))
    hashed = token_hash(code)
    assert hashed is not None

    async def work(tx: Tx) -> None:
        if not await tx.remove("ticket", token_hash=hashed):
            raise Refused("ticket_not_valid", Purpose.INVITE.value)
        before = await _again(tx, found)
        made = people.change(replace(before, totp=True), Change.ENROLLED)
        await accounts.write_account(tx, made, found.person, "enrolled")

    await desk.store.write(work, caller.request.now)


async def _invited(desk: Desk, code: str, now: int) -> Account:
    hashed = token_hash(code)
    ticket = await desk.house.tickets.get(hashed) if hashed is not None else None
    if ticket is None:
        raise Refused("ticket_not_valid", Purpose.INVITE.value)
    tickets.check(ticket, Purpose.INVITE, ticket.object, now, ticket.holder)
    found = await desk.house.accounts.get(ticket.holder) if ticket.holder else None
    if found is None or found.state is not AccountState.INVITED:
        raise Refused("ticket_not_valid", Purpose.INVITE.value)
    return found


async def _account(desk: Desk, caller: Caller) -> Account:
    found = await desk.house.accounts.get(caller.account)
    if found is None:
        raise Refused("sign_in", "login")
    return found


async def _again(tx: Tx, seen: Account) -> Account:
    """The account as it is inside the transaction: what was decided on another version is decided again by whoever asked."""
    found = await accounts.account(tx, seen.id)
    if found is None or found.generation != seen.generation or found.password != seen.password:
        raise Refused("stale", "account")
    return found


async def _change(desk: Desk, seen: Account, into: Callable[[Account], Account], why: str, now: int) -> Account:
    async def work(tx: Tx) -> Account:
        before = await _again(tx, seen)
        made = replace(into(before), version=before.version + 1)
        await accounts.write_account(tx, made, seen.person, why)
        return made

    return await desk.store.write(work, now)
