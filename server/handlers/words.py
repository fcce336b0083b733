"""Roles, actions and refusals in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping

from server.auth.model import ADMINISTRATORS, NEVER_GRANTED, Role
from server.handlers.ask import Ask
from server.handlers.i18n import N_
from server.handlers.views import RoleChoice
from server.refusals import text_of

ROLES: Mapping[Role, tuple[str, str]] = {
    Role.DRAW_CLERK: (N_("Draw clerk"), N_("Opens and runs draws; never approves them.")),
    Role.APPROVER: (N_("Approver"), N_("Approves what clerks propose.")),
    Role.AGENCY: (N_("Agency"), N_("Hands in the papers of its own projects.")),
    Role.SUPERVISOR: (N_("Supervisor"), N_("Reads everything of the project, contributes to chance, may stop.")),
    Role.CONTRIBUTOR: (N_("Contributor"), N_("Contributes to chance.")),
    Role.EXPERT: (N_("Expert"), N_("Answers invitations and evaluates.")),
    Role.SITE_HOST: (N_("Site host"), N_("Receives experts at a site and opens its rooms.")),
    Role.TECHNICIAN: (N_("Technician"), N_("Looks after the machines; sees no names.")),
    Role.ARCHIVIST: (N_("Archivist"), N_("Keeps and hands out files.")),
    Role.KEY_CUSTODIAN: (N_("Key custodian"), N_("Holds a share of the key that opens the service.")),
    Role.WITNESS_ON_SITE: (N_("Witness on site"), N_("Watches an evaluation on the spot.")),
    Role.SYSTEM_ADMIN: (N_("System administrator"), N_("Runs the service and invites people.")),
    Role.SECURITY_ADMIN: (N_("Security administrator"), N_("People and roles.")),
    Role.AUDIT_ADMIN: (N_("Audit administrator"), N_("Reads the log.")),
}
ALONE = N_("Cannot be held with any other role.")


def role_label(ask: Ask, role: Role) -> str:
    """A role's name."""
    return ask.language.say(ROLES[role][0]) if role in ROLES else role.value


def role_choices(ask: Ask) -> tuple[RoleChoice, ...]:
    """Every role that people may hold."""
    say = ask.language.say
    return tuple(
        RoleChoice(role.value, say(name), say(says), say(ALONE) if role in ADMINISTRATORS else "")
        for role, (name, says) in ROLES.items()
        if role not in NEVER_GRANTED
    )


def refusal(ask: Ask, code: str, **params: object) -> str:
    """Why something may not be done."""
    return text_of(code, {"place": "", **params}, "zh" if ask.language.name == "zh_CN" else "en")
