"""The key list of the service: keys that wait, the next version over them, its signatures, its approval, and the version in force.

A version is made here and waits as the setting NEXT, a row like every other, so that each step of it is in the log. Its digest covers the
signatures of the version before's supervisors; so it is signed first and approved then. With the last approval the keeper trusts it and it is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drawing.canonical import dumps, loads
from drawing.errors import Refused
from drawing.events import Signature
from drawing.keys import Entry, KeyChain, KeyList, keys_bytes, parse_keys
from drawing.model import shape_of
from drawing.note import Policy, VKey
from server.auth import approvals
from server.auth.approvals import ProposalId
from server.auth.model import CentreId, PersonId, Role, Thing
from server.config import Settings
from server.keeper.draw_verbs import TrustKeys
from server.keyfiles import KeyFile, parse_key
from server.services import drawing
from server.services.desk import Caller, Desk
from server.storage import proposals as stored
from server.storage.tx import Row, Tx

NEXT = "key_list_next"  # the setting with the version that is being made
ACTION = "keys.list"
MOST_WAITING = 500
ROLES: Mapping[str, Role] = {"supervisor": Role.SUPERVISOR, "contributor": Role.CONTRIBUTOR}


@dataclass(frozen=True, slots=True)
class Handed:
    """A public key that somebody handed in. `state`: waits, listed, revoked (was listed once) or dropped."""

    id: str
    key: KeyFile
    person: str  # "" where somebody handed it in for a holder without an account
    by: str  # the account's name
    at: int
    state: str


@dataclass(frozen=True, slots=True)
class Next:
    """The version that is being made: `missing` signatures of supervisors of the version before, and the proposal about it, if any."""

    list: KeyList
    missing: int
    proposal: str
    version: int  # of the row

    @property
    def complete(self) -> bool:
        """Whether it may be approved."""
        return self.missing == 0


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything about keys, for those who keep the list. `centres`: id and name of those whose supervisors may be asked."""

    chain: KeyChain | None
    handed: tuple[Handed, ...]
    next: Next | None
    centres: tuple[tuple[str, str], ...]


def policies(settings: Settings, log: VKey) -> tuple[str, str | None]:
    """The policy over the log and the witnesses of the settings, and the second one where some have an ML-DSA-44 key.

    Witnesses stand in the order of their names, as the lines of a note do.
    """
    first = sorted((VKey.parse(each.vkey) for each in settings.log_witnesses), key=lambda each: each.name)
    second = sorted((VKey.parse(each.second) for each in settings.log_witnesses if each.second), key=lambda each: each.name)

    def over(keys: list[VKey], quorum: int) -> str:
        named = {f"w{n}": key for n, key in enumerate(keys, 1)}
        return Policy(log, named, {"most": (quorum, tuple(named))} if named else {}, "most" if named else "none").text()

    return over(first, settings.quorum), over(second, 1 + 2 * len(second) // 3) if second else None


# Handing in ---------------------------------------------------------------------------------------------------------------------------------


async def offer(desk: Desk, file: bytes, caller: Caller) -> None:
    """The public part of a key that the caller has made for a role that they hold. Raises Refused."""
    desk.require("keys.enrol", caller)
    key = parse_key(file, "key")
    role = ROLES.get(key.role)
    if role is None or not any(grant.role is role and grant.holds(caller.request.now) for grant in caller.actor.grants):
        raise Refused("key_of_another_role", "public", role=key.role)
    await _hand_in(desk, key, caller.person, caller)


async def add(desk: Desk, file: bytes, caller: Caller) -> None:
    """The public file of a holder without an account, as it came to the centre. Raises Refused."""
    desk.require("keys.collect", caller)
    key = parse_key(file, "key")
    if key.role not in ("supervisor", "contributor", "gateway", "monitor", "authority"):
        raise Refused("key_of_another_role", "public", role=key.role)
    await _hand_in(desk, key, None, caller)


async def _hand_in(desk: Desk, key: KeyFile, person: str | None, caller: Caller) -> None:
    if key.here:
        raise Refused("secret_handed_in", "public")
    now = caller.request.now

    async def work(tx: Tx) -> None:
        if await tx.one("holder_key", name=key.name) is not None:
            raise Refused("key_twice", "public", key=key.name)
        if await tx.count("holder_key", dropped_at=None) >= MOST_WAITING:
            raise Refused("too_many_keys", "public", most=MOST_WAITING)
        row = {"name": key.name, "role": key.role, "file": key.public_bytes().decode(), "person": person, "created_at": now}
        await tx.insert("holder_key", row, caller.person, "handed_in")

    await desk.store.write(work, now)


async def drop(desk: Desk, id: str, caller: Caller) -> None:  # noqa: A002 (the field's name)
    """A key that waits is put aside. One that is listed goes with the next version, not here. Raises Refused."""
    desk.require("keys.collect", caller)

    async def work(tx: Tx) -> None:
        row = await tx.get("holder_key", id)
        chain = await _chain(tx)
        if chain is not None and row["name"] in chain.newest.by_name:
            raise Refused("key_is_listed", "key", key=row["name"])
        await tx.change("holder_key", id, {"dropped_at": caller.request.now}, caller.person, row["version"], "dropped")

    await desk.store.write(work, caller.request.now)


# Looking ------------------------------------------------------------------------------------------------------------------------------------


async def _chain(tx: Tx) -> KeyChain | None:
    try:
        return await drawing.key_chain(tx)
    except Refused as refused:
        if refused.code != "no_key_list":
            raise
        return None


async def published(desk: Desk) -> KeyChain | None:
    """For everybody: the list in force with all versions, None before the first."""
    async with desk.store.reading() as tx:
        return await _chain(tx)


async def own(desk: Desk, caller: Caller) -> tuple[Handed, ...]:
    """What the caller handed in."""
    async with desk.store.reading() as tx:
        return await _handed(tx, await _chain(tx), person=caller.person)


async def overview(desk: Desk, caller: Caller) -> Overview:
    """Everything. Raises Refused."""
    desk.require("keys.overview", caller)
    async with desk.store.reading() as tx:
        chain = await _chain(tx)
        centres = tuple((row["id"], str(row["name"])) for row in await tx.all("centre", closed_at=None, order=["code"]))
        return Overview(chain, await _handed(tx, chain), await _next(tx, chain), centres)


async def _handed(tx: Tx, chain: KeyChain | None, **where: Any) -> tuple[Handed, ...]:
    rows = await tx.all("holder_key", order=["-created_at", "name"], limit=MOST_WAITING, **where)
    people = sorted({row["person"] for row in rows if row["person"]})
    names = {row["person"]: row["name"] for row in await tx.all("account", {"person in": people})} if people else {}
    listed = chain.newest.publics if chain else {}
    ever = {name for each in chain.lists for name in each.publics} if chain else set()

    def state(row: Row) -> str:
        if row["name"] in listed:
            return "listed"
        return "revoked" if row["name"] in ever else "dropped" if row["dropped_at"] else "waits"

    return tuple(
        Handed(
            row["id"],
            parse_key(row["file"].encode(), "key"),
            row["person"] or "",
            names.get(row["person"], ""),
            row["created_at"],
            state(row),
        )
        for row in rows
    )


async def _next(tx: Tx, chain: KeyChain | None) -> Next | None:
    row = await tx.one("setting", scope="service", name=NEXT)
    if row is None:
        return None
    value = loads(row["value"].encode(), place=NEXT, text=True)
    found = shape_of(KeyList).read(value["list"], NEXT)
    supervisors = len(chain.newest.named("supervisor")) if chain else 0
    missing = max(0, supervisors // 2 + 1 - len(found.sigs)) if chain else 0
    return Next(found, missing, value["proposal"], row["version"])


async def _keep_next(tx: Tx, made: KeyList, proposal: str, by: str) -> None:
    value = dumps({"list": shape_of(KeyList).write(made), "proposal": proposal}, text=True).decode()
    row = await tx.one("setting", scope="service", name=NEXT)
    if row is None:
        await tx.insert("setting", {"scope": "service", "name": NEXT, "value": value, "changed_at": tx.now}, by)
    else:
        await tx.change("setting", row["id"], {"value": value, "changed_at": tx.now}, by, row["version"])


# Making -------------------------------------------------------------------------------------------------------------------------------------


async def build(desk: Desk, chosen: Iterable[str], settings: Settings, caller: Caller) -> KeyList:
    """The next version over the service's own keys and those with these names; one that is left out is revoked from then on.

    Signatures and approvals of a version that was being made before come to nothing. Raises Refused.
    """
    desk.require_to_ask(ACTION, caller)
    status = await desk.keeper.key_status()
    names, now = frozenset(chosen), caller.request.now
    first, second = policies(settings, VKey.parse(status.log))

    async def work(tx: Tx) -> KeyList:
        chain = await _chain(tx)
        before = chain.newest if chain else None
        handed = {each.key.name: each for each in await _handed(tx, chain) if each.state in ("waits", "listed")}
        if names - set(handed):
            raise Refused("not_a_waiting_key", "keys", key=min(names - set(handed)))
        own_keys = {"operator": VKey.parse(status.operator), "staff": VKey.parse(status.staff)}
        entries = [Entry(settings.centre_zh, b"", "body", role, str(key), b"") for role, key in own_keys.items()]
        entries += [handed[name].key.entry() for name in sorted(names)]
        made = KeyList(
            version=before.version + 1 if before else 1,
            entries=tuple(sorted(entries, key=lambda each: VKey.parse(each.vkey).name)),
            networks=before.networks if before else (),
            policy=first,
            previous=before.digest if before else bytes(32),
            sigs=(),
            second_policy=second,
        )
        _check(made)
        if before is not None and _same_contents(before, made):
            raise Refused("list_unchanged", "keys")
        await _void(tx, await _next(tx, chain), caller.person)
        await _keep_next(tx, made, "", caller.person)
        return made

    return await desk.store.write(work, now)


def _check(made: KeyList) -> None:
    """By itself, as a reader will (keylist.md); and that a draw can be run under it at all."""
    parse_keys(keys_bytes([replace(made, version=1, previous=bytes(32), sigs=())]))
    if len(made.named("supervisor")) < 2:
        raise Refused("too_few_supervisors", "keys", got=len(made.named("supervisor")))
    if len(made.named("contributor")) < 2:
        raise Refused("too_few_contributor_keys", "keys", got=len(made.named("contributor")))


def _same_contents(one: KeyList, two: KeyList) -> bool:
    return (one.entries, one.networks, one.policy, one.second_policy) == (two.entries, two.networks, two.policy, two.second_policy)


async def _void(tx: Tx, made: Next | None, by: PersonId) -> None:
    """A proposal about a version that is no longer being made."""
    if made is None or not made.proposal:
        return
    proposal = await stored.proposal(tx, made.proposal)
    if proposal is not None and not proposal.used_at and not proposal.void_at:
        await stored.write(tx, approvals.void(proposal, tx.now), by)


async def sign(desk: Desk, digest: bytes, key: str, signature: bytes, caller: Caller) -> Next:
    """A supervisor's signature over the version that is being made; `digest` of its contents says which one they saw. Raises Refused."""
    desk.require("keys.sign", caller)

    async def work(tx: Tx) -> Next:
        chain = await _chain(tx)
        made = await _next(tx, chain)
        if made is None or contents(made.list) != digest:
            raise Refused("no_such_list", "keys")
        if chain is None or key not in chain.newest.named("supervisor"):
            raise Refused("not_a_supervisors_key", "signature", key=key)
        fault = chain.newest.signer_fault(made.list.payload, Signature(key, signature))
        if fault:
            raise Refused(fault, "signature", key=key)
        if made.proposal:
            raise Refused("list_is_voted_on", "keys")
        if all(each.key != key for each in made.list.sigs):
            sigs = tuple(sorted((*made.list.sigs, Signature(key, signature)), key=lambda each: each.key))
            await _keep_next(tx, replace(made.list, sigs=sigs), "", caller.person)
        found = await _next(tx, chain)
        assert found is not None
        return found

    return await desk.store.write(work, caller.request.now)


def contents(made: KeyList) -> bytes:
    """The digest of a version without its signatures: what is signed."""
    return replace(made, sigs=()).digest


# Approving ----------------------------------------------------------------------------------------------------------------------------------


async def ask(desk: Desk, why: str, centre: str, caller: Caller) -> str:
    """A proposal about the version that is being made, once it is signed. `centre`: whose supervisor is asked, for they are a centre's. Raises Refused."""
    desk.require_to_ask(ACTION, caller)
    now = caller.request.now

    async def work(tx: Tx) -> str:
        chain = await _chain(tx)
        found = await _next(tx, chain)
        if found is None:
            raise Refused("no_such_list", "keys")
        if not found.complete:
            raise Refused("no_majority", "keys", got=len(found.list.sigs), of=len(found.list.sigs) + found.missing)
        parse_keys(keys_bytes([*(chain.lists if chain else ()), found.list]))
        await _void(tx, found, caller.person)
        if await tx.one("centre", id=centre) is None:
            raise Refused("no_such_centre", "centre")
        thing = Thing(CentreId(centre), None, found.list.digest)
        made = approvals.propose(ProposalId(tx.new_id()), ACTION, caller.actor, thing, now)
        facts = {"number": found.list.version, "keys": len(found.list.entries)}
        await stored.add(tx, made, f"key_list/keys:{found.list.digest.hex()}", why, facts)
        await _keep_next(tx, found.list, made.id, caller.person)
        return made.id

    return await desk.store.write(work, now)


async def subject_now(tx: Tx) -> bytes:
    """What an approval covers: the version that is being made, as it is now; zeros where there is none."""
    found = await _next(tx, await _chain(tx))
    return found.list.digest if found is not None and found.complete else bytes(32)


async def trust(desk: Desk, subject: bytes) -> None:
    """The keeper trusts the version that was approved. `subject`: the keeper's id of what was approved. Raises Refused.

    If we crash behind this, the keeper trusts a list that is not yet out; the vote is given again, and the keeper says that it was used.
    """
    async with desk.store.reading() as tx:
        file = await _file(tx)
    try:
        await desk.keeper.ask(TrustKeys(subject, file))
    except Refused as refused:
        if refused.code != "approval_used":
            raise


async def publish(tx: Tx, by: str) -> None:
    """The version that the keeper trusts is the one for everybody from now on."""
    file = await _file(tx)
    row = await tx.one("setting", scope="service", name=NEXT)
    assert row is not None
    await tx.delete("setting", row["id"], by, row["version"])
    value = dumps({"file": file.decode()}, text=True).decode()
    there = await tx.one("setting", scope="service", name=drawing.KEYS)
    if there is None:
        await tx.insert("setting", {"scope": "service", "name": drawing.KEYS, "value": value, "changed_at": tx.now}, by)
    else:
        await tx.change("setting", there["id"], {"value": value, "changed_at": tx.now}, by, there["version"])


async def _file(tx: Tx) -> bytes:
    chain = await _chain(tx)
    found = await _next(tx, chain)
    if found is None:
        raise Refused("no_such_list", "keys")
    return keys_bytes([*(chain.lists if chain else ()), found.list])
