"""Who may do what: one table, one `require`.

A permission names the roles, whose things they may touch, how much the login must have shown, whether a passkey must stand behind it, and,
for critical actions, the two roles that must have approved. Pages and operations name a permission each; one that names none, or one that
is not here, stops the start-up. `require` says nothing about a thing that the actor may not see: somebody else's is "not_found".

Later parts of the service add their rows to TABLE below, in a section of their own. A row is data: no function, no exception for anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drawing.errors import Refused
from server.auth.model import (
    ANY_ACCOUNT,
    EVERYBODY,
    EVERYWHERE,
    PASSKEY_ROLES,
    SIGNED_IN,
    STAFF,
    Actor,
    CentreId,
    Grant,
    Level,
    PersonId,
    Role,
    Thing,
    check_exclusive,
)


class Whose(StrEnum):
    """Whose things a permission reaches."""

    OWN = "own"  # the actor's own, whatever the centre
    CENTRE = "centre"  # those of a centre at which the actor holds one of the roles
    ANY = "any"  # all of the installation: the role held at any centre is enough
    PUBLIC = "public"  # nobody need sign in


@dataclass(frozen=True, slots=True)
class Permission:
    """One row. `approvals`: for each approval the roles that may give it; persons and roles differ, and nobody who asked is among them."""

    name: str
    roles: frozenset[Role]
    whose: Whose
    level: Level = Level.FULL
    passkey: bool = False
    approvals: tuple[frozenset[Role], ...] = ()
    by_token: bool = False  # a service token may carry it as a scope
    before_duties: bool = False  # allowed to somebody who must first change the password or enrol a passkey


@dataclass(frozen=True, slots=True)
class Granted:
    """What `approvals.use` gives: this action on this version of this thing was approved by these persons, once."""

    action: str
    subject: bytes
    centre: CentreId
    asked_by: PersonId
    approved_by: tuple[PersonId, ...]
    until: int


def _roles(names: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in names.split())


def _may(
    name: str,
    roles: frozenset[Role] | str,
    whose: Whose,
    level: Level = Level.FULL,
    *approvals: str,
    passkey: bool | None = None,
    by_token: bool = False,
    before_duties: bool = False,
) -> Permission:
    held = _roles(roles) if isinstance(roles, str) else roles
    # security.md 1.4 row 11: a passkey stands behind every critical action, unless its row says why not.
    needs_passkey = bool(approvals) if passkey is None else passkey
    return Permission(name, held, whose, level, needs_passkey, tuple(map(_roles, approvals)), by_token, before_duties)


OWN, CENTRE, ANY, PUBLIC = Whose.OWN, Whose.CENTRE, Whose.ANY, Whose.PUBLIC
NONE, PASSWORD, FULL, STEPPED_UP = Level.NONE, Level.PASSWORD, Level.FULL, Level.STEPPED_UP
ADMINS = "system_admin security_admin audit_admin"

ENTRANCE = (
    _may("public.read", EVERYBODY, PUBLIC, NONE),  # services, flows, norms, how to complain, checkpoint, tiles, verifier
    _may("public.complain", EVERYBODY, PUBLIC, NONE),
    _may("login.begin", EVERYBODY, PUBLIC, NONE),
    _may("login.second_factor", ANY_ACCOUNT, OWN, PASSWORD, before_duties=True),
    _may("login.end", ANY_ACCOUNT, OWN, PASSWORD, before_duties=True),
    _may("ticket.redeem", EVERYBODY, PUBLIC, NONE),  # enrolment, reset, guest: the ticket itself is the right
)
ACCOUNT = (
    _may("account.read", ANY_ACCOUNT, OWN, before_duties=True),
    _may("account.step_up", ANY_ACCOUNT, OWN, before_duties=True),
    _may("account.change_password", ANY_ACCOUNT, OWN, STEPPED_UP, before_duties=True),
    _may("account.enrol_factor", ANY_ACCOUNT, OWN, STEPPED_UP, before_duties=True),
    # A security administrator lets a new passkey count; the passkey of one of them is let in at the key ceremony.
    _may(
        "account.enrol_passkey", ANY_ACCOUNT - {Role.SECURITY_ADMIN}, OWN, STEPPED_UP, "security_admin", passkey=False, before_duties=True
    ),
    # A security administrator's own further passkey: the two others let it in.
    _may(
        "account.enrol_passkey_of_security",
        "security_admin",
        OWN,
        STEPPED_UP,
        "system_admin",
        "audit_admin",
        passkey=False,
        before_duties=True,
    ),
    _may("account.remove_factor", ANY_ACCOUNT, OWN, STEPPED_UP),
    _may("account.recovery_codes", SIGNED_IN - PASSKEY_ROLES, OWN, STEPPED_UP),  # recovery.py refuses whoever holds both kinds of role
    _may("account.logins", ANY_ACCOUNT, OWN, before_duties=True),
    _may("account.revoke_login", ANY_ACCOUNT, OWN, before_duties=True),
    _may("account.language", ANY_ACCOUNT, OWN, before_duties=True),
    _may("account.export_own_data", ANY_ACCOUNT, OWN, STEPPED_UP),  # PIPL 45
)
PEOPLE = (
    _may("people.list", ADMINS, ANY, by_token=True),
    _may("people.read", ADMINS, ANY, by_token=True),
    _may("people.name", "security_admin", ANY),  # shows a sealed name; the keeper asks for the pass and writes it down
    _may("people.invite", "system_admin", ANY, STEPPED_UP, passkey=True),
    _may("people.suspend", "system_admin security_admin", ANY, STEPPED_UP, passkey=True),  # at once, by one: it takes away only
    _may("people.close", "system_admin", ANY, STEPPED_UP, passkey=True),
    _may("people.end_logins", "security_admin", ANY, STEPPED_UP, passkey=True),
    _may("people.revoke_role", "system_admin", ANY, STEPPED_UP, ADMINS, ADMINS),  # the keeper counts roles too; at once is `suspend`
    _may("people.grant_role", "system_admin", ANY, STEPPED_UP, ADMINS, ADMINS),
    _may("people.bind_identity", "system_admin", ANY, STEPPED_UP, ADMINS, ADMINS),  # a subject of the organisation's own sign-in
    _may("people.reset_factor", STAFF, CENTRE, STEPPED_UP, ADMINS, ADMINS, passkey=False),  # whoever works beside the person asks
    _may("people.resume", "system_admin", ANY, STEPPED_UP, ADMINS, ADMINS),
    _may("people.stand_in", "site_host", CENTRE, STEPPED_UP, "supervisor", passkey=False),  # hosts of a site may have no passkey
    _may("centre.read", STAFF, CENTRE),
    _may("centre.change", "system_admin", ANY, STEPPED_UP, passkey=True),
)
APPROVALS = (
    _may("approvals.inbox", STAFF, CENTRE, by_token=True),
    _may("approvals.read", STAFF, CENTRE, by_token=True),
    _may("approvals.vote", PASSKEY_ROLES | _roles("site_host archivist"), CENTRE, STEPPED_UP, passkey=True),
    _may("approvals.withdraw", STAFF, OWN),
)
SERVICE = (
    _may("audit.read", "audit_admin", ANY, by_token=True),
    _may("audit.read_centre", "supervisor", CENTRE, by_token=True),
    _may("audit.export", "audit_admin", ANY, STEPPED_UP, "security_admin", "supervisor"),
    _may("status.read", "system_admin security_admin audit_admin technician", ANY, by_token=True),
    _may("log.verify", STAFF, CENTRE, by_token=True),
    _may("settings.read", ADMINS, ANY),
    _may("settings.change", "system_admin", ANY, STEPPED_UP, "security_admin", "audit_admin supervisor"),
    _may("tokens.list", "system_admin security_admin", ANY),
    _may("tokens.make", "system_admin", ANY, STEPPED_UP, "security_admin", "audit_admin supervisor"),
    _may("tokens.revoke", "system_admin security_admin", ANY, STEPPED_UP, passkey=True),
    _may("webhooks.read", ADMINS, ANY),
    _may("webhooks.make", "system_admin", ANY, STEPPED_UP, "security_admin", "audit_admin supervisor"),
    _may("webhooks.end", "system_admin security_admin", ANY, STEPPED_UP, passkey=True),
    _may("webhooks.send", "system_admin", ANY),  # once more what was sent: nothing new
    _may("keys.make", EVERYBODY, PUBLIC, NONE),  # a page that makes keys in the browser and sends nothing
    _may("keys.enrol", "supervisor contributor", OWN),  # the public part of one's own
    _may("keys.collect", "security_admin", ANY, STEPPED_UP, passkey=True),  # that of a holder without an account; and putting one aside
    _may("keys.overview", "security_admin system_admin audit_admin supervisor", ANY),
    _may("keys.sign", "supervisor", ANY),  # what is signed counts by the key outside that signed it
    _may("keys.list", "security_admin system_admin", ANY, STEPPED_UP, "security_admin", "supervisor"),
    _may("keys.read", "security_admin key_custodian", ANY),
    _may("keys.unseal", "key_custodian", ANY, STEPPED_UP, passkey=True),  # each custodian a share: k of n is its own approval
    _may("keys.rotate", "security_admin", ANY, STEPPED_UP, "key_custodian", "supervisor"),
    _may("backup.make", "system_admin", ANY, STEPPED_UP, passkey=True),
    _may("backup.restore", "system_admin", ANY, STEPPED_UP, "security_admin", "supervisor"),
    # The sealed files of a draw that is over; the keeper counts both.
    _may("retention.destroy", "approver archivist", CENTRE, STEPPED_UP, "archivist", "audit_admin"),
    _may("log.new_epoch", "system_admin", ANY, STEPPED_UP, "security_admin", "audit_admin"),
    _may("witness.read", "security_admin audit_admin supervisor", ANY, by_token=True),
    _may("witness.change", "security_admin", ANY, STEPPED_UP, "audit_admin", "supervisor"),
)
LIBRARY = (
    _may("library.read", "draw_clerk approver supervisor archivist", CENTRE),  # masked
    _may("library.unmask", "draw_clerk supervisor archivist", CENTRE),  # with a reason; the keeper writes who read what
    _may("library.edit", "draw_clerk", CENTRE),  # one person at a time
    _may("library.connect", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),  # whose own record it is: the keeper counts both
    _may("own.read", "expert", OWN),  # and how draws went, once their result notices are out
    _may("own.change", "expert", OWN, STEPPED_UP),
    _may("library.import", "draw_clerk", CENTRE),  # bring a file and mend it; putting it in is pool.edit
)
# security.md 2.7 names these already; the parts that carry them out add what else they need.
DRAWS = (
    _may("pool.edit", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("rules.edit", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("draw.request", "draw_clerk", CENTRE),
    _may("draw.list", "draw_clerk approver supervisor archivist", CENTRE, by_token=True),
    _may("draw.read", "draw_clerk approver supervisor archivist", CENTRE, by_token=True),
    _may("draw.proceed", "draw_clerk approver supervisor", CENTRE),
    _may("draw.sign", "supervisor", CENTRE, by_token=True),  # what is signed counts by the key outside that signed it
    _may("bidders.send", "agency", CENTRE, by_token=True),  # people: of the projects that a clerk gave to them; machines: of their centre
    _may("exchange.send", "agency draw_clerk", CENTRE, by_token=True),  # data sets of a project; a clerk asks for the draw
    _may("draw.contribute", EVERYBODY, PUBLIC, NONE),  # as above: by the contributor's own signature
    _may("draw.reply", EVERYBODY, PUBLIC, NONE),  # the link itself is the right
    _may("draw.unsealing", "draw_clerk approver supervisor archivist site_host", CENTRE),
    _may(
        "draw.names", "draw_clerk approver supervisor archivist site_host", CENTRE, STEPPED_UP
    ),  # the log says who may by then, the keeper who did
    _may("draw.published", "draw_clerk", CENTRE, by_token=True),  # trading systems publish: they say so themselves
    _may("draw.papers", "draw_clerk approver supervisor archivist", CENTRE, STEPPED_UP),
    _may("draw.answer", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),  # of somebody who telephoned; the keeper counts both
    _may("draw.start", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("draw.cancel", "draw_clerk supervisor", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("draw.widen", "draw_clerk", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("draw.release", "draw_clerk supervisor", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("draw.release_early", "draw_clerk supervisor", CENTRE, STEPPED_UP, "approver", "supervisor", "key_custodian"),  # k + 1
    _may("session.roll_back", "site_host", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("retention.change", "archivist", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("hold.lift", "archivist", CENTRE, STEPPED_UP, "approver", "supervisor"),
    _may("complaint.read", "supervisor approver archivist", CENTRE),
    _may(
        "complaint.file", "supervisor", CENTRE, STEPPED_UP, passkey=True
    ),  # it only freezes: one is enough, and the keeper asks for the pass
    _may("supervision.figures", "supervisor", CENTRE),  # the keeper asks for the pass and writes it down
    _may("supervision.desk", "supervisor", CENTRE, by_token=True),
    _may("evidence.export", "archivist supervisor", CENTRE, STEPPED_UP, "approver", "supervisor"),
)


def assemble(*sections: Iterable[Permission]) -> Mapping[str, Permission]:
    """One table of the sections. Raises ValueError for a row that cannot be meant: these are our own mistakes, found at start-up."""
    table: dict[str, Permission] = {}
    for row in (row for section in sections for row in section):
        if row.name in table:
            raise ValueError(f"{row.name} is there twice")
        if not row.roles or any(not one for one in row.approvals):
            raise ValueError(f"{row.name} is for nobody")
        if (row.whose is Whose.PUBLIC) != (row.level is Level.NONE) or (row.whose is Whose.PUBLIC and row.roles != EVERYBODY):
            raise ValueError(f"{row.name} is half public")
        if row.whose in (Whose.CENTRE, Whose.ANY) and Role.VISITOR in row.roles:
            raise ValueError(f"{row.name} lets everybody at everything")
        if row.whose is not Whose.PUBLIC and Role.BIDDER_GUEST in row.roles and row.level is not Level.PASSWORD:
            raise ValueError(f"{row.name} asks more of a guest link than it shows")
        if (row.passkey or row.approvals) and row.level is not Level.STEPPED_UP:
            raise ValueError(f"{row.name} is critical without a step-up")
        if len(row.approvals) == 1 and row.approvals[0] & row.roles:
            raise ValueError(f"{row.name} is asked and approved by one role")
        if row.by_token and (row.level is not Level.FULL or row.whose in (Whose.OWN, Whose.PUBLIC)):
            raise ValueError(f"{row.name} is nothing for a machine")
        table[row.name] = row
    return table


TABLE: Mapping[str, Permission] = assemble(ENTRANCE, ACCOUNT, PEOPLE, APPROVALS, SERVICE, LIBRARY, DRAWS)


def require(permission: str, actor: Actor, thing: Thing, now: int, granted: Granted | None = None) -> None:
    """None where the actor may; otherwise Refused: first what cannot be helped, then what a page can ask for (a factor, an approval).

    `granted`: for permissions with approvals, what `approvals.use` gave. Nothing is remembered: it is asked again for every request.
    """
    row = require_to_ask(permission, actor, thing, now)
    if row.approvals:
        _check_granted(row, thing, now, granted)


def require_to_ask(permission: str, actor: Actor, thing: Thing, now: int) -> Permission:
    """The row, where the actor might do this once it is approved. Raises Refused as `require` does."""
    refused = wanting(permission, actor, thing, now)
    if refused is not None:
        raise refused
    return TABLE[permission]


def wanting(permission: str, actor: Actor, thing: Thing, now: int) -> Refused | None:
    """What `require_to_ask` would raise. Raises Refused itself where somebody holds roles that exclude each other."""
    row = TABLE.get(permission)
    if row is None:
        return Refused("no_such_permission", permission)
    if row.whose is Whose.PUBLIC:
        return None
    if actor.level is Level.NONE:
        return Refused("sign_in", permission)
    if not actor.active:
        return Refused("account_not_active", permission)
    check_exclusive((grant.role for grant in actor.grants), permission)
    if actor.scopes is not None and not (row.by_token and permission in actor.scopes):
        return Refused("token_scope", permission)
    # What cannot be reached does not exist, before anything is said about how to reach it.
    held = [grant for grant in actor.grants if grant.holds(now)]
    if row.whose is Whose.CENTRE:
        held = [grant for grant in held if reaches(grant, thing.centre)]
    if (row.whose is Whose.CENTRE and not held) or (row.whose is Whose.OWN and (actor.person is None or thing.owner != actor.person)):
        return Refused("not_found", permission)
    roles = {grant.role for grant in held if grant.role in row.roles}
    if not roles and Role.VISITOR not in row.roles:
        return Refused("not_your_role", permission)
    if actor.level < row.level:
        return Refused("step_up" if actor.level is Level.FULL else "second_factor_first", permission)
    if actor.duty and not row.before_duties:
        return Refused(actor.duty, permission)
    # A role of PASSKEY_ROLES counts only in a login that showed a passkey; a machine's token shows none.
    if roles and roles <= PASSKEY_ROLES and not actor.passkey and actor.scopes is None and not row.before_duties:
        return Refused("passkey_first", permission)
    if row.passkey and not actor.passkey:
        return Refused("step_up_passkey", permission)
    return None


def reaches(grant: Grant, centre: CentreId | None) -> bool:
    """Whether a role held there counts for a thing of this centre. What belongs to the whole installation is everybody's who has the role."""
    return centre is not None and (centre == EVERYWHERE or grant.centre in (centre, EVERYWHERE))


def _check_granted(row: Permission, thing: Thing, now: int, granted: Granted | None) -> None:
    if granted is None or granted.action != row.name:
        raise Refused("approval_first", row.name)
    # security.md 2.7: approved is one version of one thing; the digest covers its version, so that a change there and back is a change.
    if not thing.digest or granted.subject != thing.digest or granted.centre != (thing.centre or EVERYWHERE):
        raise Refused("approval_void", row.name)
    if now >= granted.until:
        raise Refused("approval_expired", row.name)
    # The same person under two accounts is one person.
    persons = {*granted.approved_by} - {granted.asked_by}
    if len(persons) < len(row.approvals):
        raise Refused("approval_first", row.name)


def check_routes(routes: Mapping[str, str]) -> None:
    """Route name -> permission. Raises ValueError naming every route whose permission is not in the table; called at start-up."""
    missing = sorted(f"{route} ({permission or 'none'})" for route, permission in routes.items() if permission not in TABLE)
    if missing:
        raise ValueError("routes without an entry in the permission table: " + ", ".join(missing))
