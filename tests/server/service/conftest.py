"""A database for each service: SQLite in the service's folder (None), or one of PostgreSQL with roles of its own."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest

from tests.server.service.machine import Cluster
from tests.service import ENGINES, POSTGRES, Database, _admin, _as


def _postgres(templates):
    name = f"lotroom_{uuid4().hex[:12]}"
    asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}"))
    return Database("postgresql", _as("postgres", name), _as("lotroom_web", name), _as("lotroom_keeper", name), f"{POSTGRES}/{name}")


def _drop(database):
    asyncio.run(_admin(f"DROP DATABASE {database.plain.rpartition('/')[2]} WITH (FORCE)"))


@pytest.fixture(params=ENGINES)
def base(request, templates):
    """On PostgreSQL a database of the test's own; on SQLite None."""
    if request.param == "sqlite":
        yield None
        return
    made = _postgres(templates)
    yield made
    _drop(made)


@pytest.fixture
def another_base(base, templates):
    """A second one, as empty as migrations leave it."""
    if base is None:
        yield None
        return
    made = _postgres(templates)
    yield made
    _drop(made)


@pytest.fixture
def cluster():
    """A PostgreSQL that may be killed."""
    if not sorted(Path("/usr/lib/postgresql").glob("*/bin")) or os.getuid() != 0:
        pytest.skip("needs PostgreSQL's programs, and root to become its user")
    made = Cluster()
    yield made
    made.end()
