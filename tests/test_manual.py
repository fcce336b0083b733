"""The manual says what the pages say: every word in bold is a text of theirs, every role has its chapter in both languages, every picture is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from server.auth.model import ADMINISTRATORS, Role

MANUAL = Path(__file__).parents[1] / "docs" / "manual"
CATALOGUE = Path(__file__).parents[1] / "web" / "locale" / "zh_CN" / "LC_MESSAGES" / "lotroom.po"
TOGETHER = dict.fromkeys(ADMINISTRATORS, "administrators")  # one chapter for the three
WITHOUT_PAGES = {
    Role.TECHNICIAN,
    Role.WITNESS_ON_SITE,
    Role.BIDDER_GUEST,
}  # their work begins with the evaluation session; the index says so
LANGUAGES = ("zh", "en")


@pytest.fixture(scope="module")
def words() -> dict[str, set[str]]:
    """What the pages say, in each language."""
    found: dict[str, set[str]] = {"zh": set(), "en": set()}
    with CATALOGUE.open("rb") as file:
        for each in read_po(file):
            for language, text in (("en", each.id), ("zh", each.string)):
                found[language] |= set(text if isinstance(text, tuple | list) else (text,))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_role_with_pages_has_a_chapter(language):
    chapters = {path.stem for path in (MANUAL / language).glob("*.md")}
    assert chapters == {TOGETHER.get(role, role.value) for role in Role if role not in WITHOUT_PAGES}
    index = (MANUAL / "README.md").read_text("utf-8")
    assert all(f"({language}/{each}.md)" in index for each in chapters)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_in_bold_are_those_of_the_pages(language, words):
    for path in (MANUAL / language).glob("*.md"):
        bold = re.findall(r"\*\*(.+?)\*\*", path.read_text("utf-8"))
        assert bold, path.name
        assert not [each for each in bold if each not in words[language]], path.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_chapter_has_pictures_and_none_is_left_over(language):
    shown = set()
    for path in (MANUAL / language).glob("*.md"):
        found = re.findall(r"!\[[^\]]+\]\(\.\./pictures/(zh|en)/([a-z-]+\.jpg)\)", path.read_text("utf-8"))
        assert found and {folder for folder, _ in found} == {language}, path.name
        shown |= {name for _, name in found}
    assert shown == {path.name for path in (MANUAL / "pictures" / language).glob("*.jpg")}
