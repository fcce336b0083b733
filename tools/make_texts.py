"""Write web/static/js/verify/texts.js from drawing/texts.py, so that page and command say the same. A test compares them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from drawing.texts import CHECK_TITLES, HEADLINES, REASONS, STATUS_WORDS, TEXT

TARGET = Path(__file__).resolve().parent.parent / "web" / "static" / "js" / "verify" / "texts.js"
TABLES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "TEXT": TEXT,
    "CHECK_TITLES": CHECK_TITLES,
    "HEADLINES": HEADLINES,
    "REASONS": REASONS,
    "STATUS_WORDS": STATUS_WORDS,
}


def texts_module() -> str:
    """texts.js."""
    lines = [
        "/**",
        " * Texts for codes, Chinese and English. Written by tools/make_texts.py from drawing/texts.py; change them there.",
        " */",
    ]
    for name, table in TABLES.items():
        lines += ["", "/** @type {Record<string, [string, string]>} */", f"export const {name} = {{"]
        lines += [f"  {json.dumps(code)}: {json.dumps(pair, ensure_ascii=False)}," for code, pair in sorted(table.items())]
        lines.append("};")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(texts_module(), "utf-8")
