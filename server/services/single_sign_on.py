"""The organisation's own sign-in. Its word stands for a password: the account is found by a binding that two people approved, never made, never
found by a name or an address; the second factor comes afterwards as always.
"""

from __future__ import annotations

from collections.abc import Mapping

from drawing.errors import Refused
from server.auth import approvals, sign_in
from server.auth.approvals import ProposalId
from server.auth.model import EVERYWHERE, Thing
from server.auth.oidc import Identity, Provider
from server.auth.people import AccountState
from server.auth.throttle import Key, ip_key
from server.services.desk import Caller, Desk
from server.services.matters import account_of, binding_subject
from server.services.sign_in import Arrived
from server.storage import proposals as stored
from server.storage.oidc import StoredPendings, StoredSubjects
from server.storage.tx import Tx

MOST_SUBJECT = 255  # OpenID Connect Core 2


def provider_of(desk: Desk) -> Provider:
    """Raises Refused("not_found") where the organisation has none."""
    if desk.provider is None:
        raise Refused("not_found", "provider")
    return desk.provider


async def begin(desk: Desk, browser: str, caller: Caller) -> str:
    """Where to send the browser, whose secret `browser` it keeps. Raises Refused."""
    desk.require("login.begin", caller)
    now = caller.request.now
    await sign_in.take(desk.house, (Key("all"), ip_key(caller.request.address)), now)
    address, pending = await provider_of(desk).begin(browser, "/account", desk.chance(96), now)
    await StoredPendings(desk.store, lambda: now).add(pending)
    return address


async def finish(desk: Desk, query: Mapping[str, str], browser: str, caller: Caller) -> Arrived | Identity:
    """A login that waits for its second factor; or, where nobody is bound to it, who the provider says it is. Raises Refused."""
    desk.require("login.begin", caller)
    now = caller.request.now
    found = await provider_of(desk).finish(query, browser, StoredPendings(desk.store, lambda: now), now)
    account = await StoredSubjects(desk.store).account(found.issuer, found.subject)
    if account is None:
        return found
    return Arrived(*await sign_in.with_provider(desk.house, account, caller.request))


async def ask_to_bind(desk: Desk, person: str, subject: str, why: str, caller: Caller) -> str:
    """A proposal that the provider's subject is this person. Raises Refused."""
    desk.require_to_ask("people.bind_identity", caller)
    now = caller.request.now
    issuer = provider_of(desk).settings.issuer
    if not 0 < len(subject) <= MOST_SUBJECT or not subject.isascii() or not subject.isprintable():
        raise Refused("provider_subject", "subject", most=MOST_SUBJECT)

    async def work(tx: Tx) -> str:
        account = await account_of(tx, person)
        if account.state is not AccountState.ACTIVE:
            raise Refused("person_not_active", "person")
        if await tx.one("identity", issuer=issuer, subject=subject) is not None:
            raise Refused("provider_subject_taken", "subject")
        thing = Thing(EVERYWHERE, account.person, binding_subject(account.person, issuer, subject))
        made = approvals.propose(ProposalId(tx.new_id()), "people.bind_identity", caller.actor, thing, now, [account.person])
        facts = {"account": account.name, "issuer": issuer, "subject": subject}
        await stored.add(tx, made, f"person/{account.person}", why, facts)
        return made.id

    return await desk.store.write(work, now)
