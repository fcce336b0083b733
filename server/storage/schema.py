"""The database's own rules as values: what tables, triggers, indexes and rights there are, and what there should be.

What should be there is what the migrations make: in an empty SQLite database in memory, or in a schema of PostgreSQL that is made and
taken back again. So one program is compared with itself on the same server, and no spelling of a server's version matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing.errors import Refused
from server.storage.versions import upgrade_within

Schema = Mapping[str, str]  # "trigger log_leaf_next" -> what it is
_SCRATCH = "lotroom_check"
_POSTGRES = (
    # relations of any kind: owner, rights, row security
    """SELECT 'relation ' || c.relname, concat_ws(' ', c.relkind, r.rolname, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence,
         (SELECT string_agg(each::text, ' ' ORDER BY each::text) FROM unnest(c.relacl) each))
       FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind <> 'i'""",
    """SELECT 'column ' || c.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
         pg_get_expr(d.adbin, d.adrelid), a.attacl, a.attgenerated, a.attidentity)
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind IN ('r', 'v', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped""",
    """SELECT 'constraint ' || c.relname || '.' || k.conname, concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = CAST(:schema AS regnamespace)""",
    """SELECT 'index ' || c.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid, 0, true), i.indisunique, i.indisvalid, i.indisready)
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = CAST(:schema AS regnamespace)""",
    """SELECT 'trigger ' || c.relname || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid, true), t.tgenabled)
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
       WHERE c.relnamespace = CAST(:schema AS regnamespace) AND NOT t.tgisinternal""",
    # the triggers behind foreign keys have numbers for names; what matters is that they are awake
    """SELECT 'reference ' || c.relname || '.' || k.conname, string_agg(t.tgenabled::text, '' ORDER BY t.tgname)
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_constraint k ON k.oid = t.tgconstraint
       WHERE c.relnamespace = CAST(:schema AS regnamespace) AND t.tgisinternal GROUP BY c.relname, k.conname""",
    """SELECT 'function ' || p.proname, concat_ws(' ', p.prosrc, p.prosecdef, p.provolatile, p.proconfig, l.lanname)
       FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = CAST(:schema AS regnamespace)""",
    """SELECT 'rule ' || c.relname || '.' || r.rulename, pg_get_ruledef(r.oid)
       FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = CAST(:schema AS regnamespace)""",
)
_expected_sqlite: dict[str, str] = {}


async def found(connection: AsyncConnection) -> Schema:
    """What is there."""
    return await connection.run_sync(_describe, "public")


async def expected(connection: AsyncConnection) -> Schema:
    """What the migrations make. On PostgreSQL the connection may write, and the caller rolls back.

    Raises Refused where the role may not make a schema: whoever checks is the tables' owner or an administrator.
    """
    if connection.dialect.name == "sqlite":
        if not _expected_sqlite:
            _expected_sqlite.update(await asyncio.to_thread(_in_memory))
        return _expected_sqlite
    try:
        await connection.execute(text(f"CREATE SCHEMA {_SCRATCH} AUTHORIZATION lotroom_migrate"))
        await connection.execute(text("SET LOCAL ROLE lotroom_migrate"))
    except ProgrammingError:
        raise Refused("check_needs_the_owner", "database") from None
    await connection.execute(text(f"SET LOCAL search_path = {_SCRATCH}"))
    await connection.run_sync(upgrade_within)
    return await connection.run_sync(_describe, _SCRATCH)


def _in_memory() -> Schema:
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade_within(connection)
            return _describe(connection, "")
    finally:
        engine.dispose()


def _describe(connection: Connection, schema: str) -> Schema:
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master")).all()
        return {f"{kind} {name}": f"{table} {sql or ''}" for kind, name, table, sql in rows if not str(name).startswith("sqlite_stat")}
    out: dict[str, str] = {}
    for query in _POSTGRES:
        for name, value in connection.execute(text(query), {"schema": schema}):
            out[name] = str(value).replace(f"{schema}.", "")
    return out
