"""What a caller can do about a refusal of this package: each code has one kind. Texts are in `server.refusals`, chosen at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    SIGN_IN = "sign_in"  # nobody is signed in: to the sign-in page, or 401
    SHOW_MORE = "show_more"  # a factor, a passkey, a duty, an approval first; then the same again
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    WAIT = "wait"  # `retry_after` seconds
    STALE = "stale"  # somebody was first, or time went on: look again
    INPUT = "input"  # what was typed
    OUTSIDE = "outside"  # the identity provider
    OURS = "ours"  # our own mistake or settings: nothing that a person at a page did


_BY_KIND = {
    Kind.SIGN_IN: "sign_in sign_in_wrong second_factor_wrong token_not_valid",
    Kind.SHOW_MORE: "second_factor_first step_up step_up_passkey passkey_first change_password enrol_passkey approval_first",
    Kind.FORBIDDEN: "not_your_role account_not_active roles_exclusive token_scope own_approval voted_already recovery_not_for_role "
    "stand_in_for_experts role_not_granted",
    Kind.NOT_FOUND: "not_found ticket_not_valid",
    Kind.WAIT: "busy too_many ticket_too_early",
    Kind.STALE: "approval_void approval_expired approval_used approval_refused approval_complete login_stale login_step account_step "
    "ticket_expired provider_state provider_late",
    Kind.INPUT: "account_name display_name display_characters password_length password_characters password_simple password_classes "
    "password_has_name password_common reason_missing approval_life ticket_life token_life token_name factors_missing",
    Kind.OUTSIDE: "provider_refused provider_silent provider_answer provider_token provider_lacks",
    Kind.OURS: "no_such_permission nothing_counted network_address approval_not_needed approval_of_nothing provider_settings provider_address "
    "provider_role",
}
KINDS: Mapping[str, Kind] = {code: kind for kind, codes in _BY_KIND.items() for code in codes.split()}
