"""Every verb of the keeper in one table: what it takes, what it gives, how often, from whom, and whether it works while sealed.

Parameters and results are frozen values with shapes (`drawing.model`): an unknown, missing or ill-typed field is refused by its name before
anything else happens. Bytes travel as lower-case hex. A process that connects has roles by its user id (`web`, `courier`, `console`); a verb
names those that may call it. `Rate(each, burst)`: `burst` calls at once, then `each` a second, all callers together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from drawing.model import Shape, choice, digest, flag, hexes, many, nested, optional, shape_of, text, time, unicode_text, whole, word
from server.keeper.asking import ALL, CALLERS, WEB, Ask, Done, Rate, Verb
from server.keeper.draw_verbs import DRAW_VERBS
from server.keeper.rules import ID, MAX_ANSWER, ROLES, STATUSES, Grants, Subject, thing

__all__ = ["CALLERS", "Ask", "Done", "Rate", "Verb"]  # names that others import from here
MOST_FIELDS = 200
MOST_VALUE = 8_192  # bytes of one sealed value

_index = choice("none", "equal", "name")
_value: Shape[bytes] = hexes(0, *range(MOST_VALUE + 1))
_row_ids = many(word, 0, 1000)
_token = text(400)
_answer = unicode_text(MAX_ANSWER)
_plain = Shape(lambda value, place: unicode_text(4096).read(value, place) if value != "" else "", lambda value: value)


# The service's state --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskStatus(Ask["Status"]):
    pass


@dataclass(frozen=True, slots=True)
class Status:
    custodians: Annotated[tuple[str, ...], many(unicode_text(64), 0, 16)]
    demo: Annotated[bool, flag]
    given: Annotated[tuple[str, ...], many(unicode_text(64), 0, 16)]
    needed: Annotated[int, whole(1, 16)]
    sealed: Annotated[bool, flag]
    shielded: Annotated[bool, flag]
    waiting: Annotated[int, whole(0, 1 << 20)]


@dataclass(frozen=True, slots=True)
class UnsealShare(Ask["Status"]):
    custodian: Annotated[str, unicode_text(64)]
    words: Annotated[str, unicode_text(1024)] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seal(Ask["Status"]):
    pass


@dataclass(frozen=True, slots=True)
class Bootstrap(Ask["BootstrapGrant"]):
    """The one-time secret that the console showed."""

    secret: Annotated[str, text(64, r"[0-9a-f]+")] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BootstrapGrant:
    grant: Annotated[bytes, hexes(ID)] = field(repr=False)
    missing: Annotated[tuple[str, ...], many(choice(*ROLES), 0, 3)]
    until: Annotated[int, time]


@dataclass(frozen=True, slots=True)
class RenewBootstrap(Ask["ConsoleSecret"]):
    """A fresh one-time secret, as long as no administrator is enrolled; the one before is worth nothing from then on."""


@dataclass(frozen=True, slots=True)
class ConsoleSecret:
    """To be shown once on the console."""

    secret: Annotated[str, text(64, r"[0-9a-f]+")] = field(repr=False)
    until: Annotated[int, time]


# Fields ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class At:
    """A field: table, row, column."""

    column: Annotated[str, word]
    row: Annotated[str, word]
    table: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class Field:
    """A value to seal. `index`: `equal` makes it findable by its whole, `name` by parts and pinyin."""

    column: Annotated[str, word]
    index: Annotated[str, _index]
    row: Annotated[str, word]
    table: Annotated[str, word]
    value: Annotated[bytes, _value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealFields(Ask[Done]):
    """`object` is `kind:centre:id`. When it is new: until `not_before` it opens for nobody, and then after `least` approvals at least."""

    fields: Annotated[tuple[Field, ...], many(nested(Field), 1, MOST_FIELDS)]
    least: Annotated[int, whole(0, 16)]
    not_before: Annotated[int, time]
    object: Annotated[str, thing]


@dataclass(frozen=True, slots=True)
class OpenFields(Ask["Opened"]):
    """`approved`: the subject of the approval that opens objects of this kind; left out where none is needed."""

    approved: Annotated[bytes | None, optional(digest)]
    fields: Annotated[tuple[At, ...], many(nested(At), 1, MOST_FIELDS)]
    login: Annotated[bytes, digest]
    reason: Annotated[str, unicode_text(400)]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Value:
    found: Annotated[bool, flag]
    value: Annotated[bytes, _value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    values: Annotated[tuple[Value, ...], many(nested(Value), 1, MOST_FIELDS)]


@dataclass(frozen=True, slots=True)
class SearchNames(Ask["Found"]):
    centre: Annotated[str, word]
    column: Annotated[str, word]
    limit: Annotated[int, whole(1, 1000)]
    login: Annotated[bytes, digest]
    query: Annotated[str, unicode_text(64)] = field(repr=False)
    table: Annotated[str, word]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlindIndex(Ask["Found"]):
    """Which rows of a column have this very value."""

    column: Annotated[str, word]
    table: Annotated[str, word]
    value: Annotated[bytes, _value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    rows: Annotated[tuple[str, ...], _row_ids]


# The expert library -----------------------------------------------------------------------------------------------------------------------

MOST_EXPERTS = 200  # of one call: the child seals them in a tenth of a second
_id = text(32, r"[0-9a-f]{32}")
_short = hexes(ID)
_day = text(10, r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
STATES = ("active", "inactive", "leave", "suspended")


@dataclass(frozen=True, slots=True)
class StageExperts(Ask["Staged"]):
    """Checked records of an import, kept sealed until they are put in or forgotten. `data`: base64 of deflated lines, one record each."""

    batch: Annotated[int, whole(0, 1 << 20)]
    centre: Annotated[str, word]
    data: Annotated[str, text(60_000)] = field(repr=False)
    staging: Annotated[str, _id]


@dataclass(frozen=True, slots=True)
class ExpertIndex:
    """Keyed and blind: equal numbers, phones, employers and whole records of one centre have equal bytes, and say nothing else."""

    number: Annotated[bytes, _short]
    phone: Annotated[bytes, _short]
    record: Annotated[bytes, _short]
    status: Annotated[str, choice("active", "inactive")]
    unit: Annotated[bytes, _short]


@dataclass(frozen=True, slots=True)
class Staged:
    rows: Annotated[tuple[ExpertIndex, ...], many(nested(ExpertIndex), 1, MOST_EXPERTS)]


@dataclass(frozen=True, slots=True)
class KeepExperts(Ask[Done]):
    """Puts a staged batch into the library: for each record the expert's id, "" to leave it out. The same again is the same.

    `more`: the library is not whole until this staging is forgotten, and no draw reads it before.
    """

    batch: Annotated[int, whole(0, 1 << 20)]
    centre: Annotated[str, word]
    more: Annotated[bool, flag]
    rows: Annotated[tuple[str, ...], many(text(32, r"(?:[0-9a-f]{32})?"), 1, MOST_EXPERTS)]
    staging: Annotated[str, _id]


@dataclass(frozen=True, slots=True)
class RetireExperts(Ask[Done]):
    """These are in the library and not drawn any more. `staging`: the import that they leave by, which goes on; "" where none does."""

    centre: Annotated[str, word]
    rows: Annotated[tuple[str, ...], many(_id, 1, MOST_EXPERTS)]
    staging: Annotated[str, text(32, r"(?:[0-9a-f]{32})?")]


@dataclass(frozen=True, slots=True)
class ConnectExpert(Ask[Done]):
    """A record of the library becomes a person's own. `approved`: the subject of `connect`, object `own:EXPERT:PERSON`."""

    approved: Annotated[bytes, digest]
    centre: Annotated[str, word]
    expert: Annotated[str, word]
    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class ForgetStaging(Ask[Done]):
    """Nobody opens what was staged any more."""

    centre: Annotated[str, word]
    staging: Annotated[str, _id]


@dataclass(frozen=True, slots=True)
class ReadCards(Ask["Cards"]):
    """What lists show of experts, masked; `today` says who is on leave."""

    centre: Annotated[str, word]
    login: Annotated[bytes, digest]
    rows: Annotated[tuple[str, ...], many(_id, 1, MOST_EXPERTS)]
    today: Annotated[str, _day]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Card:
    area: Annotated[str, text(6)]
    level: Annotated[str, text(12)]
    name: Annotated[str, unicode_text(64)] = field(repr=False)
    number: Annotated[str, unicode_text(64)] = field(repr=False)
    phone: Annotated[str, unicode_text(64)] = field(repr=False)
    professions: Annotated[tuple[str, ...], many(word, 0, 100)]
    row: Annotated[str, _id]
    state: Annotated[str, choice(*STATES)]
    title: Annotated[str, _plain]


@dataclass(frozen=True, slots=True)
class Cards:
    """In the order asked; who is not there is left out."""

    cards: Annotated[tuple[Card, ...], many(nested(Card), 0, MOST_EXPERTS)]


@dataclass(frozen=True, slots=True)
class FindExperts(Ask["FoundExperts"]):
    """Who fits all that is given: a part of the name, its pinyin or initials; a branch of professions, of regions; a state on a day."""

    area: Annotated[str, text(6, r"[0-9]*")]
    centre: Annotated[str, word]
    limit: Annotated[int, whole(1, 1000)]
    login: Annotated[bytes, digest]
    profession: Annotated[str, text(7, r"[A-C0-9]*")]
    query: Annotated[str, _plain] = field(repr=False)
    state: Annotated[str, choice("", *STATES)]
    today: Annotated[str, _day]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundExperts:
    """The first ids, and how many fit in all."""

    rows: Annotated[tuple[str, ...], _row_ids]
    total: Annotated[int, whole(0, 1 << 20)]


# People ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnrolTotp(Ask["TotpSecret"]):
    """`token` and `login` prove the person where they hold a role or a passkey already; "" and zeros else."""

    login: Annotated[bytes, digest]
    person: Annotated[str, word]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TotpSecret:
    """Base32, to be shown once."""

    secret: Annotated[str, text(64, r"[A-Z2-7]+")] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckTotp(Ask["Passed"]):
    code: Annotated[str, _plain] = field(repr=False)
    login: Annotated[bytes, digest]
    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class Passed:
    """`token` is the pass for `open_fields` and `search_names`; "" where this person's roles ask for a passkey."""

    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndPasses(Ask[Done]):
    """Signed out everywhere: passes given up to now are worth nothing."""

    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class EnrolPasskeyOptions(Ask["Challenge"]):
    """`bootstrap` with its role enrols an administrator at once; left out, the passkey waits for approval."""

    bootstrap: Annotated[bytes | None, optional(hexes(ID))] = field(repr=False)
    label: Annotated[str, unicode_text(64)]
    person: Annotated[str, word]
    role: Annotated[str | None, optional(choice(*ROLES))]


@dataclass(frozen=True, slots=True)
class Challenge:
    """`options` is JSON for the browser's `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."""

    challenge: Annotated[bytes, digest]
    options: Annotated[str, unicode_text(60_000)]


@dataclass(frozen=True, slots=True)
class EnrolPasskey(Ask["Enrolled"]):
    answer: Annotated[str, _answer]
    challenge: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`credential` is the object and `digest` the digest of the subject that approves it."""

    credential: Annotated[str, word]
    digest: Annotated[bytes, digest]
    status: Annotated[str, choice(*STATUSES)]


@dataclass(frozen=True, slots=True)
class RevokePasskey(Ask[Done]):
    """A passkey of whoever the pass is of; `credential` is the name that `enrol_passkey` gave it."""

    credential: Annotated[str, text(64, r"[0-9a-f]{64}")]
    login: Annotated[bytes, digest]
    token: Annotated[str, _token] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoginChallenge(Ask[Challenge]):
    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class CheckPasskey(Ask[Passed]):
    answer: Annotated[str, _answer]
    challenge: Annotated[bytes, digest]
    login: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class PersonStatus(Ask["PersonKeys"]):
    person: Annotated[str, word]


@dataclass(frozen=True, slots=True)
class KeyOf:
    at: Annotated[int, time]
    credential: Annotated[str, word]
    digest: Annotated[bytes, digest]
    status: Annotated[str, choice(*STATUSES)]


@dataclass(frozen=True, slots=True)
class PersonKeys:
    grants: Annotated[Grants, nested(Grants)]
    passkeys: Annotated[tuple[KeyOf, ...], many(nested(KeyOf), 0, 64)]
    totp: Annotated[bool, flag]


# Approvals ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApprovalChallenge(Ask[Challenge]):
    """`grants`: the roles that a subject of `grant` gives; left out for all other actions."""

    grants: Annotated[Grants | None, optional(nested(Grants))]
    person: Annotated[str, word]
    subject: Annotated[Subject, nested(Subject)]


@dataclass(frozen=True, slots=True)
class Approve(Ask["Approvals"]):
    answer: Annotated[str, _answer]
    challenge: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class ApprovalsOf(Ask["Approvals"]):
    subject: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class Approvals:
    by: Annotated[tuple[str, ...], many(word, 0, 200)]
    enough: Annotated[bool, flag]
    subject: Annotated[bytes, digest]
    used: Annotated[bool, flag]


# Signatures and keys --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignCheckpoint(Ask["Signed"]):
    """The size and root that the caller computed; the keeper computes the root itself."""

    root: Annotated[bytes, digest]
    size: Annotated[int, whole(0, (1 << 53) - 1)]


@dataclass(frozen=True, slots=True)
class Signed:
    note: Annotated[str, unicode_text(4096)]


@dataclass(frozen=True, slots=True)
class Rotate(Ask["KeyStatus"]):
    """Begins a rotation that was approved (`rotate`, object `root`)."""

    approved: Annotated[bytes, digest]


@dataclass(frozen=True, slots=True)
class AskKeyStatus(Ask["KeyStatus"]):
    pass


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """`rotated` rows of the rotation that runs; `stage` is "" when none does."""

    generations: Annotated[tuple[int, ...], many(whole(1, (1 << 31) - 1), 1, 2)]
    log: Annotated[str, text(400)]
    operator: Annotated[str, text(400)]
    rotated: Annotated[int, whole(0, (1 << 53) - 1)]
    size: Annotated[int, whole(0, (1 << 53) - 1)]
    staff: Annotated[str, text(400)]
    stage: Annotated[str, text(16)]
    suite: Annotated[int, whole(1, 255)]


# The table ------------------------------------------------------------------------------------------------------------------------------


_CONSOLE = frozenset({"console", "web"})  # a page of the site may do what the console does; neither is believed

VERBS: Mapping[str, Verb] = {
    **DRAW_VERBS,
    "status": Verb(AskStatus, Status, Rate(50, 200), ALL, sealed=True),
    "unseal_share": Verb(UnsealShare, Status, Rate(1, 20), _CONSOLE, sealed=True),
    "seal": Verb(Seal, Status, Rate(0.2, 5), _CONSOLE, sealed=True),
    "bootstrap": Verb(Bootstrap, BootstrapGrant, Rate(0.1, 5), _CONSOLE),
    "renew_bootstrap": Verb(RenewBootstrap, ConsoleSecret, Rate(0.05, 3), frozenset({"console"})),
    "seal_fields": Verb(SealFields, Done, Rate(200, 2_000), WEB),
    "open_fields": Verb(OpenFields, Opened, Rate(50, 200), ALL),
    "search_names": Verb(SearchNames, Found, Rate(5, 20), WEB),
    "blind_index": Verb(BlindIndex, Found, Rate(20, 100), WEB),
    "stage_experts": Verb(StageExperts, Staged, Rate(50, 1_000), WEB),
    "keep_experts": Verb(KeepExperts, Done, Rate(50, 1_000), WEB),
    "connect_expert": Verb(ConnectExpert, Done, Rate(5, 200), WEB),
    "retire_experts": Verb(RetireExperts, Done, Rate(50, 1_000), WEB),
    "forget_staging": Verb(ForgetStaging, Done, Rate(5, 50), WEB),
    "read_cards": Verb(ReadCards, Cards, Rate(50, 200), WEB),
    "find_experts": Verb(FindExperts, FoundExperts, Rate(5, 20), WEB),
    "enrol_totp": Verb(EnrolTotp, TotpSecret, Rate(20, 100), WEB),
    "check_totp": Verb(CheckTotp, Passed, Rate(50, 200), WEB),
    "end_passes": Verb(EndPasses, Done, Rate(50, 200), WEB),
    "enrol_passkey_options": Verb(EnrolPasskeyOptions, Challenge, Rate(20, 100), WEB),
    "enrol_passkey": Verb(EnrolPasskey, Enrolled, Rate(20, 100), WEB),
    "login_challenge": Verb(LoginChallenge, Challenge, Rate(50, 200), WEB),
    "check_passkey": Verb(CheckPasskey, Passed, Rate(50, 200), WEB),
    "revoke_passkey": Verb(RevokePasskey, Done, Rate(5, 20), WEB),
    "person_status": Verb(PersonStatus, PersonKeys, Rate(50, 200), WEB),
    "approval_challenge": Verb(ApprovalChallenge, Challenge, Rate(20, 100), WEB),
    "approve": Verb(Approve, Approvals, Rate(20, 100), WEB),
    "approvals_of": Verb(ApprovalsOf, Approvals, Rate(100, 400), WEB),
    "sign_checkpoint": Verb(SignCheckpoint, Signed, Rate(10, 50), frozenset({"courier", "web"})),
    "rotate": Verb(Rotate, KeyStatus, Rate(0.1, 3), _CONSOLE),
    "key_status": Verb(AskKeyStatus, KeyStatus, Rate(20, 100), ALL),
}
VERB_OF: Mapping[type[Any], str] = {verb.params: each for each, verb in VERBS.items()}


def params_of(ask: Ask[Any]) -> dict[str, Any]:
    """A verb's parameters as the wire has them."""
    value: dict[str, Any] = shape_of(type(ask)).write(ask)
    return value
