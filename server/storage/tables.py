"""All tables, for both engines. What kind a table is decides who may change it, and how.

    log         append-only: triggers refuse UPDATE and DELETE on both engines
    head        one row that only grows with the log
    state       plain rows with `salt` and `version`; each change is one leaf (Tx.insert, change, delete)
    projection  what follows from the log alone; `lotroom check` rebuilds it
    transient   may be lost or expire without a trace in the log: logins, counters, jobs
    keeper      the keeper's own, sealed or wrapped; not in the log

Ids are 32 hex digits (128 random bits), times are whole Unix seconds, digests are bytes. There are no booleans and no JSON types: one
value has one form on both engines, so that a row has one digest. A column added later to a state table is nullable, for a missing value
is not part of the digest.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

ADMINISTRATORS = ("system_admin", "security_admin", "audit_admin")
_ADMINS = ", ".join(f"'{each}'" for each in ADMINISTRATORS)


class Kind(StrEnum):
    LOG = "log"
    HEAD = "head"
    STATE = "state"
    PROJECTION = "projection"
    TRANSIENT = "transient"
    KEEPER = "keeper"


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
KINDS: dict[str, tuple[Kind, str]] = {}
WHOLE = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str, *rest: SchemaItem, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, Text, *rest, nullable=null, primary_key=key)


def _whole(name: str, *rest: SchemaItem, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, WHOLE, *rest, nullable=null, primary_key=key, autoincrement=False)


def _bytes(name: str, *rest: SchemaItem, null: bool = False, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, *rest, nullable=null, primary_key=key)


def _to(name: str, table: str, *, null: bool = False) -> Column[str]:
    """A reference to another row's id."""
    return Column(name, Text, ForeignKey(f"{table}.id"), nullable=null, index=True)


def _table(name: str, kind: Kind, *items: SchemaItem, owner: str = "web") -> Table:
    KINDS[name] = (kind, owner)
    return Table(name, metadata, *items, sqlite_strict=True)


def _state(name: str, *items: SchemaItem, owner: str = "web") -> Table:
    head = (_text("id", key=True), _whole("version"), _bytes("salt"))
    return _table(name, Kind.STATE, *head, *items, owner=owner)


# The log ------------------------------------------------------------------------------------------------------------------------------------

log_leaf = _table("log_leaf", Kind.LOG, _whole("leaf_index", key=True), _bytes("leaf"), _bytes("leaf_hash"))
# Hashes of whole subtrees of 256^level leaves: what tiles of level 1 and above hold.
log_node = _table("log_node", Kind.LOG, _whole("level", key=True), _whole("position", key=True), _bytes("node_hash"))
event = _table(
    "event",
    Kind.LOG,
    _text("stream", key=True),
    _whole("seq", key=True),
    _whole("leaf_index", ForeignKey("log_leaf.leaf_index")),
    UniqueConstraint("leaf_index"),
)
# `number` counts from 0 without a gap, so that a row that is gone is missed.
checkpoint = _table(
    "checkpoint",
    Kind.LOG,
    _text("origin", key=True),
    _whole("size", key=True),
    _whole("number"),
    _bytes("root"),
    _bytes("note"),
    UniqueConstraint("number"),
    owner="keeper",
)
witness_note = _table(
    "witness_note",
    Kind.LOG,
    _text("origin", key=True),
    _whole("size", key=True),
    _text("witness", key=True),
    _whole("number"),
    _bytes("line"),  # one signature line of the note; it says when
    UniqueConstraint("number"),
    ForeignKeyConstraint(["origin", "size"], ["checkpoint.origin", "checkpoint.size"]),
)
# `frontier` is the compact range: the roots of the perfect subtrees that `size` leaves fall into, largest first, 32 bytes each.
log_head = _table(
    "log_head",
    Kind.HEAD,
    _whole("id", key=True),
    _whole("size"),
    _bytes("frontier"),
    _text("origin"),
    _whole("checkpoints"),  # how many there are; of witness_note too
    _whole("cosignatures"),
    _text("frozen", null=True),  # canonical JSON (storage.frozen): a witness has seen more, and nothing more is appended
    CheckConstraint("id = 1", "one_row"),
)
map_head = _table("map_head", Kind.PROJECTION, _bytes("project", key=True), _whole("attempts"), _bytes("head"), _whole("leaf_index"))

# Who and where ------------------------------------------------------------------------------------------------------------------------------

centre = _state("centre", _text("code"), _text("name"), _whole("created_at"), _whole("closed_at", null=True), UniqueConstraint("code"))
# `administers` says which of the three administrators a person may be, '' for everybody else. With the foreign key and the check of
# role_grant it makes the three mutually exclusive, and exclusive with every other role, in the database itself.
person = _state(
    "person",
    _to("centre", "centre", null=True),
    _text("kind"),  # staff, expert, agency, supervisor, bidder, witness, ...: what the person is, not what they may do
    _text("administers"),
    _text("label", null=True),  # what lists show: a number or a pseudonym, never a name
    _text("language", null=True),
    _bytes("name_index", null=True),  # keyed blind indexes: equal values have equal bytes, and say nothing without the key
    _bytes("number_index", null=True),
    _bytes("phone_index", null=True),
    _whole("created_at"),
    _whole("disabled_at", null=True),
    _text("disabled_why", null=True),
    UniqueConstraint("id", "administers"),
    CheckConstraint(f"administers IN ('', {_ADMINS})", "administers"),
    Index(None, "number_index"),
    Index(None, "phone_index"),
    Index(None, "name_index"),
)
# A person is a human being, an account is a way in; what counts people counts persons.
account = _state(
    "account",
    _to("person", "person"),
    _text("kind"),
    _text("name"),  # what is typed at sign-in, in its one normal form; not a personal name
    _text("password", null=True),  # argon2id, encoded
    _whole("password_at", null=True),
    _whole("generation"),  # raised to end all logins at once
    _whole("created_at"),
    _whole("disabled_at", null=True),
    _text("data", null=True),  # canonical JSON
    UniqueConstraint("name"),
)
role_grant = _state(
    "role_grant",
    _text("person"),
    _text("administers"),
    _text("role"),
    _text("centre"),  # an id, or * for what an installation has once
    _to("approval", "approval", null=True),
    _text("granted_by"),
    _whole("granted_at"),
    _whole("since"),
    _whole("until"),  # 0: no end
    UniqueConstraint("person", "role", "centre"),
    ForeignKeyConstraint(["person", "administers"], ["person.id", "person.administers"]),
    CheckConstraint(
        f"(administers = role AND role IN ({_ADMINS})) OR (administers = '' AND role NOT IN ({_ADMINS}))", "administrators_apart"
    ),
)
Index(
    "uq_role_grant_one_administrator",
    role_grant.c.person,
    unique=True,
    sqlite_where=text("administers <> ''"),  # and in PostgreSQL by its migration: naming it here loads its dialect in every process
)
project = _state(
    "project",
    _to("centre", "centre"),
    _bytes("tag"),
    _text("kind", null=True),
    _text("title", null=True),
    _to("created_by", "person", null=True),
    _whole("created_at"),
    _whole("closed_at", null=True),
    _text("name", null=True),  # of its newest version; with the two below, of a project that was registered and not only drawn for
    _whole("newest", null=True),
    _whole("received_at", null=True),
    UniqueConstraint("tag"),
)
# What a project says of itself, version by version, as it came or was typed in. `content`: its data sets as canonical JSON, without the responsible
# person and their address, which the keeper has where `contact` is 1. No bidder is in it: they come sealed.
project_version = _state(
    "project_version",
    _to("project", "project"),
    _whole("number"),
    _text("source"),  # api, form
    _text("content"),
    _whole("contact"),
    _to("created_by", "person", null=True),  # none: a service token
    _whole("received_at"),
    UniqueConstraint("project", "number"),
)
site = _state(
    "site", _to("centre", "centre"), _text("name"), _text("address", null=True), _whole("created_at"), _whole("closed_at", null=True)
)
room = _state("room", _to("site", "site"), _text("name"), _whole("seats"), _whole("created_at"), _whole("closed_at", null=True))
# `scope` is a centre's id or 'service'; `value` is canonical JSON.
setting = _state("setting", _text("scope"), _text("name"), _text("value"), _whole("changed_at"), UniqueConstraint("scope", "name"))
# What a stolen database shows of an expert: that there is one. Profession and region are sealed too, for together they name people; the indexes
# are keyed, of one centre, made by the keeper. `status`: active, inactive (by the record), left (in no file any more).
expert = _state(
    "expert",
    _to("centre", "centre"),
    _to("person", "person", null=True),
    _bytes("number_index"),
    _bytes("phone_index", null=True),
    _bytes("unit_index", null=True),
    _bytes("record_digest"),  # the keyed index of the whole record
    _text("status"),
    _text("import_id", null=True),
    _whole("added_at"),
    _whole("removed_at", null=True),
    UniqueConstraint("centre", "number_index"),
    Index(None, "centre", "added_at"),
    Index(None, "phone_index"),
)
# A sheet on its way into the library: staging -> ready -> (waiting ->) applying -> done, or dropped.
library_import = _state(
    "library_import",
    _to("centre", "centre"),
    _to("person", "person", null=True),  # who brought it; none where a command did
    _text("state"),
    _text("mode"),  # whole: who is not in the file leaves; part: nobody does
    _bytes("digest", null=True),  # of the file; once proposed, of exactly what is proposed
    _whole("rows"),
    _whole("bad"),
    _whole("joins"),
    _whole("changes"),
    _whole("moves"),  # changes of employer, among the changes
    _whole("leaves"),
    _whole("created_at"),
    _whole("finished_at", null=True),
    Index(None, "centre", "created_at"),
)

# A draw's request and names are the keeper's; here is what lists show. Its state is the replay of its project's events.
draw = _state(
    "draw",
    _to("centre", "centre"),
    _to("project", "project"),
    _text("section"),
    _text("regime"),
    _whole("dry_run"),
    _bytes("request_digest"),
    _whole("evaluation_at"),
    _to("created_by", "person", null=True),
    _whole("created_at"),
    _text("result_notice", null=True),  # its number or address, once it is out
    _whole("published_at", null=True),
    _to("destruction", "approval", null=True),  # of its sealed files, which the keeper destroyed; what the log says of it is its leaf
    _whole("destroyed_at", null=True),
    _whole("destroyed_leaf", null=True),
)
# Accounts of agencies that hand in bidder lists of a project.
project_agency = _state(
    "project_agency", _to("project", "project"), _to("person", "person"), _whole("created_at"), UniqueConstraint("project", "person")
)
# That a sealed bidder list came: which one of the draw, from whom, when, and the salted digest that says nothing of it. The keeper has the list.
bidder_list = _state(
    "bidder_list",
    _to("draw", "draw"),
    _whole("number"),
    _text("sender"),
    _bytes("digest"),
    _whole("received_at"),
    UniqueConstraint("draw", "number"),
)

# A complaint on a draw: its words here, their salted digest in the log (leaf `leaf_index`) and with the keeper, which holds the draw's files for it.
complaint = _state(
    "complaint",
    _to("centre", "centre"),
    _to("draw", "draw"),
    _to("filed_by", "person"),
    _text("reason"),
    _bytes("paper_salt"),
    _bytes("digest"),
    _whole("leaf_index"),
    _whole("filed_at"),
    _whole("decide_by", null=True),  # none where the holidays until then are not announced yet
    _to("lift", "approval", null=True),
    _whole("lifted_at", null=True),
)

# Approvals, credentials, tokens ---------------------------------------------------------------------------------------------------------------

approval = _state(
    "approval",
    _to("centre", "centre", null=True),  # null: of the whole installation
    _text("action"),
    _text("subject"),  # what it is about: table/id, draw/tag
    _bytes("digest"),  # of exactly what is approved
    _text("terms", null=True),  # canonical JSON that the page shows and the digest covers
    _text("needs"),  # canonical JSON: which roles, how many different persons
    _text("state"),
    _to("asked_by", "person", null=True),
    _text("why", null=True),
    _whole("asked_at"),
    _whole("expires_at"),
    _whole("decided_at", null=True),
    _whole("used_at", null=True),
    Index(None, "state", "expires_at"),
    Index(None, "subject"),
)
approval_vote = _state(
    "approval_vote",
    _to("approval", "approval"),
    _to("person", "person"),
    _text("account", null=True),
    _text("role"),
    _text("word"),
    _bytes("credential", null=True),
    _bytes("assertion", null=True),  # digest of the WebAuthn answer, which the keeper verified
    _text("reason", null=True),
    _whole("at"),
    UniqueConstraint("approval", "person"),
)
service_token = _state(
    "service_token",
    _to("centre", "centre", null=True),  # null: the whole installation
    _text("name"),
    _text("shown"),  # the first letters, by which its owner knows it again
    _bytes("token_hash"),
    _text("role"),
    _text("scopes"),
    _to("created_by", "person"),
    _to("approval", "approval", null=True),  # null: it waits and opens nothing
    _whole("created_at"),
    _whole("expires_at"),
    _whole("revoked_at", null=True),
    UniqueConstraint("token_hash"),
)
# An endpoint of another system that is told what happens in draws. `sealed`: its secret, for the courier's key alone.
webhook = _state(
    "webhook",
    _to("centre", "centre"),
    _text("name"),
    _text("address"),
    _bytes("sealed"),
    _to("created_by", "person"),
    _to("approval", "approval", null=True),  # null: it waits and is told nothing
    _whole("created_at"),
    _whole("ended_at", null=True),
)
passkey = _state(
    "passkey",
    _to("account", "account"),
    _to("person", "person", null=True),
    _bytes("credential"),
    _bytes("public_key"),
    _text("name", null=True),
    _text("aaguid", null=True),
    _text("transports", null=True),
    _to("approval", "approval", null=True),
    _whole("created_at"),
    _whole("revoked_at", null=True),
    UniqueConstraint("credential"),
)
totp = _state(
    "totp", _to("account", "account"), _to("person", "person", null=True), _whole("created_at"), _whole("revoked_at", null=True)
)  # the secret is the keeper's
recovery_code = _state(
    "recovery_code",
    _to("account", "account"),
    _to("person", "person", null=True),
    _bytes("code_hash"),
    _whole("created_at"),
    _whole("used_at", null=True),
)
identity = _state(
    "identity", _to("person", "person"), _text("issuer"), _text("subject"), _whole("created_at"), UniqueConstraint("issuer", "subject")
)
custodian = _state(
    "custodian",
    _to("person", "person", null=True),
    _whole("share"),
    _bytes("fingerprint"),
    _text("body", null=True),
    _whole("given_at"),
    _whole("ended_at", null=True),
)
# The public part of a key of somebody outside (server/keyfiles.py), as it was handed in; the key list says whether it counts.
holder_key = _state(
    "holder_key",
    _text("name"),
    _text("role"),
    _text("file"),
    _to("person", "person", null=True),
    _whole("created_at"),
    _whole("dropped_at", null=True),
    UniqueConstraint("name"),
)
witness = _state("witness", _text("name"), _text("vkey"), _text("address", null=True), _whole("added_at"), _whole("removed_at", null=True))

# Transient --------------------------------------------------------------------------------------------------------------------------------------

login = _table(
    "login",
    Kind.TRANSIENT,
    _text("id", key=True),
    _whole("version"),
    _text("account", ForeignKey("account.id"), null=True),
    _text("kind"),
    _bytes("token_hash"),
    _whole("generation"),
    _whole("began"),
    _whole("seen"),
    _text("state"),
    _text("shown"),
    _bytes("place"),
    _text("label"),
    _whole("stepped_up_at"),
    _text("stepped_up_by", null=True),
    _whole("not_after"),
    _whole("renew_token"),
    _text("language", null=True),
    _bytes("csrf", null=True),
    _bytes("challenge", null=True),
    _text("data", null=True),  # canonical JSON
    UniqueConstraint("token_hash"),
    Index(None, "account"),
    Index(None, "seen"),
)
throttle = _table("throttle", Kind.TRANSIENT, _text("name", key=True), _text("value"), _whole("updated_at"), Index(None, "updated_at"))
ticket = _table(
    "ticket",
    Kind.TRANSIENT,
    _text("id", key=True),
    _bytes("token_hash"),
    _text("kind"),  # guest, invitation, bootstrap, media, emergency, ...
    _text("person", null=True),
    _text("account", null=True),
    _text("role", null=True),
    _text("centre", null=True),
    _text("subject", null=True),
    _text("data", null=True),
    _text("created_by", null=True),
    _whole("created_at"),
    _whole("expires_at"),
    _whole("used_at", null=True),
    _whole("revoked_at", null=True),
    UniqueConstraint("token_hash"),
    Index(None, "expires_at"),
)
# When a service token was last shown, to some minutes: a leaf for each use would tell more than it is worth.
token_use = _table("token_use", Kind.TRANSIENT, _text("token", key=True), _whole("at"))
oidc_flow = _table(
    "oidc_flow",
    Kind.TRANSIENT,
    _bytes("state_hash", key=True),
    _text("issuer"),
    _text("verifier"),
    _text("nonce"),
    _text("back", null=True),
    _text("data", null=True),
    _whole("created_at"),
    _whole("expires_at"),
    _whole("used_at", null=True),
)
idempotency = _table(
    "idempotency",
    Kind.TRANSIENT,
    _text("person", key=True),
    _text("request_key", key=True),
    _bytes("request_digest"),
    _bytes("response"),
    _whole("at"),
    Index(None, "at"),
)
outbox = _table(
    "outbox",
    Kind.TRANSIENT,
    _text("id", key=True),
    _text("kind"),
    _text("job_key"),
    _bytes("payload"),
    _whole("created_at"),
    _whole("due_at"),
    _whole("attempts"),
    _text("lease", null=True),
    _text("worker", null=True),
    _whole("lease_until"),
    _whole("done_at", null=True),
    _text("last_fault", null=True),
    UniqueConstraint("kind", "job_key"),
    Index(None, "done_at", "due_at"),
)
# An event that people have yet to sign: its leaf without signatures, and those that came so far (canonical JSON).
draft = _table(
    "draft",
    Kind.TRANSIENT,
    _text("draw", ForeignKey("draw.id"), key=True),
    _text("type", key=True),
    _bytes("leaf"),
    _text("sigs"),
    _whole("created_at"),
)
# Where a draw stands, as whoever moved it last found it: pages show it without moving anything. `fault`: why it does not go on.
stand = _table(
    "stand",
    Kind.TRANSIENT,
    _text("draw", ForeignKey("draw.id"), key=True),
    _text("waiting"),
    _whole("until"),
    _text("draft"),
    _text("fault"),
    _whole("at"),
)
# A message to somebody in a slot, on one channel. What it says and to whom stays with the keeper; the link's token is here as its SHA-256.
notice = _table(
    "notice",
    Kind.TRANSIENT,
    _bytes("token_hash", key=True),
    _text("kind", key=True),  # call, cancel
    _text("channel", key=True),  # sms, voice, mail
    _text("draw", ForeignKey("draw.id")),
    _whole("slot"),
    _whole("occupant"),
    _text("state"),  # a row of services.notices.NEXT
    _whole("turn"),  # raised where a person has it sent once more: another message to the gateway
    _whole("changed_at"),
    _text("fault", null=True),
    Index(None, "draw"),
)
# What an endpoint is told of one event. `turn`: raised where a person has it sent once more; `since`: when that began.
delivery = _table(
    "delivery",
    Kind.TRANSIENT,
    _text("id", key=True),
    _text("webhook", ForeignKey("webhook.id")),
    _text("draw", ForeignKey("draw.id")),
    _text("event"),
    _bytes("body"),
    _text("state"),  # due, delivered, failed, dropped
    _whole("turn"),
    _whole("attempts"),
    _text("fault", null=True),
    _whole("created_at"),
    _whole("since"),
    _whole("changed_at"),
    Index(None, "webhook"),
    Index(None, "created_at"),
)
effect = _table("effect", Kind.TRANSIENT, _text("job", key=True), _text("effect", key=True), _whole("at"))
progress = _table(
    "progress",  # of work that a page watches: an import, an export, a rotation
    Kind.TRANSIENT,
    _text("id", key=True),
    _text("kind"),
    _text("person", null=True),
    _text("centre", null=True),
    _text("state"),
    _whole("done"),
    _whole("total"),
    _text("data", null=True),
    _whole("created_at"),
    _whole("updated_at"),
)
# What was staged of an import: `data` is canonical JSON of a batch's rows: number in the sheet, indexes, the expert it becomes. No values.
import_batch = _table(
    "import_batch",
    Kind.TRANSIENT,
    _text("import_id", key=True),
    _whole("number", key=True),
    _bytes("digest"),  # of the sealed batch's content, keyed
    _text("data"),
    _whole("applied_at", null=True),
)
# Rows that are not right yet: where and what is wrong. The cells are the keeper's.
import_row = _table(
    "import_row",
    Kind.TRANSIENT,
    _text("import_id", key=True),
    _whole("row", key=True),
    _text("state"),  # open, mended, left_out
    _text("faults"),  # canonical JSON: column, code, parameters
)
# What each witness said last; its freshest line of the size that it cosigned last.
witness_state = _table(
    "witness_state",
    Kind.TRANSIENT,
    _text("witness", key=True),
    _text("origin"),
    _whole("size"),
    _whole("good_at"),
    _whole("asked_at"),
    _text("code"),
    _bytes("line", null=True),
)
checkpoint_time = _table("checkpoint_time", Kind.TRANSIENT, _text("origin", key=True), _whole("size", key=True), _whole("at"))
# One row per write on PostgreSQL: whether a commit whose answer was lost took place.
commit_mark = _table("commit_mark", Kind.TRANSIENT, _bytes("mark", key=True), _whole("at"), Index(None, "at"))

# The keeper's own ---------------------------------------------------------------------------------------------------------------------------------

annex = _state(
    "annex",
    _text("table_name"),
    _text("row_id"),
    _text("column_name"),
    _bytes("value"),  # an envelope
    UniqueConstraint("table_name", "row_id", "column_name"),
    owner="keeper",
)


def _kept(name: str, *key: Column[str]) -> Table:
    return _table(name, Kind.KEEPER, *key, _bytes("value"), _whole("version"), owner="keeper")


blind_index = _kept("blind_index", _text("table_name", key=True), _text("row_id", key=True), _text("column_name", key=True))
Index(None, blind_index.c.table_name, blind_index.c.column_name, blind_index.c.value)
keeper_state = _kept("keeper_state", _text("name", key=True))
keeper_credential = _kept("keeper_credential", _text("id", key=True))
wrapped_key = _kept("wrapped_key", _text("id", key=True))


def kind_of(table: Table) -> Kind:
    return KINDS[table.name][0]


def owner_of(table: Table) -> str:
    """`web` or `keeper`: whose role on PostgreSQL writes it."""
    return KINDS[table.name][1]


def of_kind(*kinds: Kind) -> tuple[Table, ...]:
    """The tables of these kinds, in an order in which references point backwards."""
    return tuple(table for table in metadata.sorted_tables if kind_of(table) in kinds)
