"""Collect the texts of pages into web/locale and compile them (`make locale`). English texts are their own ids; Chinese ones are written by hand.

A text that is new stays empty in Chinese until somebody translates it, and a test fails until then; one that is gone is dropped.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).resolve().parent.parent
LOCALE = HERE / "web" / "locale"
DAY = datetime(2026, 1, 1, tzinfo=UTC)  # a header that would change with every run says nothing
KEYWORDS = {"N_": None, "gettext": None, "ngettext": (1, 2), "_": None}


def collected() -> Catalog:
    """Every text that pages say."""
    found = Catalog(charset="utf-8")
    for folder in ("server/handlers", "web/templates"):
        method = [("**.py", "python")] if folder.startswith("server") else [("**.html", "jinja2")]
        options = {"**.html": {"encoding": "utf-8", "silent": "false"}}
        for file, line, message, _, __ in extract_from_dir(HERE / folder, method, options, keywords=KEYWORDS):
            found.add(message, locations=[(f"{folder}/{file}", line)])
    return found


def updated(name: str) -> Catalog:
    """One language's catalogue with the texts of now."""
    path = LOCALE / name / "LC_MESSAGES" / "lotroom.po"
    old = read_po(io.BytesIO(path.read_bytes()), locale=name) if path.exists() else Catalog(locale=name)
    made = Catalog(
        locale=name,
        charset="utf-8",
        fuzzy=False,
        project="lotroom",
        version="1",
        msgid_bugs_address="-",
        last_translator="-",
        language_team="-",
        header_comment="# Texts of the pages; written by tools/make_locale.py.",
        creation_date=DAY,
        revision_date=DAY,
    )
    for message in sorted(collected(), key=lambda each: str(each.id)):
        if message.id:
            before = old.get(message.id)
            said = before.string if before else ("", "") if message.pluralizable else ""
            if name == "en":
                said = message.id
            elif message.pluralizable:
                said = (said if isinstance(said, str) else said[0],)
            made.add(message.id, said)
    return made


def texts(catalog: Catalog) -> tuple[bytes, bytes]:
    """The .po and the .mo."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalog, width=0, omit_header=False, no_location=True)
    write_mo(mo, catalog)
    return po.getvalue(), mo.getvalue()


def main() -> int:
    """Write both languages; 1 where a text is not translated."""
    missing = 0
    for name in ("zh_CN", "en"):
        folder = LOCALE / name / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        catalog = updated(name)
        for suffix, data in zip((".po", ".mo"), texts(catalog), strict=True):
            (folder / f"lotroom{suffix}").write_bytes(data)
        empty = [each.id for each in catalog if each.id and not all(each.string if isinstance(each.string, tuple) else (each.string,))]
        for each in empty:
            print(f"{name}: not translated: {each}")
        missing += len(empty)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
