"""Models equal migrations, forwards and back, on both engines; a database of another version or with other settings is refused."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from drawing.errors import Refused
from server.__main__ import cli
from server.storage import guards, schema
from server.storage.check import Difference
from server.storage.store import Store
from server.storage.tables import KINDS, Kind, metadata
from server.storage.versions import latest, migrate
from server.texts import TEXT, tell
from tests.server.storage.test_check import populate


async def described(url: str) -> tuple[dict[str, str], list[object]]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = dict(await schema.found(connection))
        diff = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )
    await engine.dispose()
    return found, diff


async def test_models_are_what_the_migrations_make(database):
    found, diff = await described(database.owner)
    assert diff == []
    assert len(found) > 100


async def test_checks_and_partial_indexes_too_are_those_of_the_models(database):
    """Alembic does not compare them, so all of them are: tables made by the models in a schema of their own."""
    found, _ = await described(database.owner)
    engine = create_async_engine("sqlite+aiosqlite://" if database.engine == "sqlite" else database.owner)
    async with engine.begin() as connection:
        if database.engine == "postgresql":
            await connection.execute(text("CREATE SCHEMA other"))
            await connection.execute(text("SET LOCAL search_path = other"))
        if database.engine == "postgresql":
            for index in (each for table in metadata.sorted_tables for each in table.indexes):
                index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
        await connection.run_sync(metadata.create_all)
        models = dict(await connection.run_sync(schema._describe, "other"))
        await connection.rollback()
    await engine.dispose()
    kinds = ("table", "index") if database.engine == "sqlite" else ("column", "constraint", "index")
    normal = {
        name: " ".join(value.replace('"', "").split())
        for name, value in found.items()
        if name.partition(" ")[0] in kinds and "alembic" not in name
    }
    assert {name for name in models if name.partition(" ")[0] in kinds} == set(normal)
    if database.engine == "postgresql":
        assert {name: " ".join(models[name].replace('"', "").split()) for name in normal} == normal


async def test_down_to_nothing_and_up_again_is_the_same(database):
    before, _ = await described(database.owner)
    assert await migrate(database.owner) == (latest(), latest())
    assert await migrate(database.owner, "base") == (latest(), None)
    empty, _ = await described(database.owner)
    assert {name for name in empty if "alembic" not in name} == set()
    with pytest.raises(Refused, match="tables_of_another_version"):
        await Store.open(database.web)
    assert await migrate(database.owner) == (None, latest())
    assert (await described(database.owner))[0] == before


async def test_tables_of_a_newer_program_are_left_alone(database):
    engine = create_async_engine(database.owner)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    for open_it in (Store.open(database.web), migrate(database.owner), migrate(database.owner, "base")):
        with pytest.raises(Refused, match="tables_of_another_version") as refused:
            await open_it
        assert refused.value.params["newer"] == 1


def test_every_table_that_only_grows_has_its_guards():
    assert set(guards.APPEND_ONLY) == {name for name, (kind, _) in KINDS.items() if kind is Kind.LOG}
    assert set(KINDS) == set(metadata.tables)


async def test_a_sqlite_database_is_for_its_owner_and_as_durable_as_promised(database, store):
    if database.engine != "sqlite":
        pytest.skip("files of SQLite")
    await store.write(lambda tx: tx.insert("centre", {"code": "x", "name": "x", "created_at": 1}, "system"), 1)
    for name in os.listdir(os.path.dirname(database.plain)):
        assert stat.S_IMODE(os.stat(os.path.join(os.path.dirname(database.plain), name)).st_mode) & 0o077 == 0, name
    for engine in (store._engines.writer, store._engines.reader):
        async with engine.connect() as connection:
            for pragma, value in (
                ("journal_mode", "wal"),
                ("synchronous", 2),
                ("foreign_keys", 1),
                ("trusted_schema", 0),
                ("cell_size_check", 1),
            ):
                assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == value


async def test_what_is_no_database_of_ours_is_refused(tmp_path):
    for url in (
        "",
        "sqlite:///x",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "mysql://x/y",
        "postgresql://x/y",
        "postgresql+asyncpg://x",
    ):
        with pytest.raises(Refused, match="bad_database_url"):
            await Store.open(url)
    with pytest.raises(Refused, match="no_such_file"):
        await Store.open(f"sqlite+aiosqlite:///{tmp_path}/missing.db")
    assert not (tmp_path / "missing.db").exists()


def test_every_difference_has_a_text_in_both_languages():
    source = Path(schema.__file__).with_name("check.py").read_text("utf-8")
    for code in [each.removeprefix("differs_") for each in TEXT if each.startswith("differs_")]:
        assert f'"{code}' in source, code
        assert tell(f"differs_{code}", "zh") != tell(f"differs_{code}", "en")
    assert Difference("a", "b", "c") < Difference("a", "b", "d")


async def test_the_commands_say_what_they_did_and_found(database, store, keeper_store):
    await populate(store, keeper_store)

    def lotroom(*words: str):
        import threading

        done = []
        thread = threading.Thread(target=lambda: done.append(CliRunner().invoke(cli, list(words))))
        thread.start()
        thread.join()
        return done[0]

    assert lotroom("migrate", "--database", database.owner).output == f"数据库表结构：{latest()} → {latest()}\n"
    good = lotroom("check", "--database", database.owner, "--lang", "en")
    assert (good.exit_code, good.output.splitlines()[-1]) == (0, "The database is what the log says")
    engine = create_async_engine(database.owner)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE site SET name = 'x'"))
        [row] = (await connection.execute(text("SELECT id FROM site"))).scalars()
    await engine.dispose()
    bad = lotroom("check", "--database", database.owner, "--lang", "en")
    assert bad.exit_code == 1
    assert f"  site {row}: was changed\n" in bad.output
    told = json.loads(lotroom("check", "--database", database.owner, "--json").output)
    assert told["differences"] == [{"table": "site", "row": row, "what": "changed", "detail": ""}]
    assert lotroom("check", "--database", "sqlite:///x").exit_code == 1
    assert lotroom("migrate", "--database", database.owner, "--to", "base").exit_code == 2
