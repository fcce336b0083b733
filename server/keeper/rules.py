"""What the keeper itself requires: who approves what, which object opens for whom, which events the operator's key signs. Tables, no state.

A subject is what people approve: an action on an object of a centre, bound to the digest of its contents, until a time. Its digest goes into
the challenge that an authenticator signs. The web process has rules of its own on top; these hold even when it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated

from drawing.canonical import TH, dumps
from drawing.errors import Refused
from drawing.model import choice, digest, many, nested, shape_of, text, time, word

ID = 16  # bytes of a key's id
MAX_ANSWER = 16_384  # bytes of what a browser says of a passkey
STATUSES = ("waiting", "active", "revoked")  # of a passkey

ADMINS = ("system_admin", "security_admin", "audit_admin")
ROLES = (
    *ADMINS,
    "agency",
    "approver",
    "archivist",
    "contributor",
    "draw_clerk",
    "expert",
    "key_custodian",
    "site_host",
    "site_witness",
    "supervisor",
    "technician",
)
PASSKEY_ROLES = (*ADMINS, "approver", "key_custodian", "supervisor")  # a code is not enough for these; auth.model has the same
EVERYWHERE = "all"  # a centre's name in a grant: it holds in every centre
thing = text(120, r"[A-Za-z0-9][A-Za-z0-9._:/-]*")  # kind:centre:id with ids of 32 digits is longer than a word
MAX_APPROVAL_SECONDS = 30 * 86_400

_SECURITY = frozenset({"security_admin"})
_OTHER_ADMIN = frozenset({"system_admin", "audit_admin"})
_DECIDES = frozenset({"approver", "draw_clerk"})
_WATCHES = frozenset({"supervisor"})

# action -> for each approval needed, the roles of which its person holds one; every approval is by another person
APPROVALS: Mapping[str, tuple[frozenset[str], ...]] = {
    "abandon": (_DECIDES, _WATCHES),
    "bind": (_SECURITY, _OTHER_ADMIN),
    "answer": (_DECIDES, _DECIDES | _WATCHES),
    "commit": (_DECIDES, _WATCHES),
    "connect": (frozenset({"approver"}), _WATCHES),
    "enrol": (_SECURITY,),
    "enrol_security": (frozenset({"system_admin"}), frozenset({"audit_admin"})),  # nobody lets in their own
    "export": (frozenset({"approver", "archivist"}), frozenset({"audit_admin", "supervisor"})),
    "grant": (_SECURITY, _OTHER_ADMIN),
    "key_list": (_SECURITY, _WATCHES),
    "library": (frozenset({"approver"}), _WATCHES),
    "lift": (frozenset({"approver"}), _WATCHES),
    "new_epoch": (_SECURITY, frozenset({"audit_admin"})),  # a system administrator asks
    "release": (_WATCHES, frozenset({"approver", "supervisor"})),
    "reset_totp": (_SECURITY, _OTHER_ADMIN),
    "reset_totp_expert": (frozenset({"site_host"}), _WATCHES),
    "resume": (_SECURITY, _OTHER_ADMIN),
    "retention": (frozenset({"approver", "archivist"}), frozenset({"audit_admin", "supervisor"})),
    "revoke": (_SECURITY,),
    "roll_back": (frozenset({"system_admin"}), frozenset({"audit_admin"})),
    "rotate": (_SECURITY, frozenset({"key_custodian", "system_admin"})),
    "stand_in": (_WATCHES,),
    "token": (_SECURITY, frozenset({"audit_admin", "supervisor"})),
    "unseal": (_WATCHES, frozenset({"approver", "supervisor"})),  # and supervisors sign it with keys of their own
    "widen": (_DECIDES, _WATCHES),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: the roles that may open its fields, whether a person may open their own, and the action that must be approved first."""

    roles: frozenset[str]
    own: bool = False
    action: str = ""


OBJECTS: Mapping[str, Kind] = {
    "draw": Kind(frozenset({"approver", "archivist", "draw_clerk", "supervisor"}), action="unseal"),
    "expert": Kind(frozenset({"archivist", "draw_clerk", "supervisor"}), own=True),
    "names": Kind(frozenset({"approver", "archivist", "draw_clerk", "security_admin", "site_host", "supervisor"})),
    "person": Kind(frozenset({"archivist", "draw_clerk", "security_admin", "site_host", "supervisor"}), own=True),
    "project": Kind(frozenset({"draw_clerk"})),  # whom a clerk asks about a project
    "staging": Kind(frozenset({"draw_clerk"})),  # rows of a sheet that are not right yet
    "room": Kind(frozenset({"archivist", "site_host", "supervisor"})),
    "session": Kind(frozenset({"approver", "archivist", "supervisor"}), action="release"),
}

# What the staff's key signs, and the action that must have been approved before; "" where a clerk alone may ask for it.
STAFF_SIGNS: Mapping[str, str] = {
    "opened": "",
    "committed": "commit",
    "extended": "widen",
    "appointed": "widen",
    "closed": "commit",
    "abandoned": "abandon",
    "answers": "answer",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a centre."""

    centre: Annotated[str, word]
    role: Annotated[str, choice(*ROLES)]


@dataclass(frozen=True, slots=True)
class Grants:
    """All roles of one person."""

    grants: Annotated[tuple[Grant, ...], many(nested(Grant), 0, 64)]

    def holds(self, roles: Iterable[str], centre: str) -> bool:
        """Whether one of these roles is held in this centre."""
        wanted = frozenset(roles)
        return any(each.role in wanted and each.centre in (centre, EVERYWHERE) for each in self.grants)

    def somewhere(self, roles: Iterable[str]) -> bool:
        return any(each.role in frozenset(roles) for each in self.grants)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is approved. `digest` is of the contents that the person saw; the keeper computes it anew for what it carries out itself."""

    action: Annotated[str, choice(*APPROVALS)]
    centre: Annotated[str, word]
    digest: Annotated[bytes, digest]
    expires: Annotated[int, time]
    object: Annotated[str, thing]

    @property
    def id(self) -> bytes:
        return TH("lotroom/v1/subject", dumps(shape_of(Subject).write(self)))


def approval_challenge(subject: Subject, person: str, nonce: bytes) -> bytes:
    """What the authenticator signs: anybody with the subject, the person and the nonce computes it again."""
    return TH("lotroom/v1/approval", subject.id, person.encode(), nonce)


def grant_digest(person: str, grants: Grants) -> bytes:
    """What an approval of a grant covers: all roles that the person has from then on."""
    return TH("lotroom/v1/grant", person.encode(), dumps(shape_of(Grants).write(grants)))


def reset_digest(person: str) -> bytes:
    return TH("lotroom/v1/reset-totp", person.encode())


def check_grants(grants: Grants) -> None:
    """Raises Refused where an administrator would hold anything else, or a role is there twice."""
    names = {each.role for each in grants.grants}
    if len(set(grants.grants)) != len(grants.grants):
        raise Refused("role_twice", "grants")
    if names & set(ADMINS) and len(names) > 1:
        raise Refused("roles_exclude_each_other", "grants", roles=", ".join(sorted(names)))


def enough(action: str, centre: str, by: Mapping[str, Grants]) -> bool:
    """Whether these people (id -> their roles) make the approvals that an action needs: different people for each."""
    needed = APPROVALS[action]
    able = {person for person, grants in by.items() if any(grants.holds(roles, centre) for roles in needed)}
    return any(
        all(by[person].holds(roles, centre) for person, roles in zip(chosen, needed, strict=True))
        for chosen in permutations(sorted(able)[:64], len(needed))  # pairs: some thousands at most
    )
