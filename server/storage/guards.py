"""What the database itself refuses, whoever asks: triggers of append-only tables on both engines, and PostgreSQL's three roles.

Migrations call these functions, so they never change what they once wrote: a new rule is a new function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from server.storage.tables import Kind

ROLES = ("lotroom_migrate", "lotroom_web", "lotroom_keeper")
# Tables whose rows only join at the end, with what the next row must have.
APPEND_ONLY: Mapping[str, tuple[str, ...]] = {
    "log_leaf": ("leaf_index",),
    "log_node": ("level", "position"),
    "event": ("stream", "seq"),
    "checkpoint": ("origin", "size"),
    "witness_note": ("origin", "size", "witness"),
}
# INSERT OR REPLACE deletes without asking a DELETE trigger, so a row that is there already is refused before.
_NEXT = {
    "log_leaf": "NEW.leaf_index <> (SELECT coalesce(max(leaf_index) + 1, 0) FROM log_leaf)",
    "event": "NEW.seq <> (SELECT coalesce(max(seq) + 1, 0) FROM event WHERE stream = NEW.stream)"
    " OR EXISTS (SELECT 1 FROM event WHERE leaf_index = NEW.leaf_index)",
    "checkpoint": "NEW.number <> (SELECT coalesce(max(number) + 1, 0) FROM checkpoint)"
    " OR EXISTS (SELECT 1 FROM checkpoint WHERE origin = NEW.origin AND size = NEW.size)",
    "witness_note": "NEW.number <> (SELECT coalesce(max(number) + 1, 0) FROM witness_note)"
    " OR EXISTS (SELECT 1 FROM witness_note WHERE origin = NEW.origin AND size = NEW.size AND witness = NEW.witness)",
}
_GROWS = "NEW.id <> OLD.id OR NEW.size < OLD.size OR NEW.checkpoints < OLD.checkpoints OR NEW.cosignatures < OLD.cosignatures"

FUNCTIONS = (
    """CREATE FUNCTION lotroom_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$""",
    f"""CREATE FUNCTION lotroom_next_leaf() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {_NEXT["log_leaf"]} THEN
RAISE EXCEPTION 'log_leaf: not the next row' USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$""",
    """CREATE FUNCTION lotroom_next_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.seq <> (SELECT coalesce(max(seq) + 1, 0) FROM event WHERE stream = NEW.stream) THEN
RAISE EXCEPTION 'event: not the next row' USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$""",
    f"""CREATE FUNCTION lotroom_head_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {_GROWS} THEN
RAISE EXCEPTION 'log_head only grows' USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$""",
)
FUNCTION_NAMES = ("lotroom_append_only", "lotroom_next_leaf", "lotroom_next_event", "lotroom_head_grows")
_NEXT_FUNCTION = {"log_leaf": "lotroom_next_leaf", "event": "lotroom_next_event"}


def append_only(dialect: str, table: str) -> Iterator[str]:
    """The triggers that keep a table append-only."""
    if dialect == "sqlite":
        there = " AND ".join(f"{column} = NEW.{column}" for column in APPEND_ONLY[table])
        rule = _NEXT.get(table, f"EXISTS (SELECT 1 FROM {table} WHERE {there})")  # noqa: S608 - names are ours
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        yield f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}"
        yield f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"
        yield f"CREATE TRIGGER {table}_next BEFORE INSERT ON {table} WHEN {rule} BEGIN SELECT RAISE(ABORT, '{table}: not the next row'); END"
        return
    refuse = "EXECUTE FUNCTION lotroom_append_only()"
    yield f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {refuse}"
    yield f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}"
    triggers = [f"{table}_no_change", f"{table}_no_truncate"]
    if table in _NEXT_FUNCTION:
        yield f"CREATE TRIGGER {table}_next BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {_NEXT_FUNCTION[table]}()"
        triggers.append(f"{table}_next")
    for trigger in triggers:  # also where session_replication_role says that triggers rest
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


def head_grows(dialect: str) -> Iterator[str]:
    """The triggers that let log_head grow and nothing else."""
    if dialect == "sqlite":
        yield f"CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head WHEN {_GROWS} BEGIN SELECT RAISE(ABORT, 'log_head only grows'); END"
        yield "CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head BEGIN SELECT RAISE(ABORT, 'log_head only grows'); END"
        there = "WHEN EXISTS (SELECT 1 FROM log_head)"
        yield f"CREATE TRIGGER log_head_one BEFORE INSERT ON log_head {there} BEGIN SELECT RAISE(ABORT, 'log_head only grows'); END"
        return
    yield "CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION lotroom_head_grows()"
    yield "CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head FOR EACH ROW EXECUTE FUNCTION lotroom_append_only()"
    yield "CREATE TRIGGER log_head_no_truncate BEFORE TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION lotroom_append_only()"
    for trigger in ("log_head_grows", "log_head_no_delete", "log_head_no_truncate"):
        yield f"ALTER TABLE log_head ENABLE ALWAYS TRIGGER {trigger}"


def grants(table: str, kind: Kind, owner: str) -> Iterator[str]:
    """What the two roles of PostgreSQL may do with a table. The web role has nothing at all of the keeper's."""
    every = "SELECT, INSERT, UPDATE, DELETE"
    match kind:
        case Kind.LOG:
            web, keeper = "SELECT" if owner == "keeper" else "SELECT, INSERT", "SELECT, INSERT"
        case Kind.HEAD:
            web = keeper = "SELECT, UPDATE"
        case Kind.PROJECTION:
            web = keeper = "SELECT, INSERT, UPDATE"
        case Kind.TRANSIENT:
            web = every
            keeper = every if table in ("outbox", "effect", "commit_mark", "idempotency", "progress", "checkpoint_time") else "SELECT"
        case Kind.STATE:
            web, keeper = ("", every) if owner == "keeper" else (every, "SELECT")
        case Kind.KEEPER:
            web, keeper = "", every
        case _:
            assert_never(kind)
    if web:
        yield f"GRANT {web} ON {table} TO lotroom_web"
    yield f"GRANT {keeper} ON {table} TO lotroom_keeper"
