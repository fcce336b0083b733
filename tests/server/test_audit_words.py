"""The audit log speaks the reader's language: whatever the service writes into it has words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from server.auth.people import Change
from server.handlers.audit_words import CHANGES, KEEPER, TABLES
from server.storage.tables import KINDS, Kind

SERVER = Path(__file__).parents[2] / "server"
WHY = {"insert": 3, "insert_all": 3, "change": 5, "delete": 4, "write_account": 3, "take_out": 3, "_save": 5, "save": 4, "_change": 3}


def test_every_table_whose_changes_are_logged_has_a_name():
    assert set(TABLES) == {name for name, (kind, _) in KINDS.items() if kind is Kind.STATE}


def test_every_reason_of_a_change_has_words():
    found = {word for call in _calls("services", "storage", "demo", "witness") for word in _constants(call, WHY.get(_name(call)))}
    assert {"import", "leave", "suspend", "role", "own", "invited"} <= found  # what is looked for is found
    assert (found | set(Change)) - set(CHANGES) == set()


def test_everything_that_the_keeper_says_it_did_has_words():
    position = {"leaf": 0, "write_down": 3}
    assert {word for call in _calls("keeper") for word in _constants(call, position.get(_name(call)))} == set(KEEPER)


def _calls(*folders: str) -> Iterator[ast.Call]:
    for folder in folders:
        for path in sorted((SERVER / folder).rglob("*.py")):
            yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""


def _constants(call: ast.Call, position: int | None) -> list[str]:
    if position is None or len(call.args) <= position:
        return []
    return [node.value for node in ast.walk(call.args[position]) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
