"""The whole service over each database, once per module."""

import asyncio
import shutil

import pytest

from tests.server.desk.site import Desk
from tests.service import ENGINES, _admin, _as


@pytest.fixture(scope="module", params=ENGINES)
def site(request, templates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    if request.param == "sqlite":
        shutil.copy(templates["sqlite"], folder / "lotroom.db")
        url = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    else:
        name = f"{templates['postgresql']}_{request.module.__name__.rpartition('.')[2]}"
        asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}"))
        url = _as("lotroom_web", name)
    made = Desk(folder, url)
    yield made
    made.stop()
    if request.param == "postgresql":
        asyncio.run(_admin(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def later(site):
    """One address may guess twenty times a minute: each test has a minute of its own."""
    site.house.move_clock(61)
