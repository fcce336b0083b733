"""The running service with draws over each database, once per module."""

import asyncio
import shutil

import pytest

from tests.server.draws.site import Site
from tests.service import ENGINES, _admin, _as


@pytest.fixture(scope="module", params=ENGINES)
def site(request, templates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("draws")
    if request.param == "sqlite":
        shutil.copy(templates["sqlite"], folder / "lotroom.db")
        url = keeper = f"sqlite+aiosqlite:///{folder / 'lotroom.db'}"
    else:
        name = f"{templates['postgresql']}_{request.module.__name__.rpartition('.')[2]}"
        asyncio.run(_admin(f"CREATE DATABASE {name} TEMPLATE {templates['postgresql']}"))
        url, keeper = _as("lotroom_web", name), _as("lotroom_keeper", name)
    made = Site(folder, url, keeper)
    yield made
    made.stop()
    if request.param == "postgresql":
        asyncio.run(_admin(f"DROP DATABASE {name} WITH (FORCE)"))
