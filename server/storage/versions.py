"""The tables of a database come to this program's version by migrations, forwards and back; nothing else makes or changes a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from drawing.errors import Refused
from server.storage.engines import make_file, parse_url, postgres_engine, sqlite_engine
from server.storage.guards import ROLES

if TYPE_CHECKING:  # loaded where tables are changed: the serving processes stay small and start at once
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"
_REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= (?:"([^"]+)"|None)$', re.MULTILINE)


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings; the migrations are files of the package."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(HERE))
    made.attributes["connection"] = connection
    return made


@cache
def revisions() -> Mapping[str, str | None]:
    """Each revision of this program with the one before it, as the files say."""
    found: dict[str, str | None] = {}
    for path in sorted((HERE / "versions").glob("*.py")):
        said = {name: value or None for name, value in _REVISION.findall(path.read_text("utf-8"))}
        found[said["revision"] or ""] = said["down_revision"]
    return found


def latest() -> str:
    """The revision of this program's tables."""
    (head,) = set(revisions()) - set(revisions().values())
    return head


def current(connection: Connection) -> str | None:
    """The revision of a database's tables; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


async def check_version(connection: AsyncConnection) -> None:
    """Raises Refused where the tables are not this program's: older (migrate), newer (another program wrote them), none."""
    found = await connection.run_sync(current)
    if found == latest():
        return
    known = found is None or found in revisions()
    raise Refused("tables_of_another_version", "database", found=found or "-", needed=latest(), newer=int(not known))


async def migrate(url: str, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the tables to a revision, in one transaction. Returns the revisions before and after.

    On PostgreSQL the tables belong to lotroom_migrate; whoever runs this is that role, or may become it, or is an administrator who may
    make the three roles. Raises Refused for a database of a newer program, or a role that may not.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        make_file(parsed)
        # A table is changed by making it anew: references are checked at the end, not in between.
        engine = sqlite_engine(parsed, "BEGIN IMMEDIATE", 1, foreign_keys=False)
    else:
        engine = postgres_engine(parsed, "READ COMMITTED", 1)
    try:
        if engine.dialect.name == "postgresql":
            async with engine.begin() as connection:
                await _make_roles(connection)
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("SET LOCAL ROLE lotroom_migrate"))
            before = await connection.run_sync(current)
            if before is not None and before not in revisions():
                raise Refused("tables_of_another_version", "database", found=before, needed=latest(), newer=1)
            await connection.run_sync(_run, revision)
            after = await connection.run_sync(current)
            if engine.dialect.name == "sqlite" and (await connection.execute(text("PRAGMA foreign_key_check"))).first():
                raise Refused("migration_breaks_references", "database")
    finally:
        await engine.dispose()
    return before, after


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config())
    target = None if revision == "base" else script.get_revision(revision)
    here = current(connection)
    backwards = here is not None and (
        target is None or here not in {each.revision for each in script.iterate_revisions(target.revision, "base")}
    )
    (command.downgrade if backwards else command.upgrade)(config(connection), revision)


def upgrade_within(connection: Connection) -> None:
    """All migrations, in whatever schema the connection is."""
    from alembic import command

    command.upgrade(config(connection), "head")


async def _make_roles(connection: AsyncConnection) -> None:
    """The three roles, once per server; and their way into this database."""
    me: Any = (await connection.execute(text("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"))).one()
    there = set((await connection.execute(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'lotroom%'"))).scalars())
    missing = [role for role in ROLES if role not in there]
    if missing and not (me.rolsuper or me.rolcreaterole):
        raise Refused("database_roles_missing", "database", roles=", ".join(missing))
    for role in missing:  # two installations on one server may both come here
        await connection.execute(
            text(f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
        )
    if me.rolsuper:
        await connection.execute(text("GRANT USAGE, CREATE ON SCHEMA public TO lotroom_migrate"))
        await connection.execute(text("GRANT USAGE ON SCHEMA public TO lotroom_web, lotroom_keeper"))
