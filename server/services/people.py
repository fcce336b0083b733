"""People of the installation: who is there, inviting somebody, their roles, and ending what they may. Names are sealed by the keeper; lists show
accounts. What only takes away (suspend, close, end logins) one administrator does at once; what gives back is asked of two others.
"""

from __future__ import annotations

from dataclasses import dataclass

from drawing.errors import Refused
from server.auth import approvals, people, tickets
from server.auth.approvals import ProposalId
from server.auth.logins import Kind
from server.auth.model import ADMINISTRATORS, EVERYWHERE, AccountId, CentreId, Grant, PersonId, Role, Thing, check_grants
from server.auth.people import Account, AccountState, Change
from server.auth.throttle import account_name
from server.auth.tickets import Purpose
from server.keeper.verbs import At, Field, PersonKeys
from server.services.desk import Caller, Desk, keeper_centre, pass_of
from server.services.matters import account_of, grant_subject, resume_subject, stand_in_subject
from server.storage import accounts
from server.storage import proposals as stored
from server.storage.logins import add_ticket
from server.storage.tx import Row, Tx

PAGE = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """One account in the list; `seen` is the last request of a login that lives."""

    account: Account
    roles: tuple[Role, ...]
    waiting: bool
    seen: int | None


@dataclass(frozen=True, slots=True)
class One:
    """One person: the account, roles, and what the keeper knows of their authenticators."""

    account: Account
    grants: tuple[Grant, ...]
    keys: PersonKeys


async def everybody(desk: Desk, search: str, role: str, page: int, caller: Caller) -> tuple[tuple[Listed, ...], int]:
    """A page of the list and how many there are in all."""
    desk.require("people.list", caller)
    async with desk.store.reading() as tx:
        roles: dict[str, list[Role]] = {}
        for row in await tx.all("role_grant", order=["role"]):
            if accounts.grant_of(row).holds(caller.request.now):
                roles.setdefault(row["person"], []).append(Role(row["role"]))
        asked = {row["subject"] for row in await tx.all("approval", state="open", action="people.grant_role")}
        rows = await tx.all("account", order=["name"])
        wanted = [
            row
            for row in rows
            if search.casefold() in row["name"] and (not role or role in {each.value for each in roles.get(row["person"], [])})
        ]
        shown = wanted[(page - 1) * PAGE : page * PAGE]
        seen = await _seen(tx, shown)
    return tuple(
        Listed(
            accounts.account_of(row),
            tuple(dict.fromkeys(roles.get(row["person"], []))),
            f"person/{row['person']}" in asked,
            seen.get(row["id"]),
        )
        for row in shown
    ), len(wanted)


async def _seen(tx: Tx, rows: list[Row]) -> dict[str, int]:
    found = await tx.all("login", {"account in": [row["id"] for row in rows]}, order=["seen"])
    return {row["account"]: row["seen"] for row in found}


async def centres(desk: Desk, caller: Caller) -> tuple[tuple[str, str], ...]:
    """Where somebody may work: id and name."""
    desk.require("people.list", caller)
    async with desk.store.reading() as tx:
        return tuple((row["id"], row["name"]) for row in await tx.all("centre", closed_at=None, order=["name"]))


async def invite(desk: Desk, name: str, typed: str, centre: str, caller: Caller) -> tuple[PersonId, str]:
    """A new person, and the code of the invitation, shown once. Raises Refused."""
    desk.require("people.invite", caller)
    now = caller.request.now
    by = caller.person
    shown, plain = people.check_display(name), account_name(typed)
    person, account = PersonId(desk.chance(16).hex()), AccountId(desk.chance(16).hex())
    made = Account(account, person, CentreId(centre), plain, Kind.STAFF)
    code, ticket = tickets.make(Purpose.INVITE, account, made.centre, desk.chance(32), now, holder=account)

    async def work(tx: Tx) -> None:
        if centre != EVERYWHERE and await tx.one("centre", id=centre) is None:
            raise Refused("not_found", "centre")
        await accounts.add_person(tx, made, "staff", by)
        await add_ticket(tx, ticket)

    await desk.store.write(work, now)
    # If we crash here the person is without a name, and the page of the person says so.
    await desk.keeper.seal_fields(
        f"person:{keeper_centre(made.centre)}:{person}", [Field("name", "name", person, "person", shown.encode())]
    )
    return person, code


async def one(desk: Desk, person: str, caller: Caller) -> One:
    """One person. Raises Refused("not_found")."""
    desk.require("people.read", caller)
    async with desk.store.reading() as tx:
        found = await tx.all("account", person=person, limit=1)
        if not found:
            raise Refused("not_found", "person")
        grants = await accounts.grants_of(tx, PersonId(person))
    held = tuple(sorted(grants, key=lambda each: (each.role, each.centre)))
    return One(accounts.account_of(found[0]), held, await desk.keeper.person_status(person))


async def ask_for_role(desk: Desk, person: str, role: Role, why: str, caller: Caller) -> str:
    """A proposal that two other administrators vote on. Raises Refused."""
    desk.require_to_ask("people.grant_role", caller)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        rows = await tx.all("account", person=person, limit=1)
        if not rows:
            raise Refused("not_found", "person")
        account = accounts.account_of(rows[0])
        centre = EVERYWHERE if role in ADMINISTRATORS else account.centre
        held = await accounts.grants_of(tx, account.person)
        if account.state is not AccountState.ACTIVE:
            raise Refused("person_not_active", "person")
        check_grants([*(each.role for each in held), role], "role")
        grant = Grant(role, centre)
        if grant in held:
            raise Refused("role_twice", "role")
        thing = Thing(EVERYWHERE, account.person, grant_subject(account.person, held | {grant}))
        made = approvals.propose(ProposalId(tx.new_id()), "people.grant_role", caller.actor, thing, now, [account.person])
        facts = {"account": account.name, "centre": centre, "role": role.value}
        await stored.add(tx, made, f"person/{account.person}", why, facts)
        return made.id

    return await desk.store.write(work, now)


async def ask_to_revoke(desk: Desk, person: str, role: Role, why: str, caller: Caller) -> str:
    """A proposal to take a role away. Raises Refused."""
    desk.require_to_ask("people.revoke_role", caller)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        account = await account_of(tx, person)
        held = await accounts.grants_of(tx, account.person)
        grant = next((each for each in held if each.role is role), None)
        if grant is None:
            raise Refused("not_found", "role")
        thing = Thing(EVERYWHERE, account.person, grant_subject(account.person, held - {grant}))
        made = approvals.propose(ProposalId(tx.new_id()), "people.revoke_role", caller.actor, thing, now, [account.person])
        facts = {"account": account.name, "centre": grant.centre, "role": role.value, "since": grant.since, "until": grant.until}
        await stored.add(tx, made, f"person/{account.person}", why, facts)
        return made.id

    return await desk.store.write(work, now)


async def ask_to_resume(desk: Desk, person: str, why: str, caller: Caller) -> str:
    """A proposal to bring a suspended account back. Raises Refused."""
    desk.require_to_ask("people.resume", caller)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        account = await account_of(tx, person)
        if account.state is not AccountState.SUSPENDED:
            raise Refused("account_step", "person", state=account.state.value, change=Change.RESUMED.value)
        thing = Thing(EVERYWHERE, account.person, resume_subject(account))
        made = approvals.propose(ProposalId(tx.new_id()), "people.resume", caller.actor, thing, now, [account.person])
        await stored.add(tx, made, f"person/{account.person}", why, {"account": account.name})
        return made.id

    return await desk.store.write(work, now)


async def ask_to_stand_in(desk: Desk, typed: str, why: str, caller: Caller) -> str:
    """An expert is at the site without the second factor, and the host has seen the identity document: a supervisor is asked. Raises Refused."""
    desk.require_to_ask("people.stand_in", caller)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        row = await tx.one("account", name=account_name(typed))
        account = accounts.account_of(row) if row else None
        thing = Thing(account.centre if account else EVERYWHERE, None, stand_in_subject(account, now) if account else bytes(32))
        if account is None:
            raise Refused("not_found", "account")
        if account.kind is not Kind.EXPERT:
            raise Refused("stand_in_for_experts", "account")
        if account.state is not AccountState.ACTIVE:
            raise Refused("person_not_active", "account")
        life = people.end_of_day(now) - now
        made = approvals.propose(ProposalId(tx.new_id()), "people.stand_in", caller.actor, thing, now, [account.person], life)
        await stored.add(tx, made, f"person/{account.person}", why, {"account": account.name})
        return made.id

    return await desk.store.write(work, now)


# At once --------------------------------------------------------------------------------------------------------------------------------

ENDS = {Change.SUSPENDED: "people.suspend", Change.CLOSED: "people.close"}


async def end(desk: Desk, person: str, change: Change, caller: Caller) -> None:
    """Suspend or close: all accounts of a person, their logins and passes. Raises Refused."""
    desk.require(ENDS[change], caller)
    if person == caller.person:
        raise Refused("not_oneself", "person")

    async def work(tx: Tx) -> None:
        await account_of(tx, person)
        for row in await tx.all("account", person=person):
            made = people.change(accounts.account_of(row), change)
            await accounts.write_account(tx, made, caller.person, change.value)
            await tx.remove("login", account=made.id)
            await tx.remove("ticket", account=made.id)

    await desk.store.write(work, caller.request.now)
    # If we crash here a pass lives on without a login to be used from; it ends by itself.
    await desk.keeper.end_passes(person)


async def end_logins(desk: Desk, person: str, caller: Caller) -> None:
    """All logins of a person are over, on every browser. Raises Refused."""
    desk.require("people.end_logins", caller)

    async def work(tx: Tx) -> None:
        await account_of(tx, person)
        for row in await tx.all("account", person=person):
            made = people.sign_out_everywhere(accounts.account_of(row))
            await accounts.write_account(tx, made, caller.person, "signed_out")
            await tx.remove("login", account=made.id)
            await accounts.forget_devices(tx, made.id)

    await desk.store.write(work, caller.request.now)
    await desk.keeper.end_passes(person)


async def name_of(desk: Desk, person: str, why: str, caller: Caller) -> str:
    """The sealed name, for whom the keeper opens it; it writes down who saw it and why. "" where none was kept. Raises Refused."""
    if person != caller.actor.person:  # one's own needs no permission of ours
        desk.require("people.name", caller)
    async with desk.store.reading() as tx:
        await account_of(tx, person)
    given, bound = pass_of(caller.shown)
    (found,) = await desk.keeper.open_fields(given, bound, why, [At("name", person, "person")])
    return found.decode() if found is not None else ""
