"""What a signed-in request asks of the database: one look-up, and one write in half a minute."""

import pytest
from sqlalchemy import event

from server.auth.model import Role

pytestmark = pytest.mark.usefixtures("later")


def statements(site, visitor, path):
    """What goes to the database while a page is asked for."""
    said = []

    def heard(connection, cursor, statement, parameters, context, many):
        said.append(statement)

    for engine in (site.store._engines.reader.sync_engine, site.store._engines.writer.sync_engine):
        event.listen(engine, "before_cursor_execute", heard)
    try:
        assert visitor.get(path).status == 200
    finally:
        for engine in (site.store._engines.reader.sync_engine, site.store._engines.writer.sync_engine):
            event.remove(engine, "before_cursor_execute", heard)
    return [each for each in said if not each.startswith(("BEGIN", "PRAGMA", "COMMIT", "ROLLBACK"))]


def test_who_asks_is_one_look_up_and_somebody_who_was_just_seen_writes_nothing(site):
    site.settle("xie.fei", Role.ARCHIVIST, Role.SITE_HOST)
    visitor = site.visitor()
    assert visitor.with_code("xie.fei").status == 303
    visitor.get("/step-up")
    (only,) = statements(site, visitor, "/step-up")
    assert only.count("JOIN") == 2
    assert statements(site, site.visitor(), "/sign-in") == []
    site.house.move_clock(31)
    assert len([each for each in statements(site, visitor, "/step-up") if each.startswith("UPDATE")]) == 1
