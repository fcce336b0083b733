"""People of the installation: who is there, inviting somebody, and asking for a role for them. Names are sealed by the keeper; lists show accounts."""

from __future__ import annotations

from dataclasses import dataclass

from drawing.errors import Refused
from server.auth import approvals, people, tickets
from server.auth.approvals import ProposalId
from server.auth.logins import Kind
from server.auth.model import ADMINISTRATORS, EVERYWHERE, AccountId, CentreId, Grant, PersonId, Role, Thing, check_grants
from server.auth.people import Account, AccountState
from server.auth.throttle import account_name
from server.auth.tickets import Purpose
from server.keeper.verbs import Field, PersonKeys
from server.services.approvals import grant_subject
from server.services.desk import Caller, Desk, keeper_centre
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
    now = caller.request.now

    async def work(tx: Tx) -> str:
        rows = await tx.all("account", person=person, limit=1)
        if not rows:
            raise Refused("not_found", "person")
        account = accounts.account_of(rows[0])
        centre = EVERYWHERE if role in ADMINISTRATORS else account.centre
        held = await accounts.grants_of(tx, account.person)
        if account.state is not AccountState.ACTIVE:
            raise Refused("account_not_active", "person")
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
