"""Write the pages that come from data: docs/rules.md from the rule sets, docs/library.md from the columns. A test compares them."""

from __future__ import annotations

import json
from pathlib import Path

from server.config import PREFIX, Settings
from server.library.columns import COLUMNS
from server.rules import REGIMES, RuleText, rules_of

DOCS = Path(__file__).resolve().parent.parent / "docs"


def in_force(rule: RuleText) -> str:
    """From when, and until when if that is known."""
    return f"{rule.valid_from} to {rule.valid_to}" if rule.valid_to else f"from {rule.valid_from}"


def rules_page() -> str:
    """docs/rules.md."""
    lines = [
        "# Rules",
        "",
        "Written by `make docs` from `server/rules/*.toml`. Mark S: taken from the text of the law; K: recalled, to be confirmed by the centre's",
        "lawyer; D: a rule of the platform (参照: an article of the other regime that the platform applies to both). A draw commits to the digest of",
        "the rules in force on its day, so a changed number is a new version. How a conflict is found, byte for byte: [spec](spec/conflict.md).",
        "",
        "Working days (D5) are counted by the tables in `server/rules/holidays`; a year without a table is refused by name.",
    ]
    for regime in REGIMES:
        rules = rules_of(regime)
        lines += ["", f"## {regime}: {rules.id} {rules.version}, from {rules.valid_from}"]
        for title, texts in (
            ("The request", rules.request),
            ("Who is kept out", rules.conflict),
            ("Cited only: these bind at other steps", rules.elsewhere),
        ):
            lines += ["", f"### {title}", "", "| code | 规则 | rule | article | mark | in force | numbers |", "| " + "--- | " * 7]
            lines[-1] = lines[-1].rstrip()
            for each in texts.values():
                numbers = ", ".join(f"{key} {value}" for key, value in each.parameters.items())
                lines.append(f"| {each.code} | {each.zh} | {each.en} | {each.article} | {each.mark} | {in_force(each)} | {numbers} |")
    return "\n".join(lines) + "\n"


def library_page() -> str:
    """docs/library.md."""
    lines = [
        "# The expert library file",
        "",
        "Written by `make docs` from `server/library/columns.py`. An xlsx or csv file (UTF-8 with or without mark, GB 18030) with one header row.",
        "`lotroom library template` writes an empty one. Titles are Chinese or the English alias, in any order; unknown columns are refused.",
        "",
        "A cell with several entries separates them with `;`, and the parts of an entry with `|`; an empty end date means until now.",
        "Long numbers must be text: an 18-digit number that a sheet stored as a number has lost digits and is a row error. Full-width forms are",
        "folded with a notice. A row with an error takes no part; it goes to the reject file, mended it can be imported as it is.",
        "",
        "| title | alias | must be filled | example |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {c.title} | `{c.alias}` | {'yes' if c.required else ''} | {c.example.replace('|', chr(92) + '|')} |" for c in COLUMNS]
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The settings, one row each."""
    lines = ["| setting | environment | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = json.dumps(field.get_default(), ensure_ascii=False, default=list)
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | `{default}` | {field.description} |")
    return "\n".join(lines) + "\n"


def operations_page() -> str:
    """docs/operations.md with the table of now."""
    text = (DOCS / "operations.md").read_text("utf-8")
    before, begin, rest = text.partition("<!-- settings -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return before + begin + settings_table() + end + after


PAGES = {"operations.md": operations_page, "rules.md": rules_page, "library.md": library_page}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), "utf-8")
