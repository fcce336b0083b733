"""What can be asked of others, action by action: the keeper's word for it, what its subject is now, and what is done once it is approved.

One row of MATTERS per action of the permission table that people vote on in the inbox. `collects`: nothing is done with the last vote; whoever
asked comes for a one-time code and that uses the approval up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drawing.canonical import TH
from drawing.errors import Refused
from server.auth import people
from server.auth.approvals import Proposal
from server.auth.logins import Kind
from server.auth.model import AccountId, CentreId, Grant, PersonId, Role
from server.auth.people import Account, AccountState, Change
from server.keeper import rules as keeper
from server.services import complaints, draw_approvals, imports, key_list, own_record, replies, retention, tokens, webhooks
from server.services.desk import Desk, keeper_centre
from server.storage import accounts, oidc, service_tokens
from server.storage import proposals as stored
from server.storage.frozen import epoch_digest
from server.storage.tx import Tx

NOTHING = bytes(32)  # the subject of what is no longer there
NEW_EPOCH = "log.new_epoch"
BY_KEEPER = frozenset({"enrol", "enrol_security", "grant", "new_epoch"})  # the keeper does these itself, with the last vote
_ROLES = {Role.WITNESS_ON_SITE: "site_witness"}


@dataclass(frozen=True, slots=True)
class Matter:
    """A proposal with its subject as it is now; `grants` of the person whom a role is for or taken from, as they will be."""

    proposal: Proposal
    about: Mapping[str, Any]
    subject_now: bytes
    grants: keeper.Grants | None = None

    @property
    def for_epoch(self) -> bool:
        """Whether votes on it go into a log that takes nothing else."""
        return self.proposal.action == NEW_EPOCH

    @property
    def thing(self) -> str:
        """The id of what it is about."""
        return str(self.about["object"]).partition("/")[2]

    @property
    def action(self) -> str:
        """The keeper's word. Raises Refused for what is not voted on here."""
        kind = MATTERS.get(self.proposal.action)
        if kind is None:
            raise Refused("approval_of_nothing", self.proposal.action)
        return kind.keeper

    @property
    def subject(self) -> keeper.Subject:
        """As the keeper counts it."""
        return keeper.Subject(self.action, keeper_centre(self.proposal.centre), self.proposal.subject, self.proposal.expires, self.thing)


Now = tuple[bytes, keeper.Grants | None]


@dataclass(frozen=True, slots=True)
class Way:
    """One row: `now` computes the subject afresh, `do` carries it out inside the transaction that uses the approval up. `first` comes before that
    transaction, for what the keeper writes itself: it must bear being done twice. `after` comes behind it: what it does is done by somebody's next
    step as well, where we crash before it.
    """

    keeper: str
    now: Callable[[Tx, str, Mapping[str, Any]], Awaitable[Now]]
    do: Callable[[Tx, Matter, PersonId], Awaitable[None]] | None
    after: Callable[[Desk, Matter, int], Awaitable[None]] | None = None
    first: Callable[[Desk, Matter], Awaitable[None]] | None = None

    @property
    def collects(self) -> bool:
        """Whether whoever asked comes for a code."""
        return self.do is None


async def matter(tx: Tx, id: str, now: int) -> Matter:  # noqa: A002 (the field's name)
    """Raises Refused("not_found")."""
    proposal = await stored.proposal(tx, id)
    if proposal is None:
        raise Refused("not_found", "approval")
    return await matter_of(tx, proposal, now)


async def matter_of(tx: Tx, proposal: Proposal, now: int) -> Matter:
    """With its subject as it is now."""
    about = await stored.about(tx, proposal.id)
    kind = MATTERS.get(proposal.action)
    if kind is None:
        return Matter(proposal, about, proposal.subject)
    if proposal.action == NEW_EPOCH and (await tx.head()).origin == str(about["object"]).partition("/")[2]:
        return Matter(proposal, about, proposal.subject)  # the keeper has begun it, and the vote that completed it is not written yet
    subject, grants = await kind.now(tx, str(about["object"]).partition("/")[2], {**about, "asked_at": proposal.asked_at, "now": now})
    return Matter(proposal, about, subject, grants)


# Subjects -------------------------------------------------------------------------------------------------------------------------------


def keeper_grants(grants: frozenset[Grant]) -> keeper.Grants:
    """Roles in the keeper's words, in one order."""
    found = {keeper.Grant(keeper_centre(each.centre), _ROLES.get(each.role, each.role.value)) for each in grants}
    return keeper.Grants(tuple(sorted(found, key=lambda each: (each.centre, each.role))))


def grant_subject(person: PersonId, grants: frozenset[Grant]) -> bytes:
    """What an approval of a role, or of its end, covers: all roles that the person has from then on."""
    return keeper.grant_digest(person, keeper_grants(grants))


def resume_subject(account: Account) -> bytes:
    """What an approval to bring an account back covers: this account, suspended as it is now."""
    if account.state is not AccountState.SUSPENDED:
        return NOTHING
    return TH("lotroom/v1/resume", account.id.encode(), str(account.generation).encode())


def binding_subject(person: PersonId, issuer: str, subject: str) -> bytes:
    """What an approval of a binding covers: this person is that subject of the organisation's own sign-in."""
    return TH("lotroom/v1/identity", person.encode(), issuer.encode(), subject.encode())


def session_of(now: int) -> str:
    """What a stand-in is for: all evaluations of this day in Shanghai."""
    return f"day/{people.end_of_day(now) // people.DAY}"


def stand_in_subject(account: Account, now: int) -> bytes:
    """What an approval of a stand-in covers: this expert's account, on this day."""
    if account.state is not AccountState.ACTIVE or account.kind is not Kind.EXPERT:
        return NOTHING
    return TH("lotroom/v1/stand-in", account.id.encode(), session_of(now).encode())


def _grant(about: Mapping[str, Any]) -> Grant:
    return Grant(Role(about["role"]), CentreId(about["centre"]), about.get("since", 0), about.get("until", 0))


async def account_of(tx: Tx, person: str) -> Account:
    """The person's account. Raises Refused("not_found")."""
    found = await tx.all("account", person=person, order=["created_at", "id"], limit=1)
    if not found:
        raise Refused("not_found", "person")
    return accounts.account_of(found[0])


async def _granting(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    grants = await accounts.grants_of(tx, PersonId(thing)) | {_grant(about)}
    return grant_subject(PersonId(thing), grants), keeper_grants(grants)


async def _revoking(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    held = await accounts.grants_of(tx, PersonId(thing))
    if _grant(about) not in held:
        return NOTHING, keeper_grants(held)
    left = held - {_grant(about)}
    return grant_subject(PersonId(thing), left), keeper_grants(left)


async def _letting_in(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    row = await tx.one("passkey", credential=bytes.fromhex(thing), revoked_at=None)
    return (bytes(row["public_key"]) if row else NOTHING), None


async def _resuming(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    return resume_subject(await account_of(tx, thing)), None


async def _standing_in(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    return stand_in_subject(await account_of(tx, thing), about["now"]), None


async def _binding(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    taken = await tx.one("identity", issuer=about["issuer"], subject=about["subject"]) is not None
    return NOTHING if taken else binding_subject(PersonId(thing), about["issuer"], about["subject"]), None


async def _bind(tx: Tx, found: Matter, by: PersonId) -> None:
    await oidc.bind(tx, found.thing, found.about["issuer"], found.about["subject"], by)


async def _epoch(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    head = await tx.head()
    return (epoch_digest(head.origin, head.frozen) if head.frozen else NOTHING), None


def _drafted(permission: str) -> Callable[[Tx, str, Mapping[str, Any]], Awaitable[Now]]:
    async def now(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
        return await draw_approvals.subject_now(tx, permission, thing, str(about["draw"])), None

    return now


async def _noted(tx: Tx, found: Matter, by: PersonId) -> None:
    """That it is approved is all: supervisors sign it with their own keys."""


async def _go_on(desk: Desk, found: Matter, now: int) -> None:
    await draw_approvals.go_on(desk, str(found.about["draw"]), found.proposal.action, now)


def _draws() -> Mapping[str, Way]:
    return {each.permission: Way(each.keeper, _drafted(each.permission), _noted, _go_on) for each in draw_approvals.WAITING.values()}


async def _begun(tx: Tx, found: Matter, by: PersonId) -> None:
    """The keeper did it."""


async def _listing(tx: Tx, _: str, __: Mapping[str, Any]) -> Now:
    return await key_list.subject_now(tx), None


async def _trust(desk: Desk, found: Matter) -> None:
    await key_list.trust(desk, found.subject.id)


async def _publish(tx: Tx, _: Matter, by: PersonId) -> None:
    await key_list.publish(tx, by)


async def _token(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    return await tokens.waiting_for(tx, thing), None


async def _webhook(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    return await webhooks.waiting_for(tx, thing), None


# What is done ---------------------------------------------------------------------------------------------------------------------------


async def _give(tx: Tx, found: Matter, by: PersonId) -> None:
    await accounts.give_role(tx, PersonId(found.thing), _grant(found.about), found.proposal.id, by)


async def _take(tx: Tx, found: Matter, by: PersonId) -> None:
    await accounts.take_role(tx, PersonId(found.thing), _grant(found.about), by)


async def _let_in(tx: Tx, found: Matter, by: PersonId) -> None:
    row = await tx.one("passkey", credential=bytes.fromhex(found.thing))
    assert row is not None
    await tx.change("passkey", row["id"], {"approval": found.proposal.id}, by, row["version"], "approved")
    before = await accounts.account(tx, AccountId(row["account"]))
    assert before is not None
    await accounts.write_account(tx, replace(before, passkeys=before.passkeys + 1, version=before.version + 1), by, "passkey")


async def _resume(tx: Tx, found: Matter, by: PersonId) -> None:
    await accounts.write_account(tx, people.change(await account_of(tx, found.thing), Change.RESUMED), by, "resumed")


async def _let_token_in(tx: Tx, found: Matter, by: PersonId) -> None:
    await service_tokens.let_in(tx, found.thing, found.proposal.id, by)


async def _let_webhook_in(tx: Tx, found: Matter, by: PersonId) -> None:
    await webhooks.let_in(tx, found.thing, found.proposal.id, by)


async def _answering(_: Tx, __: str, about: Mapping[str, Any]) -> Now:
    return replies.answer_subject(about["state"], about["why"]), None


async def _enter(tx: Tx, found: Matter, by: PersonId) -> None:
    await replies.enter(tx, found.proposal.id, found.subject.id, found.about)


async def _importing(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    return await imports.waiting_subject(tx, thing) or NOTHING, None


async def _import(tx: Tx, found: Matter, by: PersonId) -> None:
    await imports.approved(tx, found.thing, by)


async def _connecting(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    return await own_record.connect_subject(tx, thing) or NOTHING, None


async def _connect(desk: Desk, found: Matter) -> None:
    await own_record.connect(desk, found.thing, keeper_centre(found.proposal.centre), found.subject.id)


async def _connected(tx: Tx, found: Matter, by: PersonId) -> None:
    await own_record.connected(tx, found.thing, by)


async def _lifting(tx: Tx, thing: str, _: Mapping[str, Any]) -> Now:
    return await complaints.lift_subject(tx, thing) or NOTHING, None


async def _lift(desk: Desk, found: Matter) -> None:
    await complaints.lift(desk, found.thing, found.subject.id)


async def _lifted(tx: Tx, found: Matter, by: PersonId) -> None:
    await complaints.lifted(tx, found.thing, found.proposal.id, by)


async def _destroying(tx: Tx, thing: str, about: Mapping[str, Any]) -> Now:
    return await retention.destroy_subject(tx, thing, about) or NOTHING, None


async def _destroy(desk: Desk, found: Matter) -> None:
    await retention.destroy(desk, found.thing, found.subject.id)


async def _destroyed(tx: Tx, found: Matter, by: PersonId) -> None:
    await retention.destroyed(tx, found.thing, found.proposal.id, by)


MATTERS: Mapping[str, Way] = {
    "account.enrol_passkey": Way("enrol", _letting_in, _let_in),
    "account.enrol_passkey_of_security": Way("enrol_security", _letting_in, _let_in),
    NEW_EPOCH: Way("new_epoch", _epoch, _begun),
    "draw.answer": Way("answer", _answering, _enter),
    complaints.LIFT: Way("lift", _lifting, _lifted, first=_lift),
    retention.DESTROY: Way("retention", _destroying, _destroyed, first=_destroy),
    own_record.CONNECT: Way("connect", _connecting, _connected, first=_connect),
    "keys.list": Way("key_list", _listing, _publish, first=_trust),
    "people.bind_identity": Way("bind", _binding, _bind),
    "people.grant_role": Way("grant", _granting, _give),
    "people.resume": Way("resume", _resuming, _resume),
    "people.revoke_role": Way("grant", _revoking, _take),
    "people.stand_in": Way("stand_in", _standing_in, None),
    "pool.edit": Way("library", _importing, _import),
    "tokens.make": Way("token", _token, _let_token_in),
    "webhooks.make": Way("token", _webhook, _let_webhook_in),
    **_draws(),
}
