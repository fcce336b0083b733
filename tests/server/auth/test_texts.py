"""Every refusal of this package has a text in both languages, with the values that it gets; and the package imports what it may."""

from __future__ import annotations

import ast
import string
import sys
from pathlib import Path

import pytest

from drawing import texts as drawing_texts
from drawing.errors import Refused
from server.auth.model import Role
from server.auth.people import duty
from server.draw_refusals import DRAW
from server.refusals import OWN, REFUSED, say
from server.texts import ROLE_NAMES

AUTH = Path(__file__).parents[3] / "server" / "auth"
TREES = {path.name: ast.parse(path.read_text("utf-8")) for path in sorted(AUTH.glob("*.py"))}
DUTIES = {"change_password", "enrol_passkey"}  # `Actor.duty` is the code


def raised() -> dict[str, list[set[str]]]:
    """Code -> the parameters of each place that raises it."""
    found: dict[str, list[set[str]]] = {each: [set()] for each in DUTIES}
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                codes = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                assert codes or ast.unparse(node.args[0]) == "actor.duty"
                for code in codes:
                    found.setdefault(code, []).append({each.arg for each in node.keywords})
    return found


RAISED = raised()


def test_every_code_has_texts():
    assert set(RAISED) <= set(REFUSED)
    assert not set(REFUSED) & set(drawing_texts.TEXT)
    assert list(OWN) == sorted(OWN)
    assert list(DRAW) == sorted(DRAW)


@pytest.mark.parametrize("code", sorted(RAISED))
def test_a_text_asks_for_what_every_raiser_gives(code):
    for text in REFUSED[code]:
        asked = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert all(asked <= {*given, "place"} for given in RAISED[code]), (code, asked)
    zh, en = REFUSED[code]
    assert any("\u4e00" <= each <= "\u9fff" for each in zh)
    assert en.isascii()


def test_duties_are_codes():
    source = "".join(path.read_text("utf-8") for path in [AUTH / "people.py"])
    assert all(f'"{each}"' in source for each in DUTIES)
    assert duty.__doc__


def test_a_refusal_is_one_line_in_both_languages():
    why = Refused("too_many", "login", retry_after=7)
    assert say(why, "zh") == "尝试次数过多，请 7 秒后再试；也可使用通行密钥 [too_many]"
    assert say(why, "en").startswith("too many tries: again in 7 seconds")
    assert "[not_hex]" in say(Refused("not_hex", "x", bytes=32), "en")


def test_every_role_has_a_name():
    assert set(ROLE_NAMES) == {role.value for role in Role}


def test_the_package_imports_the_errors_of_drawing_and_libraries_and_nothing_of_the_service():
    libraries = {"joserfc", "nacl"}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                top = module.partition(".")[0]
                ours = module in ("drawing.errors", "drawing.canonical") or module == "server.auth" or module.startswith("server.auth.")
                assert ours or top in libraries or top in sys.stdlib_module_names, (name, module)
