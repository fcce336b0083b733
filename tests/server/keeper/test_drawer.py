"""The drawing's two processes: a page waits for no library that is read."""

from __future__ import annotations

import asyncio

from server.drawer.tasks import TASKS
from server.keeper import child
from server.keeper.child import LONG_TASKS, Drawer


async def test_what_a_page_asks_for_is_answered_while_libraries_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "_DRAWER", "tests.server.keeper.held_tasks")
    drawer, until = Drawer(), tmp_path / "over"
    long = [asyncio.create_task(drawer.run("prepare", until=str(until))) for _ in range(2)]
    try:
        await asyncio.sleep(0)
        assert await drawer.run("terms") == {}
        assert not any(each.done() for each in long)
        until.touch()
        assert await asyncio.gather(*long) == [{}, {}]
    finally:
        await drawer.close()


def test_long_tasks_are_tasks_of_the_drawing():
    assert set(TASKS) > LONG_TASKS
